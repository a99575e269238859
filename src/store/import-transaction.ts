import { createHash } from 'node:crypto';
import type { ContentFile, EulaFile } from '../model/content-file.js';
import { normalizeLineEnds } from '../model/document-text.js';
import type { PackageFile } from '../model/export-package.js';
import type { PackageLanguage } from '../model/language.js';
import type { PrerequisiteClause } from '../model/revision.js';
import {
  type UpdateId,
  type UpdateIdentity,
  updateIdFromBytes,
  updateIdToBytes,
} from '../model/update-identity.js';
import type { SqlDatabase, SqlRow, SqlStatement } from '../platform/sqlite.js';
import { BulkInsert } from './bulk-insert.js';
import { DocumentReader } from './document-reader.js';
import { insertHistory } from './history.js';
import type {
  HistoryEntry,
  ImportTransaction,
  IndexedFacts,
  KnownRevision,
  MissingReference,
  NewRevision,
  NewRevisions,
  RevisionKey,
  StoreVerdict,
} from './metadata-store.js';
import { bytesOf, numberOf } from './rows.js';
import { ARTICLE_CODES, CATEGORY_TYPE_CODES, FILE_KIND_CODES, UPDATE_TYPE_CODES } from './schema.js';
import { storeError } from './sql-errors.js';

/** Entries of the id caches; they are emptied when full, so memory stays flat whatever the package's size. */
const MAX_CACHE_ENTRIES = 150_000;

interface KnownUpdate {
  readonly updateKey: number;
  /** has a revision; false while the id is only named by others */
  hasRevision: boolean;
}

/** See {@link ImportTransaction}. Constructed inside a SQL transaction, which it ends. */
export class SqliteImportTransaction implements ImportTransaction {
  readonly #database: SqlDatabase;
  readonly #path: string;
  readonly #documents: DocumentReader;
  readonly #onEnd: () => void;
  readonly #findUpdate: SqlStatement;
  readonly #findRevision: SqlStatement;
  readonly #awaitUpdate: SqlStatement;
  readonly #setNewest: SqlStatement;
  readonly #insertBlock: SqlStatement;
  readonly #insertTitles: SqlStatement;
  readonly #newUpdates: BulkInsert;
  readonly #contentFiles: BulkInsert;
  readonly #revisions: BulkInsert;
  readonly #prerequisites: BulkInsert;
  readonly #categories: BulkInsert;
  readonly #bundled: BulkInsert;
  readonly #superseded: BulkInsert;
  readonly #articles: BulkInsert;
  readonly #files: BulkInsert;
  readonly #firstKey: RevisionKey;
  #nextKey: RevisionKey;
  #nextUpdateKey: number;
  #nextBlockKey: number;
  /** the store was empty and the cache never overflowed: what is not in the cache is not in the store */
  #knowsAll: boolean;
  /** null: known not to be there */
  #updates = new Map<UpdateId, KnownUpdate | null>();
  /** keys of updates that are categories */
  readonly #categoryKeys: Set<number>;
  /** new revisions that came before something they need: looked at again at the end */
  readonly #unsatisfied: RevisionKey[] = [];
  /** categories that others had named before their own document came */
  readonly #lateCategoryKeys: number[] = [];

