/**
 * The inner part of the LZX decoder, in AssemblyScript: `npm run build:wasm` makes ../lzx-module.ts of it, and ../lzx.ts is
 * the only caller. A synchronisation decodes ten thousands of small cabinets, and this takes half of the time that the
 * same took in JavaScript, most of it before the engine had compiled that (2026-11-21).
 *
 * One instance decodes one folder at a time. The caller puts the compressed bytes of a frame at `INPUT` and takes the plain
 * ones from the window at `WINDOW`, which reaches to the end of the memory.
 *
 * @see [MS-PATCH] LZX, [MS-MCI]; package-formats 6.6, which also lists the errors in the published description
 */

const CHARACTER_COUNT: i32 = 256;
const LENGTH_SYMBOL_COUNT: i32 = 249;
const ALIGNED_SYMBOL_COUNT: i32 = 8;
const PRETREE_SYMBOL_COUNT: i32 = 20;
const MAX_POSITION_SLOTS: i32 = 50;
const MAX_MAIN_SYMBOL_COUNT: i32 = 656;

const MAX_CODE_LENGTH: i32 = 16;
/** codes of up to so many bits are found in one look-up */
const MAIN_BITS: i32 = 11;
const LENGTH_BITS: i32 = 9;
const SMALL_BITS: i32 = 7;

const BLOCK_VERBATIM: i32 = 1;
const BLOCK_ALIGNED: i32 = 2;
const BLOCK_UNCOMPRESSED: i32 = 3;

// Memory. A Huffman table has the entries of codes that are short enough, symbol << 5 | length each or 0; all symbols in
// the order of their codes; then, in 32 bits each, the number of codes of each length, the first code that is too long
// for the entries, and where its symbol stands.
const ENTRIES: usize = 0;
const SORTED: usize = 4096;
const COUNTS: usize = 5504;
const LONG_FIRST: usize = COUNTS + 68;
const LONG_INDEX: usize = COUNTS + 72;
const TABLE_SIZE: usize = 5632;
const MAIN: usize = 1024;
const LENGTH: usize = MAIN + TABLE_SIZE;
const ALIGNED: usize = LENGTH + TABLE_SIZE;
const PRETREE: usize = ALIGNED + TABLE_SIZE;
/** code length of each symbol, a byte each */
const MAIN_LENGTHS: usize = PRETREE + TABLE_SIZE;
const LENGTH_LENGTHS: usize = MAIN_LENGTHS + 672;
const SMALL_LENGTHS: usize = LENGTH_LENGTHS + 256;
/** used while a table is made: where the next symbol of each length goes */
const STARTS: usize = SMALL_LENGTHS + 32;
/** of each position slot: bits of its footer, a byte; the offset it begins at less 2, 32 bits */
const EXTRA_BITS: usize = STARTS + 80;
const POSITION_BASE: usize = EXTRA_BITS + 64;

/** The largest data block has 65,535 bytes. */
export const INPUT: usize = 0x10000;
export const WINDOW: usize = 0x21000;
/** Zeros behind the input: what is read there before it is noticed that nothing real is left. */
const INPUT_PADDING: usize = 64;
/** words that may be read behind the last real one */
const INPUT_SLACK: usize = 16;
/** Bytes copied at once; so many less one may be written behind the end of a match. */
export const COPY_STEP: usize = 16;

// What decodeFrame answers with, beside 0: ../lzx.ts has the words, in this order.
const INPUT_ENDS: i32 = 1;
const NO_BLOCK_TYPE: i32 = 2;
const BAD_ALIGNED_TREE: i32 = 3;
const BAD_PRETREE: i32 = 4;
const BAD_MAIN_TREE: i32 = 5;
const BAD_LENGTH_TREE: i32 = 6;
const RUN_OF_RUN: i32 = 7;
const RUN_TOO_LONG: i32 = 8;
const HEADER_CUT_OFF: i32 = 9;
const EMPTY_TREE: i32 = 10;
const MATCH_TOO_LONG: i32 = 11;
const MATCH_TOO_FAR: i32 = 12;

const COMPLETE: i32 = 0;
const EMPTY: i32 = 1;
const INVALID: i32 = 2;

