import { expect, test } from 'vitest';
import { resolveDataDirectory } from '../../src/platform/paths.js';

const linux = { platform: 'linux', env: {}, workingDirectory: '/current', home: '/home/ada' } as const;

test('the option comes first, then the variable, both relative to the working directory', () => {
  const env = { WSUSUTIL_HOME: 'from-env' };
  expect(resolveDataDirectory('opt', { ...linux, env })).toBe('/current/opt');
  expect(resolveDataDirectory(undefined, { ...linux, env })).toBe('/current/from-env');
  expect(resolveDataDirectory(undefined, { ...linux, env: { WSUSUTIL_HOME: '' } })).toBe(
    '/home/ada/.local/share/wsusutil',
  );
});

test('each platform has its usual place', () => {
  expect(resolveDataDirectory(undefined, { ...linux, env: { XDG_DATA_HOME: '/xdg' } })).toBe('/xdg/wsusutil');
  expect(resolveDataDirectory(undefined, { ...linux, env: { XDG_DATA_HOME: 'relative' } })).toBe(
    '/home/ada/.local/share/wsusutil',
  );
  expect(resolveDataDirectory(undefined, { ...linux, platform: 'darwin', home: '/Users/ada' })).toBe(
    '/Users/ada/Library/Application Support/wsusutil',
  );
  const windows = { platform: 'win32', workingDirectory: 'C:\\work', home: 'C:\\Users\\ada' } as const;
  expect(resolveDataDirectory(undefined, { ...windows, env: { ProgramData: 'E:\\PD' } })).toBe(
    'E:\\PD\\wsusutil',
  );
  expect(resolveDataDirectory(undefined, { ...windows, env: {} })).toBe('C:\\ProgramData\\wsusutil');
  expect(resolveDataDirectory('D:\\x', { ...windows, env: {} })).toBe('D:\\x');
});
