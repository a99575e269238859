import { expect, onTestFinished, test } from 'vitest';
import { Catalogue, type ListRequest } from '../../src/serve/catalogue.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import type { ServedRevision, ServeView } from '../../src/store/serve-view.js';
import { fc } from '../helpers/properties.js';
import {
  type BuiltUpdate,
  idOf,
  importUpdates,
  makeUpdate,
  now,
  openTestStore,
  type UpdateOptions,
} from '../store/update-builder.js';

const PRODUCT = 1;
const OTHER_PRODUCT = 2;
const CLASS = 3;
const OTHER_CLASS = 4;
const DETECTOID = 5;
const CONFIG = [
  makeUpdate(PRODUCT, { categoryType: 'Product' }),
  makeUpdate(OTHER_PRODUCT, { categoryType: 'Product' }),
  makeUpdate(CLASS, { categoryType: 'UpdateClassification' }),
  makeUpdate(OTHER_CLASS, { categoryType: 'UpdateClassification' }),
  makeUpdate(DETECTOID, { type: 'Detectoid' }),
];

/** Belongs to a product and a classification, and needs the detectoid. */
function software(
  n: number,
  options: UpdateOptions = {},
  product = PRODUCT,
  classification = CLASS,
): BuiltUpdate {
  return makeUpdate(n, {
    ...options,
    prerequisites: [
      { id: idOf(DETECTOID) },
      { anyOf: [idOf(product)] },
      { anyOf: [idOf(classification)], isCategory: true },
      ...(options.prerequisites ?? []),
    ],
  });
}

const ids = (...numbers: readonly number[]) => numbers.map((n) => ({ id: idOf(n), delta: true }));
const again = (...numbers: readonly number[]) => numbers.map((n) => ({ id: idOf(n), delta: false }));
const CHOSEN = { categories: ids(PRODUCT), classifications: ids(CLASS) };

async function openCatalogue(...batches: readonly (readonly BuiltUpdate[])[]) {
  const { store } = await openTestStore();
  const view = await store.serveView();
  const keys: number[] = [];
  for (const batch of batches) {
    await importUpdates(store, batch);
    keys.push(await view.newestKey());
  }
  const catalogue = new Catalogue(view);
  await catalogue.refresh();
  const list = async (request: Partial<ListRequest>): Promise<string[]> => {
    const { revisions } = await catalogue.list({
      since: 0,
      configKnownTo: Number.MAX_SAFE_INTEGER,
      getConfig: false,
      categories: undefined,
      classifications: undefined,
      ...request,
    });
    return revisions.map(
      ({ updateId, revisionNumber }) => `${Number.parseInt(updateId.slice(-12), 16)}:${revisionNumber}`,
    );
  };
  return { store, view, catalogue, keys, list };
}

test('the list of categories holds categories and detectoids, and nothing else', async () => {
  const { list } = await openCatalogue(CONFIG, [software(10)]);
  expect(await list({ getConfig: true })).toEqual(['1:1', '2:1', '3:1', '4:1', '5:1']);
});

test('both lists are a condition: a product and a classification', async () => {
  const { list } = await openCatalogue(CONFIG, [
    software(10),
    software(11, {}, OTHER_PRODUCT),
    software(12, {}, PRODUCT, OTHER_CLASS),
  ]);
  expect(await list(CHOSEN)).toEqual(['10:1']);
  expect(await list({ ...CHOSEN, categories: ids(PRODUCT, OTHER_PRODUCT, 999) })).toEqual(['10:1', '11:1']);
  expect(await list({})).toEqual(['10:1', '11:1', '12:1']);
});

test.each([
  ['products alone', { categories: ids(PRODUCT) }],
  ['classifications alone', { classifications: ids(CLASS) }],
  ['an empty list of products', { categories: [], classifications: ids(CLASS) }],
  ['an empty list of classifications', { categories: ids(PRODUCT), classifications: [] }],
  ['unknown ids alone', { categories: ids(998), classifications: ids(999) }],
])('%s: nothing', async (_name, request) => {
  const { list } = await openCatalogue(CONFIG, [software(10)]);
  expect(await list(request)).toEqual([]);
});

test('bundles bring what they hold at every level, by the revision they name and the highest there is', async () => {
  const leaf = makeUpdate(30);
  const part = makeUpdate(31, { revision: 100, bundled: [[leaf.identity]] });
  const newer = makeUpdate(31, { revision: 101 });
  const { list } = await openCatalogue(CONFIG, [
    leaf,
    part,
    newer,
    software(10, { bundled: [[part.identity]] }),
  ]);
  expect(new Set(await list(CHOSEN))).toEqual(new Set(['30:1', '31:100', '31:101', '10:1']));
});

