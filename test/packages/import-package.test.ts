import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { failureOf } from '../helpers/package-builder.js';
import { fc } from '../helpers/properties.js';
import {
  documentOf,
  idOf,
  importFile,
  importUpdates,
  makeUpdate,
  openTestStore,
  problemsOf,
  storedOrder,
  testFolder,
  withDocument,
  writeUpdates,
} from '../store/update-builder.js';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const counts = ({
  revisions,
  newUpdates,
  newRevisions,
  present,
  conflictCount,
  missingCount,
}: {
  revisions: number;
  newUpdates: number;
  newRevisions: number;
  present: number;
  conflictCount: number;
  missingCount: number;
}) => ({ revisions, newUpdates, newRevisions, present, conflictCount, missingCount });

describe('importing again', () => {
  test('changes nothing and counts everything as present', async () => {
    const { store } = await openTestStore();
    const updates = [makeUpdate(1), makeUpdate(2), makeUpdate(2, { revision: 2 })];
    expect(counts(await importUpdates(store, updates))).toEqual({
      revisions: 3,
      newUpdates: 2,
      newRevisions: 1,
      present: 0,
      conflictCount: 0,
      missingCount: 0,
    });
    const before = await store.fingerprint();
    const again = await importUpdates(store, updates);
    expect(counts(again)).toMatchObject({ revisions: 3, newUpdates: 0, newRevisions: 0, present: 3 });
    expect(again.newByType).toEqual({ Category: 0, Detectoid: 0, Software: 0, Driver: 0 });
    expect(await store.fingerprint()).toBe(before);
    expect((await store.status()).documentBytes).toBe(
      updates.reduce((sum, { document }) => sum + document.length, 0),
    );
    expect(await problemsOf(store)).toEqual([]);
  });

  test('a revision twice in one package counts once as new and once as present', async () => {
    const { store } = await openTestStore();
    const only = makeUpdate(1);
    expect(counts(await importUpdates(store, [only, makeUpdate(2), only]))).toMatchObject({
      revisions: 3,
      newUpdates: 2,
      present: 1,
    });
  });

  test('a revision twice in one package with two documents is a conflict; the first stays', async () => {
    const { store } = await openTestStore();
    const first = makeUpdate(1, { comment: 'first' });
    const second = makeUpdate(1, { comment: 'second' });
    const summary = await importUpdates(store, [first, second]);
    expect(counts(summary)).toMatchObject({ newUpdates: 1, present: 0, conflictCount: 1 });
    expect(await documentOf(store, first.identity)).toEqual(first.document);
    expect(await problemsOf(store)).toEqual([]);
  });

  test('any sequence of packages gives each revision once and keeps the first document', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.array(
            fc.record({ n: fc.integer({ min: 1, max: 6 }), revision: fc.integer({ min: 1, max: 3 }) }),
            {
              minLength: 1,
              maxLength: 8,
            },
          ),
          { minLength: 1, maxLength: 4 },
        ),
        async (packages) => {
          const { store } = await openTestStore();
          const expected = new Map<string, Buffer>();
          let generation = 0;
          for (const revisions of packages) {
            generation++;
            const batch = revisions.map(({ n, revision }) =>
              makeUpdate(n, { revision, comment: `generation ${generation}` }),
            );
            for (const { identity, document } of batch) {
              const name = `${identity.updateId}:${identity.revisionNumber}`;
              if (!expected.has(name)) expected.set(name, document);
            }
            await importUpdates(store, batch);
          }
          expect(await storedOrder(store)).toEqual([...expected.keys()]);
          for (const [name, document] of expected) {
            const [updateId = '', revision] = name.split(':');
            expect(await documentOf(store, { updateId, revisionNumber: Number(revision) })).toEqual(document);
          }
          expect(await problemsOf(store)).toEqual([]);
          await store.close();
        },
      ),
      { numRuns: 15 },
    );
  });
});

