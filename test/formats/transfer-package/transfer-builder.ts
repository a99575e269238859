/** Small transfer packages with real digests, in memory. */
import { createHash } from 'node:crypto';
import { type Header, pack } from 'tar-stream';
import {
  type DraftEntry,
  layOutVolumes,
  setPartDigests,
  type TransferDraft,
} from '../../../src/formats/transfer-package/layout.js';
import {
  countEntries,
  type EntryKind,
  manifestDigest,
  serializeManifest,
  type TransferEntry,
  type TransferManifest,
} from '../../../src/formats/transfer-package/manifest.js';
import { type ReadVolumeOptions, readVolume } from '../../../src/formats/transfer-package/read-volume.js';
import { describeTarHeader, paddingOf } from '../../../src/formats/transfer-package/tar-header.js';
import { measureVolumes } from '../../../src/formats/transfer-package/volume-size.js';
import { writeVolume } from '../../../src/formats/transfer-package/write-volume.js';
import { type SeededRandom, seededRandom } from '../../helpers/seeded-random.js';

export interface BuiltPackage {
  readonly manifest: TransferManifest;
  readonly manifestBytes: Buffer;
  readonly digest: string;
  /** by path */
  readonly files: ReadonlyMap<string, Buffer>;
  readonly signatures: readonly Buffer[];
  /** whole volume files */
  readonly volumes: readonly Buffer[];
}

export interface BuildOptions {
  /** bytes of each content file; default: three small ones */
  readonly sizes?: readonly number[];
  readonly volumeSize?: number | undefined;
  readonly signatures?: readonly Buffer[];
  readonly seed?: number;
  readonly draft?: Partial<TransferDraft>;
  /** `metadata/metadata.txt.gz`; default: random bytes */
  readonly metadata?: Buffer;
}

export function sha(algorithm: 'sha1' | 'sha256', bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest('hex').toUpperCase();
}

export function draftEntry(path: string, kind: EntryKind, bytes: Uint8Array): DraftEntry {
  const isContent = kind === 'content' || kind === 'licence';
  return {
    path,
    kind,
    size: bytes.length,
    sha256: sha('sha256', bytes),
    ...(isContent ? { sha1: sha('sha1', bytes) } : {}),
  };
}

export function contentEntryPath(bytes: Uint8Array, extension = '.cab'): string {
  const sha1 = sha('sha1', bytes);
  return `WsusContent/${sha1.slice(-2)}/${sha1}${extension}`;
}

export const EMPTY_DRAFT: TransferDraft = {
  serverId: '0ee4a1d3-5d3f-4b6f-a0e5-2f0a3c8f2a11',
  destination: 'plant 7',
  sequence: 1,
  follows: null,
  followsSequence: null,
  createdAt: '2026-11-20T12:34:56Z',
  toolVersion: '0.1.0',
  filters: { product: ['Windows 11'], since: '2026-01-01' },
  options: { languages: ['en', 'de'], expressFiles: false, contentPolicy: 'all' },
  counts: { updates: 2, revisions: 3 },
  products: [{ id: '72e7624a-5b00-45d2-b92f-e561c0a6a160', title: 'Windows 11', updates: 2, size: 12 }],
  classifications: [],
  nextKey: null,
  entries: [],
};

/** Two metadata members, settings, a licence, and content files of the sizes. */
export function makeFiles(random: SeededRandom, sizes: readonly number[], metadata = random.bytes(512)) {
  const files = new Map<string, Buffer>();
  const entries: DraftEntry[] = [];
  const add = (path: string, kind: EntryKind, bytes: Buffer) => {
    if (files.has(path)) return;
    files.set(path, bytes);
    entries.push(draftEntry(path, kind, bytes));
  };
  for (const size of sizes) {
    const bytes = random.bytes(size);
    add(contentEntryPath(bytes), 'content', bytes);
  }
  const licence = random.bytes(700);
  add(contentEntryPath(licence, '.txt'), 'licence', licence);
  add('settings.json', 'settings', Buffer.from('{}\n'));
  add('metadata/package.xml.gz', 'metadata', random.bytes(1234));
  add('metadata/metadata.txt.gz', 'metadata', metadata);
  return { files, entries };
}

export async function buildPackage(options: BuildOptions = {}): Promise<BuiltPackage> {
  const { sizes = [0, 1, 3000], volumeSize, signatures = [], seed = 1 } = options;
  const { files, entries } = makeFiles(seededRandom(seed), sizes, options.metadata);
  const layout = layOutVolumes(
    { ...EMPTY_DRAFT, ...options.draft, entries },
    { volumeSize, signatureSizes: signatures.map((each) => each.length) },
  );
  const manifest = setPartDigests(
    layout.manifest,
    new Map(
      layout.cuts.map(({ path, parts }) => [
        path,
        parts.map(({ from, size }) => sha('sha256', (files.get(path) as Buffer).subarray(from, from + size))),
      ]),
    ),
  );
  const manifestBytes = serializeManifest(manifest);
  const built = { manifest, manifestBytes, digest: manifestDigest(manifestBytes), files, signatures };
  const volumes: Buffer[] = [];
  for (const { number } of manifest.volumes) volumes.push(await writeOne(built, number));
  return { ...built, volumes };
}

