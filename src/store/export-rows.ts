import type { PackageFile } from '../model/export-package.js';
import { type UpdateId, updateIdFromBytes } from '../model/update-identity.js';
import type { SqlDatabase } from '../platform/sqlite.js';
import { runsOf } from './document-reader.js';
import type { ExportRow, RevisionKey } from './metadata-store.js';
import { bytesOf, categoryTypeOf, clausesOf, jsonKeys, numberOf, textOf, updateTypeOf } from './rows.js';
import { FILE_KIND_CODES, PREREQUISITE_KINDS, UPDATE_TYPE_CODES } from './schema.js';

const KEYS_PER_QUERY = 1024;
/** A bundle inside a bundle inside a bundle: deeper nesting is not followed for inherited categories. */
const MAX_BUNDLE_DEPTH = 4;

interface CategoryLists {
  readonly categories: UpdateId[];
  readonly classifications: UpdateId[];
}

/** Rows of `package.xml` for revisions, a run of keys at a time, in the order asked for. */
export function* readExportRows(
  database: SqlDatabase,
  keys: Iterable<RevisionKey>,
  withFiles: boolean,
): Generator<readonly ExportRow[]> {
  const revisions = database.prepare(`
    SELECT r.revision_key, u.update_id, r.revision_number, r.update_type, r.document_size
    FROM json_each(?) AS wanted
    JOIN revisions r ON r.revision_key = wanted.value
    JOIN updates u ON u.update_key = r.update_key
    ORDER BY wanted.key`);
  const files = database.prepare(`
    SELECT f.revision_key, f.sha1 FROM revision_files f
    WHERE f.revision_key IN (SELECT value FROM json_each(?)) AND f.kind <> ${FILE_KIND_CODES.licence}
    ORDER BY f.revision_key, f.position`);
  const taxonomy = loadTaxonomy(database);
  for (const run of runsOf(keys, KEYS_PER_QUERY)) {
    const rows = revisions.all(jsonKeys(run));
    const filesByKey = new Map<RevisionKey, string[]>();
    for (const row of withFiles ? files.iterate(jsonKeys(run)) : []) {
      const sha1 = Buffer.from(bytesOf(row.sha1)).toString('hex').toUpperCase();
      append(filesByKey, numberOf(row.revision_key), sha1);
    }
    const payload = rows.filter((row) => numberOf(row.update_type) >= UPDATE_TYPE_CODES.Software);
    const lists = readCategoryLists(
      database,
      taxonomy,
      payload.map((row) => numberOf(row.revision_key)),
      MAX_BUNDLE_DEPTH,
    );
    yield rows.map((row) => {
      const key = numberOf(row.revision_key);
      return {
        key,
        identity: {
          updateId: updateIdFromBytes(bytesOf(row.update_id)),
          revisionNumber: numberOf(row.revision_number),
        },
        updateType: updateTypeOf(row.update_type),
        fileSha1s: filesByKey.get(key) ?? [],
        categories: lists.get(key)?.categories ?? [],
        classifications: lists.get(key)?.classifications ?? [],
        documentSize: numberOf(row.document_size),
      };
    });
  }
}

/** Payload files with a known location, each once, in the order their locations came to the store. */
export function* readExportFiles(
  database: SqlDatabase,
  keys: Iterable<RevisionKey> | undefined,
): Generator<readonly PackageFile[]> {
  const wanted = keys === undefined ? undefined : payloadOf(database, keys);
  const rows = database
    .prepare(
      `SELECT sha1, file_name, mu_url FROM file_locations WHERE sha1 IN (${wanted === undefined ? IS_PAYLOAD : IN_LIST}) ORDER BY rowid`,
    )
    .iterate(...(wanted === undefined ? [] : [wanted]));
  for (const run of runsOf(rows, KEYS_PER_QUERY)) {
    yield run.map((row) => ({
      sha1: Buffer.from(bytesOf(row.sha1)).toString('hex').toUpperCase(),
      muUrl: textOf(row.mu_url) ?? '',
      fileName: textOf(row.file_name) ?? '',
    }));
  }
}

export function countFilesWithoutLocation(
  database: SqlDatabase,
  keys: Iterable<RevisionKey> | undefined,
): number {
  const wanted = keys === undefined ? undefined : payloadOf(database, keys);
  const files =
    wanted === undefined
      ? `SELECT DISTINCT sha1 FROM (${IS_PAYLOAD})`
      : IN_LIST.replace('unhex(value)', 'unhex(value) AS sha1');
  const row = database
    .prepare(`SELECT count(*) AS files FROM (${files}) WHERE sha1 NOT IN (SELECT sha1 FROM file_locations)`)
    .get(...(wanted === undefined ? [] : [wanted]));
  return numberOf(row?.files);
}

