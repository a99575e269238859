/**
 * An update document as the text of an element, and back.
 *
 * Written: escaped text with the least XML 1.0 asks for: `&` and `<` as entities, `>` too in a document that holds
 * `]]>`, and CR as a character reference, because a reader turns CR LF and a lone CR into LF (section 2.11).
 * Everything else stands as it is.
 *
 * Both ways go from one special byte to the next and copy what is between: twice as fast as byte by byte.
 */
import { WsusutilError } from '../../errors.js';
import type { DocumentEncoding } from '../../model/export-package.js';
import { bufferOf } from '../bytes.js';
import { decodeUpdateBlob } from '../server-sync/update-blob.js';
import { resolveReference } from '../xml/xml-text.js';
import { decodeUsualText } from './escaped-text.js';

const AMPERSAND = 0x26;
const LESS = 0x3c;
const GREATER = 0x3e;
const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;
const ESCAPES: readonly (readonly [number, Buffer])[] = [
  [AMPERSAND, Buffer.from('&amp;')],
  [LESS, Buffer.from('&lt;')],
  [CR, Buffer.from('&#xD;')],
];
const GREATER_ESCAPE: readonly [number, Buffer] = [GREATER, Buffer.from('&gt;')];
/** Shorter stretches are copied byte by byte: a call takes longer. */
const MIN_COPY_SIZE = 32;

/** `&#1114111;`, with some leading zeros to spare */
const MAX_REFERENCE_SIZE = 16;
const CDATA_START = Buffer.from('<![CDATA[');
const CDATA_END = Buffer.from(']]>');

/** Bytes `document` takes as escaped text. */
export function escapedSize(document: Uint8Array): number {
  let size = document.length;
  const source = bufferOf(document);
  for (const [byte, text] of escapesFor(document)) {
    for (let i = source.indexOf(byte); i >= 0; i = source.indexOf(byte, i + 1)) size += text.length - 1;
  }
  return size;
}

/**
 * Writes `document` as escaped text into `target` from `offset` on; there must be {@link escapedSize} bytes of room.
 *
 * @returns the offset after the last byte written
 */
export function escapeInto(document: Uint8Array, target: Uint8Array, offset: number): number {
  const source = bufferOf(document);
  const specials = escapesFor(document)
    .map(([byte, text]) => ({ byte, text, next: source.indexOf(byte) }))
    .filter((special) => special.next >= 0);
  let to = offset;
  let from = 0;
  for (;;) {
    let first: (typeof specials)[number] | undefined;
    for (const special of specials) {
      if (special.next >= 0 && (first === undefined || special.next < first.next)) first = special;
    }
    if (first === undefined) return copyBytes(document, from, document.length, target, to);
    to = copyBytes(document, from, first.next, target, to);
    for (let k = 0; k < first.text.length; k++) target[to++] = first.text[k] as number;
    from = first.next + 1;
    first.next = source.indexOf(first.byte, from);
  }
}

function escapesFor(document: Uint8Array): readonly (readonly [number, Buffer])[] {
  return bufferOf(document).includes(CDATA_END) ? [...ESCAPES, GREATER_ESCAPE] : ESCAPES;
}

/** Copies `start` … `end` of `source`; @returns the offset after the last byte written */
function copyBytes(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  offset: number,
): number {
  if (end - start >= MIN_COPY_SIZE) {
    target.set(source.subarray(start, end), offset);
    return offset + end - start;
  }
  let to = offset;
  for (let i = start; i < end; i++) target[to++] = source[i] as number;
  return to;
}

/**
 * The document in the inner source of a `metadata` element.
 *
 * `plain` is the document already and comes back as it is; line ends of `escaped` text and of `cdata` are
 * normalised as XML asks for, so what a writer meant by a CR must be a reference.
 *
 * @param bytes UTF-8
 * @param roomFor memory for a document of at most so many bytes; may be used or not
 * @throws WsusutilError `XML_MALFORMED` for an undefined entity, a reference to no character, markup inside text, or
 *   Base64 that is none; those of `decodeUpdateBlob`
 */
export function decodeDocument(
  bytes: Uint8Array,
  encoding: DocumentEncoding,
  roomFor: (size: number) => Uint8Array = (size) => Buffer.allocUnsafe(size),
): Uint8Array {
  switch (encoding) {
    case 'plain':
      return bytes;
    case 'escaped':
      return decodeUsualText(bytes, roomFor) ?? decodeText(bytes, roomFor);
    case 'cdata':
      return decodeSections(bytes, roomFor);
    case 'base64':
      return decodeBase64(bytes);
    case 'cabinet':
      return decodeUpdateBlob({ form: 'cabinet', bytes });
  }
}

/**
 * How the inner source of a `metadata` element holds its document; undefined if it is none of the four ways.
 *
 * @param bytes UTF-8, not validated
 */
