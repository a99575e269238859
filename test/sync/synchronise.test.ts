import { expect, test } from 'vitest';
import { parseUpdateDocument } from '../../src/formats/update-xml/parse-update.js';
import { formatIdentity, type UpdateId, type UpdateIdentity } from '../../src/model/update-identity.js';
import { orderByNeeds } from '../../src/packages/select-revisions.js';
import { expandSelection } from '../../src/query/selection.js';
import type { CategoryRow, MetadataStore } from '../../src/store/metadata-store.js';
import { type BrokenOffSync, isSyncComplete } from '../../src/sync/synchronise.js';
import type { FakeUpstream, UpstreamItem, UpstreamQuirks } from '../helpers/fake-upstream.js';
import { type SeededRandom, seededRandom } from '../helpers/seeded-random.js';
import { idOf, makeUpdate } from '../store/update-builder.js';
import { smallCatalogue } from './client-setup.js';
import { chooseAll, startDownstream } from './sync-setup.js';

const ALL = { chooseFilter: () => undefined };

/** Identity → document. */
async function contentsOf(store: MetadataStore): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for await (const run of store.readDocuments(await store.listKeys())) {
    for (const { identity, document } of run) {
      found.set(formatIdentity(identity), Buffer.from(document).toString('utf8'));
    }
  }
  return found;
}

function contentsOfItems(items: readonly UpstreamItem[]): ReadonlyMap<string, string> {
  return new Map(
    items.map(({ identity, document }) => [formatIdentity(identity), Buffer.from(document).toString('utf8')]),
  );
}

async function expectAllLocated(store: MetadataStore): Promise<void> {
  const located = smallCatalogue()
    .flatMap(({ files }) => files)
    .filter(({ muUrl }) => muUrl !== '');
  const locations = await store.fileLocations(located.map(({ sha1 }) => sha1));
  for (const { sha1, muUrl } of located) expect(locations.get(sha1)).toBe(muUrl);
}

function sorted<T>(map: ReadonlyMap<string, T>): readonly (readonly [string, T])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Identities in every GetUpdateData since call number `from`. */
function askedFor(upstream: FakeUpstream, from = 0): string[] {
  return upstream.calls
    .slice(from)
    .filter(({ operation }) => operation === 'GetUpdateData')
    .flatMap(({ request }) => request.children[1]?.children ?? [])
    .map(({ children }) => `${children[0]?.text}:${children[1]?.text}`);
}

/** A revision that comes on its own, without needs. */
function item(n: number, options: Parameters<typeof makeUpdate>[1] = {}): UpstreamItem {
  const { identity, document } = makeUpdate(n, options);
  return { identity, document, files: [], categories: [], classifications: [] };
}

function shuffled<T>(list: readonly T[], random: SeededRandom): readonly T[] {
  return list
    .map((each) => ({ each, place: random.below(1 << 30) }))
    .sort((a, b) => a.place - b.place)
    .map(({ each }) => each);
}

const VARIANTS: readonly (readonly [string, UpstreamQuirks])[] = [
  ['a WSUS server', {}],
  ['Microsoft Update', { kind: 'microsoft-update' }],
  ['a server that answers 80 of 100', { answerAtMost: 80 }],
  ['a server that takes 7 revisions at once', { maxUpdatesPerRequest: 7 }],
  ['a server that sends more than it was asked for', { sendsUnrequested: true }],
  ['a server without gzip and with plain documents', { gzip: false, documents: 'plain' }],
];

test.each(VARIANTS)('the store holds what is chosen of %s, byte for byte', async (_name, quirks) => {
  await using downstream = await startDownstream(quirks);
  const items = smallCatalogue();
  const summary = await downstream.sync();
  expect(isSyncComplete(summary)).toBe(true);
  expect(sorted(await contentsOf(downstream.store))).toEqual(sorted(contentsOfItems(items)));
  expect(summary.revisions).toBe(items.length);
  expect(summary.listed).toBe(items.length);
  await expectAllLocated(downstream.store);
});

