/** Settings as operators change them: the built program, real pipes and processes, real shells. */
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { acquireWriterLock } from '../../src/platform/writer-lock.js';
import { binPath, finish, type ProgramResult, runProgram, temporaryFolder } from '../helpers/program.js';
import { withSharedData } from '../helpers/shared-data.js';

function folder(): string {
  const { path, remove } = temporaryFolder();
  onTestFinished(remove);
  return path;
}

const SECRET = 'hunter2-Sesam';

/** Runs the program with `input` on a pipe. */
function runPiped(
  args: readonly string[],
  home: string,
  input: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ProgramResult> {
  const child = spawn(process.execPath, [binPath, ...args], {
    env: { ...process.env, ...env, WSUSUTIL_HOME: home },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => {}); // it may have ended before it read all
  child.stdin.end(input);
  return finish(child);
}

async function json(args: readonly string[], home: string) {
  const { exitCode, stdout } = await runProgram([...args, '--json'], home);
  return { exitCode, document: JSON.parse(stdout) };
}

describe('a password', () => {
  test('from a pipe and from a variable appears in no output, whatever fails', async () => {
    const home = folder();
    const set = ['config', 'set', 'proxyPassword'];
    const runs = [
      await runPiped([...set, '--verbose'], home, `${SECRET}\n`),
      await runPiped([...set, '--from-env', 'PW', '--json-events'], home, '', { PW: SECRET }),
      await runPiped(set, home, `${SECRET}\n${SECRET}\n`),
      await runPiped([...set, '--json'], home, SECRET.repeat(1000)),
      await runPiped([...set, SECRET, '--json'], home, ''),
      await runProgram(['config'], home),
      await runProgram(['config', '--json'], home),
      await runProgram(['config', 'get', 'proxyPassword'], home),
    ];
    expect(runs.map(({ exitCode }) => exitCode)).toEqual([0, 0, 2, 2, 2, 0, 0, 0]);
    for (const { stdout, stderr } of runs) expect(stdout + stderr).not.toContain(SECRET);
    const path = join(home, 'settings.json');
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ proxyPassword: SECRET });
    if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(0o600);
    for (const name of readdirSync(home).filter((each) => each !== 'settings.json')) {
      if (statSync(join(home, name)).isFile()) {
        expect(readFileSync(join(home, name)).includes(SECRET), name).toBe(false);
      }
    }
  });

  test('that is damaged away in the file is not quoted when the file is refused', async () => {
    const home = folder();
    writeFileSync(join(home, 'settings.json'), `{ "formatVersion": 1, "proxyPassword": "${SECRET}" "x": 1 }`);
    for (const args of [['config'], ['config', '--json'], ['config', 'set', 'useProxy', 'on', '--verbose']]) {
      const { exitCode, stdout, stderr } = await runProgram(args, home);
      expect(exitCode).toBe(14);
      expect(stdout + stderr).not.toContain(SECRET);
      expect(stdout + stderr).toContain('SETTINGS_INVALID');
    }
  });
});

test('settings survive each other, and a writer at work is waited for or named', async () => {
  const home = folder();
  await runProgram(['postinstall'], home);
  const keys = [
    ['expressFiles', 'on'],
    ['contentPolicy', 'wanted'],
    ['proxyPort', '3128'],
    ['languages', 'de', 'en'],
  ];
  const runs = await Promise.all(keys.map((words) => runProgram(['config', 'set', ...words], home)));
  // Who had to wait too long says so and has changed nothing; nobody undoes what another one did.
  for (const { exitCode } of runs) expect([0, 11]).toContain(exitCode);
  const done = keys.filter((_, index) => runs[index]?.exitCode === 0).map(([key]) => key);
  const { document } = await json(['config', '--changed'], home);
  expect(new Set(document.changed)).toEqual(new Set(done));
  const lock = await acquireWriterLock(join(home, 'writer.lock'), {
    command: 'import',
    now: () => new Date(),
  });
  try {
    const { exitCode, stderr } = await runProgram(['configuresslproxy', 'p', '443', '-enable'], home);
    expect(exitCode).toBe(11);
    expect(stderr).toContain('import');
  } finally {
    await lock.release();
  }
});

test('configuresslproxy takes the words of the real tool in any case', async () => {
  const home = folder();
  const { exitCode, stdout, stderr } = await runProgram(
    ['ConfigureSSLproxy', 'proxy.corp.example', '8443', '-Enable'],
    home,
  );
  expect(exitCode).toBe(0);
  expect(stdout).toBe('The proxy for HTTPS is enabled: proxy.corp.example:8443.\n');
  expect(stderr).toContain('[SETTING_WITHOUT_EFFECT]');
  expect((await runProgram(['configuresslproxy', '/disable'], home)).exitCode).toBe(0);
  expect((await json(['config', '--changed'], home)).document.settings).toEqual({
    sslProxyServer: 'proxy.corp.example',
    sslProxyPort: 8443,
  });
});

