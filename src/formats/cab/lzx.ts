/**
 * LZX as cabinets carry it: one 32 KiB frame per data block, state running across the folder. The inner part is
 * WebAssembly (lzx-core/lzx.ts); what is here keeps its memory and says what is wrong.
 *
 * @see [MS-PATCH] LZX, [MS-MCI]; package-formats 6.6
 */

import { WsusutilError } from '../../errors.js';
import { memoryOf, type WasmConstant, type WasmMemory, WasmModule, WasmUnavailable } from '../wasm.js';
import { BLOCK_SIZE, MAX_DATA_SIZE } from './constants.js';
import { LZX_MODULE } from './lzx-module.js';

/** position slots for windows of 15 to 21 bits */
const POSITION_SLOTS: readonly number[] = [30, 32, 34, 36, 38, 42, 50];

const E8 = 0xe8;
const MAX_E8_FRAME_COUNT = 32_768;
/** no call instruction is translated so close to the end of a frame */
const E8_TAIL_SIZE = 10;

/** What lzx-core/lzx.ts exports. */
interface LzxCore {
  readonly memory: WasmMemory;
  readonly INPUT: WasmConstant;
  readonly WINDOW: WasmConstant;
  readonly COPY_STEP: WasmConstant;
  prepare(): void;
  restart(positionSlots: number, windowSize: number): void;
  decodeFrame(inputSize: number, frameSize: number, isFirst: boolean): number;
  translationSize(): number;
  wrong(): number;
}

/** In the order of the core's answers, from 1 on. */
const PROBLEMS: readonly ((wrong: number, inputSize: number) => string)[] = [
  (_, inputSize) => `the compressed data ends early (after ${inputSize} bytes)`,
  (wrong) => `block type ${wrong} does not exist`,
  () => 'the aligned offset tree is no complete Huffman code',
  () => 'the pretree tree is no complete Huffman code',
  () => 'the main tree is no complete Huffman code',
  () => 'the length tree is no complete Huffman code',
  () => 'a run of code lengths repeats a run',
  () => 'a run of code lengths goes beyond its tree',
  () => 'the header of an uncompressed block is cut off',
  () => 'a symbol of an empty Huffman tree is used',
  () => 'a match goes beyond its block or frame',
  (wrong) => `a match refers ${wrong >>> 0} bytes back, beyond the bytes there are`,
];

const module = new WasmModule<LzxCore>(LZX_MODULE);

/** Of the thread: each takes ten gigabytes of address space, and a catalogue has tens of thousands of small folders. */
let spare: LzxDecoder | undefined;

/**
 * A decoder for one folder. Whoever is done with it gives it back, for the next one.
 *
 * @param windowBits 15 to 21
 * @param outputSize plain bytes that will be asked for at most
 * @throws WsusutilError `CAB_COMPRESSION` where there is no WebAssembly
 */
export function takeLzxDecoder(windowBits: number, outputSize: number): LzxDecoder {
  try {
    const decoder = spare ?? new LzxDecoder(windowBits, 0);
    spare = undefined;
    decoder.restart(windowBits, outputSize);
    return decoder;
  } catch (error) {
    if (!(error instanceof WasmUnavailable)) throw error;
    throw new WsusutilError(
      'CAB_COMPRESSION',
      `LZX cannot be decoded without WebAssembly: ${error.message}`,
      {
        hint: 'Run it without a limit on address space (ulimit -v), and Node.js without --jitless.',
        cause: error,
      },
    );
  }
}

export function giveBackLzxDecoder(decoder: LzxDecoder): void {
  spare = decoder;
}

function newCore(): LzxCore {
  const core = module.instantiate();
  core.prepare();
  return core;
}

/**
 * Decodes the LZX blocks of one folder, in order. Throws plain `Error`s that say what is wrong with the data. One
 * decoder serves one folder after the other (`restart`): each has memory of its own, the window in it.
 */
