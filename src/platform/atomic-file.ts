/**
 * Files that appear whole or not at all: written under a temporary name beside the target, flushed to disk,
 * then linked or renamed into place.
 */
import { type FileHandle, link, lstat, mkdir, open, rename, rm, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorText, WsusutilError } from '../errors.js';
import { temporaryName } from './temporary-files.js';
import { forgetUnfinished, rememberUnfinished } from './unfinished-files.js';
import { WriteBehind, writeFully } from './write-behind.js';

/** A file being written. Exactly one of `commit` and `discard` must be called, last. */
export interface AtomicFile {
  /** Appends. The bytes are the caller's again when it ends; that they could not be written may be told later. */
  write(bytes: Uint8Array): Promise<void>;
  /** Overwrites bytes already written, e.g. a length known only at the end. */
  writeAt(position: number, bytes: Uint8Array): Promise<void>;
  /** bytes appended so far */
  readonly size: number;
  /** Flushes and closes; nothing more can be written. For files that are to have their names together, later. */
  seal(): Promise<void>;
  /** Flushes and gives the file its name. */
  commit(): Promise<void>;
  /** Removes what was written. Never throws. */
  discard(): Promise<void>;
}

/**
 * @param replace false: a file that has appeared under the name meanwhile is an error, not overwritten
 * @throws WsusutilError `TARGET_EXISTS`, `DISK_FULL`, `READ_ONLY`, `WRITE_FAILED`
 */
export async function createAtomicFile(
  path: string,
  options: { replace: boolean; mode?: number },
): Promise<AtomicFile> {
  const temporaryPath = join(dirname(path), temporaryName());
  let handle: FileHandle;
  try {
    await refuseLongName(path); // the temporary name would hide it until everything is written
    handle = await open(temporaryPath, 'wx', options.mode ?? 0o644);
  } catch (error) {
    throw writeError(error, path);
  }
  rememberUnfinished(temporaryPath);
  const writing = new WriteBehind(handle);
  let open_ = true;
  const sync = async () => {
    if (!open_) return;
    await writing.flush();
    await handle.sync();
  };
  const close = async () => {
    if (open_) {
      open_ = false;
      await writing.settle();
      await handle.close();
    }
  };
  return {
    get size() {
      return writing.size;
    },
    async write(bytes) {
      try {
        await writing.write(bytes);
      } catch (error) {
        throw writeError(error, path);
      }
    },
    async writeAt(position, bytes) {
      try {
        await writing.flush();
        await writeFully(handle, bytes, position);
      } catch (error) {
        throw writeError(error, path);
      }
    },
    async seal() {
      try {
        await sync();
        await close();
      } catch (error) {
        throw writeError(error, path);
      }
    },
    async commit() {
      try {
        await sync();
        await close();
        if (options.replace) await rename(temporaryPath, path);
        else await publishNew(temporaryPath, path);
        forgetUnfinished(temporaryPath);
        await syncDirectory(dirname(path));
      } catch (error) {
        await close().catch(() => {});
        await rm(temporaryPath, { force: true }).catch(() => {});
        forgetUnfinished(temporaryPath);
        throw writeError(error, path);
      }
    },
    async discard() {
      await close().catch(() => {});
      await rm(temporaryPath, { force: true }).catch(() => {});
      forgetUnfinished(temporaryPath);
    },
  };
}

/** Writes a small file whole, replacing any before it. */
export async function writeFileAtomically(path: string, bytes: Uint8Array, mode?: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeWhole(path, bytes, mode === undefined ? { replace: true } : { replace: true, mode });
}

/** Writes a small file whole. @throws WsusutilError `TARGET_EXISTS` if there is one, and those of writing */
export async function createFileAtomically(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  await writeWhole(path, bytes, { replace: false, mode });
}

async function writeWhole(
  path: string,
  bytes: Uint8Array,
  options: Parameters<typeof createAtomicFile>[1],
): Promise<void> {
  const file = await createAtomicFile(path, options);
  try {
    await file.write(bytes);
    await file.commit();
  } catch (error) {
    await file.discard();
    throw error;
  }
}

/** What the operating system said about a write, in words and with a code. */
export function writeError(error: unknown, path: string): WsusutilError {
  if (error instanceof WsusutilError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new WsusutilError('DISK_FULL', `No space left to write ${path}`, {
        hint: 'Free space or choose another disk, then run the command again; nothing was left behind.',
        cause: error,
      });
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
      return new WsusutilError('READ_ONLY', `Not allowed to write ${path} (${code})`, {
        hint: 'Choose a place this account may write to, or mend its permissions.',
        cause: error,
      });
    case 'EEXIST':
      return new WsusutilError('TARGET_EXISTS', `${path} already exists`, {
        hint: 'Choose a new name; an existing file is never overwritten.',
        cause: error,
      });
    case 'ENOENT':
    case 'ENOTDIR':
      return new WsusutilError('WRITE_FAILED', `The folder for ${path} does not exist`, {
        hint: `Create ${dirname(path)} first.`,
        cause: error,
      });
    case 'ENAMETOOLONG':
      return new WsusutilError('WRITE_FAILED', `Cannot write ${path}: the name is too long`, {
        hint: 'Choose a shorter name.',
        cause: error,
      });
    default:
      return new WsusutilError('WRITE_FAILED', `Cannot write ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/** Without the path the operating system was given, which may be that of a temporary file. */
function reasonOf(error: unknown): string {
  const text = errorText(error);
  if (!(error instanceof Error && 'syscall' in error)) return text;
  const end = text.indexOf(`, ${String(error.syscall)}`);
  return end < 0 ? text : text.slice(0, end);
}

/** Gives a finished temporary file its name without ever replacing another's file of that name. */
async function publishNew(temporaryPath: string, path: string): Promise<void> {
  try {
    await link(temporaryPath, path); // fails if the name is taken, unlike rename
    await unlink(temporaryPath);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'EEXIST') throw error;
    // FAT and some network shares know no hard links: look, then rename.
    if (await exists(path)) throw Object.assign(new Error(`${path} exists`), { code: 'EEXIST' });
    await rename(temporaryPath, path);
  }
}

async function refuseLongName(path: string): Promise<void> {
  await lstat(path).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENAMETOOLONG') throw error;
  });
}

/** Whether something of any kind has that name, a link without a target too. */
export async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** Makes a rename in the folder last, as far as the system can. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return; // directories cannot be opened there; NTFS journals the rename
  try {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // Some file systems refuse to sync a directory; the file itself is safe.
  }
}
