import { deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { openDatabase } from '../../src/platform/sqlite.js';
import { CODECS, packBlock, unpackAtMost, unpackBlock } from '../../src/store/document-block.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import { SCHEMA_VERSION } from '../../src/store/schema.js';
import { bringBack } from '../helpers/old-store.js';
import { fc } from '../helpers/properties.js';
import { importUpdates, makeUpdate, now, openTestStore } from './update-builder.js';

describe('a block', () => {
  test.each(['stored', 'discarded'] as const)('comes out as it went in: %s', (effort) => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300_000, size: 'max' }), (plain) => {
        const packed = packBlock(plain, effort);
        expect(Buffer.compare(unpackBlock(CODECS.brotli, packed, plain.length), plain)).toBe(0);
      }),
      { numRuns: 20 },
    );
  });

  test('owns its memory, so that it can move to another thread', () => {
    const packed = packBlock(Buffer.from('<upd:Update/>'), 'stored');
    expect(packed.byteLength).toBe(packed.buffer.byteLength);
  });

  test.each(['deflate', 'brotli'] as const)('of another size, cut or damaged is told: %s', (codec) => {
    const plain = Buffer.from('<upd:Title>Update</upd:Title>'.repeat(2000));
    const packed = codec === 'brotli' ? packBlock(plain, 'stored') : deflateRawSync(plain);
    const unpack = (data: Uint8Array, size: number) => () => unpackBlock(CODECS[codec], data, size);
    expect(unpack(packed, plain.length)()).toEqual(plain);
    expect(unpack(packed, plain.length - 1)).toThrow('does not inflate to its size (57,999 bytes)');
    expect(unpack(packed, plain.length + 1)).toThrow('does not inflate to its size (58,001 bytes)');
    expect(unpack(packed.subarray(0, packed.length - 5), plain.length)).toThrow('does not inflate');
    expect(unpack(Buffer.alloc(40, 0xff), plain.length)).toThrow('does not inflate');
    expect(() => unpackAtMost(CODECS[codec], packed, 1000)).toThrow();
  });
});

test('a store with deflated blocks is read on, and what comes to it is packed as today', async () => {
  const { store, path } = await openTestStore();
  const old = [makeUpdate(1, { titles: { de: 'Aktualisierung 1' } }), makeUpdate(2)];
  await importUpdates(store, old);
  await store.close();
  await bringBack(path, 4);

  const again = await openMetadataStore(path, { mode: 'write', now });
  const added = makeUpdate(3, { titles: { de: 'Aktualisierung 3' } });
  await importUpdates(again, [added]);
  expect((await again.status()).schemaVersion).toBe(SCHEMA_VERSION);
  const keys = [1, 2, 3]; // in order of arrival
  const documents: Uint8Array[] = [];
  for await (const batch of again.readDocuments(keys)) documents.push(...batch.map((each) => each.document));
  expect(documents.map((each) => Buffer.from(each))).toEqual([...old, added].map((each) => each.document));
  expect([...(await again.localizedTitles(keys, 'de')).values()]).toEqual([
    'Aktualisierung 1',
    'Aktualisierung 3',
  ]);
  for await (const problem of again.check(() => {}, new AbortController().signal)) {
    throw new Error(problem.message);
  }
  await again.close();

  const database = await openDatabase(path, { readOnly: true });
  const codecs = database.prepare('SELECT codec FROM document_blocks ORDER BY block_key').all();
  database.close();
  expect(codecs.map(({ codec }) => codec)).toEqual([CODECS.deflate, CODECS.brotli]);
});
