/**
 * Revisions on their way into the store, in a form that crosses threads cheaply: ids and digests as bytes that move
 * without being copied, every id once however often the batch names it, the rest as one JSON text. (A structured
 * clone of the facts as objects cost as much as parsing the documents.)
 */
import type { ContentFile, EulaFile } from '../model/content-file.js';
import type { CategoryType, RevisionFacts, UpdateType } from '../model/revision.js';
import { type UpdateId, updateIdToBytes } from '../model/update-identity.js';
import { ARTICLE_CODES, FILE_KIND_CODES, PREREQUISITE_KINDS } from './schema.js';

export const UPDATE_ID_SIZE = 16;
export const DIGEST_SIZE = 32;
const SHA1_SIZE = 20;
/** SHA-1 and SHA-256 of a file, one behind the other */
export const FILE_DIGESTS_SIZE = SHA1_SIZE + DIGEST_SIZE;

/** A compressed run of documents, about 256 KiB of them. */
export interface DocumentBlock {
  /** packed by `packBlock` */
  readonly data: Uint8Array;
  /** bytes when unpacked */
  readonly size: number;
  /** packed JSON: offset of the document → language → title, where it differs from the default title */
  readonly titles: Uint8Array | undefined;
}

export interface RevisionBatch {
  /** {@link UPDATE_ID_SIZE} bytes each */
  readonly updateIds: Uint8Array;
  /** SHA-256 of each revision's document, {@link DIGEST_SIZE} bytes each */
  readonly digests: Uint8Array;
  /** {@link FILE_DIGESTS_SIZE} bytes each */
  readonly fileDigests: Uint8Array;
  /** JSON of {@link RevisionRow}s */
  readonly rows: string;
  readonly blocks: readonly DocumentBlock[];
}

/** Where a document lies: block of the batch, offset in it, size; bytes. */
export interface DocumentPlace {
  readonly block: number;
  readonly blockOffset: number;
  readonly documentSize: number;
}

/** An update, as a position in {@link RevisionBatch.updateIds}. */
type UpdatePosition = number;

/** What the store keeps of a revision in columns; the rest is read from the document. */
export interface RevisionRow extends DocumentPlace {
  readonly update: UpdatePosition;
  readonly revisionNumber: number;
  readonly updateType: UpdateType;
  readonly categoryType?: CategoryType | undefined;
  /** in the default language */
  readonly title: string;
  readonly defaultLanguage?: string | undefined;
  readonly publicationState?: string | undefined;
  /** milliseconds since 1970 */
  readonly createdAt?: number | undefined;
  readonly msrcSeverity?: string | undefined;
  readonly explicitlyDeployable: boolean;
  /** joined by commas */
  readonly languages?: string | undefined;
  /** joined by commas */
  readonly kbArticleIds?: string | undefined;
  /** a clause each: kind (see schema.ts), then its members */
  readonly prerequisites: readonly (readonly [kind: number, ...members: UpdatePosition[]])[];
  readonly bundled: readonly (readonly [
    clause: number,
    position: number,
    update: UpdatePosition,
    revision: number,
  ])[];
  readonly superseded: readonly UpdatePosition[];
  readonly articles: readonly (readonly [kind: number, value: string])[];
  readonly files: readonly FileRow[];
}

export interface FileRow {
  readonly kind: number;
  readonly fileName: string;
  readonly language?: string | undefined;
  readonly size: number;
  /** position in {@link RevisionBatch.fileDigests} */
  readonly digests: number;
  readonly hasSha256: boolean;
}

/** Characters that would make the batch's text take two bytes for every character. */
const WIDE_CHARACTER = /[\u0100-\uffff]/g;

