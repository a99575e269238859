/** The content files of a fake upstream, given out as the IIS of a real one does (server-sync-protocol 16.1). */
import type { IncomingMessage } from 'node:http';

export interface ContentQuirks {
  /** `on-request`: as a lazy server, 404 until `DownloadFiles` has asked for the file; default `held` */
  readonly content?: 'held' | 'on-request';
  /** requests for a file that are still answered with 404 after `DownloadFiles`; default 0 */
  readonly contentDelay?: number;
  /** SHA-1s of files of which other bytes are sent, as many as the right ones */
  readonly wrongBytes?: readonly string[];
  /** sends the whole file whatever range is asked for */
  readonly ignoresRange?: boolean;
}

export interface UpstreamFile {
  /** 40 upper-case hex digits */
  readonly sha1: string;
  /** gives the extension */
  readonly fileName: string;
  readonly bytes: Uint8Array;
}

export interface ContentRequest {
  readonly method: string;
  readonly sha1: string;
  /** the header as sent */
  readonly range: string | undefined;
  readonly status: number;
}

export interface ContentAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** `/Content/<last two digits>/<SHA-1><extension>`, in any case */
const CONTENT_PATH = /^\/content\/([0-9a-f]{2})\/([0-9a-f]{40})(\.[^./]*)?$/i;
/** Microsoft's own names end in the SHA-1 in lower case. */
const MICROSOFT_PATH = /^\/(?:.+\/)?msdownload\/.*_([0-9a-f]{40})(\.[^./]*)?$/i;
const RANGE = /^bytes=(\d*)-(\d*)$/;

/** Whether the path is one of a content file, here or at Microsoft. */
export function isContentPath(path: string): boolean {
  return /^\/content(\/|$)/i.test(path) || MICROSOFT_PATH.test(path);
}

export class UpstreamContent {
  readonly requests: ContentRequest[] = [];
  readonly #files = new Map<string, UpstreamFile>();
  /** asked for with `DownloadFiles` → requests that are still answered with 404 */
  readonly #arriving = new Map<string, number>();

  add(file: UpstreamFile): void {
    this.#files.set(file.sha1, file);
  }

  has(sha1: string): boolean {
    return this.#files.has(sha1);
  }

  /** What `DownloadFiles` does. */
  fetch(sha1: string, quirks: ContentQuirks): void {
    if (!this.#arriving.has(sha1)) this.#arriving.set(sha1, quirks.contentDelay ?? 0);
  }

  answer(request: IncomingMessage, path: string, quirks: ContentQuirks): ContentAnswer {
    const { method = 'GET', headers } = request;
    const atMicrosoft = MICROSOFT_PATH.exec(path);
    const [, folder, digits, extension] = CONTENT_PATH.exec(path) ?? [];
    const sha1 = (atMicrosoft?.[1] ?? digits ?? '').toUpperCase();
    const file = this.#files.get(sha1);
    const answer = ((): ContentAnswer => {
      if (method !== 'GET' && method !== 'HEAD') return page(405);
      if (file === undefined) return page(404);
      if (atMicrosoft === null) {
        if (folder?.toUpperCase() !== sha1.slice(-2)) return page(404);
        if (extension === undefined && file.fileName.includes('.')) return page(403);
        if (!this.#isHere(sha1, quirks)) return page(404);
      }
      return send(file, method, headers, quirks);
    })();
    this.requests.push({ method, sha1, range: headers.range, status: answer.status });
    return answer;
  }

  #isHere(sha1: string, quirks: ContentQuirks): boolean {
    if (quirks.content !== 'on-request') return true;
    const left = this.#arriving.get(sha1);
    if (left === undefined) return false;
    this.#arriving.set(sha1, left - 1);
    return left <= 0;
  }
}

function send(
  file: UpstreamFile,
  method: string,
  headers: IncomingMessage['headers'],
  quirks: ContentQuirks,
): ContentAnswer {
  const whole = Buffer.from(file.bytes);
  const bytes = quirks.wrongBytes?.includes(file.sha1) === true ? whole.map((byte) => byte ^ 0x55) : whole;
  const size = bytes.length;
  const etag = `"${file.sha1.slice(0, 16).toLowerCase()}:0"`;
  const common = {
    'Content-Type': 'application/octet-stream',
    'Last-Modified': 'Tue, 03 Feb 2026 09:15:00 GMT',
    'Accept-Ranges': 'bytes',
    ETag: etag,
  };
  const isAsked = headers.range !== undefined && quirks.ignoresRange !== true;
  const ifRange = headers['if-range'];
  const isCurrent = ifRange === undefined || ifRange === etag || ifRange === common['Last-Modified'];
  if (method === 'HEAD') {
    if (isAsked) return { ...page(416), body: Buffer.alloc(0) };
    return { status: 200, headers: { ...common, 'Content-Length': String(size) }, body: Buffer.alloc(0) };
  }
  const range = isAsked && isCurrent ? RANGE.exec(headers.range ?? '') : null;
  if (range === null) {
    return {
      status: 200,
      headers: { ...common, 'Content-Length': String(size) },
      body: Buffer.from(bytes),
    };
  }
  const [, first = '', last = ''] = range;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  if (start >= end) {
    return { status: 416, headers: { 'Content-Range': `bytes */${size}` }, body: Buffer.alloc(0) };
  }
  return {
    status: 206,
    headers: {
      ...common,
      'Content-Length': String(end - start),
      'Content-Range': `bytes ${start}-${end - 1}/${size}`,
    },
    body: Buffer.from(bytes.subarray(start, end)),
  };
}

function page(status: number): ContentAnswer {
  return {
    status,
    headers: { 'Content-Type': 'text/html' },
    body: Buffer.from(`<html><p>${status}<br></html>`),
  };
}
