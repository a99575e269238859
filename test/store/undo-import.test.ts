/** An import that is taken back leaves the store as if it had not been. */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import { openDatabase } from '../../src/platform/sqlite.js';
import type { AcceptedPackage } from '../../src/store/carry-state.js';
import type { MetadataStore } from '../../src/store/metadata-store.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import { failureOf, SAMPLE_HEADER } from '../helpers/package-builder.js';
import { fc } from '../helpers/properties.js';
import {
  type BuiltUpdate,
  idOf,
  importFile,
  importUpdates,
  makeUpdate,
  NOW,
  now,
  openTestStore,
  problemsOf,
  testFolder,
  undone,
  withDocument,
  writeUpdates,
} from './update-builder.js';

const TABLES = [
  'languages',
  'updates',
  'revisions',
  'document_blocks',
  'localized_titles',
  'prerequisites',
  'revision_categories',
  'bundled_updates',
  'superseded_updates',
  'articles',
  'revision_files',
  'file_locations',
  'content_files',
  'sync_state',
  'owed_revisions',
  'decryption_keys',
  'driver_sets',
  'sent_packages',
  'accepted_packages',
];

/** Every row of every table but the history's, as text. */
async function dump(store: MetadataStore, path: string): Promise<Record<string, readonly string[]>> {
  await store.contentIndex();
  const database = await openDatabase(path, { readOnly: true });
  try {
    return Object.fromEntries(
      TABLES.map((table) => [
        table,
        database
          .prepare(`SELECT * FROM ${table}`)
          .all()
          .map((row) =>
            JSON.stringify(row, (_, value: unknown) =>
              value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
            ),
          )
          .sort(),
      ]),
    );
  } finally {
    database.close();
  }
}

function sha1(n: number): string {
  return n.toString(16).toUpperCase().padStart(2, '0').repeat(20);
}

/** Few ids, so that revisions, categories, bundles and files of one import meet those of another. */
const arbitraryUpdate = fc
  .record({
    n: fc.integer({ min: 1, max: 8 }),
    revision: fc.integer({ min: 1, max: 4 }),
    needs: fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 3 }),
    bundles: fc.array(fc.tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 4 })), {
      maxLength: 2,
    }),
    supersedes: fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 2 }),
    files: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 3 }),
    hasSha256: fc.boolean(),
    isExpress: fc.boolean(),
    kb: fc.array(fc.constantFrom('100', '200'), { maxLength: 1 }),
  })
  .map(({ n, revision, needs, bundles, supersedes, files, hasSha256, isExpress, kb }) => {
    const update = makeUpdate(n, {
      revision,
      ...(n % 2 === 1 ? { categoryType: 'Product' as const } : { type: 'Software' as const }),
      titles: { de: `Aktualisierung ${n}` },
      prerequisites: needs.map((id) => ({ isCategory: true, anyOf: [idOf(id)] })),
      bundled: bundles.map(([id, number]) => [{ updateId: idOf(id), revisionNumber: number }]),
      superseded: supersedes.map(idOf),
      kb,
      files: files.map((file) => ({
        sha1: sha1(file),
        sha256: sha1(file).slice(0, 2).repeat(32),
        fileName: `file${file}.cab`,
        size: file * 100,
        modified: '2026-01-01T00:00:00Z',
        patchingType: isExpress ? 'Express' : 'SelfContained',
      })),
    });
    // Old documents have no SHA-256.
    return hasSha256
      ? update
      : withDocument(update, (text) =>
          text.replaceAll(/<(\w+:)?AdditionalDigest[^>]*>[^<]*<\/(\w+:)?AdditionalDigest>/g, ''),
        );
  });
const arbitraryPackage = fc
  .uniqueArray(arbitraryUpdate, {
    minLength: 1,
    maxLength: 6,
    selector: ({ identity }) => `${identity.updateId}${identity.revisionNumber}`,
  })
  .map((updates): readonly BuiltUpdate[] => updates);

test('whatever was imported before, taking an import back leaves every table as it was', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(arbitraryPackage, { minLength: 1, maxLength: 4 }), async (packages) => {
      const folder = testFolder();
      const path = join(folder, 'metadata.sqlite');
      const store = await openMetadataStore(path, { mode: 'write', now });
      try {
        const before: { fingerprint: string; rows: Record<string, readonly string[]> }[] = [];
        for (const [index, updates] of packages.entries()) {
          const state = { fingerprint: await store.fingerprint(), rows: await dump(store, path) };
          await importFile(store, await writeUpdates(join(folder, `${index}.cab`), updates));
          // What changed nothing cannot be taken back.
          if (!isDeepStrictEqual(await dump(store, path), state.rows)) before.push(state);
        }
        for (const { fingerprint, rows } of before.reverse()) {
          await undone(store);
          expect(await dump(store, path)).toEqual(rows);
          expect(await store.fingerprint()).toBe(fingerprint);
          expect(await problemsOf(store)).toEqual([]);
        }
      } finally {
        await store.close();
      }
    }),
    { numRuns: 40 },
  );
}, 120_000);

