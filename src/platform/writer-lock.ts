/**
 * One writer at a time per data directory.
 *
 * The lock is an exclusive transaction on a small SQLite file: the kernel frees it however its process ends,
 * `kill -9` included, and it works alike on Windows, macOS and Linux. Beside it lies `<lock>.holder.json`, which
 * only feeds the message for whoever comes second; it never decides who holds the lock. Readers take no lock.
 */
import { constants } from 'node:fs';
import { access, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { throwIfInterrupted, WsusutilError } from '../errors.js';
import { writeError } from './atomic-file.js';
import {
  openDatabase,
  SQLITE_BUSY,
  SQLITE_CANTOPEN,
  SQLITE_FULL,
  SQLITE_NOTADB,
  SQLITE_READONLY,
  type SqlDatabase,
  sqliteErrorCode,
} from './sqlite.js';

const DEFAULT_WAIT_MS = 3_000;
const RETRY_MS = 100;
/** A holder file longer than this was not written by us. */
const MAX_HOLDER_SIZE = 4_096;

/** Who holds the lock, as the holder file says. */
interface LockHolder {
  readonly pid: number;
  /** the verb, e.g. `import` */
  readonly command: string;
  readonly host: string;
  /** ISO 8601, UTC */
  readonly startedAt: string;
}

export interface WriterLock {
  /** Gives the lock back and removes the holder file. Never throws; a second call does nothing. */
  release(): Promise<void>;
}

export interface WriterLockOptions {
  /** the verb for the message others get, e.g. `import` */
  readonly command: string;
  readonly now: () => Date;
  /** how long to wait for another writer; 3 s when left out */
  readonly waitMs?: number;
  /** ends the waiting */
  readonly signal?: AbortSignal;
}

/** A handle that is garbage-collected would drop its lock in the middle of the work. */
const held = new Set<SqlDatabase>();

/**
 * Takes the writer lock, waiting a moment for another writer to finish.
 *
 * @param lockPath the lock file; its folder must exist
 * @throws WsusutilError `STORE_LOCKED` naming the holder, `READ_ONLY`, `DISK_FULL`, `WRITE_FAILED`, `INTERRUPTED`
 */
export async function acquireWriterLock(lockPath: string, options: WriterLockOptions): Promise<WriterLock> {
  const { command, now, signal } = options;
  const waitMs = options.waitMs ?? DEFAULT_WAIT_MS;
  const startedWaiting = performance.now();
  let database: SqlDatabase | undefined;
  for (;;) {
    database = await tryLock(lockPath);
    if (database !== undefined) break;
    throwIfInterrupted(signal, 'waiting for another writer');
    if (performance.now() - startedWaiting >= waitMs) throw await lockedError(lockPath, waitMs);
    await sleep(RETRY_MS, undefined, signal === undefined ? {} : { signal }).catch(() => {});
  }
  held.add(database);
  const locked = database;
  const holder: LockHolder = {
    pid: process.pid,
    command,
    host: hostname(),
    startedAt: now().toISOString(),
  };
  // Only the message of others depends on this file, so a full disk does not stop us here.
  await writeFile(holderPath(lockPath), `${JSON.stringify(holder)}\n`).catch(() => {});
  return {
    async release() {
      if (!held.delete(locked)) return;
      await rm(holderPath(lockPath), { force: true }).catch(() => {});
      try {
        locked.exec('ROLLBACK');
      } catch {
        // Closing ends the transaction as well.
      }
      try {
        locked.close();
      } catch {
        // The process is about to end; the kernel frees the lock.
      }
    },
  };
}

/**
 * Who has the lock, without taking it. `left-behind`: nobody, but a process that had it ended without giving it back.
 */
export type LockState =
  | { readonly kind: 'free' }
  | { readonly kind: 'held'; readonly holder: string | undefined }
  | { readonly kind: 'left-behind'; readonly holder: string };

/** Never throws: a lock that cannot be looked at (read-only media) is nobody's. */
export async function readLockState(lockPath: string): Promise<LockState> {
  const found = await readHolder(lockPath);
  const holder =
    found === undefined
      ? undefined
      : `process ${found.pid} on ${found.host} (${found.command}, since ${found.startedAt})`;
  if (await isLocked(lockPath)) return { kind: 'held', holder };
  return holder === undefined ? { kind: 'free' } : { kind: 'left-behind', holder };
}

async function isLocked(lockPath: string): Promise<boolean> {
  let database: SqlDatabase | undefined;
  try {
    await access(lockPath, constants.R_OK);
    database = await openDatabase(lockPath, { readOnly: true });
    database.exec('PRAGMA busy_timeout = 0');
    database.prepare('SELECT count(*) FROM sqlite_schema').get(); // a shared lock, which an exclusive one refuses
    return false;
  } catch (error) {
    return sqliteErrorCode(error) === SQLITE_BUSY;
  } finally {
    database?.close();
  }
}

/** An open exclusive transaction, or undefined while someone else has one. */
async function tryLock(lockPath: string): Promise<SqlDatabase | undefined> {
  let database: SqlDatabase | undefined;
  try {
    database = await openDatabase(lockPath);
    // SQLite would open a file that cannot be written all the same, and lock nothing.
    await access(lockPath, constants.W_OK);
    database.exec('PRAGMA busy_timeout = 0');
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    try {
      database?.close();
    } catch {
      // It was never usable.
    }
    switch (sqliteErrorCode(error)) {
      case SQLITE_BUSY:
        return undefined;
      case SQLITE_CANTOPEN:
      case SQLITE_READONLY:
        throw writeError(Object.assign(new Error('read-only'), { code: 'EACCES', cause: error }), lockPath);
      case SQLITE_FULL:
        throw writeError(Object.assign(new Error('disk full'), { code: 'ENOSPC', cause: error }), lockPath);
      case SQLITE_NOTADB:
        throw new WsusutilError('WRITE_FAILED', `${lockPath} is not a lock file of this program`, {
          hint: 'Move that file away; the lock file is made anew.',
          cause: error,
        });
      default:
        if (error instanceof WsusutilError) throw error;
        throw writeError(error, lockPath);
    }
  }
}

async function lockedError(lockPath: string, waitMs: number): Promise<WsusutilError> {
  const holder = await readHolder(lockPath);
  const waited = `waited ${(waitMs / 1000).toLocaleString('en', { maximumFractionDigits: 1 })} s`;
  if (holder === undefined) {
    return new WsusutilError(
      'STORE_LOCKED',
      `Another process is writing to this data directory (${waited})`,
      {
        hint: 'Wait until it has finished, then run the command again.',
        details: { lockPath },
      },
    );
  }
  const where = holder.host === hostname() ? '' : ` on ${holder.host}`;
  return new WsusutilError(
    'STORE_LOCKED',
    `Process ${holder.pid}${where} is writing to this data directory: ${holder.command}, since ${holder.startedAt} (${waited})`,
    {
      hint: `Wait until ${holder.command} has finished, or end process ${holder.pid}; the lock is freed at once.`,
      details: { lockPath, holder },
    },
  );
}

/** Undefined when the file is missing, half-written or not ours; the lock holds all the same. */
async function readHolder(lockPath: string): Promise<LockHolder | undefined> {
  try {
    const path = holderPath(lockPath);
    if ((await stat(path)).size > MAX_HOLDER_SIZE) return undefined;
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (typeof value !== 'object' || value === null) return undefined;
    const { pid, command, host, startedAt } = value as Record<string, unknown>;
    if (typeof pid !== 'number' || !Number.isSafeInteger(pid)) return undefined;
    if (typeof command !== 'string' || typeof host !== 'string' || typeof startedAt !== 'string')
      return undefined;
    return { pid, command, host, startedAt };
  } catch {
    return undefined;
  }
}

function holderPath(lockPath: string): string {
  return `${lockPath}.holder.json`;
}
