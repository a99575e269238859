/**
 * What clients of a server have to be told: Group Policy as its editor names it (Microsoft, "Deploy Windows Server Update
 * Services", 2.4), and the same as a registry file for machines without a domain.
 */

/** "Configure automatic updating" */
export const AUTO_UPDATE_MODES = {
  notify: { code: 2, text: 'Notify for download and notify for install' },
  download: { code: 3, text: 'Auto download and notify for install' },
  schedule: { code: 4, text: 'Auto download and schedule the install' },
  'local-admin': { code: 5, text: 'Allow local admin to choose setting' },
} as const;
export type AutoUpdateMode = keyof typeof AUTO_UPDATE_MODES;

export const INSTALL_DAYS = [
  'every-day',
  'sunday',
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
] as const;
export type InstallDay = (typeof INSTALL_DAYS)[number];

export interface ClientPolicy {
  /** `http://name:8530` or `https://name:8531`, without a slash at its end */
  readonly url: string;
  /** group that clients name themselves; undefined: none */
  readonly group: string | undefined;
  readonly mode: AutoUpdateMode;
  /** for `schedule` */
  readonly day: InstallDay;
  /** 0 … 23, the client's time; for `schedule` */
  readonly hour: number;
  /** hours between two detections, 1 … 22; undefined: Windows decides */
  readonly detectionHours: number | undefined;
}

export interface PolicySetting {
  /** as the editor shows it, below `Windows Components > Windows Update` */
  readonly name: string;
  readonly fields: readonly (readonly [label: string, value: string])[];
}

export const POLICY_PATH =
  'Computer Configuration > Policies > Administrative Templates > Windows Components > Windows Update';
const KEY = 'HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate';

export function policySettings(policy: ClientPolicy): readonly PolicySetting[] {
  const { url, group, mode, day, hour, detectionHours } = policy;
  return [
    {
      name: 'Specify intranet Microsoft update service location',
      fields: [
        ['Set the intranet update service for detecting updates', url],
        ['Set the intranet statistics server', url],
      ],
    },
    {
      name: 'Configure Automatic Updates',
      fields: [
        ['Configure automatic updating', `${AUTO_UPDATE_MODES[mode].code} - ${AUTO_UPDATE_MODES[mode].text}`],
        ...(mode === 'schedule'
          ? ([
              ['Scheduled install day', `${INSTALL_DAYS.indexOf(day)} - ${day.replace('-', ' ')}`],
              ['Scheduled install time', `${String(hour).padStart(2, '0')}:00`],
            ] as const)
          : []),
      ],
    },
    ...(group === undefined
      ? []
      : [
          {
            name: 'Enable client-side targeting',
            fields: [['Target group name for this computer', group]] as const,
          },
        ]),
    ...(detectionHours === undefined
      ? []
      : [
          {
            name: 'Automatic Updates detection frequency',
            fields: [
              ['Check for updates at the following interval (hours)', String(detectionHours)],
            ] as const,
          },
        ]),
  ];
}

/** Text of a `.reg` file, lines ended by CR LF; to be stored as UTF-16LE with a byte order mark. */
export function registryFile(policy: ClientPolicy): string {
  const { url, group, mode, day, hour, detectionHours } = policy;
  const lines = [
    'Windows Registry Editor Version 5.00',
    '',
    `[${KEY}]`,
    text('WUServer', url),
    text('WUStatusServer', url),
    ...(group === undefined ? [] : [number('TargetGroupEnabled', 1), text('TargetGroup', group)]),
    '',
    `[${KEY}\\AU]`,
    number('UseWUServer', 1),
    number('NoAutoUpdate', 0),
    number('AUOptions', AUTO_UPDATE_MODES[mode].code),
    ...(mode === 'schedule'
      ? [number('ScheduledInstallDay', INSTALL_DAYS.indexOf(day)), number('ScheduledInstallTime', hour)]
      : []),
    ...(detectionHours === undefined
      ? []
      : [number('DetectionFrequencyEnabled', 1), number('DetectionFrequency', detectionHours)]),
    '',
  ];
  return lines.map((line) => `${line}\r\n`).join('');
}

function text(name: string, value: string): string {
  return `"${name}"="${value.replaceAll(/["\\]/g, '\\$&')}"`;
}

function number(name: string, value: number): string {
  return `"${name}"=dword:${value.toString(16).padStart(8, '0')}`;
}
