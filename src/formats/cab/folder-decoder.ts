import type { WsusutilError } from '../../errors.js';
import { errorText } from '../../errors.js';
import { ByteReader } from '../bytes.js';
import { groupDigits } from '../group-digits.js';
import { BLOCK_SIZE, DATA_HEADER_SIZE, MAX_COMPRESSED_BLOCK_SIZE } from './constants.js';
import { type DataBlockHeader, readDataBlockHeader, verifyBlock } from './data-block.js';
import type { CabinetDirectory } from './directory.js';
import { beyondEnd, type CabinetSizes, malformed } from './errors.js';
import { type CabinetFolder, type Compression, refuseCompression } from './folder.js';
import { giveBackLzxDecoder, takeLzxDecoder } from './lzx.js';
import { giveBackMszipDecoder, takeMszipDecoder } from './mszip.js';
import type { Reading } from './reading.js';

/**
 * Blocks decoded between two answers: enough that waiting for a file does not show, and few enough (256 KiB) that the
 * bytes are still in the processor's cache for whoever asked.
 */
const BATCH_BLOCK_COUNT = 8;
/** Most bytes of one batch. */
export const MAX_BATCH_SIZE = BATCH_BLOCK_COUNT * BLOCK_SIZE;
const NO_MEMORY = new Uint8Array(0);
/** Compressed bytes asked for at once. */
const READ_SIZE = 1_048_576;

interface BlockDecoder {
  /** Where it decodes to by itself, {@link MAX_BATCH_SIZE} bytes; undefined: nowhere. */
  readonly memory: Uint8Array<ArrayBuffer> | undefined;
  /** A batch begins, at its memory's beginning. */
  startBatch(): void;
  /** Decodes one block to `out[outOffset]`, in its own memory or not, and answers with the number of bytes it gave. */
  decode(data: Uint8Array, size: number, out: Uint8Array, outOffset: number): number;
  /** No more will be decoded. */
  finish(): void;
}

/**
 * Decodes one folder from its first block on, and no further than the block with the last needed byte. Memory is
 * one read and one batch, whatever the sizes.
 */
export class FolderDecoder {
  readonly #folder: CabinetFolder;
  readonly #folderIndex: number;
  readonly #reserveSize: number;
  readonly #sizes: CabinetSizes & { readonly declaredSize: number };
  readonly #neededSize: number;
  /** made with the first batch */
  #decoder: BlockDecoder | undefined;
  /** compressed bytes this folder may take before it must share some with another */
  readonly #inputBudget: number;
  #blockIndex = 0;
  /** plain bytes so far */
  #plainSize = 0;
  /** plain bytes of all blocks that are needed, if their headers have been walked */
  #measuredSize: number | undefined;
  /** compressed bytes at hand, and where they lie in the cabinet */
  #input: Uint8Array = new Uint8Array(0);
  #inputOffset = 0;
  /** absolute offset of the next block */
  #nextOffset: number;

  /**
   * @param neededSize plain bytes wanted from the folder's start, at least 1
   * @param inputBudget bytes of the cabinet that folders decoded before have not taken
   * @param memory for batches that may be overwritten, {@link MAX_BATCH_SIZE} bytes; MSZIP has some of its own
   * @throws WsusutilError `CAB_COMPRESSION`; `CAB_MALFORMED` if the blocks cannot hold that much
   */
  constructor(
    directory: CabinetDirectory,
    folderIndex: number,
    neededSize: number,
    inputBudget: number,
    memory: Uint8Array<ArrayBuffer> = NO_MEMORY,
  ) {
    this.#out = memory;
    const folder = directory.folders[folderIndex] as CabinetFolder;
    const refusal = refuseCompression(folder.compression, folderIndex);
    if (refusal !== undefined) throw refusal;
    this.#folder = folder;
    this.#folderIndex = folderIndex;
    this.#reserveSize = directory.header.blockReserveSize;
    this.#sizes = { declaredSize: directory.header.declaredSize, actualSize: directory.actualSize };
    this.#neededSize = neededSize;
    this.#inputBudget = inputBudget;
    this.#nextOffset = folder.dataOffset;
    if (neededSize > folder.blockCount * BLOCK_SIZE) {
      throw this.#tooShort(folder.blockCount * BLOCK_SIZE);
    }
  }

