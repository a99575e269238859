import { CATEGORY_TYPES, type CategoryType, UPDATE_TYPES, type UpdateType } from '../model/revision.js';
import { updateIdFromBytes } from '../model/update-identity.js';
import type { SqlRow, SqlValue } from '../platform/sqlite.js';
import type { HistoryAction, HistoryEntry, RevisionSummary } from './metadata-store.js';

export function numberOf(value: SqlValue | undefined): number {
  return Number(value);
}

export function textOf(value: SqlValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export function bytesOf(value: SqlValue | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new Error('the store returned something else than a blob');
  return value;
}

export function listOf(value: SqlValue | undefined): readonly string[] {
  return typeof value === 'string' && value !== '' ? value.split(',') : [];
}

/** Code of `revisions.update_type` → name; the codes are 1-based positions in {@link UPDATE_TYPES}. */
export function updateTypeOf(value: SqlValue | undefined): UpdateType {
  return UPDATE_TYPES[numberOf(value) - 1] as UpdateType;
}

/** Code of `revisions.category_type` → name, positions in {@link CATEGORY_TYPES}. */
export function categoryTypeOf(value: SqlValue | undefined): CategoryType | undefined {
  return value === null || value === undefined ? undefined : CATEGORY_TYPES[numberOf(value) - 1];
}

/** `prerequisites.clauses`: kind, then update keys. */
export function clausesOf(
  value: SqlValue | undefined,
): readonly (readonly [kind: number, ...members: number[]])[] {
  return typeof value === 'string' ? (JSON.parse(value) as [number, ...number[]][]) : [];
}

/** Lists of keys travel into SQL as one JSON text. */
export function jsonKeys(keys: readonly number[]): string {
  return `[${keys.join(',')}]`;
}

/**
 * Columns of a {@link RevisionSummary}, from `revisions r JOIN updates u`. An update counts as superseded when the
 * newest revision of another one says so and is not itself expired.
 */
export const SUMMARY_COLUMNS = `
  r.revision_key, u.update_id, r.revision_number, r.update_type, r.category_type, r.title, r.publication_state,
  r.created_at, r.msrc_severity, r.kb_article_ids, r.explicitly_deployable, r.document_size,
  u.newest_revision_key = r.revision_key AS is_newest`;

export const IS_SUPERSEDED = `EXISTS (
  SELECT 1 FROM superseded_updates s
  JOIN revisions newer ON newer.revision_key = s.revision_key
  JOIN updates owner ON owner.update_key = newer.update_key
  WHERE s.update_key = r.update_key AND owner.newest_revision_key = newer.revision_key
    AND newer.publication_state IS NOT 'Expired')`;

export function summaryOf(row: SqlRow): RevisionSummary {
  return {
    key: numberOf(row.revision_key),
    identity: {
      updateId: updateIdFromBytes(bytesOf(row.update_id)),
      revisionNumber: numberOf(row.revision_number),
    },
    updateType: updateTypeOf(row.update_type),
    categoryType: categoryTypeOf(row.category_type),
    title: textOf(row.title) ?? '',
    publicationState: textOf(row.publication_state),
    createdAt: row.created_at === null ? undefined : numberOf(row.created_at),
    msrcSeverity: textOf(row.msrc_severity),
    kbArticleIds: listOf(row.kb_article_ids),
    explicitlyDeployable: row.explicitly_deployable === 1,
    isNewest: row.is_newest === 1,
    isSuperseded: row.is_superseded === 1,
    documentSize: numberOf(row.document_size),
  };
}

export function historyEntryOf(row: SqlRow): HistoryEntry {
  return {
    id: numberOf(row.history_key),
    action: textOf(row.action) as HistoryAction,
    package: textOf(row.package) ?? '',
    startedAt: numberOf(row.started_at),
    finishedAt: numberOf(row.finished_at),
    outcome: textOf(row.outcome) ?? '',
    details: JSON.parse(textOf(row.details) ?? '{}') as Record<string, unknown>,
  };
}
