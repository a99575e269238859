import { describe, expect, test } from 'vitest';
import { isWsusutilError, WsusutilError } from '../../../src/errors.js';
import {
  MetadataReader,
  type MetadataReaderOptions,
} from '../../../src/formats/export-package/metadata-reader.js';
import {
  type PackageRecord,
  recordSize,
  serializeRecords,
} from '../../../src/formats/export-package/metadata-writer.js';
import type { RecordBatch } from '../../../src/model/export-package.js';
import type { UpdateIdentity } from '../../../src/model/update-identity.js';
import { fc } from '../../helpers/properties.js';

const FIRST = { updateId: '11111111-2222-4333-8444-555555555501', revisionNumber: 26 };
const SECOND = { updateId: '11111111-2222-4333-8444-555555555502', revisionNumber: 0xfffffffe };

interface Result {
  readonly records: { readonly identity: UpdateIdentity; readonly text: string }[];
  readonly warnings: string[];
  readonly batches: RecordBatch[];
}

function read(
  chunks: Iterable<Uint8Array>,
  options: Pick<MetadataReaderOptions, 'limits' | 'batchSize'> = {},
): Result {
  const result: Result = { records: [], warnings: [], batches: [] };
  const reader = new MetadataReader({
    ...options,
    emit: (batch) => {
      result.batches.push(batch);
      for (const { identity, start, end } of batch.records) {
        result.records.push({
          identity,
          text: Buffer.from(batch.bytes.subarray(start, end)).toString('utf8'),
        });
      }
    },
    warn: (code) => result.warnings.push(code),
  });
  for (const chunk of chunks) reader.write(chunk);
  reader.end();
  return result;
}

function* pieces(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

function record(identity: UpdateIdentity, text: string): PackageRecord {
  return { identity, document: Buffer.from(text, 'utf8') };
}

function failure(action: () => unknown): WsusutilError {
  try {
    action();
  } catch (error) {
    if (isWsusutilError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const TEXTS = [record(FIRST, '<a>Sonde café 🙂,\r\n,</a>'), record(SECOND, '<b/>')];
const BYTES = serializeRecords(TEXTS);
const EXPECTED = TEXTS.map(({ identity, document }) => ({
  identity,
  text: Buffer.from(document).toString(),
}));

test('a record is head, document and CR LF, with the length in UTF-16 units', () => {
  expect(serializeRecords([record(FIRST, '<a>é🙂</a>')]).toString()).toBe(
    '11111111-2222-4333-8444-555555555501,0000001a,0000000a,<a>é🙂</a>\r\n',
  );
  expect(BYTES.length).toBe(recordSize(TEXTS[0]!.document.length) + recordSize(TEXTS[1]!.document.length));
});

test('the example of the format description is framed as described', () => {
  const head = '11111111-2222-4333-8444-555555555501,0000001a,000001b5,';
  const document =
    '<upd:Update xmlns:upd="http://schemas.microsoft.com/msus/2002/12/Update"><upd:UpdateIdentity UpdateID="11111111-2222-4333-8444-555555555501" RevisionNumber="26" /><upd:Properties DefaultPropertiesLanguage="en" UpdateType="Detectoid" /><upd:LocalizedPropertiesCollection><upd:LocalizedProperties><upd:Language>en</upd:Language><upd:Title>Sonde café 🙂</upd:Title></upd:LocalizedProperties></upd:LocalizedPropertiesCollection></upd:Update>';
  const bytes = Buffer.from(`${head}${document}\r\n`);
  expect(read([bytes]).records).toEqual([{ identity: FIRST, text: document }]);
  expect(serializeRecords([record(FIRST, document)]).equals(bytes)).toBe(true);
});

test('a file in pieces of any size reads the same', () => {
  for (const size of [1, 2, 3, 7, 64, BYTES.length]) {
    for (const batchSize of [1, 60, 100, 1024]) {
      expect(read(pieces(BYTES, size), { batchSize }).records).toEqual(EXPECTED);
    }
  }
});

test('whatever the documents hold, what was written is read back', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.stringMatching(/^[\r\n,<>a-f0-9-]{0,100}$/),
    fc.constantFrom('🙂'.repeat(3000), 'é'.repeat(5000), `${'a'.repeat(4095)}🙂\r\n`, ''),
  );
  const one = fc.record({
    identity: fc.record({
      updateId: fc.uuid(),
      revisionNumber: fc.integer({ min: 0, max: 0xffff_ffff }),
    }),
    text: text.map((value) => value.replaceAll('\0', ' ')),
  });
  fc.assert(
    fc.property(
      fc.array(one, { maxLength: 8 }),
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 1, max: 5000 }),
      (list, size, batchSize) => {
        const bytes = serializeRecords(list.map((each) => record(each.identity, each.text)));
        const result = read(pieces(bytes, size), { batchSize });
        expect(result.records).toEqual(list);
        expect(result.warnings).toEqual([]);
      },
    ),
    { numRuns: 200 },
  );
});

