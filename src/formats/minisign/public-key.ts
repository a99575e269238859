import { createHash } from 'node:crypto';
import { ED25519_KEY_SIZE, publicKeyProblem } from './ed25519.js';
import { FINGERPRINT_WORDS } from './fingerprint-words.js';
import { MAX_KEY_FILE_SIZE, MAX_UNTRUSTED_COMMENT_SIZE } from './limits.js';
import {
  formatKeyId,
  keyIdBytes,
  malformed,
  readBase64,
  readComment,
  readLines,
  refuseMoreLines,
  type TextSource,
} from './lines.js';

export const UNTRUSTED_PREFIX = 'untrusted comment: ';
export const ALGORITHM = Buffer.from('Ed');
export const KEY_ID_SIZE = 8;
const ENCODED_SIZE = ALGORITHM.length + KEY_ID_SIZE + ED25519_KEY_SIZE;
/** 2048 words stand for 11 bits each. */
const WORD_COUNT = 8;
const BITS_PER_WORD = 11n;

export interface PublicKey {
  /** 16 upper-case hex digits, as minisign shows it */
  readonly keyId: string;
  /** 32 bytes, a proper point of the curve */
  readonly key: Uint8Array;
}

export interface PublicKeyText {
  readonly publicKey: PublicKey;
  /** of a file; nothing vouches for it */
  readonly comment: string | undefined;
}

/**
 * Reads a public key as minisign writes it: a file of a comment and the key, or the line of the key alone.
 *
 * @param name says in messages where it is from
 * @throws WsusutilError `KEY_INVALID`, also for a key of small order or not in its proper form
 */
export function parsePublicKey(bytes: Uint8Array, name: string): PublicKeyText {
  const source: TextSource = {
    name,
    code: 'KEY_INVALID',
    hint: 'Give a public key of minisign: a .pub file, or its line of 56 characters that begins with RW.',
  };
  const lines = readLines(bytes, MAX_KEY_FILE_SIZE, source);
  const hasComment = lines.length > 1 || lines[0]?.startsWith(UNTRUSTED_PREFIX) === true;
  const comment = hasComment
    ? readComment(lines[0], UNTRUSTED_PREFIX, MAX_UNTRUSTED_COMMENT_SIZE, source)
    : undefined;
  if (comment !== undefined && /encrypted secret key|minisign secret key/.test(comment)) {
    throw malformed(source, 'is a secret key, which never leaves the machine that signs');
  }
  refuseMoreLines(lines, hasComment ? 2 : 1, source);
  const encoded = readBase64(lines[hasComment ? 1 : 0], ENCODED_SIZE, 'public key', source);
  if (!encoded.subarray(0, ALGORITHM.length).equals(ALGORITHM)) {
    throw malformed(source, 'holds a key of another kind than Ed25519');
  }
  const publicKey = {
    keyId: formatKeyId(encoded.subarray(ALGORITHM.length, ALGORITHM.length + KEY_ID_SIZE)),
    key: encoded.subarray(ALGORITHM.length + KEY_ID_SIZE),
  };
  const problem = publicKeyProblem(publicKey.key);
  if (problem !== undefined) throw malformed(source, `holds a public key that ${problem}`);
  return { publicKey, comment };
}

/** The line of 56 characters that minisign takes with `-P`. */
export function formatPublicKey(publicKey: PublicKey): string {
  return encode(publicKey).toString('base64');
}

/** The text of a `.pub` file. */
export function serializePublicKey(publicKey: PublicKey): string {
  return `${UNTRUSTED_PREFIX}minisign public key ${publicKey.keyId}\n${formatPublicKey(publicKey)}\n`;
}

export function isSameKey(one: PublicKey, other: PublicKey): boolean {
  return encode(one).equals(encode(other));
}

/**
 * Eight words that stand for the key and its id, to be read out on the telephone: the first 88 bits of the BLAKE2b-512
 * of what {@link formatPublicKey} writes in Base64, 11 for each word, high ones first.
 */
export function fingerprintWords(publicKey: PublicKey): readonly string[] {
  const digest = createHash('blake2b512').update(encode(publicKey)).digest();
  const number = BigInt(`0x${digest.subarray(0, (WORD_COUNT * Number(BITS_PER_WORD)) / 8).toString('hex')}`);
  return Array.from({ length: WORD_COUNT }, (_, index) => {
    const shift = BigInt(WORD_COUNT - 1 - index) * BITS_PER_WORD;
    return FINGERPRINT_WORDS[Number((number >> shift) & ((1n << BITS_PER_WORD) - 1n))] as string;
  });
}

function encode({ keyId, key }: PublicKey): Buffer {
  return Buffer.concat([ALGORITHM, keyIdBytes(keyId), key]);
}
