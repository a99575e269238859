import { expect, test } from 'vitest';
import { describeUpdate, findRevision, readStoredDocument } from '../../src/query/describe-update.js';
import { listUpdates } from '../../src/query/list-updates.js';
import { failureOf } from '../helpers/package-builder.js';
import { idOf, importUpdates, makeUpdate, openTestStore } from '../store/update-builder.js';

const SHA1 = '00112233445566778899AABBCCDDEEFF01020304';

async function filledStore() {
  const { store } = await openTestStore();
  const described = makeUpdate(1, {
    revision: 4,
    title: ' Rollup ',
    titles: { 'pt-br': 'Pacote' },
    prerequisites: [{ id: idOf(9) }, { anyOf: [idOf(8), idOf(7)] }],
    bundled: [[{ updateId: idOf(6), revisionNumber: 2 }]],
    superseded: [idOf(5)],
    files: [
      { sha1: SHA1, sha256: 'AB'.repeat(32), fileName: 'A.CAB', size: 5, modified: '2026-01-01T00:00:00Z' },
    ],
  });
  await importUpdates(store, [
    makeUpdate(9, { type: 'Detectoid', title: 'Has it', titles: { 'pt-br': 'Tem' } }),
    makeUpdate(6, { revision: 2, title: 'Part', deployable: false }),
    makeUpdate(5, { title: 'Older' }),
    makeUpdate(1, { revision: 3 }),
    described,
    makeUpdate(2, { title: 'Newer', superseded: [idOf(1)] }),
    makeUpdate(3, { title: 'Suite', bundled: [[described.identity]] }),
  ]);
  return { store, described };
}

test('an update is described with its relations, by name where they are in the store', async () => {
  const { store } = await filledStore();
  expect(await describeUpdate(store, idOf(1), undefined, undefined)).toMatchObject({
    language: 'en',
    title: 'Rollup',
    revisions: [4, 3],
    prerequisites: [
      { atLeastOne: false, members: [{ updateId: idOf(9), title: 'Has it' }] },
      {
        atLeastOne: true,
        members: [
          { updateId: idOf(8), title: undefined },
          { updateId: idOf(7), title: undefined },
        ],
      },
    ],
    bundledUpdates: [{ members: [{ updateId: idOf(6), revisionNumber: 2, title: 'Part' }] }],
    supersededUpdates: [{ updateId: idOf(5), title: 'Older' }],
    bundledBy: [{ title: 'Suite' }],
    supersededBy: [{ title: 'Newer' }],
    files: [{ sha1: SHA1, fileName: 'A.CAB', size: 5, contentPath: `04/${SHA1}.cab`, url: undefined }],
  });
});

test('texts come in the language asked for, in any case, or in the default one', async () => {
  const { store } = await filledStore();
  expect(await describeUpdate(store, idOf(1), 4, 'PT-BR')).toMatchObject({
    title: 'Pacote',
    prerequisites: [{ members: [{ title: 'Tem' }] }, {}],
  });
  expect(await describeUpdate(store, idOf(1), 4, 'ja')).toMatchObject({ title: 'Rollup' });
});

test('only the newest revision of another update supersedes', async () => {
  const { store } = await filledStore();
  await importUpdates(store, [makeUpdate(2, { revision: 2, title: 'Newer, but independent' })]);
  expect((await describeUpdate(store, idOf(1), undefined, undefined)).supersededBy).toEqual([]);
});

test('the stored document is what was imported', async () => {
  const { store, described } = await filledStore();
  const { summary, all } = await findRevision(store, idOf(1), 4);
  expect(all).toHaveLength(2);
  expect(Buffer.from(await readStoredDocument(store, summary))).toEqual(described.document);
});

test('a revision that is not there names those that are', async () => {
  const { store } = await filledStore();
  const error = await failureOf(() => findRevision(store, idOf(1), 7));
  expect(error).toMatchObject({ code: 'NOT_FOUND', hint: 'It has 4, 3.' });
  expect((await failureOf(() => findRevision(store, idOf(77), undefined))).message).toContain(idOf(77));
});

test('a list cut by a limit still knows how many there are', async () => {
  const { store } = await filledStore();
  const filter = { types: ['Software'] as const };
  const all = await listUpdates(store, filter, { language: undefined, limit: undefined });
  expect(all.count).toBe(all.updates.length);
  const cut = await listUpdates(store, filter, { language: 'pt-br', limit: 2 });
  expect(cut.updates).toHaveLength(2);
  expect(cut.count).toBe(all.count);
  const exact = await listUpdates(store, filter, { language: undefined, limit: all.count });
  expect(exact.count).toBe(all.count);
});
