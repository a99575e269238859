import { parseStamp } from '../model/content-file.js';
import type { Sha1Hex } from '../model/digest.js';
import {
  type UpdateId,
  type UpdateIdentity,
  updateIdFromBytes,
  updateIdToBytes,
} from '../model/update-identity.js';
import type { SqlDatabase, SqlRow, SqlStatement, SqlValue } from '../platform/sqlite.js';
import type { RevisionKey } from './metadata-store.js';
import { bytesOf, clausesOf, jsonKeys, numberOf, textOf } from './rows.js';
import { CONTENT_STATE_CODES, FILE_KIND_CODES, PREREQUISITE_KINDS, UPDATE_TYPE_CODES } from './schema.js';
import type {
  BundledRevision,
  ContentCoverage,
  FoundRevision,
  ServedFile,
  ServedRevision,
  ServeView,
  UpdateKey,
} from './serve-view.js';

type Guard = <T>(work: () => T) => T;

/** Digests in one question about files that no check has indexed yet. */
const FILES_PER_QUERY = 512;

/** {@link ServeView} over the store's connection. Statements are prepared once: a server asks the same again and again. */
export class SqliteServeView implements ServeView {
  readonly #database: SqlDatabase;
  readonly #guard: Guard;
  readonly #statements = new Map<string, SqlStatement>();

  constructor(database: SqlDatabase, guard: Guard) {
    this.#database = database;
    this.#guard = guard;
  }

  version(): number {
    return this.#guard(() => numberOf(this.#get('PRAGMA data_version')?.data_version));
  }

  async newestKey(): Promise<RevisionKey> {
    return this.#guard(() => this.#newestKey());
  }

