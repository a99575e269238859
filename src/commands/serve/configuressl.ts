import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { isWsusutilError, WsusutilError } from '../../errors.js';
import {
  type CertificateFinding,
  isFullName,
  judgeCertificate,
  loadCertificate,
  type ServerCertificate,
} from '../../serve/certificate.js';
import { probeServer } from '../../serve/check-ssl.js';
import { POLICY_PATH, policySettings, registryFile } from '../../serve/client-policy.js';
import { writeSelfSigned } from '../../serve/self-signed.js';
import {
  type CertificateSource,
  contentPortOf,
  type ServerSsl,
  serverSslOf,
  serverUrlOf,
} from '../../settings/server-ssl.js';
import { parseSetting, readSettings, type Settings } from '../../settings/settings.js';
import type { CommandContext } from '../context.js';
import { defineCommand } from '../declaration.js';
import type { Outcome, View } from '../outcome.js';
import { checkSecretOptions, readSecret, SECRET_OPTIONS, type SecretOptions } from '../secret-options.js';
import { changeSettings } from '../settings/change-settings.js';

const LEVEL_TEXTS = { pass: 'pass', warning: 'WARNING', fail: 'FAIL' } as const;

export const configuressl = defineCommand({
  name: 'configuressl',
  summary: 'Set up SSL for "serve": name, certificate and port',
  description: [
    'Stores the name under which clients and downstream servers know this server, and its certificate, and prints the address they use from now on. "serve" then answers the services of synchronisation with HTTPS only and gives out content files on the port below (port 80 for 443), as WSUS does.',
    'The name is compared with the certificate. Without a name, what is stored is looked at again. A certificate that is renewed in place is used by a running server without a restart.',
  ],
  inRealTool: true,
  needsDataDirectory: true,
  positionals: [
    {
      name: 'name',
      description: 'Full name of the server, as in its certificate; left out: the stored one',
      required: false,
      kind: 'text',
    },
  ],
  options: {
    cert: { type: 'string', value: 'file', description: 'Certificate and its chain, PEM', completes: 'file' },
    key: { type: 'string', value: 'file', description: 'Its private key, PEM', completes: 'file' },
    pfx: { type: 'string', value: 'file', description: 'Both in one PFX file (PKCS #12)', completes: 'file' },
    'self-signed': {
      type: 'boolean',
      description: 'Make a certificate, for a lab; clients have to be given it',
    },
    port: { type: 'string', value: 'number', description: 'Port of HTTPS; default 8531, or the stored one' },
    disable: { type: 'boolean', description: 'Use SSL no longer; certificate and key stay where they are' },
    check: {
      type: 'boolean',
      description: 'Change nothing; look at every condition, on the running server too',
    },
    plan: {
      type: 'boolean',
      description: 'Change nothing; print what clients and downstream servers have to change',
    },
    ...SECRET_OPTIONS,
  },
  notes: [
    '--check ends with exit code 3 if a condition fails. It may be used on a WSUS server as well: give its name.',
    'The password of a PFX file or an encrypted key is asked for, and stored in the settings file, which only its owner can read.',
  ],
  examples: [
    'wsusutil configuressl wsus.corp.example --cert fullchain.pem --key privkey.pem',
    'wsusutil configuressl wsus.corp.example --pfx wsus.pfx --from-file password.txt',
    'wsusutil configuressl --check',
    'wsusutil configuressl --plan',
  ],
  check({ positionals, options }) {
    checkSecretOptions(options);
    const sources = [options.cert ?? options.key, options.pfx, options['self-signed'] || undefined];
    if (sources.filter((each) => each !== undefined).length > 1) {
      throw usage(
        '--cert with --key, --pfx and --self-signed exclude each other',
        'Give one kind of certificate.',
      );
    }
    if ((options.cert === undefined) !== (options.key === undefined)) {
      throw usage('--cert and --key go together', 'They may be the same file.');
    }
    const hasSource = sources.some((each) => each !== undefined);
    const modes = [options.disable, options.check, options.plan].filter(Boolean).length;
    if (modes > 1 || (modes === 1 && hasSource)) {
      throw usage(
        '--disable, --check and --plan stand alone',
        'Store the certificate first, then look at it.',
      );
    }
    if (options.port !== undefined) portOf(options.port);
    if (positionals.name !== undefined) nameOf(positionals.name);
  },
  async run({ positionals, options }, context) {
    const directory = await context.dataDirectory();
    const name = positionals.name === undefined ? undefined : nameOf(positionals.name);
    const port = options.port === undefined ? undefined : portOf(options.port);
    if (options.disable) {
      const { before } = await changeSettings(context, (settings) => ({ ...settings, ...NO_SSL }));
      return lines('SSL is off: "serve" answers with HTTP.', {
        isEnabled: false,
        wasEnabled: serverSslOf(before) !== undefined,
      });
    }
    const stored = await readSettings(directory.settingsPath);
    if (options.check) return check(stored, name, port, context);
    if (options.plan) return plan(stored, name, port);
    const chosen = await choose(options, directory.path, name ?? stored.serverCertificateName, context);
    let url = '';
    await changeSettings(context, async (before) => {
      const after: Settings = {
        ...before,
        ...(chosen ?? {}),
        serverCertificateName: name ?? before.serverCertificateName,
        serverSslPort: port ?? before.serverSslPort,
      };
      const ssl = serverSslOf(after);
      if (ssl === undefined) throw missing(after);
      const certificate = await loadCertificate(ssl.source, ssl.password);
      refuseBad(judgeCertificate(certificate, ssl.name, context.now()), context);
      url = serverUrlOf(ssl);
      return after;
    });
    return lines(url, { isEnabled: true, url, contentPort: contentPortOf(Number(new URL(url).port || 443)) });
  },
});

