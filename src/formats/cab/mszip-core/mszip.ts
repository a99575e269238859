/**
 * The inner part of the MSZIP decoder, in AssemblyScript: `npm run build:wasm` makes ../mszip-module.ts of it, and ../mszip.ts
 * is the only caller. Each 32 KiB block is a deflate stream of its own that refers to the plain bytes before it. With zlib
 * that is a new stream for each, which is given those bytes as its dictionary: a third of the time went into that (2026-11-22:
 * 26,000 blocks in 0.6 s instead of 0.9 s). Here the bytes simply are where they were decoded to.
 *
 * What is refused is what zlib refuses. One instance decodes one folder at a time: the caller puts the
 * deflate stream of a block at `INPUT`, and takes the plain bytes behind those of the block before, from `OUTPUT` on.
 *
 * @see RFC 1951; [MS-MCI]; package-formats 6.5
 */

const MAX_CODE_LENGTH: i32 = 15;
const MAX_LITERAL_SYMBOLS: i32 = 286;
const MAX_DISTANCE_SYMBOLS: i32 = 30;
const PRECODE_SYMBOL_COUNT: i32 = 19;
const END_OF_BLOCK: usize = 256;
/** code lengths before 16 are themselves; these repeat */
const REPEAT_LAST: i32 = 16;
const REPEAT_ZERO: i32 = 17;

const STORED: i32 = 0;
const FIXED: i32 = 1;
const DYNAMIC: i32 = 2;

/** codes of up to so many bits are found in one look-up; longer ones by way of a second table */
const LITERAL_BITS: i32 = 11;
const DISTANCE_BITS: i32 = 8;
const PRECODE_BITS: i32 = 7;

// An entry of a table, 32 bits: in the lowest byte the bits that it takes, those of its code and extra ones behind them; in
// bits 8 to 11 those of its code alone; from bit 16 on the literal, or the length or distance that the extra ones are added to.
const LITERAL: u32 = 0x80000000;
/** none of what follows is a length or a distance */
const SPECIAL: u32 = 0x8000;
/** where the second table begins, with the bits that are looked up in it instead of those of the code */
const SUBTABLE: u32 = 0x4000;
const END: u32 = 0x2000;
/** no code, or that of a symbol which does not exist */
const INVALID: u32 = 0x1000;

// Memory.
const PRECODE: usize = 1024;
const LITERALS: usize = PRECODE + 4 * 128;
/** the most entries that codes of 15 bits can take with first tables of these sizes: 2342 and 402 (zlib's `enough`) */
const DISTANCES: usize = LITERALS + 4 * 2400;
/** code length of each symbol, a byte each: of literals and lengths, then of distances */
const LENGTHS: usize = DISTANCES + 4 * 416;
const PRECODE_LENGTHS: usize = LENGTHS + 320;
/** used while a table is made: how many codes have each length, where symbols of each go, symbols in order; 16 bits each */
const COUNTS: usize = PRECODE_LENGTHS + 32;
const STARTS: usize = COUNTS + 32;
const SORTED: usize = STARTS + 32;
/** the entry of each symbol, but for its code's length */
const LITERAL_ENTRIES: usize = SORTED + 2 * 320;
const DISTANCE_ENTRIES: usize = LITERAL_ENTRIES + 4 * 288;
const PRECODE_ENTRIES: usize = DISTANCE_ENTRIES + 4 * 32;
/** for each distance below 16 the places in 16 bytes that repeat so many */
const PATTERNS: usize = (PRECODE_ENTRIES + 4 * 32 + 15) & ~15;

const HISTORY_SIZE: usize = 0x8000;
/** The largest data block has 65,535 bytes. */
export const INPUT: usize = 0x6000;
/** Zeros behind the input: what is read there before it is noticed that nothing real is left. */
const INPUT_PADDING: usize = 32;
/** bytes that may be read behind the last real one */
const INPUT_SLACK: usize = 16;
/** Plain bytes; before them what the first of them may refer to. */
export const OUTPUT: usize = 0x1f000;
/** Eight blocks. */
export const OUTPUT_SIZE: usize = 0x40000;
/** written at once, and so beyond what was asked for */
const COPY_STEP: usize = 16;

