/**
 * Anchors: what a downstream hands back to be told only what is new. They look as a WSUS server writes them
 * (server-sync-protocol 17.2), `counter,yyyy-MM-dd HH:mm:ss.fff`, and mean
 *
 * - counter: the highest revision key of the store when the list was made. Keys grow in order of arrival and are never
 *   used again, so this is exact where a clock would not be.
 * - time: of the answer, UTC, to the second
 * - the three digits behind: not milliseconds, but a check taken from the document of the revision with that key. A
 *   store that was put back from a backup and has gone another way since has another revision under that key (or none):
 *   its old anchors are told apart, but for one in a thousand, and answered with a full list. Cookies hold a longer
 *   check and bring `ServerChanged` before it comes to that (cookie-seal.ts).
 *
 * Anchors of another server, e.g. of the one that was replaced by this, fail the check in the same way.
 */

/** A key, and a number that only the store in which it stands for the same revision gives. */
export interface StorePoint {
  /** 0: before the first revision */
  readonly key: number;
  /** 0 … 2^32 − 1; 0 for key 0 */
  readonly check: number;
}

const WINDOWS_FORM = /^(\d{1,10}),(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\.(\d{3})$/;
/** Microsoft Update's, and of sources that leave the fraction out. */
const TIME_FORM = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,7})?$/;
const MAX_COUNTER = 2 ** 31 - 1;

export function formatAnchor({ key, check }: StorePoint, now: Date): string {
  const time = now.toISOString().slice(0, 19).replace('T', ' ');
  return `${key},${time}.${String(check % 1000).padStart(3, '0')}`;
}

/**
 * - `point`: in the form this server writes; `digits` are those of the check
 * - `foreign`: an anchor, but not one of ours
 */
export type ReadAnchor =
  | { readonly form: 'point'; readonly key: number; readonly digits: number }
  | { readonly form: 'foreign' };

/** @returns undefined if the text is no anchor of any server */
export function parseAnchor(text: string): ReadAnchor | undefined {
  const match = WINDOWS_FORM.exec(text);
  if (match === null) return TIME_FORM.test(text) ? { form: 'foreign' } : undefined;
  const key = Number(match[1]);
  return key > MAX_COUNTER ? { form: 'foreign' } : { form: 'point', key, digits: Number(match[3]) };
}

/** Whether an anchor was made from `point`. */
export function isAnchorOf({ key, check }: StorePoint, anchor: ReadAnchor): boolean {
  return anchor.form === 'point' && anchor.key === key && anchor.digits === check % 1000;
}
