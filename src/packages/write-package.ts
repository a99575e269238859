/**
 * Writes export packages. What is on disk:
 *
 * `.cab`: one cabinet, one MSZIP folder, two members in this order, both dated with the package's creation time in
 * UTC. Read by wsusutil of every WSUS version that is known (package-formats 0.2a, 1).
 *
 *   package.xml    UTF-8 with byte order mark, one line, no namespace:
 *                  <?xml version="1.0" encoding="utf-8"?>
 *                  <ExportPackage ServerID CreationTime FormatVersion ProtocolVersion>
 *                    <Languages> <Language Id ShortName LongName Enabled /> … </Languages>
 *                    <Files>     <File Digest MUUrl Name /> …                </Files>
 *                    <Updates>   <Update UpdateId RevisionNumber>
 *                                  <Files>           <File Digest /> …          </Files>
 *                                  <Categories>      <Category Value /> …       </Categories>
 *                                  <Classifications> <Classification Value /> … </Classifications>
 *                                </Update> …                                 </Updates>
 *                  </ExportPackage>
 *                  An element without children is written <Files />. RevisionNumber is decimal, Digest the Base64 of
 *                  a SHA-1.
 *   metadata.txt   UTF-8 without byte order mark; for every update, in the same order:
 *                  guid "," revision "," length "," document CR LF
 *                  revision and length are 8 lower-case hex digits, the length counts UTF-16 code units, and the
 *                  document is the update's XML byte for byte.
 *
 * `.xml.gz`: one gzip member (RFC 1952) without a file name, time 0 and OS 0, so that the same content gives the same
 * bytes. In it one XML document, UTF-8 with byte order mark, one line: `ExportPackage` with the attributes, `Languages`
 * and `Files` of package.xml, then
 *
 *                    <updates>   <update UpdateId RevisionNumber>
 *                                  <Files>, <Categories>, <Classifications> as above
 *                                  <metadata>the document as escaped text</metadata>
 *                                </update> …                                 </updates>
 *
 * In the escaped text `&` and `<` (and `>` where `]]>` occurs) are entities and CR is `&#xD;`, so that a reader gets the document back byte
 * for byte. THIS FORM HAS NOT MET MICROSOFT'S IMPORTER. Nobody has published its layout; the nesting and the names
 * ExportPackage, updates, update and metadata come from one error message of a real importer (package-formats 0.2a),
 * the rest is our choice.
 */

import { createHash } from 'node:crypto';
import { throwIfInterrupted, WsusutilError } from '../errors.js';
import { type CompressBlocks, writeCabinet } from '../formats/cab/write-cabinet.js';
import {
  type PackageRecord,
  recordSize,
  serializeRecords,
} from '../formats/export-package/metadata-writer.js';
import { writePackageDocument } from '../formats/export-package/package-document-writer.js';
import { writePackageXml } from '../formats/export-package/package-xml-writer.js';
import { groupDigits } from '../formats/group-digits.js';
import {
  MAX_CAB_UNCOMPRESSED_SIZE,
  type PackageEntry,
  type PackageFile,
  type PackageFormat,
  type PackageHeader,
} from '../model/export-package.js';
import { type AtomicFile, createAtomicFile } from '../platform/atomic-file.js';
import { openFileSource } from '../platform/file-source.js';
import { compress, DEFAULT_GZIP_LEVEL } from './compress.js';

export type { CompressBlocks } from '../formats/cab/write-cabinet.js';
export type { PackageRecord } from '../formats/export-package/metadata-writer.js';

export type Batches<T> = AsyncIterable<readonly T[]> | Iterable<readonly T[]>;

/** What goes into a package. Each list is asked for more than once and must be the same every time. */
export interface PackageContent {
  readonly header: PackageHeader;
  /** distinct by SHA-1 */
  files(): Batches<PackageFile>;
  entries(): Batches<PackageEntry>;
  /** The documents of the entries, in the same order; batches may be cut differently. */
  records(): Batches<PackageRecord>;
}

export interface MeasureOptions {
  readonly signal?: AbortSignal | undefined;
  /** bytes of `metadata.txt` (the sum of `recordSize`), if known: spares a `.cab` one pass over all documents */
  readonly metadataSize?: number | undefined;
}

