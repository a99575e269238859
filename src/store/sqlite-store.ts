import type { Sha1Hex } from '../model/digest.js';
import type { PackageFile } from '../model/export-package.js';
import type { PackageLanguage } from '../model/language.js';
import type { UpdateType } from '../model/revision.js';
import {
  type UpdateId,
  type UpdateIdentity,
  updateIdFromBytes,
  updateIdToBytes,
} from '../model/update-identity.js';
import type { SqlDatabase, SqlValue } from '../platform/sqlite.js';
import type { CarryState, UndoneImport } from './carry-state.js';
import type { ContentIndex } from './content-index.js';
import { unpackAtMost } from './document-block.js';
import { DocumentReader, runsOf } from './document-reader.js';
import type {
  CategoryGroup,
  CategoryRow,
  DependencyGraph,
  ExportRow,
  HistoryAction,
  HistoryEntry,
  HistoryMessage,
  HistoryRecord,
  ImportTransaction,
  MetadataStore,
  RevisionFilter,
  RevisionKey,
  RevisionSummary,
  StoredDocument,
  StoreProblem,
  StoreStatus,
} from './metadata-store.js';
import { buildRevisionQuery } from './revision-query.js';
import {
  bytesOf,
  categoryTypeOf,
  historyEntryOf,
  IS_SUPERSEDED,
  jsonKeys,
  numberOf,
  SUMMARY_COLUMNS,
  summaryOf,
  textOf,
  updateTypeOf,
} from './rows.js';
import { FILE_KIND_CODES, readSchemaVersion, UPDATE_TYPE_CODES } from './schema.js';
import type { ServeView } from './serve-view.js';
import { storeError } from './sql-errors.js';
import type { SqliteContentIndex } from './sqlite-content-index.js';
import type { SyncState } from './sync-state.js';

const ROWS_PER_BATCH = 512;
/** Most bytes of one block's titles when inflated. */
const MAX_TITLES_SIZE = 64 << 20;

/**
 * {@link MetadataStore} over one SQLite connection. What only long commands need is loaded when they need it: one update
 * is shown in little more time than the help.
 */
export class SqliteStore implements MetadataStore {
  readonly serverId: string;
  readonly #database: SqlDatabase;
  readonly #path: string;
  readonly #mode: 'read' | 'write';
  readonly #onClose: (() => Promise<void>) | undefined;
  #isClosed = false;
  #isImporting = false;
  #contentIndex: SqliteContentIndex | undefined;

  constructor(
    database: SqlDatabase,
    path: string,
    mode: 'read' | 'write' = 'write',
    onClose?: () => Promise<void>,
  ) {
    this.#database = database;
    this.#path = path;
    this.#mode = mode;
    this.#onClose = onClose;
    this.serverId = this.#info('server_id');
  }

