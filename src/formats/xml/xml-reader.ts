/**
 * A strict, namespace-aware XML 1.0 reader that pushes events and takes its input in pieces of any size.
 *
 * Our own because importing a catalogue means reading gigabytes of update documents. It never expands
 * entities: a DOCTYPE is refused, and only the five predefined entities and character references exist.
 * Callers with bytes hand them over as latin1 strings with `encoding: 'utf8-bytes'`: the engine scans one-byte
 * strings fastest, and offsets stay byte offsets.
 * Sources: XML 1.0 (fifth edition), Namespaces in XML 1.0 (third edition).
 */
import { WsusutilError } from '../../errors.js';
import { isNameAt, isNcName, XML_NAMESPACE, XMLNS_NAMESPACE, type XmlName, XmlNames } from './xml-names.js';
import {
  AMPERSAND,
  BRACKET,
  charClassAbove255,
  charClasses,
  decodeCharacters,
  decodeUtf8Bytes,
  FORBIDDEN,
  HIGH,
  isAllowedSuspect,
  LESS_THAN,
  MAX_REFERENCE_LENGTH,
  NORMALIZED,
  PLAIN,
  QUOTE,
  resolveReference,
  SUSPECT,
  type XmlEncoding,
} from './xml-text.js';

export interface XmlLimits {
  /** open elements at one time */
  readonly maxDepth: number;
  /** attributes of one element, namespace declarations included */
  readonly maxAttributes: number;
  /** source characters of one name, prefix included */
  readonly maxNameLength: number;
  /** source characters of one tag or processing instruction; text, comments and CDATA have no limit here */
  readonly maxTokenLength: number;
}

export const DEFAULT_MAX_XML_DEPTH = 256;
export const DEFAULT_MAX_XML_ATTRIBUTES = 256;
export const DEFAULT_MAX_XML_NAME_LENGTH = 1024;
export const DEFAULT_MAX_XML_TOKEN_LENGTH = 4 * 1024 * 1024;

export const DEFAULT_XML_LIMITS: XmlLimits = {
  maxDepth: DEFAULT_MAX_XML_DEPTH,
  maxAttributes: DEFAULT_MAX_XML_ATTRIBUTES,
  maxNameLength: DEFAULT_MAX_XML_NAME_LENGTH,
  maxTokenLength: DEFAULT_MAX_XML_TOKEN_LENGTH,
};

export interface XmlAttribute {
  readonly prefix: string;
  readonly local: string;
  readonly uri: string;
  readonly value: string;
}

/** An element's start. Valid only during the callback: the reader uses one object for all. */
export interface XmlElement {
  readonly local: string;
  readonly prefix: string;
  /** namespace, '' if none */
  readonly uri: string;
  /** root = 1 */
  readonly depth: number;
  /** The decoded value of an attribute without prefix. */
  attribute(local: string): string | undefined;
  /**
   * Has an attribute without prefix read from its source characters, which spares making a string of them. `read` may
   * not keep the array.
   *
   * @returns undefined if there is no such attribute, or its characters stand for others
   */
  readAttribute<T>(local: string, read: (codes: Uint16Array, start: number, end: number) => T): T | undefined;
  /** The decoded value of an attribute in namespace `uri`. */
  attributeNs(uri: string, local: string): string | undefined;
  /** All attributes in order, without namespace declarations. */
  attributes(): readonly XmlAttribute[];
  /** Namespace of a prefix here, for names in values (`xsi:type="cmd:…"`); undefined if it is not bound. */
  resolvePrefix(prefix: string): string | undefined;
}

/**
 * - `skip`: the subtree is checked like any other but causes no callback except this element's `end`
 * - `raw`: the element's content goes to `raw` as it stands; of its markup only nesting is checked
 * - `ahead`: `ahead` may take children of this element itself
 */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler without an opinion returns nothing
export type StartAction = void | 'skip' | 'raw' | 'ahead';

/**
 * Receives the events. Strings handed over may share memory with the piece of input they came from; whoever
 * keeps many of them from a large input should copy them.
 */
export interface XmlHandler {
  start(element: XmlElement): StartAction;
  end(local: string, depth: number): void;
  /** Decoded character data, CDATA included; one run of text may come in several pieces. */
  text(text: string): void;
  /** Source characters of a `raw` element's content, possibly in several pieces; never decoded. */
  raw?(source: string): void;
  /**
   * Content of an `ahead` element from some child on: as much of it as there is, and maybe of what follows. Takes whole
   * elements that are well-formed by themselves, or none.
   *
   * @param codes the characters of `source`, to be read between `from` and `end` and not to be kept
   */
  ahead?(source: string, codes: Uint16Array, from: number, end: number): TakenAhead;
}

export interface TakenAhead {
  /** where the reader goes on */
  readonly next: number;
  /** `end` came in the middle of an element: it is offered once more, when there is more of it */
  readonly isCut: boolean;
}

