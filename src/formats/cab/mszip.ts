/** MSZIP: every block is "CK" and a whole raw deflate stream ([MS-MCI], package-formats 6.5). */
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { BLOCK_SIZE, MAX_COMPRESSED_MSZIP_BLOCK_SIZE } from './constants.js';

const SIGNATURE_C = 0x43;
const SIGNATURE_K = 0x4b;
const NO_BYTES = new Uint8Array(0);
/** zlib starts a second buffer when the first is full, so the first must stay larger than any block. */
const INFLATE_CHUNK_SIZE = BLOCK_SIZE + 64;

/**
 * Decodes the MSZIP blocks of one folder, in order. Blocks refer back into the plain bytes before them.
 *
 * @returns plain bytes, at most `uncompressedSize`; a wrong count is the caller's to report
 * @throws Error of zlib or `Error` with a plain description
 */
export class MszipDecoder {
  #dictionary: Uint8Array = NO_BYTES;

  decode(data: Uint8Array, uncompressedSize: number): Uint8Array {
    if (data[0] !== SIGNATURE_C || data[1] !== SIGNATURE_K) throw new Error('no "CK" signature');
    const plain = inflateRawSync(data.subarray(2), {
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
