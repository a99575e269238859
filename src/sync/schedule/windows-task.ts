/** A task of the Windows Task Scheduler: the XML of [MS-TSCH] 2.5, and a line for `schtasks`. */
import {
  type CalendarDay,
  describeSchedule,
  formatTime,
  intervalOf,
  isMonthly,
  possibleDaysOf,
  type Schedule,
  timesOf,
  twoDigits,
} from '../../model/schedule.js';
import { argumentsOf, quoteForWindows, type ScheduledCommand } from './command-line.js';

export interface TaskOptions {
  readonly command: ScheduledCommand;
  readonly schedule: Schedule;
  /** `DOMAIN\user` the task runs as, logged in or not; its password is not needed */
  readonly userName: string;
  /** first day on which it may run */
  readonly startDay: CalendarDay;
}

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
/** Stands in each task we write. */
const TASK_SOURCE = 'wsusutil schedule';
/** `/TR` takes no more (documentation of schtasks). */
const MAX_TASK_RUN_LENGTH = 261;

/**
 * The task as XML, ASCII only and without an encoding in its first line: so it is the same document as UTF-8, as UTF-16
 * and in any code page. One trigger for each time of a day. The Task Scheduler has no "so many days after the second
 * Tuesday": a monthly schedule fires on every day that can be the one, and `sync --scheduled` ends at once on the others.
 */
export function writeTaskXml({ command, schedule, userName, startDay }: TaskOptions): string {
  const [program = '', ...words] = argumentsOf(command);
  const day = `${startDay.year}-${twoDigits(startDay.month)}-${twoDigits(startDay.day)}`;
  const offset = isMonthly(schedule) ? 0 : schedule.randomOffset;
  const triggers = timesOf(schedule).flatMap((time) => [
    '    <CalendarTrigger>',
    `      <StartBoundary>${day}T${formatTime(time)}:00</StartBoundary>`,
    ...(offset === 0 ? [] : [`      <RandomDelay>PT${offset}M</RandomDelay>`]),
    ...(isMonthly(schedule)
      ? [
          '      <ScheduleByMonth>',
          '        <DaysOfMonth>',
          ...possibleDaysOf(schedule).map((each) => `          <Day>${each}</Day>`),
          '        </DaysOfMonth>',
          '        <Months>',
          ...MONTHS.map((month) => `          <${month} />`),
          '        </Months>',
          '      </ScheduleByMonth>',
        ]
      : ['      <ScheduleByDay>', '        <DaysInterval>1</DaysInterval>', '      </ScheduleByDay>']),
    '    </CalendarTrigger>',
  ]);
  const lines = [
    '<?xml version="1.0"?>',
    '<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">',
    '  <RegistrationInfo>',
    `    <Source>${TASK_SOURCE}</Source>`,
    `    <Description>${escapeXml(`WSUS synchronisation of ${command.dataDirectory}: ${describeSchedule(schedule)}`)}</Description>`,
    '  </RegistrationInfo>',
    '  <Triggers>',
    ...triggers,
    '  </Triggers>',
    '  <Principals>',
    '    <Principal id="Author">',
    `      <UserId>${escapeXml(userName)}</UserId>`,
    '      <LogonType>S4U</LogonType>',
    '      <RunLevel>LeastPrivilege</RunLevel>',
    '    </Principal>',
    '  </Principals>',
    '  <Settings>',
    '    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>',
    '    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>',
    '    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>',
    '    <StartWhenAvailable>true</StartWhenAvailable>',
    '    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>',
    '  </Settings>',
    '  <Actions Context="Author">',
    '    <Exec>',
    `      <Command>${escapeXml(program)}</Command>`,
    `      <Arguments>${escapeXml(words.map(quoteForWindows).join(' '))}</Arguments>`,
    '    </Exec>',
    '  </Actions>',
    '</Task>',
  ];
  return `${lines.join('\r\n')}\r\n`;
}

/** The XML as the Task Scheduler itself exports it: UTF-16, little-endian, with a byte order mark. */
export function encodeTaskXml(xml: string): Buffer {
  return Buffer.from(`\ufeff${xml}`, 'utf16le');
}

/** Bytes that an encoded task of ours holds, and hardly one of somebody else's. */
export function taskMark(): Buffer {
  return Buffer.from(`<Source>${TASK_SOURCE}</Source>`, 'utf16le');
}

/**
 * The same without a file, as far as `schtasks` can say it: no random offset, no catching up, and only while the account
 * is logged in. A monthly schedule fires daily, since `/SC MONTHLY` takes one day only.
 *
 * @returns remarks and one command; undefined: the command line is longer than `schtasks` takes
 */
export function writeSchtasksLines(
  name: string,
  schedule: Schedule,
  command: ScheduledCommand,
): readonly string[] | undefined {
  const run = argumentsOf(command).map(quoteForWindows).join(' ');
  if (run.length > MAX_TASK_RUN_LENGTH) return undefined;
  const first = isMonthly(schedule) ? schedule.at : schedule.firstAt;
  const parts = ['schtasks', '/Create', '/TN', quoteForWindows(name), '/SC', 'DAILY', '/ST', first];
  if (!isMonthly(schedule) && schedule.perDay > 1) {
    const interval = intervalOf(schedule);
    // One minute past the last run of a day, so that the next day's first is not started twice.
    const duration = interval * (schedule.perDay - 1) + 1;
    const hours = String(Math.floor(duration / 60)).padStart(4, '0');
    parts.push('/RI', String(interval), '/DU', `${hours}:${twoDigits(duration % 60)}`);
  }
  parts.push('/TR', `"${run.replaceAll(/(\\*)"/g, '$1$1\\"')}"`);
  return [
    `rem wsusutil: ${describeSchedule(schedule)}`,
    ...(isMonthly(schedule)
      ? ['rem It starts every day; "sync --scheduled" ends at once on other days.']
      : []),
    ...(!isMonthly(schedule) && schedule.randomOffset > 0
      ? ['rem schtasks knows no random offset; the XML has it.']
      : []),
    parts.join(' '),
  ];
}

/** The first day that has not begun. */
export function dayAfter(now: Date): CalendarDay {
  const day = new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1, 12);
  return { year: day.getFullYear(), month: day.getMonth() + 1, day: day.getDate() };
}

function escapeXml(text: string): string {
  return text.replaceAll(/[&<>"]|[^\u0020-\u007e]/gu, (found) => `&#${found.codePointAt(0)};`);
}
