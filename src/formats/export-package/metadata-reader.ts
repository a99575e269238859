import { isAscii } from 'node:buffer';
import { WsusutilError } from '../../errors.js';
import type { RecordBatch } from '../../model/export-package.js';
import { IDENTITY_SIZE, identityFromBytes } from '../../model/identity-list.js';
import { RecordList } from '../../model/record-list.js';
import type { UpdateIdentity } from '../../model/update-identity.js';
import { bufferOf } from '../bytes.js';
import { BatchMemory } from './batch-memory.js';
import { BATCH_SIZE, DEFAULT_PACKAGE_LIMITS, type PackageLimits, RECORDS_PER_BATCH } from './limits.js';
import { RECORD_HEAD_SIZE, type RecordHead, readRecordHead } from './record-head.js';
import { findInvalidUtf8, passUnits } from './utf8.js';
import { Utf16Transcoder } from './utf16.js';

/** Any beginning of a head, for a file that stops inside one. */
const PARTIAL_HEAD = /^[0-9a-f-]{0,36}(?:(?<=^.{36}),[0-9a-f]{0,8}(?:(?<=[0-9a-f]),[0-9a-f]{0,8})?)?$/i;
const CR = 0x0d;
const LF = 0x0a;
const BYTES_FOR_DETECTION = 3;

export interface MetadataReaderOptions {
  /** Takes a batch as soon as it is full; the batch owns its memory. */
  readonly emit: (batch: RecordBatch) => void;
  /** Said once, if lengths turn out to count bytes. */
  readonly warn: (code: 'RECORD_LENGTH_IN_BYTES', message: string) => void;
  readonly limits?: Partial<PackageLimits> | undefined;
  /** bytes of a batch; smaller ones are for tests */
  readonly batchSize?: number | undefined;
  /** where batches come from; default: memory of their own */
  readonly memory?: BatchMemory | undefined;
}

/** Where a document ends, that more bytes are needed to know, or why it cannot be framed. */
type Framing =
  | { readonly end: number; readonly next: number; readonly isAscii: boolean }
  | 'more'
  | { readonly problem: string };

/**
 * `metadata.txt` in pieces of any size → batches of documents (package-formats 1.2).
 *
 * Documents are framed by their length in UTF-16 code units over UTF-8 bytes. A file in UTF-16 is converted first,
 * and the offsets in messages then count the converted bytes. Whole documents of ASCII are framed without looking
 * at single bytes.
 *
 * @throws WsusutilError `PACKAGE_MALFORMED`, `PACKAGE_TRUNCATED`, `LIMIT_EXCEEDED`; messages name record and offset
 */
export class MetadataReader {
  readonly #options: MetadataReaderOptions;
  readonly #limits: PackageLimits;
  readonly #batchSize: number;
  readonly #memory: BatchMemory;

  #bytes: Buffer;
  /** bytes filled */
  #length = 0;
  /** where the record being read begins */
  #position = 0;
  /** offset of the buffer's first byte in the file */
  #base = 0;
  #records = new RecordList();
  #recordCount = 0;

  /** Bytes held back until the encoding can be told; undefined from then on. */
  #beginning: Buffer | undefined = Buffer.alloc(0);
  #transcoder: Utf16Transcoder | undefined;
  #hasNul = false;
  #lengthsAreBytes = false;
  #warnedOfBytes = false;

  #head: RecordHead | undefined;
  /** identity of the record at hand */
  readonly #identityBytes = Buffer.alloc(IDENTITY_SIZE);
  /** of the document at hand, so that a long one arriving in pieces is counted once */
  #scanned = 0;
  #units = 0;

