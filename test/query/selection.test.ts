import { describe, expect, test } from 'vitest';
import type { UpdateId } from '../../src/model/update-identity.js';
import { categoriesOf, resolveCategories } from '../../src/query/resolve-categories.js';
import { expandSelection, markSelection } from '../../src/query/selection.js';
import type { CategoryRow } from '../../src/store/metadata-store.js';
import { failureOf } from '../helpers/package-builder.js';
import { fc } from '../helpers/properties.js';
import { idOf } from '../store/update-builder.js';

function row(n: number, title: string, type: CategoryRow['categoryType'], ...parents: number[]): CategoryRow {
  return {
    updateId: idOf(n),
    categoryType: type,
    title,
    revisionNumber: 1,
    isExpired: false,
    parents: parents.map(idOf),
    updateCount: 0,
  };
}

const rows = [
  row(1, 'Contoso', 'Company'),
  row(2, 'Windows', 'ProductFamily', 1),
  row(3, 'Windows 10', 'Product', 2),
  row(4, 'Windows 11', 'Product', 2),
  row(5, 'Silverlight', 'ProductFamily', 1),
  row(6, 'Silverlight', 'Product', 5),
  row(7, 'Security Updates', 'UpdateClassification'),
  row(8, ' Updates ', 'UpdateClassification'),
];
const expand = (...products: number[]) =>
  expandSelection(rows, { products: products.map(idOf), classifications: [] }).products;

describe('a selection', () => {
  test('a family and a company stand for all below them, a product not for its family', () => {
    expect(expand(2)).toEqual([2, 3, 4].map(idOf));
    expect(expand(1)).toEqual([1, 2, 5, 3, 4, 6].map(idOf));
    expect(expand(3)).toEqual([idOf(3)]);
  });

  test('what comes later below a family is part of it then', () => {
    const later = [...rows, row(9, 'Windows 12', 'Product', 2)];
    const chosen = { products: [idOf(2)], classifications: [] };
    expect(expandSelection(later, chosen).products).toContain(idOf(9));
  });

  test('products and classifications are not mixed, and unknown ids stay', () => {
    const crossed = [...rows, row(10, 'Odd', 'Product', 7)];
    const chosen = { products: [idOf(99)], classifications: [idOf(7), idOf(7)] };
    expect(expandSelection(crossed, chosen)).toEqual({ products: [idOf(99)], classifications: [idOf(7)] });
  });

  test('is marked: chosen, with what is above it, above what is chosen', () => {
    const marks = markSelection(categoriesOf('product', rows), [idOf(2), idOf(6), idOf(99)]);
    expect(Object.fromEntries(marks)).toEqual({
      [idOf(1)]: 'partial',
      [idOf(2)]: 'selected',
      [idOf(3)]: 'included',
      [idOf(4)]: 'included',
      [idOf(5)]: 'partial',
      [idOf(6)]: 'selected',
      [idOf(99)]: 'selected',
    });
  });

  test('holds exactly what can be reached downwards, whatever the links, circles included', () => {
    const COUNT = 12;
    const anyLinks = fc.array(fc.array(fc.nat(COUNT + 2), { maxLength: 4 }), {
      minLength: COUNT,
      maxLength: COUNT,
    });
    fc.assert(
      fc.property(anyLinks, fc.uniqueArray(fc.nat(COUNT + 2)), fc.nat(COUNT), (links, chosen, firstOther) => {
        const tree = links.map((parents, n) =>
          row(n, `${n}`, n < firstOther ? 'Product' : 'UpdateClassification', ...parents),
        );
        const products = tree.slice(0, firstOther);
        const { products: expanded } = expandSelection(tree, {
          products: chosen.map(idOf),
          classifications: [],
        });
        // The same by another way: a category is in it if some walk upwards meets what is chosen.
        const meets = (id: UpdateId, seen: ReadonlySet<UpdateId>): boolean =>
          chosen.map(idOf).includes(id) ||
          (products.find(({ updateId }) => updateId === id)?.parents ?? []).some(
            (parent) => !seen.has(parent) && meets(parent, new Set(seen).add(parent)),
          );
        const expected = [
          ...chosen.map(idOf),
          ...products.map(({ updateId }) => updateId).filter((id) => meets(id, new Set([id]))),
        ];
        expect(new Set(expanded)).toEqual(new Set(expected));
        expect(new Set(expanded).size).toBe(expanded.length);
        // Expanded once is expanded for good, and the marks say the same.
        const again = expandSelection(tree, { products: expanded, classifications: [] });
        expect(new Set(again.products)).toEqual(new Set(expanded));
        const marks = [...markSelection(products, chosen.map(idOf))];
        expect(new Set(marks.filter(([, mark]) => mark !== 'partial').map(([id]) => id))).toEqual(
          new Set(expanded),
        );
      }),
    );
  });
});

describe('a name', () => {
  const resolve = (kind: 'product' | 'classification', ...given: string[]) =>
    resolveCategories(kind, given, rows);

  test('is taken in any case, an id as it is, each once', () => {
    expect(resolve('product', 'WINDOWS 10', idOf(3).toUpperCase(), ' windows ')).toEqual([idOf(3), idOf(2)]);
    expect(resolve('classification', 'updates')).toEqual([idOf(8)]);
  });

  test('that several have is not guessed; one that is preferred is meant', async () => {
    const error = await failureOf(() => resolve('product', 'silverlight'));
    expect(error).toMatchObject({ code: 'NOT_FOUND' });
    expect(error.hint).toContain(`${idOf(5)} (family in Contoso)`);
    expect(error.hint).toContain(`${idOf(6)} (product in Silverlight)`);
    expect(resolveCategories('product', ['silverlight'], rows, [idOf(6)])).toEqual([idOf(6)]);
    expect(
      await failureOf(() => resolveCategories('product', ['silverlight'], rows, [idOf(5), idOf(6)])),
    ).toMatchObject({ code: 'NOT_FOUND' });
  });

  test.each([
    ['product', 'Windwos 10', 'Did you mean "Windows 10"?'],
    ['product', 'Security Updates', 'wsusutil classifications'],
    ['classification', 'windows', 'wsusutil products'],
    ['product', idOf(7), 'wsusutil classifications'],
    ['product', idOf(99), 'wsusutil products --ids'],
    ['classification', 'zzzzzzzzzz', 'wsusutil classifications --ids'],
  ] as const)('that no %s has (%s): %s', async (kind, name, hint) => {
    const error = await failureOf(() => resolve(kind, name));
    expect(error.code).toBe('NOT_FOUND');
    expect(error.hint).toContain(hint);
  });

  test('before anything is known ids are taken, names are not', async () => {
    expect(resolveCategories('product', [idOf(99)], [])).toEqual([idOf(99)]);
    const error = await failureOf(() => resolveCategories('product', ['Windows'], []));
    expect(error.hint).toContain('wsusutil sync --categories-only');
  });
});
