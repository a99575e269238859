/**
 * LZX as cabinets carry it: one 32 KiB frame per data block, state running across the folder.
 *
 * @see [MS-PATCH] LZX, [MS-MCI]; package-formats 6.6, which also lists the errors in the published description
 */
import { BLOCK_SIZE } from './constants.js';
import { HuffmanTable } from './huffman.js';

const CHARACTER_COUNT = 256;
const LENGTH_HEADERS = 8;
const LENGTH_SYMBOL_COUNT = 249;
const ALIGNED_SYMBOL_COUNT = 8;
const PRETREE_SYMBOL_COUNT = 20;
/** position slots for windows of 15 to 21 bits */
const POSITION_SLOTS: readonly number[] = [30, 32, 34, 36, 38, 42, 50];
const MAX_POSITION_SLOTS = 50;
const MAX_MAIN_SYMBOL_COUNT = CHARACTER_COUNT + LENGTH_HEADERS * MAX_POSITION_SLOTS;

const BLOCK_VERBATIM = 1;
const BLOCK_ALIGNED = 2;
const BLOCK_UNCOMPRESSED = 3;

const E8 = 0xe8;
const MAX_E8_FRAME_COUNT = 32_768;
/** no call instruction is translated so close to the end of a frame */
const E8_TAIL_SIZE = 10;

/** Words read ahead of the last real one are zeros: those of one match that nothing real is left of, and those behind. */
const INPUT_PADDING = 24;
/** From this length on one native copy beats a loop. */
const MIN_NATIVE_COPY_SIZE = 64;
/** Bytes copied at once by the loop; up to one less is written behind the end of a match. */
const COPY_STEP = 4;
/** a little more than the largest block of a real cabinet has */
const USUAL_INPUT_SIZE = 40 * 1024;

const EXTRA_BITS = new Uint8Array(MAX_POSITION_SLOTS);
/** offset of a match = base + footer; the format's "− 2" is in the base */
const POSITION_BASE = new Int32Array(MAX_POSITION_SLOTS);
for (let slot = 0, base = 0; slot < MAX_POSITION_SLOTS; slot++) {
  const extra = slot < 4 ? 0 : Math.min((slot >>> 1) - 1, 17);
  EXTRA_BITS[slot] = extra;
  POSITION_BASE[slot] = base - 2;
  base += 2 ** extra;
}

/** of a match's offset: 17 as they are, or 14 and an aligned code of 7 */
const MAX_FOOTER_BITS = 21;

const NO_BYTES = new Uint8Array(0);

/**
 * Decodes the LZX blocks of one folder, in order. Throws plain `Error`s that say what is wrong with the data. One
 * decoder serves one folder after the other (`restart`): making its tables costs as much as a small folder.
 */
export class LzxDecoder {
  #window: Uint8Array = NO_BYTES;
  #windowView: DataView = new DataView(NO_BYTES.buffer);
  #windowSize = 0;
  /** the window is where the caller wants the plain bytes */
  #isInPlace = false;
  #position = 0;
  /** true once old bytes stand behind the position to the end of the window */
  #wrapped = false;
  #frameIndex = 0;

  #mainSymbolCount = 0;
  readonly #mainLengths = new Uint8Array(MAX_MAIN_SYMBOL_COUNT);
  readonly #lengthLengths = new Uint8Array(LENGTH_SYMBOL_COUNT);
  readonly #smallLengths = new Uint8Array(PRETREE_SYMBOL_COUNT);
  readonly #main = new HuffmanTable(MAX_MAIN_SYMBOL_COUNT, 10);
  readonly #length = new HuffmanTable(LENGTH_SYMBOL_COUNT, 9);
  readonly #aligned = new HuffmanTable(ALIGNED_SYMBOL_COUNT, 7);
  readonly #pretree = new HuffmanTable(PRETREE_SYMBOL_COUNT, 7);

