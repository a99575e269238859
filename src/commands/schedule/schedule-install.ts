import { type TimerFile, writeTimerFiles } from '../../sync/schedule/timer-files.js';
import { defineCommand } from '../declaration.js';
import type { Outcome } from '../outcome.js';
import {
  checkPlace,
  PLACE_OPTIONS,
  requireSchedule,
  startingLines,
  surroundingsOf,
  type TimerSurroundings,
  timerFilesOf,
  timerText,
} from './schedule-timer.js';

export const scheduleInstall = defineCommand({
  name: 'schedule install',
  summary: 'Write the timer for the schedule, and say how it is started',
  description: [
    'Writes a service and a timer of systemd, or on Windows a task for the Task Scheduler beside the store, and prints the command that starts it. It changes nothing else of the system. Where there is neither, it prints lines for cron.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [],
  options: PLACE_OPTIONS,
  notes: [
    'The service runs as the account that owns the data directory, and may write there and into the content directory only. Run it again after the schedule, the content directory, or the place of Node.js or of this program has changed.',
    'Only a file that this command wrote for the same data directory is replaced.',
  ],
  examples: ['sudo wsusutil schedule install --data-dir /srv/wsus', 'wsusutil schedule install --user'],
  check({ options }) {
    checkPlace(options);
  },
  async run({ options }, context) {
    const surroundings = await surroundingsOf(context);
    requireSchedule(surroundings);
    const files = await timerFilesOf(surroundings, options);
    if (files.length === 0) return cronOutcome(surroundings, options);
    const isNew = await writeTimerFiles(files);
    return installedOutcome(files, isNew, startingLines(surroundings, options, files));
  },
});

function installedOutcome(files: readonly TimerFile[], isNew: boolean, commands: readonly string[]): Outcome {
  const paths = files.map(({ path }) => path);
  return {
    status: 'complete',
    result: { installed: true, files: paths, changed: isNew, commands },
    view: [
      {
        kind: 'lines',
        lines: [
          ...paths.map((path) => (isNew ? `Wrote ${path}` : `As it was: ${path}`)),
          'To start the timer, run:',
        ],
      },
      { kind: 'raw', bytes: Buffer.from(commands.map((line) => `  ${line}\n`).join('')) },
    ],
  };
}

/** Nothing was installed: that is not complete. */
async function cronOutcome(
  surroundings: TimerSurroundings,
  options: Parameters<typeof timerText>[2],
): Promise<Outcome> {
  const text = await timerText('cron', surroundings, options);
  return {
    status: 'incomplete',
    result: { installed: false, files: [], changed: false, commands: ['crontab -e'], crontab: text },
    view: [
      {
        kind: 'lines',
        lines: ['Nothing was installed: systemd does not run here. With "crontab -e" add:'],
      },
      { kind: 'raw', bytes: Buffer.from(text) },
    ],
  };
}
