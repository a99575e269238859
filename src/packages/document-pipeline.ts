/**
 * Documents on their way into the store: decoded, parsed and packed by {@link processDocuments}, on worker threads once
 * there are many of them; the store takes the results in the order the documents came.
 */
import { createHash } from 'node:crypto';
import { throwIfInterrupted } from '../errors.js';
import type { Report } from '../events.js';
import type { ParseExtent } from '../formats/update-xml/parse-update.js';
import { normalizeLineEnds } from '../model/document-text.js';
import type { RecordBatch } from '../model/export-package.js';
import type { RecordList } from '../model/record-list.js';
import { UPDATE_TYPES, type UpdateType } from '../model/revision.js';
import { formatIdentity, type UpdateIdentity } from '../model/update-identity.js';
import type { FileDigest } from '../platform/hash-file.js';
import type { ImportTransaction, KnownRevision, RevisionKey } from '../store/metadata-store.js';
import { createDocumentTask, type DocumentProblem, type DocumentResult } from './document-work.js';
import { openPackageRunner, type PackageRunner, TASKS_PER_THREAD } from './package-runner.js';

/** Conflicts, missing references and the like that are listed one by one; all are counted. */
export const MAX_LISTED = 100;
/** Bytes of documents after which threads are worth starting. */
const INLINE_SIZE = 24 << 20;
/** Bytes of new documents that one thread is enough for; what is known needs hashing only. */
const ONE_THREAD_SIZE = 4 << 20;

export interface RevisionConflict {
  readonly identity: UpdateIdentity;
  /** SHA-256, hex, of the document that stays */
  readonly storedDigest: string;
  /** SHA-256, hex, of the document that came */
  readonly packageDigest: string;
}

export interface PipelineOptions {
  readonly transaction: ImportTransaction;
  readonly signal: AbortSignal;
  readonly report: Report;
  /** worker threads; 0: none */
  readonly threads: number;
  /** false: the transaction will be rolled back */
  readonly isKept: boolean;
  readonly extent: ParseExtent;
  /** completes "…; interrupted while " */
  readonly interruption: string;
  /** what the documents came from, for messages: `package` or `upstream` */
  readonly source: string;
  /** called with memory of a batch that has been dealt with */
  readonly onDone?: ((bytes: Uint8Array) => void) | undefined;
  /** takes a document that cannot be read; left out: the first such document ends the run */
  readonly onUnreadable?: ((identity: UpdateIdentity, problem: DocumentProblem) => void) | undefined;
  /** new revisions whose files or addresses are given out apart (`SecuredFragment`, `IsEncrypted`) */
  readonly onSecured?: ((identity: UpdateIdentity) => void) | undefined;
}

export interface PipelineCounts {
  newUpdates: number;
  newRevisions: number;
  present: number;
  conflicts: number;
}

