import { digestToBase64, type Sha1Hex } from '../../model/digest.js';
import { listElement, textElement } from '../soap/envelope.js';
import { type ReplyChunks, readReply } from '../soap/reply-reader.js';
import type { SoapFault } from '../soap/soap-fault.js';
import { type Cookie, writeCookie } from './cookies.js';
import { SERVER_SYNC_NAMESPACE, type SoapRequest, soapRequest } from './service.js';

/** Digests in one `DownloadFiles` (server-sync-protocol 8). */
export const MAX_DIGESTS_PER_DOWNLOAD = 100;
/** Digests read from one `FileDigestsMissing`. */
const MAX_MISSING_DIGESTS = 1_000;

/**
 * Asks the upstream to fetch files from its own upstream. It changes state there.
 *
 * @param sha1s 1 to {@link MAX_DIGESTS_PER_DOWNLOAD}
 */
export function writeDownloadFiles(cookie: Cookie, sha1s: readonly Sha1Hex[]): SoapRequest {
  return soapRequest(
    'DownloadFiles',
    writeCookie(cookie) +
      listElement('fileDigestList', sha1s, (sha1) => textElement('base64Binary', digestToBase64(sha1))),
  );
}

/** Success says only that the upstream has taken the wish. The errors are those of `readReplyItems`. */
export async function readDownloadFilesReply(chunks: ReplyChunks): Promise<void> {
  await readReply(chunks, { operation: 'DownloadFiles', namespace: SERVER_SYNC_NAMESPACE });
}

/** The files a `FileDigestsMissing` fault names: Base64 or hex joined by `|`; anything else is passed over. */
export function missingDigestsOf(fault: SoapFault): readonly Sha1Hex[] {
  const missing = new Set<Sha1Hex>();
  for (const part of fault.faultMessage.split('|', MAX_MISSING_DIGESTS)) {
    const text = part.trim();
    const bytes = /^[0-9a-f]{40}$/i.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64');
    if (bytes.length === 20) missing.add(bytes.toString('hex').toUpperCase());
  }
  return [...missing];
}
