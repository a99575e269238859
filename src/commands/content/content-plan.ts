import { resolve } from 'node:path';
import { openContentRunner } from '../../content/content-runner.js';
import { findContentFolder } from '../../content/content-tree.js';
import { type CategoryPlan, type ContentPlan, planContent } from '../../content/plan-content.js';
import { defineCommand } from '../declaration.js';
import type { FieldsView, TableView, View } from '../outcome.js';
import { checkChoice } from '../packages/filter-options.js';
import { formatCount, formatSize } from '../quantities.js';
import { ownContentFolder } from './content-folder.js';
import { formatAmount, ifAny } from './content-report.js';
import { CONTENT_SCOPE_OPTIONS, resolveContentScope } from './content-scope.js';

export const contentPlan = defineCommand({
  name: 'content plan',
  summary: 'Show which content files an export or a target needs, and whether they fit',
  description: [
    'Counts the files and bytes that the chosen updates call for: payload, express files and licence texts apart, by product and by classification, and how many of them the last reset found here (--check looks).',
    'With a target it also says what is there already, what is to be copied, and whether there is room for it.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  csv: true,
  positionals: [
    {
      name: 'dir',
      description: 'The target: a disk, a share, or the content directory there',
      required: false,
      kind: 'directory',
    },
  ],
  options: {
    check: {
      type: 'boolean',
      description:
        'Look at the content directory here, by presence and size, instead of what the last reset found',
    },
    ...CONTENT_SCOPE_OPTIONS,
  },
  notes: ['A file that several products need counts in each of them; the total counts it once.'],
  examples: [
    'wsusutil content plan',
    'wsusutil content plan /media/usb --product "Windows 11" --exclude-superseded',
  ],
  check({ options }, now) {
    checkChoice(options, now);
  },
  async run({ positionals, options }, context) {
    const store = await context.openStore('read');
    const runner = openContentRunner(context.threads);
    try {
      // As content copy takes it: a disk that is not mounted must not pass for the one it is mounted on.
      const target =
        positionals.dir === undefined ? undefined : await findContentFolder(resolve(positionals.dir), runner);
      const plan = await planContent({
        store,
        scope: await resolveContentScope(store, options, context),
        target,
        here: options.check ? await ownContentFolder(await context.dataDirectory(), runner) : undefined,
        runner,
        now: context.now,
        signal: context.signal,
        report: context.report,
      });
      const fits = plan.target?.fits !== false;
      return {
        status: fits ? 'complete' : 'incomplete',
        result: { ...plan, target: plan.target ?? null },
        view: viewOf(plan),
      };
    } finally {
      await runner.close();
      await store.close();
    }
  },
});

function viewOf(plan: ContentPlan): readonly View[] {
  const { wanted, states, target } = plan;
  const fields: FieldsView['fields'] = [
    ['Called for', formatAmount(wanted)],
    ['Payload', ifAny(wanted.payload)],
    ['Express', ifAny(wanted.express)],
    ['Licence texts', ifAny(wanted.licence)],
    ['Here, verified', ifAny(states.verified)],
    ['Here, unverified', ifAny(states.unverified)],
    ['Damaged', ifAny(states.corrupt)],
    ['Missing', ifAny(states.absent)],
    [
      'Never checked',
      states.unchecked.files === 0 ? undefined : `${formatAmount(states.unchecked)}; --check looks`,
    ],
    ['Target', target?.path],
    ['There already', ifAny(target?.present)],
    ['To copy', target === undefined ? undefined : formatAmount(target.toCopy)],
    ['Free there', target?.free === undefined ? undefined : formatSize(target.free)],
  ];
  const verdict =
    target === undefined
      ? []
      : [
          target.fits
            ? 'It fits. "wsusutil content copy" with the same arguments copies it.'
            : `It does not fit: ${formatSize(target.toCopy.bytes - (target.free ?? 0))} more are needed. Choose fewer updates or another disk.`,
        ];
  return [
    csvTable(plan),
    ...tableOf('Product', plan.products),
    ...tableOf('Classification', plan.classifications),
    { kind: 'fields', fields },
    ...(verdict.length === 0 ? [] : [{ kind: 'lines', lines: verdict } as const]),
  ];
}

function tableOf(title: string, rows: readonly CategoryPlan[]): readonly TableView[] {
  if (rows.length === 0) return [];
  return [
    {
      kind: 'table',
      forCsv: false,
      columns: [
        { title, flexible: true },
        { title: 'Files', align: 'right' },
        { title: 'Licences', align: 'right' },
        { title: 'Size', align: 'right' },
      ],
      rows: rows.map((row) => [
        row.title,
        formatCount(row.files),
        formatCount(row.licences),
        formatSize(row.bytes),
      ]),
      emptyText: '',
    },
  ];
}

/** Both tables in one, with sizes in bytes. */
function csvTable(plan: ContentPlan): TableView {
  const columns = ['Kind', 'Id', 'Title', 'Files', 'Licences', 'Bytes'];
  const rowsOf = (kind: string, rows: readonly CategoryPlan[]) =>
    rows.map(({ updateId, title, files, licences, bytes }) => [
      kind,
      updateId,
      title,
      String(files),
      String(licences),
      String(bytes),
    ]);
  return {
    kind: 'table',
    forCsv: true,
    columns: columns.map((title) => ({ title })),
    rows: [...rowsOf('product', plan.products), ...rowsOf('classification', plan.classifications)],
    emptyText: 'No file that is called for belongs to a product or classification.',
  };
}
