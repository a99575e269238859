import type { Sha1Hex } from '../model/digest.js';
import type { UpdateIdentity } from '../model/update-identity.js';

/**
 * The lists of an upstream: categories and detectoids, software and drivers, drivers by inventory
 * (server-sync-protocol 0.4); and the revisions whose decryption keys are to be asked for.
 */
export type SyncPass = 'categories' | 'updates' | 'drivers' | 'decryption';

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

/** What a run of the downstream brought, counted by update as the WSUS console does. */
export interface Arrivals {
  /** updates an administrator can approve that were not known before */
  readonly newUpdates: number;
  /** known before, with a newer revision now */
  readonly revisedUpdates: number;
  /** whose newest revision came and says that they are expired */
  readonly expiredUpdates: number;
  /** that a server declines by itself: what expired and nobody has approved. Without approvals, all of those. */
  readonly declinedUpdates: number;
}

export interface SyncChange {
  readonly upstream: string;
  /** undefined takes a value away; names left out stay */
  readonly values?: Readonly<Record<string, string | undefined>>;
  /** takes the place of what was owed in that pass */
  readonly owed?: { readonly pass: SyncPass; readonly revisions: readonly OwedRevision[] };
}
