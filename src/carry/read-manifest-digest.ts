import { createHash } from 'node:crypto';
import { throwIfInterrupted, WsusutilError } from '../errors.js';
import { MANIFEST_NAME } from '../formats/transfer-package/entry-names.js';
import { MAX_MANIFEST_SIZE } from '../formats/transfer-package/limits.js';
import { ManifestParser } from '../formats/transfer-package/parse-manifest.js';
import type { Sha256Hex } from '../model/digest.js';
import { openFileSource } from '../platform/file-source.js';
import { readParts } from './open-volumes.js';

/** `{"format":…` */
const OPENING_BRACE = 0x7b;

/**
 * The digest of the manifest in a volume of a package, or in a `manifest.json` that was taken out of one.
 *
 * @throws WsusutilError `INPUT_NOT_FOUND`, `READ_FAILED`, `NOT_A_PACKAGE`, `INTERRUPTED`; those of reading a manifest
 */
export async function readManifestDigest(path: string, signal: AbortSignal): Promise<Sha256Hex> {
  const source = await openFileSource(path);
  try {
    const first = await source.read(0, Math.min(1, source.size));
    if (first[0] === OPENING_BRACE) {
      if (source.size > MAX_MANIFEST_SIZE) {
        throw new WsusutilError('LIMIT_EXCEEDED', `${path} is too large for a ${MANIFEST_NAME}`);
      }
      const parser = new ManifestParser();
      const sha256 = createHash('sha256');
      for await (const chunk of source.chunks()) {
        throwIfInterrupted(signal, `reading ${path}`);
        parser.write(chunk);
        sha256.update(chunk);
      }
      parser.end();
      return sha256.digest('hex').toUpperCase();
    }
  } finally {
    await source.close();
  }
  for await (const part of readParts(path, { known: undefined, signal })) {
    if (part.type === 'manifest') return part.digest;
  }
  throw new Error('a volume ended without its manifest');
}
