const COMMA = 0x2c;
const DIGIT_ZERO = 0x30;
const OPEN = 0x5b;
const CLOSE = 0x5d;
/** brackets, a comma, and the digits of a safe integer */
const MAX_NUMBER_SIZE = 20;

/**
 * Puts the JSON of prerequisites together, `[[0,17],[1,4,9]]`, as digits in memory: of strings, a dozen pieces for each
 * revision, it took four times as long.
 */
export class ClauseWriter {
  #bytes = Buffer.allocUnsafe(1024);
  #length = 0;

  /** A clause begins. @param kind see schema.ts */
  open(kind: number): void {
    this.#makeRoom();
    this.#bytes[this.#length] = this.#length === 0 ? OPEN : COMMA;
    this.#bytes[this.#length + 1] = OPEN;
    this.#length += 2;
    this.#write(kind);
  }

  /** @param key of an update: a whole number, not below zero */
  add(key: number): void {
    this.#makeRoom();
    this.#bytes[this.#length++] = COMMA;
    this.#write(key);
  }

  close(): void {
    this.#makeRoom();
    this.#bytes[this.#length++] = CLOSE;
  }

  /** All clauses since the last call, one at least. */
  take(): string {
    this.close();
    const text = this.#bytes.toString('latin1', 0, this.#length);
    this.#length = 0;
    return text;
  }

  #write(number: number): void {
    let size = 1;
    for (let limit = 10; number >= limit; limit *= 10) size++;
    const end = this.#length + size;
    let rest = number;
    for (let at = end - 1; at >= this.#length; at--) {
      const tenth = Math.floor(rest / 10);
      this.#bytes[at] = DIGIT_ZERO + (rest - tenth * 10);
      rest = tenth;
    }
    this.#length = end;
  }

  #makeRoom(): void {
    if (this.#length + MAX_NUMBER_SIZE <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(this.#bytes.length * 2);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}
