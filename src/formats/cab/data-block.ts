import { WsusutilError } from '../../errors.js';
import type { ByteReader } from '../bytes.js';
import { computeChecksum } from './checksum.js';
import { BLOCK_SIZE, MAX_COMPRESSED_BLOCK_SIZE } from './constants.js';
import { type CabinetSizes, malformed } from './errors.js';

export interface DataBlockHeader {
  /** 0 means none */
  readonly checksum: number;
  /** bytes stored, without header and reserve */
  readonly compressedSize: number;
  readonly uncompressedSize: number;
}

/**
 * Reads one CFDATA header and leaves `reader` at the block's reserve area.
 *
 * @throws WsusutilError `CAB_MALFORMED` for sizes no block can have
 * @see [MS-CAB] CFDATA, package-formats 6.4
 */
export function readDataBlockHeader(reader: ByteReader, sizes: CabinetSizes): DataBlockHeader {
  const start = reader.offset;
  const checksum = reader.uint32(); // csum
  const compressedSize = reader.uint16(); // cbData
  const uncompressedSize = reader.uint16(); // cbUncomp
  if (uncompressedSize > BLOCK_SIZE) {
    throw malformed(
      'CFDATA',
      start,
      `decodes to ${uncompressedSize} bytes, at most ${BLOCK_SIZE} allowed`,
      sizes,
    );
  }
  if (uncompressedSize === 0) {
    throw malformed('CFDATA', start, 'holds no bytes of its own, as only in a spanned set', sizes);
  }
  if (compressedSize > MAX_COMPRESSED_BLOCK_SIZE) {
    throw malformed(
      'CFDATA',
      start,
      `stores ${compressedSize} bytes, at most ${MAX_COMPRESSED_BLOCK_SIZE} allowed`,
      sizes,
    );
  }
  return { checksum, compressedSize, uncompressedSize };
}

/** The checksum of a block without reserve area: over its data and its two sizes. */
export function checksumOfBlock(data: Uint8Array, uncompressedSize: number): number {
  return (computeChecksum(data) ^ (data.length | (uncompressedSize << 16))) >>> 0;
}

/**
 * @param reserve the block's reserve area: writers disagree whether the checksum covers it, so both are accepted
 * @throws WsusutilError `CAB_CHECKSUM`
 */
export function verifyBlock(
  header: DataBlockHeader,
  reserve: Uint8Array,
  data: Uint8Array,
  where: { readonly folderIndex: number; readonly blockIndex: number; readonly offset: number },
  sizes: CabinetSizes,
): void {
  if (header.checksum === 0) return;
  const actual = checksumOfBlock(data, header.uncompressedSize);
  if (actual === header.checksum) return;
  if (reserve.length > 0 && (actual ^ computeChecksum(reserve)) >>> 0 === header.checksum) return;
  throw new WsusutilError(
    'CAB_CHECKSUM',
    `Block ${where.blockIndex} of folder ${where.folderIndex} (CFDATA at offset ${where.offset}): ` +
      `checksum ${hex(actual)}, the block says ${hex(header.checksum)}`,
    {
      hint: 'The cabinet is damaged; copy or fetch it again.',
      details: { ...where, ...sizes },
    },
  );
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}