test('prerequisites outside of the filter come along, before what needs them', async () => {
  const needed = software(40, {}, OTHER_PRODUCT);
  const { list } = await openCatalogue(CONFIG, [needed, software(10, { prerequisites: [{ id: idOf(40) }] })]);
  expect(await list(CHOSEN)).toEqual(['40:1', '10:1']);
});

test('several revisions of one update are listed, as real servers do', async () => {
  const { list } = await openCatalogue(CONFIG, [software(10), software(10, { revision: 2 })]);
  expect(await list(CHOSEN)).toEqual(['10:1', '10:2']);
});

test('with an anchor only what is new; of ids without delta everything again', async () => {
  const { list, keys } = await openCatalogue(CONFIG, [software(10)], [software(11)]);
  const since = keys[1] as number;
  expect(await list({ ...CHOSEN, since })).toEqual(['11:1']);
  expect(await list({ since })).toEqual(['11:1']);
  expect(await list({ categories: again(PRODUCT), classifications: ids(CLASS), since })).toEqual([
    '10:1',
    '11:1',
  ]);
  expect(await list({ categories: ids(PRODUCT), classifications: again(CLASS), since })).toEqual([
    '10:1',
    '11:1',
  ]);
  expect(await list({ ...CHOSEN, since: keys[2] as number })).toEqual([]);
});

test('an old part of a new bundle comes along: it may have been in no list before', async () => {
  const part = makeUpdate(30);
  const { list, keys } = await openCatalogue(CONFIG, [part], [software(10, { bundled: [[part.identity]] })]);
  expect(await list({ ...CHOSEN, since: keys[1] as number })).toEqual(['30:1', '10:1']);
});

test('a new part of an old bundle is listed although nothing else is new', async () => {
  const part = makeUpdate(30);
  const alternative = makeUpdate(31);
  const bundle = software(10, { bundled: [[part.identity, alternative.identity]] });
  const { list, keys } = await openCatalogue(CONFIG, [part, bundle], [alternative]);
  expect(await list({ ...CHOSEN, since: keys[1] as number })).toEqual(['31:1']);
});

test('detectoids that came after the list of categories was asked for are in the other list', async () => {
  const detectoid = makeUpdate(50, { type: 'Detectoid' });
  const { list, keys } = await openCatalogue(CONFIG, [
    detectoid,
    software(10, { prerequisites: [{ id: idOf(50) }] }),
  ]);
  expect(await list({ ...CHOSEN, configKnownTo: keys[0] as number })).toEqual(['50:1', '10:1']);
  expect(await list({ ...CHOSEN, configKnownTo: keys[1] as number })).toEqual(['10:1']);
});

test('what needs something that is not there is held back, and all that needs it', async () => {
  const incomplete = software(10, { prerequisites: [{ id: idOf(404) }] });
  const { list, catalogue, keys, store } = await openCatalogue(CONFIG, [
    incomplete,
    software(11, { prerequisites: [{ id: idOf(10) }] }),
    software(12),
  ]);
  expect(await list(CHOSEN)).toEqual(['12:1']);
  expect(catalogue.heldBackCount).toBe(2);
  await importUpdates(store, [software(404, {}, OTHER_PRODUCT)]);
  // Another connection sees it; this one does not count its own changes.
  const { Catalogue: Fresh } = await import('../../src/serve/catalogue.js');
  const fresh = new Fresh(await store.serveView());
  await fresh.refresh();
  const { revisions } = await fresh.list({
    ...CHOSEN,
    since: keys[1] as number,
    configKnownTo: 1e9,
    getConfig: false,
  });
  expect(revisions.map(({ updateId }) => Number.parseInt(updateId.slice(-12), 16))).toEqual([404, 10, 11]);
});

/** A store that grows, without a database. */
class GrowingView implements Partial<ServeView> {
  readonly revisions: ServedRevision[] = [];
  version(): number {
    return this.revisions.length;
  }
  async revisionsAfter(key: number): Promise<readonly ServedRevision[]> {
    return this.revisions.filter((each) => each.key > key);
  }
  async documentDigest(key: number): Promise<Uint8Array> {
    return Buffer.alloc(32, key);
  }
  async updateKeys(wanted: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return new Map(wanted.map((id) => [id, Number.parseInt(id.slice(-12), 16)]));
  }
}

