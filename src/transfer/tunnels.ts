/** Connections of TLS: straight, or through tunnels that proxies make. */
import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import tls, { type SecureContext, type TLSSocket } from 'node:tls';
import { isWsusutilError } from '../errors.js';
import { closed, closedEarly, reasonOf, timeoutError } from './connection-errors.js';
import { CONNECT_TIMEOUT_MS, MAX_HEADER_SIZE, TUNNEL_TIMEOUT_MS } from './limits.js';
import { hostOf, type PeerFacts, readPeer } from './peer.js';
import {
  challengesOf,
  type ProxyServer,
  type ProxySettings,
  proxyAuthenticationError,
  proxyAuthorization,
  proxyFor,
  proxyOrigin,
  proxyUnreachable,
  tunnelError,
} from './proxy.js';
import { loadTrust, type TrustSettings } from './trust.js';

export interface TunnelOptions {
  /** e.g. `wsusutil/0.1.0` */
  readonly userAgent: string;
  /** undefined: every server is asked straight; loopback addresses always are */
  readonly proxies?: ProxySettings | undefined;
  readonly trust?: TrustSettings | undefined;
}

/** Makes the connections. */
export class Tunnels {
  readonly #options: TunnelOptions;
  #trust: Promise<SecureContext> | undefined;
  /** requests for tunnels, and connections on which the handshake goes on */
  readonly #opening = new Set<{ destroy(): unknown }>();
  #isClosed = false;

  constructor(options: TunnelOptions) {
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
    const request = http.request(proxyOrigin(proxy), {
      method: 'CONNECT',
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
      throw isWsusutilError(error) || signal?.aborted === true ? error : proxyUnreachable(proxy, error);
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

/** Connections of TLS, handed over when they are made. */
export class SecureAgent extends https.Agent {
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
    const host = options.host ?? '';
    const url = new URL(`https://${isIP(host) === 6 ? `[${host}]` : host}:${options.port}`);
    this.#tunnels.connect(url).then(
      (socket) => done(null, socket),
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
    );
  }
}
