/**
 * The manifest of a transfer package. This is the one place where the format is written down.
 *
 * A transfer package is a set of one or more tar files, its volumes. Each volume can be checked alone, and holds, in
 * this order:
 *
 * 1. `manifest.json`: of the whole set, the same bytes in each volume;
 * 2. `manifest.json.minisig`, `manifest.json.2.minisig` …: signatures of those bytes in minisign's format, none in
 *    an unsigned package;
 * 3. `volume.json`: `{"manifest":"<SHA-256 of the manifest>","volume":<number>}` and a line feed; `"only":[…]` behind
 *    that where the volume holds only some of its entries, by their index in the manifest;
 * 4. the entries the manifest assigns to this volume, in its order. A file that no volume can take is cut: its parts
 *    lie in several volumes as `<path>.part-0001` and so on.
 *
 * All are regular files, owner 0, mode 0644, of the time the manifest names (`tar-header.ts`); two blocks of zeros end
 * the volume, and nothing follows.
 *
 * The manifest is JSON in UTF-8 with its fields in the order of {@link TransferManifest}, behind `format` and
 * `formatVersion`; each field, volume and entry stands on a line of its own, there are no blanks, and a line feed ends
 * it. There is one way to write a manifest: a reader writes what it has read, and refuses what differs.
 *
 * Later versions may add kinds of entries. A reader refuses a kind it does not know if `criticalKinds` has it, and
 * skips it otherwise.
 */
import { createHash } from 'node:crypto';
import type { Sha1Hex, Sha256Hex } from '../../model/digest.js';
import type { UpdateId } from '../../model/update-identity.js';
import { partName } from './entry-names.js';

export const TRANSFER_FORMAT = 'wsusutil-transfer';
export const TRANSFER_FORMAT_VERSION = 1;

/** Kinds of entries this version knows, in the order they lie in a package. */
export const ENTRY_KINDS = ['metadata', 'settings', 'licence', 'content'] as const;
export type EntryKind = (typeof ENTRY_KINDS)[number];

/** What a package selects by, as it was asked for; for people and for the next package of the same kind. */
export type FilterValue = string | number | boolean | readonly string[];

export interface TransferManifest {
  readonly criticalKinds: readonly string[];
  /** of the exporting server */
  readonly serverId: UpdateId;
  /** name of the place it is for; packages for one destination form a chain */
  readonly destination: string;
  /** from 1 */
  readonly sequence: number;
  /** digest of the manifest this one builds on; null: needs none before it */
  readonly follows: Sha256Hex | null;
  /** sequence of that one; null just when `follows` is */
  readonly followsSequence: number | null;
  /** UTC, whole seconds: `2026-11-20T12:34:56Z` */
  readonly createdAt: string;
  readonly toolVersion: string;
  /** keys in the order of their code units */
  readonly filters: Readonly<Record<string, FilterValue>>;
  readonly options: TransferOptions;
  readonly counts: TransferCounts;
  readonly products: readonly CategoryShare[];
  readonly classifications: readonly CategoryShare[];
  /** minisign public key (56 characters of Base64) that will sign the packages to come; null: no change */
  readonly nextKey: string | null;
  readonly volumes: readonly VolumeFacts[];
  readonly entries: readonly TransferEntry[];
}

export interface TransferOptions {
  /** short tags, e.g. `en`, of the languages whose files are in it */
  readonly languages: readonly string[];
  readonly expressFiles: boolean;
  /** which content goes along, in the exporter's word for it, e.g. `all`, `none` */
  readonly contentPolicy: string;
}

/** What is in all volumes together. Sizes are bytes. */
export interface TransferCounts {
  readonly updates: number;
  readonly revisions: number;
  readonly metadataSize: number;
  readonly licences: number;
  readonly licenceSize: number;
  readonly contentFiles: number;
  readonly contentSize: number;
}

