/**
 * Brings the documents of a list of revisions into the store: several calls at once, documents parsed as they come, made
 * permanent every now and then so that a run that is killed loses little.
 */
import { isWsusutilError, WsusutilError } from '../errors.js';
import type { Report } from '../events.js';
import { BatchMemory } from '../formats/export-package/batch-memory.js';
import { decodeUpdateBlob, type UpdateBlob } from '../formats/server-sync/update-blob.js';
import type { Sha1Hex } from '../model/digest.js';
import { RecordList } from '../model/record-list.js';
import { formatIdentity, type UpdateIdentity } from '../model/update-identity.js';
import { DocumentPipeline } from '../packages/document-pipeline.js';
import type { ImportTransaction } from '../store/metadata-store.js';
import type { OwedRevision } from '../store/sync-state.js';
import type { UpdateEvent } from './fetch-updates.js';
import { mergeStreams } from './merge-streams.js';

/** Bytes of documents that are parsed and stored together: about as much again if they are in cabinets. */
const BATCH_SIZES = { plain: 1 << 20, cabinet: 1 << 18 } as const;
/** Bytes of documents that the cabinets of a batch hold at most if they are decoded together. */
const MAX_DECODED_SIZE = 8 << 20;
/** Lists so long have threads of their own from the start: it is there that most cabinets are decoded. */
const MIN_THREADED_REVISIONS = 500;
/** Revisions after which what came is made permanent. */
const CHECKPOINT_REVISIONS = 4_000;
/** The same for slow upstreams, in milliseconds. */
const CHECKPOINT_INTERVAL_MS = 15_000;
const PROGRESS_INTERVAL = 100;
/** Unavailable revisions that a healthy server may have: this many, or this part of a list if that is more (15.4). */
const MAX_UNAVAILABLE = 20;
const MAX_UNAVAILABLE_SHARE = 0.05;

export interface RevisionSource {
  readonly updateBatchSize: number;
  getUpdateData(
    identities: Iterable<UpdateIdentity>,
  ): AsyncGenerator<readonly UpdateEvent[], void, undefined>;
}

type BatchKind = keyof typeof BATCH_SIZES;

interface Taken {
  items: { readonly identity: UpdateIdentity; readonly bytes: Uint8Array }[];
  /** bytes of all of them */
  size: number;
}

export interface RevisionFetchOptions {
  readonly source: RevisionSource;
  readonly transaction: ImportTransaction;
  /** calls under way at once */
  readonly concurrency: number;
  readonly threads: number;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly report: Report;
  /** false: everything stays in the transaction, which will be rolled back */
  readonly isKept: boolean;
  /** called inside the transaction before it is made permanent */
  readonly onCheckpoint: (secured: readonly UpdateIdentity[]) => Promise<void>;
}

export interface FetchList {
  readonly identities: readonly UpdateIdentity[];
  /** identities per call, if not as many as the upstream takes */
  readonly batchSize?: number;
  /**
   * Nothing says that a healthy server has these: when more than so many do not come, the others are left, and that is
   * no error.
   */
  readonly maxInVain?: number;
}

