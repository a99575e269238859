import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { WsusutilError } from '../../errors.js';
import { isFullName } from '../../serve/certificate.js';
import {
  AUTO_UPDATE_MODES,
  type AutoUpdateMode,
  type ClientPolicy,
  INSTALL_DAYS,
  type InstallDay,
  POLICY_PATH,
  policySettings,
  registryFile,
} from '../../serve/client-policy.js';
import { writeRegistryFile } from '../../serve/registry-file.js';
import { serverSslOf, serverUrlOf } from '../../settings/server-ssl.js';
import { readSettings, type Settings } from '../../settings/settings.js';
import { defineCommand } from '../declaration.js';
import type { View } from '../outcome.js';

const MAX_GROUP_LENGTH = 256;
const DEFAULT_HOUR = 3;

export const clientPolicy = defineCommand({
  name: 'client-policy',
  summary: 'Print what clients have to be told: Group Policy values and a registry file',
  description: [
    'Names the settings of the Group Policy editor, with their values, that send Windows clients to this server, and prints the same as a registry file for machines without a domain. Nothing is changed.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [
    {
      name: 'url',
      description: 'Address of the server; default: that of "configuressl", or http://<this machine>:8530',
      required: false,
      kind: 'text',
    },
  ],
  options: {
    group: {
      type: 'strings',
      value: 'name',
      description: 'Computer group the clients join (client-side targeting)',
    },
    mode: {
      type: 'string',
      value: 'mode',
      description: 'How updates are installed; default download',
      choices: Object.keys(AUTO_UPDATE_MODES),
    },
    day: {
      type: 'string',
      value: 'day',
      description: 'Day of installation, with --mode schedule; default every-day',
      choices: INSTALL_DAYS,
    },
    hour: {
      type: 'string',
      value: 'hour',
      description: `Hour of installation, 0 to 23, with --mode schedule; default ${DEFAULT_HOUR}`,
    },
    'detect-every': {
      type: 'string',
      value: 'hours',
      description: 'Hours between two checks for updates, 1 to 22',
    },
    reg: {
      type: 'string',
      value: 'file',
      description: 'Write the registry file here instead of printing it',
      completes: 'file',
    },
  },
  examples: [
    'wsusutil client-policy https://wsus.corp.example:8531 --group Servers',
    'wsusutil client-policy --mode schedule --day sunday --hour 4 --reg wsus.reg',
  ],
  check({ positionals, options }) {
    policyOf(positionals.url ?? 'http://localhost:8530', options);
  },
  async run({ positionals, options }, context) {
    const directory = await context.findDataDirectory();
    const url = positionals.url ?? ownUrl(await readSettings(directory.settingsPath));
    const policy = policyOf(url, options);
    const text = registryFile(policy);
    const settings = policySettings(policy);
    const target = options.reg === undefined ? undefined : resolve(options.reg);
    if (target !== undefined) await writeRegistryFile(target, text);
    const view: View[] = [
      { kind: 'lines', lines: [POLICY_PATH, ''] },
      ...settings.map(({ name, fields }): View => ({ kind: 'fields', title: `${name}: Enabled`, fields })),
      {
        kind: 'lines',
        lines:
          target === undefined
            ? ['', 'As a registry file:', '', ...text.trimEnd().split('\r\n')]
            : ['', `The registry file is ${target}`],
      },
    ];
    return {
      status: 'complete',
      result: {
        url: policy.url,
        policyPath: POLICY_PATH,
        settings,
        registryFile: text,
        writtenTo: target ?? null,
      },
      view,
    };
  },
});

/** The address that clients of this server use. */
export function ownUrl(settings: Settings): string {
  const ssl = serverSslOf(settings);
  return ssl === undefined ? `http://${hostname().toLowerCase()}:8530` : serverUrlOf(ssl);
}

interface PolicyOptions {
  readonly group: readonly string[];
  readonly mode: string | undefined;
  readonly day: string | undefined;
  readonly hour: string | undefined;
  readonly 'detect-every': string | undefined;
}

/** @throws WsusutilError `USAGE` */
function policyOf(address: string, options: PolicyOptions): ClientPolicy {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (
    url === undefined ||
    !/^https?:$/.test(url.protocol) ||
    url.username !== '' ||
    url.pathname !== '/' ||
    url.search !== ''
  ) {
    throw new WsusutilError('USAGE', `"${address}" is not the address of a server`, {
      hint: 'Write http://name:8530 or https://name:8531.',
    });
  }
  if (url.protocol === 'https:' && !isFullName(url.hostname) && !url.hostname.startsWith('[')) {
    throw new WsusutilError('USAGE', `${url.hostname} is not a fully qualified name`, {
      hint: 'Clients need one for HTTPS, as wsus.corp.example; the certificate must have it.',
    });
  }
  const mode = (options.mode ?? 'download') as AutoUpdateMode;
  if (mode !== 'schedule' && (options.day !== undefined || options.hour !== undefined)) {
    throw new WsusutilError('USAGE', '--day and --hour need --mode schedule', {
      hint: 'Add --mode schedule, or leave them out.',
    });
  }
  const group = options.group.length === 0 ? undefined : options.group.join(';');
  if (
    group !== undefined &&
    (group.length > MAX_GROUP_LENGTH || /\p{Cc}/u.test(group) || group.trim() === '')
  ) {
    throw new WsusutilError('USAGE', 'The name of the group is empty, too long or of more than one line', {
      hint: `Names of groups have up to ${MAX_GROUP_LENGTH} characters.`,
    });
  }
  return {
    url: withPort(url),
    group,
    mode,
    day: (options.day ?? 'every-day') as InstallDay,
    hour: wholeNumber('--hour', options.hour, 0, 23) ?? DEFAULT_HOUR,
    detectionHours: wholeNumber('--detect-every', options['detect-every'], 1, 22),
  };
}

/** With its port, even the usual one: "make sure to specify which port is going to be used". */
function withPort({ protocol, hostname: name, port }: URL): string {
  return `${protocol}//${name}:${port === '' ? (protocol === 'https:' ? 443 : 80) : port}`;
}

function wholeNumber(option: string, text: string | undefined, from: number, to: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d{1,3}$/.test(text) && value >= from && value <= to) return value;
  throw new WsusutilError('USAGE', `${option} is "${text}", expected ${from} to ${to}`, {
    hint: 'Give a whole number.',
  });
}
