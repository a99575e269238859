import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { writeGetUpdateData } from '../../src/formats/server-sync/get-update-data.js';
import { PreparedDocuments } from '../../src/serve/prepared-documents.js';
import { UpdateDataSource } from '../../src/serve/update-data.js';
import type { MetadataStore } from '../../src/store/metadata-store.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import {
  type BuiltUpdate,
  importUpdates,
  makeUpdate,
  openTestStore,
  testFolder,
} from '../store/update-builder.js';
import { cookieFrom, post, startServer } from './serve-setup.js';

const UPDATES = Array.from({ length: 40 }, (_, n) =>
  makeUpdate(n + 1, {
    comment: 'x'.repeat(n * 200),
    files:
      n % 3 === 0
        ? []
        : [
            {
              sha1: (n + 1).toString(16).toUpperCase().padStart(40, '0'),
              sha256: 'A'.repeat(64),
              fileName: 'a.cab',
              size: n,
              modified: '2026-01-01T00:00:00Z',
            },
          ],
  }),
);
const signal = new AbortController().signal;

async function openPrepared(folder: string, store: MetadataStore): Promise<PreparedDocuments> {
  const view = await store.serveView();
  const prepared = await PreparedDocuments.open(folder, store.serverId, await view.documentChecks());
  if (prepared === undefined) throw new Error('it cannot be opened');
  onTestFinished(() => prepared.close());
  return prepared;
}

async function prepareAll(folder: string, store: MetadataStore, updates: readonly BuiltUpdate[] = UPDATES) {
  const prepared = await openPrepared(folder, store);
  const source = new UpdateDataSource(await store.serveView(), store);
  const made = await source.prepare(
    prepared,
    updates.map(({ identity }) => identity),
    signal,
  );
  return { prepared, source, made };
}

/** The inside of the answer, as one text. */
async function answerOf(
  source: UpdateDataSource,
  updates: readonly BuiltUpdate[] = UPDATES,
): Promise<string> {
  const data = await source.read(updates.map(({ identity }) => identity));
  if (data === undefined) throw new Error('something is missing');
  const text = Buffer.concat([...data.updates, data.fileUrls]).toString();
  data.release();
  return text;
}

test('prepared documents are sent as those that are made at once, in any order, duplicates included', async () => {
  const { store } = await openTestStore();
  await importUpdates(store, UPDATES);
  const { prepared, source, made } = await prepareAll(testFolder(), store);
  expect([made, prepared.count]).toEqual([40, 40]);
  source.use(prepared);
  const fresh = new UpdateDataSource(await store.serveView(), store);
  const mixed = [...UPDATES.slice(20), ...UPDATES.slice(0, 30)];
  for (let round = 0; round < 3; round++) {
    expect(await answerOf(source)).toBe(await answerOf(fresh));
    expect(await answerOf(source, mixed)).toBe(await answerOf(fresh, mixed));
  }
});

test('answers at the same time do not share memory', async () => {
  const { store } = await openTestStore();
  await importUpdates(store, UPDATES);
  const { prepared, source } = await prepareAll(testFolder(), store);
  source.use(prepared);
  const alone = await Promise.all(UPDATES.map(async (update) => answerOf(source, [update])));
  const together = await Promise.all(UPDATES.map((update) => answerOf(source, [update])));
  expect(together).toEqual(alone);
  expect(new Set(together).size).toBe(40);
});

test('what was prepared is there after a restart; only what is new is made', async () => {
  const { store } = await openTestStore();
  const folder = testFolder();
  await importUpdates(store, UPDATES.slice(0, 25));
  const first = await prepareAll(folder, store, UPDATES.slice(0, 25));
  expect(first.made).toBe(25);
  await importUpdates(store, UPDATES.slice(25));
  const second = await prepareAll(folder, store);
  expect([second.made, second.prepared.count]).toEqual([15, 40]);
  expect((await prepareAll(folder, store)).made).toBe(0);
  expect(readdirSync(folder).length).toBe(2);
});

test('a store that has other documents under the same keys gets none of them', async () => {
  const folder = testFolder();
  const { store } = await openTestStore();
  await importUpdates(store, [makeUpdate(1, { title: 'one' })]);
  await prepareAll(folder, store, [makeUpdate(1)]);
  const view = await store.serveView();
  const checks = new Map([...(await view.documentChecks())].map(([key, check]) => [key, check ^ 1]));
  const prepared = await PreparedDocuments.open(folder, store.serverId, checks);
  expect(prepared?.count).toBe(0);
  await prepared?.close();
  expect(readdirSync(folder)).toEqual([]); // of no use to anybody any more
});

test.each<[string, (bytes: Buffer) => Buffer]>([
  ['another version', (bytes) => Buffer.concat([Buffer.from('WSUSDOC0'), bytes.subarray(8)])],
  [
    'a damaged index',
    (bytes) =>
      Buffer.concat([bytes.subarray(0, 70), Buffer.from([bytes.readUInt8(70) ^ 1]), bytes.subarray(71)]),
  ],
  ['nothing in it', () => Buffer.alloc(0)],
  ['only its head', (bytes) => bytes.subarray(0, 64)],
  [
    'a size that is not there',
    (bytes) => {
      const changed = Buffer.from(bytes);
      changed.writeUInt32BE(0xffffffff, 28);
      return changed;
    },
  ],
])('a file with %s counts for nothing', async (_what, damage) => {
  const { prepared } = await openDamaged(damage);
  expect(prepared.count).toBe(0);
});

