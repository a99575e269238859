import { basename, resolve } from 'node:path';
import { type PlannedChecksums, planChecksums } from '../../carry/plan-checksums.js';
import {
  MAX_FAT32_FILE_SIZE,
  planTransfer,
  type TransferPlan,
  withExactFigures,
} from '../../carry/plan-transfer.js';
import { openContentRunner } from '../../content/content-runner.js';
import { hasContentFolder } from '../../content/content-tree.js';
import { WsusutilError } from '../../errors.js';
import { parseSize } from '../../query/parse-size.js';
import { findSigningKey, keysPathOf } from '../../settings/signing-keys.js';
import { ownContentFolder } from '../content/content-folder.js';
import { formatAmount, ifAny } from '../content/content-report.js';
import { defineCommand } from '../declaration.js';
import { checkPasswordOptions, PASSWORD_OPTIONS } from '../keys/key-password.js';
import type { Outcome } from '../outcome.js';
import { formatCount, formatQuantity, formatSize } from '../quantities.js';
import { CHOICE_OPTIONS, checkChoice, choiceTextOf, resolveChoice } from './filter-options.js';
import { announcedKey, openSigners } from './transfer-export.js';
import {
  baseOf,
  checkTransferOptions,
  choiceOf,
  comparedSettings,
  createdAtOf,
  destinationOf,
  isTransferPackage,
  kindsOf,
  needOf,
  SINCE_OPTION,
  TRANSFER_EXPORT_OPTIONS,
  volumeSizeOf,
} from './transfer-options.js';

/** bytes a second of a medium nobody has measured: a USB 3 stick */
const USUAL_SPEED = 40 * 1024 * 1024;

export const planExport = defineCommand({
  name: 'plan export',
  summary: 'Show what a transfer package would hold: volumes, bytes, time; write nothing',
  description: [
    'Says what "wsusutil export" to a .tar with the same options would write: how many volumes of which size, how long copying takes, whether it fits here and what the other side needs, and which wanted files are not here.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [
    {
      name: 'package',
      description: 'Path of the package that would be created (default: carry.tar in this folder)',
      required: false,
      kind: 'file',
    },
  ],
  options: {
    ...CHOICE_OPTIONS,
    since: SINCE_OPTION,
    ...TRANSFER_EXPORT_OPTIONS,
    ...PASSWORD_OPTIONS,
    checksums: {
      type: 'boolean',
      description:
        'Read all of it, and print the sheet of checksums: the exact size and SHA-256 of every volume',
    },
    speed: {
      type: 'string',
      value: 'size',
      description: 'Bytes a second that the medium takes, e.g. 100M (default: 40M)',
    },
  },
  notes: [
    'Metadata is estimated from how well the store compresses it; sizes of content are exact. Files that no check has found right are read. With --checksums all are, and sizes and digests are exact; --created-at makes the export come out the same.',
  ],
  examples: [
    'wsusutil plan export --volume-size dvd',
    'wsusutil plan export --checksums --sign-with default > sheet.txt',
    'wsusutil plan export /media/usb/carry.tar --since-last',
  ],
  check({ positionals, options }, now) {
    checkChoice(choiceOf(options, now), now);
    checkPasswordOptions(options);
    checkTransferOptions(options, now);
    if (positionals.package !== undefined && !isTransferPackage(positionals.package)) {
      throw new WsusutilError('USAGE', `${positionals.package} is not the name of a transfer package`, {
        hint: 'Give a name that ends in .tar; for other packages run "wsusutil export --dry-run".',
      });
    }
    if (options.speed !== undefined) parseSize(options.speed);
  },
  async run({ positionals, options }, context) {
    const path = resolve(positionals.package ?? 'carry.tar');
    const choice = choiceOf(options, context.now());
    const directory = await context.dataDirectory();
    const store = await context.openStore('read');
    const runner = openContentRunner(context.processors > 1 ? context.processors : 0);
    try {
      const found = await ownContentFolder(directory, runner);
      const speed = options.speed === undefined ? USUAL_SPEED : parseSize(options.speed);
      const request = {
        store,
        contentFolder: (await hasContentFolder(found)) ? found : undefined,
        runner,
        destination: destinationOf(options),
        base: await baseOf(options, context),
        filter: await resolveChoice(choice, store, context.now()),
        filterText: choiceTextOf(choice),
        kinds: kindsOf(options),
        need: await needOf(options),
        settings: await comparedSettings(directory.settingsPath),
        toolVersion: context.toolVersion,
        volumeSize: volumeSizeOf(options),
        createdAt: createdAtOf(options, context.now()) ?? context.now(),
        now: context.now,
        signal: context.signal,
        report: context.report,
      };
      const signerCount = options['sign-with'].length;
      for (const name of options['sign-with']) await findSigningKey(keysPathOf(directory.path), name);
      const plan = await planTransfer({ ...request, path, signerCount, speed });
      const checksums = options.checksums
        ? await planChecksums(path, {
            ...request,
            signers: await openSigners(options, context),
            nextKey: await announcedKey(options, context),
          })
        : undefined;
      const exact =
        checksums === undefined ? plan : withExactFigures(plan, checksums.layout, { path, speed });
      return outcomeOf(exact, checksums, speed);
    } finally {
      await runner.close();
      await store.close();
    }
  },
});

