import { chmod, lstat, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeError } from '../platform/atomic-file.js';
import { makeRealFolder } from './own-folder.js';

/**
 * Gives a written file its name: synced first, replacing what had the name. The caller syncs the folder, once for all
 * files of it.
 *
 * @throws WsusutilError `DISK_FULL`, `READ_ONLY`, `WRITE_FAILED`
 */
export async function publishFile(temporary: string, path: string): Promise<void> {
  try {
    const handle = await open(temporary, 'r+').catch(() => open(temporary, 'r')); // a hard link may be read-only
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    await makeRealFolder(dirname(path));
    await giveName(temporary, path);
  } catch (error) {
    throw writeError(error, path);
  }
}

/** Puts a synced file in the place of whatever had the name. */
export async function giveName(temporary: string, path: string): Promise<void> {
  await rename(temporary, path).catch(async (error: unknown) => {
    // Windows puts nothing in the place of a read-only file.
    if (process.platform !== 'win32' || !(await lstat(path)).isFile()) throw error;
    await chmod(path, 0o666);
    await rename(temporary, path);
  });
}
