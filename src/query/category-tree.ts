/** Companies, families and products as the tree that the WSUS console shows. */
import type { UpdateId } from '../model/update-identity.js';
import type { CategoryGroup, CategoryRow } from '../store/metadata-store.js';

export interface CategoryNode {
  readonly row: CategoryRow;
  readonly children: readonly CategoryNode[];
  /** updates in it or below, each counted once */
  readonly totalUpdates: number;
}

export interface CategoryTree {
  readonly roots: readonly CategoryNode[];
  readonly classifications: readonly CategoryRow[];
}

/** Which kind may stand above which; a category without a kind stands where its prerequisites put it. */
const RANK = { Company: 0, ProductFamily: 1, Product: 2 } as const;
/** Products may nest; deeper than this is a circle or an attack. */
const MAX_DEPTH = 16;
/** Categories above those of an update that are counted for; real ones have a handful. */
const MAX_ABOVE = 1_000;
/** A product stands in one family, seldom in a few; more than this would let a hostile package grow the tree for ever. */
const MAX_PLACES = 32;

/**
 * Hangs each category below those that its prerequisites name. A product may stand in several families; one whose
 * parents are not in the store is a root. Circles are cut: every category is shown at least once.
 *
 * @param groups of all updates that are to be counted
 */
export function buildCategoryTree(
  rows: readonly CategoryRow[],
  groups: readonly CategoryGroup[],
): CategoryTree {
  const byId = new Map(rows.map((row) => [row.updateId, row]));
  const isTaxonomy = (row: CategoryRow) => row.categoryType !== 'UpdateClassification';
  const childrenOf = new Map<UpdateId, CategoryRow[]>();
  const tops: CategoryRow[] = [];
  const parentsOf = (row: CategoryRow) =>
    new Set(
      row.parents.filter((id) => {
        const parent = byId.get(id);
        return parent !== undefined && id !== row.updateId && isTaxonomy(parent);
      }),
    );
  const totals = countBelow(groups, (id) => {
    const row = byId.get(id);
    return row === undefined ? [] : parentsOf(row);
  });
  for (const row of rows.filter(isTaxonomy)) {
    const parents = parentsOf(row);
    if (parents.size === 0) tops.push(row);
    for (const parent of parents) {
      const siblings = childrenOf.get(parent);
      if (siblings === undefined) childrenOf.set(parent, [row]);
      else siblings.push(row);
    }
  }
  const places = new Map<UpdateId, number>();
  const nodeOf = (row: CategoryRow, above: ReadonlySet<UpdateId>): CategoryNode => {
    places.set(row.updateId, (places.get(row.updateId) ?? 0) + 1);
    const trail = new Set(above).add(row.updateId);
    const children: CategoryNode[] = [];
    for (const child of trail.size > MAX_DEPTH ? [] : (childrenOf.get(row.updateId) ?? [])) {
      if (trail.has(child.updateId) || (places.get(child.updateId) ?? 0) >= MAX_PLACES) continue;
      children.push(nodeOf(child, trail));
    }
    return { row, children: children.sort(compareNodes), totalUpdates: totals.get(row.updateId) ?? 0 };
  };
  const roots = tops.map((row) => nodeOf(row, new Set()));
  for (const row of rows.filter(isTaxonomy)) {
    if (!places.has(row.updateId)) roots.push(nodeOf(row, new Set())); // in a circle, or too deep
  }
  return {
    roots: roots.sort(compareNodes),
    classifications: rows.filter((row) => !isTaxonomy(row)).sort(compareRows),
  };
}

/** Updates in each category or in one below it. */
function countBelow(
  groups: readonly CategoryGroup[],
  parentsOf: (id: UpdateId) => Iterable<UpdateId>,
): ReadonlyMap<UpdateId, number> {
  const totals = new Map<UpdateId, number>();
  for (const { categories, updateCount } of groups) {
    const met = new Set(categories);
    for (const id of met) {
      for (const parent of parentsOf(id)) if (met.size < categories.length + MAX_ABOVE) met.add(parent);
      totals.set(id, (totals.get(id) ?? 0) + updateCount);
    }
  }
  return totals;
}

function compareNodes(a: CategoryNode, b: CategoryNode): number {
  return compareRows(a.row, b.row);
}

function compareRows(a: CategoryRow, b: CategoryRow): number {
  return rankOf(a) - rankOf(b) || a.title.trim().localeCompare(b.title.trim(), 'en', { numeric: true });
}

function rankOf(row: CategoryRow): number {
  return row.categoryType === undefined || row.categoryType === 'UpdateClassification'
    ? 3
    : RANK[row.categoryType];
}
