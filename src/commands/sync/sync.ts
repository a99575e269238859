import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { openContentRunner } from '../../content/content-runner.js';
import { errorText, isWsusutilError, WsusutilError } from '../../errors.js';
import type { Report } from '../../events.js';
import { judgeDue } from '../../model/schedule.js';
import { parseSize } from '../../query/parse-size.js';
import { expandSelection } from '../../query/selection.js';
import { defaultSettings, parseSetting, readSettings, type Settings } from '../../settings/settings.js';
import { type Upstream, upstreamOf } from '../../settings/upstream.js';
import { listUpdateSyncs } from '../../store/last-syncs.js';
import type { CategoryRow } from '../../store/metadata-store.js';
import { systemClock } from '../../sync/clock.js';
import { readInventory } from '../../sync/inventory-drivers.js';
import { CONTENT_CONNECTIONS, performSync } from '../../sync/perform-sync.js';
import {
  describeNotDue,
  lastCountedStart,
  runScheduled,
  SCHEDULED_RETRIES,
} from '../../sync/scheduled-run.js';
import type { SyncFilter } from '../../sync/sync-filter.js';
import { parseTimeWindow } from '../../sync/time-window.js';
import { openHttpClient, printableUrl } from '../../transfer/http-client.js';
import { openHttpPost } from '../../transfer/http-post.js';
import { secretsOf } from '../../transfer/proxy.js';
import { ownContentFolder } from '../content/content-folder.js';
import type { CommandContext } from '../context.js';
import { type CommandInput, defineCommand } from '../declaration.js';
import type { Outcome, View } from '../outcome.js';
import { httpOptionsOf } from './http-options.js';
import { syncOutcome } from './sync-report.js';

const MICROSOFT_UPDATE = 'microsoft-update';
const MICROSOFT_UPDATE_HOST = /(?:^|\.)update\.microsoft\.com$/i;

const OPTIONS = {
  upstream: {
    type: 'string',
    value: 'url',
    description: `Synchronise from this server instead of the one of the settings: http://server:8530, or ${MICROSOFT_UPDATE}`,
  },
  'dry-run': {
    type: 'boolean',
    description: 'Say how many revisions, files and bytes would come, and from which hosts; store nothing',
  },
  'categories-only': {
    type: 'boolean',
    description: 'Only products, classifications and detectoids: what there is to choose from',
  },
  'metadata-only': { type: 'boolean', description: 'No content files' },
  'content-only': {
    type: 'boolean',
    description: 'Only the content files that the store calls for and the content directory lacks',
  },
  full: { type: 'boolean', description: 'Ask for full lists instead of what changed since the last run' },
  inventory: {
    type: 'string',
    value: 'file',
    completes: 'file',
    description:
      'Also fetch the drivers that Microsoft Update has for these hardware ids: one id per line, e.g. PCI\\VEN_8086&DEV_15F3',
  },
  'limit-rate': {
    type: 'string',
    value: 'size',
    description: 'Receive at most so many bytes a second, e.g. 500K or 2M',
  },
  scheduled: {
    type: 'boolean',
    unattended: true,
    description:
      'As a timer starts it: only if it is due, one line of output, two more tries at intervals of 15 minutes',
  },
  'download-between': {
    type: 'string',
    value: 'hours',
    description: 'Download content only in these hours, local time, e.g. 20:00-05:00; outside of them wait',
  },
} as const;

type Options = CommandInput<readonly [], typeof OPTIONS>['options'];

const CLASHES: readonly (readonly [keyof Options & string, keyof Options & string])[] = [
  ['categories-only', 'content-only'],
  ['metadata-only', 'content-only'],
  ['full', 'content-only'],
  ['inventory', 'content-only'],
  ['inventory', 'categories-only'],
  ['scheduled', 'dry-run'],
];