  #blockType = 0;
  #blockSize = 0;
  #blockRemaining = 0;
  /** an uncompressed block of odd size ended where its data block did; its pad byte comes first in the next */
  #padPending = false;
  #recent0 = 1;
  #recent1 = 1;
  #recent2 = 1;

  #e8Size = 0;
  #e8Seen = false;
  /** decoding in place: first frame with calls to translate, if there is one */
  #firstCallFrame: number | undefined;

  // Bit reader over one data block: 16-bit little-endian words, first bit most significant.
  #input: Uint8Array = NO_BYTES;
  #inputView: DataView = new DataView(NO_BYTES.buffer);
  #inputSize = 0;
  #inputPosition = 0;
  /** unread bits, left-aligned */
  #bits = 0;
  #bitCount = 0;

  /**
   * @param windowBits 15 to 21
   * @param outputSize plain bytes that will be asked for at most; a small output needs a small window only
   */
  constructor(windowBits: number, outputSize: number) {
    this.restart(windowBits, outputSize);
  }

  /**
   * Forgets all about the folder before.
   *
   * @param target where all plain bytes will be decoded to, one frame behind the other, if that can serve as the window:
   *   `finish` must be called at the end then
   */
  restart(windowBits: number, outputSize: number, target?: Uint8Array): void {
    const slots = POSITION_SLOTS[windowBits - 15];
    if (slots === undefined) throw new Error(`no LZX window has ${windowBits} bits`);
    this.#mainSymbolCount = CHARACTER_COUNT + LENGTH_HEADERS * slots;
    const maxSize = 1 << windowBits;
    this.#isInPlace = target !== undefined && target.length <= maxSize;
    this.#window = this.#isInPlace
      ? (target as Uint8Array)
      : new Uint8Array(Math.min(maxSize, Math.ceil(outputSize / BLOCK_SIZE) * BLOCK_SIZE));
    this.#windowSize = this.#window.length;
    this.#windowView = new DataView(this.#window.buffer, this.#window.byteOffset, this.#windowSize);
    this.#position = 0;
    this.#wrapped = false;
    this.#frameIndex = 0;
    this.#mainLengths.fill(0);
    this.#lengthLengths.fill(0);
    this.#blockType = 0;
    this.#blockSize = 0;
    this.#blockRemaining = 0;
    this.#padPending = false;
    this.#recent0 = 1;
    this.#recent1 = 1;
    this.#recent2 = 1;
    this.#e8Size = 0;
    this.#e8Seen = false;
    this.#firstCallFrame = undefined;
  }