test('whatever the order of the list, what a revision needs is linked to it and comes before it in a package', async () => {
  const random = seededRandom(7);
  const inOrder = smallCatalogue();
  const counts: unknown[] = [];
  for (const items of [inOrder, inOrder.toReversed(), shuffled(inOrder, random), shuffled(inOrder, random)]) {
    await using downstream = await startDownstream({}, items);
    expect(await downstream.sync()).toMatchObject({ revisions: items.length, missingCount: 0 });
    const { store } = downstream;
    const graph = await store.dependencyGraph();
    const placed = new Set<number>();
    for (const index of orderByNeeds(graph, new Set(graph.keys.keys()))) {
      for (const candidates of graph.needsOf(index)) {
        expect(candidates.some((candidate) => placed.has(candidate))).toBe(true);
      }
      placed.add(index);
    }
    expect(placed.size).toBe(items.length);
    const categories = await store.listCategories();
    counts.push(categories.map(({ updateId, updateCount }) => `${updateId} ${updateCount}`).sort());
  }
  for (const each of counts) expect(each).toEqual(counts[0]);
}, 30_000);

test('the names of located files are those that the documents give', async () => {
  await using downstream = await startDownstream();
  await downstream.sync();
  const names = new Map(
    smallCatalogue().flatMap(({ document }) =>
      parseUpdateDocument(document).files.map(({ sha1, fileName }) => [sha1, fileName] as const),
    ),
  );
  let count = 0;
  for await (const run of downstream.store.exportFiles(undefined)) {
    for (const { sha1, fileName } of run) {
      expect(fileName).toBe(names.get(sha1));
      count++;
    }
  }
  expect(count).toBeGreaterThan(5);
});

test('a synchronisation without changes takes six requests and leaves the store as it is', async () => {
  await using downstream = await startDownstream();
  await downstream.sync();
  const before = await downstream.store.fingerprint();
  await downstream.reopen();
  const { upstream } = downstream.setup;
  const calls = upstream.calls.length;
  const summary = await downstream.sync();
  expect(upstream.calls.length - calls).toBeLessThanOrEqual(6);
  expect(summary).toMatchObject({ listed: 0, wanted: 0, revisions: 0, newUpdates: 0, revisedUpdates: 0 });
  expect(await downstream.store.fingerprint()).toBe(before);
});

test('what is published later comes alone, and is counted by update', async () => {
  await using downstream = await startDownstream({}, [
    ...smallCatalogue(),
    item(1, { revision: 100 }),
    item(2, { revision: 100 }),
  ]);
  const first = await downstream.sync(ALL);
  const { upstream } = downstream.setup;
  const calls = upstream.calls.length;
  upstream.publish([
    item(1, { revision: 101 }),
    item(1, { revision: 102, title: 'again' }),
    item(2, { revision: 101, state: 'Expired' }),
    item(3),
    item(4, { deployable: false }),
    item(5, { type: 'Detectoid' }),
  ]);
  const summary = await downstream.sync(ALL);
  expect(askedFor(upstream, calls).length).toBe(6);
  expect(summary).toMatchObject({
    listed: 6,
    revisions: 6,
    newUpdates: 1,
    revisedUpdates: 1,
    expiredUpdates: 1,
    declinedUpdates: 1, // what its publisher has taken back, as the server does by itself
  });
  expect(first.newUpdates).toBeGreaterThan(10);
});

test('products that appear upstream are told by name', async () => {
  await using downstream = await startDownstream();
  expect((await downstream.sync()).newProducts).toEqual([]);
  downstream.setup.upstream.publish([item(7, { categoryType: 'Product', title: 'Windows 13' })]);
  const summary = await downstream.sync({ categoriesOnly: true });
  expect(summary.newProducts).toEqual(['Windows 13']);
  expect(
    downstream.events.filter((event) => event.type === 'warning' && event.code === 'NEW_PRODUCTS'),
  ).toHaveLength(1);
});

