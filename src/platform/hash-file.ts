import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { stat } from 'node:fs/promises';

const PIECE_SIZE = 1024 * 1024;

export interface FileDigest {
  /** SHA-256, lower-case hex */
  readonly sha256: string;
  /** bytes */
  readonly size: number;
  /** see {@link stampOf} */
  readonly stamp: string;
}

/**
 * SHA-256 of a whole file, without giving others a turn: for a thread.
 *
 * @throws Error of the operating system
 */
export function hashFileNow(path: string): FileDigest {
  const file = openSync(path, 'r');
  try {
    const facts = fstatSync(file, { bigint: true });
    const hash = createHash('sha256');
    const piece = Buffer.allocUnsafeSlow(PIECE_SIZE);
    let size = 0;
    for (let count = readSync(file, piece); count > 0; count = readSync(file, piece)) {
      hash.update(piece.subarray(0, count));
      size += count;
    }
    return { sha256: hash.digest('hex'), size, stamp: stampOfFacts(facts) };
  } finally {
    closeSync(file);
  }
}

/** What differs once the file is another, or was written to; undefined if it cannot be looked at. */
export async function stampOf(path: string): Promise<string | undefined> {
  try {
    return stampOfFacts(await stat(path, { bigint: true }));
  } catch {
    return undefined;
  }
}

function stampOfFacts({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}
