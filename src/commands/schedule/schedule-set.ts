import { errorText, WsusutilError } from '../../errors.js';
import { describeSchedule, nextRuns, type Schedule } from '../../model/schedule.js';
import { parseSetting, readSettings, writeSettings } from '../../settings/settings.js';
import { type CommandInput, defineCommand } from '../declaration.js';
import { isoInstant } from '../quantities.js';
import { formatLocal, offsetOf, weekdayOf } from './schedule-words.js';

const OPTIONS = {
  'first-at': {
    type: 'string',
    value: 'HH:MM',
    description: 'Each day: time of the first run',
  },
  'per-day': {
    type: 'string',
    value: 'count',
    description: 'Each day: so many runs, evenly spread, 1 to 24 (default: 1)',
  },
  'random-offset': {
    type: 'string',
    value: 'minutes',
    description: 'Each day: every run begins at most so much later, at random (default: 0)',
  },
  'day-after-patch-tuesday': {
    type: 'boolean',
    description: 'Each month: on the day after the second Tuesday, on which Microsoft publishes updates',
  },
  'days-after-second-tuesday': {
    type: 'string',
    value: 'days',
    description: 'Each month: so many days after the second Tuesday, 0 to 27',
  },
  at: { type: 'string', value: 'HH:MM', description: 'Each month: time of the run' },
  manual: { type: 'boolean', description: 'No schedule: synchronise by hand only' },
} as const;

export const scheduleSet = defineCommand({
  name: 'schedule set',
  summary: 'Set when synchronisation runs by itself',
  description: [
    'Sets the schedule: so many times a day from a first one on, as in the WSUS console, or once a month after the second Tuesday. "wsusutil schedule install" makes the timer for it.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [],
  options: OPTIONS,
  examples: [
    'wsusutil schedule set --first-at 03:00 --per-day 4 --random-offset 30',
    'wsusutil schedule set --day-after-patch-tuesday --at 06:00',
    'wsusutil schedule set --days-after-second-tuesday 5 --at 22:00',
    'wsusutil schedule set --manual',
  ],
  check({ options }) {
    scheduleOf(options);
  },
  async run({ options }, context) {
    const schedule = scheduleOf(options);
    const { settingsPath } = await context.dataDirectory();
    const store = await context.openStore('write'); // holds the writer lock for the settings
    try {
      await writeSettings(settingsPath, { ...(await readSettings(settingsPath)), schedule });
    } finally {
      await store.close();
    }
    const [next] = schedule === undefined ? [] : nextRuns(schedule, context.now(), 1);
    return {
      status: 'complete',
      result: {
        schedule: schedule ?? null,
        next: next === undefined ? null : isoInstant(next.getTime()),
      },
      view: {
        kind: 'lines',
        lines:
          schedule === undefined || next === undefined
            ? [
                'Synchronisation runs by hand only.',
                'A timer that is installed goes on; "wsusutil schedule remove" takes it out.',
              ]
            : [
                `Synchronisation: ${describeSchedule(schedule)}.`,
                `Next: ${weekdayOf(next)} ${formatLocal(next)} (${offsetOf(next)}), once its timer is there: "wsusutil schedule install".`,
              ],
      },
    };
  },
});

type Options = CommandInput<readonly [], typeof OPTIONS>['options'];

/** Parts of the setting, and the options they come from. */
const PARTS = {
  firstAt: 'first-at',
  perDay: 'per-day',
  randomOffset: 'random-offset',
  daysAfterSecondTuesday: 'days-after-second-tuesday',
  at: 'at',
} as const;

/** @throws WsusutilError `USAGE` */
function scheduleOf(options: Options): Schedule | undefined {
  const isGiven = Object.values(PARTS).some((name) => options[name] !== undefined);
  if (options.manual) {
    if (!isGiven && !options['day-after-patch-tuesday']) return undefined;
    throw new WsusutilError('USAGE', '--manual excludes every other option of schedule set', {
      hint: 'Leave it out to set a schedule.',
    });
  }
  if (options['day-after-patch-tuesday'] && options['days-after-second-tuesday'] !== undefined) {
    throw new WsusutilError(
      'USAGE',
      'options --day-after-patch-tuesday and --days-after-second-tuesday exclude each other',
      { hint: 'The first one is short for --days-after-second-tuesday 1.' },
    );
  }
  if (!isGiven && !options['day-after-patch-tuesday']) {
    throw new WsusutilError('USAGE', 'schedule set is missing when to synchronise', {
      hint: 'Give --first-at for each day, --day-after-patch-tuesday with --at for each month, or --manual.',
    });
  }
  const value: Record<string, string | number> = options['day-after-patch-tuesday']
    ? { daysAfterSecondTuesday: 1 }
    : {};
  for (const [part, name] of Object.entries(PARTS)) {
    const given = options[name];
    if (given !== undefined) {
      const isNumber = part !== 'firstAt' && part !== 'at' && /^\d{1,6}$/.test(given);
      value[part] = isNumber ? Number(given) : given;
    }
  }
  try {
    return parseSetting('schedule', value);
  } catch (error) {
    throw new WsusutilError('USAGE', inOptions(errorText(error)), {
      hint: 'Each day: --first-at, --per-day, --random-offset. Each month: --day-after-patch-tuesday or --days-after-second-tuesday, with --at.',
    });
  }
}

/** "is wrong: perDay must be …" of the settings as one says it of the command line. */
function inOptions(message: string): string {
  const parts = Object.keys(PARTS).join('|');
  const text = message
    .replace(/^is wrong: /, '')
    .replaceAll(new RegExp(`\\b(${parts})\\b`, 'g'), (part) =>
      Object.hasOwn(PARTS, part) ? `--${PARTS[part as keyof typeof PARTS]}` : part,
    );
  return text.startsWith('--') ? text : `the schedule ${text}`;
}
