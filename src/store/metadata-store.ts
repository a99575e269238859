/**
 * The metadata store as the rest of the program sees it: asynchronous and batch-sized (arrays in, async iterables
 * out), so that a networked database can stand behind it as well as the embedded one.
 */
import type { Sha1Hex } from '../model/digest.js';
import type { PackageFile } from '../model/export-package.js';
import type { IdentityList } from '../model/identity-list.js';
import type { PackageLanguage } from '../model/language.js';
import type { CategoryType, UpdateType } from '../model/revision.js';
import type { UpdateId, UpdateIdentity } from '../model/update-identity.js';
import type { AcceptedPackage, CarryState, UndoneImport } from './carry-state.js';
import type { ContentIndex } from './content-index.js';
import type { RevisionBatch } from './revision-batch.js';
import type {
  DependencyGraph,
  ExportRow,
  RevisionFilter,
  RevisionKey,
  RevisionSummary,
  StoredDocument,
} from './revisions.js';
import type { ServeView } from './serve-view.js';
import type { Arrivals, SyncChange, SyncState } from './sync-state.js';

export type * from './revisions.js';

export interface CategoryRow {
  readonly updateId: UpdateId;
  readonly categoryType: CategoryType | undefined;
  readonly title: string;
  readonly revisionNumber: number;
  readonly isExpired: boolean;
  /** categories named in its prerequisites */
  readonly parents: readonly UpdateId[];
  /** newest revisions of software and drivers an administrator could approve, directly in it */
  readonly updateCount: number;
}

/** Updates that are in the very same categories. */
export interface CategoryGroup {
  readonly categories: readonly UpdateId[];
  /** counted as {@link CategoryRow.updateCount} */
  readonly updateCount: number;
}

export interface StoreStatus {
  readonly serverId: string;
  readonly createdAt: number;
  readonly schemaVersion: number;
  readonly updates: number;
  readonly revisions: number;
  readonly newestByType: Readonly<Record<UpdateType, number>>;
  readonly expired: number;
  readonly superseded: number;
  readonly files: number;
  /** bytes, as the documents declare them, each file once */
  readonly fileBytes: number;
  readonly licenceFiles: number;
  /** bytes of all documents */
  readonly documentBytes: number;
  /** bytes on disk */
  readonly storeBytes: number;
  readonly languages: readonly PackageLanguage[];
  readonly lastImport: HistoryEntry | undefined;
  readonly lastExport: HistoryEntry | undefined;
  readonly lastSync: HistoryEntry | undefined;
}

export type HistoryAction =
  | 'import'
  | 'export'
  | 'sync'
  | 'reset'
  | 'movecontent'
  | 'content copy'
  | 'content prune'
  | 'content add'
  | 'undo';

/** One run that read or wrote a package, synchronised, or changed the content directory. */
export interface HistoryEntry {
  readonly id: number;
  readonly action: HistoryAction;
  /** the package, folder, file or upstream it was about */
  readonly package: string;
  /** milliseconds since 1970 */
  readonly startedAt: number;
  readonly finishedAt: number;
  /** `complete`, `incomplete`, or an error code */
  readonly outcome: string;
  /** counts and facts of the run; plain JSON */
  readonly details: Readonly<Record<string, unknown>>;
}

/** One thing a run said. */
export interface HistoryMessage {
  /** milliseconds since 1970 */
  readonly at: number;
  readonly level: 'step' | 'warning' | 'error';
  readonly message: string;
}

/** A run about to enter the history. */
export interface HistoryRecord extends Omit<HistoryEntry, 'id'> {
  /** in order; default: none */
  readonly messages?: readonly HistoryMessage[];
}

/** What became of a batch. */
export interface AddedRevisions {
  /** first revisions of their updates */
  readonly newUpdates: number;
  readonly newRevisions: number;
  /** there already: the same document, line ends apart */
  readonly present: number;
  readonly newByType: Readonly<Partial<Record<UpdateType, number>>>;
  /** there already with another document, which stays */
  readonly conflicts: readonly {
    readonly identity: UpdateIdentity;
    readonly known: KnownRevision;
    /** SHA-256 of the document in the batch, 32 bytes */
    readonly digest: Uint8Array;
  }[];
}

