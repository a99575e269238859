/**
 * Update documents made ready on disk: to deflate a document costs twenty times what sending it does, and every downstream
 * asks for the same ones. One folder, `serve-cache` of the data directory; it may be deleted at any time. In it files
 * that are written once, under a temporary name, and never changed:
 *
 *     prepared-<random>.bin
 *         magic `WSUSDOC1` 8 bytes, server GUID 16, number of items 4, size of the index 4, SHA-256 of the index 32
 *         index: for each item update id 16, revision number 4, revision key 4, check 4, size 4, number of files 2,
 *         2 bytes of 0, SHA-1 of each file 20
 *         items one after another: a `ServerSyncUpdateData` element each, as it is sent
 *
 * Integers are big-endian. `check` is the beginning of the document's SHA-256: a store that was put back from a backup may
 * have given a key to another revision. Several servers over one data directory may write at the same time; what both
 * have made is used once.
 */
import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isWsusutilError } from '../errors.js';
import type { Sha1Hex } from '../model/digest.js';
import {
  formatIdentity,
  type UpdateIdentity,
  updateIdFromBytes,
  updateIdToBytes,
} from '../model/update-identity.js';
import { createAtomicFile } from '../platform/atomic-file.js';
import { makeDirectory } from '../platform/make-directory.js';
import type { RevisionKey } from '../store/metadata-store.js';

const MAGIC = Buffer.from('WSUSDOC1', 'latin1');
const HEAD_SIZE = 64;
const RECORD_SIZE = 36;
const SHA1_SIZE = 20;
const FILE_NAME = /^prepared-[0-9a-f]{16}\.bin$/;
/** bytes of an index that is read: a million items with some files each */
const MAX_INDEX_SIZE = 256 * 1024 * 1024;
/** Files that are opened; when there are more, all are made anew as a few large ones. */
const MAX_FILES = 512;
/** bytes of items in one file, about */
const FILE_SIZE = 32 * 1024 * 1024;
/** Items that lie closer together than this are read at once. */
const MAX_GAP = 16 * 1024;
const MAX_READ = 1024 * 1024;
/** Reads from one file after which it is worth its memory. */
const READS_UNTIL_KEPT = 16;
/** bytes of files that are kept in memory as a whole, together */
export const DEFAULT_KEPT_SIZE = 96 * 1024 * 1024;

export interface PreparedItem {
  readonly identity: UpdateIdentity;
  readonly key: RevisionKey;
  readonly check: number;
  readonly fileSha1s: readonly Sha1Hex[];
  readonly bytes: Uint8Array;
}

/** An item in memory, without an object of its own: a pull asks for tens of thousands. */
export interface KeptItem {
  readonly file: { readonly bytes: Buffer };
  /** bytes, in `file` */
  readonly offset: number;
  readonly size: number;
  readonly fileSha1s: readonly Sha1Hex[];
}

interface OpenedFile {
  readonly handle: FileHandle;
  readonly size: number;
  readCount: number;
  /** the whole file, once it is asked for often */
  bytes: Buffer | undefined;
}

interface Place {
  readonly key: RevisionKey;
  readonly check: number;
  readonly file: OpenedFile;
  readonly offset: number;
  readonly size: number;
  readonly fileSha1s: readonly Sha1Hex[];
}

/** What was read; the bytes are good until `release`. */
export interface ReadItem {
  readonly bytes: Uint8Array;
  readonly fileSha1s: readonly Sha1Hex[];
}

const NO_FILES: readonly Sha1Hex[] = [];

export class PreparedDocuments {
  readonly #folder: string;
  readonly #serverId: string;
  /** by identity */
  readonly #places = new Map<string, Place>();
  readonly #files: OpenedFile[] = [];
  readonly #maxKeptSize: number;
  #keptSize = 0;
  #newestKey: RevisionKey = 0;
  readonly #keeping = new Set<Promise<void>>();
  #isClosed = false;
  /** for reading; used again and again */
  readonly #buffers: Buffer[] = [];

