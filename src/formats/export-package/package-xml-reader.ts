/**
 * `package.xml` of a cabinet, and the one document of an `.xml.gz` package: the same elements, the latter with a
 * `metadata` element per update (package-formats 0.2a, 1.3, 2.3). Names are matched ignoring case; what is unknown
 * is passed over, unless nothing known remains.
 */
import { isWsusutilError, WsusutilError } from '../../errors.js';
import { sha1FromBase64 } from '../../model/digest.js';
import type { PackageEntry, PackageFile, PackageHeader, RecordBatch } from '../../model/export-package.js';
import { IdentityList } from '../../model/identity-list.js';
import type { PackageLanguage } from '../../model/language.js';
import { parseUpdateId, type UpdateIdentity } from '../../model/update-identity.js';
import { groupDigits } from '../group-digits.js';
import { type StartAction, type TakenAhead, type XmlElement, XmlReader } from '../xml/xml-reader.js';
import type { BatchMemory } from './batch-memory.js';
import { DocumentBatcher } from './document-batcher.js';
import { ElementCensus } from './element-census.js';
import {
  BATCH_SIZE,
  DEFAULT_PACKAGE_LIMITS,
  MAX_FILES,
  MAX_LANGUAGES,
  MAX_REFERENCES_PER_UPDATE,
  type PackageLimits,
  ROWS_PER_BATCH,
} from './limits.js';
import { Utf8Checker } from './utf8-checker.js';

/** The format version every real package carries. */
const KNOWN_FORMAT_VERSION = '1.0';
/** A document is longer as escaped text or Base64 than by itself; this much is enough for both. */
const MAX_ENCODED_GROWTH = 2;
/** Characters looked at for a message about a root that is not understood. */
const MAX_CENSUS_SIZE = 4 * 1024 * 1024;
/** Elements not closed that a message names. */
const MAX_OPEN_ELEMENTS_SHOWN = 12;
/** Distinct category ids kept so that equal ones share memory. */
const MAX_INTERNED = 100_000;
const HINT = 'The package is damaged or was made by a faulty tool; copy or export it again.';
const UTF8_MARK = [0xef, 0xbb, 0xbf];

/** Bytes handed to the XML reader at once: what it makes of them stays in the processor's cache. */
const PIECE_SIZE = 64 * 1024;

/**
 * Rows the way every real package writes them. Half of a large `package.xml`'s time went into reading each as XML; what
 * does not match is read as XML.
 */
const FILE_ROW = /<File Digest="([A-Za-z0-9+/]{27}=)" MUUrl="([ !#-%'-;=-~]+)" Name="([ !#-%'-;=-~]+)" ?\/>/y;
const UPDATE_ROW =
  /<Update UpdateId="[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}" RevisionNumber="[0-9]{1,9}">(?:<Files ?\/>|<Files>(?:<File Digest="[A-Za-z0-9+/=]*" ?\/>)*<\/Files>|<Categories ?\/>|<Categories>(?:<Category Value="[-0-9A-Fa-f]*" ?\/>)*<\/Categories>|<Classifications ?\/>|<Classifications>(?:<Classification Value="[-0-9A-Fa-f]*" ?\/>)*<\/Classifications>)*<\/Update>/y;
const UPDATE_ID_AT = '<Update UpdateId="'.length;
const REVISION_AT = UPDATE_ID_AT + 36 + '" RevisionNumber="'.length;
const QUOTE = 0x22;
const DIGIT_ZERO = 0x30;
/** Characters that may be the beginning of a row whose rest has not come yet; a longer one is read as XML. */
const MAX_CUT_ROW_SIZE = 8 * 1024;

export interface PackageXmlHandler {
  /** Before any files and entries. */
  header(header: PackageHeader): void;
  files(files: readonly PackageFile[]): void;
  entries(entries: readonly PackageEntry[]): void;
  /** Instead of entries, if nothing else of them is wanted. */
  identities(identities: IdentityList): void;
  /** Only for `xml.gz`; the entries of a batch's records come before it. */
  records(batch: RecordBatch): void;
  warn(code: 'NEWER_FORMAT_VERSION', message: string): void;
}

/** What is read: a cabinet's member, or the inflated content of an `.xml.gz` file. */
export type PackageXmlForm = 'package.xml' | 'xml.gz';

