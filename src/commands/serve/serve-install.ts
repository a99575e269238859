/** How `serve` runs as a service: a hardened unit for systemd, and what to type on Windows. */
import { quoteForSystemd, quoteForWindows } from '../../sync/schedule/command-line.js';
import type { Machine } from '../context.js';

const SERVICE_NAME = 'wsusutil-serve';
const ACCOUNT = 'wsusutil';

/** Paths are absolute. */
export interface ServicePlace {
  readonly dataDirectory: string;
  /** the folder that holds `WsusContent` */
  readonly contentRoot: string;
  /** what `serve` is given besides the data directory */
  readonly words: readonly string[];
  /** folder of the access log, if there is one */
  readonly logFolder: string | undefined;
  /** one of them is below 1024 */
  readonly hasLowPort: boolean;
}

export function systemdUnit({ nodePath, scriptPath }: Machine, place: ServicePlace): string {
  const { dataDirectory, contentRoot, words, hasLowPort, logFolder } = place;
  const paths = [nodePath, scriptPath, dataDirectory, contentRoot, logFolder ?? ''];
  const command = [
    quoteForSystemd(nodePath, false),
    ...[scriptPath, 'serve', ...words, '--data-dir', dataDirectory].map((word) => quoteForSystemd(word)),
  ].join(' ');
  const lines = [
    '[Unit]',
    'Description=WSUS upstream server by wsusutil',
    'Wants=network-online.target',
    'After=network-online.target',
    '',
    '[Service]',
    'Type=exec',
    `ExecStart=${command}`,
    `User=${ACCOUNT}`,
    `Group=${ACCOUNT}`,
    'Restart=on-failure',
    'RestartSec=5',
    '# finishes what is under way, for 30 seconds at most',
    'KillSignal=SIGTERM',
    'TimeoutStopSec=45',
    'LimitNOFILE=8192',
    'UMask=0077',
    'NoNewPrivileges=yes',
    `AmbientCapabilities=${hasLowPort ? 'CAP_NET_BIND_SERVICE' : ''}`,
    `CapabilityBoundingSet=${hasLowPort ? 'CAP_NET_BIND_SERVICE' : ''}`,
    'LockPersonality=yes',
    'PrivateDevices=yes',
    // A folder of its own in place of /tmp would hide what lies there.
    ...(paths.some((path) => /^(?:\/var)?\/tmp(?:\/|$)/.test(path)) ? [] : ['PrivateTmp=yes']),
    'ProtectClock=yes',
    'ProtectControlGroups=yes',
    'ProtectHome=read-only',
    'ProtectHostname=yes',
    'ProtectKernelLogs=yes',
    'ProtectKernelModules=yes',
    'ProtectKernelTunables=yes',
    'ProtectProc=invisible',
    'ProtectSystem=strict',
    'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX',
    'RestrictNamespaces=yes',
    'RestrictRealtime=yes',
    'RestrictSUIDSGID=yes',
    'SystemCallArchitectures=native',
    'SystemCallFilter=@system-service',
    'SystemCallErrorNumber=EPERM',
    '# the key of cookies, and what SQLite needs beside the store it reads',
    ...[dataDirectory, logFolder]
      .filter((path) => path !== undefined)
      .map((path) => `ReadWritePaths=${quoteForSystemd(path, false)}`),
    ...(contentRoot === dataDirectory ? [] : [`ReadOnlyPaths=${quoteForSystemd(contentRoot, false)}`]),
    '',
    '[Install]',
    'WantedBy=multi-user.target',
  ];
  return `${lines.join('\n')}\n`;
}

/** Paragraphs for people; the unit is among them. */
export function installHelp(machine: Machine, place: ServicePlace): readonly string[] {
  const { dataDirectory, words } = place;
  const onWindows = [machine.nodePath, machine.scriptPath, 'serve', ...words, '--data-dir', dataDirectory]
    .map(quoteForWindows)
    .join(' ');
  return [
    `Linux: save this as /etc/systemd/system/${SERVICE_NAME}.service`,
    '',
    ...systemdUnit(machine, place).trimEnd().split('\n'),
    '',
    'then, as root:',
    '',
    `useradd --system --home-dir ${quoteForSystemd(dataDirectory, false)} --shell /usr/sbin/nologin ${ACCOUNT}`,
    `chown -R ${ACCOUNT}: ${quoteForSystemd(dataDirectory, false)}`,
    `systemctl daemon-reload && systemctl enable --now ${SERVICE_NAME}`,
    '',
    'The account that imports and synchronises has to be the same, or both have to be in a group that may write there.',
    '',
    'Windows: a program has to be made a service by a wrapper, as WinSW or NSSM; it starts',
    '',
    onWindows,
    '',
    'under an account of its own that may read the data directory and the content folder and write serve.key. Have the wrapper stop it with Ctrl-C, so that it finishes what is under way. Without a wrapper: a task in the Task Scheduler that runs at startup, whether a user is logged on or not, without a time limit.',
    '',
    'Health: GET /health/live answers 200 while the process runs, GET /health/ready answers 200 while it takes requests and can read its store, and 503 otherwise.',
  ];
}
