/**
 * The digests of a package that is not written yet. The same store, options and time of creation give the same bytes, so
 * the volumes are made as an export makes them, and hashed instead of written.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { VolumeLayout } from '../formats/transfer-package/layout.js';
import type { TransferManifest } from '../formats/transfer-package/manifest.js';
import type { Sha256Hex } from '../model/digest.js';
import { type AssembleOptions, assembleTransfer, volumeChunks, volumePath } from './export-transfer.js';

const PROGRESS_BYTES = 16 << 20;

export interface PlannedVolume {
  readonly path: string;
  /** from 1 */
  readonly number: number;
  /** bytes of the file */
  readonly size: number;
  readonly sha256: Sha256Hex;
}

export interface PlannedChecksums {
  readonly manifest: TransferManifest;
  /** of the manifest */
  readonly digest: Sha256Hex;
  /** ids of the keys that will sign */
  readonly signers: readonly string[];
  readonly volumes: readonly PlannedVolume[];
  readonly layout: Pick<VolumeLayout, 'manifest' | 'volumes'>;
}

/**
 * Reads all content that would go along. Metadata is compressed into a folder for temporary files, which goes again;
 * nothing is written elsewhere.
 *
 * @param path of the package that would be written
 * @throws WsusutilError as `exportTransfer`
 */
export async function planChecksums(path: string, options: AssembleOptions): Promise<PlannedChecksums> {
  const { signal, report, signers } = options;
  const folder = await mkdtemp(join(tmpdir(), 'wsusutil-'));
  try {
    const { set, digest } = await assembleTransfer(folder, options);
    const { volumes: layout } = set.layout;
    const totalBytes = layout.reduce((sum, { fileSize }) => sum + fileSize, 0);
    report({ type: 'stage-started', stage: 'reading', unit: 'bytes', total: totalBytes });
    let done = 0;
    let told = 0;
    const volumes: PlannedVolume[] = [];
    for (const { number } of layout) {
      const hash = createHash('sha256');
      const before = done;
      for await (const chunk of volumeChunks(set, number, signal)) {
        hash.update(chunk);
        done += chunk.length;
        if (done - told < PROGRESS_BYTES) continue;
        told = done;
        report({ type: 'progress', stage: 'reading', done, total: totalBytes, bytes: done, totalBytes });
      }
      volumes.push({
        path: volumePath(path, number, layout.length),
        number,
        size: done - before,
        sha256: hash.digest('hex').toUpperCase(),
      });
    }
    report({ type: 'stage-finished', stage: 'reading', done });
    return {
      manifest: set.manifest,
      digest,
      signers: signers.map(({ publicKey }) => publicKey.keyId),
      volumes,
      layout: { manifest: set.manifest, volumes: layout },
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
