/** Writes the store's metadata, or a chosen part with all it needs, as a package that WSUS understands. */

import { lstatSync, rmSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { throwIfInterrupted, WsusutilError } from '../errors.js';
import { recordSize } from '../formats/export-package/metadata-writer.js';
import { entrySize, fileSize, frameSize } from '../formats/export-package/package-xml-writer.js';
import { groupDigits } from '../formats/group-digits.js';
import type { Sha1Hex } from '../model/digest.js';
import {
  MAX_CAB_UNCOMPRESSED_SIZE,
  type PackageFormat,
  type PackageHeader,
  packageFormatOf,
} from '../model/export-package.js';
import { announcedLanguages, type LanguageChoice } from '../model/language.js';
import { UPDATE_TYPES, type UpdateType } from '../model/revision.js';
import type { RevisionFilter, RevisionKey } from '../store/metadata-store.js';
import type { PackageRun } from './package-run.js';
import { openPackageRunner, type PackageRunner } from './package-runner.js';
import { closeOverNeeds, keysOf, orderByNeeds, splitByNeeds } from './select-revisions.js';
import { measurePackage, type PackageContent, writePackage } from './write-package.js';

/** What current servers (2016 and later) write; the version of [MS-WSUSSS] they speak. */
export const PROTOCOL_VERSION = '1.20';
export const FORMAT_VERSION = '1.0';

export interface ExportOptions extends PackageRun {
  /** target; the extension chooses the format */
  readonly path: string;
  /** undefined: everything, as the real tool does */
  readonly filter: RevisionFilter | undefined;
  /** what this server is set to, which the package says of it; default: no choice */
  readonly languages?: LanguageChoice | undefined;
  /** uncompressed bytes of one cabinet; undefined: one package, or an error if it does not fit */
  readonly splitSize: number | undefined;
  /** count and measure, write nothing */
  readonly dryRun: boolean;
}

export interface WrittenPackage {
  readonly path: string;
  readonly revisions: number;
  /** bytes of the file */
  readonly size: number;
  /** bytes before compression */
  readonly uncompressedSize: number;
  /** hex; of the file */
  readonly sha256: string;
}

export interface ExportPlan {
  /** before compression, exact */
  readonly cabUncompressedSize: number;
  readonly fitsInCab: boolean;
  readonly xmlUncompressedSize: number;
  /** estimated from how well the store's documents compress */
  readonly estimatedSize: { readonly cab: number; readonly xmlGz: number };
}

export interface ExportSummary {
  readonly format: PackageFormat;
  readonly header: PackageHeader;
  readonly dryRun: boolean;
  readonly revisions: number;
  readonly byType: Readonly<Record<UpdateType, number>>;
  /** revisions that the filter chose; the others are there because these need them */
  readonly chosen: number;
  /** payload files in the package's list */
  readonly files: number;
  /** payload files left out of the list, because no location is known */
  readonly filesWithoutLocation: number;
  readonly documentBytes: number;
  /** empty for a dry run */
  readonly packages: readonly WrittenPackage[];
  readonly plan: ExportPlan | undefined;
}

/** Which revisions a package carries. */
export interface ExportSelection {
  /** in the order of the package: what is needed comes first */
  readonly keys: readonly RevisionKey[];
  readonly isAll: boolean;
  readonly chosen: number;
}

/**
 * @throws WsusutilError `TARGET_EXISTS`, `CAB_TOO_LARGE`, `NOT_FOUND` (the filter matches nothing), `DISK_FULL`,
 * `READ_ONLY`, `INTERRUPTED`. No file stays under the target's name then.
 */
export async function exportPackage(options: ExportOptions): Promise<ExportSummary> {
  return options.store.readConsistently(async () => {
    const selection = await selectRevisions(options);
    const run = new ExportRun(options, selection);
    try {
      return await run.perform();
    } finally {
      await run.close();
    }
  });
}

/**
 * The revisions that pass the filter with all they need, or everything.
 *
 * @throws WsusutilError `NOT_FOUND` if nothing passes
 */
export async function selectRevisions({
  store,
  filter,
  report,
}: Pick<ExportOptions, 'store' | 'filter' | 'report'>): Promise<ExportSelection> {
  if (filter === undefined && !(await store.needsSorting())) {
    const keys = await store.listKeys();
    return { keys, isAll: true, chosen: keys.length };
  }
  const graph = await store.dependencyGraph();
  if (filter === undefined) {
    report({ type: 'step', message: 'Sorting: some revisions arrived before others that they need' });
    const everything = new Set(graph.keys.keys());
    return { keys: keysOf(graph, orderByNeeds(graph, everything)), isAll: true, chosen: graph.keys.length };
  }
  const chosenKeys = await store.listKeys(filter);
  if (chosenKeys.length === 0) {
    throw new WsusutilError(
      'NOT_FOUND',
      'No update in the store matches these filters; nothing was exported',
      {
        hint: 'Try the same filters with "wsusutil updates" to see what they match.',
      },
    );
  }
  const chosen = chosenKeys.map((key) => graph.indexOf(key) as number);
  const closed = closeOverNeeds(graph, chosen);
  report({
    type: 'step',
    message: `${chosen.length} revisions chosen, ${closed.size - chosen.length} more that they need`,
  });
  return { keys: keysOf(graph, orderByNeeds(graph, closed)), isAll: false, chosen: chosen.length };
}

class ExportRun {
  readonly #options: ExportOptions;
  readonly #selection: ExportSelection;
  #runner: PackageRunner | undefined;

  constructor(options: ExportOptions, selection: ExportSelection) {
    this.#options = options;
    this.#selection = selection;
  }

  async close(): Promise<void> {
    await this.#runner?.close();
  }

  async perform(): Promise<ExportSummary> {
    const { path, store, languages = 'all', now, report, dryRun, splitSize } = this.#options;
    const { keys, chosen } = this.#selection;
    const format = packageFormatOf(path);
    const header: PackageHeader = {
      serverId: store.serverId,
      creationTime: `${now().toISOString().slice(0, 19)}Z`,
      formatVersion: FORMAT_VERSION,
      protocolVersion: PROTOCOL_VERSION,
      languages: announcedLanguages(await store.languages(), languages),
    };
    const byType = Object.fromEntries(UPDATE_TYPES.map((type) => [type, 0])) as Record<UpdateType, number>;
    let documentBytes = 0;
    for await (const rows of store.exportRows(keys)) {
      throwIfInterrupted(this.#options.signal, 'exporting; nothing was written');
      for (const row of rows) {
        byType[row.updateType]++;
        documentBytes += row.documentSize;
      }
    }
    const filterKeys = this.#selection.isAll ? undefined : keys;
    let files = 0;
    for await (const batch of store.exportFiles(filterKeys)) files += batch.length;
    const filesWithoutLocation = await store.countFilesWithoutLocation(filterKeys);
    if (filesWithoutLocation > 0) {
      report({
        type: 'warning',
        code: 'FILE_WITHOUT_URL',
        message: `${filesWithoutLocation} files have no known download location and are left out of the package's file list; their updates are in it`,
      });
    }
    const content = this.#contentOf(header, keys, filterKeys);
    let packages: readonly WrittenPackage[] = [];
    let plan: ExportPlan | undefined;
    if (dryRun) plan = await this.#plan(content, documentBytes);
    else if (splitSize !== undefined) packages = await this.#writeSplit(header, splitSize);
    else packages = [await this.#write(path, format, content, keys.length, documentBytes)];
    return {
      format,
      header,
      dryRun,
      revisions: keys.length,
      byType,
      chosen,
      files,
      filesWithoutLocation,
      documentBytes,
      packages,
      plan,
    };
  }

  #contentOf(
    header: PackageHeader,
    keys: readonly RevisionKey[],
    fileKeys: readonly RevisionKey[] | undefined,
  ): PackageContent {
    const { store } = this.#options;
    return {
      header,
      files: () => store.exportFiles(fileKeys),
      entries: () => store.exportRows(keys),
      records: () => store.readDocuments(keys),
    };
  }

  async #plan(content: PackageContent, documentBytes: number): Promise<ExportPlan> {
    const cab = await measurePackage(content, 'cab', {
      metadataSize: metadataSizeOf(this.#selection.keys.length, documentBytes),
    });
    const xml = await measurePackage(content, 'xml.gz');
    const ratio = await this.#options.store.compressionRatio();
    return {
      cabUncompressedSize: cab.uncompressedSize,
      fitsInCab: cab.uncompressedSize <= MAX_CAB_UNCOMPRESSED_SIZE,
      xmlUncompressedSize: xml.uncompressedSize,
      estimatedSize: {
        cab: Math.round(cab.uncompressedSize * ratio),
        xmlGz: Math.round(cab.uncompressedSize * ratio),
      },
    };
  }

  async #write(
    path: string,
    format: PackageFormat,
    content: PackageContent,
    revisions: number,
    documentBytes: number,
  ): Promise<WrittenPackage> {
    const { report, signal, threads } = this.#options;
    report({ type: 'stage-started', stage: 'exporting', unit: 'revisions', total: revisions });
    if (format === 'cab') this.#runner ??= openPackageRunner(documentBytes < THREADED_SIZE ? 0 : threads);
    const runner = this.#runner;
    const written = await writePackage(path, format, content, {
      signal,
      metadataSize: metadataSizeOf(revisions, documentBytes),
      onProgress: (done, bytes) =>
        report({
          type: 'progress',
          stage: 'exporting',
          done,
          total: revisions,
          bytes,
          totalBytes: undefined,
        }),
      ...(runner === undefined
        ? {}
        : { compressBlocks: (plain, dictionary) => compressWith(runner, plain, dictionary) }),
    });
    report({ type: 'stage-finished', stage: 'exporting', done: revisions });
    report({
      type: 'step',
      message: `Wrote ${path}: ${groupDigits(written.size)} bytes, SHA-256 ${written.sha256}`,
    });
    return {
      path,
      revisions,
      size: written.size,
      uncompressedSize: written.uncompressedSize,
      sha256: written.sha256,
    };
  }

  async #writeSplit(header: PackageHeader, splitSize: number): Promise<readonly WrittenPackage[]> {
    const { path, store } = this.#options;
    const graph = await store.dependencyGraph();
    const order = this.#selection.keys.map((key) => graph.indexOf(key) as number);
    const locationSizes = new Map<Sha1Hex, number>();
    for await (const files of store.exportFiles(this.#selection.isAll ? undefined : this.#selection.keys)) {
      for (const file of files) locationSizes.set(file.sha1, fileSize(file));
    }
    const sizes = new Map<number, { inPackage: number; document: number }>();
    for await (const rows of store.exportRows(this.#selection.keys)) {
      for (const row of rows) {
        // A file that several revisions share is counted for each: rather a part too many than one too large.
        const files = row.fileSha1s.reduce((sum, sha1) => sum + (locationSizes.get(sha1) ?? 0), 0);
        sizes.set(graph.indexOf(row.key) as number, {
          inPackage: recordSize(row.documentSize) + entrySize(row) + files,
          document: row.documentSize,
        });
      }
    }
    const capacity = splitSize - frameSize(header);
    const parts = splitByNeeds(graph, order, (index) => sizes.get(index)?.inPackage ?? 0, capacity);
    if (parts === undefined) {
      throw new WsusutilError(
        'CAB_TOO_LARGE',
        `One update with all that it needs is larger than ${groupDigits(splitSize)} bytes`,
        {
          hint: 'Give a larger --split-size, or export to a name that ends in .xml.gz.',
        },
      );
    }
    const paths = parts.map((_, index) => partPath(path, index + 1, parts.length));
    for (const each of paths) refuseExisting(each);
    const written: WrittenPackage[] = [];
    try {
      for (const [index, part] of parts.entries()) {
        const keys = keysOf(graph, part.indices);
        const documentBytes = part.indices.reduce((sum, each) => sum + (sizes.get(each)?.document ?? 0), 0);
        const content = this.#contentOf(header, keys, keys);
        written.push(await this.#write(paths[index] as string, 'cab', content, keys.length, documentBytes));
      }
    } catch (error) {
      // Some parts without the others look like an export, and are none.
      for (const part of written) rmSync(part.path, { force: true });
      throw error;
    }
    return written;
  }
}

/** Below this size starting threads costs more than it brings. */
const THREADED_SIZE = 16 << 20;

/** `export.cab` → `export.part1of3.cab`. */
export function partPath(path: string, part: number, count: number): string {
  const extension = extname(path);
  return join(dirname(path), `${basename(path, extension)}.part${part}of${count}${extension}`);
}

function refuseExisting(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
  throw new WsusutilError('TARGET_EXISTS', `${path} already exists`, {
    hint: 'Choose a new name; an existing file is never overwritten.',
    details: { path },
  });
}

function metadataSizeOf(revisions: number, documentBytes: number): number {
  return documentBytes + revisions * recordSize(0);
}

async function compressWith(
  runner: PackageRunner,
  plain: Uint8Array,
  dictionary: Uint8Array,
): Promise<readonly Uint8Array[]> {
  const reply = await runner.run({ kind: 'mszip', plain, dictionary });
  if (reply.kind !== 'mszip') throw new Error('a worker answered another task');
  return reply.blocks;
}
