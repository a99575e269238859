import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createDataDirectory } from '../../src/settings/create-data-directory.js';
import { readDataDirectory, setUpContentDirectory } from '../../src/settings/data-directory.js';
import {
  defaultSettings,
  parseSettings,
  readSettings,
  serializeSettings,
  writeSettings,
} from '../../src/settings/settings.js';
import { temporaryFolder } from '../helpers/program.js';
import { fc } from '../helpers/properties.js';

function folder(): string {
  const { path, remove } = temporaryFolder();
  onTestFinished(remove);
  return path;
}

test('settings come back as they were written', () => {
  fc.assert(
    fc.property(fc.option(fc.stringMatching(/^\/[^\0]{0,40}$/), { nil: undefined }), (contentDirectory) => {
      const settings = { ...defaultSettings(), contentDirectory };
      expect(parseSettings(serializeSettings(settings), 'x')).toEqual(settings);
    }),
  );
});

test('without a file the defaults apply', async () => {
  expect(await readSettings(join(folder(), 'settings.json'))).toEqual(defaultSettings());
});

test.each([
  ['{"formatVersion":1,"contentDir":"/x"}', /unknown key "contentDir"/, 'Did you mean "contentDirectory"?'],
  [
    '{"formatVersion":1,"zzz":1}',
    /unknown key "zzz"/,
    expect.stringMatching(/^Known keys: updateSource, .*healthMonitoring\.$/),
  ],
  ['{"formatVersion":1,"__proto__":1}', /unknown key "__proto__"/, undefined],
  ['{"formatVersion":1,"contentDirectory":5}', /contentDirectory must be a text, got 5/, undefined],
  ['{"formatVersion":1,"contentDirectory":"rel"}', /absolute path, got "rel"/, undefined],
  [
    '{"formatVersion":2}',
    /has formatVersion 2, expected 1/,
    'A newer version of this program wrote it; update this one.',
  ],
  ['{}', /formatVersion missing/, undefined],
  ['[]', /JSON object/, undefined],
  ['{', /is not JSON/, undefined],
])('%s is refused', (text, message, hint) => {
  const read = () => parseSettings(text, '/d/settings.json');
  expect(read).toThrow(message);
  expect(read).toThrow(
    expect.objectContaining({ code: 'SETTINGS_INVALID', ...(hint === undefined ? {} : { hint }) }),
  );
});

test('a mistake in the file is told by its line, without the text around it', () => {
  const text = '{\n"formatVersion": 1,\n"proxyPassword": "hunter2" "x",\n"proxyUser": "u"\n}\n';
  const read = () => parseSettings(text, '/d/settings.json');
  expect(read).toThrow('/d/settings.json is not JSON: line 3 is wrong, or the end of the one before');
  expect(() => parseSettings('{"formatVersion":1,"proxyPassword":hunter2}', 'x')).not.toThrow(/hunter/);
  expect(() => parseSettings('{"formatVersion":1,"proxyPassword":["hunter2"]}', 'x')).toThrow(
    'x has a wrong value: proxyPassword must be a text',
  );
});

test('a byte order mark from an editor is no problem', () => {
  expect(parseSettings('\uFEFF{"formatVersion":1}', 'x')).toEqual(defaultSettings());
});

test('a file of absurd size is refused unread', async () => {
  const path = join(folder(), 'settings.json');
  writeFileSync(path, ' '.repeat(1024 * 1024 + 1));
  await expect(readSettings(path)).rejects.toMatchObject({ code: 'SETTINGS_INVALID' });
});

test.skipIf(process.platform === 'win32')('the file is readable by its owner only', async () => {
  const path = join(folder(), 'settings.json');
  await writeSettings(path, defaultSettings());
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('a relative content directory is not written', async () => {
  const path = join(folder(), 'settings.json');
  await expect(writeSettings(path, { ...defaultSettings(), contentDirectory: 'x' })).rejects.toMatchObject({
    code: 'SETTINGS_INVALID',
  });
  expect(existsSync(path)).toBe(false);
});

test('the content folder lies in the data directory until it is set elsewhere, and stays set', async () => {
  const root = folder();
  const path = join(root, 'deep', 'data');
  expect(createDataDirectory(path)).toBe(true);
  expect(createDataDirectory(path)).toBe(false);
  const inside = join(path, 'WsusContent');
  const first = await setUpContentDirectory(await readDataDirectory(path), undefined, inside);
  expect(first.contentRoot).toBe(path);
  expect(existsSync(inside)).toBe(true);
  const elsewhere = join(root, 'content', 'WsusContent');
  await setUpContentDirectory(first, join(root, 'content'), elsewhere);
  expect(existsSync(elsewhere)).toBe(true);
  const kept = await setUpContentDirectory(await readDataDirectory(path), undefined, elsewhere);
  expect(kept.contentRoot).toBe(join(root, 'content'));
  expect(JSON.parse(readFileSync(join(path, 'settings.json'), 'utf8'))).toEqual({
    formatVersion: 1,
    contentDirectory: join(root, 'content'),
  });
});

test('a file in the place of the data directory is named', () => {
  const path = join(folder(), 'file');
  writeFileSync(path, '');
  expect(() => createDataDirectory(path)).toThrow(/is not a folder/);
  expect(() => createDataDirectory(join(path, 'below'))).toThrow(
    expect.objectContaining({
      code: 'WRITE_FAILED',
      message: `Cannot create the folder ${join(path, 'below')}: ${path} is a file`,
      hint: 'Name another folder, or move that file away.',
    }),
  );
});

test.skipIf(process.platform !== 'linux')(
  'a place where no folder can be made is an error, not an endless loop',
  () => {
    expect(() => createDataDirectory('/proc/none/here')).toThrow(
      expect.objectContaining({
        code: 'WRITE_FAILED',
        message: 'Cannot create the folder /proc/none/here: the system makes no folder in /proc (ENOENT)',
        hint: expect.stringContaining('Name a folder on a disk'),
      }),
    );
  },
);
