/** `/Content` over HTTP: ranges, conditions, and how many files are sent at one time (server-sync-protocol 16.1). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseByteRange } from './byte-range.js';
import { evaluateConditions, isRangeValid } from './conditions.js';
import { type ContentFiles, contentDigestOf, type OpenedFile } from './content-files.js';
import { allowReading, busy, HttpRefusal, sendText } from './http-refusal.js';
import type { ServeLimits } from './limits.js';
import { sendFile } from './send.js';
import type { WarnOnce } from './warn-once.js';

/**
 * Of every file, whatever its extension, as the recorded server says it (16.1) and section 18 asks for: a list of types by
 * extension is what makes IIS refuse `.esd`, `.wim`, `.msu` and `.psf` until somebody completes it, and neither clients nor
 * downstream servers look at the type.
 */
const CONTENT_TYPE = 'application/octet-stream';

export class ContentEndpoint {
  readonly #content: ContentFiles;
  readonly #limits: ServeLimits;
  readonly #warn: WarnOnce;
  #downloads = 0;

  constructor(content: ContentFiles, limits: ServeLimits, warn: WarnOnce) {
    this.#content = content;
    this.#limits = limits;
    this.#warn = warn;
  }

  /** Files that are being sent. */
  get downloads(): number {
    return this.#downloads;
  }

  /**
   * @param path lower case, percent signs decoded, slashes single
   * @throws HttpRefusal, ClientGone
   */
  async send(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    allowReading(request);
    if (path === '/content/anonymouscheckfile.txt') {
      sendText(request, response, 200, '');
      return;
    }
    const sha1 = contentDigestOf(path);
    if (sha1 === undefined) throw new HttpRefusal(404, 'not-found', 'There is no such file.');
    if (this.#downloads >= this.#limits.maxDownloads) throw busy();
    this.#downloads++;
    try {
      const file = await this.#content.open(sha1);
      if (typeof file === 'string') {
        if (file === 'changed') {
          this.#warn(
            'FILE_NOT_SERVED',
            `Content file ${sha1} was changed since it was checked and is not served; run "wsusutil reset"`,
          );
        }
        throw new HttpRefusal(404, file, 'There is no such file.');
      }
      try {
        await sendOpened(file, request, response, this.#limits.pieceTimeoutMs);
      } finally {
        await file.handle.close();
      }
    } finally {
      this.#downloads--;
    }
  }
}

/** Headers and bytes of a file, or why not. */
async function sendOpened(
  file: OpenedFile,
  request: IncomingMessage,
  response: ServerResponse,
  pieceTimeoutMs: number,
): Promise<void> {
  const { headers, method } = request;
  const { size, etag, modifiedAt, handle } = file;
  response.setHeader('ETag', etag);
  response.setHeader('Last-Modified', new Date(modifiedAt).toUTCString());
  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader('Content-Type', CONTENT_TYPE);
  response.setHeader('X-Content-Type-Options', 'nosniff');
  const condition = evaluateConditions(headers, file);
  if (condition !== 'met') {
    response.removeHeader('Content-Type');
    response.statusCode = condition === 'failed' ? 412 : 304;
    if (condition === 'failed') response.setHeader('Content-Length', 0);
    response.end();
    return;
  }
  const range =
    method === 'GET' && isRangeValid(request.headersDistinct['if-range']?.[0], file)
      ? parseByteRange(headers.range, size)
      : ({ kind: 'whole' } as const);
  if (range.kind === 'unsatisfiable') {
    response.statusCode = 416;
    response.setHeader('Content-Range', `bytes */${size}`);
    response.setHeader('Content-Length', 0);
    response.end();
    return;
  }
  const first = range.kind === 'part' ? range.first : 0;
  const last = range.kind === 'part' ? range.last : size - 1;
  response.statusCode = range.kind === 'part' ? 206 : 200;
  if (range.kind === 'part') response.setHeader('Content-Range', `bytes ${first}-${last}/${size}`);
  response.setHeader('Content-Length', last - first + 1);
  if (method === 'HEAD' || size === 0) {
    response.end();
    return;
  }
  await sendFile(response, handle, first, last, pieceTimeoutMs);
}
