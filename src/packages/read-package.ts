/**
 * Reads an export package, a `.cab` or a `.xml.gz`, as a stream of parts: what it is, what it lists, and the
 * documents as they stand in it. Whatever is wrong with the file is said before or while reading; a package that
 * was read to its end is complete and its parts agree.
 */

import { type ErrorCode, errorText, isWsusutilError, throwIfInterrupted, WsusutilError } from '../errors.js';
import type { WarningCode } from '../events.js';
import { type Cabinet, type CabinetMember, openCabinet, readMembers } from '../formats/cab/read-cabinet.js';
import type { BatchMemory } from '../formats/export-package/batch-memory.js';
import { IDENTIFY_SIZE } from '../formats/export-package/identify.js';
import type { PackageLimits } from '../formats/export-package/limits.js';
import { MetadataReader } from '../formats/export-package/metadata-reader.js';
import {
  describeOpenElements,
  type PackageXmlExtent,
  type PackageXmlHandler,
  PackageXmlReader,
} from '../formats/export-package/package-xml-reader.js';
import { groupDigits } from '../formats/group-digits.js';
import { type PackagePart, packageFormatOf } from '../model/export-package.js';
import { IdentityList } from '../model/identity-list.js';
import { type FileSource, openFileSource } from '../platform/file-source.js';
import { findGzipEnd, inflate, TruncatedGzip } from './inflate.js';
import { MemberAgreement } from './member-agreement.js';
import { bytesBehind, checkInflated, refuseConvertedGzip, sniffPackage } from './sniff-package.js';

const MAX_NAMES_SHOWN = 8;
/** Plain bytes of a truncated gzip file that are enough to tell what it held. */
const MIN_TELLING_SIZE = 64;
/** What zlib says of bytes behind a member, which was whole, that begin no other one. */
const NO_MEMBER = 'incorrect header check';
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);
/** What nonsense is taken for when gzip data is damaged: it inflates to something for a while. */
const NONSENSE_CODES: readonly ErrorCode[] = [
  'NOT_A_PACKAGE',
  'PACKAGE_MALFORMED',
  'PACKAGE_UNSUPPORTED',
  'XML_MALFORMED',
  'LIMIT_EXCEEDED',
];
/** What a document out of it may be said to be. */
const DOCUMENT_CODES: readonly ErrorCode[] = [
  'XML_MALFORMED',
  'UPDATE_MALFORMED',
  'UPDATE_IDENTITY_MISMATCH',
  'LIMIT_EXCEEDED',
];
/** Plain bytes that are inflated again for it: a single wrong bit shows at the end only, where the CRC stands. */
const MAX_NONSENSE_SIZE = 8 * 1024 * 1024 * 1024;

export interface ReadPackageOptions {
  readonly signal: AbortSignal;
  warn(code: WarningCode, message: string): void;
  /** bytes of the file read so far, out of all */
  onProgress?(bytesRead: number, totalBytes: number): void;
  readonly limits?: Partial<PackageLimits> | undefined;
  /** default `full` */
  readonly extent?: PackageXmlExtent | undefined;
  /** where record batches come from, for a caller that gives them back */
  readonly memory?: BatchMemory | undefined;
}

/**
 * The parts of the package at `path`, in its order: for a real cabinet header, files, entries, then records; for an
 * `.xml.gz` entries and records alternate, the entries of a batch's records first.
 *
 * @throws WsusutilError before the first part: `INPUT_NOT_FOUND`, `READ_FAILED`, `PACKAGE_EMPTY`, `NOT_A_PACKAGE`,
 *   `PACKAGE_LINE_ENDINGS`, `PACKAGE_TRUNCATED`, `CAB_*`; at any time: those of the codecs,
 *   `PACKAGE_MEMBERS_DISAGREE`, `GZIP_MALFORMED`, `READ_FAILED`, `INTERRUPTED`
 */
export async function* readPackage(
  path: string,
  options: ReadPackageOptions,
): AsyncGenerator<PackagePart, void, undefined> {
  throwIfInterrupted(options.signal, `reading ${path}`);
  const source = await openFileSource(path);
  try {
    options.onProgress?.(0, source.size); // before the first part: its size decides how a package is imported
    const format = await sniffPackage(source);
    yield* format === 'cab' ? readCabinetPackage(source, options) : readGzipPackage(source, options);
    options.onProgress?.(source.size, source.size);
  } catch (error) {
    throw naming(path, error);
  } finally {
    await source.close();
  }
}

