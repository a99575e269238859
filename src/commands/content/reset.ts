import { resolve } from 'node:path';
import { openContentRunner } from '../../content/content-runner.js';
import { checkListTarget } from '../../content/missing-list.js';
import { type ResetSummary, resetContent } from '../../content/reset-content.js';
import { WsusutilError } from '../../errors.js';
import { parseDuration } from '../../query/parse-duration.js';
import { readSettings } from '../../settings/settings.js';
import { downloadFiles } from '../../transfer/download-files.js';
import { openHttpClient } from '../../transfer/http-client.js';
import type { CommandContext } from '../context.js';
import { type CommandInput, defineCommand } from '../declaration.js';
import type { Outcome } from '../outcome.js';
import { checkChoice } from '../packages/filter-options.js';
import { formatInstant, formatQuantity, isoInstant } from '../quantities.js';
import { httpOptionsOf } from '../sync/http-options.js';
import { ownContentFolder } from './content-folder.js';
import { findingTables, formatAmount, ifAny, tallyFields, tallyJson } from './content-report.js';
import { CONTENT_SCOPE_OPTIONS, resolveContentScope } from './content-scope.js';

/** Files downloaded at once. */
const CONNECTIONS = 4;

const OPTIONS = {
  check: { type: 'boolean', description: 'Only say what is wrong; change nothing in the content directory' },
  offline: { type: 'boolean', description: 'Never try the network' },
  source: {
    type: 'string',
    value: 'url',
    description:
      "Download from this content folder (http://server:8530/Content) instead of Microsoft's addresses in the metadata",
  },
  'missing-list': {
    type: 'string',
    value: 'file',
    completes: 'file',
    description:
      'Write what is still missing at the end into this JSON file, for "wsusutil content copy --list" on the connected side',
  },
  'max-time': {
    type: 'string',
    value: 'time',
    description: 'Stop cleanly after this long (30m, 2h); the next reset goes on there',
  },
  quick: { type: 'boolean', description: 'Compare presence and size only; files are not read' },
  quarantine: {
    type: 'boolean',
    description: 'Move damaged files aside, to .wsusutil/quarantine in the content directory',
  },
  ...CONTENT_SCOPE_OPTIONS,
} as const;

type Options = CommandInput<readonly [], typeof OPTIONS>['options'];

export const reset = defineCommand({
  name: 'reset',
  summary: 'Check every content file the metadata calls for, and repair what is missing or damaged',
  description: [
    'Reads every content file the metadata calls for through SHA-1 and SHA-256, downloads again what is missing or damaged, and says per file what was wrong: missing, wrong size, SHA-1 differs, SHA-256 differs, unreadable, unexpected. It returns when it is finished.',
    'Nothing is deleted: a damaged file stays until a good one takes its place, unexpected files stay ("wsusutil content prune" removes them). Interrupted at any point, the next reset goes on there; a file that was changed since is checked again.',
  ],
  inRealTool: true,
  needsDataDirectory: true,
  positionals: [],
  options: OPTIONS,
  notes: [
    'Exit code 0: everything is there, repaired or not. 3: something is still missing or damaged, or the time was up.',
  ],
  examples: [
    'wsusutil reset',
    'wsusutil reset --offline --missing-list need.json',
    'wsusutil reset --max-time 30m --exclude-superseded --exclude-expired',
  ],
  check({ options }, now) {
    checkChoice(options, now);
    if (options['max-time'] !== undefined) parseDuration(options['max-time']);
    const clashes: readonly (readonly [boolean, string])[] = [
      [options.check && options.quarantine, '--check and --quarantine'],
      [options.offline && options.source !== undefined, '--offline and --source'],
    ];
    for (const [clash, names] of clashes) {
      if (clash) {
        throw new WsusutilError('USAGE', `options ${names} exclude each other`, {
          hint: 'Leave one of them out.',
        });
      }
    }
    if (options.source !== undefined && !/^https?:\/\/[^/]/i.test(options.source)) {
      throw new WsusutilError('USAGE', `"${options.source}" is no http or https address`, {
        hint: 'Write it as http://server:8530/Content.',
      });
    }
  },
  async run({ options }, context) {
    const startedAt = context.now().getTime();
    const maxTime = options['max-time'];
    const missingList = options['missing-list'];
    if (missingList !== undefined) await checkListTarget(resolve(missingList));
    const directory = await context.dataDirectory();
    const isOffline = options.offline || options.check;
    const httpOptions = isOffline
      ? undefined
      : httpOptionsOf(await readSettings(directory.settingsPath), context, CONNECTIONS);
    const store = await context.openStore('write');
    const runner = openContentRunner(context.processors > 1 ? context.processors : 0);
    const http = httpOptions === undefined ? undefined : openHttpClient(httpOptions);
    try {
      const contentFolder = await ownContentFolder(directory, runner);
      const { now, signal, report } = context;
      const summary = await resetContent({
        store,
        contentFolder,
        scope: await resolveContentScope(store, options, context),
        what: JSON.stringify([contentFolder, options.quick ? 'quick' : 'full', scopeText(options)]),
        depth: options.quick ? 'quick' : 'full',
        repair: !options.check,
        quarantine: options.quarantine,
        source: options.source,
        download:
          http === undefined
            ? undefined
            : (requests, onBytes) =>
                downloadFiles(requests, {
                  http,
                  signal,
                  random: Math.random,
                  onBytes,
                  concurrency: CONNECTIONS,
                }),
        missingListPath: missingList === undefined ? undefined : resolve(missingList),
        stopAt: maxTime === undefined ? undefined : startedAt + parseDuration(maxTime),
        runner,
        now,
        signal,
        report,
      });
      const outcome = outcomeOf(summary, options, context);
      await store.addHistory({
        action: 'reset',
        package: contentFolder,
        startedAt,
        finishedAt: now().getTime(),
        outcome: outcome.status,
        details: {
          found: summary.found,
          downloaded: summary.downloaded,
          stillMissing: summary.stillMissing ?? null,
          isComplete: summary.isComplete,
        },
      });
      return outcome;
    } finally {
      await runner.close();
      await http?.close();
      await store.close();
    }
  },
});