export const sync = defineCommand({
  name: 'sync',
  summary: 'Synchronise with Microsoft Update or an upstream WSUS server, and say what came',
  description: [
    'Fetches what the upstream has and the store lacks: products and classifications, then the updates of those that are chosen, then content files. It returns when it is finished.',
    'Interrupted at any point, what came is kept, and the next run goes on there. Nothing is asked for twice, and nothing is deleted. Every run is in "wsusutil history".',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  isHeavy: true,
  isBrief: true,
  positionals: [
    { name: 'logfile', description: 'Path of the log file to create', required: false, kind: 'file' },
  ],
  options: OPTIONS,
  logPositional: 'logfile',
  notes: [
    'What is chosen: "wsusutil products select", "wsusutil classifications select", "wsusutil languages select". Of an upstream WSUS server everything is fetched if nothing is chosen. Update source, proxies, certificates and which content is downloaded: "wsusutil config".',
    'Exit code 0: everything came. 3: something that was asked for did not. 30 to 34: the upstream cannot be reached, refuses, or answers with something else; "wsusutil checkhealth --network" looks further.',
  ],
  examples: [
    'wsusutil sync --categories-only',
    'wsusutil sync --dry-run',
    'wsusutil sync --upstream http://wsus.corp.example:8530 --metadata-only',
  ],
  check({ options }) {
    for (const [one, other] of CLASHES) {
      if ((options[one] ?? false) !== false && (options[other] ?? false) !== false) {
        throw new WsusutilError('USAGE', `options --${one} and --${other} exclude each other`, {
          hint: 'Leave one of them out.',
        });
      }
    }
    upstreamFromOption(options.upstream);
    limitFromOption(options['limit-rate']);
    if (options['download-between'] !== undefined) parseTimeWindow(options['download-between']);
  },
  async run({ options }, context) {
    return options.scheduled
      ? synchroniseOnSchedule(options, context)
      : synchroniseOnce(options, context, 'manual');
  },
});

/** Says one line: what a run has to tell is in its log and in the history. */
async function synchroniseOnSchedule(options: Options, context: CommandContext): Promise<Outcome> {
  const { signal } = context;
  const report: Report = (event) => {
    if (event.type === 'step') context.report({ type: 'step', message: event.message });
    if (event.type === 'warning') {
      context.report({ type: 'step', message: `Warning [${event.code}]: ${event.message}` });
    }
  };
  const silent: CommandContext = {
    ...context,
    report,
    announce: (message) => report({ type: 'step', message }),
  };
  const notDue = await describeIfNotDue(context);
  if (notDue !== undefined) return { status: 'complete', result: { isDue: false }, view: oneLine(notDue) };
  const outcome = await runScheduled(() => synchroniseOnce(options, silent, 'scheduled'), {
    ...SCHEDULED_RETRIES,
    sleep: systemClock.sleep,
    signal,
    report: context.report, // that it waits for a quarter of an hour is to be seen
  }).catch((error: unknown) => {
    throw inOneLine(error);
  });
  return { ...outcome, result: { isDue: true, ...outcome.result }, view: oneLine(outcome.logLine ?? '') };
}

async function describeIfNotDue(context: CommandContext): Promise<string | undefined> {
  const { settingsPath } = await context.dataDirectory();
  const { schedule } = await readSettings(settingsPath);
  if (schedule === undefined || !(await context.hasStore())) return undefined;
  const store = await context.openStore('read');
  try {
    const lastAt = lastCountedStart(await listUpdateSyncs(store));
    const verdict = judgeDue(schedule, context.now(), lastAt);
    return verdict.isDue ? undefined : describeNotDue(verdict);
  } finally {
    await store.close();
  }
}

function inOneLine(error: unknown): unknown {
  if (!isWsusutilError(error) || error.hint === undefined) return error;
  if (error.code === 'INTERRUPTED') return error; // without a hint of its own it would get one that does not fit
  return new WsusutilError(error.code, `${error.message.replace(/[.:]?$/, '.')} ${error.hint}`, {
    details: error.details,
    cause: error,
  });
}

function oneLine(line: string): View {
  return { kind: 'lines', lines: [line] };
}

async function synchroniseOnce(
  options: Options,
  context: CommandContext,
  trigger: 'manual' | 'scheduled',
): Promise<Outcome> {
  const directory = await context.dataDirectory();
  const settings = await readSettings(directory.settingsPath);
  const upstream = upstreamFromOption(options.upstream) ?? upstreamOf(settings);
  requireChoice(settings, upstream, options);
  const inventory =
    options.inventory === undefined ? undefined : await readInventory(resolve(options.inventory));
  const limitRate = limitFromOption(options['limit-rate']);
  const httpOptions = httpOptionsOf(settings, context, CONTENT_CONNECTIONS, limitRate);
  const between = options['download-between'] ?? settings.downloadBetween;
  const store = await context.openStore('write');
  // Threads that only look for the content folder would cost more than they do.
  const looksAtContent =
    settings.contentPolicy !== 'none' && !options['metadata-only'] && !options['categories-only'];
  const runner = openContentRunner(looksAtContent && context.processors > 1 ? context.processors : 0);
  const http = openHttpClient(httpOptions);
  const { post, close: closePost } = openHttpPost(httpOptions);
  try {
    const name = upstream.isMicrosoftUpdate ? 'Microsoft Update' : upstream.url.href;
    context.announce(
      options['dry-run']
        ? `Asking ${name} what a synchronisation would bring.`
        : `Synchronising with ${name}.`,
    );
    const summary = await performSync({
      store,
      upstream: upstream.url,
      isMicrosoftUpdate: upstream.isMicrosoftUpdate,
      account: { name: settings.accountName ?? hostname(), guid: store.serverId },
      post,
      http,
      parts: options['metadata-only'] ? 'metadata' : options['content-only'] ? 'content' : 'all',
      categoriesOnly: options['categories-only'],
      full: options.full,
      dryRun: options['dry-run'],
      inventory,
      chooseFilter: (categories) => chooseFilter(categories, settings),
      content: {
        policy: settings.contentPolicy,
        languages: settings.languages,
        expressFiles: settings.expressFiles,
        products: settings.products,
        classifications: settings.classifications,
      },
      contentFolder: await ownContentFolder(directory, runner),
      contentSource: settings.contentSource,
      upstreamContentUrl: options.upstream === undefined ? settings.upstreamContentUrl : undefined,
      window: between === undefined ? undefined : parseTimeWindow(between),
      runner,
      trigger,
      secrets: secretsOf(httpOptions.proxies),
      threads: context.threadsBeside,
      signal: context.signal,
      report: context.report,
    });
    return syncOutcome(summary, {
      upstream: upstream.url.href,
      policy: settings.contentPolicy,
      dryRun: options['dry-run'],
      logPath: context.logPath,
    });
  } finally {
    await runner.close();
    await closePost();
    await http.close();
    await store.close();
  }
}

function upstreamFromOption(given: string | undefined): Upstream | undefined {
  if (given === undefined) return undefined;
  if (given.toLowerCase() === MICROSOFT_UPDATE) {
    return upstreamOf({ ...defaultSettings(), updateSource: MICROSOFT_UPDATE });
  }
  const isUrl = /^https?:\/\/[^/]/i.test(given) && URL.canParse(given);
  const url = isUrl ? new URL(given) : undefined;
  if (url === undefined || url.search !== '' || url.hash !== '') {
    throw new WsusutilError('USAGE', `"${printableUrl(given)}" is not the address of an upstream server`, {
      hint: `Write it as http://server:8530 or https://server:8531, or ${MICROSOFT_UPDATE}.`,
    });
  }
  if (url.username !== '' || url.password !== '') {
    throw new WsusutilError('USAGE', 'An upstream server is not asked with a user name and a password', {
      hint: `Write its address without: ${printableUrl(url)}.`,
    });
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return { url, isMicrosoftUpdate: MICROSOFT_UPDATE_HOST.test(url.hostname) };
}

function limitFromOption(given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  try {
    return parseSetting('limitRate', parseSize(given));
  } catch (error) {
    if (isWsusutilError(error)) throw error;
    throw new WsusutilError('USAGE', `--limit-rate ${errorText(error)}`, {
      hint: 'Write it as 500K or 2M, bytes per second.',
    });
  }
}

/** All of Microsoft Update is millions of revisions that nobody wants: there, something has to be chosen. */
function requireChoice(settings: Settings, upstream: Upstream, options: Options): void {
  if (!upstream.isMicrosoftUpdate || options['categories-only'] || options['content-only']) return;
  const missing = (['products', 'classifications'] as const).filter((key) => settings[key].length === 0);
  if (missing.length === 0) return;
  throw new WsusutilError(
    'SETTINGS_INVALID',
    `No ${missing.join(' and no ')} are chosen, without which Microsoft Update would send all it has`,
    {
      hint: `Run "wsusutil sync --categories-only", then ${missing.map((key) => `"wsusutil ${key} select <name>"`).join(' and ')}.`,
    },
  );
}

/** What is not chosen on one side is not restricted on that side. */
function chooseFilter(categories: readonly CategoryRow[], settings: Settings): SyncFilter | undefined {
  if (settings.products.length + settings.classifications.length === 0) return undefined;
  const chosen = expandSelection(categories, settings);
  const allOf = (isWanted: (type: string | undefined) => boolean) =>
    categories.filter(({ categoryType }) => isWanted(categoryType)).map(({ updateId }) => updateId);
  return {
    products:
      chosen.products.length > 0
        ? chosen.products
        : allOf((type) => type === 'Product' || type === 'ProductFamily' || type === 'Company'),
    classifications:
      chosen.classifications.length > 0
        ? chosen.classifications
        : allOf((type) => type === 'UpdateClassification'),
  };
}