let mainSymbolCount: i32 = 0;
let blockType: i32 = 0;
let blockSize: i32 = 0;
let blockRemaining: i32 = 0;
/** an uncompressed block of odd size ended where its data block did; its pad byte comes first in the next */
let padPending: bool = false;
let recent0: i32 = 1;
let recent1: i32 = 1;
let recent2: i32 = 1;
let e8Size: i32 = 0;
let e8Seen: bool = false;
/** the block type or the offset that an answer is about */
let wrongValue: i32 = 0;

let windowSize: usize = 0;
let position: usize = 0;
/** true once old bytes stand behind the position to the end of the window */
let wrapped: bool = false;

// Bit reader over one data block: 16-bit little-endian words, first bit most significant.
let at: usize = 0;
let inputEnd: usize = 0;
/** unread bits, left-aligned */
let bits: u64 = 0;
let bitCount: i32 = 0;

/** To be called once. */
export function prepare(): void {
  let base = 0;
  for (let slot = 0; slot < MAX_POSITION_SLOTS; slot++) {
    const extra = slot < 4 ? 0 : min((slot >> 1) - 1, 17);
    store<u8>(EXTRA_BITS + slot, extra);
    store<i32>(POSITION_BASE + ((<usize>slot) << 2), base - 2);
    base += 1 << extra;
  }
}

/** Forgets all about the folder before. The caller has made room for the window and for a step behind it. */
export function restart(positionSlots: i32, size: usize): void {
  mainSymbolCount = CHARACTER_COUNT + 8 * positionSlots;
  windowSize = size;
  position = 0;
  wrapped = false;
  memory.fill(MAIN_LENGTHS, 0, MAX_MAIN_SYMBOL_COUNT);
  memory.fill(LENGTH_LENGTHS, 0, LENGTH_SYMBOL_COUNT);
  blockType = 0;
  blockSize = 0;
  blockRemaining = 0;
  padPending = false;
  recent0 = 1;
  recent1 = 1;
  recent2 = 1;
  e8Size = 0;
  e8Seen = false;
}

/** The translation size that the stream gives; 0 if there are no calls to translate so far. */
export function translationSize(): i32 {
  return e8Seen ? e8Size : 0;
}

export function wrong(): i32 {
  return wrongValue;
}

/**
 * Decodes `inputSize` bytes to `frameSize` bytes behind those of the frame before, or to the beginning of the window if
 * that is full. The window must have room for them.
 */
export function decodeFrame(inputSize: usize, frameSize: usize, isFirst: bool): i32 {
  if (position === windowSize) {
    position = 0;
    wrapped = true;
  }
  at = INPUT;
  inputEnd = INPUT + inputSize;
  memory.fill(inputEnd, 0, INPUT_PADDING);
  bits = 0;
  bitCount = 0;
  if (isFirst) {
    if (readBits(1) === 1) {
      const high = readBits(16);
      e8Size = (high << 16) | readBits(16);
    }
  } else if (padPending) at = INPUT + 1;
  padPending = false;

  const end = position + frameSize;
  while (position < end) {
    if (blockRemaining === 0) {
      const problem = readBlockHeader();
      if (problem !== 0) return problem;
    }
    const start = position;
    const runEnd = min(end, start + blockRemaining);
    const problem = blockType === BLOCK_UNCOMPRESSED ? copyRun(runEnd) : decodeRun(runEnd);
    if (problem !== 0) return problem;
    blockRemaining -= <i32>(runEnd - start);
    if (blockRemaining === 0) finishBlock();
  }
  return overruns() ? INPUT_ENDS : 0;
}

/** Leaves at least 33 bits to read; past the end they are zeros. */
function refill(): void {
  if (bitCount > 32) return;
  bits |= (<u64>rotl<u32>(load<u32>(at), 16)) << (32 - bitCount);
  bitCount += 32;
  at += 4;
}

/** @param count 1 to 17 */
function readBits(count: i32): i32 {
  refill();
  const value = <i32>(bits >> (64 - count));
  bits <<= count;
  bitCount -= count;
  return value;
}

/** Bits are consumed in whole words, so half a word at the end counts as one. */
function overruns(): bool {
  return <i32>(at - inputEnd) * 8 - bitCount > 8;
}

