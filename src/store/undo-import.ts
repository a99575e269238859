/**
 * Takes an import back. Keys grow, so what an import added lies behind the first key it gave out; what it changed before
 * that is drawn anew from what is left: newest revisions, links to categories that came with it, and facts of content
 * files that its documents told first.
 */
import { WsusutilError } from '../errors.js';
import type { SqlDatabase, SqlRow } from '../platform/sqlite.js';
import type { UndoneImport } from './carry-state.js';
import { insertHistory } from './history.js';
import type { HistoryRecord, RevisionKey } from './metadata-store.js';
import { numberOf, textOf } from './rows.js';
import { FILE_KIND_CODES, UPDATE_TYPE_CODES } from './schema.js';
import { readAccepted } from './sqlite-carry-state.js';

/** `store_info`: revision keys up to this one are never given out again. */
export const KEYS_TO = 'revision_keys_to';

/** The first keys that an import gives out. */
export interface ImportMark {
  readonly revision: RevisionKey;
  readonly update: number;
  readonly block: number;
  readonly location: number;
}

/** Inside the transaction of the import, at its end. @returns the mark's key */
export function insertMark(
  database: SqlDatabase,
  mark: ImportMark,
  { package: path, finishedAt }: HistoryRecord,
  languages: string | undefined,
): number {
  const row = database
    .prepare(`
      INSERT INTO import_marks
        (package, finished_at, first_revision, first_update, first_block, first_location, last_revision, languages)
      SELECT ?, ?, ?, ?, ?, ?, coalesce(max(revision_key), 0), ? FROM revisions RETURNING mark_key`)
    .get(path, finishedAt, mark.revision, mark.update, mark.block, mark.location, languages ?? null);
  return numberOf(row?.mark_key);
}

/** Something else was stored: the imports before it can no longer be taken back. */
export function forgetMarks(database: SqlDatabase): void {
  database.exec('DELETE FROM import_marks');
}

/** @throws WsusutilError `NOT_FOUND` */
export function findUndoable(database: SqlDatabase): UndoneImport {
  const mark = newestMark(database);
  if (mark === undefined) throw nothingToUndo(database);
  return describe(database, mark);
}

/** @throws WsusutilError `NOT_FOUND` */
export function undoImport(
  database: SqlDatabase,
  historyOf: (undone: UndoneImport) => HistoryRecord,
): UndoneImport {
  database.exec('BEGIN IMMEDIATE');
  try {
    const mark = newestMark(database);
    if (mark === undefined) throw nothingToUndo(database);
    const undone = describe(database, mark);
    takeOut(database, mark);
    insertHistory(database, historyOf(undone));
    database.exec('COMMIT');
    return undone;
  } catch (error) {
    try {
      database.exec('ROLLBACK');
    } catch {
      // SQLite has rolled back by itself (disk full, I/O error).
    }
    throw error;
  }
}

function newestMark(database: SqlDatabase): SqlRow | undefined {
  return database
    .prepare(`
      SELECT * FROM import_marks WHERE mark_key = (SELECT max(mark_key) FROM import_marks)
        AND last_revision = (SELECT coalesce(max(revision_key), 0) FROM revisions)`)
    .get();
}

function nothingToUndo(database: SqlDatabase): WsusutilError {
  const last = database
    .prepare(
      "SELECT action, package FROM history WHERE action IN ('import', 'sync') ORDER BY history_key DESC LIMIT 1",
    )
    .get();
  if (last === undefined) {
    return new WsusutilError(
      'NOT_FOUND',
      'Nothing was ever imported here, so there is nothing to take back',
      {
        hint: '"wsusutil import" and "wsusutil sync" bring metadata; "wsusutil status" says what is here.',
      },
    );
  }
  const imported = database.prepare("SELECT 1 AS one FROM history WHERE action = 'import' LIMIT 1").get();
  if (last.action === 'sync' && imported === undefined) {
    return new WsusutilError(
      'NOT_FOUND',
      'Nothing was ever imported here; what is here came by synchronising, which cannot be taken back',
      { hint: 'To have an earlier state, bring the store back from a backup.' },
    );
  }
  if (last.action === 'sync') {
    return new WsusutilError(
      'NOT_FOUND',
      `No import can be undone: the synchronisation with ${textOf(last.package)} came after it`,
      {
        hint: 'What a synchronisation brought builds on what was there; bring the store back from a backup instead.',
      },
    );
  }
  return new WsusutilError('NOT_FOUND', 'There is no import to undo', {
    hint: '"wsusutil history" lists what was imported. Imports of versions without "undo" cannot be undone.',
  });
}

