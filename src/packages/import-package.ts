/**
 * Brings the metadata of a package into the store: one transaction, seen whole or not at all.
 *
 * The package is read as a stream. Documents are decoded, parsed and packed by {@link processDocuments}, on worker
 * threads once the package turns out to be large; the store takes the results in the package's order.
 */
import { throwIfInterrupted, WsusutilError } from '../errors.js';
import type { Stage } from '../events.js';
import { BatchMemory } from '../formats/export-package/batch-memory.js';
import {
  type PackageFormat,
  type PackageHeader,
  type PackagePart,
  packageFormatOf,
} from '../model/export-package.js';
import {
  announcedLanguages,
  isUnrestricted,
  type LanguageChoice,
  type PackageLanguage,
} from '../model/language.js';
import type { UpdateType } from '../model/revision.js';
import { formatIdentity } from '../model/update-identity.js';
import { type FileDigest, stampOf } from '../platform/hash-file.js';
import type { AcceptedPackage } from '../store/carry-state.js';
import type { ImportTransaction, MissingReference } from '../store/metadata-store.js';
import { recordFailure } from '../store/record-failure.js';
import { DocumentPipeline, MAX_LISTED, type RevisionConflict } from './document-pipeline.js';
import { type EarlierImport, findEarlierImport, traceOf } from './earlier-import.js';
import { type MemberPaths, readMemberFiles } from './member-files.js';
import type { PackageRun } from './package-run.js';
import { explainDocument, type ReadPackageOptions, readPackage } from './read-package.js';

/** Bytes of a package file that will have as many documents: they compress ten to one and better. */
const LARGE_PACKAGE_SIZE = 4 << 20;
/** From here on several threads save more time than each of them takes to compile the same program: half a second. */
const VERY_LARGE_PACKAGE_SIZE = 32 << 20;
const PROGRESS_INTERVAL = 500;

export interface ImportOptions extends PackageRun {
  readonly path: string;
  /** the package is a transfer package, and these are the metadata out of it */
  readonly carried?: CarriedMetadata | undefined;
  /** what this server is set to, compared with what the package says; default: no choice */
  readonly languages?: LanguageChoice | undefined;
  /** refuse conflicts and missing references */
  readonly strict: boolean;
  /** validate and count, change nothing */
  readonly dryRun: boolean;
  /** called once all is read, before anything is committed; what it throws undoes the import */
  readonly confirm?: () => Promise<void>;
  /** look into every part of every document, also those that the store does not index */
  readonly isThorough?: boolean;
}

export interface CarriedMetadata {
  readonly members: MemberPaths;
  /** entered together with the metadata */
  readonly accept: () => AcceptedPackage;
  /** for the history, beside the counts */
  readonly details: Readonly<Record<string, unknown>>;
}

