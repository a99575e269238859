import { isAscii } from 'node:buffer';
import { findInvalidUtf8 } from './utf8.js';

/** Finds the first byte that is not UTF-8 in text that comes in pieces of any size. */
export class Utf8Checker {
  /** a sequence cut by the end of the last piece: at most 3 bytes */
  #carry: Buffer = Buffer.alloc(0);
  #offset = 0;

  /** @returns offset from the start of the text of a byte that is not part of valid UTF-8; undefined: all is well */
  check(chunk: Uint8Array): number | undefined {
    if (this.#carry.length === 0 && isAscii(chunk)) {
      this.#offset += chunk.length;
      return undefined;
    }
    const bytes = this.#carry.length === 0 ? chunk : Buffer.concat([this.#carry, chunk]);
    const start = this.#offset - this.#carry.length;
    this.#offset += chunk.length;
    const cut = bytes.length - incompleteSize(bytes);
    this.#carry = Buffer.from(bytes.subarray(cut));
    const invalid = findInvalidUtf8(bytes.subarray(0, cut));
    return invalid === undefined ? undefined : start + invalid;
  }

  /** @returns offset of a character the text stops inside of, if it does */
  end(): number | undefined {
    return this.#carry.length === 0 ? undefined : this.#offset - this.#carry.length;
  }
}

/** Bytes at the end that begin a sequence without finishing it: 0 to 3. */
function incompleteSize(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] as number;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}
