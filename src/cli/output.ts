import type { Writable } from 'node:stream';
import { WsusutilError } from '../errors.js';

export type OutputStream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** A standard stream that is written to in order and never throws in the middle of the work. */
export interface Output {
  readonly isTerminal: boolean;
  /** columns of the terminal now; 80 elsewhere */
  readonly width: number;
  /** the reader has gone (`| head`): nothing more needs to be drawn */
  readonly isClosed: boolean;
  /** Resolves when the bytes are taken, also when that failed; `flush` tells. May be called without waiting. */
  write(chunk: string | Uint8Array): Promise<void>;
  /**
   * Waits for everything written so far.
   * @throws WsusutilError `DISK_FULL`, `WRITE_FAILED`; a closed pipe is not an error
   */
  flush(): Promise<void>;
}

/** @param name for messages: `standard output` */
export function openOutput(stream: OutputStream, name: string): Output {
  let isClosed = false;
  let failure: WsusutilError | undefined;
  let last: Promise<void> = Promise.resolve();

  const onError = (error: Error & { code?: string }) => {
    switch (error.code) {
      case 'EPIPE':
      case 'ERR_STREAM_DESTROYED':
      case 'ERR_STREAM_WRITE_AFTER_END':
        break;
      case 'ENOSPC':
      case 'EDQUOT':
        failure ??= new WsusutilError('DISK_FULL', `No space left for ${name}`, {
          hint: 'Free space or write to another disk, then run the command again.',
          cause: error,
        });
        break;
      default:
        failure ??= new WsusutilError('WRITE_FAILED', `Cannot write to ${name}: ${error.message}`, {
          cause: error,
        });
    }
    isClosed = true;
  };
  stream.on('error', onError);

  return {
    isTerminal: stream.isTTY === true,
    get width() {
      return stream.isTTY === true ? (stream.columns ?? 80) || 80 : 80;
    },
    get isClosed() {
      return isClosed;
    },
    write(chunk) {
      if (isClosed || chunk.length === 0) return last;
      last = new Promise((resolve) => {
        stream.write(chunk, (error) => {
          if (error !== null && error !== undefined) onError(error);
          resolve();
        });
      });
      return last;
    },
    async flush() {
      await last;
      if (failure !== undefined) throw failure;
    },
  };
}