  /** Lets go of the caller's memory. To be called behind the last frame if a target was given. */
  finish(): void {
    if (this.#isInPlace && this.#firstCallFrame !== undefined) {
      for (let index = this.#firstCallFrame; index < this.#frameIndex; index++) {
        const start = index * BLOCK_SIZE;
        const frame = this.#window.subarray(start, Math.min(start + BLOCK_SIZE, this.#position));
        if (index < MAX_E8_FRAME_COUNT) undoE8Translation(frame, start, this.#e8Size);
      }
    }
    this.#window = NO_BYTES;
    this.#windowSize = 0;
  }

  /** Decodes one data block to `frameSize` bytes at `out[outOffset]`. All but the last have 32,768. */
  decode(data: Uint8Array, frameSize: number, out: Uint8Array, outOffset: number): void {
    if (this.#position % BLOCK_SIZE !== 0) throw new Error('a frame follows one shorter than 32,768 bytes');
    if (this.#position === this.#windowSize) {
      this.#position = 0;
      this.#wrapped = true;
    }
    this.#startInput(data);
    if (this.#frameIndex === 0) {
      if (this.#readBits(1) === 1) this.#e8Size = (this.#readBits(16) << 16) | this.#readBits(16);
    } else if (this.#padPending) {
      this.#inputPosition = 1;
    }
    this.#padPending = false;

    const start = this.#position;
    const end = start + frameSize;
    if (end > this.#windowSize) throw new Error('there are more plain bytes than the folder has room for');
    while (this.#position < end) {
      if (this.#blockRemaining === 0) this.#readBlockHeader();
      const runStart = this.#position;
      const runEnd = Math.min(end, runStart + this.#blockRemaining);
      if (this.#blockType === BLOCK_UNCOMPRESSED) this.#copyRun(runEnd);
      else this.#decodeRun(runEnd);
      this.#blockRemaining -= runEnd - runStart;
      if (this.#blockRemaining === 0) this.#finishBlock();
    }
    this.#refuseOverrun();

    const hasCalls = this.#e8Seen && this.#e8Size !== 0;
    if (this.#isInPlace) {
      // Matches of later frames refer to the bytes as they are now, so calls are translated at the end.
      if (hasCalls) this.#firstCallFrame ??= this.#frameIndex;
    } else {
      const frame = out.subarray(outOffset, outOffset + frameSize);
      frame.set(this.#window.subarray(start, end));
      if (hasCalls && this.#frameIndex < MAX_E8_FRAME_COUNT) {
        undoE8Translation(frame, this.#frameIndex * BLOCK_SIZE, this.#e8Size);
      }
    }
    this.#frameIndex++;
  }

  #startInput(data: Uint8Array): void {
    if (this.#input.length < data.length + INPUT_PADDING) {
      this.#input = new Uint8Array(Math.max(USUAL_INPUT_SIZE, data.length + INPUT_PADDING));
      this.#inputView = new DataView(this.#input.buffer);
    }
    this.#input.set(data);
    this.#input.fill(0, data.length, data.length + INPUT_PADDING);
    this.#inputSize = data.length;
    this.#inputPosition = 0;
    this.#bits = 0;
    this.#bitCount = 0;
  }

  /** Leaves at least 17 bits to read, the longest footer; past the end they are zeros. */
  #refill(): void {
    while (this.#bitCount <= 16) {
      const at = this.#inputPosition;
      const word = (this.#input[at] ?? 0) | ((this.#input[at + 1] ?? 0) << 8);
      this.#inputPosition = at + 2;
      this.#bits |= word << (16 - this.#bitCount);
      this.#bitCount += 16;
    }
  }

  /** @param count 1 to 17 */
  #readBits(count: number): number {
    this.#refill();
    const value = this.#bits >>> (32 - count);
    this.#bits <<= count;
    this.#bitCount -= count;
    return value;
  }

  #readSymbol(table: HuffmanTable): number {
    this.#refill();
    const entry =
      (table.entries[this.#bits >>> (32 - table.tableBits)] as number) ||
      table.findLongCode(this.#bits >>> 16);
    if (entry === 0) throw new Error('a symbol of an empty Huffman tree is used');
    this.#bits <<= entry & 31;
    this.#bitCount -= entry & 31;
    return entry >>> 5;
  }

  /** Bits are consumed in whole words, so half a word at the end counts as one. */
  #refuseOverrun(): void {
    const consumedBits = this.#inputPosition * 8 - this.#bitCount;
    if (consumedBits > (this.#inputSize + 1) * 8) {
      throw new Error(`the compressed data ends early (after ${this.#inputSize} bytes)`);
    }
  }

  #readBlockHeader(): void {
    this.#blockType = this.#readBits(3);
    this.#blockSize = (this.#readBits(16) << 8) | this.#readBits(8);
    this.#blockRemaining = this.#blockSize;
    switch (this.#blockType) {
      case BLOCK_ALIGNED:
        for (let symbol = 0; symbol < ALIGNED_SYMBOL_COUNT; symbol++) {
          this.#smallLengths[symbol] = this.#readBits(3);
        }
        this.#buildTable(this.#aligned, this.#smallLengths, ALIGNED_SYMBOL_COUNT, 'aligned offset');
        this.#readTrees();
        break;
      case BLOCK_VERBATIM:
        this.#readTrees();
        break;
      case BLOCK_UNCOMPRESSED:
        this.#startUncompressedBlock();
        break;
      default:
        throw new Error(`block type ${this.#blockType} does not exist`);
    }
    this.#refuseOverrun();
  }

  #readTrees(): void {
    this.#readLengths(this.#mainLengths, 0, CHARACTER_COUNT);
    this.#readLengths(this.#mainLengths, CHARACTER_COUNT, this.#mainSymbolCount);
    this.#buildTable(this.#main, this.#mainLengths, this.#mainSymbolCount, 'main');
    if (this.#mainLengths[E8] !== 0) this.#e8Seen = true;
    this.#readLengths(this.#lengthLengths, 0, LENGTH_SYMBOL_COUNT);
    // The one tree that may be empty: a block need not have a long match.
    if (this.#length.build(this.#lengthLengths, LENGTH_SYMBOL_COUNT) === 'invalid') {
      throw new Error('the length tree is no complete Huffman code');
    }
  }

  #buildTable(table: HuffmanTable, lengths: Uint8Array, symbolCount: number, name: string): void {
    if (table.build(lengths, symbolCount) !== 'complete') {
      throw new Error(`the ${name} tree is no complete Huffman code`);
    }
  }

  /** Updates code lengths `first` to `end`, given as differences from those of the block before. */
  #readLengths(lengths: Uint8Array, first: number, end: number): void {
    for (let symbol = 0; symbol < PRETREE_SYMBOL_COUNT; symbol++)
      this.#smallLengths[symbol] = this.#readBits(4);
    const pretree = this.#pretree;
    this.#buildTable(pretree, this.#smallLengths, PRETREE_SYMBOL_COUNT, 'pretree');
    const { entries } = pretree;
    const shift = 32 - pretree.tableBits;
    const input = this.#input;
    const inputLimit = this.#inputSize + INPUT_PADDING;
    let at = this.#inputPosition;
    let bits = this.#bits;
    let bitCount = this.#bitCount;
    let index = first;
    while (index < end) {
      // A symbol of at most 15 bits; what it asks for then is refilled before.
      if (bitCount <= 16) {
        if (at > inputLimit) break; // zeros only: found out behind the loop
        bits |= ((input[at] as number) | ((input[at + 1] as number) << 8)) << (16 - bitCount);
        at += 2;
        bitCount += 16;
      }
      const entry = (entries[bits >>> shift] as number) || pretree.findLongCode(bits >>> 16);
      bits <<= entry & 31;
      bitCount -= entry & 31;
      const code = entry >>> 5;
      if (code < 17) {
        const length = (lengths[index] as number) - code;
        lengths[index++] = length < 0 ? length + 17 : length;
        continue;
      }
      this.#inputPosition = at;
      this.#bits = bits;
      this.#bitCount = bitCount;
      let runSize: number;
      let length = 0;
      if (code === 17) runSize = 4 + this.#readBits(4);
      else if (code === 18) runSize = 20 + this.#readBits(5);
      else {
        runSize = 4 + this.#readBits(1);
        const difference = this.#readSymbol(pretree);
        if (difference > 16) throw new Error('a run of code lengths repeats a run');
        length = ((lengths[index] as number) - difference + 17) % 17;
      }
      at = this.#inputPosition;
      bits = this.#bits;
      bitCount = this.#bitCount;
      if (runSize > end - index) throw new Error('a run of code lengths goes beyond its tree');
      for (const runEnd = index + runSize; index < runEnd; index++) lengths[index] = length;
    }
    this.#inputPosition = at;
    this.#bits = bits;
    this.#bitCount = bitCount;
    if (index < end) throw new Error(`the compressed data ends early (after ${this.#inputSize} bytes)`);
  }

  #startUncompressedBlock(): void {
    this.#e8Seen = true;
    // What is left of the word begun is skipped, and a whole word if none is begun; words read ahead are not.
    // (Words need not lie at even offsets: an odd block before this one may have moved them.)
    const at = this.#inputPosition - (Math.ceil(this.#bitCount / 16) - 1) * 2;
    if (at + 12 > this.#inputSize) throw new Error('the header of an uncompressed block is cut off');
    const view = new DataView(this.#input.buffer, at, 12);
    this.#recent0 = view.getInt32(0, true);
    this.#recent1 = view.getInt32(4, true);
    this.#recent2 = view.getInt32(8, true);
    this.#inputPosition = at + 12;
    this.#bits = 0;
    this.#bitCount = 0;
  }

  #copyRun(runEnd: number): void {
    const from = this.#inputPosition;
    const size = runEnd - this.#position;
    if (from + size > this.#inputSize) {
      throw new Error(`the compressed data ends early (after ${this.#inputSize} bytes)`);
    }
    this.#window.set(this.#input.subarray(from, from + size), this.#position);
    this.#inputPosition = from + size;
    this.#position = runEnd;
  }

  #finishBlock(): void {
    if (this.#blockType !== BLOCK_UNCOMPRESSED || (this.#blockSize & 1) === 0) return;
    if (this.#inputPosition < this.#inputSize) this.#inputPosition++;
    else this.#padPending = true;
  }

  /**
   * The hot loop: literals and matches up to `runEnd`, where block or frame ends. No match crosses that.
   *
   * It loads the next 32 bits for each symbol, wherever they begin: a branch that asks whether there are enough left would
   * be guessed wrong every other time, and that costs more.
   */
  #decodeRun(runEnd: number): void {
    const window = this.#window;
    const view = this.#windowView;
    const windowSize = this.#windowSize;
    const input = this.#inputView;
    const inputLimit = this.#inputSize + 4;
    const mainEntries = this.#main.entries;
    const mainShift = 32 - this.#main.tableBits;
    const lengthEntries = this.#length.entries;
    const lengthShift = 32 - this.#length.tableBits;
    const alignedEntries = this.#aligned.entries;
    const alignedShift = 32 - this.#aligned.tableBits;
    const isAligned = this.#blockType === BLOCK_ALIGNED;
    const wrapped = this.#wrapped;
    let position = this.#position;
    let recent0 = this.#recent0;
    let recent1 = this.#recent1;
    let recent2 = this.#recent2;
    /** the word with the next bit, and the bits of it that have been used */
    const wordCount = (this.#bitCount + 15) >>> 4;
    let at = this.#inputPosition - wordCount * 2;
    let used = wordCount * 16 - this.#bitCount;

    while (position < runEnd) {
      at += (used >>> 4) << 1;
      used &= 15;
      // Nothing real is left: stop here rather than read zeros to the end of the frame.
      if (at > inputLimit) throw new Error(`the compressed data ends early (after ${this.#inputSize} bytes)`);
      let words = input.getInt32(at, true);
      let bits = (((words << 16) | (words >>> 16)) << used) | (input.getUint16(at + 4, true) >>> (16 - used));
      let entry = mainEntries[bits >>> mainShift] as number;
      if (entry === 0) entry = this.#main.findLongCode(bits >>> 16);
      let size = entry & 31;
      used += size;
      const symbol = entry >>> 5;
      if (symbol < CHARACTER_COUNT) {
        window[position++] = symbol;
        // Literals come in runs: 16 bits are left at least, which are one code more.
        entry = mainEntries[(bits << size) >>> mainShift] as number;
        if (entry !== 0 && entry < CHARACTER_COUNT << 5 && position < runEnd) {
          window[position++] = entry >>> 5;
          used += entry & 31;
        }
        continue;
      }

      let length = (symbol & 7) + 2;
      const slot = (symbol - CHARACTER_COUNT) >>> 3;
      bits <<= size;
      if (length === 9) {
        entry = lengthEntries[bits >>> lengthShift] as number;
        if (entry === 0) {
          entry = this.#length.findLongCode(bits >>> 16);
          if (entry === 0) throw new Error('a symbol of an empty Huffman tree is used');
        }
        size += entry & 31;
        used += entry & 31;
        bits <<= entry & 31;
        length += entry >>> 5;
      }

      let offset: number;
      if (slot > 2) {
        const extra = EXTRA_BITS[slot] as number;
        offset = POSITION_BASE[slot] as number;
        if (extra > 0) {
          if (size > 32 - MAX_FOOTER_BITS) {
            at += (used >>> 4) << 1;
            used &= 15;
            words = input.getInt32(at, true);
            bits =
              (((words << 16) | (words >>> 16)) << used) | (input.getUint16(at + 4, true) >>> (16 - used));
          }
          if (isAligned && extra >= 3) {
            if (extra > 3) {
              offset += (bits >>> (35 - extra)) << 3;
              bits <<= extra - 3;
              used += extra - 3;
            }
            entry = alignedEntries[bits >>> alignedShift] as number;
            used += entry & 31;
            offset += entry >>> 5;
          } else {
            offset += bits >>> (32 - extra);
            used += extra;
          }
        }
        recent2 = recent1;
        recent1 = recent0;
        recent0 = offset;
      } else if (slot === 0) {
        offset = recent0;
      } else if (slot === 1) {
        offset = recent1;
        recent1 = recent0;
        recent0 = offset;
      } else {
        offset = recent2;
        recent2 = recent0;
        recent0 = offset;
      }

      const matchEnd = position + length;
      if (matchEnd > runEnd) throw new Error('a match goes beyond its block or frame');
      let source = position - offset;
      if (source >= 0 && offset > 0) {
        if (length >= MIN_NATIVE_COPY_SIZE && offset >= length) {
          window.copyWithin(position, source, source + length);
          position = matchEnd;
        } else if (offset >= COPY_STEP && matchEnd + COPY_STEP <= windowSize && !wrapped) {
          // What is written beyond the end of the match is overwritten by what follows.
          do {
            view.setInt32(position, view.getInt32(source, true), true);
            position += COPY_STEP;
            source += COPY_STEP;
          } while (position < matchEnd);
          position = matchEnd;
        } else {
          while (position < matchEnd) window[position++] = window[source++] as number;
        }
        continue;
      }
      if (!wrapped || offset <= 0 || offset > windowSize) {
        throw new Error(`a match refers ${offset >>> 0} bytes back, beyond the bytes there are`);
      }
      source += windowSize;
      while (position < matchEnd) {
        window[position++] = window[source++] as number;
        if (source === windowSize) source = 0;
      }
    }

    this.#position = position;
    at += (used >>> 4) << 1;
    used &= 15;
    this.#inputPosition = at + 2;
    this.#bits = input.getUint16(at, true) << (16 + used);
    this.#bitCount = 16 - used;
    this.#recent0 = recent0;
    this.#recent1 = recent1;
    this.#recent2 = recent2;
  }
}

/**
 * Turns the absolute targets of x86 CALL instructions back into relative ones, in place.
 *
 * @param frameOffset of the frame in the folder's plain bytes
 * @param fileSize the translation size the stream gives, signed 32 bits
 */
function undoE8Translation(frame: Uint8Array, frameOffset: number, fileSize: number): void {
  const end = frame.length - E8_TAIL_SIZE;
  if (end <= 0) return;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  let index = frame.indexOf(E8);
  while (index >= 0 && index < end) {
    const target = view.getInt32(index + 1, true);
    const current = frameOffset + index;
    if (target >= -current && target < fileSize) {
      view.setInt32(index + 1, target >= 0 ? target - current : target + fileSize, true);
    }
    index = frame.indexOf(E8, index + 5);
  }
}
