import { dirname, join, resolve } from 'node:path';
import { openContentRunner } from '../../content/content-runner.js';
import { errorText, isWsusutilError, WsusutilError } from '../../errors.js';
import type { Report } from '../../events.js';
import type { LanguageChoice } from '../../model/language.js';
import { formatAccess, type LogFormat } from '../../serve/access-log.js';
import { openAccessLog } from '../../serve/access-log-file.js';
import { judgeCertificate, loadCertificate, type ServerCertificate } from '../../serve/certificate.js';
import { loadCookieKey } from '../../serve/cookie-key.js';
import { CLEAR_PART, securePart } from '../../serve/front.js';
import { BURST_SECONDS, DEFAULT_LIMITS, rateLimits, type ServeLimits } from '../../serve/limits.js';
import {
  createHttpServer,
  createHttpsServer,
  listen,
  parseAddresses,
  watchCertificate,
} from '../../serve/listener.js';
import { PreparedDocuments } from '../../serve/prepared-documents.js';
import { openServeFront } from '../../serve/server.js';
import { type CertificateSource, contentPortOf, serverSslOf } from '../../settings/server-ssl.js';
import { readSettings } from '../../settings/settings.js';
import { ownContentFolder } from '../content/content-folder.js';
import type { CommandContext } from '../context.js';
import { defineCommand } from '../declaration.js';
import { readLanguageChoice } from '../language-choice.js';
import type { Outcome } from '../outcome.js';
import { formatCount, formatQuantity } from '../quantities.js';
import { installHelp, systemdUnit } from './serve-install.js';

const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_PORT = 8530;
const MAX_RATE = 1_000_000;