  private constructor(folder: string, serverId: string, maxKeptSize: number) {
    this.#folder = folder;
    this.#serverId = serverId;
    this.#maxKeptSize = maxKeptSize;
  }

  /**
   * @param checks of every revision in the store
   * @param maxKeptSize bytes of files that are kept in memory
   * @returns undefined where the folder cannot be made or read: a server does without
   */
  static async open(
    folder: string,
    serverId: string,
    checks: ReadonlyMap<RevisionKey, number>,
    maxKeptSize = DEFAULT_KEPT_SIZE,
  ): Promise<PreparedDocuments | undefined> {
    const prepared = new PreparedDocuments(folder, serverId, maxKeptSize);
    try {
      makeDirectory(folder);
      const names = (await readdir(folder)).filter((name) => FILE_NAME.test(name));
      if (names.length > MAX_FILES) {
        for (const name of names) await rm(join(folder, name), { force: true });
      } else {
        for (const name of names) await prepared.#load(join(folder, name), checks);
      }
      return prepared;
    } catch (error) {
      await prepared.close();
      if (isWsusutilError(error) || (error instanceof Error && 'code' in error)) return undefined;
      throw error;
    }
  }

  get count(): number {
    return this.#places.size;
  }

  /** bytes of files that are kept in memory */
  get keptSize(): number {
    return this.#keptSize;
  }

  /** of all that is prepared; 0: nothing is */
  get newestKey(): RevisionKey {
    return this.#newestKey;
  }

  /**
   * Forgets what the store does not have any more. Its bytes stay in the file until the server starts again.
   *
   * @param checks of every revision in the store
   */
  keepOnly(checks: ReadonlyMap<RevisionKey, number>): void {
    this.#newestKey = 0;
    for (const [name, { key, check }] of this.#places) {
      if (checks.get(key) !== check) this.#places.delete(name);
      else this.#newestKey = Math.max(this.#newestKey, key);
    }
  }

  has(identity: UpdateIdentity): boolean {
    return this.hasName(formatIdentity(identity));
  }

  /** @param name identity */
  hasName(name: string): boolean {
    return this.#places.has(name);
  }

  /**
   * An item that is in memory; its bytes stay good.
   *
   * @param name identity
   */
  find(name: string): KeptItem | undefined {
    const place = this.#places.get(name);
    return place !== undefined && isKept(place) ? place : undefined;
  }

