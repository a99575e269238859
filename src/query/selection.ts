/** Which products and classifications a synchronisation asks for, from those an administrator has chosen. */
import type { UpdateId } from '../model/update-identity.js';
import type { CategoryRow } from '../store/metadata-store.js';

export interface Selection {
  /** ids of products, families and companies */
  readonly products: readonly UpdateId[];
  readonly classifications: readonly UpdateId[];
}

/**
 * What is chosen, with all that lies below it in the tree of `categories`, first by first: a family stands for its
 * products, those that come later too; a product does not stand for its family. Ids that are not in the tree, such as
 * those chosen before the first synchronisation, stay as they are: an upstream passes over what it does not know
 * (server-sync-protocol 5).
 *
 * @returns each id once; the families and companies that are chosen, or lie below such, are among the products
 */
export function expandSelection(categories: readonly CategoryRow[], chosen: Selection): Selection {
  const isClassification = (row: CategoryRow) => row.categoryType === 'UpdateClassification';
  return {
    products: withAllBelow(
      categories.filter((row) => !isClassification(row)),
      chosen.products,
    ),
    classifications: withAllBelow(categories.filter(isClassification), chosen.classifications),
  };
}

function withAllBelow(rows: readonly CategoryRow[], chosen: readonly UpdateId[]): readonly UpdateId[] {
  const below = new Map<UpdateId, UpdateId[]>();
  for (const { updateId, parents } of rows) {
    for (const parent of parents) {
      const siblings = below.get(parent);
      if (siblings === undefined) below.set(parent, [updateId]);
      else siblings.push(updateId);
    }
  }
  // A set takes each id once, so circles end; it may grow while it is walked.
  const found = new Set(chosen);
  for (const id of found) for (const child of below.get(id) ?? []) found.add(child);
  return [...found];
}

/**
 * How a category stands to a selection: chosen itself, below one that is, or above some that are.
 */
export type SelectionMark = 'selected' | 'included' | 'partial';

/** Marks of the categories of one kind; one without a mark has nothing to do with the selection. */
export function markSelection(
  rows: readonly CategoryRow[],
  chosen: readonly UpdateId[],
): ReadonlyMap<UpdateId, SelectionMark> {
  const marks = new Map<UpdateId, SelectionMark>();
  for (const id of withAllBelow(rows, chosen)) marks.set(id, 'included');
  for (const id of chosen) marks.set(id, 'selected');
  const parentsOf = new Map(rows.map(({ updateId, parents }) => [updateId, parents]));
  // What a set holds while it is walked grows by the parents, each once.
  const above = new Set(marks.keys());
  for (const id of above) for (const parent of parentsOf.get(id) ?? []) above.add(parent);
  for (const id of above) if (!marks.has(id) && parentsOf.has(id)) marks.set(id, 'partial');
  return marks;
}