export class RevisionFetch {
  readonly #options: RevisionFetchOptions;
  readonly #pipeline: DocumentPipeline;
  readonly #memory = new BatchMemory();
  readonly #urls = new Map<Sha1Hex, string>();
  /** what came and is not handed on yet */
  readonly #taken: Record<BatchKind, Taken> = {
    plain: { items: [], size: 0 },
    cabinet: { items: [], size: 0 },
  };
  #checkpointAt: number;
  #checkpointed = 0;
  #kept = 0;
  #unavailable: OwedRevision[] = [];
  /** of all lists, as {@link formatIdentity} writes them */
  readonly #inVain = new Set<string>();
  /** new revisions whose keys are given out apart */
  readonly secured: UpdateIdentity[] = [];

  constructor(options: RevisionFetchOptions) {
    this.#options = options;
    this.#checkpointAt = options.now().getTime();
    this.#pipeline = new DocumentPipeline({
      transaction: options.transaction,
      signal: options.signal,
      report: options.report,
      threads: options.threads,
      isKept: options.isKept,
      extent: 'indexed',
      interruption: 'synchronising; the next run goes on from here',
      source: 'upstream',
      onDone: (bytes) => this.#memory.giveBack(bytes),
      onUnreadable: (identity, { code, message }) => this.#addUnavailable(identity, code, message),
      onSecured: (identity) => this.secured.push(identity),
    });
  }

  /** To be called as soon as a long list is to be expected: a thread takes a tenth of a second to start. */
  startThreads(): Promise<void> {
    return this.#pipeline.startThreads();
  }

  /** Of everything fetched so far. */
  get counts() {
    const { counts, newByType, conflicts, documentBytes } = this.#pipeline;
    return { ...counts, newByType, conflictList: conflicts, documentBytes };
  }

  /**
   * @returns revisions that did not come, with the reason
   * @throws WsusutilError `UPSTREAM_FAULT` also when more of them are not there than a healthy server has
   */
  async fetch({ identities, batchSize, maxInVain }: FetchList): Promise<readonly OwedRevision[]> {
    const { source, concurrency, report } = this.#options;
    const size = batchSize ?? source.updateBatchSize;
    const total = identities.length;
    this.#unavailable = [];
    if (total === 0) return [];
    const limit = Math.max(MAX_UNAVAILABLE, Math.ceil(total * MAX_UNAVAILABLE_SHARE));
    const streams = (function* () {
      for (let start = 0; start < total; start += size) {
        yield source.getUpdateData(identities.slice(start, start + size));
      }
    })();
    report({ type: 'stage-started', stage: 'synchronising', unit: 'revisions', total });
    if (total >= MIN_THREADED_REVISIONS) await this.startThreads();
    let done = 0;
    let hasCome = false;
    let reportAt = PROGRESS_INTERVAL;
    for await (const events of mergeStreams(streams, concurrency)) {
      hasCome ||= events.some(({ type }) => type === 'document');
      done += this.#take(events);
      await this.#handOn();
      // A server that gives out nothing at all is given up soon, however long its list.
      const inVain = this.#unavailable.length;
      if (maxInVain !== undefined && inVain > maxInVain) {
        report({
          type: 'step',
          message: `${inVain} revisions did not come; the others are not asked for in this run`,
        });
        break;
      }
      if (maxInVain === undefined && inVain > (hasCome ? limit : MAX_UNAVAILABLE)) throw isIll(total, inVain);
      if (done >= reportAt) {
        this.#reportProgress(done, total);
        reportAt = done + PROGRESS_INTERVAL;
      }
    }
    await this.#checkpoint();
    this.#reportProgress(done, total);
    report({ type: 'stage-finished', stage: 'synchronising', done });
    return this.#unavailable;
  }

  /** What has not come so far of the list that is fetched, or was fetched last, with the reason. */
  get unavailable(): readonly OwedRevision[] {
    return this.#unavailable;
  }

  /** Makes permanent what came; for a run that ends early. */
  async salvage(): Promise<void> {
    const { transaction, onCheckpoint, isKept } = this.#options;
    if (!isKept) return;
    this.#pipeline.finishDespiteInterruption(); // a moment's work: it is never more than a few MiB
    try {
      await this.#flushAll();
      await this.#pipeline.drain();
    } catch {
      // what was stored before is made permanent nevertheless
    }
    await transaction.addFileUrls(this.#urls);
    await onCheckpoint(this.secured);
    await transaction.checkpoint(new AbortController().signal);
    this.#kept = this.#stored;
  }

  /** New revisions that are permanent, whatever becomes of the run. */
  get kept(): number {
    return this.#kept;
  }

  get #stored(): number {
    const { newUpdates, newRevisions } = this.#pipeline.counts;
    return newUpdates + newRevisions;
  }

  close(): Promise<void> {
    return this.#pipeline.close();
  }

  /** @returns how many revisions they dealt with */
  #take(events: readonly UpdateEvent[]): number {
    let count = events.length;
    for (const event of events) {
      switch (event.type) {
        case 'document':
          this.#takeDocument(event.identity, event.blob);
          break;
        case 'file-location':
          count--;
          if (event.location.muUrl !== undefined) this.#urls.set(event.location.sha1, event.location.muUrl);
          break;
        case 'unavailable':
          this.#addUnavailable(
            event.identity,
            event.reason,
            'the upstream lists it but does not give it out',
          );
          break;
        case 'unreadable':
          this.#addUnavailable(event.identity, event.error.code, event.error.message);
      }
    }
    return count;
  }

  #takeDocument(identity: UpdateIdentity, blob: UpdateBlob): void {
    const taken = this.#taken[blob.form];
    const bytes = blob.form === 'plain' ? decodeUpdateBlob(blob) : blob.bytes;
    taken.items.push({ identity, bytes });
    taken.size += bytes.length;
  }

  async #handOn(): Promise<void> {
    if (this.#taken.plain.size >= BATCH_SIZES.plain) await this.#flush('plain');
    if (this.#taken.cabinet.size >= BATCH_SIZES.cabinet) await this.#flush('cabinet');
    if (this.#isCheckpointDue()) await this.#checkpoint();
  }

  #isCheckpointDue(): boolean {
    return (
      this.#pipeline.applied - this.#checkpointed >= CHECKPOINT_REVISIONS ||
      Math.abs(this.#options.now().getTime() - this.#checkpointAt) >= CHECKPOINT_INTERVAL_MS
    );
  }

  async #flushAll(): Promise<void> {
    await this.#flush('plain');
    await this.#flush('cabinet');
  }

  async #flush(kind: BatchKind): Promise<void> {
    const taken = this.#taken[kind];
    if (taken.items.length === 0) return;
    this.#taken[kind] = { items: [], size: 0 };
    const decoded = kind === 'cabinet' && this.#pipeline.isBehind ? decodeCabinets(taken) : undefined;
    const { items, size } = decoded ?? taken;
    const bytes = this.#memory.take(size);
    const records = new RecordList();
    let end = 0;
    for (const { identity, bytes: document } of items) {
      const start = end;
      bytes.set(document, start);
      end += document.length;
      records.push(identity, start, end);
    }
    await this.#pipeline.add({ bytes, encoding: decoded === undefined ? kind : 'plain', records });
  }

  async #checkpoint(): Promise<void> {
    const { transaction, now, signal, onCheckpoint, isKept } = this.#options;
    await this.#flushAll();
    await this.#pipeline.drain();
    await transaction.addFileUrls(this.#urls);
    this.#urls.clear();
    this.#checkpointed = this.#pipeline.applied;
    this.#checkpointAt = now().getTime();
    await onCheckpoint(this.secured);
    if (!isKept) return;
    await transaction.checkpoint(signal);
    this.#kept = this.#stored;
  }

  /** It was asked for, of whatever list, and did not come; that was told. */
  wasInVain(identity: UpdateIdentity): boolean {
    return this.#inVain.has(formatIdentity(identity));
  }

  #addUnavailable(identity: UpdateIdentity, reason: string, message: string): void {
    this.#unavailable.push({ identity, reason });
    this.#inVain.add(formatIdentity(identity));
    this.#options.report({
      type: 'warning',
      code: 'REVISION_UNAVAILABLE',
      identity,
      message: `${formatIdentity(identity)} did not come (${reason}): ${message}. The next run asks for it again`,
    });
  }

  #reportProgress(done: number, total: number): void {
    this.#options.report({
      type: 'progress',
      stage: 'synchronising',
      done,
      total,
      bytes: this.#pipeline.documentBytes,
      totalBytes: undefined,
    });
  }
}

/** @returns undefined if one is damaged, or all are larger than is usual: whoever parses them takes one by one */
function decodeCabinets({ items }: Taken): Taken | undefined {
  const decoded: Taken = { items: [], size: 0 };
  try {
    for (const { identity, bytes } of items) {
      const document = decodeUpdateBlob({ form: 'cabinet', bytes });
      decoded.items.push({ identity, bytes: document });
      decoded.size += document.length;
      if (decoded.size > MAX_DECODED_SIZE) return undefined;
    }
  } catch (error) {
    if (isWsusutilError(error)) return undefined;
    throw error;
  }
  return decoded;
}

function isIll(total: number, unavailable: number): WsusutilError {
  return new WsusutilError(
    'UPSTREAM_FAULT',
    `The upstream lists ${total} revisions but does not give out ${unavailable} of them`,
    {
      hint: 'Something is wrong inside the upstream; look at its log, or run its clean-up, and try again. What came is kept.',
      details: { unavailable, asked: total },
    },
  );
}