async function* readCabinetPackage(
  source: FileSource,
  options: ReadPackageOptions,
): AsyncGenerator<PackagePart, void, undefined> {
  const cabinet = await openCabinet(source);
  warnOfSurplus(await bytesBehind(source, cabinet), 'the cabinet', options);
  const { packageXml, metadata } = findMembers(source.path, cabinet, options);
  const { xmlReader, metadataReader, agreement, takeParts } = openMemberReaders(options);
  try {
    for await (const { member, bytes, isLast } of readMembers(cabinet, {
      wanted: (each) => each === packageXml || each === metadata,
      reuseMemory: true, // both readers copy what they keep
    })) {
      throwIfInterrupted(options.signal, `reading ${source.path}`);
      const reader = member === packageXml ? xmlReader : metadataReader;
      if (bytes.length > 0) reader.write(bytes);
      if (isLast) reader.end();
      yield* takeParts();
      options.onProgress?.(Math.min(source.reached, source.size), source.size);
    }
  } catch (error) {
    // The first thing wrong is what counts; what follows a disagreement is often only its consequence.
    if (agreement.isBroken && !isWsusutilError(error, 'INTERRUPTED')) agreement.check();
    throw error;
  }
  agreement.check();
}

async function* readGzipPackage(
  source: FileSource,
  options: ReadPackageOptions,
): AsyncGenerator<PackagePart, void, undefined> {
  let parts: PackagePart[] = [];
  const reader = new PackageXmlReader(
    'xml.gz',
    partHandler((part) => parts.push(part), options),
    options.limits,
    options.memory,
    options.extent,
  );
  let inputSize = source.size;
  let beginning: Buffer | undefined = Buffer.alloc(0);
  const start = () => {
    const bytes = beginning as Buffer;
    beginning = undefined;
    checkInflated(source.path, bytes);
    reader.write(bytes);
  };
  try {
    for await (const bytes of inflate(source.chunks(), (size) => {
      inputSize = size;
    })) {
      throwIfInterrupted(options.signal, `reading ${source.path}`);
      if (beginning === undefined) {
        reader.write(bytes);
      } else {
        beginning = Buffer.concat([beginning, bytes]);
        if (beginning.length >= IDENTIFY_SIZE) start();
      }
      yield* parts;
      parts = [];
      options.onProgress?.(source.reached, source.size);
    }
    if (beginning !== undefined) start();
    reader.end();
    warnOfSurplus(source.size - inputSize, 'the gzip data', options);
  } catch (error) {
    if (error instanceof TruncatedGzip) {
      if (beginning !== undefined && beginning.length >= MIN_TELLING_SIZE) start();
      await refuseConvertedGzip(source, 'cut', error);
      throw truncated(source, reader, error);
    }
    if (isWsusutilError(error, 'GZIP_MALFORMED')) {
      await refuseSurplus(source, error);
      await refuseConvertedGzip(source, 'damaged', error);
    }
    if (isWsusutilError(error) && NONSENSE_CODES.includes(error.code)) {
      await refuseDamagedGzip(source, options.signal);
    }
    throw error;
  }
  yield* parts;
}

function warnOfSurplus(size: number, what: string, options: ReadPackageOptions): void {
  if (size <= 0) return;
  options.warn(
    'BYTES_BEHIND_END',
    `${groupDigits(size)} ${size === 1 ? 'byte stands' : 'bytes stand'} behind the end of ${what}, and belong to nothing; they were not read. Something was put there on the way`,
  );
}

export interface MemberReaders {
  readonly xmlReader: PackageXmlReader;
  readonly metadataReader: MetadataReader;
  /** of what both list; ask it at the end */
  readonly agreement: MemberAgreement;
  /** Parts that were read since the last call; none behind a disagreement. */
  takeParts(): readonly PackagePart[];
}

