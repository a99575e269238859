/**
 * Signatures of a package that lie beside it: `export.cab.minisig`, those of further signers `export.cab.2.minisig`, ….
 * Whoever is trusted decides how many it takes; each signer counts once.
 */
import { lstat, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { throwIfInterrupted, WsusutilError } from '../errors.js';
import type { Report } from '../events.js';
import { MAX_LEGACY_CONTENT_SIZE, MAX_SIGNATURE_FILE_SIZE } from '../formats/minisign/limits.js';
import type { PublicKey } from '../formats/minisign/public-key.js';
import {
  createContentHash,
  parseSignature,
  type Signature,
  verifySignature,
} from '../formats/minisign/signature.js';
import { type FileSource, openError, openFileSource } from '../platform/file-source.js';

/** Signatures beside one file, from the first to the last number. */
export const MAX_SIGNATURES = 16;

/** Whose signatures count. */
export interface SignatureTrust {
  readonly keys: readonly {
    readonly name: string;
    readonly publicKey: PublicKey;
    /** keys with the same one belong to one signer; undefined: this key is the only one of its signer */
    readonly successorOf?: string;
  }[];
  /** signers it takes */
  readonly threshold: number;
}

/** Somebody trusted, and what they signed. */
export interface Signer {
  readonly name: string;
  readonly keyId: string;
  /** of the signature, without its folder */
  readonly signatureName: string;
  /** as the signer wrote it, verified */
  readonly trustedComment: string;
}

export interface SignatureVerdict {
  /** each signer once, in the order of the signatures */
  readonly signers: readonly Signer[];
  readonly threshold: number;
  /** signers that lack up to the threshold; 0: there are enough */
  readonly missing: number;
}

export interface SignatureCheck extends SignatureVerdict {
  /**
   * Makes sure that the file is still the one whose signatures were checked.
   *
   * @throws WsusutilError `SIGNATURE_INVALID`, `READ_FAILED`
   */
  confirm(): Promise<void>;
}

/** `export.cab` and 1 → `export.cab.minisig`; and 2 → `export.cab.2.minisig`. */
export function signaturePathOf(path: string, number: number): string {
  return number === 1 ? `${path}.minisig` : `${path}.${number}.minisig`;
}

/** A signature beside a file, not verified. */
export interface FoundSignature {
  readonly path: string;
  readonly signature: Signature;
}

/**
 * Reads the signatures that lie beside a file.
 *
 * @returns with their numbers, 1 to {@link MAX_SIGNATURES}; a number may be left out
 * @throws WsusutilError `SIGNATURE_INVALID` for one that is malformed, `READ_FAILED`
 */
export async function readSignatures(path: string): Promise<ReadonlyMap<number, FoundSignature>> {
  const found = new Map<number, FoundSignature>();
  for (let number = 1; number <= MAX_SIGNATURES; number++) {
    const signaturePath = signaturePathOf(path, number);
    if (!(await isThere(signaturePath))) continue;
    const source = await openFileSource(signaturePath);
    try {
      const bytes = await source.read(0, Math.min(source.size, MAX_SIGNATURE_FILE_SIZE + 1));
      found.set(number, { path: signaturePath, signature: parseSignature(bytes, signaturePath) });
    } finally {
      await source.close();
    }
  }
  return found;
}

export interface CheckOptions {
  readonly signal: AbortSignal;
  readonly report: Report;
}

/**
 * Checks the signatures beside a file against those who are trusted. A file without signatures has no signers, which is
 * no failure here: {@link requireSigners} makes it one.
 *
 * @throws WsusutilError `SIGNATURE_INVALID` for a signature that is malformed or does not fit, `SIGNER_UNTRUSTED` for
 *   one of a key that is not trusted, `INPUT_NOT_FOUND`, `READ_FAILED`, `INTERRUPTED`
 */
export async function checkSignatures(
  path: string,
  trust: SignatureTrust,
  options: CheckOptions,
): Promise<SignatureCheck> {
  const found = [...(await readSignatures(path)).values()];
  const candidates = found.map(({ path: signaturePath, signature }) => ({
    name: basename(signaturePath),
    signature,
    signerKey: signerKeyOf(signature, signaturePath, trust), // before a large file is read for nothing
  }));
  if (candidates.length === 0) {
    return { ...verdictOf([], trust), confirm: async () => {} };
  }
  const facts = await factsOf(path);
  const confirm = async () => {
    if ((await factsOf(path)) === facts) return;
    throw new WsusutilError('SIGNATURE_INVALID', `${path} was changed after its signature was checked`, {
      hint: 'Find out who writes to it, then run the command again.',
    });
  };
  const source = await openFileSource(path);
  try {
    const digest = await hashFile(source, options);
    const hasLegacy = candidates.some(({ signature }) => !signature.isPrehashed);
    const content = hasLegacy ? await readWhole(source, options.signal) : undefined;
    const verdict = judgeSignatures(candidates, { name: path, digest, content }, trust);
    for (const { name, keyId, trustedComment } of verdict.signers) {
      options.report({ type: 'step', message: `Signed by ${name}, key ${keyId}: ${trustedComment}` });
    }
    await confirm(); // what was opened is what lies there
    return { ...verdict, confirm };
  } finally {
    await source.close();
  }
}

export interface SignedContent {
  /** path or name of the content, for messages */
  readonly name: string;
  /** BLAKE2b-512 */
  readonly digest: Uint8Array;
  /** the content itself, which signatures of the old kind need */
  readonly content: Uint8Array | undefined;
}

/**
 * Verifies every signature of one content. One that does not fit or is not of somebody trusted spoils all: whoever put
 * it there meant to be believed.
 *
 * @throws WsusutilError `SIGNATURE_INVALID`, `SIGNER_UNTRUSTED`
 */
export function judgeSignatures(
  signatures: readonly { readonly name: string; readonly signature: Signature }[],
  content: SignedContent,
  trust: SignatureTrust,
): SignatureVerdict {
  const signers: (Signer & { readonly signerId: string })[] = [];
  for (const { name, signature } of signatures) {
    const { name: signerName, publicKey, successorOf } = signerKeyOf(signature, name, trust);
    const message = signature.isPrehashed ? content.digest : content.content;
    if (message === undefined) {
      throw new WsusutilError(
        'SIGNATURE_INVALID',
        `${name} is a signature of minisign's old kind, which is not taken for ${content.name}`,
        { hint: 'Sign it again without the option -l.' },
      );
    }
    verifySignature(signature, publicKey, message, { signature: name, content: content.name });
    const signerId = successorOf ?? publicKey.keyId;
    if (signers.some((each) => each.signerId === signerId)) continue;
    const { keyId, trustedComment } = signature;
    signers.push({ name: signerName, keyId, signatureName: name, trustedComment, signerId });
  }
  return verdictOf(
    signers.map(({ signerId: _, ...signer }) => signer),
    trust,
  );
}

/**
 * @param path of the package, for messages
 * @throws WsusutilError `SIGNATURE_MISSING` if fewer have signed than it takes
 */
export function requireSigners(verdict: SignatureVerdict, path: string): void {
  if (verdict.missing === 0) return;
  const { signers, threshold } = verdict;
  const who = signers.map(({ name }) => name).join(', ');
  const first = signaturePathOf(basename(path), 1);
  const next = signers.length === 0 ? first : signaturePathOf(basename(path), signers.length + 1);
  throw new WsusutilError(
    'SIGNATURE_MISSING',
    signers.length === 0
      ? `${path} is not signed`
      : `${path} is signed by ${signers.length} of the ${threshold} it takes: ${who}`,
    {
      hint: `Carry ${next} too and put it beside the package; "wsusutil sign" makes it where the package is made.`,
      details: { signers: signers.length, threshold },
    },
  );
}

/** The BLAKE2b-512 of a file, from its start to its end. */
export async function hashFile(source: FileSource, { signal, report }: CheckOptions): Promise<Uint8Array> {
  const hash = createContentHash();
  const total = source.size;
  report({ type: 'stage-started', stage: 'reading', unit: 'bytes', total });
  let done = 0;
  for await (const chunk of source.chunks()) {
    throwIfInterrupted(signal, 'reading what is signed');
    hash.update(chunk);
    done += chunk.length;
    report({ type: 'progress', stage: 'reading', done, total, bytes: done, totalBytes: total });
  }
  report({ type: 'stage-finished', stage: 'reading', done });
  return hash.digest();
}

function verdictOf(signers: readonly Signer[], { threshold }: SignatureTrust): SignatureVerdict {
  return { signers, threshold, missing: Math.max(0, threshold - signers.length) };
}

function signerKeyOf(
  signature: Signature,
  name: string,
  { keys }: SignatureTrust,
): SignatureTrust['keys'][number] {
  const key = keys.find(({ publicKey }) => publicKey.keyId === signature.keyId);
  if (key !== undefined) return key;
  throw new WsusutilError(
    'SIGNER_UNTRUSTED',
    `${name} was made with the key ${signature.keyId}, which is not trusted here`,
    {
      hint: 'If you know whose key it is, get the public one from them, compare its words with them, and run "wsusutil trust add". Do not use the package otherwise.',
      details: { keyId: signature.keyId },
    },
  );
}

/** @throws WsusutilError `SIGNATURE_INVALID` if the file is too large to be in memory */
async function readWhole(source: FileSource, signal: AbortSignal): Promise<Uint8Array> {
  if (source.size > MAX_LEGACY_CONTENT_SIZE) {
    throw new WsusutilError(
      'SIGNATURE_INVALID',
      `${source.path} is ${source.size} bytes long, and has a signature of minisign's old kind, which is taken for at most ${MAX_LEGACY_CONTENT_SIZE}`,
      { hint: 'Sign it again without the option -l.' },
    );
  }
  throwIfInterrupted(signal, 'reading what is signed');
  return source.read(0, source.size);
}

/** Changes whenever the file is written to, or another takes its place. */
async function factsOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = await stat(path);
    return [dev, ino, size, mtimeMs, ctimeMs].join(' ');
  } catch (error) {
    throw openError(error, path);
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    // A name that is too long for a file is the name of none.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return false;
    throw new WsusutilError('READ_FAILED', `Cannot look for the signature ${path} (${code})`, {
      hint: 'Check that this account may read the folder.',
      cause: error,
    });
  }
}
