import { WsusutilError } from '../../errors.js';
import type { ByteReader } from '../bytes.js';
import {
  COMPRESSION_LZX,
  COMPRESSION_MSZIP,
  COMPRESSION_NONE,
  COMPRESSION_QUANTUM,
  MAX_LZX_WINDOW_BITS,
  MIN_LZX_WINDOW_BITS,
} from './constants.js';

export type Compression =
  | { readonly method: 'none' | 'mszip' | 'quantum' }
  | { readonly method: 'lzx'; readonly windowBits: number }
  | { readonly method: 'unknown'; readonly typeCode: number };

/** One run of data blocks, decoded as a whole; members are ranges of its plain bytes. */
export interface CabinetFolder {
  readonly dataOffset: number;
  readonly blockCount: number;
  readonly compression: Compression;
}

/**
 * Reads one folder entry. Any method is accepted here; {@link refuseCompression} speaks when it is to be decoded.
 *
 * @see [MS-CAB] CFFOLDER, package-formats 6.2
 */
export function readFolder(reader: ByteReader, reserveSize: number): CabinetFolder {
  const dataOffset = reader.uint32(); // coffCabStart
  const blockCount = reader.uint16(); // cCFData
  const typeCode = reader.uint16(); // typeCompress
  reader.bytes(reserveSize); // abReserve
  return { dataOffset, blockCount, compression: compressionOf(typeCode) };
}

function compressionOf(typeCode: number): Compression {
  switch (typeCode & 0x0f) {
    case COMPRESSION_NONE:
      return { method: 'none' };
    case COMPRESSION_MSZIP:
      return { method: 'mszip' };
    case COMPRESSION_QUANTUM:
      return { method: 'quantum' };
    case COMPRESSION_LZX:
      return { method: 'lzx', windowBits: (typeCode >>> 8) & 0x1f };
    default:
      return { method: 'unknown', typeCode };
  }
}

/** `CAB_COMPRESSION` if the folder cannot be decoded here. */
export function refuseCompression(compression: Compression, folderIndex: number): WsusutilError | undefined {
  const name = describeUnreadable(compression);
  if (name === undefined) return undefined;
  return new WsusutilError(
    'CAB_COMPRESSION',
    `Folder ${folderIndex} of the cabinet is compressed with ${name}`,
    {
      hint: 'Stored, MSZIP and LZX (window 15 to 21) are read; repack the cabinet with one of these.',
      details: { folderIndex, ...compression },
    },
  );
}

function describeUnreadable(compression: Compression): string | undefined {
  switch (compression.method) {
    case 'none':
    case 'mszip':
      return undefined;
    case 'quantum':
      return 'Quantum, which is not supported';
    case 'lzx': {
      const { windowBits } = compression;
      if (windowBits >= MIN_LZX_WINDOW_BITS && windowBits <= MAX_LZX_WINDOW_BITS) return undefined;
      return `LZX with a window of ${windowBits} bits; ${MIN_LZX_WINDOW_BITS} to ${MAX_LZX_WINDOW_BITS} are defined`;
    }
    case 'unknown':
      return `an unknown method (type 0x${compression.typeCode.toString(16).padStart(4, '0')})`;
  }
}