export class DocumentPipeline {
  readonly #options: PipelineOptions;
  #runner: PackageRunner = openPackageRunner(0);
  #isThreaded = false;
  #isFinishing = false;
  readonly #underWay: {
    records: RecordList;
    known: readonly (KnownRevision | undefined)[];
    done: Promise<DocumentResult>;
  }[] = [];
  /** batches that threads have not finished */
  #unfinished = 0;
  #dispatchedBytes = 0;
  /** bytes of batches with something new in them */
  #newBytes = 0;
  readonly counts: PipelineCounts = { newUpdates: 0, newRevisions: 0, present: 0, conflicts: 0 };
  readonly newByType: Record<UpdateType, number> = { Category: 0, Detectoid: 0, Software: 0, Driver: 0 };
  /** the first {@link MAX_LISTED} */
  readonly conflicts: RevisionConflict[] = [];
  /** revisions that the store had before */
  readonly presentKeys: RevisionKey[] = [];
  /** documents taken in */
  dispatched = 0;
  /** documents dealt with */
  applied = 0;
  /** bytes of the documents dealt with, decoded */
  documentBytes = 0;

  constructor(options: PipelineOptions) {
    this.#options = options;
  }

  /**
   * To be called early when many documents are to be expected: threads take a while to start.
   *
   * @param most threads at once; the first starts now, the rest when there are new documents
   */
  async startThreads(most = 1): Promise<void> {
    const threads = Math.min(most, this.#options.threads);
    if (this.#isThreaded || threads === 0) return;
    await this.drain();
    this.#runner = openPackageRunner(threads, 'one');
    this.#isThreaded = true;
  }

  /** SHA-256 of a file, beside everything else. @returns undefined if it cannot be read */
  async digestOf(path: string): Promise<FileDigest | undefined> {
    const reply = await this.#runner.run({ kind: 'digest', path }).catch(() => undefined);
    return reply?.kind === 'digest' ? reply.digest : undefined;
  }

  /** The threads have more to do already than they are at: what the caller can do itself is done sooner. */
  get isBehind(): boolean {
    return this.#isThreaded && this.#unfinished > TASKS_PER_THREAD;
  }

  /** Waits while as much is under way as is useful. The batch's memory is the pipeline's from now on. */
  async add(batch: RecordBatch): Promise<void> {
    if (this.#dispatchedBytes > INLINE_SIZE) await this.startThreads();
    const { transaction, isKept, extent, onUnreadable } = this.#options;
    const known = await transaction.findRevisions(batch.records.identities);
    const size = sizeOf(batch.records);
    if (known.includes(undefined)) {
      this.#newBytes += size;
      if (this.#newBytes > ONE_THREAD_SIZE) this.#runner.startAll();
    }
    const task = createDocumentTask(batch, known, {
      firstRecord: this.dispatched + 1,
      effort: isKept ? 'stored' : 'discarded',
      extent,
      source: this.#options.source,
      passesOverUnreadable: onUnreadable !== undefined,
    });
    const done = this.#runner
      .run({ kind: 'documents', task }, this.#isThreaded ? [batch.bytes.buffer as ArrayBuffer] : [])
      .then((reply) => {
        if (reply.kind !== 'documents') throw new Error('a worker answered another task');
        return reply.result;
      });
    this.#unfinished++;
    const finished = () => {
      this.#unfinished--;
    };
    done.then(finished, finished); // a rejection is taken up in #applyOldest, and must not count as unhandled until then
    this.dispatched += batch.records.length;
    this.#dispatchedBytes += size;
    this.#underWay.push({ records: batch.records, known, done });
    while (this.#underWay.length >= this.#runner.concurrency) await this.#applyOldest();
  }

  /** What comes and is taken in from now on is dealt with in spite of an interruption: for the end of a run. */
  finishDespiteInterruption(): void {
    this.#isFinishing = true;
  }

  /** Everything taken in so far is with the transaction afterwards. */
  async drain(): Promise<void> {
    while (this.#underWay.length > 0) await this.#applyOldest();
  }

  async close(): Promise<void> {
    for (const { done } of this.#underWay) done.catch(() => {}); // rejected by close; nobody waits any more
    await this.#runner.close();
  }

  async #applyOldest(): Promise<void> {
    const oldest = this.#underWay.shift();
    if (oldest === undefined) return;
    const { transaction, signal, interruption, onDone, onUnreadable, onSecured } = this.#options;
    if (!this.#isFinishing) throwIfInterrupted(signal, interruption);
    const { verdicts, batch, documentBytes, bytes, secured } = await oldest.done;
    onDone?.(bytes);
    this.documentBytes += documentBytes;
    for (const [index, verdict] of verdicts.entries()) {
      if (verdict === 'new') continue;
      const known = oldest.known[index];
      const identity = oldest.records.identities.at(index);
      if (identity === undefined) throw new Error('a verdict without its record');
      if (verdict !== 'present' && 'problem' in verdict) {
        onUnreadable?.(identity, verdict.problem);
        continue;
      }
      if (known === undefined) throw new Error('a verdict on what nobody knows');
      if (verdict === 'present' || (await this.#equalsStored(known, verdict.normalizedDigest))) {
        this.counts.present++;
        this.presentKeys.push(known.key);
      } else {
        this.#addConflict(identity, known, verdict.digest);
      }
    }
    const added = await transaction.addRevisions(batch);
    this.counts.newUpdates += added.newUpdates;
    this.counts.newRevisions += added.newRevisions;
    this.counts.present += added.present;
    for (const type of UPDATE_TYPES) this.newByType[type] += added.newByType[type] ?? 0;
    for (const { identity, known, digest } of added.conflicts) this.#addConflict(identity, known, digest);
    for (const index of secured) {
      const identity = oldest.records.identities.at(index);
      if (identity !== undefined) onSecured?.(identity);
    }
    this.applied += verdicts.length;
  }

  async #equalsStored(known: KnownRevision, normalizedDigest: Uint8Array): Promise<boolean> {
    const stored = await this.#options.transaction.readDocument(known.key);
    return createHash('sha256').update(normalizeLineEnds(stored)).digest().equals(normalizedDigest);
  }

  #addConflict(identity: UpdateIdentity, known: KnownRevision, digest: Uint8Array): void {
    this.counts.conflicts++;
    if (this.conflicts.length >= MAX_LISTED) return;
    const conflict = {
      identity,
      storedDigest: Buffer.from(known.digest).toString('hex'),
      packageDigest: Buffer.from(digest).toString('hex'),
    };
    this.conflicts.push(conflict);
    this.#options.report({
      type: 'warning',
      code: 'REVISION_CONFLICT',
      identity,
      message: `${formatIdentity(identity)} is in the store with another document, which stays: SHA-256 ${conflict.storedDigest} in the store, ${conflict.packageDigest} in the ${this.#options.source}`,
    });
  }
}

/** bytes of all documents */
function sizeOf({ spans }: RecordList): number {
  let size = 0;
  for (let at = 0; at < spans.length; at += 2) size += (spans[at + 1] as number) - (spans[at] as number);
  return size;
}
