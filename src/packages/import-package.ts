/**
 * Brings the metadata of a package into the store: one transaction, seen whole or not at all.
 *
 * The package is read as a stream. Documents are decoded, parsed and packed by {@link processDocuments}, on worker
 * threads once the package turns out to be large; the store takes the results in the package's order.
 */
import { createHash } from 'node:crypto';
import { isWsusutilError, throwIfInterrupted, WsusutilError } from '../errors.js';
import { BatchMemory } from '../formats/export-package/batch-memory.js';
import { normalizeLineEnds } from '../model/document-text.js';
import {
  type PackageFormat,
  type PackageHeader,
  packageFormatOf,
  type RecordBatch,
} from '../model/export-package.js';
import type { PackageLanguage } from '../model/language.js';
import { UPDATE_TYPES, type UpdateType } from '../model/revision.js';
import { formatIdentity, type UpdateIdentity } from '../model/update-identity.js';
import type { ImportTransaction, KnownRevision, MissingReference } from '../store/metadata-store.js';
import { createDocumentTask, type DocumentResult } from './document-work.js';
import type { PackageRun } from './package-run.js';
import { openPackageRunner, type PackageRunner } from './package-runner.js';
import { readPackage } from './read-package.js';

/** Conflicts, missing references and the like that are listed one by one; all are counted. */
export const MAX_LISTED = 100;
/** Bytes of documents after which threads are worth starting. */
const INLINE_SIZE = 24 << 20;
/** Bytes of a package file that will have as many documents: they compress ten to one and better. */
const LARGE_PACKAGE_SIZE = 4 << 20;
/** Level 6 takes twice the time for an eighth less. */
const STORED_LEVEL = 3;
/** What is thrown away again is packed in a hurry. */
const DISCARDED_LEVEL = 1;
const PROGRESS_INTERVAL = 500;

export interface ImportOptions extends PackageRun {
  readonly path: string;
  /** refuse conflicts and missing references */
  readonly strict: boolean;
  /** validate and count, change nothing */
  readonly dryRun: boolean;
  /** look into every part of every document, also those that the store does not index */
  readonly isThorough?: boolean;
}

export interface RevisionConflict {
  readonly identity: UpdateIdentity;
  /** SHA-256, hex, of the document that stays */
  readonly storedDigest: string;
  /** SHA-256, hex, of the document in the package */
  readonly packageDigest: string;
}

export interface ImportSummary {
  readonly path: string;
  readonly format: PackageFormat;
  readonly header: PackageHeader;
  readonly dryRun: boolean;
  /** revisions in the package */
  readonly revisions: number;
  readonly newUpdates: number;
  readonly newRevisions: number;
  readonly present: number;
  readonly newByType: Readonly<Record<UpdateType, number>>;
  /** content files the package gives a location for */
  readonly files: number;
  /** bytes of all documents */
  readonly documentBytes: number;
  readonly conflictCount: number;
  /** the first {@link MAX_LISTED} */
  readonly conflicts: readonly RevisionConflict[];
  readonly missingCount: number;
  /** the first {@link MAX_LISTED} */
  readonly missing: readonly MissingReference[];
}

/**
 * @throws WsusutilError any code of reading a package; `STRICT_REFUSED`; `INTERRUPTED`; store codes. The store is
 * then as it was before.
 */
export async function importPackage(options: ImportOptions): Promise<ImportSummary> {
  const startedAt = options.now().getTime();
  const wasEmpty = await options.store.isEmpty();
  const transaction = await options.store.beginImport();
  const run = new ImportRun(options, transaction, wasEmpty);
  try {
    const summary = await run.perform();
    if (options.dryRun) {
      await transaction.rollback();
      return summary;
    }
    options.report({ type: 'stage-started', stage: 'committing', unit: 'revisions', total: undefined });
    await transaction.commit({
      action: 'import',
      package: options.path,
      startedAt,
      finishedAt: options.now().getTime(),
      outcome: isComplete(summary) ? 'complete' : 'incomplete',
      details: countsOf(summary),
    });
    options.report({
      type: 'stage-finished',
      stage: 'committing',
      done: summary.newUpdates + summary.newRevisions,
    });
    return summary;
  } catch (error) {
    await transaction.rollback();
    if (!options.dryRun) await recordFailure(options, startedAt, error);
    throw error;
  } finally {
    await run.close();
  }
}

