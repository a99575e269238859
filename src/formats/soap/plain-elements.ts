/**
 * The short way through a long list: nearly all that a real reply holds is elements without attributes, prefixes and
 * comments. Those are read here at once; what is anything else is left to the `XmlReader`, which also says what is wrong
 * with it.
 */
import { type XmlName, XmlNames } from '../xml/xml-names.js';
import {
  AMPERSAND,
  charClasses,
  decodeCharacters,
  HIGH,
  isAllowedSuspect,
  LESS_THAN,
  MAX_REFERENCE_LENGTH,
  NORMALIZED,
  PLAIN,
  resolveReference,
  SUSPECT,
} from '../xml/xml-text.js';
import type { SoapElement } from './soap-element.js';

const SPACE = 0x20;
const HASH = 0x23;
const SLASH = 0x2f;
const SEMICOLON = 0x3b;
const LT = 0x3c;
const GT = 0x3e;

const CLASSES = charClasses('text', 'utf8-bytes');
/** 1 for the characters of a plain name */
const NAME_CHARS = new Uint8Array(256);
for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_') {
  NAME_CHARS[char.charCodeAt(0)] = 1;
}
/** real ones have 40 at most */
const MAX_NAME_LENGTH = 128;
/** elements in one another; real items have three */
const MAX_DEPTH = 8;

export interface PlainElement {
  readonly element: SoapElement;
  /** elements: it and those in it */
  readonly count: number;
  /** characters of text in all of them */
  readonly textLength: number;
}

export interface PlainElements {
  readonly elements: readonly PlainElement[];
  /** where the first character stands that does not belong to them */
  readonly next: number;
  /** what there is of the element behind them is plain, but that is not all of it */
  readonly isCut: boolean;
}

/** Every case there is: elements empty or not, characters of all kinds, what is left to others, damage. */
const REHEARSED =
  '<a><b>1</b><b>&lt;&#x41;\u00c3\u00a9\r\n</b><u>text</u><c><d></d><d>2</d></c><e /><f/></a><a><!-- --></a>';
const REHEARSED_DAMAGE = [
  '<a>\u00ef\u00bf\u00bf</a>',
  '<a>&none;</a>',
  '<a>& </a>',
  '<a><b></a></b>',
  '<a b="c"/>',
];
/** What runs the first times leaves no trace with the engine. */
const REHEARSALS = 3;
/** Characters of a list that is worth it. */
const MIN_REHEARSED_SIZE = 32 * 1024;
let isRehearsed = false;

/**
 * The engine compiles a busy function without the cases it has not met, and all of it anew with each that it meets later:
 * nine times in a long synchronisation, one fiftieth of its processor time (2026-11-21). So it meets them before, in four
 * milliseconds.
 */
function rehearse(): void {
  isRehearsed = true;
  const reader = new PlainElementReader();
  const read = (source: string, codes: Uint16Array, end: number) => reader.read(source, codes, 0, end, 'u');
  for (let round = 0; round < REHEARSALS; round++) {
    const codes = codesOf(REHEARSED);
    for (let end = 0; end <= REHEARSED.length; end++) read(REHEARSED, codes, end);
    for (const source of REHEARSED_DAMAGE) read(source, codesOf(source), source.length);
  }
}

function codesOf(source: string): Uint16Array {
  return Uint16Array.from(source, (char) => char.charCodeAt(0));
}

export class PlainElementReader {
  readonly #names = new XmlNames((raw) => raw);
  #source = '';
  #codes: Uint16Array = new Uint16Array(0);
  #end = 0;
  /** behind what was read last */
  #at = 0;
  #count = 0;
  #textLength = 0;
  #isCut = false;