const NO_SSL = {
  serverCertificateName: undefined,
  serverCertificateFile: undefined,
  serverKeyFile: undefined,
  serverPfxFile: undefined,
  serverKeyPassword: undefined,
} as const satisfies Partial<Settings>;

type SourceSettings = Pick<
  Settings,
  'serverCertificateFile' | 'serverKeyFile' | 'serverPfxFile' | 'serverKeyPassword'
>;

interface SourceOptions extends SecretOptions {
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly pfx: string | undefined;
  readonly 'self-signed': boolean;
}

/** Undefined: the stored certificate stays. */
async function choose(
  options: SourceOptions,
  directoryPath: string,
  name: string | undefined,
  context: CommandContext,
): Promise<SourceSettings | undefined> {
  if (options['self-signed']) {
    if (name === undefined) throw missing({});
    const { certificateFile, keyFile } = await writeSelfSigned(directoryPath, name, context.now());
    return pem(certificateFile, keyFile, undefined);
  }
  if (options.pfx !== undefined) {
    const pfxFile = resolve(options.pfx);
    const password = await passwordFor({ kind: 'pfx', pfxFile }, options, context);
    return {
      serverCertificateFile: undefined,
      serverKeyFile: undefined,
      serverPfxFile: pfxFile,
      serverKeyPassword: password,
    };
  }
  if (options.cert === undefined || options.key === undefined) return undefined;
  const [certificateFile, keyFile] = [resolve(options.cert), resolve(options.key)];
  return pem(
    certificateFile,
    keyFile,
    await passwordFor({ kind: 'pem', certificateFile, keyFile }, options, context),
  );
}

function pem(certificateFile: string, keyFile: string, password: string | undefined): SourceSettings {
  return {
    serverCertificateFile: certificateFile,
    serverKeyFile: keyFile,
    serverPfxFile: undefined,
    serverKeyPassword: password,
  };
}

/** Asked for only where there is something to open. */
async function passwordFor(
  source: CertificateSource,
  options: SecretOptions,
  context: CommandContext,
): Promise<string | undefined> {
  const isGiven = options['from-env'] !== undefined || options['from-file'] !== undefined;
  if (!isGiven) {
    if (source.kind === 'pem' && !(await isEncrypted(source.keyFile))) return undefined;
    if (source.kind === 'pfx' && (await opens(source))) return undefined;
  }
  return readSecret(options, context, 'Password of the private key');
}

async function isEncrypted(keyFile: string): Promise<boolean> {
  const text = await readFile(keyFile, 'latin1').catch(() => ''); // told when it is loaded
  return /ENCRYPTED/.test(text);
}

async function opens(source: CertificateSource): Promise<boolean> {
  try {
    await loadCertificate(source, undefined);
    return true;
  } catch (error) {
    if (isWsusutilError(error, 'CERTIFICATE_INVALID')) return false;
    throw error;
  }
}

/** @throws WsusutilError `CERTIFICATE_INVALID` */
function refuseBad(findings: readonly CertificateFinding[], { report }: CommandContext): void {
  // The real tool takes a short name too; that clients cannot use it is told here, by --check and by --plan.
  const bad = findings.find(({ level, condition }) => level === 'fail' && condition !== 'full name');
  if (bad !== undefined) {
    throw new WsusutilError('CERTIFICATE_INVALID', `The certificate does not fit: ${bad.says}`, {
      hint: 'Nothing was changed. Give the name that is in the certificate, or another certificate.',
    });
  }
  for (const { level, says } of findings) {
    if (level !== 'pass') {
      report({ type: 'warning', code: 'CERTIFICATE_PROBLEM', message: `The certificate: ${says}` });
    }
  }
}

