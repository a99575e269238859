import { basename, dirname, resolve } from 'node:path';
import { WsusutilError } from '../../errors.js';
import { MAX_CAB_UNCOMPRESSED_SIZE, packageFormatOf } from '../../model/export-package.js';
import { clearLeftovers } from '../../packages/clear-leftovers.js';
import { type ExportSummary, exportPackage } from '../../packages/export-package.js';
import { parseSize } from '../../query/parse-size.js';
import type { CommandContext } from '../context.js';
import { type CommandInput, defineCommand, type PositionalSpec } from '../declaration.js';
import { checkPasswordOptions, PASSWORD_OPTIONS } from '../keys/key-password.js';
import { readLanguageChoice } from '../language-choice.js';
import type { Outcome } from '../outcome.js';
import { describeRevisionTypes, formatQuantity, formatSize } from '../quantities.js';
import { recordRun } from '../record-run.js';
import { checkLastSync } from '../sync/last-sync.js';
import { CHOICE_OPTIONS, checkChoice, resolveChoice } from './filter-options.js';
import { checkTarget } from './package-path.js';
import { checkTransferExport, runTransferExport, TRANSFER_WRITING_OPTIONS } from './transfer-export.js';
import {
  choiceOf,
  isTransferPackage,
  refuseTransferOptions,
  SINCE_OPTION,
  TRANSFER_EXPORT_OPTIONS,
} from './transfer-options.js';

const START = 'Updates are being exported. Please do not stop this program.';
const FINISH = 'All updates are successfully exported.';

const TAR_OPTIONS = { ...TRANSFER_EXPORT_OPTIONS, ...TRANSFER_WRITING_OPTIONS, ...PASSWORD_OPTIONS } as const;

const OPTIONS = {
  ...CHOICE_OPTIONS,
  since: SINCE_OPTION,
  split: {
    type: 'boolean',
    description:
      'Write several cabinets (name.part1of3.cab, …), each with all that its updates need, when one would pass the 2 GB limit; import them in order',
  },
  'split-size': {
    type: 'string',
    value: 'size',
    description:
      'With --split: uncompressed bytes of one cabinet, e.g. 600M; at most and by default the limit',
  },
  'require-synced': {
    type: 'boolean',
    description: 'Refuse unless the last synchronisation was complete (default: a warning unless it was)',
  },
  'dry-run': {
    type: 'boolean',
    description: 'Say what would be exported, and how large it would be in each format',
  },
  ...TAR_OPTIONS,
} as const;

export const exportCommand = defineCommand({
  name: 'export',
  summary: 'Export update metadata to a package',
  description: [
    'Exports update metadata to a package that "wsusutil import" reads, on this or on a WSUS server. Without options it exports everything. Content files, approvals and server settings are not part of the package.',
    'A name that ends in .tar makes a transfer package, which only wsusutil reads: metadata and content files together, verified end to end, signed if a key is named, in volumes if a size is. "wsusutil plan export" says beforehand how large it will be.',
  ],
  inRealTool: true,
  needsDataDirectory: true,
  positionals: [
    {
      name: 'package',
      description:
        'Path of the package to create: a CAB file, a GZIP file if its name ends in .xml.gz, or a transfer package if it ends in .tar',
      required: true,
      kind: 'file',
    },
    { name: 'logfile', description: 'Path of the log file to create', required: false, kind: 'file' },
  ],
  options: OPTIONS,
  logPositional: 'logfile',
  targetPositional: 'package',
  notes: [
    'What an option chooses is exported with everything it needs: prerequisites, categories and the parts of bundles.',
    'A CAB file can hold 2,147,450,880 bytes before compression. A larger export is refused before anything is written; use .xml.gz or --split then.',
    "The .xml.gz layout that Microsoft's tool writes is not published. The one written here follows what is known of it and is read back by this tool; it has not met Microsoft's importer yet. For a WSUS server use .cab.",
  ],
  examples: [
    'wsusutil export export.cab export.log',
    'wsusutil export --product "Windows 11" --exclude-superseded win11.cab',
    'wsusutil export --dry-run export.xml.gz',
    'wsusutil export carry.tar --destination ship --since-last --volume-size fat32 --sign-with default',
  ],
  check({ positionals, options }, now) {
    checkTarget(positionals.package);
    const isTransfer = isTransferPackage(positionals.package);
    checkChoice(isTransfer ? choiceOf(options, now) : options, now);
    if (isTransfer) {
      for (const name of ['split', 'split-size', 'dry-run'] as const) {
        if (options[name] === false || options[name] === undefined) continue;
        throw new WsusutilError('USAGE', `--${name} is not for transfer packages`, {
          hint:
            name === 'dry-run'
              ? 'Run "wsusutil plan export" with the same options.'
              : 'Give --volume-size to have volumes.',
        });
      }
      checkPasswordOptions(options);
      checkTransferExport(options, now);
      return;
    }
    refuseTransferOptions(options, Object.keys(TAR_OPTIONS));
    splitSizeOf(options, positionals.package);
  },
  async run(input, context) {
    const { positionals, options } = input;
    const path = resolve(positionals.package);
    if (isTransferPackage(path)) return runTransferExport(path, options, context);
    const splitSize = splitSizeOf(options, path);
    const startedAt = context.now().getTime();
    const languages = await readLanguageChoice((await context.dataDirectory()).settingsPath);
    const store = await context.openStore('read');
    let summary: ExportSummary;
    try {
      // Names are looked up first: a slip in one must not look like an export that has begun.
      const filter = await resolveChoice(options, store, context.now());
      const warnOfSync = await checkLastSync(store, options['require-synced'], context);
      if (!options['dry-run']) context.announce(START);
      warnOfSync();
      if (!options['dry-run']) await clearLeftovers(dirname(path), context);
      summary = await exportPackage({
        path,
        store,
        now: context.now,
        signal: context.signal,
        report: context.report,
        threads: context.threads,
        filter,
        languages,
        splitSize,
        dryRun: options['dry-run'],
      });
    } finally {
      await store.close();
    }
    if (!summary.dryRun) {
      await recordRun(context, {
        action: 'export',
        package: path,
        startedAt,
        finishedAt: context.now().getTime(),
        outcome: 'complete',
        details: { revisions: summary.revisions, files: summary.files, packages: summary.packages },
      });
    }
    return outcomeOf(summary, path, context);
  },
});