  /**
   * Reads elements that follow each other from `from` on, as far as they are plain and all there.
   *
   * @param source one character per byte of UTF-8
   * @param codes the characters of `source`
   * @param unchecked name of children whose text may hold characters that XML forbids
   * @param most elements that are read
   */
  read(
    source: string,
    codes: Uint16Array,
    from: number,
    end: number,
    unchecked: string | undefined,
    most = Number.POSITIVE_INFINITY,
  ): PlainElements {
    if (!isRehearsed && end - from >= MIN_REHEARSED_SIZE) rehearse();
    this.#names.trim();
    this.#source = source;
    this.#codes = codes;
    this.#end = end;
    this.#isCut = false;
    const elements: PlainElement[] = [];
    let at = from;
    while (elements.length < most) {
      this.#count = 0;
      this.#textLength = 0;
      const element = this.#readElement(at, 1, unchecked);
      if (element === undefined) break;
      elements.push({ element, count: this.#count, textLength: this.#textLength });
      at = this.#at;
    }
    this.#source = '';
    return { elements, next: at, isCut: this.#isCut };
  }

  /** @returns undefined if it is not plain, or not all there */
  #readElement(start: number, depth: number, unchecked: string | undefined): SoapElement | undefined {
    const codes = this.#codes;
    const end = this.#end;
    if (start >= end) return this.#cut();
    if (codes[start] !== LT || depth > MAX_DEPTH) return undefined;
    let at = start + 1;
    let hash = 0;
    for (; at < end; at++) {
      const code = codes[at] as number;
      if (NAME_CHARS[code] !== 1) break;
      hash = (Math.imul(hash, 31) + code) | 0;
    }
    if (at - start > MAX_NAME_LENGTH) return undefined;
    if (at >= end) return this.#cut();
    this.#count++;
    const isOpen = codes[at] === GT;
    if (!isOpen) {
      if (codes[at] === SPACE) at++;
      if (at + 1 >= end) return this.#cut();
      if (codes[at] !== SLASH || codes[at + 1] !== GT) return undefined;
    }
    const nameEnd = !isOpen && codes[at - 1] === SPACE ? at - 1 : at;
    const name = this.#names.lookUp(this.#source, codes, start + 1, nameEnd, hash);
    if (name === undefined || name.declares !== undefined) return undefined;
    if (!isOpen) {
      this.#at = at + 2;
      return new PlainSoapElement(name.local, '', NO_CHILDREN);
    }
    at++;
    const isUnchecked = depth === 2 && name.local === unchecked;
    let text = '';
    let children = NO_CHILDREN;
    if (at < end && codes[at] !== LT) {
      const read = isUnchecked ? this.#readUnchecked(at) : this.#readText(at);
      if (read === undefined) return undefined;
      text = read;
      this.#textLength += text.length;
      at = this.#at;
    } else {
      while (at + 1 < end && codes[at + 1] !== SLASH) {
        if (isUnchecked) return undefined; // only its text is looked at
        const child = this.#readElement(at, depth + 1, unchecked);
        if (child === undefined) return undefined;
        if (children === NO_CHILDREN) children = [child];
        else children.push(child);
        at = this.#at;
      }
    }
    if (!this.#isEndTag(at, name)) return undefined;
    this.#at = at + 3 + name.codes.length;
    return new PlainSoapElement(name.local, text, children);
  }

  /** @returns undefined, as for an element */
  #readUnchecked(from: number): string | undefined {
    const end = this.#source.indexOf('<', from);
    if (end < 0 || end >= this.#end) return this.#cut();
    const text = this.#source.slice(from, end);
    if (text.includes('&')) return undefined;
    this.#at = end;
    return text;
  }

  /** @returns undefined, as for an element */
  #readText(from: number): string | undefined {
    const codes = this.#codes;
    const end = this.#end;
    let isEncoded = false;
    let at = from;
    for (; at < end; at++) {
      const kind = CLASSES[codes[at] as number];
      if (kind === PLAIN) continue;
      if (kind === LESS_THAN) break;
      isEncoded = true;
      if (kind === HIGH || kind === NORMALIZED) continue;
      if (kind === AMPERSAND) {
        at = this.#endOfReference(at);
        if (at < 0) return undefined;
      } else if (kind !== SUSPECT || !isAllowedSuspect(this.#source, at, 'utf8-bytes')) return undefined;
    }
    if (at >= end) return this.#cut();
    this.#at = at;
    const source = this.#source.slice(from, at);
    return isEncoded ? decodeCharacters(source, 'text', 'utf8-bytes') : source;
  }

  /** @returns the offset of its `;`; −1 if it is none, or cut off */
  #endOfReference(from: number): number {
    const codes = this.#codes;
    const end = Math.min(this.#end, from + MAX_REFERENCE_LENGTH);
    let at = from + 1;
    while (at < end && (NAME_CHARS[codes[at] as number] === 1 || codes[at] === HASH)) at++;
    if (at === this.#end) this.#cut();
    if (at >= end || codes[at] !== SEMICOLON) return -1;
    return resolveReference(this.#source.slice(from + 1, at)) === undefined ? -1 : at;
  }

  #cut(): undefined {
    this.#isCut = true;
  }

  #isEndTag(at: number, name: XmlName): boolean {
    const codes = this.#codes;
    const own = name.codes;
    const close = at + 2 + own.length;
    if (close >= this.#end) {
      // What is there may show already that it is another one.
      const isBegun = this.#source.slice(at, this.#end) === `</${name.text}`.slice(0, this.#end - at);
      if (isBegun) this.#cut();
      return false;
    }
    if (codes[at] !== LT || codes[at + 1] !== SLASH) return false;
    for (let i = 0; i < own.length; i++) if (own[i] !== codes[at + 2 + i]) return false;
    return codes[close] === GT;
  }
}

class PlainSoapElement implements SoapElement {
  readonly local: string;
  readonly isNil = false;
  readonly text: string;
  readonly children: readonly SoapElement[];

  constructor(local: string, text: string, children: readonly SoapElement[]) {
    this.local = local;
    this.text = text;
    this.children = children;
  }
}

const NO_CHILDREN: SoapElement[] = [];
