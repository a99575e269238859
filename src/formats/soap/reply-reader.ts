/**
 * Replies: bytes in pieces of any size → the operation's result. A list that may be long is handed on item by item
 * and never stands in memory as a whole.
 */
import { type ErrorCode, isWsusutilError, WsusutilError } from '../../errors.js';
import { Utf8Checker } from '../export-package/utf8-checker.js';
import { groupDigits } from '../group-digits.js';
import { type StartAction, type TakenAhead, type XmlElement, XmlReader } from '../xml/xml-reader.js';
import { SOAP_11_NAMESPACE, SOAP_12_NAMESPACE } from './envelope.js';
import {
  MAX_ELEMENTS_IN_MEMORY,
  MAX_FAULT_SIZE,
  MAX_ITEMS_PER_REPLY,
  MAX_REPLY_DEPTH,
  MAX_REPLY_SIZE,
  MAX_TEXT_IN_MEMORY,
} from './limits.js';
import { PlainElementReader } from './plain-elements.js';
import { type SoapElement, unexpected } from './soap-element.js';
import { faultOf, SoapFault } from './soap-fault.js';

/** A reply's bytes, any HTTP content encoding undone. */
export type ReplyChunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** What a reply must be, and which of its elements are handed on one by one. */
export interface ReplyShape {
  /** e.g. `GetCookie`: the body's child is `GetCookieResponse`, in it `GetCookieResult` */
  readonly operation: string;
  /** of `<operation>Response` */
  readonly namespace: string;
  /** list in the result → local name of its items */
  readonly streamed?: Readonly<Record<string, string>> | undefined;
  /** The result itself is a list; local name of its items. */
  readonly streamedResult?: string | undefined;
  /**
   * Children of streamed items whose long text needs no look at its characters here: it may hold some that XML forbids.
   * Whoever reads it checks each of them.
   */
  readonly unchecked?: string | undefined;
  /** list in the result → how real servers write its items, for lists of thousands */
  readonly usual?: Readonly<Record<string, UsualItem>> | undefined;
}

/** An item that is read from its text at once; one that is written in any other way is read as XML. */
export interface UsualItem {
  /** Sticky. Its groups are the item's first fields; what it matches has no references. */
  readonly head: RegExp;
  /** What stands behind the last field, which is the text up to there and one of the unchecked; undefined: it has none. */
  readonly tail: string | undefined;
}

export interface ReplyLimits {
  /** bytes; default {@link MAX_REPLY_SIZE} */
  readonly maxReplySize?: number | undefined;
}

export interface ElementItem {
  /** the list's local name */
  readonly list: string;
  readonly element: SoapElement;
}

export interface FieldsItem {
  readonly list: string;
  readonly element: undefined;
  /** of a {@link UsualItem}; undefined: the group matched nothing */
  readonly fields: readonly (string | undefined)[];
}

/** One item of a streamed list. */
export type ReplyItem<Shape extends ReplyShape> = Shape extends { readonly usual: object }
  ? ElementItem | FieldsItem
  : ElementItem;

const XSI_NAMESPACE = 'http://www.w3.org/2001/XMLSchema-instance';
const UTF8_MARK = [0xef, 0xbb, 0xbf];
/** No reply's element is in it, so only a fault can be read. */
const NO_NAMESPACE = 'urn:none';
/** Errors that mean: this is no fault. */
const NO_FAULT: ReadonlySet<ErrorCode> = new Set([
  'UPSTREAM_MALFORMED',
  'UPSTREAM_TRUNCATED',
  'LIMIT_EXCEEDED',
]);
/** Bytes handed to the XML reader at once: bounds the items that wait to be taken. */
const PIECE_SIZE = 64 * 1024;

interface OpenElement {
  readonly local: string;
  readonly isNil: boolean;
  /** set for a streamed list: local name of its items */
  readonly itemName: string | undefined;
  /** pieces: a long text comes in thousands of them */
  readonly text: string[];
  /** `text` is as it stands in the reply */
  readonly isSource: boolean;
  readonly children: SoapElement[];
}

