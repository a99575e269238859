/** What the protocol needs from HTTP. The program's own client lives in `transfer/`. */

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
  /** names in lower case */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Content encodings are undone. Read once; fails if the connection breaks or the encoded data is damaged. */
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * Posts once: no retry, no redirect, any status is an answer.
 *
 * Rejects if there was no answer. Errors of Node.js, of undici or of zlib may come as they are: they are told apart by
 * their `code`. Its time limits, if it has any, should be longer than five minutes.
 */
export type HttpPost = (request: HttpPostRequest) => Promise<HttpPostResponse>;
