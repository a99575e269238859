import type { UpdateId, UpdateIdentity } from '../../model/update-identity.js';
import { type ReplyChunks, readReplyItems } from '../soap/reply-reader.js';
import { type Cookie, writeCookie } from './cookies.js';
import { identityOf, writeGuids } from './identities.js';
import { SERVER_SYNC_NAMESPACE, type SoapRequest, soapRequest } from './service.js';

const SHAPE = {
  operation: 'GetRelatedRevisionsForUpdates',
  namespace: SERVER_SYNC_NAMESPACE,
  streamedResult: 'UpdateIdentity',
} as const;

/** `updateIDs`, with capitals here and nowhere else (server-sync-protocol 9). */
export function writeGetRelatedRevisions(cookie: Cookie, updateIds: readonly UpdateId[]): SoapRequest {
  return soapRequest(
    'GetRelatedRevisionsForUpdates',
    writeCookie(cookie) + writeGuids('updateIDs', updateIds),
  );
}

/** The current revisions of those updates, and of updates related to them. The errors are those of `readReplyItems`. */
export async function readGetRelatedRevisionsReply(chunks: ReplyChunks): Promise<readonly UpdateIdentity[]> {
  const identities: UpdateIdentity[] = [];
  for await (const items of readReplyItems(chunks, SHAPE)) {
    for (const { element } of items) identities.push(identityOf(element));
  }
  return identities;
}
