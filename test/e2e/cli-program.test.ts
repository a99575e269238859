import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { INCOMPLETE_PARAMETERS } from '../../src/cli/help.js';
import { acquireWriterLock } from '../../src/platform/writer-lock.js';
import { binPath, finish, runProgram, startProgram, temporaryFolder } from '../helpers/program.js';

function folder(): string {
  const { path, remove } = temporaryFolder();
  onTestFinished(remove);
  return path;
}

describe('help', () => {
  test.each([[['help']], [['--help']], [['/?']], [['-H']]])('%j lists the commands', async (args) => {
    const data = join(folder(), 'data');
    const { exitCode, stdout, stderr } = await runProgram(args, data);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^ {2}export {2}/m);
    expect(existsSync(data)).toBe(false);
  });

  test('of a command is the same in every spelling', async () => {
    const data = folder();
    const texts = await Promise.all(
      [
        ['help', 'IMPORT'],
        ['Import', '/?'],
        ['/help', 'import'],
        ['import', 'a', 'b', '--help'],
      ].map((args) => runProgram(args, data)),
    );
    expect(new Set(texts.map(({ stdout }) => stdout)).size).toBe(1);
    expect(texts[0]?.stdout).toContain('wsusutil import <package> [logfile]');
    expect(texts.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0]);
  });

  test('--version says the version of the package', async () => {
    const { stdout } = await runProgram(['--version'], folder());
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('wrong arguments', () => {
  test.each([
    [[], 'missing <command>'],
    [['import'], 'missing <package>'],
    [['import', 'a', 'b', 'c'], 'unexpected argument "c": import takes at most 2, got 3'],
    [['completion', 'tcsh'], 'unknown shell "tcsh", expected bash, zsh, fish, powershell'],
    [['export', 'a.cab', 'b.cab'], 'is named like a package'],
    [['export', 'same', 'same'], '<package> and the log are the same file'],
  ])('%j: %s', async (args, problem) => {
    const data = join(folder(), 'data');
    const { exitCode, stdout, stderr } = await runProgram(args, data);
    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
    const lines = stderr.split('\n');
    expect(lines[0]).toBe(INCOMPLETE_PARAMETERS);
    expect(lines[1]).toContain(problem);
    expect(stderr).toContain('Usage:');
    expect(existsSync(data)).toBe(false);
  });

  test.each([
    [['exprot', 'a.cab'], '<command> ', 'unknown command "exprot", did you mean export?'],
    [['help', 'exprot'], '<command> ', 'unknown command "exprot", did you mean export?'],
    [['/frobnicate'], '<command> ', 'unknown command "/frobnicate"'],
    [['--frobnicate'], '<command> ', 'unknown option --frobnicate'],
    [
      ['content', 'prnue'],
      'content <command> ',
      'unknown command "content prnue", did you mean content prune?',
    ],
    [['import', 'a', '-dry-rnu'], 'import <package> ', 'unknown option -dry-rnu, did you mean --dry-run?'],
  ])('%j: a few lines that name the word nothing is known of', async (args, usage, problem) => {
    const data = join(folder(), 'data');
    const { exitCode, stdout, stderr } = await runProgram(args, data);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr.split('\n')).toEqual([
      INCOMPLETE_PARAMETERS,
      expect.stringContaining(`Usage: wsusutil ${usage}`),
      '',
      `error: ${problem} [USAGE]`,
      expect.stringMatching(/^hint: .*"wsusutil help/),
      '',
    ]);
    expect(existsSync(data)).toBe(false);
    const document = JSON.parse((await runProgram([...args, '--json'], data)).stdout);
    expect(problem).toContain(document.error.details.unknownWord);
  });

  test('with --json are also a document', async () => {
    const { exitCode, stdout } = await runProgram(['import', '-JSON'], folder());
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      command: 'import',
      status: 'failed',
      exitCode: 2,
      error: { code: 'USAGE', message: 'missing <package>' },
    });
  });

  test('an existing log or a missing package touches nothing', async () => {
    const root = folder();
    const log = join(root, 'a.log');
    writeFileSync(log, 'mine');
    const data = join(root, 'data');
    const exists = await runProgram(['export', join(root, 'a.cab'), log], data);
    expect(exists).toMatchObject({ exitCode: 2, stdout: '' });
    expect(exists.stderr).toMatch(/^error: .*a\.log already exists \[TARGET_EXISTS\]\nhint: /);
    const missing = await runProgram(['import', join(root, 'none.cab'), join(root, 'b.log')], data);
    expect(missing).toMatchObject({ exitCode: 2, stdout: '' });
    expect(readFileSync(log, 'utf8')).toBe('mine');
    expect(readdirSync(root)).toEqual(['a.log']);
  });
});