/**
 * `identities`: what the entries say of files and categories is passed over (only its nesting is checked). Those of a
 * `package.xml` are handed on as identities, those of an `.xml.gz` with empty lists.
 */
export type PackageXmlExtent = 'full' | 'identities';

interface UpdateInProgress {
  readonly identity: UpdateIdentity;
  readonly fileSha1s: string[];
  readonly categories: string[];
  readonly classifications: string[];
  documents: number;
}

/**
 * Takes the bytes in pieces of any size and hands on what it reads in batches.
 *
 * @throws WsusutilError `PACKAGE_MALFORMED`, `PACKAGE_TRUNCATED`, `PACKAGE_UNSUPPORTED` (a layout that is not
 *   understood, `.xml.gz` only), `XML_MALFORMED`, `LIMIT_EXCEEDED`
 */
export class PackageXmlReader {
  readonly #form: PackageXmlForm;
  readonly #extent: PackageXmlExtent;
  readonly #handler: PackageXmlHandler;
  readonly #limits: PackageLimits;
  readonly #xml: XmlReader;
  readonly #utf8 = new Utf8Checker();
  readonly #batcher: DocumentBatcher;
  readonly #interned = new Map<string, string>();

  #mark: Buffer | undefined = Buffer.alloc(0);
  #bytesRead = 0;
  #census: ElementCensus | undefined;
  /** set once the root is known not to be ours: what it was, while more is seen for the message */
  #foreignRoot: string | undefined;

  #attributes: Omit<PackageHeader, 'languages'> | undefined;
  #languages: PackageLanguage[] = [];
  #isHeaderGiven = false;
  #hasUpdates = false;
  /** lower-case local name of the open child of the root, and of the update's open child */
  #section = '';
  #list = '';
  #update: UpdateInProgress | undefined;
  #files: PackageFile[] = [];
  #fileCount = 0;
  #entries: PackageEntry[] = [];
  #identities = new IdentityList(ROWS_PER_BATCH);
  #updateCount = 0;

