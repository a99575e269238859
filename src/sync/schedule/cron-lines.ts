/** Lines of a crontab (POSIX `crontab`): minute, hour, day of month, month, weekday, command for `sh`. */
import { describeSchedule, isMonthly, possibleDaysOf, type Schedule, timesOf } from '../../model/schedule.js';
import { argumentsOf, quoteForShell, type ScheduledCommand } from './command-line.js';

/**
 * A comment and one line for each minute of the hour at which runs begin. cron takes "day of month" and "weekday"
 * together as either of them, so a monthly schedule fires on every day that can be the one; `sync --scheduled` ends at
 * once on the others. cron knows no random offset: the line sleeps for one, drawn by the kernel, since what a shell can
 * draw from the time would be the same on every machine.
 */
export function writeCronLines(schedule: Schedule, command: ScheduledCommand): readonly string[] {
  const words = argumentsOf(command).map(quoteForShell).join(' ');
  const offset = isMonthly(schedule) ? 0 : schedule.randomOffset * 60;
  const pause = offset === 0 ? '' : `sleep $(( $(od -An -N4 -tu4 /dev/urandom) % ${offset + 1} )); exec `;
  const shell = `${pause}${words}`.replaceAll('%', '\\%'); // a bare % is a line break there
  const days = isMonthly(schedule) ? ranges(possibleDaysOf(schedule)) : '*';
  const hoursByMinute = new Map<number, number[]>();
  for (const { hour, minute } of timesOf(schedule)) {
    hoursByMinute.set(minute, [...(hoursByMinute.get(minute) ?? []), hour]);
  }
  return [
    `# wsusutil: ${describeSchedule(schedule)}`,
    ...[...hoursByMinute].map(([minute, hours]) => `${minute} ${ranges(hours)} ${days} * * ${shell}`),
  ];
}

/** `1-3,28-31`; three in a row and more as a range. */
function ranges(numbers: readonly number[]): string {
  const parts: [number, number][] = [];
  for (const number of numbers) {
    const last = parts.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else parts.push([number, number]);
  }
  return parts
    .flatMap(([from, to]) =>
      to - from >= 2 ? [`${from}-${to}`] : to > from ? [`${from},${to}`] : [`${from}`],
    )
    .join(',');
}
