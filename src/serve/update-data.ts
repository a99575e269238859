/**
 * Update documents as `GetUpdateData` sends them. Built once and kept while there is room: documents never change, and
 * every downstream asks for the same ones.
 */
import { buildBlobCabinet } from '../formats/cab/blob-cabinet.js';
import { writeFileUrl, writeUpdateData } from '../formats/server-sync/replies.js';
import type { Sha1Hex } from '../model/digest.js';
import { formatIdentity, type UpdateIdentity } from '../model/update-identity.js';
import type { RevisionKey, StoredDocument } from '../store/metadata-store.js';
import type { FoundRevision, ServeView } from '../store/serve-view.js';
import type { KeptItem, PreparedDocuments, PreparedItem } from './prepared-documents.js';

/** What is read of the store, besides the view. */
export interface DocumentSource {
  /** In the order of `keys`, if they rise. */
  readDocuments(keys: Iterable<number>): AsyncIterable<readonly StoredDocument[]>;
  fileLocations(sha1s: readonly Sha1Hex[]): Promise<ReadonlyMap<Sha1Hex, string>>;
}

/** Bytes of UTF-16 up to which real servers send a document as it is (server-sync-protocol 6.1). */
const MAX_PLAIN_SIZE = 5_120;
/** UTF-8 is at most one and a half times as long as UTF-16: above this nobody needs to count. */
const MAX_PLAIN_UTF8_SIZE = (MAX_PLAIN_SIZE / 2) * 3;
/** Fastest: a document shrinks to a tenth all the same. */
const COMPRESSION_LEVEL = 1;
/** bytes of finished items that are kept */
export const DEFAULT_CACHE_SIZE = 32 * 1024 * 1024;
/** what an item takes besides its bytes, about */
const ITEM_OVERHEAD = 400;

interface Item {
  /** `ServerSyncUpdateData` */
  readonly bytes: Uint8Array;
  readonly fileSha1s: readonly Sha1Hex[];
}

/** Elements of `fileUrls` that are kept. */
const MAX_FILE_URLS = 100_000;
/** Between two looks whether the store has changed. What has changed is told that much later. */
const LOOK_INTERVAL_MS = 1_000;

export interface UpdateData {
  /** pieces of the inside of `updates` */
  readonly updates: readonly Uint8Array[];
  /** the inside of `fileUrls`, one of each file */
  readonly fileUrls: Uint8Array;
  /** The pieces have been copied; they are not looked at any more. */
  release(): void;
}

/** An answer whose pieces all stay in memory. */
interface Plan extends Omit<UpdateData, 'release'> {
  /** how often something had been forgotten when it was made */
  readonly age: number;
}

/** Bytes of addresses with which an answer is remembered. */
const MAX_PLAN_SIZE = 128 * 1024;

/** Revisions whose documents are read from the store at once. */
const REVISIONS_PER_TURN = 100;

export class UpdateDataSource {
  readonly #view: ServeView;
  readonly #documents: DocumentSource;
  readonly #maxSize: number;
  /** least recently used first */
  readonly #items = new Map<string, Item>();
  #size = 0;
  /** elements of `fileUrls`, as long as nothing is committed to the store */
  readonly #urls = new Map<Sha1Hex, string>();
  #version: number | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #age = 0;
  /** of what was built */
  #newestKey: RevisionKey = 0;
  /** of all that is kept, when the store had it for certain */
  #newestSeen: RevisionKey = 0;
  #prepared: PreparedDocuments | undefined;
  /** by the list that was asked for, as long as that is remembered (`KnownParts`) */
  readonly #plans = new WeakMap<readonly UpdateIdentity[], Plan>();

  constructor(view: ServeView, documents: DocumentSource, maxSize = DEFAULT_CACHE_SIZE) {
    this.#view = view;
    this.#documents = documents;
    this.#maxSize = maxSize;
  }

  /** Takes what is prepared from there, from now on. */
  use(prepared: PreparedDocuments): void {
    this.#prepared = prepared;
  }

