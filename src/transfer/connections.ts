/**
 * Kept-alive connections for one kind of traffic: straight to a server or through proxies, with our own idea of whom
 * to trust, and with limits on everything a server could drag out. Node's own client: undici took twice the processor
 * time for the answers of a synchronisation, 0.53 s where this takes 0.26 (2026-11-21).
 */
import http, { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { isIP, type Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import tls, { type SecureContext, type TLSSocket } from 'node:tls';
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

const CONNECT_TIMEOUT_MS = 15_000;
/** A proxy looks the name up and connects before it answers. */
const TUNNEL_TIMEOUT_MS = 60_000;
const MAX_HEADER_SIZE = 32 * 1024;
/** More than this of an error page is not read to keep the connection. */
const MAX_DISCARDED_SIZE = 64 * 1024;
/** A connection that nobody uses is closed before the other end may close it just as it is used again. */
const IDLE_MS = 4_000;

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

export interface ReceivedReply {
  readonly statusCode: number;
  /** names in lower case */
  readonly headers: IncomingHttpHeaders;
  /** fails if the connection breaks, or nothing comes for too long while it is read */
  readonly body: Readable;
  /** Gives the connection back without reading the body to its end. */
  discard(): Promise<void>;
}

export interface Connections {
  /**
   * Errors of the connection come as Node.js gives them.
   *
   * @throws WsusutilError `PROXY_UNREACHABLE`, `PROXY_REFUSED`, `PROXY_AUTHENTICATION`, `CERTIFICATE_INVALID`,
   *   `READ_FAILED`, `SETTINGS_INVALID`
   */
  send(request: SentRequest): Promise<ReceivedReply>;
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
  const kept = { keepAlive: true, maxSockets: options.connections, timeout: IDLE_MS };
  const tunnels = new Tunnels(options);
  const plainAgent = new http.Agent(kept);
  const secureAgent = new SecureAgent(kept, tunnels);
  const requests = new Requests(options.connections, limits);
  return {
    async send({ method, url, headers, body, signal }) {
      // One turn for what has come meanwhile: a connection that its server has closed is not to be used again.
      await new Promise(setImmediate);
      const proxy = url.protocol === 'http:' ? proxyFor(url, proxies) : undefined;
      const path = `${url.pathname}${url.search}`;
      const common = {
        method,
        maxHeaderSize: MAX_HEADER_SIZE,
        headers: {
          'user-agent': options.userAgent,
          ...headers,
          ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
        },
      };
      if (proxy === undefined) {
        const isSecure = url.protocol === 'https:';
        const asking = { ...common, host: hostOf(url), port: url.port || (isSecure ? 443 : 80), path };
        const open = () =>
          isSecure
            ? https.request({ ...asking, agent: secureAgent })
            : http.request({ ...asking, agent: plainAgent });
        return requests.perform(url.origin, open, body, signal);
      }
      const open = () =>
        http.request({
          ...common,
          host: proxy.host,
          port: proxy.port,
          path: `${url.origin}${path}`,
          headers: { ...common.headers, host: url.host, ...proxyAuthorization(proxy) },
          agent: plainAgent,
        });
      const reply = await requests.perform(proxyOrigin(proxy), open, body, signal).catch((error: unknown) => {
        throw signal.aborted || isWsusutilError(error) ? error : toProxyError(proxy, error);
      });
      const { statusCode, headers: said } = reply;
      if (statusCode !== 407 && !(statusCode === 401 && isSaidByProxy(said))) return reply;
      await reply.discard();
      throw proxyAuthenticationError(proxy, challengesOf(statusCode, said));
    },
    inspect: (url, signal) => tunnels.inspect(url, signal),
    pace(body, signal) {
      return limiter === undefined ? body : paced(body, limiter, signal);
    },
    async close() {
      requests.close();
      tunnels.close();
      plainAgent.destroy();
      secureAgent.destroy();
    },
  };
}

/** Requests under way, as many to one origin as there may be connections; the agents cannot count those of TLS. */
class Requests {
  readonly #most: number;
  readonly #limits: TimeLimits;
  /** origin → what is under way */
  readonly #counts = new Map<string, number>();
  /** origin → those that wait for a place */
  readonly #waiting = new Map<string, (() => void)[]>();
  /** ends a request, or the wait for its place */
  readonly #enders = new Set<(error: Error) => void>();
  #isClosed = false;

  constructor(most: number, limits: TimeLimits) {
    this.#most = most;
    this.#limits = limits;
  }

  /** Sends `body` and waits for the answer to begin. */
  async perform(
    origin: string,
    open: () => ClientRequest,
    body: string | undefined,
    signal: AbortSignal,
  ): Promise<ReceivedReply> {
    await this.#takePlace(origin, signal);
    let request: ClientRequest;
    try {
      if (this.#isClosed) throw closed();
      if (signal.aborted) throw reasonOf(signal);
      request = open();
    } catch (error) {
      this.#givePlace(origin);
      throw error;
    }
    request.once('close', () => this.#givePlace(origin));
    return this.#replyTo(request, body, signal);
  }

  close(): void {
    this.#isClosed = true;
    for (const end of this.#enders) end(closed());
  }

  async #takePlace(origin: string, signal: AbortSignal): Promise<void> {
    if (!this.#isClosed && !signal.aborted && (this.#counts.get(origin) ?? 0) >= this.#most) {
      await this.#until(signal, (resolve) => {
        const waiting = this.#waiting.get(origin) ?? [];
        this.#waiting.set(origin, waiting);
        waiting.push(resolve);
        return () => void waiting.splice(waiting.indexOf(resolve), waiting.includes(resolve) ? 1 : 0);
      });
      return; // the place of the one that gave it
    }
    this.#counts.set(origin, (this.#counts.get(origin) ?? 0) + 1);
  }

  #givePlace(origin: string): void {
    const next = this.#waiting.get(origin)?.shift();
    if (next === undefined) this.#counts.set(origin, (this.#counts.get(origin) ?? 0) - 1);
    else next();
  }

  /** @param begin answers with what is to be done if it ends early */
  #until(signal: AbortSignal, begin: (resolve: () => void) => () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        signal.removeEventListener('abort', onAbort);
        this.#enders.delete(end);
      };
      const leave = begin(() => {
        settle();
        resolve();
      });
      const end = (error: Error) => {
        settle();
        leave();
        reject(error);
      };
      const onAbort = () => end(reasonOf(signal));
      signal.addEventListener('abort', onAbort, { once: true });
      this.#enders.add(end);
    });
  }

  #replyTo(request: ClientRequest, body: string | undefined, signal: AbortSignal): Promise<ReceivedReply> {
    const { headersMs, bodyIdleMs } = this.#limits;
    return new Promise((resolve, reject) => {
      const timer = new Timer(request);
      let answer: IncomingMessage | undefined;
      const end = (error: Error) => {
        (answer ?? request).destroy(error);
        reject(error); // a request that waits for its connection is silent until that is made
      };
      const onAbort = () => end(reasonOf(signal));
      const stop = () => {
        timer.clear();
        signal.removeEventListener('abort', onAbort);
        this.#enders.delete(end);
      };
      request.once('socket', (socket) => {
        // A connection of TLS is handed over when it is made.
        if (!socket.connecting) timer.start(headersMs, 'no answer');
        else {
          timer.start(CONNECT_TIMEOUT_MS, 'no connection');
          socket.once('connect', () => timer.start(headersMs, 'no answer'));
        }
      });
      request.once('response', (response) => {
        answer = response;
        timer.watch(response, bodyIdleMs);
        response.once('close', stop);
        resolve({
          statusCode: response.statusCode ?? 0,
          headers: response.headers,
          body: response,
          discard: () => discard(response),
        });
      });
      // Heard to the end: whoever holds the body hears what breaks it there.
      request.on('error', (error) => {
        stop();
        reject(signal.aborted ? reasonOf(signal) : error);
      });
      request.once('close', () => {
        if (answer === undefined) stop();
        reject(closedEarly()); // without an answer it is over, whatever was said
      });
      signal.addEventListener('abort', onAbort, { once: true });
      this.#enders.add(end);
      request.end(body);
    });
  }
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason));
}