function describe(database: SqlDatabase, mark: SqlRow): UndoneImport {
  const first = numberOf(mark.first_revision);
  const counts = database
    .prepare(`
      SELECT count(*) AS revisions, count(DISTINCT r.update_key) AS touched,
        (SELECT count(DISTINCT o.update_key) FROM revisions o WHERE o.revision_key < ?1 AND o.update_key IN (
          SELECT update_key FROM revisions WHERE revision_key >= ?1)) AS known
      FROM revisions r WHERE r.revision_key >= ?1`)
    .get(first);
  const files = database
    .prepare(`
      SELECT count(*) AS files, coalesce(sum(size), 0) AS bytes FROM (
        SELECT sha1, max(size) AS size FROM revision_files GROUP BY sha1 HAVING min(revision_key) >= ?)`)
    .get(first);
  return {
    package: textOf(mark.package) ?? '',
    finishedAt: numberOf(mark.finished_at),
    revisions: numberOf(counts?.revisions),
    updates: numberOf(counts?.touched) - numberOf(counts?.known),
    files: numberOf(files?.files),
    bytes: numberOf(files?.bytes),
    accepted: readAccepted(database, numberOf(mark.mark_key))[0],
  };
}

function takeOut(database: SqlDatabase, mark: SqlRow): void {
  const first = numberOf(mark.first_revision);
  const run = (sql: string, ...values: readonly (number | string)[]) => database.prepare(sql).run(...values);
  database.exec(
    'DROP TABLE IF EXISTS temp.told_files; DROP TABLE IF EXISTS temp.undone_files; DROP TABLE IF EXISTS temp.undone_updates',
  );
  run(
    'CREATE TEMP TABLE undone_files AS SELECT DISTINCT sha1 FROM revision_files WHERE revision_key >= ?',
    first,
  );
  run(
    'CREATE TEMP TABLE undone_updates AS SELECT DISTINCT update_key FROM revisions WHERE revision_key >= ?',
    first,
  );
  for (const table of [
    'revisions',
    'prerequisites',
    'revision_categories',
    'bundled_updates',
    'superseded_updates',
    'articles',
    'revision_files',
  ]) {
    run(`DELETE FROM ${table} WHERE revision_key >= ?`, first);
  }
  for (const table of ['document_blocks', 'localized_titles']) {
    run(`DELETE FROM ${table} WHERE block_key >= ?`, numberOf(mark.first_block));
  }
  run('DELETE FROM file_locations WHERE rowid >= ?', numberOf(mark.first_location));
  run('DELETE FROM updates WHERE update_key >= ?', numberOf(mark.first_update));
  run(`
    UPDATE updates SET newest_revision_key = (
      SELECT revision_key FROM revisions r WHERE r.update_key = updates.update_key ORDER BY revision_number DESC LIMIT 1)
    WHERE update_key IN (SELECT update_key FROM undone_updates)`);
  run('UPDATE updates SET awaited_by = NULL WHERE awaited_by >= ?', first);
  // Older revisions were linked to categories when those came.
  run(`
    DELETE FROM revision_categories WHERE category_key IN (SELECT update_key FROM undone_updates)
      AND category_key NOT IN (SELECT update_key FROM revisions WHERE update_type = ${UPDATE_TYPE_CODES.Category})`);
  forgetFiles(database);
  if (typeof mark.languages === 'string') {
    database.exec('DELETE FROM languages');
    run(
      `INSERT INTO languages SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?)`,
      mark.languages,
    );
  }
  run('DELETE FROM accepted_packages WHERE mark_key = ?', numberOf(mark.mark_key));
  run('DELETE FROM import_marks WHERE mark_key = ?', numberOf(mark.mark_key));
  run(
    `UPDATE store_info SET value = max(CAST(value AS INTEGER), ?) WHERE name = '${KEYS_TO}'`,
    numberOf(mark.last_revision),
  );
  run(
    "UPDATE store_info SET value = min(CAST(value AS INTEGER), ?) WHERE name = 'content_files_to'",
    first - 1,
  );
  database.exec('DROP TABLE undone_files; DROP TABLE undone_updates');
}

/** Content files: those nobody calls for any more go; of the others the facts are as the documents left tell them. */
function forgetFiles(database: SqlDatabase): void {
  const { licence } = FILE_KIND_CODES;
  database.exec(`
    DELETE FROM content_files WHERE (folder, sha1) IN (
      SELECT substr(u.sha1, 20, 1), u.sha1 FROM undone_files u
      WHERE u.sha1 NOT IN (SELECT sha1 FROM revision_files));
    CREATE TEMP TABLE told_files (sha1 BLOB PRIMARY KEY, sha256 BLOB, kind INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO told_files (sha1, kind)
      SELECT sha1, CASE WHEN max(kind = ${licence}) THEN ${licence} ELSE min(kind) END FROM revision_files
      WHERE sha1 IN (SELECT sha1 FROM undone_files) GROUP BY sha1;
    UPDATE told_files SET sha256 = first.sha256 FROM (
      SELECT sha1, sha256, min(revision_key) FROM revision_files
      WHERE sha256 IS NOT NULL AND sha1 IN (SELECT sha1 FROM told_files) GROUP BY sha1) first
    WHERE first.sha1 = told_files.sha1;
    UPDATE content_files SET sha256 = told.sha256, kind = told.kind FROM told_files told
    WHERE content_files.folder = substr(told.sha1, 20, 1) AND content_files.sha1 = told.sha1;
    DROP TABLE told_files`);
}
