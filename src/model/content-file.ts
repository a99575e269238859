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

/** Where a real server keeps a content file below `WsusContent/`: `<LL>/<SHA1>.<ext>`. */
export function contentPath(sha1: Sha1Hex, fileName: string): string {
  const dot = fileName.lastIndexOf('.');
  const extension = dot < 0 ? '' : fileName.slice(dot).toLowerCase();
  return `${sha1.slice(-2)}/${sha1}${extension}`;
}
