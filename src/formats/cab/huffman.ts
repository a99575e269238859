/** Canonical Huffman codes as LZX uses them: at most 16 bits, most significant bit first. */

export const MAX_CODE_LENGTH = 16;

/**
 * A decoding table, rebuilt for every block. Codes of up to `tableBits` are found in one look-up; the few longer
 * ones by comparing with the first code of each length.
 */
export class HuffmanTable {
  readonly tableBits: number;
  /** indexed by the next `tableBits` bits: symbol << 5 | length, or 0 if the code is longer */
  readonly entries: Uint16Array;
  /** symbols in the order of their codes */
  readonly #sorted: Uint16Array;
  readonly #counts = new Uint16Array(MAX_CODE_LENGTH + 1);
  /** first position in `#sorted` of each length; used up while filling */
  readonly #starts = new Uint16Array(MAX_CODE_LENGTH + 2);

  /** first code that is too long for `entries`, and where its symbol stands in `#sorted` */
  #longFirst = 0;
  #longIndex = 0;

  constructor(symbolCount: number, tableBits: number) {
    this.tableBits = tableBits;
    this.entries = new Uint16Array(1 << tableBits);
    this.#sorted = new Uint16Array(symbolCount);
  }

  /**
   * @param lengths code length of each symbol, 0 for none
   * @returns `complete` if every bit pattern has a meaning, `empty` if no symbol has a code, else `invalid`
   */
  build(lengths: Uint8Array, symbolCount: number): 'complete' | 'empty' | 'invalid' {
    const counts = this.#counts.fill(0);
    for (let symbol = 0; symbol < symbolCount; symbol++) {
      const length = lengths[symbol] as number;
      counts[length] = (counts[length] as number) + 1;
    }
    if (counts[0] === symbolCount) {
      this.entries.fill(0);
      counts.fill(0);
      this.#longFirst = 0;
      this.#longIndex = 0;
      return 'empty';
    }
    counts[0] = 0;
    let space = 0;
    const starts = this.#starts;
    for (let length = 1; length <= MAX_CODE_LENGTH; length++) {
      const count = counts[length] as number;
      starts[length + 1] = (starts[length] as number) + count;
      space += count << (MAX_CODE_LENGTH - length);
    }
    if (space !== 1 << MAX_CODE_LENGTH) return 'invalid';

    const sorted = this.#sorted;
    for (let symbol = 0; symbol < symbolCount; symbol++) {
      const length = lengths[symbol] as number;
      if (length === 0) continue;
      const position = starts[length] as number;
      starts[length] = position + 1;
      sorted[position] = symbol;
    }
    this.#fill();
    starts.fill(0);
    return 'complete';
  }

  #fill(): void {
    const { entries, tableBits } = this;
    const counts = this.#counts;
    const sorted = this.#sorted;
    let slot = 0;
    let index = 0;
    this.#longFirst = 0;
    for (let length = 1; length <= tableBits; length++) {
      const width = 1 << (tableBits - length);
      const count = counts[length] as number;
      this.#longFirst = (this.#longFirst + count) << 1;
      for (let remaining = count; remaining > 0; remaining--) {
        const entry = ((sorted[index++] as number) << 5) | length;
        const end = slot + width;
        if (width < 16) for (; slot < end; slot++) entries[slot] = entry;
        else entries.fill(entry, slot, end);
        slot = end;
      }
    }
    this.#longIndex = index;
    entries.fill(0, slot);
  }

  /**
   * Finds a code too long for `entries`.
   *
   * @param next16 the next 16 bits
   * @returns symbol << 5 | length, or 0 if the table is empty
   */
  findLongCode(next16: number): number {
    let first = this.#longFirst; // the first code of `length`, as wide as `length`
    let index = this.#longIndex;
    for (let length = this.tableBits + 1; length <= MAX_CODE_LENGTH; length++) {
      const count = this.#counts[length] as number;
      const position = (next16 >>> (MAX_CODE_LENGTH - length)) - first;
      if (position < count) return ((this.#sorted[index + position] as number) << 5) | length;
      index += count;
      first = (first + count) << 1;
    }
    return 0;
  }
}
