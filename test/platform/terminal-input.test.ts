import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { openTerminalInput } from '../../src/platform/terminal-input.js';
import { failureOf } from '../helpers/package-builder.js';

function openTerminal(isTTY = true) {
  const input = Object.assign(new PassThrough(), { isTTY });
  const shown: string[] = [];
  const interruption = new AbortController();
  const terminal = openTerminalInput({
    input,
    prompt: (text) => shown.push(text),
    signal: interruption.signal,
  });
  return { terminal, input, shown, interrupt: () => interruption.abort() };
}

test.each([
  ['y\n', true],
  ['YES\r\n', true],
  [' yes \n', true],
  ['n\n', false],
  ['\n', false],
  ['yesterday\n', false],
])('the answer %j is %s', async (typed, expected) => {
  const { terminal, input, shown } = openTerminal();
  const answer = terminal.confirm('Go on?');
  input.write(typed);
  expect(await answer).toBe(expected);
  expect(shown).toEqual(['Go on? [y/N] ']);
});

test('a terminal that is closed has answered no', async () => {
  const { terminal, input } = openTerminal();
  const answer = terminal.confirm('Go on?');
  input.end();
  expect(await answer).toBe(false);
});

test('Ctrl-C ends the question', async () => {
  const { terminal, interrupt } = openTerminal();
  const answer = failureOf(() => terminal.confirm('Go on?'));
  interrupt();
  expect((await answer).code).toBe('INTERRUPTED');
});

test('a pipe is nobody to ask', () => {
  expect(openTerminal(false).terminal.isInteractive).toBe(false);
  expect(openTerminal().terminal.isInteractive).toBe(true);
});
