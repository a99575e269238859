import { WsusutilError } from '../errors.js';

const MILLISECONDS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/**
 * Reads `90s`, `30m`, `2h`, `30d`, `6w`: milliseconds, more than none.
 *
 * @throws WsusutilError `USAGE`
 */
export function parseDuration(text: string): number {
  const match = /^(\d{1,6})([smhdw])$/i.exec(text.trim());
  const milliseconds =
    match === null ? 0 : Number(match[1]) * (MILLISECONDS[(match[2] as string).toLowerCase()] as number);
  if (milliseconds <= 0) {
    throw new WsusutilError('USAGE', `"${text}" is not a length of time`, {
      hint: 'Write it as 90s, 30m, 2h, 7d or 6w.',
    });
  }
  return milliseconds;
}
