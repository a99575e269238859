import { IDENTITY_SIZE, type IdentityList } from '../model/identity-list.js';
import type { SqlDatabase, SqlRow, SqlStatement, SqlValue } from '../platform/sqlite.js';
import { runsOf } from './document-reader.js';
import type { KnownRevision, RevisionKey } from './metadata-store.js';
import { UPDATE_ID_SIZE } from './revision-batch.js';
import { RevisionLookahead } from './revision-lookahead.js';
import { bytesOf, numberOf } from './rows.js';
import { UPDATE_FLAGS, UpdateIndex } from './update-index.js';

/** Updates kept in memory, about 40 bytes each; beyond that they are looked up in the database again. */
const MAX_INDEXED_UPDATES = 1_000_000;
/** Looked up by one statement: 64 take 2 µs each where one at a time takes 7. */
const IDENTITIES_PER_QUERY = 64;

interface SoughtIdentity {
  /** in the list that was asked about */
  readonly position: number;
  readonly id: Uint8Array;
  readonly revisionNumber: number;
}

/** Rows that the transaction has not given to the database yet. */
export interface PendingRows {
  flushRevisions(): void;
  flushAll(): void;
}

/** What the store holds while an import adds to it: out of memory, or else asked for in bulk. */
export class KnownUpdates {
  /** Of what was met so far. Whoever adds an update to the store adds it here. */
  readonly index = new UpdateIndex();
  readonly #pending: PendingRows;
  readonly #findUpdate: SqlStatement;
  readonly #findIdentities: SqlStatement;
  readonly #findRevision: SqlStatement;
  readonly #lookahead: RevisionLookahead;
  /** the store was empty and the index never overflowed: what is not in it is not in the store */
  #isAllIndexed: boolean;

  /** @param firstKey of the revisions that are being added */
  constructor(database: SqlDatabase, firstKey: RevisionKey, isStoreEmpty: boolean, pending: PendingRows) {
    this.#pending = pending;
    this.#isAllIndexed = isStoreEmpty;
    this.#lookahead = new RevisionLookahead(database, firstKey);
    this.#findUpdate = database.prepare(`
      SELECT u.update_key, newest.revision_number AS newest_number FROM updates u
      LEFT JOIN revisions newest ON newest.revision_key = u.newest_revision_key WHERE u.update_id = ?`);
    this.#findIdentities = database.prepare(`
      SELECT wanted.column1 AS position, u.update_key, newest.revision_number AS newest_number,
        r.revision_key, r.document_digest
      FROM (VALUES ${Array.from({ length: IDENTITIES_PER_QUERY }, (_, n) => `(${n}, ?, ?)`).join(', ')}) AS wanted
      CROSS JOIN updates u ON u.update_id = wanted.column2
      LEFT JOIN revisions newest ON newest.revision_key = u.newest_revision_key
      LEFT JOIN revisions r ON r.update_key = u.update_key AND r.revision_number = wanted.column3`);
    this.#findRevision = database.prepare(
      'SELECT revision_key, document_digest FROM revisions WHERE update_key = ? AND revision_number = ?',
    );
  }

  find(identities: IdentityList): readonly (KnownRevision | undefined)[] {
    this.bound();
    const found: (KnownRevision | undefined)[] = [];
    const unknown: SoughtIdentity[] = [];
    const { bytes } = identities;
    for (let position = 0; position < identities.length; position++) {
      const start = position * IDENTITY_SIZE;
      const revisionNumber = identities.revisionNumberAt(position);
      const update = this.index.find(bytes, start);
      if (!this.#isAllIndexed) {
        const id = bytes.subarray(start, start + UPDATE_ID_SIZE);
        const expected = this.#lookahead.take(id, revisionNumber);
        if (expected !== undefined) {
          if (update < 0) this.#add(id, expected.updateKey, expected.newestNumber);
          found.push({ key: expected.key, digest: expected.digest });
          continue;
        }
        if (update < 0) unknown.push({ position, id, revisionNumber });
      }
      found.push(this.findRevision(update, revisionNumber));
    }
    if (unknown.length > 0) this.#askFor(unknown, found);
    return found;
  }

  /**
   * Entry of an update in the index, -1 if the store does not know the id.
   *
   * @param ids 16 bytes from `offset` on are the id
   */
  findUpdate(ids: Uint8Array, offset: number): number {
    const update = this.index.find(ids, offset);
    if (update >= 0 || this.#isAllIndexed) return update;
    const id = ids.subarray(offset, offset + UPDATE_ID_SIZE);
    const row = this.#findUpdate.get(id);
    return row === undefined ? -1 : this.#addRow(id, row);
  }

  /** @param update its entry in the index, or -1 */
  findRevision(update: number, revisionNumber: number): KnownRevision | undefined {
    const newest = update < 0 ? undefined : this.index.newestOf(update);
    if (newest === undefined) return undefined;
    if (newest !== revisionNumber && this.index.hasFlag(update, UPDATE_FLAGS.single)) return undefined;
    this.#pending.flushRevisions();
    const row = this.#findRevision.get(this.index.keyOf(update), revisionNumber);
    return row === undefined ? undefined : knownRevisionOf(row);
  }

  /** Keeps the index from growing. Between batches only: entries must stay valid while a batch is stored. */
  bound(): void {
    if (this.index.size < MAX_INDEXED_UPDATES) return;
    this.#pending.flushAll(); // from here on the database is asked
    this.index.clear();
    this.#lookahead.clear(); // it does not know which of its updates have newer revisions by now
    this.#isAllIndexed = false;
  }

  /** Asks the database for updates that the index does not have, and puts them there. */
  #askFor(sought: readonly SoughtIdentity[], found: (KnownRevision | undefined)[]): void {
    this.#pending.flushRevisions();
    const keys: RevisionKey[] = [];
    for (const run of runsOf(sought, IDENTITIES_PER_QUERY)) {
      const parameters: SqlValue[] = new Array(2 * IDENTITIES_PER_QUERY).fill(null);
      for (const [index, { id, revisionNumber }] of run.entries()) {
        parameters[2 * index] = id;
        parameters[2 * index + 1] = revisionNumber;
      }
      for (const row of this.#findIdentities.all(...parameters)) {
        const { position, id } = run[numberOf(row.position)] as SoughtIdentity;
        if (this.index.find(id) < 0) this.#addRow(id, row); // a batch may name an update twice
        if (row.revision_key === null) continue;
        const known = knownRevisionOf(row);
        found[position] = known;
        keys.push(known.key);
      }
    }
    this.#lookahead.follow(keys);
  }

  #addRow(id: Uint8Array, row: SqlRow): number {
    const newest = row.newest_number;
    return this.#add(id, numberOf(row.update_key), newest === null ? undefined : numberOf(newest));
  }

  #add(id: Uint8Array, updateKey: number, newestNumber: number | undefined): number {
    const update = this.index.add(id, updateKey);
    if (newestNumber !== undefined) this.index.setNewest(update, newestNumber);
    return update;
  }
}

function knownRevisionOf(row: SqlRow): KnownRevision {
  return { key: numberOf(row.revision_key), digest: bytesOf(row.document_digest) };
}
