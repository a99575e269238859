import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Machine } from '../../../src/commands/context.js';
import type { CommandDeclaration } from '../../../src/commands/declaration.js';
import { schedule } from '../../../src/commands/schedule/schedule.js';
import { scheduleInstall } from '../../../src/commands/schedule/schedule-install.js';
import { scheduleNext } from '../../../src/commands/schedule/schedule-next.js';
import { schedulePrint } from '../../../src/commands/schedule/schedule-print.js';
import { scheduleRemove } from '../../../src/commands/schedule/schedule-remove.js';
import { scheduleSet } from '../../../src/commands/schedule/schedule-set.js';
import type { Schedule } from '../../../src/model/schedule.js';
import { defaultSettings, readSettings, writeSettings } from '../../../src/settings/settings.js';
import { runMain } from '../../cli/fake-process.js';
import { openTestStore, testFolder } from '../../store/update-builder.js';
import { type CommandResult, type GivenArguments, runCommand } from '../command-context.js';

const before = process.env.TZ;
beforeAll(() => {
  process.env.TZ = 'Europe/Berlin'; // what the tests below call 2026-11-01 12:00 UTC is 13:00 there
});
afterAll(() => {
  if (before === undefined) delete process.env.TZ;
  else process.env.TZ = before;
});

const FOUR_A_DAY: Schedule = { firstAt: '03:00', perDay: 4, randomOffset: 30 };
const DAY_AFTER: Schedule = { daysAfterSecondTuesday: 1, at: '06:00' };

interface Place {
  readonly storePath: string;
  /** the data directory */
  readonly path: string;
  readonly machine: Machine;
  run(command: CommandDeclaration, given?: GivenArguments): Promise<CommandResult>;
}

async function placeWith(set: Schedule | undefined, machine: Partial<Machine> = {}): Promise<Place> {
  const { store, path: storePath } = await openTestStore();
  await store.close();
  if (set !== undefined) {
    await writeSettings(`${storePath}.settings.json`, { ...defaultSettings(), schedule: set });
  }
  const folder = testFolder();
  const whole: Machine = {
    platform: 'linux',
    nodePath: '/usr/bin/node',
    scriptPath: '/opt/wsusutil/bin/wsusutil.js',
    usualDataDirectory: dirname(storePath),
    unitFolders: { system: join(folder, 'system'), user: join(folder, 'home/systemd/user') },
    hasSystemd: true,
    userId: 1000,
    userName: 'wsus',
    ...machine,
  };
  return {
    storePath,
    path: dirname(storePath),
    machine: whole,
    run: (command, given = {}) => runCommand(command, storePath, { machine: whole, ...given }),
  };
}

/** What stands on the screen, views one below the other. */
function textOf({ view }: CommandResult): string {
  const views = view === undefined ? [] : Array.isArray(view) ? view : [view];
  return views
    .map((each) => (each.kind === 'raw' ? Buffer.from(each.bytes).toString() : JSON.stringify(each)))
    .join('\n');
}

test('without a schedule, schedule says so, and what needs one says how to set it', async () => {
  const { run } = await placeWith(undefined);
  const shown = await run(schedule);
  expect(shown.result).toEqual({ schedule: null, next: null, leftOut: [], timers: [], wouldBe: null });
  expect(textOf(shown)).toContain('by hand only');
  for (const command of [schedulePrint, scheduleInstall, scheduleNext] as readonly CommandDeclaration[]) {
    await expect(run(command)).rejects.toMatchObject({
      code: 'SETTINGS_INVALID',
      hint: expect.stringContaining('wsusutil schedule set'),
    });
  }
});

test('schedule set keeps the other settings, and is read again', async () => {
  const { run, storePath } = await placeWith(undefined);
  const settingsPath = `${storePath}.settings.json`;
  await writeSettings(settingsPath, { ...defaultSettings(), upstreamServer: 'wsus01' });
  const set = await run(scheduleSet, {
    options: { 'first-at': '03:00', 'per-day': '4', 'random-offset': '30' },
  });
  expect(set.result).toEqual({ schedule: FOUR_A_DAY, next: '2026-11-01T14:00:00.000Z' });
  expect(textOf(set)).toContain('Sunday 2026-11-01 15:00 (UTC+01:00)');
  expect(await readSettings(settingsPath)).toMatchObject({ upstreamServer: 'wsus01', schedule: FOUR_A_DAY });
  await run(scheduleSet, { options: { 'days-after-second-tuesday': '5', at: '22:00' } });
  expect((await readSettings(settingsPath)).schedule).toEqual({ daysAfterSecondTuesday: 5, at: '22:00' });
  await run(scheduleSet, { options: { manual: true } });
  expect(await readSettings(settingsPath)).toMatchObject({ upstreamServer: 'wsus01', schedule: undefined });
});

