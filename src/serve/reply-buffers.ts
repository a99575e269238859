/** Memory that replies are put together in, used again and again: fresh pages cost more than the copying. */
const BUFFER_SIZE = 1024 * 1024;
/** kept for the next reply */
const MAX_FREE = 8;

export interface ReplyBuffer {
  readonly bytes: Buffer;
  /** The bytes have been sent, or never will be. */
  release(): void;
}

export class ReplyBuffers {
  readonly #free: Buffer[] = [];

  /** Pieces one after another. */
  join(pieces: readonly (string | Uint8Array)[]): ReplyBuffer {
    let size = 0;
    for (const piece of pieces) size += typeof piece === 'string' ? Buffer.byteLength(piece) : piece.length;
    const isPooled = size <= BUFFER_SIZE;
    const buffer = isPooled
      ? (this.#free.pop() ?? Buffer.allocUnsafeSlow(BUFFER_SIZE))
      : Buffer.allocUnsafeSlow(size);
    let position = 0;
    for (const piece of pieces) {
      if (typeof piece === 'string') position += buffer.write(piece, position, 'utf8');
      else {
        buffer.set(piece, position);
        position += piece.length;
      }
    }
    let isReleased = !isPooled;
    return {
      bytes: buffer.subarray(0, size),
      release: () => {
        if (isReleased) return;
        isReleased = true;
        if (this.#free.length < MAX_FREE) this.#free.push(buffer);
      },
    };
  }
}
