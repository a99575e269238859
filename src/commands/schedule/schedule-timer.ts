/** The timer that belongs to a schedule, on this machine: what it is made of, and what an administrator types. */
import { createHash } from 'node:crypto';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { WsusutilError } from '../../errors.js';
import type { Schedule } from '../../model/schedule.js';
import { readSettings } from '../../settings/settings.js';
import { quoteForShell, quoteForWindows, type ScheduledCommand } from '../../sync/schedule/command-line.js';
import { writeCronLines } from '../../sync/schedule/cron-lines.js';
import { type UnitScope, unitMark, writeSystemdUnits } from '../../sync/schedule/systemd-units.js';
import {
  inspectTimerFile,
  ownerOf,
  type TimerFile,
  type TimerFileState,
} from '../../sync/schedule/timer-files.js';
import {
  dayAfter,
  encodeTaskXml,
  taskMark,
  writeSchtasksLines,
  writeTaskXml,
} from '../../sync/schedule/windows-task.js';
import type { CommandContext, DataDirectory, Machine } from '../context.js';

export const TIMER_FORMATS = ['systemd', 'cron', 'schtasks', 'task-xml'] as const;
export type TimerFormat = (typeof TIMER_FORMATS)[number];

/** Options that say where a timer goes and what it is called. */
export const PLACE_OPTIONS = {
  system: {
    type: 'boolean',
    description: 'systemd: units of the machine, in /etc/systemd/system (default for root)',
  },
  user: {
    type: 'boolean',
    description: 'systemd: units of this user, in ~/.config/systemd/user (default for all others)',
  },
  directory: {
    type: 'string',
    value: 'dir',
    completes: 'directory',
    description: 'Write or look for the files there instead',
  },
  name: {
    type: 'string',
    value: 'name',
    description:
      'Name of the timer (default: wsusutil-sync, with a suffix for another data directory than the usual)',
  },
} as const;

export interface PlaceOptions {
  readonly system: boolean;
  readonly user: boolean;
  readonly directory: string | undefined;
  readonly name: string | undefined;
}

/** @throws WsusutilError `USAGE` */
export function checkPlace({ system, user, name }: PlaceOptions): void {
  if (system && user) {
    throw new WsusutilError('USAGE', 'options --system and --user exclude each other', {
      hint: 'Leave one of them out.',
    });
  }
  // What systemd, file names and a command line take without quotation marks.
  if (name !== undefined && !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/.test(name)) {
    throw new WsusutilError('USAGE', `"${name}" is no name for a timer`, {
      hint: 'Use letters, digits, "-", "_" and "."; at most 100.',
    });
  }
}

export const USUAL_PLACE: PlaceOptions = {
  system: false,
  user: false,
  directory: undefined,
  name: undefined,
};

/** Everything a timer follows from. */
export interface TimerSurroundings {
  readonly machine: Machine;
  readonly directory: DataDirectory;
  readonly schedule: Schedule | undefined;
  readonly now: Date;
}

export async function surroundingsOf(context: CommandContext): Promise<TimerSurroundings> {
  if (context.machine === undefined) throw new Error('timers need a context with a machine');
  const directory = await context.dataDirectory();
  const { schedule } = await readSettings(directory.settingsPath);
  return { machine: await context.machine(), directory, schedule, now: context.now() };
}

/** @throws WsusutilError `SETTINGS_INVALID` if there is none */
export function requireSchedule({ schedule }: TimerSurroundings): Schedule {
  if (schedule !== undefined) return schedule;
  throw new WsusutilError('SETTINGS_INVALID', 'No schedule is set: synchronisation runs by hand only', {
    hint: 'Set one first, as in "wsusutil schedule set --first-at 03:00 --per-day 4".',
  });
}

/** What `install` makes here: units where systemd runs, a task on Windows; undefined: no files, a line for cron. */
export function installedFormat(
  machine: Machine,
  { system, user, directory }: PlaceOptions,
): 'systemd' | 'task-xml' | undefined {
  if (machine.platform === 'win32') return 'task-xml';
  const isAskedFor = system || user || directory !== undefined;
  return machine.hasSystemd || isAskedFor ? 'systemd' : undefined;
}

export function scopeOf(
  machine: Machine,
  { system, user }: Pick<PlaceOptions, 'system' | 'user'>,
): UnitScope {
  return system || (!user && machine.userId === 0) ? 'system' : 'user';
}

/** `wsusutil-sync`; with the beginning of a digest for a data directory that somebody has chosen. */
export function timerNameOf({ machine, directory }: TimerSurroundings, name?: string): string {
  if (name !== undefined) return name;
  if (resolve(directory.path) === resolve(machine.usualDataDirectory)) return 'wsusutil-sync';
  return `wsusutil-sync-${createHash('sha256').update(directory.path).digest('hex').slice(0, 8)}`;
}

export function commandOf({ machine, directory }: TimerSurroundings): ScheduledCommand {
  return {
    nodePath: machine.nodePath,
    scriptPath: machine.scriptPath,
    dataDirectory: directory.path,
  };
}

/** A stand-in for files that are looked for or removed while no schedule is set: only names and marks count then. */
const ANY_SCHEDULE: Schedule = { firstAt: '00:00', perDay: 1, randomOffset: 0 };

