import type { SyncClock } from '../../src/sync/clock.js';

/** A clock that stands still until it is moved, or until somebody sleeps who may pass the time at once. */
export class ManualClock implements SyncClock {
  /** milliseconds since 1970 */
  at: number;
  /** milliseconds of each sleep that passed at once */
  readonly pauses: number[] = [];
  readonly #mayPass: (clock: ManualClock, ms: number) => boolean;
  readonly #sleepers = new Set<{ readonly until: number; readonly wake: () => void }>();

  /** @param mayPass asked at each sleep; default: all pass at once */
  constructor(start: string, mayPass: (clock: ManualClock, ms: number) => boolean = () => true) {
    this.at = Date.parse(start);
    this.#mayPass = mayPass;
  }

  now(): Date {
    return new Date(this.at);
  }

  moveTo(instant: string | number): void {
    this.at = Math.max(this.at, typeof instant === 'number' ? instant : Date.parse(instant));
    for (const sleeper of [...this.#sleepers]) if (sleeper.until <= this.at) sleeper.wake();
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#mayPass(this, ms)) {
      this.pauses.push(ms);
      this.moveTo(this.at + ms);
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const sleeper = { until: this.at + ms, wake: () => end(resolve) };
      const abort = () => end(() => reject(signal.reason));
      const end = (settle: () => void) => {
        this.#sleepers.delete(sleeper);
        signal.removeEventListener('abort', abort);
        settle();
      };
      this.#sleepers.add(sleeper);
      signal.addEventListener('abort', abort);
    });
  }
}