export interface ImportSummary {
  readonly path: string;
  readonly format: PackageFormat | 'tar';
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
  /** when these very bytes were imported before, milliseconds since 1970: they were not read again */
  readonly importedBefore: number | undefined;
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
    const earlier = wasEmpty ? undefined : await run.findEarlier();
    const summary = (earlier === undefined ? undefined : await run.recall(earlier)) ?? (await run.perform());
    await options.confirm?.();
    if (options.dryRun) {
      await transaction.rollback();
      return summary;
    }
    options.report({ type: 'stage-started', stage: 'committing', unit: 'revisions', total: undefined });
    if (options.carried !== undefined) await transaction.acceptPackage(options.carried.accept());
    await transaction.commit({
      action: 'import',
      package: options.path,
      startedAt,
      finishedAt: options.now().getTime(),
      outcome: isComplete(summary) ? 'complete' : 'incomplete',
      details: { ...countsOf(summary), ...(await run.trace()), ...options.carried?.details },
    });
    options.report({
      type: 'stage-finished',
      stage: 'committing',
      done: summary.newUpdates + summary.newRevisions,
    });
    return summary;
  } catch (error) {
    await transaction.rollback();
    if (!options.dryRun) {
      const finishedAt = options.now().getTime();
      const details = options.carried?.details ?? {};
      const entry = { action: 'import', package: options.path, startedAt, finishedAt, details } as const;
      await recordFailure(options.store, entry, error);
    }
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
  readonly #memory = new BatchMemory();
  readonly #pipeline: DocumentPipeline;
  #header: PackageHeader | undefined;
  #reported = 0;
  #announced = 0;
  #bytes = 0;
  #totalBytes: number | undefined;
  #files = 0;
  #digest: Promise<FileDigest | undefined> | undefined;
  /** of the package, before anybody opened it */
  #stamp: string | undefined;
  /** something about the package, or what came of it, has to be said each time */
  #isPlain = true;

  constructor(options: ImportOptions, transaction: ImportTransaction, wasEmpty: boolean) {
    this.#options = options;
    this.#transaction = transaction;
    this.#wasEmpty = wasEmpty;
    this.#pipeline = new DocumentPipeline({
      transaction,
      signal: options.signal,
      report: options.report,
      threads: options.threads,
      isKept: !options.dryRun,
      extent: options.isThorough === true ? 'full' : 'indexed',
      interruption: 'importing; the store is as it was before',
      source: 'package',
      onDone: (bytes) => this.#memory.giveBack(bytes),
    });
  }

  /** @returns undefined: the package is to be read */
  async findEarlier(): Promise<EarlierImport | undefined> {
    const { store, path, strict, isThorough, carried, signal } = this.#options;
    if (strict || isThorough === true || carried !== undefined) return undefined;
    this.#stamp = await stampOf(path);
    return findEarlierImport(store, path, async (size) => {
      // It may lie behind a slow network, and an interruption must be heard.
      if (size > LARGE_PACKAGE_SIZE) await this.#pipeline.startThreads(1);
      const digest = await untilAborted(this.#digestNow(), signal);
      throwIfInterrupted(signal, `reading ${path}`);
      return digest;
    });
  }

  /** For the history: by what the package is known again, if importing it again has nothing to say. */
  async trace(): Promise<Readonly<Record<string, unknown>>> {
    const digest = await this.#digest;
    if (digest === undefined || !this.#isPlain || digest.stamp !== this.#stamp) return {};
    return (await this.#isUntouched(digest)) ? traceOf(digest) : {};
  }

  /** Not another file since it was hashed. */
  async #isUntouched({ stamp }: FileDigest): Promise<boolean> {
    return stamp === (await stampOf(this.#options.path));
  }

  #digestNow(): Promise<FileDigest | undefined> {
    this.#digest ??= this.#pipeline.digestOf(this.#options.path);
    return this.#digest;
  }

  /** `verify`: every part of every document is read, and nothing is imported */
  get #isVerified(): boolean {
    return this.#options.isThorough === true;
  }

  get #stage(): Stage {
    return this.#isVerified ? 'verifying' : 'importing';
  }

  async perform(): Promise<ImportSummary> {
    const { path, report, signal, carried } = this.#options;
    this.#stamp = await stampOf(path);
    report({ type: 'stage-started', stage: this.#stage, unit: 'revisions', total: undefined });
    const readOptions: ReadPackageOptions = {
      signal,
      warn: (code, message) => {
        this.#isPlain = false;
        report({ type: 'warning', code, message });
      },
      memory: this.#memory,
      extent: this.#isVerified ? 'full' : 'identities',
      onProgress: (bytes, totalBytes) => {
        this.#bytes = bytes;
        this.#totalBytes = totalBytes;
      },
    };
    const parts =
      carried === undefined ? readPackage(path, readOptions) : readMemberFiles(carried.members, readOptions);
    try {
      await this.#takeParts(parts);
      await this.#pipeline.drain();
    } catch (error) {
      throw carried === undefined ? await explainDocument(path, error, signal) : error;
    }
    this.#reportProgress(true);
    report({ type: 'stage-finished', stage: this.#stage, done: this.#pipeline.applied });
    return this.#finish();
  }

  async #takeParts(parts: AsyncIterable<PackagePart>): Promise<void> {
    for await (const part of parts) {
      switch (part.type) {
        case 'header':
          await this.#startThreads(this.#totalBytes ?? 0);
          await this.#takeHeader(part.header);
          break;
        case 'files':
          this.#files += part.files.length;
          await this.#transaction.addFileLocations(part.files);
          break;
        case 'entries':
          this.#announced += part.entries.length;
          break;
        case 'identities':
          this.#announced += part.identities.length;
          break;
        case 'records':
          await this.#pipeline.add(part.batch);
          this.#reportProgress(false);
          break;
      }
    }
  }

  /** They start up while the package's lists are read. */
  async #startThreads(packageSize: number): Promise<void> {
    if (packageSize > LARGE_PACKAGE_SIZE) {
      await this.#pipeline.startThreads(packageSize > VERY_LARGE_PACKAGE_SIZE ? this.#options.threads : 1);
    }
    const { dryRun, carried } = this.#options;
    if (!dryRun && carried === undefined) void this.#digestNow();
  }

  /**
   * For a package all of which is in the store: only its header is read, since the store's settings may differ from it.
   *
   * @returns undefined: it is another file by now
   */
  async recall({ finishedAt, ...counts }: EarlierImport): Promise<ImportSummary | undefined> {
    const { path, report, dryRun, signal } = this.#options;
    for await (const part of readPackage(path, { signal, warn: () => {} })) {
      if (part.type !== 'header') continue;
      await this.#takeHeader(part.header);
      break;
    }
    const digest = await this.#digest;
    if (this.#header === undefined || digest === undefined || !(await this.#isUntouched(digest)))
      return undefined;
    const at = new Date(finishedAt).toISOString().replace(/\.\d+/, '');
    report({
      type: 'step',
      message: `The very bytes of this package were imported at ${at}; they are not read again (with --strict they are)`,
    });
    return {
      path,
      format: packageFormatOf(path),
      header: this.#header,
      dryRun,
      ...counts,
      newUpdates: 0,
      newRevisions: 0,
      present: counts.revisions,
      newByType: this.#pipeline.newByType,
      conflictCount: 0,
      conflicts: [],
      missingCount: 0,
      missing: [],
      importedBefore: finishedAt,
    };
  }

  close(): Promise<void> {
    return this.#pipeline.close();
  }

  async #takeHeader(header: PackageHeader): Promise<void> {
    this.#header = header;
    const { report, store, languages = 'all' } = this.#options;
    report({
      type: 'step',
      message: `Package of server ${header.serverId}, made ${header.creationTime}, format ${header.formatVersion}, protocol ${header.protocolVersion}`,
    });
    const takesTable = this.#wasEmpty && header.languages.length > 0;
    if (takesTable) await this.#transaction.setLanguages(header.languages);
    if (this.#wasEmpty && isUnrestricted(languages)) return;
    const ours = announcedLanguages(takesTable ? header.languages : await store.languages(), languages);
    const difference = describeLanguageDifference(ours, header.languages);
    if (difference !== undefined) report({ type: 'warning', code: 'LANGUAGES_DIFFER', message: difference });
  }

  async #finish(): Promise<ImportSummary> {
    if (this.#header === undefined) throw new Error('readPackage ended without a header');
    const { missing, missingCount } = await this.#transaction.finish(MAX_LISTED, this.#options.signal, {
      present: this.#pipeline.presentKeys,
    });
    for (const reference of missing) {
      this.#options.report({
        type: 'warning',
        code: reference.kind === 'bundled' ? 'BUNDLED_REVISION_MISSING' : 'PREREQUISITE_MISSING',
        identity: reference.neededBy,
        message: describeMissing(reference, this.#isVerified ? 'the package does not have' : undefined),
      });
    }
    const { counts, newByType, documentBytes, conflicts } = this.#pipeline;
    const summary: ImportSummary = {
      path: this.#options.path,
      format: this.#options.carried === undefined ? packageFormatOf(this.#options.path) : 'tar',
      header: this.#header,
      dryRun: this.#options.dryRun,
      revisions: this.#pipeline.applied,
      newUpdates: counts.newUpdates,
      newRevisions: counts.newRevisions,
      present: counts.present,
      newByType,
      files: this.#files,
      documentBytes,
      conflictCount: counts.conflicts,
      conflicts,
      missingCount,
      missing,
      importedBefore: undefined,
    };
    if (this.#options.strict && !isComplete(summary)) {
      throw new WsusutilError(
        'STRICT_REFUSED',
        `--strict: ${describeGaps(summary)} in ${this.#options.path}${this.#isVerified ? '' : '; nothing was imported'}`,
        {
          hint: strictHint(summary, this.#isVerified),
          details: { conflicts: summary.conflicts, missing: summary.missing },
        },
      );
    }
    return summary;
  }

  #reportProgress(always: boolean): void {
    const { applied, dispatched } = this.#pipeline;
    if (!always && applied - this.#reported < PROGRESS_INTERVAL) return;
    this.#reported = applied;
    this.#options.report({
      type: 'progress',
      stage: this.#stage,
      done: applied,
      // A cabinet lists its updates before their documents; in a .xml.gz they come one by one.
      total: this.#announced > dispatched ? this.#announced : undefined,
      bytes: this.#bytes,
      totalBytes: this.#totalBytes,
    });
  }
}

