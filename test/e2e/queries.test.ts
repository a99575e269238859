/** updates, update, categories and status as operators run them. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { formatIdentity } from '../../src/model/update-identity.js';
import { readWhole } from '../helpers/package-builder.js';
import { binPath, runProgram, temporaryFolder } from '../helpers/program.js';
import { withSharedData } from '../helpers/shared-data.js';
import { idOf, makeUpdate, writeUpdates } from '../store/update-builder.js';

async function json(args: readonly string[], dataDirectory: string) {
  const { exitCode, stdout } = await runProgram([...args, '--json'], dataDirectory);
  return { exitCode, document: JSON.parse(stdout) };
}

interface CategoryJson {
  readonly updateId: string;
  readonly title: string;
  readonly categoryType: string | null;
  readonly revisionNumber: number;
  readonly isExpired: boolean;
  readonly updateCount: number;
  readonly totalUpdates?: number;
  readonly children?: readonly CategoryJson[];
}

withSharedData('the real package of 2020', (data) => {
  const home = temporaryFolder();
  const path = join(data, 'wsusutil-export', '2020-04-21-WSUS.cab');
  beforeAll(async () => {
    expect((await runProgram(['import', path], home.path)).exitCode).toBe(0);
  });
  afterAll(home.remove);

  test('categories shows every category of the package below its parents', async () => {
    const { document } = await json(['categories'], home.path);
    const listed: { id: string; title: string; type: string | null; parents: string[] }[] = JSON.parse(
      readFileSync(join(data, 'lists/categories-2020.json'), 'utf8'),
    );
    const titles = new Map(listed.map((each) => [each.id, each.title]));
    expect(titles.size).toBe(362);
    const shown = new Map<string, string>();
    const typesBelow = new Map<string, Set<string | null>>();
    const visit = (node: CategoryJson, above: CategoryJson | undefined) => {
      shown.set(node.updateId, node.title);
      const key = above?.categoryType ?? 'root';
      typesBelow.set(key, (typesBelow.get(key) ?? new Set()).add(node.categoryType));
      for (const child of node.children ?? []) visit(child, node);
    };
    for (const root of document.categories) visit(root, undefined);
    for (const each of document.classifications as CategoryJson[]) {
      expect(each.categoryType).toBe('UpdateClassification');
      shown.set(each.updateId, each.title);
    }
    expect(new Set(shown.keys())).toEqual(new Set(titles.keys()));
    for (const [id, title] of shown) {
      expect(listed.filter((each) => each.id === id).map((each) => each.title.trim())).toContain(
        title.trim(),
      );
    }
    expect(typesBelow.get('Company')).toContain('ProductFamily');
    expect(typesBelow.get('ProductFamily')).toContain('Product');
    expect(document.counts).toEqual({
      companies: expect.any(Number),
      families: expect.any(Number),
      products: expect.any(Number),
      classifications: document.classifications.length,
      withoutKind: expect.any(Number),
    });
    const total = Object.values(document.counts as Record<string, number>).reduce(
      (sum, each) => sum + each,
      0,
    );
    expect(total).toBe(362);
  });

  test('categories prints each id with --ids, and only what fits a text', async () => {
    const { stdout } = await runProgram(['categories', '--ids'], home.path);
    for (const each of JSON.parse(readFileSync(join(data, 'lists/categories-2020.json'), 'utf8'))) {
      expect(stdout).toContain(each.id);
    }
    const some = await runProgram(['categories', 'windows 10'], home.path);
    expect(some.stdout).toContain('Windows 10');
    expect(some.stdout).toContain('Windows\n');
    expect(some.stdout).not.toContain('Exchange Server 2013');
  });

  test('update --xml prints the stored document byte for byte', async () => {
    const { records } = await readWhole(path);
    const chosen = records.filter((_, n) => n % 613 === 0);
    chosen.push(records.toSorted((a, b) => b.document.length - a.document.length)[0]!);
    for (const { identity, document } of chosen) {
      const stdout = execFileSync(process.execPath, [binPath, 'update', formatIdentity(identity), '--xml'], {
        env: { ...process.env, WSUSUTIL_HOME: home.path },
        maxBuffer: 16 << 20,
      });
      expect(stdout.equals(Buffer.from(document))).toBe(true);
    }
  });

  test('update --xml is whole through a pipe that reads slowly', async () => {
    const { records } = await readWhole(path);
    const longest = records.toSorted((a, b) => b.document.length - a.document.length)[0]!;
    const size = execFileSync(
      'sh',
      [
        '-c',
        '"$0" "$1" update "$2" --xml | (sleep 1; wc -c)',
        process.execPath,
        binPath,
        formatIdentity(longest.identity),
      ],
      { env: { ...process.env, WSUSUTIL_HOME: home.path } },
    );
    expect(Number(size.toString())).toBe(longest.document.length);
  });

  test('update --xml equals the documents that others have taken out of this package', async () => {
    const directory = join(data, 'update-metadata/export-2020');
    for (const name of readdirSync(directory)
      .filter((each) => each.endsWith('.xml'))
      .slice(0, 8)) {
      const [, id, revision] = /_([0-9a-f-]{36})-r(\d+)\.xml$/.exec(name) ?? [];
      const stdout = execFileSync(process.execPath, [binPath, 'update', `${id}:${revision}`, '--xml'], {
        env: { ...process.env, WSUSUTIL_HOME: home.path },
      });
      expect(stdout.equals(readFileSync(join(directory, name))), name).toBe(true);
    }
  });

  test('updates lists what is asked for: there is no software, but there are detectoids', async () => {
    const { exitCode, stdout } = await runProgram(['updates'], home.path);
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: 'Created\tKB\tSeverity\tState\tTitle\tId\n',
    });
    const detectoids = await json(['updates', '--type', 'detectoid', '--limit', '5'], home.path);
    expect(detectoids.document).toMatchObject({ count: 3271, shown: 5 });
  });

  test('status counts what is there', async () => {
    const { document } = await json(['status'], home.path);
    expect(document).toMatchObject({
      updates: 3633,
      revisions: 3690,
      newestByType: { Category: 362, Detectoid: 3271, Software: 0, Driver: 0 },
      lastImport: { outcome: 'complete', package: path },
    });
    expect(document.lastExport).toBeUndefined();
    expect(document.storeBytes / document.documentBytes).toBeLessThanOrEqual(0.2);
  });
});

describe('a small store', () => {
  const home = temporaryFolder();
  const category = (n: number) => ({ anyOf: [idOf(n)], isCategory: true });
  beforeAll(async () => {
    const path = await writeUpdates(join(home.path, 'in.cab'), [
      makeUpdate(100, { categoryType: 'ProductFamily', title: 'Office' }),
      makeUpdate(102, { categoryType: 'Product', title: 'Word 2026', prerequisites: [{ id: idOf(100) }] }),
      makeUpdate(104, { categoryType: 'UpdateClassification', title: 'Security Updates' }),
      makeUpdate(1, {
        title: 'Security Update for Word (KB5000001)',
        titles: { de: 'Sicherheitsupdate für Word (KB5000001)', ja: '更新プログラム' },
        kb: ['5000001'],
        cves: ['CVE-2026-0001'],
        severity: 'Critical',
        prerequisites: [category(102), category(104)],
      }),
      makeUpdate(2, { revision: 7, title: 'Old Tool', state: 'Expired', createdAt: '2020-01-01T00:00:00Z' }),
      makeUpdate(2, { revision: 8, title: 'Tool', state: 'Expired', createdAt: '2020-01-02T00:00:00Z' }),
      makeUpdate(3, { title: 'Rollup', superseded: [idOf(1)], createdAt: '2026-02-01T00:00:00Z' }),
      makeUpdate(4, { title: 'Part', deployable: false }),
      makeUpdate(5, { type: 'Driver', title: 'Display Driver' }),
    ]);
    expect((await runProgram(['import', path], home.path)).exitCode).toBe(0);
  });
  afterAll(home.remove);

  const found = async (...args: readonly string[]) => {
    const { exitCode, document } = await json(['updates', ...args], home.path);
    expect(exitCode).toBe(0);
    expect(document.count).toBe(document.updates.length);
    return (document.updates as { updateId: string }[]).map(({ updateId }) =>
      Number.parseInt(updateId.slice(-6), 16),
    );
  };

  test.each<[readonly string[], readonly number[]]>([
    [[], [3, 1, 2]],
    [['security', 'word'], [1]],
    [['security word'], [1]],
    [['KB5000001'], [1]],
    [['--kb', 'KB5000001'], [1]],
    [['--kb', '5000001'], [1]],
    [['--title', 'roll'], [3]],
    [['--severity', 'CRITICAL'], [1]],
    [['--cve', 'cve-2026-0001'], [1]],
    [['--since', '2026-01-15'], [3]],
    [
      ['--since', '99999d'],
      [3, 1, 2],
    ],
    [['--superseded'], [1]],
    [['--not-superseded'], [3, 2]],
    [['--expired'], [2]],
    [['--not-expired'], [3, 1]],
    [['--product', 'word 2026'], [1]],
    [['--product', 'Office'], [1]],
    [['--product', `{${idOf(102).toUpperCase()}}`], [1]],
    [['--classification', 'Security Updates'], [1]],
    [
      ['--type', 'software'],
      [3, 4, 1, 2],
    ],
    [['--type', 'driver'], [5]],
    [['--type', 'category', '--title', 'word'], [102]],
    [
      ['tool', '--all-revisions'],
      [2, 2],
    ],
    [[idOf(3)], [3]],
  ])('updates %j', async (args, expected) => {
    expect(await found(...args)).toEqual(expected);
  });

  test('updates has titles in another language where there are any', async () => {
    const { document } = await json(['updates', '--language', 'DE'], home.path);
    expect((document.updates as { title: string }[]).map(({ title }) => title)).toEqual([
      'Rollup',
      'Sicherheitsupdate für Word (KB5000001)',
      'Tool',
    ]);
  });

  test('updates --csv quotes what has to be', async () => {
    const { stdout } = await runProgram(['updates', '--kb', '5000001', '--csv'], home.path);
    const [head, row] = stdout.split(/\r?\n/);
    expect(head).toBe('Created,KB,Severity,State,Title,Id');
    expect(row).toBe(
      `2026-01-01,KB5000001,Critical,superseded,Security Update for Word (KB5000001),${idOf(1)}`,
    );
  });

  test('a typing error in a product gets a suggestion', async () => {
    const { exitCode, stderr } = await runProgram(['updates', '--product', 'Wrod 2026'], home.path);
    expect(exitCode).toBe(28);
    expect(stderr).toContain('Did you mean "Word 2026"?');
  });

  test.each([
    ['--since', 'soon'],
    ['--limit', '0'],
    ['--kb', 'x'],
  ])('%s %s is wrong usage', async (...args) => {
    expect((await runProgram(['updates', ...args], home.path)).exitCode).toBe(2);
  });

  test('--superseded and --not-superseded exclude each other', async () => {
    const { exitCode, stderr } = await runProgram(['updates', '--superseded', '--not-superseded'], home.path);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('exclude each other');
  });

  test.each([idOf(2), idOf(2).toUpperCase(), `{${idOf(2)}}`, `{${idOf(2).toUpperCase()}}:8`, `${idOf(2)}:8`])(
    'update %s is the newest revision',
    async (id) => {
      const { exitCode, document } = await json(['update', id], home.path);
      expect(exitCode).toBe(0);
      expect(document).toMatchObject({
        identity: { updateId: idOf(2), revisionNumber: 8 },
        revisions: [8, 7],
        isNewest: true,
        title: 'Tool',
      });
    },
  );

  test('update <id>:<revision> is that revision', async () => {
    const { document } = await json(['update', `${idOf(2)}:7`], home.path);
    expect(document).toMatchObject({ identity: { revisionNumber: 7 }, title: 'Old Tool', isNewest: false });
  });

  test('update shows relations with titles, in a language where there are any', async () => {
    const one = await runProgram(['update', idOf(1), '--language', 'ja'], home.path);
    expect(one.stdout).toContain('更新プログラム');
    expect(one.stdout).toContain('Word 2026');
    expect(one.stdout).toContain(`${idOf(3)}:1  Rollup`);
    const other = await runProgram(['update', idOf(3), '--language', 'de'], home.path);
    expect(other.stdout).toContain('Sicherheitsupdate für Word (KB5000001)');
  });

  test('an unknown id, and an unknown revision with those that are there', async () => {
    const unknown = await runProgram(['update', idOf(77)], home.path);
    expect(unknown.exitCode).toBe(28);
    expect(unknown.stderr).toContain(`The store has no update ${idOf(77)}`);
    const revision = await runProgram(['update', `${idOf(2)}:9`], home.path);
    expect(revision.exitCode).toBe(28);
    expect(revision.stderr).toContain('no revision 9');
    expect(revision.stderr).toContain('It has 8, 7.');
    expect((await runProgram(['update', 'not-an-id'], home.path)).exitCode).toBe(2);
  });
});

test.each([['status'], ['updates'], ['categories'], ['checkstore']])(
  '%s works before anything was imported',
  async (command) => {
    const { path, remove } = temporaryFolder();
    onTestFinished(remove);
    expect((await runProgram([command], join(path, 'new'))).exitCode).toBe(0);
  },
);