  /**
   * @param names identities; those that are not prepared are left out
   * @param keep is told of buffers that the answer is cut from; `release` them when it was copied
   */
  async read(
    names: readonly string[],
    keep: (release: () => void) => void,
  ): Promise<ReadonlyMap<string, ReadItem>> {
    const wanted = names
      .flatMap((name) => {
        const place = this.#places.get(name);
        return place === undefined ? [] : [{ name, place }];
      })
      .sort((a, b) => a.place.file.handle.fd - b.place.file.handle.fd || a.place.offset - b.place.offset);
    const found = new Map<string, ReadItem>();
    for (let first = 0; first < wanted.length; ) {
      const { file, offset } = (wanted[first] as (typeof wanted)[number]).place;
      this.#countRead(file);
      let last = first;
      let end = offset + (wanted[first] as (typeof wanted)[number]).place.size;
      for (let next = first + 1; next < wanted.length; next++) {
        const place = (wanted[next] as (typeof wanted)[number]).place;
        if (
          place.file !== file ||
          place.offset - end > MAX_GAP ||
          place.offset + place.size - offset > MAX_READ
        )
          break;
        last = next;
        end = Math.max(end, place.offset + place.size);
      }
      const size = end - offset;
      const buffer =
        size <= MAX_READ
          ? (this.#buffers.pop() ?? Buffer.allocUnsafeSlow(MAX_READ))
          : Buffer.allocUnsafeSlow(size);
      if (size <= MAX_READ) {
        keep(() => {
          if (this.#buffers.length < 8) this.#buffers.push(buffer);
        });
      }
      const { bytesRead } = await file.handle.read(buffer, 0, size, offset);
      if (bytesRead < size) throw new Error('a file of prepared documents is shorter than it was');
      for (; first <= last; first++) {
        const { name, place } = wanted[first] as (typeof wanted)[number];
        const start = place.offset - offset;
        found.set(name, { bytes: buffer.subarray(start, start + place.size), fileSha1s: place.fileSha1s });
      }
    }
    return found;
  }

  /**
   * Makes what is missing, a file at a time, and rests as long as it worked: downstreams come first.
   *
   * @param build items in any number, in rising order of key
   * @throws WsusutilError `DISK_FULL`, `READ_ONLY`, `WRITE_FAILED`
   */
  async add(
    build: AsyncIterable<PreparedItem>,
    checks: () => ReadonlyMap<RevisionKey, number>,
    signal: AbortSignal,
  ): Promise<number> {
    let items: PreparedItem[] = [];
    let size = 0;
    let count = 0;
    let workedFrom = performance.now();
    const flush = async () => {
      if (items.length === 0) return;
      const path = await this.#write(items);
      await this.#load(path, checks());
      count += items.length;
      items = [];
      size = 0;
    };
    for await (const item of build) {
      if (signal.aborted) break;
      items.push(item);
      size += item.bytes.length;
      if (size >= FILE_SIZE) await flush();
      const worked = performance.now() - workedFrom;
      if (worked > 10) {
        await sleep(worked, undefined, { signal }).catch(() => {}); // aborted: seen at the next item
        workedFrom = performance.now();
      }
    }
    await flush();
    return count;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#places.clear();
    await Promise.all(this.#keeping);
    for (const { handle } of this.#files.splice(0)) await handle.close();
  }

  /**
   * A file that is asked for again and again goes to memory, as long as there is room. Whoever came first stays: downstreams
   * go through all files in turn, and to make room for the next one would only mean to read each one every time.
   */
  #countRead(file: OpenedFile): void {
    if (++file.readCount !== READS_UNTIL_KEPT || this.#isClosed) return;
    if (this.#keptSize + file.size > this.#maxKeptSize) return;
    this.#keptSize += file.size;
    const run = this.#readWhole(file)
      .then(
        (bytes) => {
          file.bytes = bytes;
        },
        () => {
          this.#keptSize -= file.size; // it is read item by item, and whoever asks for one is told
        },
      )
      .finally(() => this.#keeping.delete(run));
    this.#keeping.add(run);
  }

  async #readWhole({ handle, size }: OpenedFile): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(size);
    for (let position = 0; position < size; ) {
      if (this.#isClosed) throw new Error('closed');
      const { bytesRead } = await handle.read(bytes, position, Math.min(MAX_READ, size - position), position);
      if (bytesRead === 0) throw new Error('a file of prepared documents is shorter than it was');
      position += bytesRead;
    }
    return bytes;
  }

  async #write(items: readonly PreparedItem[]): Promise<string> {
    const records = items.map(({ identity, key, check, fileSha1s, bytes }) => {
      const record = Buffer.alloc(RECORD_SIZE + fileSha1s.length * SHA1_SIZE);
      record.set(updateIdToBytes(identity.updateId), 0);
      record.writeUInt32BE(identity.revisionNumber, 16);
      record.writeUInt32BE(key, 20);
      record.writeUInt32BE(check, 24);
      record.writeUInt32BE(bytes.length, 28);
      record.writeUInt16BE(fileSha1s.length, 32);
      for (const [i, sha1] of fileSha1s.entries()) record.write(sha1, RECORD_SIZE + i * SHA1_SIZE, 'hex');
      return record;
    });
    const index = Buffer.concat(records);
    const head = Buffer.alloc(HEAD_SIZE);
    head.set(MAGIC, 0);
    head.set(updateIdToBytes(this.#serverId), 8);
    head.writeUInt32BE(items.length, 24);
    head.writeUInt32BE(index.length, 28);
    head.set(createHash('sha256').update(index).digest(), 32);
    const path = join(this.#folder, `prepared-${randomBytes(8).toString('hex')}.bin`);
    const file = await createAtomicFile(path, { replace: false });
    try {
      await file.write(Buffer.concat([head, index]));
      for (const { bytes } of items) await file.write(bytes);
      await file.commit();
    } catch (error) {
      await file.discard();
      throw error;
    }
    return path;
  }

  /** A file that is damaged, of another server or of another version counts for nothing, and goes. */
  async #load(path: string, checks: ReadonlyMap<RevisionKey, number>): Promise<void> {
    const handle = await open(path, 'r');
    let used = 0;
    try {
      const { size } = await handle.stat();
      const file: OpenedFile = { handle, size, readCount: 0, bytes: undefined };
      used = await this.#loadItems(file, checks);
      if (used > 0) this.#files.push(file);
    } finally {
      if (used === 0) {
        await handle.close();
        await rm(path, { force: true }).catch(() => {}); // read-only: it is passed over every time
      }
    }
  }

  async #loadItems(file: OpenedFile, checks: ReadonlyMap<RevisionKey, number>): Promise<number> {
    const { handle, size: fileSize } = file;
    const head = Buffer.alloc(HEAD_SIZE);
    if ((await handle.read(head, 0, HEAD_SIZE, 0)).bytesRead < HEAD_SIZE) return 0;
    const count = head.readUInt32BE(24);
    const indexSize = head.readUInt32BE(28);
    if (!head.subarray(0, 8).equals(MAGIC) || updateIdFromBytes(head, 8) !== this.#serverId) return 0;
    if (indexSize > MAX_INDEX_SIZE || indexSize > fileSize || count * RECORD_SIZE > indexSize) return 0;
    const index = Buffer.alloc(indexSize);
    if ((await handle.read(index, 0, indexSize, HEAD_SIZE)).bytesRead < indexSize) return 0;
    if (!createHash('sha256').update(index).digest().equals(head.subarray(32, 64))) return 0;
    let position = 0;
    let offset = HEAD_SIZE + indexSize;
    let used = 0;
    for (let i = 0; i < count; i++) {
      const updateId = updateIdFromBytes(index, position);
      const revisionNumber = index.readUInt32BE(position + 16);
      const key = index.readUInt32BE(position + 20);
      const check = index.readUInt32BE(position + 24);
      const size = index.readUInt32BE(position + 28);
      const fileCount = index.readUInt16BE(position + 32);
      const sha1s = index.subarray(position + RECORD_SIZE, position + RECORD_SIZE + fileCount * SHA1_SIZE);
      position += RECORD_SIZE + fileCount * SHA1_SIZE;
      const name = formatIdentity({ updateId, revisionNumber });
      if (checks.get(key) === check && !this.#places.has(name) && offset + size <= fileSize) {
        this.#newestKey = Math.max(this.#newestKey, key);
        this.#places.set(name, {
          key,
          check,
          file,
          offset,
          size,
          fileSha1s: fileCount === 0 ? NO_FILES : hexOf(sha1s),
        });
        used++;
      }
      offset += size;
    }
    return used;
  }
}

function isKept(place: Place): place is Place & KeptItem {
  return place.file.bytes !== undefined;
}

function hexOf(sha1s: Buffer): readonly Sha1Hex[] {
  const found: Sha1Hex[] = [];
  for (let i = 0; i < sha1s.length; i += SHA1_SIZE) {
    found.push(sha1s.toString('hex', i, i + SHA1_SIZE).toUpperCase());
  }
  return found;
}
