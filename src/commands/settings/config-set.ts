import { WsusutilError } from '../../errors.js';
import { type SettingName, type Settings, settingInfo } from '../../settings/settings.js';
import type { CommandContext } from '../context.js';
import { defineCommand } from '../declaration.js';
import { checkSecretOptions, readSecret, SECRET_OPTIONS, type SecretOptions } from '../secret-options.js';
import { changeSettings, problemsOf, waitingSetting, warnOfLackingLanguages } from './change-settings.js';
import {
  describeSections,
  describeSetting,
  KEY_POSITIONAL,
  readSettingValue,
  requireSettingName,
  settingJson,
} from './setting-values.js';

export const configSet = defineCommand({
  name: 'config set',
  summary: 'Change one setting',
  description: [
    'Sets one setting. Switches take on and off, lists several words, sizes 500K or 2M, the schedule its parts as firstAt=03:00 perDay=4.',
    'A password is never an argument, where other users of the machine would see it: it is asked for without being shown, read from standard input where that is a pipe, or taken from a variable or a file.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [
    KEY_POSITIONAL,
    {
      name: 'value',
      description: 'Its value; of a list, all its values. None for a password',
      required: false,
      variadic: true,
      kind: 'text',
    },
  ],
  options: SECRET_OPTIONS,
  notes: describeSections(),
  examples: [
    'wsusutil config set updateSource upstream',
    'wsusutil config set upstreamServer wsus01.corp.example',
    'wsusutil config set languages de en',
    'wsusutil config set schedule firstAt=03:00 perDay=4 randomOffset=30',
    'wsusutil config set proxyPassword --from-env PROXY_PASSWORD',
  ],
  check({ positionals: { key, value }, options }) {
    const name = requireSettingName(key);
    refuseOthers(name);
    if (settingInfo(name).isSecret === true) {
      if (value.length > 0) {
        throw new WsusutilError('USAGE', `${name} is not taken as an argument, where others can read it`, {
          hint: `Change it where it is in use, since it may be in the history of your shell by now; then run "wsusutil config set ${name}" alone.`,
        });
      }
      checkSecretOptions(options);
    } else {
      const source = Object.keys(SECRET_OPTIONS).find(
        (each) => options[each as keyof SecretOptions] !== undefined,
      );
      if (source !== undefined) {
        throw new WsusutilError('USAGE', `--${source} is for passwords; ${name} is none`, {
          hint: `Write the value behind ${name}.`,
        });
      }
      readSettingValue(name, value);
    }
  },
  async run({ positionals, options }, context) {
    const name = requireSettingName(positionals.key);
    const isSecret = settingInfo(name).isSecret === true;
    const words = isSecret ? [await readSecret(options, context, `${name} (not shown)`)] : positionals.value;
    const value = readSettingValue(name, words);
    const { before, after } = await changeSettings(context, async (settings, store) => {
      const changed: Settings = { ...settings, [name]: value };
      if (name === 'languages') await warnOfLackingLanguages(changed, store, context.report);
      return changed;
    });
    reportProblems(name, after, context);
    const line = `${name}: ${describeSetting(name, after)}`;
    const was = describeSetting(name, before);
    const isSame = JSON.stringify(before[name]) === JSON.stringify(after[name]);
    return {
      status: 'complete',
      result: { key: name, value: settingJson(name, after), before: settingJson(name, before) },
      view: {
        kind: 'lines',
        lines: [isSecret ? line : isSame ? `${line}, as before` : `${line}, was ${was}`],
      },
    };
  },
});

/** @throws WsusutilError `USAGE` for a key that only another command can change */
export function refuseOthers(name: SettingName): void {
  const { changedBy } = settingInfo(name);
  if (changedBy === undefined) return;
  throw new WsusutilError('USAGE', `${name} is not changed here: more than the settings depends on it`, {
    hint: `Use ${changedBy}.`,
  });
}

function reportProblems(name: SettingName, settings: Settings, { report }: CommandContext): void {
  const waiting = waitingSetting(name, settings);
  const problems = waiting === undefined ? problemsOf(settings) : [waiting];
  for (const problem of problems) report({ type: 'warning', ...problem });
}
