/** Keys and signatures for tests: the same for the same number, and without the seconds that a password takes. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createSecretKey, parseSecretKey, type SecretKey } from '../../src/formats/minisign/secret-key.js';
import { hashContent, serializeSignature, signDigest } from '../../src/formats/minisign/signature.js';

const signal = new AbortController().signal;
/** scrypt with 1024 rounds */
export const CHEAP = { operations: 32_768, memory: 16 * 1024 * 1024 };

/** Randomness that repeats itself for the same `n`. */
export function repeatable(n: number): (size: number) => Buffer {
  let calls = 0;
  return (size) => {
    const pieces: Buffer[] = [];
    for (let piece = 0; piece * 64 < size; piece++) {
      pieces.push(createHash('sha512').update(`${n} ${calls} ${piece}`).digest());
    }
    calls++;
    return Buffer.concat(pieces).subarray(0, size);
  };
}

export async function secretKeyText(n: number, password?: string): Promise<string> {
  return (await createSecretKey({ password, signal, cost: CHEAP, random: repeatable(n) })).text;
}

export async function testKey(n: number): Promise<SecretKey> {
  return parseSecretKey(Buffer.from(await secretKeyText(n)), 'key').open(undefined, signal);
}

export function signatureText(secretKey: SecretKey, content: Uint8Array, trusted = 'made by a test'): string {
  return serializeSignature(signDigest(secretKey, hashContent(content), { trusted }));
}

/** Puts a signature beside a file. */
export function placeSignature(path: string, secretKey: SecretKey, content: Uint8Array, number = 1): void {
  const suffix = number === 1 ? '.minisig' : `.${number}.minisig`;
  writeFileSync(`${path}${suffix}`, signatureText(secretKey, content, `signature ${number}`));
}
