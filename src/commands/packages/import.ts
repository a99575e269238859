import { basename, resolve } from 'node:path';
import { countsOf, type ImportSummary, importPackage, isComplete } from '../../packages/import-package.js';
import { rehearseImport } from '../../packages/verify-package.js';
import type { CommandContext } from '../context.js';
import { defineCommand } from '../declaration.js';
import { readLanguageChoice } from '../language-choice.js';
import type { Outcome } from '../outcome.js';
import { formatInstant } from '../quantities.js';
import { recordRefusal } from '../record-run.js';
import { describeImport } from './describe-import.js';
import { checkNetwork, NETWORK_OPTION } from './network-option.js';
import { refuseAddress } from './package-path.js';
import {
  type CheckedSignatures,
  checkPackageSignatures,
  checkSignatureOptions,
  describeSigners,
  SIGNATURE_OPTIONS,
  signaturesJson,
} from './package-signatures.js';
import { checkTransferImport, runTransferImport, TRANSFER_IMPORT_OPTIONS } from './transfer-import.js';
import { isTransferPackage, refuseTransferOptions } from './transfer-options.js';

const START = 'Updates are being imported. Please do not stop this program.';
const FINISH = 'All updates are successfully imported.';

export const importCommand = defineCommand({
  name: 'import',
  summary: 'Import update metadata from a package',
  description: [
    'Imports update metadata from a package that "wsusutil export" wrote, on this or on a WSUS server. Content files, approvals and server settings are not part of such a package.',
    'A transfer package (.tar) holds content files too: they go into the content directory first, each verified while it is written. All volumes beside the one that is named are taken. It must be signed by somebody who is trusted, and build on what was imported before.',
    'The import is one step: interrupted at any point, the store is as it was before. What the store already has stays as it is; importing a package again changes nothing.',
  ],
  inRealTool: true,
  needsDataDirectory: true,
  isHeavy: true,
  positionals: [
    {
      name: 'package',
      description:
        'Path of the package: a CAB file, a GZIP file if its name ends in .xml.gz, or a volume of a transfer package if it ends in .tar',
      required: true,
      kind: 'file',
    },
    { name: 'logfile', description: 'Path of the log file to create', required: false, kind: 'file' },
  ],
  options: {
    'dry-run': {
      type: 'boolean',
      description: 'Validate the package and say what would change; change nothing',
    },
    strict: {
      type: 'boolean',
      description:
        'Refuse the package if a revision is already there with another document, or if a prerequisite or bundled update is missing; read it even if it was imported before',
    },
    ...SIGNATURE_OPTIONS,
    ...TRANSFER_IMPORT_OPTIONS,
    network: NETWORK_OPTION,
  },
  logPositional: 'logfile',
  notes: [
    'Signatures of "wsusutil sign" or of minisign that lie beside the package (<package>.minisig, <package>.2.minisig, …) are checked before it is read; "wsusutil trust" says whose count, and whether there must be any.',
    'Copy the content files first: a server that knows an update whose files are missing shows it as a failed download.',
  ],
  examples: [
    'wsusutil import export.cab import.log',
    'wsusutil import --dry-run export.xml.gz',
    'wsusutil import /media/usb/carry.part1of3.tar',
  ],
  check({ positionals, options }) {
    refuseAddress('import', positionals.package);
    checkNetwork(options);
    checkSignatureOptions(options);
    if (isTransferPackage(positionals.package)) checkTransferImport(options);
    else refuseTransferOptions(options, Object.keys(TRANSFER_IMPORT_OPTIONS));
  },
  async run({ positionals, options }, context) {
    const path = resolve(positionals.package);
    if (isTransferPackage(path)) return runTransferImport(path, options, context);
    if (!options['dry-run']) context.announce(START);
    const startedAt = context.now().getTime();
    const signatures = await checkPackageSignatures(path, options, context).catch(async (error: unknown) => {
      const entry = { action: 'import', package: path, startedAt, details: {} } as const;
      if (!options['dry-run']) {
        await recordRefusal(context, { ...entry, finishedAt: context.now().getTime() }, error);
      }
      throw error;
    });
    const languages = await readLanguageChoice((await context.findDataDirectory()).settingsPath);
    const given = {
      path,
      languages,
      now: context.now,
      signal: context.signal,
      report: context.report,
      threads: context.threadsBeside,
      strict: options.strict,
      confirm: signatures.confirm,
    };
    // A dry run must not be what creates the store: without one, everything in the package would be new.
    if (options['dry-run'] && !(await context.hasStore())) {
      return outcomeOf(await rehearseImport(given), signatures, context);
    }
    const store = await context.openStore('write');
    try {
      const summary = await importPackage({ ...given, store, dryRun: options['dry-run'] });
      return outcomeOf(summary, signatures, context);
    } finally {
      await store.close();
    }
  },
});

function outcomeOf(summary: ImportSummary, signatures: CheckedSignatures, context: CommandContext): Outcome {
  const signed = describeSigners(signatures) ?? [];
  const complete = isComplete(summary);
  const counts = describeImport(summary);
  const before =
    summary.importedBefore === undefined
      ? []
      : [
          `The same package was imported at ${formatInstant(summary.importedBefore)} and was not read again (--strict reads it).`,
        ];
  const finish = summary.dryRun
    ? 'Nothing was changed (--dry-run).'
    : complete
      ? FINISH
      : 'The import has finished, with warnings.';
  return {
    status: complete ? 'complete' : 'incomplete',
    result: {
      package: summary.path,
      format: summary.format,
      header: { ...summary.header, languages: summary.header.languages.length },
      dryRun: summary.dryRun,
      ...countsOf(summary),
      newByType: summary.newByType,
      importedBefore:
        summary.importedBefore === undefined ? null : new Date(summary.importedBefore).toISOString(),
      conflictList: summary.conflicts,
      missingList: summary.missing,
      signatures: signaturesJson(signatures),
      logPath: context.logPath ?? null,
    },
    view: { kind: 'lines', lines: [...signed.map((line) => `Signed ${line}`), counts, ...before, finish] },
    logLine: summary.dryRun
      ? `Dry run: ${counts}`
      : `Successfully imported metadata from ${basename(summary.path)}: ${counts}`,
  };
}