/** Readers of `package.xml` and `metadata.txt`, which must list the same revisions. */
export function openMemberReaders(options: ReadPackageOptions): MemberReaders {
  const agreement = new MemberAgreement();
  let parts: PackagePart[] = [];
  const hand = (part: PackagePart) => {
    if (!agreement.isBroken) parts.push(part);
  };
  const xmlReader = new PackageXmlReader(
    'package.xml',
    partHandler((part) => {
      if (part.type === 'identities') agreement.add('package.xml', part.identities);
      if (part.type === 'entries') {
        const identities = part.entries.map(({ identity }) => identity);
        agreement.add('package.xml', IdentityList.of(identities));
      }
      hand(part);
    }, options),
    options.limits,
    options.memory,
    options.extent,
  );
  const metadataReader = new MetadataReader({
    emit: (batch) => {
      agreement.add('metadata.txt', batch.records.identities);
      hand({ type: 'records', batch });
    },
    warn: (code, message) => options.warn(code, message),
    limits: options.limits,
    memory: options.memory,
  });
  const takeParts = () => {
    const taken = parts;
    parts = [];
    return taken;
  };
  return { xmlReader, metadataReader, agreement, takeParts };
}

/** Hands on what a reader of `package.xml` finds. */
function partHandler(hand: (part: PackagePart) => void, options: ReadPackageOptions): PackageXmlHandler {
  return {
    header: (header) => hand({ type: 'header', header }),
    files: (files) => hand({ type: 'files', files }),
    entries: (entries) => hand({ type: 'entries', entries }),
    identities: (identities) => hand({ type: 'identities', identities }),
    records: (batch) => hand({ type: 'records', batch }),
    warn: (code, message) => options.warn(code, message),
  };
}

/** The two members, told by name in any case and at any place in the cabinet. */
function findMembers(
  path: string,
  cabinet: Cabinet,
  options: ReadPackageOptions,
): { packageXml: CabinetMember; metadata: CabinetMember } {
  const named = (name: string) => cabinet.members.filter((each) => each.name.toLowerCase() === name);
  const [packageXml, secondXml] = named('package.xml');
  const [metadata, secondMetadata] = named('metadata.txt');
  if (packageXml === undefined || metadata === undefined) throw notAPackage(path, cabinet.members);
  if (secondXml !== undefined || secondMetadata !== undefined) {
    throw new WsusutilError(
      'PACKAGE_MALFORMED',
      `${path} holds two files named ${secondXml === undefined ? 'metadata.txt' : 'package.xml'}`,
      { hint: 'No exporter writes that; the file was altered. Export it again.' },
    );
  }
  const isXmlFirst =
    packageXml.folderIndex < metadata.folderIndex ||
    (packageXml.folderIndex === metadata.folderIndex && packageXml.folderOffset <= metadata.folderOffset);
  const [first, second] = isXmlFirst ? [packageXml, metadata] : [metadata, packageXml];
  if (first.folderIndex === second.folderIndex && first.folderOffset + first.size > second.folderOffset) {
    throw new WsusutilError(
      'PACKAGE_MALFORMED',
      `${path}: package.xml and metadata.txt overlap in the cabinet`,
      {
        hint: 'No exporter writes that; the file was altered. Export it again.',
      },
    );
  }
  if (!isXmlFirst) {
    options.warn(
      'MEMBER_ORDER',
      'metadata.txt stands before package.xml; wsusutil writes them the other way round. It is read all the same',
    );
  }
  const others = cabinet.members.filter((each) => each !== packageXml && each !== metadata);
  if (others.length > 0) {
    options.warn('UNKNOWN_MEMBER', `The cabinet also holds ${listNames(others)}; that was not read`);
  }
  return { packageXml, metadata };
}

function notAPackage(path: string, members: readonly CabinetMember[]): WsusutilError {
  const names = members.map(({ name }) => name.toLowerCase());
  if (names.includes('index.xml') && names.includes('package.cab')) {
    return new WsusutilError(
      'NOT_A_PACKAGE',
      `${path} is the offline scan file (wsusscn2.cab) for clients, not an export package: it holds ${listNames(members)}`,
      {
        hint: 'It does not hold complete updates and cannot be imported; run wsusutil export on a WSUS server.',
      },
    );
  }
  const missing = ['package.xml', 'metadata.txt'].filter((name) => !names.includes(name)).join(' and ');
  return new WsusutilError(
    'NOT_A_PACKAGE',
    `${path} is a cabinet without ${missing}: it holds ${listNames(members)}`,
    { hint: 'Give a .cab that wsusutil export wrote.' },
  );
}

