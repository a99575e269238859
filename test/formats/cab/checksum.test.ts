import { expect, test } from 'vitest';
import { computeChecksum } from '../../../src/formats/cab/checksum.js';
import { checksumOfBlock } from '../../../src/formats/cab/data-block.js';
import { referenceChecksum } from '../../helpers/cabinet-builder.js';
import { fc } from '../../helpers/properties.js';

test('computes the worked example of the format description', () => {
  const data = Buffer.from('hello, cab\n');
  expect(computeChecksum(data)).toBe(0x0f2d2b0d);
  expect(checksumOfBlock(data, 11)).toBe(0x0f262b06);
});

test('takes the first of one to three trailing bytes as the most significant', () => {
  expect(computeChecksum(Uint8Array.of(1, 2, 3))).toBe(0x010203);
  expect(computeChecksum(Uint8Array.of(1, 2))).toBe(0x0102);
  expect(computeChecksum(Uint8Array.of(1))).toBe(0x01);
  expect(computeChecksum(new Uint8Array(0))).toBe(0);
});

test('agrees with the literal algorithm at every alignment, for arrays and buffers', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(7), (bytes, shift) => {
      const shifted = Buffer.alloc(bytes.length + shift);
      shifted.set(bytes, shift);
      expect(computeChecksum(shifted.subarray(shift))).toBe(referenceChecksum(bytes));
      expect(computeChecksum(new Uint8Array(shifted.buffer, shifted.byteOffset + shift, bytes.length))).toBe(
        referenceChecksum(bytes),
      );
    }),
  );
});
