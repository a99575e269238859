import { WsusutilError } from '../../errors.js';
import type { DocumentEncoding, RecordBatch } from '../../model/export-package.js';
import { RecordList } from '../../model/record-list.js';
import { formatIdentity, type UpdateIdentity } from '../../model/update-identity.js';
import { BatchMemory } from './batch-memory.js';
import { detectDocumentEncoding, trimSpace } from './document-encoding.js';
import { BATCH_SIZE, RECORDS_PER_BATCH } from './limits.js';

/** Collects the inner sources of `metadata` elements into batches that own their memory. */
export class DocumentBatcher {
  readonly #emit: (batch: RecordBatch) => void;
  readonly #maxSourceSize: number;
  readonly #batchSize: number;
  readonly #memory: BatchMemory;
  #bytes: Buffer;
  /** end of the last finished document */
  #position = 0;
  /** bytes filled, those of the document at hand included */
  #length = 0;
  #encoding: DocumentEncoding = 'plain';
  #records = new RecordList();

  /** @param maxSourceSize bytes one document may take in its encoding */
  constructor(
    emit: (batch: RecordBatch) => void,
    maxSourceSize: number,
    batchSize = BATCH_SIZE,
    memory = new BatchMemory(),
  ) {
    this.#memory = memory;
    this.#emit = emit;
    this.#maxSourceSize = maxSourceSize;
    this.#batchSize = batchSize;
    this.#bytes = this.#memory.take(batchSize);
  }

  /** @param source one character per byte */
  append(source: string, identity: UpdateIdentity): void {
    const size = this.#length - this.#position + source.length;
    if (size > this.#maxSourceSize) {
      throw new WsusutilError(
        'LIMIT_EXCEEDED',
        `The document of ${formatIdentity(identity)} is longer than ${this.#maxSourceSize} bytes in the package`,
        { hint: 'The longest real document has less than a million characters; the package is damaged.' },
      );
    }
    if (this.#length + source.length > this.#bytes.length) this.#makeRoom(source.length);
    this.#length += this.#bytes.write(source, this.#length, 'latin1');
  }

  /** The document at hand is complete. */
  finish(identity: UpdateIdentity): void {
    const source = this.#bytes.subarray(this.#position, this.#length);
    const encoding = detectDocumentEncoding(source);
    if (encoding === undefined) {
      const found = source.subarray(0, 60).toString('latin1');
      throw new WsusutilError(
        'PACKAGE_UNSUPPORTED',
        `The metadata element of ${formatIdentity(identity)} holds ${source.length === 0 ? 'nothing' : JSON.stringify(found)}: neither markup nor text, CDATA or Base64 of a document`,
        { hint: 'Please report this package: the layout of .xml.gz packages is not published.' },
      );
    }
    if (encoding !== this.#encoding && this.#records.length > 0) this.flush();
    this.#encoding = encoding;
    // `source` is a view that a flush would leave behind; offsets count from the current buffer
    const document = this.#bytes.subarray(this.#position, this.#length);
    const trimmed = encoding === 'plain' ? trimSpace(document) : document;
    const start = trimmed.byteOffset;
    this.#records.push(identity, start, start + trimmed.length);
    this.#position = this.#length;
  }

  /** Hands on the finished documents if there are enough of them. */
  flushIfFull(): void {
    if (this.#position >= this.#batchSize || this.#records.length >= RECORDS_PER_BATCH) this.flush();
  }

  /** Hands on the finished documents. */
  flush(): void {
    this.#startBuffer(this.#batchSize);
  }

  #makeRoom(size: number): void {
    const used = this.#length - this.#position;
    if (this.#records.length > 0) this.#startBuffer(Math.max(this.#batchSize, (used + size) * 2));
    else this.#startBuffer(Math.max(this.#bytes.length * 2, used + size));
  }

  #startBuffer(capacity: number): void {
    const rest = this.#bytes.subarray(this.#position, this.#length);
    const next = this.#memory.take(Math.max(capacity, rest.length));
    next.set(rest);
    if (this.#records.length > 0) {
      const records = this.#records;
      this.#records = new RecordList();
      const bytes = new Uint8Array(this.#bytes.buffer as ArrayBuffer, 0, this.#position);
      this.#emit({ bytes, encoding: this.#encoding, records });
    }
    this.#bytes = next;
    this.#length = rest.length;
    this.#position = 0;
  }
}
