import { resolve } from 'node:path';
import { openContentRunner } from '../../content/content-runner.js';
import { findContentFolder, hasContentFolder } from '../../content/content-tree.js';
import { type CopySummary, copyContent, type WantedFiles } from '../../content/copy-content.js';
import { CopyJournal } from '../../content/copy-journal.js';
import { readMissingList, wantedOf } from '../../content/missing-list.js';
import { relateFolders } from '../../content/same-place.js';
import { WsusutilError } from '../../errors.js';
import type { ContentIndex } from '../../store/content-index.js';
import type { MetadataStore } from '../../store/metadata-store.js';
import { defineCommand } from '../declaration.js';
import type { Outcome, View } from '../outcome.js';
import { checkChoice } from '../packages/filter-options.js';
import { formatCount, formatQuantity, formatSize } from '../quantities.js';
import { recordRun } from '../record-run.js';
import { ownContentFolder } from './content-folder.js';
import { formatAmount, ifAny, problemTables } from './content-report.js';
import { CONTENT_SCOPE_OPTIONS, resolveContentScope } from './content-scope.js';

export const contentCopy = defineCommand({
  name: 'content copy',
  summary: 'Copy the content files the metadata calls for to another directory, verified',
  description: [
    'Copies by list, never by date: every file that the metadata calls for and this content directory holds, licence texts included. Each is read through SHA-1 and SHA-256 while it is copied, synced, and has its name only then. What is there already and right is not copied again; nothing is ever deleted.',
    'Interrupted at any point, the same command goes on.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [
    {
      name: 'dir',
      description: 'The target: a content directory, or the folder in which WsusContent is (or will be)',
      required: true,
      kind: 'directory',
    },
  ],
  options: {
    list: {
      type: 'string',
      value: 'file',
      completes: 'file',
      description:
        'Copy the files this list names, which "wsusutil reset --missing-list" wrote on the other side',
    },
    link: {
      type: 'string',
      value: 'auto|never',
      choices: ['auto', 'never'],
      description:
        'auto (the default): where both directories share a file system, share the bytes (reflink, else hard link); a hard link shares later changes too',
    },
    'dry-run': {
      type: 'boolean',
      description: 'Say what would be copied, by names, sizes and earlier checks; read and copy no file',
    },
    ...CONTENT_SCOPE_OPTIONS,
  },
  notes: [
    'Exit code 3: files could not be copied, mostly since the source lacks them or has them damaged; they are listed, licence texts first. With --dry-run also: there is no room, or no right to write.',
  ],
  examples: [
    'wsusutil content copy /media/usb --exclude-superseded --exclude-expired',
    'wsusutil content copy /media/usb --list need.json',
  ],
  check({ options }, now) {
    checkChoice(options, now);
  },
  async run({ positionals, options }, context) {
    const startedAt = context.now().getTime();
    const directory = await context.dataDirectory();
    const store = await context.openStore('read');
    const runner = openContentRunner(context.processors > 1 ? context.processors : 0);
    let summary: CopySummary;
    try {
      const source = await ownContentFolder(directory, runner);
      if (!(await hasContentFolder(source))) {
        const all = await (await store.contentIndex(context.signal)).select({}, context.signal);
        const { files } = all.totals;
        await all.close();
        throw new WsusutilError('INPUT_NOT_FOUND', `There is no content directory ${source} to copy from`, {
          hint:
            files === 0
              ? 'No file is called for yet either: import or synchronise updates first; "wsusutil reset" then fetches their files.'
              : '"wsusutil reset" fetches the files. If they lie elsewhere, say where: "wsusutil postinstall CONTENT_DIR=<dir>".',
        });
      }
      const target = await findContentFolder(resolve(positionals.dir), runner);
      const relation = await relateFolders(target, source);
      if (relation !== 'apart') {
        throw new WsusutilError(
          'USAGE',
          relation === 'same'
            ? `${target} is the content directory itself`
            : `${target} lies ${relation} ${source}: source and target must be apart`,
          {
            hint: 'Name another folder; "wsusutil reset" checks the files of the content directory.',
          },
        );
      }
      const selection =
        options.list === undefined
          ? await (await store.contentIndex()).select(await resolveContentScope(store, options, context))
          : undefined;
      const wanted: WantedFiles =
        selection ?? (await listedFiles(resolve(options.list ?? ''), options['dry-run'], store));
      const journal = await CopyJournal.open({ folder: directory.journalsPath, contentFolder: target });
      try {
        summary = await copyContent({
          source,
          target,
          wanted,
          journal,
          link: options.link !== 'never',
          dryRun: options['dry-run'],
          runner,
          signal: context.signal,
          report: context.report,
        });
      } finally {
        await journal.close();
        await selection?.close();
      }
    } finally {
      await runner.close();
      await store.close();
    }
    const outcome = outcomeOf(summary);
    if (!summary.dryRun) {
      await recordRun(context, {
        action: 'content copy',
        package: summary.target,
        startedAt,
        finishedAt: context.now().getTime(),
        outcome: outcome.status,
        details: { copied: summary.copied, present: summary.present, notCopied: summary.notCopied },
      });
    }
    return outcome;
  },
});

