import { expect, test } from 'vitest';
import { loadPaint, wantsColour, wantsUnicode } from '../../src/cli/paint.js';
import { fakeOutput } from '../helpers/fake-stream.js';

test('a closed pipe is not an error, and nothing more is written', async () => {
  const { output } = fakeOutput({ failWith: 'EPIPE' });
  await output.write('a');
  await output.flush();
  expect(output.isClosed).toBe(true);
});

test('a full disk is', async () => {
  const { output } = fakeOutput({ failWith: 'ENOSPC' });
  await output.write('a');
  await expect(output.flush()).rejects.toMatchObject({ code: 'DISK_FULL' });
});

test.each([
  [{ isTerminal: true, noColor: false, env: {} }, true],
  [{ isTerminal: false, noColor: false, env: {} }, false],
  [{ isTerminal: true, noColor: true, env: {} }, false],
  [{ isTerminal: true, noColor: false, env: { NO_COLOR: '1' } }, false],
  [{ isTerminal: true, noColor: false, env: { NO_COLOR: '' } }, true],
  [{ isTerminal: true, noColor: false, env: { TERM: 'dumb' } }, false],
  [{ isTerminal: false, noColor: false, env: { FORCE_COLOR: '1' } }, true],
  [{ isTerminal: true, noColor: false, env: { FORCE_COLOR: '0' } }, false],
  [{ isTerminal: true, noColor: false, env: { FORCE_COLOR: '1', NO_COLOR: '1' } }, false],
])('%j: colours %s', (choice, expected) => {
  expect(wantsColour(choice)).toBe(expected);
});

test('colours are escape codes only when wanted', async () => {
  const on = await loadPaint({ isTerminal: true, noColor: false, env: {} });
  const off = await loadPaint({ isTerminal: false, noColor: false, env: {} });
  expect(on.error('x')).toBe('\u001b[31mx\u001b[39m');
  expect(off.error('x')).toBe('x');
});

test('box drawing needs a UTF-8 locale', () => {
  expect(wantsUnicode('linux', { LANG: 'en_US.UTF-8' })).toBe(true);
  expect(wantsUnicode('linux', { LANG: 'en_US.UTF-8', LC_ALL: 'C' })).toBe(false);
  expect(wantsUnicode('linux', {})).toBe(false);
  expect(wantsUnicode('win32', { WT_SESSION: 'x' })).toBe(true);
});
