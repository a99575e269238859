/** Reads `manifest.json`; the format is described in `manifest.ts`. */
import { isUtf8 } from 'node:buffer';
import { isWsusutilError, WsusutilError } from '../../errors.js';
import { isUpdateId, type UpdateId } from '../../model/update-identity.js';
import { collisionKey, nameProblem, partName, SETTINGS_NAME, sha1OfPath } from './entry-names.js';
import { incomplete, malformed, mismatch, quoted, unsupported } from './errors.js';
import {
  MAX_LIST_LENGTH,
  MAX_MANIFEST_HEAD_SIZE,
  MAX_MANIFEST_LINE_SIZE,
  MAX_TEXT_LENGTH,
  TRANSFER_LIMITS,
  type TransferLimits,
} from './limits.js';
import {
  type CategoryShare,
  countEntries,
  ENTRIES_LINE,
  type EntryKind,
  type EntryPart,
  type FilterValue,
  isKnownKind,
  MANIFEST_END,
  serializeEntry,
  serializeHead,
  TRANSFER_FORMAT_VERSION,
  type TransferEntry,
  type TransferManifest,
  type VolumeFacts,
} from './manifest.js';
import { measureVolumes } from './volume-size.js';

/**
 * Reads `manifest.json` as it comes, line by line, so that its text is never held as a whole; and checks all that can
 * be checked without the entries themselves: every field, the names, that counts, parts and the sizes of volumes add up
 * to what the entries say, and that the bytes are those this program would write.
 *
 * Both methods throw WsusutilError `TRANSFER_MALFORMED`; `TRANSFER_UNSUPPORTED` for another version or a critical kind
 * that is not known; `TRANSFER_INCOMPLETE` for one that is cut off; `TRANSFER_MISMATCH` if sums differ;
 * `LIMIT_EXCEEDED`; `PACKAGE_LINE_ENDINGS`; `NOT_A_PACKAGE` for any other JSON.
 */
export class ManifestParser {
  readonly #limits: TransferLimits;
  /** bytes that came */
  #size = 0;
  /** the first bytes, until there are enough to tell the version; undefined: it was told */
  #start: Buffer | undefined = Buffer.alloc(0);
  /** of a line whose end has not come */
  #pieces: Buffer[] = [];
  #piecesSize = 0;
  /** lines up to the one that opens the list of entries */
  readonly #headLines: string[] = [];
  #headSize = 0;
  #head: Omit<TransferManifest, 'entries'> | undefined;
  readonly #entries: TransferEntry[] = [];
  /** the last entry came: what follows is the end of the manifest */
  #isLast = false;
  #isEnded = false;

  constructor(limits: TransferLimits = TRANSFER_LIMITS) {
    this.#limits = limits;
  }

