/**
 * Brings the documents of a list of revisions into the store: several calls at once, documents parsed as they come, made
 * permanent every now and then so that a run that is killed loses little.
 */
import { WsusutilError } from '../errors.js';
import type { Report } from '../events.js';
import { BatchMemory } from '../formats/export-package/batch-memory.js';
import type { Sha1Hex } from '../model/digest.js';
import type { RecordSlice } from '../model/export-package.js';
import { formatIdentity, type UpdateIdentity } from '../model/update-identity.js';
import { DocumentPipeline } from '../packages/document-pipeline.js';
import type { ImportTransaction } from '../store/metadata-store.js';
import type { OwedRevision } from '../store/sync-state.js';
import type { UpdateEvent } from './fetch-updates.js';
import { mergeStreams } from './merge-streams.js';

/** Bytes of documents that are parsed and stored together. */
const BATCH_SIZE = 1 << 20;
/** Revisions after which what came is made permanent. */
const CHECKPOINT_REVISIONS = 2_000;
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
}

export class RevisionFetch {
  readonly #options: RevisionFetchOptions;
  readonly #pipeline: DocumentPipeline;
  readonly #memory = new BatchMemory();
  readonly #urls = new Map<Sha1Hex, string>();
  #documents: { readonly identity: UpdateIdentity; readonly document: Uint8Array }[] = [];
  #size = 0;
  #checkpointAt: number;
  #checkpointed = 0;
  #unavailable: OwedRevision[] = [];
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

  /** Of everything fetched so far. */
  get counts() {
    const { counts, newByType, conflicts, documentBytes } = this.#pipeline;
    return { ...counts, newByType, conflictList: conflicts, documentBytes };
  }

  /**
   * @returns revisions that did not come, with the reason
   * @throws WsusutilError `UPSTREAM_FAULT` also when more of them are not there than a healthy server has
   */
  async fetch({ identities, batchSize }: FetchList): Promise<readonly OwedRevision[]> {
    const { source, concurrency, report } = this.#options;
    const size = batchSize ?? source.updateBatchSize;
    const total = identities.length;
    if (total === 0) return [];
    this.#unavailable = [];
    const limit = Math.max(MAX_UNAVAILABLE, Math.ceil(total * MAX_UNAVAILABLE_SHARE));
    const streams = (function* () {
      for (let start = 0; start < total; start += size) {
        yield source.getUpdateData(identities.slice(start, start + size));
      }
    })();
    report({ type: 'stage-started', stage: 'synchronising', unit: 'revisions', total });
    let done = 0;
    for await (const events of mergeStreams(streams, concurrency)) {
      for (const event of events) {
        if (event.type === 'file-location') {
          const { sha1, muUrl } = event.location;
          if (muUrl !== undefined) this.#urls.set(sha1, muUrl);
          continue;
        }
        if (event.type === 'document') {
          if (this.#take(event.identity, event.document)) await this.#flushTaken();
        } else if (event.type === 'unavailable') {
          this.#addUnavailable(
            event.identity,
            event.reason,
            'the upstream lists it but does not give it out',
          );
        } else this.#addUnavailable(event.identity, event.error.code, event.error.message);
        if (this.#unavailable.length > limit) throw isIll(total, this.#unavailable.length);
        if (++done % PROGRESS_INTERVAL === 0) this.#reportProgress(done, total);
      }
    }
    await this.#checkpoint();
    this.#reportProgress(done, total);
    report({ type: 'stage-finished', stage: 'synchronising', done });
    return this.#unavailable;
  }

  /** Makes permanent what is stored already; for a run that ends early. */
  async salvage(): Promise<void> {
    const { transaction, onCheckpoint, isKept } = this.#options;
    if (!isKept) return;
    await transaction.addFileUrls(this.#urls);
    await onCheckpoint(this.secured);
    await transaction.checkpoint(new AbortController().signal);
  }

  close(): Promise<void> {
    return this.#pipeline.close();
  }

  /** @returns true if there is enough to be handed on */
  #take(identity: UpdateIdentity, document: Uint8Array): boolean {
    this.#documents.push({ identity, document });
    this.#size += document.length;
    return this.#size >= BATCH_SIZE;
  }

  async #flushTaken(): Promise<void> {
    await this.#flush();
    const isDue =
      this.#pipeline.applied - this.#checkpointed >= CHECKPOINT_REVISIONS ||
      this.#options.now().getTime() - this.#checkpointAt >= CHECKPOINT_INTERVAL_MS;
    if (isDue) await this.#checkpoint();
  }

  async #flush(): Promise<void> {
    if (this.#documents.length === 0) return;
    const bytes = this.#memory.take(this.#size);
    const records: RecordSlice[] = [];
    let end = 0;
    for (const { identity, document } of this.#documents) {
      const start = end;
      bytes.set(document, start);
      end += document.length;
      records.push({ identity, start, end });
    }
    this.#documents = [];
    this.#size = 0;
    await this.#pipeline.add({ bytes, encoding: 'plain', records });
  }

  async #checkpoint(): Promise<void> {
    const { transaction, now, signal, onCheckpoint, isKept } = this.#options;
    await this.#flush();
    await this.#pipeline.drain();
    await transaction.addFileUrls(this.#urls);
    this.#urls.clear();
    this.#checkpointed = this.#pipeline.applied;
    this.#checkpointAt = now().getTime();
    await onCheckpoint(this.secured);
    if (isKept) await transaction.checkpoint(signal);
  }

  #addUnavailable(identity: UpdateIdentity, reason: string, message: string): void {
    this.#unavailable.push({ identity, reason });
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
