import { WsusutilError } from '../errors.js';

/** @throws WsusutilError `INTERRUPTED` once `signal` is aborted */
export function throwIfInterrupted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted === true) {
    throw new WsusutilError('INTERRUPTED', `Interrupted while ${what}`, { cause: signal.reason });
  }
}