export const serve = defineCommand({
  name: 'serve',
  summary: 'Be the upstream server: hand metadata and content files to downstream servers',
  description: [
    'Answers as a WSUS server answers its downstream servers: Server Sync, DSS authorization, reporting and /Content, for this tool and for WSUS. The store is only read, so imports and synchronisations may run at the same time; what they bring is offered as soon as it is whole.',
    'Runs until it is told to stop (Ctrl-C, SIGTERM), then finishes what is under way.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [],
  options: {
    host: { type: 'string', value: 'address', description: `Address to listen on; default ${DEFAULT_HOST}` },
    port: {
      type: 'string',
      value: 'number',
      description: `Port; default ${DEFAULT_PORT}, with SSL that of "configuressl"; 0: any free one`,
    },
    'no-ssl': {
      type: 'boolean',
      description: 'Serve everything in the clear although "configuressl" was run',
    },
    'content-over-ssl': {
      type: 'boolean',
      description: 'With SSL: give out content files on the port of HTTPS too',
    },
    'allow-account': {
      type: 'strings',
      value: 'name',
      description: 'Downstream server to serve, by full host name or server GUID; default: any',
    },
    'allow-address': {
      type: 'strings',
      value: 'network',
      description: 'Address or network to serve, e.g. 192.0.2.0/24; default: any',
    },
    rate: {
      type: 'string',
      value: 'requests',
      description: `Requests per second of one address, ${BURST_SECONDS} times as many at once; default ${DEFAULT_LIMITS.ratePerSecond}; off: no limit`,
    },
    'access-log': {
      type: 'string',
      value: 'file',
      description: 'Append a line per request to this file; "-": standard output',
      completes: 'file',
    },
    'log-format': {
      type: 'string',
      value: 'format',
      description: 'Of the access log; default text',
      choices: ['text', 'json'],
    },
    'install-help': {
      type: 'boolean',
      description: 'Print a unit for systemd and what to do on Windows, with these options; serve nothing',
    },
    metrics: { type: 'boolean', description: 'Answer /metrics with counters in the format of Prometheus' },
  },
  notes: [
    'Only files that "reset" (or another command) found right are given out.',
    'GET /health/live and /health/ready tell a supervisor how it is.',
    'Documents are made ready for sending in the folder serve-cache of the data directory; it may be deleted.',
    'Cookies are signed with the key in serve.key of the data directory; servers behind one name need the same file.',
  ],
  examples: [
    'wsusutil serve',
    'wsusutil serve --host 0.0.0.0 --allow-address 192.0.2.0/24 --access-log /var/log/wsusutil.log',
  ],
  check({ options }) {
    portOf(options.port);
    rateOf(options.rate);
    parseAddresses(options['allow-address']);
    if (options['log-format'] !== undefined && options['access-log'] === undefined) {
      throw new WsusutilError('USAGE', '--log-format needs --access-log', {
        hint: 'Name a file, or "-" for standard output.',
      });
    }
  },
  async run({ options }, context) {
    const { now, report, signal } = context;
    const host = options.host ?? DEFAULT_HOST;
    if (options['install-help']) return explainInstallation(options, context);
    const directory = await context.dataDirectory();
    const store = await context.openStore('read');
    const key = await loadCookieKey(directory.path);
    if (!key.isKept) {
      report({
        type: 'warning',
        code: 'COOKIE_KEY_NOT_KEPT',
        message: `The data directory ${directory.path} cannot be written: downstream servers authorize again after every start`,
      });
    }
    const runner = openContentRunner(0);
    const contentFolder = await ownContentFolder(directory, runner).finally(() => runner.close());
    const format: LogFormat = options['log-format'] === 'json' ? 'json' : 'text';
    const logName = options['access-log'];
    const log =
      logName === undefined || logName === '-'
        ? undefined
        : openAccessLog(resolve(logName), format, (error) =>
            report({
              type: 'warning',
              code: 'LOG_NOT_WRITTEN',
              message: `The access log is not written: ${error.message}`,
            }),
          );
    const ssl = options['no-ssl'] ? undefined : serverSslOf(await readSettings(directory.settingsPath));
    const limits: ServeLimits = { ...DEFAULT_LIMITS, ...rateLimits(rateOf(options.rate)) };
    let requests = 0;
    let stopWatching: (() => void) | undefined;
    let prepared: PreparedDocuments | undefined;
    try {
      const front = await openServeFront({
        store,
        contentFolder,
        cookieKey: key.bytes,
        languageChoice: followLanguages(directory.settingsPath),
        now,
        report,
        accounts: options['allow-account'].length === 0 ? undefined : options['allow-account'],
        addresses:
          options['allow-address'].length === 0 ? undefined : parseAddresses(options['allow-address']),
        hasMetrics: options.metrics,
        limits,
        onAccess: (entry) => {
          requests++;
          if (logName === '-') context.announce(formatAccess(entry, format));
          else log?.add(entry);
        },
      });
      const count = formatQuantity(front.revisionCount, 'revision');
      const port = portOf(options.port);
      if (ssl === undefined) {
        const server = createHttpServer(limits);
        front.attach(server);
        const actual = await listen(server, host, port ?? DEFAULT_PORT);
        context.announce(`Serving ${count} on ${addressOf('http', host, actual)}`);
      } else {
        const load = () => loadCertificate(ssl.source, ssl.password);
        const certificate = await load();
        tellProblems(certificate, ssl.name, now(), report);
        const secure = createHttpsServer(limits, certificate);
        const clear = createHttpServer(limits);
        front.attach(secure, securePart(options['content-over-ssl']));
        front.attach(clear, CLEAR_PART);
        const sslPort = await listen(secure, host, port ?? ssl.port);
        const contentPort = await listen(clear, host, port === 0 ? 0 : contentPortOf(sslPort));
        stopWatching = await watchCertificate(secure, pathsOf(ssl.source), load, {
          onRenewed: (renewed) => {
            report({
              type: 'step',
              message: `The certificate was renewed; it is valid until ${renewed.leaf.validTo}`,
            });
            tellProblems(renewed, ssl.name, now(), report);
          },
          onFailed: (error) =>
            report({
              type: 'warning',
              code: 'CERTIFICATE_PROBLEM',
              message: `The files of the certificate have changed and cannot be used, the old one stays: ${errorText(error)}`,
            }),
        });
        context.announce(
          `Serving ${count} on ${addressOf('https', host, sslPort)}, content on ${addressOf('http', host, contentPort)}`,
        );
      }
      if (key.isKept) {
        const checks = await (await store.serveView()).documentChecks();
        prepared = await PreparedDocuments.open(join(directory.path, 'serve-cache'), store.serverId, checks);
      }
      const preparing = prepared === undefined ? undefined : front.prepare(prepared, signal);
      await aborted(signal);
      context.announce('Stopping; what is under way is finished first.');
      await front.stop();
      await preparing;
    } finally {
      await prepared?.close();
      stopWatching?.();
      await log?.close();
      await store.close();
    }
    return {
      status: 'complete',
      result: { requests },
      view: { kind: 'lines', lines: [`Stopped after ${formatQuantity(requests, 'request')}.`] },
    };
  },
});

/** The languages that are set, as they are when they are asked for; while the file cannot be read, as they were. */
function followLanguages(settingsPath: string): () => Promise<LanguageChoice> {
  let known: LanguageChoice = 'all';
  return async () => {
    try {
      known = await readLanguageChoice(settingsPath);
    } catch (error) {
      if (!isWsusutilError(error)) throw error;
    }
    return known;
  };
}

interface PlaceOptions {
  readonly host: string | undefined;
  readonly port: string | undefined;
  readonly rate: string | undefined;
  readonly 'access-log': string | undefined;
  readonly 'log-format': string | undefined;
  readonly 'allow-account': readonly string[];
  readonly 'allow-address': readonly string[];
  readonly 'no-ssl': boolean;
  readonly 'content-over-ssl': boolean;
  readonly metrics: boolean;
}

/** The same options, for a service. */
async function explainInstallation(options: PlaceOptions, context: CommandContext): Promise<Outcome> {
  if (context.machine === undefined) throw new Error('a service needs a context with a machine');
  const directory = await context.findDataDirectory();
  const words: string[] = [];
  for (const [name, value] of Object.entries(options)) {
    if (name === 'install-help' || value === undefined || value === false) continue;
    for (const each of Array.isArray(value) ? value : [value]) {
      words.push(`--${name}`);
      if (each !== true)
        words.push(name === 'access-log' && each !== '-' ? resolve(String(each)) : String(each));
    }
  }
  const ssl = options['no-ssl'] ? undefined : serverSslOf(await readSettings(directory.settingsPath));
  const port = portOf(options.port) ?? ssl?.port ?? DEFAULT_PORT;
  const lowest = ssl === undefined ? port : contentPortOf(port);
  const machine = await context.machine();
  const place = {
    dataDirectory: directory.path,
    contentRoot: directory.contentRoot,
    words,
    logFolder:
      options['access-log'] === undefined || options['access-log'] === '-'
        ? undefined
        : dirname(resolve(options['access-log'])),
    hasLowPort: lowest > 0 && lowest < 1024,
  };
  return {
    status: 'complete',
    result: { systemdUnit: systemdUnit(machine, place) },
    view: { kind: 'raw', bytes: Buffer.from(`${installHelp(machine, place).join('\n')}\n`) },
  };
}

/** @throws WsusutilError `USAGE` */
function portOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new WsusutilError('USAGE', `"${text}" is not a port`, { hint: 'Ports are numbers from 0 to 65535.' });
}

/** Requests per second; infinite for `off`. @throws WsusutilError `USAGE` */
function rateOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMITS.ratePerSecond;
  if (text.toLowerCase() === 'off') return Number.POSITIVE_INFINITY;
  const rate = Number(text);
  if (/^\d{1,7}$/.test(text) && rate >= 1 && rate <= MAX_RATE) return rate;
  throw new WsusutilError('USAGE', `"${text}" is not a number of requests per second`, {
    hint: `Give a whole number from 1 to ${formatCount(MAX_RATE)}, or off.`,
  });
}

function addressOf(scheme: 'http' | 'https', host: string, port: number): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}/`;
}

function pathsOf(source: CertificateSource): readonly string[] {
  return source.kind === 'pfx' ? [source.pfxFile] : [source.certificateFile, source.keyFile];
}

function tellProblems(certificate: ServerCertificate, name: string, now: Date, report: Report): void {
  for (const { level, says } of judgeCertificate(certificate, name, now)) {
    if (level !== 'pass')
      report({ type: 'warning', code: 'CERTIFICATE_PROBLEM', message: `The certificate: ${says}` });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener('abort', () => done(), { once: true });
  });
}
