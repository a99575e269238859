import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { contentVerify } from '../../src/commands/content-verify.js';
import { reset } from '../../src/commands/reset.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import { type BuiltFile, makeFile, placeFile, updateWith } from '../content/content-builder.js';
import { startContentOrigin } from '../helpers/content-origin.js';
import { importUpdates, now, testFolder } from '../store/update-builder.js';
import { type GivenArguments, runCommand } from './command-context.js';

interface Setup {
  readonly storePath: string;
  readonly tree: string;
  readonly files: readonly BuiltFile[];
  readonly licence: BuiltFile;
  reset(options?: GivenArguments['options']): ReturnType<typeof runCommand>;
}

/** A store that calls for four files and a licence text, and a content directory that holds all of them. */
async function setUp(): Promise<Setup> {
  const folder = testFolder();
  const storePath = join(folder, 'metadata.sqlite');
  const files = ['a', 'b', 'c', 'd'].map((name) => makeFile(name, 3000));
  const licence = makeFile('eula', 40, 'eula.txt');
  const store = await openMetadataStore(storePath, { mode: 'write', now });
  await importUpdates(store, [
    updateWith(1, files.slice(0, 2), { title: 'First update' }),
    updateWith(2, files.slice(2), { licences: [licence] }),
  ]);
  await store.close();
  const tree = join(folder, 'WsusContent');
  for (const file of [...files, licence]) placeFile(tree, file);
  return {
    storePath,
    tree,
    files,
    licence,
    reset: (options) => runCommand(reset, storePath, options === undefined ? {} : { options }),
  };
}

function damage(path: string): void {
  const bytes = readFileSync(path);
  bytes[10] = (bytes[10] as number) ^ 1;
  writeFileSync(path, bytes);
  utimesSync(path, new Date(), new Date(Date.now() + 3000));
}

test('a content directory that holds everything is said to be whole', async () => {
  const { reset } = await setUp();
  const { status, result } = await reset({ offline: true });
  expect(status).toBe('complete');
  expect(result).toMatchObject({
    found: { verified: { files: 5 } },
    stillMissing: { files: 0 },
    problemCount: 0,
  });
});

test('reset downloads what is missing or damaged and says what was wrong with it', async () => {
  const { reset, tree, files, licence } = await setUp();
  const origin = await startContentOrigin(
    new Map([...files, licence].map((file) => [`/Content/${file.path}`, file.bytes])),
  );
  const [a, b, c] = files as [BuiltFile, BuiltFile, BuiltFile];
  rmSync(join(tree, a.path));
  damage(join(tree, b.path));
  writeFileSync(join(tree, c.path), 'short');
  rmSync(join(tree, licence.path));
  const { status, result } = await reset({ source: `${origin.url}/Content/` });
  expect(status).toBe('complete');
  expect(result).toMatchObject({
    found: { absent: { files: 2 }, sha1: { files: 1 }, short: { files: 1 }, verified: { files: 1 } },
    licencesNotWhole: { files: 1 },
    downloaded: { files: 4 },
    stillMissing: { files: 0 },
  });
  for (const file of [...files, licence])
    expect(readFileSync(join(tree, file.path)).equals(file.bytes)).toBe(true);
  expect((await reset({ offline: true, quick: true })).result).toMatchObject({
    found: { verified: { files: 5 } },
  });
});

test('offline, the list of what is missing names files, addresses and who needs them', async () => {
  const { reset, tree, files } = await setUp();
  const [a] = files as [BuiltFile];
  rmSync(join(tree, a.path));
  const list = join(testFolder(), 'need.json');
  const { status, result } = await reset({ offline: true, 'missing-list': list });
  expect(status).toBe('incomplete');
  expect(result).toMatchObject({ missingList: { files: 1, bytes: 3000 } });
  expect(JSON.parse(readFileSync(list, 'utf8'))).toMatchObject({
    kind: 'wsusutil-missing-content',
    formatVersion: 1,
    fileCount: 1,
    bytes: 3000,
    files: [
      {
        sha1: a.sha1,
        sha256: a.sha256,
        size: 3000,
        fileName: 'a.exe',
        kind: 'payload',
        path: a.path,
        problem: 'absent',
        neededBy: [expect.stringContaining('First update')],
      },
    ],
  });
});