export interface XmlReaderOptions {
  readonly limits?: Partial<XmlLimits> | undefined;
  /** Name of what is read, for messages. */
  readonly what?: string | undefined;
  /** Default `text`. `utf8-bytes`: see {@link XmlEncoding}; the caller has made sure that it is valid UTF-8. */
  readonly encoding?: XmlEncoding | undefined;
}

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const EXCLAMATION = 0x21;
const DOUBLE_QUOTE = 0x22;
const SINGLE_QUOTE = 0x27;
const HYPHEN = 0x2d;
const SLASH = 0x2f;
const SEMICOLON = 0x3b;
const LT = 0x3c;
const EQUALS = 0x3d;
const GT = 0x3e;
const QUESTION = 0x3f;
const CLOSE_BRACKET = 0x5d;

/** 1 for the characters that end a name: white space, `/`, `>` and `=`. */
const NAME_ENDS = new Uint8Array(128);
for (const code of [TAB, LF, CR, SPACE, SLASH, EQUALS, GT]) NAME_ENDS[code] = 1;

const CLASSES = {
  text: { text: charClasses('text', 'text'), attribute: charClasses('attribute', 'text') },
  'utf8-bytes': {
    text: charClasses('text', 'utf8-bytes'),
    attribute: charClasses('attribute', 'utf8-bytes'),
  },
} as const;

const XML_DECLARATION =
  /^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.[0-9]+"|'1\.[0-9]+')(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"[A-Za-z][A-Za-z0-9._-]*"|'[A-Za-z][A-Za-z0-9._-]*'))?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*\?>$/;

const CDATA_START = '<![CDATA[';
const COMMENT_START = '<!--';

const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
/** Capacity of a reader's array of characters at first, and the most that {@link XmlReader.reset} lets it keep. */
const MIN_CODES = 4 * 1024;
const MAX_KEPT_CODES = 1024 * 1024;

/** A scanning step that needs more input answers this instead of an offset. */
const INCOMPLETE = -1;
/** of no element */
const NO_DEPTH = -1;

type Mode = 'content' | 'comment' | 'cdata';

function isWhiteSpace(code: number): boolean {
  return code === SPACE || code === LF || code === TAB || code === CR;
}

/** The one {@link XmlElement} of a reader: offsets into the source, decoded when somebody asks. */
class Tag implements XmlElement {
  local = '';
  prefix = '';
  uri = '';
  depth = 0;
  source = '';
  /** the characters of `source` as numbers */
  codes = new Uint16Array(0);
  count = 0;
  readonly names: XmlName[] = [];
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  /** true: the value has references, white space to normalise or bytes to decode */
  readonly encoded: boolean[] = [];
  private readonly known: XmlNames;
  private readonly encoding: XmlEncoding;

  constructor(known: XmlNames, encoding: XmlEncoding) {
    this.known = known;
    this.encoding = encoding;
  }

  value(index: number): string {
    const source = this.source.slice(this.starts[index], this.ends[index]);
    return this.encoded[index] === true ? decodeCharacters(source, 'attribute', this.encoding) : source;
  }

  attribute(local: string): string | undefined {
    for (let i = 0; i < this.count; i++) {
      const name = this.names[i] as XmlName;
      if (name.local === local && name.prefix === '' && name.declares === undefined) return this.value(i);
    }
    return undefined;
  }

  readAttribute<T>(
    local: string,
    read: (codes: Uint16Array, start: number, end: number) => T,
  ): T | undefined {
    for (let i = 0; i < this.count; i++) {
      const name = this.names[i] as XmlName;
      if (name.local === local && name.prefix === '' && name.declares === undefined) {
        if (this.encoded[i] === true) return undefined;
        return read(this.codes, this.starts[i] as number, this.ends[i] as number);
      }
    }
    return undefined;
  }

  attributeNs(uri: string, local: string): string | undefined {
    if (uri === '') return this.attribute(local);
    for (let i = 0; i < this.count; i++) {
      const name = this.names[i] as XmlName;
      if (
        name.local === local &&
        name.prefix !== '' &&
        name.declares === undefined &&
        name.binding.uri === uri
      )
        return this.value(i);
    }
    return undefined;
  }

  attributes(): readonly XmlAttribute[] {
    const list: XmlAttribute[] = [];
    for (let i = 0; i < this.count; i++) {
      const { prefix, local, binding, declares } = this.names[i] as XmlName;
      if (declares !== undefined) continue;
      list.push({ prefix, local, uri: prefix === '' ? '' : (binding.uri as string), value: this.value(i) });
    }
    return list;
  }

  resolvePrefix(prefix: string): string | undefined {
    return this.known.resolve(prefix);
  }
}

/**
 * Reads one document, or with {@link XmlReader.reset} one after the other. After it has thrown only `reset` may
 * be called.
 *
 * @throws WsusutilError `XML_MALFORMED` (details: `offset` in source characters from the start; for a document
 *   that ends too early also `openElements`), `LIMIT_EXCEEDED`
 */
