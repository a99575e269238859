import { expect, test } from 'vitest';
import { buildCategoryTree, type CategoryNode } from '../../src/query/category-tree.js';
import type { CategoryRow } from '../../src/store/metadata-store.js';
import { fc } from '../helpers/properties.js';
import { idOf } from '../store/update-builder.js';

function row(n: number, options: Partial<CategoryRow> = {}): CategoryRow {
  return {
    updateId: idOf(n),
    categoryType: 'Product',
    title: `Category ${n}`,
    revisionNumber: 1,
    isExpired: false,
    parents: [],
    updateCount: 0,
    ...options,
  };
}

interface Outline {
  readonly [title: string]: Outline;
}
const outline = (nodes: readonly CategoryNode[]): Outline =>
  Object.fromEntries(nodes.map((node) => [node.row.title, outline(node.children)]));

test('hangs families below companies and products below families; names with numbers sort as people do', () => {
  const tree = buildCategoryTree(
    [
      row(5, { title: 'Windows 10', parents: [idOf(2)] }),
      row(4, { title: 'Windows 7', parents: [idOf(2)] }),
      row(3, { title: 'Office', categoryType: 'ProductFamily', parents: [idOf(1)] }),
      row(2, { title: 'Windows', categoryType: 'ProductFamily', parents: [idOf(1)] }),
      row(1, { title: 'Contoso', categoryType: 'Company' }),
      row(9, { title: 'Security Updates', categoryType: 'UpdateClassification' }),
    ],
    [],
  );
  expect(outline(tree.roots)).toEqual({
    Contoso: { Office: {}, Windows: { 'Windows 7': {}, 'Windows 10': {} } },
  });
  const [contoso] = tree.roots;
  expect(contoso?.children.map((node) => node.row.title)).toEqual(['Office', 'Windows']);
  expect(contoso?.children[1]?.children.map((node) => node.row.title)).toEqual(['Windows 7', 'Windows 10']);
  expect(tree.classifications.map((each) => each.title)).toEqual(['Security Updates']);
});

test('counts the updates of what is below', () => {
  const tree = buildCategoryTree(
    [
      row(1, { categoryType: 'Company' }),
      row(2, { parents: [idOf(1)] }),
      row(3, { parents: [idOf(1), idOf(2)] }),
      row(4, { parents: [idOf(1)] }),
    ],
    [
      { categories: [idOf(2)], updateCount: 3 },
      { categories: [idOf(3)], updateCount: 4 },
      { categories: [idOf(2), idOf(3), idOf(4), idOf(9)], updateCount: 5 },
      { categories: [idOf(4)], updateCount: 7 },
    ],
  );
  const totals: Record<string, number> = {};
  const look = ({ row: { title }, totalUpdates, children }: CategoryNode): void => {
    totals[title] = totalUpdates;
    children.forEach(look);
  };
  tree.roots.forEach(look);
  // Three stands in two places, and some updates are in several: each counts once wherever it is looked for.
  expect(totals).toEqual({ 'Category 1': 19, 'Category 2': 12, 'Category 3': 9, 'Category 4': 12 });
  expect(outline(tree.roots)).toEqual({
    'Category 1': { 'Category 2': { 'Category 3': {} }, 'Category 3': {}, 'Category 4': {} },
  });
});

test('a category whose parent is not there is a root', () => {
  expect(outline(buildCategoryTree([row(2, { parents: [idOf(1)] })], []).roots)).toEqual({
    'Category 2': {},
  });
});

test('a circle does not hide its categories', () => {
  const tree = buildCategoryTree(
    [row(1, { parents: [idOf(2)] }), row(2, { parents: [idOf(1)] }), row(3, { parents: [idOf(3)] })],
    [],
  );
  expect(JSON.stringify(outline(tree.roots))).toContain('Category 1');
  expect(JSON.stringify(outline(tree.roots))).toContain('Category 2');
  expect(JSON.stringify(outline(tree.roots))).toContain('Category 3');
});

test('whatever the links, every category is shown and the tree ends', () => {
  const type = fc.constantFrom('Company', 'ProductFamily', 'Product', 'UpdateClassification', undefined);
  fc.assert(
    fc.property(
      fc.array(fc.record({ type, parents: fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 2 }) }), {
        maxLength: 9,
      }),
      (given) => {
        const rows = given.map(({ type: categoryType, parents }, n) =>
          row(n, { categoryType, parents: parents.map(idOf) }),
        );
        const tree = buildCategoryTree(rows, []);
        const shown = new Set<string>(tree.classifications.map((each) => each.updateId));
        const visit = (node: CategoryNode) => {
          shown.add(node.row.updateId);
          node.children.forEach(visit);
        };
        tree.roots.forEach(visit);
        expect(shown.size).toBe(rows.length);
      },
    ),
  );
});

test('a chain deeper than any real one is shown whole', () => {
  const rows = Array.from({ length: 40 }, (_, n) => row(n, n === 0 ? {} : { parents: [idOf(n - 1)] }));
  const text = JSON.stringify(outline(buildCategoryTree(rows, []).roots));
  for (const each of rows) expect(text).toContain(`"${each.title}"`);
});

test('a lattice in which everything hangs below everything stays small', () => {
  const width = 20;
  const rows = Array.from({ length: 15 * width }, (_, n) => {
    const above = Math.floor(n / width) - 1;
    return row(
      n,
      above < 0 ? {} : { parents: Array.from({ length: width }, (__, k) => idOf(above * width + k)) },
    );
  });
  let nodes = 0;
  const count = (node: CategoryNode) => {
    nodes++;
    node.children.forEach(count);
  };
  buildCategoryTree(rows, []).roots.forEach(count);
  expect(nodes).toBeLessThan(50 * rows.length);
});
