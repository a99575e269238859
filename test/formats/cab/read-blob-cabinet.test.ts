import { expect, test } from 'vitest';
import { readBlobCabinet } from '../../../src/formats/cab/read-blob-cabinet.js';
import { extractCabinet } from '../../../src/formats/cab/read-cabinet.js';
import {
  buildCabinet,
  type FolderSpec,
  lzxFolder,
  mszipFolder,
  storedFolder,
} from '../../helpers/cabinet-builder.js';
import { fc } from '../../helpers/properties.js';

const lzx = (plain: Uint8Array, windowBits = 21) => lzxFolder(plain, { windowBits });
const cabinetOf = (plain: Uint8Array, folder: FolderSpec = lzx(plain), name = 'blob') =>
  buildCabinet({ folders: [folder], members: [{ name, size: plain.length }] });
const documentOf = (size: number) =>
  Buffer.from(`<a>${'the quick brown fox, é 0123456789 '.repeat(size)}</a>`, 'utf16le');

test.each([15, 16, 21])('a cabinet of one LZX folder with a window of %i bits is read', (windowBits) => {
  for (const size of [1, 100, 3_000]) {
    const plain = documentOf(size);
    const isHeld = plain.length <= 1 << windowBits; // real ones are: their windows have 21 bits
    expect(readBlobCabinet(cabinetOf(plain, lzx(plain, windowBits)))).toEqual(
      isHeld ? new Uint8Array(plain) : undefined,
    );
  }
});

test('what is of another kind is left to the general reader', () => {
  const plain = documentOf(10);
  const large = documentOf(5_000);
  expect(readBlobCabinet(cabinetOf(plain, mszipFolder(plain)))).toBeUndefined();
  expect(readBlobCabinet(cabinetOf(plain, storedFolder(plain)))).toBeUndefined();
  expect(readBlobCabinet(cabinetOf(plain, lzx(plain), 'update.xml'))).toBeUndefined();
  expect(readBlobCabinet(cabinetOf(large))).toBeUndefined();
  expect(readBlobCabinet(Buffer.concat([cabinetOf(plain), Buffer.from('.')]))).toBeUndefined();
  expect(readBlobCabinet(new Uint8Array(0))).toBeUndefined();
});

test('whatever is changed in a cabinet, it gives what the general reader gives, or nothing', () => {
  const cabinets = [1, 40, 900].map((size) => cabinetOf(documentOf(size)));
  fc.assert(
    fc.property(
      fc.constantFrom(...cabinets),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
      fc.boolean(),
      fc.nat(),
      (original, changes, isHead, cut) => {
        const cabinet = Buffer.from(original.subarray(0, cut % 4 === 0 ? cut % original.length : undefined));
        for (const [where, byte] of changes) {
          if (cabinet.length > 0)
            cabinet[where % Math.min(cabinet.length, isHead ? 100 : cabinet.length)] = byte;
        }
        const read = readBlobCabinet(cabinet);
        if (read === undefined) return;
        const members = extractCabinet(cabinet);
        expect(members).toHaveLength(1);
        expect(Buffer.compare(read, members[0]?.data ?? new Uint8Array(0))).toBe(0);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('after a damaged cabinet the next one is read', () => {
  const plain = documentOf(200);
  const good = cabinetOf(plain);
  const bad = Buffer.from(good);
  bad.fill(0, 69, 73); // no checksum is looked at
  bad.fill(0xff, 80, 200);
  expect(readBlobCabinet(bad)).toBeUndefined();
  expect(readBlobCabinet(good)).toEqual(new Uint8Array(plain));
});
