/** Keys of encrypted content files (server-sync-protocol 7). */
import { isWsusutilError } from '../errors.js';
import type { Report } from '../events.js';
import type { Sha1Hex } from '../model/digest.js';
import type { UpdateIdentity } from '../model/update-identity.js';
import type { ImportTransaction } from '../store/metadata-store.js';
import type { ServerSyncClient } from './server-sync-client.js';

/**
 * @returns how many keys came; undefined: the upstream does not give keys out (old servers do not know the call), the
 * next run asks again
 */
export async function addDecryptionKeys(
  client: Pick<ServerSyncClient, 'getUpdateDecryptionData'>,
  transaction: ImportTransaction,
  revisions: readonly UpdateIdentity[],
  report: Report,
): Promise<number | undefined> {
  const keys = new Map<Sha1Hex, Uint8Array>();
  try {
    for (const { files } of await client.getUpdateDecryptionData(revisions)) {
      for (const { sha1, decryptionKey } of files) {
        if (decryptionKey !== undefined) keys.set(sha1, Buffer.from(decryptionKey, 'base64'));
      }
    }
  } catch (error) {
    if (!isWsusutilError(error, 'UPSTREAM_FAULT') && !isWsusutilError(error, 'UPSTREAM_MALFORMED'))
      throw error;
    report({
      type: 'warning',
      code: 'DECRYPTION_KEYS_REFUSED',
      message: `The upstream gives out no keys for the encrypted files of ${revisions.length} revisions: ${error.message}. The next run asks again`,
    });
    return undefined;
  }
  await transaction.addDecryptionKeys(keys);
  report({ type: 'step', message: `${keys.size} keys of encrypted files` });
  return keys.size;
}