function listNames(members: readonly CabinetMember[]): string {
  const shown = members
    .slice(0, MAX_NAMES_SHOWN)
    .map(({ name }) => JSON.stringify(name.slice(0, 80)).slice(1, -1));
  const more = members.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}

/**
 * What a document of the package that could not be read says of the package: its name, and where the gzip data is damaged,
 * that instead.
 *
 * @param error what was thrown while the documents were dealt with
 * @returns the error to throw instead
 */
export async function explainDocument(path: string, error: unknown, signal: AbortSignal): Promise<unknown> {
  if (!isWsusutilError(error) || !DOCUMENT_CODES.includes(error.code)) return error;
  if (packageFormatOf(path) !== 'xml.gz') return naming(path, error);
  try {
    const source = await openFileSource(path);
    try {
      await refuseDamagedGzip(source, signal);
    } finally {
      await source.close();
    }
  } catch (reason) {
    return naming(path, reason);
  }
  return naming(path, error);
}

/**
 * Inflates once more, to tell a document that is wrong from gzip data that is.
 *
 * @throws WsusutilError `PACKAGE_LINE_ENDINGS`, `GZIP_MALFORMED`, `READ_FAILED`, `INTERRUPTED`
 */
async function refuseDamagedGzip(source: FileSource, signal: AbortSignal): Promise<void> {
  let plainSize = 0;
  try {
    for await (const bytes of inflate(source.chunks())) {
      throwIfInterrupted(signal, `reading ${source.path}`);
      plainSize += bytes.length;
      if (plainSize > MAX_NONSENSE_SIZE) return;
    }
  } catch (error) {
    if (error instanceof TruncatedGzip) return refuseConvertedGzip(source, 'cut', error);
    if (isWsusutilError(error, 'GZIP_MALFORMED')) await refuseConvertedGzip(source, 'damaged', error);
    throw error;
  }
}

/**
 * Refuses gzip data that is whole, with something behind it that zlib takes for more of it.
 *
 * @throws WsusutilError `GZIP_MALFORMED`
 */
async function refuseSurplus(source: FileSource, cause: Error): Promise<void> {
  // Where anything else is wrong, what zlib made of the data so far was not whole.
  if (!errorText(cause.cause).includes(NO_MEMBER)) return;
  const end = await findGzipEnd(source.chunks());
  if (end === undefined || end >= source.size) return;
  const next = await source.read(end, GZIP_MAGIC.length);
  if (GZIP_MAGIC.equals(next)) return; // another member, and that is what is damaged
  const size = source.size - end;
  throw new WsusutilError(
    'GZIP_MALFORMED',
    `${source.path} goes on behind its end: its gzip data is whole and takes ${groupDigits(end)} bytes, and ${groupDigits(size)} more stand behind it that belong to nothing`,
    {
      hint: 'Copy or download the package again; something was put behind it on the way.',
      details: { bytesBehindEnd: size, actualSize: source.size },
      cause,
    },
  );
}

/** In the words of the real importer, which names the elements not closed. */
function truncated(source: FileSource, reader: PackageXmlReader, cause: Error): WsusutilError {
  const open = reader.openElements;
  return new WsusutilError(
    'PACKAGE_TRUNCATED',
    `${source.path} is cut off: its gzip data stops after ${groupDigits(source.size)} bytes and ${groupDigits(reader.updateCount)} updates${describeOpenElements(open)}`,
    {
      hint: 'Copy or download the package again; it is not complete.',
      details: { openElements: open, updates: reader.updateCount, actualSize: source.size },
      cause,
    },
  );
}

/** The same error with the path in its message. */
function naming(path: string, error: unknown): unknown {
  if (!isWsusutilError(error) || error.message.includes(path)) return error;
  return new WsusutilError(error.code, `${path}: ${error.message}`, {
    hint: error.hint,
    details: error.details,
    cause: error,
  });
}
