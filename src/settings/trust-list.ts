/**
 * `trust.json` of a data directory: whose signatures count here, and how many it takes. One JSON object, strict.
 *
 *     {
 *       "formatVersion": 1,
 *       "threshold": 2,              signatures of different keys that a package needs
 *       "requireSignature": true,    .cab and .xml.gz without them are refused
 *       "keys": [{ "name": "anna", "publicKey": "RW…", "addedAt": "2026-11-21T08:00:00Z" }]
 *     }
 *
 * A key may have a `comment`. One that a package announced has `successorOf`, the id of the key, added by hand, that its
 * line of announcements began with: whoever has both is one signer, not two.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText, WsusutilError } from '../errors.js';
import { MAX_UNTRUSTED_COMMENT_SIZE } from '../formats/minisign/limits.js';
import { commentProblem } from '../formats/minisign/lines.js';
import {
  formatPublicKey,
  isSameKey,
  type PublicKey,
  parsePublicKey,
} from '../formats/minisign/public-key.js';
import { writeFileAtomically } from '../platform/atomic-file.js';

const FORMAT_VERSION = 1;
const MAX_TRUST_SIZE = 1024 * 1024;
const TRUST_MODE = 0o644;
/** more than people who sign for one server */
const MAX_KEYS = 100;
/** signatures; no package has more */
export const MAX_THRESHOLD = 16;
const MAX_NAME_LENGTH = 64;
const FIELDS = ['formatVersion', 'threshold', 'requireSignature', 'keys'];
const KEY_FIELDS = ['name', 'publicKey', 'addedAt', 'comment', 'successorOf'];

export interface TrustedKey {
  /** one line, unique in any case */
  readonly name: string;
  readonly publicKey: PublicKey;
  /** ISO 8601, UTC, in seconds */
  readonly addedAt: string;
  /** of the public key file it came from; nothing vouches for it */
  readonly comment?: string;
  /** id of the key that the line of announcements began with; the two count as one signer */
  readonly successorOf?: string;
}

export interface TrustList {
  readonly keys: readonly TrustedKey[];
  /** signatures of different keys that it takes, 1 to {@link MAX_THRESHOLD} */
  readonly threshold: number;
  /** `.cab` and `.xml.gz` without enough signatures are refused */
  readonly requireSignature: boolean;
}

export const NO_TRUST: TrustList = { keys: [], threshold: 1, requireSignature: false };

export function trustPathOf(dataDirectoryPath: string): string {
  return join(dataDirectoryPath, 'trust.json');
}

/**
 * Reads the trust list; without a file, nobody is trusted and nothing demanded.
 *
 * @throws WsusutilError `SETTINGS_INVALID`, `READ_FAILED`
 */
export async function readTrustList(path: string): Promise<TrustList> {
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > MAX_TRUST_SIZE) {
      throw invalid(path, `is ${size} bytes long, at most ${MAX_TRUST_SIZE} are expected`);
    }
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof WsusutilError) throw error;
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) {
      return NO_TRUST;
    }
    throw new WsusutilError('READ_FAILED', `Cannot read ${path}: ${errorText(error)}`, {
      hint: 'Mend its permissions; it must be readable by the account that runs this command.',
      cause: error,
    });
  }
  return parseTrustList(text, path);
}

/**
 * @param path only named in messages
 * @throws WsusutilError `SETTINGS_INVALID`
 */
export function parseTrustList(text: string, path: string): TrustList {
  let document: unknown;
  try {
    document = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw invalid(path, `is not JSON: ${errorText(error)}`);
  }
  const record = objectOf(document, FIELDS, path, 'it');
  if (record.formatVersion !== FORMAT_VERSION) {
    const isNewer = typeof record.formatVersion === 'number' && record.formatVersion > FORMAT_VERSION;
    throw invalid(
      path,
      `has formatVersion ${JSON.stringify(record.formatVersion) ?? 'missing'}, expected ${FORMAT_VERSION}`,
      isNewer ? 'A newer version of this program wrote it; update this one.' : undefined,
    );
  }
  const { threshold, requireSignature, keys } = record;
  if (!isThreshold(threshold)) {
    throw invalid(path, `has a threshold that is no whole number from 1 to ${MAX_THRESHOLD}`);
  }
  if (typeof requireSignature !== 'boolean') {
    throw invalid(path, 'has a requireSignature that is neither true nor false');
  }
  if (!Array.isArray(keys) || keys.length > MAX_KEYS) {
    throw invalid(path, `has keys that are no list of at most ${MAX_KEYS}`);
  }
  let list: TrustList = { keys: [], threshold, requireSignature };
  for (const [index, each] of keys.entries()) {
    const where = `keys[${index}]`;
    const key = parseKey(each, path, where);
    const problem = clash(list, key);
    if (problem !== undefined) throw invalid(path, `has ${where}, which ${problem}`);
    list = { ...list, keys: [...list.keys, key] };
  }
  return list;
}

