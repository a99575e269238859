/** `import` of a name that ends in .tar. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { findVolumes } from '../../carry/find-volumes.js';
import { type ImportTransferSummary, importTransfer } from '../../carry/import-transfer.js';
import { writeReceipt } from '../../carry/receipt.js';
import { carryPathOf } from '../../carry/work-folder.js';
import { openContentRunner } from '../../content/content-runner.js';
import { isWsusutilError, WsusutilError } from '../../errors.js';
import { countsOf, isComplete } from '../../packages/import-package.js';
import { keysPathOf, listSigningKeys } from '../../settings/signing-keys.js';
import { withAnnouncedKey } from '../../settings/trust-list.js';
import type { MetadataStore } from '../../store/metadata-store.js';
import { openTemporaryStore } from '../../store/open-store.js';
import { ownContentFolder } from '../content/content-folder.js';
import { formatAmount, ifAny } from '../content/content-report.js';
import type { CommandContext } from '../context.js';
import { changeTrust, currentTrust } from '../keys/change-trust.js';
import type { Outcome } from '../outcome.js';
import { formatSize } from '../quantities.js';
import { describeImport } from './describe-import.js';
import type { SignatureOptions } from './package-signatures.js';
import { comparedSettings } from './transfer-options.js';

const START = 'Updates are being imported. Please do not stop this program.';
const FINISH = 'All updates are successfully imported.';
const MAX_REASON_LENGTH = 500;

export const VOLUME_OPTION = {
  type: 'strings',
  value: 'path',
  completes: 'file',
  description: '.tar: a volume that does not lie beside the one that is named',
} as const;

export const TRANSFER_IMPORT_OPTIONS = {
  volume: VOLUME_OPTION,
  'accept-gap': {
    type: 'string',
    value: 'reason',
    description:
      '.tar: take it although what it builds on was not imported here; the reason is kept in the history',
  },
} as const;

export interface TransferImportOptions extends SignatureOptions {
  readonly volume: readonly string[];
  readonly 'accept-gap': string | undefined;
  readonly strict: boolean;
  readonly 'dry-run': boolean;
}

/** @throws WsusutilError `USAGE` */
export function checkTransferImport(options: TransferImportOptions): void {
  const reason = options['accept-gap'];
  if (reason === undefined) return;
  if (reason.trim() === '' || reason.length > MAX_REASON_LENGTH || /\p{Cc}/u.test(reason)) {
    throw new WsusutilError('USAGE', '--accept-gap takes a reason, in one line', {
      hint: 'Say why, e.g. --accept-gap "package 7 was lost with its disk".',
    });
  }
}

/** @throws WsusutilError as `importTransfer` */
export async function runTransferImport(
  path: string,
  options: TransferImportOptions,
  context: CommandContext,
): Promise<Outcome> {
  const dryRun = options['dry-run'];
  if (!dryRun) context.announce(START);
  const paths = await findVolumes(
    path,
    options.volume.map((each) => resolve(each)),
  );
  const trust = await currentTrust(context);
  const runner = openContentRunner(context.processors > 1 ? context.processors : 0);
  let summary: ImportTransferSummary;
  const importInto = async (store: MetadataStore, folder: string) => {
    const directory = dryRun ? await context.findDataDirectory() : await context.dataDirectory();
    return importTransfer({
      paths,
      store,
      contentFolder: await ownContentFolder(directory, runner),
      journalsPath: directory.journalsPath,
      carryPath: folder,
      runner,
      trust,
      allowUnsigned: options['allow-unsigned'],
      acceptGap: options['accept-gap'],
      settings: await comparedSettings(directory.settingsPath),
      strict: options.strict,
      dryRun,
      now: context.now,
      signal: context.signal,
      report: context.report,
      threads: context.threadsBeside,
    });
  };
  try {
    // A dry run makes neither data directory nor store.
    if (dryRun) summary = await rehearse(importInto, context);
    else {
      const directory = await context.dataDirectory();
      const store = await context.openStore('write');
      try {
        summary = await importInto(store, carryPathOf(directory.path));
      } finally {
        await store.close();
      }
    }
  } finally {
    await runner.close();
  }
  const announced = dryRun ? undefined : await takeAnnouncedKey(summary, context);
  const keys = await listSigningKeys(keysPathOf((await context.findDataDirectory()).path)).catch(() => []);
  return outcomeOf(summary, paths, announced, keys.length > 0, context);
}

