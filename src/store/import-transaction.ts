import { createHash } from 'node:crypto';
import type { Sha1Hex } from '../model/digest.js';
import { normalizeLineEnds } from '../model/document-text.js';
import type { PackageFile } from '../model/export-package.js';
import type { IdentityList } from '../model/identity-list.js';
import type { PackageLanguage } from '../model/language.js';
import {
  type UpdateId,
  type UpdateIdentity,
  updateIdFromBytes,
  updateIdToBytes,
} from '../model/update-identity.js';
import type { SqlDatabase, SqlStatement } from '../platform/sqlite.js';
import { BulkInsert } from './bulk-insert.js';
import type { AcceptedPackage } from './carry-state.js';
import { ClauseWriter } from './clause-writer.js';
import { CODECS } from './document-block.js';
import { DocumentReader } from './document-reader.js';
import { insertHistory } from './history.js';
import { KnownUpdates } from './known-updates.js';
import type {
  AddedRevisions,
  FinishScope,
  HistoryRecord,
  ImportTransaction,
  KnownRevision,
  RevisionKey,
} from './metadata-store.js';
import { findMissingReferences, type MissingReferences, openAmong, Pacer } from './missing-references.js';
import {
  DIGEST_SIZE,
  fileDigestsOf,
  type RevisionBatch,
  type RevisionRow,
  UPDATE_ID_SIZE,
  unpackRows,
} from './revision-batch.js';
import { clausesOf, numberOf, textOf } from './rows.js';
import { CATEGORY_TYPE_CODES, PREREQUISITE_KINDS, UPDATE_TYPE_CODES } from './schema.js';
import { storeError } from './sql-errors.js';
import { insertAccepted } from './sqlite-carry-state.js';
import { writeSyncChange } from './sqlite-sync-state.js';
import type { Arrivals, SyncChange } from './sync-state.js';
import { forgetMarks, type ImportMark, insertMark, KEYS_TO } from './undo-import.js';
import { UPDATE_FLAGS, type UpdateIndex } from './update-index.js';

type Writable<T> = {
  -readonly [K in keyof T]: T[K] extends readonly (infer E)[]
    ? E[]
    : T[K] extends object
      ? Writable<T[K]>
      : T[K];
};

/** Read at once; a revision may have 65,536 of them, and their names a thousand characters. */
const FILES_PER_READ = 4_096;

/** A batch while its rows are stored. */
interface BatchContext {
  readonly batch: RevisionBatch;
  /** the batch's updates as entries of the index, -1 for those not met before; completed as rows are made */
  readonly updates: Int32Array;
  readonly firstBlockKey: number;
  /** keys of all updates that are categories; grows with the rows */
  readonly categoryKeys: Set<number>;
}

/** See {@link ImportTransaction}. Constructed inside a SQL transaction, which it ends. */
export class SqliteImportTransaction implements ImportTransaction {
  readonly #database: SqlDatabase;
  readonly #path: string;
  readonly #documents: DocumentReader;
  readonly #onEnd: () => void;
  readonly #awaitUpdate: SqlStatement;
  readonly #setNewest: SqlStatement;
  readonly #insertBlock: SqlStatement;
  readonly #insertTitles: SqlStatement;
  readonly #newUpdates: BulkInsert;
  readonly #fileLocations: BulkInsert;
  readonly #revisions: BulkInsert;
  readonly #prerequisites: BulkInsert;
  readonly #clauses = new ClauseWriter();
  readonly #categories: BulkInsert;
  readonly #bundled: BulkInsert;
  readonly #superseded: BulkInsert;
  readonly #articles: BulkInsert;
  readonly #files: BulkInsert;
  readonly firstKey: RevisionKey;
  readonly #mark: ImportMark;
  /** the table that was replaced, as JSON */
  #languagesBefore: string | undefined;
  #accepted: AcceptedPackage | undefined;
  /** first revision since the last checkpoint */
  #windowKey: RevisionKey;
  #nextKey: RevisionKey;
  #nextUpdateKey: number;
  #nextBlockKey: number;
  readonly #known: KnownUpdates;
  readonly #index: UpdateIndex;
  /** of updates; all revisions are looked at for them, so not before something new comes */
  #categoryKeys: Set<number> | undefined;
  /** update → newest revision, where that is not the one the row was made with */
  readonly #newest = new Map<number, RevisionKey>();
  /** new revisions that came before something they need: looked at again at the end */
  readonly #unsatisfied: RevisionKey[] = [];
  /** the same of those that they bundle */
  readonly #unsatisfiedBundles: RevisionKey[] = [];
  /** categories that others had named before their own document came */
  readonly #lateCategoryKeys = new Set<number>();

