import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type DailySchedule,
  describeSchedule,
  dueDayOf,
  formatTime,
  judgeDue,
  type MonthlySchedule,
  missingTimes,
  nextRuns,
  possibleDaysOf,
  secondTuesdayOf,
  timesOf,
} from '../../src/model/schedule.js';
import { fc } from '../helpers/properties.js';

const minute = fc.integer({ min: 0, max: 1439 });
const time = minute.map((minutes) => formatTime({ hour: Math.floor(minutes / 60), minute: minutes % 60 }));
const daily: fc.Arbitrary<DailySchedule> = fc.record({
  firstAt: time,
  perDay: fc.integer({ min: 1, max: 24 }),
  randomOffset: fc.constant(0),
});
const monthly: fc.Arbitrary<MonthlySchedule> = fc.record({
  daysAfterSecondTuesday: fc.integer({ min: 0, max: 27 }),
  at: time,
});
const instant = fc.date({
  min: new Date('2020-01-01'),
  max: new Date('2090-01-01'),
  noInvalidDate: true,
});

const local = (date: Date): string =>
  `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, '0')}-${String(date.getDate()).padStart(2, '0')} ${formatTime({ hour: date.getHours(), minute: date.getMinutes() })}`;

/** Counts days, as one does with a finger on a calendar. */
function secondTuesdayByCounting(year: number, month: number): number {
  let tuesdays = 0;
  for (let day = 1; ; day++) {
    if (new Date(Date.UTC(year, month - 1, day)).getUTCDay() === 2 && ++tuesdays === 2) return day;
  }
}

test('the second Tuesday is the one that counting gives, for two centuries', () => {
  for (let year = 1950; year < 2150; year++) {
    for (let month = 1; month <= 12; month++) {
      expect(secondTuesdayOf(year, month)).toBe(secondTuesdayByCounting(year, month));
    }
  }
});

test('known patch Tuesdays', () => {
  expect(
    [
      [2025, 1],
      [2025, 9],
      [2026, 11],
      [2026, 12],
    ].map(([year = 0, month = 0]) => secondTuesdayOf(year, month)),
  ).toEqual([14, 9, 10, 8]);
});

test('days after the second Tuesday are counted into the next month and year', () => {
  expect(dueDayOf(2026, 11, 1)).toEqual({ year: 2026, month: 11, day: 11 });
  expect(dueDayOf(2025, 12, 27)).toEqual({ year: 2026, month: 1, day: 5 });
  expect(dueDayOf(2028, 2, 21)).toEqual({ year: 2028, month: 2, day: 29 });
  expect(dueDayOf(2027, 2, 21)).toEqual({ year: 2027, month: 3, day: 2 });
});

test('four a day from 03:00 are those of the console', () => {
  const times = (schedule: DailySchedule) => timesOf(schedule).map(formatTime);
  expect(times({ firstAt: '03:00', perDay: 4, randomOffset: 30 })).toEqual([
    '03:00',
    '09:00',
    '15:00',
    '21:00',
  ]);
  expect(times({ firstAt: '22:30', perDay: 3, randomOffset: 0 })).toEqual(['06:30', '14:30', '22:30']);
  expect(times({ firstAt: '00:00', perDay: 7, randomOffset: 0 })).toHaveLength(7);
});

test('schedules are told in words', () => {
  expect(describeSchedule({ firstAt: '03:00', perDay: 1, randomOffset: 0 })).toBe('once a day, at 03:00');
  expect(describeSchedule({ firstAt: '03:00', perDay: 2, randomOffset: 1 })).toBe(
    '2 times a day, at 03:00, 15:00, each up to 1 minute later at random',
  );
  expect(describeSchedule({ daysAfterSecondTuesday: 0, at: '06:00' })).toBe(
    'on the second Tuesday of a month, at 06:00',
  );
  expect(describeSchedule({ daysAfterSecondTuesday: 1, at: '06:00' })).toBe(
    'on the day after the second Tuesday of a month, at 06:00',
  );
  expect(describeSchedule({ daysAfterSecondTuesday: 5, at: '06:00' })).toBe(
    '5 days after the second Tuesday of a month, at 06:00',
  );
});

