import { readSettings } from '../../settings/settings.js';
import { defineCommand } from '../declaration.js';
import {
  describeSetting,
  KEY_POSITIONAL,
  requireSettingName,
  settingJson,
  settingWords,
} from './setting-values.js';

export const configGet = defineCommand({
  name: 'config get',
  summary: 'Show one setting',
  description: [
    'Prints the value of one setting, a list with one entry on each line. With --json: null where it is not set.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [KEY_POSITIONAL],
  options: {},
  examples: ['wsusutil config get upstreamServer', 'wsusutil config get products --json'],
  check({ positionals }) {
    requireSettingName(positionals.key);
  },
  async run({ positionals }, context) {
    const name = requireSettingName(positionals.key);
    const { settingsPath } = await context.dataDirectory();
    const settings = await readSettings(settingsPath);
    const words = settingWords(name, settings);
    return {
      status: 'complete',
      result: { key: name, value: settingJson(name, settings) },
      view: { kind: 'lines', lines: words.length === 0 ? [describeSetting(name, settings)] : words },
    };
  },
});