  /** for batches that may be overwritten; made when it is needed */
  #out: Uint8Array<ArrayBuffer>;

  /** bytes of data blocks decoded so far */
  get inputSize(): number {
    return this.#nextOffset - this.#folder.dataOffset;
  }

  /**
   * The next plain bytes; `undefined` once all needed ones were given.
   *
   * @param reuseMemory in the buffer of the batch before; default: in one of their own
   */
  *nextBatch(reuseMemory = false): Reading<Uint8Array | undefined> {
    const missing = this.#neededSize - this.#plainSize;
    if (missing <= 0) return undefined;
    const measured = (this.#measuredSize ?? Number.POSITIVE_INFINITY) - this.#plainSize;
    const isMeasured = measured <= MAX_BATCH_SIZE;
    const capacity = isMeasured
      ? measured
      : Math.min(MAX_BATCH_SIZE, Math.ceil(missing / BLOCK_SIZE) * BLOCK_SIZE);
    this.#decoder ??= blockDecoderFor(this.#folder.compression, this.#neededSize);
    this.#decoder.startBatch();
    const out = this.#memoryFor(capacity, reuseMemory);
    let filled = 0;
    while ((isMeasured || filled + BLOCK_SIZE <= capacity) && this.#plainSize < this.#neededSize) {
      if (this.#blockIndex === this.#folder.blockCount) throw this.#tooShort(this.#plainSize);
      const header = yield* this.#fetchBlock();
      const blockSize = this.#decodeFetched(header, out, filled);
      filled += blockSize;
      this.#plainSize += blockSize;
      this.#blockIndex++;
    }
    return out.subarray(0, Math.min(filled, missing));
  }

  /**
   * To be called when no more batches are wanted, whatever came: what decodes, ten gigabytes of address space, is there for
   * the next folder.
   */
  close(): void {
    this.#decoder?.finish();
    this.#decoder = undefined;
  }

  #memoryFor(capacity: number, reuseMemory: boolean): Uint8Array<ArrayBuffer> {
    if (!reuseMemory) return newMemory(capacity);
    const known = this.#decoder?.memory ?? this.#out;
    if (known.length >= capacity) return known.subarray(0, capacity);
    this.#out = newMemory(capacity);
    return this.#out;
  }

  /**
   * Walks the block headers only.
   *
   * @throws WsusutilError if they do not add up to the needed size, or are not all there
   */
  *measure(): Reading<void> {
    let plainSize = 0;
    let offset = this.#folder.dataOffset;
    for (let index = 0; plainSize < this.#neededSize; index++) {
      if (index === this.#folder.blockCount) throw this.#tooShort(plainSize);
      const { actualSize } = this.#sizes;
      const length = Math.max(0, Math.min(DATA_HEADER_SIZE, actualSize - offset));
      const header = this.#readHeader(yield { position: offset, length }, offset);
      offset += DATA_HEADER_SIZE + this.#reserveSize + header.compressedSize;
      if (offset > actualSize) throw beyondEnd('CFDATA', offset, 0, this.#sizes);
      this.#refuseSharedBlocks(offset);
      plainSize += header.uncompressedSize;
    }
    this.#measuredSize = plainSize;
  }

  /** Makes the next block's header, reserve and data available in `#input`. */
  *#fetchBlock(): Reading<DataBlockHeader> {
    const headSize = DATA_HEADER_SIZE + this.#reserveSize;
    const maxSize = headSize + MAX_COMPRESSED_BLOCK_SIZE;
    const offset = this.#nextOffset;
    const { actualSize } = this.#sizes;
    const inputEnd = this.#inputOffset + this.#input.length;
    if (offset < this.#inputOffset || (offset + maxSize > inputEnd && inputEnd < actualSize)) {
      const remaining = Math.max(0, actualSize - offset);
      // Not more than the blocks still needed can take: a small folder of a large file is a small read.
      const useful = (this.#folder.blockCount - this.#blockIndex) * maxSize;
      this.#input = yield { position: offset, length: Math.min(READ_SIZE, remaining, useful) };
      this.#inputOffset = offset;
    }
    const at = Math.min(offset - this.#inputOffset, this.#input.length);
    const header = this.#readHeader(this.#input.subarray(at), offset);
    const blockSize = headSize + header.compressedSize;
    if (blockSize > this.#input.length - at) throw beyondEnd('CFDATA', offset, blockSize, this.#sizes);
    this.#refuseSharedBlocks(offset + blockSize);
    return header;
  }

  #readHeader(bytes: Uint8Array, offset: number): DataBlockHeader {
    const reader = new ByteReader(bytes, offset, (at, length) =>
      beyondEnd('CFDATA', at, length, this.#sizes),
    );
    return readDataBlockHeader(reader, this.#sizes);
  }

  #decodeFetched(header: DataBlockHeader, out: Uint8Array, outOffset: number): number {
    const offset = this.#nextOffset;
    const reserveStart = offset - this.#inputOffset + DATA_HEADER_SIZE;
    const dataStart = reserveStart + this.#reserveSize;
    const data = this.#input.subarray(dataStart, dataStart + header.compressedSize);
    const reserve = this.#input.subarray(reserveStart, dataStart);
    const where = { folderIndex: this.#folderIndex, blockIndex: this.#blockIndex, offset };
    verifyBlock(header, reserve, data, where, this.#sizes);
    let size: number;
    try {
      size = (this.#decoder as BlockDecoder).decode(data, header.uncompressedSize, out, outOffset);
    } catch (error) {
      throw this.#badBlock(errorText(error), error);
    }
    if (size !== header.uncompressedSize) {
      throw this.#badBlock(`decodes to ${size} bytes, the block says ${header.uncompressedSize}`);
    }
    this.#nextOffset = offset + DATA_HEADER_SIZE + this.#reserveSize + header.compressedSize;
    return size;
  }

  /** Thousands of folders over the same blocks would make days of work from a small file. */
  #refuseSharedBlocks(blockEnd: number): void {
    if (blockEnd - this.#folder.dataOffset <= this.#inputBudget) return;
    throw malformed(
      `Folder ${this.#folderIndex}, CFFOLDER data`,
      this.#folder.dataOffset,
      'its data blocks are those of other folders too',
      this.#sizes,
    );
  }

  #badBlock(problem: string, cause?: unknown): WsusutilError {
    const { method } = this.#folder.compression;
    const label = `Block ${this.#blockIndex} of folder ${this.#folderIndex} (${method}), CFDATA`;
    return malformed(label, this.#nextOffset, problem, this.#sizes, cause);
  }

  #tooShort(availableSize: number): WsusutilError {
    return malformed(
      `Folder ${this.#folderIndex}, CFFOLDER data`,
      this.#folder.dataOffset,
      `its ${this.#folder.blockCount} blocks hold at most ${groupDigits(availableSize)} bytes, its files need ${groupDigits(this.#neededSize)}`,
      this.#sizes,
    );
  }
}

/** Not cleared: every byte that leaves has been decoded. */
function newMemory(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.allocUnsafeSlow(size).buffer as ArrayBuffer);
}

function blockDecoderFor(compression: Compression, neededSize: number): BlockDecoder {
  const nothing = (): void => {};
  switch (compression.method) {
    case 'mszip': {
      const decoder = takeMszipDecoder();
      return {
        memory: decoder.memory,
        startBatch: () => decoder.startOver(),
        decode(data, size, out, outOffset) {
          const plain = decoder.decode(data, size);
          if (plain.buffer !== out.buffer) out.set(plain, outOffset);
          return plain.length;
        },
        finish: () => giveBackMszipDecoder(decoder),
      };
    }
    case 'lzx': {
      const decoder = takeLzxDecoder(compression.windowBits, neededSize);
      return {
        memory: undefined,
        startBatch: nothing,
        decode(data, size, out, outOffset) {
          decoder.decode(data, size, out, outOffset);
          return size;
        },
        finish: () => giveBackLzxDecoder(decoder),
      };
    }
    default:
      return {
        memory: undefined,
        startBatch: nothing,
        decode(data, size, out, outOffset) {
          if (data.length === size) out.set(data, outOffset);
          return data.length;
        },
        finish: nothing,
      };
  }
}
