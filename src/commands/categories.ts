import { buildCategoryTree, type CategoryNode } from '../query/category-tree.js';
import type { CategoryRow } from '../store/metadata-store.js';
import { defineCommand } from './declaration.js';
import type { TreeNode } from './outcome.js';
import { formatCount } from './quantities.js';

export const categories = defineCommand({
  name: 'categories',
  summary: 'Show companies, product families, products and classifications',
  description: [
    'Shows the products as a tree, company, family, product, and the classifications, each with the number of updates that an administrator could approve.',
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
      const tree = buildCategoryTree(rows);
      const text = positionals.text?.toLowerCase();
      const matches = (row: CategoryRow) => text === undefined || row.title.toLowerCase().includes(text);
      const isShown = (row: CategoryRow, updates: number) => matches(row) && (!options.used || updates > 0);
      const roots = tree.roots.flatMap((node) => prune(node, isShown));
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
      return {
        status: 'complete',
        result: { counts, categories: roots.map(toJson), classifications: classifications.map(rowToJson) },
        view:
          rows.length === 0
            ? { kind: 'lines', lines: ['The store has no categories: import a package first.'] }
            : [
                { kind: 'tree', title: 'Products', roots: roots.map(toTree) },
                { kind: 'lines', lines: [''] },
                {
                  kind: 'tree',
                  title: 'Classifications',
                  roots: classifications.map((row) => ({
                    label: row.title.trim(),
                    note: noteOf(row, row.updateCount, options.ids),
                    children: [],
                  })),
                },
                {
                  kind: 'lines',
                  lines: [
                    '',
                    `${formatCount(counts.companies)} companies, ${formatCount(counts.families)} families, ${formatCount(counts.products)} products, ${formatCount(counts.classifications)} classifications${counts.withoutKind === 0 ? '' : `, ${formatCount(counts.withoutKind)} without a kind`}`,
                  ],
                },
              ],
      };
    } finally {
      await store.close();
    }
  },
});

/** The node with those below it that are shown; nothing if none is. What is below a match is shown with it. */
function prune(node: CategoryNode, isShown: (row: CategoryRow, updates: number) => boolean): CategoryNode[] {
  if (isShown(node.row, node.totalUpdates)) {
    const children = node.children.flatMap((child) =>
      prune(child, (row, updates) => isShown(node.row, updates) || isShown(row, updates)),
    );
    return [{ ...node, children }];
  }
  const children = node.children.flatMap((child) => prune(child, isShown));
  return children.length === 0 ? [] : [{ ...node, children }];
}

function noteOf(row: CategoryRow, updates: number, withId: boolean): string {
  const notes = [
    updates === 0 ? undefined : `${formatCount(updates)} updates`,
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