export class XmlReader {
  private readonly handler: XmlHandler;
  private readonly limits: XmlLimits;
  private readonly what: string;
  private readonly encoding: XmlEncoding;
  private readonly textClasses: Uint8Array;
  private readonly attributeClasses: Uint8Array;
  private readonly names: XmlNames;
  private readonly tag: Tag;

  /** what has not been consumed yet, from `base` source characters on */
  private buffer = '';
  private base = 0;
  /** the characters of `buffer` as numbers; behind its length something old */
  private codes = new Uint16Array(0);
  private codeBytes = Buffer.alloc(0);
  /** end of the last piece that must be seen with what follows: CR, half a pair, part of a UTF-8 character */
  private carry = '';
  private mode: Mode = 'content';
  private busy = false;
  private rootSeen = false;

  private depth = 0;
  private readonly open: XmlName[] = [];
  /** bindings to restore when an element ends: `[binding, uri before]`, and where each element's begin */
  private readonly undo: { binding: XmlName['binding']; uri: string | undefined }[] = [];
  private readonly undoFrom: number[] = [];
  private skipDepth = 0;
  private rawDepth = 0;
  /** depth of the innermost `ahead` element */
  private aheadDepth = NO_DEPTH;
  /** an element that was cut off when it was offered to `ahead` stands at the beginning of `buffer` */
  private isOffered = false;
  private rawFrom = 0;
  private tagNumber = 0;
  /** name of the last start tag */
  private previous: XmlName | undefined;

  /** an incomplete start tag waits in `buffer`; its quote so far (0: outside a value) */
  private tagPending = false;
  private pendingQuote = 0;

  constructor(handler: XmlHandler, options: XmlReaderOptions = {}) {
    this.handler = handler;
    this.limits = { ...DEFAULT_XML_LIMITS, ...options.limits };
    this.what = options.what ?? 'XML document';
    this.encoding = options.encoding ?? 'text';
    this.textClasses = CLASSES[this.encoding].text;
    this.attributeClasses = CLASSES[this.encoding].attribute;
    this.names = new XmlNames(this.encoding === 'utf8-bytes' ? decodeUtf8Bytes : (raw) => raw);
    this.tag = new Tag(this.names, this.encoding);
  }

  /** Names open right now, root first. */
  get openElements(): readonly string[] {
    return this.open.slice(0, this.depth).map((name) => name.text);
  }

  /**
   * Makes the reader ready for another document, also after an error. The names it has learned stay, which is
   * most of the work for a small document.
   */
  reset(): void {
    while (this.undo.length > 0) this.undoLast();
    this.undoFrom.length = 0;
    this.buffer = this.carry = this.tag.source = '';
    if (this.codes.length > MAX_KEPT_CODES) {
      this.codes = this.tag.codes = new Uint16Array(0);
      this.codeBytes = Buffer.alloc(0);
    }
    this.base = this.depth = this.skipDepth = this.rawDepth = this.rawFrom = this.pendingQuote = 0;
    this.aheadDepth = NO_DEPTH;
    this.mode = 'content';
    this.busy = this.rootSeen = this.tagPending = this.isOffered = false;
  }

  /** Reads the next piece, cut anywhere. */
  write(chunk: string): void {
    if (chunk === '') return;
    const piece = this.carry === '' ? chunk : this.carry + chunk;
    const held = this.heldBack(piece);
    this.carry = held === 0 ? '' : piece.slice(piece.length - held);
    if (held < piece.length) this.consume(held === 0 ? piece : piece.slice(0, piece.length - held));
  }

  /** Reads what was held back for `ahead` to see more of it, as nothing more comes. */
  flush(): void {
    if (!this.isOffered) return;
    this.enter();
    while (this.isOffered) this.run();
    this.busy = false;
  }

  /** Says that the document is over. */
  end(): void {
    this.flush();
    if (this.carry !== '') {
      const carry = this.carry;
      this.carry = '';
      // A lone CR is a line end; anything else here is half a character.
      if (carry === '\r') this.consume(carry);
      else throw this.malformed(0, 'the document ends inside a character');
    }
    this.enter();
    const offset = this.base + this.buffer.length;
    if (this.depth > 0) {
      const openElements = this.openElements;
      const names = openElements.toReversed().join(', ');
      throw new WsusutilError(
        'XML_MALFORMED',
        `${this.what}: the document ends too early, at offset ${offset}; elements not closed: ${names}`,
        { hint: 'The file is probably truncated: copy it again.', details: { offset, openElements } },
      );
    }
    if (this.buffer !== '' || this.mode !== 'content') {
      throw this.malformed(this.buffer.length, 'the document ends inside markup');
    }
    if (!this.rootSeen) throw this.malformed(0, 'there is no element');
  }

