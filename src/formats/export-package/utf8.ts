import { isAscii, isUtf8 } from 'node:buffer';

/** Bytes looked at together: ASCII text is counted a block at a time without touching single bytes. */
const BLOCK_SIZE = 4096;

/** How far a count of UTF-16 units has come in UTF-8 text. */
interface UnitCount {
  /** bytes passed */
  readonly size: number;
  /** UTF-16 code units they hold */
  readonly units: number;
}

/**
 * Passes UTF-8 bytes until `wanted` UTF-16 code units are counted or the bytes end: a sequence of 1, 2 or 3 bytes
 * is one unit, one of 4 bytes is two (package-formats 1.2). Continuation bytes that follow are passed as well.
 * More units than wanted mean that the count would split a 4-byte sequence. Does not validate.
 */
export function passUnits(bytes: Uint8Array, start: number, end: number, wanted: number): UnitCount {
  let position = start;
  let units = 0;
  while (position < end && units < wanted) {
    // Every unit left needs at least one byte, so this many bytes can be passed without going too far.
    const blockEnd = Math.min(end, position + Math.min(BLOCK_SIZE, wanted - units));
    if (isAscii(bytes.subarray(position, blockEnd))) {
      units += blockEnd - position;
    } else {
      for (let i = position; i < blockEnd; i++) {
        const byte = bytes[i] as number;
        if ((byte & 0xc0) !== 0x80) units += byte >= 0xf0 ? 2 : 1;
      }
    }
    position = blockEnd;
  }
  while (position < end && ((bytes[position] as number) & 0xc0) === 0x80) position++;
  return { size: position - start, units };
}

/** UTF-16 code units of UTF-8 text: what .NET calls the length of the string. */
export function utf16Length(bytes: Uint8Array): number {
  if (isAscii(bytes)) return bytes.length;
  return passUnits(bytes, 0, bytes.length, bytes.length).units;
}

/**
 * Offset of the first byte that is not part of valid UTF-8; undefined if all of it is valid.
 *
 * @param mayBeCut true if the bytes may stop inside a sequence without that being an error
 */
export function findInvalidUtf8(bytes: Uint8Array, mayBeCut = false): number | undefined {
  if (isUtf8(bytes)) return undefined;
  let i = 0;
  while (i < bytes.length) {
    const lead = bytes[i] as number;
    const length =
      lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (length === 0) return i;
    if (i + length > bytes.length) {
      const isPrefix = bytes.subarray(i + 1).every((byte) => (byte & 0xc0) === 0x80);
      return mayBeCut && isPrefix ? undefined : i;
    }
    if (length > 1 && !isUtf8(bytes.subarray(i, i + length))) return i;
    i += length;
  }
  return undefined;
}
