/**
 * Character data: what may stand in it, and source characters → text.
 * Sources: XML 1.0 (fifth edition) 2.2 Char, 2.11 line ends, 3.3.3 attribute values, 4.1 references.
 */

/** `text`: the source is text. `utf8-bytes`: one source character (0–255) per byte of valid UTF-8. */
export type XmlEncoding = 'text' | 'utf8-bytes';

/** Longest reference between `&` and `;`. The longest useful one, `#x10ffff`, has 8 characters. */
export const MAX_REFERENCE_LENGTH = 64;

/** What a character means where it stands; see {@link charClasses}. */
export const PLAIN = 0;
export const LESS_THAN = 1;
export const AMPERSAND = 2;
export const BRACKET = 3;
export const QUOTE = 4;
/** replaced by normalisation: CR in text; tab, LF and CR in attribute values */
export const NORMALIZED = 5;
/** part of a multi-byte character of `utf8-bytes` */
export const HIGH = 6;
/** may begin a character that XML forbids: a surrogate, U+FFFE, U+FFFF */
export const SUSPECT = 7;
export const FORBIDDEN = 8;

/** Class of each source character below 256; of the others {@link charClassAbove255}. */
export function charClasses(place: 'text' | 'attribute', encoding: XmlEncoding): Uint8Array {
  const classes = new Uint8Array(256);
  classes.fill(FORBIDDEN, 0, 0x20);
  classes[0x09] = classes[0x0a] = place === 'attribute' ? NORMALIZED : PLAIN;
  classes[0x0d] = NORMALIZED;
  classes[0x26] = AMPERSAND;
  classes[0x3c] = LESS_THAN;
  if (place === 'attribute') classes[0x22] = classes[0x27] = QUOTE;
  else classes[0x5d] = BRACKET;
  if (encoding === 'utf8-bytes') {
    classes.fill(HIGH, 0x80);
    classes[0xef] = SUSPECT; // U+FFFE and U+FFFF are EF BF BE and EF BF BF
  }
  return classes;
}

export function charClassAbove255(code: number): number {
  return code < 0xd800 || (code > 0xdfff && code < 0xfffe) ? PLAIN : SUSPECT;
}

/** True if a {@link SUSPECT} character at `index` is one that XML allows. A pair is never cut by the reader. */
export function isAllowedSuspect(source: string, index: number, encoding: XmlEncoding): boolean {
  if (encoding === 'utf8-bytes') {
    return !(source.charCodeAt(index + 1) === 0xbf && source.charCodeAt(index + 2) >= 0xbe);
  }
  const code = source.codePointAt(index) as number;
  if (code > 0xffff) return true;
  // the second half of a pair whose first half was looked at before
  return code >= 0xdc00 && code <= 0xdfff && index > 0 && (source.codePointAt(index - 1) as number) > 0xffff;
}

/** What `amp`, `#65`, `#x41` (between `&` and `;`) stands for; undefined if nothing. */
export function resolveReference(name: string): string | undefined {
  switch (name) {
    case 'amp':
      return '&';
    case 'lt':
      return '<';
    case 'gt':
      return '>';
    case 'quot':
      return '"';
    case 'apos':
      return "'";
  }
  let code: number;
  if (/^#[0-9]+$/.test(name)) code = Number.parseInt(name.slice(1), 10);
  else if (/^#x[0-9a-f]+$/i.test(name)) code = name[1] === 'x' ? Number.parseInt(name.slice(2), 16) : -1;
  else return undefined;
  const allowed =
    code === 0x9 ||
    code === 0xa ||
    code === 0xd ||
    (code >= 0x20 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd) ||
    (code >= 0x10000 && code <= 0x10ffff);
  return allowed ? String.fromCodePoint(code) : undefined;
}

/** Decodes `utf8-bytes` characters; a string without any above 127 is returned as it is. */
export function decodeUtf8Bytes(source: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is ASCII
  if (/^[\x00-\x7f]*$/.test(source)) return source;
  return Buffer.from(source, 'latin1').toString('utf8');
}

/**
 * Source characters → text: references resolved, line ends (or all white space of an attribute) normalised.
 * The source has been checked already.
 */
export function decodeCharacters(
  source: string,
  place: 'text' | 'attribute' | 'cdata',
  encoding: XmlEncoding,
): string {
  let plain = source;
  if (place === 'attribute') plain = plain.replaceAll(/\r\n|[\r\n\t]/g, ' ');
  else if (plain.includes('\r')) plain = plain.replaceAll(/\r\n?/g, '\n');
  if (encoding === 'utf8-bytes') plain = decodeUtf8Bytes(plain);
  let at = place === 'cdata' ? -1 : plain.indexOf('&');
  if (at < 0) return plain;
  // Last: what a reference stands for is not normalised (3.3.3).
  let text = '';
  let from = 0;
  while (at >= 0) {
    const end = plain.indexOf(';', at);
    text += plain.slice(from, at) + resolveReference(plain.slice(at + 1, end));
    from = end + 1;
    at = plain.indexOf('&', from);
  }
  return text + plain.slice(from);
}
