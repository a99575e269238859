/** A limit on bytes per second that all transfers share: a token bucket, kept as the time up to which bytes are paid. */
import { setTimeout as sleepFor } from 'node:timers/promises';

/** Idle time that is made up for at once: short enough that a line is not swamped after a pause. */
const BURST_MS = 250;

export interface RateClock {
  /** milliseconds since any fixed moment; never goes back */
  now(): number;
  /** Rejects when `signal` is aborted. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

export interface RateLimiter {
  /**
   * Returns once `size` more bytes are within the limit. Whoever asks first is served first.
   *
   * Rejects when `signal` is aborted.
   */
  take(size: number, signal: AbortSignal): Promise<void>;
}

const SYSTEM_CLOCK: RateClock = {
  now: () => performance.now(),
  sleep: (milliseconds, signal) => sleepFor(milliseconds, undefined, { signal }),
};

/** @param bytesPerSecond above 0 */
export function openRateLimiter(bytesPerSecond: number, clock: RateClock = SYSTEM_CLOCK): RateLimiter {
  if (!(bytesPerSecond > 0)) throw new RangeError(`a rate of ${bytesPerSecond} bytes per second`);
  let paidUntil = clock.now() - BURST_MS;
  return {
    async take(size, signal) {
      const now = clock.now();
      paidUntil = Math.max(paidUntil, now - BURST_MS) + (size / bytesPerSecond) * 1000;
      const wait = paidUntil - now;
      if (wait > 0) await clock.sleep(wait, signal);
    },
  };
}

/** The same pieces, no faster than `limiter` lets them. */
export async function* paced(
  body: AsyncIterable<Uint8Array>,
  limiter: RateLimiter,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const bytes of body) {
    await limiter.take(bytes.length, signal);
    yield bytes;
  }
}
