import { WsusutilError } from '../errors.js';
import type { Sha1Hex } from '../model/digest.js';
import type { SqlDatabase, SqlRow } from '../platform/sqlite.js';
import type { AcceptedPackage, Carried, KeyRange, SentPackage } from './carry-state.js';
import { bytesOf, numberOf, textOf } from './rows.js';

const SHA1_SIZE = 20;

export function readSent(database: SqlDatabase, destination: string | undefined): readonly SentPackage[] {
  return database
    .prepare(`
      SELECT destination, sequence, manifest, follows_sequence, created_at, acknowledged_at FROM sent_packages
      WHERE ?1 IS NULL OR destination = ?1 ORDER BY sent_key`)
    .all(destination ?? null)
    .map((row) => ({
      destination: textOf(row.destination) ?? '',
      sequence: numberOf(row.sequence),
      manifest: hexOf(bytesOf(row.manifest)),
      followsSequence: optionalNumber(row.follows_sequence),
      createdAt: numberOf(row.created_at),
      acknowledgedAt: optionalNumber(row.acknowledged_at),
    }));
}

/** @throws WsusutilError `NOT_FOUND` */
export function readCarried(database: SqlDatabase, destination: string, sequence: number): Carried {
  const find = database.prepare(
    'SELECT follows_sequence, revisions, files FROM sent_packages WHERE destination = ? AND sequence = ?',
  );
  const ranges: KeyRange[] = [];
  const files = new Set<Sha1Hex>();
  for (let next: number | undefined = sequence; next !== undefined; ) {
    const row: SqlRow | undefined = find.get(destination, next);
    if (row === undefined) {
      throw new WsusutilError('NOT_FOUND', `No package ${next} for ${destination} was made here`, {
        hint: 'Make a package that builds on none: leave out --since-last, --since-manifest and --bridge-from.',
      });
    }
    ranges.push(...(JSON.parse(textOf(row.revisions) ?? '[]') as KeyRange[]));
    const packed = Buffer.from(bytesOf(row.files)).toString('hex').toUpperCase();
    for (let at = 0; at < packed.length; at += 2 * SHA1_SIZE) files.add(packed.slice(at, at + 2 * SHA1_SIZE));
    const follows = optionalNumber(row.follows_sequence);
    if (follows !== undefined && follows >= next) {
      throw new WsusutilError(
        'STORE_CORRUPT',
        `Package ${next} for ${destination} builds on package ${follows}`,
        {
          hint: 'Bring the store back from a backup.',
        },
      );
    }
    next = follows;
  }
  return { revisions: mergeRanges(ranges), files };
}

/** Rising and apart, whatever they were. */
function mergeRanges(ranges: readonly KeyRange[]): readonly KeyRange[] {
  const merged: [number, number][] = [];
  for (const [first, last] of [...ranges].sort(([a], [b]) => a - b)) {
    const before = merged.at(-1);
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else merged.push([first, last]);
  }
  return merged;
}

/** @throws WsusutilError `TARGET_EXISTS` if there is a package of that number */
export function insertSent(database: SqlDatabase, sent: SentPackage, { revisions, files }: Carried): void {
  const known = database
    .prepare('SELECT 1 AS one FROM sent_packages WHERE destination = ? AND sequence = ?')
    .get(sent.destination, sent.sequence);
  if (known !== undefined) {
    throw new WsusutilError(
      'TARGET_EXISTS',
      `Another export made package ${sent.sequence} for ${sent.destination} in the meantime`,
      { hint: 'Run the command again; one export for a place at a time.' },
    );
  }
  database
    .prepare(`
      INSERT INTO sent_packages
        (destination, sequence, manifest, follows_sequence, created_at, acknowledged_at, revisions, files)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)`)
    .run(
      sent.destination,
      sent.sequence,
      Buffer.from(sent.manifest, 'hex'),
      sent.followsSequence ?? null,
      sent.createdAt,
      sent.acknowledgedAt ?? null,
      JSON.stringify(revisions),
      Buffer.from([...files].sort().join(''), 'hex'),
    );
}

export function setAcknowledged(
  database: SqlDatabase,
  destination: string,
  sequence: number,
  at: number,
): boolean {
  return (
    database
      .prepare(`
        UPDATE sent_packages SET acknowledged_at = coalesce(acknowledged_at, ?)
        WHERE destination = ? AND sequence = ? RETURNING sequence`)
      .get(at, destination, sequence) !== undefined
  );
}

export function readAccepted(database: SqlDatabase, markKey?: number): readonly AcceptedPackage[] {
  return database
    .prepare('SELECT * FROM accepted_packages WHERE ?1 IS NULL OR mark_key = ?1 ORDER BY accepted_key')
    .all(markKey ?? null)
    .map((row) => ({
      serverId: textOf(row.server_id) ?? '',
      destination: textOf(row.destination) ?? '',
      sequence: numberOf(row.sequence),
      manifest: hexOf(bytesOf(row.manifest)),
      follows: row.follows === null ? undefined : hexOf(bytesOf(row.follows)),
      createdAt: numberOf(row.created_at),
      acceptedAt: numberOf(row.accepted_at),
      signers: JSON.parse(textOf(row.signers) ?? '[]') as string[],
      gapReason: textOf(row.gap_reason),
    }));
}

/** Inside a transaction. */
export function insertAccepted(database: SqlDatabase, accepted: AcceptedPackage, markKey: number): void {
  database
    .prepare(`
      INSERT INTO accepted_packages
        (server_id, destination, sequence, manifest, follows, created_at, accepted_at, signers, gap_reason, mark_key)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
    .run(
      accepted.serverId,
      accepted.destination,
      accepted.sequence,
      Buffer.from(accepted.manifest, 'hex'),
      accepted.follows === undefined ? null : Buffer.from(accepted.follows, 'hex'),
      accepted.createdAt,
      accepted.acceptedAt,
      JSON.stringify(accepted.signers),
      accepted.gapReason ?? null,
      markKey,
    );
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex').toUpperCase();
}

function optionalNumber(value: SqlRow[string] | undefined): number | undefined {
  return value === null || value === undefined ? undefined : numberOf(value);
}
