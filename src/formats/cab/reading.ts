import type { ByteSource } from '../bytes.js';

/** Bytes wanted next; both numbers lie inside the cabinet. */
export interface ReadRequest {
  readonly position: number;
  readonly length: number;
}

/**
 * A routine that asks for bytes and is resumed with them, so that the same code reads from a file (asynchronously)
 * and from memory (at once). The answer has the asked length unless the bytes end before.
 */
export type Reading<T> = Generator<ReadRequest, T, Uint8Array>;

/** Runs `reading` over bytes in memory. */
export function readNow<T>(bytes: Uint8Array, reading: Reading<T>): T {
  let step = reading.next();
  while (step.done !== true) {
    const { position, length } = step.value;
    step = reading.next(bytes.subarray(position, position + length));
  }
  return step.value;
}

/** Runs `reading` over a source. A source that answers in pieces is asked until it has given all. */
export async function readFrom<T>(source: ByteSource, reading: Reading<T>): Promise<T> {
  let step = reading.next();
  while (step.done !== true) {
    step = reading.next(await readFully(source, step.value));
  }
  return step.value;
}

async function readFully(source: ByteSource, { position, length }: ReadRequest): Promise<Uint8Array> {
  const first = await source.read(position, length);
  if (first.length === length || first.length === 0) return first;
  const whole = new Uint8Array(length);
  whole.set(first);
  let filled = first.length;
  while (filled < length) {
    const piece = await source.read(position + filled, length - filled);
    if (piece.length === 0) break;
    whole.set(piece, filled);
    filled += piece.length;
  }
  return whole.subarray(0, filled);
}
