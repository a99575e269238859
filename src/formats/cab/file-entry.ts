import { WsusutilError } from '../../errors.js';
import type { ByteReader } from '../bytes.js';
import { ATTRIBUTE_NAME_IS_UTF8, FIRST_CONTINUED_FOLDER_INDEX, MAX_NAME_SIZE } from './constants.js';
import { fromDosDateTime } from './dos-datetime.js';
import { type CabinetSizes, malformed } from './errors.js';

/** One file of a cabinet. */
export interface CabinetMember {
  /** separators are `/`; never empty, absolute, or with a `..` part */
  readonly name: string;
  /** bytes, as declared; the reader delivers exactly so many or throws */
  readonly size: number;
  /** the DOS time read as UTC; `undefined` if zero or no date */
  readonly modifiedAt: Date | undefined;
  readonly attributes: number;
  readonly folderIndex: number;
  /** where the member starts in its folder's plain bytes */
  readonly folderOffset: number;
}

/**
 * Reads one file entry.
 *
 * @param decodeLegacyName for names without the UTF-8 attribute, or whose bytes are no UTF-8
 * @throws WsusutilError `CAB_MALFORMED` for a bad name or folder, `CAB_SPANNED` for a member of a set
 * @see [MS-CAB] CFFILE, package-formats 6.3
 */
export function readFileEntry(
  reader: ByteReader,
  folderCount: number,
  decodeLegacyName: (bytes: Uint8Array) => string,
  sizes: CabinetSizes,
): CabinetMember {
  const start = reader.offset;
  const size = reader.uint32(); // cbFile
  const folderOffset = reader.uint32(); // uoffFolderStart
  const folderIndex = reader.uint16(); // iFolder
  const date = reader.uint16();
  const time = reader.uint16();
  const attributes = reader.uint16(); // attribs
  const nameBytes = reader.bytesToNul(MAX_NAME_SIZE); // szName
  if (nameBytes === undefined) {
    throw malformed('CFFILE', start, `the name is longer than ${MAX_NAME_SIZE} bytes`, sizes);
  }
  const decoded =
    (attributes & ATTRIBUTE_NAME_IS_UTF8) !== 0
      ? (decodeUtf8(nameBytes) ?? decodeLegacyName(nameBytes))
      : decodeLegacyName(nameBytes);
  const name = decoded.replaceAll('\\', '/');
  if (name === '') throw malformed('CFFILE', start, 'the name is empty', sizes);
  if (/^\/|^[A-Za-z]:|(^|\/)\.\.(\/|$)/.test(name)) {
    throw malformed('CFFILE', start, `the name ${JSON.stringify(name)} leads outside the cabinet`, sizes);
  }
  if (folderIndex >= FIRST_CONTINUED_FOLDER_INDEX) {
    throw new WsusutilError(
      'CAB_SPANNED',
      `${name} is cut by a cabinet boundary; its other part is elsewhere`,
      {
        hint: 'Sets of cabinets are not read; join the set into one cabinet or extract it with another tool.',
        details: { member: name },
      },
    );
  }
  if (folderIndex >= folderCount) {
    throw malformed(
      'CFFILE',
      start,
      `${name} is in folder ${folderIndex}, the cabinet has ${folderCount}`,
      sizes,
    );
  }
  return { name, size, modifiedAt: fromDosDateTime({ date, time }), attributes, folderIndex, folderOffset };
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}
