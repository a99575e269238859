/**
 * What the store knows about content files: which ones the metadata calls for, and what the last check found on
 * disk. Asynchronous and batch-sized like the rest of the store.
 */
import type { ContentFileKind, ContentRecord, WantedFile } from '../model/content-file.js';
import type { Sha1Hex } from '../model/digest.js';
import type { RevisionKey, RevisionSummary } from './revisions.js';

/** Which of the files that the metadata calls for. Conditions are ANDed. */
export interface ContentScope {
  /** files of these revisions; undefined: of all */
  readonly keys?: readonly RevisionKey[];
  /** undefined: all kinds */
  readonly kinds?: readonly ContentFileKind[];
}

export interface ContentTotals {
  readonly files: number;
  /** bytes, as the metadata says */
  readonly bytes: number;
}

/** How many files of a kind are in a state; `unchecked`: nobody ever looked. */
export interface StateTotals extends ContentTotals {
  readonly kind: ContentFileKind;
  readonly state: ContentRecord['state'] | 'unchecked';
}

/** The files of one scope, as they were when it was selected. */
export interface ContentSelection {
  readonly totals: ContentTotals & Readonly<Record<ContentFileKind, ContentTotals>>;
  /**
   * Files of one folder of the content directory, in order of SHA-1, some thousand at a time. Nothing stays open
   * between two pages, so what was found may be recorded in between.
   *
   * @param folder last byte of the SHA-1, 0 … 255
   * @param after the last file of the page before
   * @returns empty: that was all
   */
  page(folder: number, after: Sha1Hex | undefined): Promise<readonly WantedFile[]>;
  /**
   * What a folder looks like if nothing changed since the last check; undefined if any of its files was not verified
   * then.
   */
  expectation(folder: number): Promise<FolderExpectation | undefined>;
  /** The files by what the last check found; combinations without a file are left out. */
  states(signal?: AbortSignal): Promise<readonly StateTotals[]>;
  close(): Promise<void>;
}

export interface FolderExpectation extends ContentTotals {
  /** `<SHA-1> <stamp>` of each file, in order of SHA-1, a line each */
  readonly listing: string;
}

/** A file, and which revisions list it. */
export interface FileUsers extends Pick<WantedFile, 'size' | 'kind'> {
  /** SHA-1, 20 bytes */
  readonly digest: Uint8Array;
  readonly users: readonly RevisionKey[];
}

/** A check of the content directory that was begun: one that was broken off goes on under the same start. */
export interface ContentRun {
  /** milliseconds since 1970 */
  readonly startedAt: number;
  /** what was checked and how, as one text; another one begins a new run */
  readonly what: string;
}

export interface ContentIndex {
  /** @throws WsusutilError `INTERRUPTED` */
  select(scope: ContentScope, signal?: AbortSignal): Promise<ContentSelection>;
  /** Files by SHA-1; those the metadata does not call for are left out. */
  find(sha1s: readonly Sha1Hex[]): Promise<ReadonlyMap<Sha1Hex, WantedFile>>;
  /** Every size a file has: what has none of them is no content file. */
  sizes(): Promise<ReadonlySet<number>>;
  /** Revisions that call for each file: the first `limit` of them, and how many there are. */
  users(
    sha1s: readonly Sha1Hex[],
    limit: number,
  ): Promise<
    ReadonlyMap<Sha1Hex, { readonly revisions: readonly RevisionSummary[]; readonly count: number }>
  >;
  /** Files of a scope and the revisions of the scope that list them; each file once, some thousand at a time. */
  filesByDigest(scope: ContentScope): AsyncIterable<readonly FileUsers[]>;
  /** SHA-1s of the files that these revisions call for, some thousand at a time; one may come more than once. */
  digestsOf(scope: Required<ContentScope>): AsyncIterable<readonly Sha1Hex[]>;
  /** Writes down what a check found; in one transaction. Needs a store opened to write. */
  record(entries: readonly { readonly sha1: Sha1Hex; readonly record: ContentRecord }[]): Promise<void>;
  /** How many files are in which state, over all the metadata calls for. */
  states(): Promise<Readonly<Record<ContentRecord['state'], ContentTotals>>>;
  /** The check that was begun and not finished. */
  unfinishedRun(): Promise<ContentRun | undefined>;
  /** @param run undefined: it was finished */
  setUnfinishedRun(run: ContentRun | undefined): Promise<void>;
}
