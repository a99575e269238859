/**
 * The short way through a long list: nearly all that a real reply holds is elements without attributes, prefixes,
 * references and comments. Those are read here at once; what is anything else is left to the `XmlReader`, which also
 * says what is wrong with it.
 */
import { type XmlName, XmlNames } from '../xml/xml-names.js';
import { charClasses, PLAIN } from '../xml/xml-text.js';
import type { SoapElement } from './soap-element.js';

const SPACE = 0x20;
const SLASH = 0x2f;
const LESS_THAN = 0x3c;
const GREATER_THAN = 0x3e;

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
  readonly end: number;
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

  /**
   * Reads elements that follow each other from `from` on, as far as they are plain and all there.
   *
   * @param source one character per byte of UTF-8
   * @param codes the characters of `source`
   * @param unchecked name of children whose text may hold characters that XML forbids
   */
  read(
    source: string,
    codes: Uint16Array,
    from: number,
    end: number,
    unchecked: string | undefined,
  ): PlainElements {
    this.#names.trim();
    this.#source = source;
    this.#codes = codes;
    this.#end = end;
    const elements: PlainElement[] = [];
    let at = from;
    for (;;) {
      this.#count = 0;
      this.#textLength = 0;
      const element = this.#readElement(at, 1, unchecked);
      if (element === undefined) break;
      elements.push({ element, count: this.#count, textLength: this.#textLength });
      at = this.#at;
    }
    this.#source = '';
    return { elements, end: at };
  }

  /** @returns undefined if it is not plain, or not all there */
  #readElement(start: number, depth: number, unchecked: string | undefined): SoapElement | undefined {
    const codes = this.#codes;
    const end = this.#end;
    if (start >= end || codes[start] !== LESS_THAN || depth > MAX_DEPTH) return undefined;
    let at = start + 1;
    let hash = 0;
    for (; at < end; at++) {
      const code = codes[at] as number;
      if (NAME_CHARS[code] !== 1) break;
      hash = (Math.imul(hash, 31) + code) | 0;
    }
    if (at >= end || at - start > MAX_NAME_LENGTH) return undefined;
    this.#count++;
    const isOpen = codes[at] === GREATER_THAN;
    if (!isOpen) {
      if (codes[at] === SPACE) at++;
      if (at + 1 >= end || codes[at] !== SLASH || codes[at + 1] !== GREATER_THAN) return undefined;
    }
    const nameEnd = !isOpen && codes[at - 1] === SPACE ? at - 1 : at;
    const name = this.#names.lookUp(this.#source, codes, start + 1, nameEnd, hash);
    if (name === undefined || name.declares !== undefined) return undefined;
    if (!isOpen) {
      this.#at = at + 2;
      return { local: name.local, isNil: false, text: '', children: NO_CHILDREN };
    }
    at++;
    const isUnchecked = depth === 2 && name.local === unchecked;
    let text = '';
    let children = NO_CHILDREN;
    if (at < end && codes[at] !== LESS_THAN) {
      const textEnd = isUnchecked ? this.#source.indexOf('<', at) : this.#endOfText(at);
      if (textEnd < 0 || textEnd >= end) return undefined;
      text = this.#source.slice(at, textEnd);
      if (isUnchecked && text.includes('&')) return undefined;
      this.#textLength += text.length;
      at = textEnd;
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
    return { local: name.local, isNil: false, text, children };
  }

  /** @returns the offset of the `<` that follows; −1 if another kind of character comes first */
  #endOfText(from: number): number {
    const codes = this.#codes;
    const end = this.#end;
    let at = from;
    while (at < end && CLASSES[codes[at] as number] === PLAIN) at++;
    return at < end && codes[at] === LESS_THAN ? at : -1;
  }

  #isEndTag(at: number, name: XmlName): boolean {
    const codes = this.#codes;
    const own = name.codes;
    const close = at + 2 + own.length;
    if (close >= this.#end || codes[at] !== LESS_THAN || codes[at + 1] !== SLASH) return false;
    for (let i = 0; i < own.length; i++) if (own[i] !== codes[at + 2 + i]) return false;
    return codes[close] === GREATER_THAN;
  }
}

const NO_CHILDREN: SoapElement[] = [];
