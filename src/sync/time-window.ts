/**
 * A daily window by the clock on the wall, e.g. 20:00 to 05:00, in which content is downloaded. It follows the local
 * time through changes to and from daylight saving: an hour that is skipped is not waited for, one that comes twice
 * counts twice.
 */
import { throwIfInterrupted, WsusutilError } from '../errors.js';
import type { SyncClock } from './clock.js';

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;
const DAY_MS = DAY_MINUTES * MINUTE_MS;
/** The clock is looked at again after this long: it may be set, and a machine may sleep. */
const MAX_WAIT_MS = MINUTE_MS;
/** A window of an hour that is skipped in spring opens a day later. */
const MAX_CHANGES_LOOKED_AT = 16;

/** Minutes since midnight, local time; open from `from` until before `to`. Over midnight if `to` is the smaller one. */
export interface TimeWindow {
  /** 0 … 1439 */
  readonly from: number;
  /** 0 … 1439, other than `from` */
  readonly to: number;
}

/** Local time less UTC in milliseconds, at an instant in milliseconds since 1970. */
export type ZoneOffset = (at: number) => number;

/** @throws WsusutilError `USAGE` unless it is `HH:MM-HH:MM` with two different times */
export function parseTimeWindow(text: string): TimeWindow {
  const match = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$/.exec(text.trim());
  const [from = 0, to = 0] =
    match === null
      ? []
      : [Number(match[1]) * 60 + Number(match[2]), Number(match[3]) * 60 + Number(match[4])];
  if (from === to) {
    throw new WsusutilError('USAGE', `"${text.slice(0, 40)}" is not a time window`, {
      hint: 'Give two different local times, e.g. 20:00-05:00; leave it out to download at any time.',
    });
  }
  return { from, to };
}

/** `20:00-05:00` */
export function formatTimeWindow({ from, to }: TimeWindow): string {
  const clock = (minutes: number) =>
    `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
  return `${clock(from)}-${clock(to)}`;
}

/**
 * @param timeZone a name such as `Europe/Berlin`; undefined: this machine's
 * @throws WsusutilError `USAGE` if there is no such zone
 */
export function zoneOffsetOf(timeZone?: string): ZoneOffset {
  if (timeZone === undefined) return (at) => 0 - new Date(at).getTimezoneOffset() * MINUTE_MS;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch (error) {
    throw new WsusutilError('USAGE', `There is no time zone "${timeZone.slice(0, 80)}"`, {
      hint: 'Give a name such as Europe/Berlin.',
      cause: error,
    });
  }
  return (at) => {
    const whole = Math.floor(at / 1000) * 1000;
    const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
    for (const { type, value } of format.formatToParts(whole)) parts[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
    return Date.UTC(year, month - 1, day, hour, minute, second) - whole;
  };
}

/** @param at milliseconds since 1970 */
export function isWindowOpen({ from, to }: TimeWindow, at: number, offsetOf: ZoneOffset): boolean {
  const minute = Math.floor(timeOfDay(at, offsetOf(at)) / MINUTE_MS);
  return from < to ? minute >= from && minute < to : minute >= from || minute < to;
}

/**
 * The next instant at which the window opens, if it is closed at `at`, or closes, if it is open then. Both in
 * milliseconds since 1970.
 */
export function nextWindowChange(window: TimeWindow, at: number, offsetOf: ZoneOffset): number {
  const isOpen = isWindowOpen(window, at, offsetOf);
  let from = at;
  for (let looked = 0; looked < MAX_CHANGES_LOOKED_AT; looked++) {
    const offset = offsetOf(from);
    const time = timeOfDay(from, offset);
    const boundary = from + Math.min(untilTime(time, window.from), untilTime(time, window.to));
    const next = offsetOf(boundary) === offset ? boundary : firstOtherOffset(from, boundary, offsetOf);
    if (isWindowOpen(window, next, offsetOf) !== isOpen) return next;
    from = next;
  }
  throw new Error('a time zone changes all the time');
}

/** Milliseconds since midnight. */
function timeOfDay(at: number, offset: number): number {
  return (((at + offset) % DAY_MS) + DAY_MS) % DAY_MS;
}

/** From a time of day to the next time it is `minute`, never 0. */
function untilTime(time: number, minute: number): number {
  const left = minute * MINUTE_MS - time;
  return left > 0 ? left : left + DAY_MS;
}

/** The first instant behind `from` with another offset; `to` has one. */
function firstOtherOffset(from: number, to: number, offsetOf: ZoneOffset): number {
  const offset = offsetOf(from);
  let same = from;
  let other = to;
  while (other - same > 1) {
    const middle = Math.floor((same + other) / 2);
    if (offsetOf(middle) === offset) same = middle;
    else other = middle;
  }
  return other;
}

/** Waits for a window to open and to close. */
export class WindowGate {
  readonly #window: TimeWindow;
  readonly #offsetOf: ZoneOffset;
  readonly #clock: SyncClock;

  constructor(window: TimeWindow, offsetOf: ZoneOffset, clock: SyncClock) {
    this.#window = window;
    this.#offsetOf = offsetOf;
    this.#clock = clock;
  }

  get isOpen(): boolean {
    return isWindowOpen(this.#window, this.#clock.now().getTime(), this.#offsetOf);
  }

  /** Milliseconds since 1970. */
  get nextChange(): number {
    return nextWindowChange(this.#window, this.#clock.now().getTime(), this.#offsetOf);
  }

  /** @throws WsusutilError `INTERRUPTED` */
  async whenOpen(signal: AbortSignal): Promise<void> {
    await this.#until(true, signal);
  }

  /** @throws WsusutilError `INTERRUPTED` */
  async whenClosed(signal: AbortSignal): Promise<void> {
    await this.#until(false, signal);
  }

  async #until(isOpen: boolean, signal: AbortSignal): Promise<void> {
    while (this.isOpen !== isOpen) {
      throwIfInterrupted(signal, 'waiting for the time window');
      const left = this.nextChange - this.#clock.now().getTime();
      try {
        await this.#clock.sleep(Math.max(1, Math.min(left, MAX_WAIT_MS)), signal);
      } catch (error) {
        throwIfInterrupted(signal, 'waiting for the time window');
        throw error;
      }
    }
  }
}