  /** Prepares the documents of these revisions that are not prepared yet. */
  async prepare(
    prepared: PreparedDocuments,
    identities: readonly UpdateIdentity[],
    signal: AbortSignal,
  ): Promise<number> {
    await this.#look();
    const missing = identities.filter((identity) => !prepared.has(identity));
    if (missing.length === 0) return 0;
    const checks = await this.#view.documentChecks();
    const count = await prepared.add(this.#buildAll(missing, checks), () => checks, signal);
    // What was built for those that could not wait is on disk now.
    if (prepared === this.#prepared) {
      for (const [name, item] of this.#items) if (prepared.hasName(name)) this.#drop(name, item);
    }
    return count;
  }

  async *#buildAll(
    identities: readonly UpdateIdentity[],
    checks: ReadonlyMap<number, number>,
  ): AsyncGenerator<PreparedItem, void, undefined> {
    for (let start = 0; start < identities.length; start += REVISIONS_PER_TURN) {
      const found = await this.#view.findRevisions(identities.slice(start, start + REVISIONS_PER_TURN));
      const byKey = new Map(found.flatMap((each) => (each === undefined ? [] : [[each.key, each] as const])));
      const keys = [...byKey.keys()].sort((a, b) => a - b);
      for await (const batch of this.#documents.readDocuments(keys)) {
        for (const { key, document } of batch) {
          const { identity, fileSha1s } = byKey.get(key) as FoundRevision;
          const check = checks.get(key);
          if (check === undefined) continue; // came after the checks were read: the next time
          yield { identity, key, check, fileSha1s, bytes: serializeItem(identity, fileSha1s, document) };
        }
      }
    }
  }

  /** bytes kept in memory */
  get size(): number {
    return this.#size + (this.#prepared?.keptSize ?? 0);
  }

  /** Documents that lie ready on disk. */
  get preparedCount(): number {
    return this.#prepared?.count ?? 0;
  }

  /**
   * In the order asked for, duplicates included.
   *
   * @param identities never change; who brings the same array again is answered faster
   * @returns undefined if one of them is not in the store
   */
  async read(identities: readonly UpdateIdentity[]): Promise<UpdateData | undefined> {
    if (performance.now() - this.#lookedAt > LOOK_INTERVAL_MS) await this.#look();
    const plan = this.#plans.get(identities);
    const age = this.#age;
    if (plan?.age === age) return { ...plan, release() {} };
    const names = identities.map(formatIdentity);
    const releases: (() => void)[] = [];
    const items = names.map((name) => this.#prepared?.find(name) ?? this.#take(name));
    if (items.includes(undefined)) {
      const isComplete = await this.#complete(identities, names, items, (each) => releases.push(each));
      if (!isComplete) return undefined;
    }
    const pieces = new PieceList();
    const sha1s = new Set<Sha1Hex>();
    let isKept = true;
    for (const item of items as readonly (Item | KeptItem)[]) {
      if ('file' in item) pieces.add(item.file.bytes, item.offset, item.size);
      else {
        isKept = false;
        pieces.add(item.bytes, 0, item.bytes.length);
      }
      for (const sha1 of item.fileSha1s) sha1s.add(sha1);
    }
    const updates = pieces.finish();
    const fileUrls = Buffer.from(await this.#fileUrls(sha1s), 'utf8');
    if (isKept && fileUrls.length <= MAX_PLAN_SIZE) {
      this.#plans.set(identities, { updates, fileUrls, age });
    }
    return {
      updates,
      fileUrls,
      release() {
        for (const release of releases) release();
      },
    };
  }

  /** Finds the items that are missing. @returns false if one of them is not in the store */
  async #complete(
    identities: readonly UpdateIdentity[],
    names: readonly string[],
    items: (Item | KeptItem | undefined)[],
    keep: (release: () => void) => void,
  ): Promise<boolean> {
    const wanted = new Map<string, UpdateIdentity>();
    for (const [index, name] of names.entries()) {
      if (items[index] === undefined) wanted.set(name, identities[index] as UpdateIdentity);
    }
    const read = new Map<string, Item>(await this.#prepared?.read([...wanted.keys()], keep));
    const missing = [...wanted].flatMap(([name, identity]) => (read.has(name) ? [] : [identity]));
    if (missing.length > 0) {
      const revisions: FoundRevision[] = [];
      for (const revision of await this.#view.findRevisions(missing)) {
        if (revision === undefined) return false;
        revisions.push(revision);
      }
      for await (const [name, item] of this.#build(revisions)) read.set(name, item);
    }
    for (const [index, name] of names.entries()) items[index] ??= read.get(name);
    return true;
  }

  async #fileUrls(sha1s: ReadonlySet<Sha1Hex>): Promise<string> {
    if (sha1s.size === 0) return '';
    for (;;) {
      let urls = '';
      const unknown: Sha1Hex[] = [];
      for (const sha1 of sha1s) {
        const url = this.#urls.get(sha1);
        if (url === undefined) unknown.push(sha1);
        else urls += url;
      }
      if (unknown.length === 0) return urls;
      // Another call may empty the map meanwhile; what is missing then is looked up again.
      const age = this.#age;
      const locations = await this.#documents.fileLocations(unknown);
      if (age !== this.#age) continue; // and may be old by now
      for (const sha1 of unknown) this.#urls.set(sha1, writeFileUrl(sha1, locations.get(sha1)));
    }
  }

  /** Forgets what may be another in the store by now: addresses, and documents of an import that was taken back. */
  async #look(): Promise<void> {
    const version = this.#view.version();
    this.#lookedAt = performance.now(); // who comes meanwhile does not wait
    const isChanged = version !== this.#version;
    if (isChanged || this.#urls.size > MAX_FILE_URLS) {
      this.#urls.clear();
      this.#age++;
    }
    const newest = Math.max(this.#newestKey, this.#prepared?.newestKey ?? 0);
    if (newest > 0 && (isChanged || newest !== this.#newestSeen)) {
      // Keys rise and are never given out again, so the newest goes whenever something goes.
      if ((await this.#view.documentDigest(newest)) === undefined) {
        const checks = await this.#view.documentChecks();
        this.#items.clear();
        this.#size = 0;
        this.#newestKey = 0;
        this.#prepared?.keepOnly(checks);
        this.#age++;
      }
      this.#newestSeen = newest;
    }
    this.#version = version;
  }

  async *#build(
    revisions: readonly FoundRevision[],
  ): AsyncGenerator<readonly [string, Item], void, undefined> {
    // Rising keys: documents that came together lie in one block of the store.
    const byKey = new Map(revisions.map((revision) => [revision.key, revision]));
    const keys = [...byKey.keys()].sort((a, b) => a - b);
    for await (const batch of this.#documents.readDocuments(keys)) {
      for (const { key, document } of batch) {
        const { identity, fileSha1s } = byKey.get(key) as FoundRevision;
        const item = { bytes: serializeItem(identity, fileSha1s, document), fileSha1s };
        const name = formatIdentity(identity);
        this.#newestKey = Math.max(this.#newestKey, key);
        this.#keep(name, item);
        yield [name, item];
      }
    }
  }

  #take(name: string): Item | undefined {
    const item = this.#items.get(name);
    if (item === undefined) return undefined;
    this.#items.delete(name);
    this.#items.set(name, item);
    return item;
  }

  #keep(name: string, item: Item): void {
    if (this.#items.has(name)) return; // two calls built it at the same time
    this.#items.set(name, item);
    this.#size += sizeOf(item);
    for (const [oldest, { bytes, fileSha1s }] of this.#items) {
      if (this.#size <= this.#maxSize) break;
      this.#drop(oldest, { bytes, fileSha1s });
    }
  }

  #drop(name: string, item: Item): void {
    this.#items.delete(name);
    this.#size -= sizeOf(item);
  }
}

/** Neighbours in one piece of memory become one piece: every piece that is sent has its price. */
class PieceList {
  readonly #pieces: Uint8Array[] = [];
  #bytes: Uint8Array | undefined;
  #start = 0;
  #end = 0;

  add(bytes: Uint8Array, offset: number, size: number): void {
    const start = bytes.byteOffset + offset;
    if (bytes.buffer !== this.#bytes?.buffer || start !== this.#end) {
      this.#flush();
      this.#bytes = bytes;
      this.#start = start;
    }
    this.#end = start + size;
  }

  finish(): readonly Uint8Array[] {
    this.#flush();
    return this.#pieces;
  }

  #flush(): void {
    if (this.#bytes === undefined) return;
    this.#pieces.push(new Uint8Array(this.#bytes.buffer, this.#start, this.#end - this.#start));
  }
}

function sizeOf({ bytes, fileSha1s }: Item): number {
  return bytes.length + ITEM_OVERHEAD + fileSha1s.length * 64;
}

function serializeItem(
  identity: UpdateIdentity,
  fileSha1s: readonly Sha1Hex[],
  document: Uint8Array,
): Buffer {
  const text = Buffer.from(document.buffer, document.byteOffset, document.length).toString('utf8');
  const isShort = document.length <= MAX_PLAIN_UTF8_SIZE && text.length * 2 <= MAX_PLAIN_SIZE;
  const xml = writeUpdateData(
    identity,
    fileSha1s,
    isShort
      ? { text }
      : { cabinet: buildBlobCabinet(Buffer.from(text, 'utf16le'), COMPRESSION_LEVEL).toString('base64') },
  );
  // A Buffer of its own size: parts of the shared pool would keep the rest of it alive.
  return Buffer.from(new Uint8Array(Buffer.from(xml, 'utf8')).buffer);
}