describe('postinstall', () => {
  test('creates everything, says the lines scripts look for, and can be run again', async () => {
    const root = folder();
    const data = join(root, 'data');
    const first = await runProgram(['POSTINSTALL', `content_dir=${join(root, 'my content')}`], data);
    expect(first).toMatchObject({ exitCode: 0, stderr: '' });
    const [logLine, ...rest] = first.stdout.split('\n');
    expect(rest).toEqual(['Post install is starting', 'Post install has successfully completed', '']);
    const logPath = /^Log file is located at (.+)$/.exec(logLine as string)?.[1] as string;
    const log = readFileSync(logPath, 'utf8').trimEnd().split('\n');
    expect(log.every((line) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ./.test(line))).toBe(true);
    expect(log.at(-1)).toMatch(/Z Post install has successfully completed$/);
    expect(existsSync(join(root, 'my content', 'WsusContent'))).toBe(true);
    expect(readdirSync(data).sort()).toEqual(
      expect.arrayContaining(['logs', 'metadata.sqlite', 'settings.json', 'writer.lock']),
    );

    const second = await runProgram(['postinstall', '/servicing', 'SQL_INSTANCE_NAME=SQL01', '--json'], data);
    expect(JSON.parse(second.stdout)).toMatchObject({
      command: 'postinstall',
      status: 'complete',
      exitCode: 0,
      contentDirectory: join(root, 'my content'),
      warnings: [{ code: 'ARGUMENT_IGNORED' }, { code: 'ARGUMENT_IGNORED' }],
    });
  });

  test('fails with the line and the exit code of the real tool', async () => {
    const root = folder();
    writeFileSync(join(root, 'file'), '');
    const { exitCode, stdout, stderr } = await runProgram(
      ['postinstall', `CONTENT_DIR=${join(root, 'file', 'x')}`],
      join(root, 'data'),
    );
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/Post install is starting\nFatal Error: .*file/);
    expect(stderr).toMatch(/^error: /);
    const [log] = readdirSync(join(root, 'data', 'logs'));
    expect(readFileSync(join(root, 'data', 'logs', log as string), 'utf8')).toMatch(
      /Z Failed: WRITE_FAILED: .*\n$/,
    );
  });

  test('says who is writing when another process is', async () => {
    const data = folder();
    const lock = await acquireWriterLock(join(data, 'writer.lock'), {
      command: 'import',
      now: () => new Date(),
    });
    const { exitCode, stdout } = await runProgram(['postinstall', '--json-events'], data);
    await lock.release();
    expect(exitCode).toBe(1);
    const lines = stdout.trimEnd().split('\n');
    expect(JSON.parse(lines.at(-1) as string)).toMatchObject({
      type: 'result',
      status: 'failed',
      error: { code: 'STORE_LOCKED', details: { holder: { pid: process.pid, command: 'import' } } },
    });
  });
});

test('another command creates the data directory on first use and says so', async () => {
  const data = join(folder(), 'new', 'data');
  const { exitCode, stderr } = await runProgram(['status'], data);
  expect(exitCode).toBe(0);
  expect(stderr).toBe(`warning: Created the data directory ${data} [DATA_DIRECTORY_CREATED]\n`);
  const quiet = await runProgram(['status', '--quiet'], `${data}2`);
  expect(quiet.stderr).toBe('1 warning\n');
  expect(quiet.stdout).not.toBe('');
});

test('a settings file with a slip in it is refused by name', async () => {
  const data = folder();
  writeFileSync(join(data, 'settings.json'), '{"formatVersion":1,"contentDirectry":"/x"}');
  const { exitCode, stderr } = await runProgram(['status'], data);
  expect(exitCode).toBe(14);
  expect(stderr).toContain('Did you mean "contentDirectory"?');
});

