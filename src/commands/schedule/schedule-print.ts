import { defineCommand } from '../declaration.js';
import {
  checkPlace,
  installedFormat,
  PLACE_OPTIONS,
  surroundingsOf,
  TIMER_FORMATS,
  type TimerFormat,
  timerText,
} from './schedule-timer.js';

export const schedulePrint = defineCommand({
  name: 'schedule print',
  summary: 'Print the timer for the schedule, whatever starts it',
  description: [
    'Prints what starts a synchronisation at the times that are set; it writes nothing. Without --format it is what "wsusutil schedule install" writes here, or lines for cron where there is neither systemd nor Windows.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [],
  options: {
    format: {
      type: 'string',
      value: 'format',
      choices: TIMER_FORMATS,
      description:
        'systemd: a service and its timer; cron: lines for crontab; schtasks: a command line for Windows; task-xml: a task for its Task Scheduler',
    },
    ...PLACE_OPTIONS,
  },
  notes: [
    'cron and the Task Scheduler cannot say "some days after the second Tuesday": they start the program on every day that may be the one, and "sync --scheduled" ends at once on the others.',
    'schtasks knows neither a random offset nor catching up with what was missed; task-xml has both.',
  ],
  examples: [
    'wsusutil schedule print --format cron',
    'wsusutil schedule print --format task-xml > wsusutil-sync.xml',
  ],
  check({ options }) {
    checkPlace(options);
  },
  async run({ options }, context) {
    const surroundings = await surroundingsOf(context);
    const format: TimerFormat =
      (options.format as TimerFormat | undefined) ?? installedFormat(surroundings.machine, options) ?? 'cron';
    const text = await timerText(format, surroundings, options);
    return {
      status: 'complete',
      result: { format, text },
      view: { kind: 'raw', bytes: Buffer.from(text) },
    };
  },
});