  async status(): Promise<StoreStatus> {
    return this.#guard(() => {
      const counts = this.#row(`
        SELECT count(*) AS revisions, count(DISTINCT r.update_key) AS updates,
          coalesce(sum(r.document_size), 0) AS document_bytes,
          coalesce(sum(u.newest_revision_key = r.revision_key AND r.publication_state = 'Expired'), 0) AS expired,
          coalesce(sum(u.newest_revision_key = r.revision_key AND ${IS_SUPERSEDED}), 0) AS superseded
        FROM revisions r JOIN updates u ON u.update_key = r.update_key`);
      const newestByType: Record<UpdateType, number> = { Category: 0, Detectoid: 0, Software: 0, Driver: 0 };
      const types = this.#database.prepare(`
        SELECT r.update_type, count(*) AS updates FROM updates u
        JOIN revisions r ON r.revision_key = u.newest_revision_key GROUP BY r.update_type`);
      for (const row of types.iterate()) newestByType[updateTypeOf(row.update_type)] = numberOf(row.updates);
      const files = this.#row(`
        SELECT count(*) AS files, coalesce(sum(size), 0) AS bytes, coalesce(sum(is_licence), 0) AS licences
        FROM (SELECT max(size) AS size, max(kind = ${FILE_KIND_CODES.licence}) AS is_licence FROM revision_files GROUP BY sha1)`);
      const pages = numberOf(this.#row('PRAGMA page_count').page_count);
      const pageSize = numberOf(this.#row('PRAGMA page_size').page_size);
      return {
        serverId: this.serverId,
        createdAt: Number(this.#info('created_at')),
        schemaVersion: readSchemaVersion(this.#database),
        updates: numberOf(counts.updates),
        revisions: numberOf(counts.revisions),
        newestByType,
        expired: numberOf(counts.expired),
        superseded: numberOf(counts.superseded),
        files: numberOf(files.files),
        fileBytes: numberOf(files.bytes),
        licenceFiles: numberOf(files.licences),
        documentBytes: numberOf(counts.document_bytes),
        storeBytes: pages * pageSize,
        languages: this.#languages(),
        lastImport: this.#lastOf('import'),
        lastExport: this.#lastOf('export'),
        lastSync: this.#lastOf('sync'),
      };
    });
  }

  async languages(): Promise<readonly PackageLanguage[]> {
    return this.#guard(() => this.#languages());
  }

  async isEmpty(): Promise<boolean> {
    return this.#guard(
      () => this.#database.prepare('SELECT 1 AS one FROM revisions LIMIT 1').get() === undefined,
    );
  }

  async fingerprint(): Promise<string> {
    const { createHash } = await import('node:crypto'); // 4 ms that finding one update does without
    return this.#guard(() => {
      const hash = createHash('sha256');
      const rows = this.#database.prepare(`
        SELECT u.update_id, r.revision_number, r.document_digest FROM revisions r
        JOIN updates u ON u.update_key = r.update_key ORDER BY u.update_id, r.revision_number`);
      const number = Buffer.alloc(4);
      for (const row of rows.iterate()) {
        number.writeUInt32BE(numberOf(row.revision_number));
        hash.update(bytesOf(row.update_id)).update(number).update(bytesOf(row.document_digest));
      }
      return hash.digest('hex');
    });
  }

  async *listRevisions(filter: RevisionFilter, limit?: number): AsyncGenerator<readonly RevisionSummary[]> {
    const query = buildRevisionQuery(filter);
    yield* this.#summaries(
      `SELECT ${SUMMARY_COLUMNS}, ${IS_SUPERSEDED} AS is_superseded ${query.from}
       ORDER BY r.created_at DESC, r.revision_key DESC LIMIT ?`,
      ...query.parameters,
      limit ?? -1,
    );
  }

  async countRevisions(filter: RevisionFilter): Promise<number> {
    return this.#guard(() => {
      const query = buildRevisionQuery(filter);
      return numberOf(this.#row(`SELECT count(*) AS found ${query.from}`, ...query.parameters).found);
    });
  }

  async findUpdate(updateId: UpdateId): Promise<readonly RevisionSummary[]> {
    return this.#guard(() =>
      this.#database
        .prepare(
          `SELECT ${SUMMARY_COLUMNS}, ${IS_SUPERSEDED} AS is_superseded
           FROM revisions r JOIN updates u ON u.update_key = r.update_key
           WHERE u.update_id = ? ORDER BY r.revision_number DESC`,
        )
        .all(updateIdToBytes(updateId))
        .map(summaryOf),
    );
  }

  async titlesOf(updateIds: readonly UpdateId[], language?: string): Promise<ReadonlyMap<UpdateId, string>> {
    return this.#guard(() => {
      const find = this.#database.prepare(`
        SELECT r.revision_key, r.title FROM updates u JOIN revisions r ON r.revision_key = u.newest_revision_key
        WHERE u.update_id = ?`);
      const titles = new Map<UpdateId, string>();
      const ids = new Map<RevisionKey, UpdateId>();
      for (const updateId of updateIds) {
        const row = find.get(updateIdToBytes(updateId));
        if (row === undefined) continue;
        titles.set(updateId, textOf(row.title) ?? '');
        ids.set(numberOf(row.revision_key), updateId);
      }
      if (language !== undefined) {
        for (const [key, title] of this.#localizedTitles([...ids.keys()], language)) {
          titles.set(ids.get(key) as UpdateId, title);
        }
      }
      return titles;
    });
  }

  async localizedTitles(
    keys: readonly RevisionKey[],
    language: string,
  ): Promise<ReadonlyMap<RevisionKey, string>> {
    return this.#guard(() => this.#localizedTitles(keys, language));
  }

  async relatives(identity: UpdateIdentity) {
    return this.#guard(() => {
      const id = updateIdToBytes(identity.updateId);
      const select = `SELECT ${SUMMARY_COLUMNS}, ${IS_SUPERSEDED} AS is_superseded`;
      return {
        bundledBy: this.#database
          .prepare(
            `${select} FROM bundled_updates b JOIN updates child ON child.update_key = b.update_key
             JOIN revisions r ON r.revision_key = b.revision_key JOIN updates u ON u.update_key = r.update_key
             WHERE child.update_id = ? AND b.revision_number = ? GROUP BY r.revision_key ORDER BY r.revision_key`,
          )
          .all(id, identity.revisionNumber)
          .map(summaryOf),
        supersededBy: this.#database
          .prepare(
            `${select} FROM superseded_updates s JOIN updates old ON old.update_key = s.update_key
             JOIN revisions r ON r.revision_key = s.revision_key
             JOIN updates u ON u.update_key = r.update_key AND u.newest_revision_key = r.revision_key
             WHERE old.update_id = ? ORDER BY r.created_at DESC, r.revision_key DESC`,
          )
          .all(id)
          .map(summaryOf),
      };
    });
  }

  async fileLocations(sha1s: readonly Sha1Hex[]): Promise<ReadonlyMap<Sha1Hex, string>> {
    return this.#guard(() => {
      const find = this.#database.prepare('SELECT mu_url FROM file_locations WHERE sha1 = ?');
      const found = new Map<Sha1Hex, string>();
      for (const sha1 of sha1s) {
        const url = textOf(find.get(Buffer.from(sha1, 'hex'))?.mu_url);
        if (url !== undefined) found.set(sha1, url);
      }
      return found;
    });
  }

  async listCategories(): Promise<readonly CategoryRow[]> {
    return this.#guard(() => {
      const parents = new Map<number, UpdateId[]>();
      const links = this.#database.prepare(`
        SELECT link.revision_key, u.update_id FROM revision_categories link
        JOIN revisions r ON r.revision_key = link.revision_key AND r.update_type = ${UPDATE_TYPE_CODES.Category}
        JOIN updates u ON u.update_key = link.category_key`);
      for (const row of links.iterate()) {
        const key = numberOf(row.revision_key);
        const parent = updateIdFromBytes(bytesOf(row.update_id));
        const known = parents.get(key);
        if (known === undefined) parents.set(key, [parent]);
        else known.push(parent);
      }
      const counts = new Map<number, number>();
      const members = this.#database.prepare(`
        SELECT link.category_key, count(*) AS updates FROM revision_categories link
        JOIN revisions r ON r.revision_key = link.revision_key
        JOIN updates u ON u.update_key = r.update_key AND u.newest_revision_key = r.revision_key
        WHERE r.update_type >= ${UPDATE_TYPE_CODES.Software} AND r.explicitly_deployable = 1
        GROUP BY link.category_key`);
      for (const row of members.iterate()) counts.set(numberOf(row.category_key), numberOf(row.updates));
      return this.#database
        .prepare(`
          SELECT u.update_key, u.update_id, r.revision_key, r.category_type, r.title, r.revision_number,
            r.publication_state
          FROM updates u JOIN revisions r ON r.revision_key = u.newest_revision_key
          WHERE r.update_type = ${UPDATE_TYPE_CODES.Category} ORDER BY r.title COLLATE NOCASE, u.update_id`)
        .all()
        .map((row) => ({
          updateId: updateIdFromBytes(bytesOf(row.update_id)),
          categoryType: categoryTypeOf(row.category_type),
          title: textOf(row.title) ?? '',
          revisionNumber: numberOf(row.revision_number),
          isExpired: row.publication_state === 'Expired',
          parents: parents.get(numberOf(row.revision_key)) ?? [],
          updateCount: counts.get(numberOf(row.update_key)) ?? 0,
        }));
    });
  }

  async groupByCategories(): Promise<readonly CategoryGroup[]> {
    return this.#guard(() => {
      const ids = new Map<number, UpdateId>();
      const categories = this.#database.prepare(`
        SELECT DISTINCT u.update_key, u.update_id FROM updates u JOIN revisions r ON r.update_key = u.update_key
        WHERE r.update_type = ${UPDATE_TYPE_CODES.Category}`);
      for (const row of categories.iterate()) {
        ids.set(numberOf(row.update_key), updateIdFromBytes(bytesOf(row.update_id)));
      }
      // Grouped twice where the updates are: in a real catalogue there are a few hundred groups.
      return this.#database
        .prepare(`
          SELECT categories, count(*) AS updates FROM (
            SELECT group_concat(link.category_key) AS categories FROM revision_categories link
            JOIN revisions r ON r.revision_key = link.revision_key
            JOIN updates u ON u.update_key = r.update_key AND u.newest_revision_key = r.revision_key
            WHERE r.update_type >= ${UPDATE_TYPE_CODES.Software} AND r.explicitly_deployable = 1
            GROUP BY link.revision_key)
          GROUP BY categories`)
        .all()
        .map((row) => ({
          categories: (textOf(row.categories) ?? '').split(',').flatMap((key) => ids.get(Number(key)) ?? []),
          updateCount: numberOf(row.updates),
        }));
    });
  }

  async *readDocuments(keys: Iterable<RevisionKey>): AsyncGenerator<readonly StoredDocument[]> {
    yield* this.#guarded(new DocumentReader(this.#database, this.#path).read(keys));
  }

  async listKeys(filter?: RevisionFilter): Promise<readonly RevisionKey[]> {
    return this.#guard(() => {
      const query =
        filter === undefined ? { from: 'FROM revisions r', parameters: [] } : buildRevisionQuery(filter);
      // As one text: a fifth of the time of having the driver hand over a hundred thousand rows. The limit, none,
      // keeps SQLite from leaving out the order.
      const list = this.#database
        .prepare(
          `SELECT group_concat(revision_key) AS list
           FROM (SELECT r.revision_key ${query.from} ORDER BY r.revision_key LIMIT -1)`,
        )
        .get(...query.parameters);
      return JSON.parse(`[${textOf(list?.list) ?? ''}]`) as RevisionKey[];
    });
  }

  async needsSorting(): Promise<boolean> {
    return this.#guard(() => {
      const exists = (sql: string) =>
        this.#database.prepare(`SELECT 1 AS one ${sql} LIMIT 1`).get() !== undefined;
      return (
        exists('FROM updates WHERE awaited_by IS NOT NULL AND newest_revision_key IS NOT NULL') ||
        // A bundled revision may be late although another one of its update was there.
        exists(`FROM bundled_updates b
          JOIN revisions part ON part.update_key = b.update_key AND part.revision_number = b.revision_number
          WHERE part.revision_key > b.revision_key`)
      );
    });
  }

  async dependencyGraph(): Promise<DependencyGraph> {
    const { loadDependencyGraph } = await import('./dependency-graph.js');
    return this.#guard(() => loadDependencyGraph(this.#database));
  }

  async *exportRows(keys: readonly RevisionKey[], withFiles = true): AsyncGenerator<readonly ExportRow[]> {
    const { readExportRows } = await import('./export-rows.js');
    yield* this.#guarded(readExportRows(this.#database, keys, withFiles));
  }

  async *exportFiles(keys: readonly RevisionKey[] | undefined): AsyncGenerator<readonly PackageFile[]> {
    const { readExportFiles } = await import('./export-rows.js');
    yield* this.#guarded(readExportFiles(this.#database, keys));
  }

  async countFilesWithoutLocation(keys: readonly RevisionKey[] | undefined): Promise<number> {
    const { countFilesWithoutLocation } = await import('./export-rows.js');
    return this.#guard(() => countFilesWithoutLocation(this.#database, keys));
  }

  async compressionRatio(): Promise<number> {
    return this.#guard(() => {
      const row = this.#row(
        'SELECT sum(length(data)) AS stored, sum(size) AS documents FROM document_blocks',
      );
      return row.documents === null ? 0 : numberOf(row.stored) / numberOf(row.documents);
    });
  }

  async readConsistently<T>(work: () => Promise<T>): Promise<T> {
    this.#guard(() => this.#database.exec('BEGIN'));
    try {
      return await work();
    } finally {
      this.#guard(() => this.#database.exec('COMMIT'));
    }
  }

  async beginImport(): Promise<ImportTransaction> {
    const { SqliteImportTransaction } = await import('./import-transaction.js');
    if (this.#isImporting) throw new Error('an import into this store is already running');
    return this.#guard(() => {
      this.#database.exec('BEGIN IMMEDIATE');
      this.#isImporting = true;
      return new SqliteImportTransaction(this.#database, this.#path, () => {
        this.#isImporting = false;
      });
    });
  }

  async contentIndex(signal?: AbortSignal): Promise<ContentIndex> {
    const { SqliteContentIndex } = await import('./sqlite-content-index.js');
    this.#contentIndex ??= new SqliteContentIndex(this.#database, this.#mode, (work) => this.#guard(work));
    await this.#contentIndex.catchUp(signal);
    return this.#contentIndex;
  }

  async serveView(): Promise<ServeView> {
    const { SqliteServeView } = await import('./sqlite-serve-view.js');
    return new SqliteServeView(this.#database, (work) => this.#guard(work));
  }

  syncState(): SyncState {
    const database = this.#database;
    const load = () => import('./sqlite-sync-state.js');
    return {
      values: async (upstream) => {
        const { readSyncValues } = await load();
        return this.#guard(() => readSyncValues(database, upstream));
      },
      owed: async (upstream, pass) => {
        const { readOwed } = await load();
        return this.#guard(() => readOwed(database, upstream, pass));
      },
      withDecryptionKey: async (sha1s) => {
        const { findDecryptionKeys } = await load();
        return this.#guard(() => findDecryptionKeys(database, sha1s));
      },
    };
  }

  carryState(): CarryState {
    const database = this.#database;
    const load = () => import('./sqlite-carry-state.js');
    return {
      listSent: async (destination) => {
        const { readSent } = await load();
        return this.#guard(() => readSent(database, destination));
      },
      carriedUpTo: async (destination, sequence) => {
        const { readCarried } = await load();
        return this.#guard(() => readCarried(database, destination, sequence));
      },
      recordSent: async (sent, carried) => {
        const { insertSent } = await load();
        this.#guard(() => insertSent(database, sent, carried));
      },
      acknowledge: async (destination, sequence, at) => {
        const { setAcknowledged } = await load();
        return this.#guard(() => setAcknowledged(database, destination, sequence, at));
      },
      listAccepted: async () => {
        const { readAccepted } = await load();
        return this.#guard(() => readAccepted(database));
      },
    };
  }

  async findUndoable(): Promise<UndoneImport> {
    const { findUndoable } = await import('./undo-import.js');
    return this.#guard(() => findUndoable(this.#database));
  }

  async undoImport(historyOf: (undone: UndoneImport) => HistoryRecord): Promise<UndoneImport> {
    const { undoImport } = await import('./undo-import.js');
    return this.#guard(() => undoImport(this.#database, historyOf));
  }

  async addHistory(entry: HistoryRecord): Promise<void> {
    const { insertHistory } = await import('./history.js');
    this.#guard(() => {
      this.#database.exec('SAVEPOINT history');
      try {
        insertHistory(this.#database, entry);
      } finally {
        this.#database.exec('RELEASE history'); // an entry without all its messages is better than none
      }
    });
  }

  async listHistory(limit: number, action?: HistoryAction): Promise<readonly HistoryEntry[]> {
    const { readHistory } = await import('./history.js');
    return this.#guard(() => readHistory(this.#database, limit, action));
  }

  async findHistory(
    id: number,
  ): Promise<(HistoryEntry & { readonly messages: readonly HistoryMessage[] }) | undefined> {
    const { findHistory } = await import('./history.js');
    return this.#guard(() => findHistory(this.#database, id));
  }

  async *check(
    onProgress: (done: number, total: number) => void,
    signal: AbortSignal,
  ): AsyncGenerator<StoreProblem> {
    const { checkStore } = await import('./check-store.js');
    yield* this.#guarded(checkStore(this.#database, this.#path, onProgress, signal));
  }

  async *quickCheck(signal: AbortSignal): AsyncGenerator<StoreProblem> {
    const { checkTables } = await import('./check-store.js');
    yield* this.#guarded(checkTables(this.#database, this.#path, 'quick_check', signal));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#foldWriteAheadLog();
    try {
      this.#database.close();
    } finally {
      await this.#onClose?.();
    }
  }

  /**
   * SQLite does this when the last connection closes, but with the driver for Node 20 that is when the process ends
   * and not now: a copy of the file made in between would lack the last import.
   */
  #foldWriteAheadLog(): void {
    try {
      this.#database.exec('PRAGMA busy_timeout = 0');
      this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // A read-only connection, a reader in the way, a full disk: the log stays and is as good as the file.
    }
  }

  async *#summaries(
    sql: string,
    ...parameters: readonly SqlValue[]
  ): AsyncGenerator<readonly RevisionSummary[]> {
    const rows = this.#guard(() => this.#database.prepare(sql).iterate(...parameters));
    for (const run of this.#guarded(runsOf(rows, ROWS_PER_BATCH))) yield run.map(summaryOf);
  }

  #languages(): readonly PackageLanguage[] {
    return this.#database
      .prepare('SELECT * FROM languages ORDER BY position')
      .all()
      .map((row) => ({
        id: numberOf(row.id),
        shortName: textOf(row.short_name) ?? '',
        longName: textOf(row.long_name) ?? '',
        enabled: row.enabled === 1,
      }));
  }

  #localizedTitles(keys: readonly RevisionKey[], language: string): Map<RevisionKey, string> {
    const found = new Map<RevisionKey, string>();
    const wanted = language.toLowerCase();
    const places = this.#database.prepare(`
      SELECT r.revision_key, r.block_key, r.block_offset FROM revisions r
      WHERE r.revision_key IN (SELECT value FROM json_each(?)) ORDER BY r.block_key`);
    const load = this.#database.prepare('SELECT codec, titles FROM localized_titles WHERE block_key = ?');
    let blockKey = -1;
    let titles: Record<string, Record<string, string>> = {};
    for (const row of places.all(jsonKeys(keys))) {
      if (numberOf(row.block_key) !== blockKey) {
        blockKey = numberOf(row.block_key);
        const packed = load.get(blockKey);
        titles =
          packed === undefined
            ? {}
            : JSON.parse(
                unpackAtMost(numberOf(packed.codec), bytesOf(packed.titles), MAX_TITLES_SIZE).toString(
                  'utf8',
                ),
              );
      }
      const title = titles[String(row.block_offset)]?.[wanted];
      if (title !== undefined) found.set(numberOf(row.revision_key), title);
    }
    return found;
  }

  #lastOf(action: string): HistoryEntry | undefined {
    const row = this.#database
      .prepare('SELECT * FROM history WHERE action = ? ORDER BY history_key DESC LIMIT 1')
      .get(action);
    return row === undefined ? undefined : historyEntryOf(row);
  }

  #info(name: string): string {
    const value = textOf(
      this.#database.prepare('SELECT value FROM store_info WHERE name = ?').get(name)?.value,
    );
    if (value === undefined) throw new Error(`store_info has no ${name}`);
    return value;
  }

  #row(sql: string, ...parameters: readonly SqlValue[]) {
    return this.#database.prepare(sql).get(...parameters) ?? {};
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw storeError(error, this.#path);
    }
  }

  *#guarded<T>(rows: Iterable<T>): Generator<T> {
    try {
      yield* rows;
    } catch (error) {
      throw storeError(error, this.#path);
    }
  }
}
