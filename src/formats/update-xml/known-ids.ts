/**
 * Update ids by their 36 source characters. Documents name the same few thousand ids over and over; finding an id
 * without cutting its text out of the document first took two thirds off the time that ids take in an import.
 */
import type { UpdateId } from '../../model/update-identity.js';

const ID_LENGTH = 36;
const WORDS_PER_ID = 4;
/** Ids remembered before the table starts anew. */
const MAX_KNOWN_IDS = 16_384;
const SLOTS = 4 * MAX_KNOWN_IDS;
const HYPHEN = 0x2d;

/** Value of a hex digit in either case; {@link NO_DIGIT} for every other character below 128. */
const NO_DIGIT = 0x100;
const DIGITS = new Uint16Array(128).fill(NO_DIGIT);
for (let value = 0; value < 16; value++) {
  DIGITS[value.toString(16).charCodeAt(0)] = value;
  DIGITS[value.toString(16).toUpperCase().charCodeAt(0)] = value;
}

/** Differs from run to run, so that nobody can prepare ids that all fall together. */
const SEED = Math.floor(Math.random() * 0x1_0000_0000);

export class KnownIds {
  /** open addressing: position of the id + 1, 0 for free */
  readonly #slots = new Int32Array(SLOTS);
  readonly #words = new Uint32Array(MAX_KNOWN_IDS * WORDS_PER_ID);
  readonly #ids: UpdateId[] = [];
  readonly #sought = new Uint32Array(WORDS_PER_ID);

  /**
   * @param codes source characters, a GUID in any case between `start` and `end`
   * @returns undefined if there is none, or it is not known
   */
  find(codes: Uint16Array, start: number, end: number): UpdateId | undefined {
    if (end - start !== ID_LENGTH || !this.#parse(codes, start)) return undefined;
    return this.#ids[(this.#slots[this.#findSlot()] as number) - 1];
  }

  add(id: UpdateId): void {
    const codes = new Uint16Array(ID_LENGTH);
    for (let i = 0; i < ID_LENGTH; i++) codes[i] = id.charCodeAt(i);
    if (!this.#parse(codes, 0)) throw new Error(`"${id}" is no update id`);
    if (this.#ids.length === MAX_KNOWN_IDS) {
      this.#ids.length = 0;
      this.#slots.fill(0);
    }
    this.#words.set(this.#sought, this.#ids.length * WORDS_PER_ID);
    this.#slots[this.#findSlot()] = this.#ids.push(id);
  }

  /** Puts the id at `start` into `#sought`. */
  #parse(codes: Uint16Array, start: number): boolean {
    let invalid = 0;
    let at = start;
    for (let word = 0; word < WORDS_PER_ID; word++) {
      let value = 0;
      for (let digit = 0; digit < 8; digit++) {
        // 8-4-4-4-12 digits: hyphens stand before and in the middle of the second and the third word
        if ((digit & 3) === 0 && (word === 1 || word === 2)) {
          invalid |= (codes[at++] as number) ^ HYPHEN;
        }
        const code = codes[at++] as number;
        const nibble = code < DIGITS.length ? (DIGITS[code] as number) : NO_DIGIT;
        invalid |= nibble & NO_DIGIT;
        value = (value << 4) | nibble;
      }
      this.#sought[word] = value;
    }
    return invalid === 0;
  }

  /** The slot of the id sought, or the free one where it belongs. */
  #findSlot(): number {
    const sought = this.#sought;
    let hash = SEED;
    for (let i = 0; i < WORDS_PER_ID; i++) {
      hash = Math.imul(hash ^ (sought[i] as number), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    for (let slot = hash & (SLOTS - 1); ; slot = (slot + 1) & (SLOTS - 1)) {
      const position = (this.#slots[slot] as number) - 1;
      if (position < 0 || this.#isAt(position)) return slot;
    }
  }

  #isAt(position: number): boolean {
    const words = this.#words;
    const start = position * WORDS_PER_ID;
    for (let i = 0; i < WORDS_PER_ID; i++) if (words[start + i] !== this.#sought[i]) return false;
    return true;
  }
}
