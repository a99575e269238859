/**
 * Keys that sign, in `keys/` of the data directory: `<name>.key` is the secret key, readable by its owner only,
 * `<name>.pub` the public one, to be handed out. Both are minisign's own files, so minisign can use them too.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isWsusutilError, WsusutilError } from '../errors.js';
import { MAX_KEY_FILE_SIZE } from '../formats/minisign/limits.js';
import {
  fingerprintWords,
  formatPublicKey,
  isSameKey,
  type PublicKey,
  type PublicKeyText,
  parsePublicKey,
  serializePublicKey,
} from '../formats/minisign/public-key.js';
import {
  createSecretKey,
  type NewSecretKeyOptions,
  parseSecretKey,
  type SecretKey,
  type SecretKeyFile,
} from '../formats/minisign/secret-key.js';
import { createAtomicFile, writeFileAtomically } from '../platform/atomic-file.js';
import { openFileSource } from '../platform/file-source.js';
import { makeDirectory } from '../platform/make-directory.js';

export type { SecretKey };

/** The name of a key that was given none. */
export const DEFAULT_KEY_NAME = 'default';
const SECRET_MODE = 0o600;
const PUBLIC_MODE = 0o644;
const MAX_NAME_LENGTH = 64;
const WINDOWS_DEVICES = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;
/** more keys than this in one folder, and it is not a folder of keys */
const MAX_KEYS = 1000;

export interface SigningKey {
  readonly name: string;
  readonly publicKey: PublicKey;
  /** path of the secret key file */
  readonly path: string;
  /** path of the public key file */
  readonly publicPath: string;
  /** it takes a password to sign */
  readonly isProtected: boolean;
  /** others than its owner can read the secret key file, as far as the system tells */
  readonly isExposed: boolean;
}

/** The folder of the keys of a data directory. */
export function keysPathOf(dataDirectoryPath: string): string {
  return join(dataDirectoryPath, 'keys');
}

/** What people and scripts are shown of a public key. */
export function describePublicKey(publicKey: PublicKey): {
  readonly keyId: string;
  readonly words: string;
  readonly publicKey: string;
} {
  return {
    keyId: publicKey.keyId,
    words: fingerprintWords(publicKey).join(' '),
    publicKey: formatPublicKey(publicKey),
  };
}

/** @throws WsusutilError `USAGE` for a name that cannot be that of a file on every system */
export function checkKeyName(name: string): void {
  const isGood =
    name.length <= MAX_NAME_LENGTH &&
    /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?$/.test(name) &&
    !WINDOWS_DEVICES.test(name);
  if (isGood) return;
  throw new WsusutilError('USAGE', `${JSON.stringify(name)} cannot be the name of a key`, {
    hint: `Use at most ${MAX_NAME_LENGTH} letters, digits, dots, hyphens and underscores, beginning with a letter or digit.`,
  });
}

/** @throws WsusutilError `TARGET_EXISTS` if there is a key of that name, in any case; `READ_FAILED` */
export async function refuseTakenName(keysPath: string, name: string): Promise<void> {
  const taken = (await keyNames(keysPath)).find((each) => each.toLowerCase() === name.toLowerCase());
  if (taken === undefined) return;
  throw new WsusutilError('TARGET_EXISTS', `There is a key ${taken} already`, {
    hint: 'Give the new key another name; a key is never overwritten.',
    details: { path: secretPathOf(keysPath, taken) },
  });
}

/**
 * Makes a key and writes its two files. The caller holds the writer lock.
 *
 * @param keysPath created if it is not there
 * @throws WsusutilError `TARGET_EXISTS` if there is a key of that name, `USAGE`, `READ_ONLY`, `DISK_FULL`,
 *   `WRITE_FAILED`, `INTERRUPTED`
 */
export async function createSigningKey(
  keysPath: string,
  name: string,
  options: NewSecretKeyOptions,
): Promise<SigningKey> {
  checkKeyName(name);
  await refuseTakenName(keysPath, name);
  const { publicKey, text } = await createSecretKey(options);
  makeDirectory(keysPath);
  const path = secretPathOf(keysPath, name);
  const publicPath = publicPathOf(keysPath, name);
  // The public one first: killed in between, there is no key yet, and the next attempt writes both.
  await writeFileAtomically(publicPath, Buffer.from(serializePublicKey(publicKey)), PUBLIC_MODE);
  const file = await createAtomicFile(path, { replace: false, mode: SECRET_MODE });
  try {
    await file.write(Buffer.from(text));
    await file.commit();
  } catch (error) {
    await file.discard();
    throw error;
  }
  return {
    name,
    publicKey,
    path,
    publicPath,
    isProtected: options.password !== undefined,
    isExposed: await isExposed(path),
  };
}

/**
 * The keys of a folder by name; none if there is no such folder.
 *
 * @throws WsusutilError `KEY_INVALID`, also for a secret key without its public one; `READ_FAILED`
 */
export async function listSigningKeys(keysPath: string): Promise<readonly SigningKey[]> {
  const keys: SigningKey[] = [];
  for (const name of await keyNames(keysPath)) keys.push((await readKey(keysPath, name)).key);
  return keys;
}