type Options = CommandInput<readonly PositionalSpec[], typeof OPTIONS>['options'];

function splitSizeOf(options: Options, path: string): number | undefined {
  const given = options['split-size'];
  if (!options.split) {
    if (given === undefined) return undefined;
    throw new WsusutilError('USAGE', '--split-size needs --split', { hint: 'Add --split.' });
  }
  if (packageFormatOf(path) !== 'cab') {
    throw new WsusutilError('USAGE', '--split is for cabinets; a .xml.gz package has no size limit', {
      hint: 'Leave --split out, or give a name that ends in .cab.',
    });
  }
  return given === undefined
    ? MAX_CAB_UNCOMPRESSED_SIZE
    : Math.min(parseSize(given), MAX_CAB_UNCOMPRESSED_SIZE);
}

function outcomeOf(summary: ExportSummary, path: string, context: CommandContext): Outcome {
  const { byType, plan } = summary;
  const counts = `${formatQuantity(summary.revisions, 'revision')} (${formatSize(summary.documentBytes)}): ${describeRevisionTypes(byType)}.`;
  const lines = [counts];
  if (plan !== undefined) {
    lines.push(
      plan.fitsInCab
        ? `As .cab: ${formatSize(plan.cabUncompressedSize)} before compression, about ${formatSize(plan.estimatedSize.cab)} after.`
        : `As .cab: ${formatSize(plan.cabUncompressedSize)} before compression, more than one cabinet can hold (${formatSize(MAX_CAB_UNCOMPRESSED_SIZE)}): use --split or .xml.gz.`,
      `As .xml.gz: ${formatSize(plan.xmlUncompressedSize)} before compression, about ${formatSize(plan.estimatedSize.xmlGz)} after.`,
      'Nothing was written (--dry-run).',
    );
  }
  for (const written of summary.packages)
    lines.push(`${written.path}: ${formatSize(written.size)}, SHA-256 ${written.sha256}`);
  if (plan === undefined) lines.push(FINISH);
  return {
    status: 'complete',
    result: {
      package: path,
      format: summary.format,
      dryRun: summary.dryRun,
      serverId: summary.header.serverId,
      creationTime: summary.header.creationTime,
      revisions: summary.revisions,
      chosen: summary.chosen,
      byType,
      files: summary.files,
      filesWithoutLocation: summary.filesWithoutLocation,
      documentBytes: summary.documentBytes,
      packages: summary.packages,
      ...(plan === undefined ? {} : { plan }),
      logPath: context.logPath ?? null,
    },
    view: { kind: 'lines', lines },
    logLine: summary.dryRun
      ? `Dry run: ${counts}`
      : `Successfully exported metadata to ${basename(path)}: ${counts}`,
  };
}
