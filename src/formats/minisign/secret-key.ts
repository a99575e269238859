/**
 * Secret key files of minisign: two lines, a comment and the Base64 of 158 bytes.
 *
 *     "Ed"  kdf "Sc" or 0 0  "B2"  salt 32  opslimit 8  memlimit 8  { key id 8  seed 32  public key 32  checksum 32 }
 *
 * What stands in braces is XORed with scrypt of the password, as much as it is long. Numbers are little-endian. The
 * checksum is the BLAKE2b-256 of "Ed", key id, seed and public key; minisign leaves it 0 in files without a password.
 */
import { type KeyObject, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { throwIfInterrupted, WsusutilError } from '../../errors.js';
import { blake2b } from './blake2b.js';
import { derivePublicKey, ED25519_SEED_SIZE, privateKeyOf, signMessage } from './ed25519.js';
import {
  MAX_KEY_FILE_SIZE,
  MAX_KEY_MEMORY,
  MAX_KEY_PASSES,
  MAX_PASSWORD_SIZE,
  MAX_UNTRUSTED_COMMENT_SIZE,
} from './limits.js';
import {
  formatKeyId,
  malformed,
  readBase64,
  readComment,
  readLines,
  refuseMoreLines,
  type TextSource,
} from './lines.js';
import { ALGORITHM, KEY_ID_SIZE, type PublicKey, UNTRUSTED_PREFIX } from './public-key.js';

const SCRYPT = Buffer.from('Sc');
const NO_KDF = Buffer.from([0, 0]);
const CHECKSUM = Buffer.from('B2');
const CHECKSUM_SIZE = 32;
const SALT_SIZE = 32;
const KEY_PART_SIZE = KEY_ID_SIZE + ED25519_SEED_SIZE + 32 + CHECKSUM_SIZE;
const HEAD_SIZE = 2 + 2 + 2;
const PARAMETERS_SIZE = SALT_SIZE + 8 + 8;
const ENCODED_SIZE = HEAD_SIZE + PARAMETERS_SIZE + KEY_PART_SIZE;
const SCRYPT_R = 8;
/** bytes that scrypt needs besides what its parameters name */
const SCRYPT_MARGIN = 16 * 1024 * 1024;

/** How much work and memory it takes to derive a key from a password, in libsodium's terms. */
export interface KeyCost {
  readonly operations: number;
  /** bytes */
  readonly memory: number;
}

/** What minisign uses: 1 GiB, some seconds. */
export const DEFAULT_KEY_COST: KeyCost = { operations: 33_554_432, memory: 1024 * 1024 * 1024 };
/** below this, no smaller memory is tried */
const LEAST_KEY_MEMORY = 16 * 1024 * 1024;

/** A key that signs. Its secret part is in no property of it. */
export interface SecretKey {
  readonly publicKey: PublicKey;
  sign(message: Uint8Array): Uint8Array;
}

/** A secret key file as it was read, not opened yet. */
export interface SecretKeyFile {
  /** it takes a password to open it */
  readonly isProtected: boolean;
  /**
   * @param password ignored by a file without one
   * @throws WsusutilError `PASSWORD_WRONG`, `KEY_INVALID`, `INTERRUPTED`
   */
  open(password: string | undefined, signal: AbortSignal): Promise<SecretKey>;
}

/**
 * @param name path of the file, for messages
 * @throws WsusutilError `KEY_INVALID`
 */
export function parseSecretKey(bytes: Uint8Array, name: string): SecretKeyFile {
  const source: TextSource = {
    name,
    code: 'KEY_INVALID',
    hint: 'Give a secret key file of "wsusutil keys new" or of minisign, or bring it back from a backup.',
  };
  const lines = readLines(bytes, MAX_KEY_FILE_SIZE, source);
  readComment(lines[0], UNTRUSTED_PREFIX, MAX_UNTRUSTED_COMMENT_SIZE, source);
  refuseMoreLines(lines, 2, source);
  const encoded = readBase64(lines[1], ENCODED_SIZE, 'secret key', source);
  if (!encoded.subarray(0, 2).equals(ALGORITHM)) {
    throw malformed(source, 'holds a key of another kind than Ed25519');
  }
  const kdf = encoded.subarray(2, 4);
  const isProtected = kdf.equals(SCRYPT);
  if (!isProtected && !kdf.equals(NO_KDF)) {
    throw malformed(source, 'is protected in a way that this program does not know');
  }
  if (!encoded.subarray(4, 6).equals(CHECKSUM)) {
    throw malformed(source, 'has a checksum of a kind that this program does not know');
  }
  const salt = encoded.subarray(HEAD_SIZE, HEAD_SIZE + SALT_SIZE);
  const operations = encoded.readBigUInt64LE(HEAD_SIZE + SALT_SIZE);
  const memory = encoded.readBigUInt64LE(HEAD_SIZE + SALT_SIZE + 8);
  const parameters = isProtected ? scryptParameters(operations, memory) : undefined;
  if (parameters === 'too much') {
    throw malformed(
      source,
      `asks for more than the ${MAX_KEY_MEMORY} bytes of memory or the work that a key of minisign takes`,
    );
  }
  const keyPart = encoded.subarray(HEAD_SIZE + PARAMETERS_SIZE);
  return {
    isProtected,
    async open(password, signal) {
      if (parameters === undefined) return readKeyPart(keyPart, false, source);
      if (password === undefined) throw new Error('a password is needed');
      throwIfInterrupted(signal, 'opening a secret key');
      const stream = await derive(password, salt, parameters, name);
      const clear = xor(keyPart, stream);
      try {
        throwIfInterrupted(signal, 'opening a secret key');
        return readKeyPart(clear, true, source);
      } finally {
        stream.fill(0);
        clear.fill(0);
      }
    },
  };
}

export interface NewSecretKey {
  readonly publicKey: PublicKey;
  /** of the secret key file; a secret unless it has a password */
  readonly text: string;
}

export interface NewSecretKeyOptions {
  /** undefined: whoever has the file can sign */
  readonly password: string | undefined;
  readonly signal: AbortSignal;
  /** of a password; tests take less */
  readonly cost?: KeyCost;
  /** where its randomness comes from; tests have their own */
  readonly random?: (size: number) => Buffer;
}

/**
 * Makes a key and the text of its file. Where there is not enough memory for what minisign uses, it takes less, as
 * minisign does.
 *
 * @throws WsusutilError `USAGE` for a password that minisign could not read, `KEY_INVALID` without memory for any cost,
 *   `INTERRUPTED`
 */
export async function createSecretKey(options: NewSecretKeyOptions): Promise<NewSecretKey> {
  const { password, signal, random = randomBytes } = options;
  if (password !== undefined && Buffer.byteLength(password) > MAX_PASSWORD_SIZE) {
    throw new WsusutilError('USAGE', `The password is longer than ${MAX_PASSWORD_SIZE} bytes`, {
      hint: 'Choose a shorter one; minisign reads no longer ones.',
    });
  }
  const seed = random(ED25519_SEED_SIZE);
  const keyIdPart = random(KEY_ID_SIZE);
  const key = derivePublicKey(seed);
  const clear = Buffer.concat([keyIdPart, seed, key, checksumOf(keyIdPart, seed, key)]);
  seed.fill(0);
  try {
    const head = Buffer.concat([ALGORITHM, password === undefined ? NO_KDF : SCRYPT, CHECKSUM]);
    const sealed =
      password === undefined
        ? Buffer.concat([Buffer.alloc(PARAMETERS_SIZE), clear])
        : await seal(clear, password, random(SALT_SIZE), options.cost ?? DEFAULT_KEY_COST, signal);
    const encoded = Buffer.concat([head, sealed]).toString('base64');
    // minisign names every secret key encrypted, also one that is not.
    const text = `${UNTRUSTED_PREFIX}minisign encrypted secret key\n${encoded}\n`;
    return { publicKey: { keyId: formatKeyId(keyIdPart), key }, text };
  } finally {
    clear.fill(0);
  }
}

async function seal(
  clear: Buffer,
  password: string,
  salt: Buffer,
  cost: KeyCost,
  signal: AbortSignal,
): Promise<Buffer> {
  for (let { operations, memory } = cost; ; operations /= 2, memory /= 2) {
    throwIfInterrupted(signal, 'making a key');
    const parameters = scryptParameters(BigInt(operations), BigInt(memory));
    if (parameters === 'too much') throw new Error('the cost of a new key is above the limit');
    let stream: Buffer;
    try {
      stream = await derive(password, salt, parameters, 'The new key');
    } catch (error) {
      if (memory / 2 < LEAST_KEY_MEMORY) throw error;
      continue;
    }
    throwIfInterrupted(signal, 'making a key');
    const limits = Buffer.alloc(16);
    limits.writeBigUInt64LE(BigInt(operations), 0);
    limits.writeBigUInt64LE(BigInt(memory), 8);
    const sealed = Buffer.concat([salt, limits, xor(clear, stream)]);
    stream.fill(0);
    return sealed;
  }
}

function readKeyPart(clear: Buffer, hadPassword: boolean, source: TextSource): SecretKey {
  const keyIdPart = clear.subarray(0, KEY_ID_SIZE);
  const seed = clear.subarray(KEY_ID_SIZE, KEY_ID_SIZE + ED25519_SEED_SIZE);
  const key = clear.subarray(KEY_ID_SIZE + ED25519_SEED_SIZE, -CHECKSUM_SIZE);
  const checksum = clear.subarray(-CHECKSUM_SIZE);
  const isLeftOut = !hadPassword && checksum.every((byte) => byte === 0);
  if (!isLeftOut && !timingSafeEqual(checksum, checksumOf(keyIdPart, seed, key))) {
    if (!hadPassword) throw malformed(source, 'fails its checksum: it is damaged');
    throw new WsusutilError('PASSWORD_WRONG', `The password does not open ${source.name}`, {
      hint: 'Type it again; if it is right, the file is damaged: bring it back from a backup.',
    });
  }
  if (!timingSafeEqual(key, derivePublicKey(seed))) {
    // Signing with another public key than the secret one's gives the secret one away.
    throw malformed(source, 'holds a public key that is not the one of its secret key');
  }
  const privateKey: KeyObject = privateKeyOf(seed);
  return {
    publicKey: { keyId: formatKeyId(keyIdPart), key: Buffer.from(key) },
    sign: (message) => signMessage(privateKey, message),
  };
}

function checksumOf(keyIdPart: Buffer, seed: Buffer, key: Buffer): Buffer {
  const covered = Buffer.concat([ALGORITHM, keyIdPart, seed, key]);
  try {
    return blake2b(covered, CHECKSUM_SIZE);
  } finally {
    covered.fill(0);
  }
}

interface ScryptParameters {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** From libsodium's two limits to the three numbers of scrypt, as its `pickparams` does. */
function scryptParameters(operations: bigint, memory: bigint): ScryptParameters | 'too much' {
  if (memory > BigInt(MAX_KEY_MEMORY) || operations >= 2n ** 63n) return 'too much';
  const work = operations < 32_768n ? 32_768n : operations;
  const isMemoryAmple = work < memory / 32n;
  const largest = isMemoryAmple ? work / BigInt(SCRYPT_R * 4) : memory / BigInt(SCRYPT_R * 128);
  let log = 1n;
  while (log < 63n && 1n << log <= largest / 2n) log++;
  if (isMemoryAmple) return { N: Number(1n << log), r: SCRYPT_R, p: 1 };
  const p = work / 4n / (1n << log) / BigInt(SCRYPT_R);
  if (p > BigInt(MAX_KEY_PASSES)) return 'too much';
  return { N: Number(1n << log), r: SCRYPT_R, p: Math.max(1, Number(p)) };
}

function derive(password: string, salt: Buffer, parameters: ScryptParameters, name: string): Promise<Buffer> {
  const { N, r, p } = parameters;
  const memory = 128 * r * (N + p);
  const secret = Buffer.from(password);
  return new Promise((resolve, reject) => {
    scrypt(secret, salt, KEY_PART_SIZE, { N, r, p, maxmem: memory + SCRYPT_MARGIN }, (error, stream) => {
      secret.fill(0);
      if (error === null) resolve(stream);
      else {
        reject(
          new WsusutilError('KEY_INVALID', `${name}: the password cannot be worked with: ${error.message}`, {
            hint: `It takes ${Math.ceil(memory / 2 ** 20)} MiB of memory; end other programs, or use another machine.`,
            cause: error,
          }),
        );
      }
    });
  });
}

function xor(one: Buffer, other: Buffer): Buffer {
  return Buffer.from(one.map((byte, index) => byte ^ (other[index] as number)));
}
