import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import {
  dueDayOf,
  formatTime,
  type MonthlySchedule,
  nextRuns,
  possibleDaysOf,
  type Schedule,
  timesOf,
} from '../../../src/model/schedule.js';
import {
  argumentsOf,
  quoteForShell,
  quoteForSystemd,
  quoteForWindows,
  type ScheduledCommand,
} from '../../../src/sync/schedule/command-line.js';
import { writeCronLines } from '../../../src/sync/schedule/cron-lines.js';
import { onCalendarOf } from '../../../src/sync/schedule/on-calendar.js';
import {
  type SystemdOptions,
  type UnitFile,
  type UnitScope,
  writeSystemdUnits,
} from '../../../src/sync/schedule/systemd-units.js';
import { encodeTaskXml, writeSchtasksLines, writeTaskXml } from '../../../src/sync/schedule/windows-task.js';
import { fc } from '../../helpers/properties.js';

const COMMAND: ScheduledCommand = {
  nodePath: '/usr/bin/node',
  scriptPath: '/opt/wsusutil/bin/wsusutil.js',
  dataDirectory: '/srv/wsus data',
};
const WINDOWS: ScheduledCommand = {
  nodePath: 'C:\\Program Files\\nodejs\\node.exe',
  scriptPath: 'C:\\Tools\\wsusutil\\bin\\wsusutil.js',
  dataDirectory: 'D:\\WSUS & more',
};
const FOUR_A_DAY: Schedule = { firstAt: '03:00', perDay: 4, randomOffset: 30 };
const DAY_AFTER: MonthlySchedule = { daysAfterSecondTuesday: 1, at: '06:00' };
const DAY_MS = 86_400_000;

const time = fc
  .integer({ min: 0, max: 1439 })
  .map((minutes) => formatTime({ hour: Math.floor(minutes / 60), minute: minutes % 60 }));
const daily: fc.Arbitrary<Schedule> = fc.record({
  firstAt: time,
  perDay: fc.integer({ min: 1, max: 24 }),
  randomOffset: fc.integer({ min: 0, max: 59 }),
});
const monthly: fc.Arbitrary<MonthlySchedule> = fc.record({
  daysAfterSecondTuesday: fc.integer({ min: 0, max: 27 }),
  at: time,
});

function hasSystemdAnalyze(): boolean {
  return spawnSync('systemd-analyze', ['--version']).status === 0;
}

function newFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'wsusutil-test-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Whether a calendar event of systemd.time(7), as far as we write them, has that day. */
function hasDay(event: string, day: Date): boolean {
  const [weekday, years = '', months = '', days = ''] =
    /^(?:(\w{3}) )?(\S+?)-(\S+?)-(\S+) /.exec(event)?.slice(1) ?? [];
  const fits = (list: string, value: number) =>
    list.split(',').some((part) => {
      if (part === '*') return true;
      const [from, to] = part.split('..').map(Number);
      if (to !== undefined) return value >= (from as number) && value <= to;
      const [start = 0, step] = part.split('/').map(Number);
      return step === undefined ? value === start : value >= start && (value - start) % step === 0;
    });
  return (
    (weekday === undefined || weekday === 'Sun Mon Tue Wed Thu Fri Sat'.split(' ')[day.getUTCDay()]) &&
    fits(years, day.getUTCFullYear()) &&
    fits(months, day.getUTCMonth() + 1) &&
    fits(days, day.getUTCDate())
  );
}

test('the calendar events of a monthly schedule have its days and no others, until 2099', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 27 }), (daysAfterSecondTuesday) => {
      const events = onCalendarOf({ daysAfterSecondTuesday, at: '06:00' });
      const found: string[] = [];
      for (let at = Date.UTC(2026, 0, 1); at < Date.UTC(2099, 11, 1); at += DAY_MS) {
        const day = new Date(at);
        if (events.some((event) => hasDay(event, day))) found.push(day.toISOString().slice(0, 10));
      }
      const wanted: string[] = [];
      for (let month = 0; month < 12 * 75; month++) {
        const { year, month: dueMonth, day } = dueDayOf(2025, 11 + month, daysAfterSecondTuesday);
        const text = new Date(Date.UTC(year, dueMonth - 1, day)).toISOString().slice(0, 10);
        if (text >= '2026-01-01' && text < '2099-12-01') wanted.push(text);
      }
      expect(found).toEqual(wanted);
    }),
    { numRuns: 28, examples: [[0], [14], [15], [16], [17], [20], [21], [22], [27]] },
  );
});

