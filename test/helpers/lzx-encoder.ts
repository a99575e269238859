/**
 * Makes LZX data for tests: verbatim, aligned and uncompressed blocks, any window, E8 translation. Written from
 * package-formats 6.6; other programs read what it makes (test/interop/cab-tools.test.ts). Update documents come out
 * about as long as a real server makes them, and fast enough for a benchmark's tens of thousands.
 */

export type LzxBlockType = 'verbatim' | 'aligned' | 'uncompressed';

export interface LzxBlock {
  readonly type: LzxBlockType;
  /** plain bytes of the block; the last one is cut to what is left */
  readonly size: number;
}

export interface LzxOptions {
  readonly windowBits: number;
  /** used in turn until the input is used up; default: one verbatim block */
  readonly blocks?: readonly LzxBlock[];
  /** E8 translation with this file size; default: off */
  readonly e8Size?: number;
  /** shortest distance of a match; default: 1 */
  readonly minOffset?: number;
  /** where matches are looked for: at a few places, or at many for output as short as a real server's; default: few */
  readonly search?: 'few' | 'many';
}

const FRAME_SIZE = 32_768;
const SLOTS: Readonly<Record<number, number>> = { 15: 30, 16: 32, 17: 34, 18: 36, 19: 38, 20: 42, 21: 50 };
const BLOCK_TYPES: Readonly<Record<LzxBlockType, number>> = { verbatim: 1, aligned: 2, uncompressed: 3 };
const LENGTH_SYMBOLS = 249;

/** position slots: extra bits and first formatted offset */
const EXTRA: number[] = [];
const BASE: number[] = [];
for (let slot = 0, base = 0; slot < 50; slot++) {
  EXTRA.push(slot < 4 ? 0 : Math.min((slot >> 1) - 1, 17));
  BASE.push(base);
  base += 2 ** EXTRA[slot]!;
}

/** What a block is made of, a row for each literal or match. */
interface Tokens {
  readonly count: number;
  readonly starts: Int32Array;
  /** of the main tree */
  readonly symbols: Int32Array;
  /** -1: none */
  readonly lengthSymbols: Int32Array;
  readonly slots: Int32Array;
  readonly footers: Int32Array;
}

