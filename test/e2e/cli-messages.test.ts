/** What the program says to someone who got something wrong, and where it says it. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { INCOMPLETE_PARAMETERS } from '../../src/cli/help.js';
import { displayWidth } from '../../src/cli/text.js';
import { main } from '../../src/main.js';
import { fakeProcess, newFolder, runMain } from '../cli/fake-process.js';
import { runProgram, temporaryFolder } from '../helpers/program.js';
import { idOf, makeUpdate, writeUpdates } from '../store/update-builder.js';

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const category = (n: number) => ({ anyOf: [idOf(n)], isCategory: true });

const shared = temporaryFolder();
const home = join(shared.path, 'home');
const sample = join(shared.path, 'sample.cab');
const lacking = join(shared.path, 'lacking.cab');
beforeAll(async () => {
  await writeUpdates(sample, [
    makeUpdate(100, { categoryType: 'ProductFamily', title: 'Office' }),
    makeUpdate(102, { categoryType: 'Product', title: 'Word 2026', prerequisites: [{ id: idOf(100) }] }),
    makeUpdate(104, { categoryType: 'UpdateClassification', title: 'Security Updates' }),
    makeUpdate(1, {
      title: 'Cumulative security update for Word 2026 on systems of every kind (KB5000001)',
      kb: ['5000001'],
      severity: 'Critical',
      prerequisites: [category(102), category(104)],
    }),
    makeUpdate(3, { title: 'Rollup', kb: ['5000003'], superseded: [idOf(1)] }),
  ]);
  await writeUpdates(lacking, [makeUpdate(7, { prerequisites: [{ id: idOf(99) }] })]);
  await runInSetUp(['import', sample]);
});
afterAll(shared.remove);

async function runInSetUp(args: readonly string[]): Promise<void> {
  expect(await main(fakeProcess(args, { env: { WSUSUTIL_HOME: home } }))).toBe(0);
}

function lastLines(text: string, count: number): string[] {
  return text.trimEnd().split('\n').slice(-count);
}

describe('wrong usage', () => {
  test('puts the problem and its hint below the help, where they are still on the screen', async () => {
    const { exitCode, stderr } = await runMain(['updates', '--since', 'yesterday'], home);
    expect(exitCode).toBe(2);
    expect(stderr.split('\n')[0]).toBe(INCOMPLETE_PARAMETERS);
    expect(lastLines(stderr, 2)).toEqual([
      'error: "yesterday" is neither a date nor an age [USAGE]',
      'hint: Write a date as 2026-10-01, or an age as 30d, 12h or 6w.',
    ]);
    expect(stderr).toContain('Usage:');
  });

  test.each([
    [['--since', 'yesterday', 'h.cab', 'h.log'], 'neither a date nor an age'],
    [['--update', 'zzz', 'h.cab', 'h.log'], '"zzz" is not an update id'],
    [['--split', '--split-size', 'abc', 'h.cab', 'h.log'], '"abc" is not a size'],
    [['--split-size', '3G', 'h.cab', 'h.log'], '--split-size needs --split'],
    [['--split', 'h.xml.gz', 'h.log'], '--split is for cabinets'],
    [['--split', 'k.tar', 'h.log'], '--split is not for transfer packages'],
    [['--since-last', 'h.cab', 'h.log'], '--since-last is for transfer packages'],
  ])('export %j is refused before anything is said or made', async (args, problem) => {
    const folder = newFolder();
    const data = join(folder, 'data');
    const paths = args.map((each) => (/^[hk]\./.test(each) ? join(folder, each) : each));
    const { exitCode, stdout, stderr } = await runMain(['export', ...paths], data);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(lastLines(stderr, 2)[0]).toContain(problem);
    expect(lastLines(stderr, 1)[0]).toMatch(/^hint: /);
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each([
    [['updates', '--limit', '0'], '"0" is not a count'],
    [['updates', '--kb', 'x'], '"x" is not a KB number'],
    [['updates', '--expired', '--not-expired'], 'exclude each other'],
    [['update', 'zzz'], '"zzz" is not an update id'],
    [['import', 'x.tar'], 'There is no file'],
    [['verify', 'x.tar'], 'There is no file'],
    [['import', 'x.cab', '--accept-gap', 'why'], '--accept-gap is for transfer packages'],
    [['import', 'https://example.org/x.cab'], 'takes a local file'],
  ])('%j touches no data directory', async (args, problem) => {
    const data = join(newFolder(), 'data');
    const { exitCode, stdout, stderr } = await runMain(args, data);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(lastLines(stderr, 2)[0]).toContain(problem);
    expect(existsSync(data)).toBe(false);
  });

  test.each(['import', 'verify'])(
    '%s of a folder is refused before anything is said or made',
    async (command) => {
      const folder = newFolder();
      const data = join(folder, 'data');
      const paths = command === 'import' ? [folder, join(folder, 'import.log')] : [folder];
      const { exitCode, stdout, stderr } = await runMain([command, ...paths], data);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
      expect(stderr).toMatch(/^error: .* is a folder, not a regular file \[INPUT_NOT_FOUND\]\nhint: .*\n$/);
      expect(readdirSync(folder)).toEqual([]);
    },
  );

  test('a product the store does not have is refused before the start sentence', async () => {
    const folder = newFolder();
    const { exitCode, stdout, stderr } = await runMain(
      ['export', '--product', 'Wrod 2026', join(folder, 'a.cab')],
      home,
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 28, stdout: '' });
    expect(stderr).toContain('Did you mean "Word 2026"?');
  });

  test.each([['ListFrontEndServers'], ['listinactiveapprovals']])(
    '%s is known but not there yet, in help too',
    async (name) => {
      const data = join(newFolder(), 'data');
      for (const args of [[name], ['help', name], [name, '/?']]) {
        const { exitCode, stderr } = await runMain(args, data);
        expect(exitCode).toBe(2);
        expect(lastLines(stderr, 2)).toEqual([
          `error: ${name.toLowerCase()} is not in this version yet [USAGE]`,
          'hint: "wsusutil help" lists the commands there are.',
        ]);
      }
    },
  );

  test('a file name with a dash in front is echoed as typed, with the two ways to write it', async () => {
    const { exitCode, stderr } = await runMain(['import', '-dash.cab'], home);
    expect(exitCode).toBe(2);
    expect(lastLines(stderr, 2)).toEqual([
      'error: unknown option -dash.cab [USAGE]',
      'hint: "wsusutil help import" explains its options. A path that begins with a dash is written ./-dash.cab, or comes after "--".',
    ]);
  });

  test.each([
    ['KB3528410', 'wsusutil updates --kb KB3528410'],
    ['316e4db1', 'wsusutil updates 316e4db1'],
  ])('update %s is sent to the search', async (typed, hint) => {
    const { exitCode, stderr } = await runMain(['update', typed], home);
    expect(exitCode).toBe(2);
    expect(lastLines(stderr, 2)[0]).toContain(`"${typed}" is not an update id`);
    expect(lastLines(stderr, 1)[0]).toContain(hint);
  });

  test('verify, which writes no log, gives no advice about logs', async () => {
    const { exitCode, stderr } = await runMain(['verify', '/nowhere/a.cab'], home);
    expect(exitCode).toBe(2);
    expect(stderr).not.toContain('log');
    expect((await runMain(['import', '/nowhere/a.cab'], home)).stderr).toContain('then the log');
  });
});

describe('a language', () => {
  test.each([
    [['updates', '--language', 'xx']],
    [['export', '--language', 'xx', '/tmp/never.cab', '--dry-run']],
    [['update', idOf(1), '--language', 'xx']],
  ])('the store does not know is refused: %j', async (args) => {
    const { exitCode, stdout, stderr } = await runMain(args, home);
    expect({ exitCode, stdout }).toEqual({ exitCode: 28, stdout: '' });
    expect(stderr).toContain('"xx" is no language of this store');
  });
});

test.each([
  ['updates', '--json'],
  ['status', '--json'],
  ['status', '--json-events'],
  ['help', '--json'],
])('%s %s into a full disk ends with 15', async (...args) => {
  const { exitCode, stderr } = await runMain(args, home, { stdoutFailsWith: 'ENOSPC' });
  expect(exitCode).toBe(15);
  expect(stderr).toContain('standard output');
});

test('checkstore of an empty store says that there was nothing to check', async () => {
  const data = join(newFolder(), 'typo');
  const { exitCode, stdout, stderr } = await runMain(['checkstore'], data);
  expect(exitCode).toBe(0);
  expect(stderr).toContain('Created the data directory');
  expect(stdout).toContain(`The store in ${data} is empty: there is nothing to check.`);
  expect(stdout).not.toContain('sound');
});

describe('updates', () => {
  test.each([80, 120])('are pleasant to read at %i columns', async (columns) => {
    const { stdout } = await runMain(['updates'], home, { terminal: true, columns });
    const lines = stdout.split('\n');
    expect(Math.max(...lines.map(displayWidth))).toBeLessThanOrEqual(columns);
    expect(stdout).toContain('Cumulative security update for Word 2026');
    for (const id of [idOf(1), idOf(3)]) expect(lines.some((line) => line.includes(id))).toBe(true);
  });

  test('leave out columns in which there is nothing', async () => {
    const { stdout } = await runMain(['updates', 'rollup'], home, { terminal: true, columns: 120 });
    expect(stdout.split('\n')[0]).toMatch(/^Created +KB +Title +Id$/);
    expect((await runMain(['updates', 'rollup'], home)).stdout).toMatch(
      /^Created\tKB\tSeverity\tState\tTitle\tId\n/,
    );
  });

  test('count one update as one', async () => {
    expect((await runMain(['updates', 'rollup'], home, { terminal: true })).stdout).toMatch(/\n1 update\n$/);
  });

  test('say on standard error that there are none when piped, but not when nobody asked', async () => {
    const args = ['updates', 'nothing'];
    const piped = await runMain(args, home);
    expect(piped.stdout).toBe('Created\tKB\tSeverity\tState\tTitle\tId\n');
    expect(piped.stderr).toMatch(/^No update matches\. /);
    expect((await runMain([...args, '--csv'], home)).stderr).toMatch(/^No update matches\. /);
    expect((await runMain([...args, '--quiet'], home)).stderr).toBe('');
    expect((await runMain([...args, '--json'], home)).stderr).toBe('');
    const seen = await runMain(args, home, { terminal: true });
    expect(seen.stdout).toMatch(/^No update matches\. /);
    expect(seen.stderr).toBe('');
  });
});

test('categories have one blank line between sections, and leave out empty ones', async () => {
  const all = (await runMain(['categories'], home)).stdout;
  expect(all).not.toMatch(/\n\n\n/);
  expect(all).toContain('Word 2026  1 update\n');
  expect(all).toMatch(/\n0 companies, 1 family, 1 product, 1 classification\n$/);
  const some = (await runMain(['categories', 'word'], home)).stdout;
  expect(some).not.toContain('Classifications');
  expect(some).toMatch(/\n2 of 3 categories shown\n$/);
  const none = (await runMain(['categories', 'solitaire'], home)).stdout;
  expect(none).toBe('No category has "solitaire" in its name; the store has 3 categories.\n');
});

test('counts name what they count', async () => {
  const folder = newFolder();
  const exported = await runMain(['export', join(folder, 'a.cab')], home);
  expect(exported.stdout).toContain('2 software, 0 driver, 3 category and 0 detectoid revisions');
  const verified = await runMain(['verify', join(folder, 'a.cab')], home);
  expect(verified.stdout).toContain('2 software, 0 driver, 3 category and 0 detectoid revisions');
  const { stdout } = await runMain(['status'], home);
  expect(stdout).toMatch(/^Updates: +5: 2 software, 0 drivers, 3 categories, 0 detectoids$/m);
});

test('instants in JSON are ISO texts', async () => {
  const read = async (...args: string[]) => JSON.parse((await runMain([...args, '--json'], home)).stdout);
  expect((await read('updates')).updates[0].createdAt).toMatch(ISO);
  expect((await read('update', idOf(1))).createdAt).toMatch(ISO);
  const status = await read('status');
  expect(status.createdAt).toMatch(ISO);
  expect(status.lastImport.startedAt).toMatch(ISO);
  expect(status.lastImport.finishedAt).toMatch(ISO);
});

describe('the log', () => {
  test('nobody named is named at the end when there is something to look up in it', async () => {
    const data = join(newFolder(), 'data');
    const { exitCode, stdout, stderr } = await runMain(['import', lacking, '--quiet'], data);
    expect(exitCode).toBe(3);
    expect(stdout).not.toContain('above');
    const [log] = readdirSync(join(data, 'logs'));
    expect(lastLines(stderr, 1)).toEqual([`Log: ${join(data, 'logs', log as string)}`]);
    const again = await runMain(['import', sample], home);
    expect(again).toMatchObject({ exitCode: 0, stderr: '' });
    expect((await runMain(['import', lacking, '--json'], data)).stderr).toBe('');
  });

  test('has the hint in front of the failure, which stays the last line', async () => {
    const folder = newFolder();
    const broken = join(folder, 'broken.cab');
    writeFileSync(broken, '<html>Sign in</html>');
    const log = join(folder, 'a.log');
    const { exitCode, stderr } = await runMain(['import', broken, log], join(folder, 'data'));
    expect(exitCode).toBe(20);
    expect(stderr).not.toContain('Log:'); // whoever named it knows it
    const [hint, failed] = lastLines(readFileSync(log, 'utf8'), 2);
    expect(hint).toMatch(/Z Hint: ./);
    expect(failed).toMatch(/Z Failed: NOT_A_PACKAGE: /);
  });

  test('has the creation of its own folder', async () => {
    const data = join(newFolder(), 'data');
    await runMain(['import', sample], data);
    const [log] = readdirSync(join(data, 'logs'));
    expect(readFileSync(join(data, 'logs', log as string), 'utf8')).toContain(
      'Warning [DATA_DIRECTORY_CREATED]',
    );
  });
});

test('the start sentence comes before anything that is said about the data directory', async () => {
  for (const more of [[], [join(newFolder(), 'a.log')]]) {
    const data = join(newFolder(), 'data');
    const { screen } = await runMain(['import', sample, ...more], data, { terminal: true });
    expect(screen).toMatch(/^Updates are being imported\..*\nwarning: Created the data directory/);
  }
  const data = join(newFolder(), 'data');
  const { screen } = await runMain(['export', join(newFolder(), 'b.cab')], data, { terminal: true });
  expect(screen).toMatch(/^Updates are being exported\..*\nwarning: Created the data directory/);
});

test('a dry run does not announce what it will not do', async () => {
  const imported = await runMain(['import', '--dry-run', sample], home);
  expect(imported.stdout).not.toContain('are being imported');
  const exported = await runMain(['export', '--dry-run', join(newFolder(), 'a.cab')], home);
  expect(exported.stdout).not.toContain('are being exported');
});

test('a dry-run import into a new data directory creates none', async () => {
  const folder = newFolder();
  const { exitCode, stdout, stderr } = await runMain(['import', '--dry-run', sample], join(folder, 'data'));
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toContain('5 new updates');
  expect(stdout).toContain('Nothing was changed (--dry-run).');
  expect(readdirSync(folder)).toEqual([]);
  const log = join(folder, 'a.log');
  expect((await runMain(['import', '--dry-run', sample, log], join(folder, 'data'))).exitCode).toBe(0);
  expect(readdirSync(folder)).toEqual(['a.log']);
  expect(lastLines(readFileSync(log, 'utf8'), 1)[0]).toMatch(/Z Dry run: 5 revisions/);
});

test('an interruption says on the screen what became of the work', async () => {
  const fake = fakeProcess(['export', join(newFolder(), 'a.cab')], { env: { WSUSUTIL_HOME: home } });
  fake.onScreen = (text) => {
    if (text.startsWith('Updates are being exported')) fake.signal('SIGINT');
  };
  expect(await main(fake)).toBe(130);
  expect(fake.stderr.text).toMatch(/^error: .*\[INTERRUPTED\]\nhint: .*run the command again/m);
});

test('an interruption of a run whose log was named says that the log stays', async () => {
  const folder = newFolder();
  const log = join(folder, 'a.log');
  const fake = fakeProcess(['export', join(folder, 'a.cab'), log], { env: { WSUSUTIL_HOME: home } });
  fake.onScreen = (text) => {
    if (text.startsWith('Updates are being exported')) fake.signal('SIGINT');
  };
  expect(await main(fake)).toBe(130);
  expect(fake.stderr.text).toContain(`another name for the log: ${log} stays.`);
});

test('the document of a failed run names its log', async () => {
  const folder = newFolder();
  const broken = join(folder, 'broken.cab');
  writeFileSync(broken, readFileSync(sample).subarray(0, -100));
  const { stdout } = await runMain(['import', broken, '--json'], join(folder, 'data'));
  const { status, logPath } = JSON.parse(stdout) as { status: string; logPath: string };
  expect(status).toBe('failed');
  expect(lastLines(readFileSync(logPath, 'utf8'), 1)[0]).toContain('Failed: ');
});

describe('work that is done stays done', () => {
  test.each([[[]], [['--quiet']], [['--json']]])(
    'when standard output takes nothing, in the log of an import too: %j',
    async (more) => {
      const folder = newFolder();
      const log = join(folder, 'a.log');
      const data = join(folder, 'data');
      const { exitCode, stderr } = await runMain(['import', sample, log, ...more], data, {
        stdoutFailsWith: 'ENOSPC',
      });
      expect(exitCode).toBe(15);
      expect(lastLines(readFileSync(log, 'utf8'), 1)[0]).toMatch(/Z Successfully imported metadata from /);
      expect(lastLines(stderr, 2)).toEqual([
        'error: The result could not be printed: No space left for standard output [DISK_FULL]',
        'hint: The import itself is complete; it need not be run again.',
      ]);
      expect((await runMain(['updates', 'rollup', '--csv'], data)).stdout).toContain('Rollup');
    },
  );

  test('when standard output takes nothing, in the log of an export too', async () => {
    const folder = newFolder();
    const log = join(folder, 'a.log');
    const { exitCode, stderr } = await runMain(['export', join(folder, 'a.cab'), log], home, {
      stdoutFailsWith: 'ENOSPC',
    });
    expect(exitCode).toBe(15);
    expect(lastLines(readFileSync(log, 'utf8'), 1)[0]).toMatch(/Z Successfully exported metadata to a\.cab/);
    expect(stderr).toContain('The export itself is complete');
    expect(existsSync(join(folder, 'a.cab'))).toBe(true);
  });

  test('when the signals come after the commit', async () => {
    const folder = newFolder();
    const log = join(folder, 'a.log');
    const fake = fakeProcess(['import', sample, log], { env: { WSUSUTIL_HOME: join(folder, 'data') } });
    fake.onScreen = (text) => {
      if (!text.includes('All updates are successfully imported.')) return;
      fake.signal('SIGINT');
      expect(fake.exits).toEqual([]);
      fake.signal('SIGINT');
    };
    expect(await main(fake)).toBe(0);
    fake.signal('SIGTERM');
    expect(fake.exits.length).toBeGreaterThan(2);
    expect(new Set(fake.exits)).toEqual(new Set([0]));
    expect(lastLines(readFileSync(log, 'utf8'), 1)[0]).toMatch(/Z Successfully imported/);
  });
});

describe('names that are too long', () => {
  const long = 'a'.repeat(262);
  test.each([
    [['export', `${long}.cab`, 'x.log'], 'WRITE_FAILED'],
    [['export', 'x.cab', `${long}.log`], 'WRITE_FAILED'],
    [['import', `${long}.cab`, 'x.log'], 'INPUT_NOT_FOUND'],
    [['import', sample, `${long}.log`], 'WRITE_FAILED'],
    [['verify', `${long}.cab`], 'INPUT_NOT_FOUND'],
  ])('are said to be: %#', async ([command, ...names], code) => {
    const folder = newFolder();
    const paths = names.map((name) => (name === sample ? name : join(folder, name)));
    const { stderr } = await runMain([command as string, ...paths], home);
    const [error, hint] = lastLines(stderr, 2);
    expect(error).toContain(`the name is too long [${code}]`);
    expect(hint).toMatch(/^hint: C/);
    expect(readdirSync(folder)).toEqual([]);
  });
});

test('a title of a million characters does not keep a terminal waiting', async () => {
  const folder = newFolder();
  const data = join(folder, 'data');
  const path = join(folder, 'long.cab');
  const titles = ['x'.repeat(1_048_576), '漢'.repeat(300_000), `a${'\u0301'.repeat(50_000)}`];
  await writeUpdates(
    path,
    titles.map((title, index) => makeUpdate(index + 1, { title })),
  );
  expect((await runMain(['import', path], data)).exitCode).toBe(0);
  for (const args of [['updates'], ...titles.map((_, index) => ['update', idOf(index + 1)])]) {
    const { exitCode, stdout } = await runMain(args, data, { terminal: true });
    expect(exitCode).toBe(0);
    expect(stdout.length).toBeLessThan(40_000);
    expect(stdout).not.toMatch(/\u0301{9}/);
  }
  // A quadratic measure of such a title takes hours: then this test ends at its limit.
}, 60_000);

describe('postinstall', () => {
  test('says the reason of its failure once', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'file'), '');
    const { exitCode, stdout, stderr } = await runMain(
      ['postinstall', `CONTENT_DIR=${join(folder, 'file', 'x')}`],
      join(folder, 'data'),
    );
    expect(exitCode).toBe(1);
    const reason = /Fatal Error: (.+)/.exec(stdout)?.[1] as string;
    expect(stderr).not.toContain(reason);
    expect(stderr).toMatch(/^error: postinstall failed \[WRITE_FAILED\]\nhint: ./);
  });

  test.skipIf(!existsSync('/proc/self'))('has advice where no folder can be made', async () => {
    const { exitCode, stderr } = await runMain(['postinstall', 'CONTENT_DIR=/proc/x'], newFolder());
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/\nhint: ./);
    const other = await runMain(['status'], '/proc/x');
    expect(other.stderr).toMatch(/\nhint: ./);
  });
});

test('help says once that an option may be repeated', async () => {
  for (const name of ['updates', 'export']) {
    const { stdout } = await runMain(['help', name], newFolder());
    expect(stdout.replaceAll(/\s+/g, ' ')).not.toContain('several times');
    expect(stdout).toContain('repeated');
  }
});

describe('commands of two words', () => {
  test.each([
    [['content'], 2, 'missing <command> behind content'],
    [['content', 'copyy', 'x'], 2, 'did you mean content copy'],
    [['help', 'content'], 0, 'content prune'],
    [['help', 'content', 'prune'], 0, '--empty-quarantine'],
    [['CONTENT', '--help'], 0, 'content verify'],
    [['content', 'PLAN', '/?'], 0, 'Usage:'],
  ])('%j', async (args, exitCode, words) => {
    const { path, remove } = temporaryFolder();
    onTestFinished(remove);
    const result = await runProgram(args, path);
    expect(result.stdout + result.stderr).toContain(words);
    expect(result.exitCode).toBe(exitCode);
  });
});