/** The file's text; `parseTrustList` gives the same list back. */
export function serializeTrustList({ keys, threshold, requireSignature }: TrustList): string {
  const document = {
    formatVersion: FORMAT_VERSION,
    threshold,
    requireSignature,
    keys: keys.map(({ name, publicKey, addedAt, comment, successorOf }) => ({
      name,
      publicKey: formatPublicKey(publicKey),
      addedAt,
      ...(comment === undefined ? {} : { comment }),
      ...(successorOf === undefined ? {} : { successorOf }),
    })),
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

/**
 * Replaces the file in one step. The caller holds the writer lock.
 *
 * @throws WsusutilError `SETTINGS_INVALID`, `DISK_FULL`, `READ_ONLY`, `WRITE_FAILED`
 */
export async function writeTrustList(path: string, list: TrustList): Promise<void> {
  const text = serializeTrustList(list);
  parseTrustList(text, path); // what we could not read again is not written
  await writeFileAtomically(path, Buffer.from(text), TRUST_MODE);
}

/** @throws WsusutilError `USAGE` for a name that is not one short line */
export function checkTrustedName(name: string): void {
  const problem = nameProblem(name);
  if (problem !== undefined) {
    throw new WsusutilError('USAGE', `${JSON.stringify(name)} cannot be the name of a signer: ${problem}`, {
      hint: `Use one line of at most ${MAX_NAME_LENGTH} characters.`,
    });
  }
}

/**
 * The list with one more key; as it was if the very same key is in it under the same name.
 *
 * @throws WsusutilError `TARGET_EXISTS` if the key, its id or its name is in the list, `USAGE`, `LIMIT_EXCEEDED`
 */
export function withKey(list: TrustList, key: TrustedKey): TrustList {
  checkTrustedName(key.name);
  const same = list.keys.find(({ publicKey }) => isSameKey(publicKey, key.publicKey));
  if (same !== undefined && same.name === key.name) return list;
  const problem = clash(list, key);
  if (problem !== undefined) {
    throw new WsusutilError('TARGET_EXISTS', `The key ${key.publicKey.keyId} ${problem}`, {
      hint: 'Give it another name with --name, or take out the other key first: wsusutil trust remove.',
    });
  }
  if (list.keys.length >= MAX_KEYS) {
    throw new WsusutilError('LIMIT_EXCEEDED', `The trust list holds ${MAX_KEYS} keys, which is the most`, {
      hint: 'Take out those that do not sign any more: wsusutil trust remove.',
    });
  }
  return { ...list, keys: [...list.keys, key] };
}

/**
 * The list with the key that a package announced for those to come. The caller has verified that the package is signed
 * by `signer` and by as many others as the threshold asks for. The present key stays in the list until it is removed.
 *
 * @param announced as the manifest holds it, the line of 56 characters
 * @param addedAt ISO 8601, UTC, in seconds
 * @throws WsusutilError `KEY_INVALID`; as {@link withKey}
 */
export function withAnnouncedKey(
  list: TrustList,
  announced: string,
  signer: TrustedKey,
  addedAt: string,
): TrustList {
  const { publicKey } = parsePublicKey(Buffer.from(announced), 'The next key that the package announces');
  if (list.keys.some((each) => isSameKey(each.publicKey, publicKey))) return list;
  const isTaken = (name: string) => list.keys.some((each) => each.name.toLowerCase() === name.toLowerCase());
  const stem = signer.name.replace(/ \(\d+\)$/, '').slice(0, MAX_NAME_LENGTH - 6);
  let number = 2;
  while (isTaken(`${stem} (${number})`)) number++;
  const name = `${stem} (${number})`;
  return withKey(list, { name, publicKey, addedAt, successorOf: signerIdOf(signer) });
}

/** Signatures with the same one count once. */
export function signerIdOf({ publicKey, successorOf }: TrustedKey): string {
  return successorOf ?? publicKey.keyId;
}

/** How many different signers are trusted. */
export function countSigners({ keys }: TrustList): number {
  return new Set(keys.map(signerIdOf)).size;
}

/**
 * The key that is meant by a name, a key id or the public key itself.
 *
 * @throws WsusutilError `NOT_FOUND`
 */
export function findTrustedKey(list: TrustList, wanted: string): TrustedKey {
  const text = wanted.trim();
  const found =
    list.keys.find(({ name }) => name.toLowerCase() === text.toLowerCase()) ??
    list.keys.find(({ publicKey }) => publicKey.keyId === text.toUpperCase()) ??
    list.keys.find(({ publicKey }) => formatPublicKey(publicKey) === text);
  if (found !== undefined) return found;
  const names = list.keys.map(({ name }) => name).join(', ');
  throw new WsusutilError('NOT_FOUND', `No trusted key is ${JSON.stringify(text.slice(0, 100))}`, {
    hint: names === '' ? 'The trust list is empty.' : `Trusted are: ${names}.`,
  });
}

export function withoutKey(list: TrustList, key: TrustedKey): TrustList {
  return { ...list, keys: list.keys.filter((each) => each !== key) };
}

export function isThreshold(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_THRESHOLD;
}

function parseKey(value: unknown, path: string, where: string): TrustedKey {
  const { name, publicKey, addedAt, comment, successorOf } = objectOf(value, KEY_FIELDS, path, where);
  const fail = (what: string) => invalid(path, `has ${what} in ${where}`);
  if (typeof name !== 'string' || nameProblem(name) !== undefined) throw fail('a wrong name');
  if (typeof publicKey !== 'string') throw fail('a wrong publicKey');
  if (typeof addedAt !== 'string' || !isInstant(addedAt)) throw fail('a wrong addedAt');
  if (
    comment !== undefined &&
    (typeof comment !== 'string' || commentProblem(comment, MAX_UNTRUSTED_COMMENT_SIZE) !== undefined)
  ) {
    throw fail('a wrong comment');
  }
  if (successorOf !== undefined && (typeof successorOf !== 'string' || !/^[0-9A-F]{16}$/.test(successorOf))) {
    throw fail('a wrong successorOf');
  }
  let parsed: PublicKey;
  try {
    parsed = parsePublicKey(Buffer.from(publicKey), where).publicKey;
  } catch (error) {
    throw invalid(path, `has a wrong publicKey: ${errorText(error)}`);
  }
  return {
    name,
    publicKey: parsed,
    addedAt,
    ...(comment === undefined ? {} : { comment }),
    ...(successorOf === undefined ? {} : { successorOf }),
  };
}

/** Why a key cannot stand in a list beside the others; completes the sentence "the key …". */
function clash({ keys }: TrustList, { name, publicKey }: TrustedKey): string | undefined {
  const same = keys.find((each) => isSameKey(each.publicKey, publicKey));
  if (same !== undefined) return `is trusted already, as ${same.name}`;
  // Of two keys with one id, which one a signature means could not be told; one secret key with two ids would count twice.
  const likeness = keys.find(
    (each) =>
      each.publicKey.keyId === publicKey.keyId || Buffer.from(each.publicKey.key).equals(publicKey.key),
  );
  if (likeness !== undefined) return `shares its id or its secret with another key, that of ${likeness.name}`;
  const namesake = keys.find((each) => each.name.toLowerCase() === name.toLowerCase());
  return namesake === undefined ? undefined : `has the name of another key, ${namesake.name}`;
}

function nameProblem(name: string): string | undefined {
  if (name.trim() !== name || name === '') return 'it is empty, or begins or ends with a blank';
  if (name.length > MAX_NAME_LENGTH) return 'it is too long';
  const problem = commentProblem(name.replaceAll('\t', '\0'), MAX_UNTRUSTED_COMMENT_SIZE);
  return problem === undefined ? undefined : `it ${problem}`;
}

function isInstant(text: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) && !Number.isNaN(Date.parse(text));
}

function objectOf(
  value: unknown,
  fields: readonly string[],
  path: string,
  where: string,
): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(path, `does not hold a JSON object where ${where} is due`);
  }
  const unknown = Object.keys(value).find((name) => !fields.includes(name));
  if (unknown !== undefined) {
    throw invalid(path, `has an unknown key ${JSON.stringify(unknown)} in ${where}`);
  }
  return value as Record<string, unknown>;
}

function invalid(path: string, what: string, hint?: string): WsusutilError {
  return new WsusutilError('SETTINGS_INVALID', `${path} ${what}`, {
    hint: hint ?? 'Correct the file, or remove it and add the keys again with "wsusutil trust add".',
    details: { path },
  });
}