test('each possible day comes up in some month, and no other one', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 27 }), (daysAfterSecondTuesday) => {
      const seen = new Set<number>();
      for (let year = 2000; year < 2400; year++) {
        for (let month = 1; month <= 12; month++) seen.add(dueDayOf(year, month, daysAfterSecondTuesday).day);
      }
      const possible = possibleDaysOf({ daysAfterSecondTuesday, at: '00:00' });
      expect([...seen].sort((one, other) => one - other).filter((day) => !possible.includes(day))).toEqual(
        [],
      );
      // 400 years hold each combination of a month's length and a weekday, but for a leap year's February or two.
      expect(possible.filter((day) => !seen.has(day))).toEqual([]);
    }),
    { numRuns: 28 },
  );
});

describe('where clocks change', () => {
  const before = process.env.TZ;
  beforeAll(() => {
    process.env.TZ = 'Europe/Berlin';
    expect(new Date(2026, 6, 1).getTimezoneOffset()).toBe(-120);
  });
  afterAll(() => {
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  });

  test('a time the day does not have is left out, and told', () => {
    const schedule = { firstAt: '02:30', perDay: 1, randomOffset: 0 };
    const runs = nextRuns(schedule, new Date(2027, 2, 26, 12), 3).map(local);
    expect(runs).toEqual(['2027-03-27 02:30', '2027-03-29 02:30', '2027-03-30 02:30']);
    expect(missingTimes(schedule, new Date(2027, 0, 1))).toEqual([
      { day: { year: 2027, month: 3, day: 28 }, time: { hour: 2, minute: 30 } },
    ]);
  });

  test('a time the day has twice counts once', () => {
    const runs = nextRuns({ firstAt: '02:30', perDay: 1, randomOffset: 0 }, new Date(2027, 9, 30, 12), 2);
    expect(runs.map((run) => run.toISOString())).toEqual([
      '2027-10-31T00:30:00.000Z',
      '2027-11-01T01:30:00.000Z',
    ]);
  });

  test('times stay those of the clock on the wall', () => {
    const runs = nextRuns({ daysAfterSecondTuesday: 1, at: '06:00' }, new Date(2027, 1, 20), 3);
    expect(runs.map((run) => run.toISOString())).toEqual([
      '2027-03-10T05:00:00.000Z',
      '2027-04-14T04:00:00.000Z',
      '2027-05-12T04:00:00.000Z',
    ]);
  });

  test('runs come in order, none is left out, each at a time of the schedule', () => {
    fc.assert(
      fc.property(fc.oneof(daily, monthly), instant, (schedule, after) => {
        const runs = nextRuns(schedule, after, 30);
        const times = timesOf(schedule).map(formatTime);
        expect(runs).toHaveLength(30);
        let last = after.getTime();
        for (const run of runs) {
          expect(run.getTime()).toBeGreaterThan(last);
          expect(times).toContain(local(run).slice(11));
          last = run.getTime();
        }
        expect(nextRuns(schedule, runs[9] as Date, 20)).toEqual(runs.slice(10));
      }),
    );
  });

  test('a monthly run is due from its time on until it is done', () => {
    fc.assert(
      fc.property(monthly, instant, (schedule, after) => {
        const [first, second] = nextRuns(schedule, after, 2) as [Date, Date];
        const at = (offsetMs: number) => new Date(first.getTime() + offsetMs);
        const hour = 3_600_000;
        const lastMonth = first.getTime() - 25 * 24 * hour;
        expect(judgeDue(schedule, at(0), lastMonth)).toEqual({ isDue: true });
        expect(judgeDue(schedule, at(0), undefined)).toEqual({ isDue: true });
        expect(judgeDue(schedule, at(48 * hour), lastMonth)).toEqual({ isDue: true });
        expect(judgeDue(schedule, at(hour), first.getTime())).toMatchObject({
          isDue: false,
          isDone: true,
          wasDueAt: first,
        });
        expect(judgeDue(schedule, at(-2 * hour), undefined)).toMatchObject({
          isDue: false,
          isDone: false,
        });
        // Timers that know days of the month only fire up to six days early.
        expect(judgeDue(schedule, at(-6 * 24 * hour), lastMonth)).toMatchObject({ isDue: false });
        expect(judgeDue(schedule, new Date(second.getTime() - 6 * 24 * hour), undefined).isDue).toBe(false);
      }),
    );
  });
});

test('a daily schedule, and none, are due whenever a timer fires', () => {
  const now = new Date('2026-11-21T03:00:00Z');
  expect(judgeDue({ firstAt: '03:00', perDay: 1, randomOffset: 0 }, now, now.getTime())).toEqual({
    isDue: true,
  });
  expect(judgeDue(undefined, now, now.getTime())).toEqual({ isDue: true });
});
