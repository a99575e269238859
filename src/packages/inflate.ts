import { createGunzip, createInflateRaw } from 'node:zlib';
import { errorText, WsusutilError } from '../errors.js';
import { groupDigits } from '../formats/group-digits.js';

/** What a piece of input usually becomes, so that zlib works on the next one without coming back in between. */
const OUTPUT_SIZE = 1024 * 1024;
/** Input given to zlib at once. Its output waits in memory, and grows to about a thousand times this at worst. */
const INPUT_SIZE = 64 * 1024;

/** Fixed part of a member's header; CRC and size behind its data (RFC 1952 2.3). */
const GZIP_HEADER_SIZE = 10;
const GZIP_TRAILER_SIZE = 8;
const FLAG_HEADER_CHECK = 0x02;
const FLAG_EXTRA = 0x04;
const FLAG_NAME = 0x08;
const FLAG_COMMENT = 0x10;

/** The gzip data stops before its end; `inflate` has handed on everything that was there. */
export class TruncatedGzip extends Error {
  override readonly name = 'TruncatedGzip';
}

/**
 * Inflates gzip data, one member or several after another, while the caller works on what came before. Zeros behind the
 * last member are passed over, as gzip does.
 *
 * @param onEnd told how many bytes of the input the members took
 * @throws TruncatedGzip after the last byte that could be inflated
 * @throws WsusutilError `GZIP_MALFORMED`
 */
export async function* inflate(
  chunks: AsyncIterable<Uint8Array>,
  onEnd?: (inputSize: number) => void,
): AsyncGenerator<Buffer, void, undefined> {
  const gunzip = createGunzip({ chunkSize: OUTPUT_SIZE });
  let output: Buffer[] = [];
  let failure: Error | undefined;
  let plainSize = 0;
  gunzip.on('data', (bytes: Buffer) => {
    plainSize += bytes.length;
    output.push(bytes);
  });
  const closed = new Promise<void>((resolve) => {
    gunzip.on('error', (error) => {
      failure = error;
      resolve();
    });
    gunzip.on('close', resolve);
  });
  const take = () => {
    const taken = output;
    output = [];
    return taken;
  };
  const check = () => {
    if (failure !== undefined) throw gzipError(failure, plainSize);
  };
  try {
    // Reading from the stream would lose the output before an error; so it flows, a piece of input at a time.
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; at += INPUT_SIZE) {
        const piece = chunk.subarray(at, at + INPUT_SIZE);
        const written = new Promise<void>((resolve) => gunzip.write(piece, () => resolve()));
        yield* take();
        await Promise.race([written, closed]);
        if (failure !== undefined) yield* take();
        check();
      }
    }
    const ended = new Promise<void>((resolve) => gunzip.once('end', resolve));
    gunzip.end();
    await Promise.race([ended, closed]);
    yield* take();
    check();
    onEnd?.(gunzip.bytesWritten);
  } finally {
    gunzip.destroy();
  }
}

/**
 * Where the first member of gzip data ends, whatever stands behind it; undefined if it has no end.
 *
 * @param chunks the data from its start
 * @see RFC 1952
 */
export async function findGzipEnd(chunks: AsyncIterable<Uint8Array>): Promise<number | undefined> {
  const raw = createInflateRaw({ chunkSize: OUTPUT_SIZE });
  let headerSize: number | undefined;
  let hasEnded = false;
  const closed = new Promise<void>((resolve) => {
    raw.on('error', () => resolve());
    raw.on('end', () => {
      hasEnded = true;
      resolve();
    });
  });
  raw.resume(); // only where it ends is wanted
  try {
    for await (const chunk of chunks) {
      let start = 0;
      if (headerSize === undefined) {
        headerSize = gzipHeaderSize(chunk);
        if (headerSize === undefined) return undefined;
        start = headerSize;
      }
      for (let at = start; at < chunk.length; at += INPUT_SIZE) {
        const written = new Promise<void>((resolve) => {
          raw.write(chunk.subarray(at, at + INPUT_SIZE), () => resolve());
        });
        await Promise.race([written, closed]);
        await new Promise(setImmediate); // the end is told behind the write that reached it
        if (hasEnded) return headerSize + raw.bytesWritten + GZIP_TRAILER_SIZE;
        if (raw.destroyed) return undefined;
      }
    }
    return undefined;
  } finally {
    raw.destroy();
  }
}

/** Undefined: it is longer than `bytes`, or none. */
function gzipHeaderSize(bytes: Uint8Array): number | undefined {
  const flags = bytes[3] ?? 0;
  let at = GZIP_HEADER_SIZE;
  if ((flags & FLAG_EXTRA) !== 0) at += 2 + (bytes[at] ?? 0) + 256 * (bytes[at + 1] ?? 0);
  for (const flag of [FLAG_NAME, FLAG_COMMENT]) {
    if ((flags & flag) === 0) continue;
    const zero = bytes.indexOf(0, at);
    if (zero < 0) return undefined;
    at = zero + 1;
  }
  if ((flags & FLAG_HEADER_CHECK) !== 0) at += 2;
  return at < bytes.length ? at : undefined;
}

function gzipError(error: Error, plainSize: number): Error {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'Z_BUF_ERROR') return new TruncatedGzip(errorText(error), { cause: error });
  return new WsusutilError(
    'GZIP_MALFORMED',
    `The gzip data is damaged (${errorText(error)}); ${groupDigits(plainSize)} bytes could be inflated`,
    {
      hint: 'Copy or download the package again, in binary mode (in ftp, type "binary" first).',
      details: { inflatedSize: plainSize },
      cause: error,
    },
  );
}
