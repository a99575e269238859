import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { MAX_SECRET_SIZE, openSecretInput, type SecretInput } from '../../src/platform/secret-input.js';
import { failureOf } from '../helpers/package-builder.js';
import { fc } from '../helpers/properties.js';
import { testFolder } from '../store/update-builder.js';

/** A terminal: what is typed comes in pieces, and the mode it was put into is remembered. */
class FakeTerminal extends PassThrough {
  readonly isTTY = true;
  readonly modes: boolean[] = [];
  setRawMode(isRaw: boolean): void {
    this.modes.push(isRaw);
  }
}

interface Session {
  readonly secrets: SecretInput;
  readonly terminal: FakeTerminal;
  readonly shown: string[];
  readonly interrupt: () => void;
}

function openTerminal(): Session {
  const terminal = new FakeTerminal();
  const shown: string[] = [];
  const interruption = new AbortController();
  const secrets = openSecretInput({
    input: terminal,
    prompt: (text) => shown.push(text),
    env: {},
    signal: interruption.signal,
  });
  return { secrets, terminal, shown, interrupt: () => interruption.abort() };
}

function openPipe(env: Readonly<Record<string, string>> = {}): { secrets: SecretInput; pipe: PassThrough } {
  const pipe = new PassThrough();
  const secrets = openSecretInput({
    input: pipe,
    prompt: () => expect.fail('a pipe is not asked'),
    env,
    signal: new AbortController().signal,
  });
  return { secrets, pipe };
}

async function type(...pieces: (string | Buffer)[]): Promise<string> {
  const { secrets, terminal } = openTerminal();
  const answer = secrets.ask('Password');
  for (const piece of pieces) terminal.write(piece);
  return answer;
}

async function pipe(...pieces: (string | Buffer)[]): Promise<string> {
  const { secrets, pipe: stream } = openPipe();
  const answer = secrets.ask('Password');
  for (const piece of pieces) stream.write(piece);
  stream.end();
  return answer;
}

describe('on a terminal', () => {
  test('nothing of what is typed is shown, and the terminal is as it was afterwards', async () => {
    const { secrets, terminal, shown } = openTerminal();
    const answer = secrets.ask('Password');
    terminal.write('hunter2\r');
    expect(await answer).toBe('hunter2');
    expect(shown).toEqual(['Password: ', '\n']);
    expect(terminal.modes).toEqual([true, false]);
    expect(terminal.listenerCount('data')).toBe(0);
    expect(terminal.isPaused()).toBe(true);
  });

  test('keys that take back what was typed do so; arrows and the marks of a paste are no letters', async () => {
    expect(await type('ab\u007fc\r')).toBe('ac');
    expect(await type('wrong\u0015right\r')).toBe('right');
    expect(await type('\u007f\u007fx\n')).toBe('x');
    expect(await type('\u001b[200~past', 'ed\u001b[201~\r')).toBe('pasted');
    expect(await type('a\u001b[Db\u001bOAc\r')).toBe('abc');
    expect(await type('done\u0004')).toBe('done');
  });

  test('a letter of several bytes may come in pieces, and is taken back as one', async () => {
    const bytes = Buffer.from('pä€😀');
    expect(await type(...[...bytes].map((byte) => Buffer.from([byte])), '\r')).toBe('pä€😀');
    expect(await type('a😀\u007fb\r')).toBe('ab');
  });

  test('Ctrl-C, and a signal from elsewhere, end the question', async () => {
    for (const end of [
      ({ terminal }: Session) => terminal.write('abc\u0003'),
      ({ interrupt }: Session) => interrupt(),
    ]) {
      const session = openTerminal();
      const failure = failureOf(() => session.secrets.ask('Password'));
      end(session);
      expect(await failure).toMatchObject({ code: 'INTERRUPTED' });
      expect(session.terminal.modes).toEqual([true, false]);
    }
  });

  test('an empty line is no secret', async () => {
    expect(await failureOf(() => type('\r'))).toMatchObject({ code: 'USAGE' });
  });
});

