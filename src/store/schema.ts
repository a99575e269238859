/**
 * The store on disk: one SQLite file (`metadata.sqlite`), WAL, 16 KiB pages (1.4 to 1.8 times faster inserts than
 * 4 KiB for a tenth more file).
 *
 * - `store_info`        name → value: `server_id`, `created_at`
 * - `languages`         the language table a package carries, in its order
 * - `history`           one row per import or export
 * - `updates`           one row per UpdateID, also for ids that are only named by others so far.
 *                       `newest_revision_key` is null then; `awaited_by` is the first revision that named the id
 *                       as a prerequisite or bundled it before any revision of it was there
 * - `revisions`         one row per (update, revision number); keys grow in order of arrival, which is the order of
 *                       an export. `document_digest` is SHA-256 of the document's bytes
 * - `document_blocks`   documents, concatenated to about 256 KiB and packed (`codec`, see document-block.ts): XML of this kind
 *                       shrinks to a twelfth that way, against a third one document at a time. A document is
 *                       `document_size` bytes at `block_offset` of its block
 * - `localized_titles`  beside each block: packed JSON, block offset → language → title where it is not the default title
 * - `prerequisites`     JSON, a clause `[kind, update_key, …]` each; kind 0: must be there, 1: AtLeastOne, 2: AtLeastOne
 *                       with IsCategory. One row a revision: clauses are walked from the revision on only, and a
 *                       row for each of a driver's forty languages took a third of the time of an import
 * - `revision_categories` which categories a revision names: every category for a category, those in AtLeastOne
 *                       clauses for the rest (package-formats 4.6: some documents leave the IsCategory flag out)
 * - `bundled_updates`, `superseded_updates`, `articles` (KB, bulletin, CVE), `revision_files` (as the document
 *                       gives them), `file_locations` (where Microsoft serves them, in order of arrival)
 * - `content_files`     each content file once, in the order of the content directory's folders (`folder` is the last
 *                       byte of the SHA-1), with what the last check found on disk (`stamp`: size, time of change and file id
 *                       as one text, to be compared as such). Drawn from `revision_files` when a
 *                       command about content needs it, up to revision `content_files_to` in `store_info`: an import
 *                       does not pay for it
 * - `sync_state`        upstream, name → value: anchors and what else is remembered of an upstream between two runs
 * - `owed_revisions`    what an upstream listed and has not given out, in the order of its list
 * - `history_messages`  what a run said, in order
 * - `sent_packages`     transfer packages made here, by destination and number: digest of the manifest, the one it builds on,
 *                       and what it carried: `revisions` as JSON ranges of keys, `files` as SHA-1s behind one another
 * - `accepted_packages` transfer packages that were imported, by exporting server, destination and number
 * - `import_marks`      what each import found, newest last, so that it can be taken back: the first keys it gave out, and
 *                       the languages it replaced. Anything else that is stored takes the marks away.
 *                       `revision_keys_to` in `store_info`: keys up to this one are never given out again
 * - `decryption_keys`   SHA-1 of an encrypted file → its key; `driver_sets`: XML as Microsoft Update gives it
 */
import type { SqlDatabase } from '../platform/sqlite.js';

/** "WSUS" */
export const APPLICATION_ID = 0x57535553;
export const PAGE_SIZE = 16_384;

