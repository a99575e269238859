/** Puts content files out of a package into the content directory: verified while they are written, named when whole. */
import { type FileHandle, lstat, open, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ContentRunner } from '../content/content-runner.js';
import { stampOf } from '../content/content-tasks.js';
import { type ContentTree, openContentTree, type TreeFile } from '../content/content-tree.js';
import type { CopyJournal } from '../content/copy-journal.js';
import { folderOfDigest, pathOf } from '../content/layout.js';
import { makeRealFolder } from '../content/own-folder.js';
import { preparePartialFolder, temporaryNameOf } from '../content/partial-folder.js';
import { giveName } from '../content/publish-file.js';
import { WsusutilError } from '../errors.js';
import type { TransferEntry } from '../formats/transfer-package/manifest.js';
import { type FileStamp, sameStamp } from '../model/content-file.js';
import type { Sha1Hex } from '../model/digest.js';
import { syncDirectory, writeError } from '../platform/atomic-file.js';
import { WriteBehind, writeFully } from '../platform/write-behind.js';
import type { ContentIndex } from '../store/content-index.js';

/** Files that are written, synced or named while the next ones are read. */
const FILES_AT_ONCE = 32;
/** Of these, how many are synced: a sync keeps one of the four threads that also read and write. */
const SYNCS_AT_ONCE = 2;
/** Up to this size a file is read into memory, and written while the next one is read. */
const SMALL_SIZE = 512 * 1024;
/** Lines of the journal written at once. */
const NOTES_AT_ONCE = 64;

export interface ReceiverOptions {
  /** the folder that holds `00` … `FF`; there */
  readonly contentFolder: string;
  /** what the store knows of files here */
  readonly index: ContentIndex;
  /** of the content folder; the caller closes it */
  readonly journal: CopyJournal;
  readonly runner: ContentRunner;
}

/** An entry that lies in the content directory when it is there. */
export type ContentEntry = TransferEntry & { readonly sha1: Sha1Hex };

export function isContentEntry(entry: TransferEntry): entry is ContentEntry {
  return entry.sha1 !== undefined;
}

export class ContentReceiver {
  readonly #options: ReceiverOptions;
  readonly #tree: ContentTree;
  readonly #partialFolder: string;
  /** files found or put there, and as they were then */
  readonly stamps = new Map<Sha1Hex, FileStamp>();
  /** under two names in one package it is written once */
  readonly #begun = new Set<Sha1Hex>();
  readonly #running = new Set<Promise<void>>();
  readonly #syncs = new Gate(SYNCS_AT_ONCE);
  readonly #spare: Buffer[] = [];
  readonly #foldersToSync = new Set<string>();
  #unnoted: { readonly sha1: Sha1Hex; readonly stamp: FileStamp }[] = [];
  #failure: { readonly error: unknown } | undefined;
  #folder: { readonly number: number; readonly files: ReadonlyMap<Sha1Hex, TreeFile> } | undefined;
  /** written in this run */
  written = { files: 0, bytes: 0 };

  private constructor(options: ReceiverOptions, tree: ContentTree, partialFolder: string) {
    this.#options = options;
    this.#tree = tree;
    this.#partialFolder = partialFolder;
  }

  /** @throws WsusutilError `READ_FAILED`, `READ_ONLY`, `DISK_FULL`, `WRITE_FAILED` */
  static async open(options: ReceiverOptions): Promise<ContentReceiver> {
    const partialFolder = await preparePartialFolder(options.contentFolder);
    return new ContentReceiver(
      options,
      await openContentTree(options.contentFolder, options.runner),
      partialFolder,
    );
  }

