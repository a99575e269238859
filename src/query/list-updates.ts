import type { UpdateType } from '../model/revision.js';
import type { MetadataStore, RevisionFilter } from '../store/metadata-store.js';

/** One update as `wsusutil updates` shows it and `--json` prints it. */
export interface ListedUpdate {
  readonly updateId: string;
  readonly revisionNumber: number;
  readonly type: UpdateType;
  readonly title: string;
  readonly kbArticleIds: readonly string[];
  readonly msrcSeverity: string | undefined;
  /** milliseconds since 1970 */
  readonly createdAt: number | undefined;
  readonly isNewest: boolean;
  readonly isSuperseded: boolean;
  readonly isExpired: boolean;
  readonly explicitlyDeployable: boolean;
}

/** @returns what matches, newest first, and how many match in all */
export async function listUpdates(
  store: MetadataStore,
  filter: RevisionFilter,
  options: { readonly language: string | undefined; readonly limit: number | undefined },
): Promise<{ readonly count: number; readonly updates: readonly ListedUpdate[] }> {
  const updates: ListedUpdate[] = [];
  for await (const batch of store.listRevisions(filter, options.limit)) {
    const titles =
      options.language === undefined
        ? undefined
        : await store.localizedTitles(
            batch.map((each) => each.key),
            options.language,
          );
    for (const each of batch) {
      updates.push({
        updateId: each.identity.updateId,
        revisionNumber: each.identity.revisionNumber,
        type: each.updateType,
        title: (titles?.get(each.key) ?? each.title).trim(),
        kbArticleIds: each.kbArticleIds,
        msrcSeverity: each.msrcSeverity,
        createdAt: each.createdAt,
        isNewest: each.isNewest,
        isSuperseded: each.isSuperseded,
        isExpired: each.publicationState === 'Expired',
        explicitlyDeployable: each.explicitlyDeployable,
      });
    }
  }
  const isCut = options.limit !== undefined && updates.length === options.limit;
  return { count: isCut ? await store.countRevisions(filter) : updates.length, updates };
}
