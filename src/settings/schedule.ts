/**
 * When synchronisation runs by itself, in local time: so many times a day from a first one on, as the WSUS console has
 * it, or once a month, some days after the second Tuesday.
 *
 *     "schedule": { "firstAt": "03:00", "perDay": 4, "randomOffset": 30 }
 *     "schedule": { "daysAfterSecondTuesday": 3, "at": "04:00" }
 */
import { nearestName } from '../model/nearest-name.js';
import type { Schedule } from '../model/schedule.js';
import { timeOfDay, wholeNumber } from './setting-checks.js';

const DAILY_KEYS = ['firstAt', 'perDay', 'randomOffset'];
const MONTHLY_KEYS = ['daysAfterSecondTuesday', 'at'];
export const SCHEDULE_KEYS: readonly string[] = [...DAILY_KEYS, ...MONTHLY_KEYS];

const MINUTES_PER_DAY = 24 * 60;
const MAX_DAYS_AFTER = 27;

/** Throws a plain Error that completes the sentence "schedule …". `perDay` left out is 1, `randomOffset` 0. */
export function parseSchedule(value: unknown): Schedule {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`must be an object, got ${JSON.stringify(value)}`);
  }
  const entries = value as Readonly<Record<string, unknown>>;
  const names = Object.keys(entries);
  const isMonthly = names.some((name) => MONTHLY_KEYS.includes(name));
  const known = isMonthly ? MONTHLY_KEYS : DAILY_KEYS;
  const odd = names.find((name) => !known.includes(name));
  if (odd !== undefined) {
    if (SCHEDULE_KEYS.includes(odd)) {
      throw new Error(
        `has ${odd} beside ${names.find((name) => known.includes(name))}: it is one or the other`,
      );
    }
    const near = nearestName(odd, SCHEDULE_KEYS);
    throw new Error(`has an unknown part "${odd}"${near === undefined ? '' : `, did you mean "${near}"?`}`);
  }
  if (isMonthly) {
    return {
      daysAfterSecondTuesday: part(entries, 'daysAfterSecondTuesday', (days) =>
        wholeNumber(days, 0, MAX_DAYS_AFTER),
      ),
      at: part(entries, 'at', timeOfDay),
    };
  }
  const perDay = part({ perDay: 1, ...entries }, 'perDay', (times) => wholeNumber(times, 1, 24));
  const mostOffset = Math.ceil(MINUTES_PER_DAY / perDay) - 1;
  return {
    firstAt: part(entries, 'firstAt', timeOfDay),
    perDay,
    randomOffset: part({ randomOffset: 0, ...entries }, 'randomOffset', (minutes) =>
      wholeNumber(minutes, 0, mostOffset),
    ),
  };
}

function part<T>(entries: Readonly<Record<string, unknown>>, name: string, parse: (value: unknown) => T): T {
  if (entries[name] === undefined) throw new Error(`lacks its ${name}`);
  try {
    return parse(entries[name]);
  } catch (error) {
    throw new Error(`is wrong: ${name} ${error instanceof Error ? error.message : String(error)}`);
  }
}
