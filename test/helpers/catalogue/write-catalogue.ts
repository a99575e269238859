/** A generated catalogue as an export package on disk, made by the project's own writer. */
import { recordSize } from '../../../src/formats/export-package/metadata-writer.js';
import { packageFormatOf } from '../../../src/model/export-package.js';
import { type PackageContent, writePackage } from '../../../src/packages/write-package.js';
import {
  type CatalogueItem,
  type CatalogueOptions,
  catalogueHeader,
  generateCatalogue,
} from './generate-catalogue.js';

/** Revisions handed to the writer at a time: about a mebibyte of documents. */
const BATCH_LENGTH = 150;

export interface CatalogueSummary {
  readonly revisions: number;
  /** bytes of all documents */
  readonly documentSize: number;
  /** bytes of the file written */
  readonly packageSize: number;
}

/** The catalogue as the package writer asks for it: each part runs through it anew. */
export function catalogueContent(options: CatalogueOptions): PackageContent {
  return {
    header: catalogueHeader(options),
    files: () => parts(options, ({ files }) => files),
    entries: () => parts(options, ({ entry }) => [entry]),
    records: () => parts(options, ({ identity, document }) => [{ identity, document }]),
  };
}

async function* parts<T>(
  options: CatalogueOptions,
  rowsOf: (item: CatalogueItem) => readonly T[],
): AsyncGenerator<readonly T[], void, undefined> {
  let batch: T[] = [];
  let count = 0;
  for (const item of generateCatalogue(options)) {
    batch.push(...rowsOf(item));
    if (++count % BATCH_LENGTH === 0) {
      yield batch;
      batch = [];
    }
  }
  yield batch;
}

/**
 * Writes the catalogue to `path`, whose extension chooses the format.
 *
 * @throws WsusutilError as `writePackage`, e.g. `TARGET_EXISTS`, `CAB_TOO_LARGE`
 */
export async function writeCatalogue(path: string, options: CatalogueOptions): Promise<CatalogueSummary> {
  let documentSize = 0;
  for (const { document } of generateCatalogue(options)) documentSize += document.length;
  const { size } = await writePackage(path, packageFormatOf(path), catalogueContent(options), {
    signal: new AbortController().signal,
    metadataSize: documentSize + options.revisions * recordSize(0),
  });
  return { revisions: options.revisions, documentSize, packageSize: size };
}
