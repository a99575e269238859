/** How often and how slowly a call is repeated (server-sync-protocol 15.2, 15.5, 21). */
import { throwIfInterrupted } from '../errors.js';
import type { SyncClock } from './clock.js';

export interface Pace {
  /** tries in total */
  readonly maxTries: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

export const PACES: Readonly<Record<'transport' | 'internal' | 'busy', Pace>> = {
  transport: { maxTries: 5, firstDelayMs: 1_000, maxDelayMs: 60_000 },
  internal: { maxTries: 3, firstDelayMs: 2_000, maxDelayMs: 60_000 },
  busy: { maxTries: 6, firstDelayMs: 5_000, maxDelayMs: 300_000 },
};

/** The failures of one call so far. */
export class Tries {
  readonly #clock: SyncClock;
  readonly #signal: AbortSignal;
  readonly #random: () => number;
  #hasWaited = false;
  readonly #failures = { transport: 0, internal: 0, busy: 0 };

  /** @param random 0 … 1 */
  constructor(clock: SyncClock, signal: AbortSignal, random: () => number) {
    this.#clock = clock;
    this.#signal = signal;
    this.#random = random;
  }

  /**
   * Waits before the next try: the delay doubles with every failure and is drawn between nothing and its full length,
   * so that many downstreams do not come back at the same moment.
   *
   * @param atLeastMs what the server asks for
   * @param onWait is told before the wait how long it is, and whether it is the first one for this call
   * @returns false if there is no next try
   */
  async backOff(
    pace: keyof typeof PACES,
    atLeastMs: number,
    onWait: (ms: number, isFirst: boolean) => void,
  ): Promise<boolean> {
    const { maxTries, firstDelayMs, maxDelayMs } = PACES[pace];
    const failures = ++this.#failures[pace];
    if (failures >= maxTries) return false;
    const delayMs = Math.min(maxDelayMs, firstDelayMs * 2 ** (failures - 1)) * this.#random();
    const ms = Math.max(delayMs, atLeastMs);
    onWait(ms, !this.#hasWaited);
    this.#hasWaited = true;
    await this.wait(ms);
    return true;
  }

  async wait(ms: number): Promise<void> {
    try {
      await this.#clock.sleep(ms, this.#signal);
    } catch (error) {
      throwIfInterrupted(this.#signal, 'waiting for the upstream');
      throw error;
    }
  }
}