test.each([
  [[], /missing when to synchronise/],
  [['--per-day', '2'], /the schedule lacks its --first-at/],
  [['--first-at', '3:00'], /--first-at must be a time of day as 03:00, got "3:00"/],
  [['--first-at', '03:00', '--per-day', '25'], /--per-day must be a whole number from 1 to 24, got 25/],
  [['--first-at', '03:00', '--per-day', 'four'], /--per-day must be .* got "four"/],
  [['--first-at', '03:00', '--per-day', '24', '--random-offset', '60'], /--random-offset .* from 0 to 59/],
  [['--first-at', '03:00', '--at', '04:00'], /has --first-at beside --at/],
  [['--day-after-patch-tuesday'], /the schedule lacks its --at/],
  [['--days-after-second-tuesday', '28', '--at', '04:00'], /from 0 to 27, got 28/],
  [['--day-after-patch-tuesday', '--days-after-second-tuesday', '2', '--at', '04:00'], /exclude each other/],
  [['--manual', '--at', '04:00'], /--manual excludes/],
])('schedule set %j is wrong usage', async (args, expected) => {
  const { exitCode, stderr } = await runMain(['schedule', 'set', ...args], join(testFolder(), 'none'));
  expect(exitCode).toBe(2);
  expect(stderr.split('\n').find((line) => line.startsWith('error: '))).toMatch(expected);
});

test('schedule next shows five times, or as many as asked for', async () => {
  const { run } = await placeWith(DAY_AFTER);
  const { result, view } = await run(scheduleNext);
  expect(result).toMatchObject({ randomOffset: 0 });
  expect((view as { rows: unknown }).rows).toEqual([
    ['Wednesday', '2026-11-11 06:00', 'UTC+01:00', '2026-11-11 05:00'],
    ['Wednesday', '2026-12-09 06:00', 'UTC+01:00', '2026-12-09 05:00'],
    ['Wednesday', '2027-01-13 06:00', 'UTC+01:00', '2027-01-13 05:00'],
    ['Wednesday', '2027-02-10 06:00', 'UTC+01:00', '2027-02-10 05:00'],
    ['Wednesday', '2027-03-10 06:00', 'UTC+01:00', '2027-03-10 05:00'],
  ]);
  expect((await run(scheduleNext, { options: { count: '12' } })).result.runs).toHaveLength(12);
});

test('a time that clocks skip is told', async () => {
  const { run } = await placeWith({ firstAt: '02:30', perDay: 1, randomOffset: 0 });
  const shown = await run(schedule);
  expect(shown.result).toMatchObject({ leftOut: ['2027-03-28T02:30'] });
  expect(textOf(shown)).toContain('2027-03-28 02:30: clocks go forward over it');
});

test.skipIf(process.platform === 'win32')(
  'install writes units of the user, says what starts them, and once more changes nothing',
  async () => {
    const { run, machine, path } = await placeWith(FOUR_A_DAY);
    const folder = machine.unitFolders.user;
    expect((await run(schedule)).result).toMatchObject({
      timers: [],
      wouldBe: expect.arrayContaining([
        `# ${join(folder, 'wsusutil-sync.timer')}`,
        'OnCalendar=*-*-* 03,09,15,21:00:00',
        'RandomizedDelaySec=30min',
      ]),
    });
    const installed = await run(scheduleInstall);
    expect(installed).toMatchObject({
      status: 'complete',
      result: {
        installed: true,
        changed: true,
        files: [join(folder, 'wsusutil-sync.service'), join(folder, 'wsusutil-sync.timer')],
        commands: [
          'systemctl --user daemon-reload && systemctl --user enable --now wsusutil-sync.timer && systemctl --user restart wsusutil-sync.timer',
          'loginctl enable-linger wsus',
        ],
      },
    });
    expect(readdirSync(folder).sort()).toEqual(['wsusutil-sync.service', 'wsusutil-sync.timer']);
    expect(readFileSync(join(folder, 'wsusutil-sync.service'), 'utf8')).toContain(
      `ExecStart=/usr/bin/node /opt/wsusutil/bin/wsusutil.js sync --scheduled --data-dir ${path}\n`,
    );
    expect(await run(scheduleInstall)).toMatchObject({ result: { changed: false } });
    expect(await run(schedule)).toMatchObject({
      result: { timers: [{ path: join(folder, 'wsusutil-sync.timer'), state: 'current' }], wouldBe: null },
    });
  },
);

