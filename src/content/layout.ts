/**
 * The content directory on disk, as on every WSUS server (package-formats 5):
 *
 *     <content root>/WsusContent/
 *         anonymousCheckFile.txt      empty; fetched by the real server's health check
 *         00/ … FF/                   last two hex digits of the SHA-1
 *             <SHA-1, 40 upper-case hex digits>.<extension of the file's name>
 *         .wsusutil/                  ours; nothing in it is served, copied or counted
 *             partial/<SHA-1>         a download that was broken off, goes on from there
 *             quarantine/<LL>/…       files moved aside, under their old names
 *             target-id               tells this target of copies from others (copy-journal.ts)
 *
 * We write these names. Real trees come in others: `wsuscontent/a2/…`, folders without their leading zero, SHA-1s in
 * lower case, any extension. All of them are read, whatever the file system thinks of case.
 */
import { basename, join } from 'node:path';
import { contentPath, type WantedFile } from '../model/content-file.js';
import type { Sha1Hex } from '../model/digest.js';
import type { DownloadRequest } from '../transfer/download-file.js';

export const CONTENT_FOLDER = 'WsusContent';
export const FOLDER_COUNT = 256;
/** Below the content folder: what belongs to this program alone. */
export const OWN_FOLDER = '.wsusutil';
/** An empty file a real server keeps in its content folder (package-formats 5.3). Never an orphan. */
export const ANONYMOUS_CHECK_FILE = 'anonymousCheckFile.txt';

const FOLDER_NAME = /^[0-9a-f]{1,2}$/i;
const CONTENT_NAME = /^([0-9a-f]{40})(\.[^.]*)?$/i;

/** `0A` → 10; also `0a`, `A` and `a`. Undefined for anything else. */
export function folderOf(name: string): number | undefined {
  return FOLDER_NAME.test(name) ? Number.parseInt(name, 16) : undefined;
}

/** The folder, 0 … 255, in which a file of that SHA-1 lies: its last byte. */
export function folderOfDigest(sha1: Sha1Hex): number {
  return Number.parseInt(sha1.slice(-2), 16);
}

/** 10 → `0A` */
export function folderName(folder: number): string {
  return folder.toString(16).toUpperCase().padStart(2, '0');
}

/** The SHA-1 that a file's name gives, whatever its extension; undefined if the name is none of the layout's. */
export function sha1Of(name: string): Sha1Hex | undefined {
  return CONTENT_NAME.exec(name)?.[1]?.toUpperCase();
}

export function isContentFolderName(name: string): boolean {
  return name.toLowerCase() === CONTENT_FOLDER.toLowerCase();
}

/** Where the content folder of a directory is made: the directory itself if it has the name already, in any case. */
export function usualContentFolder(directory: string): string {
  return isContentFolderName(basename(directory)) ? directory : join(directory, CONTENT_FOLDER);
}

/** Where a file belongs. @param contentFolder the folder that holds `00` … `FF` */
export function pathOf(contentFolder: string, file: Pick<WantedFile, 'sha1' | 'fileName'>): string {
  return join(contentFolder, ...contentPath(file.sha1, file.fileName).split('/'));
}

/** Where downloads lie until they are whole, each under its SHA-1. */
export function partialFolderOf(contentFolder: string): string {
  return join(contentFolder, OWN_FOLDER, 'partial');
}

/** The file from `url` to where it belongs. */
export function downloadOf(
  contentFolder: string,
  file: Pick<WantedFile, 'sha1' | 'sha256' | 'size' | 'fileName'>,
  url: string,
): DownloadRequest {
  const { sha1, sha256, size } = file;
  return {
    sha1,
    sha256,
    size,
    url,
    temporaryPath: join(partialFolderOf(contentFolder), sha1),
    targetPath: pathOf(contentFolder, file),
  };
}

/** Where a file goes that is moved aside: out of the way of servers and of copies. */
export function quarantineFolderOf(contentFolder: string): string {
  return join(contentFolder, OWN_FOLDER, 'quarantine');
}
