/** What the store remembers of transfer packages: those made here, by destination, and those that were imported. */
import type { Sha1Hex } from '../model/digest.js';
import type { RevisionKey } from './revisions.js';

/** First and last key of a run of revisions, both of it. */
export type KeyRange = readonly [first: RevisionKey, last: RevisionKey];

export interface SentPackage {
  readonly destination: string;
  /** from 1, without gaps for one destination */
  readonly sequence: number;
  /** SHA-256 of the manifest, upper-case hex */
  readonly manifest: string;
  /** number of the package it builds on; undefined: it builds on none */
  readonly followsSequence: number | undefined;
  /** milliseconds since 1970 */
  readonly createdAt: number;
  /** milliseconds since 1970; undefined: nobody has said that it arrived */
  readonly acknowledgedAt: number | undefined;
}

/** What a package carried, beside the ones it builds on. */
export interface Carried {
  /** rising, apart */
  readonly revisions: readonly KeyRange[];
  readonly files: ReadonlySet<Sha1Hex>;
}

export interface AcceptedPackage {
  /** of the exporting server */
  readonly serverId: string;
  readonly destination: string;
  readonly sequence: number;
  /** SHA-256 of the manifest, upper-case hex */
  readonly manifest: string;
  /** of the package it builds on; undefined: it builds on none */
  readonly follows: string | undefined;
  /** milliseconds since 1970, by the exporting server's clock */
  readonly createdAt: number;
  /** milliseconds since 1970 */
  readonly acceptedAt: number;
  /** ids of the keys that signed it */
  readonly signers: readonly string[];
  /** why it was taken although what it builds on was not */
  readonly gapReason: string | undefined;
}

export interface CarryState {
  /** Oldest first. */
  listSent(destination?: string): Promise<readonly SentPackage[]>;
  /**
   * What a destination holds that has imported this package and those it builds on.
   *
   * @throws WsusutilError `NOT_FOUND` if one of them is not remembered here
   */
  carriedUpTo(destination: string, sequence: number): Promise<Carried>;
  /**
   * In one transaction. Needs a store opened to write.
   *
   * @throws WsusutilError `TARGET_EXISTS` if there is a package of that number
   */
  recordSent(sent: SentPackage, carried: Carried): Promise<void>;
  /** @returns false: there is no such package */
  acknowledge(destination: string, sequence: number, at: number): Promise<boolean>;
  /** Oldest first. */
  listAccepted(): Promise<readonly AcceptedPackage[]>;
}

/** An import that was or can be taken back. */
export interface UndoneImport {
  readonly package: string;
  /** milliseconds since 1970 */
  readonly finishedAt: number;
  readonly revisions: number;
  /** of these: updates the store did not have before */
  readonly updates: number;
  /** content files that nothing calls for without it */
  readonly files: number;
  readonly bytes: number;
  /** the transfer package it was */
  readonly accepted: AcceptedPackage | undefined;
}