test('a batch owns its memory, so that it can be transferred', () => {
  const many = Array.from({ length: 50 }, () => TEXTS).flat();
  const { batches, records } = read([serializeRecords(many)], { batchSize: 500 });
  expect(records).toHaveLength(100);
  expect(batches.length).toBeGreaterThan(5);
  expect(new Set(batches.map((batch) => batch.bytes.buffer)).size).toBe(batches.length);
  const [batch] = batches;
  const moved = structuredClone(batch, { transfer: [batch!.bytes.buffer as ArrayBuffer] });
  expect(moved!.records).toEqual(batch!.records);
  expect(batch!.bytes.length).toBe(0);
});

test('a byte order mark, UTF-16 with and without one, and an empty file are read', () => {
  const utf16 = Buffer.from(BYTES.toString(), 'utf16le');
  expect(read([Buffer.concat([Buffer.from('efbbbf', 'hex'), BYTES])]).records).toEqual(EXPECTED);
  for (const size of [1, 3, 1000]) {
    expect(read(pieces(utf16, size)).records).toEqual(EXPECTED);
    expect(read(pieces(Buffer.concat([Buffer.from('fffe', 'hex'), utf16]), size)).records).toEqual(EXPECTED);
  }
  expect(read([]).records).toEqual([]);
});

test('UTF-16 with half a character is refused', () => {
  const lone = Buffer.from(`${FIRST.updateId},1,1,\ud800x\r\n`, 'utf16le');
  expect(failure(() => read([lone]))).toMatchObject({ code: 'PACKAGE_MALFORMED' });
  const odd = Buffer.from(`${FIRST.updateId},1,1,x\r\n`, 'utf16le').subarray(0, -1);
  expect(failure(() => read([odd]))).toMatchObject({ code: 'PACKAGE_TRUNCATED' });
});

test('upper case, short numbers, a bare LF and a missing last line end are accepted', () => {
  const text = `${FIRST.updateId.toUpperCase()},1A,4,<b/>\n${SECOND.updateId},FFFFFFFE,0000004,<b/>`;
  expect(read([Buffer.from(text)]).records).toEqual([
    { identity: FIRST, text: '<b/>' },
    { identity: SECOND, text: '<b/>' },
  ]);
});

test('lengths that count bytes are noticed, followed and warned of once', () => {
  const text = (identity: UpdateIdentity, document: string) =>
    `${identity.updateId},${identity.revisionNumber.toString(16)},${Buffer.byteLength(document).toString(16)},${document}\r\n`;
  const documents = ['<a>plain</a>', '<a>é</a>', '<a>🙂🙂</a>', '<a>x</a>', '<a>ü</a>'];
  const bytes = Buffer.from(documents.map((each) => text(FIRST, each)).join(''));
  for (const size of [1, 40, 10_000]) {
    const result = read(pieces(bytes, size), { batchSize: 80 });
    expect(result.records.map((each) => each.text)).toEqual(documents);
    expect(result.warnings).toEqual(['RECORD_LENGTH_IN_BYTES']);
  }
});

test('a package of the exporter that took UTF-16 for UTF-8 is recognised by name', () => {
  const broken = Buffer.from('<a>x</a>', 'utf16le').toString('latin1');
  const error = failure(() =>
    read([Buffer.from(`${FIRST.updateId},00000001,00000010,${broken}\r\n`, 'latin1')]),
  );
  expect(error).toMatchObject({ code: 'PACKAGE_MALFORMED' });
  expect(error.message).toContain('took UTF-16 text for UTF-8');
});

