/**
 * The heavy part of an import, apart from any I/O so that worker threads can do it: decode the documents of a
 * batch, compare them with what the store knows, read the facts of new ones, and pack them into blocks.
 */
import { hash } from 'node:crypto';
import { type ErrorCode, errorText, isWsusutilError, WsusutilError } from '../errors.js';
import { decodeDocument } from '../formats/export-package/document-encoding.js';
import { type ParseExtent, parseUpdateDocument } from '../formats/update-xml/parse-update.js';
import { WasmUnavailable } from '../formats/wasm.js';
import { normalizeLineEnds } from '../model/document-text.js';
import type { DocumentEncoding, RecordBatch } from '../model/export-package.js';
import { IDENTITY_SIZE, identityFromBytes } from '../model/identity-list.js';
import { pickLocalized, type RevisionFacts } from '../model/revision.js';
import { formatIdentity, type UpdateIdentity } from '../model/update-identity.js';
import type { PackingEffort } from '../store/document-block.js';
import type { KnownRevision } from '../store/metadata-store.js';
import { DIGEST_SIZE, type RevisionBatch, RevisionPacker } from '../store/revision-batch.js';
import { BlockPacker } from './block-packer.js';
import { openFactsReader } from './facts-reader.js';

/**
 * A batch of records on its way to a thread: flat, because a structured clone of an object per record took as long
 * as a third of the parsing.
 */
export interface DocumentTask {
  readonly bytes: Uint8Array;
  readonly encoding: DocumentEncoding;
  /** of each record, as `IdentityList` has them */
  readonly identities: Uint8Array;
  /** start and end (offsets in `bytes`) of each record */
  readonly spans: Uint32Array;
  /** 1-based number of the batch's first record in the package */
  readonly firstRecord: number;
  /** what the store has under each record's identity: SHA-256 of the document, 32 bytes each; zeros for nothing */
  readonly known: Uint8Array | undefined;
  /** how hard to pack the blocks */
  readonly effort: PackingEffort;
  readonly extent: ParseExtent;
  /** for messages: `package` or `upstream` */
  readonly source: string;
  /** a document that cannot be read is a verdict; otherwise it fails the whole batch */
  readonly passesOverUnreadable: boolean;
}

export function createDocumentTask(
  batch: RecordBatch,
  known: readonly (KnownRevision | undefined)[],
  rest: Pick<DocumentTask, 'firstRecord' | 'effort' | 'extent' | 'source' | 'passesOverUnreadable'>,
): DocumentTask {
  return {
    bytes: batch.bytes,
    encoding: batch.encoding,
    identities: batch.records.identities.bytes,
    spans: batch.records.spans,
    known: joinDigests(known),
    ...rest,
  };
}

/** @returns undefined if nothing is known */
function joinDigests(known: readonly (KnownRevision | undefined)[]): Uint8Array | undefined {
  if (known.every((each) => each === undefined)) return undefined;
  const digests = new Uint8Array(known.length * DIGEST_SIZE);
  for (const [index, each] of known.entries())
    if (each !== undefined) digests.set(each.digest, index * DIGEST_SIZE);
  return digests;
}

/** No SHA-256 is all zeros. */
function isDigest(bytes: Uint8Array): boolean {
  return bytes.some((byte) => byte !== 0);
}

export type DocumentVerdict =
  | 'new'
  /** the very bytes that the store has */
  | 'present'
  /** other bytes; equal after line-end normalisation or not: the caller compares */
  | { readonly digest: Uint8Array; readonly normalizedDigest: Uint8Array }
  | { readonly problem: DocumentProblem };

/** Why a document cannot be read. */
export interface DocumentProblem {
  readonly code: ErrorCode;
  readonly message: string;
}

export interface DocumentResult {
  /** one per record */
  readonly verdicts: readonly DocumentVerdict[];
  /** the new ones, in order */
  readonly batch: RevisionBatch;
  /** bytes of all documents of the batch, decoded */
  readonly documentBytes: number;
  /** indexes of new ones with encrypted files, or with addresses or keys that are given out apart */
  readonly secured: readonly number[];
  /** the task's bytes, given back for the next batch */
  readonly bytes: Uint8Array;
}

/**
 * @throws WsusutilError `UPDATE_MALFORMED`, `UPDATE_IDENTITY_MISMATCH`, `LIMIT_EXCEEDED`, `PACKAGE_MALFORMED`,
 * each naming the record
 */
