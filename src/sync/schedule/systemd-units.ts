/** A service and its timer for systemd: systemd.service(5), systemd.exec(5), systemd.timer(5). */
import { describeSchedule, isMonthly, type Schedule } from '../../model/schedule.js';
import { argumentsOf, quoteForSystemd, type ScheduledCommand } from './command-line.js';
import { onCalendarOf } from './on-calendar.js';

/** `user`: units of one account's own systemd, which starts with its first login unless it lingers. */
export type UnitScope = 'user' | 'system';

export interface SystemdOptions {
  readonly command: ScheduledCommand;
  readonly schedule: Schedule;
  /** both units are called so */
  readonly name: string;
  readonly scope: UnitScope;
  /** numbers of the account that owns the data directory; undefined: root, or the user's own systemd */
  readonly account: { readonly userId: number; readonly groupId: number } | undefined;
  /** folders the run writes to, the data directory among them */
  readonly writablePaths: readonly string[];
}

/** Files by name. */
export interface UnitFile {
  readonly name: string;
  readonly text: string;
}

/**
 * What every kernel with seccomp can do. Neither here nor below may be `MemoryDenyWriteExecute`: V8 compiles while it
 * runs. AF_NETLINK is for the resolver of the C library.
 */
const PLAIN_HARDENING = [
  'NoNewPrivileges=yes',
  'LockPersonality=yes',
  'RestrictRealtime=yes',
  'RestrictSUIDSGID=yes',
  'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK',
  'SystemCallArchitectures=native',
];

/** What needs mount namespaces: a user's own systemd may have none, and its services would fail to start. */
const SYSTEM_HARDENING = [
  'ProtectSystem=strict',
  'ProtectHome=read-only',
  'PrivateDevices=yes',
  'ProtectClock=yes',
  'ProtectControlGroups=yes',
  'ProtectHostname=yes',
  'ProtectKernelLogs=yes',
  'ProtectKernelModules=yes',
  'ProtectKernelTunables=yes',
  'RestrictNamespaces=yes',
  'SystemCallFilter=@system-service',
  'SystemCallErrorNumber=EPERM',
];

/** First line of each unit: what `schedule install` may replace and `schedule remove` may take out. */
export function unitMark(dataDirectory: string): string {
  return `# Written by "wsusutil schedule install" for the data directory ${dataDirectory}`;
}

export function writeSystemdUnits(options: SystemdOptions): readonly [service: UnitFile, timer: UnitFile] {
  const { name, command, schedule, scope, account, writablePaths } = options;
  const [program = '', ...words] = argumentsOf(command);
  const start = [quoteForSystemd(program, false), ...words.map((word) => quoteForSystemd(word))].join(' ');
  // The path is not the last word: a line that ends with "\\" goes on in the next one.
  const what = (suffix: string) =>
    `Description=WSUS synchronisation of ${command.dataDirectory.replaceAll('%', '%%')} ${suffix}`;
  const isSystem = scope === 'system';
  const paths = [...writablePaths, command.nodePath, command.scriptPath];
  const service = [
    unitMark(command.dataDirectory),
    '[Unit]',
    what('by wsusutil'),
    // There is no such target in a user's own systemd.
    ...(isSystem ? ['Wants=network-online.target', 'After=network-online.target'] : []),
    '',
    '[Service]',
    'Type=oneshot',
    `ExecStart=${start}`,
    '# 130: stopped by "systemctl stop"; what was done so far is kept',
    'SuccessExitStatus=130',
    ...(isSystem && account !== undefined ? [`User=${account.userId}`, `Group=${account.groupId}`] : []),
    ...PLAIN_HARDENING,
    ...(isSystem ? SYSTEM_HARDENING : []),
    ...(isSystem && !paths.some(isTemporary) ? ['PrivateTmp=yes'] : []),
    // Without capabilities root, too, is held to the owner and mode of files; those of other accounts are its job here.
    ...(isSystem
      ? [`CapabilityBoundingSet=${account === undefined ? 'CAP_DAC_OVERRIDE CAP_FOWNER' : ''}`]
      : []),
    // "-": one that is not there yet must not keep the service from starting
    ...(isSystem ? writablePaths.map((path) => `ReadWritePaths=${quoteForSystemd(`-${path}`, false)}`) : []),
  ];
  const timer = [
    unitMark(command.dataDirectory),
    '[Unit]',
    what(`(${describeSchedule(schedule)})`),
    '',
    '[Timer]',
    ...onCalendarOf(schedule).map((event) => `OnCalendar=${event}`),
    ...(!isMonthly(schedule) && schedule.randomOffset > 0
      ? [`RandomizedDelaySec=${schedule.randomOffset}min`]
      : []),
    'AccuracySec=1min',
    '# a run that was missed while the machine was off is caught up',
    'Persistent=true',
    '',
    '[Install]',
    'WantedBy=timers.target',
  ];
  return [
    { name: `${name}.service`, text: `${service.join('\n')}\n` },
    { name: `${name}.timer`, text: `${timer.join('\n')}\n` },
  ];
}

/** A folder of its own in place of `/tmp` would hide it. */
function isTemporary(path: string): boolean {
  return /^(?:\/var)?\/tmp(?:\/|$)/.test(path);
}
