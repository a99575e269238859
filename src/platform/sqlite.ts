/**
 * The one place that knows which SQLite driver runs: Node's own `node:sqlite` (Node 22 and later), or
 * `@photostructure/sqlite`, the same interface as a prebuilt addon, on Node 20.
 *
 * 2026-11-20: chosen by measurement over better-sqlite3 (compiles for 52 s on every install with Node 20, or
 * crashes it) and over the WebAssembly builds (no WAL; a killed process leaves them locked for ever).
 */
import { createRequire } from 'node:module';
import { WsusutilError } from '../errors.js';

export type SqlValue = null | number | bigint | string | Uint8Array;
export type SqlRow = Record<string, SqlValue>;

export interface SqlStatement {
  run(...parameters: SqlValue[]): { changes: number | bigint; lastInsertRowid: number | bigint };
  get(...parameters: SqlValue[]): SqlRow | undefined;
  all(...parameters: SqlValue[]): SqlRow[];
  iterate(...parameters: SqlValue[]): IterableIterator<SqlRow>;
}

/** The few driver methods the project calls. */
export interface SqlDatabase {
  exec(sql: string): void;
  prepare(sql: string): SqlStatement;
  close(): void;
}

interface SqliteModule {
  DatabaseSync: new (path: string, options?: { readOnly?: boolean }) => SqlDatabase;
}

/**
 * Opens a database file, creating it unless `readOnly`.
 *
 * @param path a file name, `:memory:`, or with `readOnly` a `file:` URI
 * @throws WsusutilError `STORE_DRIVER_MISSING` on Node 20 when the optional dependency was not installed
 */
export async function openDatabase(path: string, options: { readOnly?: boolean } = {}): Promise<SqlDatabase> {
  const { DatabaseSync } = loadDriver();
  return keepAlive(new DatabaseSync(path, { readOnly: options.readOnly ?? false }));
}

/** What an object must not outlive; see {@link keepAlive}. */
const owners = new WeakMap<object, object>();

/**
 * With @photostructure/sqlite 1.2.1 a statement does not keep its database alive, nor an iterator its statement: once
 * one of them was collected, the next row was "Database connection is closed" or the end of the process. So each
 * holds on to what it came from.
 */
function keepAlive(database: SqlDatabase): SqlDatabase {
  const prepare = database.prepare.bind(database);
  return override(database, 'prepare', (sql: string) => {
    const statement = prepare(sql);
    owners.set(statement, database);
    const iterate = statement.iterate.bind(statement);
    return override(statement, 'iterate', (...parameters: SqlValue[]) => {
      const rows = iterate(...parameters);
      owners.set(rows, statement);
      return rows;
    });
  });
}

/** The drivers' methods cannot be assigned to. */
function override<T extends object, K extends keyof T>(target: T, name: K, value: T[K]): T {
  return Object.defineProperty(target, name, { value });
}

/** SQLite's primary result code (`errcode`) of a driver error, e.g. 5 for BUSY; undefined for anything else. */
export function sqliteErrorCode(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('errcode' in error && typeof error.errcode === 'number') return error.errcode & 0xff;
  // With @photostructure/sqlite 1.2.1 errors of `all` and `iterate` have SQLite's text, but not its code.
  return 'code' in error && error.code === 'ERR_SQLITE_ERROR' ? CODES_BY_TEXT.get(error.message) : undefined;
}

export const SQLITE_BUSY = 5;
export const SQLITE_READONLY = 8;
export const SQLITE_IOERR = 10;
export const SQLITE_CORRUPT = 11;
export const SQLITE_FULL = 13;
export const SQLITE_CANTOPEN = 14;
export const SQLITE_NOTADB = 26;

/** What `sqlite3_errstr` says of each. */
const CODES_BY_TEXT: ReadonlyMap<string, number> = new Map([
  ['database is locked', SQLITE_BUSY],
  ['attempt to write a readonly database', SQLITE_READONLY],
  ['disk I/O error', SQLITE_IOERR],
  ['database disk image is malformed', SQLITE_CORRUPT],
  ['database or disk is full', SQLITE_FULL],
  ['unable to open database file', SQLITE_CANTOPEN],
  ['file is not a database', SQLITE_NOTADB],
]);

function loadDriver(): SqliteModule {
  const builtin = builtinDriver();
  if (builtin !== undefined) return builtin;
  try {
    // Its CommonJS form loads in half the time of the other, which looks for the addon in more places: 5 of 11 ms.
    return createRequire(import.meta.url)('@photostructure/sqlite') as SqliteModule;
  } catch (cause) {
    throw new WsusutilError(
      'STORE_DRIVER_MISSING',
      'No SQLite driver: this Node.js has none of its own, and @photostructure/sqlite is not installed',
      {
        hint: 'Use Node.js 22.13 or later, or install again without --omit=optional.',
        cause,
      },
    );
  }
}

/** `node:sqlite`, without the warning that Node 22 prints when it is loaded. */
function builtinDriver(): SqliteModule | undefined {
  const emitWarning = process.emitWarning;
  process.emitWarning = () => {};
  try {
    return process.getBuiltinModule?.('node:sqlite') as SqliteModule | undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}
