/** Bytes of a stream, taken in the amounts a format asks for. */
export class ByteQueue {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #current: Uint8Array = new Uint8Array(0);
  #position = 0;
  #offset = 0;
  #isDone = false;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** bytes taken so far */
  get offset(): number {
    return this.#offset;
  }

  /** Between 1 and `most` bytes, as they come; undefined at the end. They belong to the source. */
  async some(most: number): Promise<Uint8Array | undefined> {
    while (this.#position === this.#current.length) {
      if (this.#isDone) return undefined;
      const next = await this.#chunks.next();
      if (next.done === true) {
        this.#isDone = true;
        return undefined;
      }
      this.#current = next.value;
      this.#position = 0;
    }
    const bytes = this.#current.subarray(this.#position, this.#position + most);
    this.#position += bytes.length;
    this.#offset += bytes.length;
    return bytes;
  }

  /** `count` bytes, or fewer at the end. Memory grows with what came, not with what was asked for. */
  async take(count: number): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    for (let left = count; left > 0; ) {
      const bytes = await this.some(left);
      if (bytes === undefined) break;
      chunks.push(Buffer.from(bytes)); // a copy: the source may use its memory again
      left -= bytes.length;
    }
    return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
  }

  /** Lets go of the source, also in the middle. */
  async close(): Promise<void> {
    this.#isDone = true;
    this.#position = this.#current.length;
    await this.#chunks.return?.();
  }
}
