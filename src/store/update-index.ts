/**
 * What an import knows of the updates it has met: id → key and newest revision number, in typed arrays. A Map of
 * strings and objects did the same, but the garbage collector walked its hundred thousand entries again and again:
 * a fifth of the time of a large import.
 */
import { UPDATE_ID_SIZE } from './revision-batch.js';

const WORDS_PER_ID = UPDATE_ID_SIZE / 4;
const INITIAL_CAPACITY = 4096;
/** of the hash table */
const MAX_LOAD = 0.5;
/** no revision yet: the id is only named by others */
const NO_REVISION = -1;

export class UpdateIndex {
  /** open addressing: entry number + 1, 0 for free */
  #slots = new Int32Array(INITIAL_CAPACITY * 2);
  #ids = new Uint32Array(INITIAL_CAPACITY * WORDS_PER_ID);
  #updateKeys = new Int32Array(INITIAL_CAPACITY);
  #newest = new Float64Array(INITIAL_CAPACITY);
  #flags = new Uint8Array(INITIAL_CAPACITY);
  size = 0;

  /**
   * @param ids 16 bytes from `offset` on are the id
   * @returns its entry, or -1
   */
  find(ids: Uint8Array, offset = 0): number {
    const words = wordsOf(ids, offset);
    const mask = this.#slots.length - 1;
    for (let slot = hashOf(words) & mask; ; slot = (slot + 1) & mask) {
      const entry = (this.#slots[slot] as number) - 1;
      if (entry < 0) return -1;
      if (this.#equals(entry, words)) return entry;
    }
  }

  /** Adds an id that is not there yet. */
  add(id: Uint8Array, updateKey: number): number {
    if (this.size === this.#updateKeys.length) this.#grow();
    const entry = this.size++;
    const words = wordsOf(id, 0);
    this.#ids.set(words, entry * WORDS_PER_ID);
    this.#updateKeys[entry] = updateKey;
    this.#newest[entry] = NO_REVISION;
    this.#flags[entry] = 0;
    this.#place(entry, hashOf(words));
    return entry;
  }

  clear(): void {
    this.size = 0;
    this.#slots.fill(0);
  }

  keyOf(entry: number): number {
    return this.#updateKeys[entry] as number;
  }

  /** Highest revision number; undefined while the id is only named by others. */
  newestOf(entry: number): number | undefined {
    const number = this.#newest[entry] as number;
    return number === NO_REVISION ? undefined : number;
  }

  setNewest(entry: number, revisionNumber: number): void {
    this.#newest[entry] = revisionNumber;
  }

  hasFlag(entry: number, flag: UpdateFlag): boolean {
    return ((this.#flags[entry] as number) & flag) !== 0;
  }

  setFlag(entry: number, flag: UpdateFlag): void {
    this.#flags[entry] = (this.#flags[entry] as number) | flag;
  }

  clearFlag(entry: number, flag: UpdateFlag): void {
    this.#flags[entry] = (this.#flags[entry] as number) & ~flag;
  }

  #equals(entry: number, words: Uint32Array): boolean {
    const start = entry * WORDS_PER_ID;
    for (let i = 0; i < WORDS_PER_ID; i++) if (this.#ids[start + i] !== words[i]) return false;
    return true;
  }

  #place(entry: number, hash: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = entry + 1;
  }

  #grow(): void {
    const capacity = this.#updateKeys.length * 2;
    this.#ids = copyInto(new Uint32Array(capacity * WORDS_PER_ID), this.#ids);
    this.#updateKeys = copyInto(new Int32Array(capacity), this.#updateKeys);
    this.#newest = copyInto(new Float64Array(capacity), this.#newest);
    this.#flags = copyInto(new Uint8Array(capacity), this.#flags);
    this.#slots = new Int32Array(capacity / MAX_LOAD);
    for (let entry = 0; entry < this.size; entry++) {
      const start = entry * WORDS_PER_ID;
      this.#place(entry, hashOf(this.#ids.subarray(start, start + WORDS_PER_ID)));
    }
  }
}

export const UPDATE_FLAGS = {
  /** only one revision has come, with this transaction: a second one of another number is new without asking SQL */
  single: 1,
  /** noted as named before it came */
  awaited: 2,
} as const;
export type UpdateFlag = (typeof UPDATE_FLAGS)[keyof typeof UPDATE_FLAGS];

const scratch = new Uint32Array(WORDS_PER_ID);
const scratchBytes = new Uint8Array(scratch.buffer);

/** The id as four words; valid until the next call. */
function wordsOf(ids: Uint8Array, offset: number): Uint32Array {
  for (let i = 0; i < UPDATE_ID_SIZE; i++) scratchBytes[i] = ids[offset + i] as number;
  return scratch;
}

/** Ids need not be random (a hostile package may choose them), so all their bits are mixed. */
function hashOf(words: Uint32Array): number {
  let hash = SEED;
  for (let i = 0; i < WORDS_PER_ID; i++) {
    hash = Math.imul(hash ^ (words[i] as number), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash >>> 0;
}

/** Differs from run to run, so that nobody can prepare ids that all fall together. */
const SEED = Math.floor(Math.random() * 0x1_0000_0000);

function copyInto<T extends Uint32Array | Int32Array | Float64Array | Uint8Array>(target: T, source: T): T {
  target.set(source as never);
  return target;
}
