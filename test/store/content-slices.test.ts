import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../src/platform/sqlite.js';
import type { ContentScope } from '../../src/store/content-index.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import { SqliteContentIndex } from '../../src/store/sqlite-content-index.js';
import { makeFile, updateWith } from '../content/content-builder.js';
import { importUpdates, now, testFolder } from './update-builder.js';

const FILES = 120;

/** A store of 40 updates that call for 120 files, one of which three of them list. */
async function newStore(): Promise<string> {
  const path = join(testFolder(), 'metadata.sqlite');
  const store = await openMetadataStore(path, { mode: 'write', now });
  const shared = makeFile('shared', 77);
  await importUpdates(
    store,
    Array.from({ length: 40 }, (_, n) =>
      updateWith(n + 1, [
        ...Array.from({ length: 3 }, (_, k) => makeFile(`${n}-${k}`, 100 + n)).slice(n < 1 ? 1 : 0),
        ...(n < 3 ? [shared] : []),
      ]),
    ),
  );
  await store.close();
  return path;
}

/** As a command that only reads has it. */
async function openIndex(path: string, filesPerSlice: number): Promise<SqliteContentIndex> {
  const database = await openDatabase(path, { readOnly: true });
  onTestFinished(() => database.close());
  return new SqliteContentIndex(database, 'read', (work) => work(), filesPerSlice);
}

/** All that a scope tells of its files. */
async function tellAll(index: SqliteContentIndex, scope: ContentScope) {
  const selection = await index.select(scope);
  const pages: string[] = [];
  for (let folder = 0; folder < 256; folder++) {
    for (const { sha1, size } of await selection.page(folder, undefined)) pages.push(`${sha1} ${size}`);
  }
  const users: string[] = [];
  for await (const batch of index.filesByDigest(scope)) {
    for (const each of batch) users.push(`${Buffer.from(each.digest).toString('hex')} ${each.users.join()}`);
  }
  const found = { totals: selection.totals, states: await selection.states(), pages, users };
  await selection.close();
  return found;
}

test('what is asked in slices is what one statement finds', async () => {
  const path = await newStore();
  const whole = await openIndex(path, 1_000_000);
  await whole.catchUp(undefined);
  const all = await tellAll(whole, {});
  expect(all.totals).toMatchObject({ files: FILES, payload: { files: FILES } });
  expect(all.pages).toHaveLength(FILES);
  expect(all.users.filter((line) => line.includes(','))).toHaveLength(1);
  for (const filesPerSlice of [1, 7, 50]) {
    const sliced = await openIndex(path, filesPerSlice);
    await sliced.catchUp(undefined);
    expect(await tellAll(sliced, {})).toEqual(all);
    const some = { keys: [1, 2, 5, 40], kinds: ['payload', 'licence'] } as const;
    expect(await tellAll(sliced, some)).toEqual(await tellAll(whole, some));
  }
});

test('a signal is heard between two slices, and what was begun is begun anew', async () => {
  const index = await openIndex(await newStore(), 10);
  const interruption = new AbortController();
  const begun = index.catchUp(interruption.signal);
  setImmediate(() => interruption.abort());
  await expect(begun).rejects.toMatchObject({ code: 'INTERRUPTED' });
  await Promise.all([index.catchUp(undefined), index.catchUp(undefined)]);
  await expect(index.select({ keys: [1, 2] }, interruption.signal)).rejects.toMatchObject({
    code: 'INTERRUPTED',
  });
  expect((await tellAll(index, {})).pages).toHaveLength(FILES);
});
