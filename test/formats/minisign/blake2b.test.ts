import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { blake2b } from '../../../src/formats/minisign/blake2b.js';
import { fc } from '../../helpers/properties.js';

test('with 64 bytes it is the BLAKE2b of OpenSSL', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (message) => {
      const expected = createHash('blake2b512').update(message).digest('hex');
      expect(blake2b(message, 64).toString('hex')).toBe(expected);
    }),
  );
});

// Python's hashlib.blake2b
test.each([
  ['', 32, '0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8'],
  ['abc', 32, 'bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319'],
])('of %j with %d bytes it is %s', (message, size, digest) => {
  expect(blake2b(Buffer.from(message), size).toString('hex')).toBe(digest);
});