describe('the same revision with other bytes', () => {
  const withLineEnds = (lineEnd: string) =>
    withDocument(makeUpdate(1), (text) => text.replaceAll('><', `>${lineEnd}<`));
  const LINE_ENDS = [
    ['CR LF', '\r\n'],
    ['LF', '\n'],
    ['CR', '\r'],
  ] as const;

  test.each(
    LINE_ENDS.flatMap(([stored, a]) => LINE_ENDS.map(([arrived, b]) => [stored, arrived, a, b] as const)),
  )('%s in the store, %s in the package: present, and the stored bytes stay', async (_, __, a, b) => {
    const { store } = await openTestStore();
    const original = withLineEnds(a);
    await importUpdates(store, [original]);
    const summary = await importUpdates(store, [withLineEnds(b)], { strict: true });
    expect(counts(summary)).toMatchObject({ present: 1, conflictCount: 0 });
    expect(await documentOf(store, original.identity)).toEqual(original.document);
  });

  test('line ends that differ inside one package are no conflict either', async () => {
    const { store } = await openTestStore();
    const summary = await importUpdates(store, [withLineEnds('\n'), withLineEnds('\r\n')]);
    expect(counts(summary)).toMatchObject({ newUpdates: 1, present: 1, conflictCount: 0 });
    expect(await documentOf(store, makeUpdate(1).identity)).toEqual(withLineEnds('\n').document);
  });

  // XML 1.0, 2.11: CR LF is one line end and a lone CR another, so CR CR LF makes two.
  test('CR CR LF is two line ends: the same as LF LF, a conflict with one', async () => {
    const { store } = await openTestStore();
    await importUpdates(store, [withLineEnds('\r\r\n')]);
    expect(counts(await importUpdates(store, [withLineEnds('\n\n')]))).toMatchObject({
      present: 1,
      conflictCount: 0,
    });
    expect(counts(await importUpdates(store, [withLineEnds('\r\n')]))).toMatchObject({
      present: 0,
      conflictCount: 1,
    });
  });

  test('is a conflict with both digests; the stored document stays', async () => {
    const { store } = await openTestStore();
    const original = makeUpdate(1, { title: 'As it was' });
    const other = makeUpdate(1, { title: 'As it is now' });
    await importUpdates(store, [original]);
    const summary = await importUpdates(store, [other, makeUpdate(2)]);
    expect(counts(summary)).toMatchObject({ newUpdates: 1, present: 0, conflictCount: 1 });
    expect(summary.conflicts).toEqual([
      {
        identity: original.identity,
        storedDigest: sha256(original.document),
        packageDigest: sha256(other.document),
      },
    ]);
    expect(summary.warnings).toContain('REVISION_CONFLICT');
    expect(await documentOf(store, original.identity)).toEqual(original.document);
    expect((await store.listHistory(1))[0]).toMatchObject({ action: 'import', outcome: 'incomplete' });
  });

  test('--strict refuses a conflict and changes nothing', async () => {
    const { store } = await openTestStore();
    await importUpdates(store, [makeUpdate(1)]);
    const before = await store.fingerprint();
    const error = await failureOf(() =>
      importUpdates(store, [makeUpdate(2), makeUpdate(1, { comment: 'other' })], { strict: true }),
    );
    expect(error.code).toBe('STRICT_REFUSED');
    expect(error.message).toContain('1 conflicting');
    expect(await store.fingerprint()).toBe(before);
    expect(await store.findUpdate(idOf(2))).toEqual([]);
    expect((await store.listHistory(1))[0]).toMatchObject({ action: 'import', outcome: 'STRICT_REFUSED' });
  });

  test('1,000 conflicts are all counted and 100 listed', async () => {
    const { store } = await openTestStore();
    const numbers = Array.from({ length: 1000 }, (_, n) => n);
    await importUpdates(
      store,
      numbers.map((n) => makeUpdate(n)),
    );
    const summary = await importUpdates(
      store,
      numbers.map((n) => makeUpdate(n, { comment: 'changed' })),
    );
    expect(summary.conflictCount).toBe(1000);
    expect(summary.conflicts).toHaveLength(100);
  });
});