/** The service and its timer. */
export async function unitFilesOf(
  surroundings: TimerSurroundings,
  options: PlaceOptions,
): Promise<readonly TimerFile[]> {
  const { machine, directory, schedule = ANY_SCHEDULE } = surroundings;
  const scope = scopeOf(machine, options);
  const folder = options.directory === undefined ? machine.unitFolders[scope] : resolve(options.directory);
  const units = writeSystemdUnits({
    command: commandOf(surroundings),
    schedule,
    name: timerNameOf(surroundings, options.name),
    scope,
    account: scope === 'system' ? await ownerOf(directory.path) : undefined,
    writablePaths: writablePathsOf(directory),
  });
  const mark = Buffer.from(`${unitMark(directory.path)}\n`);
  return units.map(({ name, text }) => ({ path: join(folder, name), bytes: Buffer.from(text), mark }));
}

function writablePathsOf({ path, contentRoot }: DataDirectory): readonly string[] {
  const inside = relative(path, contentRoot);
  return inside.startsWith('..') || isAbsolute(inside) ? [path, contentRoot] : [path];
}

/** The task beside the data directory's other files. */
export function taskFileOf(surroundings: TimerSurroundings, options: PlaceOptions): TimerFile {
  const { directory } = surroundings;
  const folder = options.directory === undefined ? directory.path : resolve(options.directory);
  const bytes = encodeTaskXml(taskXmlOf(surroundings));
  return {
    path: join(folder, `${timerNameOf(surroundings, options.name)}.xml`),
    bytes,
    mark: taskMark(),
    isAsGood: (found) => withoutDays(found) === withoutDays(bytes),
  };
}

/** On which day a task began does not matter later. */
function withoutDays(bytes: Buffer): string {
  return bytes.toString('utf16le').replaceAll(/<StartBoundary>[\d-]*/g, '');
}

function taskXmlOf(surroundings: TimerSurroundings): string {
  const { machine, schedule = ANY_SCHEDULE, now } = surroundings;
  return writeTaskXml({
    command: commandOf(surroundings),
    schedule,
    userName: machine.userName,
    startDay: dayAfter(now),
  });
}

/** Files of the timer `install` would make here; none where cron has to do. */
export async function timerFilesOf(
  surroundings: TimerSurroundings,
  options: PlaceOptions,
): Promise<readonly TimerFile[]> {
  switch (installedFormat(surroundings.machine, options)) {
    case 'systemd':
      return unitFilesOf(surroundings, options);
    case 'task-xml':
      return [taskFileOf(surroundings, options)];
    default:
      return [];
  }
}

/** The worst of them counts; a timer whose files are partly there is `different`. */
export async function stateOf(files: readonly TimerFile[]): Promise<TimerFileState> {
  const states = await Promise.all(files.map(inspectTimerFile));
  if (states.includes('foreign')) return 'foreign';
  if (states.every((state) => state === 'absent')) return 'absent';
  return states.every((state) => state === 'current') ? 'current' : 'different';
}

/** The timer as text in one of the formats. @throws WsusutilError `SETTINGS_INVALID`, `SAFETY_REFUSED` */
export async function timerText(
  format: TimerFormat,
  surroundings: TimerSurroundings,
  options: PlaceOptions,
): Promise<string> {
  const schedule = requireSchedule(surroundings);
  switch (format) {
    case 'systemd': {
      const files = await unitFilesOf(surroundings, options);
      return files.map(({ path, bytes }) => `# ${path}\n${Buffer.from(bytes).toString()}`).join('\n');
    }
    case 'cron':
      return lined(writeCronLines(schedule, commandOf(surroundings)));
    case 'schtasks': {
      const lines = writeSchtasksLines(
        timerNameOf(surroundings, options.name),
        schedule,
        commandOf(surroundings),
      );
      if (lines !== undefined) return lined(lines);
      throw new WsusutilError('SAFETY_REFUSED', 'The command line is longer than schtasks takes', {
        hint: 'Use "wsusutil schedule print --format task-xml", which has no such limit.',
      });
    }
    case 'task-xml':
      return taskXmlOf(surroundings);
  }
}

function lined(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

/** What is typed once the files are there, so that the timer runs. */
export function startingLines(
  surroundings: TimerSurroundings,
  options: PlaceOptions,
  files: readonly TimerFile[],
): readonly string[] {
  const { machine } = surroundings;
  const name = timerNameOf(surroundings, options.name);
  if (installedFormat(machine, options) === 'task-xml') {
    const path = files[0]?.path ?? '';
    return [`schtasks /Create /TN ${quoteForWindows(name)} /XML ${quoteForWindows(path)} /F`];
  }
  const scope = scopeOf(machine, options);
  const systemctl = scope === 'user' ? 'systemctl --user' : 'systemctl';
  return [
    // "restart": a timer that runs already goes on with its old times after "enable --now".
    `${systemctl} daemon-reload && ${systemctl} enable --now ${name}.timer && ${systemctl} restart ${name}.timer`,
    ...(scope === 'user' ? [`loginctl enable-linger ${quoteForShell(machine.userName)}`] : []),
  ];
}

/** What is typed once the files are gone. */
export function stoppingLines(surroundings: TimerSurroundings, options: PlaceOptions): readonly string[] {
  const { machine } = surroundings;
  const name = timerNameOf(surroundings, options.name);
  if (installedFormat(machine, options) === 'task-xml') {
    return [`schtasks /Delete /TN ${quoteForWindows(name)} /F`];
  }
  const systemctl = scopeOf(machine, options) === 'user' ? 'systemctl --user' : 'systemctl';
  return [`${systemctl} stop ${name}.timer; ${systemctl} daemon-reload`];
}
