/**
 * What a server of this store reads of it. Revisions never change, and go only if the import that brought them is taken
 * back: then from the newest one down, and their keys are not given out again. What grows is told by
 * {@link ServeView.revisionsAfter}.
 */
import type { FileStamp } from '../model/content-file.js';
import type { Sha1Hex, Sha256Hex } from '../model/digest.js';
import type { UpdateId, UpdateIdentity } from '../model/update-identity.js';
import type { RevisionKey } from './revisions.js';

/** The store's own number of an update, also of one that is only named so far. */
export type UpdateKey = number;

/** Revisions that need the same share one array of `prerequisites`, and one of `categories`. */
export interface ServedRevision {
  readonly key: RevisionKey;
  readonly updateKey: UpdateKey;
  readonly identity: UpdateIdentity;
  /** a category or a detectoid */
  readonly isConfig: boolean;
  /** each clause is met by any one of its updates */
  readonly prerequisites: readonly (readonly UpdateKey[])[];
  /** of `prerequisites`, those that name products and classifications: every update in an AtLeastOne clause */
  readonly categories: readonly UpdateKey[];
  /** each clause is met by any one of its revisions */
  readonly bundled: readonly (readonly BundledRevision[])[];
}

export interface BundledRevision {
  readonly updateKey: UpdateKey;
  readonly revisionNumber: number;
}

export interface FoundRevision {
  readonly key: RevisionKey;
  readonly identity: UpdateIdentity;
  /** bytes of the document */
  readonly documentSize: number;
  /** payload files, in the document's order */
  readonly fileSha1s: readonly Sha1Hex[];
}

/** A file that some revision calls for, and what the last check of the content directory found. */
export interface ServedFile {
  /** bytes */
  readonly size: number;
  readonly sha256: Sha256Hex | undefined;
  readonly fileName: string;
  /** the file as it was when its digests were found right; undefined: it was not, or never looked at */
  readonly verifiedStamp: FileStamp | undefined;
}

/** How far the content directory holds what the metadata calls for, by the last check. */
export interface ContentCoverage {
  /** every payload file and licence text was found right */
  readonly isComplete: boolean;
  /** some express file was */
  readonly hasExpressFiles: boolean;
}

export interface ServeView {
  /** Another number after another process has committed something. */
  version(): number;
  /** 0 for a store without revisions. */
  newestKey(): Promise<RevisionKey>;
  /** Revisions above `key`, in order of key, all of one moment. */
  revisionsAfter(key: RevisionKey): Promise<Iterable<ServedRevision>>;
  /** Number of each update that the store has heard of; ids it has not are left out. */
  updateKeys(updateIds: readonly UpdateId[]): Promise<ReadonlyMap<UpdateId, UpdateKey>>;
  /** Same order; undefined for what is not there. */
  findRevisions(identities: readonly UpdateIdentity[]): Promise<readonly (FoundRevision | undefined)[]>;
  /** The highest revision of each update; updates without one are left out. */
  newestRevisions(updateIds: readonly UpdateId[]): Promise<readonly UpdateIdentity[]>;
  /** SHA-256 of a revision's document; undefined if there is no such revision. */
  documentDigest(key: RevisionKey): Promise<Uint8Array | undefined>;
  /** The first four bytes of each document's SHA-256, as a number, big-endian. */
  documentChecks(): Promise<ReadonlyMap<RevisionKey, number>>;
  /** Keys of encrypted files, for those known. */
  decryptionKeys(sha1s: readonly Sha1Hex[]): Promise<ReadonlyMap<Sha1Hex, Uint8Array>>;
  /** Files by SHA-1; those the metadata does not call for are left out. */
  findFiles(sha1s: readonly Sha1Hex[]): Promise<ReadonlyMap<Sha1Hex, ServedFile>>;
  contentCoverage(): Promise<ContentCoverage>;
}