withSharedData('the products of a real package', (data) => {
  const home = temporaryFolder();
  beforeAll(async () => {
    const path = join(data, 'wsusutil-export', '2020-04-21-WSUS.cab');
    expect((await runProgram(['import', path], home.path)).exitCode).toBe(0);
  });
  afterAll(home.remove);

  interface Node {
    readonly updateId: string;
    readonly title: string;
    readonly selection: string | null;
    readonly children: readonly Node[];
  }
  const flat = (nodes: readonly Node[]): Node[] => nodes.flatMap((node) => [node, ...flat(node.children)]);

  test('are selected by family, and every one below is marked', async () => {
    const selected = await json(['products', 'select', 'Exchange', 'windows 10'], home.path);
    expect(selected).toMatchObject({ exitCode: 0, document: { selected: { length: 2 } } });
    const { document } = await json(['products'], home.path);
    const nodes = flat(document.products);
    expect(nodes.length).toBeGreaterThan(300);
    const exchange = nodes.find(({ title, selection }) => title === 'Exchange' && selection === 'selected');
    expect(exchange?.children.length).toBeGreaterThan(3);
    for (const child of flat(exchange?.children ?? [])) expect(child.selection).toBe('included');
    expect(nodes.find(({ title }) => title === 'Windows')?.selection).toBe('partial');
    const people = await runProgram(['products', 'exchange'], home.path);
    expect(people.stdout).toContain('[x] Exchange\n');
    expect(people.stdout).toContain('[+] Exchange Server 2013');
  });

  test('with a name that two have are listed with their ids, as an error that changes nothing', async () => {
    const before = readFileSync(join(home.path, 'settings.json'), 'utf8');
    const { exitCode, stderr } = await runProgram(['products', 'select', 'silverlight'], home.path);
    expect(exitCode).toBe(28);
    expect(stderr).toContain('9f3dd20a-1004-470e-ba65-3dc62d982958 (product in Silverlight)');
    expect(stderr).toContain('fe729f7e-3945-11dc-8e0c-cd1356d89593 (family in Microsoft)');
    expect(readFileSync(join(home.path, 'settings.json'), 'utf8')).toBe(before);
  });

  test('are one table with --csv', async () => {
    const { stdout } = await runProgram(['products', '--csv'], home.path);
    const [head, ...lines] = stdout.trimEnd().split(/\r?\n/);
    expect(head).toBe('Id,Name,Kind,Selection,Updates');
    expect(new Set(lines.map((line) => line.slice(0, 36))).size).toBe(lines.length);
    expect(lines.filter((line) => line.includes(',Product,included,')).length).toBeGreaterThan(3);
  });
});

describe('completion of a command that others stand below', () => {
  const isThere = (shell: string) => spawnSync(shell, ['--version']).status === 0;

  async function script(shell: string): Promise<string> {
    const path = join(folder(), `wsusutil.${shell}`);
    const { stdout } = await runProgram(['completion', shell], folder());
    writeFileSync(path, stdout);
    return path;
  }
  const linesOf = (stdout: string) => stdout.split('\n').filter((line) => line !== '');

  test.skipIf(!isThere('bash'))('in bash', async () => {
    const path = await script('bash');
    const complete = (...words: string[]) => {
      const { stdout, stderr } = spawnSync(
        'bash',
        [
          '--norc',
          '-c',
          // biome-ignore lint/suspicious/noTemplateCurlyInString: shell syntax
          'source "$0"; COMP_WORDS=(wsusutil "$@"); COMP_CWORD=$#; _wsusutil; printf "%s\\n" "${COMPREPLY[@]}"',
          path,
          ...words,
        ],
        { encoding: 'utf8' },
      );
      expect(stderr).toBe('');
      return linesOf(stdout);
    };
    expect(complete('config', '')).toEqual(['get', 'set', 'unset']);
    expect(complete('config', '--ch')).toEqual(['--changed']);
    expect(complete('config', 'set', 'upstreamS')).toEqual(['upstreamServer', 'upstreamSsl']);
    expect(complete('products', 'select', '--on')).toEqual(['--only']);
    expect(complete('products', 'windows', '--sel')).toEqual(['--selected']);
  });

  test.skipIf(!isThere('fish'))('in fish', async () => {
    const path = await script('fish');
    const complete = (line: string) => {
      const { stdout, stderr } = spawnSync(
        'fish',
        ['--no-config', '-c', `source ${path}; complete -C 'wsusutil ${line}'`],
        { encoding: 'utf8', env: { ...process.env, HOME: folder() } },
      );
      expect(stderr).toBe('');
      return linesOf(stdout).map((each) => each.replace(/\t.*/, ''));
    };
    expect(complete('config ').sort()).toEqual(['get', 'set', 'unset']);
    expect(complete('config --ch')).toEqual(['--changed']);
    expect(complete('config set upstreamS').sort()).toEqual(['upstreamServer', 'upstreamSsl']);
    expect(complete('products select --on')).toEqual(['--only']);
    expect(complete('products windows --sel')).toEqual(['--selected']);
  });

  test.skipIf(!isThere('zsh'))('in zsh', async () => {
    const path = await script('zsh');
    // Which specification is chosen, with functions in place of those that need a terminal.
    const complete = (...words: string[]) => {
      const { stdout } = spawnSync(
        'zsh',
        [
          '-f',
          '-c',
          // biome-ignore lint/suspicious/noTemplateCurlyInString: shell syntax
          'compdef() { : }; _describe() { print -rl -- "${(P@)4}" }; _arguments() { print -rl -- "$@" }; source "$0"; words=(wsusutil "$@"); CURRENT=$(( $# + 1 )); _wsusutil',
          path,
          ...words,
        ],
        { encoding: 'utf8' },
      );
      return stdout;
    };
    expect(complete('config', '')).toContain('unset');
    expect(complete('config', '--')).toContain('--changed');
    expect(complete('config', 'set', '')).toContain('upstreamServer');
    expect(complete('config', 'set', '')).toContain('--from-env');
    expect(complete('products', 'select', '')).toContain('--only');
    expect(complete('products', 'windows', '')).toContain('--selected');
    expect(complete('content', '')).toContain('plan');
  });
});
