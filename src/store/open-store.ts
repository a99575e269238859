import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isWsusutilError, WsusutilError } from '../errors.js';
import { DEFAULT_LANGUAGES } from '../model/language.js';
import { openDatabase, type SqlDatabase } from '../platform/sqlite.js';
import type { MetadataStore } from './metadata-store.js';
import { APPLICATION_ID, migrate, PAGE_SIZE, readSchemaVersion, SCHEMA_VERSION } from './schema.js';
import { storeError } from './sql-errors.js';
import { SqliteStore } from './sqlite-store.js';

export interface OpenStoreOptions {
  /** `read`: never changes anything, works on read-only media and while another process writes */
  readonly mode: 'read' | 'write';
  readonly now: () => Date;
  /** called once when the store is closed, e.g. to release the writer lock */
  readonly onClose?: () => Promise<void>;
}

/** Page cache of the connection, KiB. */
const CACHE_KIB = 16_384;

/**
 * Opens the store at `path`. In `write` mode it is created or migrated if need be; in `read` mode it must exist in
 * the present schema version.
 *
 * @throws WsusutilError `STORE_MISSING`, `STORE_TOO_NEW`, `STORE_CORRUPT`, `STORE_LOCKED`, `READ_ONLY`
 */
export async function openMetadataStore(path: string, options: OpenStoreOptions): Promise<MetadataStore> {
  try {
    if (options.mode === 'write') {
      await mkdir(dirname(path), { recursive: true });
      return prepare(await openDatabase(path), path, options);
    }
    const size = await sizeOf(path);
    if (size === undefined || size === 0) {
      throw new WsusutilError('STORE_MISSING', `There is no store at ${path}`, {
        hint: 'Import a package, or run "wsusutil postinstall", to create it.',
      });
    }
    return prepare(await openReadOnly(path), path, options);
  } catch (error) {
    throw storeError(error, path);
  }
}

/** True if opening to read failed because the store must first be brought to the present schema version. */
export function isOldStore(error: unknown): boolean {
  return isWsusutilError(error, 'STORE_MISSING') && error.details?.isOld === true;
}

/** A store of its own on disk, in the system's temporary folder, gone when it is closed: for `verify`. */
export async function openTemporaryStore(now: () => Date): Promise<MetadataStore> {
  return prepare(await openDatabase(''), '(temporary)', { mode: 'write', now });
}

/**
 * Opens for reading. Where the folder cannot be written (a DVD, a read-only mount) SQLite cannot make the shared
 * memory file of a WAL database; `immutable` does without, which is right as long as no write-ahead log is left.
 */
async function openReadOnly(path: string): Promise<SqlDatabase> {
  let database: SqlDatabase | undefined;
  try {
    database = await openDatabase(path, { readOnly: true });
    database.exec('PRAGMA busy_timeout = 5000');
    readSchemaVersion(database);
    return database;
  } catch (error) {
    database?.close();
    if (((await sizeOf(`${path}-wal`)) ?? 0) > 0) throw error;
    const immutable = await openDatabase(`${pathToFileURL(path).href}?immutable=1`, { readOnly: true });
    readSchemaVersion(immutable);
    return immutable;
  }
}

function prepare(database: SqlDatabase, path: string, options: OpenStoreOptions): MetadataStore {
  try {
    database.exec('PRAGMA busy_timeout = 5000');
    database.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
    const version = readSchemaVersion(database);
    if (version > 0 && readApplicationId(database) !== APPLICATION_ID) {
      throw new WsusutilError('STORE_CORRUPT', `${path} is an SQLite database, but not a wsusutil store`, {
        hint: 'Move the file away, or point --data-dir at another data directory.',
      });
    }
    if (version > SCHEMA_VERSION) {
      throw new WsusutilError(
        'STORE_TOO_NEW',
        `The store ${path} has schema version ${version}; this wsusutil knows versions up to ${SCHEMA_VERSION}`,
        { hint: 'Use the newer wsusutil that wrote it, or point --data-dir at another data directory.' },
      );
    }
    if (options.mode === 'write') {
      if (version === 0) {
        if (Number(database.prepare('SELECT count(*) AS tables FROM sqlite_schema').get()?.tables) > 0) {
          throw new WsusutilError(
            'STORE_CORRUPT',
            `${path} is an SQLite database, but not a wsusutil store`,
            {
              hint: 'Move the file away, or point --data-dir at another data directory.',
            },
          );
        }
        database.exec(`PRAGMA page_size = ${PAGE_SIZE}`);
      }
      database.exec('PRAGMA synchronous = FULL');
      // Tables first, then the write-ahead log: when the first import fills the disk, its log must not hold the only
      // copy of the tables, or the disk would stay full.
      if (version === 0) migrate(database, 0, () => insertFirstRows(database, options.now()));
      database.exec('PRAGMA journal_mode = WAL');
      if (version > 0 && version < SCHEMA_VERSION) migrate(database, version);
      checkWritable(database);
    } else if (version < SCHEMA_VERSION) {
      throw new WsusutilError(
        version === 0 ? 'STORE_CORRUPT' : 'STORE_MISSING',
        version === 0
          ? `${path} is an SQLite database, but not a wsusutil store`
          : `The store ${path} has schema version ${version} and must be brought to ${SCHEMA_VERSION} before it can be read`,
        {
          hint:
            version === 0
              ? 'Point --data-dir at another data directory.'
              : 'Run "wsusutil status" once where the data directory can be written.',
          details: { isOld: version > 0 },
        },
      );
    }
    return new SqliteStore(database, path, options.mode, options.onClose);
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * SQLite opens a file that cannot be written as one to read, and even begins a transaction for writing. So something
 * is written and taken back: an import must not read a whole package before this is known.
 */
function checkWritable(database: SqlDatabase): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  } finally {
    database.exec('ROLLBACK');
  }
}

function readApplicationId(database: SqlDatabase): number {
  return Number(database.prepare('PRAGMA application_id').get()?.application_id);
}

function insertFirstRows(database: SqlDatabase, now: Date): void {
  const insert = database.prepare('INSERT INTO store_info (name, value) VALUES (?, ?)');
  insert.run('server_id', crypto.randomUUID());
  insert.run('created_at', String(now.getTime()));
  const language = database.prepare('INSERT INTO languages VALUES (?, ?, ?, ?, ?)');
  for (const [position, row] of DEFAULT_LANGUAGES.entries()) {
    language.run(position, row.id, row.shortName, row.longName, row.enabled ? 1 : 0);
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    (found) => found.size,
    () => undefined,
  );
}
