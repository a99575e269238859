/** Bytes into a response, no faster than they are taken. */
import type { FileHandle } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';

/** Two of them are held for each file that is being sent. */
const FILE_PIECE_SIZE = 256 * 1024;

/** The client went away before everything was sent. */
export class ClientGone extends Error {}

/** Resolves when the piece has left for the kernel. */
function write(response: ServerResponse, piece: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    if (response.destroyed || response.closed) {
      reject(new ClientGone());
      return;
    }
    const onClose = () => reject(new ClientGone());
    response.once('close', onClose);
    response.write(piece, (error) => {
      response.off('close', onClose);
      if (error === null || error === undefined) resolve();
      else reject(new ClientGone());
    });
  });
}

/** Sends pieces one after another, then ends the response. @throws ClientGone */
export async function sendPieces(
  response: ServerResponse,
  pieces: Iterable<string | Uint8Array>,
): Promise<void> {
  for (const piece of pieces) await write(response, piece);
  response.end();
}

/**
 * Sends a part of a file: the next piece is read while the one before is sent.
 *
 * @param pieceTimeoutMs in which each piece has to be taken, or the connection is cut
 * @throws ClientGone; Error if the file ends before `last`, in which case the connection is of no use any more
 */
export async function sendFile(
  response: ServerResponse,
  handle: FileHandle,
  first: number,
  last: number,
  pieceTimeoutMs: number,
): Promise<void> {
  const buffers = [0, 1].map(() => Buffer.allocUnsafe(Math.min(FILE_PIECE_SIZE, last - first + 1)));
  const writes: (Promise<void> | undefined)[] = [undefined, undefined];
  try {
    let position = first;
    for (let turn = 0; position <= last; turn ^= 1) {
      await writes[turn];
      const buffer = buffers[turn] as Buffer;
      const wanted = Math.min(buffer.length, last - position + 1);
      const { bytesRead } = await handle.read(buffer, 0, wanted, position);
      if (bytesRead === 0) throw new Error('the file is shorter than it was');
      position += bytesRead;
      const timer = setTimeout(() => response.destroy(), pieceTimeoutMs);
      const written = write(response, buffer.subarray(0, bytesRead)).finally(() => clearTimeout(timer));
      written.catch(() => {}); // awaited at its next turn
      writes[turn] = written;
    }
    await Promise.all(writes);
  } finally {
    await Promise.allSettled(writes);
  }
  response.end();
}
