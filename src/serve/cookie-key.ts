/**
 * The key that signs cookies: 32 random bytes in the file `serve.key` of the data directory, readable by its owner only. It is
 * not in the store, which the server only reads and which travels in backups. Front ends that share one data directory
 * share it; where each has a copy of its own, copy the file too.
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isWsusutilError, WsusutilError } from '../errors.js';
import { createFileAtomically } from '../platform/atomic-file.js';
import { openError } from '../platform/file-source.js';

const KEY_SIZE = 32;
const FILE_MODE = 0o600;

export interface CookieKey {
  readonly bytes: Uint8Array;
  /** false: the data directory cannot be written, so that cookies end with this process */
  readonly isKept: boolean;
}

/**
 * Reads the key, or makes it.
 *
 * @throws WsusutilError `SETTINGS_INVALID` for a file that is no key; `READ_FAILED`, `DISK_FULL`
 */
export async function loadCookieKey(dataDirectoryPath: string): Promise<CookieKey> {
  const path = join(dataDirectoryPath, 'serve.key');
  const known = await readKey(path);
  if (known !== undefined) return { bytes: known, isKept: true };
  const bytes = randomBytes(KEY_SIZE);
  try {
    await createFileAtomically(path, bytes, FILE_MODE);
    return { bytes, isKept: true };
  } catch (error) {
    if (isWsusutilError(error, 'TARGET_EXISTS')) {
      // Another front end was quicker.
      const theirs = await readKey(path);
      if (theirs !== undefined) return { bytes: theirs, isKept: true };
    }
    if (isWsusutilError(error, 'READ_ONLY')) return { bytes, isKept: false };
    throw error;
  }
}

async function readKey(path: string): Promise<Uint8Array | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw openError(error, path);
  }
  if (bytes.length !== KEY_SIZE) {
    throw new WsusutilError(
      'SETTINGS_INVALID',
      `${path} holds ${bytes.length} bytes, a key has ${KEY_SIZE}`,
      {
        hint: 'Delete the file; a new key is made, and downstream servers authorize again.',
      },
    );
  }
  return bytes;
}
