/** Sizes of volumes, exact to the byte. */
import type { Sha256Hex } from '../../model/digest.js';
import { MANIFEST_NAME, partName, signatureName, VOLUME_NAME } from './entry-names.js';
import type { TransferEntry } from './manifest.js';
import { TRAILER_SIZE, tarEntrySize } from './tar-header.js';

/** `volume.json`. @param only index in the manifest of each entry it holds, ascending; undefined: all of the volume */
export function serializeVolumeJson(
  digest: Sha256Hex,
  volume: number,
  only?: readonly number[] | undefined,
): string {
  return `${JSON.stringify({ manifest: digest, volume, ...(only === undefined ? {} : { only }) })}\n`;
}

const NO_DIGEST: Sha256Hex = '0'.repeat(64);

/** Bytes of a volume with no entry in it, without signatures. */
export function emptyVolumeSize(number: number, manifestSize: number): number {
  return (
    tarEntrySize(MANIFEST_NAME, manifestSize) +
    tarEntrySize(VOLUME_NAME, serializeVolumeJson(NO_DIGEST, number).length) +
    TRAILER_SIZE
  );
}

/** Bytes that signature files of these sizes take in each volume. */
export function signaturesSize(sizes: readonly number[]): number {
  return sizes.reduce((sum, size, index) => sum + tarEntrySize(signatureName(index + 1), size), 0);
}

/** Bytes, without signatures, and files in each volume. */
export function measureVolumes(
  entries: Iterable<TransferEntry>,
  volumeCount: number,
  manifestSize: number,
): { size: number; pieces: number }[] {
  const volumes = Array.from({ length: volumeCount }, (_, index) => ({
    size: emptyVolumeSize(index + 1, manifestSize),
    pieces: 0,
  }));
  const add = (volume: number, name: string, size: number) => {
    const sums = volumes[volume - 1] as (typeof volumes)[number];
    sums.size += tarEntrySize(name, size);
    sums.pieces++;
  };
  for (const { path, size, volume, parts } of entries) {
    if (parts === undefined) add(volume, path, size);
    else for (const [index, part] of parts.entries()) add(part.volume, partName(path, index + 1), part.size);
  }
  return volumes;
}
