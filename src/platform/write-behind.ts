/** Writes a file while its next bytes are made ready, and has the disk begin long before the end. */
import type { FileHandle } from 'node:fs/promises';

/** Written at once; buffers of this size are used again and again. */
const BUFFER_SIZE = 512 * 1024;
/** Smaller pieces get memory of their own size. */
const SMALL_SIZE = 64 * 1024;
/** Buffers being written while the next one is filled. */
const WRITES_AT_ONCE = 4;
/**
 * What is written lies in memory until someone asks for it to be on the disk. Asked at the end only, the disk would idle
 * while the bytes come, and they would be waited for after that.
 */
const SYNC_EVERY = 32 << 20;

export class WriteBehind {
  readonly #handle: FileHandle;
  readonly #running: Promise<void>[] = [];
  readonly #spare: Buffer[] = [];
  #size = 0;
  #unsynced = 0;
  #sync: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  /** @param handle of an empty file; the caller closes it, after {@link settle} */
  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** bytes appended so far */
  get size(): number {
    return this.#size;
  }

  /**
   * Appends. What went wrong with bytes given before is thrown too.
   *
   * @param bytes are the caller's again when this ends
   */
  async write(bytes: Uint8Array): Promise<void> {
    for (let start = 0; start < bytes.length; start += BUFFER_SIZE) {
      const piece = bytes.subarray(start, start + BUFFER_SIZE);
      if (this.#running.length >= WRITES_AT_ONCE) await this.#running.shift();
      this.#throwFailure();
      this.#begin(piece);
    }
  }

  /** Waits until all that was appended is written, though it need not be on the disk. */
  async flush(): Promise<void> {
    await this.settle();
    this.#throwFailure();
  }

  /** Waits until nothing is under way. Never throws. */
  async settle(): Promise<void> {
    await Promise.all(this.#running.splice(0));
    await this.#sync;
  }

  #begin(piece: Uint8Array): void {
    const isSmall = piece.length < SMALL_SIZE;
    const buffer = isSmall
      ? Buffer.allocUnsafe(piece.length)
      : (this.#spare.pop() ?? Buffer.allocUnsafeSlow(BUFFER_SIZE));
    buffer.set(piece);
    this.#running.push(
      writeFully(this.#handle, buffer.subarray(0, piece.length), this.#size)
        .catch((error: unknown) => this.#fail(error))
        .finally(() => {
          if (!isSmall) this.#spare.push(buffer);
        }),
    );
    this.#size += piece.length;
    this.#unsynced += piece.length;
    if (this.#unsynced < SYNC_EVERY || this.#sync !== undefined) return;
    this.#unsynced = 0;
    this.#sync = this.#handle
      .datasync()
      .catch((error: unknown) => this.#fail(error)) // the system tells of it once only
      .finally(() => {
        this.#sync = undefined;
      });
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/** @param position undefined: behind what was written last */
export async function writeFully(
  handle: FileHandle,
  bytes: Uint8Array,
  position: number | undefined,
): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const at = position === undefined ? null : position + written;
    written += (await handle.write(bytes, written, bytes.length - written, at)).bytesWritten;
  }
}
