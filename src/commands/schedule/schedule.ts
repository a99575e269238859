import {
  type CalendarDay,
  describeSchedule,
  formatTime,
  missingTimes,
  nextRuns,
  type Schedule,
  type TimeOfDay,
  twoDigits,
} from '../../model/schedule.js';
import { defineCommand } from '../declaration.js';
import type { View } from '../outcome.js';
import { isoInstant } from '../quantities.js';
import {
  installedFormat,
  type PlaceOptions,
  scopeOf,
  stateOf,
  surroundingsOf,
  type TimerSurroundings,
  timerFilesOf,
  timerText,
  USUAL_PLACE,
} from './schedule-timer.js';
import { formatLocal, offsetOf, weekdayOf } from './schedule-words.js';

export const schedule = defineCommand({
  name: 'schedule',
  summary: 'Show when synchronisation runs by itself, and the timer for it',
  description: [
    'Shows the schedule that is set, its next run, and the timer for it. Nothing of this program runs all the time: a timer of systemd, of cron or of the Windows Task Scheduler starts "wsusutil sync --scheduled" and leaves the rest to it.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [],
  options: {},
  notes: [
    'A timer names Node.js and this program by their full paths. When either of them moves, as with an update under a version manager, run "wsusutil schedule install" again.',
    'Times are local. Where clocks go forward, a time that the day does not have is left out; where they go back, one that it has twice counts once.',
  ],
  examples: [
    'wsusutil schedule set --first-at 03:00 --per-day 4 --random-offset 30',
    'wsusutil schedule set --day-after-patch-tuesday --at 06:00',
    'wsusutil schedule install',
  ],
  async run(_input, context) {
    const surroundings = await surroundingsOf(context);
    const { schedule: set, now } = surroundings;
    const timers = await timersOf(surroundings);
    const [next] = set === undefined ? [] : nextRuns(set, now, 1);
    const leftOut = set === undefined ? [] : missingTimes(set, now);
    const isInstalled = timers.some(({ state }) => state === 'current');
    const preview = set === undefined || isInstalled ? undefined : await previewOf(surroundings);
    return {
      status: 'complete',
      result: {
        schedule: set ?? null,
        next: next === undefined ? null : isoInstant(next.getTime()),
        leftOut: leftOut.map(({ day, time }) => `${formatDayOf(day)}T${formatTime(time)}`),
        timers,
        wouldBe: preview === undefined ? null : preview.lines,
      },
      view: [
        {
          kind: 'fields',
          fields: [
            [
              'Schedule',
              set === undefined ? 'none: synchronisation runs by hand only' : describeSchedule(set),
            ],
            [
              'Next run',
              next === undefined ? undefined : `${weekdayOf(next)} ${formatLocal(next)} (${offsetOf(next)})`,
            ],
            ['Left out', leftOut.map(describeLeftOut)],
            [
              'Timer',
              timers.length === 0 ? 'none installed by this program' : timers.map(describeTimer(set)),
            ],
          ],
        },
        ...(preview === undefined ? [] : [preview.title, preview.text]),
      ],
    };
  },
});

interface FoundTimer {
  readonly path: string;
  readonly state: 'current' | 'different' | 'foreign';
  /** what `install` and `remove` need to come upon it */
  readonly option: '' | ' --system' | ' --user';
}

/** Timers under the name this data directory's would have, in the folders of the machine and of the user. */
async function timersOf(surroundings: TimerSurroundings): Promise<readonly FoundTimer[]> {
  const { machine } = surroundings;
  const usual =
    installedFormat(machine, USUAL_PLACE) === 'systemd' ? scopeOf(machine, USUAL_PLACE) : undefined;
  const scopes = machine.platform === 'win32' ? [undefined] : (['system', 'user'] as const);
  const found: FoundTimer[] = [];
  for (const scope of scopes) {
    const place: PlaceOptions = scope === undefined ? USUAL_PLACE : { ...USUAL_PLACE, [scope]: true };
    const files = await timerFilesOf(surroundings, place);
    const state = await stateOf(files);
    if (state === 'absent') continue;
    const option = scope === undefined || scope === usual ? '' : (` --${scope}` as const);
    found.push({ path: files.at(-1)?.path ?? '', state, option });
  }
  return found;
}

function describeTimer(set: Schedule | undefined): (timer: FoundTimer) => string {
  return ({ path, state, option }) => {
    if (state === 'foreign') return `${path} is there, and not written by this program`;
    if (set === undefined) return `${path} is there: "wsusutil schedule remove${option}" takes it out`;
    return state === 'current'
      ? `${path} fits the schedule`
      : `${path} does not fit: run "wsusutil schedule install${option}"`;
  };
}

/** Which timer there could be: when it fires, and how it comes to be. */
async function previewOf(
  surroundings: TimerSurroundings,
): Promise<{ readonly title: View; readonly text: View; readonly lines: readonly string[] }> {
  const format = installedFormat(surroundings.machine, USUAL_PLACE);
  const text = await timerText(format ?? 'cron', surroundings, USUAL_PLACE);
  const lines = text
    .split(/\r?\n/)
    .filter((line) => (format === undefined ? line !== '' : WHEN_LINES[format].test(line)))
    .map((line) => line.trim());
  const title =
    format === undefined
      ? 'There is no systemd here; "crontab -e" takes:'
      : `"wsusutil schedule install" would write a timer ("wsusutil schedule print" shows all of it):`;
  return {
    lines,
    title: { kind: 'lines', lines: [title] },
    // Bytes: lines that are typed into something else must not be broken.
    text: { kind: 'raw', bytes: Buffer.from(lines.map((line) => `  ${line}\n`).join('')) },
  };
}

const WHEN_LINES = {
  systemd: /^(?:# \/|OnCalendar=|RandomizedDelaySec=|ExecStart=|User=)/,
  'task-xml': /<(?:StartBoundary|RandomDelay|Day|DaysInterval|Command|Arguments|UserId)>/,
} as const;

function describeLeftOut({ day, time }: { readonly day: CalendarDay; readonly time: TimeOfDay }): string {
  return `${formatDayOf(day)} ${formatTime(time)}: clocks go forward over it`;
}

function formatDayOf({ year, month, day }: CalendarDay): string {
  return `${year}-${twoDigits(month)}-${twoDigits(day)}`;
}
