/**
 * HTTP: routes, limits, faults as bytes, logs and counters (server-sync-protocol 1.1, 2, 15, 18). It takes a server that
 * somebody else made, http or https, and may take several.
 */
import { randomUUID } from 'node:crypto';
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { BlockList, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { TLSSocket } from 'node:tls';
import { constants, createGzip } from 'node:zlib';
import { isWsusutilError } from '../errors.js';
import type { Report, WarningCode } from '../events.js';
import { escapeXmlText } from '../formats/soap/envelope.js';
import { contentTypeOf, replyFrame, writeFault } from '../formats/soap/reply-writer.js';
import { KnownParts, readSoapCall, type SoapCall, type SoapVersion } from '../formats/soap/request-reader.js';
import type { AccessEntry } from './access-log.js';
import { parseByteRange } from './byte-range.js';
import { evaluateConditions, isRangeValid } from './conditions.js';
import { type ContentFiles, contentDigestOf, type OpenedFile } from './content-files.js';
import { GzipReplies } from './gzip-reply.js';
import { RateLimiter, type ServeLimits } from './limits.js';
import { Metrics } from './metrics.js';
import type { PreparedDocuments } from './prepared-documents.js';
import { ReplyBuffers } from './reply-buffers.js';
import { ClientGone, sendFile, sendPieces } from './send.js';
import {
  AccountRefused,
  type Answer,
  SERVICE_NAMES,
  ServiceFault,
  type ServiceName,
  type Services,
} from './services.js';

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

const MAX_PATH_LENGTH = 1_024;
/**
 * Replies of few and large pieces are sent from where they lie. Many pieces are cheaper to copy together than to hand over
 * one by one.
 */
const MAX_SENT_PIECES = 40;
const MIN_SENT_APART = 32 * 1024;
/** bytes that are handed to TLS at once */
const TLS_PIECE_SIZE = 64 * 1024;
/** Shorter replies are not worth compressing. */
const MIN_GZIP_SIZE = 1_024;
const MAX_WARNINGS = 100;
/** Between two looks whether the store has grown. */
const PREPARE_INTERVAL_MS = 15_000;
/** Seconds after which a busy server may be asked again. */
const RETRY_AFTER = '5';

/** What became of a request, for log and counters. */
interface Course {
  operation: string | undefined;
  account: string | undefined;
  problem: string | undefined;
  /** fixed word for the counters */
  target: string;
}

/** A refusal in the terms of HTTP alone. */
class HttpRefusal extends Error {
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

export class Front {
  readonly #options: FrontOptions;
  readonly #metrics = new Metrics();
  /** undefined: no limit */
  readonly #rate: RateLimiter | undefined;
  readonly #buffers = new ReplyBuffers();
  readonly #gzip = new GzipReplies();
  readonly #knownParts = new KnownParts();
  readonly #servers = new Set<WebServer>();
  readonly #running = new Set<Promise<void>>();
  readonly #warned = new Set<string>();
  #bodiesSize = 0;
  #calls = 0;
  #downloads = 0;
  #connections = 0;
  #isStopping = false;

  constructor(options: FrontOptions) {
    this.#options = options;
    const { rateBurst, ratePerSecond } = options.limits;
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
    server.on('connection', (socket: Socket) => {
      this.#connections++;
      socket.once('close', () => {
        this.#connections--;
      });
    });
    const handle = (request: IncomingMessage, response: ServerResponse) => {
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
    for (const server of this.#servers) server.closeAllConnections();
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
      await this.#callService(service, request, response, course);
    } else if (path.startsWith('/content/') && role.content) {
      course.target = 'content';
      await this.#sendContent(path, request, response);
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
      connections: this.#connections,
      calls: this.#calls,
      downloads: this.#downloads,
      revisions: catalogue.revisionCount,
      revisionsHeldBack: catalogue.heldBackCount,
      cacheBytes: updateData.size,
      documentsPrepared: updateData.preparedCount,
    };
  }

  async #callService(
    service: ServiceName,
    request: IncomingMessage,
    response: ServerResponse,
    course: Course,
  ): Promise<void> {
    if (request.method === 'GET' || request.method === 'HEAD') {
      if (/\?(?:wsdl|singlewsdl)\b/i.test(request.url ?? '')) {
        const { writeWsdl } = await import('../formats/server-sync/wsdl.js');
        sendText(request, response, 200, writeWsdl(service, escapeAddress(addressOfService(request))), {
          'Content-Type': 'text/xml; charset=utf-8',
        });
        return;
      }
      sendText(request, response, 200, `${service}: post SOAP requests here.\n`);
      return;
    }
    if (request.method !== 'POST') {
      throw new HttpRefusal(405, 'method', 'Services are called with POST.', { Allow: 'GET, HEAD, POST' });
    }
    const body = await this.#readBody(service, request);
    if (this.#calls >= this.#options.limits.maxCalls) {
      this.#sendFault(
        new ServiceFault('ServerBusy', '', 'server'),
        undefined,
        '1.1',
        request,
        response,
        course,
      );
      return;
    }
    this.#calls++;
    try {
      await this.#answerCall(service, body, request, response, course);
    } finally {
      this.#calls--;
    }
  }

  async #answerCall(
    service: ServiceName,
    body: Uint8Array,
    request: IncomingMessage,
    response: ServerResponse,
    course: Course,
  ): Promise<void> {
    const { services } = this.#options;
    let call: SoapCall;
    try {
      call = readSoapCall(body, this.#knownParts);
    } catch (error) {
      if (isWsusutilError(error, 'REQUEST_MALFORMED')) {
        throw new HttpRefusal(400, 'not-soap', 'The request is not SOAP.');
      }
      if (isWsusutilError(error, 'LIMIT_EXCEEDED')) {
        throw new HttpRefusal(413, 'too-large', 'The request holds too much.');
      }
      throw error;
    }
    const namespace = services.namespaceOf(service, call.operation);
    if (namespace !== undefined) {
      course.operation = call.operation;
      course.target = call.operation;
    }
    let answer: Answer;
    try {
      answer = await services.answer(service, call, isEncrypted(request));
    } catch (error) {
      const fault = this.#faultOf(error);
      const action = namespace === undefined ? undefined : `${namespace}/${call.operation}`;
      this.#sendFault(fault, action, call.version, request, response, course);
      return;
    }
    course.account = answer.account?.name;
    const frame = replyFrame(call.operation, answer.namespace, call.version, answer.result !== undefined);
    await this.#sendReply(request, response, contentTypeOf(call.version), answer, frame);
  }

  async #sendReply(
    request: IncomingMessage,
    response: ServerResponse,
    contentType: string,
    { result, isDense, release }: Answer,
    { head, tail }: { readonly head: string; readonly tail: string },
  ): Promise<void> {
    response.statusCode = 200;
    response.setHeader('Content-Type', contentType);
    response.setHeader('Cache-Control', 'private, max-age=0');
    const pieces = result ?? [];
    const isWhole = Array.isArray(pieces);
    if (!isDense && acceptsGzip(request) && (!isWhole || totalLength(pieces) >= MIN_GZIP_SIZE)) {
      response.setHeader('Content-Encoding', 'gzip');
      if (isWhole) {
        const parts = await this.#gzip.compress([head, ...pieces, tail]);
        response.setHeader('Content-Length', totalLength(parts));
        await sendPieces(response, sliced(parts, TLS_PIECE_SIZE));
        return;
      }
      const gzip = createGzip({ level: constants.Z_BEST_SPEED });
      await pipeline(Readable.from(framed(head, pieces, tail), { objectMode: false }), gzip, response).catch(
        (cause: unknown) => {
          if (response.destroyed) throw new ClientGone('the client went away', { cause });
          throw cause;
        },
      );
      return;
    }
    // What is written at once over TLS is encrypted at once, and each connection keeps that much memory for good.
    if (isEncrypted(request) && (!isWhole || totalLength(pieces) > TLS_PIECE_SIZE)) {
      if (isWhole) response.setHeader('Content-Length', totalLength([...framed(head, pieces, tail)]));
      try {
        await sendPieces(response, sliced(framed(head, pieces, tail), TLS_PIECE_SIZE));
      } finally {
        release();
      }
      return;
    }
    if (isWhole && pieces.length <= MAX_SENT_PIECES && totalLength(pieces) >= MIN_SENT_APART) {
      const parts = [...framed(head, pieces, tail)];
      response.setHeader('Content-Length', totalLength(parts));
      // `finish`: the last byte is with the kernel, so that nothing reads the memory any more.
      response.once('finish', release);
      response.cork();
      for (const part of parts) response.write(part);
      response.end();
      return;
    }
    if (isWhole) {
      const reply = this.#buffers.join([head, ...pieces, tail]);
      release();
      response.setHeader('Content-Length', reply.bytes.length);
      // `finish`: the last byte is with the kernel, so that nothing reads the buffer any more.
      response.once('finish', () => reply.release());
      response.end(reply.bytes);
      return;
    }
    await sendPieces(response, framed(head, pieces, tail));
  }

  #sendFault(
    fault: ServiceFault,
    action: string | undefined,
    version: SoapVersion,
    request: IncomingMessage,
    response: ServerResponse,
    course: Course,
  ): void {
    course.problem = fault.code ?? 'fault';
    const text = writeFault(
      {
        code: fault.code,
        message: fault.detail,
        blame: fault.blame,
        actor: addressOfService(request),
        id: randomUUID(),
        action,
      },
      version,
    );
    sendText(request, response, 500, text, { 'Content-Type': contentTypeOf(version) });
  }

  /** @throws HttpRefusal for what the protocol has no fault for */
  #faultOf(error: unknown): ServiceFault {
    if (error instanceof ServiceFault) return error;
    if (error instanceof AccountRefused) {
      throw new HttpRefusal(403, 'account-refused', 'This server is not for your account.');
    }
    const text = error instanceof Error ? error.message : String(error);
    this.#warn('REQUEST_FAILED', `A request was answered with InternalServerError: ${text}`);
    return new ServiceFault('InternalServerError', '', 'server');
  }

  async #readBody(service: ServiceName, request: IncomingMessage): Promise<Uint8Array> {
    const { limits } = this.#options;
    const limit = service === 'ReportingWebService' ? limits.maxReportSize : limits.maxBodySize;
    const tooLarge = () => new HttpRefusal(413, 'too-large', `At most ${limit} bytes are read.`);
    if (announcedSize(request) > limit) throw tooLarge();
    if ((request.headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity') {
      throw new HttpRefusal(415, 'encoding', 'Requests are read without content encoding only.');
    }
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      await new Promise<void>((resolve, reject) => {
        const onData = (chunk: Buffer) => {
          size += chunk.length;
          this.#bodiesSize += chunk.length;
          if (size > limit) stop(tooLarge());
          else if (this.#bodiesSize > limits.maxBodiesSize) {
            stop(new HttpRefusal(503, 'busy', 'Busy; try again later.', { 'Retry-After': RETRY_AFTER }));
          } else chunks.push(chunk);
        };
        // Left early, the rest is passed over instead of cutting the connection, so that the refusal arrives.
        const stop = (refusal: HttpRefusal) => {
          request.off('data', onData);
          reject(refusal);
        };
        const onGone = (cause?: Error) => reject(new ClientGone('the request broke off', { cause }));
        const onClose = () => {
          if (!request.readableEnded) onGone(); // an error for each request would cost more than reading it
        };
        request.on('data', onData).once('end', resolve).on('error', onGone).once('close', onClose);
        if (request.destroyed) onGone();
      });
    } finally {
      this.#bodiesSize -= size;
    }
    return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size);
  }

  async #sendContent(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    allowReading(request);
    if (path === '/content/anonymouscheckfile.txt') {
      sendText(request, response, 200, '');
      return;
    }
    const sha1 = contentDigestOf(path);
    if (sha1 === undefined) throw new HttpRefusal(404, 'not-found', 'There is no such file.');
    const { limits, content } = this.#options;
    if (this.#downloads >= limits.maxDownloads) {
      throw new HttpRefusal(503, 'busy', 'Busy; try again later.', { 'Retry-After': RETRY_AFTER });
    }
    this.#downloads++;
    try {
      const file = await content.open(sha1);
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
        await sendOpened(file, request, response);
      } finally {
        await file.handle.close();
      }
    } finally {
      this.#downloads--;
    }
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
    if (socket.writable && error.code !== 'ECONNRESET') {
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () =>
        socket.destroy(),
      );
    } else {
      socket.destroy();
    }
  }

  /** Each thing once, and not without end: a server runs for months. */
  #warn(code: WarningCode, message: string): void {
    if (this.#warned.has(message) || this.#warned.size >= MAX_WARNINGS) return;
    this.#warned.add(message);
    this.#options.report({ type: 'warning', code, message });
  }
}

