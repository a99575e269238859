import { WsusutilError } from '../errors.js';

const MAX_LENGTH = 64;

/**
 * The name of a destination, which stands in manifests, messages and receipts: one line that can be shown and typed.
 *
 * @throws WsusutilError `USAGE`
 */
export function checkDestination(name: string): string {
  const isGood =
    name.length <= MAX_LENGTH &&
    name.trim() === name &&
    name !== '' &&
    /^[\p{L}\p{N}][\p{L}\p{N} ._-]*$/u.test(name);
  if (isGood) return name.normalize('NFC');
  throw new WsusutilError('USAGE', `${JSON.stringify(name)} cannot be the name of a destination`, {
    hint: `Give at most ${MAX_LENGTH} letters, digits, blanks, dots, hyphens and underscores.`,
  });
}
