import { setTimeout as wait } from 'node:timers/promises';

/** Time, handed in so that tests need not wait. */
export interface SyncClock {
  now(): Date;
  /** Rejects once `signal` is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: SyncClock = {
  now: () => new Date(),
  sleep: (ms, signal) => wait(ms, undefined, { signal }),
};
