import { isAscii, isUtf8 } from 'node:buffer';

/** Bytes looked at together: ASCII text is counted a block at a time without touching single bytes. */
const BLOCK_SIZE = 4096;
/** Words counted in four lanes of a byte each before one could overflow. */
const WORDS_PER_COUNT = 255;
/** the lowest bit of each byte of a word */
const LOW_BITS = 0x01010101;

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
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let position = start;
  let units = 0;
  while (position < end && units < wanted) {
    // Every unit left needs at least one byte, so this many bytes can be passed without going too far.
    const blockEnd = Math.min(end, position + Math.min(BLOCK_SIZE, wanted - units));
    if (isAscii(bytes.subarray(position, blockEnd))) {
      units += blockEnd - position;
    } else units += countUnits(view, position, blockEnd);
    position = blockEnd;
  }
  while (position < end && ((bytes[position] as number) & 0xc0) === 0x80) position++;
  return { size: position - start, units };
}

/** Four bytes at a time: twice as fast as one by one. */
function countUnits(view: DataView, start: number, end: number): number {
  let units = end - start;
  let at = start;
  while (at + 4 <= end) {
    let continuations = 0;
    let pairs = 0; // first bytes of what takes two units
    const stop = Math.min(end - 3, at + 4 * WORDS_PER_COUNT);
    for (; at < stop; at += 4) {
      const word = view.getInt32(at, true);
      const first = word >>> 7;
      const second = word >>> 6;
      continuations = (continuations + (first & ~second & LOW_BITS)) | 0;
      pairs = (pairs + (first & second & (word >>> 5) & (word >>> 4) & LOW_BITS)) | 0;
    }
    units += sumOfLanes(pairs) - sumOfLanes(continuations);
  }
  for (; at < end; at++) {
    const byte = view.getUint8(at);
    if ((byte & 0xc0) === 0x80) units--;
    else if (byte >= 0xf0) units++;
  }
  return units;
}

function sumOfLanes(lanes: number): number {
  return (lanes & 0xff) + ((lanes >>> 8) & 0xff) + ((lanes >>> 16) & 0xff) + (lanes >>> 24);
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
