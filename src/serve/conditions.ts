/** Conditional requests (RFC 9110, 13) for a file with a strong tag and a time of change. */
import type { IncomingHttpHeaders } from 'node:http';

export interface Validators {
  /** with its quotes */
  readonly etag: string;
  /** milliseconds since 1970 */
  readonly modifiedAt: number;
}

/** `failed`: 412; `unchanged`: 304; `met`: go on */
export type ConditionResult = 'met' | 'failed' | 'unchanged';

/** In the order the RFC asks for (13.2.2); for GET and HEAD. */
export function evaluateConditions(
  headers: IncomingHttpHeaders,
  { etag, modifiedAt }: Validators,
): ConditionResult {
  const ifMatch = headers['if-match'];
  const modified = Math.floor(modifiedAt / 1000) * 1000;
  if (ifMatch !== undefined) {
    if (!names(ifMatch, etag, 'strong')) return 'failed';
  } else {
    const since = timeOf(headers['if-unmodified-since']);
    if (since !== undefined && modified > since) return 'failed';
  }
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined) return names(ifNoneMatch, etag, 'weak') ? 'unchanged' : 'met';
  const since = timeOf(headers['if-modified-since']);
  return since !== undefined && modified <= since ? 'unchanged' : 'met';
}

/** Whether `Range` counts: `If-Range` is absent or names this very file. */
export function isRangeValid(header: string | undefined, { etag, modifiedAt }: Validators): boolean {
  if (header === undefined) return true;
  if (header.startsWith('"')) return header.trim() === etag;
  return timeOf(header) === Math.floor(modifiedAt / 1000) * 1000;
}

function names(header: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  if (header.trim() === '*') return true;
  return header.split(',').some((part) => {
    const tag = part.trim();
    return tag === etag || (comparison === 'weak' && tag === `W/${etag}`);
  });
}

/** `undefined` for what is no date: such a header is ignored. */
function timeOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const time = Date.parse(header);
  return Number.isNaN(time) ? undefined : time;
}
