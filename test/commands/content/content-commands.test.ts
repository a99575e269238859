import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { contentCopy } from '../../../src/commands/content/content-copy.js';
import { contentVerify } from '../../../src/commands/content/content-verify.js';
import { movecontent } from '../../../src/commands/content/movecontent.js';
import { reset } from '../../../src/commands/content/reset.js';
import { resetContent } from '../../../src/content/reset-content.js';
import { openMetadataStore } from '../../../src/store/open-store.js';
import {
  type BuiltFile,
  makeFile,
  placeFile,
  testRunner,
  updateWith,
} from '../../content/content-builder.js';
import { startContentOrigin } from '../../helpers/content-origin.js';
import { failureOf } from '../../helpers/package-builder.js';
import { importUpdates, now, testFolder } from '../../store/update-builder.js';
import { type GivenArguments, runCommand } from '../command-context.js';

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
    problemCount: 2,
    problems: [
      { problem: 'absent', kind: 'licence', path: licence.path },
      { problem: 'absent', kind: 'payload' },
    ],
  });
  expect(readdirSync(other, { recursive: true }).sort()).toEqual(before);
  expect((await runCommand(contentVerify, storePath, { positionals: { dir: tree } })).status).toBe(
    'complete',
  );
  expect((await runCommand(contentVerify, storePath)).status).toBe('complete');
});

test('content copy copies what is called for, verified, and a second run copies nothing', async () => {
  const { storePath, tree, files, licence } = await setUp();
  placeFile(tree, makeFile('orphan'));
  const target = testFolder();
  const first = await runCommand(contentCopy, storePath, {
    positionals: { dir: target },
    options: { link: 'never' },
  });
  expect(first.status).toBe('complete');
  expect(first.result).toMatchObject({ copied: { files: 5 }, linked: { files: 0 }, notCopied: { files: 0 } });
  for (const file of [...files, licence]) {
    expect(readFileSync(join(target, 'WsusContent', file.path)).equals(file.bytes)).toBe(true);
  }
  const listed = readdirSync(join(target, 'WsusContent'), { recursive: true, withFileTypes: true });
  expect(listed.filter((each) => each.isFile() && each.name !== 'target-id')).toHaveLength(5);
  const again = await runCommand(contentCopy, storePath, {
    positionals: { dir: target },
    options: { link: 'never' },
  });
  expect(again.result).toMatchObject({ copied: { files: 0 }, present: { files: 5 } });
});

test('content copy shares bytes where it may, and says so', async () => {
  const { storePath, tree, files } = await setUp();
  const target = testFolder();
  const { result } = await runCommand(contentCopy, storePath, { positionals: { dir: target } });
  expect(result).toMatchObject({ copied: { files: 5 }, linked: { files: 5 } });
  const [a] = files as [BuiltFile];
  expect(readFileSync(join(target, 'WsusContent', a.path)).equals(readFileSync(join(tree, a.path)))).toBe(
    true,
  );
});

test.each(['never', 'auto'])(
  'a damaged source is never copied, --link %s, and what is damaged at the target is replaced',
  async (link) => {
    const { storePath, tree, files, licence } = await setUp();
    const target = testFolder();
    const [a, b, c] = files as [BuiltFile, BuiltFile, BuiltFile];
    damage(join(tree, a.path));
    rmSync(join(tree, licence.path));
    placeFile(join(target, 'wsuscontent'), b, b.path.toLowerCase(), Buffer.alloc(b.bytes.length));
    placeFile(join(target, 'wsuscontent'), c);
    const { status, result } = await runCommand(contentCopy, storePath, {
      positionals: { dir: target },
      options: { link },
    });
    expect(status).toBe('incomplete');
    expect(result).toMatchObject({
      copied: { files: 2 },
      replaced: { files: 1 },
      present: { files: 1 },
      notCopied: { files: 2, licences: { files: 1 } },
    });
    expect(existsSync(join(target, 'wsuscontent', a.path))).toBe(false);
    expect(readFileSync(join(target, 'wsuscontent', b.path.toLowerCase())).equals(b.bytes)).toBe(true);
    expect(readdirSync(join(target, 'wsuscontent/.wsusutil/partial'))).toEqual([]);
  },
);