test('categories that a first run did not bring before it broke off are no new products', async () => {
  await using downstream = await startDownstream({ maxUpdatesPerRequest: 2 });
  const { upstream } = downstream.setup;
  upstream.plan({ on: 'GetUpdateData', after: 2, times: 20, status: { code: 503 } });
  await expect(downstream.sync({ concurrency: 1 })).rejects.toMatchObject({
    code: expect.stringMatching(/^UPSTREAM_/),
  });
  expect((await downstream.store.listCategories()).length).toBeGreaterThan(0);
  const summary = await downstream.sync().catch(() => downstream.sync());
  expect(summary.newProducts).toEqual([]);
  expect(summary.newCategories).toBeGreaterThan(0);
});

test('a family that is chosen brings what is published for products that come below it later', async () => {
  const [family, early, late, kind] = [idOf(1), idOf(2), idOf(3), idOf(4)];
  const product = (n: number): UpstreamItem =>
    item(n, { categoryType: 'Product', prerequisites: [{ anyOf: [family], isCategory: true }] });
  const updateOf = (n: number, of: UpdateId): UpstreamItem => ({
    ...item(n),
    categories: [of],
    classifications: [kind],
  });
  await using downstream = await startDownstream({}, [
    item(1, { categoryType: 'ProductFamily' }),
    product(2),
    item(4, { categoryType: 'UpdateClassification' }),
    updateOf(11, early),
  ]);
  const family1 = {
    chooseFilter: (categories: readonly CategoryRow[]) =>
      expandSelection(categories, { products: [family], classifications: [kind] }),
  };
  await downstream.sync(family1);
  downstream.setup.upstream.publish([product(3), updateOf(12, late)]);
  await downstream.sync(family1);
  const held = [...(await contentsOf(downstream.store)).keys()];
  expect(held).toEqual(expect.arrayContaining([`${idOf(11)}:1`, `${idOf(12)}:1`]));
});

test('full asks for full lists, whatever the anchors say, and fetches nothing that is there', async () => {
  await using downstream = await startDownstream();
  await downstream.sync();
  const { upstream } = downstream.setup;
  const calls = upstream.calls.length;
  const summary = await downstream.sync({ full: true });
  expect(summary.listed).toBe(smallCatalogue().length);
  expect(summary).toMatchObject({ wanted: 0, revisions: 0 });
  expect(askedFor(upstream, calls)).toEqual([]);
});

test('only categories come with categoriesOnly, and the rest later', async () => {
  await using downstream = await startDownstream();
  const first = await downstream.sync({ categoriesOnly: true });
  expect(
    Object.entries(first.revisionsByType)
      .filter(([, count]) => count > 0)
      .map(([type]) => type)
      .sort(),
  ).toEqual(['Category', 'Detectoid']);
  const second = await downstream.sync();
  expect(second.revisionsByType.Category).toBe(0);
  expect(first.revisions + second.revisions).toBe(smallCatalogue().length);
});