/** @returns undefined as soon as there is the signal */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  let stop: () => void = () => {};
  const aborted = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
  });
  signal.addEventListener('abort', stop);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function describeGaps({ conflictCount, missingCount }: ImportSummary): string {
  const parts = [
    conflictCount === 0
      ? ''
      : `${conflictCount} conflicting ${conflictCount === 1 ? 'revision' : 'revisions'}`,
    missingCount === 0 ? '' : `${missingCount} missing ${missingCount === 1 ? 'reference' : 'references'}`,
  ];
  return parts.filter((part) => part !== '').join(' and ');
}

function strictHint({ conflictCount, missingCount }: ImportSummary, isVerified: boolean): string {
  const conflicts = 'Without --strict the documents in the store stay, and the rest is imported.';
  const missing = isVerified
    ? 'What is missing must be in the store, or in a package imported before this one.'
    : 'Import the package that holds what is missing first, or leave --strict out.';
  return `The warnings name them. ${[conflictCount > 0 ? conflicts : '', missingCount > 0 ? missing : ''].join(' ').trim()}`;
}

/** @param who completes "…, which " */
export function describeMissing(
  reference: MissingReference,
  who = 'neither the package nor the store has',
): string {
  const names = reference.anyOf.map(({ updateId, revisionNumber }) =>
    revisionNumber === undefined ? updateId : formatIdentity({ updateId, revisionNumber }),
  );
  const rest = reference.anyOfCount > 5 ? `, … (${reference.anyOfCount})` : '';
  const what = reference.anyOfCount === 1 ? names[0] : `any of ${names.slice(0, 5).join(', ')}${rest}`;
  const relation = reference.kind === 'bundled' ? 'bundles' : 'needs';
  return `${formatIdentity(reference.neededBy)} ${relation} ${what}, which ${who}`;
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
  return `The languages of the exporting server differ from this server's (${parts.join('; ')}), which stay. Both servers should have the same update languages`;
}