export function detectDocumentEncoding(bytes: Uint8Array): DocumentEncoding | undefined {
  let start = 0;
  while (start < bytes.length && isSpace(bytes[start])) start++;
  const beginning = Buffer.from(bytes.subarray(start, start + 64)).toString('latin1');
  if (beginning.startsWith('<![CDATA[')) return 'cdata';
  if (/^<[A-Za-z_:!\x80-\xff]/.test(beginning)) return 'plain';
  if (/^&(?:lt|#0*60|#x0*3[Cc]);/.test(beginning)) return 'escaped';
  return /^[A-Za-z0-9+/][A-Za-z0-9+/=\s]*$/.test(beginning) ? 'base64' : undefined;
}

function decodeText(bytes: Uint8Array, roomFor: (size: number) => Uint8Array): Uint8Array {
  const text = roomFor(bytes.length); // a reference is never shorter than what it stands for
  const size = decodeTextInto(bytes, 0, bytes.length, text, 0);
  return text.subarray(0, size);
}

function decodeTextInto(
  bytes: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  offset: number,
): number {
  const source = bufferOf(bytes.subarray(0, end));
  const markup = source.indexOf(LESS, start);
  if (markup >= 0) {
    throw malformed(markup, `markup "${excerpt(bytes, markup, end)}" stands inside the document's text`);
  }
  const hasLineEnds = source.indexOf(CR, start) >= 0;
  let to = offset;
  let from = start;
  for (;;) {
    const at = source.indexOf(AMPERSAND, from);
    const stop = at < 0 ? end : at;
    to = hasLineEnds
      ? copyNormalised(source, from, stop, target, to)
      : copyBytes(source, from, stop, target, to);
    if (at < 0) return to;
    const isLess = source[at + 1] === 0x6c; // "l" of "lt;", by far the most frequent
    if (isLess && source[at + 2] === 0x74 && source[at + 3] === SEMICOLON) {
      target[to++] = LESS;
      from = at + 4;
      continue;
    }
    const semicolon = source.indexOf(SEMICOLON, at);
    if (semicolon < 0 || semicolon - at > MAX_REFERENCE_SIZE) {
      throw malformed(at, `"${excerpt(bytes, at, end)}" is not a reference`);
    }
    to = writeReferenced(bytes, at, semicolon, target, to);
    from = semicolon + 1;
  }
}

function writeReferenced(
  bytes: Uint8Array,
  start: number,
  stop: number,
  target: Uint8Array,
  offset: number,
): number {
  const name = Buffer.from(bytes.subarray(start + 1, stop)).toString('latin1');
  const character = resolveReference(name);
  if (character === undefined) {
    throw malformed(start, `"&${name};" is not defined`);
  }
  let to = offset;
  for (const byte of Buffer.from(character)) target[to++] = byte;
  return to;
}

/** CDATA sections one after another (a `]]>` in the document is split over two), with text between them. */
function decodeSections(bytes: Uint8Array, roomFor: (size: number) => Uint8Array): Uint8Array {
  const source = bufferOf(bytes);
  const target = roomFor(bytes.length);
  let to = 0;
  let position = 0;
  while (position < source.length) {
    const start = source.indexOf(CDATA_START, position);
    to = decodeTextInto(source, position, start < 0 ? source.length : start, target, to);
    if (start < 0) break;
    const inner = start + CDATA_START.length;
    const end = source.indexOf(CDATA_END, inner);
    if (end < 0) throw malformed(start, 'a CDATA section is not closed');
    to = copyNormalised(source, inner, end, target, to);
    position = end + CDATA_END.length;
  }
  return trimSpace(target.subarray(0, to));
}

/** Copies with line ends as an XML processor hands them on (XML 1.0 section 2.11). */
function copyNormalised(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  offset: number,
): number {
  let to = offset;
  for (let i = start; i < end; i++) {
    const byte = source[i] as number;
    if (byte === CR) {
      target[to++] = LF;
      if (source[i + 1] === LF && i + 1 < end) i++;
    } else {
      target[to++] = byte;
    }
  }
  return to;
}

function decodeBase64(bytes: Uint8Array): Buffer {
  const text = Buffer.from(bytes).toString('latin1').replaceAll(/\s+/g, '');
  const decoded = Buffer.from(text, 'base64');
  if (decoded.toString('base64') === text) return decoded;
  throw malformed(0, 'the text is not canonical Base64');
}

/** `bytes` without the white space around them; a view. */
export function trimSpace(bytes: Uint8Array): Uint8Array {
  let start = 0;
  let end = bytes.length;
  while (start < end && isSpace(bytes[start])) start++;
  while (end > start && isSpace(bytes[end - 1])) end--;
  return bytes.subarray(start, end);
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === LF || byte === CR || byte === 0x09;
}

function excerpt(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.subarray(start, Math.min(end, start + 24))).toString('utf8');
}

function malformed(offset: number, problem: string): WsusutilError {
  return new WsusutilError('XML_MALFORMED', `metadata element, byte ${offset} of its content: ${problem}`, {
    hint: 'The package is damaged or was made by a faulty tool; copy or export it again.',
  });
}
