/** MSZIP: every block is "CK" and a whole raw deflate stream ([MS-MCI], package-formats 6.5). */
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { type WasmConstant, type WasmMemory, WasmModule, WasmUnavailable } from '../wasm.js';
import { BLOCK_SIZE, MAX_COMPRESSED_MSZIP_BLOCK_SIZE, MAX_DATA_SIZE } from './constants.js';
import { MSZIP_MODULE } from './mszip-module.js';

const SIGNATURE_C = 0x43;
const SIGNATURE_K = 0x4b;
const SIGNATURE_SIZE = 2;
const NO_BYTES = new Uint8Array(0);
/** zlib starts a second buffer when the first is full, so the first must stay larger than any block. */
const INFLATE_CHUNK_SIZE = BLOCK_SIZE + 64;

/** Decodes the MSZIP blocks of one folder, in order. Blocks refer back into the plain bytes before them. */
export interface MszipDecoder {
  /** What blocks are decoded to, in their order; undefined: each has memory of its own. */
  readonly memory: Uint8Array<ArrayBuffer> | undefined;
  /** The next block goes to the beginning of {@link memory}, which holds 8 blocks: what is there has been taken. */
  startOver(): void;
  /**
   * @param uncompressedSize for which there must be room in {@link memory}
   * @returns plain bytes, at most so many, good until {@link startOver}; a wrong count is the caller's to report
   * @throws Error with a plain description
   */
  decode(data: Uint8Array, uncompressedSize: number): Uint8Array;
}

/** What mszip-core/mszip.ts exports. */
interface MszipCore {
  readonly memory: WasmMemory;
  readonly INPUT: WasmConstant;
  readonly OUTPUT: WasmConstant;
  readonly OUTPUT_SIZE: WasmConstant;
  prepare(): void;
  restart(): void;
  startOver(): void;
  decode(inputSize: number, size: number): number;
}

/** In the order of the core's answers, from −1 on; in zlib's words, but for the second. */
const PROBLEMS: readonly ((size: number) => string)[] = [
  () => 'unexpected end of file',
  (size) => `it decodes to more than ${size} bytes`,
  () => 'invalid block type',
  () => 'invalid stored block lengths',
  () => 'too many length or distance symbols',
  () => 'invalid code lengths set',
  () => 'invalid bit length repeat',
  () => 'invalid code -- missing end-of-block',
  () => 'invalid literal/lengths set',
  () => 'invalid distances set',
  () => 'invalid literal/length code',
  () => 'invalid distance code',
  () => 'invalid distance too far back',
];

const module = new WasmModule<MszipCore>(MSZIP_MODULE);

/** Of the thread. null: there is no WebAssembly here. */
let spare: CoreMszipDecoder | undefined | null;

/** A decoder for one folder. Whoever is done with it, and with its memory, gives it back for the next one. */
export function takeMszipDecoder(): MszipDecoder {
  if (spare === null) return new ZlibMszipDecoder();
  try {
    const decoder = spare ?? new CoreMszipDecoder();
    spare = undefined;
    decoder.restart();
    return decoder;
  } catch (error) {
    if (!(error instanceof WasmUnavailable)) throw error;
    spare = null;
    return new ZlibMszipDecoder();
  }
}

export function giveBackMszipDecoder(decoder: MszipDecoder): void {
  if (decoder instanceof CoreMszipDecoder) spare = decoder;
}

class CoreMszipDecoder implements MszipDecoder {
  readonly #core = module.instantiate();
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #inputOffset: number;
  readonly memory: Uint8Array<ArrayBuffer>;
  /** bytes of the memory that have been decoded to */
  #filled = 0;

  /** @throws WasmUnavailable */
  constructor() {
    this.#core.prepare();
    const { memory, INPUT, OUTPUT, OUTPUT_SIZE } = this.#core;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#inputOffset = INPUT.value;
    this.memory = this.#bytes.subarray(OUTPUT.value, OUTPUT.value + OUTPUT_SIZE.value);
  }

  restart(): void {
    this.#core.restart();
    this.#filled = 0;
  }

