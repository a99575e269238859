/**
 * `/Content/<LL>/<SHA-1><extension>` (server-sync-protocol 16.1): which file that is, and its bytes. Only files that a check
 * found right are served, and only while they are as they were then.
 */
import type { Stats } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { stampOf } from '../content/content-tasks.js';
import { folderName, folderOfDigest, pathOf, sha1Of } from '../content/layout.js';
import { sameStamp } from '../model/content-file.js';
import type { Sha1Hex } from '../model/digest.js';
import type { ServedFile, ServeView } from '../store/serve-view.js';

const CONTENT_PATH = /^\/content\/([0-9a-f]{2})\/([0-9a-f]{40})(?:\.[a-z0-9_-]{0,64})?$/;
/** Files whose facts are kept; ranges of one file come by the thousand. */
const MAX_KNOWN_FILES = 2_000;

export interface OpenedFile {
  readonly handle: FileHandle;
  readonly size: number;
  readonly modifiedAt: number;
  /** with its quotes: the digest itself */
  readonly etag: string;
}

/**
 * - `unknown`: no revision calls for such a file; `absent`: it was never found right, or is gone
 * - `changed`: it is there, but not as it was when it was found right
 */
export type FileRefusal = 'unknown' | 'absent' | 'changed';

/** @param path lower case, percent signs decoded, slashes single */
export function contentDigestOf(path: string): Sha1Hex | undefined {
  const match = CONTENT_PATH.exec(path);
  if (match === null) return undefined;
  const sha1 = match[2] as string;
  return sha1.slice(-2) === match[1] ? sha1.toUpperCase() : undefined;
}

export class ContentFiles {
  readonly #folder: string;
  readonly #view: ServeView;
  readonly #known = new Map<Sha1Hex, ServedFile>();
  #version: number | undefined;

  /** @param contentFolder the folder that holds `00` … `FF` */
  constructor(contentFolder: string, view: ServeView) {
    this.#folder = contentFolder;
    this.#view = view;
  }

  /** The caller closes the handle. */
  async open(sha1: Sha1Hex): Promise<OpenedFile | FileRefusal> {
    const file = await this.#find(sha1);
    if (file === undefined) return 'unknown';
    if (file.verifiedStamp === undefined) return 'absent';
    const handle = await this.#openFile(sha1, file.fileName);
    if (handle === undefined) return 'absent';
    let facts: Stats;
    try {
      facts = await handle.stat();
    } catch (error) {
      await handle.close();
      throw error;
    }
    if (!facts.isFile() || !sameStamp(file.verifiedStamp, stampOf(facts))) {
      await handle.close();
      return 'changed';
    }
    return { handle, size: facts.size, modifiedAt: facts.mtimeMs, etag: `"${sha1.toLowerCase()}"` };
  }

  async #find(sha1: Sha1Hex): Promise<ServedFile | undefined> {
    const version = this.#view.version();
    if (version !== this.#version) {
      this.#known.clear();
      this.#version = version;
    }
    const known = this.#known.get(sha1);
    if (known !== undefined) return known;
    const found = (await this.#view.findFiles([sha1])).get(sha1);
    if (found !== undefined) {
      if (this.#known.size >= MAX_KNOWN_FILES) this.#known.clear();
      this.#known.set(sha1, found);
    }
    return found;
  }

  /** Under the name it should have, or under any spelling that content folders come in (content/layout.ts). */
  async #openFile(sha1: Sha1Hex, fileName: string): Promise<FileHandle | undefined> {
    const usual = await openIfThere(pathOf(this.#folder, { sha1, fileName }));
    if (usual !== undefined) return usual;
    const folder = folderName(folderOfDigest(sha1));
    for (const name of new Set([
      folder,
      folder.toLowerCase(),
      folder.replace(/^0/, ''),
      folder.replace(/^0/, '').toLowerCase(),
    ])) {
      const path = join(this.#folder, name);
      const entries = await readdir(path).catch(() => []);
      for (const entry of entries) {
        if (sha1Of(entry) !== sha1) continue;
        const found = await openIfThere(join(path, entry));
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }
}

const NOT_THERE: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP']);

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && NOT_THERE.has(error.code)) return undefined;
    throw error;
  }
}
