/**
 * HTTP: routes, limits, logs and counters (server-sync-protocol 1.1, 18). It takes a server that somebody else made, http or
 * https, and may take several.
 */
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { BlockList, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Report } from '../events.js';
import type { AccessEntry } from './access-log.js';
import { ContentEndpoint } from './content-endpoint.js';
import type { ContentFiles } from './content-files.js';
import { allowReading, HttpRefusal, sendText } from './http-refusal.js';
import { RateLimiter, type ServeLimits } from './limits.js';
import { Metrics } from './metrics.js';
import type { PreparedDocuments } from './prepared-documents.js';
import { addressOf, announcedSize, isHealth, MAX_PATH_LENGTH, pathOf } from './request-facts.js';
import { ClientGone } from './send.js';
import { type Course, ServiceEndpoint } from './service-endpoint.js';
import { SERVICE_NAMES, type ServiceName, type Services } from './services.js';
import { type WarnOnce, warnOnce } from './warn-once.js';

export type WebServer = HttpServer | HttpsServer;

/** What a listener answers. */
export interface ListenerRole {
  readonly services: readonly ServiceName[];
  readonly content: boolean;
}

/** Without SSL. */
export const WHOLE_SERVER: ListenerRole = { services: SERVICE_NAMES, content: true };
/** Beside a listener with SSL: files, and the service that must not ask for it (cli-surface 6). */
export const CLEAR_PART: ListenerRole = { services: ['ReportingWebService'], content: true };
/** With SSL: content stays in the clear unless it is asked for here too. */
export function securePart(content: boolean): ListenerRole {
  return { services: SERVICE_NAMES, content };
}

export interface FrontOptions {
  readonly services: Services;
  readonly content: ContentFiles;
  readonly limits: ServeLimits;
  /** undefined: any address */
  readonly addresses: BlockList | undefined;
  /** answer `/metrics` */
  readonly hasMetrics: boolean;
  readonly onAccess: ((entry: AccessEntry) => void) | undefined;
  readonly now: () => Date;
  readonly report: Report;
}

/** Path of each service, in lower case, as every spelling is read. */
const SERVICE_PATHS: ReadonlyMap<string, ServiceName> = new Map([
  ['/serversyncwebservice/serversyncwebservice.asmx', 'ServerSyncWebService'],
  ['/serversyncwebservice/serversyncproxy.asmx', 'ServerSyncWebService'],
  ['/dssauthwebservice/dssauthwebservice.asmx', 'DssAuthWebService'],
  ['/reportingwebservice/reportingwebservice.asmx', 'ReportingWebService'],
  ['/reportingwebservice/webservice.asmx', 'ReportingWebService'],
]);

/** Between two looks whether the store has grown. */
const PREPARE_INTERVAL_MS = 15_000;

export class Front {
  readonly #options: FrontOptions;
  readonly #metrics = new Metrics();
  /** undefined: no limit */
  readonly #rate: RateLimiter | undefined;
  readonly #warn: WarnOnce;
  readonly #services: ServiceEndpoint;
  readonly #content: ContentEndpoint;
  readonly #servers = new Set<WebServer>();
  readonly #running = new Set<Promise<void>>();
  /** open connections, those included whose TLS is not set up yet */
  readonly #sockets = new Set<Socket>();
  /** open connections of each address */
  readonly #byAddress = new Map<string, number>();
  /** of each connection, those that are not sent yet */
  readonly #responses = new WeakMap<Socket, Set<ServerResponse>>();
  #isStopping = false;

  constructor(options: FrontOptions) {
    this.#options = options;
    const { services, content, limits, report } = options;
    this.#warn = warnOnce(report);
    this.#services = new ServiceEndpoint(services, limits, this.#warn);
    this.#content = new ContentEndpoint(content, limits, this.#warn);
    const { rateBurst, ratePerSecond } = limits;
    this.#rate = Number.isFinite(ratePerSecond)
      ? new RateLimiter(rateBurst, ratePerSecond, () => performance.now())
      : undefined;
  }

  /** Revisions in the store. */
  get revisionCount(): number {
    return this.#options.services.catalogue.revisionCount;
  }