/** Headers and bytes of a file, or why not. */
async function sendOpened(
  file: OpenedFile,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { headers, method } = request;
  const { size, etag, modifiedAt, handle } = file;
  response.setHeader('ETag', etag);
  response.setHeader('Last-Modified', new Date(modifiedAt).toUTCString());
  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader('Content-Type', 'application/octet-stream');
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
  await sendFile(response, handle, first, last);
}

/** A supervisor may ask as often as it likes. */
function isHealth(url: string | undefined): boolean {
  return url === '/health/live' || url === '/health/ready';
}

function allowReading({ method }: IncomingMessage): void {
  if (method !== 'GET' && method !== 'HEAD') {
    throw new HttpRefusal(405, 'method', 'This is read with GET or HEAD.', { Allow: 'GET, HEAD' });
  }
}

function sendText(
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

/** Lower case, percent signs decoded, slashes single, without query; undefined for what cannot be one. */
function pathOf(url: string): string | undefined {
  if (url.length > MAX_PATH_LENGTH) return undefined;
  // A proxy's form has the whole address.
  const local = url.replace(/^https?:\/\/[^/?#]*/i, '');
  const path = local.split(/[?#]/, 1)[0] as string;
  try {
    return decodeURIComponent(path).replaceAll(/\/+/g, '/').toLowerCase();
  } catch {
    return undefined;
  }
}

/** Without the scope of a link-local address; '' once the connection is gone. */
function addressOf(socket: Socket): string {
  const address = (socket.remoteAddress ?? '').replace(/%.*$/, '');
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

function isEncrypted({ socket }: IncomingMessage): boolean {
  return socket instanceof TLSSocket;
}

function announcedSize({ headers }: IncomingMessage): number {
  return Number(headers['content-length'] ?? 0);
}

function acceptsGzip({ headers }: IncomingMessage): boolean {
  return String(headers['accept-encoding'] ?? '')
    .split(',')
    .some((part) => /^\s*(x-)?gzip\s*(;\s*q=(0\.\d*[1-9]\d*|1(\.0*)?))?\s*$/i.test(part));
}

function totalLength(pieces: readonly (string | Uint8Array)[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

function* sliced(pieces: Iterable<Uint8Array>, size: number): Generator<Uint8Array, void, undefined> {
  for (const piece of pieces) {
    for (let start = 0; start < piece.length; start += size) yield piece.subarray(start, start + size);
  }
}

function* framed(
  head: string,
  pieces: Iterable<string | Uint8Array>,
  tail: string,
): Generator<Uint8Array, void, undefined> {
  yield Buffer.from(head, 'utf8');
  for (const piece of pieces) yield typeof piece === 'string' ? Buffer.from(piece, 'utf8') : piece;
  yield Buffer.from(tail, 'utf8');
}

/** As the client calls it, without what XML cannot carry. */
function addressOfService(request: IncomingMessage): string {
  const host = request.headers.host ?? 'localhost';
  const path = (request.url ?? '/').split('?', 1)[0] as string;
  return printable(`${isEncrypted(request) ? 'https' : 'http'}://${host}${path}`);
}

/** For an attribute. */
function escapeAddress(address: string): string {
  return escapeXmlText(address).replaceAll('"', '&quot;');
}

/** What XML cannot carry does not get into a fault. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?');
}

function ended(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    response.once('finish', resolve);
    response.once('close', resolve);
  });
}
