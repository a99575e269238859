/**
 * Distributes entries over volumes. The same entries and sizes give the same layout.
 *
 * Each volume begins with the whole manifest, whose size depends on the layout it describes. So a size is assumed for
 * it, the entries are laid out, and the manifest measured: if it came out longer, that size is assumed next. A shorter
 * one only leaves a volume with less in it than it could take.
 */
import { throwIfInterrupted, WsusutilError } from '../../errors.js';
import type { Sha1Hex, Sha256Hex } from '../../model/digest.js';
import { groupDigits } from '../group-digits.js';
import { partName } from './entry-names.js';
import { MAX_ENTRIES, MAX_MANIFEST_SIZE, MAX_VOLUMES } from './limits.js';
import {
  countEntries,
  ENTRY_KINDS,
  type EntryKind,
  type EntryPart,
  manifestSizeOf,
  serializeEntry,
  serializeHead,
  type TransferEntry,
  type TransferManifest,
  type VolumeFacts,
} from './manifest.js';
import { BLOCK_SIZE, tarEntrySize, tarHeaderSize } from './tar-header.js';
import { emptyVolumeSize, measureVolumes, signaturesSize } from './volume-size.js';

/**
 * Media by name, in bytes of a volume file that they surely take:
 *
 * - `dvd`: 4,700,372,992 bytes (the smaller of DVD−R and DVD+R) less 16 MiB for the file system;
 * - `bd25`: 24,220,008,448 bytes (formatted with spare area) less 64 MiB;
 * - `fat32`: 4 GiB − 1, the largest file of FAT32, in whole blocks;
 * - `usb64`: 60 billion bytes, since sticks sold as 64 GB hold a few per cent less.
 */
export const VOLUME_PRESETS = {
  dvd: 4_700_372_992 - 16 * 1024 ** 2,
  bd25: 24_220_008_448 - 64 * 1024 ** 2,
  fat32: 4 * 1024 ** 3 - BLOCK_SIZE,
  usb64: 60_000_000_000,
} as const satisfies Readonly<Record<string, number>>;
/** Largest file FAT32 can hold, in bytes. */
export const MAX_FAT32_FILE_SIZE = 4 * 1024 ** 3 - 1;

/** Volumes that are kept open for smaller files, while larger ones start new volumes. */
const OPEN_VOLUMES = 16;
/** Every volume has room for the longest header and a bit of content. */
const MIN_ROOM = 8 * BLOCK_SIZE;
/** A file is cut so that no part but its last is below this share of a volume. */
const SMALLEST_PART_SHARE = 1 / 8;

/** What a package will hold, before it is known where. */
export interface DraftEntry {
  readonly path: string;
  readonly kind: EntryKind;
  /** bytes */
  readonly size: number;
  readonly sha256: Sha256Hex;
  readonly sha1?: Sha1Hex;
}

/** A manifest but for what the layout adds: volumes, and sums of the entries. */
export interface TransferDraft
  extends Omit<TransferManifest, 'volumes' | 'entries' | 'counts' | 'criticalKinds'> {
  readonly counts: { readonly updates: number; readonly revisions: number };
  readonly entries: readonly DraftEntry[];
}