  async revisionsAfter(key: RevisionKey): Promise<Iterable<ServedRevision>> {
    return this.#guard(() => {
      // Two tables, one moment: what is committed in between belongs to neither.
      this.#database.exec('BEGIN');
      try {
        const bundled = this.#bundledAfter(key);
        const rows = this.#statement(`
          SELECT r.revision_key, r.update_key, u.update_id, r.revision_number, r.update_type, p.clauses
          FROM revisions r JOIN updates u ON u.update_key = r.update_key
          LEFT JOIN prerequisites p ON p.revision_key = r.revision_key
          WHERE r.revision_key > ? ORDER BY r.revision_key`);
        const found: ServedRevision[] = [];
        const needs = new Map<SqlValue | undefined, Needs>();
        for (const row of rows.iterate(key)) {
          let own = needs.get(row.clauses);
          if (own === undefined) {
            own = needsOf(row.clauses);
            needs.set(row.clauses, own);
          }
          found.push(servedRevisionOf(row, own, bundled));
        }
        return found;
      } finally {
        this.#database.exec('COMMIT');
      }
    });
  }

  async updateKeys(updateIds: readonly UpdateId[]): Promise<ReadonlyMap<UpdateId, UpdateKey>> {
    return this.#guard(() => {
      const found = new Map<UpdateId, UpdateKey>();
      for (const id of updateIds) {
        const row = this.#get('SELECT update_key FROM updates WHERE update_id = ?', updateIdToBytes(id));
        if (row !== undefined) found.set(id, numberOf(row.update_key));
      }
      return found;
    });
  }

  async findRevisions(
    identities: readonly UpdateIdentity[],
  ): Promise<readonly (FoundRevision | undefined)[]> {
    return this.#guard(() => {
      const rows = identities.map(({ updateId, revisionNumber }) =>
        this.#get(
          `SELECT r.revision_key, r.document_size FROM updates u
           JOIN revisions r ON r.update_key = u.update_key AND r.revision_number = ? WHERE u.update_id = ?`,
          revisionNumber,
          updateIdToBytes(updateId),
        ),
      );
      const files = new Map<RevisionKey, Sha1Hex[]>();
      const lists = this.#statement(
        `SELECT revision_key, sha1 FROM revision_files
         WHERE revision_key IN (SELECT value FROM json_each(?)) AND kind <> ${FILE_KIND_CODES.licence}
         ORDER BY revision_key, position`,
      );
      const keys = rows.flatMap((row) => (row === undefined ? [] : [numberOf(row.revision_key)]));
      for (const row of lists.iterate(jsonKeys(keys))) {
        const key = numberOf(row.revision_key);
        const list = files.get(key);
        if (list === undefined) files.set(key, [hexOf(row.sha1)]);
        else list.push(hexOf(row.sha1));
      }
      return rows.map((row, index) => {
        if (row === undefined) return undefined;
        const key = numberOf(row.revision_key);
        return {
          key,
          identity: identities[index] as UpdateIdentity,
          documentSize: numberOf(row.document_size),
          fileSha1s: files.get(key) ?? [],
        };
      });
    });
  }

  async newestRevisions(updateIds: readonly UpdateId[]): Promise<readonly UpdateIdentity[]> {
    return this.#guard(() =>
      updateIds.flatMap((updateId) => {
        const row = this.#get(
          `SELECT r.revision_number FROM updates u JOIN revisions r ON r.revision_key = u.newest_revision_key
           WHERE u.update_id = ?`,
          updateIdToBytes(updateId),
        );
        return row === undefined ? [] : [{ updateId, revisionNumber: numberOf(row.revision_number) }];
      }),
    );
  }

  async documentDigest(key: RevisionKey): Promise<Uint8Array | undefined> {
    return this.#guard(() => {
      const row = this.#get('SELECT document_digest FROM revisions WHERE revision_key = ?', key);
      return row === undefined ? undefined : bytesOf(row.document_digest);
    });
  }

  async documentChecks(): Promise<ReadonlyMap<RevisionKey, number>> {
    return this.#guard(() => {
      const checks = new Map<RevisionKey, number>();
      for (const row of this.#statement('SELECT revision_key, document_digest FROM revisions').iterate()) {
        const [a = 0, b = 0, c = 0, d = 0] = bytesOf(row.document_digest);
        checks.set(numberOf(row.revision_key), ((a << 24) | (b << 16) | (c << 8) | d) >>> 0);
      }
      return checks;
    });
  }

  async decryptionKeys(sha1s: readonly Sha1Hex[]): Promise<ReadonlyMap<Sha1Hex, Uint8Array>> {
    return this.#guard(() => {
      const found = new Map<Sha1Hex, Uint8Array>();
      for (const sha1 of sha1s) {
        const row = this.#get('SELECT key FROM decryption_keys WHERE sha1 = ?', Buffer.from(sha1, 'hex'));
        if (row !== undefined) found.set(sha1, bytesOf(row.key));
      }
      return found;
    });
  }

  async findFiles(sha1s: readonly Sha1Hex[]): Promise<ReadonlyMap<Sha1Hex, ServedFile>> {
    return this.#guard(() => {
      const found = new Map<Sha1Hex, ServedFile>();
      const others: Sha1Hex[] = [];
      for (const sha1 of sha1s) {
        const bytes = Buffer.from(sha1, 'hex');
        const row = this.#get(
          'SELECT size, sha256, file_name, state, stamp FROM main.content_files WHERE folder = ? AND sha1 = ?',
          bytes.subarray(-1),
          bytes,
        );
        if (row === undefined) others.push(sha1);
        else found.set(sha1, servedFileOf(row));
      }
      const indexedTo = this.#indexedTo();
      if (others.length === 0 || indexedTo >= this.#newestKey()) return found;
      // Revisions that came after the last command about content; that table has no index by file.
      const rows = this.#statement(
        `SELECT sha1, size, sha256, file_name, NULL AS state, NULL AS stamp FROM revision_files
         WHERE revision_key > ? AND sha1 IN (SELECT unhex(value) FROM json_each(?))`,
      );
      for (let start = 0; start < others.length; start += FILES_PER_QUERY) {
        const wanted = JSON.stringify(others.slice(start, start + FILES_PER_QUERY));
        for (const row of rows.iterate(indexedTo, wanted)) found.set(hexOf(row.sha1), servedFileOf(row));
      }
      return found;
    });
  }

  async contentCoverage(): Promise<ContentCoverage> {
    return this.#guard(() => {
      const { verified } = CONTENT_STATE_CODES;
      const { express } = FILE_KIND_CODES;
      const has = (condition: string) =>
        this.#get(`SELECT 1 AS one FROM main.content_files WHERE ${condition} LIMIT 1`) !== undefined;
      return {
        isComplete:
          this.#indexedTo() >= this.#newestKey() && !has(`kind <> ${express} AND state <> ${verified}`),
        hasExpressFiles: has(`kind = ${express} AND state = ${verified}`),
      };
    });
  }

  #bundledAfter(key: RevisionKey): ReadonlyMap<RevisionKey, BundledRevision[][]> {
    const bundled = new Map<RevisionKey, BundledRevision[][]>();
    const rows = this.#statement(
      `SELECT revision_key, clause, update_key, revision_number FROM bundled_updates
       WHERE revision_key > ? ORDER BY revision_key, clause, position`,
    );
    let lastClause = -1;
    for (const row of rows.iterate(key)) {
      const parent = numberOf(row.revision_key);
      let clauses = bundled.get(parent);
      if (clauses === undefined) {
        clauses = [];
        bundled.set(parent, clauses);
        lastClause = -1;
      }
      const clause = numberOf(row.clause);
      if (clause !== lastClause) clauses.push([]);
      lastClause = clause;
      clauses.at(-1)?.push({
        updateKey: numberOf(row.update_key),
        revisionNumber: numberOf(row.revision_number),
      });
    }
    return bundled;
  }

  #newestKey(): RevisionKey {
    return numberOf(this.#get('SELECT coalesce(max(revision_key), 0) AS newest FROM revisions')?.newest);
  }

  /** Newest revision whose files are in `content_files`. */
  #indexedTo(): RevisionKey {
    return numberOf(
      this.#get('SELECT value FROM store_info WHERE name = ?', 'content_files_to')?.value ?? '0',
    );
  }

  #get(sql: string, ...parameters: readonly SqlValue[]): SqlRow | undefined {
    return this.#statement(sql).get(...parameters);
  }

  #statement(sql: string): SqlStatement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** What the text of a revision's clauses says; thousands of revisions have the same. */
interface Needs {
  readonly prerequisites: readonly (readonly UpdateKey[])[];
  readonly categories: readonly UpdateKey[];
}

function needsOf(text: SqlValue | undefined): Needs {
  const clauses = clausesOf(text);
  return {
    prerequisites: clauses.map(([, ...members]) => members),
    categories: clauses.flatMap(([kind, ...members]) => (kind === PREREQUISITE_KINDS.bare ? [] : members)),
  };
}

const NOTHING_BUNDLED: readonly (readonly BundledRevision[])[] = [];

function servedRevisionOf(
  row: SqlRow,
  needs: Needs,
  bundled: ReadonlyMap<RevisionKey, readonly (readonly BundledRevision[])[]>,
): ServedRevision {
  const key = numberOf(row.revision_key);
  const type = numberOf(row.update_type);
  return {
    key,
    updateKey: numberOf(row.update_key),
    identity: {
      updateId: updateIdFromBytes(bytesOf(row.update_id)),
      revisionNumber: numberOf(row.revision_number),
    },
    isConfig: type === UPDATE_TYPE_CODES.Category || type === UPDATE_TYPE_CODES.Detectoid,
    prerequisites: needs.prerequisites,
    categories: needs.categories,
    bundled: bundled.get(key) ?? NOTHING_BUNDLED,
  };
}

function servedFileOf(row: SqlRow): ServedFile {
  const stamp = row.state === CONTENT_STATE_CODES.verified ? textOf(row.stamp) : undefined;
  return {
    size: numberOf(row.size),
    sha256: row.sha256 === null ? undefined : hexOf(row.sha256),
    fileName: textOf(row.file_name) ?? '',
    verifiedStamp: stamp === undefined ? undefined : parseStamp(stamp),
  };
}

function hexOf(value: SqlValue | undefined): string {
  return Buffer.from(bytesOf(value)).toString('hex').toUpperCase();
}
