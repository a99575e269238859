/** What the files of minisign have in common: few lines of text, some of them Base64 of a fixed size. */
import { WsusutilError } from '../../errors.js';

export type MinisignErrorCode = 'KEY_INVALID' | 'SIGNATURE_INVALID';

/** Which file is read, for messages about it. */
export interface TextSource {
  /** path of the file, or what else says where the text is from */
  readonly name: string;
  readonly code: MinisignErrorCode;
  readonly hint: string;
}

/** @param what completes the sentence that begins with the name of the file */
export function malformed({ name, code, hint }: TextSource, what: string): WsusutilError {
  return new WsusutilError(code, `${name} ${what}`, { hint });
}

/**
 * The lines of a file, without their ends. A byte order mark, CRLF and empty lines at the end are what editors and mail
 * programs add; they mean nothing here.
 *
 * @param maxSize bytes
 */
export function readLines(bytes: Uint8Array, maxSize: number, source: TextSource): string[] {
  if (bytes.length > maxSize) {
    throw malformed(source, `is ${bytes.length} bytes long, at most ${maxSize} are expected`);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw malformed(source, 'is not text in UTF-8');
  }
  if (text.trim() === '') throw malformed(source, 'is empty');
  return text.replace(/(?:\r?\n)+$/, '').split(/\r?\n/);
}

/**
 * What follows `prefix` in a line for people.
 *
 * @param maxSize bytes
 */
export function readComment(
  line: string | undefined,
  prefix: string,
  maxSize: number,
  source: TextSource,
): string {
  const kind = prefix.trimEnd().replace(/:$/, '');
  if (line === undefined) throw malformed(source, `ends before its ${kind}`);
  if (!line.startsWith(prefix)) {
    throw malformed(source, `has no line that begins with "${prefix}" where one is due`);
  }
  const comment = line.slice(prefix.length);
  const problem = commentProblem(comment, maxSize);
  if (problem !== undefined) throw malformed(source, `has ${article(kind)} that ${problem}`);
  return comment;
}

/**
 * Why a text cannot be a comment; it goes to terminals and logs as it is, so nothing in it may move the cursor or turn
 * the direction of writing.
 *
 * @returns completes the sentence "a comment that …"
 */
export function commentProblem(comment: string, maxSize: number): string | undefined {
  const size = Buffer.byteLength(comment);
  if (size > maxSize) return `is ${size} bytes long, at most ${maxSize} are expected`;
  if (/[^\P{Cc}\t]|[\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]|\p{Cs}/u.test(comment)) {
    return 'holds characters that are not shown';
  }
  return undefined;
}

/**
 * One line of Base64, of exactly `size` bytes and in its one proper spelling.
 *
 * @param what is in it, for messages
 */
export function readBase64(line: string | undefined, size: number, what: string, source: TextSource): Buffer {
  if (line === undefined || line === '') throw malformed(source, `ends before the ${what}`);
  const length = Math.ceil(size / 3) * 4;
  if (line.length !== length) {
    throw malformed(source, `has ${line.length} characters where the ${length} of the ${what} are due`);
  }
  const bytes = Buffer.from(line, 'base64');
  if (bytes.length !== size || bytes.toString('base64') !== line) {
    throw malformed(source, `has a ${what} that is not proper Base64`);
  }
  return bytes;
}

export function refuseMoreLines(lines: readonly string[], expected: number, source: TextSource): void {
  if (lines.length > expected) {
    throw malformed(source, `has ${lines.length} lines, ${expected} are expected`);
  }
}

/** The 8 bytes of a key id as minisign writes them: a little-endian number in 16 upper-case hex digits. */
export function formatKeyId(bytes: Uint8Array): string {
  return Buffer.from(bytes).reverse().toString('hex').toUpperCase();
}

/** The other way round. */
export function keyIdBytes(keyId: string): Buffer {
  return Buffer.from(keyId, 'hex').reverse();
}

function article(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
}
