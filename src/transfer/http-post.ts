/** What the protocol needs from HTTP: one POST, one answer, its content encoding undone as a stream. */
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { WsusutilError } from '../errors.js';
import { type HttpClientOptions, openConnections } from './connections.js';

/** Above the five minutes that the protocol gives a call (server-sync-protocol 2.2): who posts has its own limits. */
const HEADERS_TIMEOUT_MS = 360_000;
/** between two pieces of a body */
const BODY_IDLE_MS = 360_000;
/** bytes inflated at a time: each piece costs a visit to another thread, and the usual 16 KiB make many */
const GUNZIP_CHUNK_SIZE = 64 * 1024;
/** bytes that one answer may expand to; the reader of SOAP stops at half of that */
export const MAX_EXPANDED_SIZE = 1024 * 1024 * 1024;

/** That are told: anything else might be a secret of the request, thrown back. */
const ENCODINGS: ReadonlySet<string> = new Set([
  'br',
  'compress',
  'x-compress',
  'dcb',
  'dcz',
  'deflate',
  'zstd',
]);

export interface HttpPostRequest {
  /** absolute, http or https */
  readonly url: string;
  /** URI; sent as the `SOAPAction` header, in double quotes (server-sync-protocol 2.1) */
  readonly soapAction: string;
  /** UTF-8 text, sent as `text/xml; charset=utf-8` and never compressed; holds cookies: not to be logged */
  readonly body: string;
  /** ends the request, and the body of the response while it is read */
  readonly signal: AbortSignal;
}

export interface HttpPostResponse {
  readonly status: number;
  /** names in lower case; repeated ones joined with commas */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Content encodings are undone. Read once; fails if the connection breaks or the encoded data is damaged. */
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * Posts once: no retry, no redirect, any status is an answer.
 *
 * Rejects if there was no answer. Errors of Node.js or of zlib may come as they are: they are told apart by
 * their `code`. Its time limits, if it has any, should be longer than five minutes.
 */
export type HttpPost = (request: HttpPostRequest) => Promise<HttpPostResponse>;

export interface HttpPostClient {
  /**
   * Also rejects with a WsusutilError: `PROXY_UNREACHABLE`, `PROXY_REFUSED`, `PROXY_AUTHENTICATION`,
   * `CERTIFICATE_INVALID`, `READ_FAILED`, `SETTINGS_INVALID`; the body with `LIMIT_EXCEEDED`.
   */
  readonly post: HttpPost;
  close(): Promise<void>;
}

/**
 * Opens nothing before the first request.
 *
 * @param maxExpandedSize bytes of one body after decompression
 */
export function openHttpPost(
  options: HttpClientOptions,
  maxExpandedSize = MAX_EXPANDED_SIZE,
): HttpPostClient {
  const connections = openConnections(options, { headersMs: HEADERS_TIMEOUT_MS, bodyIdleMs: BODY_IDLE_MS });
  return {
    async post({ url, soapAction, body, signal }) {
      const target = new URL(url);
      const reply = await connections.send({
        method: 'POST',
        url: target,
        headers: {
          'content-type': 'text/xml; charset=utf-8',
          soapaction: `"${soapAction}"`,
          'accept-encoding': 'gzip',
        },
        body,
        signal,
      });
      const headers = Object.fromEntries(
        Object.entries(reply.headers).map(([name, value]) => [
          name,
          Array.isArray(value) ? value.join(', ') : value,
        ]),
      );
      const paced = connections.pace(reply.body, signal);
      // Whoever waits for the next piece, a generator among them, does not hear that it was left.
      const leave = () => void reply.body.on('error', () => {}).destroy();
      const whole = (source: AsyncIterable<Uint8Array>) =>
        limited(source, maxExpandedSize, target.host, leave);
      const encoding = headers['content-encoding']?.trim().toLowerCase() ?? '';
      if (encoding === '' || encoding === 'identity') {
        return { status: reply.statusCode, headers, body: whole(paced) };
      }
      if (encoding === 'gzip' || encoding === 'x-gzip') {
        return { status: reply.statusCode, headers, body: whole(gunzip(paced)) };
      }
      leave();
      throw new WsusutilError(
        'UPSTREAM_MALFORMED',
        `${target.host} answers in ${ENCODINGS.has(encoding) ? `the encoding ${encoding}` : 'an encoding'}, which was not asked for`,
        { hint: 'Look for a proxy on the way that changes answers.' },
      );
    },
    close: () => connections.close(),
  };
}

/** Ends both streams when it is left early, and fails with whatever either of them fails. */
async function* gunzip(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const packed = Readable.from(source, { objectMode: false });
  const gunzipped = createGunzip({ chunkSize: GUNZIP_CHUNK_SIZE });
  pipeline(packed, gunzipped, () => {}); // an error also comes out of `gunzipped`
  yield* gunzipped;
}

/** @param leave called at the end, or when the body is left early */
async function* limited(
  body: AsyncIterable<Uint8Array>,
  maxSize: number,
  host: string,
  leave: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  let size = 0;
  try {
    for await (const bytes of body) {
      size += bytes.length;
      if (size > maxSize) {
        throw new WsusutilError('LIMIT_EXCEEDED', `The answer of ${host} is longer than ${maxSize} bytes`, {
          hint: 'No real answer is; check that this is the server you mean.',
        });
      }
      yield bytes;
    }
  } finally {
    leave();
  }
}