/** The same JSON in a string of one byte per character: half the memory, and parsed twice as fast. */
function toOneByteText(json: string): string {
  if (json.search(WIDE_CHARACTER) < 0) return json;
  const escaped = json.replaceAll(
    WIDE_CHARACTER,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return Buffer.from(escaped, 'latin1').toString('latin1'); // what was cut from a wide string stays wide
}

/** What the rows of a batch share, and the rows; see {@link RevisionBatch} for their forms. */
export interface BatchTables {
  positionOf(id: UpdateId): number;
  /** @returns position of the digests, {@link FILE_DIGESTS_SIZE} bytes */
  addFileDigests(bytes: Uint8Array): number;
  /** @param json of a {@link RevisionRow}, one byte per character */
  addRow(json: string): void;
  take(): Pick<RevisionBatch, 'updateIds' | 'fileDigests' | 'rows'>;
}

class PlainTables implements BatchTables {
  readonly #updates = new Map<UpdateId, UpdatePosition>();
  readonly #fileDigests: Uint8Array[] = [];
  /** JSON of one row each: facts kept as objects until the end would keep all their documents' texts alive */
  readonly #rows: string[] = [];

  positionOf(id: UpdateId): UpdatePosition {
    const known = this.#updates.get(id);
    if (known !== undefined) return known;
    const position = this.#updates.size;
    this.#updates.set(id, position);
    return position;
  }

  addFileDigests(bytes: Uint8Array): number {
    return this.#fileDigests.push(bytes) - 1;
  }

  addRow(json: string): void {
    this.#rows.push(json);
  }

  take(): Pick<RevisionBatch, 'updateIds' | 'fileDigests' | 'rows'> {
    const updateIds = new Uint8Array(this.#updates.size * UPDATE_ID_SIZE);
    for (const [id, position] of this.#updates) updateIds.set(updateIdToBytes(id), position * UPDATE_ID_SIZE);
    const fileDigests = concatenate(this.#fileDigests, FILE_DIGESTS_SIZE);
    return { updateIds, fileDigests, rows: `[${this.#rows.join(',')}]` };
  }
}

/** Collects the facts of new revisions and packs them. */
export class RevisionPacker {
  readonly #tables: BatchTables;
  readonly #digests: Uint8Array[] = [];

  constructor(tables: BatchTables = new PlainTables()) {
    this.#tables = tables;
  }

  /** @param title in the default language */
  add(facts: RevisionFacts, title: string, digest: Uint8Array, place: DocumentPlace): void {
    const row: RevisionRow = {
      block: place.block,
      blockOffset: place.blockOffset,
      documentSize: place.documentSize,
      update: this.#position(facts.identity.updateId),
      revisionNumber: facts.identity.revisionNumber,
      updateType: facts.updateType,
      categoryType: facts.category?.categoryType,
      title,
      defaultLanguage: facts.defaultLanguage,
      publicationState: facts.publicationState,
      createdAt: facts.createdAt,
      msrcSeverity: facts.msrcSeverity,
      explicitlyDeployable: facts.explicitlyDeployable,
      languages: joined(facts.languages),
      kbArticleIds: joined(facts.kbArticleIds),
      prerequisites: this.#clauses(facts),
      bundled: this.#bundled(facts),
      superseded: facts.supersededUpdates.map((id) => this.#position(id)),
      articles: articlesOf(facts),
      files: this.#files(facts),
    };
    this.#tables.addRow(toOneByteText(JSON.stringify(row)));
    this.#digests.push(digest);
  }

  /** For a revision whose row is in the tables already. */
  addDigest(digest: Uint8Array): void {
    this.#digests.push(digest);
  }

  pack(blocks: readonly DocumentBlock[]): RevisionBatch {
    return { ...this.#tables.take(), digests: concatenate(this.#digests, DIGEST_SIZE), blocks };
  }

  #position(id: UpdateId): UpdatePosition {
    return this.#tables.positionOf(id);
  }

  #clauses(facts: RevisionFacts): RevisionRow['prerequisites'] {
    return facts.prerequisites.map(({ members, atLeastOne, isCategory }) => {
      const { bare, atLeastOne: any, category } = PREREQUISITE_KINDS;
      const clause: [number, ...UpdatePosition[]] = [isCategory ? category : atLeastOne ? any : bare];
      for (const id of members) clause.push(this.#position(id));
      return clause;
    });
  }

  #bundled(facts: RevisionFacts): RevisionRow['bundled'] {
    const rows: [number, number, UpdatePosition, number][] = [];
    for (const [clause, { members }] of facts.bundledUpdates.entries()) {
      for (const [position, { updateId, revisionNumber }] of members.entries()) {
        rows.push([clause, position, this.#position(updateId), revisionNumber]);
      }
    }
    return rows;
  }

  #files(facts: RevisionFacts): readonly FileRow[] {
    const rows: FileRow[] = [];
    for (const file of facts.files) {
      const isExpress = file.patchingType === 'Express';
      rows.push(this.#file(file, isExpress ? FILE_KIND_CODES.express : FILE_KIND_CODES.payload));
    }
    for (const file of facts.eulaFiles) rows.push(this.#file(file, FILE_KIND_CODES.licence, file.language));
    return rows;
  }

  #file(file: ContentFile | EulaFile, kind: number, language?: string): FileRow {
    const bytes = Buffer.alloc(FILE_DIGESTS_SIZE);
    bytes.write(file.sha1, 0, 'hex');
    if (file.sha256 !== undefined) bytes.write(file.sha256, SHA1_SIZE, 'hex');
    const digests = this.#tables.addFileDigests(bytes);
    return {
      kind,
      fileName: file.fileName,
      language,
      size: file.size,
      digests,
      hasSha256: file.sha256 !== undefined,
    };
  }
}

function articlesOf(facts: RevisionFacts): RevisionRow['articles'] {
  const rows: [number, string][] = [];
  for (const value of facts.kbArticleIds) rows.push([ARTICLE_CODES.kb, value]);
  for (const value of facts.securityBulletinIds) rows.push([ARTICLE_CODES.bulletin, value.toUpperCase()]);
  for (const value of facts.cveIds) rows.push([ARTICLE_CODES.cve, value.toUpperCase()]);
  return rows;
}

export function unpackRows(batch: RevisionBatch): readonly RevisionRow[] {
  return JSON.parse(batch.rows) as RevisionRow[];
}

/** SHA-1 and, if known, SHA-256 of a file row. */
export function fileDigestsOf(
  batch: RevisionBatch,
  file: FileRow,
): { sha1: Uint8Array; sha256: Uint8Array | null } {
  const start = file.digests * FILE_DIGESTS_SIZE;
  const bytes = batch.fileDigests.subarray(start, start + FILE_DIGESTS_SIZE);
  return { sha1: bytes.subarray(0, SHA1_SIZE), sha256: file.hasSha256 ? bytes.subarray(SHA1_SIZE) : null };
}

/** Buffers of a batch that can move to another thread; small ones may share Node's pool, which must not. */
export function movableBuffersOf(batch: RevisionBatch): ArrayBuffer[] {
  return [
    batch.updateIds,
    batch.digests,
    batch.fileDigests,
    ...batch.blocks.flatMap((block) =>
      block.titles === undefined ? [block.data] : [block.data, block.titles],
    ),
  ]
    .filter((bytes) => bytes.byteLength > 0 && bytes.byteLength === bytes.buffer.byteLength)
    .map((bytes) => bytes.buffer as ArrayBuffer);
}

function joined(values: readonly string[]): string | undefined {
  return values.length === 0 ? undefined : values.join(',');
}

function concatenate(parts: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(parts.length * size);
  for (const [index, part] of parts.entries()) bytes.set(part, index * size);
  return bytes;
}