test.skipIf(process.platform === 'win32')(
  'a timer that no longer fits is told, and install makes it fit',
  async () => {
    const { run } = await placeWith(FOUR_A_DAY);
    await run(scheduleInstall);
    await run(scheduleSet, { options: { 'day-after-patch-tuesday': true, at: '06:00' } });
    const shown = await run(schedule);
    expect(shown.result).toMatchObject({ timers: [{ state: 'different' }] });
    expect(textOf(shown)).toContain('does not fit: run \\"wsusutil schedule install\\"');
    expect(await run(scheduleInstall)).toMatchObject({ result: { changed: true } });
    expect((await run(schedule)).result).toMatchObject({ timers: [{ state: 'current' }] });
    await run(scheduleSet, { options: { manual: true } });
    expect(textOf(await run(schedule))).toContain('\\"wsusutil schedule remove\\" takes it out');
  },
);

test.skipIf(process.platform === 'win32')(
  'root installs units of the machine, which run as the owner of the data directory',
  async () => {
    const { run, machine } = await placeWith(FOUR_A_DAY, { userId: 0, userName: 'root' });
    const { result } = await run(scheduleInstall);
    const { system } = machine.unitFolders;
    expect(result).toMatchObject({
      files: [join(system, 'wsusutil-sync.service'), join(system, 'wsusutil-sync.timer')],
      commands: [
        'systemctl daemon-reload && systemctl enable --now wsusutil-sync.timer && systemctl restart wsusutil-sync.timer',
      ],
    });
    const service = readFileSync(join(system, 'wsusutil-sync.service'), 'utf8');
    expect(service).toContain('ProtectSystem=strict');
    const userId = process.getuid?.() ?? 0;
    if (userId === 0) expect(service).not.toContain('User=');
    else expect(service).toContain(`User=${userId}\n`);
  },
);

test.skipIf(process.platform === 'win32')(
  'remove takes out what install wrote, and the link that enabled it',
  async () => {
    const { run, machine } = await placeWith(FOUR_A_DAY);
    const folder = machine.unitFolders.user;
    await run(scheduleInstall);
    const wants = join(folder, 'timers.target.wants');
    mkdirSync(wants);
    symlinkSync(join(folder, 'wsusutil-sync.timer'), join(wants, 'wsusutil-sync.timer'));
    symlinkSync('/nowhere/other.timer', join(wants, 'other.timer'));
    const { result } = await run(scheduleRemove);
    expect(result).toEqual({
      removed: [
        join(folder, 'wsusutil-sync.service'),
        join(wants, 'wsusutil-sync.timer'),
        join(folder, 'wsusutil-sync.timer'),
      ],
      commands: ['systemctl --user stop wsusutil-sync.timer; systemctl --user daemon-reload'],
    });
    expect(readdirSync(folder)).toEqual(['timers.target.wants']);
    expect(readdirSync(wants)).toEqual(['other.timer']);
    expect((await run(scheduleRemove)).result).toEqual({ removed: [], commands: [] });
  },
);

test.skipIf(process.platform === 'win32')(
  'files that somebody else wrote are neither replaced nor removed',
  async () => {
    const { run, machine } = await placeWith(FOUR_A_DAY);
    const folder = machine.unitFolders.user;
    const timer = join(folder, 'wsusutil-sync.timer');
    mkdirSync(folder, { recursive: true });
    const foreign = [
      () => writeFileSync(timer, '[Timer]\nOnCalendar=daily\n'),
      () => writeFileSync(timer, Buffer.alloc(300_000, '#')),
      () => symlinkSync('/dev/null', timer), // how systemctl masks a unit
      () => symlinkSync('/nowhere', timer),
      () => mkdirSync(timer),
    ];
    for (const make of foreign) {
      make();
      for (const command of [scheduleInstall, scheduleRemove] as readonly CommandDeclaration[]) {
        await expect(run(command)).rejects.toMatchObject({
          code: 'SAFETY_REFUSED',
          message: expect.stringContaining(timer),
          hint: expect.stringContaining('--name'),
        });
      }
      expect(readdirSync(folder)).toEqual(['wsusutil-sync.timer']);
      expect((await run(schedule)).result).toMatchObject({ timers: [{ state: 'foreign' }] });
      rmSync(timer, { recursive: true });
    }
  },
);

