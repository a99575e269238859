import { stat } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { type AdoptSummary, adoptContent } from '../../content/adopt-content.js';
import { openContentRunner } from '../../content/content-runner.js';
import { findContentFolder, hasContentFolder } from '../../content/content-tree.js';
import { type CopySummary, copyContent } from '../../content/copy-content.js';
import { CopyJournal } from '../../content/copy-journal.js';
import { findLeftBehind, type LeftBehind } from '../../content/left-behind.js';
import { relateFolders } from '../../content/same-place.js';
import { isWsusutilError, WsusutilError } from '../../errors.js';
import { setUpContentDirectory } from '../../settings/data-directory.js';
import { defineCommand } from '../declaration.js';
import { formatQuantity, formatSize } from '../quantities.js';
import { copyTables } from './content-copy.js';
import { ownContentFolder } from './content-folder.js';
import {
  findingTables,
  formatAmount,
  ifAny,
  strayFields,
  strayTables,
  tallyFields,
  tallyJson,
} from './content-report.js';

// English wording of the real tool unknown (cli-surface 8): these are ours.
const START = 'The content file location is being moved. Please do not stop this program.';
const FINISH = 'The content file location was moved successfully.';

export const movecontent = defineCommand({
  name: 'movecontent',
  summary: 'Move the content directory to another place, verified; the old one stays',
  description: [
    'Copies every file the metadata calls for to WsusContent at the new place, each read through SHA-1 and SHA-256, then switches the setting in one step. The old directory is left as it is; delete it when you no longer need it. Files in it that no update calls for are not copied; they are listed and stay there.',
    'Interrupted at any point, the setting names either the old or the new place, and both can be used; run the command again to finish.',
  ],
  inRealTool: true,
  needsDataDirectory: true,
  positionals: [
    {
      name: 'contentpath',
      description:
        'The new place: an existing folder, as an absolute path; WsusContent is made in it, unless that is its name',
      required: true,
      kind: 'directory',
    },
    { name: 'logfile', description: 'Path of the log file to create', required: false, kind: 'file' },
  ],
  options: {
    skipcopy: {
      type: 'boolean',
      description: 'Copy nothing: the files are there already. They are checked for presence and size',
    },
  },
  logPositional: 'logfile',
  notes: ['Exit code 3: the place was switched, but files are missing there; they are listed.'],
  examples: ['wsusutil movecontent /srv/wsus move.log', 'wsusutil movecontent D:\\WSUS move.log -skipcopy'],
  check({ positionals }) {
    const path = positionals.contentpath;
    if (/^[a-z]:$/i.test(path)) {
      throw new WsusutilError('USAGE', `${path} means the folder ${path} is in at the moment, not its root`, {
        hint: `Write ${path}\\ for the root of the drive.`,
      });
    }
    if (!isAbsolute(path)) {
      throw new WsusutilError('USAGE', `The content path ${path} is not an absolute path`, {
        hint: `Write it in full, e.g. ${resolve(path)}.`,
      });
    }
  },
  async run({ positionals, options }, context) {
    const { now, signal, report } = context;
    const startedAt = now().getTime();
    const root = resolve(positionals.contentpath);
    const facts = await stat(root).catch(() => undefined);
    if (facts?.isDirectory() !== true) {
      throw new WsusutilError('INPUT_NOT_FOUND', `There is no folder ${root}`, {
        hint: 'Create it first; WsusContent is made in it.',
      });
    }
    const directory = await context.dataDirectory();
    const store = await context.openStore('write');
    const runner = openContentRunner(context.processors > 1 ? context.processors : 0);
    let journal: CopyJournal | undefined;
    try {
      const from = await ownContentFolder(directory, runner);
      const to = await findContentFolder(root, runner);
      const relation = await relateFolders(to, from);
      if (relation === 'same') {
        throw new WsusutilError('USAGE', `The content directory is at ${from} already`, {
          hint: 'Name another folder, or use "wsusutil reset" to check the files.',
        });
      }
      if (relation !== 'apart') {
        const [inner, outer] = relation === 'inside' ? [to, from] : [from, to];
        throw new WsusutilError('USAGE', `${inner} lies inside ${outer}: old and new place must be apart`, {
          hint: 'Name a folder that is neither in the present content directory nor around it.',
        });
      }
      context.announce(START);
      report({ type: 'step', message: `Beginning content file location change to ${to}` });
      const index = await store.contentIndex();
      journal = await CopyJournal.open({ folder: directory.journalsPath, contentFolder: to });
      let copy: CopySummary | undefined;
      if (options.skipcopy) report({ type: 'step', message: 'Did not copy files due to -skipcopy flag.' });
      else if (await hasContentFolder(from)) {
        const selection = await index.select({});
        try {
          copy = await copyContent({
            source: from,
            target: to,
            wanted: selection,
            journal,
            link: false, // the old place may be taken away: nothing is shared with it
            dryRun: false,
            runner,
            signal,
            report,
          });
        } finally {
          await selection.close();
        }
        report({ type: 'step', message: 'Successfully copied content files.' });
      }
      await setUpContentDirectory(directory, root, to);
      report({ type: 'step', message: 'Successfully changed content file location.' });
      report({ type: 'step', message: 'Content integrity check and repair...' });
      const check = await adoptContent({
        index,
        contentFolder: to,
        journal,
        runner,
        now,
        signal,
        report,
      });
      const left = await lookAtOldPlace({ contentFolder: from, index, runner, signal, report });
      const missing = missingOf(check);
      const isWhole = missing.files === 0;
      await store.addHistory({
        action: 'movecontent',
        package: to,
        startedAt,
        finishedAt: now().getTime(),
        outcome: isWhole ? 'complete' : 'incomplete',
        details: {
          from,
          skipcopy: options.skipcopy,
          copied: copy?.copied ?? null,
          missing,
          leftBehind: amountOf(left),
        },
      });
      return {
        status: isWhole ? 'complete' : 'incomplete',
        result: {
          from,
          to,
          skipcopy: options.skipcopy,
          copied: copy?.copied ?? null,
          present: copy?.present ?? null,
          notCopied: copy?.notCopied ?? null,
          missing,
          leftBehind: left === undefined ? null : { ...amountOf(left), reasons: left.reasons },
          leftBehindFiles: left?.list ?? null,
          ...tallyJson(check),
          logPath: context.logPath ?? null,
        },
        view: [
          ...(copy === undefined ? findingTables(check) : copyTables(copy)),
          ...strayTables('Not moved', left?.list ?? [], left?.files ?? 0),
          {
            kind: 'fields',
            fields: [
              ['From', `${from} (left as it is)`],
              ['To', to],
              ['Copied', ifAny(copy?.copied)],
              ['There already', ifAny(copy?.present)],
              ...tallyFields(check),
              ...strayFields('Not moved', left?.reasons ?? {}),
            ],
          },
          {
            kind: 'lines',
            lines: [
              FINISH,
              ...leftLines(left),
              ...(isWhole
                ? []
                : [
                    `${formatAmount(missing)} missing there; they were ${options.skipcopy ? 'not checked' : 'missing or damaged'} at the old place. "wsusutil reset" repairs what it can.`,
                  ]),
            ],
          },
        ],
        logLine: isWhole
          ? 'Successfully changed content file location.'
          : `Successfully changed content file location; ${formatQuantity(missing.files, 'file')} missing there.`,
      };
    } finally {
      await journal?.close();
      await runner.close();
      await store.close();
    }
  },
});

