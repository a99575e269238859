import { WsusutilError } from '../../errors.js';
import type { Sha1Hex } from '../../model/digest.js';
import { formatIdentity, type UpdateIdentity } from '../../model/update-identity.js';
import { type ReplyChunks, type ReplyLimits, readReplyItems, resultOf } from '../soap/reply-reader.js';
import {
  base64BytesOf,
  base64BytesOfText,
  base64TextOf,
  childOf,
  itemsOf,
  optionalText,
  type SoapElement,
  sha1Of,
  sha1OfText,
  unexpected,
} from '../soap/soap-element.js';
import { type Cookie, writeCookie } from './cookies.js';
import { identityOf, usualIdentityOf, writeIdentities } from './identities.js';
import { SERVER_SYNC_NAMESPACE, type SoapRequest, soapRequest } from './service.js';
import type { UpdateBlob } from './update-blob.js';

/** `ServerSyncUpdateData` (server-sync-protocol 6). */
export interface ServerUpdate {
  readonly identity: UpdateIdentity;
  readonly blob: UpdateBlob;
  /** SHA-1 of each content file; empty for updates without files */
  readonly fileSha1s: readonly Sha1Hex[];
}

/** `ServerSyncUrlData`: where a content file lies. One file may occur several times. */
export interface FileLocation {
  readonly sha1: Sha1Hex;
  /** at Microsoft; undefined for packages published locally */
  readonly muUrl: string | undefined;
  /** at the upstream; real servers leave it empty */
  readonly ussUrl: string | undefined;
  /** Base64; a secret */
  readonly decryptionKey: string | undefined;
}

export type UpdateDataItem =
  | { readonly type: 'update'; readonly update: ServerUpdate }
  | { readonly type: 'file-location'; readonly location: FileLocation };

const SHAPE = {
  operation: 'GetUpdateData',
  namespace: SERVER_SYNC_NAMESPACE,
  streamed: { updates: 'ServerSyncUpdateData', fileUrls: 'ServerSyncUrlData' },
  unchecked: 'XmlUpdateBlobCompressed',
  /** As WSUS 2025 and Microsoft Update write them; reading the elements one by one took three times as long. */
  usual: {
    updates: {
      head: /<ServerSyncUpdateData><Id><UpdateID>([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})<\/UpdateID><RevisionNumber>([0-9]{1,9})<\/RevisionNumber><\/Id>(?:<FileDigestList>((?:<base64Binary>[A-Za-z0-9+/]{27}=<\/base64Binary>)*)<\/FileDigestList>)?<XmlUpdateBlobCompressed>(?!<)/y,
      tail: '</XmlUpdateBlobCompressed></ServerSyncUpdateData>',
    },
    fileUrls: {
      head: /<ServerSyncUrlData><FileDigest>([A-Za-z0-9+/]{27}=)<\/FileDigest><MUUrl>([!#-%'-;=?-~]{1,1000})<\/MUUrl><UssUrl ?\/><\/ServerSyncUrlData>/y,
      tail: undefined,
    },
  },
} as const;
/** `<base64Binary>`, a SHA-1, `</base64Binary>` */
const DIGEST_AT = 14;
const DIGEST_SIZE = 28;
const DIGEST_STEP = DIGEST_AT + DIGEST_SIZE + 15;

/** @param identities without duplicates, at most `maxUpdatesPerRequest` */
export function writeGetUpdateData(cookie: Cookie, identities: readonly UpdateIdentity[]): SoapRequest {
  return soapRequest('GetUpdateData', writeCookie(cookie) + writeIdentities('updateIds', identities));
}

/**
 * Streams what the upstream sent, some items at a time, in its order: real ones send the updates first. Fewer updates than asked for is
 * normal (6.1). Documents are not decoded yet (`decodeUpdateBlob`), so one that is damaged leaves the others alone.
 * The errors are those of `readReplyItems`.
 */
export async function* readGetUpdateDataReply(
  chunks: ReplyChunks,
  limits: ReplyLimits = {},
): AsyncGenerator<readonly UpdateDataItem[], void, undefined> {
  const items = readReplyItems(chunks, SHAPE, limits);
  try {
    for (;;) {
      const next = await items.next();
      if (next.done === true) {
        resultOf(next.value, SHAPE);
        return;
      }
      yield next.value.map((item) =>
        item.list === 'updates'
          ? {
              type: 'update',
              update: item.element === undefined ? usualUpdateOf(item.fields) : updateOf(item.element),
            }
          : {
              type: 'file-location',
              location: item.element === undefined ? usualLocationOf(item.fields) : locationOf(item.element),
            },
      );
    }
  } finally {
    await items.return(undefined);
  }
}

function usualUpdateOf(fields: readonly (string | undefined)[]): ServerUpdate {
  const [, , digests = '', blob = ''] = fields;
  const fileSha1s: Sha1Hex[] = [];
  for (let at = DIGEST_AT; at < digests.length; at += DIGEST_STEP) {
    fileSha1s.push(sha1OfText(digests.slice(at, at + DIGEST_SIZE), 'base64Binary'));
  }
  return {
    identity: usualIdentityOf(fields),
    blob: { form: 'cabinet', bytes: base64BytesOfText(blob, 'XmlUpdateBlobCompressed') },
    fileSha1s,
  };
}

function usualLocationOf([digest = '', muUrl]: readonly (string | undefined)[]): FileLocation {
  return { sha1: sha1OfText(digest, 'FileDigest'), muUrl, ussUrl: undefined, decryptionKey: undefined };
}

function updateOf(element: SoapElement): ServerUpdate {
  const id = childOf(element, 'Id');
  if (id === undefined) throw unexpected('an update has no Id');
  const identity = identityOf(id);
  const plain = childOf(element, 'XmlUpdateBlob')?.text;
  const compressed = childOf(element, 'XmlUpdateBlobCompressed');
  const hasPlain = plain !== undefined && plain !== '';
  const hasCompressed = compressed !== undefined && compressed.text !== '';
  if (hasPlain === hasCompressed) {
    throw new WsusutilError(
      'UPSTREAM_MALFORMED',
      `The upstream sent update ${formatIdentity(identity)} with ${hasPlain ? 'two documents' : 'no document'}`,
      { hint: 'Please report this with the kind and version of the upstream.' },
    );
  }
  return {
    identity,
    blob: hasPlain
      ? { form: 'plain', text: plain }
      : { form: 'cabinet', bytes: base64BytesOf(compressed as SoapElement) },
    fileSha1s: itemsOf(element, 'FileDigestList', 'base64Binary').map(sha1Of),
  };
}

function locationOf(element: SoapElement): FileLocation {
  const digest = childOf(element, 'FileDigest');
  if (digest === undefined) throw unexpected('a file location has no FileDigest');
  const key = childOf(element, 'DecryptionKey');
  return {
    sha1: sha1Of(digest),
    muUrl: optionalText(element, 'MUUrl'),
    ussUrl: optionalText(element, 'UssUrl'),
    decryptionKey: key === undefined || key.text === '' ? undefined : base64TextOf(key),
  };
}