function readBlockHeader(): i32 {
  blockType = readBits(3);
  const high = readBits(16);
  blockSize = (high << 8) | readBits(8);
  blockRemaining = blockSize;
  let problem = 0;
  if (blockType === BLOCK_ALIGNED) {
    for (let symbol = 0; symbol < ALIGNED_SYMBOL_COUNT; symbol++)
      store<u8>(SMALL_LENGTHS + symbol, readBits(3));
    if (build(ALIGNED, SMALL_BITS, SMALL_LENGTHS, ALIGNED_SYMBOL_COUNT) !== COMPLETE) return BAD_ALIGNED_TREE;
    problem = readTrees();
  } else if (blockType === BLOCK_VERBATIM) problem = readTrees();
  else if (blockType === BLOCK_UNCOMPRESSED) problem = startUncompressedBlock();
  else {
    wrongValue = blockType;
    return NO_BLOCK_TYPE;
  }
  if (problem === 0 && overruns()) return INPUT_ENDS;
  return problem;
}

function readTrees(): i32 {
  let problem = readLengths(MAIN_LENGTHS, 0, CHARACTER_COUNT);
  if (problem === 0) problem = readLengths(MAIN_LENGTHS, CHARACTER_COUNT, mainSymbolCount);
  if (problem !== 0) return problem;
  if (build(MAIN, MAIN_BITS, MAIN_LENGTHS, mainSymbolCount) !== COMPLETE) return BAD_MAIN_TREE;
  if (load<u8>(MAIN_LENGTHS + 0xe8) !== 0) e8Seen = true;
  problem = readLengths(LENGTH_LENGTHS, 0, LENGTH_SYMBOL_COUNT);
  if (problem !== 0) return problem;
  // The one tree that may be empty: a block need not have a long match.
  return build(LENGTH, LENGTH_BITS, LENGTH_LENGTHS, LENGTH_SYMBOL_COUNT) === INVALID ? BAD_LENGTH_TREE : 0;
}

/** Takes the next symbol of the pretree, which is complete. Refilled before. */
function readPretreeSymbol(): i32 {
  let entry = entryAt(PRETREE, <usize>(bits >> (64 - SMALL_BITS)));
  if (entry === 0) entry = findLongCode(PRETREE, SMALL_BITS, <i32>(bits >> 48));
  bits <<= entry & 31;
  bitCount -= entry & 31;
  return entry >> 5;
}

/** Updates code lengths `first` to `end`, given as differences from those of the block before. */
function readLengths(lengths: usize, first: i32, end: i32): i32 {
  for (let symbol = 0; symbol < PRETREE_SYMBOL_COUNT; symbol++)
    store<u8>(SMALL_LENGTHS + symbol, readBits(4));
  if (build(PRETREE, SMALL_BITS, SMALL_LENGTHS, PRETREE_SYMBOL_COUNT) !== COMPLETE) return BAD_PRETREE;
  let index = first;
  while (index < end) {
    if (at > inputEnd + INPUT_SLACK) return INPUT_ENDS;
    refill();
    const code = readPretreeSymbol();
    const before = <i32>load<u8>(lengths + index);
    if (code < 17) {
      store<u8>(lengths + index, before < code ? before - code + 17 : before - code);
      index++;
      continue;
    }
    let runSize = 0;
    let length = 0;
    if (code === 17) runSize = 4 + readBits(4);
    else if (code === 18) runSize = 20 + readBits(5);
    else {
      runSize = 4 + readBits(1);
      refill();
      const difference = readPretreeSymbol();
      if (difference > 16) return RUN_OF_RUN;
      length = before < difference ? before - difference + 17 : before - difference;
    }
    if (runSize > end - index) return RUN_TOO_LONG;
    memory.fill(lengths + index, <u8>length, runSize);
    index += runSize;
  }
  return 0;
}

function startUncompressedBlock(): i32 {
  e8Seen = true;
  // What is left of the word begun is skipped, and a whole word if none is begun; words read ahead are not.
  // (Words need not lie at even offsets: an odd block before this one may have moved them.)
  at -= (((bitCount + 15) >> 4) - 1) << 1;
  if (at + 12 > inputEnd) return HEADER_CUT_OFF;
  recent0 = load<i32>(at);
  recent1 = load<i32>(at, 4);
  recent2 = load<i32>(at, 8);
  at += 12;
  bits = 0;
  bitCount = 0;
  return 0;
}

function copyRun(runEnd: usize): i32 {
  const size = runEnd - position;
  if (at + size > inputEnd) return INPUT_ENDS;
  memory.copy(WINDOW + position, at, size);
  at += size;
  position = runEnd;
  return 0;
}

function finishBlock(): void {
  if (blockType !== BLOCK_UNCOMPRESSED || (blockSize & 1) === 0) return;
  if (at < inputEnd) at++;
  else padPending = true;
}