export interface KnownRevision {
  readonly key: RevisionKey;
  /** SHA-256 of the stored document, 32 bytes */
  readonly digest: Uint8Array;
}

/** A prerequisite clause or a bundled revision that neither package nor store has. */
export interface MissingReference {
  readonly kind: 'prerequisite' | 'bundled';
  readonly neededBy: UpdateIdentity;
  /** any one of these would do, the first ten of them; with a revision number for bundled ones */
  readonly anyOf: readonly { readonly updateId: UpdateId; readonly revisionNumber: number | undefined }[];
  readonly anyOfCount: number;
}

/** Older revisions whose references are looked at too. */
export interface FinishScope {
  /** all from this key on: what a run that was killed had stored */
  readonly from?: RevisionKey | undefined;
  /** these: a package holds them, and may lack what it lacked when they came */
  readonly present?: readonly RevisionKey[] | undefined;
}

/**
 * One atomic change of the store. Nothing is seen by readers before `commit`, nothing stays after `rollback`
 * or a killed process.
 */
export interface ImportTransaction {
  /** of the first revision that this transaction adds */
  readonly firstKey: RevisionKey;
  /** What the store (this transaction included) holds of each; same order. */
  findRevisions(identities: IdentityList): Promise<readonly (KnownRevision | undefined)[]>;
  /** The document of a stored revision. */
  readDocument(key: RevisionKey): Promise<Uint8Array>;
  addRevisions(batch: RevisionBatch): Promise<AddedRevisions>;
  /** Where content files are served. A URL that is already known stays. */
  addFileLocations(files: readonly PackageFile[]): Promise<void>;
  setLanguages(languages: readonly PackageLanguage[]): Promise<void>;
  /**
   * Where content files are served, for those whose names the documents of this transaction tell; the rest are named as
   * their URLs say. A URL that is already known stays.
   */
  addFileUrls(urls: ReadonlyMap<Sha1Hex, string>): Promise<void>;
  /** XML of driver sets by their id, as Microsoft Update gives it. */
  addDriverSets(sets: readonly { readonly driverSetId: UpdateId; readonly xml: string }[]): Promise<void>;
  /** What came in this transaction. */
  countArrivals(): Promise<Arrivals>;
  /**
   * Completes derived tables; the references that this transaction's revisions lack, and those of `scope`, at most `limit`
   * of them.
   */
  finish(
    limit: number,
    signal: AbortSignal,
    scope?: FinishScope,
  ): Promise<{ readonly missing: readonly MissingReference[]; readonly missingCount: number }>;
  /** Anchors and debts of an upstream: stored together with what they stand for. */
  rememberSync(change: SyncChange): Promise<void>;
  /** Keys of encrypted files, SHA-1 → key; a newer key takes the place of the old. */
  addDecryptionKeys(keys: ReadonlyMap<Sha1Hex, Uint8Array>): Promise<void>;
  /** Notes the transfer package whose metadata this transaction brings; kept if it is committed. */
  acceptPackage(accepted: AcceptedPackage): Promise<void>;
  /** Makes all so far permanent and seen, and goes on with a new atomic change. */
  checkpoint(signal: AbortSignal): Promise<void>;
  commit(history?: HistoryRecord): Promise<void>;
  rollback(): Promise<void>;
}

export interface StoreProblem {
  readonly check: string;
  readonly message: string;
}

