import { describe, expect, test } from 'vitest';
import { closeOverNeeds, keysOf, orderByNeeds, splitByNeeds } from '../../src/packages/select-revisions.js';
import type { DependencyGraph } from '../../src/store/metadata-store.js';
import { fc } from '../helpers/properties.js';

/** needs[index]: for each need the indices that would do, oldest first. */
function graphOf(needs: readonly (readonly (readonly number[])[])[]): DependencyGraph {
  return {
    keys: needs.map((_, index) => index + 100),
    indexOf: (key) => (key >= 100 && key < 100 + needs.length ? key - 100 : undefined),
    needsOf: (index) => needs[index] ?? [],
  };
}

/** Revisions that need any others, circles included. */
const anyNeeds = fc.integer({ min: 1, max: 14 }).chain((count) =>
  fc.array(
    fc.array(fc.array(fc.integer({ min: 0, max: count - 1 }), { minLength: 1, maxLength: 3 }), {
      maxLength: 3,
    }),
    { minLength: count, maxLength: count },
  ),
);

/** Without circles: in some hidden order each needs only earlier ones, and one revision will do for each need. */
const acyclicNeeds = fc
  .array(fc.array(fc.nat(1000), { maxLength: 3 }), { minLength: 1, maxLength: 14 })
  .chain((raw) => fc.tuple(fc.constant(raw), fc.shuffledSubarray([...raw.keys()], { minLength: raw.length })))
  .map(([raw, order]) => {
    const needs: number[][][] = raw.map(() => []);
    for (const [place, index] of order.entries()) {
      if (place > 0) needs[index] = (raw[index] ?? []).map((n) => [order[n % place] as number]);
    }
    return needs;
  });

const isSatisfied = (need: readonly number[], by: ReadonlySet<number>) => need.some((each) => by.has(each));

describe('closing over needs', () => {
  test('leaves nothing unsatisfied and holds what was chosen', () => {
    fc.assert(
      fc.property(anyNeeds, fc.array(fc.nat(13)), (needs, picks) => {
        const chosen = picks.filter((each) => each < needs.length);
        const closed = closeOverNeeds(graphOf(needs), chosen);
        for (const index of chosen) expect(closed.has(index)).toBe(true);
        for (const index of closed) {
          for (const need of needs[index] ?? []) expect(isSatisfied(need, closed)).toBe(true);
        }
      }),
    );
  });

  test('takes the newest revision of a prerequisite, unless one is chosen already', () => {
    const graph = graphOf([[], [], [[0, 1]]]);
    expect(closeOverNeeds(graph, [2])).toEqual(new Set([2, 1]));
    expect(closeOverNeeds(graph, [0, 2])).toEqual(new Set([0, 2]));
  });
});

describe('the order', () => {
  test('holds each revision once, and everything after what it needs if there is no circle', () => {
    fc.assert(
      fc.property(acyclicNeeds, (needs) => {
        const order = orderByNeeds(graphOf(needs), new Set(needs.keys()));
        expect(order.toSorted((a, b) => a - b)).toEqual([...needs.keys()]);
        const placed = new Set<number>();
        for (const index of order) {
          for (const need of needs[index] ?? []) expect(isSatisfied(need, placed)).toBe(true);
          placed.add(index);
        }
      }),
    );
  });

  test('is a permutation even in circles', () => {
    fc.assert(
      fc.property(anyNeeds, (needs) => {
        const order = orderByNeeds(graphOf(needs), new Set(needs.keys()));
        expect(order.toSorted((a, b) => a - b)).toEqual([...needs.keys()]);
      }),
    );
  });

  test('that is right stays as it is', () => {
    fc.assert(
      fc.property(anyNeeds, (needs) => {
        const backwards = needs.map((list, index) =>
          list.filter((need) => need.some((each) => each < index)),
        );
        expect(orderByNeeds(graphOf(backwards), new Set(backwards.keys()))).toEqual([...backwards.keys()]);
      }),
    );
  });

  test('holds only what is included', () => {
    expect(orderByNeeds(graphOf([[], [[2]], [[0]], [[1]]]), new Set([1, 3, 2]))).toEqual([2, 1, 3]);
  });
});

describe('splitting', () => {
  test('gives parts that fit, stand alone and together hold everything', () => {
    fc.assert(
      fc.property(
        acyclicNeeds,
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 14, maxLength: 14 }),
        fc.integer({ min: 1, max: 60 }),
        (needs, sizes, capacity) => {
          const graph = graphOf(needs);
          const order = orderByNeeds(graph, new Set(needs.keys()));
          const sizeOf = (index: number) => sizes[index] ?? 1;
          const sum = (indices: Iterable<number>) =>
            [...indices].reduce((total, each) => total + sizeOf(each), 0);
          const parts = splitByNeeds(graph, order, sizeOf, capacity);
          const largest = Math.max(...order.map((index) => sum(closeOverNeeds(graph, [index]))));
          expect(parts === undefined).toBe(largest > capacity);
          if (parts === undefined) return;
          expect(new Set(parts.flatMap(({ indices }) => indices))).toEqual(new Set(order));
          for (const { indices } of parts) {
            expect(sum(indices)).toBeLessThanOrEqual(capacity);
            const placed = new Set<number>();
            for (const index of indices) {
              for (const need of needs[index] ?? []) expect(isSatisfied(need, placed)).toBe(true);
              placed.add(index);
            }
          }
        },
      ),
    );
  });

  test('of nothing gives no part', () => {
    expect(splitByNeeds(graphOf([]), [], () => 1, 10)).toEqual([]);
  });
});

test('indices become keys', () => {
  expect(keysOf(graphOf([[], []]), [1, 0])).toEqual([101, 100]);
});
