/** Requests, as a server reads them: SOAP 1.1 or 1.2, one child of the body, headers passed over (server-sync-protocol 2.1). */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { isWsusutilError, WsusutilError } from '../../errors.js';
import type { UpdateIdentity } from '../../model/update-identity.js';
import { groupDigits } from '../group-digits.js';
import { type StartAction, type XmlElement, XmlReader } from '../xml/xml-reader.js';
import { SOAP_11_NAMESPACE, SOAP_12_NAMESPACE } from './envelope.js';
import type { SoapElement } from './soap-element.js';

export type SoapVersion = '1.1' | '1.2';

export interface SoapCall {
  readonly version: SoapVersion;
  /** local name of the body's child, e.g. `GetCookie` */
  readonly operation: string;
  /** of that child; '' if none */
  readonly namespace: string;
  /** the child; what is in another namespace than it is left out */
  readonly element: SoapElement;
  /**
   * What its `updateIds` holds, where that is written as everybody writes it; the element itself is empty then. Undefined:
   * look at the element.
   */
  readonly updateIds: readonly UpdateIdentity[] | undefined;
}

/** open elements at one time; real requests have 7 */
const MAX_DEPTH = 32;
/** Elements of one request. 10,000 items of three each, which is more than any operation takes. */
const MAX_ELEMENTS = 50_000;
const MAX_ATTRIBUTES = 64;
/** Items of a list that is read without the parser. */
const MAX_UPDATE_IDS = 1_000;
/** Lists that are remembered, about 25 KB each: those of a first synchronisation of 25,000 revisions. */
const MAX_KNOWN_LISTS = 256;
/** characters; real ones have 12,700 at most, which are 100 items */
const MAX_KNOWN_LIST_SIZE = 16 * 1024;
/** Requests that are remembered without their lists. */
const MAX_KNOWN_CALLS = 64;
/** characters; real ones have 800 */
const MAX_KNOWN_CALL_SIZE = 4_096;

const XSI_NAMESPACE = 'http://www.w3.org/2001/XMLSchema-instance';
const ENVELOPE = 1;
const BODY = 2;
const OPERATION = 3;

interface OpenElement {
  readonly local: string;
  readonly isNil: boolean;
  readonly text: string[];
  readonly children: SoapElement[];
}

/**
 * Parts of requests that were read, by what was written: downstreams of one kind ask for the same lists, and one of them
 * asks for each with the same words around it.
 */
export class KnownParts {
  /** by digest of the text */
  readonly lists = new RecentMap<readonly UpdateIdentity[]>(MAX_KNOWN_LISTS);
  /** by the text without its list */
  readonly calls = new RecentMap<SoapCall>(MAX_KNOWN_CALLS);
}

/** Holds what was used last. */
class RecentMap<Value> {
  readonly #maxSize: number;
  /** least recently used first */
  readonly #entries = new Map<string, Value>();

  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** What is held under `name`, or else what `make` gives, unless that is undefined. What it throws is passed on. */
  take<Made extends Value | undefined>(name: string, make: () => Made): Value | Made {
    const known = this.#entries.get(name);
    this.#entries.delete(name);
    const value = known ?? make();
    if (value === undefined) return value;
    this.#entries.set(name, value);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#maxSize) break;
      this.#entries.delete(oldest);
    }
    return value;
  }
}

/**
 * @param body whole; its size is the caller's to limit
 * @param known lists that were read before
 * @throws WsusutilError `REQUEST_MALFORMED` if it is not SOAP, or not XML without DOCTYPE; `LIMIT_EXCEEDED`
 */
export function readSoapCall(body: Uint8Array, known?: KnownParts): SoapCall {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  if (!isUtf8(bytes)) throw malformed('it is not UTF-8');
  const isMarked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  const text = bytes.toString('latin1', isMarked ? 3 : 0);
  const found = takeUpdateIds(text, known);
  if (found === undefined) return readCall(text);
  const { rest, updateIds } = found;
  const call =
    known === undefined || rest.length > MAX_KNOWN_CALL_SIZE
      ? readCall(rest)
      : known.calls.take(rest, () => readCall(rest));
  return { ...call, updateIds };
}

function readCall(text: string): SoapCall {
  const reader = new CallReader();
  try {
    reader.read(text);
  } catch (error) {
    if (isWsusutilError(error, 'XML_MALFORMED')) throw malformed(error.message, error);
    throw error;
  }
  return reader.call();
}

const LIST_START = '<updateIds>';
const LIST_END = '</updateIds>';
const PLAIN_IDENTITY =
  /<UpdateIdentity><UpdateID>([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})<\/UpdateID><RevisionNumber>([0-9]{1,9})<\/RevisionNumber><\/UpdateIdentity>/y;

/**
 * The list that makes nearly all of the requests for documents, read without a parser: it takes a fifth of the time. Whatever
 * is not exactly as usual is left to the parser: white space between the elements, prefixes, attributes, comments,
 * CDATA, a second list.
 */
