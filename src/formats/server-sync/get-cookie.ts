import { listElement, textElement } from '../soap/envelope.js';
import { type ReplyChunks, readResult } from '../soap/reply-reader.js';
import {
  type AuthorizationCookie,
  type Cookie,
  cookieOf,
  writeAuthorizationCookie,
  writeCookie,
} from './cookies.js';
import { SERVER_SYNC_NAMESPACE, type SoapRequest, soapRequest } from './service.js';

/** server-sync-protocol 3.3 */
export interface GetCookieRequest {
  readonly authorizationCookie: AuthorizationCookie;
  /** the last cookie of this upstream; undefined on first contact */
  readonly oldCookie: Cookie | undefined;
  /** `major.minor`, integers */
  readonly protocolVersion: string;
}

export function writeGetCookie(request: GetCookieRequest): SoapRequest {
  return soapRequest(
    'GetCookie',
    listElement('authCookies', [request.authorizationCookie], writeAuthorizationCookie) +
      (request.oldCookie === undefined ? '' : writeCookie(request.oldCookie, 'oldCookie')) +
      textElement('protocolVersion', request.protocolVersion),
  );
}

/** The errors are those of `readReplyItems`. */
export async function readGetCookieReply(chunks: ReplyChunks): Promise<Cookie> {
  return cookieOf(await readResult(chunks, { operation: 'GetCookie', namespace: SERVER_SYNC_NAMESPACE }));
}
