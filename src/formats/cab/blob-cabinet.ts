/** Cabinets of one small file, built in memory: how `GetUpdateData` carries a document (server-sync-protocol 6.2). */
import {
  BLOCK_SIZE,
  CAB_SIGNATURE,
  CAB_VERSION_MAJOR,
  CAB_VERSION_MINOR,
  COMPRESSION_MSZIP,
  DATA_HEADER_SIZE,
  FILE_ENTRY_SIZE,
  FOLDER_ENTRY_SIZE,
  HEADER_SIZE,
} from './constants.js';
import { checksumOfBlock } from './data-block.js';
import { type CompressionLevel, compressMszipBlocks } from './mszip.js';

const NAME = Buffer.from('blob\0', 'latin1');
const FILES_OFFSET = HEADER_SIZE + FOLDER_ENTRY_SIZE;
const DATA_OFFSET = FILES_OFFSET + FILE_ENTRY_SIZE + NAME.length;

/**
 * A cabinet with one MSZIP folder and one file called `blob`, dated nothing, as real servers write it but for LZX.
 *
 * @param plain 1 byte to 2^31 − 1
 */
export function buildBlobCabinet(plain: Uint8Array, level: CompressionLevel): Buffer {
  const payloads = compressMszipBlocks(plain, new Uint8Array(0), level);
  const size = payloads.reduce((sum, { length }) => sum + DATA_HEADER_SIZE + length, DATA_OFFSET);
  const cabinet = Buffer.alloc(size);
  cabinet.writeUInt32LE(CAB_SIGNATURE, 0);
  cabinet.writeUInt32LE(size, 8); // cbCabinet
  cabinet.writeUInt32LE(FILES_OFFSET, 16); // coffFiles
  cabinet.writeUInt8(CAB_VERSION_MINOR, 24);
  cabinet.writeUInt8(CAB_VERSION_MAJOR, 25);
  cabinet.writeUInt16LE(1, 26); // cFolders
  cabinet.writeUInt16LE(1, 28); // cFiles
  cabinet.writeUInt32LE(DATA_OFFSET, HEADER_SIZE); // coffCabStart
  cabinet.writeUInt16LE(payloads.length, HEADER_SIZE + 4); // cCFData
  cabinet.writeUInt16LE(COMPRESSION_MSZIP, HEADER_SIZE + 6); // typeCompress
  cabinet.writeUInt32LE(plain.length, FILES_OFFSET); // cbFile
  NAME.copy(cabinet, FILES_OFFSET + FILE_ENTRY_SIZE);
  let position = DATA_OFFSET;
  for (const [index, payload] of payloads.entries()) {
    const blockSize = Math.min(BLOCK_SIZE, plain.length - index * BLOCK_SIZE);
    cabinet.writeUInt32LE(checksumOfBlock(payload, blockSize), position);
    cabinet.writeUInt16LE(payload.length, position + 4); // cbData
    cabinet.writeUInt16LE(blockSize, position + 6); // cbUncomp
    cabinet.set(payload, position + DATA_HEADER_SIZE);
    position += DATA_HEADER_SIZE + payload.length;
  }
  return cabinet;
}