/** What of the package belongs to one product or classification. An update, and a file, may belong to several. */
export interface CategoryShare {
  readonly id: UpdateId;
  readonly title: string;
  readonly updates: number;
  /** bytes of the content files these updates call for, as far as they are in this package */
  readonly size: number;
}

export interface VolumeFacts {
  /** from 1, without gaps */
  readonly number: number;
  /** bytes of the tar file without its signatures, which are made after the manifest */
  readonly size: number;
}

export interface TransferEntry {
  /** where it lies in the package: `metadata/…`, `WsusContent/XX/<SHA1>.<ext>`, `settings.json` */
  readonly path: string;
  /** an {@link EntryKind}, or one that this version does not know */
  readonly kind: string;
  /** bytes */
  readonly size: number;
  readonly sha256: Sha256Hex;
  /** of licence and content files */
  readonly sha1?: Sha1Hex;
  /** number of the volume it lies in; of the one with the first part for a cut file */
  readonly volume: number;
  /** two at least, in the order of the file, each in a later volume */
  readonly parts?: readonly EntryPart[];
}

export interface EntryPart {
  readonly volume: number;
  /** bytes */
  readonly size: number;
  readonly sha256: Sha256Hex;
}

/** One file in a tar: an entry, or a part of one. */
export interface EntryPiece {
  /** of the entry, in the manifest's list */
  readonly index: number;
  readonly entry: TransferEntry;
  /** undefined: the whole entry */
  readonly part: EntryPart | undefined;
  /** from 1; 0 for a whole entry */
  readonly partNumber: number;
  /** in the tar */
  readonly name: string;
  /** offset in the whole file */
  readonly from: number;
  /** bytes */
  readonly size: number;
  readonly sha256: Sha256Hex;
}

/** What lies in the volume, in its order. @param number from 1 */
export function* listPieces(
  manifest: TransferManifest,
  number: number,
): Generator<EntryPiece, void, undefined> {
  for (const [index, entry] of manifest.entries.entries()) {
    if (entry.parts === undefined) {
      if (entry.volume === number) yield pieceOf(index, entry, 0);
      continue;
    }
    const partIndex = entry.parts.findIndex((part) => part.volume === number);
    if (partIndex >= 0) yield pieceOf(index, entry, partIndex + 1);
  }
}

/** @param partNumber from 1; 0 for an entry that is not cut */
export function pieceOf(index: number, entry: TransferEntry, partNumber: number): EntryPiece {
  const { path, size, sha256, parts } = entry;
  const part = parts?.[partNumber - 1];
  if (part === undefined) return { index, entry, part, partNumber: 0, name: path, from: 0, size, sha256 };
  let from = 0;
  for (const before of (parts as readonly EntryPart[]).slice(0, partNumber - 1)) from += before.size;
  return {
    index,
    entry,
    part,
    partNumber,
    name: partName(path, partNumber),
    from,
    size: part.size,
    sha256: part.sha256,
  };
}

/** True for a kind this version knows what to do with. */
export function isKnownKind(kind: string): kind is EntryKind {
  return (ENTRY_KINDS as readonly string[]).includes(kind);
}

/** Name of the manifest for people, receipts and the chain. @param bytes as they stand in the volume */
export function manifestDigest(bytes: Uint8Array): Sha256Hex {
  return createHash('sha256').update(bytes).digest('hex').toUpperCase();
}

/** Seconds since 1970: the time of every file in the tar. */
export function manifestTime(manifest: Pick<TransferManifest, 'createdAt'>): number {
  return Date.parse(manifest.createdAt) / 1000;
}

/** Files and bytes by kind, as {@link TransferCounts} has them. */
export function countEntries(
  entries: Iterable<Pick<TransferEntry, 'kind' | 'size'>>,
): Omit<TransferCounts, 'updates' | 'revisions'> {
  const counts = { metadataSize: 0, licences: 0, licenceSize: 0, contentFiles: 0, contentSize: 0 };
  for (const { kind, size } of entries) {
    if (kind === 'metadata') {
      counts.metadataSize += size;
    } else if (kind === 'licence') {
      counts.licences++;
      counts.licenceSize += size;
    } else if (kind === 'content') {
      counts.contentFiles++;
      counts.contentSize += size;
    }
  }
  return counts;
}

