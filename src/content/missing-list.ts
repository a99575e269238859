/**
 * The list a disconnected server hands to the connected side: content files its metadata calls for and that it does
 * not have whole. JSON, so that other tools can read it too:
 *
 *     { "kind": "wsusutil-missing-content", "formatVersion": 1, "createdAt": …, "serverId": …, "contentDirectory": …,
 *       "files": [
 *     { "sha1": "…40 hex", "sha256": "…64 hex", "size": 1234, "fileName": "…", "kind": "payload|express|licence",
 *       "path": "7A/….exe", "problem": "absent|lost|short|…", "url": "http://…", "neededBy": ["<id>:<rev> <title>"] },
 *       … ],
 *       "fileCount": 1, "bytes": 1234 }
 */
import { access, constants, open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { WsusutilError } from '../errors.js';
import { type ContentFileKind, contentPath, type WantedFile } from '../model/content-file.js';
import { createAtomicFile, writeError } from '../platform/atomic-file.js';
import { openFileSource } from '../platform/file-source.js';
import { folderOfDigest } from './layout.js';

const KIND = 'wsusutil-missing-content';
const FORMAT_VERSION = 1;
/** A million files; a longer list was not written by this program. */
const MAX_LIST_SIZE = 512 << 20;
const MAX_LISTED_FILES = 1_000_000;
const KINDS: ReadonlySet<string> = new Set(['payload', 'express', 'licence']);
const SHA1 = /^[0-9A-F]{40}$/;
const SHA256 = /^[0-9A-F]{64}$/;

/** A file that is missing, as the list tells it. */
export interface ListedFile extends Pick<WantedFile, 'sha1' | 'sha256' | 'size' | 'fileName' | 'kind'> {
  readonly url: string | undefined;
}

export interface MissingFile extends ListedFile {
  readonly problem: string;
  /** the first revisions that need it, as `<id>:<revision> <title>` */
  readonly neededBy: readonly string[];
}

export interface MissingListFacts {
  readonly createdAt: Date;
  readonly serverId: string;
  readonly contentDirectory: string;
}

/**
 * Refuses a path that a list cannot be written to, before hours are spent on finding out what to write. An older list
 * is replaced; nothing else is.
 *
 * @throws WsusutilError `TARGET_EXISTS` if something else has the name, `READ_ONLY`, `WRITE_FAILED`
 */
export async function checkListTarget(path: string): Promise<void> {
  const facts = await stat(path).catch(() => undefined);
  if (facts?.isDirectory() === true) {
    throw new WsusutilError('WRITE_FAILED', `${path} is a folder; the list is a file`, {
      hint: `Name a file in it, e.g. ${join(path, 'need.json')}.`,
    });
  }
  if (facts !== undefined && !(facts.isFile() && (await isListOrEmpty(path, facts.size)))) {
    throw new WsusutilError('TARGET_EXISTS', `${path} is there and is no list of missing content`, {
      hint: 'Choose a new name; only an older list is replaced.',
    });
  }
  try {
    const folder = dirname(path);
    if (!(await stat(folder)).isDirectory()) throw Object.assign(new Error(folder), { code: 'ENOTDIR' });
    await access(folder, constants.W_OK);
  } catch (error) {
    throw writeError(error, path);
  }
}

async function isListOrEmpty(path: string, size: number): Promise<boolean> {
  if (size === 0) return true;
  const start = Buffer.from(JSON.stringify({ kind: KIND }).slice(0, -1));
  const handle = await open(path, 'r').catch(() => undefined);
  if (handle === undefined) return false;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(start.length), 0, start.length, 0);
    return bytesRead === start.length && buffer.equals(start);
  } finally {
    await handle.close();
  }
}

/**
 * Writes the list, replacing an older one of that name.
 *
 * @returns how many files it names, and their bytes
 * @throws WsusutilError `DISK_FULL`, `READ_ONLY`, `WRITE_FAILED`
 */