/** Ends a request that waits too long for what comes next. */
class Timer {
  readonly #request: ClientRequest;
  #timeout: NodeJS.Timeout | undefined;

  constructor(request: ClientRequest) {
    this.#request = request;
  }

  start(ms: number, lacking: string): void {
    this.clear();
    this.#timeout = setTimeout(() => this.#request.destroy(timeoutError(ms, lacking)), ms);
  }

  /** From now on something must come every `ms`, unless something lies there that nobody takes. */
  watch(response: IncomingMessage, ms: number): void {
    this.clear();
    const { socket } = response;
    let bytesRead = socket.bytesRead;
    const look = () => {
      if (response.complete) return; // the rest is up to whoever reads it
      if (socket.bytesRead === bytesRead && response.readableLength === 0) {
        response.destroy(timeoutError(ms, 'nothing more of the answer'));
        return;
      }
      bytesRead = socket.bytesRead;
      this.#timeout?.refresh();
    };
    this.#timeout = setTimeout(look, ms);
  }

  clear(): void {
    clearTimeout(this.#timeout);
  }
}

function timeoutError(ms: number, lacking: string): Error {
  return Object.assign(new Error(`${lacking} for ${Math.round(ms / 1000)} seconds`), { code: 'ETIMEDOUT' });
}

async function discard(response: IncomingMessage): Promise<void> {
  let size = 0;
  try {
    for await (const bytes of response as AsyncIterable<Uint8Array>) {
      size += bytes.length;
      if (size > MAX_DISCARDED_SIZE) break; // which closes it
    }
  } catch {
    // nobody is interested in it
  }
}

/** Connections of TLS, handed over when they are made. */
class SecureAgent extends https.Agent {
  readonly #tunnels: Tunnels;

