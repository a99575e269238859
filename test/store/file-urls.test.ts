import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { IdentityList } from '../../src/model/identity-list.js';
import { processDocuments } from '../../src/packages/document-work.js';
import { openDatabase } from '../../src/platform/sqlite.js';
import type { FileText } from '../helpers/catalogue/documents.js';
import { type BuiltUpdate, makeUpdate, NOW, openTestStore } from './update-builder.js';

function sha1Of(content: string): string {
  return createHash('sha1').update(content).digest('hex').toUpperCase();
}

function fileOf(content: string): FileText {
  return {
    sha1: sha1Of(content),
    sha256: createHash('sha256').update(content).digest('hex').toUpperCase(),
    fileName: `${content}.cab`,
    size: content.length,
    modified: NOW.toISOString(),
  };
}

function packed({ identity, document }: BuiltUpdate) {
  return processDocuments({
    bytes: document,
    encoding: 'plain',
    identities: IdentityList.of([identity]).bytes,
    spans: Uint32Array.of(0, document.length),
    firstRecord: 1,
    known: undefined,
    effort: 'stored',
    extent: 'indexed',
    source: 'package',
    passesOverUnreadable: false,
  }).batch;
}

test('an address has the name that the revision gives its file, however many files there are', async () => {
  const { store, path } = await openTestStore();
  const contents = [1, 2, 3, 4].map((n) => Array.from({ length: n * 1_500 }, (_, i) => `${n}.${i}`));
  const transaction = await store.beginImport();
  for (const [index, some] of contents.entries()) {
    await transaction.addRevisions(packed(makeUpdate(index + 1, { files: some.map(fileOf) })));
  }
  const all = contents.flat();
  const urls = new Map(all.map((content) => [sha1Of(content), 'http://example.com/address.exe']));
  await transaction.addFileUrls(urls.set(sha1Of('elsewhere'), 'http://example.com/other.exe'));
  await transaction.checkpoint(new AbortController().signal);
  await transaction.rollback();

  const database = await openDatabase(path, { readOnly: true });
  const rows = database.prepare('SELECT hex(sha1) AS sha1, file_name FROM file_locations').all();
  database.close();
  const expected = new Map(all.map((content) => [sha1Of(content), `${content}.cab`]));
  expect(new Map(rows.map((row) => [row.sha1, row.file_name]))).toEqual(
    expected.set(sha1Of('elsewhere'), 'other.exe'),
  );
});
