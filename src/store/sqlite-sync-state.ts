import type { Sha1Hex } from '../model/digest.js';
import { updateIdFromBytes, updateIdToBytes } from '../model/update-identity.js';
import type { SqlDatabase } from '../platform/sqlite.js';
import { BulkInsert } from './bulk-insert.js';
import { bytesOf, numberOf, textOf } from './rows.js';
import { SYNC_PASS_CODES } from './schema.js';
import type { OwedRevision, SyncChange, SyncPass } from './sync-state.js';

export function readSyncValues(database: SqlDatabase, upstream: string): ReadonlyMap<string, string> {
  const rows = database.prepare('SELECT name, value FROM sync_state WHERE upstream = ?').all(upstream);
  return new Map(rows.map((row) => [textOf(row.name) ?? '', textOf(row.value) ?? '']));
}

export function readOwed(database: SqlDatabase, upstream: string, pass: SyncPass): readonly OwedRevision[] {
  return database
    .prepare(
      'SELECT update_id, revision_number, reason FROM owed_revisions WHERE upstream = ? AND pass = ? ORDER BY position',
    )
    .all(upstream, SYNC_PASS_CODES[pass])
    .map((row) => ({
      identity: {
        updateId: updateIdFromBytes(bytesOf(row.update_id)),
        revisionNumber: numberOf(row.revision_number),
      },
      reason: textOf(row.reason),
    }));
}

export function findDecryptionKeys(database: SqlDatabase, sha1s: readonly Sha1Hex[]): ReadonlySet<Sha1Hex> {
  const find = database.prepare('SELECT 1 AS found FROM decryption_keys WHERE sha1 = ?');
  return new Set(sha1s.filter((sha1) => find.get(Buffer.from(sha1, 'hex')) !== undefined));
}

/** Inside a transaction. */
export function writeSyncChange(database: SqlDatabase, { upstream, values, owed }: SyncChange): void {
  const set = database.prepare('INSERT OR REPLACE INTO sync_state VALUES (?, ?, ?)');
  const unset = database.prepare('DELETE FROM sync_state WHERE upstream = ? AND name = ?');
  for (const [name, value] of Object.entries(values ?? {})) {
    if (value === undefined) unset.run(upstream, name);
    else set.run(upstream, name, value);
  }
  if (owed === undefined) return;
  const pass = SYNC_PASS_CODES[owed.pass];
  database.prepare('DELETE FROM owed_revisions WHERE upstream = ? AND pass = ?').run(upstream, pass);
  const rows = new BulkInsert(database, 'owed_revisions', [
    'upstream',
    'pass',
    'position',
    'update_id',
    'revision_number',
    'reason',
  ]);
  for (const [position, { identity, reason }] of owed.revisions.entries()) {
    const { updateId, revisionNumber } = identity;
    rows.add(upstream, pass, position, updateIdToBytes(updateId), revisionNumber, reason ?? null);
  }
  rows.flush();
}
