/**
 * What `healthmonitoring` sets and `checkhealth` goes by: the parameters of the real tool (cli-surface 10), as one key
 * of the settings file that holds only what differs from the defaults:
 *
 *     "healthMonitoring": { "DiskSpaceInMegabytes": [500, 2000], "CheckAcls": false }
 */
import { nearestName } from '../model/nearest-name.js';

interface NumericParameter {
  /** one per value, in the order of the command line */
  readonly labels: readonly string[];
  readonly unit: string;
  /** the real tool's where they are documented (IntervalsInMinutes, DiskSpaceInMegabytes), else ours */
  readonly defaults: readonly number[];
  /** how two values are ordered; undefined: they have nothing to do with each other */
  readonly order?: 'rising' | 'falling';
  readonly max?: number;
  /** whether checkhealth looks at it here */
  readonly isUsed: boolean;
}

const PERCENT = { labels: ['Warning level', 'Error level'], unit: '%', max: 100, isUsed: false } as const;

export const NUMERIC_PARAMETERS = {
  IntervalsInMinutes: {
    labels: ['Detect interval', 'Refresh interval'],
    unit: 'min',
    defaults: [10, 360],
    isUsed: false,
  },
  DiskSpaceInMegabytes: {
    labels: ['Error level', 'Warning level'],
    unit: 'MB',
    defaults: [200, 500],
    order: 'rising',
    isUsed: true,
  },
  CatalogSyncIntervalInDays: { labels: ['Warning after'], unit: 'days', defaults: [35], isUsed: true },
  InstallUpdatesInPercent: { ...PERCENT, defaults: [5, 10], order: 'rising' },
  InventoryInPercent: { ...PERCENT, defaults: [5, 10], order: 'rising' },
  SilentClientsInPercent: { ...PERCENT, defaults: [10, 20], order: 'rising' },
  SilentClientsInDays: { labels: ['Silent after'], unit: 'days', defaults: [10], isUsed: false },
  TargetComputersInPercent: { ...PERCENT, defaults: [80, 60], order: 'falling' },
} as const satisfies Readonly<Record<string, NumericParameter>>;

/** Switches; true: checkhealth looks at it here, the others are kept for scripts that set them. */
export const SWITCHES = {
  CheckAcls: true,
  CheckForLowDiskSpace: true,
  CheckForCatalogSyncFailures: true,
  CheckForContentSyncFailures: true,
  CheckForEmailNotificationFailures: false,
  CheckSelfUpdate: false,
  CheckClientsExist: false,
  CheckForUpdateInstallFailures: false,
  CheckForInventoryFailures: false,
  CheckForSilentClients: false,
  CheckForTooManyClients: false,
  CheckReportingWebService: false,
  CheckApiRemotingWebService: false,
  CheckServerSyncWebService: false,
  CheckClientWebService: false,
  CheckSimpleAuthWebService: false,
  CheckDssAuthWebService: false,
} as const satisfies Readonly<Record<string, boolean>>;

export type NumericName = keyof typeof NUMERIC_PARAMETERS;
export type SwitchName = keyof typeof SWITCHES;

/** Only what was set. */
export type HealthMonitoring = {
  readonly [K in NumericName]?: readonly number[];
} & { readonly [K in SwitchName]?: boolean };

export const NUMERIC_NAMES = Object.keys(NUMERIC_PARAMETERS) as NumericName[];
export const SWITCH_NAMES = Object.keys(SWITCHES) as SwitchName[];

export function numericParameter(name: NumericName): NumericParameter {
  return NUMERIC_PARAMETERS[name];
}

export function numericValues(set: HealthMonitoring | undefined, name: NumericName): readonly number[] {
  return set?.[name] ?? NUMERIC_PARAMETERS[name].defaults;
}

export function isSwitchedOn(set: HealthMonitoring | undefined, name: SwitchName): boolean {
  return set?.[name] ?? true;
}

/** @returns what is wrong with the values, completing "DiskSpaceInMegabytes …"; undefined: nothing */
export function problemWithValues(name: NumericName, values: readonly unknown[]): string | undefined {
  const { labels, order, max, unit } = numericParameter(name);
  if (values.length !== labels.length) {
    return `takes ${labels.length === 1 ? 'one value' : `${labels.length} values`}, got ${values.length}`;
  }
  const limit = max ?? 2_147_483_647;
  const wrong = values.find(
    (value) => typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > limit,
  );
  if (wrong !== undefined) return `takes whole numbers from 0 to ${limit}, got ${JSON.stringify(wrong)}`;
  const [first, second] = values as [number, number?];
  if (second !== undefined && order !== undefined && (order === 'rising' ? first > second : first < second)) {
    const than = order === 'rising' ? 'above' : 'below';
    return `has its ${labels[0]?.toLowerCase()} (${first} ${unit}) ${than} its ${labels[1]?.toLowerCase()} (${second} ${unit})`;
  }
  return undefined;
}

/** Throws a plain Error that completes the sentence "healthMonitoring …". */
export function parseHealthMonitoring(value: unknown): HealthMonitoring {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`must be an object, got ${JSON.stringify(value)}`);
  }
  for (const [name, entry] of Object.entries(value)) {
    const numeric = NUMERIC_NAMES.find((each) => each === name);
    if (numeric !== undefined) {
      const problem = Array.isArray(entry) ? problemWithValues(numeric, entry) : 'takes a list of numbers';
      if (problem !== undefined) throw new Error(`is wrong: ${name} ${problem}`);
    } else if (SWITCH_NAMES.some((each) => each === name)) {
      if (typeof entry !== 'boolean') throw new Error(`is wrong: ${name} must be true or false`);
    } else {
      const near = nearestName(name, [...NUMERIC_NAMES, ...SWITCH_NAMES]);
      throw new Error(`has an unknown key "${name}"${near === undefined ? '' : `, did you mean "${near}"?`}`);
    }
  }
  return value as HealthMonitoring;
}
