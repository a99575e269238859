import type { SqlDatabase } from '../platform/sqlite.js';
import type { HistoryEntry } from './metadata-store.js';
import { historyEntryOf } from './rows.js';

export function insertHistory(database: SqlDatabase, entry: Omit<HistoryEntry, 'id'>): void {
  database
    .prepare(
      'INSERT INTO history (action, package, started_at, finished_at, outcome, details) VALUES (?, ?, ?, ?, ?, ?)',
    )
    .run(
      entry.action,
      entry.package,
      entry.startedAt,
      entry.finishedAt,
      entry.outcome,
      JSON.stringify(entry.details),
    );
}

export function readHistory(database: SqlDatabase, limit: number): readonly HistoryEntry[] {
  return database
    .prepare('SELECT * FROM history ORDER BY history_key DESC LIMIT ?')
    .all(limit)
    .map(historyEntryOf);
}
