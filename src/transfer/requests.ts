/** Requests under way: how many at once, and how long each may take for what comes next. */
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { closed, closedEarly, reasonOf, timeoutError } from './connection-errors.js';
import { CONNECT_TIMEOUT_MS, MAX_DISCARDED_SIZE } from './limits.js';

export interface TimeLimits {
  /** until the answer begins */
  readonly headersMs: number;
  /** between two pieces of a body */
  readonly bodyIdleMs: number;
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

interface Places {
  /** requests under way */
  taken: number;
  /** those that wait for a place, in order */
  readonly waiting: Set<() => void>;
}

/** As many to one origin at once as there may be connections: the agents cannot count those of TLS. */
export class Requests {
  readonly #most: number;
  readonly #limits: TimeLimits;
  readonly #places = new Map<string, Places>();
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
    this.#refuseEnded(signal);
    const places = this.#places.get(origin) ?? { taken: 0, waiting: new Set() };
    this.#places.set(origin, places);
    if (places.taken < this.#most) places.taken++;
    else await this.#waitFor(places, signal);
    let request: ClientRequest;
    try {
      this.#refuseEnded(signal);
      request = open();
    } catch (error) {
      givePlace(places);
      throw error;
    }
    request.once('close', () => givePlace(places));
    return this.#replyTo(request, body, signal);
  }

  close(): void {
    this.#isClosed = true;
    for (const end of this.#enders) end(closed());
  }

  #refuseEnded(signal: AbortSignal): void {
    if (this.#isClosed) throw closed();
    if (signal.aborted) throw reasonOf(signal);
  }

  /** Until somebody hands a place over. */
  #waitFor({ waiting }: Places, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        waiting.delete(take);
        signal.removeEventListener('abort', onAbort);
        this.#enders.delete(end);
      };
      const take = () => {
        settle();
        resolve();
      };
      const end = (error: Error) => {
        settle();
        reject(error);
      };
      const onAbort = () => end(reasonOf(signal));
      waiting.add(take);
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

/** To the next one that waits, if there is one. */
function givePlace(places: Places): void {
  const [take] = places.waiting;
  if (take === undefined) places.taken--;
  else take();
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
