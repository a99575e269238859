/**
 * Makes LZX data for tests: verbatim, aligned and uncompressed blocks, any window, E8 translation. Written from
 * package-formats 6.6; other programs read what it makes (test/interop/cab-tools.test.ts). Plain, not fast.
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

interface Token {
  readonly start: number;
  readonly symbol: number; // of the main tree
  readonly lengthSymbol: number | undefined;
  readonly slot: number;
  readonly footer: number;
}

/** @returns one payload (CFDATA data) for each 32 KiB frame */
export function encodeLzx(input: Uint8Array, options: LzxOptions): Uint8Array[] {
  const plain = options.e8Size === undefined ? input : translateE8(input, options.e8Size);
  const { windowBits } = options;
  const mainCount = 256 + 8 * SLOTS[windowBits]!;
  const frames: Uint8Array[] = [];
  let out = new BitWriter();
  const matcher = new Matcher(plain, windowBits, options.minOffset ?? 1);
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
    for (const { symbol, lengthSymbol, slot, footer } of tokens) {
      mainCounts[symbol]!++;
      if (lengthSymbol !== undefined) lengthCounts[lengthSymbol]!++;
      if (symbol >= 256 && slot > 2 && EXTRA[slot]! >= 3) alignedCounts[footer & 7]!++;
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
    tokens.forEach((token, at) => {
      const { symbol, lengthSymbol, slot, footer } = token;
      out.bits(mainCodes[symbol]!, newMain[symbol]!);
      if (lengthSymbol !== undefined) out.bits(lengthCodes[lengthSymbol]!, newLength[lengthSymbol]!);
      if (symbol >= 256 && slot > 2) {
        const extra = EXTRA[slot]!;
        if (type === 'aligned' && extra >= 3) {
          if (extra > 3) out.bits(footer >>> 3, extra - 3);
          out.bits(alignedCodes[footer & 7]!, alignedLengths[footer & 7]!);
        } else if (extra > 0) out.bits(footer, extra);
      }
      endFrameAt(tokens[at + 1]?.start ?? blockEnd);
    });
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

/** Finds matches greedily, in the window and never across the end of a frame or block. */
class Matcher {
  recent: [number, number, number] = [1, 1, 1];
  readonly #plain: Uint8Array;
  readonly #minOffset: number;
  readonly #maxOffset: number;
  /** by hash of three bytes: the oldest place that was in reach, and the newest */
  readonly #oldest = new Int32Array(1 << 16).fill(-1);
  readonly #newest = new Int32Array(1 << 16).fill(-1);

  constructor(plain: Uint8Array, windowBits: number, minOffset: number) {
    this.#minOffset = minOffset;
    this.#plain = plain;
    this.#maxOffset = 2 ** windowBits - 3;
  }

  skip(start: number, end: number): void {
    for (let at = start; at < end; at++) this.#remember(at);
  }

  tokenize(start: number, end: number): Token[] {
    const tokens: Token[] = [];
    let at = start;
    while (at < end) {
      const limit = Math.min(end, at - (at % FRAME_SIZE) + FRAME_SIZE, at + 257);
      const { offset, length } = this.#findMatch(at, limit);
      if (length < 3) {
        tokens.push({ start: at, symbol: this.#plain[at]!, lengthSymbol: undefined, slot: 0, footer: 0 });
        this.#remember(at);
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
      tokens.push({
        start: at,
        symbol: 256 + slot * 8 + header,
        lengthSymbol: header === 7 ? length - 9 : undefined,
        slot,
        footer,
      });
      this.skip(at, at + length);
      at += length;
    }
    return tokens;
  }

  #findMatch(at: number, limit: number): { offset: number; length: number } {
    let best = { offset: 0, length: 0 };
    if (limit - at < 3) return best;
    const hash = this.#hash(at);
    const places = [...this.recent.map((offset) => at - offset), this.#oldest[hash]!, this.#newest[hash]!];
    const candidates = places.filter(
      (source) => at - source >= this.#minOffset && source >= 0 && at - source <= this.#maxOffset,
    );
    for (const source of candidates) {
      let length = 0;
      while (at + length < limit && this.#plain[source + length] === this.#plain[at + length]) length++;
      if (length > best.length) best = { offset: at - source, length };
    }
    return best;
  }

  #hash(at: number): number {
    const key = this.#plain[at]! | (this.#plain[at + 1]! << 8) | (this.#plain[at + 2]! << 16);
    return Math.imul(key, 0x9e3779b1) >>> 16;
  }

  #remember(at: number): void {
    if (at + 2 >= this.#plain.length) return;
    const hash = this.#hash(at);
    const oldest = this.#oldest[hash]!;
    if (oldest < 0 || at - oldest > this.#maxOffset - 257) this.#oldest[hash] = at;
    this.#newest[hash] = at;
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
  const lengths = new Array<number>(weights.length).fill(0);
  let nodes = weights
    .map((weight, symbol) => ({ weight, symbols: [symbol] }))
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => a.weight - b.weight);
  while (nodes.length > 1) {
    const [a, b, ...rest] = nodes as [(typeof nodes)[0], (typeof nodes)[0], ...typeof nodes];
    const joined = { weight: a.weight + b.weight, symbols: [...a.symbols, ...b.symbols] };
    for (const symbol of joined.symbols) lengths[symbol]!++;
    const at = rest.findIndex(({ weight }) => weight > joined.weight);
    nodes = at < 0 ? [...rest, joined] : [...rest.slice(0, at), joined, ...rest.slice(at)];
  }
  return lengths;
}

function canonicalCodes(lengths: readonly number[]): number[] {
  const codes = new Array<number>(lengths.length).fill(0);
  let code = 0;
  for (let length = 1; length <= 16; length++) {
    for (let symbol = 0; symbol < lengths.length; symbol++) {
      if (lengths[symbol] === length) codes[symbol] = code++;
    }
    code <<= 1;
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
  readonly #bytes: number[] = [];
  #word = 0;
  #free = 16;

  bits(value: number, count: number): void {
    for (let bit = count - 1; bit >= 0; bit--) {
      this.#word = (this.#word << 1) | ((value >>> bit) & 1);
      if (--this.#free === 0) this.#flush();
    }
  }

  /** On to the next word; a whole empty word if at a boundary already. */
  alignStrictly(): void {
    this.bits(0, this.#free);
  }

  raw(bytes: Uint8Array): void {
    if (this.#free !== 16) throw new Error('raw bytes must start at a boundary');
    for (const byte of bytes) this.#bytes.push(byte);
  }

  uint32(value: number): void {
    this.raw(Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24));
  }

  finish(): Uint8Array {
    if (this.#free !== 16) this.bits(0, this.#free);
    return Uint8Array.from(this.#bytes);
  }

  #flush(): void {
    this.#bytes.push(this.#word & 0xff, (this.#word >>> 8) & 0xff);
    this.#word = 0;
    this.#free = 16;
  }
}