// What `decode` answers with, below zero: ../mszip.ts has the words, in this order.
const INPUT_ENDS: i32 = -1;
const TOO_LONG: i32 = -2;
const NO_BLOCK_TYPE: i32 = -3;
const BAD_STORED_LENGTH: i32 = -4;
const TOO_MANY_SYMBOLS: i32 = -5;
const BAD_PRECODE: i32 = -6;
const BAD_REPEAT: i32 = -7;
const NO_END_OF_BLOCK: i32 = -8;
const BAD_LITERALS: i32 = -9;
const BAD_DISTANCES: i32 = -10;
const NO_LITERAL: i32 = -11;
const NO_DISTANCE: i32 = -12;
const TOO_FAR: i32 = -13;

/** where the plain bytes begin that may be referred to */
let historyStart: usize = OUTPUT;
let out: usize = OUTPUT;
let outEnd: usize = OUTPUT;
/** the tables are those of fixed codes */
let isFixed: bool = false;

// Bit reader: lowest bit first.
let at: usize = 0;
let inputEnd: usize = 0;
let bits: u64 = 0;
let bitCount: i32 = 0;

/** To be called once. */
export function prepare(): void {
  let base = 3;
  for (let symbol = 0; symbol < 288; symbol++) {
    let entry = SPECIAL | INVALID;
    if (symbol < 256) entry = LITERAL | ((<u32>symbol) << 16);
    else if (symbol === 256) entry = SPECIAL | END;
    else if (symbol === 285) entry = 258 << 16;
    else if (symbol < 285) {
      const extra = symbol < 265 ? 0 : (symbol - 261) >> 2;
      entry = ((<u32>base) << 16) | extra;
      base += 1 << extra;
    }
    store<u32>(LITERAL_ENTRIES + ((<usize>symbol) << 2), entry);
  }
  base = 1;
  for (let symbol = 0; symbol < 32; symbol++) {
    let entry = SPECIAL | INVALID;
    if (symbol < MAX_DISTANCE_SYMBOLS) {
      const extra = symbol < 4 ? 0 : (symbol >> 1) - 1;
      entry = ((<u32>base) << 16) | extra;
      base += 1 << extra;
    }
    store<u32>(DISTANCE_ENTRIES + ((<usize>symbol) << 2), entry);
    store<u32>(PRECODE_ENTRIES + ((<usize>symbol) << 2), (<u32>symbol) << 16);
  }
  for (let distance: usize = 1; distance < 16; distance++) {
    for (let i: usize = 0; i < 16; i++) store<u8>(PATTERNS + (distance << 4) + i, <u8>(i % distance));
  }
}

/** Forgets all about the folder before. */
export function restart(): void {
  historyStart = OUTPUT;
  out = OUTPUT;
}

/** The next block goes to the beginning of the output: what is there has been taken. */
export function startOver(): void {
  const kept = min(HISTORY_SIZE, out - historyStart);
  historyStart = OUTPUT - kept;
  memory.copy(historyStart, out - kept, kept);
  out = OUTPUT;
}

/**
 * Decodes the deflate stream of `inputSize` bytes. There must be room for `size` bytes.
 *
 * @returns how many plain bytes it gives, at most `size`; below zero: what is wrong
 */
export function decode(inputSize: usize, size: usize): i32 {
  at = INPUT;
  inputEnd = INPUT + inputSize;
  memory.fill(inputEnd, 0, INPUT_PADDING);
  bits = 0;
  bitCount = 0;
  const start = out;
  outEnd = out + size;
  for (let isLast = false; !isLast; ) {
    refill();
    isLast = takeBits(1) === 1;
    const type = takeBits(2);
    let problem = NO_BLOCK_TYPE;
    if (type === STORED) problem = copyStored();
    else if (type === FIXED) {
      useFixedCodes();
      problem = decodeBlock();
    } else if (type === DYNAMIC) {
      isFixed = false;
      problem = readCodes();
      if (problem === 0) problem = decodeBlock();
    }
    // What is made of the zeros behind the end is no error of its own.
    if (overruns()) problem = INPUT_ENDS;
    if (problem !== 0) {
      out = start;
      return problem;
    }
  }
  return <i32>(out - start);
}

/** Leaves at least 56 bits to read; past the end they are zeros. */
function refill(): void {
  bits |= load<u64>(at) << bitCount;
  at += (63 - bitCount) >> 3;
  bitCount |= 56;
}