export class LzxDecoder {
  readonly #core = newCore();
  readonly #inputOffset: number = this.#core.INPUT.value;
  readonly #windowOffset: number = this.#core.WINDOW.value;
  /** behind the window, for what is copied beyond the end of a match */
  readonly #slack: number = this.#core.COPY_STEP.value;
  /** all of the core's memory */
  #memory = memoryOf(this.#core.memory, 0);
  #windowSize = 0;
  #position = 0;
  #frameIndex = 0;
  /** first frame with calls to translate, if there is one */
  #firstCallFrame: number | undefined;

  /**
   * @param windowBits 15 to 21
   * @param outputSize plain bytes that will be asked for at most; a small output needs a small window only
   */
  constructor(windowBits: number, outputSize: number) {
    this.restart(windowBits, outputSize);
  }

  /** Forgets all about the folder before. */
  restart(windowBits: number, outputSize: number): void {
    const slots = POSITION_SLOTS[windowBits - 15];
    if (slots === undefined) throw new Error(`no LZX window has ${windowBits} bits`);
    this.#windowSize = Math.min(1 << windowBits, Math.ceil(outputSize / BLOCK_SIZE) * BLOCK_SIZE);
    const needed = this.#windowOffset + this.#windowSize + this.#slack;
    if (needed > this.#memory.length) this.#memory = memoryOf(this.#core.memory, needed);
    this.#core.restart(slots, this.#windowSize);
    this.#position = 0;
    this.#frameIndex = 0;
    this.#firstCallFrame = undefined;
  }

  /** Decodes one data block to `frameSize` bytes at `out[outOffset]`. All but the last have 32,768. */
  decode(data: Uint8Array, frameSize: number, out: Uint8Array, outOffset: number): void {
    const start = this.#decodeFrame(data, frameSize);
    const frame = out.subarray(outOffset, outOffset + frameSize);
    frame.set(this.#memory.subarray(start, start + frameSize));
    const index = this.#frameIndex - 1;
    if (this.#firstCallFrame !== undefined) this.#translate(frame, index);
  }

  /** Decodes one data block. The window must hold all of the folder: {@link takeAll} gives it out. */
  decodeInPlace(data: Uint8Array, frameSize: number): void {
    if (this.#position === this.#windowSize) throw new Error('the window does not hold all of the folder');
    this.#decodeFrame(data, frameSize);
  }

  /** All plain bytes, in memory that the next folder uses again. Ends the folder. */
  takeAll(): Uint8Array {
    // Matches of later frames refer to the bytes as they were, so calls are translated only now.
    for (let index = this.#firstCallFrame ?? this.#frameIndex; index < this.#frameIndex; index++) {
      const start = this.#windowOffset + index * BLOCK_SIZE;
      const end = Math.min(start + BLOCK_SIZE, this.#windowOffset + this.#position);
      this.#translate(this.#memory.subarray(start, end), index);
    }
    return this.#memory.subarray(this.#windowOffset, this.#windowOffset + this.#position);
  }

  /** @returns where the plain bytes stand in the memory */
  #decodeFrame(data: Uint8Array, frameSize: number): number {
    if (this.#position % BLOCK_SIZE !== 0) throw new Error('a frame follows one shorter than 32,768 bytes');
    const start = this.#position === this.#windowSize ? 0 : this.#position;
    if (start + frameSize > this.#windowSize) {
      throw new Error('there are more plain bytes than the folder has room for');
    }
    if (data.length > MAX_DATA_SIZE) throw new Error(`a data block has ${data.length} bytes`);
    this.#memory.set(data, this.#inputOffset);
    const answer = this.#core.decodeFrame(data.length, frameSize, this.#frameIndex === 0);
    if (answer !== 0) throw new Error(PROBLEMS[answer - 1]?.(this.#core.wrong(), data.length) ?? 'unknown');
    this.#position = start + frameSize;
    if (this.#core.translationSize() !== 0) this.#firstCallFrame ??= this.#frameIndex;
    this.#frameIndex++;
    return this.#windowOffset + start;
  }

  #translate(frame: Uint8Array, index: number): void {
    if (index < MAX_E8_FRAME_COUNT) {
      undoE8Translation(frame, index * BLOCK_SIZE, this.#core.translationSize());
    }
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
