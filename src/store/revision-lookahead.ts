import type { SqlDatabase, SqlStatement } from '../platform/sqlite.js';
import type { RevisionKey } from './metadata-store.js';
import { DIGEST_SIZE, UPDATE_ID_SIZE } from './revision-batch.js';
import { textOf } from './rows.js';

const WINDOW_SIZE = 256;
/** Revisions passed over in search of the one asked for: a package need not hold everything that the store holds. */
const MAX_PASSED_OVER = 16;
/** Looked up one by one before reading ahead is worth it. */
const MIN_FOUND = 8;
/** Reading ahead helps when at least one in so many is asked for. */
const MAX_SPREAD = 4;

const BYTES_PER_REVISION = UPDATE_ID_SIZE + DIGEST_SIZE;
const NUMBERS_PER_REVISION = 4;

export interface ExpectedRevision {
  readonly key: RevisionKey;
  /** SHA-256 of the document */
  readonly digest: Uint8Array;
  readonly updateKey: number;
  /** revision number of the update's newest revision */
  readonly newestNumber: number;
}

/**
 * Revisions in order of arrival, read ahead of those that are asked for: a package that was imported before asks in
 * that order. A window of them comes as two texts, ids and digests in one, numbers in the other: making a row of each
 * took the driver longer (6 µs) than finding it.
 */
export class RevisionLookahead {
  readonly #load: SqlStatement;
  readonly #before: RevisionKey;
  #bytes = Buffer.alloc(0);
  /** revision key, revision number, update key and newest revision number of each */
  #numbers: readonly number[] = [];
  #count = 0;
  #at = 0;

  /**
   * @param before revisions from this key on are not read: they are being stored, and what their updates' newest revision
   *   is stands in memory only
   */
  constructor(database: SqlDatabase, before: RevisionKey) {
    this.#before = before;
    this.#load = database.prepare(`
      SELECT group_concat(bytes, '') AS bytes, group_concat(numbers, ',') AS numbers FROM (
        SELECT hex(u.update_id) || hex(r.document_digest) AS bytes,
          r.revision_key || ',' || r.revision_number || ',' || u.update_key || ',' ||
          CASE u.newest_revision_key WHEN r.revision_key THEN r.revision_number
            ELSE (SELECT revision_number FROM revisions WHERE revision_key = u.newest_revision_key) END AS numbers
        FROM revisions r CROSS JOIN updates u ON u.update_key = r.update_key
        WHERE r.revision_key > ? AND r.revision_key < ? ORDER BY r.revision_key LIMIT ${WINDOW_SIZE})`);
  }

  /** @returns a revision that was expected soon; undefined says nothing about the store */
  take(updateId: Uint8Array, revisionNumber: number): ExpectedRevision | undefined {
    if (this.#at === this.#count && this.#count > 0) this.#read(this.#number(this.#count - 1, 0));
    const stop = Math.min(this.#at + MAX_PASSED_OVER, this.#count);
    for (let at = this.#at; at < stop; at++) {
      if (this.#number(at, 1) !== revisionNumber || !this.#isOf(at, updateId)) continue;
      this.#at = at + 1;
      const digestAt = at * BYTES_PER_REVISION + UPDATE_ID_SIZE;
      return {
        key: this.#number(at, 0),
        digest: this.#bytes.subarray(digestAt, digestAt + DIGEST_SIZE),
        updateKey: this.#number(at, 2),
        newestNumber: this.#number(at, 3),
      };
    }
    return undefined;
  }

  /** Goes on behind revisions that had to be looked up, if they lie close together; else reads nothing ahead. */
  follow(revisionKeys: readonly RevisionKey[]): void {
    if (revisionKeys.length < MIN_FOUND) return; // a few new ones between those expected change nothing
    this.clear();
    const last = revisionKeys.at(-1) ?? 0;
    const spread = last - (revisionKeys[0] ?? 0);
    if (spread > 0 && spread <= MAX_SPREAD * revisionKeys.length) this.#read(last);
  }

  clear(): void {
    this.#count = 0;
    this.#at = 0;
  }

  #read(behind: RevisionKey): void {
    const row = this.#load.get(behind, this.#before);
    this.#bytes = Buffer.from(textOf(row?.bytes) ?? '', 'hex');
    this.#numbers = JSON.parse(`[${textOf(row?.numbers) ?? ''}]`);
    const count = this.#bytes.length / BYTES_PER_REVISION;
    // In a damaged store a number may be missing; then nothing is expected, and each revision is looked up.
    this.#count = this.#numbers.length === count * NUMBERS_PER_REVISION ? count : 0;
    this.#at = 0;
  }

  #number(at: number, which: 0 | 1 | 2 | 3): number {
    return this.#numbers[at * NUMBERS_PER_REVISION + which] as number;
  }

  #isOf(at: number, updateId: Uint8Array): boolean {
    const start = at * BYTES_PER_REVISION;
    for (let i = 0; i < UPDATE_ID_SIZE; i++) if (this.#bytes[start + i] !== updateId[i]) return false;
    return true;
  }
}
