/** Answers in the terms of HTTP alone. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Seconds after which a busy server may be asked again. */
const RETRY_AFTER = '5';

/** A request that is refused with a status. */
export class HttpRefusal extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly problem: string;

  constructor(status: number, problem: string, text: string, headers: Readonly<Record<string, string>> = {}) {
    super(text);
    this.status = status;
    this.problem = problem;
    this.headers = headers;
  }
}

/** 503, for who can come again. */
export function busy(): HttpRefusal {
  return new HttpRefusal(503, 'busy', 'Busy; try again later.', { 'Retry-After': RETRY_AFTER });
}

/** @throws HttpRefusal 405 */
export function allowReading({ method }: IncomingMessage): void {
  if (method !== 'GET' && method !== 'HEAD') {
    throw new HttpRefusal(405, 'method', 'This is read with GET or HEAD.', { Allow: 'GET, HEAD' });
  }
}

export function sendText(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const bytes = Buffer.from(text, 'utf8');
  response.statusCode = status;
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.setHeader('Content-Length', bytes.length);
  response.end(request.method === 'HEAD' ? undefined : bytes);
}
