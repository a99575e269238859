import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { WsusutilError } from '../errors.js';
import { writeError } from './atomic-file.js';
import { isDirectory } from './paths.js';

/**
 * Creates a folder and those above it. Node's own `recursive: true` never returns where the system answers ENOENT
 * for a folder whose parent exists, as in `/proc` (seen with Node 20.20).
 *
 * @returns true when the folder was not there before
 * @throws WsusutilError `READ_ONLY`, `DISK_FULL`, `WRITE_FAILED`
 */
export function makeDirectory(path: string): boolean {
  const missing: string[] = [];
  for (let folder = path; !isDirectory(folder); folder = dirname(folder)) {
    missing.push(folder);
    if (dirname(folder) === folder) break;
  }
  for (const folder of missing.reverse()) {
    try {
      mkdirSync(folder);
    } catch (error) {
      if (isDirectory(folder)) continue; // another process was quicker
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'EEXIST') throw writeError(error, folder);
      throw refusal(folder, path, code, error);
    }
  }
  return missing.length > 0;
}

/** @param folder the part of `path` that could not be made */
function refusal(folder: string, path: string, code: string, cause: unknown): WsusutilError {
  if (code === 'EEXIST') {
    return new WsusutilError('WRITE_FAILED', `Cannot create the folder ${path}: ${folder} is a file`, {
      hint: 'Name another folder, or move that file away.',
      cause,
    });
  }
  return new WsusutilError(
    'WRITE_FAILED',
    `Cannot create the folder ${path}: the system makes no folder in ${dirname(folder)} (${code})`,
    { hint: 'Name a folder on a disk; folders of the system itself, such as /proc, hold no others.', cause },
  );
}
