import { expect, test } from 'vitest';
import type { KeyRange } from '../../src/store/carry-state.js';
import { failureOf } from '../helpers/package-builder.js';
import { fc } from '../helpers/properties.js';
import { NOW, openTestStore } from './update-builder.js';

const sent = (sequence: number, followsSequence: number | undefined, destination = 'site') => ({
  destination,
  sequence,
  manifest: `${destination === 'site' ? 'A' : 'B'}${String(sequence).padStart(63, '0')}`,
  followsSequence,
  createdAt: NOW.getTime(),
  acknowledgedAt: undefined,
});

test('a destination holds what its packages carried, each with those it builds on', async () => {
  const { store } = await openTestStore();
  const state = store.carryState();
  const [one, two, three] = ['1', '2', '3'].map((digit) => digit.repeat(40)) as [string, string, string];
  await state.recordSent(sent(1, undefined), { revisions: [[1, 10]], files: new Set([two, one]) });
  await state.recordSent(sent(2, 1), {
    revisions: [
      [11, 12],
      [20, 20],
    ],
    files: new Set([three]),
  });
  await state.recordSent(sent(3, 1), { revisions: [[11, 30]], files: new Set() });
  await state.recordSent(sent(1, undefined, 'ship'), { revisions: [[1, 99]], files: new Set() });
  expect(await state.carriedUpTo('site', 2)).toEqual({
    revisions: [
      [1, 12],
      [20, 20],
    ],
    files: new Set([one, two, three]),
  });
  expect(await state.carriedUpTo('site', 3)).toEqual({ revisions: [[1, 30]], files: new Set([one, two]) });
  expect((await state.listSent('site')).map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
  expect(await state.listSent()).toHaveLength(4);
  expect((await failureOf(() => state.carriedUpTo('site', 4))).code).toBe('NOT_FOUND');
});

test('ranges of keys come together as the set they stand for', async () => {
  const { store } = await openTestStore();
  const state = store.carryState();
  let sequence = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.nat(6)), { maxLength: 5 }), {
        minLength: 1,
        maxLength: 4,
      }),
      async (packages) => {
        let follows: number | undefined;
        const expected = new Set<number>();
        for (const each of packages) {
          const ranges: KeyRange[] = each.map(([first, length]) => [first, first + length]);
          for (const [first, last] of ranges) for (let key = first; key <= last; key++) expected.add(key);
          await state.recordSent(sent(++sequence, follows), { revisions: ranges, files: new Set() });
          follows = sequence;
        }
        const { revisions } = await state.carriedUpTo('site', sequence);
        const keys = revisions.flatMap(([first, last]) =>
          Array.from({ length: last - first + 1 }, (_, index) => first + index),
        );
        expect(keys).toEqual([...expected].sort((a, b) => a - b));
      },
    ),
  );
});

test('a package is acknowledged once, and only one that was sent', async () => {
  const { store } = await openTestStore();
  const state = store.carryState();
  await state.recordSent(sent(1, undefined), { revisions: [], files: new Set() });
  expect(await state.acknowledge('site', 1, 5)).toBe(true);
  expect(await state.acknowledge('site', 1, 9)).toBe(true);
  expect(await state.listSent()).toMatchObject([{ acknowledgedAt: 5 }]);
  expect(await state.acknowledge('site', 2, 5)).toBe(false);
});

test('a number is given out once for a destination', async () => {
  const { store } = await openTestStore();
  const state = store.carryState();
  const nothing = { revisions: [], files: new Set<string>() };
  await state.recordSent(sent(1, undefined), nothing);
  const other = { ...sent(1, undefined), manifest: 'C'.repeat(64) };
  expect((await failureOf(() => state.recordSent(other, nothing))).code).toBe('TARGET_EXISTS');
});
