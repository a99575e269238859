import { WsusutilError } from '../../errors.js';
import type { ByteReader } from '../bytes.js';
import {
  CAB_SIGNATURE,
  CAB_VERSION_MAJOR,
  FLAG_NEXT_CABINET,
  FLAG_PREVIOUS_CABINET,
  FLAG_RESERVE_PRESENT,
  HEADER_SIZE,
  MAX_HEADER_RESERVE_SIZE,
  MAX_NAME_SIZE,
} from './constants.js';
import { type CabinetSizes, malformed } from './errors.js';

/** The most bytes a header with all its optional parts can take. */
export const MAX_HEADER_SIZE = HEADER_SIZE + 4 + MAX_HEADER_RESERVE_SIZE + 4 * (MAX_NAME_SIZE + 1);

export interface CabinetHeader {
  /** `cbCabinet`: what the header says the whole cabinet takes, which need not be what the file has */
  readonly declaredSize: number;
  /** `coffFiles` */
  readonly fileTableOffset: number;
  readonly folderCount: number;
  readonly memberCount: number;
  readonly flags: number;
  readonly setId: number;
  readonly cabinetIndex: number;
  /** reserve areas: one after the header, one per folder entry, one per data block */
  readonly headerReserveSize: number;
  readonly folderReserveSize: number;
  readonly blockReserveSize: number;
  /** file names of the neighbours in a spanned set */
  readonly previousCabinet: string | undefined;
  readonly nextCabinet: string | undefined;
  /** where the folder entries start */
  readonly folderTableOffset: number;
}

/**
 * Reads signature, size and the rest of CFHEADER with its optional parts.
 *
 * @param onSize told `cbCabinet` as soon as it is read, so that a short read later can name it
 * @throws WsusutilError `CAB_MALFORMED`; `CAB_TRUNCATED` from the reader
 * @see [MS-CAB] CFHEADER, package-formats 6.1
 */
export function readHeader(
  reader: ByteReader,
  actualSize: number,
  onSize: (declaredSize: number) => void,
): CabinetHeader {
  const start = reader.offset;
  const signature = reader.uint32();
  if (signature !== CAB_SIGNATURE) throw malformed('CFHEADER', start, 'no "MSCF" signature');
  reader.uint32(); // reserved1
  const declaredSize = reader.uint32(); // cbCabinet
  onSize(declaredSize);
  const sizes: CabinetSizes = { declaredSize, actualSize };
  reader.uint32(); // reserved2
  const fileTableOffset = reader.uint32(); // coffFiles
  reader.uint32(); // reserved3
  const minor = reader.uint8();
  const major = reader.uint8();
  if (major !== CAB_VERSION_MAJOR) {
    throw malformed('CFHEADER', start, `version ${major}.${minor}, expected ${CAB_VERSION_MAJOR}.x`, sizes);
  }
  const folderCount = reader.uint16();
  const memberCount = reader.uint16();
  const flags = reader.uint16();
  const setId = reader.uint16();
  const cabinetIndex = reader.uint16();
  let headerReserveSize = 0;
  let folderReserveSize = 0;
  let blockReserveSize = 0;
  if ((flags & FLAG_RESERVE_PRESENT) !== 0) {
    headerReserveSize = reader.uint16(); // cbCFHeader
    folderReserveSize = reader.uint8(); // cbCFFolder
    blockReserveSize = reader.uint8(); // cbCFData
    if (headerReserveSize > MAX_HEADER_RESERVE_SIZE) {
      throw malformed(
        'CFHEADER',
        start,
        `reserve of ${headerReserveSize} bytes, at most ${MAX_HEADER_RESERVE_SIZE} allowed`,
        sizes,
      );
    }
    reader.bytes(headerReserveSize); // abReserve: a signature, or room for one
  }
  const readText = (what: string): string => {
    const offset = reader.offset;
    const bytes = reader.bytesToNul(MAX_NAME_SIZE);
    if (bytes === undefined) {
      throw malformed('CFHEADER', offset, `${what} is longer than ${MAX_NAME_SIZE} bytes`, sizes);
    }
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  };
  let previousCabinet: string | undefined;
  let nextCabinet: string | undefined;
  if ((flags & FLAG_PREVIOUS_CABINET) !== 0) {
    previousCabinet = readText('the name of the previous cabinet');
    readText('the label of the previous disk');
  }
  if ((flags & FLAG_NEXT_CABINET) !== 0) {
    nextCabinet = readText('the name of the next cabinet');
    readText('the label of the next disk');
  }
  return {
    declaredSize,
    fileTableOffset,
    folderCount,
    memberCount,
    flags,
    setId,
    cabinetIndex,
    headerReserveSize,
    folderReserveSize,
    blockReserveSize,
    previousCabinet,
    nextCabinet,
    folderTableOffset: reader.offset,
  };
}

/** @throws WsusutilError `CAB_SPANNED`, naming the neighbours, if the cabinet is one of a set */
export function refuseSpannedSet(header: CabinetHeader): void {
  const { previousCabinet, nextCabinet } = header;
  if (previousCabinet === undefined && nextCabinet === undefined) return;
  const parts = [
    previousCabinet === undefined ? [] : [`goes on from ${nameOf(previousCabinet)}`],
    nextCabinet === undefined ? [] : [`goes on in ${nameOf(nextCabinet)}`],
  ].flat();
  const isNamed = previousCabinet !== '' && nextCabinet !== '';
  throw new WsusutilError(
    'CAB_SPANNED',
    `The cabinet is part ${header.cabinetIndex + 1} of a set and ${parts.join(' and ')}`,
    {
      hint: isNamed
        ? 'Sets of cabinets are not read; join the set into one cabinet or extract it with another tool.'
        : 'A part of a set names the others, so its header is probably damaged: copy or fetch the cabinet again.',
      details: { previousCabinet, nextCabinet, cabinetIndex: header.cabinetIndex, setId: header.setId },
    },
  );
}

function nameOf(cabinet: string): string {
  return cabinet === '' ? 'a cabinet without a name' : cabinet;
}
