import type { Sha1Hex } from '../../model/digest.js';
import type { UpdateIdentity } from '../../model/update-identity.js';
import { type ReplyChunks, readReply } from '../soap/reply-reader.js';
import { base64TextOf, childOf, itemsOf, sha1Of, unexpected } from '../soap/soap-element.js';
import { type Cookie, writeCookie } from './cookies.js';
import { identityOf, writeIdentities } from './identities.js';
import { SERVER_SYNC_NAMESPACE, type SoapRequest, soapRequest } from './service.js';

/** Keys of one revision's encrypted files (server-sync-protocol 7). */
export interface UpdateDecryption {
  readonly identity: UpdateIdentity;
  readonly files: readonly {
    readonly sha1: Sha1Hex;
    /** Base64, a secret; undefined for a file that is not encrypted */
    readonly decryptionKey: string | undefined;
  }[];
}

/** @param identities at most `maxUpdatesPerDecryptionRequest` */
export function writeGetUpdateDecryptionData(
  cookie: Cookie,
  identities: readonly UpdateIdentity[],
): SoapRequest {
  return soapRequest(
    'GetUpdateDecryptionData',
    writeCookie(cookie) + writeIdentities('updateIds', identities),
  );
}

/** The errors are those of `readReplyItems`. */
export async function readGetUpdateDecryptionDataReply(
  chunks: ReplyChunks,
): Promise<readonly UpdateDecryption[]> {
  const result = await readReply(chunks, {
    operation: 'GetUpdateDecryptionData',
    namespace: SERVER_SYNC_NAMESPACE,
  });
  if (result === undefined) return [];
  return itemsOf(result, 'UpdateFileDecryptionData', 'ServerSyncUpdateFileDecryption').map((update) => {
    const id = childOf(update, 'UpdateId');
    if (id === undefined) throw unexpected('decryption data has no UpdateId');
    const files = itemsOf(update, 'FileDecryptionData', 'ServerSyncFileDecryption').map((file) => {
      const digest = childOf(file, 'FileDigest');
      const key = childOf(file, 'DecryptionKey');
      if (digest === undefined) throw unexpected('a decryption key has no FileDigest');
      return {
        sha1: sha1Of(digest),
        decryptionKey: key === undefined || key.text === '' ? undefined : base64TextOf(key),
      };
    });
    return { identity: identityOf(id), files };
  });
}
