import { createHash } from 'node:crypto';
import { errorText, throwIfInterrupted } from '../errors.js';
import { formatIdentity, updateIdFromBytes } from '../model/update-identity.js';
import type { SqlDatabase } from '../platform/sqlite.js';
import { unpackBlock } from './document-block.js';
import type { StoreProblem } from './metadata-store.js';
import { bytesOf, numberOf } from './rows.js';
import { UPDATE_TYPE_CODES } from './schema.js';

/** A check that must return no row; each row it returns is one problem, told by its `problem` column. */
interface Invariant {
  readonly check: string;
  readonly sql: string;
}

const UPDATE_TEXT = (key: string) => `(SELECT lower(hex(update_id)) FROM updates WHERE update_key = ${key})`;

/** `prerequisites` as rows of (revision_key, update_key, kind). */
const PREREQUISITE_ROWS = `(
  SELECT p.revision_key, member.value AS update_key, clause.value ->> 0 AS kind
  FROM prerequisites p JOIN json_each(p.clauses) clause JOIN json_each(clause.value) member WHERE member.key > 0)`;

const INVARIANTS: readonly Invariant[] = [
  {
    check: 'every revision belongs to an update',
    sql: `SELECT 'revision ' || revision_key || ' names update ' || update_key || ', which is not there' AS problem
          FROM revisions WHERE update_key NOT IN (SELECT update_key FROM updates)`,
  },
  {
    check: 'the newest revision of each update is marked',
    sql: `SELECT 'update ' || lower(hex(u.update_id)) || ' marks the wrong revision as newest' AS problem FROM updates u
          WHERE u.newest_revision_key IS NOT (
            SELECT revision_key FROM revisions r WHERE r.update_key = u.update_key ORDER BY revision_number DESC LIMIT 1)`,
  },
  ...(
    [
      ['prerequisites', 'update_key', PREREQUISITE_ROWS],
      ['bundled_updates', 'update_key', 'bundled_updates'],
      ['superseded_updates', 'update_key', 'superseded_updates'],
      ['revision_categories', 'category_key', 'revision_categories'],
    ] as const
  ).map(([table, column, rows]) => ({
    check: `${table} point at known updates and revisions`,
    sql: `SELECT '${table}: revision ' || revision_key || ' or update ' || ${column} || ' is not there' AS problem
          FROM ${rows} WHERE ${column} NOT IN (SELECT update_key FROM updates)
            OR revision_key NOT IN (SELECT revision_key FROM revisions)`,
  })),
  {
    check: 'each category link follows from a prerequisite',
    sql: `SELECT 'revision ' || link.revision_key || ' is linked to ' || ${UPDATE_TEXT('link.category_key')} || ' without naming it' AS problem
          FROM revision_categories link WHERE NOT EXISTS (
            SELECT 1 FROM ${PREREQUISITE_ROWS} p WHERE p.revision_key = link.revision_key AND p.update_key = link.category_key)`,
  },
  {
    check: 'each category that a revision names is linked',
    sql: `SELECT 'revision ' || p.revision_key || ' names ' || ${UPDATE_TEXT('p.update_key')} || ' without being linked to it' AS problem
          FROM ${PREREQUISITE_ROWS} p JOIN revisions r ON r.revision_key = p.revision_key
          WHERE (p.kind > 0 OR r.update_type = ${UPDATE_TYPE_CODES.Category})
            AND p.update_key IN (SELECT update_key FROM revisions WHERE update_type = ${UPDATE_TYPE_CODES.Category})
            AND NOT EXISTS (SELECT 1 FROM revision_categories link
              WHERE link.category_key = p.update_key AND link.revision_key = p.revision_key)`,
  },
  {
    check: 'files belong to revisions',
    sql: `SELECT 'file ' || hex(sha1) || ' belongs to revision ' || revision_key || ', which is not there' AS problem
          FROM revision_files WHERE revision_key NOT IN (SELECT revision_key FROM revisions)`,
  },
  {
    check: 'content files are called for by revisions',
    sql: `SELECT 'content file ' || hex(sha1) || ' belongs to no revision' AS problem
          FROM content_files WHERE sha1 NOT IN (SELECT sha1 FROM revision_files)`,
  },
];

