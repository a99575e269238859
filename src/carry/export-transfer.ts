/**
 * Writes a transfer package: metadata into files of its own first, since the manifest must know them, then the volumes,
 * with content straight from the content directory. Volumes get their names when all of them are written and on the
 * disk, and what was sent is noted last.
 */
import { createHash } from 'node:crypto';
import { lstat, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Amount } from '../content/content-tally.js';
import { freeSpaceAt } from '../content/free-space.js';
import { errorText, throwIfInterrupted, WsusutilError } from '../errors.js';
import { groupDigits } from '../formats/group-digits.js';
import type { SecretKey } from '../formats/minisign/secret-key.js';
import { hashContent, serializeSignature, signDigest } from '../formats/minisign/signature.js';
import { METADATA_FOLDER, SETTINGS_NAME, signatureName } from '../formats/transfer-package/entry-names.js';
import {
  type CutFile,
  type DraftEntry,
  layOutVolumes,
  setPartDigests,
  type VolumeLayout,
} from '../formats/transfer-package/layout.js';
import {
  manifestDigest,
  serializeManifest,
  type TransferEntry,
  type TransferManifest,
} from '../formats/transfer-package/manifest.js';
import { writeVolume } from '../formats/transfer-package/write-volume.js';
import type { Sha256Hex } from '../model/digest.js';
import { partPath } from '../packages/export-package.js';
import { METADATA_NAME, PACKAGE_XML_NAME, writeMemberFiles } from '../packages/member-files.js';
import { type AtomicFile, createAtomicFile, writeFileAtomically } from '../platform/atomic-file.js';
import type { Carried, SentPackage } from '../store/carry-state.js';
import type { MissingContent } from './gather-content.js';
import {
  draftOfContent,
  type PreparedTransfer,
  prepareTransfer,
  type TransferRequest,
} from './prepare-transfer.js';
import { readRange } from './read-range.js';
import { keepWorkFolder, makeWorkFolder } from './work-folder.js';

export const MANIFEST_FILE = 'manifest.json';
const PROGRESS_BYTES = 16 << 20;

export interface ExportTransferOptions extends TransferRequest {
  /** of the package; several volumes are `<name>.part1of3.tar` and so on */
  readonly path: string;
  /** bytes that no volume exceeds; undefined: one volume */
  readonly volumeSize: number | undefined;
  /** who signs, in this order */
  readonly signers: readonly SecretKey[];
  /** line of the public key that will sign later packages; undefined: no change */
  readonly nextKey: string | undefined;
  /** `carry/` of the data directory */
  readonly carryPath: string;
  /**
   * Notes what was sent, in one transaction; called when the volumes have their names. If it throws, they go.
   */
  record(sent: SentPackage, carried: Carried): Promise<void>;
}

export interface WrittenVolume {
  readonly path: string;
  readonly number: number;
  /** bytes of the file */
  readonly size: number;
}

export interface ExportTransferSummary {
  readonly manifest: TransferManifest;
  readonly digest: Sha256Hex;
  readonly volumes: readonly WrittenVolume[];
  /** ids of the keys that signed */
  readonly signers: readonly string[];
  /** files that the destination has already */
  readonly held: Amount;
  readonly missing: MissingContent;
  /** files that wanted updates call for, of kinds that do not go along */
  readonly leftOut: MissingContent;
  /** bytes of documents before compression */
  readonly documentBytes: number;
}

/**
 * @throws WsusutilError `NOT_FOUND`, `TARGET_EXISTS`, `DISK_FULL` (also before anything is written), `READ_ONLY`,
 *   `WRITE_FAILED`, `READ_FAILED`, `TRANSFER_MISMATCH` (a file was changed while it went out), `USAGE` (volumes too
 *   small), `LIMIT_EXCEEDED`, `INTERRUPTED`. No volume stays then.
 */