/** @returns one payload (CFDATA data) for each 32 KiB frame */
export function encodeLzx(input: Uint8Array, options: LzxOptions): Uint8Array[] {
  const plain = options.e8Size === undefined ? input : translateE8(input, options.e8Size);
  const { windowBits } = options;
  const mainCount = 256 + 8 * SLOTS[windowBits]!;
  const frames: Uint8Array[] = [];
  let out = new BitWriter();
  const matcher = new Matcher(plain, options);
  const mainLengths = new Array<number>(mainCount).fill(0);
  const lengthLengths = new Array<number>(LENGTH_SYMBOLS).fill(0);

  out.bits(options.e8Size === undefined ? 0 : 1, 1);
  if (options.e8Size !== undefined) {
    out.bits(options.e8Size >>> 16, 16);
    out.bits(options.e8Size & 0xffff, 16);
  }
  const endFrameAt = (position: number): void => {
    if (position % FRAME_SIZE === 0 || position === plain.length) {
      frames.push(out.finish());
      out = new BitWriter();
    }
  };

  const pattern = options.blocks ?? [{ type: 'verbatim', size: plain.length }];
  let position = 0;
  for (let index = 0; position < plain.length; index++) {
    const { type, size: wishedSize } = pattern[index % pattern.length]!;
    const size = Math.min(wishedSize, plain.length - position);
    const blockEnd = position + size;
    out.bits(BLOCK_TYPES[type], 3);
    out.bits(size >>> 8, 16);
    out.bits(size & 0xff, 8);

    if (type === 'uncompressed') {
      out.alignStrictly();
      for (const recent of matcher.recent) out.uint32(recent);
      while (position < blockEnd) {
        const runEnd = Math.min(blockEnd, position - (position % FRAME_SIZE) + FRAME_SIZE);
        out.raw(plain.subarray(position, runEnd));
        matcher.skip(position, runEnd);
        position = runEnd;
        if (position === blockEnd && size % 2 === 1) out.raw(Uint8Array.of(0));
        endFrameAt(position);
      }
      continue;
    }

    const tokens = matcher.tokenize(position, blockEnd);
    const mainCounts = new Array<number>(mainCount).fill(0);
    const lengthCounts = new Array<number>(LENGTH_SYMBOLS).fill(0);
    const alignedCounts = new Array<number>(8).fill(1);
    for (let at = 0; at < tokens.count; at++) {
      const symbol = tokens.symbols[at]!;
      const lengthSymbol = tokens.lengthSymbols[at]!;
      const slot = tokens.slots[at]!;
      mainCounts[symbol]!++;
      if (lengthSymbol >= 0) lengthCounts[lengthSymbol]!++;
      if (symbol >= 256 && slot > 2 && EXTRA[slot]! >= 3) alignedCounts[tokens.footers[at]! & 7]!++;
    }
    const newMain = codeLengths(mainCounts, 16);
    const newLength = lengthCounts.every((count) => count === 0)
      ? lengthCounts
      : codeLengths(lengthCounts, 16);
    const alignedLengths = codeLengths(alignedCounts, 7);
    if (type === 'aligned') for (const length of alignedLengths) out.bits(length, 3);
    writeLengths(out, mainLengths, newMain, 0, 256);
    writeLengths(out, mainLengths, newMain, 256, mainCount);
    writeLengths(out, lengthLengths, newLength, 0, LENGTH_SYMBOLS);

    const mainCodes = canonicalCodes(newMain);
    const lengthCodes = canonicalCodes(newLength);
    const alignedCodes = canonicalCodes(alignedLengths);
    for (let at = 0; at < tokens.count; at++) {
      const symbol = tokens.symbols[at]!;
      const lengthSymbol = tokens.lengthSymbols[at]!;
      const slot = tokens.slots[at]!;
      const footer = tokens.footers[at]!;
      out.bits(mainCodes[symbol]!, newMain[symbol]!);
      if (lengthSymbol >= 0) out.bits(lengthCodes[lengthSymbol]!, newLength[lengthSymbol]!);
      if (symbol >= 256 && slot > 2) {
        const extra = EXTRA[slot]!;
        if (type === 'aligned' && extra >= 3) {
          if (extra > 3) out.bits(footer >>> 3, extra - 3);
          out.bits(alignedCodes[footer & 7]!, alignedLengths[footer & 7]!);
        } else if (extra > 0) out.bits(footer, extra);
      }
      endFrameAt(at + 1 < tokens.count ? tokens.starts[at + 1]! : blockEnd);
    }
    position = blockEnd;
  }
  return frames;
}

/** Replaces the relative targets of x86 CALLs by absolute ones, as the decoder will undo it. */
function translateE8(input: Uint8Array, size: number): Uint8Array {
  const output = new Uint8Array(input);
  const view = new DataView(output.buffer);
  for (let frame = 0; frame < output.length; frame += FRAME_SIZE) {
    const end = Math.min(output.length, frame + FRAME_SIZE) - 10;
    for (let at = frame; at < end; at++) {
      if (output[at] !== 0xe8) continue;
      const relative = view.getInt32(at + 1, true);
      if (relative >= -at && relative < size) {
        view.setInt32(at + 1, relative < size - at ? relative + at : relative - size, true);
      }
      at += 4;
    }
  }
  return output;
}

const HASH_SIZE = 1 << 16;
/** Characters of two bytes: three of them tell more than three bytes. */
const LONG_HASH_BYTES = 6;
/** earlier places tried for one match */
const MAX_CANDIDATES = 24;
/** A match as long as this is taken as it is. */
const GOOD_LENGTH = 64;