test('killed anywhere, the next runs end with the same store and ask for nothing it holds', async () => {
  const items = [...smallCatalogue(), ...Array.from({ length: 300 }, (_, n) => item(1000 + n))];
  await using whole = await startDownstream({}, items);
  await whole.sync(ALL);
  const expected = await whole.store.fingerprint();
  const random = seededRandom(11);
  for (let round = 0; round < 8; round++) {
    await using downstream = await startDownstream({ maxUpdatesPerRequest: 20 }, items);
    const { upstream } = downstream.setup;
    for (let run = 0; run < 3; run++) {
      const calls = upstream.calls.length;
      const held = await contentsOf(downstream.store);
      const controller = new AbortController();
      const stopAt = 3 + random.below(24);
      await downstream
        .sync({
          ...ALL,
          client: downstream.setup.newClient({ signal: controller.signal }),
          signal: controller.signal,
          // Every look at the clock is far from the last one: a checkpoint after every batch.
          now: ticking(),
          report: () => {
            if (upstream.calls.length - calls >= stopAt) controller.abort();
          },
        })
        .catch((error: unknown) => expect(error).toMatchObject({ code: 'INTERRUPTED' }));
      for (const identity of askedFor(upstream, calls)) expect(held.has(identity)).toBe(false);
      await downstream.reopen();
    }
    const held = await contentsOf(downstream.store);
    const calls = upstream.calls.length;
    const summary = await downstream.sync(ALL);
    expect(isSyncComplete(summary)).toBe(true);
    for (const identity of askedFor(upstream, calls)) expect(held.has(identity)).toBe(false);
    expect(await downstream.store.fingerprint()).toBe(expected);
  }
}, 60_000);

test('revisions the upstream lists and does not give out are told, and asked for again', async () => {
  const ghosts: UpdateIdentity[] = [item(1).identity, item(2).identity];
  await using downstream = await startDownstream({ ghosts });
  const first = await downstream.sync(ALL);
  expect(isSyncComplete(first)).toBe(false);
  expect(first.unavailable.map(({ identity }) => formatIdentity(identity)).sort()).toEqual(
    ghosts.map(formatIdentity).sort(),
  );
  expect(first.revisions).toBe(smallCatalogue().length);
  const second = await downstream.sync(ALL);
  expect(second.unavailableCount).toBe(2);
  downstream.setup.upstream.change({ ghosts: [] });
  downstream.setup.upstream.publish([item(1), item(2)]);
  const third = await downstream.sync(ALL);
  expect(third).toMatchObject({ unavailableCount: 0, revisions: 2 });
});

test('a damaged document is told and asked for again, and the others are stored', async () => {
  const damaged = item(9);
  const wrong: UpstreamItem = { ...item(10), document: Buffer.from(makeUpdate(11).document) };
  await using downstream = await startDownstream({ damaged: [damaged.identity] }, [
    ...smallCatalogue(),
    damaged,
    wrong,
  ]);
  const first = await downstream.sync(ALL);
  expect(first.unavailable.map(({ identity, reason }) => [formatIdentity(identity), reason]).sort()).toEqual([
    [formatIdentity(damaged.identity), expect.stringMatching(/^CAB_|UPDATE_MALFORMED/)],
    [formatIdentity(wrong.identity), 'UPDATE_IDENTITY_MISMATCH'],
  ]);
  expect(first.revisions).toBe(smallCatalogue().length);
  downstream.setup.upstream.change({ damaged: [] });
  const second = await downstream.sync(ALL);
  expect(second).toMatchObject({ revisions: 1, unavailableCount: 1 });
});

test('a larger choice asks for the full list and fetches the difference; a smaller one goes on from the anchor', async () => {
  await using downstream = await startDownstream();
  const { upstream } = downstream.setup;
  const lists = () =>
    upstream.calls
      .filter(({ operation }) => operation === 'GetRevisionIdList')
      .map(({ request }) => request.children[1]?.children.map(({ local, text }) => [local, text]));
  await downstream.sync({ categoriesOnly: true });
  const choice = chooseAll(await downstream.store.listCategories());
  const some = { ...choice, classifications: choice.classifications.slice(0, 2) };
  const first = await downstream.sync({ chooseFilter: () => some });
  const calls = upstream.calls.length;
  const held = await contentsOf(downstream.store);
  const second = await downstream.sync({ chooseFilter: () => choice });
  expect(second.revisions).toBeGreaterThan(0);
  expect(first.revisions + second.revisions).toBeLessThanOrEqual(smallCatalogue().length);
  for (const identity of askedFor(upstream, calls)) expect(held.has(identity)).toBe(false);
  expect(
    lists()
      .at(-1)
      ?.some(([local]) => local === 'Anchor'),
  ).toBe(false);
  await downstream.sync({ chooseFilter: () => some });
  expect(
    lists()
      .at(-1)
      ?.some(([local]) => local === 'Anchor'),
  ).toBe(true);
  expect(sorted(await contentsOf(downstream.store))).toEqual(sorted(contentsOfItems(smallCatalogue())));
});

