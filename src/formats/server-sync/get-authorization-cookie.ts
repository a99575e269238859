import { textElement } from '../soap/envelope.js';
import { type ReplyChunks, readResult } from '../soap/reply-reader.js';
import { type AuthorizationCookie, authorizationCookieOf } from './cookies.js';
import { DSS_AUTH_NAMESPACE, type SoapRequest, soapRequest } from './service.js';

/** Who we are to the upstream (server-sync-protocol 3.2). */
export interface Account {
  /** full host name of this downstream, e.g. `dss01.corp.example` */
  readonly name: string;
  /** made once and kept: the upstream lists a new downstream for every new one */
  readonly guid: string;
}

export function writeGetAuthorizationCookie(account: Account): SoapRequest {
  return soapRequest(
    'GetAuthorizationCookie',
    textElement('accountName', account.name) + textElement('accountGuid', account.guid),
    DSS_AUTH_NAMESPACE,
  );
}

/** The errors are those of `readReplyItems`. */
export async function readGetAuthorizationCookieReply(chunks: ReplyChunks): Promise<AuthorizationCookie> {
  return authorizationCookieOf(
    await readResult(chunks, { operation: 'GetAuthorizationCookie', namespace: DSS_AUTH_NAMESPACE }),
  );
}