/** Finds matches greedily, in the window and never across the end of a frame or block. */
class Matcher {
  recent: [number, number, number] = [1, 1, 1];
  readonly #plain: Uint8Array;
  readonly #minOffset: number;
  readonly #maxOffset: number;
  readonly #isThorough: boolean;
  /** by hash of three bytes: the oldest place that was in reach, and the newest */
  readonly #oldest = new Int32Array(HASH_SIZE).fill(-1);
  readonly #newest = new Int32Array(HASH_SIZE).fill(-1);
  /** by hash of {@link LONG_HASH_BYTES}: the newest place, and from each place to the one before */
  readonly #heads = new Int32Array(HASH_SIZE).fill(-1);
  readonly #previous: Int32Array;
  /** found by the last call of `#find` */
  #offset = 0;
  #length = 0;

  constructor(plain: Uint8Array, { windowBits, minOffset = 1, search }: LzxOptions) {
    this.#minOffset = minOffset;
    this.#plain = plain;
    this.#maxOffset = 2 ** windowBits - 3;
    this.#isThorough = search === 'many';
    this.#previous = new Int32Array(this.#isThorough ? plain.length : 0);
  }

  skip(start: number, end: number): void {
    for (let at = start; at < end; at++) this.#remember(at);
  }

  tokenize(start: number, end: number): Tokens {
    const size = end - start;
    const [starts, symbols, lengthSymbols, slots, footers] = [0, 1, 2, 3, 4].map(
      () => new Int32Array(size),
    ) as [Int32Array, Int32Array, Int32Array, Int32Array, Int32Array];
    let count = 0;
    let at = start;
    /** the match at `at` has been looked for already */
    let isKnown = false;
    while (at < end) {
      if (!isKnown) this.#find(at, this.#limit(at, end));
      isKnown = false;
      let offset = this.#offset;
      let length = this.#length;
      this.#remember(at);
      const isPassable = length >= 3 && length < GOOD_LENGTH;
      if (this.#isThorough && isPassable && at + 1 < end && (at + 1) % FRAME_SIZE !== 0) {
        this.#find(at + 1, this.#limit(at + 1, end));
        if (this.#length > length + 1) {
          length = 0;
          offset = 0;
          isKnown = true;
        }
      }
      starts[count] = at;
      if (length < 3) {
        symbols[count] = this.#plain[at]!;
        lengthSymbols[count] = -1;
        count++;
        at++;
        continue;
      }
      const recentIndex = this.recent.indexOf(offset);
      let slot = recentIndex;
      let footer = 0;
      if (recentIndex < 0) {
        const formatted = offset + 2;
        slot = 49;
        while (BASE[slot]! > formatted) slot--;
        footer = formatted - BASE[slot]!;
        this.recent = [offset, this.recent[0], this.recent[1]];
      } else if (recentIndex > 0) {
        this.recent[recentIndex] = this.recent[0];
        this.recent[0] = offset;
      }
      const header = Math.min(length - 2, 7);
      symbols[count] = 256 + slot * 8 + header;
      lengthSymbols[count] = header === 7 ? length - 9 : -1;
      slots[count] = slot;
      footers[count] = footer;
      count++;
      this.skip(at + 1, at + length);
      at += length;
    }
    return { count, starts, symbols, lengthSymbols, slots, footers };
  }