/** Lines of entries put together at once: the text of a whole manifest may be too long for one string. */
const LINES_AT_ONCE = 10_000;

/** The bytes of `manifest.json`: the same for the same manifest. What it says is not checked. */
export function serializeManifest(manifest: TransferManifest): Buffer {
  const chunks: Buffer[] = [Buffer.from(serializeHead(manifest))];
  const last = manifest.entries.length - 1;
  for (let start = 0; start <= last; start += LINES_AT_ONCE) {
    let text = '';
    for (let index = start; index <= Math.min(last, start + LINES_AT_ONCE - 1); index++) {
      text += `${serializeEntry(manifest.entries[index] as TransferEntry)}${index < last ? ',\n' : '\n'}`;
    }
    chunks.push(Buffer.from(text));
  }
  chunks.push(Buffer.from(MANIFEST_END));
  return Buffer.concat(chunks);
}

/** What stands before the lines of the entries, and behind them. */
export const ENTRIES_LINE = '"entries":[\n';
export const MANIFEST_END = ']}\n';

/** Everything up to and with the line that opens the list of entries. */
export function serializeHead(manifest: Omit<TransferManifest, 'entries'>): string {
  const field = (name: string, value: unknown) => `"${name}":${JSON.stringify(value)},\n`;
  const { options, counts } = manifest;
  const share = ({ id, title, updates, size }: CategoryShare) => ({ id, title, updates, size });
  return [
    `{${field('format', TRANSFER_FORMAT)}`,
    field('formatVersion', TRANSFER_FORMAT_VERSION),
    field('criticalKinds', manifest.criticalKinds),
    field('serverId', manifest.serverId),
    field('destination', manifest.destination),
    field('sequence', manifest.sequence),
    field('follows', manifest.follows),
    field('followsSequence', manifest.followsSequence),
    field('createdAt', manifest.createdAt),
    field('toolVersion', manifest.toolVersion),
    field('filters', Object.fromEntries(Object.entries(manifest.filters).sort(byKey))),
    field('options', {
      languages: options.languages,
      expressFiles: options.expressFiles,
      contentPolicy: options.contentPolicy,
    }),
    field('counts', {
      updates: counts.updates,
      revisions: counts.revisions,
      metadataSize: counts.metadataSize,
      licences: counts.licences,
      licenceSize: counts.licenceSize,
      contentFiles: counts.contentFiles,
      contentSize: counts.contentSize,
    }),
    field('products', manifest.products.map(share)),
    field('classifications', manifest.classifications.map(share)),
    field('nextKey', manifest.nextKey),
    '"volumes":[\n',
    manifest.volumes.map(({ number, size }) => JSON.stringify({ number, size })).join(',\n'),
    '\n],\n',
    ENTRIES_LINE,
  ].join('');
}

function byKey([one]: [string, unknown], [other]: [string, unknown]): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** One line of the list of entries, without comma and line feed. */
export function serializeEntry({ path, kind, size, sha256, sha1, volume, parts }: TransferEntry): string {
  return JSON.stringify({
    path,
    kind,
    size,
    sha256,
    ...(sha1 === undefined ? {} : { sha1 }),
    volume,
    ...(parts === undefined
      ? {}
      : { parts: parts.map((part) => ({ volume: part.volume, size: part.size, sha256: part.sha256 })) }),
  });
}

/** Bytes of a manifest whose head has `headSize` bytes, and whose entry lines have `linesSize` in all. */
export function manifestSizeOf(headSize: number, linesSize: number, entryCount: number): number {
  // a comma behind all lines but the last, a line feed behind each
  return headSize + linesSize + 2 * entryCount - 1 + MANIFEST_END.length;
}
