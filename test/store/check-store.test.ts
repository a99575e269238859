import { expect, test } from 'vitest';
import { openDatabase } from '../../src/platform/sqlite.js';
import { failureOf } from '../helpers/package-builder.js';
import { idOf, importUpdates, makeUpdate, openTestStore, problemsOf } from './update-builder.js';

const SHA1 = '00112233445566778899AABBCCDDEEFF01020304';

/** A store that has a row in every table, and the path for damaging it behind its back. */
async function soundStore() {
  const opened = await openTestStore();
  await importUpdates(opened.store, [
    makeUpdate(50, { categoryType: 'Product', title: 'Product A' }),
    makeUpdate(8, { type: 'Detectoid', titles: { de: 'Erkennung' } }),
    makeUpdate(9),
    makeUpdate(1, { kb: ['123'] }),
    makeUpdate(1, {
      revision: 2,
      prerequisites: [{ id: idOf(8) }, { anyOf: [idOf(50)], isCategory: true }],
      bundled: [[{ updateId: idOf(9), revisionNumber: 1 }]],
      superseded: [idOf(9)],
      files: [
        {
          sha1: SHA1,
          sha256: 'AB'.repeat(32),
          fileName: 'a.cab',
          size: 5,
          modified: '2026-01-01T00:00:00Z',
        },
      ],
    }),
  ]);
  expect(await problemsOf(opened.store)).toEqual([]);
  return opened;
}

async function damage(path: string, sql: string): Promise<void> {
  const database = await openDatabase(path);
  database.exec(sql);
  database.close();
}

test.each([
  {
    name: 'a wrong newest mark',
    sql: 'UPDATE updates SET newest_revision_key = (SELECT min(revision_key) FROM revisions r WHERE r.update_key = updates.update_key) WHERE newest_revision_key IS NOT NULL',
    says: `update ${idOf(1).replaceAll('-', '')} marks the wrong revision as newest`,
  },
  {
    name: 'a lost newest mark',
    sql: 'UPDATE updates SET newest_revision_key = NULL',
    says: 'marks the wrong revision as newest',
  },
  {
    name: 'a missing document block',
    sql: 'DELETE FROM document_blocks',
    says: 'document block 1 is missing',
  },
  {
    name: 'a block that does not inflate',
    sql: `UPDATE document_blocks SET data = X'FFFFFFFF'`,
    says: 'document block 1 does not inflate',
  },
  {
    name: 'a block larger than it should be',
    sql: 'UPDATE document_blocks SET size = 1000',
    says: 'document block 1 does not inflate to its size (1,000 bytes)',
  },
  {
    name: 'a block smaller than it should be',
    sql: 'UPDATE document_blocks SET size = 267050',
    says: 'document block 1 does not inflate to its size (267,050 bytes)',
  },
  {
    name: 'a document cut out at the wrong place',
    sql: 'UPDATE revisions SET block_offset = block_offset + 1 WHERE revision_number = 2',
    says: `the document of ${idOf(1)}:2 does not match its digest`,
  },
  {
    name: 'a wrong digest',
    sql: 'UPDATE revisions SET document_digest = zeroblob(32) WHERE revision_number = 2',
    says: `the document of ${idOf(1)}:2 does not match its digest`,
  },
  {
    name: 'a revision without its update',
    sql: `DELETE FROM updates WHERE update_id = X'${idOf(9).replaceAll('-', '')}'`,
    says: 'names update',
  },
  {
    name: 'a bundle of nothing',
    sql: 'UPDATE bundled_updates SET update_key = 999',
    says: 'bundled_updates: revision 5 or update 999 is not there',
  },
  {
    name: 'a supersedence of nothing',
    sql: 'UPDATE superseded_updates SET revision_key = 999',
    says: 'superseded_updates: revision 999 or update',
  },
  {
    name: 'prerequisites that are no JSON',
    sql: `UPDATE prerequisites SET clauses = '[['`,
    says: 'cannot be checked: malformed JSON',
  },
  {
    name: 'a missing category link',
    sql: 'DELETE FROM revision_categories',
    says: `names ${idOf(50).replaceAll('-', '')} without being linked to it`,
  },
  {
    name: 'a category link that no prerequisite asks for',
    sql: 'INSERT INTO revision_categories SELECT category_key, 3 FROM revision_categories',
    says: `revision 3 is linked to ${idOf(50).replaceAll('-', '')} without naming it`,
  },
  {
    name: 'a file of no revision',
    sql: 'UPDATE revision_files SET revision_key = 999',
    says: `file ${SHA1} belongs to revision 999, which is not there`,
  },
])('finds $name', async ({ sql, says }) => {
  const { store, path } = await soundStore();
  await damage(path, sql);
  const problems = await problemsOf(store);
  expect(problems.map((each) => each.message).join('\n')).toContain(says);
});

test('finds one changed byte of a document block, and reading that document fails', async () => {
  const { store, path } = await soundStore();
  const database = await openDatabase(path);
  const row = database.prepare('SELECT data FROM document_blocks').get();
  const data = Buffer.from(row?.data as Uint8Array);
  let found = 0;
  for (let position = 0; position < data.length; position += 37) {
    const changed = Buffer.from(data);
    changed[position] = (changed[position] as number) ^ 0x10;
    database.prepare('UPDATE document_blocks SET data = ?').run(changed);
    const problems = await problemsOf(store);
    if (problems.length > 0) found++;
    expect(problems.length, `byte ${position}`).toBeGreaterThan(0);
  }
  expect(found).toBeGreaterThan(5);
  database.prepare('UPDATE document_blocks SET data = ?').run(Buffer.from([0xff, 0xff]));
  database.close();
  const error = await failureOf(async () => {
    for await (const _ of store.readDocuments(await store.listKeys()));
  });
  expect(error.code).toBe('STORE_CORRUPT');
  expect(error.message).toContain('Document block 1');
  expect(error.hint).toContain('checkstore');
});

test('lists the first 20 of a kind and counts the others', async () => {
  const { store, path } = await openTestStore();
  await importUpdates(
    store,
    Array.from({ length: 50 }, (_, n) => makeUpdate(n)),
  );
  await damage(path, 'UPDATE updates SET newest_revision_key = NULL');
  const problems = await problemsOf(store);
  expect(problems).toHaveLength(21);
  expect(problems.at(-1)?.message).toContain('30 more of this kind');
});

test('stops when it is interrupted', async () => {
  const { store } = await soundStore();
  const error = await failureOf(async () => {
    for await (const _ of store.check(() => {}, AbortSignal.abort()));
  });
  expect(error.code).toBe('INTERRUPTED');
});