  constructor(
    form: PackageXmlForm,
    handler: PackageXmlHandler,
    limits: Partial<PackageLimits> = {},
    memory?: BatchMemory,
    extent: PackageXmlExtent = 'full',
  ) {
    this.#form = form;
    this.#extent = extent;
    this.#handler = handler;
    this.#limits = { ...DEFAULT_PACKAGE_LIMITS, ...limits };
    this.#census = form === 'xml.gz' ? new ElementCensus() : undefined;
    this.#batcher = new DocumentBatcher(
      (batch) => {
        this.#flushRows();
        handler.records(batch);
      },
      this.#limits.maxDocumentSize * MAX_ENCODED_GROWTH,
      BATCH_SIZE,
      memory,
    );
    this.#xml = new XmlReader(
      {
        start: (element) => this.#start(element),
        end: (local, depth) => this.#end(local, depth),
        text: () => {},
        raw: (source) => this.#raw(source),
        ahead: (source, _codes, from, end) => this.#readRows(source, from, end),
      },
      { what: form === 'xml.gz' ? 'the inflated package' : 'package.xml', encoding: 'utf8-bytes' },
    );
  }

  /** updates read so far */
  get updateCount(): number {
    return this.#updateCount;
  }

  /** Names of the elements open right now, innermost first, as .NET lists them. */
  get openElements(): readonly string[] {
    return this.#xml.openElements.toReversed();
  }

  write(chunk: Uint8Array): void {
    if (this.#mark !== undefined) {
      this.#mark = Buffer.concat([this.#mark, chunk]);
      if (this.#mark.length >= UTF8_MARK.length) this.#writeBeginning();
      return;
    }
    this.#writeText(chunk);
  }

  /** The input is complete. */
  end(): void {
    if (this.#mark !== undefined) this.#writeBeginning();
    const cut = this.#utf8.end();
    this.#xml.flush(); // damage in it is no sign that something is missing
    try {
      this.#xml.end();
    } catch (error) {
      if (!isWsusutilError(error, 'XML_MALFORMED') || this.#xml.openElements.length === 0) throw error;
      throw new WsusutilError(
        'PACKAGE_TRUNCATED',
        `${this.#what} ends too early, after ${groupDigits(this.#bytesRead)} bytes and ${groupDigits(this.#updateCount)} updates${describeOpenElements(this.openElements)}`,
        {
          hint: 'The package is incomplete; copy or export it again.',
          details: { openElements: this.openElements, updates: this.#updateCount },
          cause: error,
        },
      );
    }
    if (cut !== undefined) throw this.#malformed(`it ends inside a character at offset ${cut}`);
    if (this.#foreignRoot !== undefined) throw this.#unsupported(`its root is ${this.#foreignRoot}`);
    if (!this.#hasUpdates) {
      const problem = 'there is no list of updates';
      throw this.#form === 'xml.gz' ? this.#unsupported(problem) : this.#malformed(problem);
    }
    this.#giveHeader();
    this.#batcher.flush();
    this.#flushRows();
  }

  get #what(): string {
    return this.#form === 'xml.gz' ? 'The inflated package' : 'package.xml';
  }

  #writeBeginning(): void {
    const bytes = this.#mark as Buffer;
    this.#mark = undefined;
    const isUtf16 =
      (bytes[0] === 0xff && bytes[1] === 0xfe) ||
      (bytes[0] === 0xfe && bytes[1] === 0xff) ||
      (bytes.length > 1 && (bytes[0] === 0 || bytes[1] === 0));
    if (isUtf16) {
      throw new WsusutilError('PACKAGE_UNSUPPORTED', `${this.#what} is UTF-16; real packages are UTF-8`, {
        hint: 'Please report this package and the tool that made it.',
      });
    }
    const isMarked = UTF8_MARK.every((byte, i) => bytes[i] === byte);
    this.#writeText(isMarked ? bytes.subarray(UTF8_MARK.length) : bytes);
  }

  #writeText(chunk: Uint8Array): void {
    const invalid = this.#utf8.check(chunk);
    if (invalid !== undefined) {
      throw this.#malformed(`the bytes at offset ${invalid} of its text are not valid UTF-8`);
    }
    this.#bytesRead += chunk.length;
    for (let start = 0; start < chunk.length; start += PIECE_SIZE) {
      const length = Math.min(PIECE_SIZE, chunk.length - start);
      this.#xml.write(Buffer.from(chunk.buffer, chunk.byteOffset + start, length).toString('latin1'));
    }
    if (this.#foreignRoot !== undefined && this.#bytesRead > MAX_CENSUS_SIZE) {
      throw this.#unsupported(`its root is ${this.#foreignRoot}`);
    }
  }

  #start(element: XmlElement): StartAction {
    const { depth } = element;
    this.#census?.add(element.local, depth);
    if (this.#foreignRoot !== undefined) return undefined;
    const name = element.local.toLowerCase();
    switch (depth) {
      case 1:
        this.#startRoot(element, name);
        return undefined;
      case 2:
        this.#section = name;
        if (name === 'updates') this.#hasUpdates = true;
        if (name === 'files' || (name === 'updates' && this.#hasIdentitiesOnly)) return 'ahead';
        return name === 'languages' || name === 'updates' ? undefined : this.#pass();
      case 3:
        return this.#startRow(element, name);
      case 4:
        this.#list = name;
        if (this.#update === undefined) return this.#pass();
        if (name === 'metadata' && this.#form === 'xml.gz') {
          if (++this.#update.documents > 1) {
            throw this.#unsupported(`update ${describe(this.#update.identity)} has two metadata elements`);
          }
          return 'raw';
        }
        if (name !== 'files' && name !== 'categories' && name !== 'classifications') return this.#pass();
        return this.#extent === 'full' || this.#census !== undefined ? undefined : 'raw';
      default:
        this.#startReference(element, name);
        return this.#pass();
    }
  }

  /** Unknown elements are passed over, but looked into while a census is wanted. */
  #pass(): StartAction {
    return this.#census === undefined ? 'skip' : undefined;
  }

  #startRoot(element: XmlElement, name: string): void {
    if (name !== 'exportpackage') {
      const attributes = element
        .attributes()
        .slice(0, 20)
        .map((each) => `${each.local}="${each.value.slice(0, 60)}"`)
        .join(' ');
      const root = `<${element.local}${attributes === '' ? '' : ` ${attributes}`}> in ${element.uri === '' ? 'no namespace' : `namespace ${element.uri}`}`;
      if (this.#form === 'package.xml')
        throw this.#malformed(`its root is ${root}, expected <ExportPackage>`);
      this.#foreignRoot = root;
      return;
    }
    const serverId = this.#required(element, 'ServerID');
    if (parseUpdateId(serverId) === undefined) throw this.#wrong(element, 'ServerID', serverId, 'a GUID');
    const creationTime = this.#required(element, 'CreationTime');
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(creationTime) || Number.isNaN(Date.parse(creationTime))) {
      throw this.#wrong(element, 'CreationTime', creationTime, 'a time like 2026-10-31T08:15:00Z');
    }
    const formatVersion = this.#required(element, 'FormatVersion');
    const protocolVersion = this.#required(element, 'ProtocolVersion');
    this.#attributes = {
      serverId: copyString(serverId),
      creationTime: copyString(creationTime),
      formatVersion: copyString(formatVersion),
      protocolVersion: copyString(protocolVersion),
    };
    if (formatVersion !== KNOWN_FORMAT_VERSION) {
      this.#handler.warn(
        'NEWER_FORMAT_VERSION',
        `The package says FormatVersion "${formatVersion.slice(0, 40)}"; this program knows ${KNOWN_FORMAT_VERSION} and reads it as such`,
      );
    }
  }

  #startRow(element: XmlElement, name: string): StartAction {
    if (this.#section === 'languages' && name === 'language') {
      this.#addLanguage(element);
      return undefined;
    }
    if (this.#section === 'files' && name === 'file') {
      const sha1 = this.#digest(element);
      this.#addFile(sha1, this.#required(element, 'MUUrl'), this.#required(element, 'Name'));
      return undefined;
    }
    if (this.#section === 'updates' && name === 'update') {
      this.#startUpdate(element);
      return this.#hasIdentitiesOnly ? 'raw' : undefined;
    }
    return this.#pass();
  }

  /** In a cabinet nothing but identities is wanted of an update; in an `.xml.gz` its document is in it. */
  get #hasIdentitiesOnly(): boolean {
    return this.#extent === 'identities' && this.#form === 'package.xml';
  }

  #readRows(source: string, from: number, end: number): TakenAhead {
    const next =
      this.#section === 'files' ? this.#readFileRows(source, from) : this.#readUpdateRows(source, from);
    return { next, isCut: end - next < MAX_CUT_ROW_SIZE };
  }

  /** @returns where they end */
  #readFileRows(source: string, from: number): number {
    let next = from;
    for (;;) {
      FILE_ROW.lastIndex = next;
      const [row, digest = '', muUrl = '', fileName = ''] = FILE_ROW.exec(source) ?? [];
      const sha1 = row === undefined ? undefined : sha1FromBase64(digest);
      if (sha1 === undefined) return next;
      this.#census?.add('File', 3);
      this.#addFile(sha1, muUrl, fileName);
      next = FILE_ROW.lastIndex;
    }
  }

  /** @returns where they end */
  #readUpdateRows(source: string, from: number): number {
    let next = from;
    for (;;) {
      UPDATE_ROW.lastIndex = next;
      if (!UPDATE_ROW.test(source)) return next;
      let revisionNumber = 0;
      for (let at = next + REVISION_AT; source.charCodeAt(at) !== QUOTE; at++) {
        revisionNumber = revisionNumber * 10 + source.charCodeAt(at) - DIGIT_ZERO;
      }
      this.#countUpdate();
      this.#identities.pushText(source, next + UPDATE_ID_AT, revisionNumber);
      if (this.#identities.length === ROWS_PER_BATCH) this.#flushRows();
      next = UPDATE_ROW.lastIndex;
    }
  }

  #addFile(sha1: string, muUrl: string, fileName: string): void {
    this.#giveHeader();
    if (++this.#fileCount > MAX_FILES) {
      throw new WsusutilError('LIMIT_EXCEEDED', `${this.#what} lists more than ${MAX_FILES} files`, {
        hint: HINT,
      });
    }
    this.#files.push({ sha1, muUrl, fileName });
    if (this.#files.length === ROWS_PER_BATCH) this.#flushRows();
  }

  #startUpdate(element: XmlElement): void {
    const id = this.#required(element, 'UpdateId');
    const updateId = parseUpdateId(id);
    if (updateId === undefined) throw this.#wrong(element, 'UpdateId', id, 'a GUID');
    const revision = this.#required(element, 'RevisionNumber');
    const revisionNumber = Number(revision);
    if (!/^\d{1,10}$/.test(revision) || revisionNumber > 0xffff_ffff) {
      throw this.#wrong(element, 'RevisionNumber', revision, 'a decimal number below 4294967296');
    }
    this.#addUpdate(updateId, revisionNumber);
  }

  #addUpdate(updateId: string, revisionNumber: number): void {
    this.#countUpdate();
    this.#list = '';
    this.#update = {
      identity: { updateId, revisionNumber },
      fileSha1s: [],
      categories: [],
      classifications: [],
      documents: 0,
    };
  }

  #countUpdate(): void {
    this.#giveHeader();
    if (this.#updateCount >= this.#limits.maxRecords) {
      throw new WsusutilError(
        'LIMIT_EXCEEDED',
        `${this.#what} lists more than ${this.#limits.maxRecords} updates`,
        {
          hint: 'No catalogue is that large; get the package from where it was made once more.',
        },
      );
    }
    this.#updateCount++;
  }

  #startReference(element: XmlElement, name: string): void {
    const update = this.#update;
    if (update === undefined || element.depth !== 5) return;
    if (this.#list === 'files' && name === 'file') update.fileSha1s.push(this.#digest(element));
    else if (this.#list === 'categories' && name === 'category') update.categories.push(this.#value(element));
    else if (this.#list === 'classifications' && name === 'classification') {
      update.classifications.push(this.#value(element));
    } else return;
    const count = update.fileSha1s.length + update.categories.length + update.classifications.length;
    if (count > MAX_REFERENCES_PER_UPDATE) {
      throw new WsusutilError(
        'LIMIT_EXCEEDED',
        `Update ${describe(update.identity)} names more than ${MAX_REFERENCES_PER_UPDATE} files and categories`,
        { hint: HINT },
      );
    }
  }

  #end(_local: string, depth: number): void {
    if (this.#foreignRoot !== undefined) return;
    const update = this.#update;
    if (depth === 4 && update !== undefined && this.#list === 'metadata' && this.#form === 'xml.gz') {
      this.#batcher.finish(update.identity);
      this.#census = undefined; // the layout is understood
    } else if (depth === 3 && update !== undefined) {
      if (this.#form === 'xml.gz' && update.documents === 0) {
        throw this.#unsupported(`update ${describe(update.identity)} has no metadata element`);
      }
      this.#endUpdate();
    } else if (depth === 2) {
      if (this.#section === 'languages') this.#giveHeader();
      this.#section = '';
    }
    if (depth === 4) this.#list = '';
  }

  #endUpdate(): void {
    const { identity, fileSha1s, categories, classifications } = this.#update as UpdateInProgress;
    this.#update = undefined;
    if (this.#hasIdentitiesOnly) this.#identities.push(identity);
    else this.#entries.push({ identity, fileSha1s, categories, classifications });
    this.#batcher.flushIfFull();
    if (this.#entries.length + this.#identities.length >= ROWS_PER_BATCH) this.#flushRows();
  }

  #raw(source: string): void {
    if (this.#update !== undefined && this.#list === 'metadata') {
      this.#batcher.append(source, this.#update.identity);
    }
  }

  #addLanguage(element: XmlElement): void {
    if (this.#isHeaderGiven) throw this.#malformed('Languages stand behind Files or Updates');
    if (this.#languages.length === MAX_LANGUAGES) {
      throw new WsusutilError('LIMIT_EXCEEDED', `${this.#what} lists more than ${MAX_LANGUAGES} languages`, {
        hint: HINT,
      });
    }
    const id = this.#required(element, 'Id');
    if (!/^\d{1,9}$/.test(id)) throw this.#wrong(element, 'Id', id, 'a language number');
    const enabled = this.#required(element, 'Enabled').toLowerCase();
    if (!['0', '1', 'true', 'false'].includes(enabled)) {
      throw this.#wrong(element, 'Enabled', enabled, '0 or 1');
    }
    this.#languages.push({
      id: Number(id),
      shortName: copyString(this.#required(element, 'ShortName')),
      longName: copyString(this.#required(element, 'LongName')),
      enabled: enabled === '1' || enabled === 'true',
    });
  }

  #giveHeader(): void {
    if (this.#isHeaderGiven || this.#attributes === undefined) return;
    this.#isHeaderGiven = true;
    this.#handler.header({ ...this.#attributes, languages: this.#languages });
  }

  #flushRows(): void {
    if (this.#files.length > 0) {
      const files = this.#files;
      this.#files = [];
      this.#handler.files(files);
    }
    if (this.#entries.length > 0) {
      const entries = this.#entries;
      this.#entries = [];
      this.#handler.entries(entries);
    }
    if (this.#identities.length > 0) {
      const identities = this.#identities;
      this.#identities = new IdentityList(ROWS_PER_BATCH);
      this.#handler.identities(identities);
    }
  }

  #digest(element: XmlElement): string {
    const text = this.#required(element, 'Digest');
    const sha1 = sha1FromBase64(text);
    if (sha1 === undefined) throw this.#wrong(element, 'Digest', text, 'the Base64 of a SHA-1');
    return sha1;
  }

  /** `Value` of a category or classification; equal ids share memory. */
  #value(element: XmlElement): string {
    const text = this.#required(element, 'Value');
    const known = this.#interned.get(text);
    if (known !== undefined) return known;
    const id = parseUpdateId(copyString(text));
    // One version of a public sample exporter writes the name of a .NET type here (package-formats 1.9, item 1).
    if (id === undefined) throw this.#wrong(element, 'Value', text, 'a GUID');
    if (this.#interned.size < MAX_INTERNED) this.#interned.set(copyString(text), id);
    return id;
  }

  #required(element: XmlElement, name: string): string {
    let value = element.attribute(name);
    if (value === undefined) {
      const lower = name.toLowerCase();
      value = element.attributes().find((each) => each.local.toLowerCase() === lower)?.value;
    }
    if (value !== undefined) return value;
    const found = element
      .attributes()
      .slice(0, 20)
      .map((each) => each.local)
      .join(', ');
    const problem = `<${element.local}>${this.#position()} has no attribute ${name} (it has ${found === '' ? 'none' : found})`;
    throw this.#form === 'xml.gz' ? this.#unsupported(problem) : this.#malformed(problem);
  }

  #position(): string {
    if (this.#update !== undefined) return ` of update ${describe(this.#update.identity)}`;
    return this.#updateCount === 0 ? '' : ` behind update ${this.#updateCount}`;
  }

  #wrong(element: XmlElement, name: string, value: string, expected: string): WsusutilError {
    return this.#malformed(
      `<${element.local}>${this.#position()}: ${name} is "${value.slice(0, 100)}", expected ${expected}`,
    );
  }

  #malformed(problem: string): WsusutilError {
    return new WsusutilError('PACKAGE_MALFORMED', `${this.#what}: ${problem}`, { hint: HINT });
  }

  #unsupported(problem: string): WsusutilError {
    const census = this.#census;
    const found = census === undefined ? '' : `. Found: ${census.describe()}`;
    return new WsusutilError(
      'PACKAGE_UNSUPPORTED',
      `${this.#what} is XML of an unknown layout: ${problem}${found}`,
      {
        hint: 'The layout of .xml.gz packages is not published: export to a .cab instead, and please report what was found here.',
        details: census === undefined ? undefined : { elements: census.toJson() },
      },
    );
  }
}

/**
 * For a message, in the words of the real importer: ` (elements not closed: metadata, update, ExportPackage)`, each
 * name once; empty if all are closed.
 *
 * @param openElements innermost first
 */
export function describeOpenElements(openElements: readonly string[]): string {
  const names = [...new Set(openElements)];
  if (names.length === 0) return '';
  const shown = names.slice(0, MAX_OPEN_ELEMENTS_SHOWN).map((name) => name.slice(0, 80));
  const more = names.length - shown.length;
  return ` (elements not closed: ${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''})`;
}

/** A string that does not keep the piece of input alive that it was cut from. */
function copyString(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}

function describe(identity: UpdateIdentity): string {
  return `${identity.updateId} revision ${identity.revisionNumber}`;
}