export interface WritePackageOptions extends MeasureOptions {
  readonly signal: AbortSignal;
  /** documents handed to the package so far, and plain bytes of it */
  onProgress?(updates: number, bytes: number): void;
  /** `.cab`: compresses blocks, e.g. in worker threads; default: in this thread */
  readonly compressBlocks?: CompressBlocks | undefined;
  /** `.xml.gz`: zlib level 1–9, default 6 */
  readonly level?: number | undefined;
}

export interface WrittenPackage {
  /** bytes of the file */
  readonly size: number;
  /** bytes of both members, or of the document, before compression */
  readonly uncompressedSize: number;
  /** of the file, lower-case hex */
  readonly sha256: string;
  readonly updates: number;
}

export interface PackageMeasure {
  readonly updates: number;
  readonly uncompressedSize: number;
  /** false: the content is beyond what one cabinet holds; always true for `.xml.gz` */
  readonly fits: boolean;
  /** bytes of the members; undefined for `.xml.gz` */
  readonly packageXmlSize: number | undefined;
  readonly metadataSize: number | undefined;
}

/**
 * Sizes of a package without writing it, exact before compression.
 *
 * @throws WsusutilError `INTERRUPTED`, `UPDATE_MALFORMED`
 */
export async function measurePackage(
  content: PackageContent,
  format: PackageFormat,
  options: MeasureOptions = {},
): Promise<PackageMeasure> {
  const activity = 'measuring the package';
  const counter = new Counter(content, options.signal, activity);
  if (format === 'xml.gz') {
    let uncompressedSize = 0;
    for await (const piece of documentOf(content, counter)) uncompressedSize += piece.length;
    const { updates } = counter;
    return { updates, uncompressedSize, fits: true, packageXmlSize: undefined, metadataSize: undefined };
  }
  let packageXmlSize = 0;
  for await (const piece of writePackageXml(content.header, content.files(), counter.countEntries())) {
    packageXmlSize += piece.length;
  }
  let { metadataSize } = options;
  if (metadataSize === undefined) {
    metadataSize = 0;
    for await (const batch of content.records()) {
      throwIfInterrupted(options.signal, activity);
      for (const { document } of batch) metadataSize += recordSize(document.length);
    }
  }
  const uncompressedSize = packageXmlSize + metadataSize;
  return {
    updates: counter.updates,
    uncompressedSize,
    fits: uncompressedSize <= MAX_CAB_UNCOMPRESSED_SIZE,
    packageXmlSize,
    metadataSize,
  };
}

/**
 * Writes a package; it appears under `path` when it is complete, and never replaces a file.
 *
 * @throws WsusutilError `CAB_TOO_LARGE` (before anything is written, unless it is the compressed size that does not
 *   fit), `TARGET_EXISTS`, `DISK_FULL`, `READ_ONLY`, `WRITE_FAILED`, `UPDATE_MALFORMED`, `INTERRUPTED`
 * @throws Error if the lists of `content` do not agree
 */
export async function writePackage(
  path: string,
  format: PackageFormat,
  content: PackageContent,
  options: WritePackageOptions,
): Promise<WrittenPackage> {
  throwIfInterrupted(options.signal, `writing ${path}`);
  return format === 'cab'
    ? writeCabinetPackage(path, content, options)
    : writeGzipPackage(path, content, options);
}

