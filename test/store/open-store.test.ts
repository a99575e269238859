import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDatabase } from '../../src/platform/sqlite.js';
import type { MetadataStore } from '../../src/store/metadata-store.js';
import { openMetadataStore, openTemporaryStore } from '../../src/store/open-store.js';
import { SCHEMA_VERSION } from '../../src/store/schema.js';
import { failureOf } from '../helpers/package-builder.js';
import { importUpdates, makeUpdate, now, openTestStore, testFolder } from './update-builder.js';

const MODES = ['read', 'write'] as const;

/** A closed store with one update. */
async function closedStore(): Promise<string> {
  const { store, path } = await openTestStore();
  await importUpdates(store, [makeUpdate(1)]);
  await store.close();
  return path;
}

async function drain(rows: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of rows);
}

async function execute(path: string, sql: string): Promise<void> {
  const database = await openDatabase(path);
  database.exec(sql);
  database.close();
}

describe.each(MODES)('opening to %s', (mode) => {
  test('a store of a newer version is refused and not changed', async () => {
    const path = await closedStore();
    await execute(path, `PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
    const before = readFileSync(path);
    const error = await failureOf(() => openMetadataStore(path, { mode, now }));
    expect(error.code).toBe('STORE_TOO_NEW');
    expect(error.message).toContain(`schema version ${SCHEMA_VERSION + 1}`);
    expect(error.message).toContain(`up to ${SCHEMA_VERSION}`);
    expect(error.hint).toContain('newer wsusutil');
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test('a database of another program is refused and not changed', async () => {
    const path = join(testFolder(), 'metadata.sqlite');
    await execute(path, 'CREATE TABLE cookies (name TEXT); INSERT INTO cookies VALUES (1)');
    const before = readFileSync(path);
    const error = await failureOf(() => openMetadataStore(path, { mode, now }));
    expect(error.code).toBe('STORE_CORRUPT');
    expect(error.message).toContain('not a wsusutil store');
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test('a database of another program with a schema version of its own is refused and not changed', async () => {
    const path = join(testFolder(), 'metadata.sqlite');
    await execute(path, `CREATE TABLE cookies (name TEXT); PRAGMA user_version = ${SCHEMA_VERSION}`);
    const before = readFileSync(path);
    const error = await failureOf(() => openMetadataStore(path, { mode, now }));
    expect(error.code).toBe('STORE_CORRUPT');
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test.each([
    ['a text file', Buffer.from('This is no database.\n'.repeat(100))],
    ['a short text file', Buffer.from('hello')],
    ['a damaged header', Buffer.concat([Buffer.from('SQLite format 4\0'), Buffer.alloc(4096)])],
  ])('%s is refused and not changed', async (_, bytes) => {
    const path = join(testFolder(), 'metadata.sqlite');
    writeFileSync(path, bytes);
    const error = await failureOf(() => openMetadataStore(path, { mode, now }));
    expect(error.code).toBe('STORE_CORRUPT');
    expect(error.message).toContain(path);
    expect(error.hint).toContain('backup');
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });
});

test('there must be a store to read; an empty file is none', async () => {
  const folder = testFolder();
  const missing = join(folder, 'missing.sqlite');
  const empty = join(folder, 'empty.sqlite');
  writeFileSync(empty, '');
  for (const path of [missing, empty]) {
    const error = await failureOf(() => openMetadataStore(path, { mode: 'read', now }));
    expect(error.code).toBe('STORE_MISSING');
    expect(error.hint).toContain('Import a package');
  }
  expect(existsSync(missing)).toBe(false);
});

test('writing creates the store, also in place of an empty file, and keeps its identity afterwards', async () => {
  const path = join(testFolder(), 'new', 'metadata.sqlite');
  const { store } = await openTestStore(path);
  expect(store.serverId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  expect(await store.isEmpty()).toBe(true);
  expect(await store.status()).toMatchObject({
    schemaVersion: SCHEMA_VERSION,
    updates: 0,
    revisions: 0,
    lastImport: undefined,
    createdAt: now().getTime(),
  });
  const { serverId } = store;
  await store.close();
  const again = await openTestStore(path);
  expect(again.store.serverId).toBe(serverId);

  const empty = join(testFolder(), 'empty.sqlite');
  writeFileSync(empty, '');
  const { store: inEmpty } = await openTestStore(empty);
  expect(await inEmpty.isEmpty()).toBe(true);
});

test('a truncated store gives a store error, never another one', async () => {
  const path = await closedStore();
  const whole = readFileSync(path);
  for (const share of [0.1, 0.5, 0.9]) {
    const cut = join(testFolder(), 'cut.sqlite');
    writeFileSync(cut, whole.subarray(0, Math.floor(whole.length * share)));
    const error = await failureOf(async () => {
      const store = await openMetadataStore(cut, { mode: 'read', now });
      try {
        await store.status();
        for await (const _ of store.readDocuments(await store.listKeys()));
        const problems = [];
        for await (const problem of store.check(() => {}, new AbortController().signal))
          problems.push(problem);
        if (problems.length > 0) throw Object.assign(new Error('malformed'), { errcode: 11 });
      } finally {
        await store.close();
      }
    }).catch((thrown: { errcode?: number }) => thrown);
    expect(
      ('code' in error && error.code === 'STORE_CORRUPT') || ('errcode' in error && error.errcode === 11),
    ).toBe(true);
  }
});

test('whichever page of a store is overwritten, nothing but a store error comes of reading it', async () => {
  const path = await closedStore();
  const whole = readFileSync(path);
  const pageSize = 16_384;
  let refused = 0;
  for (let page = 1; page < whole.length / pageSize; page++) {
    const damaged = join(testFolder(), 'damaged.sqlite');
    writeFileSync(damaged, Buffer.from(whole).fill(0xa5, page * pageSize, (page + 1) * pageSize));
    const store = await openMetadataStore(damaged, { mode: 'read', now }).catch((error: Error) => error);
    const ways: readonly ((opened: MetadataStore) => Promise<unknown>)[] = [
      (opened) => opened.listKeys(),
      (opened) => opened.status(),
      (opened) => opened.fingerprint(),
      (opened) => opened.listCategories(),
      (opened) => opened.dependencyGraph(),
      (opened) => drain(opened.quickCheck(new AbortController().signal)),
      (opened) => drain(opened.listRevisions({})),
    ];
    if (store instanceof Error) {
      expect(store).toMatchObject({ code: 'STORE_CORRUPT' });
      continue;
    }
    for (const way of ways) {
      const error = await way(store).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (error === undefined) continue;
      refused++;
      expect(error).toMatchObject({ code: 'STORE_CORRUPT' });
    }
    await store.close();
  }
  expect(refused).toBeGreaterThan(0);
});

test('while an import is open, readers see the state before it, and afterwards the state after it', async () => {
  const { store, path } = await openTestStore();
  await importUpdates(store, [makeUpdate(1)]);
  const transaction = await store.beginImport();
  await transaction.setLanguages([]);
  await transaction.addFileLocations([
    { sha1: 'AA'.repeat(20), muUrl: 'http://example.test/a', fileName: 'a.cab' },
  ]);
  const reader = await openMetadataStore(path, { mode: 'read', now });
  expect((await reader.status()).languages.length).toBeGreaterThan(0);
  expect(await reader.countRevisions({})).toBe(1);
  await transaction.commit({
    action: 'import',
    package: 'x.cab',
    startedAt: 0,
    finishedAt: 1,
    outcome: 'complete',
    details: {},
  });
  expect((await reader.status()).languages).toEqual([]);
  await reader.close();
});

test('what is read consistently is of one moment, whatever is imported meanwhile', async () => {
  const { store, path } = await openTestStore();
  await importUpdates(store, [makeUpdate(1)]);
  const reader = await openMetadataStore(path, { mode: 'read', now });
  await reader.readConsistently(async () => {
    expect(await reader.countRevisions({})).toBe(1);
    await importUpdates(store, [makeUpdate(2)]);
    expect(await reader.countRevisions({})).toBe(1);
  });
  expect(await reader.countRevisions({})).toBe(2);
  await reader.close();
});

test('a copy of a closed store is the same store', async () => {
  const path = await closedStore();
  const copy = join(testFolder(), 'copy.sqlite');
  copyFileSync(path, copy);
  const original = await openMetadataStore(path, { mode: 'read', now });
  const other = await openMetadataStore(copy, { mode: 'read', now });
  expect(await other.fingerprint()).toBe(await original.fingerprint());
  await original.close();
  await other.close();
});

test('a temporary store works and leaves no file', async () => {
  const store = await openTemporaryStore(now);
  await importUpdates(store, [makeUpdate(1)]);
  expect(await store.countRevisions({})).toBe(1);
  await store.close();
});
