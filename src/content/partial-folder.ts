import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText } from '../errors.js';
import type { Sha1Hex } from '../model/digest.js';
import { writeError } from '../platform/atomic-file.js';
import { makeOwnFolder } from './own-folder.js';

const TEMPORARY_NAME = /^[0-9A-F]{40}\.(\d{1,10})\.copy$/;
/** What an interrupted copy on another machine left is removed after this long. */
const STALE_MS = 3_600_000;

/**
 * Makes the place for what is being written into a content folder, and clears it of what interrupted runs left there.
 *
 * @returns its path
 * @throws WsusutilError `READ_ONLY`, `DISK_FULL`, `WRITE_FAILED`
 */
export async function preparePartialFolder(contentFolder: string): Promise<string> {
  const folder = await makeOwnFolder(contentFolder, 'partial');
  try {
    for (const name of await readdir(folder)) {
      const pid = TEMPORARY_NAME.exec(name)?.[1];
      const path = join(folder, name);
      if (pid !== undefined && !(await isInUse(path, Number(pid)))) await rm(path, { force: true });
    }
  } catch (error) {
    throw writeError(error, folder);
  }
  return folder;
}

/** The name under which this process writes a file. */
export function temporaryNameOf(sha1: Sha1Hex): string {
  return `${sha1}.${process.pid}.copy`;
}

/** True while a process of this machine may be writing it, or one of another machine could be. */
async function isInUse(path: string, pid: number): Promise<boolean> {
  const facts = await lstat(path).catch(() => undefined);
  if (facts === undefined) return false;
  if (Date.now() - facts.mtimeMs > STALE_MS) return false;
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !errorText(error).includes('ESRCH');
  }
}
