/**
 * Ed25519 (RFC 8032) by OpenSSL, as strict as libsodium: OpenSSL takes points of small order, under which one signature
 * fits many messages, and points in a second spelling.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

export const ED25519_KEY_SIZE = 32;
export const ED25519_SEED_SIZE = 32;
export const ED25519_SIGNATURE_SIZE = 64;

const P = 2n ** 255n - 19n;
/** of the curve -x² + y² = 1 + d·x²·y² */
const D = mod(-121665n * power(121666n, P - 2n));
/** y of a point of order 8; the others of that order have p - y */
const ORDER_8_Y = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;
/** orders 1, 2, 4 and 8 */
const SMALL_ORDER_Y: readonly bigint[] = [1n, P - 1n, 0n, ORDER_8_Y, P - ORDER_8_Y];

/** What stands before the key in its DER forms (RFC 8410). */
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const PUBLIC_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * Why these 32 bytes are no key that anything should be verified with.
 *
 * @returns completes the sentence "a public key that …"
 */
export function publicKeyProblem(key: Uint8Array): string | undefined {
  const y = coordinate(key);
  if (y >= P) return 'is not in its proper form';
  if (SMALL_ORDER_Y.includes(y)) return 'is of small order: anybody could sign for it';
  return isOnCurve(y) ? undefined : 'is no point of the curve';
}

export function derivePublicKey(seed: Uint8Array): Buffer {
  const der = createPublicKey(privateKeyOf(seed)).export({ format: 'der', type: 'spki' });
  return der.subarray(PUBLIC_PREFIX.length);
}

/** @returns OpenSSL's own key, which shows nothing of itself */
export function privateKeyOf(seed: Uint8Array): KeyObject {
  const der = Buffer.concat([PRIVATE_PREFIX, seed]);
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } finally {
    der.fill(0);
  }
}

export function signMessage(privateKey: KeyObject, message: Uint8Array): Buffer {
  return sign(null, message, privateKey);
}

/** @param key without a {@link publicKeyProblem} */
export function isSignatureOf(message: Uint8Array, signature: Uint8Array, key: Uint8Array): boolean {
  const r = coordinate(signature.subarray(0, ED25519_KEY_SIZE));
  if (SMALL_ORDER_Y.includes(r >= P ? r - P : r)) return false;
  const publicKey = createPublicKey({
    key: Buffer.concat([PUBLIC_PREFIX, key]),
    format: 'der',
    type: 'spki',
  });
  return verify(null, message, publicKey, signature); // refuses an S that is not below the order of the group
}

/** The y of an encoded point: little-endian, without the sign of its x. */
function coordinate(point: Uint8Array): bigint {
  const bytes = Buffer.from(point).reverse();
  bytes[0] = (bytes[0] as number) & 0x7f;
  return BigInt(`0x${bytes.toString('hex')}`);
}

/** Whether there is an x for this y: (y² - 1) / (d·y² + 1) is a square. */
function isOnCurve(y: bigint): boolean {
  const square = mod(y * y);
  const numerator = mod(square - 1n);
  const denominator = mod(D * square + 1n); // never 0: -1/d is no square
  return power(mod(numerator * denominator), (P - 1n) / 2n) !== P - 1n;
}

function mod(value: bigint): bigint {
  const rest = value % P;
  return rest < 0n ? rest + P : rest;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = base % P;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
}
