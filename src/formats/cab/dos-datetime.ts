/** DOS date and time as cabinets keep them: 1980–2107 in steps of two seconds, without a zone; we use UTC. */

export interface DosDateTime {
  /** (year − 1980) << 9 | month << 5 | day */
  readonly date: number;
  /** hour << 11 | minute << 5 | seconds / 2 */
  readonly time: number;
}

const EARLIEST: DosDateTime = { date: (1 << 5) | 1, time: 0 };
const LATEST: DosDateTime = { date: (127 << 9) | (12 << 5) | 31, time: (23 << 11) | (59 << 5) | 29 };

/** The nearest the format can hold; odd seconds round down. */
export function toDosDateTime(instant: Date): DosDateTime {
  const year = instant.getUTCFullYear();
  if (Number.isNaN(year) || year < 1980) return EARLIEST;
  if (year > 2107) return LATEST;
  return {
    date: ((year - 1980) << 9) | ((instant.getUTCMonth() + 1) << 5) | instant.getUTCDate(),
    time: (instant.getUTCHours() << 11) | (instant.getUTCMinutes() << 5) | (instant.getUTCSeconds() >>> 1),
  };
}

/** @returns `undefined` for zeros (the update blobs of real servers have them) and for what no calendar holds */
export function fromDosDateTime({ date, time }: DosDateTime): Date | undefined {
  const year = 1980 + (date >>> 9);
  const month = (date >>> 5) & 15;
  const day = date & 31;
  const hour = time >>> 11;
  const minute = (time >>> 5) & 63;
  const second = (time & 31) * 2;
  if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59) return undefined;
  const instant = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  return instant.getUTCDate() === day ? instant : undefined; // 31 February and day 0 move to another day
}
