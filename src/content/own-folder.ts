import { lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { WsusutilError } from '../errors.js';
import { writeError } from '../platform/atomic-file.js';
import { OWN_FOLDER } from './layout.js';

/**
 * Makes a folder of ours in a content folder. A tree may come from anywhere: a link in its place is not followed.
 *
 * @returns its path
 * @throws WsusutilError `WRITE_FAILED` if something else has its name, `READ_ONLY`, `DISK_FULL`
 */
export async function makeOwnFolder(contentFolder: string, name: 'partial' | 'quarantine'): Promise<string> {
  const own = join(contentFolder, OWN_FOLDER);
  await makeRealFolder(own);
  await makeRealFolder(join(own, name));
  return join(own, name);
}

/**
 * Makes a folder, and those above it, to put files into.
 *
 * @throws WsusutilError `WRITE_FAILED` if the folder itself is a link or no folder, `READ_ONLY`, `DISK_FULL`
 */
export async function makeRealFolder(path: string): Promise<void> {
  let failure: unknown;
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    failure = error;
  }
  const facts = await lstat(path).catch(() => undefined);
  if (facts !== undefined && !facts.isDirectory()) throw noRealFolder(path);
  if (failure !== undefined) throw writeError(failure, path);
}

/** What is said of a folder that is to be written into and is none. */
export function noRealFolder(path: string): WsusutilError {
  return new WsusutilError(
    'WRITE_FAILED',
    `${path} is not a folder but a link or a file; nothing is written through it`,
    { hint: 'Move it away, then run the command again.' },
  );
}