test('a server that was rebuilt is asked for full lists, and the store stays', async () => {
  await using downstream = await startDownstream();
  await downstream.sync();
  const { upstream } = downstream.setup;
  upstream.plan({ on: 'GetConfigData', fault: { code: 'ServerChanged' } });
  const calls = upstream.calls.length;
  const summary = await downstream.sync();
  expect(summary).toMatchObject({ revisions: 0, listed: smallCatalogue().length });
  expect(askedFor(upstream, calls)).toEqual([]);
});

test('cookies that are refused or end early do not end the run', async () => {
  await using downstream = await startDownstream({ maxUpdatesPerRequest: 10 });
  const { upstream } = downstream.setup;
  upstream.plan({ on: 'GetUpdateData', after: 5, voidCookies: true });
  upstream.plan({ on: 'GetUpdateData', after: 8, resetAfter: 900 });
  upstream.plan({ on: 'GetUpdateData', after: 9, cutAfter: 1200 });
  upstream.plan({ on: 'GetRevisionIdList', status: { code: 503 } });
  expect((await downstream.sync()).revisions).toBe(smallCatalogue().length);
});

test('an upstream that goes down leaves what came before, and the next run goes on', async () => {
  await using downstream = await startDownstream({ maxUpdatesPerRequest: 10 });
  const { upstream } = downstream.setup;
  upstream.plan({ on: 'GetUpdateData', after: 10, times: 10, status: { code: 503 } });
  await expect(downstream.sync({ now: ticking(), concurrency: 1 })).rejects.toMatchObject({
    code: expect.stringMatching(/^UPSTREAM_/),
  });
  const held = await contentsOf(downstream.store);
  expect(held.size).toBeGreaterThan(50);
  await downstream.reopen();
  upstream.change({ gzip: false });
  const calls = upstream.calls.length;
  const summary = await downstream.sync({ now: ticking() }).catch(() => downstream.sync());
  expect(summary.unavailableCount).toBe(0);
  for (const identity of askedFor(upstream, calls)) expect(held.has(identity)).toBe(false);
  expect((await contentsOf(downstream.store)).size).toBe(smallCatalogue().length);
});

test('a run that ends in the middle of an answer leaves no document without the places of its files', async () => {
  for (const cutAfter of [50_000, 100_000, 150_000, 200_000]) {
    await using downstream = await startDownstream({
      gzip: false,
      documents: 'plain',
      maxUpdatesPerRequest: 30,
    });
    const { upstream } = downstream.setup;
    upstream.plan({ on: 'GetUpdateData', after: 3, cutAfter });
    upstream.plan({ on: 'GetUpdateData', after: 3, times: 20, status: { code: 503 } });
    await expect(downstream.sync({ concurrency: 1 })).rejects.toMatchObject({
      code: expect.stringMatching(/^UPSTREAM_/),
    });
    await downstream.reopen();
    const summary = await downstream.sync().catch(() => downstream.sync());
    expect(summary.unavailableCount).toBe(0);
    await expectAllLocated(downstream.store);
  }
});

function ticking(): () => Date {
  let clock = 0;
  return () => {
    clock += 60_000;
    return new Date(clock);
  };
}

