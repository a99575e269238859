import { WsusutilError } from '../../errors.js';
import { nearestName } from '../../model/nearest-name.js';
import {
  isSwitchedOn,
  NUMERIC_NAMES,
  type NumericName,
  numericParameter,
  numericValues,
  problemWithValues,
  SWITCH_NAMES,
  SWITCHES,
  type SwitchName,
} from '../../settings/health-monitoring.js';
import { readSettings, type Settings, writeSettings } from '../../settings/settings.js';
import { defineCommand } from '../declaration.js';
import type { Outcome } from '../outcome.js';

export const healthmonitoring = defineCommand({
  name: 'healthmonitoring',
  summary: 'Show or set the thresholds and switches of checkhealth',
  description: [
    'Shows one parameter, or sets it to the values behind it. Without a parameter it shows all of them. Names are taken in any case.',
  ],
  inRealTool: true,
  needsDataDirectory: true,
  positionals: [
    {
      name: 'parameter',
      description: 'A number parameter or a switch, see below',
      required: false,
      kind: 'text',
    },
    {
      name: 'values',
      description: 'Its numbers, or on or off; left out: the parameter is shown',
      required: false,
      variadic: true,
      kind: 'text',
    },
  ],
  options: {},
  notes: [
    `Number parameters, with their values in order: ${NUMERIC_NAMES.map((name) => `${name} (${numericParameter(name).labels.join(', ').toLowerCase()})`).join('; ')}.`,
    `Switches: ${SWITCH_NAMES.join(', ')}.`,
    'Parameters about clients, mail and web services are kept for scripts that set them; checkhealth has no use for them.',
  ],
  examples: [
    'wsusutil healthmonitoring DiskSpaceInMegabytes',
    'wsusutil healthmonitoring DiskSpaceInMegabytes 500 2000',
    'wsusutil healthmonitoring CheckAcls off',
  ],
  check({ positionals }) {
    if (positionals.parameter !== undefined) read(positionals.parameter, positionals.values);
  },
  async run({ positionals }, context) {
    const { settingsPath } = await context.dataDirectory();
    if (positionals.parameter === undefined) return showAll(await readSettings(settingsPath));
    const request = read(positionals.parameter, positionals.values);
    if (positionals.values.length === 0) return show(request.name, await readSettings(settingsPath));
    const store = await context.openStore('write'); // holds the writer lock for the settings
    try {
      const before = await readSettings(settingsPath);
      const value = 'numbers' in request ? request.numbers : request.isOn;
      const after = { ...before, healthMonitoring: { ...before.healthMonitoring, [request.name]: value } };
      await writeSettings(settingsPath, after);
      const shown = show(request.name, after);
      return 'numbers' in request
        ? shown
        : {
            ...shown,
            view: {
              kind: 'lines',
              lines: [
                `${request.name}: ${request.isOn ? 'on' : 'off'}. It takes effect with the next checkhealth.`,
              ],
            },
          };
    } finally {
      await store.close();
    }
  },
});

type Request =
  | { readonly name: NumericName; readonly numbers: readonly number[] }
  | { readonly name: SwitchName; readonly isOn: boolean | undefined };

/** @throws WsusutilError `USAGE` */
function read(parameter: string, values: readonly string[]): Request {
  const wanted = parameter.toLowerCase();
  const numeric = NUMERIC_NAMES.find((name) => name.toLowerCase() === wanted);
  if (numeric !== undefined) {
    const numbers = values.map((value) => (/^\d{1,10}$/.test(value) ? Number(value) : Number.NaN));
    const problem = values.length === 0 ? undefined : problemWithValues(numeric, numbers);
    if (problem !== undefined) {
      const wrong = values.find((value) => !/^\d{1,10}$/.test(value));
      const { labels, unit } = numericParameter(numeric);
      throw new WsusutilError(
        'USAGE',
        wrong === undefined ? `${numeric} ${problem}` : `${numeric}: "${wrong}" is not a whole number`,
        { hint: `Its values are, in this order: ${labels.join(', ')} (${unit}).` },
      );
    }
    return { name: numeric, numbers };
  }
  const name = SWITCH_NAMES.find((each) => each.toLowerCase() === wanted);
  if (name === undefined) {
    const known = [...NUMERIC_NAMES, ...SWITCH_NAMES];
    const near = nearestName(parameter, known);
    throw new WsusutilError('USAGE', `"${parameter}" is no parameter of healthmonitoring`, {
      hint: near === undefined ? 'Run it without a parameter to see all.' : `Did you mean ${near}?`,
    });
  }
  if (values.length === 0) return { name, isOn: undefined };
  const state = values[0]?.toLowerCase();
  if (values.length > 1 || (state !== 'on' && state !== 'off')) {
    throw new WsusutilError('USAGE', `${name} is a switch: on or off, got "${values.join(' ')}"`, {
      hint: `Write "wsusutil healthmonitoring ${name} on".`,
    });
  }
  return { name, isOn: state === 'on' };
}

function show(name: NumericName | SwitchName, settings: Settings): Outcome {
  const line = lineOf(name, settings);
  return {
    status: 'complete',
    result: { parameter: name, value: currentValue(name, settings), isUsed: isUsed(name) },
    view: {
      kind: 'lines',
      lines: isUsed(name)
        ? [line]
        : [line, 'checkhealth has no use for it here; it is kept for scripts that set it.'],
    },
  };
}

function showAll(settings: Settings): Outcome {
  const names = [...NUMERIC_NAMES, ...SWITCH_NAMES];
  return {
    status: 'complete',
    result: {
      parameters: Object.fromEntries(names.map((name) => [name, currentValue(name, settings)])),
      used: names.filter(isUsed),
    },
    view: [
      {
        kind: 'fields',
        title: 'Used by checkhealth',
        fields: names.filter(isUsed).map((name) => [name, lineOf(name, settings)]),
      },
      {
        kind: 'fields',
        title: 'Kept for scripts that set them',
        fields: names.filter((name) => !isUsed(name)).map((name) => [name, lineOf(name, settings)]),
      },
    ],
  };
}

function isNumeric(name: NumericName | SwitchName): name is NumericName {
  return name in { ...Object.fromEntries(NUMERIC_NAMES.map((each) => [each, true])) };
}

function isUsed(name: NumericName | SwitchName): boolean {
  return isNumeric(name) ? numericParameter(name).isUsed : SWITCHES[name];
}

function currentValue(
  name: NumericName | SwitchName,
  { healthMonitoring }: Settings,
): readonly number[] | boolean {
  return isNumeric(name) ? numericValues(healthMonitoring, name) : isSwitchedOn(healthMonitoring, name);
}

/** `Error level: 200 MB, Warning level: 500 MB`, as the real tool writes it; `on` or `off` for a switch. */
function lineOf(name: NumericName | SwitchName, settings: Settings): string {
  const value = currentValue(name, settings);
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (!isNumeric(name)) return '';
  const { labels, unit } = numericParameter(name);
  return labels.map((label, index) => `${label}: ${value[index]} ${unit}`).join(', ');
}