  /** where a match at `at` has to end */
  #limit(at: number, end: number): number {
    return Math.min(end, at - (at % FRAME_SIZE) + FRAME_SIZE, at + 257);
  }

  #find(at: number, limit: number): void {
    this.#offset = 0;
    this.#length = 0;
    if (limit - at < 3) return;
    for (const offset of this.recent) this.#try(at, at - offset, limit);
    const recentLength = this.#length;
    const recentOffset = this.#offset;
    const hash = this.#shortHash(at);
    this.#try(at, this.#oldest[hash]!, limit);
    this.#try(at, this.#newest[hash]!, limit);
    if (!this.#isThorough) return;
    if (at + LONG_HASH_BYTES <= this.#plain.length) {
      let source = this.#heads[this.#longHash(at)]!;
      for (let tries = 0; tries < MAX_CANDIDATES && source >= 0 && this.#length < limit - at; tries++) {
        this.#try(at, source, limit);
        source = this.#previous[source]!;
      }
    }
    // An offset that is known already takes no footer: a new one must be worth it.
    if (recentLength >= 3 && this.#length <= recentLength + 1) {
      this.#offset = recentOffset;
      this.#length = recentLength;
    }
  }

  /** Takes the match with `source` if it is longer than the one found so far. */
  #try(at: number, source: number, limit: number): void {
    const offset = at - source;
    if (source < 0 || offset < this.#minOffset || offset > this.#maxOffset) return;
    const plain = this.#plain;
    const best = this.#length;
    if (at + best >= limit || plain[source + best] !== plain[at + best]) return;
    let length = 0;
    while (at + length < limit && plain[source + length] === plain[at + length]) length++;
    if (length <= best) return;
    this.#offset = offset;
    this.#length = length;
  }

  #shortHash(at: number): number {
    const key = this.#plain[at]! | (this.#plain[at + 1]! << 8) | (this.#plain[at + 2]! << 16);
    return Math.imul(key, 0x9e3779b1) >>> 16;
  }

  #longHash(at: number): number {
    const plain = this.#plain;
    const low = plain[at]! | (plain[at + 1]! << 8) | (plain[at + 2]! << 16) | (plain[at + 3]! << 24);
    const high = plain[at + 4]! | (plain[at + 5]! << 8);
    return Math.imul(Math.imul(low, 0x9e3779b1) ^ high, 0x85ebca6b) >>> 16;
  }

  #remember(at: number): void {
    if (at + 2 >= this.#plain.length) return;
    const hash = this.#shortHash(at);
    const oldest = this.#oldest[hash]!;
    if (oldest < 0 || at - oldest > this.#maxOffset - 257) this.#oldest[hash] = at;
    this.#newest[hash] = at;
    if (!this.#isThorough || at + LONG_HASH_BYTES > this.#plain.length) return;
    const long = this.#longHash(at);
    this.#previous[at] = this.#heads[long]!;
    this.#heads[long] = at;
  }
}

/** Huffman code lengths up to `limit`, always a complete code: a lone symbol gets a companion. */
function codeLengths(counts: readonly number[], limit: number): number[] {
  const weights = counts.slice();
  if (weights.filter((weight) => weight > 0).length < 2) {
    for (let symbol = 0; weights.filter((weight) => weight > 0).length < 2; symbol++) weights[symbol] ||= 1;
  }
  for (;;) {
    const lengths = huffmanLengths(weights);
    if (Math.max(...lengths) <= limit) return lengths;
    for (let symbol = 0; symbol < weights.length; symbol++) weights[symbol] = Math.ceil(weights[symbol]! / 2);
  }
}

function huffmanLengths(weights: readonly number[]): number[] {
  const symbols = weights.flatMap((weight, symbol) => (weight > 0 ? [symbol] : []));
  symbols.sort((a, b) => weights[a]! - weights[b]!);
  // Leaves in order of weight, then joined nodes in the order they are made: that is by weight as well.
  const leafCount = symbols.length;
  const nodeWeights = symbols.map((symbol) => weights[symbol]!);
  const parents: number[] = [];
  let leaf = 0;
  let joined = leafCount;
  const takeLightest = (): number => {
    const takesLeaf =
      leaf < leafCount && (joined >= nodeWeights.length || nodeWeights[leaf]! <= nodeWeights[joined]!);
    return takesLeaf ? leaf++ : joined++;
  };
  while (nodeWeights.length < 2 * leafCount - 1) {
    const a = takeLightest();
    const b = takeLightest();
    parents[a] = nodeWeights.length;
    parents[b] = nodeWeights.length;
    nodeWeights.push(nodeWeights[a]! + nodeWeights[b]!);
  }
  const depths = new Array<number>(nodeWeights.length).fill(0);
  const lengths = new Array<number>(weights.length).fill(0);
  for (let node = nodeWeights.length - 2; node >= 0; node--) {
    depths[node] = depths[parents[node]!]! + 1;
    if (node < leafCount) lengths[symbols[node]!] = depths[node]!;
  }
  return lengths;
}

function canonicalCodes(lengths: readonly number[]): number[] {
  const codes = new Array<number>(lengths.length).fill(0);
  const counts = new Array<number>(18).fill(0);
  for (const length of lengths) if (length > 0) counts[length]!++;
  const next = new Array<number>(18).fill(0);
  for (let length = 1; length <= 16; length++) next[length + 1] = (next[length]! + counts[length]!) << 1;
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol]!;
    if (length > 0) codes[symbol] = next[length]!++;
  }
  return codes;
}

