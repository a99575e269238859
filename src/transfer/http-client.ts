/**
 * Requests for content files: one set of kept-alive connections, with limits on everything a server could drag out.
 * undici is loaded on first use, so that commands that stay offline do not pay for it.
 */
import type { Dispatcher } from 'undici';
import { errorText, WsusutilError } from '../errors.js';

const CONNECT_TIMEOUT_MS = 15_000;
const HEADERS_TIMEOUT_MS = 60_000;
/** between two pieces of a body */
const BODY_IDLE_MS = 60_000;
const MAX_HEADER_SIZE = 32 * 1024;
const MAX_REDIRECTS = 5;
/** More than this of an error page is not read to keep the connection. */
const MAX_DISCARDED_SIZE = 64 * 1024;

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
   * @throws WsusutilError `SOURCE_UNREACHABLE` (name, connection, TLS, time-out), `SOURCE_REFUSED` (bad URL or redirect)
   */
  get(url: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<HttpReply>;
  close(): Promise<void>;
}

export interface HttpClientOptions {
  /** e.g. `wsusutil/0.1.0` */
  readonly userAgent: string;
  /** connections to one host */
  readonly connections: number;
}

export function openHttpClient(options: HttpClientOptions): HttpClient {
  let agent: Dispatcher | undefined;
  return {
    async get(url, headers, signal) {
      const { Agent, request } = await import('undici');
      agent ??= new Agent({
        connections: options.connections,
        connect: { timeout: CONNECT_TIMEOUT_MS },
        headersTimeout: HEADERS_TIMEOUT_MS,
        bodyTimeout: BODY_IDLE_MS,
        maxHeaderSize: MAX_HEADER_SIZE,
      });
      let target = parseUrl(url);
      for (let redirects = 0; ; redirects++) {
        let reply: Dispatcher.ResponseData;
        try {
          reply = await request(target, {
            dispatcher: agent,
            signal,
            headers: { 'user-agent': options.userAgent, 'accept-encoding': 'identity', ...headers },
          });
        } catch (error) {
          if (signal.aborted) throw error;
          throw unreachable(target, error);
        }
        const location = firstOf(reply.headers.location);
        const discard = () => reply.body.dump({ limit: MAX_DISCARDED_SIZE }).catch(() => {});
        if (reply.statusCode < 300 || reply.statusCode > 399 || location === undefined) {
          return {
            status: reply.statusCode,
            headers: Object.fromEntries(
              Object.entries(reply.headers).map(([name, value]) => [name, firstOf(value)]),
            ),
            body: reply.body,
            discard,
          };
        }
        await discard();
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
    async close() {
      await agent?.destroy().catch(() => {});
    },
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
    return String(url).slice(0, 200);
  }
}

function refused(url: string, why: string): WsusutilError {
  return new WsusutilError('SOURCE_REFUSED', `${printableUrl(url)} cannot be fetched: ${why}`, {
    hint: 'The address comes from the metadata or from --source; check that it is the right one.',
  });
}

function unreachable(url: URL, error: unknown): WsusutilError {
  const code = codeOf(error);
  const isTrust = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS/.test(code);
  return new WsusutilError(
    'SOURCE_UNREACHABLE',
    `Cannot reach ${url.origin}: ${code === '' ? errorText(error) : `${errorText(error)} (${code})`}`,
    {
      hint: isTrust
        ? 'The certificate is not trusted here: name its authority in NODE_EXTRA_CA_CERTS.'
        : 'Check the network, or run with --offline.',
      details: { host: url.host },
      cause: error,
    },
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
