/**
 * The heavy part of an import, apart from any I/O so that worker threads can do it: decode the documents of a
 * batch, compare them with what the store knows, read the facts of new ones, and pack them into blocks.
 */
import { createHash } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { errorText, isWsusutilError, WsusutilError } from '../errors.js';
import { decodeDocument } from '../formats/export-package/document-encoding.js';
import { parseUpdateDocument } from '../formats/update-xml/parse-update.js';
import { normalizeLineEnds } from '../model/document-text.js';
import type { RecordBatch } from '../model/export-package.js';
import { pickLocalized, type RevisionFacts } from '../model/revision.js';
import { formatIdentity, type UpdateIdentity } from '../model/update-identity.js';
import type { DocumentBlock, IndexedFacts, NewRevision } from '../store/metadata-store.js';

/** Documents are packed until a block has this many bytes: reading one inflates one block, a third of a millisecond. */
const BLOCK_SIZE = 256 << 10;

export interface DocumentTask {
  readonly batch: RecordBatch;
  /** 1-based number of the batch's first record in the package */
  readonly firstRecord: number;
  /** what the store has under each record's identity: SHA-256 of the document */
  readonly known: readonly (Uint8Array | undefined)[];
  /** deflate level of the blocks */
  readonly level: number;
}

export type DocumentVerdict =
  | { readonly kind: 'new'; readonly revision: NewRevision }
  /** the very bytes that the store has */
  | { readonly kind: 'present' }
  /** other bytes; equal after line-end normalisation or not: the caller compares */
  | { readonly kind: 'differs'; readonly digest: Uint8Array; readonly normalizedDigest: Uint8Array };

export interface DocumentResult {
  /** one per record */
  readonly verdicts: readonly DocumentVerdict[];
  readonly blocks: readonly DocumentBlock[];
  /** bytes of all documents of the batch, decoded */
  readonly documentBytes: number;
}

/**
 * @throws WsusutilError `UPDATE_MALFORMED`, `UPDATE_IDENTITY_MISMATCH`, `LIMIT_EXCEEDED`, `PACKAGE_MALFORMED`,
 * each naming the record
 */
export function processDocuments(task: DocumentTask): DocumentResult {
  const { batch, known, level } = task;
  const blocks = new BlockPacker(level);
  let documentBytes = 0;
  const verdicts = batch.records.map((record, index): DocumentVerdict => {
    try {
      const document = decodeDocument(batch.bytes.subarray(record.start, record.end), batch.encoding);
      const digest = sha256(document);
      documentBytes += document.length;
      const knownDigest = known[index];
      if (knownDigest !== undefined) {
        return Buffer.compare(knownDigest, digest) === 0
          ? { kind: 'present' }
          : { kind: 'differs', digest, normalizedDigest: sha256(normalizeLineEnds(document)) };
      }
      const facts = parseUpdateDocument(document);
      requireIdentity(facts.identity, record.identity);
      return {
        kind: 'new',
        revision: { facts: indexedFactsOf(facts), digest, ...blocks.add(document, facts) },
      };
    } catch (error) {
      throw nameRecord(error, task.firstRecord + index, record.identity);
    }
  });
  return { verdicts, blocks: blocks.finish(), documentBytes };
}

/** The facts that the store keeps in columns. */
export function indexedFactsOf(facts: RevisionFacts): IndexedFacts {
  return {
    identity: facts.identity,
    updateType: facts.updateType,
    categoryType: facts.category?.categoryType,
    title: pickLocalized(facts.localized, undefined, facts.defaultLanguage)?.title ?? '',
    defaultLanguage: facts.defaultLanguage,
    publicationState: facts.publicationState,
    createdAt: facts.createdAt,
    msrcSeverity: facts.msrcSeverity,
    explicitlyDeployable: facts.explicitlyDeployable,
    languages: facts.languages,
    kbArticleIds: facts.kbArticleIds,
    securityBulletinIds: facts.securityBulletinIds,
    cveIds: facts.cveIds,
    prerequisites: facts.prerequisites,
    bundledUpdates: facts.bundledUpdates,
    supersededUpdates: facts.supersededUpdates,
    files: facts.files,
    eulaFiles: facts.eulaFiles,
  };
}

class BlockPacker {
  readonly #level: number;
  readonly #blocks: DocumentBlock[] = [];
  #documents: Uint8Array[] = [];
  #titles: Record<string, Record<string, string>> = {};
  #size = 0;

  constructor(level: number) {
    this.#level = level;
  }

  add(
    document: Uint8Array,
    facts: RevisionFacts,
  ): { block: number; blockOffset: number; documentSize: number } {
    if (this.#size >= BLOCK_SIZE) this.#close();
    const place = { block: this.#blocks.length, blockOffset: this.#size, documentSize: document.length };
    const titles = otherTitlesOf(facts);
    if (titles !== undefined) this.#titles[String(this.#size)] = titles;
    this.#documents.push(document);
    this.#size += document.length;
    return place;
  }

  finish(): readonly DocumentBlock[] {
    if (this.#documents.length > 0) this.#close();
    return this.#blocks;
  }

  #close(): void {
    const hasTitles = Object.keys(this.#titles).length > 0;
    this.#blocks.push({
      data: deflateRawSync(Buffer.concat(this.#documents, this.#size), { level: this.#level, memLevel: 9 }),
      size: this.#size,
      titles: hasTitles ? deflateRawSync(JSON.stringify(this.#titles), { level: this.#level }) : undefined,
    });
    this.#documents = [];
    this.#titles = {};
    this.#size = 0;
  }
}

/** Titles in other languages where they differ from the default one; keyed by lower-case tag. */
function otherTitlesOf(facts: RevisionFacts): Record<string, string> | undefined {
  if (facts.localized.length < 2) return undefined;
  const defaultTitle = pickLocalized(facts.localized, undefined, facts.defaultLanguage)?.title;
  let titles: Record<string, string> | undefined;
  for (const { language, title } of facts.localized) {
    if (title === undefined || title === defaultTitle) continue;
    titles ??= {};
    titles[language.toLowerCase()] = title;
  }
  return titles;
}

function requireIdentity(found: UpdateIdentity, expected: UpdateIdentity): void {
  if (found.updateId !== expected.updateId || found.revisionNumber !== expected.revisionNumber) {
    throw new WsusutilError(
      'UPDATE_IDENTITY_MISMATCH',
      `the package announces ${formatIdentity(expected)}, the document says ${formatIdentity(found)}`,
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
  return createHash('sha256').update(bytes).digest();
}