export async function exportTransfer(options: ExportTransferOptions): Promise<ExportTransferSummary> {
  const { path, carryPath, volumeSize } = options;
  if (volumeSize === undefined) await refuseExisting(path);
  const workFolder = await makeWorkFolder(carryPath);
  try {
    const { prepared, set, digest } = await assembleTransfer(workFolder, options);
    const { manifest, manifestBytes, signatures } = set;
    await writeFileAtomically(join(workFolder, MANIFEST_FILE), manifestBytes);
    for (const [index, signature] of signatures.entries()) {
      await writeFileAtomically(join(workFolder, signatureName(index + 1)), signature);
    }
    const volumes = await writeVolumes(set, options);
    try {
      await options.record(
        {
          destination: manifest.destination,
          sequence: manifest.sequence,
          manifest: digest,
          followsSequence: manifest.followsSequence ?? undefined,
          createdAt: Date.parse(manifest.createdAt),
          acknowledgedAt: undefined,
        },
        prepared.carried,
      );
    } catch (error) {
      for (const volume of volumes) await rm(volume.path, { force: true });
      throw error;
    }
    await keep(workFolder, digest, options);
    return {
      manifest,
      digest,
      volumes,
      signers: options.signers.map(({ publicKey }) => publicKey.keyId),
      held: prepared.content.held,
      missing: prepared.content.missing,
      leftOut: prepared.content.leftOut,
      documentBytes: prepared.documentBytes,
    };
  } finally {
    await rm(workFolder, { recursive: true, force: true });
  }
}

/** What it takes to put a package together. */
export type AssembleOptions = Omit<ExportTransferOptions, 'path' | 'carryPath' | 'record'>;

export interface AssembledTransfer {
  readonly prepared: PreparedTransfer;
  readonly set: VolumesToWrite;
  readonly digest: Sha256Hex;
}

/**
 * All of a package but its volumes, which follow from it byte for byte.
 *
 * @param workFolder an empty one; gets the metadata and the settings
 */
export async function assembleTransfer(
  workFolder: string,
  options: AssembleOptions,
): Promise<AssembledTransfer> {
  const { store, signal, signers } = options;
  // Content is read afterwards: that may take hours, in which the store should not be held.
  const { prepared, entries } = await store.readConsistently(async () => {
    const ready = await prepareTransfer(options);
    return { prepared: ready, entries: await writeEntries(workFolder, ready, options) };
  });
  throwIfInterrupted(signal, 'exporting; nothing was written');
  const sources = sourcesOf(workFolder, prepared);
  const { manifest, layout } = await layOut(entries, sources, prepared, options);
  const manifestBytes = serializeManifest(manifest);
  const signatures = sign(manifestBytes, manifest, signers);
  return {
    prepared,
    set: { manifest, manifestBytes, signatures, layout, sources },
    digest: manifestDigest(manifestBytes),
  };
}

/** The bytes of one volume of a set. @param number from 1 */
export function volumeChunks(
  set: VolumesToWrite,
  number: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  return writeVolume({
    ...set,
    number,
    open: (entry: TransferEntry, from, size) => readRange(sourceOf(set.sources, entry.path), from, size),
    signal,
  });
}

/** What is kept serves to make volumes again; the package is whole without it. */
async function keep(
  workFolder: string,
  digest: Sha256Hex,
  { store, destination, carryPath, report }: ExportTransferOptions,
): Promise<void> {
  try {
    const sent = await store.carryState().listSent(destination);
    await keepWorkFolder(carryPath, workFolder, digest, new Set(sent.map(({ manifest }) => manifest)));
  } catch (error) {
    report({ type: 'step', message: `Its metadata could not be kept: ${errorText(error)}` });
  }
}

