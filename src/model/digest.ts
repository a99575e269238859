import { WsusutilError } from '../errors.js';

/** SHA-1 of a content file: 40 upper-case hex digits, as WSUS writes it in file names. Base64 in XML. */
export type Sha1Hex = string;
/** SHA-256 of a content file: 64 upper-case hex digits. */
export type Sha256Hex = string;

const SIZES = { SHA1: 20, SHA256: 32 } as const;

/** value of each character as a digit of Base64, negative for what is none */
const BASE64_VALUES = new Int8Array(256).fill(-1);
for (const [value, digit] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
].entries()) {
  BASE64_VALUES[digit.charCodeAt(0)] = value;
}
const PADDING = 0x3d;
const HEX_DIGITS = Buffer.from('0123456789ABCDEF', 'latin1');
/** what is put together, with room for a group too many */
const HEX = Buffer.alloc(2 * SIZES.SHA256 + 6);

/**
 * Base64 of an XML attribute or element → upper-case hex.
 *
 * @throws WsusutilError `UPDATE_MALFORMED` if the text is not canonical Base64 of the algorithm's size
 */
export function digestFromBase64(text: string, algorithm: keyof typeof SIZES): string {
  const hex = hexOf(text, SIZES[algorithm]);
  if (hex !== undefined) return hex;
  throw new WsusutilError(
    'UPDATE_MALFORMED',
    `"${text.slice(0, 100)}" is not the Base64 of a ${algorithm} digest`,
  );
}

/** @returns undefined if the text is not canonical Base64 of a SHA-1 */
export function sha1FromBase64(text: string): Sha1Hex | undefined {
  return hexOf(text, SIZES.SHA1);
}

/**
 * Digit by digit: a package holds a hundred thousand, and through Buffers each took twice as long.
 *
 * @returns undefined if the text is not canonical Base64 of that many bytes
 */
function hexOf(text: string, size: number): string | undefined {
  const last = text.length - 1;
  if (text.length !== 4 * Math.ceil(size / 3) || text.charCodeAt(last) !== PADDING) return undefined;
  let at = 0;
  for (let i = 0; i < last; i += 4) {
    // Both sizes leave two bytes for the end: three digits, the last two bits of which are zero, and one "=".
    const end = i + 3 === last ? 0 : valueAt(text, i + 3);
    const group = (valueAt(text, i) << 18) | (valueAt(text, i + 1) << 12) | (valueAt(text, i + 2) << 6) | end;
    if (group < 0 || (i + 3 === last && (group & 0xff) !== 0)) return undefined;
    for (let shift = 20; shift >= 0; shift -= 4) HEX[at++] = HEX_DIGITS[(group >> shift) & 0x0f] as number;
  }
  return HEX.toString('latin1', 0, 2 * size);
}

function valueAt(text: string, index: number): number {
  const code = text.charCodeAt(index);
  return code < 256 ? (BASE64_VALUES[code] as number) : -1;
}

/** Upper- or lower-case hex → the Base64 that XML carries. */
export function digestToBase64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64');
}
