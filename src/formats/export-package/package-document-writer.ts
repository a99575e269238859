/** The one XML document of an `.xml.gz` package; its layout is described in `packages/write-package.ts`. */
import type { PackageEntry, PackageFile, PackageHeader } from '../../model/export-package.js';
import { formatIdentity } from '../../model/update-identity.js';
import { escapedSize, escapeInto } from './document-encoding.js';
import { checkDocument, type PackageRecord } from './metadata-writer.js';
import {
  identityAttributes,
  serializeFiles,
  serializeHeader,
  serializeReferences,
  writeList,
} from './package-xml-writer.js';

/** bytes of a piece, unless one document is longer */
const PIECE_SIZE = 256 * 1024;

type Batches<T> = AsyncIterable<readonly T[]> | Iterable<readonly T[]>;

/**
 * All of the document, in pieces of about a quarter mebibyte.
 *
 * @param entries, records the same updates in the same order; batches may be cut differently
 * @throws WsusutilError `UPDATE_MALFORMED` if a document is not UTF-8 or a name cannot stand in XML
 * @throws Error if entries and records disagree
 */
export async function* writePackageDocument(
  header: PackageHeader,
  files: Batches<PackageFile>,
  entries: Batches<PackageEntry>,
  records: Batches<PackageRecord>,
): AsyncGenerator<Buffer, void, undefined> {
  yield Buffer.from(serializeHeader(header));
  yield* writeList('Files', files, serializeFiles);
  const piece = new Piece();
  const documents = new Cursor(records);
  let isEmpty = true;
  try {
    for await (const batch of entries) {
      for (const entry of batch) {
        const record = documents.next() ?? (await documents.nextBatch());
        checkSameUpdate(entry, record);
        checkDocument(record.identity, record.document);
        if (isEmpty) piece.addText('<updates>');
        isEmpty = false;
        piece.addText(`<update ${identityAttributes(entry)}>${serializeReferences(entry)}<metadata>`);
        piece.addDocument(record.document);
        piece.addText('</metadata></update>');
        if (piece.size >= PIECE_SIZE) yield piece.take();
      }
    }
    const surplus = documents.next() ?? (await documents.nextBatch());
    if (surplus !== undefined)
      throw new Error(`no entry for the document of ${formatIdentity(surplus.identity)}`);
  } finally {
    await documents.close();
  }
  piece.addText(`${isEmpty ? '<updates />' : '</updates>'}</ExportPackage>`);
  yield piece.take();
}

function checkSameUpdate(
  { identity }: PackageEntry,
  record: PackageRecord | undefined,
): asserts record is PackageRecord {
  if (record === undefined) throw new Error(`no document for the entry of ${formatIdentity(identity)}`);
  const { updateId, revisionNumber } = record.identity;
  if (updateId === identity.updateId && revisionNumber === identity.revisionNumber) return;
  throw new Error(
    `the entry is ${formatIdentity(identity)}, its document ${formatIdentity(record.identity)}`,
  );
}

/** Single items out of batches, without waiting between those of one batch. */
class Cursor<T> {
  readonly #batches: AsyncIterator<readonly T[]> | Iterator<readonly T[]>;
  #batch: readonly T[] = [];
  #index = 0;

  constructor(batches: Batches<T>) {
    this.#batches =
      Symbol.asyncIterator in batches ? batches[Symbol.asyncIterator]() : batches[Symbol.iterator]();
  }

  /** The next item of the batch at hand; undefined at its end. */
  next(): T | undefined {
    return this.#index < this.#batch.length ? this.#batch[this.#index++] : undefined;
  }

  /** Lets the source go, e.g. a statement it has open. */
  async close(): Promise<void> {
    await this.#batches.return?.();
  }

  /** The first item of the next batch; undefined if there is none. */
  async nextBatch(): Promise<T | undefined> {
    for (;;) {
      const step = await this.#batches.next();
      if (step.done === true) return undefined;
      if (step.value.length === 0) continue;
      this.#batch = step.value;
      this.#index = 1;
      return step.value[0];
    }
  }
}

class Piece {
  #bytes = Buffer.allocUnsafeSlow(PIECE_SIZE * 2);
  size = 0;

  addText(text: string): void {
    this.#reserve(text.length * 3);
    this.size += this.#bytes.write(text, this.size, 'utf8');
  }

  addDocument(document: Uint8Array): void {
    this.#reserve(escapedSize(document));
    this.size = escapeInto(document, this.#bytes, this.size);
  }

  take(): Buffer {
    const bytes = this.#bytes.subarray(0, this.size);
    this.#bytes = Buffer.allocUnsafeSlow(PIECE_SIZE * 2);
    this.size = 0;
    return bytes;
  }

  #reserve(size: number): void {
    if (this.size + size <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.size + size));
    grown.set(this.#bytes.subarray(0, this.size));
    this.#bytes = grown;
  }
}
