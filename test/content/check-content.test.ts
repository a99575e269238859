import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type CheckOptions, checkContent, type Finding } from '../../src/content/check-content.js';
import { openContentTree } from '../../src/content/content-tree.js';
import type { MetadataStore } from '../../src/store/metadata-store.js';
import { importUpdates, now, openTestStore, testFolder } from '../store/update-builder.js';
import { makeFile, placeFile, testRunner, updateWith } from './content-builder.js';

async function check(
  store: MetadataStore,
  folder: string,
  options: Partial<CheckOptions> = {},
): Promise<{ findings: Finding[]; isComplete: boolean }> {
  const runner = testRunner();
  const index = await store.contentIndex();
  const selection = await index.select({});
  const findings: Finding[] = [];
  const steps = checkContent({
    tree: await openContentTree(folder, runner),
    selection,
    index,
    records: 'of-this-tree',
    depth: 'full',
    strays: true,
    runner,
    now,
    signal: new AbortController().signal,
    report: () => {},
    ...options,
  });
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return { findings, isComplete: step.value.isComplete };
    findings.push(...step.value);
  }
}

async function record(store: MetadataStore, findings: readonly Finding[]): Promise<void> {
  const index = await store.contentIndex();
  await index.record(
    findings.flatMap((each) => (each.type === 'file' ? [{ sha1: each.file.sha1, record: each.record }] : [])),
  );
}

/** `name: state problem` of every file, `reason name` of every stranger; sorted. */
function briefly(findings: readonly Finding[]): string[] {
  return findings
    .map((each) =>
      each.type === 'file'
        ? [
            each.file.fileName,
            each.record.state,
            each.record.problem,
            each.isMisplaced ? 'misplaced' : undefined,
          ]
            .filter((part) => part !== undefined)
            .join(' ')
        : each.type === 'unchanged'
          ? `${each.files} unchanged`
          : `${each.stray.reason}: ${each.stray.path.split(/[/\\]/).slice(-2).join('/')}`,
    )
    .sort();
}

test('every state a file can be in is told apart', async () => {
  const { store } = await openTestStore();
  const good = makeFile('good');
  const short = makeFile('short');
  const flipped = makeFile('flipped');
  const absent = makeFile('absent');
  const folder = makeFile('folder');
  const lower = makeFile('lower');
  const bare = makeFile('bare');
  const licence = makeFile('licence', 50, 'eula.txt');
  const wrong256 = { ...makeFile('wrong256'), sha256: makeFile('another').sha256 };
  await importUpdates(store, [
    updateWith(1, [good, short, flipped, absent, folder], { licences: [licence] }),
    updateWith(2, [lower, bare, wrong256, good]),
  ]);
  const tree = join(testFolder(), 'WsusContent');
  placeFile(tree, good);
  placeFile(tree, licence);
  placeFile(tree, wrong256);
  placeFile(tree, short, short.path, short.bytes.subarray(1));
  const bytes = Buffer.from(flipped.bytes);
  bytes[500] = (bytes[500] as number) ^ 1;
  placeFile(tree, flipped, flipped.path, bytes);
  mkdirSync(join(tree, folder.path), { recursive: true });
  placeFile(tree, lower, lower.path.toLowerCase());
  placeFile(tree, bare, bare.path.replace(/\.exe$/, '.cab'));
  const { findings, isComplete } = await check(store, tree);
  expect(isComplete).toBe(true);
  expect(briefly(findings)).toEqual([
    'absent.exe absent',
    'bare.exe verified',
    'eula.txt verified',
    'flipped.exe corrupt sha1',
    'folder.exe corrupt not-a-file',
    'good.exe verified',
    'lower.exe verified misplaced',
    'short.exe corrupt short',
    'wrong256.exe corrupt sha256',
  ]);
  expect(
    findings.flatMap((each) =>
      each.type === 'file' && each.file.kind === 'licence' ? [each.file.fileName] : [],
    ),
  ).toEqual(['eula.txt']);
});

test('what no revision calls for is told, links and sockets are never followed', async () => {
  const { store } = await openTestStore();
  const file = makeFile('wanted');
  const orphan = makeFile('orphan');
  await importUpdates(store, [updateWith(1, [file])]);
  const root = testFolder();
  const tree = join(root, 'WsusContent');
  const outside = placeFile(root, file, 'outside/file.exe');
  mkdirSync(join(tree, 'AA'), { recursive: true });
  mkdirSync(join(tree, file.path.slice(0, 2)), { recursive: true });
  symlinkSync(outside, join(tree, file.path));
  symlinkSync(join(root, 'outside'), join(tree, 'BB'));
  placeFile(tree, orphan);
  placeFile(tree, file, `${file.path.startsWith('AA') ? 'AB' : 'AA'}/${file.sha1}.exe`);
  writeFileSync(join(tree, 'AA', 'readme.txt'), 'x');
  writeFileSync(join(tree, 'AA', '.wsusutil-1-abcdef01.tmp'), 'x');
  writeFileSync(join(tree, 'anonymousCheckFile.txt'), '');
  writeFileSync(join(tree, 'loose.exe'), '');
  placeFile(tree, orphan, '.wsusutil/quarantine/AA/x.exe');
  const { findings } = await check(store, tree);
  expect(briefly(findings)).toEqual(
    [
      'wanted.exe corrupt not-a-file',
      'link: WsusContent/BB',
      'foreign-name: WsusContent/loose.exe',
      'foreign-name: AA/readme.txt',
      'temporary: AA/.wsusutil-1-abcdef01.tmp',
      `orphan: ${orphan.path}`,
      `wrong-folder: ${file.path.startsWith('AA') ? 'AB' : 'AA'}/${file.sha1}.exe`,
    ].sort(),
  );
});