describe('what a package needs', () => {
  test('a missing prerequisite and a missing bundled revision are listed', async () => {
    const { store } = await openTestStore();
    const summary = await importUpdates(store, [
      makeUpdate(1, {
        prerequisites: [{ id: idOf(8) }, { anyOf: [idOf(6), idOf(7)] }],
        bundled: [[{ updateId: idOf(9), revisionNumber: 5 }]],
      }),
    ]);
    const neededBy = { updateId: idOf(1), revisionNumber: 1 };
    expect(summary.missingCount).toBe(3);
    expect(summary.missing).toEqual([
      {
        kind: 'prerequisite',
        neededBy,
        anyOf: [{ updateId: idOf(8), revisionNumber: undefined }],
        anyOfCount: 1,
      },
      {
        kind: 'prerequisite',
        neededBy,
        anyOf: [
          { updateId: idOf(6), revisionNumber: undefined },
          { updateId: idOf(7), revisionNumber: undefined },
        ],
        anyOfCount: 2,
      },
      { kind: 'bundled', neededBy, anyOf: [{ updateId: idOf(9), revisionNumber: 5 }], anyOfCount: 1 },
    ]);
    expect(new Set(summary.warnings)).toEqual(new Set(['PREREQUISITE_MISSING', 'BUNDLED_REVISION_MISSING']));
  });

  test('a clause of thousands of absent members is one missing reference, with its first members', async () => {
    const { store } = await openTestStore();
    const absent = Array.from({ length: 20_000 }, (_, n) => idOf(1000 + n));
    const summary = await importUpdates(store, [
      makeUpdate(1, { bundled: [absent.map((updateId) => ({ updateId, revisionNumber: 1 }))] }),
      makeUpdate(2, { prerequisites: [{ anyOf: absent }] }),
    ]);
    expect(summary.missingCount).toBe(2);
    expect(summary.missing.map(({ kind, anyOf, anyOfCount }) => [kind, anyOf.length, anyOfCount])).toEqual([
      ['prerequisite', 10, 20_000],
      ['bundled', 10, 20_000],
    ]);
  });

  test('thousands of missing references are counted, a hundred are listed', async () => {
    const { store } = await openTestStore();
    const summary = await importUpdates(store, [
      makeUpdate(1, { prerequisites: Array.from({ length: 5_000 }, () => ({ id: idOf(9) })) }),
      makeUpdate(2, { prerequisites: [{ id: idOf(8) }] }),
    ]);
    expect(summary.missingCount).toBe(5_001);
    expect(summary.missing).toHaveLength(100);
  });

  test('thousands of categories that come after their updates are linked in one pass', async () => {
    const { store } = await openTestStore();
    const numbers = Array.from({ length: 1_500 }, (_, n) => n);
    await importUpdates(
      store,
      numbers.map((n) =>
        makeUpdate(10_000 + n, { prerequisites: [{ anyOf: [idOf(20_000 + n)], isCategory: true }] }),
      ),
    );
    await importUpdates(
      store,
      numbers.map((n) => makeUpdate(20_000 + n, { categoryType: 'Product' })),
    );
    const categories = await store.listCategories();
    expect(categories).toHaveLength(1_500);
    expect(categories.every(({ updateCount }) => updateCount === 1)).toBe(true);
    expect(await problemsOf(store)).toEqual([]);
  });

  test('--strict refuses a package that lacks something, and changes nothing', async () => {
    const { store } = await openTestStore();
    const error = await failureOf(() =>
      importUpdates(store, [makeUpdate(1, { prerequisites: [{ id: idOf(8) }] })], { strict: true }),
    );
    expect(error.code).toBe('STRICT_REFUSED');
    expect(error.details).toMatchObject({ missing: [{ kind: 'prerequisite' }] });
    expect(await store.isEmpty()).toBe(true);
  });

  test('may already be in the store', async () => {
    const { store } = await openTestStore();
    await importUpdates(store, [makeUpdate(8), makeUpdate(9, { revision: 5 })]);
    const summary = await importUpdates(
      store,
      [
        makeUpdate(1, {
          prerequisites: [{ id: idOf(8) }],
          bundled: [[{ updateId: idOf(9), revisionNumber: 5 }]],
        }),
      ],
      { strict: true },
    );
    expect(summary.missingCount).toBe(0);
  });

  test('may come later in the same package', async () => {
    const { store } = await openTestStore();
    const summary = await importUpdates(store, [
      makeUpdate(1, {
        prerequisites: [{ id: idOf(8) }],
        bundled: [[{ updateId: idOf(9), revisionNumber: 5 }]],
      }),
      makeUpdate(8),
      makeUpdate(9, { revision: 5 }),
    ]);
    expect(summary.missingCount).toBe(0);
  });

  test.each([6, 7])('of one group any member will do: %i', async (there) => {
    const { store } = await openTestStore();
    const summary = await importUpdates(
      store,
      [
        makeUpdate(there),
        makeUpdate(1, {
          prerequisites: [{ anyOf: [idOf(6), idOf(7)] }],
          bundled: [
            [
              { updateId: idOf(6), revisionNumber: 1 },
              { updateId: idOf(7), revisionNumber: 1 },
            ],
          ],
        }),
      ],
      { strict: true },
    );
    expect(summary.missingCount).toBe(0);
  });

  test('an older revision that is there is a bundled one like any other, whatever came in between', async () => {
    const { store } = await openTestStore();
    const children = [5, 7].map((revision) => makeUpdate(9, { revision }));
    const of = (revisionNumber: number) => [{ updateId: idOf(9), revisionNumber }];
    const summary = await importUpdates(store, [
      ...children,
      makeUpdate(1, { bundled: [of(5)] }),
      makeUpdate(2, { bundled: [of(7), of(5)] }),
      makeUpdate(3, { bundled: [of(7), of(6), of(5)] }),
      makeUpdate(4, {
        bundled: [
          [...of(6), ...of(5)],
          [...of(8), ...of(6)],
        ],
      }),
    ]);
    expect(summary.missing).toMatchObject([
      { kind: 'bundled', neededBy: { updateId: idOf(3) }, anyOf: [{ revisionNumber: 6 }] },
      {
        kind: 'bundled',
        neededBy: { updateId: idOf(4) },
        anyOf: [{ revisionNumber: 8 }, { revisionNumber: 6 }],
      },
    ]);
  });

  test('another revision of a bundled update does not count as the bundled one', async () => {
    const { store } = await openTestStore();
    const summary = await importUpdates(store, [
      makeUpdate(9, { revision: 4 }),
      makeUpdate(1, { bundled: [[{ updateId: idOf(9), revisionNumber: 5 }]] }),
    ]);
    expect(summary.missing).toMatchObject([{ kind: 'bundled', anyOf: [{ revisionNumber: 5 }] }]);
  });

  test('is asked again of revisions that were there before, if the package holds them', async () => {
    const { store } = await openTestStore();
    const lacking = [
      makeUpdate(1, { prerequisites: [{ id: idOf(8) }] }),
      makeUpdate(3, { bundled: [[{ updateId: idOf(9), revisionNumber: 5 }]] }),
    ];
    const { missing } = await importUpdates(store, lacking);
    expect((await importUpdates(store, [makeUpdate(2)], { strict: true })).missingCount).toBe(0);
    expect((await importUpdates(store, [makeUpdate(2), ...lacking])).missing).toEqual(missing);
    const error = await failureOf(() => importUpdates(store, lacking, { strict: true }));
    expect(error.code).toBe('STRICT_REFUSED');
    expect(error.message).toContain('--strict: 2 missing references in ');

    await importUpdates(store, [makeUpdate(8), makeUpdate(9, { revision: 5 })]);
    expect((await importUpdates(store, lacking, { strict: true })).missingCount).toBe(0);
  });

  test('is asked once of a revision that a package holds twice', async () => {
    const { store } = await openTestStore();
    const lacking = [
      makeUpdate(1, { prerequisites: [{ id: idOf(8) }] }),
      makeUpdate(3, { bundled: [[{ updateId: idOf(9), revisionNumber: 5 }]] }),
    ];
    const { missing } = await importUpdates(store, lacking);
    expect((await importUpdates(store, [...lacking, ...lacking])).missing).toEqual(missing);
  });
});

