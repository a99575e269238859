/**
 * Memory for batches of documents, used again once a batch has been dealt with: a large package otherwise costs a
 * fresh mebibyte per batch, with its page faults, and a garbage collection every few dozen.
 */
const MAX_FREE = 16;

export class BatchMemory {
  #free: ArrayBuffer[] = [];

  /** At least `size` bytes that nothing else uses: an ArrayBuffer of its own, which may move to another thread. */
  take(size: number): Buffer {
    const index = this.#free.findIndex((buffer) => buffer.byteLength >= size);
    const [found] = index < 0 ? [] : this.#free.splice(index, 1);
    return Buffer.from(found ?? new ArrayBuffer(size));
  }

  /** @param bytes of a batch that nobody will look at again */
  giveBack(bytes: Uint8Array): void {
    if (this.#free.length < MAX_FREE && bytes.buffer.byteLength > 0)
      this.#free.push(bytes.buffer as ArrayBuffer);
  }
}
