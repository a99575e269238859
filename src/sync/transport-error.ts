/** What went wrong below SOAP, and whether trying again can help (server-sync-protocol 15.5). */
import { errorText, isWsusutilError, WsusutilError } from '../errors.js';
import { showText } from '../formats/soap/soap-fault.js';
import { firstCodeOf } from '../transfer/connection-errors.js';
import { isScheme } from '../transfer/proxy.js';
import { explainTlsError } from '../transfer/tls-errors.js';

export interface TransportErrorOptions {
  /** trying again can help */
  readonly isTransient: boolean;
  readonly isTimeout?: boolean | undefined;
  /** HTTP status, if there was an answer */
  readonly status?: number | undefined;
  /** what `Retry-After` asks for */
  readonly retryAfterMs?: number | undefined;
  readonly hint: string;
  readonly cause?: unknown;
}

export class TransportError extends WsusutilError {
  readonly isTransient: boolean;
  readonly isTimeout: boolean;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(
    code: 'UPSTREAM_UNREACHABLE' | 'UPSTREAM_TRUNCATED' | 'UPSTREAM_REFUSED',
    message: string,
    options: TransportErrorOptions,
  ) {
    const { status } = options;
    super(code, message, {
      hint: options.hint,
      cause: options.cause,
      details: status === undefined ? undefined : { status },
    });
    this.isTransient = options.isTransient;
    this.isTimeout = options.isTimeout ?? false;
    this.status = status;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** True if the same idempotent call may well succeed a little later. */
export function isTransient(error: unknown): boolean {
  if (error instanceof TransportError) return error.isTransient;
  return (
    isWsusutilError(error, 'UPSTREAM_TRUNCATED') ||
    isWsusutilError(error, 'UPSTREAM_UNREACHABLE') ||
    isWsusutilError(error, 'PROXY_UNREACHABLE')
  );
}

/** Nobody there under that name; a wrong name stays wrong. */
const NAME_CODES: ReadonlySet<string> = new Set(['ENOTFOUND', 'ERR_INVALID_URL', 'EAI_NONAME']);

/**
 * An error of the HTTP client in the words of this program.
 *
 * @param where host and port of the upstream
 * @returns `error` itself if it is a WsusutilError, or nothing that a network can cause
 */
export function toTransportError(error: unknown, operation: string, where: string): unknown {
  if (isWsusutilError(error)) return error;
  const code = firstCodeOf(error);
  if (code === undefined) return error;
  const facts = `${operation} at ${where}: ${showText(errorText(error))} (${code})`;
  if (code.startsWith('Z_') || code === 'ERR__ERROR_FORMAT_PADDING_1') {
    return new TransportError(
      'UPSTREAM_TRUNCATED',
      `The upstream's answer broke off or is damaged: ${facts}`,
      {
        isTransient: true,
        hint: 'Try again; if it stays, look for a proxy that changes answers.',
        cause: error,
      },
    );
  }
  const tls = explainTlsError(error, where.replace(/:\d+$/, ''));
  if (tls !== undefined) {
    return new TransportError(
      'UPSTREAM_REFUSED',
      `The upstream's certificate or TLS is not accepted: ${operation} at ${where}: ${showText(tls.says)}`,
      { isTransient: false, hint: tls.hint, cause: error },
    );
  }
  if (NAME_CODES.has(code)) {
    return new TransportError('UPSTREAM_UNREACHABLE', `No such upstream: ${facts}`, {
      isTransient: false,
      hint: 'Check the address and the name server.',
      cause: error,
    });
  }
  return new TransportError('UPSTREAM_UNREACHABLE', `The upstream cannot be reached: ${facts}`, {
    isTransient: true,
    isTimeout: /TIMEOUT|ETIMEDOUT/.test(code),
    hint: 'Check address, port and proxy. WSUS listens on 8530 (http) or 8531 (https).',
    cause: error,
  });
}

/** Statuses that pass by themselves. */
const TRANSIENT_STATUSES: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);
const MAX_RETRY_AFTER_MS = 10 * 60_000;

/** The error for an HTTP status other than 200 whose body is no SOAP fault. */
export function statusError(
  status: number,
  headers: Readonly<Record<string, string | undefined>>,
  operation: string,
  where: string,
  now: Date,
): TransportError {
  const said = `HTTP ${status} to ${operation} at ${where}`;
  if (TRANSIENT_STATUSES.has(status)) {
    return new TransportError('UPSTREAM_UNREACHABLE', `The upstream is not able to answer: ${said}`, {
      isTransient: true,
      isTimeout: status === 408 || status === 504,
      status,
      retryAfterMs: retryAfterOf(headers['retry-after'], now),
      hint:
        status === 503
          ? 'On WSUS the application pool has stopped, often for want of memory during the large lists: raise its private memory limit and start it.'
          : 'Try again later; if it stays, look at the log of the upstream.',
    });
  }
  if (status === 401 || status === 403 || status === 407) {
    const asked = showText(headers[status === 407 ? 'proxy-authenticate' : 'www-authenticate'] ?? '');
    const schemes = [...new Set(asked.match(/(?:^|,\s*)([A-Za-z][A-Za-z0-9-]*)(?=\s|,|$)/g) ?? [])]
      .map((scheme) => scheme.replace(/^,\s*/, ''))
      .filter(isScheme)
      .join(', ');
    const who = status === 407 ? 'The proxy' : 'The upstream';
    return new TransportError(
      'UPSTREAM_REFUSED',
      `${who} wants authentication: ${said}${schemes === '' ? '' : `; it asks for ${schemes}`}`,
      {
        isTransient: false,
        status,
        hint: 'Allow this host to use the web services of the upstream without authentication.',
      },
    );
  }
  if (status >= 300 && status < 400) {
    const target = showText(withoutCredentials(headers.location ?? ''));
    return new TransportError(
      'UPSTREAM_REFUSED',
      `The upstream sends us elsewhere: ${said}${target === '' ? '' : `, to ${target}`}`,
      { isTransient: false, status, hint: 'Give the final address; redirects are not followed.' },
    );
  }
  return new TransportError('UPSTREAM_REFUSED', `The upstream does not take the request: ${said}`, {
    isTransient: false,
    status,
    hint: 'Nothing like WSUS answers there; check address and port (8530 for http, 8531 for https).',
  });
}

/** Scheme, host and path only. */
function withoutCredentials(location: string): string {
  try {
    const url = new URL(location);
    return `${url.protocol}//${url.host}${url.pathname}`;
  } catch {
    return location.replace(/[?#].*$/s, '');
  }
}

function retryAfterOf(text: string | undefined, now: Date): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - now.getTime();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}
