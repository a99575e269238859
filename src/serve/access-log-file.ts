import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { WsusutilError } from '../errors.js';
import { writeError } from '../platform/atomic-file.js';
import { type AccessEntry, formatAccess, type LogFormat } from './access-log.js';

/** Bytes that wait for a slow disk; lines beyond are dropped rather than kept in memory. */
const MAX_WAITING = 16 * 1024 * 1024;

export interface AccessLogFile {
  readonly add: (entry: AccessEntry) => void;
  /** lines that were dropped */
  readonly droppedCount: number;
  close(): Promise<void>;
}

/**
 * Appends to the file.
 *
 * @param onFailed once, when it cannot be written; the server goes on without
 */
export function openAccessLog(
  path: string,
  format: LogFormat,
  onFailed: (error: WsusutilError) => void,
): AccessLogFile {
  const stream = createWriteStream(path, { flags: 'a', mode: 0o640 });
  let isBroken = false;
  let droppedCount = 0;
  stream.on('error', (error) => {
    if (!isBroken) onFailed(writeError(error, path));
    isBroken = true;
  });
  return {
    add(entry) {
      if (isBroken || stream.writableLength > MAX_WAITING) droppedCount++;
      else stream.write(`${formatAccess(entry, format)}\n`);
    },
    get droppedCount() {
      return droppedCount;
    },
    async close() {
      stream.end();
      await finished(stream).catch(() => {}); // told by `onFailed`
    },
  };
}