describe('a damaged file names record, update and offset', () => {
  const good = serializeRecords([record(FIRST, '<first/>')]);
  const behind = (text: string | Buffer) => read([good, Buffer.from(text as string)]);

  test.each([
    [
      'no head',
      'garbage that is certainly longer than the head of any record could be',
      'record 2 at offset 65',
    ],
    ['a head with a letter', `${SECOND.updateId},0000000g,00000004,<b/>\r\n`, 'record 2 at offset 65'],
    ['nine digits', `${SECOND.updateId},00000001,000000004,<b/>\r\n`, 'record 2 at offset 65'],
    ['a length too short', `${SECOND.updateId},00000001,00000003,<b/>\r\n${' '.repeat(60)}`, SECOND.updateId],
    ['a length too long', `${SECOND.updateId},00000001,00000005,<b/>\r\n${' '.repeat(60)}`, SECOND.updateId],
    [
      'half a character',
      `${SECOND.updateId},00000001,00000004,<b>🙂\r\n${' '.repeat(60)}`,
      'character of 4 bytes',
    ],
    ['a NUL', `${SECOND.updateId},00000001,00000004,<b\0>\r\n`, '(byte 122)'],
  ])('%s', (_name, text, expected) => {
    const error = failure(() => behind(text));
    expect(error.code).toBe('PACKAGE_MALFORMED');
    expect(error.message).toContain(expected);
    expect(error.hint).toBeDefined();
  });

  test('bytes that are not UTF-8', () => {
    for (const [bytes, length] of [
      [[0xff], '4'],
      [[0xc3], '4'],
      [[0xe2, 0x82], '5'],
      [[0xed, 0xa0, 0x80], '6'],
      [[0xf5, 0x80, 0x80, 0x80], '5'],
      [[0x80], '4'],
    ] as const) {
      const text = `${SECOND.updateId},00000001,0000000${length},`;
      const error = failure(() =>
        read([good, Buffer.from(text), Buffer.from('<b>'), Buffer.from(bytes), Buffer.from('\r\n')]),
      );
      expect(error.message).toContain('not valid UTF-8 (byte 123)');
      expect(error.code).toBe('PACKAGE_MALFORMED');
    }
  });

  test('a file cut anywhere but at a line end', () => {
    const whole = serializeRecords([record(FIRST, '<é>🙂</é>')]);
    for (let size = 1; size < whole.length - 2; size++) {
      for (const step of [1, whole.length]) {
        const error = failure(() => read(pieces(whole.subarray(0, size), step)));
        expect([size, error.code]).toEqual([size, 'PACKAGE_TRUNCATED']);
      }
    }
    expect(failure(() => read([whole.subarray(0, -1)])).code).toBe('PACKAGE_TRUNCATED');
  });
});

test('limits on documents and records hold', () => {
  const limits = { maxDocumentSize: 10, maxRecords: 2 };
  expect(read([serializeRecords([record(FIRST, 'x'.repeat(10))])], { limits }).records).toHaveLength(1);
  expect(failure(() => read([serializeRecords([record(FIRST, 'x'.repeat(11))])], { limits })).code).toBe(
    'LIMIT_EXCEEDED',
  );
  expect(failure(() => read([serializeRecords([record(FIRST, 'é'.repeat(6))])], { limits })).code).toBe(
    'LIMIT_EXCEEDED',
  );
  const three = serializeRecords([TEXTS[1]!, TEXTS[1]!, TEXTS[1]!]);
  expect(failure(() => read([three], { limits })).code).toBe('LIMIT_EXCEEDED');
  const huge = Buffer.from(`${FIRST.updateId},00000001,ffffffff,<a/>\r\n`);
  expect(failure(() => read([huge])).code).toBe('LIMIT_EXCEEDED');
});

test('a document that is not text is not written', () => {
  for (const bytes of [Buffer.from([0xff]), Buffer.from('a\0')]) {
    expect(failure(() => serializeRecords([{ identity: FIRST, document: bytes }])).code).toBe(
      'UPDATE_MALFORMED',
    );
  }
});

test('arbitrary bytes end in records or a clear error', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.integer({ min: 0, max: BYTES.length }),
      (bytes, keep) => {
        try {
          read([BYTES.subarray(0, keep), bytes], { batchSize: 64 });
        } catch (error) {
          expect(error).toBeInstanceOf(WsusutilError);
        }
      },
    ),
    { numRuns: 300 },
  );
});