/** @param isForetold what is known of the files here is asked for too */
async function listedFiles(path: string, isForetold: boolean, store: MetadataStore): Promise<WantedFiles> {
  const wanted = wantedOf(await readMissingList(path));
  return isForetold ? withRecords(wanted, await store.contentIndex()) : wanted;
}

/** Listed files with what the last check here found out about them. */
function withRecords(wanted: WantedFiles, index: ContentIndex): WantedFiles {
  return {
    totals: wanted.totals,
    async page(folder, after) {
      const files = await wanted.page(folder, after);
      if (files.length === 0) return files;
      const known = await index.find(files.map(({ sha1 }) => sha1));
      return files.map((file) => ({ ...file, record: known.get(file.sha1)?.record }));
    },
  };
}

function outcomeOf(summary: CopySummary): Outcome {
  const { notCopied, dryRun, toCopy, unread, free, fits, writable } = summary;
  return {
    status: notCopied.files === 0 && fits && writable ? 'complete' : 'incomplete',
    result: { ...summary },
    view: [
      ...copyTables(summary),
      {
        kind: 'fields',
        fields: [
          ['From', summary.source],
          ['To', summary.target],
          ['Called for', formatAmount(summary.wanted)],
          ['There already', ifAny(summary.present)],
          [
            'There, not read',
            unread.target.files === 0
              ? undefined
              : `${formatAmount(unread.target)} of the right size; a run reads them and replaces damaged ones`,
          ],
          [dryRun ? 'To copy' : 'Copied', formatAmount(dryRun ? toCopy : summary.copied)],
          ['Of these linked', ifAny(summary.linked)],
          [
            dryRun ? 'Of these to replace' : 'Of these replaced',
            summary.replaced.files === 0
              ? undefined
              : `${formatAmount(summary.replaced)}, damaged at the target`,
          ],
          [
            'Of these not read',
            unread.source.files === 0
              ? undefined
              : `${formatAmount(unread.source)} that no check found right here; a run does not copy damaged ones`,
          ],
          ['Free there', dryRun && free !== undefined ? formatSize(free) : undefined],
          ['Not copied', ifAny(notCopied)],
          [
            'Licence texts',
            notCopied.licences.files === 0
              ? undefined
              : `${formatCount(notCopied.licences.files)} of them not copied`,
          ],
        ],
      },
      { kind: 'lines', lines: [verdictOf(summary)] },
    ],
  };
}

function verdictOf(summary: CopySummary): string {
  const { dryRun, notCopied, fits, toCopy, free, unread, writable } = summary;
  if (dryRun) {
    const access = writable ? '' : ' This account may not write there, so a run would fail.';
    const room = fits
      ? ''
      : ` It does not fit: ${formatSize(toCopy.bytes - (free ?? 0))} more are needed, and a run would copy nothing.`;
    const basis =
      unread.source.files + unread.target.files === 0
        ? ''
        : ' It went by names, sizes and earlier checks; what is inside the files that were not read, only a run finds out.';
    return `Nothing was copied (--dry-run).${access}${room}${basis}`;
  }
  if (summary.wanted.files === 0) return 'No file is called for, so there was nothing to copy.';
  return notCopied.files === 0
    ? 'Every file that was called for is at the target and right.'
    : `${formatQuantity(notCopied.files, 'file')} could not be copied; the list says why. "wsusutil reset" mends what is missing or damaged here.`;
}

/** What was not copied, licence texts first. */
export function copyTables({ notCopied, notCopiedFiles }: CopySummary): readonly View[] {
  const licencesFirst = [...notCopiedFiles].sort(
    (a, b) => Number(b.kind === 'licence') - Number(a.kind === 'licence'),
  );
  return problemTables('Not copied', licencesFirst, notCopied.files);
}