  /**
   * Whether the file is here whole and right, going by what was found out about it when it was written or checked.
   *
   * @param isRead reads a file of which nothing is known
   * @throws WsusutilError `READ_FAILED`
   */
  async has(entry: ContentEntry, isRead: boolean): Promise<boolean> {
    if (this.stamps.has(entry.sha1) || this.#begun.has(entry.sha1)) return true;
    const file = await this.#find(entry.sha1);
    if (file === undefined || file.stamp.size !== entry.size) return false;
    const isKnown =
      this.#options.journal.knows(entry.sha1, file.stamp) ||
      sameStamp((await this.#recordOf(entry.sha1))?.stamp, file.stamp);
    if (isKnown || (isRead && (await this.#isRight(entry, file)))) {
      this.stamps.set(entry.sha1, file.stamp);
      return true;
    }
    return false;
  }

  /** Bytes of these files that are not here in the right size. */
  async countLacking(entries: Iterable<ContentEntry>): Promise<number> {
    return countLacking(this.#tree, entries);
  }

  /**
   * Writes a file.
   *
   * @param body ends with an error if it is not what the manifest says
   * @throws WsusutilError `DISK_FULL`, `READ_ONLY`, `WRITE_FAILED`, those of `body`
   */
  async write(entry: ContentEntry, body: AsyncIterable<Uint8Array>): Promise<void> {
    const temporary = join(this.#partialFolder, temporaryNameOf(entry.sha1));
    const place = await this.#placeOf(entry);
    if (entry.size <= SMALL_SIZE) {
      const buffer = this.#spare.pop() ?? Buffer.allocUnsafeSlow(SMALL_SIZE);
      const giveBack = () => this.#spare.push(buffer);
      const size = await fill(buffer, body).catch((error: unknown) => {
        giveBack();
        throw error;
      });
      const bytes = buffer.subarray(0, size);
      const written = () => create(temporary, (opened) => writeFully(opened, bytes, 0)).finally(giveBack);
      await this.#publish(entry, temporary, place, written);
      return;
    }
    const handle = await create(temporary, async (opened) => {
      const writing = new WriteBehind(opened);
      try {
        for await (const chunk of body) await writing.write(chunk);
        await writing.flush();
      } finally {
        await writing.settle();
      }
    });
    await this.#publish(entry, temporary, place, async () => handle);
  }

  /** Where the parts of a cut file are put together. @param name tells it from that of another package */
  assemblyPath(entry: ContentEntry, name: string): string {
    return join(this.#partialFolder, `${entry.sha1}.${name}.joining`);
  }

  /**
   * Takes over a file that was put together from parts.
   *
   * @throws WsusutilError `TRANSFER_MISMATCH` if it is not what the manifest says; it is removed then
   */
  async adopt(entry: ContentEntry, temporary: string): Promise<void> {
    const place = await this.#placeOf(entry);
    const [reading] = await this.#options.runner.read([{ path: temporary, size: entry.size }]);
    const isRight =
      reading?.outcome === 'read' && reading.sha1 === entry.sha1 && reading.sha256 === entry.sha256;
    if (!isRight) {
      await rm(temporary, { force: true });
      throw new WsusutilError(
        'TRANSFER_MISMATCH',
        `${entry.path} is not what the manifest says, though each of its parts is`,
        { hint: 'Import the package again; if it happens again, have it exported again.' },
      );
    }
    await this.#publish(entry, temporary, place, () => open(temporary, 'r+'));
  }

  /** Waits until all that was written has its name and is on the disk. */
  async finish(): Promise<void> {
    await Promise.all(this.#running);
    this.#throwFailure();
    await this.#note();
    for (const folder of this.#foldersToSync) await syncDirectory(folder);
    this.#foldersToSync.clear();
  }

  /** Leaves nothing half-done behind, whatever happened. Never throws. */
  async close(): Promise<void> {
    await Promise.all(this.#running);
    await this.#note();
  }

  /** Where the file is to lie: in the place of one of its name, if there is one. Asked before anything is made. */
  async #placeOf(entry: ContentEntry): Promise<string> {
    const { sha1, path } = entry;
    const known = await this.#find(sha1); // here, where files come folder by folder
    return known?.path ?? pathOf(this.#options.contentFolder, { sha1, fileName: basename(path) });
  }

  /** @param openWritten the file; it is closed here */
  async #publish(
    entry: ContentEntry,
    temporary: string,
    place: string,
    openWritten: () => Promise<FileHandle>,
  ): Promise<void> {
    this.#begun.add(entry.sha1);
    const task = this.#name(entry, temporary, place, openWritten)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#running.delete(task));
    this.#running.add(task);
    while (this.#running.size >= FILES_AT_ONCE) await Promise.race(this.#running);
    this.#throwFailure();
  }

  async #name(
    entry: ContentEntry,
    temporary: string,
    place: string,
    openWritten: () => Promise<FileHandle>,
  ): Promise<void> {
    const { sha1, size } = entry;
    const folder = dirname(place);
    try {
      const handle = await openWritten();
      try {
        await this.#syncs.pass(() => handle.sync());
      } finally {
        await handle.close();
      }
      if (!this.#foldersToSync.has(folder)) {
        await makeRealFolder(folder);
        this.#foldersToSync.add(folder);
      }
      await giveName(temporary, place);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {});
      throw writeError(error, place);
    }
    const stamp = stampOf(await lstat(place));
    this.stamps.set(sha1, stamp);
    this.written = { files: this.written.files + 1, bytes: this.written.bytes + size };
    this.#unnoted.push({ sha1, stamp });
    if (this.#unnoted.length >= NOTES_AT_ONCE) await this.#note();
  }

  /** So that another run need not read the files again. */
  async #note(): Promise<void> {
    const notes = this.#unnoted;
    this.#unnoted = [];
    if (notes.length > 0) await this.#options.journal.add(notes);
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #find(sha1: Sha1Hex): Promise<TreeFile | undefined> {
    const number = folderOfDigest(sha1);
    // Entries come folder by folder.
    if (this.#folder?.number !== number) {
      this.#folder = { number, files: (await this.#tree.readFolder(number)).files };
    }
    return this.#folder.files.get(sha1);
  }

  async #recordOf(sha1: Sha1Hex) {
    const record = (await this.#options.index.find([sha1])).get(sha1)?.record;
    return record?.state === 'verified' ? record : undefined;
  }

  async #isRight(entry: ContentEntry, file: TreeFile): Promise<boolean> {
    const [reading] = await this.#options.runner.read([{ path: file.path, size: entry.size }]);
    return reading?.outcome === 'read' && reading.sha1 === entry.sha1 && reading.sha256 === entry.sha256;
  }
}

/** Bytes of these files that are not in the tree in the right size. @param tree undefined: there is none */
export async function countLacking(
  tree: ContentTree | undefined,
  entries: Iterable<ContentEntry>,
): Promise<number> {
  let bytes = 0;
  let folder: { readonly number: number; readonly files: ReadonlyMap<Sha1Hex, TreeFile> } | undefined;
  for (const { sha1, size } of entries) {
    const number = folderOfDigest(sha1);
    // Entries come folder by folder.
    if (tree !== undefined && folder?.number !== number) {
      folder = { number, files: (await tree.readFolder(number)).files };
    }
    if (folder?.files.get(sha1)?.stamp.size !== size) bytes += size;
  }
  return bytes;
}

/**
 * Makes a file and writes it; it is not there if that fails.
 *
 * @throws WsusutilError `DISK_FULL`, `READ_ONLY`, `WRITE_FAILED`, those of `write`
 */
async function create(path: string, write: (handle: FileHandle) => Promise<void>): Promise<FileHandle> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'wx', 0o644);
    await write(handle);
    return handle;
  } catch (error) {
    await handle?.close().catch(() => {});
    if (handle !== undefined) await rm(path, { force: true }).catch(() => {});
    throw writeError(error, path);
  }
}

/** @param body of no more bytes than there is room for @returns how many came */
async function fill(buffer: Buffer, body: AsyncIterable<Uint8Array>): Promise<number> {
  let filled = 0;
  for await (const chunk of body) {
    buffer.set(chunk, filled);
    filled += chunk.length;
  }
  return filled;
}

/** Lets so many pieces of work run at once. */
class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(places: number) {
    this.#free = places;
  }

  async pass(work: () => Promise<void>): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((go) => this.#waiting.push(go));
    try {
      await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
