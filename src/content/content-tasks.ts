/**
 * What content commands do on other threads: list folders, and read files through both hashes at once. Calls of the
 * file system are synchronous here: that is twice as fast for many small files, and nobody else waits on the thread.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  futimesSync,
  linkSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  type Stats,
  writeSync,
} from 'node:fs';
import { join, sep } from 'node:path';
import { errorText } from '../errors.js';
import { type FileStamp, formatStamp } from '../model/content-file.js';
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
  | { readonly type: 'summarize'; readonly folder: string; readonly name: string }
  | {
      readonly type: 'read';
      readonly files: readonly FileToRead[];
      /** shared: [bytes read so far by all tasks, not 0 to stop] */
      readonly control: BigInt64Array;
    }
  | { readonly type: 'copy'; readonly files: readonly FileToCopy[]; readonly control: BigInt64Array };

export interface FileToCopy {
  readonly source: string;
  /** where the copy is written; must not be there */
  readonly temporary: string;
  /** bytes */
  readonly size: number;
  readonly sha1: Sha1Hex;
  readonly sha256: Sha256Hex | undefined;
  /** whether the copy may share its blocks, or itself, with the source */
  readonly mayLink: boolean;
}

/** A copy that is whole and right but neither synced nor under its name yet, or why there is none. */
export type FileCopy =
  | { readonly outcome: 'copied'; readonly how: 'bytes' | 'reflink' | 'hard link' }
  /** the source is not the file; nothing was left */
  | { readonly outcome: 'wrong'; readonly reading: FileReading }
  /** writing failed; nothing was left */
  | { readonly outcome: 'failed'; readonly code: string; readonly reason: string };

export type ContentTaskResult =
  | { readonly type: 'copy'; readonly copies: readonly FileCopy[] }
  | { readonly type: 'summarize'; readonly listing: string | undefined }
  | { readonly type: 'list'; readonly listing: FolderListing | { readonly reason: string } }
  | { readonly type: 'read'; readonly readings: readonly FileReading[] };

export const CONTROL_BYTES = 0;
export const CONTROL_STOP = 1;

export function performContentTask(task: ContentTask): ContentTaskResult {
  if (task.type === 'list') return { type: 'list', listing: listFolder(task.folder) };
  if (task.type === 'summarize')
    return { type: 'summarize', listing: summarizeFolder(task.folder, task.name) };
  if (task.type === 'copy') {
    return { type: 'copy', copies: task.files.map((file) => copyFile(file, task.control)) };
  }
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

const RIGHT_NAME = /^[0-9A-F]{40}(?:\.[^.]*)?$/;

/**
 * `<SHA-1> <stamp>` of each file of a folder, in order of SHA-1, a line each; undefined if it holds anything but files
 * of the layout, spelt right. One text costs far less to hand over than a list of names and numbers.
 *
 * @param name the folder's, two hex digits
 */
function summarizeFolder(folder: string, name: string): string | undefined {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? '' : undefined;
  }
  const lines: string[] = [];
  let last = '';
  for (const each of names) {
    const sha1 = each.slice(0, 40);
    if (!RIGHT_NAME.test(each) || sha1.slice(38) !== name || sha1 === last) return undefined;
    last = sha1;
    let facts: Stats;
    try {
      facts = lstatSync(`${folder}${sep}${each}`);
    } catch {
      return undefined;
    }
    if (!facts.isFile()) return undefined;
    lines.push(`${sha1} ${formatStamp(stampOf(facts))}`);
  }
  return lines.join('\n');
}

function kindOf(facts: Stats): EntryKind {
  if (facts.isFile()) return 'file';
  if (facts.isDirectory()) return 'folder';
  return facts.isSymbolicLink() ? 'link' : 'special';
}

let buffer: Buffer | undefined;

/** Reads a file once, through SHA-1 and SHA-256. */
function readFile({ path, size }: FileToRead, control: BigInt64Array): FileReading {
  return readThrough(path, size, control, () => {});
}

