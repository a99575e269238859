import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { WsusutilError } from '../errors.js';
import { openError } from '../platform/file-source.js';

const CHUNK_SIZE = 512 * 1024;

/**
 * Bytes `from` up to `from + size` of a regular file, fewer if it is shorter. Links are not followed. The bytes are the
 * caller's until the next ones are asked for: two buffers take turns, so that one is read while the other is worked on.
 *
 * @throws WsusutilError `INPUT_NOT_FOUND`, `READ_FAILED`
 */
export async function* readRange(
  path: string,
  from: number,
  size: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  // Neither a link is followed nor is a pipe waited for; Windows knows neither flag.
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
  const handle = await open(path, flags).catch((error: unknown) => {
    throw openError(error, path);
  });
  try {
    if (!(await handle.stat()).isFile()) {
      throw new WsusutilError('READ_FAILED', `${path} is not a file`, {
        hint: 'Check the content directory with "wsusutil content verify".',
      });
    }
    const end = from + size;
    const length = Math.min(CHUNK_SIZE, size);
    if (length === 0) return;
    const buffers: Buffer[] = [];
    const read = (turn: number, position: number) => {
      const wanted = Math.min(length, end - position);
      const buffer = buffers[turn % 2] ?? Buffer.allocUnsafeSlow(length);
      buffers[turn % 2] = buffer;
      const reading = handle.read(buffer, 0, wanted, position);
      reading.catch(() => {}); // seen when it is awaited
      return reading;
    };
    let position = from;
    let next = read(0, position);
    for (let turn = 0; ; turn++) {
      const { bytesRead, buffer } = await next;
      if (bytesRead === 0) return;
      position += bytesRead;
      if (position < end) next = read(turn + 1, position);
      yield buffer.subarray(0, bytesRead);
      if (position >= end) return;
    }
  } catch (error) {
    throw openError(error, path);
  } finally {
    await handle.close();
  }
}
