/** The real cabinets beside the checkout, and what the manifest says about each. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface SharedCabinet {
  /** relative to the folder of shared data */
  readonly path: string;
  readonly bytes: Buffer;
  /** false where the reference program refuses it whole or in part */
  readonly isSound: boolean;
  readonly isPartOfSet: boolean;
  readonly extracted: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[];
}

interface ManifestFile {
  readonly path: string;
  readonly expected: {
    readonly flags?: number;
    readonly cabextractTest?: { readonly exit: number };
    readonly extracted?: SharedCabinet['extracted'];
  };
}

/** Every cabinet of the manifest: test suites, update blobs, scan file and export packages. */
export function listSharedCabinets(folder: string): readonly SharedCabinet[] {
  const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as {
    readonly files: readonly ManifestFile[];
  };
  return manifest.files
    .filter(({ path }) => path.endsWith('.cab'))
    .map(({ path, expected }) => ({
      path,
      bytes: readFileSync(join(folder, path)),
      isSound: expected.cabextractTest?.exit === 0,
      isPartOfSet: ((expected.flags ?? 0) & 3) !== 0,
      extracted: expected.extracted ?? [],
    }));
}