  /** @param chunk is read at once, and may change afterwards */
  write(chunk: Uint8Array): void {
    let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    this.#size += bytes.length;
    if (this.#size > this.#limits.manifestSize) {
      throw tooMuch('bytes', this.#size, this.#limits.manifestSize);
    }
    if (this.#start !== undefined) {
      if (this.#start.length > 0 || bytes.length < START_SIZE) bytes = Buffer.concat([this.#start, bytes]);
      this.#start = bytes;
      if (bytes.length < START_SIZE) return;
      this.#checkStart(bytes);
    }
    this.#takeLines(bytes);
  }

  end(): TransferManifest {
    if (this.#start !== undefined) {
      const bytes = this.#start;
      this.#checkStart(bytes);
      this.#takeLines(bytes);
    }
    if (this.#piecesSize > 0) throw incomplete('The manifest is cut off: its last line has no end');
    if (this.#head === undefined) throw malformed('The manifest has no list of entries');
    if (!this.#isEnded) {
      throw incomplete(`The manifest is cut off ${this.#isLast ? 'behind its' : 'in its list of'} entries`);
    }
    const manifest: TransferManifest = { ...this.#head, entries: this.#entries };
    checkEntries(manifest);
    checkSums(manifest, this.#size);
    return manifest;
  }

  #checkStart(bytes: Buffer): void {
    checkVersion(bytes);
    this.#start = undefined;
  }

  #takeLines(bytes: Buffer): void {
    if (bytes.includes(CARRIAGE_RETURN)) {
      throw new WsusutilError(
        'PACKAGE_LINE_ENDINGS',
        'The manifest has line endings that were changed on the way',
        { hint: 'Transfer the package again in binary mode.' },
      );
    }
    let position = 0;
    for (;;) {
      const end = bytes.indexOf(LINE_FEED, position);
      const piece = bytes.subarray(position, end < 0 ? bytes.length : end);
      this.#checkLineSize(piece.length);
      if (end < 0) {
        if (piece.length === 0) return;
        this.#pieces.push(Buffer.from(piece)); // a copy: the source may use its memory again
        this.#piecesSize += piece.length;
        return;
      }
      if (this.#piecesSize === 0) this.#takeLine(piece);
      else {
        const line = Buffer.concat([...this.#pieces, piece]);
        this.#pieces = [];
        this.#piecesSize = 0;
        this.#takeLine(line);
      }
      position = end + 1;
    }
  }

  /** @param more bytes of the line that have come now */
  #checkLineSize(more: number): void {
    const size = this.#piecesSize + more;
    if (this.#head === undefined) {
      if (this.#headSize + size > MAX_MANIFEST_HEAD_SIZE) {
        throw tooMuch('bytes before its entries', this.#headSize + size, MAX_MANIFEST_HEAD_SIZE);
      }
    } else if (size > MAX_MANIFEST_LINE_SIZE) {
      throw tooMuch(`bytes for entry ${this.#entries.length + 1}`, size, MAX_MANIFEST_LINE_SIZE);
    }
  }

  /** @param line without its line feed */
  #takeLine(line: Buffer): void {
    if (!isUtf8(line)) throw malformed('The manifest is not UTF-8');
    if (this.#isLast) {
      if (this.#isEnded || `${line.toString()}\n` !== MANIFEST_END) {
        throw malformed('The manifest goes on behind its entries');
      }
      this.#isEnded = true;
    } else if (this.#head === undefined) {
      const text = `${line.toString()}\n`;
      this.#headLines.push(text);
      this.#headSize += line.length + 1;
      if (text === ENTRIES_LINE) this.#head = parseHead(this.#headLines.join(''), this.#limits);
    } else this.#takeEntry(line);
  }

  #takeEntry(line: Buffer): void {
    const number = this.#entries.length + 1;
    if (number > this.#limits.entries) throw tooMuch('entries and more', number, this.#limits.entries);
    this.#isLast = line.at(-1) !== COMMA;
    const text = line.toString('utf8', 0, this.#isLast ? line.length : line.length - 1);
    const entry = parseEntry(text, `entry ${number}`);
    if (serializeEntry(entry) !== text) {
      throw malformed(
        `Entry ${number} of the manifest, ${quoted(entry.path)}, is not written as wsusutil writes it`,
      );
    }
    this.#entries.push(entry);
  }
}

/** Enough bytes to hold format and version, and not more than any manifest has. */
const START_SIZE = 100;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const COMMA = 0x2c;

/** Reads a manifest that is in memory. @throws WsusutilError as {@link ManifestParser} */
export function parseManifest(bytes: Uint8Array, limits: TransferLimits = TRANSFER_LIMITS): TransferManifest {
  const parser = new ManifestParser(limits);
  parser.write(bytes);
  return parser.end();
}

function tooMuch(what: string, count: number, limit: number): WsusutilError {
  return new WsusutilError('LIMIT_EXCEEDED', `The manifest has ${count} ${what}; at most ${limit} are read`, {
    hint: 'No exporter writes that much; export a smaller selection.',
  });
}

/** Before anything else: what a later version wrote may look different from here on. */
function checkVersion(bytes: Buffer): void {
  const start = bytes.toString('latin1', 0, START_SIZE);
  const match = /^\{"format":"wsusutil-transfer",\r?\n"formatVersion":([1-9]\d{0,8}),\r?\n/.exec(start);
  if (match === null) {
    throw new WsusutilError('NOT_A_PACKAGE', 'Its manifest.json is not that of a transfer package', {
      hint: 'Give a .tar that wsusutil export wrote.',
    });
  }
  if (match[1] !== String(TRANSFER_FORMAT_VERSION)) {
    throw unsupported(
      `The package has format version ${match[1]}; this program reads version ${TRANSFER_FORMAT_VERSION}`,
    );
  }
}

function parseHead(text: string, limits: TransferLimits): Omit<TransferManifest, 'entries'> {
  const value = parseJson(`${text}]}`, 'before its entries');
  const fields = record(value, 'manifest');
  const counts = record(fields.counts, 'counts');
  const options = record(fields.options, 'options');
  const follows = fields.follows === null ? null : digest(fields.follows, 64, 'follows');
  const followsSequence =
    fields.followsSequence === null ? null : integer(fields.followsSequence, 'followsSequence', 1);
  const head: Omit<TransferManifest, 'entries'> = {
    criticalKinds: list(fields.criticalKinds, 'criticalKinds', kindName),
    serverId: guid(fields.serverId, 'serverId'),
    destination: label(fields.destination, 'destination'),
    sequence: integer(fields.sequence, 'sequence', 1),
    follows,
    followsSequence,
    createdAt: instant(fields.createdAt, 'createdAt'),
    toolVersion: label(fields.toolVersion, 'toolVersion'),
    filters: filtersOf(fields.filters),
    options: {
      languages: list(options.languages, 'options.languages', label),
      expressFiles: truth(options.expressFiles, 'options.expressFiles'),
      contentPolicy: label(options.contentPolicy, 'options.contentPolicy'),
    },
    counts: {
      updates: integer(counts.updates, 'counts.updates', 0),
      revisions: integer(counts.revisions, 'counts.revisions', 0),
      metadataSize: integer(counts.metadataSize, 'counts.metadataSize', 0),
      licences: integer(counts.licences, 'counts.licences', 0),
      licenceSize: integer(counts.licenceSize, 'counts.licenceSize', 0),
      contentFiles: integer(counts.contentFiles, 'counts.contentFiles', 0),
      contentSize: integer(counts.contentSize, 'counts.contentSize', 0),
    },
    products: list(fields.products, 'products', categoryShare),
    classifications: list(fields.classifications, 'classifications', categoryShare),
    nextKey: fields.nextKey === null ? null : publicKey(fields.nextKey),
    volumes: volumesOf(fields.volumes, limits),
  };
  if (serializeHead(head) !== text) {
    throw malformed('The manifest is not written as wsusutil writes it, or has fields of its own');
  }
  if ((follows === null) !== (followsSequence === null)) {
    throw malformed('The manifest names only one of follows and followsSequence');
  }
  if (followsSequence !== null && followsSequence >= head.sequence) {
    throw malformed(`The manifest has sequence ${head.sequence}, but follows ${followsSequence}`);
  }
  return head;
}

function parseEntry(line: string, what: string): TransferEntry {
  const fields = record(parseJson(line, `at ${what}`), what);
  const path = text(fields.path, `${what}, path`);
  const problem = nameProblem(path);
  if (problem !== undefined) {
    throw malformed(
      `The manifest names ${quoted(path)}, which ${problem}`,
      'Do not unpack the package; ask for one from wsusutil.',
    );
  }
  const sha1 = fields.sha1 === undefined ? undefined : digest(fields.sha1, 40, `${path}, sha1`);
  const named = sha1OfPath(path);
  const parts = fields.parts === undefined ? undefined : list(fields.parts, `${path}, parts`, entryPart);
  return {
    path,
    kind: kindName(fields.kind, `${path}, kind`),
    size: integer(fields.size, `${path}, size`, 0),
    sha256: digest(fields.sha256, 64, `${path}, sha256`),
    // The digest in the name, where it is the same: that is a part of the name's text, and takes no room of its own.
    ...(sha1 === undefined ? {} : { sha1: sha1 === named ? named : sha1 }),
    volume: integer(fields.volume, `${path}, volume`, 1),
    ...(parts === undefined ? {} : { parts }),
  };
}

/** What entries may not be, alone and together. */
function checkEntries({ entries, criticalKinds, volumes }: TransferManifest): void {
  const taken = new Set<string>();
  const claim = (name: string) => {
    // Content has one spelling only, and no other name is spelled like it: it is its own key, and takes no room.
    const key = sha1OfPath(name) === undefined ? collisionKey(name) : name;
    if (taken.has(key)) throw collision(name, key, entries);
    taken.add(key);
  };
  for (const entry of entries) {
    const { path, kind, size, sha1, volume, parts } = entry;
    claim(path);
    const wrong = (message: string) => malformed(`The manifest says of ${path} ${message}`);
    if (!isKnownKind(kind)) {
      if (criticalKinds.includes(kind)) {
        throw unsupported(
          `The package holds ${path}, of the kind "${kind}", which this version must not leave out`,
        );
      }
    } else {
      const place = placeOf(path);
      if (place !== (kind === 'licence' ? 'content' : kind)) throw wrong(`that it is ${kind}`);
    }
    const named = sha1OfPath(path);
    if (sha1 !== named) {
      throw wrong(named === undefined ? 'a SHA-1, which only content has' : 'another SHA-1 than its name');
    }
    if (volume > volumes.length) throw wrong(`that it lies in volume ${volume} of ${volumes.length}`);
    if (parts === undefined) continue;
    if (parts.length < 2 || parts[0]?.volume !== volume) throw wrong('parts that do not begin in its volume');
    let sum = 0;
    let previous = 0;
    for (const [index, part] of parts.entries()) {
      if (part.volume <= previous || part.volume > volumes.length)
        throw wrong('parts in no order of volumes');
      previous = part.volume;
      sum += part.size;
      claim(partName(path, index + 1));
    }
    if (sum !== size) {
      throw mismatch(`The parts of ${path} have ${sum} bytes, and the whole ${size}`);
    }
  }
}

function collision(name: string, key: string, entries: readonly TransferEntry[]): WsusutilError {
  const names = entries.flatMap(({ path, parts }) => [
    path,
    ...(parts ?? []).map((_, index) => partName(path, index + 1)),
  ]);
  const other = names.find((each) => each !== name && collisionKey(each) === collisionKey(key));
  return malformed(
    other === undefined
      ? `The manifest names ${quoted(name)} twice`
      : `The manifest names ${quoted(other)} and ${quoted(name)}, which are one file on some systems`,
    'Do not unpack the package; ask for one from wsusutil.',
  );
}

function placeOf(path: string): EntryKind | undefined {
  if (path === SETTINGS_NAME) return 'settings';
  if (path.startsWith('metadata/')) return 'metadata';
  return sha1OfPath(path) === undefined ? undefined : 'content';
}

/** That the manifest's totals are those of its entries. */
function checkSums(manifest: TransferManifest, manifestSize: number): void {
  const counted = countEntries(manifest.entries);
  for (const [name, count] of Object.entries(counted)) {
    const said = manifest.counts[name as keyof typeof counted];
    if (said !== count) {
      throw mismatch(`The manifest says ${name} ${said}, and its entries make ${count}`);
    }
  }
  const measured = measureVolumes(manifest.entries, manifest.volumes.length, manifestSize);
  for (const [index, { number, size }] of manifest.volumes.entries()) {
    const { size: real, pieces } = measured[index] as (typeof measured)[number];
    if (pieces === 0) throw malformed(`The manifest has nothing for volume ${number}`);
    if (real !== size) {
      throw mismatch(
        `The manifest says that volume ${number} has ${size} bytes, and its entries make ${real}`,
      );
    }
  }
}

function parseJson(json: string, where: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    if (isWsusutilError(error)) throw error;
    throw malformed(`The manifest is not JSON ${where}`);
  }
}

type Fields = Readonly<Record<string, unknown>>;

function record(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed(`The manifest's ${what} is not an object`);
  }
  return value as Fields;
}

function list<T>(value: unknown, what: string, read: (item: unknown, what: string) => T): T[] {
  if (!Array.isArray(value)) throw malformed(`The manifest's ${what} is not a list`);
  if (value.length > MAX_LIST_LENGTH) throw tooMuch(what, value.length, MAX_LIST_LENGTH);
  return value.map((item: unknown) => read(item, what));
}

function text(value: unknown, what: string): string {
  if (typeof value !== 'string' || value.length > MAX_TEXT_LENGTH) {
    throw malformed(`The manifest's ${what} is not a text of at most ${MAX_TEXT_LENGTH} characters`);
  }
  return value;
}

/** A text on one line that is not empty and shows what it is: no control characters, no changes of direction. */
function label(value: unknown, what: string): string {
  const result = text(value, what);
  if (result === '' || /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(result)) {
    throw malformed(`The manifest's ${what} is empty or holds characters that cannot be shown`);
  }
  return result;
}

function kindName(value: unknown, what: string): string {
  if (typeof value !== 'string' || !/^[a-z][a-z0-9-]{0,31}$/.test(value)) {
    throw malformed(`The manifest's ${what} is not the name of a kind of entry`);
  }
  return value;
}

function integer(value: unknown, what: string, least: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || Object.is(value, -0)) {
    throw malformed(`The manifest's ${what} is not a whole number from ${least}`);
  }
  return value;
}

function truth(value: unknown, what: string): boolean {
  if (typeof value !== 'boolean') throw malformed(`The manifest's ${what} is neither true nor false`);
  return value;
}

function digest(value: unknown, length: 40 | 64, what: string): string {
  if (typeof value !== 'string' || value.length !== length || !/^[0-9A-F]+$/.test(value)) {
    throw malformed(`The manifest's ${what} is not a digest of ${length} upper-case hexadecimal digits`);
  }
  return value;
}

function guid(value: unknown, what: string): UpdateId {
  if (typeof value !== 'string' || !isUpdateId(value)) throw malformed(`The manifest's ${what} is not an id`);
  return value;
}

function instant(value: unknown, what: string): string {
  if (
    typeof value !== 'string' ||
    !/^(?:19[7-9]|20\d|21\d)\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(value) ||
    Number.isNaN(Date.parse(value)) ||
    new Date(value).toISOString() !== value.replace('Z', '.000Z')
  ) {
    throw malformed(`The manifest's ${what} is not a time like 2026-11-20T12:34:56Z`);
  }
  return value;
}

function publicKey(value: unknown): string {
  const bytes = typeof value === 'string' && value.length === 56 ? Buffer.from(value, 'base64') : undefined;
  if (bytes?.length !== 42 || bytes.toString('base64') !== value || bytes.toString('latin1', 0, 2) !== 'Ed') {
    throw malformed("The manifest's nextKey is not a public key of minisign");
  }
  return value as string;
}

function filtersOf(value: unknown): Record<string, FilterValue> {
  const fields = record(value, 'filters');
  if (Object.keys(fields).length > MAX_LIST_LENGTH) {
    throw tooMuch('filters', Object.keys(fields).length, MAX_LIST_LENGTH);
  }
  return Object.fromEntries(
    Object.entries(fields).map(([name, filter]): [string, FilterValue] => {
      if (!/^[a-z][a-zA-Z0-9-]{0,63}$/.test(name))
        throw malformed('The manifest has a filter of an odd name');
      const what = `filters.${name}`;
      if (typeof filter === 'boolean') return [name, filter];
      if (typeof filter === 'number') return [name, integer(filter, what, 0)];
      return [name, Array.isArray(filter) ? list(filter, what, text) : text(filter, what)];
    }),
  );
}

function categoryShare(value: unknown, what: string): CategoryShare {
  const { id, title, updates, size } = record(value, what);
  return {
    id: guid(id, `${what}, id`),
    title: text(title, `${what}, title`),
    updates: integer(updates, `${what}, updates`, 0),
    size: integer(size, `${what}, size`, 0),
  };
}

function volumesOf(value: unknown, limits: TransferLimits): VolumeFacts[] {
  if (!Array.isArray(value) || value.length === 0) throw malformed("The manifest's volumes are not a list");
  if (value.length > limits.volumes) throw tooMuch('volumes', value.length, limits.volumes);
  return value.map((item: unknown, index) => {
    const { number, size } = record(item, 'volumes');
    if (number !== index + 1) throw malformed(`The manifest numbers volume ${index + 1} otherwise`);
    return { number, size: integer(size, `size of volume ${index + 1}`, 0) };
  });
}

function entryPart(value: unknown, what: string): EntryPart {
  const { volume, size, sha256 } = record(value, what);
  return {
    volume: integer(volume, what, 1),
    size: integer(size, what, 1),
    sha256: digest(sha256, 64, what),
  };
}