test('a file at the target that was changed after it was copied is read again and replaced', async () => {
  const { storePath, files } = await setUp();
  const target = testFolder();
  const copy = () =>
    runCommand(contentCopy, storePath, { positionals: { dir: target }, options: { link: 'never' } });
  await copy();
  const [a] = files as [BuiltFile];
  damage(join(target, 'WsusContent', a.path));
  expect((await copy()).result).toMatchObject({
    copied: { files: 1 },
    replaced: { files: 1 },
    present: { files: 4 },
  });
  expect(readFileSync(join(target, 'WsusContent', a.path)).equals(a.bytes)).toBe(true);
});

test('a dry run says what would be copied and makes nothing', async () => {
  const { storePath } = await setUp();
  const target = testFolder();
  const { result } = await runCommand(contentCopy, storePath, {
    positionals: { dir: target },
    options: { 'dry-run': true },
  });
  expect(result).toMatchObject({ dryRun: true, toCopy: { files: 5 } });
  expect(readdirSync(target)).toEqual([]);
});

test('the connected side copies what a list of missing files names', async () => {
  const { reset, storePath, tree, files } = await setUp();
  const [a] = files as [BuiltFile];
  const list = join(testFolder(), 'need.json');
  rmSync(join(tree, a.path));
  await reset({ offline: true, 'missing-list': list });
  placeFile(tree, a);
  const target = testFolder();
  const { result } = await runCommand(contentCopy, storePath, {
    positionals: { dir: target },
    options: { list },
  });
  expect(result).toMatchObject({ wanted: { files: 1 }, copied: { files: 1 } });
  expect(existsSync(join(target, 'WsusContent', a.path))).toBe(true);
});

test.each([
  ['no JSON', 'x'],
  ['another document', '{}'],
  [
    'a path for a SHA-1',
    '{"kind":"wsusutil-missing-content","formatVersion":1,"files":[{"sha1":"../../etc/passwd","size":1,"fileName":"x","kind":"payload"}]}',
  ],
  ['a newer format', '{"kind":"wsusutil-missing-content","formatVersion":2,"files":[]}'],
])('a list of missing files that is %s is refused', async (_, text) => {
  const { storePath } = await setUp();
  const list = join(testFolder(), 'need.json');
  writeFileSync(list, text);
  const error = await failureOf(() =>
    runCommand(contentCopy, storePath, { positionals: { dir: testFolder() }, options: { list } }),
  );
  expect(error.code).toBe('LIST_MALFORMED');
});

test('movecontent copies, switches the setting and leaves the old tree', async () => {
  const { storePath, tree, files } = await setUp();
  const target = testFolder();
  const { status, result, announced } = await runCommand(movecontent, storePath, {
    positionals: { contentpath: target },
  });
  expect(status).toBe('complete');
  expect(announced).toHaveLength(1);
  expect(result).toMatchObject({
    to: join(target, 'WsusContent'),
    copied: { files: 5 },
    found: { verified: { files: 5 } },
  });
  expect(JSON.parse(readFileSync(`${storePath}.settings.json`, 'utf8'))).toMatchObject({
    contentDirectory: target,
  });
  for (const file of files) expect(existsSync(join(tree, file.path))).toBe(true);
});

test('movecontent -skipcopy copies nothing, switches, and says what is not there', async () => {
  const { storePath, files } = await setUp();
  const target = testFolder();
  for (const file of files) placeFile(join(target, 'WsusContent'), file);
  const { status, result } = await runCommand(movecontent, storePath, {
    positionals: { contentpath: target },
    options: { skipcopy: true },
  });
  expect(status).toBe('incomplete');
  expect(result).toMatchObject({ copied: null, missing: { files: 1 }, found: { unverified: { files: 4 } } });
  expect(JSON.parse(readFileSync(`${storePath}.settings.json`, 'utf8'))).toMatchObject({
    contentDirectory: target,
  });
});

