import { WsusutilError } from '../../errors.js';
import { listUpdates } from '../../query/list-updates.js';
import {
  checkFilter,
  type FilterArguments,
  resolveFilter,
  resolveTitleLanguage,
} from '../../query/resolve-filter.js';
import type { MetadataStore } from '../../store/metadata-store.js';
import { type CommandInput, defineCommand } from '../declaration.js';
import { FILTER_OPTIONS, filterArgumentsOf } from '../packages/filter-options.js';
import { formatCount, formatDay, formatQuantity, isoInstant } from '../quantities.js';

const POSITIONALS = [
  { name: 'query', description: 'Words to look for', required: false, variadic: true, kind: 'text' },
] as const;

const OPTIONS = {
  ...FILTER_OPTIONS,
  type: {
    type: 'strings',
    value: 'type',
    choices: ['software', 'driver', 'category', 'detectoid', 'all'],
    description: 'Updates of this type, hidden ones too',
  },
  kb: { type: 'strings', value: 'number', description: 'Updates of this KB article' },
  cve: { type: 'strings', value: 'id', description: 'Updates that fix this CVE' },
  title: { type: 'string', value: 'text', description: 'Updates with this text in the title' },
  severity: {
    type: 'strings',
    value: 'severity',
    choices: ['Critical', 'Important', 'Moderate', 'Low'],
    description: 'Updates of this MSRC severity',
  },
  superseded: { type: 'boolean', description: 'Only updates that a newer one supersedes' },
  'not-superseded': { type: 'boolean', description: 'No updates that a newer one supersedes' },
  expired: { type: 'boolean', description: 'Only expired updates' },
  'not-expired': { type: 'boolean', description: 'No expired updates' },
  'all-revisions': {
    type: 'boolean',
    description: 'Old revisions too, not only the newest of each update',
  },
  language: { type: 'string', value: 'tag', description: 'Titles in this language, where there are any' },
  limit: { type: 'string', value: 'count', description: 'At most this many (default: all)' },
} as const;

export const updates = defineCommand({
  name: 'updates',
  summary: 'List and search updates',
  description: [
    'Lists updates, newest first. Words must all occur in the title, the KB number or the id. Without --type it lists software and drivers that an administrator can approve; hidden parts of bundles, categories and detectoids appear when their type is asked for.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  csv: true,
  positionals: POSITIONALS,
  options: OPTIONS,
  examples: [
    'wsusutil updates cumulative "windows 11"',
    'wsusutil updates --severity critical --since 30d --not-superseded',
    'wsusutil updates --kb KB5013943 --csv',
  ],
  check(input, now) {
    checkFilter(argumentsOf(input), now);
    parseLimit(input.options.limit);
  },
  async run(input, context) {
    const { options } = input;
    const store = await context.openStore('read');
    try {
      const isTyped = options.type.length > 0;
      const filter = await resolveFilter(argumentsOf(input), store, context.now());
      const language =
        options.language === undefined ? undefined : await resolveTitleLanguage(options.language, store);
      const found = await listUpdates(store, filter, { language, limit: parseLimit(options.limit) });
      const hint = found.count === 0 && !isTyped ? await describeOtherTypes(store) : '';
      return {
        status: 'complete',
        result: {
          count: found.count,
          shown: found.updates.length,
          updates: found.updates.map((each) => ({ ...each, createdAt: isoInstant(each.createdAt) })),
        },
        view: {
          kind: 'table',
          columns: [
            { title: 'Created' },
            { title: 'KB' },
            { title: 'Severity', secondary: true },
            { title: 'State', secondary: true },
            { title: 'Title', flexible: true },
            { title: 'Id', secondary: true },
          ],
          rows: found.updates.map((update) => [
            update.createdAt === undefined ? '' : formatDay(update.createdAt),
            update.kbArticleIds.map((kb) => `KB${kb}`).join(' '),
            update.msrcSeverity ?? '',
            [
              update.isExpired ? 'expired' : '',
              update.isSuperseded ? 'superseded' : '',
              update.isNewest ? '' : 'old',
            ]
              .filter((each) => each !== '')
              .join(' '),
            update.title,
            options['all-revisions'] ? `${update.updateId}:${update.revisionNumber}` : update.updateId,
          ]),
          emptyText: `No update matches.${hint}`,
          footer: () =>
            found.updates.length < found.count
              ? `${formatCount(found.updates.length)} of ${formatQuantity(found.count, 'update')}`
              : formatQuantity(found.count, 'update'),
        },
      };
    } finally {
      await store.close();
    }
  },
});

function argumentsOf({
  positionals,
  options,
}: CommandInput<typeof POSITIONALS, typeof OPTIONS>): FilterArguments {
  const isTyped = options.type.length > 0;
  return {
    ...filterArgumentsOf(options),
    words: positionals.query.flatMap((each) => each.split(/\s+/)).filter((each) => each !== ''),
    types: isTyped ? options.type : ['software', 'driver'],
    deployableOnly: !isTyped,
    kbs: options.kb,
    cves: options.cve,
    title: options.title,
    severities: options.severity,
    ...choice('superseded', options.superseded, options['not-superseded']),
    ...choice('expired', options.expired, options['not-expired']),
    newestOnly: !options['all-revisions'],
  };
}

/** The real packages that are public hold categories and detectoids only: say where they are. */
async function describeOtherTypes(store: MetadataStore): Promise<string> {
  const { newestByType, revisions } = await store.status();
  if (revisions === 0) return ' The store is empty: import a package first.';
  return ` The store holds ${formatCount(newestByType.Software)} software updates, ${formatCount(newestByType.Driver)} drivers, ${formatCount(newestByType.Category)} categories and ${formatCount(newestByType.Detectoid)} detectoids; --type shows those.`;
}

function choice<K extends string>(name: K, only: boolean, none: boolean): { readonly [P in K]?: boolean } {
  if (only && none) {
    throw new WsusutilError('USAGE', `--${name} and --not-${name} exclude each other`, {
      hint: 'Give one of them.',
    });
  }
  return (only ? { [name]: true } : none ? { [name]: false } : {}) as { readonly [P in K]?: boolean };
}

function parseLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const limit = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (limit === 0)
    throw new WsusutilError('USAGE', `"${text}" is not a count`, { hint: 'Give a number from 1 on.' });
  return limit;
}
