/**
 * Kept-alive connections for one kind of traffic: straight to a server or through proxies, with our own idea of whom
 * to trust, and with limits on everything a server could drag out. undici is loaded on first use, so that commands
 * that stay offline do not pay for it.
 *
 * undici's ProxyAgent is not used: it loses what a proxy says with a refusal (the schemes of a 407), and our limits on
 * the way of plain http.
 */
import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { Agent, buildConnector, Dispatcher } from 'undici';
import { errorText, isWsusutilError } from '../errors.js';
import { hostOf, type PeerFacts, readPeer } from './peer.js';
import {
  isSaidByProxy,
  type ProxyServer,
  type ProxySettings,
  proxyAuthenticationError,
  proxyAuthorization,
  proxyFor,
  proxyOrigin,
  proxyUnreachable,
  tunnelError,
} from './proxy.js';
import { openRateLimiter, paced, type RateLimiter } from './rate-limit.js';
import { loadTrust, type TrustSettings } from './trust.js';
import { loadUndici, type UndiciParts } from './undici-parts.js';

const CONNECT_TIMEOUT_MS = 15_000;
/** A proxy looks the name up and connects before it answers. */
const TUNNEL_TIMEOUT_MS = 60_000;
const MAX_HEADER_SIZE = 32 * 1024;
/** More than this of an error page is not read to keep the connection. */
export const MAX_DISCARDED_SIZE = 64 * 1024;

export interface HttpClientOptions {
  /** e.g. `wsusutil/0.1.0` */
  readonly userAgent: string;
  /** connections to one host */
  readonly connections: number;
  /** undefined: every server is asked straight; loopback addresses always are */
  readonly proxies?: ProxySettings | undefined;
  readonly trust?: TrustSettings | undefined;
  /** bytes per second of all bodies of this client together, or a limit that several clients share */
  readonly limitRate?: number | RateLimiter | undefined;
}

export interface TimeLimits {
  /** until the answer begins */
  readonly headersMs: number;
  /** between two pieces of a body */
  readonly bodyIdleMs: number;
}

export interface SentRequest {
  readonly method: 'GET' | 'POST';
  /** http or https; user name and password in it are not sent */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal: AbortSignal;
}

export interface Connections {
  /**
   * Errors of the connection come as Node.js or undici give them.
   *
   * @throws WsusutilError `PROXY_UNREACHABLE`, `PROXY_REFUSED`, `PROXY_AUTHENTICATION`, `CERTIFICATE_INVALID`,
   *   `READ_FAILED`, `SETTINGS_INVALID`
   */
  send(request: SentRequest): Promise<Dispatcher.ResponseData>;
  /**
   * Whom a server of https says to be, whether it is believed or not: for telling what went wrong. A handshake and
   * nothing more; fails as the connection does.
   *
   * @param url https
   */
  inspect(url: URL, signal: AbortSignal): Promise<PeerFacts>;
  /** The body, no faster than the limit of rate. */
  pace(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

export function openConnections(options: HttpClientOptions, limits: TimeLimits): Connections {
  const { proxies, limitRate } = options;
  const limiter = typeof limitRate === 'number' ? openRateLimiter(limitRate) : limitRate;
  let opening: Promise<{ readonly agent: Agent; readonly tunnels: Tunnels }> | undefined;
  const open = async () => {
    const undici = loadUndici();
    const limited = {
      maxHeaderSize: MAX_HEADER_SIZE,
      headersTimeout: limits.headersMs,
      bodyTimeout: limits.bodyIdleMs,
    };
    const tunnels = new Tunnels(undici, options);
    const agent = new undici.Agent({
      ...limited,
      connections: options.connections,
      connect: (target, callback) => tunnels.connect(target, callback),
    });
    return { agent, tunnels };
  };
  return {
    async send({ method, url, headers, body, signal }) {
      opening ??= open();
      const { agent } = await opening;
      const proxy = url.protocol === 'http:' ? proxyFor(url, proxies) : undefined;
      const common = {
        method,
        body: body ?? null,
        signal,
        headers: { 'user-agent': options.userAgent, ...headers },
      };
      const path = `${url.pathname}${url.search}`;
      if (proxy === undefined) {
        return unlessAborted(agent.request({ ...common, origin: url.origin, path }), signal);
      }
      const asking = agent.request({
        ...common,
        origin: proxyOrigin(proxy),
        path: `${url.origin}${path}`,
        headers: { ...common.headers, host: url.host, ...proxyAuthorization(proxy) },
      });
      const reply = await unlessAborted(asking, signal).catch((error: unknown) => {
        throw signal.aborted || isWsusutilError(error) ? error : toProxyError(proxy, error);
      });
      const { statusCode, headers: said } = reply;
      if (statusCode !== 407 && !(statusCode === 401 && isSaidByProxy(said))) return reply;
      await reply.body.dump({ limit: MAX_DISCARDED_SIZE }).catch(() => {});
      throw proxyAuthenticationError(proxy, challengesOf(statusCode, said));
    },
    async inspect(url, signal) {
      opening ??= open();
      return (await opening).tunnels.inspect(url, signal);
    },
    pace(body, signal) {
      return limiter === undefined ? body : paced(body, limiter, signal);
    },
    async close() {
      if (opening === undefined) return;
      const opened = await opening.catch(() => undefined);
      await opened?.agent.destroy().catch(() => {});
      await opened?.tunnels.close();
    },
  };
}

/** undici lets go of a request that waits for its connection only when that is made or has failed. */
function unlessAborted(
  asking: Promise<Dispatcher.ResponseData>,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      reject(signal.reason);
      asking.then(({ body }) => body.on('error', () => {}).destroy()).catch(() => {});
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    asking.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** Makes the connections: plain, TLS, or TLS through a tunnel of a proxy. */
class Tunnels {
  readonly #undici: UndiciParts;
  readonly #options: HttpClientOptions;
  readonly #pools = new Map<string, Dispatcher>();
  readonly #plain: buildConnector.connector;
  #secure: Promise<buildConnector.connector> | undefined;

  constructor(undici: UndiciParts, options: HttpClientOptions) {
    this.#undici = undici;
    this.#options = options;
    this.#plain = undici.buildConnector({ timeout: CONNECT_TIMEOUT_MS });
  }

  connect(target: buildConnector.Options, callback: buildConnector.Callback): void {
    if (target.protocol !== 'https:') {
      this.#plain(target, callback);
      return;
    }
    const remembering: buildConnector.Callback = (...[error, socket]) => {
      if (error === null) {
        rememberFirstError(socket);
        callback(null, socket);
      } else {
        callback(error, null);
      }
    };
    this.#connectSecurely(target, remembering).catch((error: unknown) => {
      callback(error instanceof Error ? error : new Error(String(error)), null);
    });
  }

  async #connectSecurely(target: buildConnector.Options, callback: buildConnector.Callback): Promise<void> {
    this.#secure ??= this.#buildSecure();
    const secure = await this.#secure;
    const host = target.host ?? target.hostname;
    const url = new URL(`https://${host}`);
    const proxy = proxyFor(url, this.#options.proxies);
    if (proxy === undefined) secure(target, callback);
    else
      secure(
        { ...target, httpSocket: await this.#tunnel(proxy, `${url.hostname}:${url.port || '443'}`) },
        callback,
      );
  }

  async #buildSecure(): Promise<buildConnector.connector> {
    const secureContext: SecureContext = await loadTrust(this.#options.trust);
    return this.#undici.buildConnector({
      timeout: CONNECT_TIMEOUT_MS,
      secureContext,
      rejectUnauthorized: true, // also where NODE_TLS_REJECT_UNAUTHORIZED says otherwise
    });
  }

