import { existsSync } from 'node:fs';
import { WsusutilError } from '../errors.js';
import { makeDirectory } from '../platform/make-directory.js';
import { isDirectory } from '../platform/paths.js';

/**
 * Creates the data directory if it is not there.
 *
 * @returns true when it was created
 * @throws WsusutilError `READ_ONLY`, `DISK_FULL`, `WRITE_FAILED`
 */
export function createDataDirectory(path: string): boolean {
  if (existsSync(path) && !isDirectory(path)) {
    throw new WsusutilError('WRITE_FAILED', `The data directory ${path} is not a folder`, {
      hint: 'Name another one with --data-dir or WSUSUTIL_HOME.',
    });
  }
  return makeDirectory(path);
}
