import { WsusutilError } from '../../errors.js';

const UNPAIRED_SURROGATE = /\p{Surrogate}/u;

/**
 * UTF-16LE bytes in pieces of any size → UTF-8.
 *
 * A code unit without its partner is an error: replacing it would change the length that frames a record.
 */
export class Utf16Transcoder {
  readonly #what: string;
  /** bytes at the end of the last piece that do not yet make a character: an odd byte, or half a pair */
  #rest: Buffer = Buffer.alloc(0);
  #offset = 0;

  /** @param what named in messages, e.g. `metadata.txt` */
  constructor(what: string) {
    this.#what = what;
  }

  /** @throws WsusutilError `PACKAGE_MALFORMED` for an unpaired surrogate */
  write(chunk: Uint8Array): Buffer {
    const bytes = Buffer.concat([this.#rest, chunk]);
    let end = bytes.length & ~1;
    if (end >= 2 && isHighSurrogate(bytes.readUInt16LE(end - 2))) end -= 2;
    this.#rest = bytes.subarray(end);
    return this.#convert(bytes.subarray(0, end));
  }

  /** @throws WsusutilError `PACKAGE_TRUNCATED` if the text stops inside a character */
  end(): void {
    if (this.#rest.length === 0) return;
    throw new WsusutilError(
      'PACKAGE_TRUNCATED',
      `${this.#what} is UTF-16 and stops inside a character at offset ${this.#offset}`,
      { hint: 'Copy or export the package again.' },
    );
  }

  #convert(bytes: Buffer): Buffer {
    const text = bytes.toString('utf16le');
    if (UNPAIRED_SURROGATE.test(text)) {
      throw new WsusutilError(
        'PACKAGE_MALFORMED',
        `${this.#what} is UTF-16 and holds an unpaired surrogate in the ${bytes.length} bytes from offset ${this.#offset} on`,
        { hint: 'The package is damaged; copy or export it again.' },
      );
    }
    this.#offset += bytes.length;
    return Buffer.from(text, 'utf8');
  }
}

function isHighSurrogate(unit: number): boolean {
  return (unit & 0xfc00) === 0xd800;
}