test('calendar events read as systemd has them', () => {
  expect(onCalendarOf(FOUR_A_DAY)).toEqual(['*-*-* 03,09,15,21:00:00']);
  expect(onCalendarOf({ firstAt: '00:15', perDay: 24, randomOffset: 0 })).toEqual(['*-*-* *:15:00']);
  expect(onCalendarOf({ firstAt: '00:00', perDay: 5, randomOffset: 0 })).toEqual([
    '*-*-* 00:00:00',
    '*-*-* 04:48:00',
    '*-*-* 09:36:00',
    '*-*-* 14:24:00',
    '*-*-* 19:12:00',
  ]);
  expect(onCalendarOf(DAY_AFTER)).toEqual(['Wed *-*-09..15 06:00:00']);
  expect(onCalendarOf({ daysAfterSecondTuesday: 16, at: '06:00' })).toEqual([
    'Thu *-*-24..30 06:00:00',
    'Thu 2024/4-03-01 06:00:00',
    'Thu 2025/4,2026/4,2027/4-03-01..02 06:00:00',
  ]);
});

test.skipIf(!hasSystemdAnalyze())('systemd computes the same next runs', () => {
  const base = '2026-11-21 00:00:00';
  for (const schedule of [
    FOUR_A_DAY,
    { firstAt: '23:50', perDay: 7, randomOffset: 0 },
    ...[0, 1, 14, 16, 17, 21, 24, 27].map((daysAfterSecondTuesday) => ({
      daysAfterSecondTuesday,
      at: '06:30',
    })),
  ] satisfies readonly Schedule[]) {
    const count = 30;
    const runs = onCalendarOf(schedule).flatMap((event) => {
      const { stdout, stderr, status } = spawnSync(
        'systemd-analyze',
        ['calendar', `--base-time=${base}`, `--iterations=${count}`, event],
        { encoding: 'utf8', env: { ...process.env, TZ: 'UTC', LC_ALL: 'C' } },
      );
      expect(status, `${event}: ${stderr}`).toBe(0);
      return [...stdout.matchAll(/(?:elapse|Iter\. #\d+): \w{3} (\S+ \S+) UTC/g)].map((found) => found[1]);
    });
    const expected = nextRuns(schedule, new Date(`${base.replace(' ', 'T')}`), count).map((run) => {
      const utc = new Date(run.getTime() - run.getTimezoneOffset() * 60_000);
      return utc.toISOString().slice(0, 19).replace('T', ' ');
    });
    expect([...new Set(runs)].sort().slice(0, count), JSON.stringify(schedule)).toEqual(expected);
  }
});

const UNITS: SystemdOptions = {
  command: COMMAND,
  schedule: FOUR_A_DAY,
  name: 'wsusutil-sync',
  scope: 'system',
  account: { userId: 990, groupId: 985 },
  writablePaths: ['/srv/wsus data', '/srv/content'],
};

test('a system service runs as the owner of the data directory and writes nowhere else', () => {
  const [service, timer] = writeSystemdUnits(UNITS);
  expect([service.name, timer.name]).toEqual(['wsusutil-sync.service', 'wsusutil-sync.timer']);
  const lines = service.text.split('\n');
  expect(lines).toEqual(
    expect.arrayContaining([
      '[Service]',
      'Type=oneshot',
      'ExecStart=/usr/bin/node /opt/wsusutil/bin/wsusutil.js sync --scheduled --data-dir "/srv/wsus data"',
      'User=990',
      'Group=985',
      'NoNewPrivileges=yes',
      'ProtectSystem=strict',
      'PrivateTmp=yes',
      'CapabilityBoundingSet=',
      'ReadWritePaths="-/srv/wsus data"',
      'ReadWritePaths=-/srv/content',
    ]),
  );
  expect(service.text).not.toContain('MemoryDenyWriteExecute');
  expect(timer.text.split('\n')).toEqual(
    expect.arrayContaining([
      '[Timer]',
      'OnCalendar=*-*-* 03,09,15,21:00:00',
      'RandomizedDelaySec=30min',
      'Persistent=true',
      'WantedBy=timers.target',
    ]),
  );
});

test("a user's service has nothing that its systemd may not be able to do", () => {
  const [service, timer] = writeSystemdUnits({
    ...UNITS,
    scope: 'user',
    account: undefined,
    schedule: DAY_AFTER,
  });
  expect(service.text).not.toMatch(/^(?:User|Group|Protect\w+|Private\w+|ReadWritePaths|After|Wants)=/m);
  expect(timer.text).not.toContain('RandomizedDelaySec');
  expect(timer.text).toContain('OnCalendar=Wed *-*-09..15 06:00:00\n');
});

test('a data directory below /tmp is not hidden from its service', () => {
  const service = (dataDirectory: string) =>
    writeSystemdUnits({
      ...UNITS,
      command: { ...COMMAND, dataDirectory },
      writablePaths: [dataDirectory],
    })[0];
  expect(service('/var/tmp/wsus').text).not.toContain('PrivateTmp');
  expect(service('/srv/tmp').text).toContain('PrivateTmp');
});

test('a path cannot bring directives of its own', () => {
  for (const dataDirectory of ['/srv/x\nExecStart=/bin/sh', '/srv/x\r[Service]', '/srv/\0']) {
    const command = { ...COMMAND, dataDirectory };
    const refusal = expect.objectContaining({ code: 'SAFETY_REFUSED' });
    expect(() => writeSystemdUnits({ ...UNITS, command })).toThrow(refusal);
    expect(() => writeCronLines(FOUR_A_DAY, command)).toThrow(refusal);
    expect(() => writeSchtasksLines('x', FOUR_A_DAY, command)).toThrow(refusal);
  }
  // A line that ended with it would go on in the next one.
  const [service] = writeSystemdUnits({ ...UNITS, command: { ...COMMAND, dataDirectory: '/srv/x\\' } });
  for (const line of service.text.split('\n').filter((each) => !each.startsWith('#'))) {
    expect(line).not.toMatch(/\\$/);
  }
});

/** What systemd says about units in a folder, as far as it is about them. */
function verify(folder: string, units: readonly UnitFile[], scope: UnitScope): string[] {
  for (const { name, text } of units) writeFileSync(join(folder, name), text);
  const { stderr, error } = spawnSync(
    'systemd-analyze',
    [
      'verify',
      '--man=no',
      ...(scope === 'user' ? ['--user'] : []),
      ...units.map(({ name }) => join(folder, name)),
    ],
    { encoding: 'utf8', env: { ...process.env, XDG_RUNTIME_DIR: folder } },
  );
  expect(error).toBeUndefined();
  return stderr.split('\n').filter((line) => line.includes('wsusutil-sync'));
}

test.skipIf(!hasSystemdAnalyze())('systemd takes the units', (context) => {
  const folder = newFolder();
  const command = {
    nodePath: process.execPath,
    scriptPath: '/usr/share/a b/100% $HOME "x".js',
    dataDirectory: folder,
  };
  for (const scope of ['user', 'system'] as const) {
    for (const schedule of [FOUR_A_DAY, DAY_AFTER, { daysAfterSecondTuesday: 27, at: '23:59' }]) {
      const [service, timer] = writeSystemdUnits({
        ...UNITS,
        command,
        schedule,
        scope,
        writablePaths: [folder, '/srv/a b'],
      });
      expect(verify(folder, [service, timer], scope)).toEqual([]);
      const broken = { ...timer, text: timer.text.replace('OnCalendar=', 'OnCalendar=never ') };
      if (verify(folder, [service, broken], scope).length === 0) context.skip('it verifies nothing here');
    }
  }
});

const word = fc.string({ unit: fc.constantFrom(...`ab "'\\%$;&|<>()*?~#{}!^\`=ü`), maxLength: 12 });

test.skipIf(process.platform === 'win32')('a shell gets back the words that were quoted for it', () => {
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (words) => {
      const { stdout } = spawnSync('sh', ['-c', `printf '%s\\n' ${words.map(quoteForShell).join(' ')}`], {
        encoding: 'utf8',
      });
      expect(stdout).toBe(words.map((each) => `${each}\n`).join(''));
    }),
    { numRuns: 30 },
  );
});

/** CommandLineToArgvW, for the arguments behind the program. */
function splitForWindows(line: string): string[] {
  const words: string[] = [];
  let current: string | undefined;
  let isQuoted = false;
  for (let index = 0; index < line.length; index++) {
    const slashes = /^\\*/.exec(line.slice(index))?.[0].length ?? 0;
    if (slashes > 0 && line[index + slashes] === '"') {
      current = (current ?? '') + '\\'.repeat(Math.floor(slashes / 2));
      index += slashes;
      if (slashes % 2 === 1) current += '"';
      else isQuoted = !isQuoted;
    } else if (slashes > 0) {
      current = (current ?? '') + '\\'.repeat(slashes);
      index += slashes - 1;
    } else if (line[index] === '"') {
      current ??= '';
      isQuoted = !isQuoted;
    } else if (line[index] === ' ' && !isQuoted) {
      if (current !== undefined) words.push(current);
      current = undefined;
    } else current = (current ?? '') + line[index];
  }
  return current === undefined ? words : [...words, current];
}

test('Windows programs get back the words that were quoted for them', () => {
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (words) => {
      expect(splitForWindows(words.map(quoteForWindows).join(' '))).toEqual(words);
    }),
  );
});

