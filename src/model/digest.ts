import { WsusutilError } from '../errors.js';

/** SHA-1 of a content file: 40 upper-case hex digits, as WSUS writes it in file names. Base64 in XML. */
export type Sha1Hex = string;
/** SHA-256 of a content file: 64 upper-case hex digits. */
export type Sha256Hex = string;

const SIZES = { SHA1: 20, SHA256: 32 } as const;

/**
 * Base64 of an XML attribute or element → upper-case hex.
 *
 * @throws WsusutilError `UPDATE_MALFORMED` if the text is not canonical Base64 of the algorithm's size
 */
export function digestFromBase64(text: string, algorithm: keyof typeof SIZES): string {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== SIZES[algorithm] || bytes.toString('base64') !== text) {
    throw new WsusutilError(
      'UPDATE_MALFORMED',
      `"${text.slice(0, 100)}" is not the Base64 of a ${algorithm} digest`,
    );
  }
  return bytes.toString('hex').toUpperCase();
}

/** @returns undefined if the text is not canonical Base64 of a SHA-1 */
export function sha1FromBase64(text: string): Sha1Hex | undefined {
  try {
    return digestFromBase64(text, 'SHA1');
  } catch {
    return undefined;
  }
}

/** Upper- or lower-case hex → the Base64 that XML carries. */
export function digestToBase64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64');
}