test('--check changes nothing, --quarantine moves damaged files aside and deletes none', async () => {
  const { reset, tree, files } = await setUp();
  const [a] = files as [BuiltFile];
  const lower = join(tree, a.path.toLowerCase());
  rmSync(join(tree, a.path));
  mkdirSync(dirname(lower), { recursive: true });
  writeFileSync(lower, a.bytes);
  damage(lower);
  const damaged = readFileSync(lower);
  const checked = await reset({ check: true });
  expect(checked.status).toBe('incomplete');
  expect(checked.result).toMatchObject({ found: { sha1: { files: 1 } }, misplaced: 1, renamed: 0 });
  expect(existsSync(lower)).toBe(true);
  const { result } = await reset({ offline: true, quarantine: true });
  expect(result).toMatchObject({ quarantined: { files: 1 }, stillMissing: { files: 1 } });
  const [folder] = readdirSync(join(tree, '.wsusutil/quarantine')) as [string];
  const [name] = readdirSync(join(tree, '.wsusutil/quarantine', folder)) as [string];
  expect(readFileSync(join(tree, '.wsusutil/quarantine', folder, name)).equals(damaged)).toBe(true);
});

test('a good file under a lower-case name gets its right name', async () => {
  const { reset, tree, files } = await setUp();
  const [a] = files as [BuiltFile];
  rmSync(join(tree, a.path));
  placeFile(tree, a, a.path.toLowerCase());
  const { status, result } = await reset({ offline: true });
  expect(status).toBe('complete');
  expect(result).toMatchObject({ renamed: 1 });
  expect(existsSync(join(tree, a.path))).toBe(true);
});

test('a reset that ran out of time goes on, and does not read again what it knows', async () => {
  const { reset, tree, files, storePath } = await setUp();
  const store = await openMetadataStore(storePath, { mode: 'write', now });
  await (await store.contentIndex()).setUnfinishedRun({
    startedAt: now().getTime() - 1000,
    what: JSON.stringify([tree, 'full', [[], [], null, [], [], false, false, false]]),
  });
  await store.close();
  const [a] = files as [BuiltFile];
  damage(join(tree, a.path));
  const { result } = await reset({ offline: true });
  expect(result).toMatchObject({ found: { sha1: { files: 1 }, verified: { files: 4 } } });
  expect((await reset({ offline: true })).result).toMatchObject({ resumedFrom: null });
});

test('reset --quick believes an earlier full one, and a changed file is checked again', async () => {
  const { reset, tree, files } = await setUp();
  await reset({ offline: true });
  const [a] = files as [BuiltFile];
  damage(join(tree, a.path));
  expect((await reset({ offline: true, quick: true })).result).toMatchObject({
    found: { verified: { files: 4 }, unverified: { files: 1 } },
  });
  expect((await reset({ offline: true })).result).toMatchObject({ found: { sha1: { files: 1 } } });
});

test('only the files of the chosen updates are asked for, and the others are no orphans', async () => {
  const { reset, files, licence, tree } = await setUp();
  for (const file of [...files.slice(2), licence]) rmSync(join(tree, file.path));
  const { status, result } = await reset({ offline: true, update: ['aaaaaaaa-0000-4000-8000-000000000001'] });
  expect(status).toBe('complete');
  expect(result).toMatchObject({ wanted: { files: 2 }, unexpectedCount: 0 });
});

test('content verify checks another tree and touches nothing', async () => {
  const { storePath, files, licence, tree } = await setUp();
  const other = testFolder();
  for (const file of files.slice(0, 3)) placeFile(join(other, 'wsuscontent'), file);
  const before = readdirSync(other, { recursive: true }).sort();
  const { status, result } = await runCommand(contentVerify, storePath, { positionals: { dir: other } });
  expect(status).toBe('incomplete');
  expect(result).toMatchObject({
    contentFolder: join(other, 'wsuscontent'),
    found: { verified: { files: 3 }, absent: { files: 2 } },
    licencesNotWhole: { files: 1 },
    problems: [{ problem: 'absent', kind: 'licence', path: licence.path }],
  });
  expect(readdirSync(other, { recursive: true }).sort()).toEqual(before);
  expect((await runCommand(contentVerify, storePath, { positionals: { dir: tree } })).status).toBe(
    'complete',
  );
  expect((await runCommand(contentVerify, storePath)).status).toBe('complete');
});
