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
import { describe, expect, onTestFinished, test } from 'vitest';
import { contentAdd } from '../../../src/commands/content/content-add.js';
import { contentPlan } from '../../../src/commands/content/content-plan.js';
import { contentPrune } from '../../../src/commands/content/content-prune.js';
import { reset } from '../../../src/commands/content/reset.js';
import type { View } from '../../../src/commands/outcome.js';
import { pruneContent } from '../../../src/content/prune-content.js';
import { openMetadataStore } from '../../../src/store/open-store.js';
import {
  type BuiltFile,
  makeFile,
  placeFile,
  testRunner,
  updateWith,
} from '../../content/content-builder.js';
import { failureOf } from '../../helpers/package-builder.js';
import { idOf, importUpdates, makeUpdate, now, testFolder } from '../../store/update-builder.js';
import { runCommand } from '../command-context.js';

interface Setup {
  readonly storePath: string;
  readonly tree: string;
  /** of update 1, superseded by update 2 */
  readonly old: BuiltFile;
  /** of update 2 */
  readonly current: BuiltFile;
  /** of both */
  readonly shared: BuiltFile;
  readonly licence: BuiltFile;
}

async function setUp(): Promise<Setup> {
  const folder = testFolder();
  const storePath = join(folder, 'metadata.sqlite');
  const [old, current, shared, licence] = [
    makeFile('old', 3000),
    makeFile('current', 4000, 'current.cab'),
    makeFile('shared', 5000),
    makeFile('eula', 40, 'eula.txt'),
  ];
  const product = { anyOf: [idOf(90)], isCategory: true };
  const classification = { anyOf: [idOf(91)], isCategory: true };
  const store = await openMetadataStore(storePath, { mode: 'write', now });
  await importUpdates(store, [
    makeUpdate(90, { categoryType: 'Product', title: 'Windows 11' }),
    makeUpdate(91, { categoryType: 'UpdateClassification', title: 'Security Updates' }),
    updateWith(1, [old, shared], { prerequisites: [product, classification] }),
    updateWith(2, [current, shared], {
      prerequisites: [product, classification],
      superseded: [idOf(1)],
      licences: [licence],
    }),
  ]);
  await store.close();
  return { storePath, tree: join(folder, 'WsusContent'), old, current, shared, licence };
}

