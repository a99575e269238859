/**
 * What an export package (`.cab` or `.xml.gz`) carries, whichever container it is in.
 * Sources: package-formats 0.2a (measured on real packages), 1.2 and 1.3.
 */
import type { Sha1Hex } from './digest.js';
import type { IdentityList } from './identity-list.js';
import type { PackageLanguage } from './language.js';
import type { RecordList } from './record-list.js';
import type { UpdateId, UpdateIdentity } from './update-identity.js';

/** Attributes of `ExportPackage`, and its `Languages`. */
export interface PackageHeader {
  /** GUID of the exporting server, as written */
  readonly serverId: string;
  /** UTC, `yyyy-MM-ddTHH:mm:ssZ`, as written */
  readonly creationTime: string;
  /** `1.0` in every real package seen */
  readonly formatVersion: string;
  /** `1.8` (WSUS 3.0 SP2) … `1.20` (Server 2016 and later) */
  readonly protocolVersion: string;
  /** in the package's order */
  readonly languages: readonly PackageLanguage[];
}

/** One row of the top-level `Files` list: where Microsoft serves a content file. Distinct by SHA-1. */
export interface PackageFile {
  readonly sha1: Sha1Hex;
  readonly muUrl: string;
  readonly fileName: string;
}

/** One `Updates/Update`. */
export interface PackageEntry {
  readonly identity: UpdateIdentity;
  readonly fileSha1s: readonly Sha1Hex[];
  readonly categories: readonly UpdateId[];
  readonly classifications: readonly UpdateId[];
}

/**
 * A run of update documents as they stand in the package, about a mebibyte of them: one buffer, cut by offsets,
 * so that a batch can move to a worker thread without being copied.
 */
export interface RecordBatch {
  /** Owned by the batch alone (its ArrayBuffer may be transferred). */
  readonly bytes: Uint8Array;
  /**
   * How a record's bytes hold the document: `plain` UTF-8 (cabinet; markup in `.xml.gz`), or the inner text of a
   * `metadata` element that has yet to be decoded (`escaped` text with references, `cdata` sections, `base64`), or a
   * `cabinet` of its own, as an upstream sends it.
   */
  readonly encoding: DocumentEncoding;
  readonly records: RecordList;
}

export type DocumentEncoding = 'plain' | 'escaped' | 'cdata' | 'base64' | 'cabinet';

/**
 * A package as a stream, in the order its container holds it: the header and entries come first in a real
 * cabinet, but a cabinet with the members the other way round is read too. In a `.xml.gz` entries and records
 * alternate.
 */
export type PackagePart =
  | { readonly type: 'header'; readonly header: PackageHeader }
  | { readonly type: 'files'; readonly files: readonly PackageFile[] }
  | { readonly type: 'entries'; readonly entries: readonly PackageEntry[] }
  /** in place of entries, where nothing else was asked for of them */
  | { readonly type: 'identities'; readonly identities: IdentityList }
  | { readonly type: 'records'; readonly batch: RecordBatch };

export type PackageFormat = 'cab' | 'xml.gz';

/** The extension chooses, as in the real tool: `.xml.gz` in any case is gzip, everything else a cabinet. */
export function packageFormatOf(path: string): PackageFormat {
  return path.toLowerCase().endsWith('.xml.gz') ? 'xml.gz' : 'cab';
}

/** Most uncompressed bytes one cabinet folder can hold: 65,535 blocks of 32 KiB (package-formats 6.8). */
export const MAX_CAB_UNCOMPRESSED_SIZE = 65_535 * 32_768;
