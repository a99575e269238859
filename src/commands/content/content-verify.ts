import { resolve } from 'node:path';
import { openContentRunner } from '../../content/content-runner.js';
import { findContentFolder, hasContentFolder } from '../../content/content-tree.js';
import { checkListTarget } from '../../content/missing-list.js';
import { verifyContent } from '../../content/verify-content.js';
import { WsusutilError } from '../../errors.js';
import { defineCommand } from '../declaration.js';
import { checkChoice } from '../packages/filter-options.js';
import { ownContentFolder } from './content-folder.js';
import { findingTables, formatAmount, tallyFields, tallyJson } from './content-report.js';
import { CONTENT_SCOPE_OPTIONS, resolveContentScope } from './content-scope.js';

export const contentVerify = defineCommand({
  name: 'content verify',
  summary: 'Check the files of any content directory against the metadata; change nothing',
  description: [
    'Reads every file the metadata calls for through SHA-1 and SHA-256 and says what is missing, damaged or unexpected, as reset does, but repairs nothing, and writes nothing but the list that --missing-list asks for: a disc, a share or the tree on its way to another network can be checked.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [
    {
      name: 'dir',
      description:
        'The content directory, or the folder that holds its WsusContent; left out: that of the data directory',
      required: false,
      kind: 'directory',
    },
  ],
  options: {
    'missing-list': {
      type: 'string',
      value: 'path',
      completes: 'file',
      description:
        'Write the files that are missing or damaged to this list, for "wsusutil export --need" and "wsusutil content copy --list" on the connected side',
    },
    quick: { type: 'boolean', description: 'Compare presence and size only; files are not read' },
    ...CONTENT_SCOPE_OPTIONS,
  },
  examples: ['wsusutil content verify', 'wsusutil content verify /media/usb --exclude-superseded'],
  check({ options }, now) {
    checkChoice(options, now);
  },
  async run({ positionals, options }, context) {
    const { now, signal, report } = context;
    const missingList = options['missing-list'];
    if (missingList !== undefined) await checkListTarget(resolve(missingList));
    const directory = await context.dataDirectory();
    const store = await context.openStore('read');
    const runner = openContentRunner(context.processors > 1 ? context.processors : 0);
    try {
      const contentFolder =
        positionals.dir === undefined
          ? await ownContentFolder(directory, runner)
          : await findContentFolder(resolve(positionals.dir), runner);
      if (!(await hasContentFolder(contentFolder))) {
        throw new WsusutilError('INPUT_NOT_FOUND', `There is no content directory ${contentFolder}`, {
          hint: 'Name the folder that holds WsusContent, or WsusContent itself.',
        });
      }
      const summary = await verifyContent({
        store,
        contentFolder,
        scope: await resolveContentScope(store, options, context),
        depth: options.quick ? 'quick' : 'full',
        records: 'of-another',
        missingListPath: missingList === undefined ? undefined : resolve(missingList),
        runner,
        now,
        signal,
        report,
      });
      const { found, wanted } = summary;
      const good = options.quick ? found.unverified : found.verified;
      const isWhole = good.files === wanted.files;
      return {
        status: isWhole ? 'complete' : 'incomplete',
        result: {
          contentFolder,
          depth: options.quick ? 'quick' : 'full',
          wanted,
          ...tallyJson(summary),
          missingList: summary.missingList ?? null,
        },
        view: [
          ...findingTables(summary),
          {
            kind: 'fields',
            fields: [
              ['Content', contentFolder],
              ...tallyFields(summary),
              [
                'List of missing',
                summary.missingList === undefined
                  ? undefined
                  : `${summary.missingList.path}: ${formatAmount(summary.missingList)}`,
              ],
            ],
          },
          {
            kind: 'lines',
            lines: [
              isWhole
                ? options.quick
                  ? 'Every file is there in its size; without --quick they would be read.'
                  : 'Every file is there and right.'
                : `${formatAmount({ files: wanted.files - good.files, bytes: wanted.bytes - good.bytes })} missing or damaged.`,
            ],
          },
        ],
      };
    } finally {
      await runner.close();
      await store.close();
    }
  },
});