describe('content plan', () => {
  test('counts files by kind, product and classification, each once', async () => {
    const { storePath } = await setUp();
    const { result } = await runCommand(contentPlan, storePath);
    expect(result).toMatchObject({
      wanted: { files: 4, bytes: 12_040, payload: { files: 3 }, licence: { files: 1 } },
      states: { unchecked: { files: 4 } },
      products: [{ title: 'Windows 11', files: 4, bytes: 12_040, licences: 1 }],
      classifications: [{ title: 'Security Updates', files: 4 }],
      target: null,
    });
    const chosen = await runCommand(contentPlan, storePath, { options: { 'exclude-superseded': true } });
    expect(chosen.result).toMatchObject({ wanted: { files: 3, bytes: 9040 } });
  });

  test('a file of several updates counts once in each category of any of them', async () => {
    const { storePath, shared } = await setUp();
    const store = await openMetadataStore(storePath, { mode: 'write', now });
    await importUpdates(store, [
      makeUpdate(92, { categoryType: 'Product', title: 'Windows 10' }),
      updateWith(3, [shared, shared, makeFile('third', 100)], {
        prerequisites: [{ anyOf: [idOf(90), idOf(92)], isCategory: true }],
        express: [makeFile('delta', 7, 'delta.psf')],
      }),
      updateWith(4, [makeFile('nowhere', 11)]),
    ]);
    await store.close();
    const { result, view } = await runCommand(contentPlan, storePath);
    expect(result).toMatchObject({
      wanted: { files: 7, bytes: 12_158 },
      products: [
        { title: 'Windows 11', files: 6, bytes: 12_147, licences: 1 },
        { title: 'Windows 10', files: 3, bytes: 5107, licences: 0 },
      ],
      classifications: [{ title: 'Security Updates', files: 4, bytes: 12_040 }],
    });
    const table = (view as readonly View[]).find((each) => each.kind === 'table' && each.forCsv === true);
    expect(table).toMatchObject({
      rows: [
        ['product', idOf(90), 'Windows 11', '6', '1', '12147'],
        ['product', idOf(92), 'Windows 10', '3', '0', '5107'],
        ['classification', idOf(91), 'Security Updates', '4', '1', '12040'],
      ],
    });
    const payload = await runCommand(contentPlan, storePath, { options: { 'no-express': true } });
    expect(payload.result).toMatchObject({
      wanted: { files: 6, express: { files: 0 } },
      products: [{ files: 5 }, { files: 2, bytes: 5100 }],
    });
  });

  test('tells from the records what is here, and from the disk with --check', async () => {
    const { storePath, tree, old, current, shared } = await setUp();
    placeFile(tree, old);
    placeFile(tree, current, current.path, current.bytes.subarray(1));
    await runCommand(reset, storePath, { options: { offline: true } });
    placeFile(tree, shared);
    const states = async (options: Readonly<Record<string, boolean>>) =>
      (await runCommand(contentPlan, storePath, { options })).result.states;
    expect(await states({})).toMatchObject({
      verified: { files: 1, bytes: 3000 },
      corrupt: { files: 1 },
      absent: { files: 2 },
      unchecked: { files: 0 },
    });
    expect(await states({ check: true })).toMatchObject({
      verified: { files: 1 },
      unverified: { files: 1, bytes: 5000 },
      corrupt: { files: 1 },
      absent: { files: 1 },
    });
  });

  test('--check counts folders that are as the last reset left them too', async () => {
    const { storePath, tree } = await setUp();
    const files = Array.from({ length: 300 }, (_, n) => makeFile(`many${n}`, 100 + n));
    const store = await openMetadataStore(storePath, { mode: 'write', now });
    await importUpdates(store, [updateWith(7, files)]);
    await store.close();
    for (const file of files.slice(0, 200)) placeFile(tree, file);
    await runCommand(reset, storePath, { options: { offline: true } });
    const [recorded, seen] = await Promise.all(
      [{}, { check: true }].map((options) => runCommand(contentPlan, storePath, { options })),
    );
    expect(seen?.result.states).toEqual(recorded?.result.states);
    expect(seen?.result.states).toMatchObject({ verified: { files: 200 }, absent: { files: 104 } });
  });

  test('says what a target has, what is to be copied and whether it fits', async () => {
    const { storePath, shared } = await setUp();
    const target = testFolder();
    placeFile(join(target, 'WsusContent'), shared);
    const { status, result } = await runCommand(contentPlan, storePath, { positionals: { dir: target } });
    expect(status).toBe('complete');
    expect(result).toMatchObject({
      target: {
        present: { files: 1 },
        toCopy: { files: 3, bytes: 7040 },
        fits: true,
        free: expect.any(Number),
      },
    });
  });
});

