import { openContentRunner } from '../../content/content-runner.js';
import type { Amount } from '../../content/content-tally.js';
import { hasContentFolder } from '../../content/content-tree.js';
import {
  emptyQuarantine,
  type PruneReason,
  type PruneSummary,
  pruneContent,
} from '../../content/prune-content.js';
import { isWsusutilError, WsusutilError } from '../../errors.js';
import { parseDuration } from '../../query/parse-duration.js';
import { recordFailure } from '../../store/record-failure.js';
import { defineCommand } from '../declaration.js';
import type { View } from '../outcome.js';
import { checkChoice } from '../packages/filter-options.js';
import { formatCount, formatSize } from '../quantities.js';
import { ownContentFolder } from './content-folder.js';
import { formatAmount, ifAny, MAX_ROWS, moreRows } from './content-report.js';
import { CONTENT_SCOPE_OPTIONS, resolveContentScope } from './content-scope.js';

const DEFAULT_GRACE = '30d';

const REASON_TEXTS: Readonly<Record<PruneReason, string>> = {
  orphan: 'no update calls for it',
  'not-kept': 'only updates left out call for it',
  duplicate: 'there twice',
  temporary: 'left by an interrupted write',
};

export const contentPrune = defineCommand({
  name: 'content prune',
  summary: 'Take out of the content directory what no kept update needs; a preview without --yes',
  description: [
    'Finds files that no update in the store calls for, second copies of verified files, and what interrupted writes left. With filters such as --exclude-superseded, files that only the updates left out call for go too.',
    'Without --yes it only shows what would go. With --yes the files are moved to .wsusutil/quarantine in the content directory, or deleted with --delete. What came into the directory less than 30 days ago stays: files often arrive before the metadata that calls for them.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [],
  options: {
    yes: { type: 'boolean', description: 'Act; without it nothing is changed' },
    delete: { type: 'boolean', description: 'Delete instead of moving to quarantine' },
    grace: {
      type: 'string',
      value: 'time',
      description: `Keep what came into the directory, or was changed, within this time (${DEFAULT_GRACE} when left out; 0 for none)`,
    },
    'empty-quarantine': {
      type: 'boolean',
      description: 'Delete what has been in quarantine for longer than the grace time, and nothing else',
    },
    force: { type: 'boolean', description: 'Act even if more than half of the files would go' },
    ...CONTENT_SCOPE_OPTIONS,
  },
  notes: ['Never touched: anonymousCheckFile.txt, links, and names that are not those of content files.'],
  examples: [
    'wsusutil content prune',
    'wsusutil content prune --exclude-superseded --exclude-expired --yes',
    'wsusutil content prune --empty-quarantine --yes',
  ],
  check({ options }, now) {
    checkChoice(options, now);
    graceOf(options.grace);
    if (options.delete && !options.yes) {
      throw new WsusutilError('USAGE', '--delete needs --yes', {
        hint: 'Look at the preview first, then add --yes.',
      });
    }
  },
  async run({ options }, context) {
    const { now, signal, report } = context;
    const startedAt = now().getTime();
    const grace = graceOf(options.grace);
    // Without a grace time no clock is asked, be it of this machine or of a file server.
    const keepSince = grace === 0 ? Number.POSITIVE_INFINITY : startedAt - grace;
    const directory = await context.dataDirectory();
    const store = await context.openStore(options.yes ? 'write' : 'read');
    const runner = openContentRunner(context.threads);
    try {
      const contentFolder = await ownContentFolder(directory, runner);
      if (!(await hasContentFolder(contentFolder))) {
        throw new WsusutilError(
          'INPUT_NOT_FOUND',
          `There is no content directory ${contentFolder} to prune`,
          {
            hint: 'No file came here yet, or its disk is not mounted. "wsusutil postinstall CONTENT_DIR=<dir>" says where content files lie.',
          },
        );
      }
      const run = { action: 'content prune', package: contentFolder, startedAt } as const;
      const recorded = async <T extends { readonly removed: Amount }>(
        action: string,
        work: () => Promise<T>,
      ): Promise<T> => {
        if (!options.yes) return work();
        try {
          const done = await work();
          const { removed } = done;
          const found = 'found' in done ? { found: done.found } : {};
          await store.addHistory({
            ...run,
            finishedAt: now().getTime(),
            outcome: 'complete',
            details: { action, removed, ...found },
          });
          return done;
        } catch (error) {
          // Without an amount nothing was begun.
          if (isWsusutilError(error) && error.details?.removed !== undefined) {
            const details = { action, ...error.details };
            await recordFailure(store, { ...run, finishedAt: now().getTime(), details }, error);
          }
          throw error;
        }
      };
      if (options['empty-quarantine']) {
        const { removed } = await recorded('empty-quarantine', async () => ({
          removed: await emptyQuarantine(contentFolder, keepSince, options.yes, signal),
        }));
        return {
          status: 'complete',
          result: { contentFolder, quarantine: removed, acted: options.yes },
          view: {
            kind: 'lines',
            lines: [
              options.yes
                ? `Deleted from quarantine: ${formatAmount(removed)}.`
                : `Would be deleted from quarantine: ${formatAmount(removed)}. Add --yes to act.`,
            ],
          },
        };
      }
      const action = options.yes ? (options.delete ? 'delete' : 'quarantine') : 'preview';
      const index = await store.contentIndex();
      const scope = await resolveContentScope(store, options, context);
      const summary = await recorded(action, () =>
        pruneContent({
          index,
          contentFolder,
          scope,
          keepSince,
          action,
          force: options.force,
          runner,
          now,
          signal,
          report,
        }),
      );
      return { status: 'complete', result: { ...summary }, view: viewOf(summary) };
    } finally {
      await runner.close();
      await store.close();
    }
  },
});

/** Milliseconds. @throws WsusutilError `USAGE` */
function graceOf(given: string | undefined): number {
  return given === '0' ? 0 : parseDuration(given ?? DEFAULT_GRACE);
}

function viewOf(summary: PruneSummary): readonly View[] {
  const { found, files, action } = summary;
  const count = Object.values(found).reduce((sum, amount) => sum + amount.files, 0);
  const verdict =
    count === 0
      ? 'There is nothing to take out.'
      : action === 'preview'
        ? 'Nothing was changed. Add --yes to move these files to quarantine, --yes --delete to delete them.'
        : `${formatAmount(summary.removed)} ${action === 'delete' ? 'deleted' : 'moved to quarantine'}.`;
  const fields = (Object.entries(found) as [PruneReason, (typeof found)['orphan']][]).map(
    ([reason, amount]) =>
      ['To go', amount.files === 0 ? undefined : `${formatAmount(amount)}: ${REASON_TEXTS[reason]}`] as const,
  );
  const views: View[] = [];
  if (files.length > 0) {
    views.push({
      kind: 'table',
      columns: [{ title: 'Reason' }, { title: 'Size', align: 'right' }, { title: 'File', flexible: true }],
      rows: files
        .slice(0, MAX_ROWS)
        .map(({ reason, size, path }) => [REASON_TEXTS[reason], formatSize(size), path]),
      emptyText: '',
      ...moreRows(count),
    });
  }
  return [
    ...views,
    {
      kind: 'fields',
      fields: [
        ['Content', summary.contentFolder],
        ['Holds', formatAmount(summary.present)],
        ...fields,
        [
          'Kept for now',
          summary.withinGrace.files === 0
            ? undefined
            : `${ifAny(summary.withinGrace)} that came within the grace time`,
        ],
        [
          'Left alone',
          summary.leftAlone === 0 ? undefined : `${formatCount(summary.leftAlone)} changed meanwhile`,
        ],
      ],
    },
    { kind: 'lines', lines: [verdict] },
  ];
}