/** A store with all updates, and the one file of what was prepared of them, changed. */
async function openDamaged(damage: (bytes: Buffer) => Buffer) {
  const folder = testFolder();
  const { store } = await openTestStore();
  await importUpdates(store, UPDATES);
  const { prepared } = await prepareAll(folder, store);
  await prepared.close();
  const [name = ''] = readdirSync(folder);
  writeFileSync(join(folder, name), damage(readFileSync(join(folder, name))));
  return { store, prepared: await openPrepared(folder, store) };
}

test('a file that was cut gives what is left of it', async () => {
  const { store, prepared: again } = await openDamaged((bytes) => bytes.subarray(0, bytes.length - 10));
  expect(again.count).toBe(39);
  const source = new UpdateDataSource(await store.serveView(), store);
  source.use(again);
  expect(await answerOf(source)).toBe(await answerOf(new UpdateDataSource(await store.serveView(), store)));
});

test('where nothing can be written a server does without', async () => {
  const { store } = await openTestStore();
  const file = join(testFolder(), 'file');
  writeFileSync(file, '');
  expect(await PreparedDocuments.open(join(file, 'cache'), store.serverId, new Map())).toBeUndefined();
});

test('a running server prepares what comes to its store', async () => {
  const { path, store } = await openTestStore();
  await importUpdates(store, UPDATES.slice(0, 20));
  const server = await startServer(path);
  const read = await openMetadataStore(path, { mode: 'read', now: () => new Date() });
  onTestFinished(() => read.close());
  const prepared = await openPrepared(testFolder(), read);
  const stop = new AbortController();
  const preparing = server.front.prepare(prepared, stop.signal, 10);
  await expect.poll(() => prepared.count).toBe(20);
  await importUpdates(store, UPDATES.slice(20));
  await expect.poll(() => prepared.count).toBe(40);
  const body = writeGetUpdateData(
    await cookieFrom(server),
    UPDATES.map(({ identity }) => identity),
  ).body;
  const fresh = await startServer(path);
  expect((await post(server, body)).text).toBe((await post(fresh, body)).text);
  stop.abort();
  await preparing;
});

test('documents asked for often are sent from memory, within its bound, and are the same', async () => {
  const { store } = await openTestStore();
  const folder = testFolder();
  await importUpdates(store, UPDATES);
  await (await prepareAll(folder, store)).prepared.close();
  const checks = await (await store.serveView()).documentChecks();
  const expected = await answerOf(new UpdateDataSource(await store.serveView(), store));
  const fileSize = readFileSync(join(folder, readdirSync(folder)[0] ?? '')).length;
  for (const [bound, kept] of [
    [fileSize - 1, 0],
    [fileSize, fileSize],
  ] as const) {
    const prepared = await PreparedDocuments.open(folder, store.serverId, checks, bound);
    if (prepared === undefined) throw new Error('it cannot be opened');
    const source = new UpdateDataSource(await store.serveView(), store);
    source.use(prepared);
    for (let round = 0; round < 40; round++) expect(await answerOf(source)).toBe(expected);
    expect([prepared.keptSize, source.size]).toEqual([kept, kept]);
    await prepared.close();
  }
});

test.each([false, true])(
  'a running server forgets documents of an import that is taken back (prepared: %s)',
  async (isPrepared) => {
    const { path, store } = await openTestStore();
    await importUpdates(store, UPDATES.slice(1, 5));
    const wrong = makeUpdate(1, { comment: 'the wrong one' });
    await importUpdates(store, [wrong]);
    const server = await startServer(path);
    const stop = new AbortController();
    if (isPrepared) {
      const prepared = await openPrepared(testFolder(), store);
      const preparing = server.front.prepare(prepared, stop.signal, 10);
      onTestFinished(async () => {
        stop.abort();
        await preparing;
      });
      await expect.poll(() => prepared.count).toBe(5);
    }
    // A cookie of before is refused afterwards.
    const ask = async () =>
      (await post(server, writeGetUpdateData(await cookieFrom(server), [wrong.identity]).body)).text;
    // so often that the answer is remembered
    for (let n = 0; n < 40; n++) expect(await ask()).toContain('the wrong one');
    await store.undoImport((facts) => ({
      action: 'undo',
      package: facts.package,
      startedAt: 0,
      finishedAt: 1,
      outcome: 'complete',
      details: {},
    }));
    await expect.poll(ask, { timeout: 5_000 }).toContain('<ErrorCode>InternalServerError</ErrorCode>');
    await importUpdates(store, [makeUpdate(1, { comment: 'the right one' })]);
    await expect.poll(ask, { timeout: 5_000 }).toContain('the right one');
  },
);