  /** See {@link Connections.inspect}. */
  async inspect(url: URL, signal: AbortSignal): Promise<PeerFacts> {
    const proxy = proxyFor(url, this.#options.proxies);
    const port = url.port === '' ? '443' : url.port;
    const hop =
      proxy === undefined
        ? { host: hostOf(url), port: Number(port) }
        : { socket: await this.#tunnel(proxy, `${url.hostname}:${port}`, signal) };
    return readPeer(hop, hostOf(url), signal);
  }

  async #tunnel(
    proxy: ProxyServer,
    target: string,
    signal?: AbortSignal,
  ): Promise<NonNullable<buildConnector.Options['httpSocket']>> {
    const origin = proxyOrigin(proxy);
    let pool = this.#pools.get(origin);
    if (pool === undefined) {
      pool = new this.#undici.Pool(origin, {
        connect: { timeout: CONNECT_TIMEOUT_MS },
        headersTimeout: TUNNEL_TIMEOUT_MS,
        maxHeaderSize: MAX_HEADER_SIZE,
      });
      this.#pools.set(origin, pool);
    }
    let reply: Dispatcher.ConnectData;
    try {
      reply = await pool.connect({
        origin,
        path: target,
        signal: signal ?? null,
        headers: { host: target, 'user-agent': this.#options.userAgent, ...proxyAuthorization(proxy) },
      });
    } catch (error) {
      throw isWsusutilError(error) ? error : toProxyError(proxy, error);
    }
    const { socket, statusCode, headers } = reply;
    if (statusCode >= 200 && statusCode < 300)
      return socket as NonNullable<buildConnector.Options['httpSocket']>;
    socket.on('error', () => {}).destroy();
    throw statusCode === 407 || statusCode === 401
      ? proxyAuthenticationError(proxy, challengesOf(statusCode, headers))
      : tunnelError(proxy, target, statusCode);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy().catch(() => {})));
  }
}

/**
 * With TLS 1.3 a server refuses a client after the handshake, by an alert and the end of the connection. undici passes
 * the end on; the alert becomes its cause.
 */
function rememberFirstError(socket: Socket): void {
  let first: Error | undefined;
  socket.on('error', (error) => {
    if (first === undefined) first = error;
    else if (error !== first) error.cause ??= first;
  });
}

function challengesOf(status: number, headers: Dispatcher.ResponseData['headers']) {
  return headers[status === 407 ? 'proxy-authenticate' : 'www-authenticate'];
}

function toProxyError(proxy: ProxyServer, error: unknown) {
  return proxyUnreachable(proxy, errorWords(error), error);
}

/** Text and code; attempts to several addresses come as one error without a text of its own. */
export function errorWords(error: unknown): string {
  const first: unknown = error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
  const code = codeOf(first);
  const text = errorText(first);
  return code === '' || text.includes(code) ? text : `${text} (${code})`;
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