  private enter(): void {
    if (this.busy) throw new Error('XmlReader used after an error, after end() or from its own handler');
    this.busy = true;
  }

  /** How many characters at the end of `piece` say nothing without their successor. */
  private heldBack(piece: string): number {
    const last = piece.charCodeAt(piece.length - 1);
    if (last === CR) return 1;
    if (last < 0x80) return 0;
    if (this.encoding === 'text') return last >= 0xd800 && last <= 0xdbff ? 1 : 0;
    for (let back = 1; back <= 3 && back <= piece.length; back++) {
      const byte = piece.charCodeAt(piece.length - back);
      if (byte >= 0xc0) {
        const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
        return back < size ? back : 0;
      }
    }
    return 0;
  }

  private consume(piece: string): void {
    this.enter();
    if (this.tagPending) {
      this.buffer += piece;
      const complete = this.findTagEnd(piece, 0) !== INCOMPLETE;
      if (!complete) this.checkTokenLength(0, this.buffer.length);
      else {
        this.tagPending = false;
        this.run();
      }
    } else {
      this.buffer = this.buffer === '' ? piece : this.buffer + piece;
      this.run();
    }
    this.busy = false;
  }

  /** Fills `codes`: reading numbers from an array is more than twice as fast as asking the string for each. */
  private fillCodes(): void {
    const { buffer } = this;
    if (buffer.length > this.codes.length) {
      this.codes = new Uint16Array(Math.max(buffer.length, MIN_CODES));
      this.codeBytes = Buffer.from(this.codes.buffer);
    }
    if (IS_LITTLE_ENDIAN) this.codeBytes.write(buffer, 'utf16le');
    else for (let i = 0; i < buffer.length; i++) this.codes[i] = buffer.charCodeAt(i);
  }

  private run(): void {
    this.fillCodes();
    const buffer = this.buffer;
    const codes = this.codes;
    const length = buffer.length;
    let at = 0;
    while (at < length) {
      let next: number;
      if (this.mode === 'content') {
        if ((codes[at] as number) === LT) {
          next = at;
          if (this.depth === this.aheadDepth) {
            next = this.readAhead(at, length);
            if (this.isOffered) {
              at = next;
              break;
            }
          }
          if (next === at) next = this.readMarkup(at);
        } else if (this.depth === 0) next = this.readOutside(at);
        else if (this.rawDepth > 0) next = this.readRawText(at);
        else next = this.readText(at);
      } else if (this.mode === 'comment') next = this.readComment(at);
      else next = this.readCdata(at);
      if (next === INCOMPLETE) {
        this.checkTokenLength(at, length);
        break;
      }
      at = next;
    }
    if (this.rawDepth > 0 && at > this.rawFrom) this.handler.raw?.(buffer.slice(this.rawFrom, at));
    this.rawFrom = 0;
    this.buffer = at === length ? '' : buffer.slice(at);
    this.base += at;
  }

  private readAhead(at: number, length: number): number {
    const wasOffered = this.isOffered;
    this.isOffered = false;
    const taken = this.handler.ahead?.(this.buffer, this.codes, at, length);
    if (taken === undefined) return at;
    const { next, isCut } = taken;
    // Once only: input may come in tiny pieces, and an element may be large.
    this.isOffered = isCut && next < length && !(wasOffered && next === at);
    return next;
  }

  private readMarkup(at: number): number {
    const buffer = this.buffer;
    const codes = this.codes;
    if (at + 1 >= buffer.length) return INCOMPLETE;
    const code = codes[at + 1] as number;
    if (code === SLASH) return this.readEndTag(at);
    if (code === EXCLAMATION) return this.readDeclaration(at);
    if (code === QUESTION) return this.readInstruction(at);
    const next = this.rawDepth > 0 ? this.readRawStartTag(at) : this.readStartTag(at);
    if (next === INCOMPLETE) {
      this.tagPending = true;
      this.pendingQuote = 0;
      this.findTagEnd(buffer, at + 1);
    }
    return next;
  }

  /** Looks for the `>` of a start tag, going on with `pendingQuote`. */
  private findTagEnd(source: string, from: number): number {
    let quote = this.pendingQuote;
    for (let i = from; i < source.length; i++) {
      const code = source.charCodeAt(i);
      if (quote !== 0) {
        if (code === quote) quote = 0;
      } else if (code === GT) {
        return i;
      } else if (code === DOUBLE_QUOTE || code === SINGLE_QUOTE) {
        quote = code;
      }
    }
    this.pendingQuote = quote;
    return INCOMPLETE;
  }