async function writeEntries(
  workFolder: string,
  { metadata, keys, settingsBytes, content }: PreparedTransfer,
  { signal, report }: AssembleOptions,
): Promise<readonly DraftEntry[]> {
  report({ type: 'stage-started', stage: 'exporting', unit: 'revisions', total: keys.length });
  const { packageXml, metadata: documents } = await writeMemberFiles(workFolder, metadata, {
    signal,
    onProgress: (done) =>
      report({
        type: 'progress',
        stage: 'exporting',
        done,
        total: keys.length,
        bytes: 0,
        totalBytes: undefined,
      }),
  });
  report({ type: 'stage-finished', stage: 'exporting', done: keys.length });
  await writeFileAtomically(join(workFolder, SETTINGS_NAME), settingsBytes);
  return [
    {
      path: `${METADATA_FOLDER}/${PACKAGE_XML_NAME}`,
      kind: 'metadata',
      size: packageXml.size,
      sha256: packageXml.sha256,
    },
    {
      path: `${METADATA_FOLDER}/${METADATA_NAME}`,
      kind: 'metadata',
      size: documents.size,
      sha256: documents.sha256,
    },
    {
      path: SETTINGS_NAME,
      kind: 'settings',
      size: settingsBytes.length,
      sha256: createHash('sha256').update(settingsBytes).digest('hex').toUpperCase(),
    },
    ...content.files.map(draftOfContent),
  ];
}

/** Where each entry is read from. */
function sourcesOf(workFolder: string, { content }: PreparedTransfer): ReadonlyMap<string, string> {
  return new Map([
    ...ownSources(workFolder),
    ...content.files.map((file): [string, string] => [draftOfContent(file).path, file.path]),
  ]);
}

/** Entries that lie in the folder of the package itself. */
export function ownSources(folder: string): readonly (readonly [string, string])[] {
  return [
    [`${METADATA_FOLDER}/${PACKAGE_XML_NAME}`, join(folder, PACKAGE_XML_NAME)],
    [`${METADATA_FOLDER}/${METADATA_NAME}`, join(folder, METADATA_NAME)],
    [SETTINGS_NAME, join(folder, SETTINGS_NAME)],
  ];
}

async function layOut(
  entries: readonly DraftEntry[],
  sources: ReadonlyMap<string, string>,
  { draft }: PreparedTransfer,
  { signers, volumeSize, nextKey, signal }: AssembleOptions,
): Promise<{ readonly manifest: TransferManifest; readonly layout: VolumeLayout }> {
  const whole = { ...draft, nextKey: nextKey ?? null, entries };
  const layout = layOutVolumes(whole, {
    volumeSize,
    // Signatures of one length whatever they sign: how large they will be is known before.
    signatureSizes: sign(Buffer.alloc(0), whole, signers).map(({ length }) => length),
    signal,
  });
  if (layout.cuts.length === 0) return { manifest: layout.manifest, layout };
  const digests = new Map<string, readonly Sha256Hex[]>();
  for (const cut of layout.cuts) digests.set(cut.path, await hashParts(cut, sources, signal));
  return { manifest: setPartDigests(layout.manifest, digests), layout };
}

