/** SOAP over HTTP: bodies within their limits, faults as bytes (server-sync-protocol 2, 15). */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isWsusutilError } from '../errors.js';
import { escapeXmlText } from '../formats/soap/envelope.js';
import { contentTypeOf, replyFrame, writeFault } from '../formats/soap/reply-writer.js';
import { KnownParts, readSoapCall, type SoapCall } from '../formats/soap/request-reader.js';
import { busy, HttpRefusal, sendText } from './http-refusal.js';
import type { ServeLimits } from './limits.js';
import { ReplySender } from './reply-sender.js';
import { addressOfService, announcedSize, isEncrypted } from './request-facts.js';
import { ClientGone } from './send.js';
import { AccountRefused, type Answer, ServiceFault, type ServiceName, type Services } from './services.js';
import type { WarnOnce } from './warn-once.js';

/** bytes that a piece of a body takes besides its own: some clients send one at a time */
const CHUNK_OVERHEAD = 256;

/** What became of a request, for log and counters. */
export interface Course {
  operation: string | undefined;
  account: string | undefined;
  problem: string | undefined;
  /** fixed word for the counters */
  target: string;
}

export class ServiceEndpoint {
  readonly #services: Services;
  readonly #limits: ServeLimits;
  readonly #warn: WarnOnce;
  readonly #sender = new ReplySender();
  readonly #knownParts = new KnownParts();
  #bodiesSize = 0;
  #calls = 0;

  constructor(services: Services, limits: ServeLimits, warn: WarnOnce) {
    this.#services = services;
    this.#limits = limits;
    this.#warn = warn;
  }

  /** Calls that are being answered. */
  get calls(): number {
    return this.#calls;
  }

  /** Bytes of replies that their clients have not taken yet. */
  get heldSize(): number {
    return this.#sender.heldSize;
  }

  /** @throws HttpRefusal, ClientGone */
  async answer(
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
    this.#limitTime(response, course);
    const fail = (fault: ServiceFault, call?: SoapCall) =>
      this.#sendFault(fault, call, service, request, response, course);
    if (this.#calls >= this.#limits.maxCalls || this.heldSize >= this.#limits.maxRepliesSize) {
      fail(new ServiceFault('ServerBusy', '', 'server'));
      return;
    }
    let call: SoapCall | undefined;
    let answer: Answer;
    this.#calls++;
    try {
      call = this.#readCall(service, body, course);
      answer = await this.#services.answer(service, call, isEncrypted(request));
    } catch (error) {
      fail(this.#faultOf(error), call);
      return;
    } finally {
      this.#calls--;
    }
    course.account = answer.account?.name;
    const { operation, version } = call;
    const frame = replyFrame(operation, answer.namespace, version, answer.result !== undefined);
    await this.#sender.send(request, response, contentTypeOf(version), answer, frame);
  }

  /** Who takes a reply too slowly loses the connection: what is held for it is for others. */
  #limitTime(response: ServerResponse, course: Course): void {
    const timer = setTimeout(() => {
      course.problem = 'slow';
      response.destroy();
    }, this.#limits.replyTimeoutMs);
    response.once('close', () => clearTimeout(timer));
  }

  /** @throws HttpRefusal */
  #readCall(service: ServiceName, body: Uint8Array, course: Course): SoapCall {
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
    if (this.#services.namespaceOf(service, call.operation) !== undefined) {
      course.operation = call.operation;
      course.target = call.operation;
    }
    return call;
  }

  #sendFault(
    fault: ServiceFault,
    call: SoapCall | undefined,
    service: ServiceName,
    request: IncomingMessage,
    response: ServerResponse,
    course: Course,
  ): void {
    course.problem = fault.code ?? 'fault';
    const version = call?.version ?? '1.1';
    const namespace = call === undefined ? undefined : this.#services.namespaceOf(service, call.operation);
    const text = writeFault(
      {
        code: fault.code,
        message: fault.detail,
        blame: fault.blame,
        actor: addressOfService(request),
        id: randomUUID(),
        action: namespace === undefined ? undefined : `${namespace}/${call?.operation}`,
      },
      version,
    );
    sendText(request, response, 500, text, { 'Content-Type': contentTypeOf(version) });
  }

  /** @throws HttpRefusal for what the protocol has no fault for */
  #faultOf(error: unknown): ServiceFault {
    if (error instanceof ServiceFault) return error;
    if (error instanceof HttpRefusal) throw error;
    if (error instanceof AccountRefused) {
      throw new HttpRefusal(403, 'account-refused', 'This server is not for your account.');
    }
    const text = error instanceof Error ? error.message : String(error);
    this.#warn('REQUEST_FAILED', `A request was answered with InternalServerError: ${text}`);
    return new ServiceFault('InternalServerError', '', 'server');
  }

  async #readBody(service: ServiceName, request: IncomingMessage): Promise<Uint8Array> {
    const limits = this.#limits;
    const limit = service === 'ReportingWebService' ? limits.maxReportSize : limits.maxBodySize;
    const tooLarge = () => new HttpRefusal(413, 'too-large', `At most ${limit} bytes are read.`);
    if (announcedSize(request) > limit) throw tooLarge();
    if ((request.headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity') {
      throw new HttpRefusal(415, 'encoding', 'Requests are read without content encoding only.');
    }
    const chunks: Buffer[] = [];
    let size = 0;
    let held = 0;
    try {
      await new Promise<void>((resolve, reject) => {
        const onData = (chunk: Buffer) => {
          size += chunk.length;
          held += chunk.length + CHUNK_OVERHEAD;
          this.#bodiesSize += chunk.length + CHUNK_OVERHEAD;
          if (size > limit) stop(tooLarge());
          else if (this.#bodiesSize > limits.maxBodiesSize) {
            stop(busy());
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
      this.#bodiesSize -= held;
    }
    return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size);
  }
}

/** For an attribute. */
function escapeAddress(address: string): string {
  return escapeXmlText(address).replaceAll('"', '&quot;');
}
