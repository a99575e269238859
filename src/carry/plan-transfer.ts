/** What an export would write, before anything is: volumes, bytes, time, and what stands in the way. */
import { dirname } from 'node:path';
import type { Amount } from '../content/content-tally.js';
import { freeSpaceAt } from '../content/free-space.js';
import { entrySize } from '../formats/export-package/package-xml-writer.js';
import { METADATA_FOLDER, SETTINGS_NAME } from '../formats/transfer-package/entry-names.js';
import { layOutVolumes, MAX_FAT32_FILE_SIZE, type VolumeLayout } from '../formats/transfer-package/layout.js';
import type { TransferManifest } from '../formats/transfer-package/manifest.js';
import { METADATA_NAME, PACKAGE_XML_NAME } from '../packages/member-files.js';
import { volumePath } from './export-transfer.js';
import type { MissingContent } from './gather-content.js';
import { draftOfContent, prepareTransfer, type TransferRequest } from './prepare-transfer.js';

export { MAX_FAT32_FILE_SIZE };

/** Share of its size that `package.xml` keeps when it is compressed, measured on a catalogue. */
const LIST_RATIO = 0.25;
/** bytes of a signature file, about */
const SIGNATURE_SIZE = 400;
const NO_DIGEST = '0'.repeat(64);

export interface PlanTransferOptions extends TransferRequest {
  /** of the package that would be written */
  readonly path: string;
  readonly volumeSize: number | undefined;
  readonly signerCount: number;
  /** bytes a second that the medium takes; undefined: nothing is said about time */
  readonly speed: number | undefined;
}

export interface TransferPlan {
  /** but for digests and sizes of metadata, which are known only when it is written */
  readonly manifest: TransferManifest;
  readonly volumes: readonly {
    readonly path: string;
    /** bytes, about */
    readonly size: number;
    readonly files: number;
    /** bytes of the largest file in it */
    readonly largestFile: number;
  }[];
  /** the largest file in the package; undefined: there is none */
  readonly largestFile: { readonly path: string; readonly size: number } | undefined;
  /** bytes of all volumes, about */
  readonly size: number;
  /** seconds for each way: onto the medium, or off it; undefined: no speed was said */
  readonly seconds: number | undefined;
  /** bytes free where the volumes would be written; undefined: the system does not say */
  readonly free: number | undefined;
  readonly fits: boolean;
  /** bytes that the other side needs in its content directory, and for its store */
  readonly neededThere: { readonly content: number; readonly metadata: number };
  readonly largestVolume: number;
  /** whether every volume can lie on FAT32 */
  readonly fitsFat32: boolean;
  readonly held: Amount;
  readonly missing: MissingContent;
  readonly leftOut: MissingContent;
}

/** @throws WsusutilError as {@link prepareTransfer}; `USAGE` for volumes that are too small */
export async function planTransfer(options: PlanTransferOptions): Promise<TransferPlan> {
  const { store, path, volumeSize, signerCount, speed, signal } = options;
  return store.readConsistently(async () => {
    const { draft, content, documentBytes, keys, settingsBytes, metadata } = await prepareTransfer(options);
    let listBytes = 0;
    for await (const rows of store.exportRows(keys)) {
      for (const row of rows) listBytes += entrySize(row);
    }
    for await (const files of metadata.files()) {
      for (const { fileName, muUrl } of files) listBytes += fileName.length + muUrl.length + 80;
    }
    const ratio = await store.compressionRatio();
    const layout = layOutVolumes(
      {
        ...draft,
        nextKey: null,
        entries: [
          {
            path: `${METADATA_FOLDER}/${PACKAGE_XML_NAME}`,
            kind: 'metadata',
            size: Math.round(listBytes * LIST_RATIO) + 1000,
            sha256: NO_DIGEST,
          },
          {
            path: `${METADATA_FOLDER}/${METADATA_NAME}`,
            kind: 'metadata',
            size: Math.round(documentBytes * ratio) + 1000,
            sha256: NO_DIGEST,
          },
          { path: SETTINGS_NAME, kind: 'settings', size: settingsBytes.length, sha256: NO_DIGEST },
          ...content.files.map(draftOfContent),
        ],
      },
      {
        volumeSize,
        signatureSizes: Array.from({ length: signerCount }, () => SIGNATURE_SIZE),
        signal,
      },
    );
    const free = await freeSpaceAt(dirname(path));
    return {
      ...figuresOf(layout, path, speed, free),
      free,
      held: content.held,
      missing: content.missing,
      leftOut: content.leftOut,
    };
  });
}

/**
 * The plan with the figures of volumes that were laid out with everything in its real size.
 *
 * @param path of the package that would be written
 * @param speed as for {@link planTransfer}
 */
export function withExactFigures(
  plan: TransferPlan,
  layout: Pick<VolumeLayout, 'manifest' | 'volumes'>,
  { path, speed }: Pick<PlanTransferOptions, 'path' | 'speed'>,
): TransferPlan {
  return { ...plan, ...figuresOf(layout, path, speed, plan.free) };
}

function figuresOf(
  { manifest, volumes }: Pick<VolumeLayout, 'manifest' | 'volumes'>,
  path: string,
  speed: number | undefined,
  free: number | undefined,
): Omit<TransferPlan, 'free' | 'held' | 'missing' | 'leftOut'> {
  const size = volumes.reduce((sum, { fileSize }) => sum + fileSize, 0);
  const largestVolume = volumes.reduce((most, { fileSize }) => Math.max(most, fileSize), 0);
  const largestIn = new Map<number, number>();
  let largestFile: TransferPlan['largestFile'];
  for (const { path: name, size: each, volume, parts } of manifest.entries) {
    for (const piece of parts ?? [{ volume, size: each }]) {
      largestIn.set(piece.volume, Math.max(largestIn.get(piece.volume) ?? 0, piece.size));
    }
    if (each > (largestFile?.size ?? -1)) largestFile = { path: name, size: each };
  }
  const { counts } = manifest;
  return {
    manifest,
    volumes: volumes.map(({ number, fileSize, pieces }) => ({
      path: volumePath(path, number, volumes.length),
      size: fileSize,
      files: pieces,
      largestFile: largestIn.get(number) ?? 0,
    })),
    largestFile,
    size,
    seconds: speed === undefined ? undefined : Math.ceil(size / speed),
    fits: free === undefined || size <= free,
    neededThere: {
      content: counts.contentSize + counts.licenceSize,
      // staged while it is imported, then about as large in the store
      metadata: 2 * counts.metadataSize,
    },
    largestVolume,
    fitsFat32: largestVolume <= MAX_FAT32_FILE_SIZE,
  };
}