function outcomeOf(plan: TransferPlan, checksums: PlannedChecksums | undefined, speed: number): Outcome {
  const {
    manifest,
    volumes,
    size,
    seconds,
    free,
    fits,
    neededThere,
    largestVolume,
    largestFile,
    fitsFat32,
    held,
    missing,
    leftOut,
  } = plan;
  const { counts, destination, sequence, followsSequence } = manifest;
  return {
    status: fits ? 'complete' : 'incomplete',
    result: {
      destination,
      sequence,
      followsSequence,
      counts,
      volumes,
      size,
      speed,
      seconds: seconds ?? null,
      free: free ?? null,
      fits,
      neededThere,
      largestVolume,
      largestFile: largestFile ?? null,
      fitsFat32,
      held,
      missing,
      leftOut,
      checksums:
        checksums === undefined
          ? null
          : {
              createdAt: checksums.manifest.createdAt,
              manifest: checksums.digest,
              signers: checksums.signers,
              volumes: checksums.volumes,
            },
    },
    view: [
      {
        kind: 'table',
        columns: [
          { title: 'Volume', flexible: true },
          { title: 'Size', align: 'right' },
          { title: 'Files', align: 'right' },
          { title: 'Largest', align: 'right' },
        ],
        rows: volumes.map(({ path, size: each, files, largestFile: most }) => [
          path,
          formatSize(each),
          formatCount(files),
          formatSize(most),
        ]),
        emptyText: '',
      },
      {
        kind: 'fields',
        fields: [
          ['Package', `${sequence} for ${destination}`],
          ['Builds on', followsSequence === null ? 'nothing' : `package ${followsSequence}`],
          ['Revisions', formatCount(counts.revisions)],
          ['Content files', `${formatCount(counts.contentFiles)} (${formatSize(counts.contentSize)})`],
          ['Licence texts', `${formatCount(counts.licences)} (${formatSize(counts.licenceSize)})`],
          ['There already', ifAny(held)],
          [
            'Not here',
            missing.files === 0 ? undefined : `${formatAmount(missing)} that wanted updates call for`,
          ],
          [
            'Left out',
            leftOut.files === 0 ? undefined : `${formatAmount(leftOut)} that wanted updates call for`,
          ],
          [
            'In all',
            `${formatQuantity(volumes.length, 'volume')}, ${checksums === undefined ? 'about ' : ''}${formatSize(size)}`,
          ],
          [
            'Copying takes',
            seconds === undefined
              ? undefined
              : `about ${describeTime(seconds)} at ${formatSize(speed)} a second, each way`,
          ],
          ['Free here', free === undefined ? undefined : formatSize(free)],
          [
            'Needed there',
            `${formatSize(neededThere.content)} for content, about ${formatSize(neededThere.metadata)} for metadata`,
          ],
          [
            'Largest file',
            largestFile === undefined
              ? undefined
              : `${formatSize(largestFile.size)}, ${largestFile.path}${largestFile.size > MAX_FAT32_FILE_SIZE ? '; unpacked, too large for FAT32' : ''}`,
          ],
          [
            'FAT32',
            fitsFat32 ? 'every volume can lie on it' : 'files are too large for it: --volume-size fat32',
          ],
        ],
      },
      {
        kind: 'lines',
        lines: [
          fits
            ? 'It fits. Nothing was written.'
            : `It does not fit: ${formatSize(size - (free ?? 0))} more are needed. Nothing was written.`,
          ...(checksums === undefined ? [] : sheetOf(checksums)),
        ],
      },
    ],
  };
}

/** To be printed, and compared on the other side by eye or with `sha256sum -c`. */
function sheetOf({ manifest, digest, signers, volumes }: PlannedChecksums): readonly string[] {
  const { sequence, destination, createdAt } = manifest;
  return [
    '',
    `Checksums of package ${sequence} for ${destination}, as "wsusutil export" with the same options and --created-at ${createdAt} writes it, as long as the store and the content stay as they are:`,
    `Signed by: ${signers.length === 0 ? 'nobody' : signers.map((keyId) => `key ${keyId}`).join(', ')}`,
    'SHA-256 of the manifest:',
    `  ${digest}`,
    ...volumes.flatMap(({ path, number, size, sha256 }) => [
      `Volume ${number} of ${volumes.length}, ${formatCount(size)} bytes:`,
      `${sha256.toLowerCase()}  ${basename(path)}`,
    ]),
  ];
}

function describeTime(seconds: number): string {
  if (seconds < 90) return formatQuantity(seconds, 'second');
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return formatQuantity(minutes, 'minute');
  return `${formatQuantity(Math.floor(minutes / 60), 'hour')} ${formatQuantity(minutes % 60, 'minute')}`;
}
