import { errorText, isWsusutilError, WsusutilError } from '../errors.js';
import {
  SQLITE_BUSY,
  SQLITE_CANTOPEN,
  SQLITE_CORRUPT,
  SQLITE_FULL,
  SQLITE_IOERR,
  SQLITE_NOTADB,
  SQLITE_READONLY,
  sqliteErrorCode,
} from '../platform/sqlite.js';

/** What SQLite said, in words an operator can act on; anything else is returned as it is. */
export function storeError(error: unknown, path: string): unknown {
  if (isWsusutilError(error)) return error;
  switch (sqliteErrorCode(error)) {
    case SQLITE_BUSY:
      return new WsusutilError('STORE_LOCKED', `Another program has locked the store ${path}`, {
        hint: 'Close the other program (a database browser, a backup), then run the command again.',
        cause: error,
      });
    case SQLITE_FULL:
      return new WsusutilError('DISK_FULL', `No space left for the store ${path}`, {
        hint: 'Free space or move the data directory, then run the command again; the store is as it was before.',
        cause: error,
      });
    case SQLITE_READONLY:
      return new WsusutilError(
        'READ_ONLY',
        `The store ${path} cannot be written: it or its folder is read-only`,
        {
          hint: 'Give this account the right to write there, or name another data directory with --data-dir.',
          cause: error,
        },
      );
    case SQLITE_CANTOPEN:
      return new WsusutilError(
        'READ_ONLY',
        `The store ${path} cannot be opened: its folder is read-only or closed to this account`,
        {
          hint: 'Check that the folder exists and that this account may read and write there.',
          cause: error,
        },
      );
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return new WsusutilError(
        'STORE_CORRUPT',
        `The store ${path} is damaged or is not a store: ${errorText(error)}`,
        {
          hint: 'Restore the file from a backup, or move it away and import the packages again.',
          cause: error,
        },
      );
    case SQLITE_IOERR:
      return new WsusutilError(
        'WRITE_FAILED',
        `The disk failed while the store ${path} was used: ${errorText(error)}`,
        {
          hint: 'Check the disk; the store goes back to its last complete state when it is opened again.',
          cause: error,
        },
      );
    default:
      return error;
  }
}