export async function writeMissingList(
  path: string,
  files: AsyncIterable<readonly MissingFile[]>,
  facts: MissingListFacts,
): Promise<{ readonly files: number; readonly bytes: number }> {
  const target = await createAtomicFile(path, { replace: true });
  try {
    const head = JSON.stringify({
      kind: KIND,
      formatVersion: FORMAT_VERSION,
      createdAt: facts.createdAt.toISOString(),
      serverId: facts.serverId,
      contentDirectory: facts.contentDirectory,
    });
    let count = 0;
    let bytes = 0;
    await target.write(Buffer.from(`${head.slice(0, -1)},"files":[`));
    for await (const batch of files) {
      const lines = batch.map((file, index) => {
        bytes += file.size;
        return `${count + index === 0 ? '\n' : ',\n'}${JSON.stringify({ ...file, path: contentPath(file.sha1, file.fileName) })}`;
      });
      count += batch.length;
      await target.write(Buffer.from(lines.join('')));
    }
    await target.write(Buffer.from(`\n],"fileCount":${count},"bytes":${bytes}}\n`));
    await target.commit();
    return { files: count, bytes };
  } catch (error) {
    await target.discard();
    throw error;
  }
}

/**
 * @throws WsusutilError `INPUT_NOT_FOUND`, `READ_FAILED`, `LIST_MALFORMED`, `LIMIT_EXCEEDED`
 */
export async function readMissingList(path: string): Promise<readonly ListedFile[]> {
  const source = await openFileSource(path);
  let text: string;
  try {
    if (source.size > MAX_LIST_SIZE) {
      throw new WsusutilError(
        'LIMIT_EXCEEDED',
        `${path} is ${source.size} bytes long, at most ${MAX_LIST_SIZE} are read`,
        {
          hint: 'Name a list that "wsusutil reset --missing-list" wrote.',
        },
      );
    }
    text = Buffer.from(await source.read(0, source.size)).toString('utf8');
  } finally {
    await source.close();
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed(path, 'it is not JSON, or cut off');
  }
  if (!isObject(value) || value.kind !== KIND) throw malformed(path, `it does not say "kind": "${KIND}"`);
  if (value.formatVersion !== FORMAT_VERSION) {
    throw malformed(
      path,
      `its formatVersion is ${JSON.stringify(value.formatVersion)}, expected ${FORMAT_VERSION}`,
    );
  }
  const { files } = value;
  if (!Array.isArray(files)) throw malformed(path, 'it has no list "files"');
  if (files.length > MAX_LISTED_FILES) {
    throw new WsusutilError(
      'LIMIT_EXCEEDED',
      `${path} names ${files.length} files, at most ${MAX_LISTED_FILES} are read`,
    );
  }
  return files.map((file: unknown, index) => {
    const listed = listedFileOf(file);
    if (listed === undefined) throw malformed(path, `entry ${index + 1} of "files" is not a content file`);
    return listed;
  });
}

function listedFileOf(value: unknown): ListedFile | undefined {
  if (!isObject(value)) return undefined;
  const { sha1, sha256, size, fileName, kind, url } = value;
  if (typeof sha1 !== 'string' || !SHA1.test(sha1)) return undefined;
  if (sha256 !== undefined && (typeof sha256 !== 'string' || !SHA256.test(sha256))) return undefined;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined;
  if (typeof fileName !== 'string' || typeof kind !== 'string' || !KINDS.has(kind)) return undefined;
  if (url !== undefined && typeof url !== 'string') return undefined;
  return { sha1, sha256, size, fileName, kind: kind as ContentFileKind, url };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(path: string, what: string): WsusutilError {
  return new WsusutilError('LIST_MALFORMED', `${path} is not a list of missing content: ${what}`, {
    hint: 'Name a list that "wsusutil reset --missing-list" wrote.',
  });
}

/** A list as what is to be copied, in the order of the content directory's folders; a file named twice counts once. */
export function wantedOf(files: readonly ListedFile[]): {
  readonly totals: { readonly files: number; readonly bytes: number };
  page(folder: number, after: string | undefined): Promise<readonly ListedFile[]>;
} {
  const folders = new Map<number, Map<string, ListedFile>>();
  const totals = { files: 0, bytes: 0 };
  for (const file of files) {
    const folder = folderOfDigest(file.sha1);
    const there = folders.get(folder) ?? new Map<string, ListedFile>();
    folders.set(folder, there);
    if (there.has(file.sha1)) continue;
    there.set(file.sha1, file);
    totals.files++;
    totals.bytes += file.size;
  }
  return {
    totals,
    page: async (folder, after) => (after === undefined ? [...(folders.get(folder)?.values() ?? [])] : []),
  };
}
