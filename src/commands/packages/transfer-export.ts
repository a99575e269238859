/** `export` to a name that ends in .tar. */
import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { exportAgain } from '../../carry/export-again.js';
import {
  type ExportTransferSummary,
  exportTransfer,
  type WrittenVolume,
} from '../../carry/export-transfer.js';
import { carryPathOf } from '../../carry/work-folder.js';
import { openContentRunner } from '../../content/content-runner.js';
import { hasContentFolder } from '../../content/content-tree.js';
import { WsusutilError } from '../../errors.js';
import { clearLeftovers } from '../../packages/clear-leftovers.js';
import {
  describePublicKey,
  findSigningKey,
  keysPathOf,
  type SecretKey,
} from '../../settings/signing-keys.js';
import type { MetadataStore } from '../../store/metadata-store.js';
import { ownContentFolder } from '../content/content-folder.js';
import { formatAmount, ifAny } from '../content/content-report.js';
import type { CommandContext } from '../context.js';
import type { PasswordOptions } from '../keys/key-password.js';
import { openKey } from '../keys/open-key.js';
import type { Outcome, View } from '../outcome.js';
import { formatQuantity, formatSize } from '../quantities.js';
import { checkLastSync } from '../sync/last-sync.js';
import { CHOICE_OPTIONS, choiceTextOf, type GivenChoice, resolveChoice } from './filter-options.js';
import {
  baseOf,
  checkTransferOptions,
  choiceOf,
  comparedSettings,
  createdAtOf,
  destinationOf,
  exclude,
  kindsOf,
  needOf,
  packageNumber,
  TRANSFER_EXPORT_OPTIONS,
  type TransferExportOptions,
  volumeSizeOf,
} from './transfer-options.js';

const START = 'Updates are being exported. Please do not stop this program.';
const FINISH = 'All updates are successfully exported.';
/** bytes of a list of files to make again */
const MAX_LIST_SIZE = 64 << 20;

export const TRANSFER_WRITING_OPTIONS = {
  'only-volumes': {
    type: 'string',
    value: 'numbers',
    description: '.tar: make these volumes of the last package for the place again, e.g. 7 or 2,5',
  },
  'only-files': {
    type: 'string',
    value: 'list',
    completes: 'file',
    description: '.tar: make the files of the last package again that this text file names, one path a line',
  },
} as const;

export interface TransferWritingOptions extends TransferExportOptions, PasswordOptions, GivenChoice {
  readonly 'only-volumes': string | undefined;
  readonly 'only-files': string | undefined;
  readonly 'require-synced': boolean;
}

/** @throws WsusutilError `USAGE` */
export function checkTransferExport(options: TransferWritingOptions, now: Date): void {
  checkTransferOptions(options, now);
  if (!isAgain(options)) return;
  volumeNumbers(options);
  // What goes into the package was settled when it was made.
  for (const name of [...CHOSEN_BEFORE, 'require-synced'] as const) {
    const given = options[name];
    if (given === undefined || given === false || (Array.isArray(given) && given.length === 0)) continue;
    throw exclude(options['only-volumes'] === undefined ? 'only-files' : 'only-volumes', name);
  }
}

const CHOSEN_BEFORE = (
  Object.keys({ ...CHOICE_OPTIONS, ...TRANSFER_EXPORT_OPTIONS }) as (
    | keyof typeof CHOICE_OPTIONS
    | keyof typeof TRANSFER_EXPORT_OPTIONS
  )[]
).filter((name) => name !== 'destination');

function isAgain(options: TransferWritingOptions): boolean {
  return options['only-volumes'] !== undefined || options['only-files'] !== undefined;
}

function volumeNumbers(options: TransferWritingOptions): readonly number[] {
  return (options['only-volumes'] ?? '')
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
    .map(packageNumber);
}

/** @throws WsusutilError as `exportTransfer` and `exportAgain` */
export async function runTransferExport(
  path: string,
  options: TransferWritingOptions,
  context: CommandContext,
): Promise<Outcome> {
  const startedAt = context.now().getTime();
  const directory = await context.dataDirectory();
  const store = await context.openStore('read');
  const runner = openContentRunner(context.processors > 1 ? context.processors : 0);
  try {
    const found = await ownContentFolder(directory, runner);
    const contentFolder = (await hasContentFolder(found)) ? found : undefined;
    const common = {
      path,
      carryPath: carryPathOf(directory.path),
      contentFolder,
      runner,
      signal: context.signal,
      report: context.report,
    };
    if (isAgain(options)) {
      const sent = await lastSent(store, destinationOf(options));
      context.announce(START);
      await clearLeftovers(dirname(path), context);
      const again = await exportAgain({
        ...common,
        sent,
        volumes: volumeNumbers(options),
        files: await listedPaths(options['only-files']),
      });
      return againOutcome(again.volumes, again.digest, path, context);
    }
    const choice = choiceOf(options, context.now());
    const base = await baseOf(options, context);
    const filter = await resolveChoice(choice, store, context.now());
    const need = await needOf(options);
    const warnOfSync = await checkLastSync(store, options['require-synced'], context);
    const signers = await openSigners(options, context);
    const nextKey = await announcedKey(options, context);
    context.announce(START);
    warnOfSync();
    await clearLeftovers(dirname(path), context);
    const summary = await exportTransfer({
      ...common,
      store,
      destination: destinationOf(options),
      base,
      filter,
      filterText: choiceTextOf(choice),
      kinds: kindsOf(options),
      need,
      settings: await comparedSettings(directory.settingsPath),
      toolVersion: context.toolVersion,
      volumeSize: volumeSizeOf(options),
      signers,
      nextKey,
      createdAt: createdAtOf(options, context.now()),
      now: context.now,
      async record(sent, carried) {
        const writing = await context.openStore('write');
        try {
          await writing.contentIndex(); // drawn up for good, where this run only had one of its own
          await writing.carryState().recordSent(sent, carried);
          await writing.addHistory({
            action: 'export',
            package: path,
            startedAt,
            finishedAt: context.now().getTime(),
            outcome: 'complete',
            details: {
              destination: sent.destination,
              sequence: sent.sequence,
              manifest: sent.manifest,
              ...(sent.followsSequence === undefined ? {} : { followsSequence: sent.followsSequence }),
              files: carried.files.size,
            },
          });
        } finally {
          await writing.close();
        }
      },
    });
    return exportOutcome(summary, path, context);
  } finally {
    await runner.close();
    await store.close();
  }
}