/** @param count up to 16, of those that a refill has left */
function takeBits(count: i32): i32 {
  const value = <i32>(<u32>bits & ((1 << count) - 1));
  bits >>= count;
  bitCount -= count;
  return value;
}

function overruns(): bool {
  return at - (bitCount >> 3) > inputEnd;
}

function copyStored(): i32 {
  takeBits(bitCount & 7);
  const from = at - (bitCount >> 3);
  if (from + 4 > inputEnd) return INPUT_ENDS;
  const size = <usize>load<u16>(from);
  if ((<usize>load<u16>(from, 2) ^ 0xffff) !== size) return BAD_STORED_LENGTH;
  if (from + 4 + size > inputEnd) return INPUT_ENDS;
  if (size > outEnd - out) return TOO_LONG;
  memory.copy(out, from + 4, size);
  out += size;
  at = from + 4 + size;
  bits = 0;
  bitCount = 0;
  return 0;
}

function useFixedCodes(): void {
  if (isFixed) return;
  memory.fill(LENGTHS, 8, 144);
  memory.fill(LENGTHS + 144, 9, 112);
  memory.fill(LENGTHS + 256, 7, 24);
  memory.fill(LENGTHS + 280, 8, 8);
  memory.fill(LENGTHS + 288, 5, 32);
  build(LITERALS, LITERAL_BITS, LENGTHS, 288, LITERAL_ENTRIES);
  build(DISTANCES, DISTANCE_BITS, LENGTHS + 288, 32, DISTANCE_ENTRIES);
  isFixed = true;
}

function readCodes(): i32 {
  refill();
  const literalCount = 257 + takeBits(5);
  const distanceCount = 1 + takeBits(5);
  const precodeCount = 4 + takeBits(4);
  if (literalCount > MAX_LITERAL_SYMBOLS || distanceCount > MAX_DISTANCE_SYMBOLS) return TOO_MANY_SYMBOLS;
  memory.fill(PRECODE_LENGTHS, 0, PRECODE_SYMBOL_COUNT);
  for (let i = 0; i < precodeCount; i++) {
    refill();
    store<u8>(PRECODE_LENGTHS + precodeSymbolAt(i), <u8>takeBits(3));
  }
  const precode = build(PRECODE, PRECODE_BITS, PRECODE_LENGTHS, PRECODE_SYMBOL_COUNT, PRECODE_ENTRIES);
  if (precode !== COMPLETE) return BAD_PRECODE;
  const count = literalCount + distanceCount;
  for (let i = 0; i < count; ) {
    refill();
    if (at > inputEnd + INPUT_SLACK) return INPUT_ENDS;
    const entry = load<u32>(PRECODE + ((<usize>bits & ((1 << PRECODE_BITS) - 1)) << 2));
    takeBits(<i32>(entry & 0x0f));
    const symbol = <i32>(entry >> 16);
    if (symbol < REPEAT_LAST) {
      store<u8>(LENGTHS + i++, <u8>symbol);
      continue;
    }
    let length: u8 = 0;
    let times = 0;
    if (symbol === REPEAT_LAST) {
      if (i === 0) return BAD_REPEAT;
      length = load<u8>(LENGTHS + i - 1);
      times = 3 + takeBits(2);
    } else times = symbol === REPEAT_ZERO ? 3 + takeBits(3) : 11 + takeBits(7);
    if (times > count - i) return BAD_REPEAT;
    memory.fill(LENGTHS + i, length, times);
    i += times;
  }
  if (load<u8>(LENGTHS + END_OF_BLOCK) === 0) return NO_END_OF_BLOCK;
  const literals = build(LITERALS, LITERAL_BITS, LENGTHS, literalCount, LITERAL_ENTRIES);
  if (literals === WRONG) return BAD_LITERALS;
  const distances = build(DISTANCES, DISTANCE_BITS, LENGTHS + literalCount, distanceCount, DISTANCE_ENTRIES);
  return distances === WRONG ? BAD_DISTANCES : 0;
}

/** In this order their lengths are written: those that are often left out come last. */
function precodeSymbolAt(index: i32): i32 {
  if (index < 3) return 16 + index;
  if (index === 3) return 0;
  const distance = (index - 3) >> 1;
  return (index & 1) === 0 ? 8 + distance : 8 - distance;
}