async function check(
  settings: Settings,
  name: string | undefined,
  port: number | undefined,
  context: CommandContext,
): Promise<Outcome> {
  const ssl = serverSslOf(settings);
  const serverName = name ?? ssl?.name;
  if (serverName === undefined) throw missing(settings);
  const sslPort = port ?? settings.serverSslPort;
  const isOurs = ssl !== undefined && (name === undefined || name.toLowerCase() === ssl.name.toLowerCase());
  const findings: CertificateFinding[] = [];
  let certificate: ServerCertificate | undefined;
  if (isOurs) {
    try {
      certificate = await loadCertificate(ssl.source, ssl.password);
      findings.push({ condition: 'certificate and key', level: 'pass', says: 'they belong together' });
      findings.push(...judgeCertificate(certificate, serverName, context.now()));
    } catch (error) {
      if (!isWsusutilError(error)) throw error;
      findings.push({ condition: 'certificate and key', level: 'fail', says: error.message });
    }
  }
  findings.push(
    ...(await probeServer({
      name: serverName,
      sslPort,
      contentPort: contentPortOf(sslPort),
      certificate,
      signal: context.signal,
    })),
  );
  const failed = findings.filter(({ level }) => level === 'fail').length;
  return {
    status: failed === 0 ? 'complete' : 'incomplete',
    result: { url: serverUrlOf({ name: serverName, port: sslPort }), failed, conditions: findings },
    view: [
      {
        kind: 'fields',
        fields: findings.map(({ condition, level, says }) => [condition, `${LEVEL_TEXTS[level]}: ${says}`]),
      },
      {
        kind: 'lines',
        lines: [
          failed === 0 ? 'Every condition is met.' : `${failed} of ${findings.length} conditions fail.`,
        ],
      },
    ],
  };
}

function plan(settings: Settings, name: string | undefined, port: number | undefined): Outcome {
  const serverName = name ?? settings.serverCertificateName;
  if (serverName === undefined) throw missing(settings);
  if (!isFullName(serverName)) {
    throw usage(
      `${serverName} is not a fully qualified name`,
      'Clients and downstream servers have to be given one for HTTPS, as wsus.corp.example; the certificate must have it.',
    );
  }
  const ssl: Pick<ServerSsl, 'name' | 'port'> = { name: serverName, port: port ?? settings.serverSslPort };
  const url = serverUrlOf(ssl);
  const contentPort = contentPortOf(ssl.port);
  const policy = {
    url,
    group: undefined,
    mode: 'download',
    day: 'every-day',
    hour: 3,
    detectionHours: undefined,
  } as const;
  const location = policySettings(policy).slice(0, 1);
  const registry = registryFile(policy)
    .split('\r\n')
    .filter((line) => !/"(NoAutoUpdate|AUOptions)"/.test(line));
  const commands = [
    'wsusutil config set updateSource upstream',
    `wsusutil config set upstreamServer ${ssl.name}`,
    `wsusutil config set upstreamPort ${ssl.port}`,
    'wsusutil config set upstreamSsl on',
  ];
  const configurationManager = [
    ['WSUS port', String(contentPort)],
    ['WSUS SSL port', String(ssl.port)],
    ['Require SSL communication to the WSUS server', 'yes'],
  ] as const;
  const view: View[] = [
    { kind: 'lines', lines: ['Clients by Group Policy:', POLICY_PATH] },
    ...location.map(({ name: title, fields }): View => ({ kind: 'fields', title, fields })),
    { kind: 'lines', lines: ['', 'Clients without a domain, as a registry file:', '', ...registry] },
    { kind: 'lines', lines: ['Downstream servers of this program:', ...commands, ''] },
    {
      kind: 'fields',
      title: 'Downstream WSUS servers: Options, Update Source and Proxy Server',
      fields: [
        ['Server name', ssl.name],
        ['Port number', String(ssl.port)],
        ['Use SSL when synchronizing update information', 'yes'],
      ],
    },
    { kind: 'fields', title: 'Configuration Manager: software update point', fields: configurationManager },
    {
      kind: 'lines',
      lines: [
        `Firewall: clients and downstream servers reach ${ssl.name} on TCP ${ssl.port} (services) and TCP ${contentPort} (content).`,
        'All of them have to trust the root of the certificate, in the store of the computer and not of a user.',
      ],
    },
  ];
  return {
    status: 'complete',
    result: {
      url,
      contentPort,
      policyPath: POLICY_PATH,
      policies: location,
      registryFile: registry.join('\r\n'),
      downstreamCommands: commands,
      configurationManager: Object.fromEntries(configurationManager),
    },
    view,
  };
}

function lines(text: string, result: Outcome['result']): Outcome {
  return { status: 'complete', result, view: { kind: 'lines', lines: [text] } };
}

function nameOf(text: string): string {
  try {
    return parseSetting('serverCertificateName', text) as string;
  } catch {
    throw usage(`"${text}" is not the name of a server`, 'Write its full name without https:// and port.');
  }
}

/** From 2 on: the port below is for content. */
function portOf(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 2 && port <= 65_535) return port;
  throw usage(`"${text}" is not a port`, 'Ports are numbers from 2 to 65535; the one below is for content.');
}

function missing({ serverCertificateName }: Partial<Settings>): WsusutilError {
  return serverCertificateName === undefined
    ? usage(
        'missing <name>',
        'Write "wsusutil configuressl <name of the server> --cert <file> --key <file>".',
      )
    : usage(
        'no certificate is stored',
        'Give one with --cert and --key, with --pfx, or for a lab with --self-signed.',
      );
}

function usage(message: string, hint: string): WsusutilError {
  return new WsusutilError('USAGE', message, { hint });
}
