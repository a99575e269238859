/** Runs the project's cabinet writer over bytes in memory. */
import { type CabinetSink, type WriteOptions, writeCabinet } from '../../src/formats/cab/write-cabinet.js';

export interface PlainMember {
  readonly name: string;
  readonly data: Uint8Array;
}

export function recordingSink(): CabinetSink & { bytes(): Buffer } {
  const parts: Uint8Array[] = [];
  const patches: (readonly [position: number, bytes: Uint8Array])[] = [];
  return {
    write(bytes) {
      parts.push(bytes);
      return Promise.resolve();
    },
    writeAt(position, bytes) {
      patches.push([position, bytes]);
      return Promise.resolve();
    },
    bytes() {
      const whole = Buffer.concat(parts);
      for (const [position, bytes] of patches) whole.set(bytes, position);
      return whole;
    },
  };
}

export async function* chunked(bytes: Uint8Array, chunkSize: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkSize) yield bytes.subarray(at, at + chunkSize);
}

export async function writeToMemory(
  members: readonly PlainMember[],
  modifiedAt: Date = new Date('2026-01-02T12:00:00Z'),
  options: WriteOptions = {},
  chunkSize = 65_536,
): Promise<Buffer> {
  const sink = recordingSink();
  const { size } = await writeCabinet(
    members.map(({ name, data }) => ({
      name,
      size: data.length,
      modifiedAt,
      chunks: chunked(data, chunkSize),
    })),
    sink,
    options,
  );
  const bytes = sink.bytes();
  if (size !== bytes.length) throw new Error(`said ${size} bytes, wrote ${bytes.length}`);
  return bytes;
}