export function processDocuments(task: DocumentTask): DocumentResult {
  const { bytes, encoding, identities, spans, known, effort, extent } = task;
  const reader = extent === 'indexed' && hasUnknown(known) ? openFactsReader() : undefined;
  const blocks = new BlockPacker(effort, reader);
  const revisions = new RevisionPacker(reader);
  const verdicts: DocumentVerdict[] = [];
  const secured: number[] = [];
  const roomFor = (size: number) => blocks.roomFor(size);
  let documentBytes = 0;
  for (let index = 0; 2 * index < spans.length; index++) {
    const start = spans[2 * index] as number;
    const end = spans[2 * index + 1] as number;
    try {
      const document = decodeDocument(bytes.subarray(start, end), encoding, roomFor);
      const digest = sha256(document);
      documentBytes += document.length;
      const knownDigest = known?.subarray(index * DIGEST_SIZE, (index + 1) * DIGEST_SIZE);
      if (knownDigest !== undefined && isDigest(knownDigest)) {
        verdicts.push(
          Buffer.compare(knownDigest, digest) === 0
            ? 'present'
            : { digest, normalizedDigest: sha256(normalizeLineEnds(document)) },
        );
        continue;
      }
      const place = blocks.place(document);
      const read = reader?.read(identities, index * IDENTITY_SIZE, place);
      if (read !== undefined) {
        revisions.addDigest(digest);
        blocks.keep(place, read.titles);
        if (read.isSecured) secured.push(index);
      } else {
        const facts = parseUpdateDocument(blocks.documentAt(place), extent);
        requireIdentity(facts.identity, identityFromBytes(identities, index * IDENTITY_SIZE), task.source);
        const title = pickLocalized(facts.localized, undefined, facts.defaultLanguage)?.title ?? '';
        revisions.add(facts, title, digest, place);
        blocks.keep(place, otherTitlesOf(facts, title));
        if (facts.hasSecuredFragment || facts.files.some((file) => file.isEncrypted)) secured.push(index);
      }
      verdicts.push('new');
    } catch (error) {
      // That there is no WebAssembly is no problem of the document.
      const isOfDocument = isWsusutilError(error) && !(error.cause instanceof WasmUnavailable);
      if (task.passesOverUnreadable && isOfDocument) {
        verdicts.push({ problem: { code: error.code, message: error.message } });
        continue;
      }
      const identity = identityFromBytes(identities, index * IDENTITY_SIZE);
      throw nameRecord(error, task.firstRecord + index, identity);
    }
  }
  return { verdicts, batch: revisions.pack(blocks.finish()), documentBytes, secured, bytes };
}

/** @returns true if one of the records is not in the store */
function hasUnknown(known: Uint8Array | undefined): boolean {
  if (known === undefined) return true;
  for (let start = 0; start < known.length; start += DIGEST_SIZE)
    if (!isDigest(known.subarray(start, start + DIGEST_SIZE))) return true;
  return false;
}

/** JSON of the titles in other languages where they differ from the default one; keyed by lower-case tag. */
function otherTitlesOf(facts: RevisionFacts, defaultTitle: string): Uint8Array | undefined {
  if (facts.localized.length < 2) return undefined;
  let titles: Record<string, string> | undefined;
  for (const { language, title } of facts.localized) {
    if (title === undefined || title === defaultTitle) continue;
    titles ??= {};
    titles[language.toLowerCase()] = title;
  }
  return titles === undefined ? undefined : Buffer.from(JSON.stringify(titles));
}

function requireIdentity(found: UpdateIdentity, expected: UpdateIdentity, source: string): void {
  if (found.updateId !== expected.updateId || found.revisionNumber !== expected.revisionNumber) {
    throw new WsusutilError(
      'UPDATE_IDENTITY_MISMATCH',
      `the ${source} announces ${formatIdentity(expected)}, the document says ${formatIdentity(found)}`,
      { hint: 'The package is damaged or was made by a defective exporter; export it again.' },
    );
  }
}

/** Puts record number and identity in front of what went wrong inside a document. */
function nameRecord(error: unknown, record: number, identity: UpdateIdentity): unknown {
  if (!isWsusutilError(error)) return error;
  return new WsusutilError(
    error.code,
    `Record ${record} (${formatIdentity(identity)}): ${errorText(error)}`,
    {
      hint: error.hint ?? 'The package is damaged; copy it again from its source, or export it again.',
      details: {
        ...error.details,
        record,
        updateId: identity.updateId,
        revisionNumber: identity.revisionNumber,
      },
      cause: error,
    },
  );
}

function sha256(bytes: Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer');
}