async function rehearse(
  importInto: (store: MetadataStore, folder: string) => Promise<ImportTransferSummary>,
  context: CommandContext,
): Promise<ImportTransferSummary> {
  const folder = await mkdtemp(join(tmpdir(), 'wsusutil-'));
  try {
    const store = (await context.hasStore())
      ? await context.openStore('write')
      : await openTemporaryStore(context.now);
    try {
      return await importInto(store, folder);
    } finally {
      await store.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @returns name and id of a key that counts from now on */
async function takeAnnouncedKey(
  { manifest, verdict }: ImportTransferSummary,
  context: CommandContext,
): Promise<string | undefined> {
  const { nextKey } = manifest;
  const [signer] = verdict.signers;
  if (nextKey === null || signer === undefined || verdict.missing > 0) return undefined;
  try {
    const { before, after } = await changeTrust(context, (list) => {
      const present = list.keys.find(({ publicKey }) => publicKey.keyId === signer.keyId);
      if (present === undefined) return list;
      return withAnnouncedKey(list, nextKey, present, `${context.now().toISOString().slice(0, 19)}Z`);
    });
    const added = after.keys.find(({ publicKey }) =>
      before.keys.every((key) => key.publicKey.keyId !== publicKey.keyId),
    );
    return added === undefined ? undefined : `${added.name} (key ${added.publicKey.keyId})`;
  } catch (error) {
    // The package is imported and right; whose key comes next can be added by hand.
    if (!isWsusutilError(error)) throw error;
    context.report({
      type: 'warning',
      code: 'NEXT_KEY_NOT_TAKEN',
      message: `The key that the package announces was not added: ${error.message}`,
    });
    return undefined;
  }
}

function outcomeOf(
  summary: ImportTransferSummary,
  paths: readonly string[],
  announced: string | undefined,
  canSign: boolean,
  context: CommandContext,
): Outcome {
  const { manifest, digest, verdict, link, preflight, dryRun, metadata, written, present } = summary;
  const { destination, sequence } = manifest;
  const complete = isComplete(metadata);
  const counts = describeImport(metadata);
  const finish = dryRun
    ? 'Nothing was changed (--dry-run).'
    : complete
      ? FINISH
      : 'The import has finished, with warnings.';
  const signs = dryRun || !canSign ? [] : ['"wsusutil receipt" prints a receipt that is signed.'];
  const receipt = dryRun ? undefined : writeReceipt({ destination, sequence, manifest: digest });
  return {
    status: complete ? 'complete' : 'incomplete',
    result: {
      package: paths[0],
      volumes: paths,
      format: 'tar',
      dryRun,
      serverId: manifest.serverId,
      destination,
      sequence,
      followsSequence: manifest.followsSequence,
      manifest: digest,
      createdAt: manifest.createdAt,
      signatures: { threshold: verdict.threshold, missing: verdict.missing, signers: verdict.signers },
      lastSequence: link.last?.sequence ?? null,
      isGap: link.isGap,
      preflight: {
        ...preflight,
        free: preflight.free ?? null,
        age: { grade: preflight.age.grade, message: preflight.age.message ?? null },
      },
      content: { written, present },
      ...countsOf(metadata),
      newByType: metadata.newByType,
      conflictList: metadata.conflicts,
      missingList: metadata.missing,
      receipt: receipt ?? null,
      announcedKey: announced ?? null,
      logPath: context.logPath ?? null,
    },
    view: [
      {
        kind: 'fields',
        fields: [
          ['Package', `${sequence} for ${destination}, made ${manifest.createdAt}`],
          ['From', `server ${manifest.serverId}`],
          ['Manifest', digest],
          [
            'Signed by',
            verdict.signers.length === 0
              ? 'nobody'
              : verdict.signers.map(({ name, keyId }) => `${name}, key ${keyId}`),
          ],
          ['Content to write', dryRun ? formatSize(preflight.toWrite) : undefined],
          ['Content written', dryRun ? undefined : formatAmount(written)],
          ['Content here already', ifAny(present)],
          ['Free for content', preflight.free === undefined ? undefined : formatSize(preflight.free)],
          ['Trusted from now on', announced],
          ['Receipt (checksum)', receipt],
        ],
      },
      { kind: 'lines', lines: [counts, finish, ...signs] },
    ],
    logLine: dryRun
      ? `Dry run: ${counts}`
      : `Successfully imported metadata from ${basename(paths[0] ?? '')}: ${counts}`,
  };
}