const COMPLETE: i32 = 0;
/** no code, or one of a single bit */
const LACKING: i32 = 1;
const WRONG: i32 = 2;

/**
 * Makes a table of canonical codes.
 *
 * @param lengths a byte for each symbol
 * @param entries of the symbols, to which a code's length is added
 */
function build(table: usize, tableBits: i32, lengths: usize, symbolCount: i32, entries: usize): i32 {
  memory.fill(COUNTS, 0, 2 * (MAX_CODE_LENGTH + 1));
  for (let symbol = 0; symbol < symbolCount; symbol++) {
    const count = COUNTS + ((<usize>load<u8>(lengths + symbol)) << 1);
    store<u16>(count, load<u16>(count) + 1);
  }
  let longest = MAX_CODE_LENGTH;
  while (longest > 0 && load<u16>(COUNTS + ((<usize>longest) << 1)) === 0) longest--;
  let free = 1;
  let start = 0;
  for (let length = 1; length <= MAX_CODE_LENGTH; length++) {
    const count = <i32>load<u16>(COUNTS + ((<usize>length) << 1));
    free = (free << 1) - count;
    if (free < 0) return WRONG;
    store<u16>(STARTS + ((<usize>length) << 1), <u16>start);
    start += count;
  }
  let answer = COMPLETE;
  const tableSize = 1 << tableBits;
  if (free > 0) {
    if (longest > 1) return WRONG;
    answer = LACKING;
    for (let i = 0; i < tableSize; i++) store<u32>(table + ((<usize>i) << 2), SPECIAL | INVALID);
  }
  for (let symbol = 0; symbol < symbolCount; symbol++) {
    const length = <usize>load<u8>(lengths + symbol);
    if (length === 0) continue;
    const place = <usize>load<u16>(STARTS + (length << 1));
    store<u16>(STARTS + (length << 1), <u16>(place + 1));
    store<u16>(SORTED + (place << 1), <u16>symbol);
  }
  /** the next code, its first bit lowest */
  let code = 0;
  let subtable = 0;
  let subtableBits = 0;
  let openPrefix = -1;
  let next = tableSize;
  for (let index = 0; index < start; index++) {
    const symbol = <usize>load<u16>(SORTED + ((<usize>index) << 1));
    const length = <i32>load<u8>(lengths + symbol);
    const entry = load<u32>(entries + (symbol << 2));
    if (length <= tableBits) {
      const value = entry + <u32>length * 0x101;
      const step = 1 << length;
      for (let i = code; i < tableSize; i += step) store<u32>(table + ((<usize>i) << 2), value);
    } else {
      const prefix = code & (tableSize - 1);
      if (prefix !== openPrefix) {
        openPrefix = prefix;
        // As many bits as the codes need that are left and have this beginning; see zlib's inflate_table.
        subtableBits = length - tableBits;
        let room = 1 << subtableBits;
        while (subtableBits + tableBits < longest) {
          room -= <i32>load<u16>(COUNTS + ((<usize>(subtableBits + tableBits)) << 1));
          if (room <= 0) break;
          subtableBits++;
          room <<= 1;
        }
        subtable = next;
        next += 1 << subtableBits;
        store<u32>(
          table + ((<usize>prefix) << 2),
          ((<u32>subtable) << 16) | SPECIAL | SUBTABLE | ((<u32>subtableBits) << 8) | <u32>tableBits,
        );
      }
      const value = entry + <u32>(length - tableBits) * 0x101;
      const step = 1 << (length - tableBits);
      const end = 1 << subtableBits;
      for (let i = code >> tableBits; i < end; i += step)
        store<u32>(table + ((<usize>(subtable + i)) << 2), value);
    }
    const count = COUNTS + ((<usize>length) << 1);
    store<u16>(count, load<u16>(count) - 1);
    let carry = 1 << (length - 1);
    while ((code & carry) !== 0) carry >>= 1;
    code = carry === 0 ? 0 : (code & (carry - 1)) + carry;
  }
  return answer;
}