/**
 * Reads one key; its secret key file comes with it, to be opened.
 *
 * @param name undefined: the only key there is
 * @throws WsusutilError `NOT_FOUND`, `USAGE` if several keys could be meant, `KEY_INVALID`, `READ_FAILED`
 */
export async function findSigningKey(
  keysPath: string,
  name: string | undefined,
): Promise<{ readonly key: SigningKey; readonly secret: SecretKeyFile }> {
  const names = await keyNames(keysPath);
  if (names.length === 0) {
    throw new WsusutilError('NOT_FOUND', `There is no signing key in ${keysPath}`, {
      hint: 'Run "wsusutil keys new" to make one.',
    });
  }
  const list = `There are: ${names.join(', ')}.`;
  if (name === undefined && names.length > 1) {
    throw new WsusutilError('USAGE', `There are ${names.length} signing keys, and none was named`, {
      hint: `Name one. ${list}`,
    });
  }
  const found =
    name === undefined ? names[0] : names.find((each) => each.toLowerCase() === name.toLowerCase());
  if (found === undefined) {
    throw new WsusutilError('NOT_FOUND', `There is no signing key ${JSON.stringify(name)} in ${keysPath}`, {
      hint: list,
    });
  }
  return readKey(keysPath, found);
}

/**
 * Opens a key to sign with it.
 *
 * @param password undefined for a key without one
 * @throws WsusutilError `PASSWORD_WRONG`; `KEY_INVALID`, also where the two files of the key are not a pair;
 *   `INTERRUPTED`
 */
export async function openSigningKey(
  { key, secret }: { readonly key: SigningKey; readonly secret: SecretKeyFile },
  password: string | undefined,
  signal: AbortSignal,
): Promise<SecretKey> {
  const opened = await secret.open(password, signal);
  if (!isSameKey(opened.publicKey, key.publicKey)) {
    throw new WsusutilError('KEY_INVALID', `${key.publicPath} is not the public key of ${key.path}`, {
      hint: 'Bring both files back from a backup; do not hand out the public one.',
    });
  }
  return opened;
}

async function readKey(
  keysPath: string,
  name: string,
): Promise<{ readonly key: SigningKey; readonly secret: SecretKeyFile }> {
  const path = secretPathOf(keysPath, name);
  const publicPath = publicPathOf(keysPath, name);
  const secret = parseSecretKey(await readKeyFile(path), path);
  const publicBytes = await readKeyFile(publicPath).catch((error: unknown) => {
    if (!isWsusutilError(error, 'INPUT_NOT_FOUND')) throw error;
    throw new WsusutilError('KEY_INVALID', `${path} has no public key file beside it: ${publicPath}`, {
      hint: 'Bring it back from a backup, or make it again: minisign -R.',
      cause: error,
    });
  });
  const { publicKey } = parsePublicKey(publicBytes, publicPath);
  return {
    key: {
      name,
      publicKey,
      path,
      publicPath,
      isProtected: secret.isProtected,
      isExposed: await isExposed(path),
    },
    secret,
  };
}

/** Whether an argument is a public key itself and not the path of one. */
export function looksLikePublicKey(text: string): boolean {
  return /^RW[A-Za-z0-9+/=]{30,}$/.test(text);
}

/**
 * Reads a public key that somebody handed out.
 *
 * @param isLine `given` is the line of 56 characters; else the path of a file
 * @throws WsusutilError `KEY_INVALID`, `INPUT_NOT_FOUND`, `READ_FAILED`
 */
export async function readPublicKey(given: string, isLine: boolean): Promise<PublicKeyText> {
  return isLine
    ? parsePublicKey(Buffer.from(given), 'The public key')
    : parsePublicKey(await readKeyFile(given), given);
}

/**
 * Reads a file that should hold a key; never more of it than a key has.
 *
 * @throws WsusutilError `INPUT_NOT_FOUND`, `READ_FAILED`
 */
async function readKeyFile(path: string): Promise<Uint8Array> {
  const source = await openFileSource(path);
  try {
    return await source.read(0, Math.min(source.size, MAX_KEY_FILE_SIZE + 1));
  } finally {
    await source.close();
  }
}

async function keyNames(keysPath: string): Promise<string[]> {
  let entries: string[];
  try {
    entries = await readdir(keysPath);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw new WsusutilError('READ_FAILED', `Cannot read the folder of keys ${keysPath}`, {
      hint: 'Mend its permissions; it must be readable by the account that runs this command.',
      cause: error,
    });
  }
  const names = entries.filter((each) => each.endsWith('.key')).map((each) => each.slice(0, -'.key'.length));
  if (names.length > MAX_KEYS) {
    throw new WsusutilError('LIMIT_EXCEEDED', `${keysPath} holds more than ${MAX_KEYS} keys`, {
      hint: 'Move those away that do not sign any more.',
    });
  }
  return names.sort();
}

function secretPathOf(keysPath: string, name: string): string {
  return join(keysPath, `${name}.key`);
}

function publicPathOf(keysPath: string, name: string): string {
  return join(keysPath, `${name}.pub`);
}

/** Windows has no such bits: a file there has the rights of its folder. */
async function isExposed(path: string): Promise<boolean> {
  if (process.platform === 'win32') return false;
  const { mode } = await stat(path);
  return (mode & 0o077) !== 0;
}