test('law: a downstream that takes every delta never has an update without what it needs, and ends with the full list', async () => {
  /** Update 1 is a product, 2 a classification; the others need some of the rest, in any order of arrival. */
  const world = fc
    .array(
      fc.record({
        isConfig: fc.boolean(),
        isChosen: fc.boolean(),
        needs: fc.array(fc.nat(14), { maxLength: 2 }),
        holds: fc.array(fc.nat(14), { maxLength: 2 }),
      }),
      { minLength: 1, maxLength: 12 },
    )
    .chain((updates) =>
      fc.record({
        updates: fc.constant(updates),
        order: fc.shuffledSubarray(
          updates.map((_, index) => index),
          { minLength: updates.length },
        ),
        stops: fc.array(fc.boolean(), { minLength: updates.length, maxLength: updates.length }),
      }),
    );
  await fc.assert(
    fc.asyncProperty(world, async ({ updates, order, stops }) => {
      const view = new GrowingView();
      const catalogue = new Catalogue(view as unknown as ServeView);
      const config = (key: number): ServedRevision => ({
        key,
        updateKey: key,
        identity: { updateId: idOf(key), revisionNumber: 1 },
        isConfig: true,
        prerequisites: [],
        categories: [],
        bundled: [],
      });
      view.revisions.push(config(1), config(2));
      const byName = new Map<string, ServedRevision>();
      const chosen = [{ id: idOf(1), delta: true }];
      const classes = [{ id: idOf(2), delta: true }];
      const held = new Set<string>();
      let configSince = 0;
      let since = 0;
      const filter = { categories: chosen, classifications: classes };
      const pull = async () => {
        await catalogue.refresh();
        const configKnownTo = catalogue.point.key;
        const first = await catalogue.list({ since: configSince, configKnownTo, getConfig: true, ...filter });
        const second = await catalogue.list({ since, configKnownTo, getConfig: false, ...filter });
        configSince = first.point.key;
        since = second.point.key;
        for (const { updateId } of [...first.revisions, ...second.revisions]) held.add(updateId);
        for (const id of held) {
          const { prerequisites, bundled } = byName.get(id) ?? config(1);
          for (const clause of prerequisites) expect(clause.some((key) => held.has(idOf(key)))).toBe(true);
          for (const clause of bundled)
            expect(clause.some(({ updateKey }) => held.has(idOf(updateKey)))).toBe(true);
        }
      };
      for (const [turn, index] of order.entries()) {
        const { isConfig, isChosen, needs, holds } = updates[index] as (typeof updates)[number];
        const key = view.revisions.length + 1;
        const categories = isChosen ? [1, 2] : [];
        const revision: ServedRevision = {
          key,
          updateKey: index + 3,
          identity: { updateId: idOf(index + 3), revisionNumber: 1 },
          isConfig,
          // Categories and detectoids need their like only.
          prerequisites: [
            ...needs.filter((n) => !isConfig || updates[n]?.isConfig !== false).map((n) => [n + 3]),
            ...categories.map((n) => [n]),
          ],
          categories,
          bundled: isConfig ? [] : holds.map((n) => [{ updateKey: n + 3, revisionNumber: 1 }]),
        };
        view.revisions.push(revision);
        byName.set(revision.identity.updateId, revision);
        if (stops[turn] === true) await pull();
      }
      await pull();
      await catalogue.refresh();
      const full = await catalogue.list({ since: 0, configKnownTo: 1e9, getConfig: false, ...filter });
      const fullConfig = await catalogue.list({ since: 0, configKnownTo: 0, getConfig: true, ...filter });
      expect(held).toEqual(
        new Set([...full.revisions, ...fullConfig.revisions].map(({ updateId }) => updateId)),
      );
    }),
    { numRuns: 300 },
  );
});

test('an import that was taken back is offered no longer, and what comes after it is', async () => {
  const { store, path } = await openTestStore();
  const reader = await openMetadataStore(path, { mode: 'read', now });
  onTestFinished(() => reader.close());
  await importUpdates(store, [...CONFIG, software(10)]);
  const catalogue = new Catalogue(await reader.serveView());
  const list = async () => {
    await catalogue.refresh();
    const { revisions } = await catalogue.list({
      since: 0,
      configKnownTo: Number.MAX_SAFE_INTEGER,
      getConfig: false,
      ...CHOSEN,
    });
    return revisions.map(({ updateId }) => updateId);
  };
  await importUpdates(store, [software(11), software(12)]);
  expect(await list()).toEqual([10, 11, 12].map(idOf));
  await store.undoImport(({ package: taken }) => ({
    action: 'undo',
    package: taken,
    startedAt: 0,
    finishedAt: 0,
    outcome: 'complete',
    details: {},
  }));
  expect(await list()).toEqual([idOf(10)]);
  expect(catalogue.revisionCount).toBe(CONFIG.length + 1);
  await importUpdates(store, [software(13)]);
  expect(await list()).toEqual([10, 13].map(idOf));
});
