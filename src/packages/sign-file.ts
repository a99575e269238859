import { basename } from 'node:path';
import { WsusutilError } from '../errors.js';
import { MAX_UNTRUSTED_COMMENT_SIZE } from '../formats/minisign/limits.js';
import { commentProblem } from '../formats/minisign/lines.js';
import type { SecretKey } from '../formats/minisign/secret-key.js';
import { serializeSignature, signDigest, verifySignature } from '../formats/minisign/signature.js';
import { createAtomicFile } from '../platform/atomic-file.js';
import { openFileSource } from '../platform/file-source.js';
import {
  type CheckOptions,
  hashFile,
  MAX_SIGNATURES,
  readSignatures,
  signaturePathOf,
} from './check-signatures.js';

export interface SignOptions extends CheckOptions {
  /** what the signature says about itself; undefined: time and name of the file, as minisign writes it */
  readonly comment: string | undefined;
  readonly now: () => Date;
}

export interface SignedFile {
  readonly signaturePath: string;
  readonly trustedComment: string;
  /** bytes of the file that is signed */
  readonly size: number;
  /** this key had signed it already, and nothing was written */
  readonly wasSigned: boolean;
}

/**
 * Signs a file, beside it: under the first free number, where others have signed it before.
 *
 * @throws WsusutilError `SIGNATURE_INVALID` if this key has signed the file before it was changed, or another signature is
 *   malformed; `LIMIT_EXCEEDED`, `USAGE` for a comment that cannot be one; `INPUT_NOT_FOUND`, `READ_FAILED`,
 *   `TARGET_EXISTS`, `DISK_FULL`, `READ_ONLY`, `WRITE_FAILED`, `INTERRUPTED`
 */
export async function signFile(
  path: string,
  secretKey: SecretKey,
  options: SignOptions,
): Promise<SignedFile> {
  const found = await readSignatures(path);
  const source = await openFileSource(path);
  try {
    const digest = await hashFile(source, options);
    const { publicKey } = secretKey;
    for (const { path: signaturePath, signature } of found.values()) {
      if (signature.keyId !== publicKey.keyId || !signature.isPrehashed) continue;
      verifySignature(signature, publicKey, digest, { signature: signaturePath, content: path });
      const { trustedComment } = signature;
      return { signaturePath, trustedComment, size: source.size, wasSigned: true };
    }
    let number = 1;
    while (found.has(number)) number++;
    if (number > MAX_SIGNATURES) {
      throw new WsusutilError(
        'LIMIT_EXCEEDED',
        `${path} has ${MAX_SIGNATURES} signatures, which is the most`,
        {
          hint: 'Remove those that nobody asks for any more.',
        },
      );
    }
    const trusted = options.comment ?? defaultComment(path, options.now());
    const signature = signDigest(secretKey, digest, { trusted });
    const signaturePath = signaturePathOf(path, number);
    const file = await createAtomicFile(signaturePath, { replace: false });
    try {
      await file.write(Buffer.from(serializeSignature(signature)));
      await file.commit();
    } catch (error) {
      await file.discard();
      throw error;
    }
    return { signaturePath, trustedComment: trusted, size: source.size, wasSigned: false };
  } finally {
    await source.close();
  }
}

/** What minisign writes; without the name of the file where that could not stand in a comment. */
function defaultComment(path: string, now: Date): string {
  const name = basename(path).replaceAll('\t', '\0');
  const timestamp = `timestamp:${Math.floor(now.getTime() / 1000)}`;
  const whole = `${timestamp}\tfile:${name}\thashed`;
  const isFit = commentProblem(name, MAX_UNTRUSTED_COMMENT_SIZE - timestamp.length - 20) === undefined;
  return isFit ? whole : `${timestamp}\thashed`;
}
