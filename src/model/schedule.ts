/**
 * When synchronisation runs by itself, in the local time of the machine: so many times a day from a first one on, as
 * the WSUS console has it (cli-surface 16), or once a month, some days after the second Tuesday, the day on which
 * Microsoft publishes security updates.
 */

export interface DailySchedule {
  /** `HH:MM`; with four runs a day from 03:00: 03:00, 09:00, 15:00, 21:00 */
  readonly firstAt: string;
  /** 1 … 24 */
  readonly perDay: number;
  /** minutes: each run begins at most so much later, at random */
  readonly randomOffset: number;
}

export interface MonthlySchedule {
  /** 0 … 27: the Tuesday itself, or so many days behind it */
  readonly daysAfterSecondTuesday: number;
  /** `HH:MM` */
  readonly at: string;
}

export type Schedule = DailySchedule | MonthlySchedule;

/** A time on a clock on the wall. */
export interface TimeOfDay {
  readonly hour: number;
  readonly minute: number;
}

/** A day as calendars write it; months from 1. */
export interface CalendarDay {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

const MINUTES_PER_DAY = 24 * 60;
const DAY_MS = MINUTES_PER_DAY * 60_000;
const TUESDAY = 2;
/**
 * How long a monthly run that did not happen is caught up. Two due days lie 28 or 35 days apart, and timers that cannot
 * name the day itself fire at most 6 days before it: with 20 days none of those takes the month before for missed.
 */
const CATCH_UP_DAYS = 20;
/** A clock that is set back while a timer fires must not make a run too early. */
const EARLY_TOLERANCE_MS = 60_000;

export function isMonthly(schedule: Schedule): schedule is MonthlySchedule {
  return 'daysAfterSecondTuesday' in schedule;
}

/** Minutes between two runs of a day; what 24 hours leave over comes before the first of the next day. */
export function intervalOf({ perDay }: DailySchedule): number {
  return Math.floor(MINUTES_PER_DAY / perDay);
}

/** The times of a day at which runs begin, earliest first. */
export function timesOf(schedule: Schedule): readonly TimeOfDay[] {
  if (isMonthly(schedule)) return [parseTime(schedule.at)];
  const first = minutesOf(parseTime(schedule.firstAt));
  return Array.from(
    { length: schedule.perDay },
    (_, index) => (first + index * intervalOf(schedule)) % MINUTES_PER_DAY,
  )
    .sort((one, other) => one - other)
    .map((minutes) => ({ hour: Math.floor(minutes / 60), minute: minutes % 60 }));
}

/** `HH:MM` of `HH:MM`; what is not of that form is a mistake of ours, settings and arguments are checked. */
function parseTime(text: string): TimeOfDay {
  const [hour = Number.NaN, minute = Number.NaN] = text.split(':').map(Number);
  return { hour, minute };
}

function minutesOf({ hour, minute }: TimeOfDay): number {
  return hour * 60 + minute;
}

/** `03:05` */
export function formatTime({ hour, minute }: TimeOfDay): string {
  return `${twoDigits(hour)}:${twoDigits(minute)}`;
}

export function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

/** Day of the month, 8 … 14. @param month from 1 */
export function secondTuesdayOf(year: number, month: number): number {
  const weekdayOfFirst = new Date(Date.UTC(year, month - 1, 1)).getUTCDay();
  return 8 + ((TUESDAY - weekdayOfFirst + 7) % 7);
}

/** The day so many days after the second Tuesday of a month; it may lie in the next one. @param month from 1, or beyond */
export function dueDayOf(year: number, month: number, daysAfter: number): CalendarDay {
  const first = new Date(Date.UTC(year, month - 1, 1));
  const due = new Date(first);
  due.setUTCDate(secondTuesdayOf(first.getUTCFullYear(), first.getUTCMonth() + 1) + daysAfter);
  return { year: due.getUTCFullYear(), month: due.getUTCMonth() + 1, day: due.getUTCDate() };
}

/**
 * The next moments at which runs begin, random offsets aside. A time that a day does not have, since clocks go forward,
 * is left out, as systemd does; one that it has twice counts once, the first time.
 */
export function nextRuns(schedule: Schedule, after: Date, count: number): readonly Date[] {
  const runs: Date[] = [];
  for (const day of daysFrom(schedule, after)) {
    for (const time of timesOf(schedule)) {
      const { at, isThere } = instantOf(day, time);
      if (isThere && at.getTime() > after.getTime() && runs.push(at) === count) return runs;
    }
  }
  return runs;
}

/** Days within a year after `after` that do not have one of the schedule's times, and which one. */
export function missingTimes(
  schedule: Schedule,
  after: Date,
): readonly { readonly day: CalendarDay; readonly time: TimeOfDay }[] {
  const missing: { day: CalendarDay; time: TimeOfDay }[] = [];
  for (const day of daysFrom(schedule, after)) {
    for (const time of timesOf(schedule)) {
      const { at, isThere } = instantOf(day, time);
      if (at.getTime() > after.getTime() + 366 * DAY_MS) return missing;
      if (!isThere && at.getTime() > after.getTime()) missing.push({ day, time });
    }
  }
  return missing;
}

/** Days on which runs begin, from a little before `after` on; without an end. */
function* daysFrom(schedule: Schedule, after: Date): Generator<CalendarDay> {
  const year = after.getFullYear();
  const month = after.getMonth() + 1;
  for (let step = 0; ; step++) {
    if (isMonthly(schedule)) yield dueDayOf(year, month - 2 + step, schedule.daysAfterSecondTuesday);
    else {
      const day = new Date(Date.UTC(year, month - 1, after.getDate() - 1 + step));
      yield { year: day.getUTCFullYear(), month: day.getUTCMonth() + 1, day: day.getUTCDate() };
    }
  }
}

function instantOf(
  { year, month, day }: CalendarDay,
  { hour, minute }: TimeOfDay,
): { readonly at: Date; readonly isThere: boolean } {
  const at = new Date(year, month - 1, day, hour, minute);
  return { at, isThere: at.getHours() === hour && at.getMinutes() === minute && at.getDate() === day };
}

export type DueVerdict =
  | { readonly isDue: true }
  | {
      readonly isDue: false;
      /** when it was due last */
      readonly wasDueAt: Date;
      /** a run has begun since then */
      readonly isDone: boolean;
      readonly next: Date;
    };

/**
 * Whether a run that a timer has started should happen. Timers that cannot say "so many days after the second Tuesday"
 * fire on every day that might be one; and one that was missed, as the machine was off, is caught up for 20 days. A
 * daily schedule, and none at all, are always due.
 *
 * @param lastBegunAt when the last run that counts began, milliseconds since 1970
 */
export function judgeDue(
  schedule: Schedule | undefined,
  now: Date,
  lastBegunAt: number | undefined,
): DueVerdict {
  if (schedule === undefined || !isMonthly(schedule)) return { isDue: true };
  const latest = now.getTime() + EARLY_TOLERANCE_MS;
  let wasDueAt = new Date(Number.NEGATIVE_INFINITY);
  let next = wasDueAt;
  for (const day of daysFrom(schedule, now)) {
    next = instantOf(day, parseTime(schedule.at)).at;
    if (next.getTime() > latest) break;
    wasDueAt = next;
  }
  const isDone = lastBegunAt !== undefined && lastBegunAt >= wasDueAt.getTime() - EARLY_TOLERANCE_MS;
  const isOld = now.getTime() - wasDueAt.getTime() > CATCH_UP_DAYS * DAY_MS;
  return isDone || isOld ? { isDue: false, wasDueAt, isDone, next } : { isDue: true };
}

/**
 * Days of a month that can be due in some month, ascending: for timers that know days of the month only.
 */
export function possibleDaysOf({ daysAfterSecondTuesday }: MonthlySchedule): readonly number[] {
  const days = new Set<number>();
  for (const length of [28, 29, 30, 31]) {
    for (let day = 8 + daysAfterSecondTuesday; day <= 14 + daysAfterSecondTuesday; day++) {
      days.add(day > length ? day - length : day);
    }
  }
  return [...days].sort((one, other) => one - other);
}

/** `4 times a day, at 03:00, 09:00, 15:00, 21:00`, or `on the day after the second Tuesday of a month, at 06:00`. */
export function describeSchedule(schedule: Schedule): string {
  if (isMonthly(schedule)) {
    const { daysAfterSecondTuesday: days, at } = schedule;
    const day =
      days === 0
        ? 'on the second Tuesday of a month'
        : days === 1
          ? 'on the day after the second Tuesday of a month'
          : `${days} days after the second Tuesday of a month`;
    return `${day}, at ${at}`;
  }
  const { perDay, randomOffset } = schedule;
  const times = timesOf(schedule).map(formatTime).join(', ');
  const often = perDay === 1 ? 'once a day' : `${perDay} times a day`;
  return `${often}, at ${times}${randomOffset === 0 ? '' : `, each up to ${randomOffset} minute${randomOffset === 1 ? '' : 's'} later at random`}`;
}