test('an import that was taken back can come again, under keys that were never given out', async () => {
  const { store } = await openTestStore();
  await importUpdates(store, [makeUpdate(1)]);
  await importUpdates(store, [makeUpdate(2), makeUpdate(3)]);
  const keys = await store.listKeys();
  const fingerprint = await store.fingerprint();
  expect(await undone(store)).toMatchObject({ revisions: 2, updates: 2 });
  await importUpdates(store, [makeUpdate(2), makeUpdate(3)]);
  expect(await store.fingerprint()).toBe(fingerprint);
  const again = await store.listKeys();
  expect(again.slice(1).every((key) => key > (keys.at(-1) ?? 0))).toBe(true);
});

test('an import that changed nothing is not what is taken back', async () => {
  const { store } = await openTestStore();
  await importUpdates(store, [makeUpdate(1)]);
  await importUpdates(store, [makeUpdate(1)]);
  expect(await undone(store)).toMatchObject({ revisions: 1 });
  expect(await store.isEmpty()).toBe(true);
  await expect(store.findUndoable()).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('languages that the first import brought go with it', async () => {
  const { store } = await openTestStore();
  const languages = await store.languages();
  const header = {
    ...SAMPLE_HEADER,
    languages: [{ id: 1033, shortName: 'en', longName: 'English', enabled: true }],
  };
  await importUpdates(store, [makeUpdate(1)], { header });
  expect(await store.languages()).toEqual(header.languages);
  await undone(store);
  expect(await store.languages()).toEqual(languages);
});

test('an import with something stored after it is not taken back', async () => {
  const { store } = await openTestStore();
  expect((await failureOf(() => undone(store))).code).toBe('NOT_FOUND');
  await importUpdates(store, [makeUpdate(1)]);
  expect(await store.findUndoable()).toMatchObject({ revisions: 1 });
  const transaction = await store.beginImport();
  await transaction.rememberSync({ upstream: 'https://example.test', values: { anchor: '1' } });
  await transaction.commit({
    action: 'sync',
    package: 'https://example.test',
    startedAt: 1,
    finishedAt: 2,
    outcome: 'complete',
    details: {},
  });
  await expect(store.findUndoable()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  const error = await failureOf(() => undone(store));
  expect(error).toMatchObject({ code: 'NOT_FOUND' });
  expect(error.message).toContain('https://example.test');
  expect(await store.countRevisions({})).toBe(1);
});

test('a dry run and a failed import leave the last one to be taken back', async () => {
  const { store } = await openTestStore();
  await importUpdates(store, [makeUpdate(1)]);
  await importUpdates(store, [makeUpdate(2)], { dryRun: true });
  const conflict = makeUpdate(1, { comment: 'another' });
  await failureOf(() => importUpdates(store, [conflict], { strict: true }));
  expect(await undone(store)).toMatchObject({ revisions: 1 });
  expect(await store.isEmpty()).toBe(true);
});

test('with an import goes the transfer package it was', async () => {
  const { store } = await openTestStore();
  const accepted: AcceptedPackage = {
    serverId: idOf(1),
    destination: 'site',
    sequence: 1,
    manifest: 'AB'.repeat(32),
    follows: undefined,
    createdAt: NOW.getTime(),
    acceptedAt: NOW.getTime(),
    signers: ['0123456789ABCDEF'],
    gapReason: 'the second one was lost',
  };
  const transaction = await store.beginImport();
  await transaction.acceptPackage(accepted);
  await transaction.commit({
    action: 'import',
    package: 'carry.tar',
    startedAt: 1,
    finishedAt: 2,
    outcome: 'complete',
    details: {},
  });
  expect(await store.carryState().listAccepted()).toEqual([accepted]);
  expect(await undone(store)).toMatchObject({ accepted, revisions: 0 });
  expect(await store.carryState().listAccepted()).toEqual([]);
});

test('without any import it says so, and where what is here came from', async () => {
  const { store } = await openTestStore();
  expect((await failureOf(() => undone(store))).message).toMatch(/^Nothing was ever imported here/);
  await store.addHistory({
    action: 'sync',
    package: 'https://example.test',
    startedAt: 1,
    finishedAt: 2,
    outcome: 'complete',
    details: {},
  });
  for (const ask of [() => undone(store), () => store.findUndoable()]) {
    expect(await failureOf(ask)).toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('came by synchronising'),
    });
  }
});