  /** `<!`: a comment, CDATA, or something that this reader refuses. */
  private readDeclaration(at: number): number {
    const head = this.buffer.slice(at, at + CDATA_START.length);
    if (head.startsWith(COMMENT_START)) {
      this.mode = 'comment';
      return at + COMMENT_START.length;
    }
    if (head === CDATA_START) {
      if (this.depth === 0) throw this.malformed(at, 'CDATA outside the root element');
      this.mode = 'cdata';
      return at + CDATA_START.length;
    }
    if (COMMENT_START.startsWith(head) || CDATA_START.startsWith(head)) return INCOMPLETE;
    if (head.startsWith('<!D')) {
      throw this.malformed(at, 'DOCTYPE is not allowed');
    }
    throw this.malformed(at, 'unknown markup after "<!"');
  }

  private readComment(at: number): number {
    const buffer = this.buffer;
    const end = buffer.indexOf('--', at);
    if (end >= 0) {
      this.checkCharacters(at, end);
      if (end + 2 >= buffer.length) return end > at ? end : INCOMPLETE;
      if (buffer.charCodeAt(end + 2) !== GT) throw this.malformed(end, '"--" inside a comment');
      this.mode = 'content';
      return end + 3;
    }
    const safe = buffer.charCodeAt(buffer.length - 1) === HYPHEN ? buffer.length - 1 : buffer.length;
    this.checkCharacters(at, safe);
    return safe > at ? safe : INCOMPLETE;
  }

  private readCdata(at: number): number {
    const buffer = this.buffer;
    const found = buffer.indexOf(']]>', at);
    let end = found;
    if (found < 0) {
      end = buffer.length;
      // The last two characters can be the begin of "]]>".
      for (let i = 0; i < 2 && end > at && buffer.charCodeAt(end - 1) === CLOSE_BRACKET; i++) end--;
    }
    if (this.rawDepth === 0 && end > at) {
      const encoded = this.checkCharacters(at, end);
      if (this.skipDepth === 0) {
        const source = buffer.slice(at, end);
        this.handler.text(encoded ? decodeCharacters(source, 'cdata', this.encoding) : source);
      }
    }
    if (found >= 0) {
      this.mode = 'content';
      return found + 3;
    }
    return end > at ? end : INCOMPLETE;
  }

  private readInstruction(at: number): number {
    const buffer = this.buffer;
    const end = buffer.indexOf('?>', at + 2);
    if (end < 0) return INCOMPLETE;
    this.checkTokenLength(at, end + 2);
    let targetEnd = at + 2;
    while (targetEnd < end && !isWhiteSpace(buffer.charCodeAt(targetEnd))) targetEnd++;
    this.checkNameLength(at + 2, targetEnd);
    const raw = buffer.slice(at + 2, targetEnd);
    const target = this.encoding === 'utf8-bytes' ? decodeUtf8Bytes(raw) : raw;
    if (!isNcName(target)) throw this.malformed(at, 'processing instruction without a valid target');
    if (target.toLowerCase() === 'xml') {
      if (this.base + at !== 0 || target !== 'xml') {
        throw this.malformed(at, 'an XML declaration is allowed only at the very start');
      }
      if (!XML_DECLARATION.test(buffer.slice(at, end + 2))) {
        throw this.malformed(at, 'malformed XML declaration');
      }
    }
    this.checkCharacters(targetEnd, end);
    return end + 2;
  }

  private readEndTag(at: number): number {
    const buffer = this.buffer;
    const codes = this.codes;
    if (this.depth === 0) throw this.malformed(at, 'end tag without a start tag');
    const name = this.open[this.depth - 1] as XmlName;
    let i = at + 2 + name.codes.length;
    const length = buffer.length;
    if (i < length && isNameAt(name, codes, at + 2)) {
      let code = codes[i] as number;
      while (isWhiteSpace(code) && ++i < length) code = codes[i] as number;
      if (i >= length) return INCOMPLETE;
      if (code === GT) {
        this.checkTokenLength(at, i + 1);
        this.closeElement(at, i + 1);
        return i + 1;
      }
    }
    const end = buffer.indexOf('>', at);
    if (end < 0) return INCOMPLETE;
    const found = this.shown(at, end + 1);
    throw this.malformed(at, `${found} where </${name.text}> is expected`);
  }

  /** @param tagStart, tagEnd of the end tag */
  private closeElement(tagStart: number, tagEnd: number): void {
    const depth = this.depth;
    const name = this.open[depth - 1] as XmlName;
    if (this.rawDepth === 0) this.restoreBindings();
    this.depth = depth - 1;
    if (this.aheadDepth === depth) this.aheadDepth = NO_DEPTH;
    if (this.rawDepth > 0) {
      if (this.rawDepth !== depth) return;
      if (tagStart > this.rawFrom) this.handler.raw?.(this.buffer.slice(this.rawFrom, tagStart));
      this.rawFrom = tagEnd;
      this.rawDepth = 0;
      this.restoreBindings();
    } else if (this.skipDepth > 0) {
      if (this.skipDepth !== depth) return;
      this.skipDepth = 0;
    }
    this.handler.end(name.local, depth);
  }

