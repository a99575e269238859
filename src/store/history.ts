import type { SqlDatabase } from '../platform/sqlite.js';
import type { HistoryAction, HistoryEntry, HistoryMessage, HistoryRecord } from './metadata-store.js';
import { historyEntryOf, numberOf, textOf } from './rows.js';

export function insertHistory(database: SqlDatabase, entry: HistoryRecord): void {
  const row = database
    .prepare(
      `INSERT INTO history (action, package, started_at, finished_at, outcome, details) VALUES (?, ?, ?, ?, ?, ?)
      RETURNING history_key`,
    )
    .get(
      entry.action,
      entry.package,
      entry.startedAt,
      entry.finishedAt,
      entry.outcome,
      JSON.stringify(entry.details),
    );
  const insert = database.prepare('INSERT INTO history_messages VALUES (?, ?, ?, ?, ?)');
  for (const [position, { at, level, message }] of (entry.messages ?? []).entries()) {
    insert.run(numberOf(row?.history_key), position, at, level, message);
  }
}

export function readHistory(
  database: SqlDatabase,
  limit: number,
  action: HistoryAction | undefined,
): readonly HistoryEntry[] {
  return database
    .prepare('SELECT * FROM history WHERE ?1 IS NULL OR action = ?1 ORDER BY history_key DESC LIMIT ?2')
    .all(action ?? null, limit)
    .map(historyEntryOf);
}

export function findHistory(
  database: SqlDatabase,
  id: number,
): (HistoryEntry & { readonly messages: readonly HistoryMessage[] }) | undefined {
  const row = database.prepare('SELECT * FROM history WHERE history_key = ?').get(id);
  if (row === undefined) return undefined;
  const messages = database
    .prepare('SELECT at, level, message FROM history_messages WHERE history_key = ? ORDER BY position')
    .all(id)
    .map((each) => ({
      at: numberOf(each.at),
      level: textOf(each.level) as HistoryMessage['level'],
      message: textOf(each.message) ?? '',
    }));
  return { ...historyEntryOf(row), messages };
}