describe('revisions of one update', () => {
  test.each([
    ['the higher later', [1, 2, 10]],
    ['the higher first', [10, 2, 1]],
  ] as const)('%s: old ones stay, the highest is the newest', async (_, order) => {
    const { store } = await openTestStore();
    for (const revision of order) await importUpdates(store, [makeUpdate(1, { revision })]);
    const found = await store.findUpdate(idOf(1));
    expect(found.map((each) => [each.identity.revisionNumber, each.isNewest])).toEqual([
      [10, true],
      [2, false],
      [1, false],
    ]);
    expect(await store.countRevisions({})).toBe(1);
    expect(await store.countRevisions({ newestOnly: false })).toBe(3);
    expect(await problemsOf(store)).toEqual([]);
  });

  test('come in any order within one package', async () => {
    const { store } = await openTestStore();
    const summary = await importUpdates(
      store,
      [3, 1, 2].map((revision) => makeUpdate(1, { revision })),
    );
    expect(counts(summary)).toMatchObject({ newUpdates: 1, newRevisions: 2 });
    expect((await store.findUpdate(idOf(1))).map((each) => each.isNewest)).toEqual([true, false, false]);
  });

  test('an update is superseded only while the newest revision of the other says so', async () => {
    const { store } = await openTestStore();
    await importUpdates(store, [makeUpdate(1), makeUpdate(2, { superseded: [idOf(1)] })]);
    expect((await store.findUpdate(idOf(1)))[0]?.isSuperseded).toBe(true);
    await importUpdates(store, [makeUpdate(2, { revision: 2 })]);
    expect((await store.findUpdate(idOf(1)))[0]?.isSuperseded).toBe(false);
  });
});