/** @param take is handed every piece, in order; what it throws ends the reading */
function readThrough(
  path: string,
  size: number | undefined,
  control: BigInt64Array,
  take: (bytes: Uint8Array) => void,
): FileReading {
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
        return { outcome: 'unreadable', reason: 'the work was interrupted' };
      }
      const length = readSync(descriptor, buffer, 0, READ_SIZE, null);
      if (length === 0) break;
      const bytes = buffer.subarray(0, length);
      sha1.update(bytes);
      sha256.update(bytes);
      take(bytes);
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
    if (error instanceof WriteFailure) throw error;
    return unreadable(error);
  } finally {
    closeSync(descriptor);
  }
}

class WriteFailure extends Error {}

/** Writes a copy while the source is read once, or links it when the bytes that were read are right. */
function copyFile(file: FileToCopy, control: BigInt64Array): FileCopy {
  const { source, temporary, mayLink } = file;
  const linked = mayLink ? tryReflink(source, temporary) : undefined;
  let descriptor: number | undefined;
  let isWhole = false;
  try {
    // A clone is read itself: what was cloned is what must be right.
    if (linked === undefined && !mayLink) descriptor = openSync(temporary, 'wx', 0o644);
    const target = descriptor;
    const reading = readThrough(
      linked === undefined ? source : temporary,
      file.size,
      control,
      target === undefined ? () => {} : (bytes) => writeFully(target, bytes),
    );
    if (reading.outcome !== 'read' || reading.sha1 !== file.sha1) return { outcome: 'wrong', reading };
    if (file.sha256 !== undefined && reading.sha256 !== file.sha256) return { outcome: 'wrong', reading };
    if (linked === undefined && mayLink && !tryHardLink(source, temporary, reading.stamp)) {
      return copyFile({ ...file, mayLink: false }, control);
    }
    isWhole = true;
    if (descriptor !== undefined) {
      // The time is that of the source, so that what compares times sees no news.
      futimesSync(descriptor, new Date(), new Date(reading.stamp.modifiedAt));
    }
    return { outcome: 'copied', how: linked ?? (mayLink ? 'hard link' : 'bytes') };
  } catch (error) {
    const cause = error instanceof WriteFailure ? error.cause : error;
    isWhole = false;
    return { outcome: 'failed', code: codeOf(cause), reason: errorText(cause) };
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
    if (!isWhole && (descriptor !== undefined || linked !== undefined)) rmSync(temporary, { force: true });
  }
}

function writeFully(descriptor: number, bytes: Uint8Array): void {
  try {
    for (let written = 0; written < bytes.length; ) {
      written += writeSync(descriptor, bytes, written, bytes.length - written);
    }
  } catch (error) {
    throw new WriteFailure('writing failed', { cause: error });
  }
}

/** Shares the blocks with the source, where the file system can. */
function tryReflink(source: string, target: string): 'reflink' | undefined {
  try {
    if (!lstatSync(source).isFile()) return undefined;
    copyFileSync(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
    return 'reflink';
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') rmSync(target, { force: true });
    return undefined;
  }
}

/** @param stamp of the file that was read: another one must not be linked in its place */
function tryHardLink(source: string, target: string, stamp: FileStamp): boolean {
  try {
    linkSync(source, target);
  } catch {
    return false;
  }
  const found = stampOf(lstatSync(target));
  if (found.fileId === stamp.fileId && found.size === stamp.size && found.modifiedAt === stamp.modifiedAt)
    return true;
  rmSync(target, { force: true });
  return false;
}

export function stampOf(facts: Stats): FileStamp {
  return { size: facts.size, modifiedAt: facts.mtimeMs, fileId: String(facts.ino) };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function unreadable(error: unknown): FileReading {
  const code = codeOf(error);
  if (code === 'ENOENT') return { outcome: 'missing' };
  if (code === 'ELOOP' || code === 'ENXIO' || code === 'EISDIR') return { outcome: 'not-a-file' };
  return { outcome: 'unreadable', reason: errorText(error) };
}