test('systemd gets words without variables and specifiers', () => {
  expect(quoteForSystemd('/a/b')).toBe('/a/b');
  expect(quoteForSystemd('a b')).toBe('"a b"');
  expect(quoteForSystemd('%h $HOME')).toBe('"%%h $$HOME"');
  expect(quoteForSystemd('-/a$b', false)).toBe('-/a$b');
  expect(quoteForSystemd('a\\"')).toBe('"a\\\\\\""');
  expect(quoteForSystemd(';')).toBe('";"');
  expect(argumentsOf(COMMAND).at(-1)).toBe('/srv/wsus data');
});

/** Numbers of a field of a cron line. */
function numbersOf(field: string, from: number, to: number): number[] {
  if (field === '*') return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  return field.split(',').flatMap((part) => {
    const [first = 0, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

test('cron lines have the times of the schedule, on each day that can be the one', () => {
  fc.assert(
    fc.property(fc.oneof(daily, monthly), (schedule) => {
      const lines = writeCronLines(schedule, COMMAND).filter((line) => !line.startsWith('#'));
      const times = lines.flatMap((line) => {
        const [minutes = '', hours = '', days = '', months, weekdays] = line.split(' ');
        expect([months, weekdays]).toEqual(['*', '*']);
        const wanted =
          'at' in schedule ? possibleDaysOf(schedule) : Array.from({ length: 31 }, (_, index) => index + 1);
        expect(numbersOf(days, 1, 31)).toEqual(wanted);
        return numbersOf(hours, 0, 23).flatMap((hour) =>
          numbersOf(minutes, 0, 59).map((minute) => formatTime({ hour, minute })),
        );
      });
      expect(times.sort()).toEqual(timesOf(schedule).map(formatTime));
    }),
  );
});

test('a cron line escapes what cron would take for a line break', () => {
  const lines = writeCronLines(DAY_AFTER, { ...COMMAND, dataDirectory: "/srv/100% it's" });
  expect(lines).toEqual([
    '# wsusutil: on the day after the second Tuesday of a month, at 06:00',
    "0 6 9-15 * * /usr/bin/node /opt/wsusutil/bin/wsusutil.js sync --scheduled --data-dir '/srv/100\\% it'\\''s'",
  ]);
});

test.skipIf(process.platform === 'win32')('the random offset of a cron line is one a shell can draw', () => {
  const [, line = ''] = writeCronLines({ firstAt: '03:00', perDay: 4, randomOffset: 30 }, COMMAND);
  expect(line).toMatch(/^0 3,9,15,21 \* \* \* sleep \$\(\(/);
  const drawing = /sleep (\$\(\(.*?\)\)); exec /.exec(line)?.[1]?.replaceAll('\\%', '%') ?? '';
  for (let round = 0; round < 5; round++) {
    const { stdout } = spawnSync('sh', ['-c', `echo ${drawing}`], { encoding: 'utf8' });
    expect(stdout).toMatch(/^\d+\n$/);
    expect(Number(stdout)).toBeLessThanOrEqual(1800);
  }
});

const TASK = {
  command: WINDOWS,
  userName: 'CORP\\wsus & co',
  startDay: { year: 2026, month: 11, day: 22 },
};

/** Names of elements with their depth, in order; each once per parent. */
function outlineOf(xml: string): string[] {
  let depth = 0;
  const lines: string[] = [];
  for (const [, isEnd, name, isEmpty] of xml.matchAll(/<(\/?)([A-Za-z]+)[^>]*?(\/?)>/g)) {
    if (isEnd === '/') depth--;
    else {
      lines.push(`${'  '.repeat(depth)}${name}`);
      if (isEmpty !== '/') depth++;
    }
  }
  expect(depth).toBe(0);
  return lines;
}

test('the elements of a task stand where the schema of the Task Scheduler wants them', () => {
  const outline = outlineOf(
    writeTaskXml({ ...TASK, schedule: { firstAt: '03:00', perDay: 1, randomOffset: 30 } }),
  );
  expect(outline).toEqual([
    'Task',
    '  RegistrationInfo',
    '    Source',
    '    Description',
    '  Triggers',
    '    CalendarTrigger',
    '      StartBoundary',
    '      RandomDelay',
    '      ScheduleByDay',
    '        DaysInterval',
    '  Principals',
    '    Principal',
    '      UserId',
    '      LogonType',
    '      RunLevel',
    '  Settings',
    '    MultipleInstancesPolicy',
    '    DisallowStartIfOnBatteries',
    '    StopIfGoingOnBatteries',
    '    StartWhenAvailable',
    '    ExecutionTimeLimit',
    '  Actions',
    '    Exec',
    '      Command',
    '      Arguments',
  ]);
  const ofMonth = outlineOf(writeTaskXml({ ...TASK, schedule: DAY_AFTER })).map((line) => line.trim());
  expect(ofMonth.filter((name) => name === 'Day')).toHaveLength(7);
  expect(ofMonth.slice(ofMonth.indexOf('Months') + 1, ofMonth.indexOf('Principals'))).toHaveLength(12);
});

test('a task runs the program with its arguments, as the account that made it', () => {
  const xml = writeTaskXml({ ...TASK, schedule: FOUR_A_DAY });
  expect(xml).toContain('<Command>C:\\Program Files\\nodejs\\node.exe</Command>');
  expect(xml).toContain(
    '<Arguments>C:\\Tools\\wsusutil\\bin\\wsusutil.js sync --scheduled --data-dir &#34;D:\\WSUS &#38; more&#34;</Arguments>',
  );
  expect(xml).toContain('<UserId>CORP\\wsus &#38; co</UserId>');
  expect([...xml.matchAll(/<StartBoundary>(.*?)</g)].map((found) => found[1])).toEqual([
    '2026-11-22T03:00:00',
    '2026-11-22T09:00:00',
    '2026-11-22T15:00:00',
    '2026-11-22T21:00:00',
  ]);
  expect(xml.match(/<RandomDelay>PT30M</g)).toHaveLength(4);
  const bytes = encodeTaskXml(xml);
  expect([...bytes.subarray(0, 4)]).toEqual([0xff, 0xfe, 0x3c, 0x00]);
  const umlaut = writeTaskXml({ ...TASK, userName: 'Jürgen\u{1f600}', schedule: FOUR_A_DAY });
  expect(umlaut).toContain('J&#252;rgen&#128512;');
});

test('schtasks gets one line, or none if it would be too long for it', () => {
  const lines = writeSchtasksLines('wsusutil-sync', FOUR_A_DAY, WINDOWS) ?? [];
  expect(lines.at(-1)).toBe(
    'schtasks /Create /TN wsusutil-sync /SC DAILY /ST 03:00 /RI 360 /DU 0018:01 /TR "\\"C:\\Program Files\\nodejs\\node.exe\\" C:\\Tools\\wsusutil\\bin\\wsusutil.js sync --scheduled --data-dir \\"D:\\WSUS & more\\""',
  );
  expect(lines.slice(0, -1).every((line) => line.startsWith('rem '))).toBe(true);
  expect(
    writeSchtasksLines('x', DAY_AFTER, { ...WINDOWS, dataDirectory: `D:\\${'x'.repeat(200)}` }),
  ).toBeUndefined();
});
