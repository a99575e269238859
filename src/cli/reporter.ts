import type { ProgressEvent } from '../events.js';

/** Draws events somewhere. `close` comes last, once. */
export interface Reporter {
  report(event: ProgressEvent): void;
  close(): void | Promise<void>;
}

export const silentReporter: Reporter = { report: () => {}, close: () => {} };