function takeUpdateIds(
  text: string,
  known: KnownParts | undefined,
): { readonly rest: string; readonly updateIds: readonly UpdateIdentity[] } | undefined {
  const start = text.indexOf(LIST_START);
  if (start < 0 || text.includes('<!')) return undefined;
  const inside = start + LIST_START.length;
  const end = text.indexOf(LIST_END, inside);
  if (end < 0 || text.includes(LIST_START, inside)) return undefined;
  const list = text.slice(inside, end);
  const updateIds =
    known === undefined || list.length > MAX_KNOWN_LIST_SIZE
      ? readPlainIds(list)
      : known.lists.take(digestOf(list), () => readPlainIds(copyOf(list)));
  return updateIds === undefined ? undefined : { rest: text.slice(0, inside) + text.slice(end), updateIds };
}

/** A list has 12 KB: too long to be kept as a name. */
function digestOf(text: string): string {
  return createHash('sha256').update(text, 'latin1').digest('base64');
}

/** In memory of its own: a part of a string keeps the whole of it alive, which is a request of megabytes here. */
function copyOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/** Undefined: it is not written as usual, or too long to say so here. */
function readPlainIds(text: string): readonly UpdateIdentity[] | undefined {
  const updateIds: UpdateIdentity[] = [];
  let position = 0;
  PLAIN_IDENTITY.lastIndex = 0;
  while (position < text.length) {
    const match = PLAIN_IDENTITY.exec(text);
    if (match === null || updateIds.length === MAX_UPDATE_IDS) return undefined;
    position = PLAIN_IDENTITY.lastIndex;
    updateIds.push({ updateId: match[1] as string, revisionNumber: Number(match[2]) });
  }
  return updateIds;
}

class CallReader {
  #soapNamespace = '';
  #namespace = '';
  #hasBody = false;
  #result: SoapElement | undefined;
  #elements = 0;
  readonly #open: OpenElement[] = [];

  read(source: string): void {
    const xml = new XmlReader(
      {
        start: (element) => this.#start(element),
        end: (_local, depth) => this.#end(depth),
        text: (text) => this.#open.at(-1)?.text.push(text),
      },
      {
        what: 'the request',
        encoding: 'utf8-bytes',
        limits: { maxDepth: MAX_DEPTH, maxAttributes: MAX_ATTRIBUTES },
      },
    );
    xml.write(source);
    xml.end();
  }

  call(): SoapCall {
    if (this.#result === undefined) throw malformed('its body is empty');
    return {
      version: this.#soapNamespace === SOAP_12_NAMESPACE ? '1.2' : '1.1',
      operation: this.#result.local,
      namespace: this.#namespace,
      element: this.#result,
      updateIds: undefined,
    };
  }

  #start(element: XmlElement): StartAction {
    const { local, uri, depth } = element;
    if (++this.#elements > MAX_ELEMENTS) {
      throw new WsusutilError(
        'LIMIT_EXCEEDED',
        `The request holds more than ${groupDigits(MAX_ELEMENTS)} elements`,
        { hint: 'Ask for less at once.' },
      );
    }
    if (depth === ENVELOPE) {
      if (local !== 'Envelope' || (uri !== SOAP_11_NAMESPACE && uri !== SOAP_12_NAMESPACE)) {
        throw malformed('its root is no SOAP envelope');
      }
      this.#soapNamespace = uri;
      return undefined;
    }
    if (depth === BODY) {
      if (local !== 'Body' || uri !== this.#soapNamespace) return 'skip'; // Header
      if (this.#hasBody) throw malformed('it has two bodies');
      this.#hasBody = true;
      return undefined;
    }
    if (depth === OPERATION) {
      if (this.#result !== undefined) throw malformed('its body holds more than one element');
      this.#namespace = uri;
    } else if (uri !== this.#namespace) {
      return 'skip';
    }
    const nil = element.attributeNs(XSI_NAMESPACE, 'nil');
    this.#open.push({ local, isNil: nil === 'true' || nil === '1', text: [], children: [] });
    return undefined;
  }

  #end(depth: number): void {
    // A skipped element has nothing open; its depth is one below the innermost open one.
    if (depth < OPERATION || depth - OPERATION !== this.#open.length - 1) return;
    const { local, isNil, text, children } = this.#open.pop() as OpenElement;
    const element: SoapElement = { local, isNil, text: text.join(''), children };
    const parent = this.#open.at(-1);
    if (parent === undefined) this.#result = element;
    else parent.children.push(element);
  }
}

function malformed(problem: string, cause?: unknown): WsusutilError {
  return new WsusutilError('REQUEST_MALFORMED', `The request is not SOAP: ${problem}`, {
    hint: 'Something that is no update server may be calling.',
    cause,
  });
}
