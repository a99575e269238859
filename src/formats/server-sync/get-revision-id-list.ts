import type { UpdateIdentity } from '../../model/update-identity.js';
import { parentElement, textElement } from '../soap/envelope.js';
import { type ReplyChunks, type ReplyLimits, readReplyItems, resultOf } from '../soap/reply-reader.js';
import { optionalText } from '../soap/soap-element.js';
import { type Cookie, writeCookie } from './cookies.js';
import {
  type IdAndDelta,
  identityOf,
  USUAL_IDENTITY,
  usualIdentityOf,
  writeIdsAndDelta,
} from './identities.js';
import { SERVER_SYNC_NAMESPACE, type SoapRequest, soapRequest } from './service.js';

/** `ServerSyncFilter` (server-sync-protocol 5). */
export interface RevisionIdFilter {
  /** the last anchor of the same kind of call; undefined: a full list */
  readonly anchor: string | undefined;
  /** true: categories, classifications and detectoids; false: software and drivers */
  readonly getConfig: boolean;
  /** Product ids. Both lists or none: with one alone every known server answers with nothing. */
  readonly categories?: readonly IdAndDelta[] | undefined;
  readonly classifications?: readonly IdAndDelta[] | undefined;
  /** LCIDs. No effect is known; left out by default. */
  readonly languages?: readonly { readonly id: number; readonly delta: boolean }[] | undefined;
}

const SHAPE = {
  operation: 'GetRevisionIdList',
  namespace: SERVER_SYNC_NAMESPACE,
  streamed: { NewRevisions: 'UpdateIdentity' },
  usual: { NewRevisions: { head: USUAL_IDENTITY, tail: undefined } },
} as const;

/** `Get63LanguageOnly` is always sent, as false: Microsoft Update asks for it, WSUS does not mind. */
export function writeGetRevisionIdList(cookie: Cookie, filter: RevisionIdFilter): SoapRequest {
  return soapRequest(
    'GetRevisionIdList',
    writeCookie(cookie) +
      parentElement(
        'filter',
        textElement('Anchor', filter.anchor) +
          textElement('GetConfig', filter.getConfig) +
          textElement('Get63LanguageOnly', false) +
          writeIdsAndDelta('Categories', 'IdAndDelta', filter.categories) +
          writeIdsAndDelta('Classifications', 'IdAndDelta', filter.classifications) +
          writeIdsAndDelta('Languages', 'LanguageAndDelta', filter.languages),
      ),
  );
}

/**
 * Streams the revisions, some at a time, in the server's order, which means nothing, then returns the anchor; several revisions of
 * one update occur. The errors are those of `readReplyItems`.
 */
export async function* readGetRevisionIdListReply(
  chunks: ReplyChunks,
  limits: ReplyLimits = {},
): AsyncGenerator<readonly UpdateIdentity[], { readonly anchor: string | undefined }, undefined> {
  const items = readReplyItems(chunks, SHAPE, limits);
  try {
    for (;;) {
      const next = await items.next();
      if (next.done === true) return { anchor: optionalText(resultOf(next.value, SHAPE), 'Anchor') };
      yield next.value.map((item) =>
        item.element === undefined ? usualIdentityOf(item.fields) : identityOf(item.element),
      );
    }
  } finally {
    await items.return(undefined);
  }
}