function entryAt(table: usize, index: usize): i32 {
  return <i32>load<u16>(table + ENTRIES + (index << 1));
}

/**
 * Makes a table of canonical codes of at most 16 bits, most significant bit first.
 *
 * @returns COMPLETE if every bit pattern has a meaning, EMPTY if no symbol has a code
 */
function build(table: usize, tableBits: i32, lengths: usize, symbolCount: i32): i32 {
  const counts = table + COUNTS;
  const sorted = table + SORTED;
  memory.fill(counts, 0, 4 * (MAX_CODE_LENGTH + 1));
  for (let symbol = 0; symbol < symbolCount; symbol++) {
    const count = counts + ((<usize>load<u8>(lengths + symbol)) << 2);
    store<i32>(count, load<i32>(count) + 1);
  }
  const isEmpty = load<i32>(counts) === symbolCount;
  store<i32>(counts, 0);
  let space = 0;
  let start = 0;
  for (let length = 1; length <= MAX_CODE_LENGTH; length++) {
    const count = load<i32>(counts + ((<usize>length) << 2));
    store<i32>(STARTS + ((<usize>length) << 2), start);
    start += count;
    space += count << (MAX_CODE_LENGTH - length);
  }
  if (isEmpty) {
    memory.fill(table + ENTRIES, 0, 2 << tableBits);
    store<i32>(table + LONG_FIRST, 0);
    store<i32>(table + LONG_INDEX, 0);
    return EMPTY;
  }
  if (space !== 1 << MAX_CODE_LENGTH) return INVALID;

  for (let symbol = 0; symbol < symbolCount; symbol++) {
    const length = <usize>load<u8>(lengths + symbol);
    if (length === 0) continue;
    const next = STARTS + (length << 2);
    const index = load<i32>(next);
    store<i32>(next, index + 1);
    store<u16>(sorted + ((<usize>index) << 1), symbol);
  }
  fillEntries(table, tableBits);
  return COMPLETE;
}

function fillEntries(table: usize, tableBits: i32): void {
  const end = table + ENTRIES + (2 << tableBits);
  let entry = table + ENTRIES;
  let symbol = table + SORTED;
  let longFirst = 0;
  for (let length = 1; length <= tableBits; length++) {
    const width: usize = 2 << (tableBits - length);
    const count = load<i32>(table + COUNTS + ((<usize>length) << 2));
    longFirst = (longFirst + count) << 1;
    for (let remaining = count; remaining > 0; remaining--) {
      const value = ((<u32>load<u16>(symbol)) << 5) | length;
      symbol += 2;
      const entryEnd = entry + width;
      if (width >= 8) {
        const values: u64 = <u64>value * 0x0001000100010001;
        for (; entry < entryEnd; entry += 8) store<u64>(entry, values);
      } else for (; entry < entryEnd; entry += 2) store<u16>(entry, value);
    }
  }
  store<i32>(table + LONG_FIRST, longFirst);
  store<i32>(table + LONG_INDEX, <i32>((symbol - table - SORTED) >> 1));
  memory.fill(entry, 0, end - entry);
}

/**
 * Finds a code too long for the entries.
 *
 * @param next16 the next 16 bits
 * @returns symbol << 5 | length, or 0 if the table is empty
 */
function findLongCode(table: usize, tableBits: i32, next16: i32): i32 {
  let first = load<i32>(table + LONG_FIRST); // the first code of `length`, as wide as `length`
  let index = load<i32>(table + LONG_INDEX);
  for (let length = tableBits + 1; length <= MAX_CODE_LENGTH; length++) {
    const count = load<i32>(table + COUNTS + ((<usize>length) << 2));
    const place = (next16 >> (MAX_CODE_LENGTH - length)) - first;
    if (place < count) {
      return ((<i32>load<u16>(table + SORTED + ((<usize>(index + place)) << 1))) << 5) | length;
    }
    index += count;
    first = (first + count) << 1;
  }
  return 0;
}