  constructor(options: https.AgentOptions, tunnels: Tunnels) {
    super(options);
    this.#tunnels = tunnels;
  }

  override createConnection(
    options: https.RequestOptions,
    callback?: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    const done = callback as unknown as (error: Error | null, socket?: Duplex) => void;
    const url = new URL(
      `https://${isIP(options.host ?? '') === 6 ? `[${options.host}]` : options.host}:${options.port}`,
    );
    this.#tunnels.connect(url).then(
      (socket) => done(null, socket),
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
    );
  }
}

/** Makes connections of TLS: straight, or through a tunnel of a proxy. */
class Tunnels {
  readonly #options: HttpClientOptions;
  #trust: Promise<SecureContext> | undefined;
  /** requests for tunnels, and connections on which the handshake goes on */
  readonly #opening = new Set<{ destroy(): unknown }>();
  #isClosed = false;

  constructor(options: HttpClientOptions) {
    this.#options = options;
  }

  async connect(url: URL): Promise<TLSSocket> {
    this.#trust ??= loadTrust(this.#options.trust);
    const secureContext = await this.#trust;
    const host = hostOf(url);
    const hop = await this.#hopTo(url);
    if (this.#isClosed) {
      if ('socket' in hop) hop.socket.destroy();
      throw closed();
    }
    const socket = tls.connect({
      ...hop,
      host,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      secureContext,
      ALPNProtocols: ['http/1.1'],
      rejectUnauthorized: true, // also where NODE_TLS_REJECT_UNAUTHORIZED says otherwise
    });
    await this.#settled(socket, CONNECT_TIMEOUT_MS, (settle) => socket.once('secureConnect', settle));
    return socket;
  }

  /** See {@link Connections.inspect}. */
  async inspect(url: URL, signal: AbortSignal): Promise<PeerFacts> {
    return readPeer(await this.#hopTo(url, signal), hostOf(url), signal);
  }

  /** Where to connect, or what is connected already. */
  async #hopTo(
    url: URL,
    signal?: AbortSignal,
  ): Promise<{ readonly host: string; readonly port: number } | { readonly socket: Socket }> {
    if (this.#isClosed) throw closed();
    const proxy = proxyFor(url, this.#options.proxies);
    const port = url.port === '' ? '443' : url.port;
    return proxy === undefined
      ? { host: hostOf(url), port: Number(port) }
      : { socket: await this.#tunnel(proxy, `${url.hostname}:${port}`, signal) };
  }

  async #tunnel(proxy: ProxyServer, target: string, signal?: AbortSignal): Promise<Socket> {
    const request = http.request({
      method: 'CONNECT',
      host: proxy.host,
      port: proxy.port,
      path: target,
      agent: false,
      maxHeaderSize: MAX_HEADER_SIZE,
      headers: { host: target, 'user-agent': this.#options.userAgent, ...proxyAuthorization(proxy) },
    });
    const onAbort = () => request.destroy(signal === undefined ? undefined : reasonOf(signal));
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
    let answer: { readonly response: IncomingMessage; readonly socket: Socket } | undefined;
    try {
      await this.#settled(request, TUNNEL_TIMEOUT_MS, (settle) => {
        request.once('connect', (response, socket) => {
          answer = { response, socket };
          settle();
        });
        request.end();
      });
    } catch (error) {
      throw isWsusutilError(error) || signal?.aborted === true ? error : toProxyError(proxy, error);
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
    const { response, socket } = answer as NonNullable<typeof answer>;
    const statusCode = response.statusCode ?? 0;
    if (statusCode >= 200 && statusCode < 300) return socket;
    socket.on('error', () => {}).destroy();
    throw statusCode === 407 || statusCode === 401
      ? proxyAuthenticationError(proxy, challengesOf(statusCode, response.headers))
      : tunnelError(proxy, target, statusCode);
  }

  /** Waits until `listen` settles; not for longer than `ms`, nor beyond the end of all. */
  async #settled(
    opening: ClientRequest | TLSSocket,
    ms: number,
    listen: (settle: () => void) => void,
  ): Promise<void> {
    this.#opening.add(opening);
    const timeout = setTimeout(() => opening.destroy(timeoutError(ms, 'no connection')), ms);
    let onEnd: ((error?: Error) => void) | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        onEnd = (error) => reject(error ?? closedEarly());
        opening.once('error', onEnd);
        opening.once('close', onEnd);
        listen(resolve);
      });
    } finally {
      clearTimeout(timeout);
      this.#opening.delete(opening);
      if (onEnd !== undefined) opening.off('error', onEnd).off('close', onEnd);
      opening.on('error', () => {}); // whoever uses it hears of it, too
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const opening of this.#opening) opening.destroy();
  }
}

function closed(): Error {
  return Object.assign(new Error('the client was closed'), { code: 'ECONNABORTED' });
}

function closedEarly(): Error {
  return Object.assign(new Error('the connection was closed too early'), { code: 'ECONNRESET' });
}

function challengesOf(status: number, headers: IncomingHttpHeaders) {
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
