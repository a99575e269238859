import type { Sha1Hex } from '../model/digest.js';
import type { UpdateIdentity } from '../model/update-identity.js';

/** The two lists of an upstream: categories and detectoids, then software and drivers (server-sync-protocol 0.4). */
export type SyncPass = 'categories' | 'updates';

/** A revision that an upstream listed and that is not in the store yet. */
export interface OwedRevision {
  readonly identity: UpdateIdentity;
  /** why it did not come when it was asked for; undefined: not asked for yet */
  readonly reason: string | undefined;
}

/**
 * What is remembered of each upstream between two runs (server-sync-protocol 17.1): anchors and facts as named texts,
 * and the revisions it owes. Changed only through an {@link ImportTransaction}, so that an anchor and what it stands for
 * are stored together.
 */
export interface SyncState {
  /** @param upstream its root, a normalized URL */
  values(upstream: string): Promise<ReadonlyMap<string, string>>;
  /** In the order they were listed. */
  owed(upstream: string, pass: SyncPass): Promise<readonly OwedRevision[]>;
  /** Those of these files for which a decryption key is stored, of whatever upstream it came. */
  withDecryptionKey(sha1s: readonly Sha1Hex[]): Promise<ReadonlySet<Sha1Hex>>;
}

export interface SyncChange {
  readonly upstream: string;
  /** undefined takes a value away; names left out stay */
  readonly values?: Readonly<Record<string, string | undefined>>;
  /** takes the place of what was owed in that pass */
  readonly owed?: { readonly pass: SyncPass; readonly revisions: readonly OwedRevision[] };
}
