/**
 * Names and namespaces of one document: every distinct name is split, checked and stored once, however often
 * the document repeats it. Sources: XML 1.0 (fifth edition) 2.3, Namespaces in XML 1.0 sections 3–6.
 */

export const XML_NAMESPACE = 'http://www.w3.org/XML/1998/namespace';
export const XMLNS_NAMESPACE = 'http://www.w3.org/2000/xmlns/';

/** Distinct names kept before the cache starts anew, so that a document of endless new names stays small. */
const MAX_CACHED_NAMES = 2048;
const BUCKETS = 1024;
/** Names in one bucket before the cache starts anew: a document can choose names that all fall into one. */
const MAX_BUCKET_SIZE = 64;

const START_CHARS =
  'A-Z_a-z\\u00c0-\\u00d6\\u00d8-\\u00f6\\u00f8-\\u02ff\\u0370-\\u037d\\u037f-\\u1fff\\u200c-\\u200d' +
  '\\u2070-\\u218f\\u2c00-\\u2fef\\u3001-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufffd\\u{10000}-\\u{effff}';
const NAME_CHARS = `${START_CHARS}\\-.0-9\\u00b7\\u0300-\\u036f\\u203f-\\u2040`;
const NC_NAME = new RegExp(`^[${START_CHARS}][${NAME_CHARS}]*$`, 'u');

/** True for a name without a colon (NCName). */
export function isNcName(text: string): boolean {
  return NC_NAME.test(text);
}

/** One prefix and what it is bound to at this point of the document. */
export interface PrefixBinding {
  readonly prefix: string;
  /** undefined: not bound here. The empty prefix is always bound, at first to the empty string. */
  uri: string | undefined;
}

/** A name as it stands in the document, split and checked. */
export interface XmlName {
  /** exactly the characters of the source; numbers compare faster than a string with a part of another */
  readonly codes: Uint16Array;
  /** the name for people; decoded if the source is UTF-8 bytes */
  readonly text: string;
  readonly prefix: string;
  readonly local: string;
  readonly binding: PrefixBinding;
  /** set for `xmlns` and `xmlns:p`: the prefix such an attribute declares */
  readonly declares: PrefixBinding | undefined;
  readonly hash: number;
  readonly next: XmlName | undefined;
  /** number of the last tag that had an attribute of this name: finds duplicates without comparing */
  seenInTag: number;
  /** Of an element: the start tag that came next, last time. To compare with it is faster than to look names up. */
  nextElement: XmlName | undefined;
  /** of an element or an attribute: the attribute that came next, last time */
  nextAttribute: XmlName | undefined;
}

/** The names of one document. */
export class XmlNames {
  private buckets: (XmlName | undefined)[] = new Array<XmlName | undefined>(BUCKETS).fill(undefined);
  private count = 0;
  private isCrowded = false;
  /** bindings kept by the last {@link trim} */
  private keptBindings = 0;
  private readonly bindings = new Map<string, PrefixBinding>();
  private readonly decode: (raw: string) => string;

  /** @param decode source characters of a name → the name */
  constructor(decode: (raw: string) => string) {
    this.decode = decode;
    this.bindings.set('', { prefix: '', uri: '' });
    this.bindings.set('xml', { prefix: 'xml', uri: XML_NAMESPACE });
    this.bindings.set('xmlns', { prefix: 'xmlns', uri: XMLNS_NAMESPACE });
  }

  /**
   * The name at `start` … `end` of `source`; the same object for the same name, until {@link trim}.
   *
   * @param codes the characters of `source`
   * @param hash of its characters: `hash * 31 + code` from 0, in 32 bits
   * @returns undefined if it is not a qualified name
   */
  lookUp(source: string, codes: Uint16Array, start: number, end: number, hash: number): XmlName | undefined {
    const bucket = hash & (BUCKETS - 1);
    let bucketSize = 0;
    for (let name = this.buckets[bucket]; name !== undefined; name = name.next) {
      if (name.hash === hash && name.codes.length === end - start && isNameAt(name, codes, start))
        return name;
      bucketSize++;
    }
    if (bucketSize >= MAX_BUCKET_SIZE) this.isCrowded = true;
    return this.add(source.slice(start, end), hash, bucket);
  }

  private add(raw: string, hash: number, bucket: number): XmlName | undefined {
    const text = this.decode(raw);
    const colon = text.indexOf(':');
    const prefix = colon < 0 ? '' : internalize(text.slice(0, colon));
    const local = internalize(text.slice(colon + 1));
    if (!isNcName(local) || (colon >= 0 && !isNcName(prefix))) return undefined;
    let declares: PrefixBinding | undefined;
    if (prefix === 'xmlns') declares = this.binding(local);
    else if (prefix === '' && local === 'xmlns') declares = this.binding('');
    const name: XmlName = {
      codes: Uint16Array.from({ length: raw.length }, (_, index) => raw.charCodeAt(index)),
      text,
      prefix,
      local,
      binding: this.binding(prefix),
      declares,
      hash,
      next: this.buckets[bucket],
      seenInTag: 0,
      nextElement: undefined,
      nextAttribute: undefined,
    };
    this.buckets[bucket] = name;
    this.count++;
    return name;
  }

  private binding(prefix: string): PrefixBinding {
    let binding = this.bindings.get(prefix);
    if (binding === undefined) {
      binding = { prefix, uri: undefined };
      this.bindings.set(prefix, binding);
    }
    return binding;
  }

  /** What `prefix` is bound to now; '' for no prefix and no default namespace. */
  resolve(prefix: string): string | undefined {
    return this.bindings.get(prefix)?.uri;
  }

  /**
   * Forgets names if there are too many. Only between tags: inside one the same name must stay one object.
   *
   * @returns true if it did: no name given out before may be compared with
   */
  trim(): boolean {
    if (this.count <= MAX_CACHED_NAMES && !this.isCrowded) return false;
    this.buckets = new Array<XmlName | undefined>(BUCKETS).fill(undefined);
    this.count = 0;
    this.isCrowded = false;
    // Looking through all of them is worth it only when they have doubled.
    if (this.bindings.size > 2 * this.keptBindings + MAX_CACHED_NAMES) {
      for (const [prefix, binding] of this.bindings) {
        if (binding.uri === undefined) this.bindings.delete(prefix);
      }
      this.keptBindings = this.bindings.size;
    }
    return true;
  }
}

/** True if the characters of `name` stand at `start`. The caller knows that so many are there. */
export function isNameAt(name: XmlName, codes: Uint16Array, start: number): boolean {
  const own = name.codes;
  for (let i = 0; i < own.length; i++) {
    if (own[i] !== codes[start + i]) return false;
  }
  return true;
}

/**
 * The engine's one copy of a string, as if it stood in the program: comparing two of them, or one with a
 * literal, then compares pointers. A property key is always such a copy.
 */
function internalize(text: string): string {
  return Object.keys({ [text]: 0 })[0] as string;
}
