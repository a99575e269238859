import { parseUpdateDocument } from '../formats/update-xml/parse-update.js';
import type { Sha1Hex } from '../model/digest.js';
import type { ContentIndex } from '../store/content-index.js';
import type { MetadataStore } from '../store/metadata-store.js';

/** Documents that are read to learn whether a file is encrypted. */
const MAX_DOCUMENTS = 3;

/**
 * True if a file is served encrypted: there is a key for it, or a document that lists it says so. Its digests may be
 * those of the plain file, so that what is served never matches them (server-sync-protocol 7).
 */
export async function isEncryptedFile(
  store: MetadataStore,
  index: ContentIndex,
  sha1: Sha1Hex,
): Promise<boolean> {
  if ((await store.syncState().withDecryptionKey([sha1])).has(sha1)) return true;
  const users = (await index.users([sha1], MAX_DOCUMENTS)).get(sha1)?.revisions ?? [];
  const keys = users.map(({ key }) => key).sort((a, b) => a - b);
  for await (const documents of store.readDocuments(keys)) {
    for (const { document } of documents) {
      const { files } = parseUpdateDocument(document);
      if (files.some((file) => file.sha1 === sha1 && file.isEncrypted)) return true;
    }
  }
  return false;
}