export async function writeOne(
  built: Omit<BuiltPackage, 'volumes'>,
  number: number,
  only?: ReadonlySet<string>,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const { manifest, manifestBytes, signatures, files } = built;
  for await (const chunk of writeVolume({
    manifest,
    manifestBytes,
    signatures,
    number,
    only,
    open: (entry, from, size) =>
      inPieces((files.get(entry.path) as Buffer).subarray(from, from + size), 9999),
  })) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export async function* inPieces(
  bytes: Uint8Array,
  size: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

export interface ReadPackage {
  readonly manifest: TransferManifest;
  readonly number: number;
  readonly signatures: readonly Buffer[];
  /** by name in the tar */
  readonly bodies: ReadonlyMap<string, Buffer>;
  readonly entries: readonly TransferEntry[];
}

/** Reads a volume to its end. */
export async function readOne(
  volume: Uint8Array,
  options: Partial<ReadVolumeOptions> & { readonly chunkSize?: number } = {},
): Promise<ReadPackage> {
  let manifest: TransferManifest | undefined;
  let number = 0;
  const signatures: Buffer[] = [];
  const bodies = new Map<string, Buffer>();
  const entries: TransferEntry[] = [];
  const { chunkSize = 1000, ...rest } = options;
  for await (const part of readVolume(inPieces(volume, chunkSize), { name: 'carry.tar', ...rest })) {
    if (part.type === 'manifest') manifest = part.manifest;
    else if (part.type === 'volume') number = part.number;
    else if (part.type === 'signature') signatures.push(part.bytes);
    else if (part.type === 'entry') {
      const chunks: Uint8Array[] = [];
      for await (const chunk of part.body) chunks.push(Buffer.from(chunk));
      bodies.set(part.piece.name, Buffer.concat(chunks));
      entries.push(part.entry);
    }
  }
  return { manifest: manifest as TransferManifest, number, signatures, bodies, entries };
}

/** The manifest with counts and volume sizes made to fit its entries, for one put together by hand. */
export function sealManifest(manifest: TransferManifest): TransferManifest {
  let sealed: TransferManifest = {
    ...manifest,
    counts: { ...manifest.counts, ...countEntries(manifest.entries) },
  };
  for (;;) {
    const { length } = serializeManifest(sealed);
    const volumes = measureVolumes(sealed.entries, sealed.volumes.length, length).map(({ size }, index) => ({
      number: index + 1,
      size,
    }));
    const next = { ...sealed, volumes };
    if (serializeManifest(next).length === length) return next;
    sealed = next;
  }
}

/** A package of one volume from a manifest put together by hand. */
export async function buildByHand(
  manifest: TransferManifest,
  files: ReadonlyMap<string, Buffer>,
): Promise<BuiltPackage> {
  const manifestBytes = serializeManifest(manifest);
  const built = { manifest, manifestBytes, digest: manifestDigest(manifestBytes), files, signatures: [] };
  return { ...built, volumes: [await writeOne(built, 1)] };
}

/** One file of a tar as it lies there: header and content with its padding. */
export interface RawEntry {
  readonly name: string;
  readonly offset: number;
  readonly bytes: Buffer;
}

/** Takes a tar of plain files apart, up to its end mark. */
export function splitTar(tar: Buffer): RawEntry[] {
  const entries: RawEntry[] = [];
  for (let offset = 0; tar[offset] !== 0; ) {
    const facts = describeTarHeader(tar.subarray(offset, offset + 512));
    const size = facts.size as number;
    const bytes = tar.subarray(offset, offset + 512 + size + paddingOf(size));
    entries.push({ name: facts.name, offset, bytes });
    offset += bytes.length;
  }
  return entries;
}

export function joinTar(entries: readonly Buffer[]): Buffer {
  return Buffer.concat([...entries, Buffer.alloc(1024)]);
}

/** What another program (tar-stream) makes of entries, without the end mark. */
export async function packWithOther(
  entries: readonly {
    readonly header: Partial<Header> & { readonly name: string };
    readonly bytes?: Buffer;
  }[],
): Promise<Buffer> {
  const packed = pack();
  for (const { header, bytes } of entries) {
    if (bytes === undefined) packed.entry(header as Header, () => {}).end(Buffer.alloc(0));
    else packed.entry(header as Header, bytes);
  }
  packed.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of packed) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).subarray(0, -1024);
}
