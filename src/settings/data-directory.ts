/**
 * The data directory and what lies in it:
 *
 *     settings.json       settings (settings.ts)
 *     keys/               keys that sign packages (signing-keys.ts)
 *     trust.json          whose signatures count (trust-list.ts)
 *     metadata.sqlite     metadata store, and SQLite's files beside it
 *     writer.lock         one writer at a time (platform/writer-lock.ts), with writer.lock.holder.json
 *     copies/             what was copied where, so that it need not be read again (content/copy-journal.ts)
 *     logs/               logs of commands that were given no log file
 *     serve.key           signs the cookies of the server (serve/cookie-key.ts)
 *     serve-cache/        documents made ready for sending (serve/prepared-documents.ts)
 *     WsusContent/        content files, unless the settings name another root
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from './settings.js';

/** Where the things of one data directory lie. Absolute paths. */
export interface DataDirectory {
  readonly path: string;
  readonly storePath: string;
  readonly settingsPath: string;
  /** root that holds `WsusContent/`, or is it; elsewhere if the settings say so */
  readonly contentRoot: string;
  readonly logsPath: string;
  readonly journalsPath: string;
  readonly lockPath: string;
}

/** Where the logs of a data directory lie; known before anything exists. */
export function logsPathOf(dataDirectoryPath: string): string {
  return join(dataDirectoryPath, 'logs');
}

/**
 * Reads the settings of an existing data directory and says where its things lie.
 *
 * @throws WsusutilError `SETTINGS_INVALID`, `READ_FAILED`
 */
export async function readDataDirectory(path: string): Promise<DataDirectory> {
  const settingsPath = join(path, 'settings.json');
  if (!existsSync(settingsPath)) return locate(path, undefined); // most directories have none: its reader is not loaded
  const { readSettings } = await import('./settings.js');
  return locate(path, await readSettings(settingsPath));
}

/**
 * Says where the things of a data directory lie, whether it is there or not; nothing is made. Settings that cannot be
 * read count as the defaults.
 */
export async function findDataDirectory(path: string): Promise<DataDirectory> {
  return readDataDirectory(path).catch(() => locate(path, undefined));
}

/**
 * Changes the content root and creates its content folder. The caller holds the writer lock.
 *
 * @param contentDirectory absolute path of the root; undefined keeps what the settings say
 * @param contentPath the content folder of that root, as content/content-tree.ts finds it for every command
 * @returns where things lie now
 * @throws WsusutilError `SETTINGS_INVALID`, `READ_ONLY`, `DISK_FULL`, `WRITE_FAILED`
 */
export async function setUpContentDirectory(
  directory: DataDirectory,
  contentDirectory: string | undefined,
  contentPath: string,
): Promise<DataDirectory> {
  const { readSettings, writeSettings } = await import('./settings.js');
  const { makeDirectory } = await import('../platform/make-directory.js');
  const before = await readSettings(directory.settingsPath);
  const settings: Settings = contentDirectory === undefined ? before : { ...before, contentDirectory };
  // The folder first: settings must not point at a place that cannot be made.
  makeDirectory(contentPath);
  await writeSettings(directory.settingsPath, settings);
  return locate(directory.path, settings);
}

/** @param settings undefined: the defaults */
function locate(path: string, settings: Settings | undefined): DataDirectory {
  return {
    path,
    storePath: join(path, 'metadata.sqlite'),
    settingsPath: join(path, 'settings.json'),
    contentRoot: settings?.contentDirectory ?? path,
    logsPath: logsPathOf(path),
    journalsPath: join(path, 'copies'),
    lockPath: join(path, 'writer.lock'),
  };
}