test.skipIf(process.platform === 'win32')('a reader that goes away is not an error', async () => {
  const child = startProgram(['completion', 'bash'], folder());
  child.stdout?.destroy();
  const { exitCode, stderr } = await finish(child);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
});

test.skipIf(!existsSync('/dev/full'))('a full disk behind standard output is', () => {
  const data = folder();
  const { status, stderr } = spawnSync(
    'sh',
    ['-c', '"$0" "$1" status > /dev/full', process.execPath, binPath],
    {
      encoding: 'utf8',
      env: { ...process.env, WSUSUTIL_HOME: data },
    },
  );
  expect(status).toBe(15);
  expect(stderr).toContain('[DISK_FULL]');
});

test.skipIf(process.platform === 'win32')('Ctrl-C ends a run with 130 and a word about it', async () => {
  const data = folder();
  const lock = await acquireWriterLock(join(data, 'writer.lock'), {
    command: 'import',
    now: () => new Date(),
  });
  const child = startProgram(['postinstall'], data);
  child.stdout?.once('data', () => child.kill('SIGINT')); // it has said that it starts, and waits for the lock
  const { exitCode, stderr } = await finish(child);
  await lock.release();
  expect(exitCode).toBe(130);
  expect(stderr).toContain('[INTERRUPTED]');
});

describe('completion', () => {
  const hasBash = spawnSync('bash', ['--version']).status === 0;

  test.skipIf(!hasBash)('in bash offers commands, options, choices, properties and files', async () => {
    const root = folder();
    mkdirSync(join(root, 'files'));
    writeFileSync(join(root, 'files', 'my package.cab'), '');
    const { stdout: script } = await runProgram(['completion', 'bash'], root);
    writeFileSync(join(root, 'wsusutil.bash'), script);
    const complete = (...words: string[]): string[] => {
      const { stdout, stderr } = spawnSync(
        'bash',
        [
          '--norc',
          '-c',
          // biome-ignore lint/suspicious/noTemplateCurlyInString: shell syntax
          'source ../wsusutil.bash; COMP_WORDS=(wsusutil "$@"); COMP_CWORD=$#; _wsusutil; printf "%s\\n" "${COMPREPLY[@]}"',
          'bash',
          ...words,
        ],
        { cwd: join(root, 'files'), encoding: 'utf8' },
      );
      expect(stderr).toBe('');
      return stdout.split('\n').filter((line) => line !== '');
    };
    expect(complete('ex')).toEqual(['export']);
    expect(complete('help', 'imp')).toEqual(['import']);
    expect(complete('Import', '--dr')).toEqual(['--dry-run']);
    expect(complete('--data-dir', 'x', 'import', '--stri')).toEqual(['--strict']);
    expect(complete('postinstall', 'CON')).toEqual(['CONTENT_DIR=']);
    expect(complete('completion', 'f')).toEqual(['fish']);
    expect(complete('import', 'my')).toEqual(['my package.cab']);
  });

  test.each([
    ['zsh', ['-n']],
    ['fish', ['--no-execute']],
    ['bash', ['-n']],
  ])('for %s is a script that shell can read', async (shell, check) => {
    if (spawnSync(shell, ['--version']).status !== 0) return; // not installed here
    const root = folder();
    const { stdout } = await runProgram(['completion', shell], root);
    writeFileSync(join(root, 'script'), stdout);
    expect(spawnSync(shell, [...check, join(root, 'script')], { encoding: 'utf8' })).toMatchObject({
      status: 0,
      stderr: '',
    });
  });
});

test('a log that could not be begun before the very end is still missed aloud', async () => {
  const path = folder();
  writeFileSync(join(path, 'logs'), 'a file');
  writeFileSync(join(path, 'trust.json'), 'no JSON');
  writeFileSync(join(path, 'some.cab'), '');
  const { stderr } = await runProgram(['import', join(path, 'some.cab'), '--dry-run'], path);
  expect(stderr).toMatch(/\[LOG_NOT_WRITTEN\]\nerror: .*\[SETTINGS_INVALID\]/);
});
