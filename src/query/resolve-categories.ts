/** Names and ids that an operator types → the one category each means; what could be two is never guessed. */
import { WsusutilError } from '../errors.js';
import { parseUpdateId, type UpdateId } from '../model/update-identity.js';
import type { CategoryRow } from '../store/metadata-store.js';
import { suggestTitles } from './resolve-filter.js';

export type CategoryKind = 'product' | 'classification';

const MAX_CANDIDATES = 10;

/** The categories of one kind: of products, families and companies, or of classifications. */
export function categoriesOf(kind: CategoryKind, rows: readonly CategoryRow[]): readonly CategoryRow[] {
  return rows.filter((row) => (row.categoryType === 'UpdateClassification') === (kind === 'classification'));
}

/**
 * @param rows all categories of the store
 * @param preferred ids one of which a name with several meanings may well mean, such as those chosen so far
 * @returns ids in the order given, each once. Of an id that is in no store without categories: as it is
 * @throws WsusutilError `NOT_FOUND` with names that are like it, or with the ids of those that have the name
 */
export function resolveCategories(
  kind: CategoryKind,
  given: readonly string[],
  rows: readonly CategoryRow[],
  preferred: readonly UpdateId[] = [],
): readonly UpdateId[] {
  return [...new Set(given.map((text) => resolveCategory(kind, text, rows, preferred)))];
}

function resolveCategory(
  kind: CategoryKind,
  text: string,
  rows: readonly CategoryRow[],
  preferred: readonly UpdateId[],
): UpdateId {
  const ours = categoriesOf(kind, rows);
  const id = parseUpdateId(text.trim());
  if (id !== undefined) {
    // Before the first synchronisation nothing is known; what was chosen may have gone from the upstream since.
    if (ours.length === 0 || preferred.includes(id) || ours.some((row) => row.updateId === id)) return id;
    throw unknown(kind, `with the id ${id}`, rows, (row) => row.updateId === id);
  }
  const wanted = text.trim().toLowerCase();
  const isNamed = (row: CategoryRow) => row.title.trim().toLowerCase() === wanted;
  const found = ours.filter(isNamed);
  if (found.length > 1) {
    const likely = found.filter((row) => preferred.includes(row.updateId));
    if (likely.length === 1) return (likely[0] as CategoryRow).updateId;
    throw ambiguous(kind, text, found, rows);
  }
  if (found[0] === undefined) {
    throw unknown(kind, `named "${text}"`, rows, isNamed, suggestTitles(text, ours));
  }
  return found[0].updateId;
}

function unknown(
  kind: CategoryKind,
  which: string,
  rows: readonly CategoryRow[],
  isMeant: (row: CategoryRow) => boolean,
  suggestion?: string,
): WsusutilError {
  const other = kind === 'product' ? 'classification' : 'product';
  const isOther = categoriesOf(other, rows).some(isMeant);
  const hint = isOther
    ? `It is a ${other}: use "wsusutil ${other}s".`
    : categoriesOf(kind, rows).length === 0
      ? 'Run "wsusutil sync --categories-only" or import a package first; until then give ids.'
      : (suggestion ?? `"wsusutil ${kind}s --ids" lists them.`);
  return new WsusutilError('NOT_FOUND', `The store has no ${kind} ${which}`, { hint });
}

function ambiguous(
  kind: CategoryKind,
  text: string,
  found: readonly CategoryRow[],
  rows: readonly CategoryRow[],
): WsusutilError {
  const candidates = found.map((row) => ({
    updateId: row.updateId,
    categoryType: row.categoryType ?? null,
    parents: row.parents.flatMap((id) => rows.find((each) => each.updateId === id)?.title.trim() ?? []),
  }));
  const listed = candidates.slice(0, MAX_CANDIDATES).map(({ updateId, categoryType, parents }) => {
    const place = parents.length === 0 ? '' : ` in ${parents.join(', ')}`;
    return `${updateId} (${kindText(categoryType)}${place})`;
  });
  const more = candidates.length > MAX_CANDIDATES ? `, and ${candidates.length - MAX_CANDIDATES} more` : '';
  return new WsusutilError('NOT_FOUND', `No single ${kind} is named "${text}": ${found.length} are`, {
    hint: `Give the id of the one that is meant: ${listed.join('; ')}${more}.`,
    details: { candidates },
  });
}

function kindText(type: CategoryRow['categoryType'] | null): string {
  switch (type) {
    case 'Company':
      return 'company';
    case 'ProductFamily':
      return 'family';
    case 'Product':
      return 'product';
    case 'UpdateClassification':
      return 'classification';
    default:
      return 'category';
  }
}
