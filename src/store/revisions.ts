/** Revisions as the store gives them out, and the conditions that choose among them. */
import type { Sha1Hex } from '../model/digest.js';
import type { CategoryType, UpdateType } from '../model/revision.js';
import type { UpdateId, UpdateIdentity } from '../model/update-identity.js';

/** The store's own number of a revision: grows in the order revisions arrived. Never reused. */
export type RevisionKey = number;

/** One revision as lists show it. */
export interface RevisionSummary {
  readonly key: RevisionKey;
  readonly identity: UpdateIdentity;
  readonly updateType: UpdateType;
  readonly categoryType: CategoryType | undefined;
  /** in the default language of the document */
  readonly title: string;
  readonly publicationState: string | undefined;
  /** milliseconds since 1970, from `CreationDate` */
  readonly createdAt: number | undefined;
  readonly msrcSeverity: string | undefined;
  /** digits only */
  readonly kbArticleIds: readonly string[];
  readonly explicitlyDeployable: boolean;
  /** highest revision number of its update */
  readonly isNewest: boolean;
  /** the newest revision of some other update names it as superseded */
  readonly isSuperseded: boolean;
  /** bytes of the document */
  readonly documentSize: number;
}

/** Conditions are ANDed; several values of one are ORed. */
export interface RevisionFilter {
  /** words that must all occur in the title (any case), the KB number or the id */
  readonly words?: readonly string[];
  readonly title?: string;
  /** ids of products, families or companies; what lies below them counts too */
  readonly categories?: readonly UpdateId[];
  readonly classifications?: readonly UpdateId[];
  readonly types?: readonly UpdateType[];
  /** digits only */
  readonly kbArticleIds?: readonly string[];
  /** as `MsrcSeverity` writes it; compared without case */
  readonly severities?: readonly string[];
  readonly cveIds?: readonly string[];
  /** milliseconds since 1970: created then or later */
  readonly createdSince?: number;
  readonly superseded?: boolean;
  readonly expired?: boolean;
  /** short tags: updates for one of them, and those for any language */
  readonly languages?: readonly string[];
  readonly updateIds?: readonly UpdateId[];
  /** false: old revisions too. Default true. */
  readonly newestOnly?: boolean;
  /** only what an administrator can approve: no hidden parts of bundles */
  readonly deployableOnly?: boolean;
}

/** A revision's document, byte for byte as it arrived. */
export interface StoredDocument {
  readonly key: RevisionKey;
  readonly identity: UpdateIdentity;
  readonly document: Uint8Array;
}

/** What the export writes about a revision beside its document. */
export interface ExportRow {
  readonly key: RevisionKey;
  readonly identity: UpdateIdentity;
  readonly updateType: UpdateType;
  /** payload files, in the document's order; licence texts are not listed (package-formats 1.3) */
  readonly fileSha1s: readonly Sha1Hex[];
  readonly categories: readonly UpdateId[];
  readonly classifications: readonly UpdateId[];
  /** bytes */
  readonly documentSize: number;
}

/** Who needs whom, for closures and orders over many revisions. Revisions are numbered 0 … in the store's order. */
export interface DependencyGraph {
  readonly keys: readonly RevisionKey[];
  indexOf(key: RevisionKey): number | undefined;
  /**
   * What revision `index` needs: for each prerequisite the revisions of that update, oldest first (any one will do);
   * for each bundled update exactly that revision. What the store does not hold is left out.
   */
  needsOf(index: number): readonly (readonly number[])[];
}
