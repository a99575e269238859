/** Everything known about one revision: the facts of its document, and what the store adds. */
import { WsusutilError } from '../errors.js';
import { parseUpdateDocument } from '../formats/update-xml/parse-update.js';
import { contentPath } from '../model/content-file.js';
import { pickLocalized, type RevisionFacts } from '../model/revision.js';
import { formatIdentity, type UpdateId } from '../model/update-identity.js';
import type { MetadataStore, RevisionSummary } from '../store/metadata-store.js';

export interface NamedUpdate {
  readonly updateId: UpdateId;
  /** undefined: the store has no revision of it */
  readonly title: string | undefined;
}

export interface UpdateDescription {
  readonly summary: RevisionSummary;
  readonly facts: RevisionFacts;
  /** in the language asked for, or the nearest to it */
  readonly language: string | undefined;
  readonly title: string;
  readonly description: string | undefined;
  readonly revisions: readonly number[];
  readonly prerequisites: readonly {
    readonly atLeastOne: boolean;
    readonly isCategory: boolean;
    readonly members: readonly NamedUpdate[];
  }[];
  readonly bundledUpdates: readonly {
    readonly atLeastOne: boolean;
    readonly members: readonly (NamedUpdate & { readonly revisionNumber: number })[];
  }[];
  readonly supersededUpdates: readonly NamedUpdate[];
  readonly bundledBy: readonly RevisionSummary[];
  readonly supersededBy: readonly RevisionSummary[];
  readonly files: readonly {
    readonly sha1: string;
    readonly sha256: string | undefined;
    readonly fileName: string;
    readonly size: number;
    readonly patchingType: string | undefined;
    /** below `WsusContent/` */
    readonly contentPath: string;
    readonly url: string | undefined;
  }[];
}

/** @throws WsusutilError `NOT_FOUND` naming the revisions that are there */
export async function findRevision(
  store: MetadataStore,
  updateId: UpdateId,
  revisionNumber: number | undefined,
): Promise<{ readonly summary: RevisionSummary; readonly all: readonly RevisionSummary[] }> {
  const all = await store.findUpdate(updateId);
  const summary =
    revisionNumber === undefined
      ? all[0]
      : all.find((each) => each.identity.revisionNumber === revisionNumber);
  if (summary === undefined) {
    throw all.length === 0
      ? new WsusutilError('NOT_FOUND', `The store has no update ${updateId}`, {
          hint: '"wsusutil updates <words> --type all" searches the titles.',
        })
      : new WsusutilError('NOT_FOUND', `The store has no revision ${revisionNumber} of update ${updateId}`, {
          hint: `It has ${all.map((each) => each.identity.revisionNumber).join(', ')}.`,
        });
  }
  return { summary, all };
}

/** @throws WsusutilError `NOT_FOUND` */
export async function readStoredDocument(
  store: MetadataStore,
  summary: RevisionSummary,
): Promise<Uint8Array> {
  for await (const [only] of store.readDocuments([summary.key])) {
    if (only !== undefined) return only.document;
  }
  throw new WsusutilError('NOT_FOUND', `The store has no document of ${formatIdentity(summary.identity)}`);
}

/** @param language short tag; undefined: the document's default */
export async function describeUpdate(
  store: MetadataStore,
  updateId: UpdateId,
  revisionNumber: number | undefined,
  language: string | undefined,
): Promise<UpdateDescription> {
  const { summary, all } = await findRevision(store, updateId, revisionNumber);
  const facts = parseUpdateDocument(await readStoredDocument(store, summary));
  const localized = pickLocalized(facts.localized, language, facts.defaultLanguage);
  const named = await store.titlesOf(
    [
      ...new Set([
        ...facts.prerequisites.flatMap((clause) => clause.members),
        ...facts.bundledUpdates.flatMap((clause) => clause.members.map((member) => member.updateId)),
        ...facts.supersededUpdates,
      ]),
    ],
    language,
  );
  const nameOf = (id: UpdateId): NamedUpdate => ({ updateId: id, title: named.get(id)?.trim() });
  const urls = await store.fileLocations(facts.files.map((file) => file.sha1));
  const relatives = await store.relatives(summary.identity);
  return {
    summary,
    facts,
    language: localized?.language,
    title: (localized?.title ?? summary.title).trim(),
    description: localized?.description,
    revisions: all.map((each) => each.identity.revisionNumber),
    prerequisites: facts.prerequisites.map(({ atLeastOne, isCategory, members }) => ({
      atLeastOne,
      isCategory,
      members: members.map(nameOf),
    })),
    bundledUpdates: facts.bundledUpdates.map(({ atLeastOne, members }) => ({
      atLeastOne,
      members: members.map((member) => ({
        ...nameOf(member.updateId),
        revisionNumber: member.revisionNumber,
      })),
    })),
    supersededUpdates: facts.supersededUpdates.map(nameOf),
    bundledBy: relatives.bundledBy,
    supersededBy: relatives.supersededBy,
    files: facts.files.map((file) => ({
      sha1: file.sha1,
      sha256: file.sha256,
      fileName: file.fileName,
      size: file.size,
      patchingType: file.patchingType,
      contentPath: contentPath(file.sha1, file.fileName),
      url: urls.get(file.sha1),
    })),
  };
}