  /** Undoes the declarations of the element at the current depth (of `this.undoFrom`'s last entry). */
  private restoreBindings(): void {
    const from = this.undoFrom.pop() as number;
    while (this.undo.length > from) this.undoLast();
  }

  private undoLast(): void {
    const { binding, uri } = this.undo.pop() as { binding: XmlName['binding']; uri: string | undefined };
    binding.uri = uri;
  }

  private openElement(at: number, name: XmlName): void {
    if (this.depth === 0) {
      if (this.rootSeen) throw this.malformed(at, `second root element <${name.text}>`);
      this.rootSeen = true;
    }
    if (this.depth >= this.limits.maxDepth) {
      throw this.tooMuch(at, `elements nested deeper than ${this.limits.maxDepth}`);
    }
    this.open[this.depth++] = name;
  }

  private readStartTag(at: number): number {
    const buffer = this.buffer;
    const codes = this.codes;
    const length = buffer.length;
    const tag = this.tag;
    const classes = this.attributeClasses;
    const tagNumber = ++this.tagNumber;
    const name = this.elementNameAt(at + 1, length);
    if (name === undefined) return INCOMPLETE;
    let i = at + 1 + name.codes.length;
    let code = codes[i] as number;
    let before = name;

    let count = 0;
    let declarations = 0;
    let prefixed = 0;
    let selfClosing = false;
    for (;;) {
      let spaced = false;
      while (isWhiteSpace(code)) {
        spaced = true;
        if (++i === length) return INCOMPLETE;
        code = codes[i] as number;
      }
      if (code === GT) {
        i++;
        break;
      }
      if (code === SLASH) {
        if (i + 1 === length) return INCOMPLETE;
        if ((codes[i + 1] as number) !== GT) throw this.malformed(i, '"/" inside a start tag');
        selfClosing = true;
        i += 2;
        break;
      }
      if (!spaced) throw this.malformed(i, `<${name.text}>: no white space before an attribute`);

      // name
      const nameStart = i;
      let attribute = before.nextAttribute;
      if (attribute === undefined || !this.isWholeNameAt(attribute, i, length)) {
        attribute = this.nameAt(i, length);
        if (attribute === undefined) return INCOMPLETE;
        before.nextAttribute = attribute;
      }
      before = attribute;
      i += attribute.codes.length;
      code = codes[i] as number;
      if (attribute.seenInTag === tagNumber) {
        throw this.malformed(nameStart, `<${name.text}>: attribute ${attribute.text} occurs twice`);
      }
      attribute.seenInTag = tagNumber;

      // Eq
      while (isWhiteSpace(code)) {
        if (++i === length) return INCOMPLETE;
        code = codes[i] as number;
      }
      if (code !== EQUALS) {
        throw this.malformed(i, `<${name.text}>: attribute ${attribute.text} has no value`);
      }
      do {
        if (++i === length) return INCOMPLETE;
        code = codes[i] as number;
      } while (isWhiteSpace(code));

      // value
      if (code !== DOUBLE_QUOTE && code !== SINGLE_QUOTE) {
        throw this.malformed(i, `<${name.text}>: the value of ${attribute.text} is not quoted`);
      }
      const quote = code;
      const valueStart = ++i;
      let encoded = false;
      for (; i < length; i++) {
        code = codes[i] as number;
        const kind = code < 256 ? classes[code] : charClassAbove255(code);
        if (kind === PLAIN) continue;
        if (kind === QUOTE) {
          if (code === quote) break;
        } else if (kind === HIGH || kind === NORMALIZED) {
          encoded = true;
        } else if (kind === AMPERSAND) {
          encoded = true;
          const end = this.checkReference(i);
          if (end === INCOMPLETE) return INCOMPLETE;
          i = end;
        } else if (kind === LESS_THAN) {
          throw this.malformed(i, `<${name.text}>: "<" in the value of ${attribute.text}`);
        } else {
          encoded = true;
          this.checkSuspect(i, kind as number);
        }
      }
      if (i === length) return INCOMPLETE;
      if (count === this.limits.maxAttributes) {
        throw this.tooMuch(at, `<${name.text}> has more than ${this.limits.maxAttributes} attributes`);
      }
      tag.names[count] = attribute;
      tag.starts[count] = valueStart;
      tag.ends[count] = i;
      tag.encoded[count] = encoded;
      count++;
      if (attribute.declares !== undefined) declarations++;
      else if (attribute.prefix !== '') prefixed++;
      if (++i === length) return INCOMPLETE;
      code = codes[i] as number;
    }
    this.checkTokenLength(at, i);

    tag.count = count;
    tag.source = buffer;
    tag.codes = codes;
    this.openElement(at, name);
    this.undoFrom.push(this.undo.length);
    if (declarations > 0) this.declare(at);
    const uri = name.binding.uri;
    if (uri === undefined || name.prefix === 'xmlns') throw this.unbound(at, name);
    if (prefixed > 0) this.checkPrefixed(at, prefixed);

    if (this.skipDepth === 0) {
      tag.local = name.local;
      tag.prefix = name.prefix;
      tag.uri = uri;
      tag.depth = this.depth;
      const action = this.handler.start(tag);
      if (!selfClosing) {
        if (action === 'skip') this.skipDepth = this.depth;
        else if (action === 'raw') {
          this.rawDepth = this.depth;
          this.rawFrom = i;
        } else if (action === 'ahead') this.aheadDepth = this.depth;
      }
    }
    if (selfClosing) this.closeElement(at, i);
    return i;
  }