  constructor(database: SqlDatabase, path: string, onEnd: () => void) {
    this.#database = database;
    this.#path = path;
    this.#onEnd = onEnd;
    this.#documents = new DocumentReader(database, path);
    const prepare = (sql: string) => database.prepare(sql);
    this.#findUpdate = prepare('SELECT update_key, newest_revision_key FROM updates WHERE update_id = ?');
    this.#findRevision = prepare(
      'SELECT revision_key, document_digest FROM revisions WHERE update_key = ? AND revision_number = ?',
    );
    this.#awaitUpdate = prepare(
      'UPDATE updates SET awaited_by = ? WHERE update_key = ? AND awaited_by IS NULL AND newest_revision_key IS NULL',
    );
    this.#setNewest = prepare(`
      UPDATE updates SET newest_revision_key = ?1 WHERE update_key = ?2 AND ?3 > coalesce(
        (SELECT revision_number FROM revisions WHERE revision_key = updates.newest_revision_key), -1)`);
    this.#insertBlock = prepare('INSERT INTO document_blocks VALUES (?, ?, ?)');
    this.#insertTitles = prepare('INSERT INTO localized_titles VALUES (?, ?)');
    this.#newUpdates = new BulkInsert(database, 'updates', [
      'update_key',
      'update_id',
      'newest_revision_key',
      'awaited_by',
    ]);
    this.#contentFiles = new BulkInsert(
      database,
      'content_files',
      ['sha1', 'sha256', 'size', 'file_name', 'mu_url'],
      `ON CONFLICT (sha1) DO UPDATE SET sha256 = coalesce(sha256, excluded.sha256),
         size = coalesce(size, excluded.size), mu_url = coalesce(mu_url, excluded.mu_url)`,
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
    this.#articles = new BulkInsert(database, 'articles', ['kind', 'value', 'revision_key'], 'ON CONFLICT DO NOTHING');
    this.#files = new BulkInsert(database, 'revision_files', [
      'revision_key',
      'position',
      'sha1',
      'kind',
      'file_name',
      'language',
    ]);
    this.#firstKey = this.#nextKey = this.#highest('revisions', 'revision_key') + 1;
    this.#nextUpdateKey = this.#highest('updates', 'update_key') + 1;
    this.#nextBlockKey = this.#highest('document_blocks', 'block_key') + 1;
    this.#knowsAll = this.#nextUpdateKey === 1;
    this.#categoryKeys = new Set(
      prepare(`SELECT DISTINCT update_key FROM revisions WHERE update_type = ${UPDATE_TYPE_CODES.Category}`)
        .all()
        .map((row) => numberOf(row.update_key)),
    );
  }

  async findRevisions(
    identities: readonly UpdateIdentity[],
  ): Promise<readonly (KnownRevision | undefined)[]> {
    return this.#guard(() =>
      identities.map(({ updateId, revisionNumber }) => {
        const update = this.#lookUpUpdate(updateId);
        return update?.hasRevision ? this.#lookUpRevision(update.updateKey, revisionNumber) : undefined;
      }),
    );
  }

  async readDocument(key: RevisionKey): Promise<Uint8Array> {
    return this.#guard(() => {
      this.#revisions.flush();
      return this.#documents.readOne(key);
    });
  }

  async addRevisions(
    batch: NewRevisions,
  ): Promise<readonly { readonly verdict: StoreVerdict; readonly known: KnownRevision | undefined }[]> {
    return this.#guard(() => {
      const firstBlockKey = this.#nextBlockKey;
      for (const block of batch.blocks) {
        this.#insertBlock.run(this.#nextBlockKey, block.size, block.data);
        if (block.titles !== undefined) this.#insertTitles.run(this.#nextBlockKey, block.titles);
        this.#nextBlockKey++;
      }
      return batch.revisions.map((revision) => this.#addRevision(revision, firstBlockKey));
    });
  }

  async addFileLocations(files: readonly PackageFile[]): Promise<void> {
    this.#guard(() => {
      for (const file of files) {
        this.#contentFiles.add(Buffer.from(file.sha1, 'hex'), null, null, file.fileName, file.muUrl);
      }
    });
  }

  async setLanguages(languages: readonly PackageLanguage[]): Promise<void> {
    this.#guard(() => {
      this.#database.exec('DELETE FROM languages');
      const insert = this.#database.prepare('INSERT INTO languages VALUES (?, ?, ?, ?, ?)');
      for (const [position, row] of languages.entries()) {
        insert.run(position, row.id, row.shortName, row.longName, row.enabled ? 1 : 0);
      }
    });
  }

  async finish(
    limit: number,
  ): Promise<{ readonly missing: readonly MissingReference[]; readonly missingCount: number }> {
    return this.#guard(() => {
      this.#flush();
      this.#linkLateCategories();
      const missing = [...this.#missingPrerequisites(), ...this.#missingBundledRevisions()];
      return { missing: missing.slice(0, limit), missingCount: missing.length };
    });
  }

  async commit(history: Omit<HistoryEntry, 'id'>): Promise<void> {
    this.#guard(() => {
      this.#flush();
      insertHistory(this.#database, history);
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
    revision: NewRevision,
    firstBlockKey: number,
  ): { verdict: StoreVerdict; known: KnownRevision | undefined } {
    const { facts } = revision;
    const { updateId, revisionNumber } = facts.identity;
    let update = this.#lookUpUpdate(updateId);
    const isNewUpdate = update?.hasRevision !== true;
    if (update !== undefined && !isNewUpdate) {
      const known = this.#lookUpRevision(update.updateKey, revisionNumber);
      if (known !== undefined) return { verdict: this.#compare(known, revision, firstBlockKey), known };
    }
    const key = this.#nextKey++;
    if (update === undefined) {
      update = { updateKey: this.#nextUpdateKey++, hasRevision: true };
      this.#newUpdates.add(update.updateKey, updateIdToBytes(updateId), key, null);
      this.#remember(updateId, update);
    } else {
      this.#newUpdates.flush();
      this.#revisions.flush(); // #setNewest compares with revision rows
      this.#setNewest.run(key, update.updateKey, revisionNumber);
    }
    const wasNamedBefore = isNewUpdate && !update.hasRevision;
    update.hasRevision = true;
    const isCategory = facts.updateType === 'Category';
    if (isCategory) {
      if (wasNamedBefore) this.#lateCategoryKeys.push(update.updateKey);
      this.#categoryKeys.add(update.updateKey);
    }
    this.#revisions.add(
      key,
      update.updateKey,
      revisionNumber,
      UPDATE_TYPE_CODES[facts.updateType],
      facts.categoryType === undefined ? null : CATEGORY_TYPE_CODES[facts.categoryType],
      facts.title,
      facts.defaultLanguage ?? null,
      facts.publicationState ?? null,
      facts.createdAt ?? null,
      facts.msrcSeverity ?? null,
      facts.explicitlyDeployable ? 1 : 0,
      facts.languages.length === 0 ? null : facts.languages.join(','),
      facts.kbArticleIds.length === 0 ? null : facts.kbArticleIds.join(','),
      revision.digest,
      revision.documentSize,
      firstBlockKey + revision.block,
      revision.blockOffset,
    );
    this.#addRelations(key, facts);
    return { verdict: isNewUpdate ? 'new-update' : 'new-revision', known: undefined };
  }

  #addRelations(key: RevisionKey, facts: IndexedFacts): void {
    const isCategory = facts.updateType === 'Category';
    if (facts.prerequisites.length > 0) this.#addPrerequisites(key, facts.prerequisites, isCategory);
    for (const [clause, { members }] of facts.bundledUpdates.entries()) {
      for (const [position, { updateId, revisionNumber }] of members.entries()) {
        this.#bundled.add(key, clause, position, this.#referTo(updateId, key, true).updateKey, revisionNumber);
      }
    }
    for (const updateId of facts.supersededUpdates) {
      this.#superseded.add(this.#referTo(updateId, key, false).updateKey, key);
    }
    for (const [kind, values] of [
      [ARTICLE_CODES.kb, facts.kbArticleIds],
      [ARTICLE_CODES.bulletin, facts.securityBulletinIds],
      [ARTICLE_CODES.cve, facts.cveIds],
    ] as const) {
      for (const value of values) this.#articles.add(kind, value.toUpperCase(), key);
    }
    let position = 0;
    for (const file of facts.files) {
      const kind = file.patchingType === 'Express' ? FILE_KIND_CODES.express : FILE_KIND_CODES.payload;
      this.#files.add(key, position++, this.#addContentFile(file), kind, file.fileName, null);
    }
    for (const file of facts.eulaFiles) {
      this.#files.add(
        key,
        position++,
        this.#addContentFile(file),
        FILE_KIND_CODES.licence,
        file.fileName,
        file.language,
      );
    }
  }

  #addPrerequisites(key: RevisionKey, clauses: readonly PrerequisiteClause[], isCategory: boolean): void {
    let isSatisfied = true;
    const stored = clauses.map(({ members, atLeastOne, isCategory: isCategoryClause }) => {
      const kind = isCategoryClause ? 2 : atLeastOne ? 1 : 0;
      let text = `[${kind}`;
      let hasMember = false;
      for (const updateId of members) {
        const update = this.#referTo(updateId, key, true);
        text += `,${update.updateKey}`;
        hasMember ||= update.hasRevision;
        if ((kind > 0 || isCategory) && this.#categoryKeys.has(update.updateKey)) {
          this.#categories.add(update.updateKey, key);
        }
      }
      isSatisfied &&= hasMember;
      return `${text}]`;
    });
    if (!isSatisfied) this.#unsatisfied.push(key);
    this.#prerequisites.add(key, `[${stored.join(',')}]`);
  }

  /** The update that a document names; a row is made for ids not met so far. */
  #referTo(updateId: UpdateId, by: RevisionKey, isNeeded: boolean): KnownUpdate {
    const known = this.#lookUpUpdate(updateId);
    if (known === undefined) {
      const update = { updateKey: this.#nextUpdateKey++, hasRevision: false };
      this.#newUpdates.add(update.updateKey, updateIdToBytes(updateId), null, isNeeded ? by : null);
      this.#remember(updateId, update);
      return update;
    }
    if (!known.hasRevision && isNeeded) {
      this.#newUpdates.flush();
      this.#awaitUpdate.run(by, known.updateKey);
    }
    return known;
  }

  #lookUpUpdate(updateId: UpdateId): KnownUpdate | undefined {
    const cached = this.#updates.get(updateId);
    if (cached !== undefined) return cached ?? undefined;
    if (this.#knowsAll) return undefined;
    const row = this.#findUpdate.get(updateIdToBytes(updateId));
    if (row === undefined) {
      this.#remember(updateId, null);
      return undefined;
    }
    const update = {
      updateKey: numberOf(row.update_key),
      hasRevision: row.newest_revision_key !== null,
    };
    this.#remember(updateId, update);
    return update;
  }

  #remember(updateId: UpdateId, update: KnownUpdate | null): void {
    if (this.#updates.size >= MAX_CACHE_ENTRIES) {
      this.#newUpdates.flush(); // from here on SQL is asked
      this.#updates = new Map();
      this.#knowsAll = false;
    }
    this.#updates.set(updateId, update);
  }

  #lookUpRevision(updateKey: number, revisionNumber: number): KnownRevision | undefined {
    this.#revisions.flush();
    const row = this.#findRevision.get(updateKey, revisionNumber);
    return row === undefined
      ? undefined
      : { key: numberOf(row.revision_key), digest: bytesOf(row.document_digest) };
  }

  /** A revision met twice in one package: the second must be the first again, line ends apart. */
  #compare(known: KnownRevision, revision: NewRevision, firstBlockKey: number): StoreVerdict {
    if (Buffer.compare(known.digest, revision.digest) === 0) return 'present';
    const stored = this.#documents.readOne(known.key);
    const arrived = this.#documents.readSlice(
      firstBlockKey + revision.block,
      revision.blockOffset,
      revision.documentSize,
    );
    return normalizedDigest(stored) === normalizedDigest(arrived) ? 'present' : 'conflict';
  }

  /** Facts that the store lacks are filled in; those it has stay. */
  #addContentFile(file: ContentFile | EulaFile): Buffer {
    const sha1 = Buffer.from(file.sha1, 'hex');
    const sha256 = file.sha256 === undefined ? null : Buffer.from(file.sha256, 'hex');
    this.#contentFiles.add(sha1, sha256, file.size, file.fileName, null);
    return sha1;
  }

  #linkLateCategories(): void {
    if (this.#lateCategoryKeys.length === 0) return;
    const link = this.#database.prepare(`
      INSERT OR IGNORE INTO revision_categories
      SELECT member.value, p.revision_key
      FROM prerequisites p JOIN revisions r ON r.revision_key = p.revision_key
      JOIN json_each(p.clauses) clause JOIN json_each(clause.value) member
      WHERE member.key > 0 AND member.value = ?
        AND (clause.value ->> 0 > 0 OR r.update_type = ${UPDATE_TYPE_CODES.Category})`);
    for (const key of this.#lateCategoryKeys) link.run(key);
  }

  /** Clauses of new revisions of which not one member has a revision. */
  #missingPrerequisites(): MissingReference[] {
    const unsatisfied = this.#database.prepare(`
      SELECT p.revision_key, clause.key AS clause, u.update_id, NULL AS needed_number, owner.update_id AS owner_id,
             r.revision_number
      FROM prerequisites p
      JOIN json_each(p.clauses) clause JOIN json_each(clause.value) member
      JOIN updates u ON u.update_key = member.value
      JOIN revisions r ON r.revision_key = p.revision_key
      JOIN updates owner ON owner.update_key = r.update_key
      WHERE p.revision_key = ? AND member.key > 0 AND NOT EXISTS (
        SELECT 1 FROM json_each(clause.value) other JOIN updates known ON known.update_key = other.value
        WHERE other.key > 0 AND known.newest_revision_key IS NOT NULL)
      ORDER BY clause.key, member.key`);
    return this.#unsatisfied.flatMap((key) => groupMissing('prerequisite', unsatisfied.iterate(key)));
  }

  /** Bundled revisions that are not there; in an AtLeastOne clause one present member is enough. */
  #missingBundledRevisions(): MissingReference[] {
    const rows = this.#database
      .prepare(`
        SELECT b.revision_key, b.clause, u.update_id, b.revision_number AS needed_number, owner.update_id AS owner_id,
               r.revision_number
        FROM bundled_updates b
        JOIN updates u ON u.update_key = b.update_key
        JOIN revisions r ON r.revision_key = b.revision_key
        JOIN updates owner ON owner.update_key = r.update_key
        WHERE b.revision_key >= ? AND NOT EXISTS (
          SELECT 1 FROM bundled_updates other
          JOIN revisions held ON held.update_key = other.update_key AND held.revision_number = other.revision_number
          WHERE other.revision_key = b.revision_key AND other.clause = b.clause)
        ORDER BY b.revision_key, b.clause, b.position`)
      .iterate(this.#firstKey);
    return groupMissing('bundled', rows);
  }

  #flush(): void {
    for (const table of [
      this.#newUpdates,
      this.#contentFiles,
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

/** Rows of one clause, which follow each other, become one reference. */
function groupMissing(kind: MissingReference['kind'], rows: Iterable<SqlRow>): MissingReference[] {
  const missing: MissingReference[] = [];
  let clause: string | undefined;
  let anyOf: { updateId: UpdateId; revisionNumber: number | undefined }[] = [];
  for (const row of rows) {
    const rowClause = `${row.revision_key}/${row.clause}`;
    if (rowClause !== clause) {
      clause = rowClause;
      anyOf = [];
      const neededBy = {
        updateId: updateIdFromBytes(bytesOf(row.owner_id)),
        revisionNumber: numberOf(row.revision_number),
      };
      missing.push({ kind, neededBy, anyOf });
    }
    anyOf.push({
      updateId: updateIdFromBytes(bytesOf(row.update_id)),
      revisionNumber: row.needed_number === null ? undefined : numberOf(row.needed_number),
    });
  }
  return missing;
}

function normalizedDigest(document: Uint8Array): string {
  return createHash('sha256').update(normalizeLineEnds(document)).digest('hex');
}