const IS_PAYLOAD = `SELECT sha1 FROM revision_files WHERE kind <> ${FILE_KIND_CODES.licence}`;
const IN_LIST = 'SELECT unhex(value) FROM json_each(?)';

/** SHA-1s, in hex and as JSON, of the payload files of revisions; each once. */
function payloadOf(database: SqlDatabase, keys: Iterable<RevisionKey>): string {
  const wanted = new Set<string>();
  const query = database.prepare(`${IS_PAYLOAD} AND revision_key IN (SELECT value FROM json_each(?))`);
  for (const run of runsOf(keys, KEYS_PER_QUERY)) {
    for (const row of query.iterate(jsonKeys(run))) {
      wanted.add(Buffer.from(bytesOf(row.sha1)).toString('hex'));
    }
  }
  return JSON.stringify([...wanted]);
}

/** Products and classifications by key of their update. */
type Taxonomy = ReadonlyMap<number, { readonly updateId: UpdateId; readonly isClassification: boolean }>;

function loadTaxonomy(database: SqlDatabase): Taxonomy {
  const byKey = new Map<number, { updateId: UpdateId; isClassification: boolean }>();
  const rows = database.prepare(`
    SELECT u.update_key, u.update_id, r.category_type FROM updates u
    JOIN revisions r ON r.revision_key = u.newest_revision_key
    WHERE r.update_type = ${UPDATE_TYPE_CODES.Category} AND r.category_type IS NOT NULL`);
  for (const row of rows.iterate()) {
    const type = categoryTypeOf(row.category_type);
    if (type !== 'Product' && type !== 'UpdateClassification') continue;
    byKey.set(numberOf(row.update_key), {
      updateId: updateIdFromBytes(bytesOf(row.update_id)),
      isClassification: type === 'UpdateClassification',
    });
  }
  return byKey;
}

/**
 * Products and classifications of software and drivers: those that their AtLeastOne clauses name, in the document's
 * order; a bundled update without any has those of its bundle (package-formats 1.7).
 */
function readCategoryLists(
  database: SqlDatabase,
  taxonomy: Taxonomy,
  keys: readonly RevisionKey[],
  depth: number,
): ReadonlyMap<RevisionKey, CategoryLists> {
  const lists = new Map<RevisionKey, CategoryLists>();
  if (keys.length === 0) return lists;
  const direct = database.prepare(`
    SELECT revision_key, clauses FROM prerequisites WHERE revision_key IN (SELECT value FROM json_each(?))`);
  for (const row of direct.iterate(jsonKeys(keys))) {
    const list: CategoryLists = { categories: [], classifications: [] };
    for (const [kind, ...members] of clausesOf(row.clauses)) {
      if (kind === PREREQUISITE_KINDS.bare) continue;
      for (const member of members) {
        const category = taxonomy.get(member);
        if (category === undefined) continue;
        const target = category.isClassification ? list.classifications : list.categories;
        if (!target.includes(category.updateId)) target.push(category.updateId);
      }
    }
    if (list.categories.length + list.classifications.length > 0) lists.set(numberOf(row.revision_key), list);
  }
  const orphans = keys.filter((key) => !lists.has(key));
  if (orphans.length > 0 && depth > 0) {
    const bundles = database.prepare(`
      SELECT c.revision_key AS child, min(b.revision_key) AS bundle FROM revisions c
      JOIN bundled_updates b ON b.update_key = c.update_key AND b.revision_number = c.revision_number
      WHERE c.revision_key IN (SELECT value FROM json_each(?)) GROUP BY c.revision_key`);
    const bundleOf = new Map<RevisionKey, RevisionKey>();
    for (const row of bundles.iterate(jsonKeys(orphans))) {
      bundleOf.set(numberOf(row.child), numberOf(row.bundle));
    }
    const inherited = readCategoryLists(database, taxonomy, [...new Set(bundleOf.values())], depth - 1);
    for (const [child, bundle] of bundleOf) {
      const list = inherited.get(bundle);
      if (list !== undefined) lists.set(child, list);
    }
  }
  return lists;
}

function append(map: Map<number, string[]>, key: number, value: string): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
