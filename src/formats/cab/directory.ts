import { TextDecoder } from 'node:util';
import { ByteReader } from '../bytes.js';
import { groupDigits } from '../group-digits.js';
import {
  CAB_SIGNATURE,
  FILE_ENTRY_SIZE,
  FOLDER_ENTRY_SIZE,
  HEADER_SIZE,
  MAX_NAME_SIZE,
} from './constants.js';
import { beyondEnd, malformed } from './errors.js';
import { type CabinetMember, readFileEntry } from './file-entry.js';
import { type CabinetFolder, readFolder } from './folder.js';
import { type CabinetHeader, MAX_HEADER_SIZE, readHeader, refuseSpannedSet } from './header.js';
import type { Reading } from './reading.js';

/** What a cabinet says it holds. */
export interface CabinetDirectory {
  readonly header: CabinetHeader;
  /** bytes the file really has; `header.declaredSize` is what it should have */
  readonly actualSize: number;
  readonly folders: readonly CabinetFolder[];
  /** in the order of the file table */
  readonly members: readonly CabinetMember[];
}

export interface DirectoryOptions {
  /** Encoding of names that are not UTF-8, a label of the WHATWG Encoding Standard; default: windows-1252. */
  readonly nameEncoding?: string | undefined;
}

/** How far into a file that is no cabinet itself one is looked for, to say so. */
const MAX_EMBEDDED_SEARCH_SIZE = 1_048_576;
const SIGNATURE_BYTES = Buffer.from('MSCF', 'latin1');

/**
 * Reads header, folder entries and file entries.
 *
 * @throws WsusutilError `CAB_MALFORMED`, `CAB_TRUNCATED`, `CAB_SPANNED`
 */
export function* readDirectory(actualSize: number, options: DirectoryOptions): Reading<CabinetDirectory> {
  const head = yield { position: 0, length: Math.min(actualSize, MAX_HEADER_SIZE) };
  if (
    head.length >= 4 &&
    new DataView(head.buffer, head.byteOffset, 4).getUint32(0, true) !== CAB_SIGNATURE
  ) {
    yield* refuseForeignFile(actualSize);
  }
  let declaredSize: number | undefined;
  const readerAt = (bytes: Uint8Array, base: number, structure: string) =>
    new ByteReader(bytes, base, (offset, length) =>
      beyondEnd(structure, offset, length, { declaredSize, actualSize }),
    );

  const header = readHeader(readerAt(head, 0, 'CFHEADER'), actualSize, (size) => {
    declaredSize = size;
  });
  refuseSpannedSet(header);
  const sizes = { declaredSize: header.declaredSize, actualSize };
  const { folderCount, memberCount, folderTableOffset, fileTableOffset } = header;
  if (folderCount === 0) throw malformed('CFHEADER', 0, 'the cabinet has no folders', sizes);
  if (memberCount === 0) throw malformed('CFHEADER', 0, 'the cabinet has no files', sizes);

  const folderTableSize = folderCount * (FOLDER_ENTRY_SIZE + header.folderReserveSize);
  const folderReader = readerAt(
    yield between(folderTableOffset, folderTableSize, actualSize),
    folderTableOffset,
    'CFFOLDER',
  );
  const folders: CabinetFolder[] = [];
  for (let index = 0; index < folderCount; index++) {
    folders.push(readFolder(folderReader, header.folderReserveSize));
  }

  if (fileTableOffset >= actualSize) throw beyondEnd('CFFILE', fileTableOffset, FILE_ENTRY_SIZE, sizes);
  const maxFileTableSize = memberCount * (FILE_ENTRY_SIZE + MAX_NAME_SIZE + 1);
  const fileReader = readerAt(
    yield between(fileTableOffset, maxFileTableSize, actualSize),
    fileTableOffset,
    'CFFILE',
  );
  const decodeLegacyName = legacyNameDecoder(options.nameEncoding);
  const members: CabinetMember[] = [];
  for (let index = 0; index < memberCount; index++) {
    members.push(readFileEntry(fileReader, folderCount, decodeLegacyName, sizes));
  }
  return { header, actualSize, folders, members };
}

/** 0x80 to 0x9f of windows-1252, where it is not Latin-1; holes stay the control characters they are there. */
const WINDOWS_1252_SPECIALS = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

/** windows-1252 is decoded here because the TextDecoder of Node 20 takes it for Latin-1. */
function legacyNameDecoder(encoding: string | undefined): (bytes: Uint8Array) => string {
  if (encoding !== undefined) {
    const decoder = new TextDecoder(encoding);
    return (bytes) => decoder.decode(bytes);
  }
  return (bytes) => {
    const latin1 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    return latin1.replace(/[\x80-\x9f]/g, (char) => WINDOWS_1252_SPECIALS.charAt(char.charCodeAt(0) - 0x80));
  };
}

/** As much of a range as the file has. */
function between(position: number, length: number, actualSize: number) {
  return { position, length: Math.max(0, Math.min(length, actualSize - position)) };
}

function* refuseForeignFile(actualSize: number): Reading<never> {
  const start = yield { position: 0, length: Math.min(actualSize, MAX_EMBEDDED_SEARCH_SIZE) };
  const bytes = Buffer.from(start.buffer, start.byteOffset, start.byteLength);
  for (let at = bytes.indexOf(SIGNATURE_BYTES, 1); at >= 0; at = bytes.indexOf(SIGNATURE_BYTES, at + 1)) {
    // The signature alone turns up in ordinary bytes; a size that fits and zeros where they belong do not.
    if (bytes.length - at < HEADER_SIZE) break;
    const size = bytes.readUInt32LE(at + 8);
    if (bytes.readUInt32LE(at + 4) === 0 && size >= HEADER_SIZE && size <= actualSize - at) {
      throw malformed(
        'CFHEADER',
        0,
        `no "MSCF" signature; a cabinet of ${groupDigits(size)} bytes was found inside the file, at offset ${at}`,
      );
    }
  }
  throw malformed('CFHEADER', 0, 'no "MSCF" signature: this is not a cabinet');
}
