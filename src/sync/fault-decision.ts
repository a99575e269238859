/** What a fault means for the call that met it (server-sync-protocol 15.2 to 15.4). Pure; counting is the caller's. */
import type { SoapFault } from '../formats/soap/soap-fault.js';
import { parseUpdateId, type UpdateIdentity } from '../model/update-identity.js';

export type FaultDecision =
  /** Give up. */
  | { readonly action: 'stop' }
  /** Drop both cookies, authorize anew, repeat the call. `refreshConfig`: read the server's limits again too. */
  | { readonly action: 'reauthorize'; readonly refreshConfig: boolean }
  /** The server is another one: drop cookies and every anchor, repeat the call without one. */
  | { readonly action: 'server-changed' }
  /** The anchor is not understood: repeat without it, for a full list. */
  | { readonly action: 'drop-anchor' }
  /** Repeat after a pause that grows. */
  | { readonly action: 'back-off'; readonly pace: 'busy' | 'internal' | 'transport' }
  /** These revisions are not there; ask for the others. */
  | { readonly action: 'leave-out'; readonly missing: readonly UpdateIdentity[] }
  /** One of the batch may be unknown: repeat once, then find it by halving. */
  | { readonly action: 'find-unknown' }
  /** Too many ids at once. */
  | { readonly action: 'halve' }
  /** The upstream does not know these files. */
  | { readonly action: 'files-gone' };

export interface FaultContext {
  /** the call carried an anchor */
  readonly hasAnchor: boolean;
  /** the upstream is Microsoft's own */
  readonly isMicrosoftUpdate: boolean;
  /** repeating does no harm: all but `DownloadFiles` */
  readonly isIdempotent: boolean;
}

/** Parameters that hold an anchor, as faults name them. */
const ANCHOR_PARAMETERS: ReadonlySet<string> = new Set(['filter', 'configAnchor']);

export function decideOnFault(fault: SoapFault, context: FaultContext): FaultDecision {
  // Calls that obtain cookies cannot be mended by obtaining one: the session decides (section 3.3).
  const isAuthorization = AUTHORIZATION.has(fault.operation);
  if (fault.operation === 'GetUpdateData') {
    const missing = missingRevisionsOf(fault);
    if (missing.length > 0) return { action: 'leave-out', missing };
  }
  switch (fault.faultCode) {
    case 'InvalidCookie':
    case 'CookieExpired':
    case 'InvalidAuthorizationCookie':
      return isAuthorization ? { action: 'stop' } : { action: 'reauthorize', refreshConfig: false };
    case 'ConfigChanged':
      return isAuthorization ? { action: 'stop' } : { action: 'reauthorize', refreshConfig: true };
    case 'ServerChanged':
      return isAuthorization ? { action: 'stop' } : { action: 'server-changed' };
    case 'ServerBusy':
      return { action: 'back-off', pace: 'busy' };
    case 'InvalidParameters':
      if (context.hasAnchor && ANCHOR_PARAMETERS.has(fault.faultMessage)) return { action: 'drop-anchor' };
      return { action: 'stop' };
    case 'InternalServerError':
      if (fault.operation === 'GetUpdateData') return { action: 'find-unknown' };
      return context.isIdempotent ? { action: 'back-off', pace: 'internal' } : { action: 'stop' };
    case 'TooManyIds':
      return fault.operation === 'GetDriverSetData' ? { action: 'halve' } : { action: 'stop' };
    case 'FileDigestsMissing':
      return fault.operation === 'DownloadFiles' ? { action: 'files-gone' } : { action: 'stop' };
    case undefined:
      // Microsoft's stack may fault without a code for trouble that passes (15.3).
      return fault.errorCode === undefined && context.isMicrosoftUpdate && context.isIdempotent
        ? { action: 'back-off', pace: 'transport' }
        : { action: 'stop' };
    default:
      return { action: 'stop' };
  }
}

const AUTHORIZATION: ReadonlySet<string> = new Set(['GetAuthConfig', 'GetAuthorizationCookie', 'GetCookie']);

/** Revisions read from one fault; a request never names more. */
const MAX_MISSING_REVISIONS = 10_000;

/**
 * The revisions that Microsoft Update says it does not have: `… Missing Revisions: <guid>.<revision>,…` in the
 * fault's message or, as its code is not known, in the reason. Empty for a fault of another kind.
 */
export function missingRevisionsOf(fault: SoapFault): readonly UpdateIdentity[] {
  const missing: UpdateIdentity[] = [];
  for (const text of [fault.faultMessage, fault.reason]) {
    const at = text.indexOf('Missing Revisions:');
    if (at < 0) continue;
    for (const [, guid, revision] of text
      .slice(at)
      .matchAll(/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})[.:](\d{1,10})/gi)) {
      const updateId = parseUpdateId(guid as string);
      if (updateId !== undefined) missing.push({ updateId, revisionNumber: Number(revision) });
      if (missing.length >= MAX_MISSING_REVISIONS) return missing;
    }
    if (missing.length > 0) break;
  }
  return missing;
}