test('a dry run says what would come, files too, and stores nothing', async () => {
  await using downstream = await startDownstream();
  const called = new Set<string>();
  const rehearsal = await downstream.sync({
    dryRun: true,
    async onRehearsed() {
      const selection = await (await downstream.store.contentIndex()).select({});
      for (let folder = 0; folder < 256; folder++) {
        for (const { sha1 } of await selection.page(folder, undefined)) called.add(sha1);
      }
      await selection.close();
    },
  });
  expect(rehearsal).toMatchObject({ wanted: smallCatalogue().length, isOnlyListed: false });
  expect(called).toEqual(new Set(smallCatalogue().flatMap((each) => each.files.map(({ sha1 }) => sha1))));
  expect(called.size).toBeGreaterThan(5);
  expect(await downstream.store.isEmpty()).toBe(true);
  expect((await downstream.store.syncState().values(downstream.setup.upstream.url.href)).size).toBe(0);
  expect((await downstream.sync()).revisions).toBe(smallCatalogue().length);
});

test('a revision that did not come is told once, though another one needs it', async () => {
  const ghost = item(21);
  const bundle = item(22, { bundled: [[ghost.identity]] });
  await using downstream = await startDownstream({ ghosts: [ghost.identity] }, [...smallCatalogue(), bundle]);
  for (let run = 1; run <= 2; run++) {
    downstream.events.length = 0;
    const summary = await downstream.sync(ALL);
    expect(summary).toMatchObject({ unavailableCount: 1, missingCount: run === 1 ? 1 : expect.any(Number) });
    const told = downstream.events.filter(
      (event) => event.type === 'warning' && event.code === 'REVISION_UNAVAILABLE',
    );
    expect(told).toMatchObject([{ identity: ghost.identity }]);
  }
});

test('a revision that a bundle names and no list has is asked for', async () => {
  const child = item(21);
  const bundle = item(22, { bundled: [[child.identity]] });
  await using downstream = await startDownstream({}, [...smallCatalogue(), bundle, child]);
  const { client } = downstream.setup;
  // A server whose lists leave the child out.
  const original = client.getRevisionIdList.bind(client);
  client.getRevisionIdList = async (filter) => {
    const answer = await original(filter);
    return {
      ...answer,
      revisions: answer.revisions.filter((each) => formatIdentity(each) !== formatIdentity(child.identity)),
    };
  };
  const summary = await downstream.sync({ ...ALL, client });
  expect(summary).toMatchObject({ missingCount: 0, revisions: smallCatalogue().length + 2 });
});

test('what nobody has is told as missing', async () => {
  const bundle = item(22, { bundled: [[{ updateId: item(23).identity.updateId, revisionNumber: 5 }]] });
  await using downstream = await startDownstream({}, [...smallCatalogue(), bundle]);
  const summary = await downstream.sync(ALL);
  expect(summary.missingCount).toBe(1);
  expect(isSyncComplete(summary)).toBe(false);
  expect(summary.missing[0]).toMatchObject({ kind: 'bundled', neededBy: bundle.identity });
});

test('drivers by inventory come from Microsoft Update, with their sets', async () => {
  await using downstream = await startDownstream({ kind: 'microsoft-update' });
  const inventory = {
    computerIds: ['11111111-2222-4333-8444-555555555555'],
    hardwareIds: ['pci\\ven_8086&dev_15f3'],
    fingerprint: 'x',
  };
  const summary = await downstream.sync({ inventory });
  expect(summary.driverSets).toBe(1);
  const again = await downstream.sync({ inventory });
  expect(again.revisions).toBe(0);
});

/** An update with one encrypted file. */
function encryptedItem(n: number): { readonly item: UpstreamItem; readonly sha1: string } {
  const sha1 = n.toString(16).toUpperCase().padStart(40, '0');
  const { identity, document } = makeUpdate(n, {
    files: [
      {
        fileName: `office-${n}.psf`,
        size: 100,
        sha1,
        sha256: sha1.padEnd(64, '0'),
        modified: '2026-01-01T00:00:00Z',
      },
    ],
  });
  const text = document.toString('utf8');
  const encrypted = text.replace('<upd:File ', '<upd:File IsEncrypted="true" ');
  expect(encrypted).not.toBe(text);
  return {
    sha1,
    item: {
      identity,
      document: Buffer.from(encrypted),
      files: [{ sha1, muUrl: '' }],
      categories: [],
      classifications: [],
    },
  };
}