/** The hot loop: literals and matches up to `runEnd`, where block or frame ends. No match crosses that. */
function decodeRun(runEnd: usize): i32 {
  const inputLimit = inputEnd + INPUT_SLACK;
  const isAligned = blockType === BLOCK_ALIGNED;
  const hasWrapped = wrapped;
  const end = WINDOW + runEnd;
  let target = WINDOW + position;
  let from = at;
  let ahead = bits;
  let count = bitCount;
  let last0 = recent0;
  let last1 = recent1;
  let last2 = recent2;

  while (target < end) {
    if (count <= 32) {
      // Nothing real is left: stop here rather than read zeros to the end of the frame.
      if (from > inputLimit) return INPUT_ENDS;
      ahead |= (<u64>rotl<u32>(load<u32>(from), 16)) << (32 - count);
      count += 32;
      from += 4;
    }
    let entry = entryAt(MAIN, <usize>(ahead >> (64 - MAIN_BITS)));
    if (entry === 0) entry = findLongCode(MAIN, MAIN_BITS, <i32>(ahead >> 48));
    ahead <<= entry & 31;
    count -= entry & 31;
    const symbol = entry >> 5;
    if (symbol < CHARACTER_COUNT) {
      store<u8>(target++, symbol);
      // Literals come in runs: 17 bits are left at least, which are one code more.
      entry = entryAt(MAIN, <usize>(ahead >> (64 - MAIN_BITS)));
      if (entry !== 0 && entry < CHARACTER_COUNT << 5 && target < end) {
        store<u8>(target++, entry >> 5);
        ahead <<= entry & 31;
        count -= entry & 31;
      }
      continue;
    }

    let length: usize = (symbol & 7) + 2;
    const slot = (symbol - CHARACTER_COUNT) >> 3;
    if (length === 9) {
      entry = entryAt(LENGTH, <usize>(ahead >> (64 - LENGTH_BITS)));
      if (entry === 0) {
        entry = findLongCode(LENGTH, LENGTH_BITS, <i32>(ahead >> 48));
        if (entry === 0) return EMPTY_TREE;
      }
      ahead <<= entry & 31;
      count -= entry & 31;
      length += entry >> 5;
    }

    let offset: i32 = 0;
    if (slot > 2) {
      const extra = <i32>load<u8>(EXTRA_BITS + slot);
      offset = load<i32>(POSITION_BASE + ((<usize>slot) << 2));
      if (extra > 0) {
        if (count <= 32) {
          ahead |= (<u64>rotl<u32>(load<u32>(from), 16)) << (32 - count);
          count += 32;
          from += 4;
        }
        if (isAligned && extra >= 3) {
          if (extra > 3) {
            offset += (<i32>(ahead >> (67 - extra))) << 3;
            ahead <<= extra - 3;
            count -= extra - 3;
          }
          entry = entryAt(ALIGNED, <usize>(ahead >> (64 - SMALL_BITS)));
          ahead <<= entry & 31;
          count -= entry & 31;
          offset += entry >> 5;
        } else {
          offset += <i32>(ahead >> (64 - extra));
          ahead <<= extra;
          count -= extra;
        }
      }
      last2 = last1;
      last1 = last0;
      last0 = offset;
    } else if (slot === 0) offset = last0;
    else if (slot === 1) {
      offset = last1;
      last1 = last0;
      last0 = offset;
    } else {
      offset = last2;
      last2 = last0;
      last0 = offset;
    }

    const matchEnd = target + length;
    if (matchEnd > end) return MATCH_TOO_LONG;
    if (offset <= 0) {
      wrongValue = offset;
      return MATCH_TOO_FAR;
    }
    const distance = <usize>offset;
    if (distance <= target - WINDOW) {
      let source = target - distance;
      // What is written beyond the end of the match is overwritten by what follows, if nothing stands there yet.
      if (distance >= COPY_STEP && !hasWrapped) {
        do {
          v128.store(target, v128.load(source));
          target += COPY_STEP;
          source += COPY_STEP;
        } while (target < matchEnd);
        target = matchEnd;
        continue;
      }
      if (distance >= 8) {
        for (; target + 8 <= matchEnd; source += 8) {
          store<u64>(target, load<u64>(source));
          target += 8;
        }
      }
      while (target < matchEnd) store<u8>(target++, load<u8>(source++));
      continue;
    }
    if (!hasWrapped || distance > windowSize) {
      wrongValue = offset;
      return MATCH_TOO_FAR;
    }
    const windowEnd = WINDOW + windowSize;
    let source = target + windowSize - distance;
    while (target < matchEnd) {
      store<u8>(target++, load<u8>(source++));
      if (source === windowEnd) source = WINDOW;
    }
  }

  position = target - WINDOW;
  at = from;
  bits = ahead;
  bitCount = count;
  recent0 = last0;
  recent1 = last1;
  recent2 = last2;
  return 0;
}