async function lastSent(store: MetadataStore, destination: string) {
  const sent = (await store.carryState().listSent(destination)).at(-1);
  if (sent !== undefined) return sent;
  throw new WsusutilError('NOT_FOUND', `Nothing was sent to ${destination} yet`, {
    hint: 'Check the name of the destination.',
  });
}

async function listedPaths(list: string | undefined): Promise<readonly string[]> {
  if (list === undefined) return [];
  const bytes = await readFile(resolve(list)).catch((error: unknown) => {
    throw new WsusutilError('INPUT_NOT_FOUND', `Cannot read the list ${resolve(list)}`, {
      hint: 'Give a text file with a path a line, as "wsusutil verify" names them.',
      cause: error,
    });
  });
  if (bytes.length > MAX_LIST_SIZE) {
    throw new WsusutilError(
      'LIMIT_EXCEEDED',
      `The list ${resolve(list)} has more than ${MAX_LIST_SIZE} bytes`,
    );
  }
  return bytes
    .toString('utf8')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** In the order they were named. */
export async function openSigners(
  options: PasswordOptions & Pick<TransferExportOptions, 'sign-with'>,
  context: CommandContext,
): Promise<readonly SecretKey[]> {
  const signers: SecretKey[] = [];
  for (const name of options['sign-with']) signers.push((await openKey(name, options, context)).secretKey);
  return signers;
}

/** Line of the public key. */
export async function announcedKey(
  options: Pick<TransferExportOptions, 'announce-key'>,
  context: CommandContext,
): Promise<string | undefined> {
  const name = options['announce-key'];
  if (name === undefined) return undefined;
  const { key } = await findSigningKey(keysPathOf((await context.findDataDirectory()).path), name);
  return describePublicKey(key.publicKey).publicKey;
}

function volumeLines(volumes: readonly WrittenVolume[]): readonly string[] {
  return volumes.map(({ path, size }) => `${path}: ${formatSize(size)}`);
}

function exportOutcome(summary: ExportTransferSummary, path: string, context: CommandContext): Outcome {
  const { manifest, digest, volumes, signers, held, missing, leftOut, documentBytes } = summary;
  const { counts, destination, sequence, followsSequence } = manifest;
  const said = `Package ${sequence} for ${destination}: ${formatQuantity(counts.revisions, 'revision')} (${formatSize(documentBytes)}), ${formatQuantity(counts.contentFiles, 'content file')} and ${formatQuantity(counts.licences, 'licence text')} (${formatSize(counts.contentSize + counts.licenceSize)}).`;
  const view: View[] = [
    {
      kind: 'fields',
      fields: [
        ['Builds on', followsSequence === null ? 'nothing' : `package ${followsSequence}`],
        ['Manifest', digest],
        ['Signed by', signers.length === 0 ? 'nobody' : signers.map((keyId) => `key ${keyId}`)],
        ['There already', ifAny(held)],
        [
          'Not here',
          missing.files === 0
            ? undefined
            : `${formatAmount(missing)} that wanted updates call for, ${formatQuantity(missing.licences.files, 'licence text')} among them; "wsusutil reset" brings them`,
        ],
        [
          'Left out',
          leftOut.files === 0 ? undefined : `${formatAmount(leftOut)} that wanted updates call for`,
        ],
      ],
    },
    { kind: 'lines', lines: [said, ...volumeLines(volumes), FINISH] },
  ];
  return {
    status: 'complete',
    result: {
      package: path,
      format: 'tar',
      serverId: manifest.serverId,
      destination,
      sequence,
      followsSequence,
      manifest: digest,
      createdAt: manifest.createdAt,
      counts,
      documentBytes,
      signers,
      held,
      missing,
      leftOut,
      volumes,
      logPath: context.logPath ?? null,
    },
    view,
    logLine: `Successfully exported metadata to ${basename(path)}: ${said}`,
  };
}

function againOutcome(
  volumes: readonly WrittenVolume[],
  digest: string,
  path: string,
  context: CommandContext,
): Outcome {
  return {
    status: 'complete',
    result: { package: path, format: 'tar', manifest: digest, volumes, logPath: context.logPath ?? null },
    view: { kind: 'lines', lines: [...volumeLines(volumes), FINISH] },
    logLine: `Successfully exported metadata to ${basename(path)}: ${formatQuantity(volumes.length, 'volume')} made again`,
  };
}
