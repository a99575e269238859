/** A file to read from: by position with read-ahead, or from start to end. */
import type { Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { errorText, WsusutilError } from '../errors.js';

/** bytes read at once: positional reads of a cabinet are small and mostly follow one another */
const READ_AHEAD_SIZE = 512 * 1024;

export interface FileSource {
  readonly path: string;
  /** bytes, when the file was opened */
  readonly size: number;
  /** bytes from the start up to the furthest one asked for: how far a reader has come */
  readonly reached: number;
  /**
   * At most `length` bytes from `position`, fewer only at the end of the file. The bytes belong to the caller and
   * do not change.
   *
   * @throws WsusutilError `READ_FAILED`
   */
  read(position: number, length: number): Promise<Uint8Array>;
  /** The file from `position` to its end, in pieces of half a mebibyte. */
  chunks(position?: number): AsyncGenerator<Uint8Array, void, undefined>;
  /** As {@link readAhead}, of the whole file. */
  stream(): AsyncGenerator<Uint8Array, void, undefined>;
  close(): Promise<void>;
}

/**
 * @throws WsusutilError `INPUT_NOT_FOUND` if there is no such file or it is a folder, a pipe or a device,
 *   `READ_FAILED` if it cannot be opened
 */
export async function openFileSource(path: string): Promise<FileSource> {
  let handle: FileHandle;
  try {
    refuseOtherThanFile(await stat(path), path); // to open a pipe would wait for someone to write into it
    handle = await open(path, 'r');
  } catch (error) {
    throw openError(error, path);
  }
  try {
    const facts = await handle.stat();
    refuseOtherThanFile(facts, path);
    return fileSource(handle, path, facts.size);
  } catch (error) {
    await handle.close().catch(() => {});
    throw openError(error, path);
  }
}

function fileSource(handle: FileHandle, path: string, size: number): FileSource {
  let reached = 0;
  let ahead: { readonly start: number; readonly bytes: Uint8Array } | undefined;

  const readFresh = async (position: number, length: number): Promise<Uint8Array> => {
    const bytes = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    while (filled < length) {
      let bytesRead: number;
      try {
        ({ bytesRead } = await handle.read(bytes, filled, length - filled, position + filled));
      } catch (error) {
        throw readError(error, path, position + filled);
      }
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  };

  const read = async (position: number, length: number): Promise<Uint8Array> => {
    reached = Math.max(reached, Math.min(size, position + length));
    if (length >= READ_AHEAD_SIZE) return readFresh(position, Math.max(0, Math.min(length, size - position)));
    if (
      ahead === undefined ||
      position < ahead.start ||
      position + length > ahead.start + ahead.bytes.length
    ) {
      const wanted = Math.max(0, Math.min(READ_AHEAD_SIZE, size - position));
      ahead = { start: position, bytes: await readFresh(position, wanted) };
    }
    const start = position - ahead.start;
    return ahead.bytes.subarray(start, start + length);
  };

  return {
    path,
    size,
    get reached() {
      return reached;
    },
    read,
    async *chunks(position = 0) {
      for (let next = position; next < size; ) {
        const bytes = await read(next, READ_AHEAD_SIZE);
        if (bytes.length === 0) return;
        next += bytes.length;
        yield bytes;
      }
    },
    stream: () => readAhead(handle, path, 0, size),
    close: () => handle.close(),
  };
}

/**
 * Bytes `from` up to `end` of a file, fewer if it is shorter, in pieces of half a mebibyte. They are the caller's until the
 * next ones are asked for: two buffers take turns, so that one is read while the other is worked on.
 *
 * @param path for messages
 * @throws WsusutilError `READ_FAILED`
 */
export async function* readAhead(
  handle: FileHandle,
  path: string,
  from: number,
  end: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const length = Math.min(READ_AHEAD_SIZE, end - from);
  if (length <= 0) return;
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
  try {
    for (let turn = 0; ; turn++) {
      const { bytesRead, buffer } = await next.catch((error: unknown) => {
        throw readError(error, path, position);
      });
      if (bytesRead === 0) return;
      position += bytesRead;
      if (position < end) next = read(turn + 1, position);
      yield buffer.subarray(0, bytesRead);
      if (position >= end) return;
    }
  } finally {
    await next.catch(() => {}); // the caller may close the file now
  }
}

function readError(error: unknown, path: string, position: number): WsusutilError {
  return new WsusutilError('READ_FAILED', `Cannot read ${path} at offset ${position}: ${errorText(error)}`, {
    hint: 'Check the disk or the network share, then copy the file again.',
    cause: error,
  });
}

/** What the operating system said about opening a file, in words and with a code. */
export function openError(error: unknown, path: string): WsusutilError {
  if (error instanceof WsusutilError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new WsusutilError('INPUT_NOT_FOUND', `There is no file ${path}`, {
        hint: 'Check the path; a relative one starts at the current folder.',
        cause: error,
      });
    case 'ENAMETOOLONG':
      return new WsusutilError('INPUT_NOT_FOUND', `There is no file ${path}: the name is too long`, {
        hint: 'Check the path; no file can have a name of this length.',
        cause: error,
      });
    default:
      return new WsusutilError('READ_FAILED', `Cannot open ${path}: ${errorText(error)}`, {
        hint: 'Check that this account may read the file.',
        cause: error,
      });
  }
}

/** Only a regular file has a size and can be read from anywhere. */
/** @throws WsusutilError `INPUT_NOT_FOUND` for a folder, a pipe, a socket or a device */
export function refuseOtherThanFile(facts: Stats, path: string): void {
  if (facts.isFile()) return;
  if (facts.isDirectory()) {
    throw new WsusutilError('INPUT_NOT_FOUND', `${path} is a folder, not a regular file`, {
      hint: 'Give the path of the file in it.',
    });
  }
  const kind = facts.isFIFO() ? 'a pipe' : facts.isSocket() ? 'a socket' : 'a device';
  throw new WsusutilError('INPUT_NOT_FOUND', `${path} is ${kind}, not a regular file`, {
    hint: 'Save its content to a file first and give the path of that.',
  });
}