describe('categories', () => {
  const product = makeUpdate(50, { categoryType: 'Product', title: 'Product A' });
  const update = makeUpdate(1, { prerequisites: [{ anyOf: [idOf(50)], isCategory: true }] });
  const flagless = makeUpdate(2, { prerequisites: [{ anyOf: [idOf(50)] }] });

  test.each([
    ['before', [[product, update, flagless]]],
    ['after, in the same package', [[update, flagless, product]]],
    ['after, in another package', [[update, flagless], [product]]],
  ])('that come %s the updates that name them are linked', async (_, packages) => {
    const { store } = await openTestStore();
    for (const each of packages) await importUpdates(store, each);
    expect(await store.countRevisions({ categories: [idOf(50)] })).toBe(2);
    expect((await store.listCategories())[0]).toMatchObject({ title: 'Product A', updateCount: 2 });
    const rows = [];
    for await (const batch of store.exportRows(await store.listKeys())) rows.push(...batch);
    for (const row of rows.filter((each) => each.updateType === 'Software')) {
      expect(row.categories).toEqual([idOf(50)]);
    }
    expect(await problemsOf(store)).toEqual([]);
  });
});

describe('a dry run and a failure', () => {
  test('--dry-run counts as the import would, and leaves store and history alone', async () => {
    const { store } = await openTestStore();
    await importUpdates(store, [makeUpdate(1)]);
    const before = await store.fingerprint();
    const updates = [
      makeUpdate(1, { comment: 'x' }),
      makeUpdate(2),
      makeUpdate(3, { prerequisites: [{ id: idOf(9) }] }),
    ];
    const dry = await importUpdates(store, updates, { dryRun: true });
    expect(await store.fingerprint()).toBe(before);
    expect(await store.listHistory(10)).toHaveLength(1);
    expect(counts(await importUpdates(store, updates))).toEqual(counts(dry));
  });

  test('a malformed document names its record, and nothing of the package is there', async () => {
    const { store } = await openTestStore();
    await importUpdates(store, [makeUpdate(1)]);
    const before = await store.fingerprint();
    const updates = Array.from({ length: 40 }, (_, n) => makeUpdate(n + 2));
    updates[37] = withDocument(updates[37]!, (text) => text.replace('</upd:Properties>', ''));
    const error = await failureOf(() => importUpdates(store, updates));
    expect(error.code).toBe('UPDATE_MALFORMED');
    expect(error.message).toContain('Record 38');
    expect(error.message).toContain(idOf(39));
    expect(await store.fingerprint()).toBe(before);
    expect(await problemsOf(store)).toEqual([]);
    expect((await importUpdates(store, updates.slice(0, 37))).newUpdates).toBe(37);
  });

  test('a document that is another update than the record says is refused', async () => {
    const { store } = await openTestStore();
    const error = await failureOf(() =>
      importUpdates(store, [{ identity: makeUpdate(1).identity, document: makeUpdate(2).document }]),
    );
    expect(error.code).toBe('UPDATE_IDENTITY_MISMATCH');
  });

  test('an interrupted import leaves the store as it was', async () => {
    const { store } = await openTestStore();
    const path = await writeUpdates(
      join(testFolder(), 'many.cab'),
      Array.from({ length: 500 }, (_, n) => makeUpdate(n, { comment: 'x'.repeat(10_000) })),
    );
    const interruption = new AbortController();
    const error = await failureOf(() =>
      importFile(store, path, {
        signal: interruption.signal,
        report: (event) => {
          if (event.type === 'step') interruption.abort();
        },
      }),
    );
    expect(error.code).toBe('INTERRUPTED');
    expect(await store.isEmpty()).toBe(true);
  });
});

describe('languages', () => {
  const english = [{ id: 1033, shortName: 'en', longName: 'English', enabled: true }];
  const german = [{ id: 1031, shortName: 'de', longName: 'German', enabled: true }];
  const header = {
    serverId: 'aaaaaaaa-0000-4000-8000-000000000001',
    creationTime: '2026-10-31T08:15:00Z',
    formatVersion: '1.0',
    protocolVersion: '1.20',
  };

  test('an empty store takes the list of its first package; later ones only warn', async () => {
    const { store } = await openTestStore();
    const folder = testFolder();
    const first = await writeUpdates(join(folder, '1.cab'), [makeUpdate(1)], {
      ...header,
      languages: english,
    });
    const second = await writeUpdates(join(folder, '2.cab'), [makeUpdate(2)], {
      ...header,
      languages: german,
    });
    expect((await importFile(store, first)).warnings).toEqual([]);
    expect((await importFile(store, second)).warnings).toEqual(['LANGUAGES_DIFFER']);
    expect(await store.languages()).toEqual(english);
  });
});