  constructor(options: MetadataReaderOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_PACKAGE_LIMITS, ...options.limits };
    this.#batchSize = Math.max(options.batchSize ?? BATCH_SIZE, RECORD_HEAD_SIZE);
    this.#memory = options.memory ?? new BatchMemory();
    this.#bytes = this.#memory.take(this.#batchSize);
  }

  write(chunk: Uint8Array): void {
    if (this.#beginning === undefined) {
      this.#append(this.#transcoder === undefined ? chunk : this.#transcoder.write(chunk));
      return;
    }
    this.#beginning = Buffer.concat([this.#beginning, chunk]);
    if (this.#beginning.length >= BYTES_FOR_DETECTION) this.#detectEncoding();
  }

  /** Hands on what is left; the file must be complete. */
  end(): void {
    if (this.#beginning !== undefined) this.#detectEncoding();
    this.#transcoder?.end();
    this.#frame(true);
    this.#flush(0);
  }

  #detectEncoding(): void {
    const bytes = this.#beginning as Buffer;
    this.#beginning = undefined;
    if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
      this.#base = 3;
      this.#append(bytes.subarray(3));
    } else if (bytes[0] === 0xff && bytes[1] === 0xfe) {
      this.#transcoder = new Utf16Transcoder('metadata.txt');
      this.#append(this.#transcoder.write(bytes.subarray(2)));
    } else if (isHexDigit(bytes[0]) && bytes[1] === 0) {
      this.#transcoder = new Utf16Transcoder('metadata.txt');
      this.#append(this.#transcoder.write(bytes));
    } else {
      this.#append(bytes);
    }
  }

  #append(chunk: Uint8Array): void {
    if (!this.#hasNul && bufferOf(chunk).includes(0)) this.#hasNul = true;
    let taken = 0;
    while (taken < chunk.length) {
      if (this.#length === this.#bytes.length) this.#makeRoom();
      const size = Math.min(chunk.length - taken, this.#bytes.length - this.#length);
      this.#bytes.set(chunk.subarray(taken, taken + size), this.#length);
      this.#length += size;
      taken += size;
    }
  }

  #makeRoom(): void {
    this.#frame(false);
    if (this.#position > 0) {
      this.#flush(this.#capacityNeeded());
      return;
    }
    // One record fills the whole buffer: its length is known and within limits, or counting will stop it.
    const grown = this.#memory.take(Math.max(this.#capacityNeeded(), this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }

  #capacityNeeded(): number {
    const head = this.#head;
    if (head === undefined) return this.#batchSize;
    return Math.max(this.#batchSize, head.size + head.length + 2 + RECORD_HEAD_SIZE);
  }

  /** Hands on the records framed so far and starts a buffer of `capacity` with the bytes after them. */
  #flush(capacity: number): void {
    const rest = this.#bytes.subarray(this.#position, this.#length);
    const next = this.#memory.take(Math.max(capacity, rest.length));
    next.set(rest);
    if (this.#records.length > 0) {
      const bytes = new Uint8Array(this.#bytes.buffer as ArrayBuffer, 0, this.#position);
      const records = this.#records;
      this.#records = new RecordList();
      this.#options.emit({ bytes, encoding: 'plain', records });
    }
    this.#bytes = next;
    this.#base += this.#position;
    this.#position = 0;
    this.#length = rest.length;
  }

  /** Frames as many records as the buffer holds. */
  #frame(isFinal: boolean): void {
    while (this.#position < this.#length && this.#frameRecord(isFinal)) {
      if (this.#records.length === RECORDS_PER_BATCH) this.#flush(this.#batchSize);
    }
  }

  #frameRecord(isFinal: boolean): boolean {
    const head = this.#head ?? this.#readHead(isFinal);
    if (head === undefined) return false;
    this.#head = head;
    const start = this.#position + head.size;
    let framing = this.#frameDocument(head, start, isFinal, this.#lengthsAreBytes);
    if (framing === 'more') return false;
    if ('problem' in framing) {
      const other = this.#frameOtherWay(head, start, isFinal);
      if (other === 'more') return false;
      if ('problem' in other) throw this.#unframeable(head, start, framing.problem, isFinal);
      framing = other;
    }
    this.#checkText(head, start, framing.end, framing.isAscii);
    this.#records.pushBytes(this.#identityBytes, start, framing.end);
    this.#recordCount++;
    this.#position = framing.next;
    this.#head = undefined;
    this.#scanned = 0;
    this.#units = 0;
    return true;
  }

  #readHead(isFinal: boolean): RecordHead | undefined {
    const available = this.#length - this.#position;
    if (available < RECORD_HEAD_SIZE && !isFinal) return undefined;
    const end = Math.min(this.#length, this.#position + RECORD_HEAD_SIZE);
    const head = readRecordHead(this.#bytes, this.#position, end, this.#identityBytes);
    if (head === undefined) {
      const text = this.#bytes.toString('latin1', this.#position, end);
      if (available < RECORD_HEAD_SIZE && PARTIAL_HEAD.test(text)) {
        throw truncated(`metadata.txt stops inside the head of ${this.#recordName(undefined)}`);
      }
      throw this.#malformed(
        undefined,
        0,
        `expected "<guid>,<revision>,<length>," in hexadecimal, found ${JSON.stringify(text)}`,
      );
    }
    if (this.#recordCount >= this.#limits.maxRecords) {
      throw new WsusutilError(
        'LIMIT_EXCEEDED',
        `metadata.txt holds more than ${this.#limits.maxRecords} updates`,
        { hint: 'No catalogue is that large; get the package from where it was made once more.' },
      );
    }
    if (head.length > this.#limits.maxDocumentSize) throw this.#tooLong(head.length);
    return head;
  }

  #frameDocument(head: RecordHead, start: number, isFinal: boolean, inBytes: boolean): Framing {
    const shortEnd = start + head.length;
    if (shortEnd > this.#length) {
      if (!isFinal) return 'more';
      return {
        problem: `the file ends ${shortEnd - this.#length} short of the ${head.length} its length promises`,
      };
    }
    const isPlain = isAscii(this.#bytes.subarray(start, shortEnd));
    if (inBytes || isPlain) return this.#frameTerminator(shortEnd, isFinal, isPlain);
    const passed = passUnits(this.#bytes, start + this.#scanned, this.#length, head.length - this.#units);
    this.#scanned += passed.size;
    this.#units += passed.units;
    if (this.#scanned > this.#limits.maxDocumentSize) throw this.#tooLong(this.#scanned);
    if (this.#units > head.length) {
      return { problem: `a length of ${head.length} would end inside a character of 4 bytes` };
    }
    const end = start + this.#scanned;
    if (end === this.#length && !isFinal) return 'more'; // the last character may go on
    if (this.#units < head.length) {
      return { problem: `the file ends after ${this.#units} of ${head.length} UTF-16 units` };
    }
    return this.#frameTerminator(end, isFinal, false);
  }

  /** CR LF; a bare LF and the end of the file are accepted (package-formats 1.2, step 4). */
  #frameTerminator(end: number, isFinal: boolean, isPlain: boolean): Framing {
    if (end === this.#length) return isFinal ? { end, next: end, isAscii: isPlain } : 'more';
    // A bare LF behind a CR would be half a line end: the length is one too many.
    if (this.#bytes[end] === LF && this.#bytes[end - 1] !== CR) {
      return { end, next: end + 1, isAscii: isPlain };
    }
    if (this.#bytes[end] === CR) {
      if (end + 1 === this.#length) {
        return isFinal ? { problem: 'the file ends between CR and LF' } : 'more';
      }
      if (this.#bytes[end + 1] === LF) return { end, next: end + 2, isAscii: isPlain };
    }
    const found = this.#bytes.toString('latin1', end, Math.min(this.#length, end + 16));
    return {
      problem: `expected a line end after ${end - this.#position} bytes, found ${JSON.stringify(found)}`,
    };
  }

  /** Step 6: the length in bytes instead of units (or the reverse once bytes were seen) must lead to a next head. */
  #frameOtherWay(head: RecordHead, start: number, isFinal: boolean): Framing {
    const inBytes = !this.#lengthsAreBytes;
    const framing = this.#frameDocument(head, start, isFinal, inBytes);
    if (framing === 'more' || 'problem' in framing) return framing;
    if (this.#length - framing.next < RECORD_HEAD_SIZE && !isFinal) return 'more';
    const followingEnd = Math.min(this.#length, framing.next + RECORD_HEAD_SIZE);
    const isFollowed =
      framing.next === this.#length
        ? framing.next !== framing.end
        : readRecordHead(this.#bytes, framing.next, followingEnd, Buffer.alloc(IDENTITY_SIZE)) !== undefined;
    if (!isFollowed) return { problem: 'no record follows' };
    this.#lengthsAreBytes = inBytes;
    if (inBytes && !this.#warnedOfBytes) {
      this.#warnedOfBytes = true;
      this.#options.warn(
        'RECORD_LENGTH_IN_BYTES',
        `metadata.txt counts bytes instead of UTF-16 units, first seen in ${this.#recordName(this.#identity)}; reading it that way`,
      );
    }
    return framing;
  }

  #checkText(head: RecordHead, start: number, end: number, isPlain: boolean): void {
    const document = this.#bytes.subarray(start, end);
    if (this.#hasNul) this.#checkNul(head, document);
    if (end - start > this.#limits.maxDocumentSize) throw this.#tooLong(end - start);
    if (isPlain) return;
    const invalid = findInvalidUtf8(document);
    if (invalid !== undefined) {
      throw this.#malformed(this.#identity, head.size + invalid, 'the document is not valid UTF-8');
    }
  }

  /** NUL is no character of XML; between all others it is the mark of a known defect (package-formats 1.9, item 2). */
  #checkNul(head: RecordHead, document: Uint8Array): void {
    const nul = document.indexOf(0);
    if (nul < 0) return;
    if (nul === 1 && document[3] === 0) {
      throw this.#malformed(
        this.#identity,
        head.size,
        'a NUL follows every character: the exporter that wrote it took UTF-16 text for UTF-8',
        'Export again with another tool or version; this package cannot be imported.',
      );
    }
    throw this.#malformed(this.#identity, head.size + nul, 'the document holds a NUL character');
  }

  #unframeable(head: RecordHead, start: number, problem: string, isFinal: boolean): WsusutilError {
    const end = Math.min(start + head.length, this.#length);
    const document = this.#bytes.subarray(start, end);
    if (this.#hasNul) this.#checkNul(head, document);
    const invalid = findInvalidUtf8(document, true);
    if (invalid !== undefined) {
      return this.#malformed(this.#identity, head.size + invalid, 'the document is not valid UTF-8');
    }
    if (isFinal && problem.startsWith('the file ends')) {
      return truncated(`metadata.txt is cut off in ${this.#recordName(this.#identity)}: ${problem}`);
    }
    return this.#malformed(this.#identity, 0, problem);
  }

  get #identity(): UpdateIdentity {
    return identityFromBytes(this.#identityBytes);
  }

  #recordName(identity: UpdateIdentity | undefined): string {
    const where = `offset ${this.#base + this.#position}`;
    const number = `record ${this.#recordCount + 1}`;
    if (identity === undefined) return `${number} at ${where}`;
    return `${number} (${identity.updateId}, revision ${identity.revisionNumber}) at ${where}`;
  }

  #malformed(
    identity: UpdateIdentity | undefined,
    distance: number,
    problem: string,
    hint = 'The package is damaged or was made by a faulty tool; copy or export it again.',
  ): WsusutilError {
    const detail = distance === 0 ? problem : `${problem} (byte ${this.#base + this.#position + distance})`;
    return new WsusutilError('PACKAGE_MALFORMED', `metadata.txt, ${this.#recordName(identity)}: ${detail}`, {
      hint,
      details: { record: this.#recordCount + 1, offset: this.#base + this.#position + distance, ...identity },
    });
  }

  #tooLong(length: number): WsusutilError {
    return new WsusutilError(
      'LIMIT_EXCEEDED',
      `metadata.txt, ${this.#recordName(this.#identity)}: a document of ${length} exceeds the limit of ${this.#limits.maxDocumentSize} bytes`,
      { hint: 'The longest real document has less than a million characters; the package is damaged.' },
    );
  }
}

function truncated(message: string): WsusutilError {
  return new WsusutilError('PACKAGE_TRUNCATED', message, {
    hint: 'The package is incomplete; copy or export it again.',
  });
}

function isHexDigit(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}