/** What makes two runs the same check. */
function scopeText(options: Options): unknown {
  return Object.keys(CONTENT_SCOPE_OPTIONS).map(
    (name) => options[name as keyof typeof CONTENT_SCOPE_OPTIONS] ?? null,
  );
}

function outcomeOf(summary: ResetSummary, options: Options, context: CommandContext): Outcome {
  const { stillMissing, missingList } = summary;
  const isWhole = stillMissing !== undefined && stillMissing.files === 0;
  return {
    status: isWhole ? 'complete' : 'incomplete',
    result: {
      contentFolder: summary.contentFolder,
      depth: options.quick ? 'quick' : 'full',
      isComplete: summary.isComplete,
      resumedFrom: isoInstant(summary.resumedFrom) ?? null,
      wanted: summary.wanted,
      ...tallyJson(summary),
      renamed: summary.renamed,
      quarantined: summary.quarantined,
      downloaded: summary.downloaded,
      failedDownloads: summary.failedDownloads,
      failedDownloadCount: summary.failedDownloadCount,
      stillMissing: stillMissing ?? null,
      missingList: missingList ?? null,
      logPath: context.logPath ?? null,
    },
    view: [
      ...findingTables(summary),
      {
        kind: 'fields',
        fields: [
          ['Content', summary.contentFolder],
          [
            'Went on',
            summary.resumedFrom === undefined
              ? undefined
              : `with the check of ${formatInstant(summary.resumedFrom)}`,
          ],
          ...tallyFields(summary),
          ['Renamed', summary.renamed === 0 ? undefined : formatQuantity(summary.renamed, 'file')],
          ['Quarantined', ifAny(summary.quarantined)],
          ['Downloaded', ifAny(summary.downloaded)],
          [
            'Not downloaded',
            summary.failedDownloadCount === 0
              ? undefined
              : `${formatQuantity(summary.failedDownloadCount, 'file')}: ${summary.failedDownloads[0]?.reason}`,
          ],
          [
            'List of missing',
            missingList === undefined ? undefined : `${missingList.path}: ${formatAmount(missingList)}`,
          ],
        ],
      },
      { kind: 'lines', lines: [verdictOf(summary, options)] },
    ],
  };
}

function verdictOf({ stillMissing, isComplete }: ResetSummary, options: Options): string {
  if (stillMissing === undefined || !isComplete) {
    return 'The time was up before every file was checked. Run "wsusutil reset" again to go on there.';
  }
  if (stillMissing.files === 0) return 'The content directory holds every file the metadata calls for.';
  const licences =
    stillMissing.licences.files === 0
      ? ''
      : ` (${formatQuantity(stillMissing.licences.files, 'licence text')} among them)`;
  const next = options.check
    ? 'Run "wsusutil reset" without --check to repair.'
    : options.offline
      ? 'Write --missing-list need.json and take it to the connected side, or bring the files with "wsusutil content add".'
      : 'Bring them with "wsusutil content add", or run reset with --offline --missing-list need.json and take the list to a connected server.';
  return `${formatAmount(stillMissing)}${licences} still missing or damaged. ${next}`;
}