/** An old place that cannot be read any more is no reason to fail: the content is at the new one. */
async function lookAtOldPlace(
  options: Parameters<typeof findLeftBehind>[0],
): Promise<LeftBehind | undefined> {
  try {
    return await findLeftBehind(options);
  } catch (error) {
    if (!isWsusutilError(error, 'READ_FAILED')) throw error;
    options.report({ type: 'step', message: `What stays at the old place is not known: ${error.message}` });
    return undefined;
  }
}

function leftLines(left: LeftBehind | undefined): readonly string[] {
  const unreadable = left?.reasons.unreadable ?? { files: 0, bytes: 0 };
  const files = (left?.files ?? 0) - unreadable.files;
  if (left === undefined || files === 0) return [];
  const what = `${formatQuantity(files, 'entry', 'entries')}, ${formatSize(left.bytes - unreadable.bytes)}`;
  return [`What no update calls for (${what}) was not moved and stays at the old place.`];
}

function amountOf(left: LeftBehind | undefined): { files: number; bytes: number } | null {
  return left === undefined ? null : { files: left.files, bytes: left.bytes };
}

function missingOf({ wanted, found }: AdoptSummary): { files: number; bytes: number } {
  const there = [found.verified, found.unverified];
  return {
    files: there.reduce((files, each) => files - each.files, wanted.files),
    bytes: there.reduce((bytes, each) => bytes - each.bytes, wanted.bytes),
  };
}
