/** `OnCalendar=` of systemd.time(7), "Calendar events": weekday, year-month-day, time; all of them must fit. */
import {
  intervalOf,
  isMonthly,
  type MonthlySchedule,
  type Schedule,
  timesOf,
  twoDigits,
} from '../../model/schedule.js';

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;
const TUESDAY = 2;
/** Months (two digits) by the length of the month before them; March has its own rules. */
const MONTHS_AFTER = { 31: '01,02,04,06,08,09,11', 30: '05,07,10,12' } as const;
/** A leap year, and the three between two of them; right until 2100. */
const LEAP_YEARS = '2024/4';
const OTHER_YEARS = '2025/4,2026/4,2027/4';

/** One or more events that together are the schedule, exactly. */
export function onCalendarOf(schedule: Schedule): readonly string[] {
  if (isMonthly(schedule)) return monthlyEvents(schedule);
  if (schedule.perDay === 1) return [`*-*-* ${schedule.firstAt}:00`];
  const hoursByMinute = new Map<number, number[]>();
  for (const { hour, minute } of timesOf(schedule)) {
    hoursByMinute.set(minute, [...(hoursByMinute.get(minute) ?? []), hour]);
  }
  if (intervalOf(schedule) === 60) return [`*-*-* *:${schedule.firstAt.slice(3)}:00`];
  return [...hoursByMinute].map(
    ([minute, hours]) => `*-*-* ${hours.map(twoDigits).join(',')}:${twoDigits(minute)}:00`,
  );
}

/**
 * The second Tuesday is a Tuesday on day 8 to 14. Some days later it is another weekday, the same each month, within
 * seven days; those may reach into the next month, by the length of this one.
 */
function monthlyEvents({ daysAfterSecondTuesday, at }: MonthlySchedule): readonly string[] {
  const weekday = WEEKDAYS[(TUESDAY + daysAfterSecondTuesday) % 7] as string;
  const first = 8 + daysAfterSecondTuesday;
  const last = 14 + daysAfterSecondTuesday;
  const event = (years: string, months: string, from: number, to: number): readonly string[] => {
    if (to < from) return [];
    const days = from === to ? twoDigits(from) : `${twoDigits(from)}..${twoDigits(to)}`;
    return [`${weekday} ${years}-${months}-${days} ${at}:00`];
  };
  // Days that a month does not have never come.
  const overflow = (years: string, months: string, length: number) =>
    event(years, months, Math.max(1, first - length), last - length);
  return [
    ...event('*', '*', first, Math.min(last, 31)),
    ...overflow('*', MONTHS_AFTER[31], 31),
    ...overflow('*', MONTHS_AFTER[30], 30),
    ...(last > 29
      ? [...overflow(LEAP_YEARS, '03', 29), ...overflow(OTHER_YEARS, '03', 28)]
      : overflow(OTHER_YEARS, '03', 28)),
  ];
}