  /**
   * Makes documents ready in the folder, now and whenever the store has grown, until `signal` is aborted. Where the folder cannot
   * be written nothing is prepared, and documents are made when they are asked for.
   */
  async prepare(
    prepared: PreparedDocuments,
    signal: AbortSignal,
    intervalMs = PREPARE_INTERVAL_MS,
  ): Promise<void> {
    const { services } = this.#options;
    services.updateData.use(prepared);
    let preparedTo = -1;
    while (!signal.aborted) {
      try {
        await services.catalogue.refresh();
        const { key } = services.catalogue.point;
        if (key !== preparedTo) {
          await services.updateData.prepare(prepared, services.catalogue.identities(), signal);
          preparedTo = key;
        }
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        this.#warn('REQUEST_FAILED', `Documents are not prepared: ${text}`);
        return;
      }
      await sleep(intervalMs, undefined, { signal }).catch(() => {});
    }
  }

  /** Connections that are open. */
  get connectionCount(): number {
    return this.#sockets.size;
  }

  /** Requests under way. */
  get runningCount(): number {
    return this.#running.size;
  }

  /** Has `server` answer; it may listen already. */
  attach(server: WebServer, role: ListenerRole = WHOLE_SERVER): void {
    const { limits } = this.#options;
    this.#servers.add(server);
    server.maxConnections = limits.maxConnections;
    server.headersTimeout = limits.headersTimeoutMs;
    server.requestTimeout = limits.requestTimeoutMs;
    server.keepAliveTimeout = limits.keepAliveMs;
    server.timeout = limits.idleMs;
    server.on('connection', (socket: Socket) => this.#countConnection(socket));
    const handle = (request: IncomingMessage, response: ServerResponse) => {
      this.#closeWith(request.socket, response);
      const run = this.#handle(request, response, role).finally(() => this.#running.delete(run));
      this.#running.add(run);
    };
    server.on('request', handle);
    // Who asks first hears of a body that is too long before sending it.
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      if (announcedSize(request) <= limits.maxReportSize) response.writeContinue();
      handle(request, response);
    });
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) =>
      this.#refuseBroken(error, socket),
    );
  }

  #countConnection(socket: Socket): void {
    const address = addressOf(socket);
    const count = (this.#byAddress.get(address) ?? 0) + 1;
    if (count > this.#options.limits.maxAddressConnections) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    this.#byAddress.set(address, count);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      const left = (this.#byAddress.get(address) as number) - 1;
      if (left === 0) this.#byAddress.delete(address);
      else this.#byAddress.set(address, left);
    });
  }

  /**
   * Has `response` end with its connection. Node.js tells so only the one that is being sent, not those of further requests
   * that wait for their turn behind it: they would be held for ever.
   */
  #closeWith(socket: Socket, response: ServerResponse): void {
    let responses = this.#responses.get(socket);
    if (responses === undefined) {
      const open = new Set<ServerResponse>();
      const closeAll = () => {
        for (const each of open) {
          each.destroy();
          each.emit('close');
        }
      };
      socket.once('close', () => queueMicrotask(closeAll)); // behind what Node.js does itself
      this.#responses.set(socket, open);
      responses = open;
    }
    const open = responses;
    open.add(response);
    response.once('close', () => open.delete(response));
  }

  /**
   * Takes no more requests, lets those that run finish within the grace time, then closes every connection.
   */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const closed = [...this.#servers].map(
      (server) =>
        new Promise<void>((resolve) => (server.listening ? server.close(() => resolve()) : resolve())),
    );
    for (const server of this.#servers) server.closeIdleConnections();
    const { graceMs } = this.#options.limits;
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    let isOver = false;
    void grace.then(() => {
      isOver = true;
    });
    while (this.#running.size > 0 && !isOver) {
      await Promise.race([Promise.allSettled([...this.#running]), grace]);
    }
    clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
    await Promise.allSettled([...this.#running]);
  }

  async #handle(request: IncomingMessage, response: ServerResponse, role: ListenerRole): Promise<void> {
    const startedAt = performance.now();
    const address = addressOf(request.socket);
    const course: Course = { operation: undefined, account: undefined, problem: undefined, target: 'other' };
    const sentBefore = request.socket.bytesWritten;
    if (this.#isStopping) response.setHeader('Connection', 'close');
    response.on('error', () => {}); // told by `write`
    try {
      await this.#route(request, response, role, address, course);
    } catch (error) {
      this.#refuse(error, request, response, course);
    }
    if (!response.writableFinished && !response.destroyed) await ended(response);
    const bytes = Math.max(0, request.socket.bytesWritten - sentBefore);
    const { target, problem } = course;
    const gone = response.writableFinished ? undefined : 'client-gone';
    this.#metrics.countRequest(target, problem ?? gone ?? 'ok');
    if (target === 'content') this.#metrics.addContentBytes(bytes);
    else this.#metrics.addReplyBytes(bytes);
    this.#options.onAccess?.({
      at: this.#options.now(),
      address,
      account: course.account,
      method: request.method ?? '',
      path: (request.url ?? '').slice(0, MAX_PATH_LENGTH),
      status: response.statusCode,
      bytes,
      durationMs: performance.now() - startedAt,
      operation: course.operation,
      problem: problem ?? gone,
    });
  }

  async #route(
    request: IncomingMessage,
    response: ServerResponse,
    role: ListenerRole,
    address: string,
    course: Course,
  ): Promise<void> {
    const { addresses } = this.#options;
    if (address === '') throw new ClientGone('the connection is closed');
    if (addresses?.check(address, address.includes(':') ? 'ipv6' : 'ipv4') === false) {
      throw new HttpRefusal(403, 'address-refused', 'This server is not for your address.');
    }
    const wait = isHealth(request.url) ? 0 : (this.#rate?.take(address) ?? 0);
    if (wait > 0) {
      throw new HttpRefusal(429, 'rate', 'Too many requests; try again later.', {
        'Retry-After': String(wait),
      });
    }
    const path = pathOf(request.url ?? '');
    if (path === undefined) throw new HttpRefusal(400, 'bad-path', 'The path is no path.');
    const service = SERVICE_PATHS.get(path);
    if (service !== undefined) {
      course.target = service;
      if (!role.services.includes(service)) {
        throw new HttpRefusal(403, 'needs-ssl', 'This service is to be called with https.');
      }
      await this.#services.answer(service, request, response, course);
    } else if (path.startsWith('/content/') && role.content) {
      course.target = 'content';
      await this.#content.send(path, request, response);
    } else if (path === '/health/live' || path === '/health/ready') {
      course.target = 'health';
      allowReading(request);
      const isReady = path === '/health/live' || (await this.#isReady());
      if (!isReady) course.problem = 'not-ready';
      sendText(request, response, isReady ? 200 : 503, isReady ? 'ok\n' : 'not ready\n', {
        'Cache-Control': 'no-store',
      });
    } else if (path === '/metrics' && this.#options.hasMetrics) {
      course.target = 'metrics';
      allowReading(request);
      await this.#options.services.catalogue.refresh();
      sendText(request, response, 200, this.#metrics.write(this.#gauges()), {
        'Content-Type': this.#metrics.contentType,
      });
    } else {
      throw new HttpRefusal(404, 'not-found', 'There is nothing here.');
    }
  }

  /** Takes requests, and can read its store. */
  async #isReady(): Promise<boolean> {
    if (this.#isStopping) return false;
    try {
      await this.#options.services.catalogue.refresh();
      return true;
    } catch {
      return false;
    }
  }

  #gauges() {
    const { catalogue, updateData } = this.#options.services;
    return {
      connections: this.#sockets.size,
      calls: this.#services.calls,
      replyBytesWaiting: this.#services.heldSize,
      downloads: this.#content.downloads,
      revisions: catalogue.revisionCount,
      revisionsHeldBack: catalogue.heldBackCount,
      cacheBytes: updateData.size,
      documentsPrepared: updateData.preparedCount,
    };
  }

  #refuse(error: unknown, request: IncomingMessage, response: ServerResponse, course: Course): void {
    if (error instanceof ClientGone) {
      course.problem ??= 'client-gone';
      response.destroy();
      return;
    }
    if (error instanceof HttpRefusal && !response.headersSent) {
      course.problem = error.problem;
      request.resume(); // what is left of the body; until then the answer might not be read
      sendText(request, response, error.status, `${error.message}\n`, error.headers);
      return;
    }
    course.problem = 'failed';
    const text = error instanceof Error ? error.message : String(error);
    this.#warn('REQUEST_FAILED', `A request could not be answered: ${text}`);
    if (response.headersSent) response.destroy();
    else sendText(request, response, 500, 'Something failed inside the server.\n');
  }

  /** What Node.js could not read as a request, or not in time. */
  #refuseBroken(error: NodeJS.ErrnoException, socket: Duplex): void {
    const [status, problem] =
      error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'timeout']
        : error.code === 'HPE_HEADER_OVERFLOW'
          ? ['431 Request Header Fields Too Large', 'headers']
          : ['400 Bad Request', 'bad-request'];
    this.#metrics.countRequest('other', problem);
    // Only who speaks HTTP can be told: over TLS that is not set up, nothing could ever be sent.
    const isHttp = /^(?:HPE_|ERR_HTTP_)/.test(error.code ?? '');
    if (socket.writable && isHttp) {
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () =>
        socket.destroy(),
      );
    } else {
      socket.destroy();
    }
  }
}

function ended(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    response.once('finish', resolve);
    response.once('close', resolve);
  });
}
