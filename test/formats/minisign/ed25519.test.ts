import { describe, expect, test } from 'vitest';
import {
  derivePublicKey,
  isSignatureOf,
  privateKeyOf,
  publicKeyProblem,
  signMessage,
} from '../../../src/formats/minisign/ed25519.js';
import { fc } from '../../helpers/properties.js';

const P = 2n ** 255n - 19n;
/** order of the group */
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

const hex = (text: string) => Buffer.from(text, 'hex');
const encoded = (value: bigint, sign = 0): Buffer => {
  const bytes = Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
  bytes[31] = (bytes[31] as number) | (sign << 7);
  return bytes;
};

/** The curve once more, by its affine law of addition (RFC 8032 5.1). */
const mod = (value: bigint) => ((value % P) + P) % P;
const power = (base: bigint, exponent: bigint): bigint =>
  exponent === 0n ? 1n : mod(power(mod(base * base), exponent >> 1n) * ((exponent & 1n) === 1n ? base : 1n));
const invert = (value: bigint) => power(mod(value), P - 2n);
const D = mod(-121665n * invert(121666n));
type Point = readonly [x: bigint, y: bigint];
const add = ([x1, y1]: Point, [x2, y2]: Point): Point => {
  const product = mod(D * x1 * x2 * y1 * y2);
  return [mod((x1 * y2 + x2 * y1) * invert(1n + product)), mod((y1 * y2 + x1 * x2) * invert(1n - product))];
};
const times = (count: bigint, point: Point): Point => {
  let [result, double]: [Point, Point] = [[0n, 1n], point];
  for (let rest = count; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = add(result, double);
    double = add(double, double);
  }
  return result;
};
const pointOf = (key: Uint8Array): Point => {
  const bytes = Buffer.from(key).reverse();
  const sign = (bytes[0] as number) >> 7;
  bytes[0] = (bytes[0] as number) & 0x7f;
  const y = BigInt(`0x${bytes.toString('hex')}`);
  const square = mod((y * y - 1n) * invert(D * y * y + 1n));
  let x = power(square, (P + 3n) / 8n);
  if (mod(x * x) !== square) x = mod(x * power(2n, (P - 1n) / 4n));
  expect(mod(x * x)).toBe(square);
  return [(x & 1n) === BigInt(sign) ? x : P - x, y];
};

test.each([
  // RFC 8032 7.1
  [
    '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '',
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  ],
  [
    '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    '72',
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  ],
])('the key %s is that of the specification', (seed, key, message, signature) => {
  expect(derivePublicKey(hex(seed)).toString('hex')).toBe(key);
  expect(signMessage(privateKeyOf(hex(seed)), hex(message)).toString('hex')).toBe(signature);
  expect(isSignatureOf(hex(message), hex(signature), hex(key))).toBe(true);
  expect(isSignatureOf(Buffer.from('x'), hex(signature), hex(key))).toBe(false);
});

const orderEight = hex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
const smallPoints = Array.from({ length: 8 }, (_, index) => times(BigInt(index), pointOf(orderEight)));

describe('points of small order', () => {
  test('are eight, a group of their own', () => {
    expect(new Set(smallPoints.map(String)).size).toBe(8);
    expect(times(8n, pointOf(orderEight))).toEqual([0n, 1n]);
  });

  test('are no keys, whatever the sign', () => {
    for (const [x, y] of smallPoints) {
      for (const sign of [Number(x & 1n), 1 - Number(x & 1n)]) {
        expect(publicKeyProblem(encoded(y, sign)), `y ${y}, sign ${sign}`).toContain('small order');
      }
    }
  });

  test('begin no signature, though OpenSSL takes one that anybody can make', () => {
    // With R the neutral element and S = 0, R = S·B - h·A holds for A of order 1 and every message.
    const forged = Buffer.concat([encoded(1n), Buffer.alloc(32)]);
    const seed = Buffer.alloc(32, 7);
    const key = derivePublicKey(seed);
    for (const [, y] of smallPoints) {
      const signature = Buffer.concat([encoded(y), signMessage(privateKeyOf(seed), hex('00')).subarray(32)]);
      expect(isSignatureOf(hex('00'), signature, key)).toBe(false);
    }
    expect(isSignatureOf(hex('00'), forged, key)).toBe(false);
    for (const y of [P, P + 1n]) {
      expect(isSignatureOf(hex('00'), Buffer.concat([encoded(y), Buffer.alloc(32)]), key)).toBe(false);
    }
  });
});

test('a key in a second spelling is refused', () => {
  for (let y = P; y < 2n ** 255n; y++) {
    expect(publicKeyProblem(encoded(y))).toBe('is not in its proper form');
    expect(publicKeyProblem(encoded(y, 1))).toBe('is not in its proper form');
  }
});

test('about half of all numbers are no point of the curve', () => {
  const problems = Array.from({ length: 100 }, (_, index) => publicKeyProblem(encoded(BigInt(index) + 2n)));
  const refused = problems.filter((each) => each === 'is no point of the curve').length;
  expect(refused).toBeGreaterThan(30);
  expect(refused).toBeLessThan(70);
});

test('every derived key is a proper one, and its signatures are taken in one spelling only', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.uint8Array(), (seed, message) => {
      const key = derivePublicKey(seed);
      expect(publicKeyProblem(key)).toBeUndefined();
      const signature = signMessage(privateKeyOf(seed), message);
      expect(isSignatureOf(message, signature, key)).toBe(true);
      const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`);
      const malleable = Buffer.concat([signature.subarray(0, 32), encoded(s + L)]);
      expect(isSignatureOf(message, malleable, key)).toBe(false);
    }),
    { numRuns: 50 },
  );
});
