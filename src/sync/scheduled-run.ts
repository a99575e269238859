/**
 * A synchronisation that a timer starts: whether it is due, and what becomes of one that fails. A WSUS server that cannot
 * reach its upstream tries twice more, about a quarter of an hour apart, then waits for the next time of its schedule
 * (cli-surface 16).
 */

import type { ErrorCode } from '../errors.js';
import { errorText, isWsusutilError, throwIfInterrupted, WsusutilError } from '../errors.js';
import type { Report } from '../events.js';
import { type FaultCode, SoapFault } from '../formats/soap/soap-fault.js';
import type { DueVerdict } from '../model/schedule.js';
import type { HistoryEntry } from '../store/metadata-store.js';

/** What a WSUS server does. */
export const SCHEDULED_RETRIES = { retries: 2, pauseMs: 15 * 60_000 } as const;

export interface ScheduledRunOptions {
  /** attempts after the first one */
  readonly retries: number;
  /** from the end of an attempt to the next */
  readonly pauseMs: number;
  /** Rejects once `signal` is aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
  /** is told how each attempt ended, a step in one line */
  readonly report: Report;
}

/** The network, or who answers there, may be well again in a quarter of an hour; another command may have finished. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'UPSTREAM_UNREACHABLE',
  'UPSTREAM_TRUNCATED',
  'SOURCE_UNREACHABLE',
  'PROXY_UNREACHABLE',
  'STORE_LOCKED',
]);
/** Faults of a server that is busy, ill or being set up anew; others say that the request is wrong, and it stays so. */
const PASSING_FAULTS: ReadonlySet<FaultCode | undefined> = new Set<FaultCode | undefined>([
  'ServerBusy',
  'InternalServerError',
  'ServerChanged',
  'ConfigChanged',
  'CookieExpired',
  'InvalidCookie',
  'InvalidAuthorizationCookie',
  undefined,
]);

/** Whether the same may succeed later without anybody having changed something: not settings, trust, disks, refusals. */
export function canPass(error: unknown): boolean {
  if (error instanceof SoapFault) return PASSING_FAULTS.has(error.faultCode);
  return isWsusutilError(error) && PASSING.has(error.code);
}

/**
 * Runs `attempt` until it comes to an end, `retries` times more at most, as long as what it throws {@link canPass}. An
 * attempt that ends incomplete is one that came to an end.
 *
 * @param attempt opens what it needs and closes it again: nothing may stay locked during a pause
 * @throws WsusutilError `INTERRUPTED`, also out of a pause; and what the last attempt threw
 */
export async function runScheduled<T>(
  attempt: () => Promise<T>,
  { retries, pauseMs, sleep, signal, report }: ScheduledRunOptions,
): Promise<T> {
  const attempts = retries + 1;
  for (let number = 1; ; number++) {
    const which = `Attempt ${number} of ${attempts}`;
    throwIfInterrupted(signal, 'synchronising');
    try {
      const value = await attempt();
      report({ type: 'step', message: `${which} came to its end` });
      return value;
    } catch (error) {
      const isOver = signal.aborted || isWsusutilError(error, 'INTERRUPTED');
      const isLast = number >= attempts;
      const next = isOver
        ? ''
        : !canPass(error)
          ? '; another one would fail alike'
          : isLast
            ? '; the schedule starts the next one'
            : `; the next one is in ${describePause(pauseMs)}, ${expectationOf(error)}`;
      const reason = isOver ? 'was interrupted' : `failed with ${inOneLine(error)}`;
      const isEnd = isOver || isLast || !canPass(error);
      report({ type: 'step', message: `${which} ${reason}${next}`, ...(isEnd ? {} : { isNews: true }) });
      if (isEnd) throw error;
    }
    try {
      await sleep(pauseMs, signal);
    } catch (error) {
      throwIfInterrupted(signal, `waiting for attempt ${number + 1} of ${attempts}`);
      throw error;
    }
  }
}

/** `UPSTREAM_UNREACHABLE: The upstream cannot be reached` */
function inOneLine(error: unknown): string {
  const text = errorText(error).replaceAll(/\s+/g, ' ');
  return error instanceof WsusutilError ? `${error.code}: ${text}` : text;
}

/** What the pause waits for. A name that nobody knows is among it: it may be a network that is not up yet. */
function expectationOf(error: unknown): string {
  if (isWsusutilError(error, 'STORE_LOCKED')) return 'when the other command may have finished';
  return error instanceof SoapFault
    ? 'when the upstream may be well again'
    : 'when network and upstream may be there again';
}

function describePause(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  return minutes >= 1 ? `${minutes} minute${minutes === 1 ? '' : 's'}` : `${Math.round(ms / 1000)} seconds`;
}

/**
 * When the run began that counts for `judgeDue`: the newest that came to an end, complete or not, started by hand or by
 * a timer. One that failed is made up for on the next day a timer fires, if there is one.
 *
 * @param syncs of the history, the newest first
 * @returns milliseconds since 1970; undefined: there is none
 */
export function lastCountedStart(syncs: readonly HistoryEntry[]): number | undefined {
  return syncs.find(({ outcome }) => outcome === 'complete' || outcome === 'incomplete')?.startedAt;
}

/** One line on a run that a timer started and that is not due; local times. */
export function describeNotDue({ wasDueAt, isDone, next }: DueVerdict & { readonly isDue: false }): string {
  const why = isDone
    ? `what was due ${localTime(wasDueAt)} is done`
    : `what was due ${localTime(wasDueAt)} is too long ago to be caught up`;
  return `Not due: ${why}; next ${localTime(next)}.`;
}

/** `2026-11-21 03:00` on the clock on the wall. */
function localTime(date: Date): string {
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16).replace('T', ' ');
}
