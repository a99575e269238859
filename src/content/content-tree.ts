/** A content folder as it really lies on disk: odd names, links and strangers included. Nothing is changed here. */
import { lstat, stat } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { errorText, WsusutilError } from '../errors.js';
import type { FileStamp } from '../model/content-file.js';
import type { Sha1Hex } from '../model/digest.js';
import { exists } from '../platform/atomic-file.js';
import { isTemporaryName } from '../platform/temporary-files.js';
import type { ContentRunner } from './content-runner.js';
import type { EntryKind, FolderListing } from './content-tasks.js';
import {
  ANONYMOUS_CHECK_FILE,
  CONTENT_FOLDER,
  FOLDER_COUNT,
  folderName,
  folderOf,
  folderOfDigest,
  isContentFolderName,
  OWN_FOLDER,
  sha1Of,
  usualContentFolder,
} from './layout.js';

/**
 * Something in the content folder that is no content file in its place. `foreign-name`: not a SHA-1;
 * `wrong-folder`: not the one its SHA-1 ends in; `duplicate`: the same SHA-1 is there under another name;
 * `orphan`: a content file that no revision calls for; `temporary`: what an interrupted write of ours left.
 */
export type StrayReason =
  | 'orphan'
  | 'foreign-name'
  | 'wrong-folder'
  | 'duplicate'
  | 'temporary'
  | 'link'
  | 'folder'
  | 'special'
  | 'unreadable';

export interface Stray {
  /** absolute */
  readonly path: string;
  readonly reason: StrayReason;
  /** bytes; 0 for what is no file */
  readonly size: number;
  /** milliseconds since 1970; 0 where unknown */
  readonly modifiedAt: number;
  /** why it cannot be read */
  readonly detail?: string | undefined;
}

/** A regular file under a SHA-1's name, in the folder of that SHA-1. */
export interface TreeFile {
  /** absolute */
  readonly path: string;
  /** its folder and its SHA-1 are spelt as the layout wants them; any extension will do (package-formats 5.2) */
  readonly isInPlace: boolean;
  readonly stamp: FileStamp;
}

/** One of the 256 folders, however many spellings of it are there. */
export interface TreeFolder {
  readonly files: ReadonlyMap<Sha1Hex, TreeFile>;
  /** names of SHA-1s of this folder that are links, folders, sockets or cannot be looked at */
  readonly notFiles: ReadonlyMap<Sha1Hex, Stray>;
  /** a folder that cannot be listed is one of them, as `unreadable` */
  readonly strays: readonly Stray[];
}

export interface ContentTree {
  /** the folder that holds `00` … `FF`; absolute */
  readonly path: string;
  /** what lies beside the folders and does not belong there */
  readonly strays: readonly Stray[];
  /** @param folder 0 … 255 */
  readFolder(folder: number): Promise<TreeFolder>;
  /**
   * `<SHA-1> <stamp>` of each file of the folder, in order of SHA-1, a line each; undefined if there is anything in it
   * that is not a file in its place.
   */
  summarizeFolder(folder: number): Promise<string | undefined>;
}

/**
 * The content folder that `directory` is or holds. Every command finds it this way, whether the directory is a setting
 * or was named: `directory` itself if that is its name, in any case; else the folder of that name in it, or a link to
 * one; else itself, if it has content files in folders of the layout; else the place where `WsusContent` would be made.
 *
 * @throws WsusutilError `INPUT_NOT_FOUND` if `directory` is no folder, `READ_FAILED`
 */
export async function findContentFolder(directory: string, runner: ContentRunner): Promise<string> {
  const facts = await stat(directory).catch((error: unknown) => {
    throw notFound(directory, error);
  });
  if (!facts.isDirectory()) {
    throw new WsusutilError('INPUT_NOT_FOUND', `${directory} is not a folder`, {
      hint: `Name a content folder, or the one that holds ${CONTENT_FOLDER}.`,
    });
  }
  if (isContentFolderName(basename(directory))) return directory;
  const { names, kinds } = await list(directory, runner);
  const named: string[] = [];
  for (const name of names.filter(isContentFolderName)) {
    if (await hasContentFolder(join(directory, name))) named.push(name);
  }
  const chosen = named.find((name) => name === CONTENT_FOLDER) ?? named.sort()[0];
  if (chosen !== undefined) return join(directory, chosen);
  const folders = names.filter((_, index) => kinds[index] === 'folder');
  if (await hasContentFiles(directory, folders, runner)) return directory;
  return usualContentFolder(directory);
}

/**
 * What {@link findContentFolder} finds, also for a directory that is still to be made.
 *
 * @throws WsusutilError `READ_FAILED`
 */
export async function contentFolderOf(directory: string, runner: ContentRunner): Promise<string> {
  return (await hasContentFolder(directory))
    ? findContentFolder(directory, runner)
    : usualContentFolder(directory);
}

/** A folder called `db` alone makes no content folder: there must be a content file in its place. */
async function hasContentFiles(
  directory: string,
  folders: readonly string[],
  runner: ContentRunner,
): Promise<boolean> {
  for (const name of folders) {
    const folder = folderOf(name);
    if (folder === undefined) continue;
    const listing = await runner.list(join(directory, name));
    if ('reason' in listing) continue;
    if (listing.names.some((each) => Number.parseInt(sha1Of(each)?.slice(-2) ?? '', 16) === folder))
      return true;
  }
  return false;
}

/** True if there is a content folder at `path`, or a link to one. */
export async function hasContentFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  );
}