  /** Applies the namespace declarations of the current tag. */
  private declare(at: number): void {
    const tag = this.tag;
    for (let i = 0; i < tag.count; i++) {
      const binding = (tag.names[i] as XmlName).declares;
      if (binding === undefined) continue;
      const uri = tag.value(i);
      const { prefix } = binding;
      if (uri === '' && prefix !== '') throw this.malformed(at, `prefix ${prefix} bound to nothing`);
      const isReserved =
        prefix === 'xmlns' || uri === XMLNS_NAMESPACE || (prefix === 'xml') !== (uri === XML_NAMESPACE);
      if (isReserved) throw this.malformed(at, `"${prefix}" may not be bound to "${uri.slice(0, 200)}"`);
      this.undo.push({ binding, uri: binding.uri });
      binding.uri = uri;
    }
  }

  /** Attributes with a prefix: bound, and no two with the same expanded name. */
  private checkPrefixed(at: number, prefixed: number): void {
    const tag = this.tag;
    const seen = prefixed > 1 ? new Set<string>() : undefined;
    for (let i = 0; i < tag.count; i++) {
      const name = tag.names[i] as XmlName;
      if (name.prefix === '' || name.declares !== undefined) continue;
      if (name.binding.uri === undefined) throw this.unbound(at, name);
      if (seen === undefined) continue;
      const expanded = `${name.local} ${name.binding.uri}`;
      if (seen.has(expanded)) {
        throw this.malformed(at, `attribute ${name.text} occurs twice under different prefixes`);
      }
      seen.add(expanded);
    }
  }

  /** Inside `raw` only the name and the end of a tag matter. */
  private readRawStartTag(at: number): number {
    const { codes } = this;
    const { length } = this.buffer;
    const name = this.elementNameAt(at + 1, length);
    if (name === undefined) return INCOMPLETE;
    let i = at + 1 + name.codes.length;
    let quote = 0;
    for (; i < length; i++) {
      const code = codes[i] as number;
      if (quote !== 0) {
        if (code === quote) quote = 0;
      } else if (code === GT) break;
      else if (code === DOUBLE_QUOTE || code === SINGLE_QUOTE) quote = code;
    }
    if (i >= length) return INCOMPLETE;
    this.checkTokenLength(at, i + 1);
    this.openElement(at, name);
    if ((codes[i - 1] as number) === SLASH) this.depth--;
    return i + 1;
  }

  private readRawText(at: number): number {
    const next = this.buffer.indexOf('<', at);
    return next < 0 ? this.buffer.length : next;
  }

  /** Outside the root element only white space. */
  private readOutside(at: number): number {
    const buffer = this.buffer;
    const codes = this.codes;
    for (let i = at; i < buffer.length; i++) {
      const code = codes[i] as number;
      if (code === LT) return i;
      if (!isWhiteSpace(code)) throw this.malformed(i, 'text outside the root element');
    }
    return buffer.length;
  }

  private readText(at: number): number {
    const buffer = this.buffer;
    const codes = this.codes;
    const length = buffer.length;
    const classes = this.textClasses;
    let encoded = false;
    let i = at;
    scan: for (; i < length; i++) {
      const code = codes[i] as number;
      const kind = code < 256 ? classes[code] : charClassAbove255(code);
      if (kind === PLAIN) continue;
      switch (kind) {
        case LESS_THAN:
          break scan;
        case HIGH:
        case NORMALIZED:
          encoded = true;
          break;
        case AMPERSAND: {
          const end = this.checkReference(i);
          if (end === INCOMPLETE) break scan;
          encoded = true;
          i = end;
          break;
        }
        case BRACKET: {
          if (i + 1 === length) break scan;
          if ((codes[i + 1] as number) !== CLOSE_BRACKET) break;
          if (i + 2 === length) break scan;
          if ((codes[i + 2] as number) === GT) throw this.malformed(i, '"]]>" in text');
          break;
        }
        default:
          encoded = true;
          this.checkSuspect(i, kind as number);
      }
    }
    if (i === at) return INCOMPLETE;
    if (this.skipDepth === 0) {
      const source = buffer.slice(at, i);
      this.handler.text(encoded ? decodeCharacters(source, 'text', this.encoding) : source);
    }
    return i;
  }

