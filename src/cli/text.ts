/** Text on its way to a terminal: made harmless, measured and cut. */

/**
 * C0 and C1 controls, DEL, line and paragraph separators, and the controls that reorder or hide text. Titles
 * come from packages; with these in them they could redraw the screen or forge a line.
 */
const HARMFUL =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;

/** Replaces characters that control a terminal by a visible escape, tabs by a space. */
export function neutralize(text: string): string {
  if (PRINTABLE_ASCII.test(text)) return text;
  return text.replaceAll(HARMFUL, (found) => {
    if (found === '\t') return ' ';
    const code = found.charCodeAt(0);
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** Characters of no width of their own: marks, joiners, variation selectors. */
const ZERO_WIDTH = /^[\p{M}\p{Cf}]$/u;
const EMOJI = /^\p{Emoji_Presentation}$/u;

/** East Asian Wide and Fullwidth blocks (UAX 11), as pairs of first and last code point. */
const WIDE_RANGES: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97c],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f900, 0x1f9ff],
  [0x20000, 0x3fffd],
];

let segmenter: Intl.Segmenter | undefined;

/** What a reader sees as one character each. */
function* graphemes(text: string): Generator<string> {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  for (const { segment } of segmenter.segment(text)) yield segment;
}

/** Columns of a terminal the text takes. */
export function displayWidth(text: string): number {
  if (PRINTABLE_ASCII.test(text)) return text.length;
  let width = 0;
  for (const grapheme of graphemes(limitMarks(text))) width += graphemeWidth(grapheme);
  return width;
}

/** No script puts more than eight of these on one character; thousands keep a terminal busy. */
const SURPLUS_MARKS = /([\p{M}\p{Cf}]{8})[\p{M}\p{Cf}]+/gu;

/** Leaves out what is beyond eight marks in a row. */
export function limitMarks(text: string): string {
  return PRINTABLE_ASCII.test(text) ? text : text.replaceAll(SURPLUS_MARKS, '$1');
}

function graphemeWidth(grapheme: string): number {
  let width = 0;
  for (const character of grapheme) {
    if (ZERO_WIDTH.test(character)) continue;
    const code = character.codePointAt(0) as number;
    const isWide =
      EMOJI.test(character) || WIDE_RANGES.some(([first, last]) => code >= first && code <= last);
    width = Math.max(width, isWide ? 2 : 1);
  }
  return width;
}

/**
 * The text in at most `width` columns, with `…` where something was cut off. How long it is costs nothing: only as
 * much of it is looked at as could fit.
 */
export function cut(text: string, width: number): string {
  if (width === Number.POSITIVE_INFINITY || text === '') return text;
  if (width <= 0) return '';
  if (text.length <= width && PRINTABLE_ASCII.test(text)) return text;
  const start = startOf(text, width * 16 + 64);
  let seen = '';
  let kept = '';
  let used = 0;
  for (const grapheme of graphemes(limitMarks(start))) {
    used += graphemeWidth(grapheme);
    if (used > width) return `${kept.trimEnd()}…`;
    seen += grapheme;
    if (used < width) kept = seen;
  }
  return start.length === text.length ? seen : `${kept.trimEnd()}…`;
}

/** At most `length` UTF-16 units, no character of two halved. */
function startOf(text: string, length: number): string {
  if (text.length <= length) return text;
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length);
}

/** Fills up with spaces to `width` columns. */
export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return align === 'right' ? space + text : text + space;
}

/** Breaks a paragraph at spaces into lines of at most `width` columns; a longer word gets a line of its own. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  let lineWidth = 0;
  for (const word of text.split(' ')) {
    const wordWidth = displayWidth(word);
    if (line !== '' && lineWidth + 1 + wordWidth > width) {
      lines.push(line);
      line = word;
      lineWidth = wordWidth;
    } else {
      lineWidth = line === '' ? wordWidth : lineWidth + 1 + wordWidth;
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  return lines;
}

/** `12300` → `12,300` */
export function formatCount(value: number): string {
  return Math.round(value)
    .toString()
    .replaceAll(/\B(?=(\d{3})+$)/g, ',');
}

/** Removes user names, passwords and keys that an address or a message may carry. */
export function redact(text: string): string {
  return text
    .replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^/\s@]*@/gi, '$1***@')
    .replaceAll(
      /\b(password|passwd|pwd|secret|token|api[-_]?key|authorization)(\s*[=:]\s*)("[^"]*"|'[^']*'|(?:(?:Basic|Bearer)\s+)?[^\s;,&]+)/gi,
      '$1$2***',
    );
}