/**
 * @param path the content folder; one that is not there is empty
 * @throws WsusutilError `READ_FAILED`
 */
export async function openContentTree(path: string, runner: ContentRunner): Promise<ContentTree> {
  const spellings: string[][] = Array.from({ length: FOLDER_COUNT }, () => []);
  const strays: Stray[] = [];
  if (await exists(path)) {
    const listing = await list(path, runner);
    for (const [index, name] of listing.names.entries()) {
      const kind = listing.kinds[index] as EntryKind;
      const folder = folderOf(name);
      if (name === OWN_FOLDER && kind === 'folder') continue;
      if (kind === 'folder' && folder !== undefined) spellings[folder]?.push(name);
      else if (kind !== 'file' || name.toLowerCase() !== ANONYMOUS_CHECK_FILE.toLowerCase()) {
        strays.push(
          strayOf(path, listing, index, sha1Of(name) === undefined ? 'foreign-name' : 'wrong-folder'),
        );
      }
    }
  }
  return {
    path,
    strays,
    async summarizeFolder(folder) {
      const names = spellings[folder] ?? [];
      const right = folderName(folder);
      if (names.some((name) => name !== right)) return undefined;
      return names.length === 0 ? '' : runner.summarize(join(path, right), right);
    },
    async readFolder(folder) {
      // The right spelling first: what it holds is not a duplicate.
      const right = folderName(folder);
      const names = [...(spellings[folder] ?? [])].sort(
        (a, b) => Number(b === right) - Number(a === right) || (a < b ? -1 : 1),
      );
      const files = new Map<Sha1Hex, TreeFile>();
      const notFiles = new Map<Sha1Hex, Stray>();
      const strays: Stray[] = [];
      for (const name of names) {
        const place = join(path, name);
        const listing = await runner.list(place);
        if ('reason' in listing) {
          strays.push({ path: place, reason: 'unreadable', size: 0, modifiedAt: 0, detail: listing.reason });
        } else sortEntries(place, listing, folder, { files, notFiles, strays });
      }
      return { files, notFiles, strays };
    },
  };
}

/** What a folder of the layout, or one of its spellings, is told as if it cannot be listed. */
export function unlistedFolder(
  { strays }: Pick<TreeFolder, 'strays'>,
  tree: Pick<ContentTree, 'path'>,
): Stray | undefined {
  return strays.find(({ reason, path }) => reason === 'unreadable' && dirname(path) === tree.path);
}

function sortEntries(
  place: string,
  listing: FolderListing,
  folder: number,
  into: { files: Map<Sha1Hex, TreeFile>; notFiles: Map<Sha1Hex, Stray>; strays: Stray[] },
): void {
  const isRightFolder = basename(place) === folderName(folder);
  for (const [index, name] of listing.names.entries()) {
    const sha1 = sha1Of(name);
    if (sha1 === undefined) {
      into.strays.push(strayOf(place, listing, index, 'foreign-name'));
    } else if (listing.kinds[index] !== 'file') {
      into.notFiles.set(sha1, strayOf(place, listing, index, 'foreign-name'));
    } else if (folderOfDigest(sha1) !== folder) {
      into.strays.push(strayOf(place, listing, index, 'wrong-folder'));
    } else if (into.files.has(sha1)) {
      into.strays.push(strayOf(place, listing, index, 'duplicate'));
    } else {
      into.files.set(sha1, {
        path: `${place}${sep}${name}`, // join() would take a sixth of the time of a quick check
        isInPlace: isRightFolder && name.startsWith(sha1),
        stamp: {
          size: listing.sizes[index] as number,
          modifiedAt: listing.modified[index] as number,
          fileId: String(listing.fileIds[index]),
        },
      });
    }
  }
}

/** @param reason for a regular file */
function strayOf(place: string, listing: FolderListing, index: number, reason: StrayReason): Stray {
  const name = listing.names[index] as string;
  const kind = listing.kinds[index] as EntryKind;
  return {
    path: join(place, name),
    reason: kind !== 'file' ? kind : isTemporaryName(name) ? 'temporary' : reason,
    size: kind === 'file' ? (listing.sizes[index] as number) : 0,
    modifiedAt: listing.modified[index] as number,
  };
}

async function list(path: string, runner: ContentRunner): Promise<FolderListing> {
  const listing = await runner.list(path);
  if ('reason' in listing) {
    const facts = await stat(path).catch(() => undefined);
    if (facts === undefined && (await lstat(path).catch(() => undefined))?.isSymbolicLink() === true) {
      throw new WsusutilError('INPUT_NOT_FOUND', `${path} is a link that leads nowhere`, {
        hint: 'Check where it leads; a network share or disk may not be mounted.',
      });
    }
    if (facts?.isDirectory() === false) {
      throw new WsusutilError('INPUT_NOT_FOUND', `${path} is not a folder`, {
        hint: 'Move it away, or name another place.',
      });
    }
    throw new WsusutilError('READ_FAILED', `Cannot list the folder ${path}: ${listing.reason}`, {
      hint: 'Mend its permissions; it must be readable by the account that runs this command.',
    });
  }
  return listing;
}

function notFound(path: string, error: unknown): WsusutilError {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new WsusutilError('INPUT_NOT_FOUND', `There is no folder ${path}`, {
      hint: 'Check the path; a network share or disk may not be mounted.',
      cause: error,
    });
  }
  return new WsusutilError('READ_FAILED', `Cannot read the folder ${path}: ${errorText(error)}`, {
    cause: error,
  });
}
