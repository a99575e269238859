/**
 * What a transfer package says of itself, and what its updates fix. Reads the first files of each volume and the
 * update documents; content files are not looked at, so nothing here says that the package is whole.
 */
import { isWsusutilError, throwIfInterrupted, WsusutilError } from '../errors.js';
import { decodeDocument } from '../formats/export-package/document-encoding.js';
import { MetadataReader } from '../formats/export-package/metadata-reader.js';
import { groupDigits } from '../formats/group-digits.js';
import { parseSignature } from '../formats/minisign/signature.js';
import { METADATA_FOLDER, signatureName } from '../formats/transfer-package/entry-names.js';
import { joinParts } from '../formats/transfer-package/join.js';
import {
  type EntryPiece,
  pieceOf,
  type TransferEntry,
  type TransferManifest,
} from '../formats/transfer-package/manifest.js';
import { type KnownManifest, readVolume } from '../formats/transfer-package/read-volume.js';
import { signaturesSize } from '../formats/transfer-package/volume-size.js';
import { parseUpdateDocument } from '../formats/update-xml/parse-update.js';
import type { Sha256Hex } from '../model/digest.js';
import type { RecordBatch } from '../model/export-package.js';
import { pickLocalized, type RevisionFacts } from '../model/revision.js';
import type { UpdateId } from '../model/update-identity.js';
import { inflate, TruncatedGzip } from '../packages/inflate.js';
import { METADATA_NAME } from '../packages/member-files.js';
import { openFileSource } from '../platform/file-source.js';

export interface InspectTransferOptions {
  readonly signal: AbortSignal;
}

export interface TransferInspection {
  readonly manifest: TransferManifest;
  readonly digest: Sha256Hex;
  /** in the order of their numbers, then as given */
  readonly volumes: readonly InspectedVolume[];
  readonly missingVolumes: readonly number[];
  /** of any volume, each once; none of them was verified */
  readonly signatures: readonly InspectedSignature[];
  /** undefined: the package has no update documents, or not all volumes with them are there */
  readonly fixes: InspectedFixes | undefined;
}

export interface InspectedVolume {
  readonly path: string;
  /** from 1 */
  readonly number: number;
  /** bytes of the file */
  readonly size: number;
  /** index in the manifest of each entry it holds; undefined: all that lie in the volume */
  readonly only: readonly number[] | undefined;
  /** why it cannot be whole, in a sentence */
  readonly problem: string | undefined;
}

/** Who a signature claims to be from. */
export interface InspectedSignature {
  readonly name: string;
  /** undefined: not a signature in minisign's format */
  readonly keyId: string | undefined;
  readonly trustedComment: string | undefined;
}

/** What the software updates of the package are for; each update once, in its latest revision. */
export interface InspectedFixes {
  readonly updates: readonly InspectedUpdate[];
  /** each once, in order */
  readonly kbArticleIds: readonly string[];
  readonly cveIds: readonly string[];
  /** MSRC severity → updates; `` for none */
  readonly severities: ReadonlyMap<string, number>;
}

export interface InspectedUpdate {
  readonly updateId: UpdateId;
  readonly revisionNumber: number;
  readonly title: string;
  /** digits only */
  readonly kbArticleIds: readonly string[];
  readonly cveIds: readonly string[];
  readonly securityBulletinIds: readonly string[];
  /** as written; `` for none */
  readonly severity: string;
}

/**
 * @param paths volumes of one package, in any order, not all of them necessarily
 * @throws WsusutilError those of `readVolume`, up to the end of the update documents; `INPUT_NOT_FOUND`,
 *   `READ_FAILED`, `INTERRUPTED`; those of the documents
 */
export async function inspectTransfer(
  paths: readonly string[],
  { signal }: InspectTransferOptions,
): Promise<TransferInspection> {
  let known: KnownManifest | undefined;
  const volumes: InspectedVolume[] = [];
  const signatures = new Map<string, InspectedSignature>();
  for (const path of paths) {
    const start = await readStart(path, known, signal);
    known ??= start.known;
    volumes.push(start.volume);
    for (const bytes of start.signatures) {
      const key = bytes.toString('base64');
      if (!signatures.has(key)) {
        signatures.set(key, describeSignature(bytes, signatureName(signatures.size + 1)));
      }
    }
  }
  if (known === undefined) throw new Error('no volume was given');
  const { manifest, digest } = known;
  volumes.sort((one, other) => one.number - other.number);
  const seen = new Set(volumes.map(({ number }) => number));
  return {
    manifest,
    digest,
    volumes,
    missingVolumes: manifest.volumes.map(({ number }) => number).filter((number) => !seen.has(number)),
    signatures: [...signatures.values()],
    fixes: await readFixes(known, volumes, signal),
  };
}

async function readStart(
  path: string,
  known: KnownManifest | undefined,
  signal: AbortSignal,
): Promise<{ known: KnownManifest; volume: InspectedVolume; signatures: readonly Buffer[] }> {
  const source = await openFileSource(path);
  try {
    const signatures: Buffer[] = [];
    let found: KnownManifest | undefined;
    for await (const part of readVolume(source.stream(), { name: path, known, signal })) {
      if (part.type === 'manifest') found = part;
      else if (part.type === 'signature') signatures.push(part.bytes);
      else if (part.type === 'volume') {
        const { manifest, digest } = found as KnownManifest;
        const { number, only } = part;
        const expected =
          (manifest.volumes[number - 1]?.size ?? 0) + signaturesSize(signatures.map(({ length }) => length));
        const problem =
          only === undefined && source.size !== expected
            ? `It has ${groupDigits(source.size)} bytes and should have ${groupDigits(expected)}: ${source.size < expected ? 'it is cut off' : 'something was put behind it'}.`
            : undefined;
        return {
          known: { manifest, digest },
          volume: { path, number, size: source.size, only, problem },
          signatures,
        };
      }
    }
    throw new Error('a volume ended without volume.json');
  } finally {
    await source.close();
  }
}

