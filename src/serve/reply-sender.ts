/** Answers of services as bytes: compressed for who asks, and handed over with as little copying as there can be. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';
import { GzipReplies } from './gzip-reply.js';
import { ReplyBuffers } from './reply-buffers.js';
import { acceptsGzip, isEncrypted } from './request-facts.js';
import { ClientGone, sendPieces } from './send.js';
import type { Answer } from './services.js';

/**
 * Replies of few and large pieces are sent from where they lie. Many pieces are cheaper to copy together than to hand over
 * one by one.
 */
const MAX_SENT_PIECES = 40;
const MIN_SENT_APART = 32 * 1024;
/** bytes that are handed to TLS at once */
const TLS_PIECE_SIZE = 64 * 1024;
/** Shorter replies are not worth compressing. */
const MIN_GZIP_SIZE = 1_024;

export class ReplySender {
  readonly #buffers = new ReplyBuffers();
  readonly #gzip = new GzipReplies();
  #heldSize = 0;

  /** Bytes of replies that their clients have not taken yet. */
  get heldSize(): number {
    return this.#heldSize;
  }

  /** @throws ClientGone */
  async send(
    request: IncomingMessage,
    response: ServerResponse,
    contentType: string,
    { result, isDense, release }: Answer,
    { head, tail }: { readonly head: string; readonly tail: string },
  ): Promise<void> {
    if (response.destroyed || response.closed) {
      release();
      throw new ClientGone('the client went away');
    }
    response.statusCode = 200;
    response.setHeader('Content-Type', contentType);
    response.setHeader('Cache-Control', 'private, max-age=0');
    const pieces = result ?? [];
    const isWhole = Array.isArray(pieces);
    this.#hold(isWhole ? totalLength(pieces) : 0, response);
    if (!isDense && acceptsGzip(request) && (!isWhole || totalLength(pieces) >= MIN_GZIP_SIZE)) {
      response.setHeader('Content-Encoding', 'gzip');
      if (isWhole) {
        const parts = await this.#gzip.compress([head, ...pieces, tail]);
        response.setHeader('Content-Length', totalLength(parts));
        await sendPieces(response, sliced(parts, TLS_PIECE_SIZE));
        return;
      }
      const gzip = createGzip({ level: constants.Z_BEST_SPEED });
      await pipeline(Readable.from(framed(head, pieces, tail), { objectMode: false }), gzip, response).catch(
        (cause: unknown) => {
          if (response.destroyed) throw new ClientGone('the client went away', { cause });
          throw cause;
        },
      );
      return;
    }
    // What is written at once over TLS is encrypted at once, and each connection keeps that much memory for good.
    if (isEncrypted(request) && (!isWhole || totalLength(pieces) > TLS_PIECE_SIZE)) {
      if (isWhole) response.setHeader('Content-Length', totalLength([...framed(head, pieces, tail)]));
      try {
        await sendPieces(response, sliced(framed(head, pieces, tail), TLS_PIECE_SIZE));
      } finally {
        release();
      }
      return;
    }
    if (isWhole && pieces.length <= MAX_SENT_PIECES && totalLength(pieces) >= MIN_SENT_APART) {
      const parts = [...framed(head, pieces, tail)];
      response.setHeader('Content-Length', totalLength(parts));
      // `finish`: the last byte is with the kernel, so that nothing reads the memory any more.
      response.once('finish', release);
      response.cork();
      for (const part of parts) response.write(part);
      response.end();
      return;
    }
    if (isWhole) {
      const reply = this.#buffers.join([head, ...pieces, tail]);
      release();
      response.setHeader('Content-Length', reply.bytes.length);
      // `finish`: the last byte is with the kernel, so that nothing reads the buffer any more.
      response.once('finish', () => reply.release());
      response.end(reply.bytes);
      return;
    }
    await sendPieces(response, framed(head, pieces, tail));
  }

  #hold(size: number, response: ServerResponse): void {
    this.#heldSize += size;
    response.once('close', () => {
      this.#heldSize -= size;
    });
  }
}

function totalLength(pieces: readonly (string | Uint8Array)[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

function* sliced(pieces: Iterable<Uint8Array>, size: number): Generator<Uint8Array, void, undefined> {
  for (const piece of pieces) {
    for (let start = 0; start < piece.length; start += size) yield piece.subarray(start, start + size);
  }
}

function* framed(
  head: string,
  pieces: Iterable<string | Uint8Array>,
  tail: string,
): Generator<Uint8Array, void, undefined> {
  yield Buffer.from(head, 'utf8');
  for (const piece of pieces) yield typeof piece === 'string' ? Buffer.from(piece, 'utf8') : piece;
  yield Buffer.from(tail, 'utf8');
}