test.skipIf(process.platform === 'win32')('two data directories have two timers', async () => {
  const folder = testFolder();
  const usual = await placeWith(FOUR_A_DAY);
  const other = await placeWith(FOUR_A_DAY, { usualDataDirectory: usual.path });
  await usual.run(scheduleInstall, { options: { directory: folder } });
  await other.run(scheduleInstall, { options: { directory: folder } });
  const names = readdirSync(folder).filter((name) => name.endsWith('.timer'));
  expect(names).toHaveLength(2);
  expect(names).toEqual([expect.stringMatching(/^wsusutil-sync-[0-9a-f]{8}\.timer$/), 'wsusutil-sync.timer']);
  await expect(
    other.run(scheduleInstall, { options: { directory: folder, name: 'wsusutil-sync' } }),
  ).rejects.toMatchObject({ code: 'SAFETY_REFUSED' });
});

test('where systemd does not run, install gives lines for cron and is not complete', async () => {
  const { run, path } = await placeWith(DAY_AFTER, { platform: 'darwin', hasSystemd: false });
  const line = `0 6 9-15 * * /usr/bin/node /opt/wsusutil/bin/wsusutil.js sync --scheduled --data-dir ${path}\n`;
  const installed = await run(scheduleInstall);
  expect(installed).toMatchObject({ status: 'incomplete', result: { installed: false } });
  if (process.platform !== 'win32') expect(textOf(installed)).toContain(line);
  expect(textOf(await run(schedule))).toContain('  0 6 9-15 * * ');
  expect(await run(scheduleRemove)).toMatchObject({ status: 'complete', result: { removed: [] } });
});

test('on Windows install writes a task beside the store, which stays as it is on later days', async () => {
  const { run, path } = await placeWith(FOUR_A_DAY, {
    platform: 'win32',
    hasSystemd: false,
    userId: undefined,
    userName: 'CORP\\wsus',
  });
  const task = join(path, 'wsusutil-sync.xml');
  const installed = await run(scheduleInstall);
  expect(installed.result).toMatchObject({
    files: [task],
    commands: [
      expect.stringMatching(/^schtasks \/Create \/TN wsusutil-sync \/XML .*wsusutil-sync\.xml"? \/F$/),
    ],
  });
  const text = readFileSync(task, 'utf16le');
  expect(text).toContain('<UserId>CORP\\wsus</UserId>');
  expect(text).toContain('<StartBoundary>2026-11-02T03:00:00</StartBoundary>');
  writeFileSync(task, text.replaceAll('2026-11-02', '2026-10-01'), 'utf16le');
  expect(await run(scheduleInstall)).toMatchObject({ result: { changed: false } });
  expect((await run(schedule)).result).toMatchObject({ timers: [{ path: task, state: 'current' }] });
  expect((await run(scheduleRemove)).result).toEqual({
    removed: [task],
    commands: ['schtasks /Delete /TN wsusutil-sync /F'],
  });
});

test.each([
  ['systemd', 'OnCalendar=*-*-* 03,09,15,21:00:00\n'],
  ['cron', '0 3,9,15,21 * * * sleep '],
  ['schtasks', 'schtasks /Create /TN wsusutil-sync /SC DAILY /ST 03:00'],
  ['task-xml', '<RandomDelay>PT30M</RandomDelay>\r\n'],
])('print --format %s gives all of it, as bytes that no terminal breaks', async (format, expected) => {
  const { run } = await placeWith(FOUR_A_DAY, { nodePath: '/n', scriptPath: '/s', platform: 'linux' });
  const { view, result } = await run(schedulePrint, { options: { format } });
  expect(view).toMatchObject({ kind: 'raw' });
  expect(result.text).toContain(expected);
});

test('the program finds Node.js and itself', async () => {
  const folder = testFolder();
  expect((await runMain(['schedule', 'set', '--first-at', '03:00'], folder)).exitCode).toBe(0);
  const { exitCode, stdout } = await runMain(['schedule', 'print', '--format', 'cron', '--json'], folder);
  expect(exitCode).toBe(0);
  const { text } = JSON.parse(stdout) as { text: string };
  expect(text).toContain('wsusutil.js');
  expect(text).toContain(' sync --scheduled --data-dir ');
  const names = await runMain(['schedule', 'print', '--name', 'a b'], folder);
  expect(names.exitCode).toBe(2);
  const both = await runMain(['schedule', 'install', '--user', '--system'], folder);
  expect(both.exitCode).toBe(2);
});
