/** What a package may make us hold at once. Everything in a package is hostile until it has been checked. */
export interface PackageLimits {
  /** bytes of one update document; the longest in a real package has 850,355 characters (package-formats 0.2a) */
  readonly maxDocumentSize: number;
  /** updates in one package; a full catalogue of Microsoft Update has fewer than a million revisions */
  readonly maxRecords: number;
}

export const DEFAULT_PACKAGE_LIMITS: PackageLimits = {
  maxDocumentSize: 32 * 1024 * 1024,
  maxRecords: 5_000_000,
};

/** Files, categories or classifications one update may name. */
export const MAX_REFERENCES_PER_UPDATE = 100_000;
/** Rows of the top-level `Files`; a full catalogue names a few million files. */
export const MAX_FILES = 20_000_000;
/** Rows of a package's language table; real ones have 39. */
export const MAX_LANGUAGES = 1_000;
/** bytes of documents a batch collects before it is handed on */
export const BATCH_SIZE = 1024 * 1024;
/** rows of `Files` or entries handed on at once */
export const ROWS_PER_BATCH = 1_000;
/** records a batch holds at most, however short they are */
export const RECORDS_PER_BATCH = 8_192;