/** Problems of one check that are listed one by one; beyond that only their number. */
const MAX_LISTED = 20;

/** SQLite's own check, the invariants above, and every document against its digest. */
export function* checkStore(
  database: SqlDatabase,
  path: string,
  onProgress: (done: number, total: number) => void,
  signal: AbortSignal,
): Generator<StoreProblem> {
  yield* checkTables(database, path, 'integrity_check', signal);
  yield* checkDocuments(database, onProgress, signal);
}

/** @param pragma `quick_check` leaves out what SQLite takes longest for: indices against their tables */
export function* checkTables(
  database: SqlDatabase,
  path: string,
  pragma: 'integrity_check' | 'quick_check',
  signal: AbortSignal,
): Generator<StoreProblem> {
  for (const row of database.prepare(`PRAGMA ${pragma}`).iterate()) {
    const text = String(row[pragma]);
    if (text !== 'ok') yield { check: 'SQLite integrity', message: text };
  }
  for (const { check, sql } of INVARIANTS) {
    throwIfInterrupted(signal, 'the store was checked');
    let found = 0;
    try {
      for (const row of database.prepare(sql).iterate()) {
        if (++found <= MAX_LISTED) yield { check, message: String(row.problem) };
      }
    } catch (error) {
      yield { check, message: `cannot be checked: ${errorText(error)}` }; // e.g. what should be JSON is not
    }
    if (found > MAX_LISTED) yield { check, message: `${found - MAX_LISTED} more of this kind in ${path}` };
  }
}

function* checkDocuments(
  database: SqlDatabase,
  onProgress: (done: number, total: number) => void,
  signal: AbortSignal,
): Generator<StoreProblem> {
  const check = 'every document is there and matches its digest';
  const total = numberOf(database.prepare('SELECT count(*) AS revisions FROM revisions').get()?.revisions);
  const loadBlock = database.prepare('SELECT codec, size, data FROM document_blocks WHERE block_key = ?');
  const rows = database.prepare(`
    SELECT r.block_key, r.block_offset, r.document_size, r.document_digest, r.revision_number, u.update_id
    FROM revisions r JOIN updates u ON u.update_key = r.update_key ORDER BY r.block_key, r.block_offset`);
  let blockKey = -1;
  let bytes: Uint8Array | undefined;
  let done = 0;
  for (const row of rows.iterate()) {
    if (numberOf(row.block_key) !== blockKey) {
      throwIfInterrupted(signal, 'the store was checked');
      blockKey = numberOf(row.block_key);
      const block = loadBlock.get(blockKey);
      bytes = undefined;
      if (block === undefined) yield { check, message: `document block ${blockKey} is missing` };
      else {
        try {
          bytes = unpackBlock(numberOf(block.codec), bytesOf(block.data), numberOf(block.size));
        } catch (error) {
          yield { check, message: `document block ${blockKey} ${errorText(error)}` };
        }
      }
    }
    if (bytes !== undefined) {
      const start = numberOf(row.block_offset);
      const end = start + numberOf(row.document_size);
      const digest = createHash('sha256').update(bytes.subarray(start, end)).digest();
      if (end > bytes.length || Buffer.compare(digest, bytesOf(row.document_digest)) !== 0) {
        const identity = formatIdentity({
          updateId: updateIdFromBytes(bytesOf(row.update_id)),
          revisionNumber: numberOf(row.revision_number),
        });
        yield { check, message: `the document of ${identity} does not match its digest` };
      }
    }
    if (++done % 1000 === 0 || done === total) onProgress(done, total);
  }
}