async function hashParts(
  { path, parts }: CutFile,
  sources: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<readonly Sha256Hex[]> {
  const digests: Sha256Hex[] = [];
  for (const { from, size } of parts) {
    const hash = createHash('sha256');
    for await (const chunk of readRange(sourceOf(sources, path), from, size)) {
      throwIfInterrupted(signal, 'exporting; nothing was written');
      hash.update(chunk);
    }
    digests.push(hash.digest('hex').toUpperCase());
  }
  return digests;
}

function sourceOf(sources: ReadonlyMap<string, string>, path: string): string {
  const source = sources.get(path);
  if (source === undefined) throw new Error(`nothing is known of ${path}`);
  return source;
}

/** Signature files of a manifest, one for each signer. */
function sign(
  manifestBytes: Uint8Array,
  { createdAt, destination, sequence }: Pick<TransferManifest, 'createdAt' | 'destination' | 'sequence'>,
  signers: readonly SecretKey[],
): readonly Buffer[] {
  const digest = hashContent(manifestBytes);
  const trusted = `timestamp:${Date.parse(createdAt) / 1000}\tfile:${MANIFEST_FILE}\thashed\tpackage ${sequence} for ${destination}`;
  return signers.map((signer) => Buffer.from(serializeSignature(signDigest(signer, digest, { trusted }))));
}

export interface VolumesToWrite {
  readonly manifest: TransferManifest;
  readonly manifestBytes: Uint8Array;
  readonly signatures: readonly Uint8Array[];
  readonly layout: Pick<VolumeLayout, 'volumes'>;
  readonly sources: ReadonlyMap<string, string>;
}

/** Path of one volume of a set: the name itself if there is one only. */
export function volumePath(path: string, number: number, count: number): string {
  return count === 1 ? path : partPath(path, number, count);
}

async function writeVolumes(
  set: VolumesToWrite,
  { path, signal, report }: ExportTransferOptions,
): Promise<readonly WrittenVolume[]> {
  const { volumes } = set.layout;
  const paths = volumes.map(({ number }) => volumePath(path, number, volumes.length));
  for (const each of paths) await refuseExisting(each);
  const totalBytes = volumes.reduce((sum, { fileSize }) => sum + fileSize, 0);
  await checkRoom(dirname(path), totalBytes);
  report({ type: 'stage-started', stage: 'copying', unit: 'bytes', total: totalBytes });
  let done = 0;
  const written = await writeTogether(
    volumes.map(({ number }, index) => ({
      path: paths[index] as string,
      chunks: volumeChunks(set, number, signal),
    })),
    (bytes) => {
      done += bytes;
      report({ type: 'progress', stage: 'copying', done, total: totalBytes, bytes: done, totalBytes });
    },
  );
  report({ type: 'stage-finished', stage: 'copying', done });
  for (const [index, size] of written.entries()) {
    report({ type: 'step', message: `Wrote ${paths[index]}: ${groupDigits(size)} bytes` });
  }
  return written.map((size, index) => ({ path: paths[index] as string, number: index + 1, size }));
}

/** Files that have their names all together, or none has. @returns bytes of each */
export async function writeTogether(
  files: readonly { readonly path: string; readonly chunks: AsyncIterable<Uint8Array> }[],
  onProgress: (bytes: number) => void,
): Promise<readonly number[]> {
  const open: AtomicFile[] = [];
  let published = 0;
  try {
    for (const { path, chunks } of files) {
      const file = await createAtomicFile(path, { replace: false });
      open.push(file);
      let untold = 0;
      for await (const chunk of chunks) {
        await file.write(chunk);
        untold += chunk.length;
        if (untold < PROGRESS_BYTES) continue;
        onProgress(untold);
        untold = 0;
      }
      onProgress(untold);
      await file.seal();
    }
    for (const file of open) {
      await file.commit();
      published++;
    }
    return open.map(({ size }) => size);
  } catch (error) {
    for (const file of open.slice(published)) await file.discard();
    for (const { path } of files.slice(0, published)) await rm(path, { force: true });
    throw error;
  }
}

async function refuseExisting(path: string): Promise<void> {
  const isThere = await lstat(path).then(
    () => true,
    () => false,
  );
  if (!isThere) return;
  throw new WsusutilError('TARGET_EXISTS', `${path} already exists`, {
    hint: 'Choose a new name; an existing file is never overwritten.',
    details: { path },
  });
}

async function checkRoom(folder: string, size: number): Promise<void> {
  const free = await freeSpaceAt(folder);
  if (free === undefined || free >= size) return;
  throw new WsusutilError(
    'DISK_FULL',
    `The package takes ${groupDigits(size)} bytes, and ${groupDigits(free)} are free at ${folder}; nothing was written`,
    {
      hint: 'Free space or choose another disk; a smaller selection or --since-last makes a smaller package.',
    },
  );
}