export interface LayoutOptions {
  /** bytes that no volume file exceeds, its signatures included; undefined: one volume */
  readonly volumeSize?: number | undefined;
  /** bytes of each signature file that will be made; default: none */
  readonly signatureSizes?: readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface VolumeLayout {
  /** complete, but for the digests of parts when {@link cuts} is not empty */
  readonly manifest: TransferManifest;
  /** files that lie in several volumes: their parts must be hashed first, see {@link setPartDigests} */
  readonly cuts: readonly CutFile[];
  readonly volumes: readonly (VolumeFacts & {
    /** bytes of the file, signatures included */
    readonly fileSize: number;
    /** files in it, beside those each volume has */
    readonly pieces: number;
  })[];
  /** bytes */
  readonly manifestSize: number;
}

export interface CutFile {
  readonly path: string;
  /** in the order of the file; bytes */
  readonly parts: readonly { readonly volume: number; readonly from: number; readonly size: number }[];
}

const UNKNOWN_DIGEST: Sha256Hex = '0'.repeat(64);

/**
 * Lays out entries in the order metadata, settings, licences, content, each kind by path.
 *
 * @throws WsusutilError `USAGE` for a volume size that has no room beside the manifest; `LIMIT_EXCEEDED` for too many
 *   volumes or entries, or too large a manifest
 */
export function layOutVolumes(draft: TransferDraft, options: LayoutOptions = {}): VolumeLayout {
  const { volumeSize, signal } = options;
  if (draft.entries.length > MAX_ENTRIES) throw tooMany('files', draft.entries.length, MAX_ENTRIES);
  const sorted = { ...draft, entries: [...draft.entries].sort(byKindAndPath) };
  const signatures = signaturesSize(options.signatureSizes ?? []);
  for (let assumedSize = 0; ; ) {
    throwIfInterrupted(signal, 'laying out the volumes of a package');
    const entries =
      volumeSize === undefined
        ? inOneVolume(sorted.entries)
        : distribute(sorted, volumeSize, signatures, assumedSize);
    const laidOut = describe(draft, entries);
    if (laidOut.manifestSize > MAX_MANIFEST_SIZE) {
      throw tooMany('bytes of manifest', laidOut.manifestSize, MAX_MANIFEST_SIZE);
    }
    if (volumeSize === undefined || laidOut.manifestSize <= assumedSize) {
      return {
        ...laidOut,
        cuts: listCuts(entries),
        volumes: laidOut.volumes.map((each) => ({ ...each, fileSize: each.size + signatures })),
      };
    }
    assumedSize = laidOut.manifestSize;
  }
}

/**
 * The manifest of a layout with the digests of its parts filled in.
 *
 * @param digests for each path of {@link VolumeLayout.cuts}, SHA-256 of each part in order
 */
export function setPartDigests(
  manifest: TransferManifest,
  digests: ReadonlyMap<string, readonly Sha256Hex[]>,
): TransferManifest {
  return {
    ...manifest,
    entries: manifest.entries.map((entry) => {
      if (entry.parts === undefined) return entry;
      const known = digests.get(entry.path);
      if (known?.length !== entry.parts.length) throw new Error(`no digests for the parts of ${entry.path}`);
      return { ...entry, parts: entry.parts.map((part, i) => ({ ...part, sha256: known[i] as Sha256Hex })) };
    }),
  };
}

function byKindAndPath(one: DraftEntry, other: DraftEntry): number {
  const kinds = ENTRY_KINDS.indexOf(one.kind) - ENTRY_KINDS.indexOf(other.kind);
  if (kinds !== 0) return kinds;
  return one.path < other.path ? -1 : one.path > other.path ? 1 : 0;
}

const inOneVolume = (files: readonly DraftEntry[]): TransferEntry[] =>
  files.map((each) => ({ ...each, volume: 1 }));

interface OpenVolume {
  readonly number: number;
  /** bytes left for entries */
  room: number;
}

/** First volume with room; a file that fits none starts a new one, and is cut only if that is too small too. */
function distribute(
  draft: TransferDraft,
  volumeSize: number,
  signatures: number,
  manifestSize: number,
): TransferEntry[] {
  const usable = Math.floor((volumeSize - signatures) / BLOCK_SIZE) * BLOCK_SIZE;
  const tooSmall = (): WsusutilError => {
    const inOne = describe(draft, inOneVolume(draft.entries));
    const least = groupDigits(emptyVolumeSize(1, inOne.manifestSize) + signatures);
    return new WsusutilError(
      'USAGE',
      `Volumes of ${groupDigits(volumeSize)} bytes are too small: each begins with the list of all files and its signatures, at least ${least} bytes`,
      { hint: 'Choose larger volumes.' },
    );
  };
  const open: OpenVolume[] = [];
  let latest: OpenVolume | undefined;
  let count = 0;
  const startVolume = (): OpenVolume => {
    count++;
    if (count > MAX_VOLUMES) {
      throw new WsusutilError(
        'LIMIT_EXCEEDED',
        `The package would need more than ${groupDigits(MAX_VOLUMES)} volumes`,
        {
          hint: 'Choose larger volumes, or export less.',
        },
      );
    }
    const volume = { number: count, room: usable - emptyVolumeSize(count, manifestSize) };
    if (volume.room < MIN_ROOM) throw tooSmall();
    if (open.length === OPEN_VOLUMES) {
      const fullest = open.reduce((one, other) => (other.room < one.room ? other : one));
      open.splice(open.indexOf(fullest), 1);
    }
    open.push(volume);
    latest = volume;
    return volume;
  };

  return draft.entries.map((file): TransferEntry => {
    const needed = tarEntrySize(file.path, file.size);
    let volume = open.find(({ room }) => room >= needed);
    if (volume === undefined) {
      const fresh = usable - emptyVolumeSize(count + 1, manifestSize);
      if (needed > fresh && file.size > 1) return cut(file, latest, startVolume, usable);
      volume = startVolume();
      if (needed > volume.room) throw tooSmall();
    }
    volume.room -= needed;
    return { ...file, volume: volume.number };
  });
}

/** Cuts a file from the volume `last` on, if that has room worth a part. */
function cut(
  draft: DraftEntry,
  last: OpenVolume | undefined,
  startVolume: () => OpenVolume,
  usable: number,
): TransferEntry {
  const parts: EntryPart[] = [];
  let volume = last !== undefined && last.room > usable * SMALLEST_PART_SHARE ? last : startVolume();
  let left = draft.size;
  for (;;) {
    const room = roomForContent(volume.room, partName(draft.path, parts.length + 1));
    // a first part that takes it all would be none: then the volume was too small only for the whole file's header
    const size = Math.min(left, room, parts.length === 0 ? draft.size - 1 : left);
    if (size <= 0) {
      volume = startVolume();
      continue;
    }
    parts.push({ volume: volume.number, size, sha256: UNKNOWN_DIGEST });
    volume.room -= tarEntrySize(partName(draft.path, parts.length), size);
    left -= size;
    if (left === 0) break;
    volume = startVolume();
  }
  return { ...draft, volume: (parts[0] as EntryPart).volume, parts };
}

/** Bytes of content that an entry of that name can have in `room` bytes of tar. */
function roomForContent(room: number, name: string): number {
  const content = room - tarHeaderSize(name, room);
  return Math.max(0, Math.floor(content / BLOCK_SIZE) * BLOCK_SIZE);
}

function describe(
  draft: TransferDraft,
  entries: readonly TransferEntry[],
): Omit<VolumeLayout, 'cuts' | 'volumes'> & { volumes: (VolumeFacts & { pieces: number })[] } {
  const volumeCount = entries.reduce(
    (most, { volume, parts }) => Math.max(most, volume, parts?.at(-1)?.volume ?? 0),
    1,
  );
  const head = (volumes: readonly VolumeFacts[]) => ({
    ...draft,
    criticalKinds: [], // every reader of this format version knows the kinds written here
    counts: { ...draft.counts, ...countEntries(entries) },
    volumes,
  });
  const linesSize = entries.reduce((sum, entry) => sum + Buffer.byteLength(serializeEntry(entry)), 0);

  // The manifest also says how large the volumes are, which depends on its own size; more digits make it longer.
  let volumes: (VolumeFacts & { pieces: number })[] = Array.from({ length: volumeCount }, (_, index) => ({
    number: index + 1,
    size: 0,
    pieces: 0,
  }));
  for (let manifestSize = 0; ; ) {
    const size = manifestSizeOf(Buffer.byteLength(serializeHead(head(volumes))), linesSize, entries.length);
    if (size === manifestSize) {
      return {
        manifest: { ...head(volumes.map(({ number, size }) => ({ number, size }))), entries },
        manifestSize,
        volumes,
      };
    }
    manifestSize = size;
    volumes = measureVolumes(entries, volumeCount, manifestSize).map((each, index) => ({
      number: index + 1,
      ...each,
    }));
  }
}

function listCuts(entries: readonly TransferEntry[]): CutFile[] {
  return entries.flatMap(({ path, parts }) => {
    if (parts === undefined) return [];
    let from = 0;
    return {
      path,
      parts: parts.map(({ volume, size }) => {
        const part = { volume, from, size };
        from += size;
        return part;
      }),
    };
  });
}

function tooMany(what: string, count: number, limit: number): WsusutilError {
  return new WsusutilError(
    'LIMIT_EXCEEDED',
    `The package would have ${groupDigits(count)} ${what}; at most ${groupDigits(limit)} are possible`,
    { hint: 'Export less at once.' },
  );
}