/** Depth of `Envelope`, of `Body`, of `<operation>Response`, of its result. */
const ENVELOPE = 1;
const BODY = 2;
const RESPONSE = 3;
const RESULT = 4;
/** Of what is in an item of a list in the result. */
const ITEM_FIELD = 7;

/**
 * Streams the items of the lists that `shape` names, as many together as came together but at least one, then returns
 * the result without them.
 *
 * Items come before it is known that the reply ends well; whoever stores them must be ready to get them again.
 *
 * @returns the `<operation>Result` element; undefined if there is none
 * @throws SoapFault the reply is a fault
 * @throws WsusutilError `UPSTREAM_TRUNCATED` it breaks off; `UPSTREAM_MALFORMED` it is no XML, no SOAP or of another
 *   operation; `LIMIT_EXCEEDED`
 */
export async function* readReplyItems<Shape extends ReplyShape>(
  chunks: ReplyChunks,
  shape: Shape,
  limits: ReplyLimits = {},
): AsyncGenerator<readonly ReplyItem<Shape>[], SoapElement | undefined, undefined> {
  const take = () => reader.takeItems() as readonly ReplyItem<Shape>[];
  const reader = new ReplyReader(shape, limits.maxReplySize ?? MAX_REPLY_SIZE);
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.length; start += PIECE_SIZE) {
      reader.write(chunk.subarray(start, start + PIECE_SIZE));
      const items = take();
      if (items.length > 0) yield items;
    }
  }
  const result = reader.end();
  const items = take();
  if (items.length > 0) yield items;
  return result;
}

/** Reads a reply without streamed lists. The errors are those of {@link readReplyItems}. */
export async function readReply(
  chunks: ReplyChunks,
  shape: ReplyShape,
  limits: ReplyLimits = {},
): Promise<SoapElement | undefined> {
  const items = readReplyItems(chunks, shape, limits);
  for (;;) {
    const next = await items.next();
    if (next.done === true) return next.value;
  }
}

/**
 * Reads the body of an HTTP error.
 *
 * @returns undefined if it is no SOAP fault, but for example the error page of a web server
 * @throws whatever `chunks` throws
 */
export async function readFault(chunks: ReplyChunks, operation: string): Promise<SoapFault | undefined> {
  try {
    await readReply(chunks, { operation, namespace: NO_NAMESPACE }, { maxReplySize: MAX_FAULT_SIZE });
  } catch (error) {
    if (error instanceof SoapFault) return error;
    if (!isWsusutilError(error) || !NO_FAULT.has(error.code)) throw error;
  }
  return undefined;
}

/** {@link readReply} for an operation that always has a result. */
export async function readResult(
  chunks: ReplyChunks,
  shape: ReplyShape,
  limits: ReplyLimits = {},
): Promise<SoapElement> {
  return resultOf(await readReply(chunks, shape, limits), shape);
}

export function resultOf(result: SoapElement | undefined, shape: ReplyShape): SoapElement {
  if (result === undefined) throw unexpected(`${shape.operation}Response has no ${shape.operation}Result`);
  return result;
}

class ReplyReader {
  readonly #shape: ReplyShape;
  readonly #maxSize: number;
  readonly #xml: XmlReader;
  readonly #utf8 = new Utf8Checker();
  readonly #plain = new PlainElementReader();
  #mark: Buffer | undefined = Buffer.alloc(0);
  #size = 0;

  #soapNamespace = '';
  #hasBody = false;
  #isFault = false;
  #hasResponse = false;
  #result: SoapElement | undefined;
  #fault: SoapElement | undefined;

  readonly #open: OpenElement[] = [];
  #elements = 0;
  #textLength = 0;
  #items: (ElementItem | FieldsItem)[] = [];
  #itemCount = 0;