describe('from a pipe', () => {
  test('the one line there is comes without its end', async () => {
    expect(await pipe('hunter2\n')).toBe('hunter2');
    expect(await pipe('hun', 'ter2\r\n')).toBe('hunter2');
    expect(await pipe(' pass word ')).toBe(' pass word ');
  });

  test.each([
    ['nothing', ''],
    ['an empty line', '\n'],
    ['two lines', 'one\ntwo\n'],
    ['too much', 'x'.repeat(MAX_SECRET_SIZE + 1)],
  ])('%s is refused', async (_, text) => {
    const error = await failureOf(() => pipe(text));
    expect(error).toMatchObject({ code: 'USAGE' });
  });

  test('that is empty, the error says what was to come out of it', async () => {
    const { secrets, pipe: stream } = openPipe();
    stream.end();
    const error = await failureOf(() => secrets.ask('Password of the key default (not shown)'));
    expect(error.message).toBe('Password of the key default: standard input is empty');
  });

  test('a flood is not read to its end', async () => {
    const { secrets, pipe: stream } = openPipe();
    const failure = failureOf(() => secrets.ask('Password'));
    stream.write('x'.repeat(MAX_SECRET_SIZE * 4)); // and no end
    expect(await failure).toMatchObject({ code: 'USAGE' });
  });

  test('what has ended before is empty', async () => {
    const { secrets, pipe: stream } = openPipe();
    stream.end();
    stream.resume();
    await new Promise((resolve) => stream.on('end', resolve));
    expect(await failureOf(() => secrets.ask('Password'))).toMatchObject({ code: 'USAGE' });
  });

  test('a pipe that breaks is told', async () => {
    const { secrets, pipe: stream } = openPipe();
    const failure = failureOf(() => secrets.ask('Password'));
    stream.destroy(new Error('EIO'));
    expect(await failure).toMatchObject({ code: 'READ_FAILED' });
  });
});

describe('from a variable or a file', () => {
  test('gives the one line', async () => {
    const path = join(testFolder(), 'secret');
    writeFileSync(path, '\uFEFFpä ss\r\n');
    const { secrets } = openPipe({ PW: 'hunter2' });
    expect(secrets.fromVariable('PW')).toBe('hunter2');
    expect(await secrets.fromFile(path)).toBe('pä ss');
  });

  test('refuses what is not there, is empty, or is more than a line', async () => {
    const folder = testFolder();
    const { secrets } = openPipe({ EMPTY: '', LINES: 'a\nb' });
    for (const name of ['NONE', 'EMPTY', 'LINES']) {
      expect(await failureOf(() => secrets.fromVariable(name)), name).toMatchObject({
        code: 'USAGE',
      });
    }
    writeFileSync(join(folder, 'empty'), '');
    writeFileSync(join(folder, 'lines'), 'a\nb\n');
    writeFileSync(join(folder, 'large'), 'x'.repeat(MAX_SECRET_SIZE + 1));
    mkdirSync(join(folder, 'folder'));
    for (const [name, code] of [
      ['empty', 'USAGE'],
      ['lines', 'USAGE'],
      ['large', 'USAGE'],
      ['folder', 'INPUT_NOT_FOUND'],
      ['none', 'INPUT_NOT_FOUND'],
    ] as const) {
      expect(await failureOf(() => secrets.fromFile(join(folder, name))), name).toMatchObject({ code });
    }
  });
});

test('whatever the secret, no error holds it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.stringMatching(/^[A-Za-z0-9]{12,30}$/), async (secret) => {
      const { secrets } = openPipe({ LINES: `${secret}\nmore` });
      const errors = [
        await failureOf(() => secrets.fromVariable('LINES')),
        await failureOf(() => pipe(`${secret}\n${secret}\n`)),
        await failureOf(() => pipe(secret.repeat(1000))),
        await failureOf(() => type(`${secret}\u0003`)),
      ];
      for (const error of errors) {
        expect(`${error.stack} ${error.hint} ${JSON.stringify(error.details)}`).not.toContain(secret);
      }
    }),
    { numRuns: 20 },
  );
});

const hasScript = process.platform === 'linux' && spawnSync('script', ['--version']).status === 0;
test.skipIf(!hasScript)('on a real terminal of Linux too', async () => {
  const program = join(testFolder(), 'ask.mjs');
  const module = new URL('../../dist/platform/secret-input.js', import.meta.url).href;
  writeFileSync(
    program,
    `import { openSecretInput } from ${JSON.stringify(module)};
const secrets = openSecretInput({ input: process.stdin, prompt: (text) => process.stderr.write(text), env: {}, signal: new AbortController().signal });
const answer = secrets.ask('Password');
process.stderr.write('READY');
console.log('length ' + (await answer).length);
`,
  );
  const child = spawn('script', ['-qec', `'${process.execPath}' '${program}'`, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  let screen = '';
  let isTyped = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text;
    if (isTyped || !screen.includes('READY')) return;
    isTyped = true; // before the prompt, the terminal would still echo
    child.stdin.write('hunter2\r');
  });
  expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0);
  expect(screen).toContain('length 7');
  expect(screen).not.toContain('hunter');
});
