import {
  isDefault,
  readSettings,
  SETTING_NAMES,
  type SettingName,
  type Settings,
  settingInfo,
} from '../../settings/settings.js';
import { defineCommand } from '../declaration.js';
import { problemsOf } from './change-settings.js';
import { describeSetting, settingJson } from './setting-values.js';

export const config = defineCommand({
  name: 'config',
  summary: 'Show the settings: update source, proxies, what to synchronise, schedule',
  description: [
    'Shows every setting with its value, what applies when it is not set, and what it is for. They are kept in settings.json of the data directory, which only its owner can read; a password is shown as (set).',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  csv: true,
  positionals: [],
  options: { changed: { type: 'boolean', description: 'Only settings that differ from their defaults' } },
  examples: ['wsusutil config', 'wsusutil config --changed', 'wsusutil config get updateSource'],
  async run({ options }, context) {
    const { settingsPath } = await context.dataDirectory();
    const settings = await readSettings(settingsPath);
    const changed = SETTING_NAMES.filter((name) => !isDefault(name, settings));
    for (const problem of problemsOf(settings)) context.report({ type: 'warning', ...problem });
    const shown = options.changed ? changed : SETTING_NAMES;
    return {
      status: 'complete',
      result: {
        settings: Object.fromEntries(shown.map((name) => [name, settingJson(name, settings)])),
        changed,
      },
      view: {
        kind: 'table',
        columns: [
          { title: 'Key' },
          { title: 'Value' },
          { title: 'Meaning', flexible: true, secondary: true },
        ],
        rows: shown.map((name) => rowOf(name, settings)),
        emptyText: 'Every setting has its default.',
      },
    };
  },
});

function rowOf(name: SettingName, settings: Settings): readonly string[] {
  const { description, choices, changedBy } = settingInfo(name);
  const notes = [
    choices === undefined ? undefined : choices.join(', '),
    changedBy === undefined ? undefined : `set by ${changedBy}`,
  ].filter((note) => note !== undefined);
  return [
    name,
    describeSetting(name, settings),
    notes.length === 0 ? description : `${description} (${notes.join('; ')})`,
  ];
}
