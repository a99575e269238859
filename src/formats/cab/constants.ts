/** Numbers of the cabinet format: [MS-CAB] 2, and its limits (package-formats 6.1–6.8). */

/** "MSCF", read little-endian */
export const CAB_SIGNATURE = 0x4643534d;
export const CAB_VERSION_MAJOR = 1;
export const CAB_VERSION_MINOR = 3;

export const HEADER_SIZE = 36;
export const FOLDER_ENTRY_SIZE = 8;
export const FILE_ENTRY_SIZE = 16;
export const DATA_HEADER_SIZE = 8;
/** Where the header keeps the size of the whole cabinet (`cbCabinet`). */
export const CABINET_SIZE_OFFSET = 8;

export const FLAG_PREVIOUS_CABINET = 0x0001;
export const FLAG_NEXT_CABINET = 0x0002;
export const FLAG_RESERVE_PRESENT = 0x0004;

export const ATTRIBUTE_ARCHIVE = 0x20;
export const ATTRIBUTE_NAME_IS_UTF8 = 0x80;

/** From here on a folder index means "goes on in another cabinet" (`iFolder`). */
export const FIRST_CONTINUED_FOLDER_INDEX = 0xfffd;

export const MAX_HEADER_RESERVE_SIZE = 60_000;
export const MAX_MEMBER_COUNT = 65_535;
/** without the closing NUL */
export const MAX_NAME_SIZE = 255;
/** A data block decodes to at most this; every block but a folder's last to exactly this. */
export const BLOCK_SIZE = 32_768;
export const MAX_COMPRESSED_MSZIP_BLOCK_SIZE = BLOCK_SIZE + 12;
/** What the length of a data block can say. */
export const MAX_DATA_SIZE = 0xffff;
/** LZX may grow a block most; a stored or MSZIP block beyond its own bound fails in its decoder. */
export const MAX_COMPRESSED_BLOCK_SIZE = BLOCK_SIZE + 6_144;
/** Microsoft's own reader and writer keep cabinet offsets in signed 32-bit numbers. */
export const MAX_CABINET_SIZE = 2 ** 31 - 1;

export const COMPRESSION_NONE = 0;
export const COMPRESSION_MSZIP = 1;
export const COMPRESSION_QUANTUM = 2;
export const COMPRESSION_LZX = 3;
export const MIN_LZX_WINDOW_BITS = 15;
export const MAX_LZX_WINDOW_BITS = 21;