  constructor(database: SqlDatabase, path: string, onEnd: () => void) {
    this.#database = database;
    this.#path = path;
    this.#onEnd = onEnd;
    this.#documents = new DocumentReader(database, path);
    const prepare = (sql: string) => database.prepare(sql);
    this.#awaitUpdate = prepare(
      'UPDATE updates SET awaited_by = ? WHERE update_key = ? AND awaited_by IS NULL AND newest_revision_key IS NULL',
    );
    this.#setNewest = prepare('UPDATE updates SET newest_revision_key = ? WHERE update_key = ?');
    this.#insertBlock = prepare(
      'INSERT INTO document_blocks (block_key, size, data, codec) VALUES (?, ?, ?, ?)',
    );
    this.#insertTitles = prepare('INSERT INTO localized_titles (block_key, titles, codec) VALUES (?, ?, ?)');
    this.#newUpdates = new BulkInsert(database, 'updates', [
      'update_key',
      'update_id',
      'newest_revision_key',
      'awaited_by',
    ]);
    this.#fileLocations = new BulkInsert(
      database,
      'file_locations',
      ['sha1', 'file_name', 'mu_url'],
      'ON CONFLICT DO NOTHING',
    );
    this.#revisions = new BulkInsert(database, 'revisions', [
      'revision_key',
      'update_key',
      'revision_number',
      'update_type',
      'category_type',
      'title',
      'default_language',
      'publication_state',
      'created_at',
      'msrc_severity',
      'explicitly_deployable',
      'languages',
      'kb_article_ids',
      'document_digest',
      'document_size',
      'block_key',
      'block_offset',
    ]);
    this.#prerequisites = new BulkInsert(database, 'prerequisites', ['revision_key', 'clauses']);
    this.#categories = new BulkInsert(
      database,
      'revision_categories',
      ['category_key', 'revision_key'],
      'ON CONFLICT DO NOTHING',
    );
    this.#bundled = new BulkInsert(database, 'bundled_updates', [
      'revision_key',
      'clause',
      'position',
      'update_key',
      'revision_number',
    ]);
    this.#superseded = new BulkInsert(
      database,
      'superseded_updates',
      ['update_key', 'revision_key'],
      'ON CONFLICT DO NOTHING',
    );
    this.#articles = new BulkInsert(
      database,
      'articles',
      ['kind', 'value', 'revision_key'],
      'ON CONFLICT DO NOTHING',
    );
    this.#files = new BulkInsert(database, 'revision_files', [
      'revision_key',
      'position',
      'sha1',
      'sha256',
      'size',
      'kind',
      'file_name',
      'language',
    ]);
    const usedKeys = numberOf(prepare(`SELECT value FROM store_info WHERE name = '${KEYS_TO}'`).get()?.value);
    this.firstKey =
      this.#windowKey =
      this.#nextKey =
        Math.max(this.#highest('revisions', 'revision_key'), usedKeys) + 1;
    this.#nextUpdateKey = this.#highest('updates', 'update_key') + 1;
    this.#nextBlockKey = this.#highest('document_blocks', 'block_key') + 1;
    this.#mark = {
      revision: this.firstKey,
      update: this.#nextUpdateKey,
      block: this.#nextBlockKey,
      location: this.#highest('file_locations', 'rowid') + 1,
    };
    this.#known = new KnownUpdates(database, this.firstKey, this.#nextUpdateKey === 1, {
      flushRevisions: () => this.#revisions.flush(),
      flushAll: () => this.#flush(),
    });
    this.#index = this.#known.index;
  }

  async findRevisions(identities: IdentityList): Promise<readonly (KnownRevision | undefined)[]> {
    return this.#guard(() => this.#known.find(identities));
  }

  async readDocument(key: RevisionKey): Promise<Uint8Array> {
    return this.#guard(() => {
      this.#newUpdates.flush();
      this.#revisions.flush();
      return this.#documents.readOne(key);
    });
  }

  async addRevisions(batch: RevisionBatch): Promise<AddedRevisions> {
    return this.#guard(() => {
      const added: Writable<AddedRevisions> = {
        newUpdates: 0,
        newRevisions: 0,
        present: 0,
        newByType: {},
        conflicts: [],
      };
      const rows = unpackRows(batch);
      if (rows.length === 0) return added;
      const firstBlockKey = this.#nextBlockKey;
      for (const block of batch.blocks) {
        this.#insertBlock.run(this.#nextBlockKey, block.size, block.data, CODECS.brotli);
        if (block.titles !== undefined) {
          this.#insertTitles.run(this.#nextBlockKey, block.titles, CODECS.brotli);
        }
        this.#nextBlockKey++;
      }
      this.#known.bound();
      const updates = new Int32Array(batch.updateIds.length / UPDATE_ID_SIZE);
      for (let position = 0; position < updates.length; position++) {
        updates[position] = this.#known.findUpdate(batch.updateIds, position * UPDATE_ID_SIZE);
      }
      this.#categoryKeys ??= this.#readCategoryKeys();
      const context = { batch, updates, firstBlockKey, categoryKeys: this.#categoryKeys };
      for (const [index, row] of rows.entries()) {
        this.#addRevision(
          context,
          row,
          batch.digests.subarray(index * DIGEST_SIZE, (index + 1) * DIGEST_SIZE),
          added,
        );
      }
      return added;
    });
  }

  async addFileLocations(files: readonly PackageFile[]): Promise<void> {
    this.#guard(() => {
      for (const file of files) {
        this.#fileLocations.add(Buffer.from(file.sha1, 'hex'), file.fileName, file.muUrl);
      }
    });
  }

  async setLanguages(languages: readonly PackageLanguage[]): Promise<void> {
    this.#guard(() => {
      this.#languagesBefore ??= textOf(
        this.#database
          .prepare(
            'SELECT json_group_array(json_array(position, id, short_name, long_name, enabled)) AS rows FROM languages',
          )
          .get()?.rows,
      );
      this.#database.exec('DELETE FROM languages');
      const insert = this.#database.prepare('INSERT INTO languages VALUES (?, ?, ?, ?, ?)');
      for (const [position, row] of languages.entries()) {
        insert.run(position, row.id, row.shortName, row.longName, row.enabled ? 1 : 0);
      }
    });
  }

  async addFileUrls(urls: ReadonlyMap<Sha1Hex, string>): Promise<void> {
    this.#guard(() => {
      this.#flush();
      if (urls.size === 0) return;
      const names = new Map<string, string>();
      // Texts of many files: a row of its own for each takes three times as long.
      const load = this.#database.prepare(`
        SELECT json_group_array(json_array(hex(sha1), file_name, revision_key, position)) AS files FROM (
          SELECT sha1, file_name, revision_key, position FROM revision_files
          WHERE (revision_key, position) > (?, ?) ORDER BY revision_key, position LIMIT ${FILES_PER_READ})`);
      let files: readonly [sha1: Sha1Hex, name: string, revisionKey: RevisionKey, position: number][];
      let last: readonly [RevisionKey, number] = [this.#windowKey, -1];
      do {
        files = JSON.parse(textOf(load.get(...last)?.files) ?? '[]');
        for (const [sha1, name, revisionKey, position] of files) {
          if (urls.has(sha1)) names.set(sha1, name);
          last = [revisionKey, position];
        }
      } while (files.length === FILES_PER_READ);
      for (const [sha1, url] of urls) {
        this.#fileLocations.add(Buffer.from(sha1, 'hex'), names.get(sha1) ?? fileNameOf(url), url);
      }
    });
  }

  async addDriverSets(
    sets: readonly { readonly driverSetId: UpdateId; readonly xml: string }[],
  ): Promise<void> {
    this.#guard(() => {
      const insert = this.#database.prepare('INSERT OR REPLACE INTO driver_sets VALUES (?, ?)');
      for (const { driverSetId, xml } of sets) insert.run(updateIdToBytes(driverSetId), xml);
    });
  }

  async countArrivals(): Promise<Arrivals> {
    return this.#guard(() => {
      this.#flush();
      const { Software, Driver } = UPDATE_TYPE_CODES;
      const rows = this.#database
        .prepare(`
          SELECT CASE WHEN r.publication_state = 'Expired' THEN 'expired'
            WHEN EXISTS (SELECT 1 FROM revisions o WHERE o.update_key = r.update_key AND o.revision_key < ?1)
            THEN 'revised' ELSE 'new' END AS kind, count(*) AS updates
          FROM revisions r JOIN updates u ON u.newest_revision_key = r.revision_key
          WHERE r.revision_key >= ?1 AND r.update_type IN (${Software}, ${Driver}) AND r.explicitly_deployable
          GROUP BY kind`)
        .all(this.firstKey);
      const count = (kind: string) => numberOf(rows.find((row) => row.kind === kind)?.updates ?? 0);
      return {
        newUpdates: count('new'),
        revisedUpdates: count('revised'),
        expiredUpdates: count('expired'),
        declinedUpdates: count('expired'),
      };
    });
  }

  async finish(
    limit: number,
    signal: AbortSignal,
    { from, present = [] }: FinishScope = {},
  ): Promise<MissingReferences> {
    const pacer = new Pacer(signal);
    try {
      this.#flush();
      await this.#linkLateCategories(pacer);
      const first = Math.min(this.firstKey, from ?? this.firstKey);
      const earlier = (table: string) =>
        this.#database
          .prepare(`SELECT DISTINCT revision_key FROM ${table} WHERE revision_key >= ? AND revision_key < ?`)
          .all(first, this.firstKey)
          .map((row) => numberOf(row.revision_key));
      const again = openAmong(this.#database, present);
      const open = {
        prerequisites: [...earlier('prerequisites'), ...this.#unsatisfied, ...again.prerequisites],
        bundles: [...earlier('bundled_updates'), ...this.#unsatisfiedBundles, ...again.bundles],
      };
      return await findMissingReferences(this.#database, open, limit, pacer);
    } catch (error) {
      throw storeError(error, this.#path);
    }
  }

  async rememberSync(change: SyncChange): Promise<void> {
    this.#guard(() => writeSyncChange(this.#database, change));
  }

  async addDecryptionKeys(keys: ReadonlyMap<Sha1Hex, Uint8Array>): Promise<void> {
    this.#guard(() => {
      const insert = this.#database.prepare('INSERT OR REPLACE INTO decryption_keys VALUES (?, ?)');
      for (const [sha1, key] of keys) insert.run(Buffer.from(sha1, 'hex'), key);
    });
  }

  async acceptPackage(accepted: AcceptedPackage): Promise<void> {
    this.#accepted = accepted;
  }

  async checkpoint(signal: AbortSignal): Promise<void> {
    try {
      this.#flush();
      await this.#linkLateCategories(new Pacer(signal));
      this.#lateCategoryKeys.clear();
      forgetMarks(this.#database);
      this.#database.exec('COMMIT');
      this.#database.exec('BEGIN IMMEDIATE');
      this.#windowKey = this.#nextKey;
    } catch (error) {
      throw storeError(error, this.#path);
    }
  }

  async commit(history?: HistoryRecord): Promise<void> {
    this.#guard(() => {
      this.#flush();
      if (history !== undefined) insertHistory(this.#database, history);
      if (history?.action !== 'import') forgetMarks(this.#database);
      else if (this.#hasChanged || this.#accepted !== undefined) {
        const markKey = insertMark(this.#database, this.#mark, history, this.#languagesBefore);
        if (this.#accepted !== undefined) insertAccepted(this.#database, this.#accepted, markKey);
      }
      this.#database.exec('COMMIT');
    });
    this.#onEnd();
  }

  async rollback(): Promise<void> {
    try {
      this.#database.exec('ROLLBACK');
    } catch {
      // SQLite has rolled back by itself (disk full, I/O error).
    }
    this.#onEnd();
  }

  #addRevision(
    context: BatchContext,
    row: RevisionRow,
    digest: Uint8Array,
    added: Writable<AddedRevisions>,
  ): void {
    const { updateType, revisionNumber } = row;
    let update = context.updates[row.update] as number;
    const known = this.#known.findRevision(update, revisionNumber);
    if (known !== undefined) {
      if (this.#isSame(known, row, digest, context.firstBlockKey)) added.present++;
      else added.conflicts.push({ identity: identityOf(context, row), known, digest });
      return;
    }
    const key = this.#nextKey++;
    const isCategory = updateType === 'Category';
    const newest = update < 0 ? undefined : this.#index.newestOf(update);
    if (newest === undefined) added.newUpdates++;
    else added.newRevisions++;
    added.newByType[updateType] = (added.newByType[updateType] ?? 0) + 1;
    if (update < 0) {
      update = this.#createUpdate(context, row.update, { newest: key, awaitedBy: null });
      this.#index.setFlag(update, UPDATE_FLAGS.single);
    } else {
      if (newest === undefined || revisionNumber > newest) this.#newest.set(this.#index.keyOf(update), key);
      if (isCategory && newest === undefined) this.#lateCategoryKeys.add(this.#index.keyOf(update));
      this.#index.clearFlag(update, UPDATE_FLAGS.single);
    }
    if (newest === undefined || revisionNumber > newest) this.#index.setNewest(update, revisionNumber);
    const updateKey = this.#index.keyOf(update);
    if (isCategory) context.categoryKeys.add(updateKey);
    this.#revisions.add(
      key,
      updateKey,
      revisionNumber,
      UPDATE_TYPE_CODES[updateType],
      row.categoryType === undefined ? null : CATEGORY_TYPE_CODES[row.categoryType],
      row.title,
      row.defaultLanguage ?? null,
      row.publicationState ?? null,
      row.createdAt ?? null,
      row.msrcSeverity ?? null,
      row.explicitlyDeployable ? 1 : 0,
      row.languages ?? null,
      row.kbArticleIds ?? null,
      digest,
      row.documentSize,
      context.firstBlockKey + row.block,
      row.blockOffset,
    );
    this.#addRelations(context, row, key);
  }

  #readCategoryKeys(): Set<number> {
    const rows = this.#database
      .prepare(`SELECT DISTINCT update_key FROM revisions WHERE update_type = ${UPDATE_TYPE_CODES.Category}`)
      .all();
    return new Set(rows.map((row) => numberOf(row.update_key)));
  }

  #addRelations(context: BatchContext, row: RevisionRow, key: RevisionKey): void {
    if (row.prerequisites.length > 0) this.#addPrerequisites(context, row, key);
    if (row.bundled.length > 0) this.#addBundled(context, row, key);
    for (const update of row.superseded) {
      this.#superseded.add(this.#index.keyOf(this.#referTo(context, update, key, false)), key);
    }
    for (const [kind, value] of row.articles) this.#articles.add(kind, value, key);
    for (const [position, file] of row.files.entries()) {
      const { sha1, sha256 } = fileDigestsOf(context.batch, file);
      this.#files.add(
        key,
        position,
        sha1,
        sha256,
        file.size,
        file.kind,
        file.fileName,
        file.language ?? null,
      );
    }
  }

  #addBundled(context: BatchContext, row: RevisionRow, key: RevisionKey): void {
    let open = -1;
    let isSatisfied = true;
    let hasMember = true;
    for (const [clause, position, update, revisionNumber] of row.bundled) {
      const child = this.#referTo(context, update, key, true);
      this.#bundled.add(key, clause, position, this.#index.keyOf(child), revisionNumber);
      if (clause !== open) {
        isSatisfied &&= hasMember;
        hasMember = false;
        open = clause;
      }
      // An older one may be there too; that is looked up at the end.
      hasMember ||= this.#index.newestOf(child) === revisionNumber;
    }
    if (!isSatisfied || !hasMember) this.#unsatisfiedBundles.push(key);
  }

  #addPrerequisites(context: BatchContext, row: RevisionRow, key: RevisionKey): void {
    const isCategory = row.updateType === 'Category';
    let isSatisfied = true;
    for (const clause of row.prerequisites) {
      const kind = clause[0];
      this.#clauses.open(kind);
      const isLinked = kind !== PREREQUISITE_KINDS.bare || isCategory;
      let hasMember = false;
      for (let at = 1; at < clause.length; at++) {
        const update = this.#referTo(context, clause[at] as number, key, true);
        const updateKey = this.#index.keyOf(update);
        this.#clauses.add(updateKey);
        hasMember ||= this.#index.newestOf(update) !== undefined;
        if (isLinked && context.categoryKeys.has(updateKey)) this.#categories.add(updateKey, key);
      }
      this.#clauses.close();
      isSatisfied &&= hasMember;
    }
    if (!isSatisfied) this.#unsatisfied.push(key);
    this.#prerequisites.add(key, this.#clauses.take());
  }

  /** Entry of the update that a document names; a row is made for ids not met so far. */
  #referTo(context: BatchContext, position: number, by: RevisionKey, isNeeded: boolean): number {
    const known = context.updates[position] as number;
    if (known < 0)
      return this.#createUpdate(context, position, { newest: null, awaitedBy: isNeeded ? by : null });
    const isAwaited = isNeeded && this.#index.newestOf(known) === undefined;
    if (isAwaited && !this.#index.hasFlag(known, UPDATE_FLAGS.awaited)) {
      this.#index.setFlag(known, UPDATE_FLAGS.awaited);
      this.#newUpdates.flush();
      this.#awaitUpdate.run(by, this.#index.keyOf(known));
    }
    return known;
  }

  #createUpdate(
    context: BatchContext,
    position: number,
    { newest, awaitedBy }: { newest: RevisionKey | null; awaitedBy: RevisionKey | null },
  ): number {
    const id = updateIdAt(context.batch, position);
    const updateKey = this.#nextUpdateKey++;
    this.#newUpdates.add(updateKey, id, newest, awaitedBy);
    const update = this.#index.add(id, updateKey);
    if (awaitedBy !== null) this.#index.setFlag(update, UPDATE_FLAGS.awaited);
    context.updates[position] = update;
    return update;
  }

  /** A revision met twice in one package: the second must be the first again, line ends apart. */
  #isSame(known: KnownRevision, row: RevisionRow, digest: Uint8Array, firstBlockKey: number): boolean {
    if (Buffer.compare(known.digest, digest) === 0) return true;
    this.#newUpdates.flush(); // the first one's update may be as new as itself
    const stored = this.#documents.readOne(known.key);
    const arrived = this.#documents.readSlice(firstBlockKey + row.block, row.blockOffset, row.documentSize);
    return normalizedDigest(stored) === normalizedDigest(arrived);
  }

  /** Links the revisions that had named a category before it came, in one pass over all prerequisites. */
  async #linkLateCategories(pacer: Pacer): Promise<void> {
    if (this.#lateCategoryKeys.size === 0) return;
    const rows = this.#database
      .prepare(`
        SELECT p.revision_key, p.clauses, r.update_type FROM prerequisites p
        JOIN revisions r ON r.revision_key = p.revision_key`)
      .iterate();
    for (const row of rows) {
      const isCategory = numberOf(row.update_type) === UPDATE_TYPE_CODES.Category;
      for (const [kind, ...members] of clausesOf(row.clauses)) {
        await pacer.step(members.length);
        if (kind === PREREQUISITE_KINDS.bare && !isCategory) continue;
        for (const member of members) {
          if (this.#lateCategoryKeys.has(member)) this.#categories.add(member, numberOf(row.revision_key));
        }
      }
    }
    this.#categories.flush();
  }

  #flush(): void {
    for (const table of [
      this.#newUpdates,
      this.#fileLocations,
      this.#revisions,
      this.#prerequisites,
      this.#categories,
      this.#bundled,
      this.#superseded,
      this.#articles,
      this.#files,
    ]) {
      table.flush();
    }
    for (const [updateKey, revisionKey] of this.#newest) this.#setNewest.run(revisionKey, updateKey);
    this.#newest.clear();
  }

  /** There is something to take back. */
  get #hasChanged(): boolean {
    return (
      this.#nextKey > this.#mark.revision ||
      this.#nextUpdateKey > this.#mark.update ||
      this.#languagesBefore !== undefined ||
      this.#highest('file_locations', 'rowid') >= this.#mark.location
    );
  }

  #highest(table: string, column: string): number {
    return numberOf(
      this.#database.prepare(`SELECT coalesce(max(${column}), 0) AS highest FROM ${table}`).get()?.highest,
    );
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw storeError(error, this.#path);
    }
  }
}

function updateIdAt({ updateIds }: RevisionBatch, position: number): Uint8Array {
  return updateIds.subarray(position * UPDATE_ID_SIZE, (position + 1) * UPDATE_ID_SIZE);
}

function identityOf(context: BatchContext, row: RevisionRow): UpdateIdentity {
  const updateId = updateIdFromBytes(updateIdAt(context.batch, row.update));
  return { updateId, revisionNumber: row.revisionNumber };
}

/** Last part of a URL, without the SHA-1 that Microsoft's servers put before the extension. */
function fileNameOf(url: string): string {
  const path = url.split(/[?#]/, 1)[0] ?? '';
  return path.slice(path.lastIndexOf('/') + 1).replace(/_[0-9a-f]{40}(?=\.|$)/i, '');
}

function normalizedDigest(document: Uint8Array): string {
  return createHash('sha256').update(normalizeLineEnds(document)).digest('hex');
}
