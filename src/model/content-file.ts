import type { Sha1Hex, Sha256Hex } from './digest.js';

/** A file an update installs (`Files/File`, [MS-WSUSSS] update schema; package-formats 4.8). */
export interface ContentFile {
  readonly sha1: Sha1Hex;
  /** Absent in old documents; clients from Windows 8 on need it. */
  readonly sha256: Sha256Hex | undefined;
  /** Name to use at install time; not the name it is stored under. */
  readonly fileName: string;
  /** bytes, exact */
  readonly size: number;
  /** As written: ISO 8601, with or without fraction. */
  readonly modified: string | undefined;
  /** e.g. `SelfContained`, `Express` */
  readonly patchingType: string | undefined;
  readonly isEncrypted: boolean;
}

/** A licence text (`LocalizedPropertiesCollection/EulaFile`; package-formats 4.9). Content like any other file. */
export interface EulaFile {
  readonly sha1: Sha1Hex;
  readonly sha256: Sha256Hex | undefined;
  readonly fileName: string;
  /** bytes, exact */
  readonly size: number;
  /** short tag, e.g. `en` */
  readonly language: string;
  /** ISO 3166 three-letter; absent means the rest of the world */
  readonly geoId: string | undefined;
}

/** What a content file is for. A file that any revision names as a licence text is one. */
export type ContentFileKind = 'payload' | 'express' | 'licence';

/** What is known of a file in the content directory. */
export type ContentState = 'absent' | 'verified' | 'unverified' | 'corrupt';

/**
 * Why a file is not as the metadata wants it. `lost`: it was there at an earlier check; `short`: fewer or more bytes
 * than the metadata says; `not-a-file`: a link, a folder, a socket or a device has its name.
 */
export type ContentProblem = 'lost' | 'short' | 'sha1' | 'sha256' | 'unreadable' | 'not-a-file';

/** What tells that a file on disk was changed since. */
export interface FileStamp {
  /** bytes */
  readonly size: number;
  /** milliseconds since 1970, with the fraction the file system keeps */
  readonly modifiedAt: number;
  /** inode number or the like, as text; a file put in the place of another one has a new one */
  readonly fileId: string;
}

/** True if both describe one unchanged file. */
export function sameStamp(one: FileStamp | undefined, other: FileStamp | undefined): boolean {
  return (
    one !== undefined &&
    other !== undefined &&
    one.size === other.size &&
    one.modifiedAt === other.modifiedAt &&
    one.fileId === other.fileId
  );
}

const STAMP = /^(\d{1,16}) (\d{1,16}(?:\.\d{1,20})?) (\d{1,30})$/;

/** `<size> <modified> <file id>`: equal stamps, equal texts. */
export function formatStamp({ size, modifiedAt, fileId }: FileStamp): string {
  return `${size} ${modifiedAt} ${fileId}`;
}

/** What {@link formatStamp} wrote; undefined for anything else. */
export function parseStamp(text: string): FileStamp | undefined {
  const match = STAMP.exec(text);
  if (match === null) return undefined;
  return { size: Number(match[1]), modifiedAt: Number(match[2]), fileId: match[3] as string };
}

/** What a check found out about a file. */
export interface ContentRecord {
  readonly state: ContentState;
  readonly problem: ContentProblem | undefined;
  /** milliseconds since 1970 */
  readonly checkedAt: number;
  /** the file as it was then; undefined when it was not there */
  readonly stamp: FileStamp | undefined;
}

/** A file some revision calls for. */
export interface WantedFile {
  readonly sha1: Sha1Hex;
  readonly sha256: Sha256Hex | undefined;
  /** bytes */
  readonly size: number;
  /** as the first revision that named it calls it */
  readonly fileName: string;
  readonly kind: ContentFileKind;
  /** of the last check; undefined: it was never looked for */
  readonly record: ContentRecord | undefined;
}

/** Extensions real files have (`.exe`, `.cab`, `.psf`, `.7z`); anything else could be a path of its own. */
const EXTENSION = /^\.[a-z0-9_-]{1,16}$/;

/** Where a real server keeps a content file below `WsusContent/`: `<LL>/<SHA1>.<ext>` (package-formats 5.2). */
export function contentPath(sha1: Sha1Hex, fileName: string): string {
  const dot = fileName.lastIndexOf('.');
  const extension = dot < 0 ? '' : fileName.slice(dot).toLowerCase();
  return `${sha1.slice(-2)}/${sha1}${EXTENSION.test(extension) ? extension : ''}`;
}
