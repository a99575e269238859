import type { Hash } from 'node:crypto';
import { once } from 'node:events';
import { createGzip } from 'node:zlib';
import type { AtomicFile } from '../platform/atomic-file.js';

export const DEFAULT_GZIP_LEVEL = 6;
const GZIP_OUTPUT_SIZE = 256 * 1024;
const GZIP_HEADER_SIZE = 10;
const GZIP_OS_OFFSET = 9;

/**
 * Writes one gzip member without name and time, the same bytes for the same pieces. zlib works in threads of its own:
 * while one piece is compressed, the next is being made.
 *
 * @param hash is given what is written
 */
export async function compress(
  pieces: AsyncGenerator<Uint8Array, void, undefined>,
  file: Pick<AtomicFile, 'write'>,
  hash: Hash,
  level: number,
): Promise<void> {
  const gzip = createGzip({ level, chunkSize: GZIP_OUTPUT_SIZE });
  const writing = (async () => {
    let headerSeen = 0;
    for await (const output of gzip as AsyncIterable<Buffer>) {
      if (headerSeen < GZIP_HEADER_SIZE) {
        // zlib names the system it was built for; the package must not depend on it.
        const osByte = GZIP_OS_OFFSET - headerSeen;
        if (osByte < output.length) output[osByte] = 0;
        headerSeen += output.length;
      }
      hash.update(output);
      await file.write(output);
    }
  })();
  writing.catch(() => {}); // seen below
  try {
    let next = pieces.next();
    for (;;) {
      const step = await next;
      if (step.done === true) break;
      const isRoomLeft = gzip.write(step.value);
      next = pieces.next();
      next.catch(() => {}); // seen when it is awaited
      if (!isRoomLeft) await Promise.race([once(gzip, 'drain'), writing]);
    }
    gzip.end();
    await writing;
  } finally {
    gzip.destroy();
    await writing.catch(() => {});
    await pieces.return();
  }
}
