import { removeTimerFiles } from '../../sync/schedule/timer-files.js';
import { defineCommand } from '../declaration.js';
import { checkPlace, PLACE_OPTIONS, stoppingLines, surroundingsOf, timerFilesOf } from './schedule-timer.js';

export const scheduleRemove = defineCommand({
  name: 'schedule remove',
  summary: 'Take out the timer that schedule install wrote, and say how it is stopped',
  description: [
    'Removes the files of the timer and prints the command that makes the system forget it. The schedule stays set; "wsusutil schedule set --manual" unsets it. A line in a crontab is taken out with "crontab -e".',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [],
  options: PLACE_OPTIONS,
  examples: ['sudo wsusutil schedule remove --data-dir /srv/wsus'],
  check({ options }) {
    checkPlace(options);
  },
  async run({ options }, context) {
    const surroundings = await surroundingsOf(context);
    const files = await timerFilesOf(surroundings, options);
    const removed = await removeTimerFiles(files);
    const commands = removed.length === 0 ? [] : stoppingLines(surroundings, options);
    const nowhere = files.map(({ path }) => path).join(', ');
    return {
      status: 'complete',
      result: { removed, commands },
      view:
        removed.length === 0
          ? {
              kind: 'lines',
              lines: [
                nowhere === ''
                  ? 'Nothing to remove: systemd does not run here. A line in a crontab is taken out with "crontab -e".'
                  : `Nothing to remove: there is no ${nowhere}`,
              ],
            }
          : [
              {
                kind: 'lines',
                lines: [...removed.map((path) => `Removed ${path}`), 'To stop the timer, run:'],
              },
              { kind: 'raw', bytes: Buffer.from(commands.map((line) => `  ${line}\n`).join('')) },
            ],
    };
  },
});
