/** What `export`, `plan export`, `import` and `verify` share about transfer packages. */
import { resolve } from 'node:path';
import type { BaseChoice } from '../../carry/chain.js';
import { checkDestination } from '../../carry/destination.js';
import type { ComparedSettings } from '../../carry/transfer-settings.js';
import { VOLUME_PRESETS } from '../../carry/volume-presets.js';
import { type ListedFile, readMissingList } from '../../content/missing-list.js';
import { WsusutilError } from '../../errors.js';
import type { ContentFileKind } from '../../model/content-file.js';
import { parseSize } from '../../query/parse-size.js';
import { readSettings } from '../../settings/settings.js';

const TRANSFER_PACKAGE = /\.tar$/i;
const DEFAULT_DESTINATION = 'default';

export function isTransferPackage(path: string): boolean {
  return TRANSFER_PACKAGE.test(path);
}

/** Options of `export` and `plan export` that are for transfer packages only. */
export const TRANSFER_EXPORT_OPTIONS = {
  destination: {
    type: 'string',
    value: 'name',
    description:
      '.tar: the place it is for (default: "default"); packages for one place build on one another',
  },
  'since-last': {
    type: 'boolean',
    description: '.tar: only what the place lacks, going by its last receipt, or else by what was sent last',
  },
  'since-manifest': {
    type: 'string',
    value: 'SHA-256',
    description: '.tar: only what the place lacks that holds the package with this manifest',
  },
  'bridge-from': {
    type: 'string',
    value: 'number',
    description: '.tar: only what the place lacks that holds the package of this number',
  },
  need: {
    type: 'string',
    value: 'file',
    completes: 'file',
    description:
      '.tar: only the content files of this list, which "wsusutil reset --missing-list" wrote inside',
  },
  'metadata-only': { type: 'boolean', description: '.tar: no content files, licence texts only' },
  'no-express': { type: 'boolean', description: '.tar: leave out express files (.psf)' },
  'volume-size': {
    type: 'string',
    value: 'size',
    description: '.tar: volumes of at most this size, e.g. 4300M, dvd, bd25, fat32, usb64',
  },
} as const;

export interface TransferExportOptions {
  readonly destination: string | undefined;
  readonly 'since-last': boolean;
  readonly 'since-manifest': string | undefined;
  readonly 'bridge-from': string | undefined;
  readonly need: string | undefined;
  readonly 'metadata-only': boolean;
  readonly 'no-express': boolean;
  readonly 'volume-size': string | undefined;
}

/** @throws WsusutilError `USAGE` */
export function checkTransferOptions(options: TransferExportOptions): void {
  destinationOf(options);
  baseOf(options);
  volumeSizeOf(options);
  if (options.need !== undefined && options['metadata-only']) throw exclude('need', 'metadata-only');
}

export function destinationOf({ destination }: Pick<TransferExportOptions, 'destination'>): string {
  return destination === undefined ? DEFAULT_DESTINATION : checkDestination(destination);
}

/** @throws WsusutilError `USAGE` */
export function baseOf(options: TransferExportOptions): BaseChoice {
  const given = (['since-last', 'since-manifest', 'bridge-from'] as const).filter(
    (name) => options[name] !== undefined && options[name] !== false,
  );
  const [first, second] = given;
  if (first !== undefined && second !== undefined) throw exclude(first, second);
  const digest = options['since-manifest'];
  if (digest !== undefined) {
    if (/^[0-9a-f]{64}$/i.test(digest)) return { kind: 'manifest', digest: digest.toUpperCase() };
    throw new WsusutilError('USAGE', `"${digest}" is not the SHA-256 of a manifest`, {
      hint: 'Give its 64 hex digits, as "wsusutil inspect" shows them.',
    });
  }
  const number = options['bridge-from'];
  if (number !== undefined) return { kind: 'sequence', sequence: packageNumber(number) };
  return { kind: options['since-last'] ? 'last' : 'full' };
}

/** @throws WsusutilError `USAGE` */
export function packageNumber(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new WsusutilError('USAGE', `"${text}" is not the number of a package`, {
    hint: 'Packages are numbered from 1 on; "wsusutil inspect" shows the number.',
  });
}

/** @throws WsusutilError `USAGE` */
export function volumeSizeOf(options: Pick<TransferExportOptions, 'volume-size'>): number | undefined {
  const given = options['volume-size'];
  if (given === undefined) return undefined;
  const name = given.toLowerCase();
  return Object.hasOwn(VOLUME_PRESETS, name)
    ? VOLUME_PRESETS[name as keyof typeof VOLUME_PRESETS]
    : parseSize(given);
}

export function kindsOf(options: TransferExportOptions): readonly ContentFileKind[] {
  if (options['metadata-only']) return ['licence'];
  return options['no-express'] ? ['payload', 'licence'] : ['payload', 'express', 'licence'];
}

/** @throws WsusutilError `INPUT_NOT_FOUND`, `READ_FAILED`, `LIST_MALFORMED`, `LIMIT_EXCEEDED` */
export async function needOf({
  need,
}: Pick<TransferExportOptions, 'need'>): Promise<readonly ListedFile[] | undefined> {
  return need === undefined ? undefined : readMissingList(resolve(need));
}

/** What both sides of a gap compare. @param settingsPath a file that need not be there */
export async function comparedSettings(settingsPath: string): Promise<ComparedSettings> {
  const { languages, expressFiles, contentPolicy, products, classifications } =
    await readSettings(settingsPath);
  return {
    languages: languages === 'all' ? ['all'] : [...languages].sort(),
    expressFiles,
    contentPolicy,
    products: [...products].sort(),
    classifications: [...classifications].sort(),
  };
}

/** @throws WsusutilError `USAGE` for an option that is for transfer packages only */
export function refuseTransferOptions(
  options: Readonly<Record<string, unknown>>,
  names: readonly string[],
): void {
  for (const name of names) {
    const given = options[name];
    if (given === undefined || given === false || (Array.isArray(given) && given.length === 0)) continue;
    throw new WsusutilError('USAGE', `--${name} is for transfer packages`, {
      hint: 'Leave it out, or give a package whose name ends in .tar.',
    });
  }
}

export function exclude(one: string, other: string): WsusutilError {
  return new WsusutilError('USAGE', `--${one} and --${other} exclude each other`, {
    hint: 'Give one of them.',
  });
}