test('keys of encrypted files are asked for once, and kept', async () => {
  const { item: secured, sha1 } = encryptedItem(41);
  await using downstream = await startDownstream({}, [...smallCatalogue(), secured]);
  const { upstream } = downstream.setup;
  expect((await downstream.sync({ chooseFilter: () => undefined })).decryptionKeys).toBe(1);
  expect(upstream.countCalls('GetUpdateDecryptionData')).toBe(1);
  expect([...(await downstream.store.syncState().withDecryptionKey([sha1]))]).toEqual([sha1]);
  expect((await downstream.sync({ chooseFilter: () => undefined })).decryptionKeys).toBe(0);
  expect(upstream.countCalls('GetUpdateDecryptionData')).toBe(1);
});

test('an upstream that gives out no keys is asked again, and does not hold up the rest', async () => {
  const { item: secured, sha1 } = encryptedItem(41);
  await using downstream = await startDownstream({}, [...smallCatalogue(), secured]);
  const { upstream } = downstream.setup;
  upstream.plan({ on: 'GetUpdateDecryptionData', times: 99, fault: { message: 'no such method' } });
  const first = await downstream.sync({ chooseFilter: () => undefined });
  expect(first).toMatchObject({ revisions: smallCatalogue().length + 1, decryptionKeys: 0 });
  expect(downstream.events).toContainEqual(expect.objectContaining({ code: 'DECRYPTION_KEYS_REFUSED' }));
  const { item: later, sha1: laterSha1 } = encryptedItem(42);
  upstream.publish([later]);
  await downstream.reopen();
  expect((await downstream.sync({ chooseFilter: () => undefined })).decryptionKeys).toBe(0);
  upstream.forgetPlans();
  await downstream.reopen();
  expect((await downstream.sync({ chooseFilter: () => undefined })).decryptionKeys).toBe(2);
  expect((await downstream.store.syncState().withDecryptionKey([sha1, laterSha1])).size).toBe(2);
});

test('Microsoft Update has every language, though their own rows are off', async () => {
  await using downstream = await startDownstream({ kind: 'microsoft-update' });
  await downstream.sync({ languages: ['en'] });
  expect(downstream.events.filter((event) => event.type === 'warning')).toEqual([]);
  expect((await downstream.store.languages()).every(({ enabled }) => enabled)).toBe(true);
});

test('a run that breaks off says what it has done: what is kept is what the store has more of', async () => {
  await using downstream = await startDownstream({ answerAtMost: 5 });
  const told: BrokenOffSync[] = [];
  const sync = () => downstream.sync({ onBrokenOff: (done) => told.push(done) });
  downstream.setup.upstream.plan({ on: 'GetUpdateData', after: 6, times: 1_000, status: { code: 404 } });
  await expect(sync()).rejects.toThrow();
  const { revisions } = await downstream.store.status();
  expect(revisions).toBeGreaterThan(0);
  expect(told).toMatchObject([{ revisions }]);
  expect(told[0]?.wanted).toBeGreaterThan(revisions);
  await expect(sync()).rejects.toThrow();
  expect(told[1]?.revisions).toBe((await downstream.store.status()).revisions - revisions);
});

test('a run that reaches nobody has done nothing', async () => {
  await using downstream = await startDownstream();
  const told: BrokenOffSync[] = [];
  downstream.setup.upstream.plan({ on: 'GetCookie', times: 1_000, status: { code: 404 } });
  await expect(downstream.sync({ onBrokenOff: (done) => told.push(done) })).rejects.toThrow();
  expect(told).toMatchObject([{ listed: 0, wanted: 0, revisions: 0 }]);
});