  /**
   * Checks the reference whose `&` is at `at`.
   *
   * @returns offset of its `;`
   */
  private checkReference(at: number): number {
    const buffer = this.buffer;
    const codes = this.codes;
    let i = at + 1;
    for (; i < buffer.length; i++) {
      const code = codes[i] as number;
      if (code === SEMICOLON) {
        const name = buffer.slice(at + 1, i);
        if (resolveReference(name) === undefined) throw this.malformed(at, `unknown reference "&${name};"`);
        return i;
      }
      const isPart =
        (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || (code >= 0x30 && code <= 0x39);
      if (!isPart && code !== 0x23) throw this.malformed(at, '"&" that begins no reference');
      if (i - at > MAX_REFERENCE_LENGTH) {
        throw this.tooMuch(at, `reference longer than ${MAX_REFERENCE_LENGTH} characters`);
      }
    }
    return INCOMPLETE;
  }

  /** @returns true if something between the offsets needs decoding */
  private checkCharacters(from: number, to: number): boolean {
    if (this.rawDepth > 0) return false;
    const codes = this.codes;
    const classes = this.textClasses;
    let encoded = false;
    for (let i = from; i < to; i++) {
      const code = codes[i] as number;
      const kind = (code < 256 ? classes[code] : charClassAbove255(code)) as number;
      if (kind < NORMALIZED) continue;
      encoded = true;
      if (kind >= SUSPECT) this.checkSuspect(i, kind);
    }
    return encoded;
  }

  private checkSuspect(at: number, kind: number): void {
    if (kind === FORBIDDEN || !isAllowedSuspect(this.buffer, at, this.encoding)) {
      const code = this.buffer.charCodeAt(at).toString(16).padStart(2, '0');
      throw this.malformed(at, `character 0x${code} is not allowed in XML`);
    }
  }

  /** The name of a start tag: mostly the one that followed the same element before. Undefined: it is cut off. */
  private elementNameAt(start: number, length: number): XmlName | undefined {
    if (this.names.trim()) this.previous = undefined; // whatever it leads to was forgotten
    const { previous } = this;
    const expected = previous?.nextElement;
    if (expected !== undefined && this.isWholeNameAt(expected, start, length)) {
      this.previous = expected;
      return expected;
    }
    const name = this.nameAt(start, length);
    if (name === undefined) return undefined;
    if (previous !== undefined) previous.nextElement = name;
    this.previous = name;
    return name;
  }

  private isWholeNameAt(name: XmlName, start: number, length: number): boolean {
    const end = start + name.codes.length;
    if (end >= length) return false;
    const code = this.codes[end] as number;
    return code < 128 && NAME_ENDS[code] === 1 && isNameAt(name, this.codes, start);
  }

  /** The name that begins at `start`; undefined if it is cut off at `length`. */
  private nameAt(start: number, length: number): XmlName | undefined {
    const { codes } = this;
    let hash = 0;
    let end = start;
    for (; end < length; end++) {
      const code = codes[end] as number;
      if (code < 128 && NAME_ENDS[code] === 1) break;
      hash = (Math.imul(hash, 31) + code) | 0;
    }
    this.checkNameLength(start, end);
    if (end === length) return undefined;
    const name = this.names.lookUp(this.buffer, codes, start, end, hash);
    if (name === undefined) throw this.malformed(start, `"${this.shown(start, end)}" is not a name`);
    return name;
  }

  private checkNameLength(start: number, end: number): void {
    if (end - start > this.limits.maxNameLength) {
      throw this.tooMuch(start, `name longer than ${this.limits.maxNameLength} characters`);
    }
  }

  private checkTokenLength(start: number, end: number): void {
    if (end - start > this.limits.maxTokenLength) {
      throw this.tooMuch(start, `markup longer than ${this.limits.maxTokenLength} characters`);
    }
  }

  /** A piece of the source for a message: short, on one line. */
  private shown(start: number, end: number): string {
    const source = this.buffer.slice(start, Math.min(end, start + 80)).replaceAll(/\s+/g, ' ');
    return this.encoding === 'utf8-bytes' ? decodeUtf8Bytes(source) : source;
  }

  private unbound(at: number, name: XmlName): WsusutilError {
    return this.malformed(at, `prefix of ${name.text} is not bound to a namespace`);
  }

  private malformed(at: number, problem: string): WsusutilError {
    const offset = this.base + at;
    return new WsusutilError('XML_MALFORMED', `${this.what}: ${problem}, at offset ${offset}`, {
      hint: 'The document is damaged or was never XML: get it again from where it came.',
      details: { offset },
    });
  }

  private tooMuch(at: number, problem: string): WsusutilError {
    const offset = this.base + at;
    return new WsusutilError('LIMIT_EXCEEDED', `${this.what}: ${problem}, at offset ${offset}`, {
      hint: 'No real document comes near this limit: check where the document came from.',
      details: { offset },
    });
  }
}
