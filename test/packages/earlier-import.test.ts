/** A package that was imported before, byte for byte, is not read again. */
import { appendFileSync, copyFileSync, readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { failureOf, SAMPLE_HEADER } from '../helpers/package-builder.js';
import {
  idOf,
  importFile,
  importUpdates,
  makeUpdate,
  openTestStore,
  testFolder,
  undone,
  writeUpdates,
} from '../store/update-builder.js';

const UPDATES = [makeUpdate(1), makeUpdate(2), makeUpdate(2, { revision: 2 })];

async function packageOf(updates = UPDATES, header = SAMPLE_HEADER, name = 'package.cab'): Promise<string> {
  return writeUpdates(join(testFolder(), name), updates, header);
}

test.each(['package.cab', 'package.xml.gz'])(
  '%s: all is present, nothing changes, and it is said when',
  async (name) => {
    const { store } = await openTestStore();
    const path = await packageOf(UPDATES, SAMPLE_HEADER, name);
    const first = await importFile(store, path);
    expect(first.importedBefore).toBeUndefined();
    const before = await store.fingerprint();
    const copy = join(testFolder(), `a copy of ${name}`);
    copyFileSync(path, copy);
    for (const [each, dryRun] of [
      [path, false],
      [copy, true],
      [copy, false],
    ] as const) {
      const again = await importFile(store, each, { dryRun });
      const { newUpdates, newRevisions, newByType, ...same } = first;
      expect(again).toEqual({
        ...same,
        path: each,
        dryRun,
        newUpdates: 0,
        newRevisions: 0,
        newByType: { Category: 0, Detectoid: 0, Software: 0, Driver: 0 },
        present: 3,
        importedBefore: expect.any(Number),
      });
    }
    expect(await store.fingerprint()).toBe(before);
    const [newest, , oldest] = await store.listHistory(3);
    expect(newest?.details).toEqual({ ...oldest?.details, newUpdates: 0, newRevisions: 0, present: 3 });
  },
);

test('read again is what an undo may have taken out, one byte that differs, and everything with --strict', async () => {
  const { store } = await openTestStore();
  const path = await packageOf();
  const importedBefore = async (options = {}) => (await importFile(store, path, options)).importedBefore;
  await importUpdates(store, [makeUpdate(9)]);
  await importFile(store, path);
  expect(await importedBefore({ strict: true })).toBeUndefined();
  expect(await importedBefore()).toBeDefined();
  await undone(store);
  expect(await importedBefore()).toBeUndefined();
  expect(await importedBefore()).toBeDefined();
  const bytes = readFileSync(path);
  const at = bytes.length - 20;
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(path, bytes);
  expect((await failureOf(() => importFile(store, path))).code).toMatch(/^CAB_|^PACKAGE_/);
});

test('read again is a package about which something has to be said', async () => {
  const { store } = await openTestStore();
  const lacking = await packageOf([makeUpdate(1, { prerequisites: [{ id: idOf(8) }] })]);
  const trailing = await packageOf(UPDATES);
  appendFileSync(trailing, 'more');
  for (const path of [lacking, trailing]) {
    const first = await importFile(store, path);
    expect(first.warnings.length + first.missingCount).toBeGreaterThan(0);
    const again = await importFile(store, path);
    expect(again.importedBefore).toBeUndefined();
    expect(again.warnings).toEqual(first.warnings);
  }
});

test('what differs from the settings of the store is said each time', async () => {
  const { store } = await openTestStore();
  await importUpdates(store, [makeUpdate(9)]);
  const languages = SAMPLE_HEADER.languages.map((each) => ({ ...each, enabled: !each.enabled }));
  const path = await packageOf(UPDATES, { ...SAMPLE_HEADER, languages });
  for (let times = 0; times < 3; times++) {
    expect((await importFile(store, path)).warnings).toEqual(['LANGUAGES_DIFFER']);
  }
});

test('a file that was replaced while it was read is not taken for the one that was', async () => {
  const { store } = await openTestStore();
  const path = await packageOf();
  const confirm = async () => utimesSync(path, 1, 1);
  await importFile(store, path, { confirm });
  expect((await store.listHistory(1))[0]?.details).not.toHaveProperty('packageSha256');
  expect((await importFile(store, path)).importedBefore).toBeUndefined();
});

test('nor is one that lies there when the package is hashed, after the reader has opened another', async () => {
  const { store } = await openTestStore();
  const path = await packageOf();
  const other = await packageOf([makeUpdate(7)]);
  let isReplaced = false;
  await importFile(store, path, {
    report: ({ type }) => {
      if (type !== 'step' || isReplaced) return;
      isReplaced = true;
      renameSync(other, path);
    },
  });
  expect(isReplaced).toBe(true);
  expect(await importFile(store, path)).toMatchObject({ importedBefore: undefined, newUpdates: 1 });
});

test('an interruption is heard while the file is hashed', async () => {
  const { store } = await openTestStore();
  const path = await packageOf();
  await importFile(store, path);
  const signal = AbortSignal.abort();
  expect((await failureOf(() => importFile(store, path, { signal, threads: 0 }))).code).toBe('INTERRUPTED');
});
