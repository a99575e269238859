/**
 * What content commands do on other threads: list folders, and read files through both hashes at once. Calls of the
 * file system are synchronous here: that is twice as fast for many small files, and nobody else waits on the thread.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  type Stats,
} from 'node:fs';
import { join } from 'node:path';
import { errorText } from '../errors.js';
import type { FileStamp } from '../model/content-file.js';
import type { Sha1Hex, Sha256Hex } from '../model/digest.js';

/** Read at once: both hashes find it in the processor's cache. */
const READ_SIZE = 256 * 1024;
/** More entries than any folder of a real server holds; a folder with more is refused rather than kept in memory. */
export const MAX_FOLDER_ENTRIES = 1_000_000;

export type EntryKind = 'file' | 'folder' | 'link' | 'special' | 'unreadable';

/** What lies in a folder. Links are told, never followed. */
export interface FolderListing {
  readonly names: readonly string[];
  readonly kinds: readonly EntryKind[];
  /** one per name; zero where it is no file */
  readonly sizes: Float64Array;
  readonly modified: Float64Array;
  readonly fileIds: Float64Array;
}

/** A file read to its end, or why not. */
export type FileReading =
  | {
      readonly outcome: 'read';
      readonly sha1: Sha1Hex;
      readonly sha256: Sha256Hex;
      readonly stamp: FileStamp;
    }
  /** its size is not the expected one, so it was not read */
  | { readonly outcome: 'size'; readonly stamp: FileStamp }
  /** it was changed while it was read */
  | { readonly outcome: 'changed'; readonly stamp: FileStamp }
  | { readonly outcome: 'not-a-file' }
  | { readonly outcome: 'missing' }
  | { readonly outcome: 'unreadable'; readonly reason: string };

export interface FileToRead {
  readonly path: string;
  /** bytes; undefined: any */
  readonly size: number | undefined;
}

export type ContentTask =
  | { readonly type: 'list'; readonly folder: string }
  | {
      readonly type: 'read';
      readonly files: readonly FileToRead[];
      /** shared: [bytes read so far by all tasks, not 0 to stop] */
      readonly control: BigInt64Array;
    };

export type ContentTaskResult =
  | { readonly type: 'list'; readonly listing: FolderListing | { readonly reason: string } }
  | { readonly type: 'read'; readonly readings: readonly FileReading[] };

export const CONTROL_BYTES = 0;
export const CONTROL_STOP = 1;

export function performContentTask(task: ContentTask): ContentTaskResult {
  if (task.type === 'list') return { type: 'list', listing: listFolder(task.folder) };
  return { type: 'read', readings: task.files.map((file) => readFile(file, task.control)) };
}

function listFolder(folder: string): FolderListing | { reason: string } {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    return { reason: errorText(error) };
  }
  if (names.length > MAX_FOLDER_ENTRIES) {
    return { reason: `it holds ${names.length} entries, more than ${MAX_FOLDER_ENTRIES}` };
  }
  const kinds: EntryKind[] = [];
  const sizes = new Float64Array(names.length);
  const modified = new Float64Array(names.length);
  const fileIds = new Float64Array(names.length);
  for (const [index, name] of names.entries()) {
    let facts: Stats;
    try {
      facts = lstatSync(join(folder, name));
    } catch {
      kinds.push('unreadable');
      continue;
    }
    kinds.push(kindOf(facts));
    sizes[index] = facts.size;
    modified[index] = facts.mtimeMs;
    fileIds[index] = facts.ino;
  }
  return { names, kinds, sizes, modified, fileIds };
}

function kindOf(facts: Stats): EntryKind {
  if (facts.isFile()) return 'file';
  if (facts.isDirectory()) return 'folder';
  return facts.isSymbolicLink() ? 'link' : 'special';
}

let buffer: Buffer | undefined;

/** Reads a file once, through SHA-1 and SHA-256. */
export function readFile({ path, size }: FileToRead, control: BigInt64Array): FileReading {
  let descriptor: number;
  try {
    // Neither a link is followed nor is a pipe waited for; Windows knows neither flag.
    const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
    descriptor = openSync(path, flags);
  } catch (error) {
    return unreadable(error);
  }
  try {
    const before = fstatSync(descriptor);
    if (!before.isFile()) return { outcome: 'not-a-file' };
    if (size !== undefined && before.size !== size) return { outcome: 'size', stamp: stampOf(before) };
    const sha1 = createHash('sha1');
    const sha256 = createHash('sha256');
    buffer ??= Buffer.allocUnsafeSlow(READ_SIZE);
    for (;;) {
      if (Atomics.load(control, CONTROL_STOP) !== 0n) {
        return { outcome: 'unreadable', reason: 'the check was interrupted' };
      }
      const length = readSync(descriptor, buffer, 0, READ_SIZE, null);
      if (length === 0) break;
      const bytes = buffer.subarray(0, length);
      sha1.update(bytes);
      sha256.update(bytes);
      Atomics.add(control, CONTROL_BYTES, BigInt(length));
    }
    const after = fstatSync(descriptor);
    const stamp = stampOf(after);
    if (after.size !== before.size || after.mtimeMs !== before.mtimeMs) return { outcome: 'changed', stamp };
    return {
      outcome: 'read',
      sha1: sha1.digest('hex').toUpperCase(),
      sha256: sha256.digest('hex').toUpperCase(),
      stamp,
    };
  } catch (error) {
    return unreadable(error);
  } finally {
    closeSync(descriptor);
  }
}

export function stampOf(facts: Stats): FileStamp {
  return { size: facts.size, modifiedAt: facts.mtimeMs, fileId: String(facts.ino) };
}

function unreadable(error: unknown): FileReading {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  if (code === 'ENOENT') return { outcome: 'missing' };
  if (code === 'ELOOP' || code === 'ENXIO' || code === 'EISDIR') return { outcome: 'not-a-file' };
  return { outcome: 'unreadable', reason: errorText(error) };
}