  constructor(shape: ReplyShape, maxSize: number) {
    this.#shape = shape;
    this.#maxSize = maxSize;
    this.#xml = new XmlReader(
      {
        start: (element) => this.#start(element),
        end: (_local, depth) => this.#end(depth),
        text: (text) => this.#text(text),
        raw: (source) => this.#text(source),
        ahead: (source, codes, from, end) => this.#readAhead(source, codes, from, end),
      },
      {
        what: `the reply to ${shape.operation}`,
        encoding: 'utf8-bytes',
        limits: { maxDepth: MAX_REPLY_DEPTH },
      },
    );
  }

  takeItems(): readonly (ElementItem | FieldsItem)[] {
    const items = this.#items;
    if (items.length > 0) this.#items = [];
    return items;
  }

  write(chunk: Uint8Array): void {
    this.#size += chunk.length;
    if (this.#size > this.#maxSize) {
      throw new WsusutilError(
        'LIMIT_EXCEEDED',
        `the reply to ${this.#shape.operation} is longer than ${groupDigits(this.#maxSize)} bytes`,
        {
          hint: 'No real upstream answers that much at once: check the address.',
          details: { limit: this.#maxSize },
        },
      );
    }
    if (this.#mark === undefined) {
      this.#writeText(chunk);
      return;
    }
    this.#mark = Buffer.concat([this.#mark, chunk]);
    if (this.#mark.length >= UTF8_MARK.length) this.#writeBeginning();
  }

  /** The input is complete. */
  end(): SoapElement | undefined {
    if (this.#mark !== undefined) this.#writeBeginning();
    if (this.#size === 0) throw this.#truncated('it is empty');
    const isCut = this.#utf8.end() !== undefined;
    this.#guard(() => this.#xml.flush(), false); // damage in it is no sign that something is missing
    this.#guard(() => {
      if (!isCut) this.#xml.end();
    }, true);
    if (isCut) throw this.#truncated('it stops inside a character');
    if (this.#fault !== undefined) throw faultOf(this.#fault, this.#shape.operation);
    if (!this.#hasResponse) throw unexpected(`the body of the reply to ${this.#shape.operation} is empty`);
    return this.#result?.isNil === true ? undefined : this.#result;
  }

  #writeBeginning(): void {
    const bytes = this.#mark as Buffer;
    this.#mark = undefined;
    const isMarked = UTF8_MARK.every((byte, i) => bytes[i] === byte);
    this.#writeText(isMarked ? bytes.subarray(UTF8_MARK.length) : bytes);
  }

  #writeText(chunk: Uint8Array): void {
    const invalid = this.#utf8.check(chunk);
    if (invalid !== undefined) {
      throw unexpected(
        `the bytes at offset ${invalid} of the reply to ${this.#shape.operation} are not UTF-8`,
      );
    }
    this.#guard(() => {
      this.#xml.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString('latin1'));
    }, false);
  }

  /** XML errors in the words of this protocol. */
  #guard(work: () => void, atEnd: boolean): void {
    try {
      work();
    } catch (error) {
      if (!isWsusutilError(error, 'XML_MALFORMED')) throw error;
      if (atEnd) throw this.#truncated('not all of its elements are closed', error);
      throw new WsusutilError(
        'UPSTREAM_MALFORMED',
        `The upstream's reply is not the XML of a web service: ${error.message}`,
        {
          hint: 'A proxy or another web server may have answered; check the address.',
          cause: error,
        },
      );
    }
  }

  #truncated(problem: string, cause?: unknown): WsusutilError {
    return new WsusutilError(
      'UPSTREAM_TRUNCATED',
      `The reply to ${this.#shape.operation} broke off after ${groupDigits(this.#size)} bytes: ${problem}`,
      { hint: 'The connection was cut; try again.', cause },
    );
  }

  #start(element: XmlElement): StartAction {
    const { local, uri, depth } = element;
    switch (depth) {
      case ENVELOPE:
        if (local !== 'Envelope' || (uri !== SOAP_11_NAMESPACE && uri !== SOAP_12_NAMESPACE)) {
          throw unexpected(
            `its root is ${local} of ${uri === '' ? 'no namespace' : uri}, not a SOAP envelope`,
          );
        }
        this.#soapNamespace = uri;
        return undefined;
      case BODY:
        if (local !== 'Body' || uri !== this.#soapNamespace) return 'skip'; // Header
        if (this.#hasBody) throw unexpected('there are two bodies');
        this.#hasBody = true;
        return undefined;
      case RESPONSE:
        return this.#startResponse(local, uri);
    }
    if (depth === RESULT && !this.#isFault) {
      if (local !== `${this.#shape.operation}Result`) return 'skip';
      if (this.#result !== undefined) throw unexpected(`there are two of ${local}`);
    }
    const isSource = depth === ITEM_FIELD && !this.#isFault && local === this.#shape.unchecked;
    this.#push(local, isTrue(element.attributeNs(XSI_NAMESPACE, 'nil')), isSource);
    if (isSource) return 'raw';
    return this.#open.at(-1)?.itemName === undefined ? undefined : 'ahead';
  }

  /** Items of the list that is open. */
  #readAhead(source: string, codes: Uint16Array, from: number, end: number): TakenAhead {
    const list = this.#open.at(-1) as OpenElement;
    const isUnchecked = RESULT + this.#open.length + 1 === ITEM_FIELD;
    const unchecked = isUnchecked ? this.#shape.unchecked : undefined;
    const { usual } = this.#shape;
    const item =
      isUnchecked && usual !== undefined && Object.hasOwn(usual, list.local) ? usual[list.local] : undefined;
    for (let at = from; ; ) {
      if (item !== undefined) at = this.#readUsual(list, item, source, at, end);
      const most = item === undefined ? undefined : 1;
      const { elements, next, isCut } = this.#plain.read(source, codes, at, end, unchecked, most);
      for (const { element, count, textLength } of elements) {
        this.#countElements(count);
        this.#countText(textLength);
        this.#elements -= count;
        this.#textLength -= textLength;
        this.#addItem(list, element);
      }
      at = next;
      if (item === undefined || elements.length === 0) return { next, isCut };
    }
  }

  /** @returns where the first character stands that does not belong to usual items */
  #readUsual(
    list: OpenElement,
    { head, tail }: UsualItem,
    source: string,
    from: number,
    end: number,
  ): number {
    for (let at = from; ; ) {
      head.lastIndex = at;
      const match = head.exec(source);
      if (match === null) return at;
      const fields: (string | undefined)[] = match.slice(1);
      let next = head.lastIndex;
      if (tail !== undefined) {
        const fieldEnd = source.indexOf('<', next);
        if (fieldEnd < 0 || !source.startsWith(tail, fieldEnd)) return at;
        const field = source.slice(next, fieldEnd);
        if (field.includes('&')) return at;
        fields.push(field);
        next = fieldEnd + tail.length;
      }
      if (next > end) return at;
      this.#countText(next - at);
      this.#textLength -= next - at;
      this.#countItem();
      this.#items.push({ list: list.local, element: undefined, fields });
      at = next;
    }
  }

  #startResponse(local: string, uri: string): StartAction {
    const { operation, namespace } = this.#shape;
    if (this.#isFault || this.#hasResponse) throw unexpected(`${local} is a second element of the body`);
    if (local === 'Fault' && uri === this.#soapNamespace) {
      this.#isFault = true;
      this.#push(local, false);
    } else if (local === `${operation}Response` && uri === namespace) {
      this.#hasResponse = true;
    } else {
      throw unexpected(
        `it holds ${local} of ${uri === '' ? 'no namespace' : uri}, expected ${operation}Response of ${namespace}`,
      );
    }
    return undefined;
  }

  #push(local: string, isNil: boolean, isSource = false): void {
    this.#countElements(1);
    const itemName = this.#isFault ? undefined : this.#itemNameIn(local, RESULT + this.#open.length);
    this.#open.push({ local, isNil, itemName, text: [], isSource, children: [] });
  }

  #text(text: string): void {
    const element = this.#open.at(-1);
    if (element === undefined) {
      if (/\S/.test(text)) throw unexpected('text stands where elements are expected');
      return;
    }
    if (element.itemName !== undefined) return; // white space between items
    this.#countText(text.length);
    element.text.push(text);
  }

  #countElements(more: number): void {
    this.#elements += more;
    if (this.#elements > MAX_ELEMENTS_IN_MEMORY) {
      throw this.#tooMuch(`more than ${groupDigits(MAX_ELEMENTS_IN_MEMORY)} elements in one item`);
    }
  }

  #countText(more: number): void {
    this.#textLength += more;
    if (this.#textLength > MAX_TEXT_IN_MEMORY) {
      throw this.#tooMuch(`more than ${groupDigits(MAX_TEXT_IN_MEMORY)} characters of text in one item`);
    }
  }

  #end(depth: number): void {
    const ended = depth === RESPONSE && !this.#isFault ? undefined : this.#open.pop();
    if (ended === undefined) return;
    const { local, isNil, children, isSource } = ended;
    const [first = '', ...more] = ended.text;
    const source = more.length === 0 ? first : ended.text.join('');
    const hasMarkup = isSource && (source.includes('&') || source.includes('<'));
    const text = hasMarkup ? this.#textOf(source) : source;
    const element: SoapElement = { local, isNil, text, children };
    if (this.#isFault) {
      if (depth === RESPONSE) this.#fault = element;
      else this.#open.at(-1)?.children.push(element);
      return;
    }
    if (depth === RESULT) {
      this.#result = element;
      return;
    }
    const parent = this.#open.at(-1) as OpenElement;
    if (parent.itemName === undefined) {
      parent.children.push(element);
      return;
    }
    // An item leaves memory here; anything else in the list is unknown and dropped.
    this.#elements -= countElements(element);
    this.#textLength -= countText(element);
    this.#addItem(parent, element);
  }

  #addItem(list: OpenElement, element: SoapElement): void {
    if (element.local !== list.itemName || element.isNil) return;
    this.#countItem();
    this.#items.push({ list: list.local, element });
  }

  #countItem(): void {
    if (++this.#itemCount > MAX_ITEMS_PER_REPLY) {
      throw this.#tooMuch(`more than ${groupDigits(MAX_ITEMS_PER_REPLY)} items`);
    }
  }

  /** What the reader makes of the source of a text with references, CDATA or comments. */
  #textOf(source: string): string {
    const pieces: string[] = [];
    let depth = 0;
    const reader = new XmlReader(
      {
        start: () => {
          depth++;
        },
        end: () => {
          depth--;
        },
        text: (text) => {
          if (depth === 1) pieces.push(text);
        },
      },
      { what: `the reply to ${this.#shape.operation}`, encoding: 'utf8-bytes' },
    );
    this.#guard(() => {
      reader.write(`<text>${source}</text>`);
      reader.end();
    }, false);
    return pieces.join('');
  }

  #itemNameIn(list: string, depth: number): string | undefined {
    const { streamed, streamedResult } = this.#shape;
    if (depth === RESULT) return streamedResult;
    if (depth !== RESULT + 1 || streamed === undefined) return undefined;
    return Object.hasOwn(streamed, list) ? streamed[list] : undefined;
  }

  #tooMuch(problem: string): WsusutilError {
    return new WsusutilError('LIMIT_EXCEEDED', `the reply to ${this.#shape.operation} holds ${problem}`, {
      hint: 'No real upstream comes near this limit: check the address.',
    });
  }
}

function isTrue(text: string | undefined): boolean {
  return text === 'true' || text === '1';
}

function countElements(element: SoapElement): number {
  let count = 1;
  for (const child of element.children) count += countElements(child);
  return count;
}

function countText(element: SoapElement): number {
  let length = element.text.length;
  for (const child of element.children) length += countText(child);
  return length;
}