test('a file that vanished since an earlier check is lost, one that never was there is absent', async () => {
  const { store } = await openTestStore();
  const file = makeFile('a');
  await importUpdates(store, [updateWith(1, [file, makeFile('b')])]);
  const tree = join(testFolder(), 'WsusContent');
  placeFile(tree, file);
  await record(store, (await check(store, tree)).findings);
  const gone = await check(store, join(testFolder(), 'WsusContent'));
  expect(briefly(gone.findings)).toEqual(['a.exe absent lost', 'b.exe absent']);
  await record(store, gone.findings);
  expect(briefly((await check(store, join(testFolder(), 'x'))).findings)).toEqual([
    'a.exe absent lost',
    'b.exe absent',
  ]);
});

test('a check that goes on reads only what was changed since', async () => {
  const { store } = await openTestStore();
  const files = ['a', 'b', 'c'].map((name) => makeFile(name));
  await importUpdates(store, [updateWith(1, files)]);
  const tree = join(testFolder(), 'WsusContent');
  const paths = files.map((file) => placeFile(tree, file));
  await record(store, (await check(store, tree)).findings);
  // The same size, other bytes: only the time of the change tells.
  writeFileSync(paths[1] as string, Buffer.alloc(1000));
  utimesSync(paths[1] as string, new Date(), new Date(Date.now() + 5000));
  const { findings } = await check(store, tree, { trustSince: now().getTime() });
  const how = findings
    .map((each) => (each.type === 'file' ? `${each.file.fileName} ${each.how} ${each.record.state}` : ''))
    .sort();
  expect(how).toEqual(['a.exe known verified', 'b.exe read corrupt', 'c.exe known verified']);
  const later = await check(store, tree, { trustSince: now().getTime() + 1 });
  expect(later.findings.every((each) => each.type === 'file' && each.how === 'read')).toBe(true);
});

test('a quick check believes earlier ones about unchanged files and calls the rest unverified', async () => {
  const { store } = await openTestStore();
  const files = ['a', 'b'].map((name) => makeFile(name));
  await importUpdates(store, [updateWith(1, files)]);
  const tree = join(testFolder(), 'WsusContent');
  placeFile(tree, files[0] as (typeof files)[0]);
  await record(store, (await check(store, tree)).findings);
  placeFile(tree, files[1] as (typeof files)[0]);
  const { findings } = await check(store, tree, { depth: 'quick' });
  expect(briefly(findings).filter((text) => !text.startsWith('0 '))).toEqual([
    '1 unchanged',
    'b.exe unverified',
  ]);
});

test('a check stops when its time is up and says so', async () => {
  const { store } = await openTestStore();
  await importUpdates(store, [
    updateWith(
      1,
      Array.from({ length: 40 }, (_, n) => makeFile(`f${n}`)),
    ),
  ]);
  let asked = 0;
  const { findings, isComplete } = await check(store, join(testFolder(), 'x'), {
    isTimeUp: () => ++asked > 100,
  });
  expect(isComplete).toBe(false);
  expect(findings.length).toBeGreaterThan(0);
  expect(findings.length).toBeLessThan(40);
});

test('an interruption is heard also where nothing but the store is asked', async () => {
  const { store } = await openTestStore();
  await importUpdates(store, [
    updateWith(
      1,
      Array.from({ length: 40 }, (_, n) => makeFile(`absent${n}`)),
    ),
  ]);
  const controller = new AbortController();
  const runner = testRunner();
  const tree = await openContentTree(join(testFolder(), 'WsusContent'), runner);
  const index = await store.contentIndex();
  const steps = checkContent({
    ...{ tree, index, selection: await index.select({}), records: 'of-this-tree', depth: 'full' },
    ...{ strays: true, runner, now, signal: controller.signal, report: () => {} },
  });
  setImmediate(() => controller.abort());
  const run = async () => {
    while ((await steps.next()).done !== true);
  };
  await expect(run()).rejects.toMatchObject({ code: 'INTERRUPTED' });
});
