/**
 * Signature files of minisign: four lines.
 *
 *     untrusted comment: …
 *     Base64 of  "ED" or "Ed"  key id 8  signature 64
 *     trusted comment: …
 *     Base64 of the signature 64 over the first signature and the trusted comment
 *
 * "ED" signs the BLAKE2b-512 of the content, so that it need not be in memory; "Ed", the old kind, the content itself.
 */
import { createHash } from 'node:crypto';
import { WsusutilError } from '../../errors.js';
import { ED25519_SIGNATURE_SIZE, isSignatureOf } from './ed25519.js';
import { MAX_SIGNATURE_FILE_SIZE, MAX_TRUSTED_COMMENT_SIZE, MAX_UNTRUSTED_COMMENT_SIZE } from './limits.js';
import {
  commentProblem,
  formatKeyId,
  keyIdBytes,
  malformed,
  readBase64,
  readComment,
  readLines,
  refuseMoreLines,
  type TextSource,
} from './lines.js';
import { ALGORITHM, KEY_ID_SIZE, type PublicKey, UNTRUSTED_PREFIX } from './public-key.js';
import type { SecretKey } from './secret-key.js';

const TRUSTED_PREFIX = 'trusted comment: ';
const PREHASHED = Buffer.from('ED');

export interface Signature {
  /** of the key that made it, 16 upper-case hex digits; nothing vouches for it before it is verified */
  readonly keyId: string;
  /** made over the BLAKE2b-512 of the content instead of the content */
  readonly isPrehashed: boolean;
  /** 64 bytes, over the content */
  readonly signature: Uint8Array;
  readonly untrustedComment: string;
  /** what it says about itself can be trusted as far as its signer can, once it is verified */
  readonly trustedComment: string;
  /** 64 bytes, over the signature and the trusted comment */
  readonly globalSignature: Uint8Array;
}

/** A BLAKE2b-512 over content that comes in pieces; `digest` gives 64 bytes, once. */
export interface ContentHash {
  update(chunk: Uint8Array): void;
  digest(): Uint8Array;
}

export function createContentHash(): ContentHash {
  const hash = createHash('blake2b512');
  return {
    update: (chunk) => void hash.update(chunk),
    digest: () => hash.digest(),
  };
}

/** The BLAKE2b-512 of content that is in memory. */
export function hashContent(content: Uint8Array): Uint8Array {
  return createHash('blake2b512').update(content).digest();
}

/**
 * @param name path of the file, for messages
 * @throws WsusutilError `SIGNATURE_INVALID`
 */
export function parseSignature(bytes: Uint8Array, name: string): Signature {
  const source: TextSource = {
    name,
    code: 'SIGNATURE_INVALID',
    hint: 'Carry the signature again from where it was made, in binary mode.',
  };
  const lines = readLines(bytes, MAX_SIGNATURE_FILE_SIZE, source);
  const untrustedComment = readComment(lines[0], UNTRUSTED_PREFIX, MAX_UNTRUSTED_COMMENT_SIZE, source);
  const size = ALGORITHM.length + KEY_ID_SIZE + ED25519_SIGNATURE_SIZE;
  const encoded = readBase64(lines[1], size, 'signature', source);
  const algorithm = encoded.subarray(0, ALGORITHM.length);
  const isPrehashed = algorithm.equals(PREHASHED);
  if (!isPrehashed && !algorithm.equals(ALGORITHM)) {
    throw malformed(source, 'holds a signature of another kind than Ed25519');
  }
  const trustedComment = readComment(lines[2], TRUSTED_PREFIX, MAX_TRUSTED_COMMENT_SIZE, source);
  const globalSignature = readBase64(
    lines[3],
    ED25519_SIGNATURE_SIZE,
    'signature of the trusted comment',
    source,
  );
  refuseMoreLines(lines, 4, source);
  return {
    keyId: formatKeyId(encoded.subarray(ALGORITHM.length, ALGORITHM.length + KEY_ID_SIZE)),
    isPrehashed,
    signature: encoded.subarray(ALGORITHM.length + KEY_ID_SIZE),
    untrustedComment,
    trustedComment,
    globalSignature,
  };
}

/** The text of the signature file, byte for byte what minisign writes. */
export function serializeSignature(signature: Signature): string {
  const { keyId, isPrehashed, untrustedComment, trustedComment } = signature;
  const encoded = Buffer.concat([
    isPrehashed ? PREHASHED : ALGORITHM,
    keyIdBytes(keyId),
    signature.signature,
  ]);
  return [
    `${UNTRUSTED_PREFIX}${untrustedComment}`,
    encoded.toString('base64'),
    `${TRUSTED_PREFIX}${trustedComment}`,
    Buffer.from(signature.globalSignature).toString('base64'),
    '',
  ].join('\n');
}

/**
 * Signs content by its digest.
 *
 * @param digest BLAKE2b-512 of the content: {@link createContentHash}, {@link hashContent}
 * @throws WsusutilError `USAGE` for a comment that is too long or holds control characters
 */
export function signDigest(
  secretKey: SecretKey,
  digest: Uint8Array,
  comments: { readonly trusted: string; readonly untrusted?: string },
): Signature {
  const { trusted, untrusted = 'signature from minisign secret key' } = comments;
  const problem =
    commentProblem(trusted, MAX_UNTRUSTED_COMMENT_SIZE) ?? // every minisign there is reads that much
    commentProblem(untrusted, MAX_UNTRUSTED_COMMENT_SIZE);
  if (problem !== undefined) {
    throw new WsusutilError('USAGE', `A signature cannot carry a comment that ${problem}`, {
      hint: 'Give a shorter comment, on one line, without control characters.',
    });
  }
  const signature = secretKey.sign(digest);
  return {
    keyId: secretKey.publicKey.keyId,
    isPrehashed: true,
    signature,
    untrustedComment: untrusted,
    trustedComment: trusted,
    globalSignature: secretKey.sign(globalMessage(signature, trusted)),
  };
}

/**
 * Verifies a signature and its trusted comment.
 *
 * @param publicKey the one of the signature's key id
 * @param message the digest of the content; of a signature that is not prehashed the content itself
 * @param names of the signature and of the content, for messages
 * @throws WsusutilError `SIGNATURE_INVALID`
 */
export function verifySignature(
  signature: Signature,
  publicKey: PublicKey,
  message: Uint8Array,
  names: { readonly signature: string; readonly content: string },
): void {
  const refuse = (what: string, hint: string) => {
    throw new WsusutilError('SIGNATURE_INVALID', what, { hint, details: { keyId: signature.keyId } });
  };
  if (signature.keyId !== publicKey.keyId) {
    refuse(
      `${names.signature} was made with the key ${signature.keyId}, not with ${publicKey.keyId}`,
      'Verify it with the key it names.',
    );
  }
  if (!isSignatureOf(message, signature.signature, publicKey.key)) {
    refuse(
      `${names.signature} does not fit ${names.content}: one of them was changed after it was signed`,
      'Do not use it. Carry both again from where they were made; if they still differ, ask who signed it.',
    );
  }
  const covered = globalMessage(signature.signature, signature.trustedComment);
  if (!isSignatureOf(covered, signature.globalSignature, publicKey.key)) {
    refuse(
      `${names.signature} carries a trusted comment that was changed after it was signed`,
      'Do not use it. Carry the signature again from where it was made.',
    );
  }
}

function globalMessage(signature: Uint8Array, trustedComment: string): Buffer {
  return Buffer.concat([signature, Buffer.from(trustedComment)]);
}
