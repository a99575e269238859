import { createGunzip } from 'node:zlib';
import { errorText, WsusutilError } from '../errors.js';
import { groupDigits } from '../formats/group-digits.js';

/** What a piece of input usually becomes, so that zlib works on the next one without coming back in between. */
const OUTPUT_SIZE = 1024 * 1024;
/** Input given to zlib at once. Its output waits in memory, and grows to about a thousand times this at worst. */
const INPUT_SIZE = 64 * 1024;

/** The gzip data stops before its end; `inflate` has handed on everything that was there. */
export class TruncatedGzip extends Error {
  override readonly name = 'TruncatedGzip';
}

/**
 * Inflates gzip data, one member or several after another, while the caller works on what came before.
 *
 * @throws TruncatedGzip after the last byte that could be inflated
 * @throws WsusutilError `GZIP_MALFORMED`
 */
export async function* inflate(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, undefined> {
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
  } finally {
    gunzip.destroy();
  }
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
