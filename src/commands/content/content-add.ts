import { resolve } from 'node:path';
import { type AddSummary, addContent, type SourceSummary } from '../../content/add-content.js';
import { openContentRunner } from '../../content/content-runner.js';
import { WsusutilError } from '../../errors.js';
import type { ContentIndex } from '../../store/content-index.js';
import { defineCommand } from '../declaration.js';
import { formatCount, formatQuantity } from '../quantities.js';
import { ownContentFolder } from './content-folder.js';
import { formatAmount, ifAny } from './content-report.js';

export const contentAdd = defineCommand({
  name: 'content add',
  summary: 'Take in content files found elsewhere, recognised by their hashes',
  description: [
    'Looks through files, folders and archives (zip, 7z, iso, rar, tar) for content files the metadata calls for. What a file is, its SHA-1 and SHA-256 say: names do not matter, wrong ones and trees with misspelt folders are fine. Each is verified and put in its place; the source stays.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [
    {
      name: 'sources',
      description: 'Files, folders and archives; an archive inside a folder is named, not opened',
      required: true,
      variadic: true,
      kind: 'file',
    },
  ],
  options: {
    move: {
      type: 'boolean',
      description: 'Remove each source file once its copy is in place; archives stay',
    },
    'dry-run': { type: 'boolean', description: 'Say what would be taken in; change nothing' },
  },
  notes: [
    'Archives of up to 1 GiB are opened; unpack larger ones and add the folder.',
    'Exit code 3: a source could not be read, or nothing in the sources was called for.',
  ],
  examples: [
    'wsusutil content add /media/usb',
    'wsusutil content add windows10.0-kb5013943-x64.msu packed.zip',
  ],
  async run({ positionals, options }, context) {
    const startedAt = context.now().getTime();
    const directory = await context.dataDirectory();
    const store = await context.openStore('write');
    const runner = openContentRunner(context.processors > 1 ? context.processors : 0);
    try {
      const index = await store.contentIndex();
      const contentFolder = await ownContentFolder(directory, runner);
      const before = await index.states();
      if (Object.values(before).every(({ files }) => files === 0)) {
        throw new WsusutilError(
          'NOT_FOUND',
          'The metadata calls for no content file, so none can be recognised',
          {
            hint: 'Import the metadata first, then add the files.',
          },
        );
      }
      const summary = await addContent({
        index,
        contentFolder,
        sources: positionals.sources.map((source) => resolve(source)),
        move: options.move,
        dryRun: options['dry-run'],
        runner,
        now: context.now,
        signal: context.signal,
        report: context.report,
      });
      const status = isClean(summary) ? 'complete' : 'incomplete';
      if (!summary.dryRun) {
        await store.addHistory({
          action: 'content add',
          package: positionals.sources.join(', ').slice(0, 1000),
          startedAt,
          finishedAt: context.now().getTime(),
          outcome: status,
          details: { added: sumOf(summary, 'added'), replaced: sumOf(summary, 'replaced') },
        });
      }
      return {
        status,
        result: { ...summary, states: await index.states() },
        view: [
          ...summary.sources.map((source) => ({ kind: 'fields' as const, fields: fieldsOf(source) })),
          { kind: 'lines', lines: [await verdictOf(summary, index)] },
        ],
      };
    } finally {
      await runner.close();
      await store.close();
    }
  },
});

function isClean({ sources }: AddSummary): boolean {
  const found = sources.some(
    ({ added, present, replaced }) => added.files + present.files + replaced.files > 0,
  );
  return found && sources.every(({ problems }) => problems.length === 0);
}

function sumOf({ sources }: AddSummary, what: 'added' | 'replaced'): { files: number; bytes: number } {
  return sources.reduce(
    (sum, source) => ({ files: sum.files + source[what].files, bytes: sum.bytes + source[what].bytes }),
    { files: 0, bytes: 0 },
  );
}

function fieldsOf(
  source: SourceSummary,
): readonly (readonly [string, string | readonly string[] | undefined])[] {
  return [
    [source.kind === 'unreadable' ? 'Source' : `From ${source.kind}`, source.path],
    ['Added', ifAny(source.added)],
    ['There already', ifAny(source.present)],
    [
      'Replaced',
      source.replaced.files === 0 ? undefined : `${formatAmount(source.replaced)}, damaged before`,
    ],
    [
      'Not called for',
      source.notCalledFor.files === 0 ? undefined : formatQuantity(source.notCalledFor.files, 'file'),
    ],
    [
      'Archives in it',
      source.archives === 0
        ? undefined
        : `${formatCount(source.archives)}, not opened; name them to open them`,
    ],
    [
      'Not followed',
      source.notFollowed === 0 ? undefined : `${formatCount(source.notFollowed)} links, sockets or the like`,
    ],
    ['Problems', source.problems.length === 0 ? undefined : source.problems.slice(0, 20)],
  ];
}

async function verdictOf(summary: AddSummary, index: ContentIndex): Promise<string> {
  const added = sumOf(summary, 'added');
  const replaced = sumOf(summary, 'replaced');
  const done = `${formatQuantity(added.files + replaced.files, 'file')} ${summary.dryRun ? 'would be added (--dry-run)' : 'added'}.`;
  const { absent, corrupt } = await index.states();
  const missing = absent.files + corrupt.files;
  return missing === 0 || summary.dryRun
    ? done
    : `${done} ${formatAmount({ files: missing, bytes: absent.bytes + corrupt.bytes })} of what the metadata calls for is not here, as far as it was checked.`;
}