/** One step per schema version, applied in order; a step that has been released never changes. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE store_info (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE languages (
    position INTEGER PRIMARY KEY, id INTEGER NOT NULL, short_name TEXT NOT NULL, long_name TEXT NOT NULL,
    enabled INTEGER NOT NULL
  );
  CREATE TABLE history (
    history_key INTEGER PRIMARY KEY, action TEXT NOT NULL, package TEXT NOT NULL, started_at INTEGER NOT NULL,
    finished_at INTEGER NOT NULL, outcome TEXT NOT NULL, details TEXT NOT NULL
  );
  CREATE TABLE updates (
    update_key INTEGER PRIMARY KEY, update_id BLOB NOT NULL UNIQUE, newest_revision_key INTEGER, awaited_by INTEGER
  );
  CREATE TABLE document_blocks (block_key INTEGER PRIMARY KEY, size INTEGER NOT NULL, data BLOB NOT NULL);
  CREATE TABLE localized_titles (block_key INTEGER PRIMARY KEY, titles BLOB NOT NULL);
  CREATE TABLE revisions (
    revision_key INTEGER PRIMARY KEY, update_key INTEGER NOT NULL, revision_number INTEGER NOT NULL,
    update_type INTEGER NOT NULL, category_type INTEGER, title TEXT NOT NULL, default_language TEXT,
    publication_state TEXT, created_at INTEGER, msrc_severity TEXT, explicitly_deployable INTEGER NOT NULL,
    languages TEXT, kb_article_ids TEXT, document_digest BLOB NOT NULL, document_size INTEGER NOT NULL,
    block_key INTEGER NOT NULL, block_offset INTEGER NOT NULL,
    UNIQUE (update_key, revision_number)
  );
  CREATE TABLE prerequisites (revision_key INTEGER PRIMARY KEY, clauses TEXT NOT NULL);
  CREATE TABLE revision_categories (
    category_key INTEGER NOT NULL, revision_key INTEGER NOT NULL, PRIMARY KEY (category_key, revision_key)
  ) WITHOUT ROWID;
  CREATE TABLE bundled_updates (
    revision_key INTEGER NOT NULL, clause INTEGER NOT NULL, position INTEGER NOT NULL, update_key INTEGER NOT NULL,
    revision_number INTEGER NOT NULL, PRIMARY KEY (revision_key, clause, position)
  ) WITHOUT ROWID;
  CREATE INDEX bundled_by ON bundled_updates (update_key, revision_number);
  CREATE TABLE superseded_updates (
    update_key INTEGER NOT NULL, revision_key INTEGER NOT NULL, PRIMARY KEY (update_key, revision_key)
  ) WITHOUT ROWID;
  CREATE TABLE articles (
    kind INTEGER NOT NULL, value TEXT NOT NULL, revision_key INTEGER NOT NULL,
    PRIMARY KEY (kind, value, revision_key)
  ) WITHOUT ROWID;
  CREATE TABLE file_locations (sha1 BLOB NOT NULL UNIQUE, file_name TEXT NOT NULL, mu_url TEXT NOT NULL);
  CREATE TABLE revision_files (
    revision_key INTEGER NOT NULL, position INTEGER NOT NULL, sha1 BLOB NOT NULL, sha256 BLOB, size INTEGER NOT NULL,
    kind INTEGER NOT NULL, file_name TEXT NOT NULL, language TEXT, PRIMARY KEY (revision_key, position)
  ) WITHOUT ROWID;
  `,
  `
  CREATE TABLE content_files (
    folder BLOB NOT NULL, sha1 BLOB NOT NULL, sha256 BLOB, size INTEGER NOT NULL, kind INTEGER NOT NULL,
    file_name TEXT NOT NULL, state INTEGER NOT NULL DEFAULT 0, problem INTEGER, checked_at INTEGER,
    stamp TEXT, PRIMARY KEY (folder, sha1)
  ) WITHOUT ROWID;
  INSERT INTO store_info VALUES ('content_files_to', '0');
  `,
  `
  CREATE TABLE sync_state (
    upstream TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (upstream, name)
  ) WITHOUT ROWID;
  CREATE TABLE owed_revisions (
    upstream TEXT NOT NULL, pass INTEGER NOT NULL, position INTEGER NOT NULL, update_id BLOB NOT NULL,
    revision_number INTEGER NOT NULL, reason TEXT, PRIMARY KEY (upstream, pass, position)
  ) WITHOUT ROWID;
  CREATE TABLE history_messages (
    history_key INTEGER NOT NULL, position INTEGER NOT NULL, at INTEGER NOT NULL, level TEXT NOT NULL,
    message TEXT NOT NULL, PRIMARY KEY (history_key, position)
  ) WITHOUT ROWID;
  CREATE TABLE decryption_keys (sha1 BLOB PRIMARY KEY, key BLOB NOT NULL) WITHOUT ROWID;
  CREATE TABLE driver_sets (driver_set_id BLOB PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID;
  `,
  `
  CREATE TABLE sent_packages (
    sent_key INTEGER PRIMARY KEY, destination TEXT NOT NULL, sequence INTEGER NOT NULL, manifest BLOB NOT NULL UNIQUE,
    follows_sequence INTEGER, created_at INTEGER NOT NULL, acknowledged_at INTEGER, revisions TEXT NOT NULL,
    files BLOB NOT NULL, UNIQUE (destination, sequence)
  );
  CREATE TABLE accepted_packages (
    accepted_key INTEGER PRIMARY KEY, server_id TEXT NOT NULL, destination TEXT NOT NULL, sequence INTEGER NOT NULL,
    manifest BLOB NOT NULL UNIQUE, follows BLOB, created_at INTEGER NOT NULL, accepted_at INTEGER NOT NULL,
    signers TEXT NOT NULL, gap_reason TEXT, mark_key INTEGER NOT NULL, UNIQUE (server_id, destination, sequence)
  );
  CREATE TABLE import_marks (
    mark_key INTEGER PRIMARY KEY, package TEXT NOT NULL, finished_at INTEGER NOT NULL, first_revision INTEGER NOT NULL,
    first_update INTEGER NOT NULL, first_block INTEGER NOT NULL, first_location INTEGER NOT NULL,
    last_revision INTEGER NOT NULL, languages TEXT
  );
  INSERT INTO store_info VALUES ('revision_keys_to', '0');
  `,
  `
  ALTER TABLE document_blocks ADD COLUMN codec INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE localized_titles ADD COLUMN codec INTEGER NOT NULL DEFAULT 0;
  `,
];

export const SCHEMA_VERSION = MIGRATIONS.length;

/** `revisions.update_type` and `.category_type` */
export const UPDATE_TYPE_CODES = { Category: 1, Detectoid: 2, Software: 3, Driver: 4 } as const;
export const CATEGORY_TYPE_CODES = {
  Company: 1,
  ProductFamily: 2,
  Product: 3,
  UpdateClassification: 4,
} as const;
/** first element of a clause in `prerequisites.clauses` */
export const PREREQUISITE_KINDS = { bare: 0, atLeastOne: 1, category: 2 } as const;
/** `articles.kind` */
export const ARTICLE_CODES = { kb: 1, bulletin: 2, cve: 3 } as const;
/** `revision_files.kind` */
export const FILE_KIND_CODES = { payload: 0, express: 1, licence: 2 } as const;
/** `content_files.state` */
export const CONTENT_STATE_CODES = { absent: 0, verified: 1, unverified: 2, corrupt: 3 } as const;
/** `owed_revisions.pass` */
export const SYNC_PASS_CODES = { categories: 1, updates: 2, drivers: 3, decryption: 4 } as const;
/** `content_files.problem` */
export const CONTENT_PROBLEM_CODES = {
  lost: 1,
  short: 2,
  sha1: 3,
  sha256: 4,
  unreadable: 5,
  'not-a-file': 6,
} as const;

export function readSchemaVersion(database: SqlDatabase): number {
  return Number(database.prepare('PRAGMA user_version').get()?.user_version ?? 0);
}

/**
 * Brings a database from its version to {@link SCHEMA_VERSION}, in one transaction.
 *
 * @param complete runs inside the transaction, after the last step: first rows of a new store
 */
export function migrate(database: SqlDatabase, fromVersion: number, complete: () => void = () => {}): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    for (const step of MIGRATIONS.slice(fromVersion)) database.exec(step);
    complete();
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    database.exec('COMMIT');
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}
