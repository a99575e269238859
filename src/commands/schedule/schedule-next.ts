import { WsusutilError } from '../../errors.js';
import { isMonthly, nextRuns } from '../../model/schedule.js';
import { defineCommand } from '../declaration.js';
import { isoInstant } from '../quantities.js';
import { requireSchedule, surroundingsOf } from './schedule-timer.js';
import { formatLocal, offsetOf, weekdayOf } from './schedule-words.js';

const DEFAULT_COUNT = 5;
const MAX_COUNT = 1_000;

export const scheduleNext = defineCommand({
  name: 'schedule next',
  summary: 'Show the next times at which synchronisation runs by itself',
  description: ['Shows the next times of the schedule, in local time.'],
  inRealTool: false,
  needsDataDirectory: true,
  csv: true,
  positionals: [],
  options: {
    count: { type: 'string', value: 'count', description: `So many of them (default: ${DEFAULT_COUNT})` },
  },
  examples: ['wsusutil schedule next --count 12'],
  check({ options }) {
    countOf(options.count);
  },
  async run({ options }, context) {
    const surroundings = await surroundingsOf(context);
    const schedule = requireSchedule(surroundings);
    const runs = nextRuns(schedule, surroundings.now, countOf(options.count));
    const offset = isMonthly(schedule) ? 0 : schedule.randomOffset;
    return {
      status: 'complete',
      result: { runs: runs.map((run) => isoInstant(run.getTime())), randomOffset: offset },
      view: {
        kind: 'table',
        columns: [{ title: 'Day' }, { title: 'Local time' }, { title: 'Zone' }, { title: 'UTC' }],
        rows: runs.map((run) => [
          weekdayOf(run),
          formatLocal(run),
          offsetOf(run),
          isoInstant(run.getTime()).slice(0, 16).replace('T', ' '),
        ]),
        emptyText: 'There is none.',
        ...(offset === 0
          ? {}
          : {
              footer: () => `Each begins up to ${offset} minute${offset === 1 ? '' : 's'} later, at random.`,
            }),
      },
    };
  },
});

/** @throws WsusutilError `USAGE` */
function countOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_COUNT;
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (count === 0 || count > MAX_COUNT) {
    throw new WsusutilError('USAGE', `"${text}" is not a count`, {
      hint: `Give a number from 1 to ${MAX_COUNT}.`,
    });
  }
  return count;
}