test('movecontent refuses what is no absolute path, before anything is done', () => {
  for (const contentpath of ['D:', 'somewhere', './there']) {
    expect(() =>
      movecontent.check?.(
        { positionals: { contentpath, logfile: undefined }, options: { skipcopy: false }, assignments: {} },
        now(),
      ),
    ).toThrow(/absolute path|not its root/);
  }
});

test.each(['folder', 'own folder'])(
  'nothing is written through a link in the place of a %s',
  async (what) => {
    const { storePath, files } = await setUp();
    const target = testFolder();
    const elsewhere = testFolder();
    const [a] = files as [BuiltFile];
    mkdirSync(join(target, 'WsusContent'));
    symlinkSync(elsewhere, join(target, 'WsusContent', what === 'folder' ? a.path.slice(0, 2) : '.wsusutil'));
    const error = await failureOf(() =>
      runCommand(contentCopy, storePath, { positionals: { dir: target }, options: { link: 'never' } }),
    );
    expect(error.code).toBe('WRITE_FAILED');
    expect(error.message).toContain('link');
    expect(readdirSync(elsewhere)).toEqual([]);
  },
);

test('a tree cannot vouch for itself: what was verified is remembered in the data directory only', async () => {
  const { storePath, files } = await setUp();
  const target = testFolder();
  await runCommand(contentCopy, storePath, { positionals: { dir: target }, options: { link: 'never' } });
  const names = readdirSync(join(target, 'WsusContent'), {
    recursive: true,
    encoding: 'utf8',
    withFileTypes: true,
  });
  const others = names.filter((each) => each.isFile() && !each.parentPath.includes('.wsusutil'));
  expect(others).toHaveLength(files.length + 1);
  const id = readFileSync(join(target, 'WsusContent/.wsusutil/target-id'), 'latin1');
  expect(id).toMatch(/^[0-9a-f]{32}\n$/);
  expect(readdirSync(`${storePath}.copies`)).toEqual([id.trim()]);
});

test('a reset whose time is up says so, repairs nothing, and the next one goes on there', async () => {
  const { storePath, tree, files } = await setUp();
  const [a] = files as [BuiltFile];
  rmSync(join(tree, a.path));
  const store = await openMetadataStore(storePath, { mode: 'write', now });
  onTestFinished(() => store.close());
  const given = {
    store,
    contentFolder: tree,
    scope: {},
    what: 'everything',
    depth: 'full' as const,
    repair: true,
    quarantine: false,
    download: undefined,
    source: undefined,
    missingListPath: undefined,
    runner: testRunner(),
    now,
    signal: new AbortController().signal,
    report: () => {},
  };
  const first = await resetContent({ ...given, stopAt: now().getTime() });
  expect(first).toMatchObject({ isComplete: false, stillMissing: undefined, resumedFrom: undefined });
  const second = await resetContent({ ...given, stopAt: undefined });
  expect(second).toMatchObject({
    isComplete: true,
    resumedFrom: now().getTime(),
    stillMissing: { files: 1 },
    problems: [{ problem: 'absent', path: a.path }],
  });
  expect((await resetContent({ ...given, stopAt: undefined })).resumedFrom).toBeUndefined();
});

test('content copy without a content directory says what to do first, and with no file called for that there was none', async () => {
  const storePath = join(testFolder(), 'metadata.sqlite');
  const store = await openMetadataStore(storePath, { mode: 'write', now });
  await store.close();
  const copy = () => runCommand(contentCopy, storePath, { positionals: { dir: testFolder() } });
  expect((await failureOf(copy)).hint).toContain('import or synchronise updates first');
  mkdirSync(join(dirname(storePath), 'WsusContent'));
  expect(JSON.stringify((await copy()).view)).toContain('nothing to copy');
});
