/**
 * Names in a transfer package. Whatever unpacks one, on whatever system, each name must mean one file below the
 * folder it is unpacked in, and no two names the same file.
 */
import { MAX_PATH_SIZE } from './limits.js';

export const MANIFEST_NAME = 'manifest.json';
export const VOLUME_NAME = 'volume.json';
export const SETTINGS_NAME = 'settings.json';
export const METADATA_FOLDER = 'metadata';
export const CONTENT_FOLDER = 'WsusContent';

/** Entries that lie in no folder. `approvals.json` is kept for a kind to come. */
const TOP_LEVEL_NAMES: readonly string[] = [SETTINGS_NAME, 'approvals.json'];

/** Names of devices on Windows, with any extension. */
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|clock\$|com[0-9¹²³]|lpt[0-9¹²³])(?: *\..*)?$/i;
const BYTE_FOLDER = /^[0-9A-F]{2}$/;
/** `<SHA1>` or `<SHA1>.<ext>` (package-formats 5.2) */
const CONTENT_NAME = /^[0-9A-F]{40}(?:\.[a-z0-9_-]{1,16})?$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f"*:<>?\\|\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/**
 * Why no entry may have the name `path`, as the end of a sentence that starts with the name; undefined for a good
 * one. Says nothing about other entries of the same name: see {@link collisionKey}.
 */
export function nameProblem(path: string): string | undefined {
  if (path === '') return 'is empty';
  if (Buffer.byteLength(path) > MAX_PATH_SIZE) return `is longer than ${MAX_PATH_SIZE} bytes`;
  if (FORBIDDEN.test(path)) return 'holds a character that is not allowed in names';
  if (path.startsWith('/')) return 'is absolute';
  if (path.normalize('NFC') !== path) return 'is not in Unicode form NFC';
  const segments = path.split('/');
  for (const segment of segments) {
    if (segment === '') return 'has an empty segment';
    if (segment === '.' || segment === '..') return 'leads out of its folder';
    if (/[. ]$|^ /.test(segment)) return 'has a segment with a dot or blank at its end, or a blank before it';
    if (DEVICE.test(segment)) return 'is the name of a device on Windows';
  }
  const [folder, second, third, ...more] = segments;
  if (second === undefined) {
    return TOP_LEVEL_NAMES.includes(path) ? undefined : 'is not a known name';
  }
  if (folder === METADATA_FOLDER) return third === undefined ? undefined : 'lies too deep';
  if (folder !== CONTENT_FOLDER) return 'lies in a folder that packages do not have';
  if (third === undefined || more.length > 0 || !BYTE_FOLDER.test(second) || !CONTENT_NAME.test(third)) {
    return 'is not the path of a content file, WsusContent/XX/<SHA1>.<extension>';
  }
  return third.slice(38, 40) === second ? undefined : 'lies in the folder of another digest';
}

/** SHA-1 a content path is named after; undefined for a path elsewhere. `path` must be a good name. */
export function sha1OfPath(path: string): string | undefined {
  return path.startsWith(`${CONTENT_FOLDER}/`)
    ? path.slice(CONTENT_FOLDER.length + 4, CONTENT_FOLDER.length + 44)
    : undefined;
}

/** Two names with the same key are one file on some system. */
export function collisionKey(path: string): string {
  return path.normalize('NFC').toLowerCase().toUpperCase().normalize('NFC');
}

/** Name of a part in the tar: `<path>.part-0001`. @param number from 1 */
export function partName(path: string, number: number): string {
  return `${path}.part-${String(number).padStart(4, '0')}`;
}

/** Name of a signature file: `manifest.json.minisig`, then `manifest.json.2.minisig`. @param number from 1 */
export function signatureName(number: number): string {
  return number === 1 ? `${MANIFEST_NAME}.minisig` : `${MANIFEST_NAME}.${number}.minisig`;
}
