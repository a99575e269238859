import { expect, test } from 'vitest';
import { decodeUpdateBlob } from '../../../src/formats/server-sync/update-blob.js';
import {
  buildCabinet,
  type FolderSpec,
  lzxFolder,
  mszipFolder,
  storedFolder,
} from '../../helpers/cabinet-builder.js';
import { fc } from '../../helpers/properties.js';

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');
const cabinetOf = (plain: Uint8Array, folder: (plain: Uint8Array) => FolderSpec = storedFolder) =>
  buildCabinet({ folders: [folder(plain)], members: [{ name: 'blob', size: plain.length }] });
const decode = (plain: Uint8Array, folder?: (plain: Uint8Array) => FolderSpec) =>
  text(decodeUpdateBlob({ form: 'cabinet', bytes: cabinetOf(plain, folder) }));
const lzx = (plain: Uint8Array) => lzxFolder(plain, { windowBits: 21 });

/** Cabinets of server-sync-protocol 6.2: LZX with uncompressed blocks, and MSZIP. */
const VECTORS = [
  'TVNDRgAAAABhAAAAAAAAACwAAAAAAAAAAwEBAAEAAAAAAAAAQQAAAAEAAxUIAAAAAAAAAAAAAAAAAAAAYmxvYgAKMNcAGAAIAAAwgAABAAAAAQAAAAEAAAA8AGEALwA+AA==',
  'TVNDRgAAAABVAAAAAAAAACwAAAAAAAAAAwEBAAEAAAAAAAAAQQAAAAEAAQAIAAAAAAAAAAAAdF1yqiAAYmxvYgC3TGsGDAAIAENLs2FIZNBnsGMAAA==',
];

test.each(VECTORS)('a cabinet of the protocol reference gives its document', (base64) => {
  expect(text(decodeUpdateBlob({ form: 'cabinet', bytes: Buffer.from(base64, 'base64') }))).toBe('<a/>');
});

test('any document comes back the same through every compression and encoding', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 400 }),
      fc.constantFrom(storedFolder, mszipFolder, lzx),
      fc.constantFrom('utf16le', 'utf8'),
      fc.boolean(),
      (body, folder, encoding, isMarked) => {
        const document = `<a>${body.replaceAll('\0', '')}</a>`;
        const plain = Buffer.from((isMarked ? '\ufeff' : '') + document, encoding as BufferEncoding);
        expect(decode(plain, folder)).toBe(document);
      },
    ),
    { numRuns: 60 },
  );
});

test('a document of several blocks keeps its bytes, line ends and all', () => {
  const document = `<a>${'x\r\ny\n\tä€𝄞'.repeat(20_000)}</a>`;
  for (const folder of [storedFolder, mszipFolder, lzx])
    expect(decode(Buffer.from(document, 'utf16le'), folder)).toBe(document);
});

test('a plain document loses only its byte order mark', () => {
  expect(text(decodeUpdateBlob({ form: 'plain', text: '\ufeff<a>\r\nä</a>' }))).toBe('<a>\r\nä</a>');
});

test('half a character, text of no encoding and a second file are refused', () => {
  expect(() => decode(Buffer.from('<a/>!', 'utf16le').subarray(0, 9))).toThrow(
    expect.objectContaining({ code: 'UPDATE_MALFORMED' }),
  );
  expect(() => decode(Buffer.from('<a>\udc00</a>', 'utf16le'))).toThrow(
    expect.objectContaining({ code: 'UPDATE_MALFORMED' }),
  );
  expect(() => decode(Buffer.of(0x3c, 0xff, 0xfe))).toThrow(
    expect.objectContaining({ code: 'UPDATE_MALFORMED' }),
  );
  const plain = Buffer.from('<a/><b/>', 'utf16le');
  const two = buildCabinet({
    folders: [storedFolder(plain)],
    members: [
      { name: 'blob', size: 8 },
      { name: 'other', size: 8, offset: 8 },
    ],
  });
  expect(() => decodeUpdateBlob({ form: 'cabinet', bytes: two })).toThrow(
    expect.objectContaining({ code: 'UPDATE_MALFORMED' }),
  );
});

test('a cabinet cut anywhere is refused, and one that promises gigabytes is not believed', () => {
  const cabinet = cabinetOf(Buffer.from('<a>some text</a>', 'utf16le'), lzx);
  for (let end = 0; end < cabinet.length; end++) {
    expect(() => decodeUpdateBlob({ form: 'cabinet', bytes: cabinet.subarray(0, end) })).toThrow(
      expect.objectContaining({ name: 'WsusutilError' }),
    );
  }
  const bomb = buildCabinet({
    folders: [storedFolder(Buffer.from('<a/>'))],
    members: [{ name: 'blob', size: 2 ** 31 - 1 }],
  });
  expect(() => decodeUpdateBlob({ form: 'cabinet', bytes: bomb })).toThrow(
    expect.objectContaining({ name: 'WsusutilError' }),
  );
});
