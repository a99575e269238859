import { defaultSettings, SETTING_NAMES, type Settings } from '../../settings/settings.js';
import { defineCommand } from '../declaration.js';
import { changeSettings, problemsOf } from './change-settings.js';
import { refuseOthers } from './config-set.js';
import { describeSetting, requireSettingName, settingJson } from './setting-values.js';

export const configUnset = defineCommand({
  name: 'config unset',
  summary: 'Set settings back to their defaults',
  description: ['Takes settings out of the settings file: what applies without them applies again.'],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [
    {
      name: 'key',
      description: 'Names of settings, in any case',
      required: true,
      variadic: true,
      kind: 'text',
      suggests: SETTING_NAMES,
    },
  ],
  options: {},
  examples: ['wsusutil config unset useProxy', 'wsusutil config unset proxyUser proxyPassword'],
  check({ positionals }) {
    for (const key of positionals.key) refuseOthers(requireSettingName(key));
  },
  async run({ positionals }, context) {
    const names = [...new Set(positionals.key.map(requireSettingName))];
    const defaults = defaultSettings();
    const { before, after } = await changeSettings(
      context,
      (settings): Settings => ({
        ...settings,
        ...Object.fromEntries(names.map((name) => [name, defaults[name]])),
      }),
    );
    for (const problem of problemsOf(after)) context.report({ type: 'warning', ...problem });
    return {
      status: 'complete',
      result: {
        keys: names,
        settings: Object.fromEntries(names.map((name) => [name, settingJson(name, after)])),
        before: Object.fromEntries(names.map((name) => [name, settingJson(name, before)])),
      },
      view: { kind: 'lines', lines: names.map((name) => `${name}: ${describeSetting(name, after)}`) },
    };
  },
});
