import { WsusutilError } from '../errors.js';

const FACTORS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
};

/**
 * Reads `4300M`, `1.5G`, `700000`: bytes, with the binary units that `split` and 7-Zip use.
 *
 * @throws WsusutilError `USAGE`
 */
export function parseSize(text: string): number {
  const match = /^(\d{1,15}(?:\.\d{1,3})?)([kmgt]?)(?:i?b)?$/i.exec(text.trim());
  const bytes =
    match === null
      ? 0
      : Math.floor(Number(match[1]) * (FACTORS[(match[2] as string).toLowerCase()] as number));
  if (bytes <= 0 || !Number.isSafeInteger(bytes)) {
    throw new WsusutilError('USAGE', `"${text}" is not a size`, {
      hint: 'Write it as 500K, 4300M, 1.5G or a number of bytes, more than none.',
    });
  }
  return bytes;
}