describe('content prune', () => {
  const NO_GRACE = { grace: '0', force: true };

  test('shows orphans and changes nothing without --yes', async () => {
    const { storePath, tree, old } = await setUp();
    const orphan = makeFile('orphan');
    placeFile(tree, old);
    placeFile(tree, orphan);
    const { result } = await runCommand(contentPrune, storePath, { options: NO_GRACE });
    expect(result).toMatchObject({
      action: 'preview',
      found: { orphan: { files: 1 } },
      removed: { files: 0 },
    });
    expect(existsSync(join(tree, orphan.path))).toBe(true);
  });

  test('moves orphans to quarantine, deletes with --delete, and never touches what is called for or strange', async () => {
    const { storePath, tree, old } = await setUp();
    const orphans = [makeFile('one'), makeFile('two')] as const;
    placeFile(tree, old);
    for (const orphan of orphans) placeFile(tree, orphan);
    writeFileSync(join(tree, 'anonymousCheckFile.txt'), '');
    writeFileSync(join(tree, orphans[0].path.slice(0, 2), 'notes.txt'), 'mine');
    symlinkSync(
      join(tree, old.path),
      join(tree, orphans[0].path.slice(0, 2), `${makeFile('link').sha1}.exe`),
    );
    const moved = await runCommand(contentPrune, storePath, { options: { ...NO_GRACE, yes: true } });
    expect(moved.result).toMatchObject({ removed: { files: 2 } });
    for (const orphan of orphans) {
      expect(readFileSync(join(tree, '.wsusutil/quarantine', orphan.path)).equals(orphan.bytes)).toBe(true);
      placeFile(tree, orphan);
    }
    await runCommand(contentPrune, storePath, { options: { ...NO_GRACE, yes: true, delete: true } });
    for (const orphan of orphans) expect(existsSync(join(tree, orphan.path))).toBe(false);
    const left = readdirSync(tree, { recursive: true, encoding: 'utf8' }).filter(
      (name) => /notes|anonymous|link/.test(name) || name.includes(old.sha1),
    );
    expect(left.length).toBeGreaterThanOrEqual(3);
    const emptied = await runCommand(contentPrune, storePath, {
      options: { grace: '0', yes: true, 'empty-quarantine': true },
    });
    expect(emptied.result).toMatchObject({ quarantine: { files: 2 } });
  });

  test('takes out what killed processes left, but no download that goes on and nothing still being written', async () => {
    const { storePath, tree, old } = await setUp();
    placeFile(tree, old);
    const gone = makeFile('gone');
    const left = [
      '.wsusutil-4711-0a1b2c3d.tmp',
      `${gone.path.slice(0, 2)}/.wsusutil-4711-0a1b2c3e.tmp`,
      `.wsusutil/partial/${old.sha1}.4711.copy`,
      `.wsusutil/partial/${gone.sha1}`,
      '.wsusutil/partial/archive-4711/member-1',
    ];
    const stays = [`.wsusutil/partial/${old.sha1}`, `.wsusutil/partial/${gone.sha1}.4712.copy`];
    for (const path of [...left, ...stays]) placeFile(tree, gone, path);
    const before = new Date(now().getTime() - 7_200_000);
    for (const path of [...left, stays[0] as string]) utimesSync(join(tree, path), before, before);
    utimesSync(join(tree, stays[1] as string), now(), now());
    const { result } = await runCommand(contentPrune, storePath, {
      options: { ...NO_GRACE, yes: true, delete: true },
    });
    expect(result).toMatchObject({
      removed: { files: left.length },
      found: { temporary: { files: left.length } },
    });
    expect(left.filter((path) => existsSync(join(tree, path)))).toEqual([]);
    expect(stays.filter((path) => !existsSync(join(tree, path)))).toEqual([]);
  });

  test.each(['partial', 'quarantine', '.'])('follows no link in the place of its folder %s', async (name) => {
    const { storePath, tree, old } = await setUp();
    placeFile(tree, old);
    const elsewhere = testFolder();
    const kept = ['mine.txt', 'partial/mine.txt', 'quarantine/mine.txt'].map((path) =>
      placeFile(elsewhere, old, path),
    );
    for (const path of kept) utimesSync(path, new Date(0), new Date(0));
    const link = join(tree, '.wsusutil', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(elsewhere, link);
    const options = { grace: '0', force: true, yes: true };
    await runCommand(contentPrune, storePath, { options: { ...options, delete: true } });
    await runCommand(contentPrune, storePath, { options: { ...options, 'empty-quarantine': true } });
    expect(kept.filter((path) => !existsSync(path))).toEqual([]);
  });

  test('broken off, the store knows what went', async () => {
    const { storePath, tree, old, current, shared } = await setUp();
    for (const file of [old, current, shared]) placeFile(tree, file);
    await runCommand(reset, storePath, { options: { offline: true } });
    const store = await openMetadataStore(storePath, { mode: 'write', now });
    onTestFinished(() => store.close());
    const index = await store.contentIndex();
    const interruption = new AbortController();
    const newest = (await store.listKeys({ updateIds: [idOf(2)] })) as readonly number[];
    const error = await failureOf(() =>
      pruneContent({
        index,
        contentFolder: tree,
        scope: { keys: newest },
        keepSince: Number.POSITIVE_INFINITY,
        action: 'delete',
        force: false,
        runner: testRunner(),
        now,
        signal: interruption.signal,
        report: (event) => {
          if (event.type === 'step') interruption.abort();
        },
      }),
    );
    expect(error.code).toBe('INTERRUPTED');
    expect(existsSync(join(tree, old.path))).toBe(false);
    expect((await index.find([old.sha1])).get(old.sha1)?.record).toMatchObject({
      state: 'absent',
      problem: undefined,
    });
  });

  test('what came within the grace time stays, though its own time is old', async () => {
    const { storePath, tree, old } = await setUp();
    placeFile(tree, old);
    const path = placeFile(tree, makeFile('orphan'));
    utimesSync(path, new Date(0), new Date(0));
    const { result } = await runCommand(contentPrune, storePath, { options: { yes: true, force: true } });
    expect(result).toMatchObject({ withinGrace: { files: 1 }, removed: { files: 0 } });
    expect(existsSync(path)).toBe(true);
  });

  test('what only superseded updates need goes when they are left out, and counts as absent then', async () => {
    const { storePath, tree, old, current, shared } = await setUp();
    for (const file of [old, current, shared]) placeFile(tree, file);
    await runCommand(reset, storePath, { options: { offline: true } });
    const { result } = await runCommand(contentPrune, storePath, {
      options: { ...NO_GRACE, yes: true, 'exclude-superseded': true },
    });
    expect(result).toMatchObject({ found: { 'not-kept': { files: 1 } }, removed: { files: 1 } });
    expect(existsSync(join(tree, old.path))).toBe(false);
    expect(existsSync(join(tree, shared.path))).toBe(true);
    const after = await runCommand(reset, storePath, { options: { offline: true } });
    expect(after.result).toMatchObject({ found: { absent: { files: 2 }, lost: { files: 0 } } });
  });

  test('refuses when most files would go, and when the metadata calls for none', async () => {
    const { storePath, tree } = await setUp();
    placeFile(tree, makeFile('orphan'));
    const options = { grace: '0', yes: true };
    expect((await failureOf(() => runCommand(contentPrune, storePath, { options }))).code).toBe(
      'SAFETY_REFUSED',
    );
    const empty = join(testFolder(), 'metadata.sqlite');
    await (await openMetadataStore(empty, { mode: 'write', now })).close();
    const prune = () => runCommand(contentPrune, empty, { options });
    expect(await failureOf(prune)).toMatchObject({
      code: 'INPUT_NOT_FOUND',
      hint: expect.stringContaining('mounted'),
    });
    const emptyTree = join(dirname(empty), 'WsusContent');
    mkdirSync(emptyTree);
    expect((await prune()).result).toMatchObject({ present: { files: 0 }, removed: { files: 0 } });
    placeFile(emptyTree, makeFile('first'));
    expect(await failureOf(prune)).toMatchObject({
      code: 'SAFETY_REFUSED',
      message: expect.stringContaining('so all 1 in'),
    });
  });
});

describe('content add', () => {
  const add = (storePath: string, sources: readonly string[], options = {}) =>
    runCommand(contentAdd, storePath, { positionals: { sources }, options });

  test('recognises files by their hashes, whatever they are called and wherever they lie', async () => {
    const { storePath, tree, old, current, licence } = await setUp();
    const stick = testFolder();
    placeFile(stick, old, 'download (3).bin');
    placeFile(stick, current, `wsuscontent/${current.path.toLowerCase()}`);
    placeFile(stick, licence, 'deep/er/x');
    placeFile(stick, makeFile('other', 5000), 'looks/right.exe');
    symlinkSync('/etc', join(stick, 'link'));
    const { status, result } = await add(storePath, [stick]);
    expect(status).toBe('complete');
    expect(result).toMatchObject({
      sources: [
        { kind: 'folder', added: { files: 3 }, notCalledFor: { files: 1 }, notFollowed: 1, problems: [] },
      ],
      states: { verified: { files: 3 } },
    });
    for (const file of [old, current, licence]) {
      expect(readFileSync(join(tree, file.path)).equals(file.bytes)).toBe(true);
    }
    expect((await add(storePath, [stick])).result).toMatchObject({
      sources: [{ added: { files: 0 }, present: { files: 3 } }],
    });
  });

  test('a file under the name of another one does not get its place', async () => {
    const { storePath, tree, old } = await setUp();
    const stick = testFolder();
    placeFile(stick, old, old.path, makeFile('forged', 3000).bytes);
    const { status } = await add(storePath, [stick]);
    expect(status).toBe('incomplete');
    expect(existsSync(join(tree, old.path))).toBe(false);
  });

  test('replaces a damaged file, and --move removes the source only then', async () => {
    const { storePath, tree, old } = await setUp();
    placeFile(tree, old, old.path, Buffer.alloc(3000));
    const stick = testFolder();
    const source = placeFile(stick, old, 'x.exe');
    expect((await add(storePath, [source], { 'dry-run': true })).result).toMatchObject({
      sources: [{ replaced: { files: 1 } }],
    });
    expect(readFileSync(join(tree, old.path)).equals(old.bytes)).toBe(false);
    expect((await add(storePath, [source], { move: true })).result).toMatchObject({
      sources: [{ replaced: { files: 1 } }],
    });
    expect(readFileSync(join(tree, old.path)).equals(old.bytes)).toBe(true);
    expect(existsSync(source)).toBe(false);
    expect((await add(storePath, [join(tree, old.path)], { move: true })).result).toMatchObject({
      sources: [{ present: { files: 1 } }],
    });
    expect(existsSync(join(tree, old.path))).toBe(true);
  });

  test('a source that is not there does not stop the others', async () => {
    const { storePath, old } = await setUp();
    const stick = testFolder();
    const source = placeFile(stick, old, 'x.exe');
    const { status, result } = await add(storePath, [join(stick, 'gone'), source]);
    expect(status).toBe('incomplete');
    expect(result).toMatchObject({
      sources: [{ kind: 'unreadable', problems: [expect.stringContaining('gone')] }, { added: { files: 1 } }],
    });
  });

  test('says that nothing can be recognised while the metadata calls for nothing', async () => {
    const empty = join(testFolder(), 'metadata.sqlite');
    await (await openMetadataStore(empty, { mode: 'write', now })).close();
    expect((await failureOf(() => add(empty, [testFolder()]))).code).toBe('NOT_FOUND');
  });

  test('an unreadable content folder below a file is an error that names it', async () => {
    const { storePath, tree, old } = await setUp();
    rmSync(tree, { recursive: true, force: true });
    mkdirSync(tree);
    writeFileSync(join(tree, old.path.slice(0, 2)), 'a file where a folder belongs');
    const stick = testFolder();
    const error = await failureOf(() => add(storePath, [placeFile(stick, old, 'x.exe')]));
    expect(error.message).toContain(old.path.slice(0, 2));
    expect(readdirSync(join(tree, '.wsusutil/partial'))).toEqual([]);
  });
});