/** Nothing was refused and nothing is missing. */
export function isComplete(summary: ImportSummary): boolean {
  return summary.conflictCount === 0 && summary.missingCount === 0;
}

/** The numbers of an import, for history, log and `--json`. */
export function countsOf(summary: ImportSummary): Record<string, number> {
  return {
    revisions: summary.revisions,
    newUpdates: summary.newUpdates,
    newRevisions: summary.newRevisions,
    present: summary.present,
    conflicts: summary.conflictCount,
    missingReferences: summary.missingCount,
    files: summary.files,
    documentBytes: summary.documentBytes,
  };
}

class ImportRun {
  readonly #options: ImportOptions;
  readonly #transaction: ImportTransaction;
  readonly #wasEmpty: boolean;
  #runner: PackageRunner = openPackageRunner(0);
  #isThreaded = false;
  readonly #memory = new BatchMemory();
  readonly #underWay: {
    records: RecordBatch['records'];
    known: readonly (KnownRevision | undefined)[];
    done: Promise<DocumentResult>;
  }[] = [];
  #header: PackageHeader | undefined;
  #dispatched = 0;
  #dispatchedBytes = 0;
  #documentBytes = 0;
  #applied = 0;
  #reported = 0;
  #announced = 0;
  #bytes = 0;
  #totalBytes: number | undefined;
  #files = 0;
  readonly #counts = { newUpdates: 0, newRevisions: 0, present: 0, conflicts: 0 };
  readonly #newByType: Record<UpdateType, number> = { Category: 0, Detectoid: 0, Software: 0, Driver: 0 };
  readonly #conflicts: RevisionConflict[] = [];

  constructor(options: ImportOptions, transaction: ImportTransaction, wasEmpty: boolean) {
    this.#options = options;
    this.#transaction = transaction;
    this.#wasEmpty = wasEmpty;
  }

  async perform(): Promise<ImportSummary> {
    const { path, report, signal } = this.#options;
    report({ type: 'stage-started', stage: 'importing', unit: 'revisions', total: undefined });
    const parts = readPackage(path, {
      signal,
      warn: (code, message) => report({ type: 'warning', code, message }),
      memory: this.#memory,
      extent: this.#options.isThorough === true ? 'full' : 'identities',
      onProgress: (bytes, totalBytes) => {
        this.#bytes = bytes;
        this.#totalBytes = totalBytes;
      },
    });
    for await (const part of parts) {
      switch (part.type) {
        case 'header':
          if ((this.#totalBytes ?? 0) > LARGE_PACKAGE_SIZE) await this.#startThreads(); // they start up meanwhile
          await this.#takeHeader(part.header);
          break;
        case 'files':
          this.#files += part.files.length;
          await this.#transaction.addFileLocations(part.files);
          break;
        case 'entries':
          this.#announced += part.entries.length;
          break;
        case 'records':
          await this.#dispatch(part.batch);
          break;
      }
    }
    while (this.#underWay.length > 0) await this.#applyOldest();
    this.#reportProgress(true);
    report({ type: 'stage-finished', stage: 'importing', done: this.#applied });
    return this.#finish();
  }

  async close(): Promise<void> {
    for (const { done } of this.#underWay) done.catch(() => {}); // rejected by close; nobody waits any more
    await this.#runner.close();
  }

  async #startThreads(): Promise<void> {
    if (this.#isThreaded || this.#options.threads === 0) return;
    while (this.#underWay.length > 0) await this.#applyOldest();
    this.#runner = openPackageRunner(this.#options.threads);
    this.#isThreaded = true;
  }

  async #takeHeader(header: PackageHeader): Promise<void> {
    this.#header = header;
    const { report, store } = this.#options;
    report({
      type: 'step',
      message: `Package of server ${header.serverId}, made ${header.creationTime}, format ${header.formatVersion}, protocol ${header.protocolVersion}`,
    });
    if (this.#wasEmpty) {
      if (header.languages.length > 0) await this.#transaction.setLanguages(header.languages);
      return;
    }
    const difference = describeLanguageDifference(await store.languages(), header.languages);
    if (difference !== undefined) report({ type: 'warning', code: 'LANGUAGES_DIFFER', message: difference });
  }

  async #dispatch(batch: RecordBatch): Promise<void> {
    if (this.#dispatchedBytes > INLINE_SIZE) await this.#startThreads();
    const known = await this.#transaction.findRevisions(batch.records.map((record) => record.identity));
    const task = createDocumentTask(batch, known, {
      firstRecord: this.#dispatched + 1,
      level: this.#options.dryRun ? DISCARDED_LEVEL : STORED_LEVEL,
      extent: this.#options.isThorough === true ? 'full' : 'indexed',
    });
    const done = this.#runner
      .run({ kind: 'documents', task }, this.#isThreaded ? [batch.bytes.buffer as ArrayBuffer] : [])
      .then((reply) => {
        if (reply.kind !== 'documents') throw new Error('a worker answered another task');
        return reply.result;
      });
    done.catch(() => {}); // taken up in #applyOldest; a rejection must not count as unhandled until then
    this.#dispatched += batch.records.length;
    this.#dispatchedBytes += batch.records.reduce((sum, record) => sum + record.end - record.start, 0);
    this.#underWay.push({ records: batch.records, known, done });
    while (this.#underWay.length >= this.#runner.concurrency) await this.#applyOldest();
  }

  async #applyOldest(): Promise<void> {
    const oldest = this.#underWay.shift();
    if (oldest === undefined) return;
    throwIfInterrupted(this.#options.signal, 'importing; the store is as it was before');
    const { verdicts, batch, documentBytes, bytes } = await oldest.done;
    this.#memory.giveBack(bytes);
    this.#documentBytes += documentBytes;
    for (const [index, verdict] of verdicts.entries()) {
      if (verdict === 'new') continue;
      const known = oldest.known[index];
      const identity = oldest.records[index]?.identity;
      if (known === undefined || identity === undefined) throw new Error('a verdict without its record');
      if (verdict === 'present' || (await this.#equalsStored(known, verdict.normalizedDigest))) {
        this.#counts.present++;
      } else {
        this.#addConflict(identity, known, verdict.digest);
      }
    }
    const added = await this.#transaction.addRevisions(batch);
    this.#counts.newUpdates += added.newUpdates;
    this.#counts.newRevisions += added.newRevisions;
    this.#counts.present += added.present;
    for (const type of UPDATE_TYPES) this.#newByType[type] += added.newByType[type] ?? 0;
    for (const { identity, known, digest } of added.conflicts) this.#addConflict(identity, known, digest);
    this.#applied += verdicts.length;
    this.#reportProgress(false);
  }

  async #equalsStored(known: KnownRevision, normalizedDigest: Uint8Array): Promise<boolean> {
    const stored = await this.#transaction.readDocument(known.key);
    return createHash('sha256').update(normalizeLineEnds(stored)).digest().equals(normalizedDigest);
  }

  #addConflict(identity: UpdateIdentity, known: KnownRevision, digest: Uint8Array): void {
    this.#counts.conflicts++;
    if (this.#conflicts.length >= MAX_LISTED) return;
    const conflict = {
      identity,
      storedDigest: Buffer.from(known.digest).toString('hex'),
      packageDigest: Buffer.from(digest).toString('hex'),
    };
    this.#conflicts.push(conflict);
    this.#options.report({
      type: 'warning',
      code: 'REVISION_CONFLICT',
      identity,
      message: `${formatIdentity(identity)} is in the store with another document, which stays: SHA-256 ${conflict.storedDigest} in the store, ${conflict.packageDigest} in the package`,
    });
  }

  async #finish(): Promise<ImportSummary> {
    if (this.#header === undefined) throw new Error('readPackage ended without a header');
    const { missing, missingCount } = await this.#transaction.finish(MAX_LISTED, this.#options.signal);
    for (const reference of missing) {
      this.#options.report({
        type: 'warning',
        code: reference.kind === 'bundled' ? 'BUNDLED_REVISION_MISSING' : 'PREREQUISITE_MISSING',
        identity: reference.neededBy,
        message: describeMissing(reference),
      });
    }
    const summary: ImportSummary = {
      path: this.#options.path,
      format: packageFormatOf(this.#options.path),
      header: this.#header,
      dryRun: this.#options.dryRun,
      revisions: this.#applied,
      newUpdates: this.#counts.newUpdates,
      newRevisions: this.#counts.newRevisions,
      present: this.#counts.present,
      newByType: this.#newByType,
      files: this.#files,
      documentBytes: this.#documentBytes,
      conflictCount: this.#counts.conflicts,
      conflicts: this.#conflicts,
      missingCount,
      missing,
    };
    if (this.#options.strict && !isComplete(summary)) {
      throw new WsusutilError(
        'STRICT_REFUSED',
        `--strict: ${summary.conflictCount} conflicting revisions and ${missingCount} missing references in ${this.#options.path}; nothing was imported`,
        {
          hint: 'The warnings name them. Import the package that holds what is missing first, or leave --strict out.',
          details: { conflicts: summary.conflicts, missing: summary.missing },
        },
      );
    }
    return summary;
  }

  #reportProgress(always: boolean): void {
    if (!always && this.#applied - this.#reported < PROGRESS_INTERVAL) return;
    this.#reported = this.#applied;
    this.#options.report({
      type: 'progress',
      stage: 'importing',
      done: this.#applied,
      // A cabinet lists its updates before their documents; in a .xml.gz they come one by one.
      total: this.#announced > this.#dispatched ? this.#announced : undefined,
      bytes: this.#bytes,
      totalBytes: this.#totalBytes,
    });
  }
}

export function describeMissing(reference: MissingReference): string {
  const names = reference.anyOf.map(({ updateId, revisionNumber }) =>
    revisionNumber === undefined ? updateId : formatIdentity({ updateId, revisionNumber }),
  );
  const rest = reference.anyOfCount > 5 ? `, … (${reference.anyOfCount})` : '';
  const what = reference.anyOfCount === 1 ? names[0] : `any of ${names.slice(0, 5).join(', ')}${rest}`;
  const relation = reference.kind === 'bundled' ? 'bundles' : 'needs';
  return `${formatIdentity(reference.neededBy)} ${relation} ${what}, which neither the package nor the store has`;
}

function describeLanguageDifference(
  ours: readonly PackageLanguage[],
  theirs: readonly PackageLanguage[],
): string | undefined {
  const enabledIn = (languages: readonly PackageLanguage[]) =>
    new Set(languages.filter((each) => each.enabled).map((each) => each.shortName));
  const here = enabledIn(ours);
  const there = enabledIn(theirs);
  const onlyHere = [...here].filter((each) => !there.has(each));
  const onlyThere = [...there].filter((each) => !here.has(each));
  if (onlyHere.length === 0 && onlyThere.length === 0) return undefined;
  const parts = [
    onlyThere.length === 0 ? '' : `enabled there only: ${onlyThere.join(', ')}`,
    onlyHere.length === 0 ? '' : `enabled here only: ${onlyHere.join(', ')}`,
  ].filter((each) => each !== '');
  return `The languages of the exporting server differ from this store's (${parts.join('; ')}); the store's list stays. Both servers should have the same update languages`;
}

/** Best effort: the failure that is being reported matters more. */
async function recordFailure(options: ImportOptions, startedAt: number, error: unknown): Promise<void> {
  if (!isWsusutilError(error)) return;
  try {
    await options.store.addHistory({
      action: 'import',
      package: options.path,
      startedAt,
      finishedAt: options.now().getTime(),
      outcome: error.code,
      details: { message: error.message },
    });
  } catch {
    // e.g. the disk is full
  }
}