export interface MetadataStore {
  /** Identity of this server, as packages carry it. */
  readonly serverId: string;
  status(): Promise<StoreStatus>;
  languages(): Promise<readonly PackageLanguage[]>;
  /** True before the first revision. */
  isEmpty(): Promise<boolean>;
  /** SHA-256 (hex) over every (id, revision, document digest) in order of id: equal stores, equal fingerprints. */
  fingerprint(): Promise<string>;
  /** Newest first: by creation date, then id. */
  listRevisions(filter: RevisionFilter, limit?: number): AsyncIterable<readonly RevisionSummary[]>;
  countRevisions(filter: RevisionFilter): Promise<number>;
  /** All revisions of an update, newest first; empty if the store has none. */
  findUpdate(updateId: UpdateId): Promise<readonly RevisionSummary[]>;
  /** Titles of updates by id, in a language where known; ids without a revision are left out. */
  titlesOf(updateIds: readonly UpdateId[], language?: string): Promise<ReadonlyMap<UpdateId, string>>;
  /** Localized titles of revisions; those without one in that language are left out. */
  localizedTitles(keys: readonly RevisionKey[], language: string): Promise<ReadonlyMap<RevisionKey, string>>;
  /** Bundles that hold this revision, and newest revisions that supersede its update. */
  relatives(identity: UpdateIdentity): Promise<{
    readonly bundledBy: readonly RevisionSummary[];
    readonly supersededBy: readonly RevisionSummary[];
  }>;
  /** SHA-1 → where Microsoft serves it, for those known. */
  fileLocations(sha1s: readonly Sha1Hex[]): Promise<ReadonlyMap<Sha1Hex, string>>;
  listCategories(): Promise<readonly CategoryRow[]>;
  /** For counts of updates over several categories: each update is in one group, or in no category. */
  groupByCategories(): Promise<readonly CategoryGroup[]>;
  /** Documents in the order asked for; ask in rising order of key, then each block is inflated once. */
  readDocuments(keys: Iterable<RevisionKey>): AsyncIterable<readonly StoredDocument[]>;
  /** All revision keys in the store's order, or those that pass the filter. */
  listKeys(filter?: RevisionFilter): Promise<readonly RevisionKey[]>;
  /** True if some revision arrived before one that it needs: an export has to sort then. */
  needsSorting(): Promise<boolean>;
  dependencyGraph(): Promise<DependencyGraph>;
  /** @param withFiles false: lists of files are empty; reading them takes most of the time where updates have many */
  exportRows(keys: readonly RevisionKey[], withFiles?: boolean): AsyncIterable<readonly ExportRow[]>;
  /** Locations of the payload files of these revisions (undefined: of all), each file once. */
  exportFiles(keys: readonly RevisionKey[] | undefined): AsyncIterable<readonly PackageFile[]>;
  /** Payload files of these revisions (undefined: of all) that have no known location. */
  countFilesWithoutLocation(keys: readonly RevisionKey[] | undefined): Promise<number>;
  /** Bytes that the documents take in the store, as a share of their size: how well they compress. */
  compressionRatio(): Promise<number>;
  /** Everything read inside `work` is of one moment, whatever another process imports meanwhile. */
  readConsistently<T>(work: () => Promise<T>): Promise<T>;
  beginImport(): Promise<ImportTransaction>;
  /**
   * What the metadata calls for in the content directory, up to the newest revision.
   *
   * @throws WsusutilError `INTERRUPTED`
   */
  contentIndex(signal?: AbortSignal): Promise<ContentIndex>;
  /** What a server of this store reads of it. */
  serveView(): Promise<ServeView>;
  /** What is remembered of upstreams. */
  syncState(): SyncState;
  /** Transfer packages that were sent and accepted. */
  carryState(): CarryState;
  /**
   * The import that {@link undoImport} would take back.
   *
   * @throws WsusutilError `NOT_FOUND` if there is none, or something was stored after it
   */
  findUndoable(): Promise<UndoneImport>;
  /**
   * Takes back the last import as if it had not been: its revisions with all that came of them, file locations,
   * languages, and the transfer package it was. Content files are left alone. The import before becomes the last one.
   *
   * @param historyOf the entry to write beside it
   * @throws WsusutilError `NOT_FOUND` if there is none, or something was stored after it
   */
  undoImport(historyOf: (undone: UndoneImport) => HistoryRecord): Promise<UndoneImport>;
  addHistory(entry: HistoryRecord): Promise<void>;
  /** Newest first. */
  listHistory(limit: number, action?: HistoryAction): Promise<readonly HistoryEntry[]>;
  /** @returns undefined if there is no such run */
  findHistory(
    id: number,
  ): Promise<(HistoryEntry & { readonly messages: readonly HistoryMessage[] }) | undefined>;
  /** SQLite's own check and the store's invariants; documents are inflated and hashed. */
  check(onProgress: (done: number, total: number) => void, signal: AbortSignal): AsyncIterable<StoreProblem>;
  /** What {@link check} does, without reading the documents. */
  quickCheck(signal: AbortSignal): AsyncIterable<StoreProblem>;
  close(): Promise<void>;
}
