import { buildCategoryTree, type CategoryNode } from '../../query/category-tree.js';
import type { CategoryRow } from '../../store/metadata-store.js';
import { defineCommand } from '../declaration.js';
import type { TreeNode, View } from '../outcome.js';
import { formatCount, formatQuantity } from '../quantities.js';

export const categories = defineCommand({
  name: 'categories',
  summary: 'Show companies, product families, products and classifications',
  description: [
    'Shows the products as a tree, company, family, product, and the classifications, each with the number of updates that an administrator could approve. One that is for several products counts once in what is above them.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [
    {
      name: 'text',
      description: 'Only categories with this text in their name, and what is above them',
      required: false,
      kind: 'text',
    },
  ],
  options: {
    ids: { type: 'boolean', description: 'Show the ids' },
    used: { type: 'boolean', description: 'Only categories that have updates' },
  },
  examples: ['wsusutil categories', 'wsusutil categories "windows 11" --ids'],
  async run({ positionals, options }, context) {
    const store = await context.openStore('read');
    try {
      const rows = await store.listCategories();
      const tree = buildCategoryTree(rows, await store.groupByCategories());
      const text = positionals.text?.toLowerCase();
      const matches = (row: CategoryRow) => text === undefined || row.title.toLowerCase().includes(text);
      const isShown = (row: CategoryRow, updates: number) => matches(row) && (!options.used || updates > 0);
      const roots = tree.roots.flatMap((node) => pruneTree(node, isShown));
      const classifications = tree.classifications.filter((row) => isShown(row, row.updateCount));
      const countOf = (type: CategoryRow['categoryType']) =>
        rows.filter((row) => row.categoryType === type).length;
      const counts = {
        companies: countOf('Company'),
        families: countOf('ProductFamily'),
        products: countOf('Product'),
        classifications: countOf('UpdateClassification'),
        withoutKind: countOf(undefined),
      };
      const toTree = (node: CategoryNode): TreeNode => ({
        label: node.row.title.trim(),
        note: noteOf(node.row, node.totalUpdates, options.ids),
        children: node.children.map(toTree),
      });
      const shownIds = new Set(classifications.map((row) => row.updateId));
      const remember = (node: CategoryNode): void => {
        shownIds.add(node.row.updateId);
        node.children.forEach(remember);
      };
      roots.forEach(remember);
      const viewsOf = (): View[] => {
        if (rows.length === 0) return [linesView('The store has no categories: import a package first.')];
        const inAll = formatQuantity(rows.length, 'category', 'categories');
        if (shownIds.size === 0) {
          const wanted = text === undefined ? 'has updates' : `has "${positionals.text}" in its name`;
          const used = text !== undefined && options.used ? ' and has updates' : '';
          return [linesView(`No category ${wanted}${used}; the store has ${inAll}.`)];
        }
        const views: View[] = [];
        if (roots.length > 0) views.push({ kind: 'tree', title: 'Products', roots: roots.map(toTree) });
        if (classifications.length > 0) {
          views.push({
            kind: 'tree',
            title: 'Classifications',
            roots: classifications.map((row) => ({
              label: row.title.trim(),
              note: noteOf(row, row.updateCount, options.ids),
              children: [],
            })),
          });
        }
        views.push(
          linesView(
            text !== undefined || options.used
              ? `${formatCount(shownIds.size)} of ${inAll} shown`
              : describeCounts(counts),
          ),
        );
        return views;
      };
      return {
        status: 'complete',
        result: { counts, categories: roots.map(toJson), classifications: classifications.map(rowToJson) },
        view: viewsOf(),
      };
    } finally {
      await store.close();
    }
  },
});

function linesView(line: string): View {
  return { kind: 'lines', lines: [line] };
}

interface CategoryCounts {
  readonly companies: number;
  readonly families: number;
  readonly products: number;
  readonly classifications: number;
  readonly withoutKind: number;
}

function describeCounts(counts: CategoryCounts): string {
  const parts = [
    formatQuantity(counts.companies, 'company', 'companies'),
    formatQuantity(counts.families, 'family', 'families'),
    formatQuantity(counts.products, 'product'),
    formatQuantity(counts.classifications, 'classification'),
  ];
  if (counts.withoutKind > 0) parts.push(`${formatCount(counts.withoutKind)} without a kind`);
  return parts.join(', ');
}

/** The node with those below it that are shown; nothing if none is. What is below a match is shown with it. */
export function pruneTree(
  node: CategoryNode,
  isShown: (row: CategoryRow, updates: number) => boolean,
): CategoryNode[] {
  if (isShown(node.row, node.totalUpdates)) {
    const children = node.children.flatMap((child) =>
      pruneTree(child, (row, updates) => isShown(node.row, updates) || isShown(row, updates)),
    );
    return [{ ...node, children }];
  }
  const children = node.children.flatMap((child) => pruneTree(child, isShown));
  return children.length === 0 ? [] : [{ ...node, children }];
}

/** What stands dim behind a category: its updates, whether it is expired, its id. */
export function noteOf(row: CategoryRow, updates: number, withId: boolean): string {
  const notes = [
    updates === 0 ? undefined : formatQuantity(updates, 'update'),
    row.isExpired ? 'expired' : undefined,
    withId ? row.updateId : undefined,
  ];
  return notes.filter((each) => each !== undefined).join(', ');
}

function toJson(node: CategoryNode): Record<string, unknown> {
  return { ...rowToJson(node.row), totalUpdates: node.totalUpdates, children: node.children.map(toJson) };
}

function rowToJson(row: CategoryRow): Record<string, unknown> {
  return {
    updateId: row.updateId,
    revisionNumber: row.revisionNumber,
    title: row.title,
    categoryType: row.categoryType ?? null,
    isExpired: row.isExpired,
    updateCount: row.updateCount,
  };
}
