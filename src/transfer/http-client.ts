/** Requests for content files: redirects followed, errors in the words of this program. */
import { isWsusutilError, WsusutilError } from '../errors.js';
import { errorWords } from './connection-errors.js';
import { type HttpClientOptions, openConnections } from './connections.js';
import type { ReceivedReply } from './requests.js';
import { explainTlsError } from './tls-errors.js';

export type { HttpClientOptions } from './connections.js';
export type { TrustSettings } from './trust.js';

const HEADERS_TIMEOUT_MS = 60_000;
/** between two pieces of a body */
const BODY_IDLE_MS = 60_000;
const MAX_REDIRECTS = 5;

export interface HttpReply {
  readonly status: number;
  /** lower-case names; the first value of repeated ones */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: AsyncIterable<Uint8Array>;
  /** Gives the connection back without reading the body to its end. */
  discard(): Promise<void>;
}

export interface HttpClient {
  /**
   * @param url `http:` or `https:`; redirects are followed, never from https to http
   * @throws WsusutilError `SOURCE_UNREACHABLE` (name, connection, time-out), `SOURCE_REFUSED` (TLS; bad URL or redirect),
   *   `PROXY_UNREACHABLE`, `PROXY_REFUSED`, `PROXY_AUTHENTICATION`, `CERTIFICATE_INVALID`, `READ_FAILED`
   */
  get(url: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<HttpReply>;
  close(): Promise<void>;
}

/** Opens nothing before the first request. */
export function openHttpClient(options: HttpClientOptions): HttpClient {
  const connections = openConnections(options, { headersMs: HEADERS_TIMEOUT_MS, bodyIdleMs: BODY_IDLE_MS });
  return {
    async get(url, headers, signal) {
      let target = parseUrl(url);
      for (let redirects = 0; ; redirects++) {
        let reply: ReceivedReply;
        try {
          reply = await connections.send({
            method: 'GET',
            url: target,
            signal,
            headers: { 'accept-encoding': 'identity', ...headers },
          });
        } catch (error) {
          throw signal.aborted || isWsusutilError(error) ? error : unreachable(target, error);
        }
        const location = firstOf(reply.headers.location);
        if (reply.statusCode < 300 || reply.statusCode > 399 || location === undefined) {
          return {
            status: reply.statusCode,
            headers: Object.fromEntries(
              Object.entries(reply.headers).map(([name, value]) => [name, firstOf(value)]),
            ),
            body: connections.pace(reply.body, signal),
            discard: () => reply.discard(),
          };
        }
        await reply.discard();
        const next = parseUrl(location, target);
        if (redirects === MAX_REDIRECTS) {
          throw refused(url, `it redirects more than ${MAX_REDIRECTS} times`);
        }
        if (target.protocol === 'https:' && next.protocol !== 'https:') {
          throw refused(url, `it redirects from https to ${next.origin}`);
        }
        target = next;
      }
    },
    close: () => connections.close(),
  };
}

function parseUrl(url: string, base?: URL): URL {
  let parsed: URL;
  try {
    parsed = new URL(url, base);
  } catch {
    throw refused(url, 'it is not a URL');
  }
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') {
    throw refused(url, 'only http and https are fetched');
  }
  return parsed;
}

function firstOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** Without user name and password, should a URL carry them. */
export function printableUrl(url: URL | string): string {
  try {
    const parsed = new URL(url);
    parsed.username = '';
    parsed.password = '';
    return parsed.href;
  } catch {
    // No URL, so that nothing tells what in it is a password: all before the last @.
    return String(url).slice(0, 200).replace(/^.*@/s, '***@');
  }
}

function refused(url: string, why: string): WsusutilError {
  return new WsusutilError('SOURCE_REFUSED', `${printableUrl(url)} cannot be fetched: ${why}`, {
    hint: 'The address comes from the metadata or from --source; check that it is the right one.',
  });
}

function unreachable(url: URL, error: unknown): WsusutilError {
  const tls = url.protocol === 'https:' ? explainTlsError(error, url.hostname) : undefined;
  const details = { host: url.host };
  return tls === undefined
    ? new WsusutilError('SOURCE_UNREACHABLE', `Cannot reach ${url.origin}: ${errorWords(error)}`, {
        hint: 'Check the network and the proxy settings, or run with --offline.',
        details,
        cause: error,
      })
    : new WsusutilError('SOURCE_REFUSED', `No trusted connection to ${url.origin}: ${tls.says}`, {
        hint: tls.hint,
        details,
        cause: error,
      });
}

/** True if the server of the file, or the proxy on the way, was never reached: its other files fare no better. */
export function isUnreachable(error: unknown): boolean {
  return (
    isWsusutilError(error) &&
    (/^(SOURCE_UNREACHABLE|PROXY_|CERTIFICATE_INVALID)/.test(error.code) ||
      (error.code === 'SOURCE_REFUSED' && error.details?.host !== undefined))
  );
}
