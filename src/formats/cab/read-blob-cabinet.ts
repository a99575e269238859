/**
 * Cabinets as real servers send documents (server-sync-protocol 6.2), read in one go: one LZX folder, one file, no reserve
 * areas, all in memory. The general reader costs more than decoding does for so little.
 */
import {
  BLOCK_SIZE,
  CAB_SIGNATURE,
  CAB_VERSION_MAJOR,
  CABINET_SIZE_OFFSET,
  COMPRESSION_LZX,
  DATA_HEADER_SIZE,
  FILE_ENTRY_SIZE,
  FOLDER_ENTRY_SIZE,
  HEADER_SIZE,
  MAX_COMPRESSED_BLOCK_SIZE,
  MAX_LZX_WINDOW_BITS,
  MIN_LZX_WINDOW_BITS,
} from './constants.js';
import { checksumOfBlock } from './data-block.js';
import { giveBackLzxDecoder, type LzxDecoder, takeLzxDecoder } from './lzx.js';

/** Bytes of a document in UTF-16; larger ones are rare. */
const MAX_PLAIN_SIZE = 8 * BLOCK_SIZE;
const NAME = Buffer.from('blob\0', 'latin1');

/**
 * @returns the file, in memory that the next cabinet read uses again; undefined if this one is of another kind or damaged:
 *   the general reader reads it, or says what is wrong
 * @throws WsusutilError `CAB_COMPRESSION` where there is no WebAssembly
 */
export function readBlobCabinet(cabinet: Uint8Array): Uint8Array | undefined {
  const filesOffset = HEADER_SIZE + FOLDER_ENTRY_SIZE;
  const nameOffset = filesOffset + FILE_ENTRY_SIZE;
  const { length } = cabinet;
  if (length < nameOffset + NAME.length) return undefined;
  const isUsual =
    uint32(cabinet, 0) === CAB_SIGNATURE &&
    uint32(cabinet, CABINET_SIZE_OFFSET) === length &&
    uint32(cabinet, 16) === filesOffset && // coffFiles
    cabinet[25] === CAB_VERSION_MAJOR &&
    uint16(cabinet, 26) === 1 && // cFolders
    uint16(cabinet, 28) === 1 && // cFiles
    uint16(cabinet, 30) === 0 && // flags
    uint32(cabinet, filesOffset + 4) === 0 && // uoffFolderStart
    uint16(cabinet, filesOffset + 8) === 0 && // iFolder
    isName(cabinet, nameOffset);
  if (!isUsual) return undefined;
  const dataOffset = uint32(cabinet, HEADER_SIZE); // coffCabStart
  const blockCount = uint16(cabinet, HEADER_SIZE + 4); // cCFData
  const typeCode = uint16(cabinet, HEADER_SIZE + 6); // typeCompress
  const windowBits = (typeCode >>> 8) & 0x1f;
  if ((typeCode & 0x0f) !== COMPRESSION_LZX) return undefined;
  if (windowBits < MIN_LZX_WINDOW_BITS || windowBits > MAX_LZX_WINDOW_BITS) return undefined;
  const size = uint32(cabinet, filesOffset); // cbFile
  const plainSize = plainSizeOf(cabinet, dataOffset, blockCount, size);
  if (plainSize === undefined || plainSize > 1 << windowBits) return undefined;
  const decoder = takeLzxDecoder(windowBits, plainSize);
  try {
    return decodeBlocks(decoder, cabinet, dataOffset, plainSize).subarray(0, size);
  } catch {
    return undefined;
  } finally {
    giveBackLzxDecoder(decoder);
  }
}

function decodeBlocks(
  decoder: LzxDecoder,
  cabinet: Uint8Array,
  dataOffset: number,
  plainSize: number,
): Uint8Array {
  let at = dataOffset;
  for (let decoded = 0; decoded < plainSize; ) {
    const compressedSize = uint16(cabinet, at + 4);
    const blockSize = uint16(cabinet, at + 6);
    at += DATA_HEADER_SIZE;
    decoder.decodeInPlace(cabinet.subarray(at, at + compressedSize), blockSize);
    decoded += blockSize;
    at += compressedSize;
  }
  return decoder.takeAll();
}

/**
 * Walks the blocks, none of which is decoded before all of them are known to be there and undamaged.
 *
 * @param neededSize of the file
 * @returns what those that hold the file decode to
 */
function plainSizeOf(
  cabinet: Uint8Array,
  dataOffset: number,
  blockCount: number,
  neededSize: number,
): number | undefined {
  if (neededSize === 0 || neededSize > MAX_PLAIN_SIZE) return undefined;
  let at = dataOffset;
  let plainSize = 0;
  for (let index = 0; plainSize < neededSize; index++) {
    const dataStart = at + DATA_HEADER_SIZE;
    if (index === blockCount || dataStart > cabinet.length) return undefined;
    const checksum = uint32(cabinet, at);
    const compressedSize = uint16(cabinet, at + 4);
    const blockSize = uint16(cabinet, at + 6);
    const isLast = plainSize + blockSize >= neededSize;
    if (blockSize === 0 || blockSize > BLOCK_SIZE || (!isLast && blockSize < BLOCK_SIZE)) return undefined;
    at = dataStart + compressedSize;
    if (compressedSize > MAX_COMPRESSED_BLOCK_SIZE || at > cabinet.length) return undefined;
    if (checksum !== 0 && checksum !== checksumOfBlock(cabinet.subarray(dataStart, at), blockSize)) {
      return undefined;
    }
    plainSize += blockSize;
  }
  return plainSize;
}

function isName(bytes: Uint8Array, offset: number): boolean {
  for (let i = 0; i < NAME.length; i++) if (bytes[offset + i] !== NAME[i]) return false;
  return true;
}

function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}

function uint32(bytes: Uint8Array, at: number): number {
  return (uint16(bytes, at) | (uint16(bytes, at + 2) << 16)) >>> 0;
}