async function writeCabinetPackage(
  path: string,
  content: PackageContent,
  options: WritePackageOptions,
): Promise<WrittenPackage> {
  const measure = await measurePackage(content, 'cab', options);
  const { uncompressedSize, packageXmlSize = 0, metadataSize = 0 } = measure;
  if (!measure.fits) {
    throw new WsusutilError(
      'CAB_TOO_LARGE',
      `${path}: ${groupDigits(measure.updates)} updates take ${groupDigits(uncompressedSize)} bytes; a cabinet holds at most ${groupDigits(MAX_CAB_UNCOMPRESSED_SIZE)}`,
      {
        hint: 'Export to a name that ends in .xml.gz, or into several cabinets with --split.',
        details: { uncompressedSize, limit: MAX_CAB_UNCOMPRESSED_SIZE, updates: measure.updates },
      },
    );
  }
  const modifiedAt = new Date(content.header.creationTime);
  const counter = new Counter(content, options.signal, `writing ${path}`);
  counter.onProgress = options.onProgress?.bind(options);

  const size = await writeAtomically(path, async (file) => {
    const packageXml = writePackageXml(content.header, content.files(), counter.countEntries());
    const members = [
      { name: 'package.xml', size: packageXmlSize, modifiedAt, chunks: counter.countBytes(packageXml) },
      { name: 'metadata.txt', size: metadataSize, modifiedAt, chunks: metadataOf(counter) },
    ];
    await writeCabinet(members, file, { compressBlocks: options.compressBlocks });
    counter.checkCounts();
  });
  // The header is completed last, so the digest can only be taken from the finished file.
  const sha256 = await digestOf(path);
  return { size, uncompressedSize, sha256, updates: counter.updates };
}

async function* metadataOf(counter: Counter): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const batch of counter.countRecords()) {
    if (batch.length === 0) continue;
    const bytes = serializeRecords(batch);
    counter.addBytes(bytes.length);
    yield bytes;
  }
}

async function writeGzipPackage(
  path: string,
  content: PackageContent,
  options: WritePackageOptions,
): Promise<WrittenPackage> {
  const counter = new Counter(content, options.signal, `writing ${path}`);
  counter.onProgress = options.onProgress?.bind(options);
  const hash = createHash('sha256');
  const size = await writeAtomically(path, (file) =>
    compress(
      counter.countBytes(documentOf(content, counter)),
      file,
      hash,
      options.level ?? DEFAULT_GZIP_LEVEL,
    ),
  );
  return { size, uncompressedSize: counter.bytes, sha256: hash.digest('hex'), updates: counter.updates };
}

function documentOf(content: PackageContent, counter: Counter): AsyncGenerator<Buffer, void, undefined> {
  return writePackageDocument(
    content.header,
    content.files(),
    counter.countEntries(),
    counter.countRecords(),
  );
}

/** @returns the size of the file */
async function writeAtomically(path: string, write: (file: AtomicFile) => Promise<void>): Promise<number> {
  const file = await createAtomicFile(path, { replace: false });
  try {
    await write(file);
    const { size } = file;
    await file.commit();
    return size;
  } catch (error) {
    await file.discard();
    throw error;
  }
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  const source = await openFileSource(path);
  try {
    for await (const chunk of source.chunks()) hash.update(chunk);
  } finally {
    await source.close();
  }
  return hash.digest('hex');
}

/** Counts what passes, reports it, and looks at the signal. */
class Counter {
  readonly #content: PackageContent;
  readonly #signal: AbortSignal | undefined;
  readonly #activity: string;
  onProgress: ((updates: number, bytes: number) => void) | undefined;
  updates = 0;
  bytes = 0;
  #records = 0;

  constructor(content: PackageContent, signal: AbortSignal | undefined, activity: string) {
    this.#content = content;
    this.#signal = signal;
    this.#activity = activity;
  }

  async *countEntries(): AsyncGenerator<readonly PackageEntry[], void, undefined> {
    for await (const batch of this.#content.entries()) {
      throwIfInterrupted(this.#signal, this.#activity);
      this.updates += batch.length;
      yield batch;
    }
  }

  async *countRecords(): AsyncGenerator<readonly PackageRecord[], void, undefined> {
    for await (const batch of this.#content.records()) {
      throwIfInterrupted(this.#signal, this.#activity);
      this.#records += batch.length;
      yield batch;
    }
  }

  async *countBytes<T extends Uint8Array>(pieces: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    for await (const piece of pieces) {
      throwIfInterrupted(this.#signal, this.#activity);
      this.addBytes(piece.length);
      yield piece;
    }
  }

  addBytes(size: number): void {
    this.bytes += size;
    this.onProgress?.(this.#records, this.bytes);
  }

  checkCounts(): void {
    if (this.updates === this.#records) return;
    throw new Error(`${this.updates} entries, but ${this.#records} documents`);
  }
}
