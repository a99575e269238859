/** Volumes as they are given on the command line: which of them belong together, who signed, and what they hold. */
import { isWsusutilError, WsusutilError } from '../errors.js';
import { parseSignature } from '../formats/minisign/signature.js';
import { signatureName } from '../formats/transfer-package/entry-names.js';
import { serializeManifest, type TransferManifest } from '../formats/transfer-package/manifest.js';
import {
  type KnownManifest,
  type ReadVolumeOptions,
  readVolume,
  type VolumePart,
} from '../formats/transfer-package/read-volume.js';
import type { Sha256Hex } from '../model/digest.js';
import { judgeSignatures, type SignatureTrust, type SignatureVerdict } from '../packages/check-signatures.js';
import { openFileSource } from '../platform/file-source.js';

export interface OpenVolume {
  readonly path: string;
  /** from 1 */
  readonly number: number;
  /** it holds just these entries, by index in the manifest */
  readonly only: readonly number[] | undefined;
}

/** The beginnings of some volumes of one package. */
export interface OpenSet {
  readonly manifest: TransferManifest;
  readonly digest: Sha256Hex;
  /** BLAKE2b-512 of the manifest's bytes */
  readonly signedDigest: Uint8Array;
  /** by number, then in the order given */
  readonly volumes: readonly OpenVolume[];
  /** signature files, each once, with the name messages use */
  readonly signatures: readonly { readonly name: string; readonly bytes: Buffer }[];
}

/**
 * Reads up to the first entry of each volume.
 *
 * @param onBroken told of volumes that cannot be read so far, which are left out; if none is left, or it is not given,
 *   the first such error is thrown
 * @throws WsusutilError `INPUT_NOT_FOUND`, `READ_FAILED`, `TRANSFER_MISMATCH` for volumes of different packages, those
 *   of reading a volume
 */
export async function openVolumes(
  paths: readonly string[],
  signal: AbortSignal,
  onBroken?: (path: string, error: WsusutilError) => void,
): Promise<OpenSet> {
  let first: (KnownManifest & { readonly signedDigest: Uint8Array }) | undefined;
  const volumes: OpenVolume[] = [];
  const signatures = new Map<string, { readonly name: string; readonly bytes: Buffer }>();
  let failure: unknown;
  for (const path of paths) {
    try {
      for await (const part of readParts(path, { known: first, signal })) {
        if (part.type === 'manifest') first ??= part;
        else if (part.type === 'signature') {
          const name = `${signatureName(part.number)} in ${path}`;
          const key = part.bytes.toString('latin1');
          if (!signatures.has(key)) signatures.set(key, { name, bytes: part.bytes });
        } else if (part.type === 'volume') {
          volumes.push({ path, number: part.number, only: part.only });
          break;
        }
      }
    } catch (error) {
      if (onBroken === undefined || !isWsusutilError(error) || error.code === 'INTERRUPTED') throw error;
      failure ??= error;
      onBroken(path, error);
    }
  }
  if (first === undefined && failure !== undefined) throw failure;
  if (first === undefined) {
    throw new WsusutilError('USAGE', 'No transfer package was named', { hint: 'Name its volumes.' });
  }
  volumes.sort((a, b) => a.number - b.number);
  const { manifest, digest, signedDigest } = first;
  return { manifest, digest, signedDigest, volumes, signatures: [...signatures.values()] };
}

/** What a volume holds, from its file. */
export async function* readParts(
  path: string,
  options: Omit<ReadVolumeOptions, 'name' | 'size'> & {
    readonly known: KnownManifest | undefined;
    /** bytes of the file read so far, out of all */
    onProgress?(bytesRead: number, totalBytes: number): void;
  },
): AsyncGenerator<VolumePart, void, undefined> {
  const source = await openFileSource(path);
  const chunks = async function* () {
    let done = 0;
    for await (const chunk of source.stream()) {
      done += chunk.length;
      options.onProgress?.(done, source.size);
      yield chunk;
    }
  };
  try {
    yield* readVolume(chunks(), { ...options, name: path, size: source.size });
  } finally {
    await source.close();
  }
}

/**
 * Verifies every signature of the manifest. A package without signatures has no signers, which is no failure here.
 *
 * @throws WsusutilError `SIGNATURE_INVALID`, `SIGNER_UNTRUSTED`
 */
export function judgeSet(set: OpenSet, trust: SignatureTrust): SignatureVerdict {
  const signatures = set.signatures.map(({ name, bytes }) => ({
    name,
    signature: parseSignature(bytes, name),
  }));
  // There is one way to write a manifest: these are the bytes that were read.
  const isLegacy = signatures.some(({ signature }) => !signature.isPrehashed);
  const content = isLegacy ? serializeManifest(set.manifest) : undefined;
  return judgeSignatures(signatures, { name: 'the manifest', digest: set.signedDigest, content }, trust);
}

/** Who is said to have signed; nothing vouches for it. */
export function claimedSigners(set: OpenSet): readonly string[] {
  return set.signatures.map(({ name, bytes }) => parseSignature(bytes, name).keyId);
}

/**
 * @param path for messages
 * @throws WsusutilError `SIGNATURE_MISSING` if fewer have signed than it takes
 */
export function requireSetSigners(verdict: SignatureVerdict, path: string): void {
  if (verdict.missing === 0) return;
  const { signers, threshold } = verdict;
  throw new WsusutilError(
    'SIGNATURE_MISSING',
    signers.length === 0
      ? `${path} is not signed`
      : `${path} is signed by ${signers.length} of the ${threshold} it takes: ${signers.map(({ name }) => name).join(', ')}`,
    {
      hint: 'Have it exported with --sign-with, by keys that are trusted here ("wsusutil trust list"); --allow-unsigned takes it without.',
      details: { signers: signers.length, threshold },
    },
  );
}
