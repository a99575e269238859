import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { digestFromBase64, digestToBase64, sha1FromBase64 } from '../../src/model/digest.js';
import { fc } from '../helpers/properties.js';

const ALGORITHMS = [
  { algorithm: 'SHA1', name: 'sha1' },
  { algorithm: 'SHA256', name: 'sha256' },
] as const;

test.each(ALGORITHMS)(
  'the Base64 of a $algorithm is its hex, and the other way round',
  ({ algorithm, name }) => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const digest = createHash(name).update(bytes).digest();
        const hex = digest.toString('hex').toUpperCase();
        expect(digestFromBase64(digest.toString('base64'), algorithm)).toBe(hex);
        expect(digestToBase64(hex)).toBe(digest.toString('base64'));
      }),
    );
  },
);

test.each(ALGORITHMS)(
  'any other text is none: what Node.js does not write of its bytes ($algorithm)',
  ({ algorithm, name }) => {
    const size = createHash(name).digest().length;
    const text = createHash(name).update('x').digest('base64');
    const character = fc.oneof(
      fc.constantFrom('=', '-', '_', ' ', '\n', '\u00e9', '\u0141', '\uff21', '\u0000', 'A', 'Q', '/'),
      fc.string({ minLength: 0, maxLength: 2 }),
    );
    fc.assert(
      fc.property(fc.nat(text.length), fc.nat(2), character, (at, removed, put) => {
        const changed = text.slice(0, at) + put + text.slice(at + removed);
        const bytes = Buffer.from(changed, 'base64');
        const isCanonical = bytes.length === size && bytes.toString('base64') === changed;
        const read = () => digestFromBase64(changed, algorithm);
        if (isCanonical) expect(read()).toBe(bytes.toString('hex').toUpperCase());
        else expect(read).toThrow(/is not the Base64 of/);
      }),
      { numRuns: 2_000 },
    );
  },
);

test('of a SHA-1 only', () => {
  const sha256 = createHash('sha256').digest('base64');
  expect(sha1FromBase64(sha256)).toBeUndefined();
  expect(sha1FromBase64('')).toBeUndefined();
  expect(sha1FromBase64(createHash('sha1').digest('base64'))).toMatch(/^DA39A3EE/);
});
