/**
 * The inner part of reading escaped text, in AssemblyScript: `npm run build:wasm` makes ../text-module.ts of it, and
 * ../escaped-text.ts is the only caller. A catalogue as `.xml.gz` holds twenty million references, thirty characters from
 * one to the next; JavaScript took longer from one to the next than over what is between (2026-11-22).
 */

const AMPERSAND: i32 = 0x26;
const LESS: i32 = 0x3c;
const CR: i32 = 0x0d;
const HASH: u8 = 0x23;
const SEMICOLON: u8 = 0x3b;
const LETTER_X: u8 = 0x78;

/** What stands behind the ampersand, as a little-endian number. */
const LT: u32 = 0x3b746c;
const GT: u32 = 0x3b7467;
const AMP: u32 = 0x3b706d61;
const QUOT: u32 = 0x746f7571;
const APOS: u32 = 0x736f7061;

const STEP: usize = 16;
/** digits of a character reference; more are left to the caller */
const MAX_DIGITS: i32 = 6;

/** Where the caller puts the text. */
export const INPUT: usize = 1024;
/** Bytes behind the text and behind the decoded text that may be read and written. */
export const SLACK: usize = 16;

/** behind the reference read last */
let next: usize = 0;

/**
 * Text at `INPUT` → what it stands for, at `target`.
 *
 * @returns its size; −1: there is markup, a line end to normalise, damage or a character beyond ASCII in a reference
 */
export function decode(size: i32, target: usize): i32 {
  const end = INPUT + <usize>size;
  let from = INPUT;
  let to = target;
  while (from < end) {
    const bytes = v128.load(from);
    v128.store(to, bytes);
    const special = i8x16.bitmask(
      v128.or(
        v128.or(i8x16.eq(bytes, i8x16.splat(<i8>AMPERSAND)), i8x16.eq(bytes, i8x16.splat(<i8>LESS))),
        i8x16.eq(bytes, i8x16.splat(<i8>CR)),
      ),
    );
    if (special === 0) {
      from += STEP;
      to += STEP;
      continue;
    }
    const plain = <usize>ctz(special);
    from += plain;
    to += plain;
    if (from >= end) break; // what stands there is of an earlier text
    if (load<u8>(from) !== <u8>AMPERSAND) return -1;
    const character = readReference(from + 1, end);
    if (character < 0) return -1;
    store<u8>(to++, <u8>character);
    from = next;
  }
  return <i32>(to - (from - end) - target);
}

/** @returns the ASCII character it stands for; −1: another one, or none */
function readReference(at: usize, end: usize): i32 {
  const four = load<u32>(at);
  const three = four & 0xffffff;
  let character: i32 = -1;
  if (three === LT || three === GT) {
    character = three === LT ? 0x3c : 0x3e;
    next = at + 3;
  } else if (four === AMP) {
    character = AMPERSAND;
    next = at + 4;
  } else if ((four === QUOT || four === APOS) && load<u8>(at + 4) === SEMICOLON) {
    character = four === QUOT ? 0x22 : 0x27;
    next = at + 5;
  } else if (load<u8>(at) === HASH) {
    character = readNumber(at + 1);
  }
  return next <= end ? character : -1;
}

function readNumber(start: usize): i32 {
  const isHex = load<u8>(start) === LETTER_X;
  const first = isHex ? start + 1 : start;
  let at = first;
  let value: i32 = 0;
  for (; at < first + MAX_DIGITS; at++) {
    const digit = digitOf(load<u8>(at), isHex);
    if (digit < 0) break;
    value = value * (isHex ? 16 : 10) + digit;
  }
  if (at === first || load<u8>(at) !== SEMICOLON) return -1;
  next = at + 1;
  const isAllowed = (value >= 0x20 && value < 0x80) || value === 0x09 || value === 0x0a || value === CR;
  return isAllowed ? value : -1;
}

function digitOf(code: u8, isHex: bool): i32 {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (!isHex) return -1;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