/** Literals and matches up to the end of the deflate block. */
function decodeBlock(): i32 {
  let to = out;
  const end = outEnd;
  const first = historyStart;
  const readEnd = inputEnd + INPUT_SLACK;
  let from = at;
  let unread = bits;
  let count = bitCount;
  let problem = 0;
  for (;;) {
    unread |= load<u64>(from) << count;
    from += (63 - count) >> 3;
    count |= 56;
    if (from > readEnd) {
      problem = INPUT_ENDS;
      break;
    }
    // Enough for two literals that are found at once, and what follows: 2 × 11 bits, and 20 for a length.
    let entry = load<u32>(LITERALS + ((<usize>unread & ((1 << LITERAL_BITS) - 1)) << 2));
    if ((entry & LITERAL) !== 0) {
      if (to === end) {
        problem = TOO_LONG;
        break;
      }
      unread >>= entry & 0xff;
      count -= entry & 0xff;
      store<u8>(to++, <u8>(entry >> 16));
      entry = load<u32>(LITERALS + ((<usize>unread & ((1 << LITERAL_BITS) - 1)) << 2));
      if ((entry & LITERAL) !== 0) {
        if (to === end) {
          problem = TOO_LONG;
          break;
        }
        unread >>= entry & 0xff;
        count -= entry & 0xff;
        store<u8>(to++, <u8>(entry >> 16));
        entry = load<u32>(LITERALS + ((<usize>unread & ((1 << LITERAL_BITS) - 1)) << 2));
      }
    }
    if ((entry & (SPECIAL | SUBTABLE)) === (SPECIAL | SUBTABLE)) {
      unread >>= LITERAL_BITS;
      count -= LITERAL_BITS;
      const mask = (1 << ((entry >> 8) & 0x0f)) - 1;
      entry = load<u32>(LITERALS + ((<usize>(entry >> 16) + (<usize>unread & mask)) << 2));
    }
    if ((entry & LITERAL) !== 0) {
      if (to === end) {
        problem = TOO_LONG;
        break;
      }
      unread >>= entry & 0xff;
      count -= entry & 0xff;
      store<u8>(to++, <u8>(entry >> 16));
      continue;
    }
    if ((entry & SPECIAL) !== 0) {
      if ((entry & END) !== 0) {
        unread >>= entry & 0x0f;
        count -= entry & 0x0f;
      } else problem = NO_LITERAL;
      break;
    }
    let taken = entry & 0xff;
    const length =
      <usize>(entry >> 16) + <usize>((unread & (((<u64>1) << taken) - 1)) >> ((entry >> 8) & 0x0f));
    unread >>= taken;
    count -= taken;

    unread |= load<u64>(from) << count;
    from += (63 - count) >> 3;
    count |= 56;
    entry = load<u32>(DISTANCES + ((<usize>unread & ((1 << DISTANCE_BITS) - 1)) << 2));
    if ((entry & SPECIAL) !== 0) {
      if ((entry & SUBTABLE) === 0) {
        problem = NO_DISTANCE;
        break;
      }
      unread >>= DISTANCE_BITS;
      count -= DISTANCE_BITS;
      const mask = (1 << ((entry >> 8) & 0x0f)) - 1;
      entry = load<u32>(DISTANCES + ((<usize>(entry >> 16) + (<usize>unread & mask)) << 2));
      if ((entry & SPECIAL) !== 0) {
        problem = NO_DISTANCE;
        break;
      }
    }
    taken = entry & 0xff;
    const distance =
      <usize>(entry >> 16) + <usize>((unread & (((<u64>1) << taken) - 1)) >> ((entry >> 8) & 0x0f));
    unread >>= taken;
    count -= taken;
    if (distance > to - first) {
      problem = TOO_FAR;
      break;
    }
    if (length > end - to) {
      problem = TOO_LONG;
      break;
    }
    const matchEnd = to + length;
    if (distance >= COPY_STEP) {
      do {
        v128.store(to, v128.load(to - distance));
        to += COPY_STEP;
      } while (to < matchEnd);
    } else {
      // What repeats at so short a distance is the same every so many bytes.
      const pattern = i8x16.swizzle(v128.load(to - distance), v128.load(PATTERNS + (distance << 4)));
      const step = COPY_STEP - (COPY_STEP % distance);
      do {
        v128.store(to, pattern);
        to += step;
      } while (to < matchEnd);
    }
    to = matchEnd;
  }
  out = to;
  at = from;
  bits = unread;
  bitCount = count;
  return problem;
}
