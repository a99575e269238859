/** One SOAP request over {@link HttpPost}: time limit, statuses, errors in the words of this program. No retries. */
import { throwIfInterrupted } from '../errors.js';
import type { SoapRequest } from '../formats/server-sync/service.js';
import { readFault } from '../formats/soap/reply-reader.js';
import type { HttpPost, HttpPostResponse } from '../transfer/http-post.js';
import type { SyncClock } from './clock.js';
import { statusError, TransportError, toTransportError } from './transport-error.js';

/** An answer of which less than this comes while twice the time limit is spent on waiting has stopped, too. */
const SLOW_SIZE = 16 * 1024;
const SLOW_WAITS = 2;

/** Why the signal of a call that is over is aborted; one for all of them, as making one takes a stack trace. */
const CLOSED = new Error('the call is over');

export interface OpenReply {
  /** of an answer with status 200 */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** the server's clock at the answer, milliseconds since 1970; undefined if it did not say */
  readonly serverTime: number | undefined;
  /** Ends the connection if the reply has not been read to its end. Harmless afterwards. */
  close(): void;
}

export class SoapTransport {
  readonly #post: HttpPost;
  readonly #clock: SyncClock;
  readonly #signal: AbortSignal;
  readonly #timeoutMs: number;

  /** @param timeoutMs longest wait for the answer to begin, and then for each further piece of it */
  constructor(post: HttpPost, clock: SyncClock, signal: AbortSignal, timeoutMs: number) {
    this.#post = post;
    this.#clock = clock;
    this.#signal = signal;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * @throws SoapFault with any status
   * @throws TransportError, also later from `chunks`
   * @throws WsusutilError `INTERRUPTED`
   */
  async open(url: URL, request: SoapRequest): Promise<OpenReply> {
    throwIfInterrupted(this.#signal, `calling ${request.operation}`);
    const guard = new CallGuard(request.operation, url.host, this.#signal, this.#timeoutMs);
    let response: HttpPostResponse;
    try {
      response = await guard.wait(() =>
        this.#post({
          url: url.href,
          soapAction: request.soapAction,
          body: request.body,
          signal: guard.signal,
        }),
      );
    } catch (error) {
      guard.close();
      throw error;
    }
    const { status, headers } = response;
    const chunks = guard.guarded(response.body);
    if (status !== 200) {
      try {
        // Faults come with 500; a server of another kind may follow SOAP 1.2 and send 400.
        const fault =
          status === 500 || status === 400 ? await readFault(chunks, request.operation) : undefined;
        throw fault ?? statusError(status, headers, request.operation, url.host, this.#clock.now());
      } finally {
        guard.close();
      }
    }
    const serverTime = Date.parse(headers.date ?? '');
    return {
      chunks,
      serverTime: Number.isNaN(serverTime) ? undefined : serverTime,
      close: () => guard.close(),
    };
  }
}

/** Watches over one call: what it waits for ends after the time limit or when the run is interrupted. */
class CallGuard {
  readonly #operation: string;
  readonly #where: string;
  readonly #runSignal: AbortSignal;
  readonly #timeoutMs: number;
  readonly #controller = new AbortController();
  readonly #onInterrupt = (): void => this.#controller.abort(this.#runSignal.reason);
  #hasTimedOut = false;
  /** ends what is waited for now */
  #giveUp: ((error: Error) => void) | undefined;
  readonly #timer: NodeJS.Timeout;

  constructor(operation: string, where: string, runSignal: AbortSignal, timeoutMs: number) {
    this.#operation = operation;
    this.#where = where;
    this.#runSignal = runSignal;
    this.#timeoutMs = timeoutMs;
    runSignal.addEventListener('abort', this.#onInterrupt, { once: true });
    this.#controller.signal.addEventListener('abort', () => this.#giveUp?.(new Error('aborted')), {
      once: true,
    });
    this.#timer = setTimeout(() => {
      if (this.#giveUp === undefined) return; // whoever takes the answer is slow, not the server
      this.#hasTimedOut = true;
      this.#controller.abort();
    }, timeoutMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#runSignal.removeEventListener('abort', this.#onInterrupt);
    if (!this.#controller.signal.aborted) this.#controller.abort(CLOSED);
  }

  async wait<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.#waitFor(work);
    } catch (error) {
      throwIfInterrupted(this.#runSignal, `calling ${this.#operation}`);
      if (this.#hasTimedOut) throw this.#timeout();
      throw toTransportError(error, this.#operation, this.#where);
    }
  }

  /** A call waits for thousands of pieces, one at a time: they share one timer and one listener. */
  #waitFor<T>(work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.signal.aborted) {
        reject(new Error('aborted'));
        return;
      }
      this.#giveUp = reject;
      this.#timer.refresh();
      // The client may ignore its signal; we do not wait for it then.
      work().then(
        (value) => {
          this.#giveUp = undefined;
          resolve(value);
        },
        (error: unknown) => {
          this.#giveUp = undefined;
          reject(error);
        },
      );
    });
  }

  async *guarded(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    const iterator = body[Symbol.asyncIterator]();
    let isDone = false;
    let waitedMs = 0;
    let size = 0;
    try {
      for (;;) {
        const startedAt = performance.now();
        const next = await this.wait(() => iterator.next());
        // Only what we waited counts: whoever takes the answer may be slow as well.
        waitedMs += performance.now() - startedAt;
        size += next.done === true ? 0 : next.value.length;
        if (size >= SLOW_SIZE) {
          size = 0;
          waitedMs = 0;
        } else if (next.done !== true && waitedMs > SLOW_WAITS * this.#timeoutMs) {
          throw this.#timeout(`only ${size} bytes in ${Math.round(waitedMs / 1000)} seconds`);
        }
        if (next.done === true) {
          isDone = true;
          return;
        }
        yield next.value;
      }
    } finally {
      // Not awaited: a client that hangs must not hold us up, and the signal ends it anyway.
      if (!isDone) iterator.return?.(undefined).catch(() => {});
    }
  }

  #timeout(said = `nothing for ${Math.round(this.#timeoutMs / 1000)} seconds`): TransportError {
    return new TransportError(
      'UPSTREAM_UNREACHABLE',
      `The upstream said ${said}: ${this.#operation} at ${this.#where}`,
      { isTransient: true, isTimeout: true, hint: 'It may be overloaded; try again later.' },
    );
  }
}
