/**
 * Packages that were imported before, byte for byte: what such a one holds is in the store, and reading it once more would
 * take half as long as the first time, for nothing.
 */
import { stat } from 'node:fs/promises';
import type { FileDigest } from '../platform/hash-file.js';
import type { HistoryEntry, MetadataStore } from '../store/metadata-store.js';

/** Runs looked back at, the newest first. */
const MAX_LOOK_BACK = 200;

/** Counts of an import whose package had nothing about it that would have to be said again. */
export interface EarlierImport {
  /** milliseconds since 1970 */
  readonly finishedAt: number;
  readonly revisions: number;
  readonly files: number;
  readonly documentBytes: number;
}

/** For the history: by what a package is known again. */
export function traceOf({ sha256, size }: FileDigest): Readonly<Record<string, unknown>> {
  return { packageSize: size, packageSha256: sha256 };
}

/**
 * The last import of these very bytes, if nothing can have taken out since what it brought or met: only an undo does.
 *
 * @param hash asked only if there is an import of a package of this size, in bytes
 */
export async function findEarlierImport(
  store: Pick<MetadataStore, 'listHistory'>,
  path: string,
  hash: (size: number) => Promise<FileDigest | undefined>,
): Promise<EarlierImport | undefined> {
  const size = await stat(path).then(
    (facts) => facts.size,
    () => undefined, // whoever reads it says why
  );
  if (size === undefined) return undefined;
  const candidates: { readonly sha256: unknown; readonly earlier: EarlierImport }[] = [];
  for (const run of await store.listHistory(MAX_LOOK_BACK)) {
    if (run.action === 'undo') break;
    const earlier = earlierOf(run, size);
    if (earlier !== undefined) candidates.push({ sha256: run.details.packageSha256, earlier });
  }
  if (candidates.length === 0) return undefined;
  const digest = await hash(size);
  return candidates.find(({ sha256 }) => sha256 === digest?.sha256)?.earlier;
}

function earlierOf(run: HistoryEntry, size: number): EarlierImport | undefined {
  const { revisions, files, documentBytes, packageSize, packageSha256 } = run.details;
  const isOne =
    run.action === 'import' &&
    run.outcome === 'complete' &&
    packageSize === size &&
    typeof packageSha256 === 'string';
  if (!isOne) return undefined;
  const counts = [revisions, files, documentBytes];
  if (!counts.every((count) => Number.isSafeInteger(count))) return undefined;
  return {
    finishedAt: run.finishedAt,
    revisions: Number(revisions),
    files: Number(files),
    documentBytes: Number(documentBytes),
  };
}
