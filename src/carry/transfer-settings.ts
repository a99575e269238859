/**
 * `settings.json` in a transfer package: what the importing side compares with its own before anything changes. One JSON
 * object, no secret in it:
 *
 *     { "languages": ["de", "en"], "expressFiles": false, "contentPolicy": "licences",
 *       "products": ["<id>"], "classifications": ["<id>"],
 *       "missing": { "files": 1, "bytes": 100, "licences": 0, "licenceBytes": 0,
 *                    "list": [{ "sha1": "…", "size": 100, "kind": "payload", "fileName": "…" }] },
 *       "leftOut": as "missing" }
 *
 * Files of wanted updates that are not in the package: those the exporting side lacks, and those of kinds that were left
 * out.
 */
import { WsusutilError } from '../errors.js';
import type { ContentFileKind } from '../model/content-file.js';
import { isUpdateId, type UpdateId } from '../model/update-identity.js';
import type { MissingContent, MissingFile } from './gather-content.js';

/** bytes of `settings.json`: ten thousand missing files take a sixth of it */
export const MAX_SETTINGS_SIZE = 16 * 1024 * 1024;
const MAX_LIST = 20_000;
const MAX_TEXT = 1_000;
const KINDS: readonly string[] = ['payload', 'express', 'licence'];

/** What is compared. */
export interface ComparedSettings {
  /** short tags of the languages that are enabled, sorted */
  readonly languages: readonly string[];
  readonly expressFiles: boolean;
  readonly contentPolicy: string;
  /** sorted; empty: all */
  readonly products: readonly UpdateId[];
  readonly classifications: readonly UpdateId[];
}

export interface TransferSettings extends ComparedSettings {
  readonly missing: MissingContent;
  readonly leftOut: MissingContent;
}

export function serializeSettings(settings: TransferSettings): Buffer {
  const { languages, expressFiles, contentPolicy, products, classifications, missing, leftOut } = settings;
  const document = {
    languages,
    expressFiles,
    contentPolicy,
    products,
    classifications,
    missing: amountsOf(missing),
    leftOut: amountsOf(leftOut),
  };
  return Buffer.from(`${JSON.stringify(document)}\n`);
}

function amountsOf({ files, bytes, licences, list }: MissingContent) {
  return {
    files,
    bytes,
    licences: licences.files,
    licenceBytes: licences.bytes,
    list: list.map(({ sha1, size, kind, fileName }) => ({ sha1, size, kind, fileName: cut(fileName) })),
  };
}

function cut(text: string): string {
  return text.length > MAX_TEXT ? text.slice(0, MAX_TEXT) : text;
}

/** @throws WsusutilError `TRANSFER_MALFORMED` */
export function parseSettings(bytes: Uint8Array): TransferSettings {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw malformed('it is not JSON');
  }
  const fields = objectOf(value, 'it');
  const { expressFiles, contentPolicy } = fields;
  if (typeof expressFiles !== 'boolean') throw malformed('expressFiles is neither true nor false');
  return {
    languages: textsOf(fields.languages, 'languages'),
    expressFiles,
    contentPolicy: textOf(contentPolicy, 'contentPolicy'),
    products: idsOf(fields.products, 'products'),
    classifications: idsOf(fields.classifications, 'classifications'),
    missing: missingOf(fields.missing, 'missing'),
    leftOut: missingOf(fields.leftOut, 'leftOut'),
  };
}

function missingOf(value: unknown, where: string): MissingContent {
  const { files, bytes, licences, licenceBytes, list } = objectOf(value, where);
  return {
    files: countOf(files, `${where}.files`),
    bytes: countOf(bytes, `${where}.bytes`),
    licences: {
      files: countOf(licences, `${where}.licences`),
      bytes: countOf(licenceBytes, `${where}.licenceBytes`),
    },
    list: listOf(list, `${where}.list`).map(missingFileOf),
  };
}

function missingFileOf(value: unknown): MissingFile {
  const { sha1, size, kind, fileName } = objectOf(value, 'missing.list');
  if (typeof sha1 !== 'string' || !/^[0-9A-F]{40}$/.test(sha1))
    throw malformed('a missing file has no SHA-1');
  if (typeof kind !== 'string' || !KINDS.includes(kind))
    throw malformed('a missing file is of no known kind');
  return {
    sha1,
    size: countOf(size, 'missing.list'),
    kind: kind as ContentFileKind,
    fileName: textOf(fileName, 'missing.list'),
  };
}

function objectOf(value: unknown, where: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw malformed(`${where} is no object`);
}

function listOf(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed(`${where} is no list`);
  if (value.length > MAX_LIST) throw malformed(`${where} has more than ${MAX_LIST} rows`);
  return value;
}

function textOf(value: unknown, where: string): string {
  if (typeof value !== 'string' || value.length > MAX_TEXT) throw malformed(`${where} is no short text`);
  return value;
}

function textsOf(value: unknown, where: string): readonly string[] {
  return listOf(value, where).map((each) => textOf(each, where));
}

function idsOf(value: unknown, where: string): readonly UpdateId[] {
  return textsOf(value, where).map((each) => {
    if (!isUpdateId(each)) throw malformed(`${where} holds something that is no id`);
    return each;
  });
}

function countOf(value: unknown, where: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw malformed(`${where} is no number`);
  }
  return value;
}

function malformed(what: string): WsusutilError {
  return new WsusutilError('TRANSFER_MALFORMED', `The settings in the package cannot be read: ${what}`, {
    hint: 'Have the package exported again.',
  });
}

/** Sentences on what differs, without full stops. */
export function describeDifferences(theirs: ComparedSettings, ours: ComparedSettings): readonly string[] {
  const sentences: string[] = [];
  const compare = (what: string, there: readonly string[], here: readonly string[]) => {
    const onlyThere = there.filter((each) => !here.includes(each));
    const onlyHere = here.filter((each) => !there.includes(each));
    if (onlyThere.length + onlyHere.length === 0) return;
    const parts = [
      onlyThere.length === 0 ? '' : `there only: ${listSome(onlyThere)}`,
      onlyHere.length === 0 ? '' : `here only: ${listSome(onlyHere)}`,
    ];
    sentences.push(`The ${what} differ (${parts.filter((each) => each !== '').join('; ')})`);
  };
  compare('languages', theirs.languages, ours.languages);
  compare('products', theirs.products, ours.products);
  compare('classifications', theirs.classifications, ours.classifications);
  if (theirs.expressFiles !== ours.expressFiles) {
    sentences.push(
      theirs.expressFiles
        ? 'Express files are kept there, and not here'
        : 'Express files are kept here, and not there: they are not in the package',
    );
  }
  if (theirs.contentPolicy !== ours.contentPolicy) {
    sentences.push(
      `The content policy differs (there: ${JSON.stringify(theirs.contentPolicy)}, here: ${JSON.stringify(ours.contentPolicy)})`,
    );
  }
  return sentences;
}

function listSome(all: readonly string[]): string {
  const shown = all.slice(0, 5).map((each) => JSON.stringify(each).slice(1, -1));
  return all.length > shown.length
    ? `${shown.join(', ')} and ${all.length - shown.length} more`
    : shown.join(', ');
}
