/** What a server lets its clients do. */
export interface ServeLimits {
  /** bytes of a request's line and headers together */
  readonly maxHeaderSize: number;
  /** until the headers are whole */
  readonly headersTimeoutMs: number;
  /** until the request is whole, body included */
  readonly requestTimeoutMs: number;
  /** how often those two are looked after */
  readonly checkIntervalMs: number;
  /** a connection between two requests */
  readonly keepAliveMs: number;
  /** a connection on which nothing moves while a request is answered */
  readonly idleMs: number;
  /** bytes of a request's body */
  readonly maxBodySize: number;
  /** the same for reports, which are longer */
  readonly maxReportSize: number;
  /** bytes of all bodies that are being read */
  readonly maxBodiesSize: number;
  readonly maxConnections: number;
  /** connections of one address, so that it cannot take all of them */
  readonly maxAddressConnections: number;
  /** calls that are answered at one time */
  readonly maxCalls: number;
  /** bytes of replies that their clients have not taken yet; beyond it the server is busy */
  readonly maxRepliesSize: number;
  /** until a reply of a service has been taken */
  readonly replyTimeoutMs: number;
  /** content files that are sent at one time */
  readonly maxDownloads: number;
  /** in which 256 KB of a file have to be taken: a connection that only just moves is no download */
  readonly pieceTimeoutMs: number;
  /** requests of one address: so many at once, … */
  readonly rateBurst: number;
  /** … and so many per second in the long run; infinite: as many as they like */
  readonly ratePerSecond: number;
  /** for what is running when the server stops */
  readonly graceMs: number;
}

/** Seconds of the long run that an address may use up at once: a downstream begins with many calls. */
export const BURST_SECONDS = 5;

/** @param perSecond of one address; infinite: no limit */
export function rateLimits(perSecond: number): Pick<ServeLimits, 'rateBurst' | 'ratePerSecond'> {
  return { rateBurst: perSecond * BURST_SECONDS, ratePerSecond: perSecond };
}

export const DEFAULT_LIMITS: ServeLimits = {
  maxHeaderSize: 16 * 1024,
  headersTimeoutMs: 20_000,
  requestTimeoutMs: 60_000,
  checkIntervalMs: 5_000,
  keepAliveMs: 75_000,
  idleMs: 120_000,
  maxBodySize: 1024 * 1024,
  maxReportSize: 4 * 1024 * 1024,
  maxBodiesSize: 64 * 1024 * 1024,
  maxConnections: 2_000,
  maxAddressConnections: 500,
  maxCalls: 64,
  maxRepliesSize: 64 * 1024 * 1024,
  replyTimeoutMs: 300_000,
  maxDownloads: 256,
  pieceTimeoutMs: 120_000,
  ...rateLimits(200),
  graceMs: 30_000,
};

/** Addresses that are remembered for their rate. */
const MAX_ADDRESSES = 10_000;

/** Counts requests per address: a bucket that fills at `perSecond` and holds `burst`. */
export class RateLimiter {
  readonly #burst: number;
  readonly #perMs: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, { left: number; at: number }>();

  /** @param now milliseconds, rising */
  constructor(burst: number, perSecond: number, now: () => number) {
    this.#burst = burst;
    this.#perMs = perSecond / 1000;
    this.#now = now;
  }

  /** Addresses that are remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  /** @returns 0: the request is counted; otherwise it is one too many, and there is room in so many seconds */
  take(address: string): number {
    const now = this.#now();
    const bucket = this.#buckets.get(address) ?? { left: this.#burst, at: now };
    // The one not seen for longest goes first: it has the fullest bucket, or is one of too many to tell apart.
    this.#buckets.delete(address);
    this.#buckets.set(address, bucket);
    if (this.#buckets.size > MAX_ADDRESSES) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    bucket.left = Math.min(this.#burst, bucket.left + (now - bucket.at) * this.#perMs);
    bucket.at = now;
    if (bucket.left < 1) return Math.ceil((1 - bucket.left) / this.#perMs / 1000);
    bucket.left--;
    return 0;
  }
}