function describeSignature(bytes: Buffer, name: string): InspectedSignature {
  try {
    const { keyId, trustedComment } = parseSignature(bytes, name);
    return { name, keyId, trustedComment };
  } catch (error) {
    if (!isWsusutilError(error, 'SIGNATURE_INVALID')) throw error;
    return { name, keyId: undefined, trustedComment: undefined };
  }
}

async function readFixes(
  known: KnownManifest,
  volumes: readonly InspectedVolume[],
  signal: AbortSignal,
): Promise<InspectedFixes | undefined> {
  const { entries } = known.manifest;
  const index = entries.findIndex(({ path }) => path === `${METADATA_FOLDER}/${METADATA_NAME}`);
  const entry = entries[index];
  if (entry === undefined) return undefined;
  const count = entry.parts?.length ?? 1;
  const places: { readonly path: string; readonly piece: EntryPiece }[] = [];
  for (let number = 1; number <= count; number++) {
    const piece = pieceOf(index, entry, entry.parts === undefined ? 0 : number);
    const volume = volumes.find(
      (each) => each.number === (piece.part ?? entry).volume && (each.only?.includes(index) ?? true),
    );
    if (volume === undefined) return undefined;
    places.push({ path: volume.path, piece });
  }
  const bytes = joinParts(entry, (number) => {
    const place = places[Math.max(0, number - 1)] as (typeof places)[number];
    return readPiece(place.path, place.piece, known, signal);
  });
  return collectFixes(entry, bytes, signal);
}

/** Content of one file of a volume. */
async function* readPiece(
  path: string,
  wanted: EntryPiece,
  known: KnownManifest,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const source = await openFileSource(path);
  try {
    for await (const part of readVolume(source.stream(), { name: path, known, signal })) {
      if (part.type !== 'entry' || part.piece.name !== wanted.name) continue;
      yield* part.body;
      return;
    }
  } finally {
    await source.close();
  }
}

async function collectFixes(
  entry: TransferEntry,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<InspectedFixes> {
  const updates = new Map<UpdateId, InspectedUpdate>();
  let batches: RecordBatch[] = [];
  const reader = new MetadataReader({ emit: (batch) => batches.push(batch), warn: () => {} });
  const take = () => {
    const taken = batches;
    batches = [];
    for (const { bytes: documents, encoding, records } of taken) {
      const { spans } = records;
      for (let at = 0; at < spans.length; at += 2) {
        const facts = parseUpdateDocument(
          decodeDocument(documents.subarray(spans[at], spans[at + 1]), encoding),
          'indexed',
        );
        const { updateId, revisionNumber } = facts.identity;
        const other = updates.get(updateId);
        if (!isFix(facts) || (other !== undefined && other.revisionNumber > revisionNumber)) continue;
        updates.set(updateId, summarize(facts));
      }
    }
  };
  try {
    for await (const plain of inflate(bytes)) {
      throwIfInterrupted(signal, `reading ${entry.path}`);
      reader.write(plain);
      take();
    }
  } catch (error) {
    if (!(error instanceof TruncatedGzip)) throw error;
    throw new WsusutilError('PACKAGE_TRUNCATED', `${entry.path} is cut off: its gzip data has no end`, {
      hint: 'It was exported that way; have the package exported again.',
      cause: error,
    });
  }
  reader.end();
  take();

  const list = [...updates.values()].sort(
    (one, other) =>
      rankOf(one.severity) - rankOf(other.severity) ||
      (one.title < other.title ? -1 : one.title > other.title ? 1 : one.updateId < other.updateId ? -1 : 1),
  );
  const severities = new Map<string, number>();
  for (const { severity } of list) severities.set(severity, (severities.get(severity) ?? 0) + 1);
  return {
    updates: list,
    kbArticleIds: inOrder(list.flatMap(({ kbArticleIds }) => kbArticleIds)),
    cveIds: inOrder(list.flatMap(({ cveIds }) => cveIds)),
    severities,
  };
}

/** What is approved as one thing; what is only bundled in it says nothing of its own. */
function isFix({
  updateType,
  explicitlyDeployable,
  kbArticleIds,
  cveIds,
  msrcSeverity,
}: RevisionFacts): boolean {
  return (
    updateType === 'Software' &&
    (explicitlyDeployable || kbArticleIds.length > 0 || cveIds.length > 0 || msrcSeverity !== undefined)
  );
}

function summarize(facts: RevisionFacts): InspectedUpdate {
  const { identity, localized, defaultLanguage } = facts;
  const title = pickLocalized(localized, 'en', defaultLanguage)?.title;
  return {
    ...identity,
    title: ownText(title ?? identity.updateId),
    kbArticleIds: facts.kbArticleIds.map(ownText),
    cveIds: facts.cveIds.map(ownText),
    securityBulletinIds: facts.securityBulletinIds.map(ownText),
    severity: ownText(facts.msrcSeverity ?? ''),
  };
}

/** A text that does not hold on to the document it was cut from. */
function ownText(text: string): string {
  return Buffer.from(text).toString();
}

const SEVERITIES: readonly string[] = ['Critical', 'Important', 'Moderate', 'Low'];

function rankOf(severity: string): number {
  const rank = SEVERITIES.indexOf(severity);
  if (rank >= 0) return rank;
  return severity === '' ? SEVERITIES.length + 1 : SEVERITIES.length;
}

/** Each once: numbers by size, the rest by text. */
function inOrder(texts: readonly string[]): string[] {
  return [...new Set(texts)].sort((one, other) => one.localeCompare(other, 'en', { numeric: true }));
}