  startOver(): void {
    this.#core.startOver();
    this.#filled = 0;
  }

  decode(data: Uint8Array, uncompressedSize: number): Uint8Array {
    requireSignature(data);
    if (data.length > MAX_DATA_SIZE) throw new Error(`a data block has ${data.length} bytes`);
    if (this.#filled + uncompressedSize > this.memory.length)
      throw new Error('there is no room for the block');
    this.#bytes.set(data, this.#inputOffset - SIGNATURE_SIZE);
    const size = this.#core.decode(data.length - SIGNATURE_SIZE, uncompressedSize);
    if (size < 0) throw new Error(PROBLEMS[-size - 1]?.(uncompressedSize) ?? 'unknown');
    const start = this.#filled;
    this.#filled += size;
    return this.memory.subarray(start, this.#filled);
  }
}

/** For where there is no WebAssembly. */
export class ZlibMszipDecoder implements MszipDecoder {
  readonly memory = undefined;
  #dictionary: Uint8Array = NO_BYTES;

  startOver(): void {}

  decode(data: Uint8Array, uncompressedSize: number): Uint8Array {
    requireSignature(data);
    const plain = inflateRawSync(data.subarray(SIGNATURE_SIZE), {
      chunkSize: INFLATE_CHUNK_SIZE,
      maxOutputLength: uncompressedSize,
      ...(this.#dictionary.length > 0 && { dictionary: this.#dictionary }),
    });
    // Only a last block should be short; some writers end every member with one, so the window slides.
    this.#dictionary =
      plain.length === BLOCK_SIZE || this.#dictionary.length === 0
        ? plain
        : Buffer.concat([this.#dictionary, plain]).subarray(-BLOCK_SIZE);
    return plain;
  }
}

function requireSignature(data: Uint8Array): void {
  if (data[0] !== SIGNATURE_C || data[1] !== SIGNATURE_K) throw new Error('no "CK" signature');
}

/** 1 (fast) to 9 (small), as in zlib */
export type CompressionLevel = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;
export const DEFAULT_COMPRESSION_LEVEL: CompressionLevel = 6;

/**
 * Compresses consecutive blocks: each 32,768 bytes of `plain` (the last may be shorter) becomes one CFDATA payload.
 * A block's dictionary is the *plain* block before it, so runs are independent of each other's results and can be
 * compressed on several threads.
 *
 * @param dictionary the plain block before `plain`; empty at the start of a folder
 * @returns "CK" and deflate, one per block, never more than 32,780 bytes
 */
export function compressMszipBlocks(
  plain: Uint8Array,
  dictionary: Uint8Array,
  level: CompressionLevel = DEFAULT_COMPRESSION_LEVEL,
): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  let previous = dictionary;
  for (let start = 0; start < plain.length; start += BLOCK_SIZE) {
    const block = plain.subarray(start, start + BLOCK_SIZE);
    const deflated = deflateRawSync(block, {
      level,
      chunkSize: INFLATE_CHUNK_SIZE,
      strategy: constants.Z_DEFAULT_STRATEGY,
      ...(previous.length > 0 && { dictionary: previous }),
    });
    const fits = deflated.length + 2 <= MAX_COMPRESSED_MSZIP_BLOCK_SIZE;
    payloads.push(withSignature(fits ? deflated : storeAsDeflate(block)));
    previous = block;
  }
  return payloads;
}

function withSignature(deflated: Uint8Array): Uint8Array {
  const payload = new Uint8Array(2 + deflated.length);
  payload[0] = SIGNATURE_C;
  payload[1] = SIGNATURE_K;
  payload.set(deflated, 2);
  return payload;
}

/** One final stored deflate block (RFC 1951 3.2.4): five bytes longer than the plain ones. */
function storeAsDeflate(block: Uint8Array): Uint8Array {
  const stored = Buffer.alloc(5 + block.length);
  stored.writeUInt8(1, 0); // BFINAL = 1, BTYPE = 00
  stored.writeUInt16LE(block.length, 1); // LEN
  stored.writeUInt16LE(~block.length & 0xffff, 3); // NLEN
  stored.set(block, 5);
  return stored;
}
