/** What `export`, `plan export`, `import` and `verify` share about transfer packages. */
import { resolve } from 'node:path';
import type { BaseChoice } from '../../carry/chain.js';
import { checkDestination } from '../../carry/destination.js';
import { readManifestDigest } from '../../carry/read-manifest-digest.js';
import type { ComparedSettings } from '../../carry/transfer-settings.js';
import { VOLUME_PRESETS } from '../../carry/volume-presets.js';
import { type ListedFile, readMissingList } from '../../content/missing-list.js';
import { isWsusutilError, WsusutilError } from '../../errors.js';
import type { ContentFileKind } from '../../model/content-file.js';
import { parseSize } from '../../query/parse-size.js';
import { parseSince } from '../../query/resolve-filter.js';
import { readSettings } from '../../settings/settings.js';
import type { CommandContext } from '../context.js';
import type { GivenChoice } from './filter-options.js';

const TRANSFER_PACKAGE = /\.tar$/i;
const DEFAULT_DESTINATION = 'default';

export function isTransferPackage(path: string): boolean {
  return TRANSFER_PACKAGE.test(path);
}

/** `--since` of `export` and `plan export`, which may name a package to build on. */
export const SINCE_OPTION = {
  type: 'string',
  value: 'date|age|package',
  completes: 'file',
  description:
    'Updates created on or after this date (2026-10-01) or within this time (30d, 12h, 6w); .tar: or only what the place lacks that holds this package, the path of a volume of it or of its manifest.json',
} as const;

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
    description:
      '.tar: only what the place lacks that holds the package with this manifest; --since takes the path of one',
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
  'created-at': {
    type: 'string',
    value: 'time',
    description:
      '.tar: the time it says it was made, e.g. 2026-11-21T08:00:00Z (default: now); the same store, options and time give the same bytes',
  },
  'sign-with': {
    type: 'strings',
    value: 'key',
    description: '.tar: sign it with this key of "wsusutil keys"; several keys sign one after the other',
  },
  'announce-key': {
    type: 'string',
    value: 'key',
    description:
      '.tar: say that this key of "wsusutil keys" will sign later packages; the present one vouches for it',
  },
} as const;

export interface TransferExportOptions {
  readonly destination: string | undefined;
  /** a date or age, or the path of a package */
  readonly since: string | undefined;
  readonly 'since-last': boolean;
  readonly 'since-manifest': string | undefined;
  readonly 'bridge-from': string | undefined;
  readonly need: string | undefined;
  readonly 'metadata-only': boolean;
  readonly 'no-express': boolean;
  readonly 'volume-size': string | undefined;
  readonly 'created-at': string | undefined;
  readonly 'sign-with': readonly string[];
  readonly 'announce-key': string | undefined;
}

/** @throws WsusutilError `USAGE` */
export function checkTransferOptions(options: TransferExportOptions, now: Date): void {
  destinationOf(options);
  checkBase(options, now);
  volumeSizeOf(options);
  createdAtOf(options, now);
  if (options['announce-key'] !== undefined && options['sign-with'].length === 0) {
    throw new WsusutilError('USAGE', '--announce-key needs --sign-with', {
      hint: 'Only a key that is trusted already can vouch for a new one.',
    });
  }
  if (options.need !== undefined && options['metadata-only']) throw exclude('need', 'metadata-only');
}

export function destinationOf({ destination }: Pick<TransferExportOptions, 'destination'>): string {
  return destination === undefined ? DEFAULT_DESTINATION : checkDestination(destination);
}

/** @throws WsusutilError `USAGE` */
function checkBase(options: TransferExportOptions, now: Date): void {
  const given = (['since-last', 'since-manifest', 'bridge-from'] as const).filter(
    (name) => options[name] !== undefined && options[name] !== false,
  );
  const all = sincePathOf(options, now) === undefined ? given : ['since', ...given];
  const [first, second] = all;
  if (first !== undefined && second !== undefined) throw exclude(first, second);
  const digest = options['since-manifest'];
  if (digest !== undefined && !/^[0-9a-f]{64}$/i.test(digest)) {
    throw new WsusutilError('USAGE', `"${digest}" is not the SHA-256 of a manifest`, {
      hint: 'Give its 64 hex digits, as "wsusutil inspect" shows them, or --since and the path of the package.',
    });
  }
  if (options['bridge-from'] !== undefined) packageNumber(options['bridge-from']);
}

/**
 * What the package is to build on.
 *
 * @throws WsusutilError as `readManifestDigest`, for the file that --since names
 */
export async function baseOf(
  options: TransferExportOptions,
  { now, signal }: Pick<CommandContext, 'now' | 'signal'>,
): Promise<BaseChoice> {
  const path = sincePathOf(options, now());
  if (path !== undefined) return { kind: 'manifest', digest: await digestOf(path, signal) };
  const digest = options['since-manifest'];
  if (digest !== undefined) return { kind: 'manifest', digest: digest.toUpperCase() };
  const number = options['bridge-from'];
  if (number !== undefined) return { kind: 'sequence', sequence: packageNumber(number) };
  return { kind: options['since-last'] ? 'last' : 'full' };
}

async function digestOf(path: string, signal: AbortSignal): Promise<string> {
  try {
    return await readManifestDigest(resolve(path), signal);
  } catch (error) {
    if (!isWsusutilError(error, 'INPUT_NOT_FOUND')) throw error;
    throw new WsusutilError('INPUT_NOT_FOUND', `"${path}" is neither a date nor an age, nor a file`, {
      hint: '--since takes a date (2026-10-01), an age (30d), or the path of a package or its manifest.json to build on.',
      cause: error,
    });
  }
}

/** What --since names if it is no date and no age: the path of a package to build on, or of its manifest. */
function sincePathOf({ since }: Pick<TransferExportOptions, 'since'>, now: Date): string | undefined {
  if (since === undefined) return undefined;
  try {
    parseSince(since, now);
    return undefined;
  } catch {
    return since;
  }
}

/** The options by which a transfer package chooses updates: without --since where that names a package. */
export function choiceOf<T extends GivenChoice & TransferExportOptions>(options: T, now: Date): T {
  return sincePathOf(options, now) === undefined ? options : { ...options, since: undefined };
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

/**
 * @returns undefined: none was given
 * @throws WsusutilError `USAGE`, also for a time to come
 */
export function createdAtOf(
  { 'created-at': given }: Pick<TransferExportOptions, 'created-at'>,
  now: Date,
): Date | undefined {
  if (given === undefined) return undefined;
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(given);
  const time = new Date(isTime ? given : Number.NaN);
  const text = Number.isNaN(time.getTime()) ? '' : time.toISOString();
  if (text.replace('.000Z', 'Z') !== given || time.getTime() < 0) {
    throw new WsusutilError('USAGE', `"${given}" is not a time`, {
      hint: 'Write it in UTC and whole seconds, as 2026-11-21T08:00:00Z.',
    });
  }
  if (time <= now) return time;
  throw new WsusutilError('USAGE', `--created-at ${given} is in the future, going by the clock here`, {
    hint: 'Give the time that "wsusutil plan export --checksums" has printed, or leave it out.',
  });
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