/** Writes lengths `first` to `end` as differences, with all three kinds of runs, and updates `old`. */
function writeLengths(
  out: BitWriter,
  old: number[],
  lengths: readonly number[],
  first: number,
  end: number,
): void {
  const codes: { symbol: number; extra?: readonly [value: number, bits: number] }[] = [];
  for (let at = first; at < end; ) {
    let run = 1;
    while (at + run < end && lengths[at + run] === lengths[at]) run++;
    const difference = (old[at]! - lengths[at]! + 17) % 17;
    if (lengths[at] === 0 && run >= 20) {
      run = Math.min(run, 51);
      codes.push({ symbol: 18, extra: [run - 20, 5] });
    } else if (lengths[at] === 0 && run >= 4) {
      run = Math.min(run, 19);
      codes.push({ symbol: 17, extra: [run - 4, 4] });
    } else if (run >= 4) {
      run = Math.min(run, 5);
      codes.push({ symbol: 19, extra: [run - 4, 1] }, { symbol: difference });
    } else {
      run = 1;
      codes.push({ symbol: difference });
    }
    at += run;
  }
  const counts = new Array<number>(20).fill(0);
  for (const { symbol } of codes) counts[symbol]!++;
  const preLengths = codeLengths(counts, 15);
  const preCodes = canonicalCodes(preLengths);
  for (const length of preLengths) out.bits(length, 4);
  for (const { symbol, extra } of codes) {
    out.bits(preCodes[symbol]!, preLengths[symbol]!);
    if (extra !== undefined) out.bits(...extra);
  }
  for (let at = first; at < end; at++) old[at] = lengths[at]!;
}

/** Bits into 16-bit little-endian words, most significant first. */
class BitWriter {
  #bytes = new Uint8Array(8_192);
  #size = 0;
  #word = 0;
  #free = 16;

  /** @param count up to 17; higher bits of `value` are left out */
  bits(value: number, count: number): void {
    let left = count;
    while (left > 0) {
      const taken = Math.min(left, this.#free);
      this.#word = (this.#word << taken) | ((value >>> (left - taken)) & ((1 << taken) - 1));
      left -= taken;
      this.#free -= taken;
      if (this.#free === 0) this.#flush();
    }
  }

  /** On to the next word; a whole empty word if at a boundary already. */
  alignStrictly(): void {
    this.bits(0, this.#free);
  }

  raw(bytes: Uint8Array): void {
    if (this.#free !== 16) throw new Error('raw bytes must start at a boundary');
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#size);
    this.#size += bytes.length;
  }

  uint32(value: number): void {
    this.raw(Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24));
  }

  finish(): Uint8Array {
    if (this.#free !== 16) this.bits(0, this.#free);
    return this.#bytes.slice(0, this.#size);
  }

  #flush(): void {
    this.#reserve(2);
    this.#bytes[this.#size++] = this.#word & 0xff;
    this.#bytes[this.#size++] = (this.#word >>> 8) & 0xff;
    this.#word = 0;
    this.#free = 16;
  }

  #reserve(count: number): void {
    if (this.#size + count <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * (this.#size + count));
    larger.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = larger;
  }
}
