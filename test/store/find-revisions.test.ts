import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { IdentityList } from '../../src/model/identity-list.js';
import { formatIdentity, type UpdateIdentity } from '../../src/model/update-identity.js';
import { openDatabase } from '../../src/platform/sqlite.js';
import { RevisionLookahead } from '../../src/store/revision-lookahead.js';
import { fc } from '../helpers/properties.js';
import {
  type BuiltUpdate,
  idOf,
  importUpdates,
  makeUpdate,
  openTestStore,
  withDocument,
} from './update-builder.js';

/** In order of arrival: 700 revisions, every seventh update with several of them, the newest not always last. */
function catalogue(): readonly BuiltUpdate[] {
  const updates: BuiltUpdate[] = [];
  for (let n = 1; updates.length < 700; n++) {
    const revisions = n % 7 === 0 ? [3, 1, 2] : [1];
    for (const revision of revisions)
      updates.push(makeUpdate(n, { revision, title: `Update ${n}.${revision}` }));
  }
  return updates;
}

/** makes batches of what else is few bytes */
const LONG = 'x'.repeat(30_000);

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

test('whatever is asked for in whatever order, what the store has is found and nothing else', async () => {
  const { store } = await openTestStore();
  const updates = catalogue();
  await importUpdates(store, updates);
  const expected = new Map(
    updates.map(({ identity, document }, index) => [
      formatIdentity(identity),
      { key: index + 1, digest: sha256(document) },
    ]),
  );
  const inOrder = updates.map(({ identity }) => identity);
  const unknown = (n: number): UpdateIdentity => ({ updateId: idOf(100_000 + n), revisionNumber: 1 });
  const otherRevision = (at: number): UpdateIdentity => ({
    updateId: inOrder[at]?.updateId ?? idOf(1),
    revisionNumber: 99,
  });
  // Runs as a package has them, with something new, something twice or a jump between them.
  const run = fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .tuple(fc.nat(699), fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 5 }))
        .map(([from, count, step]) =>
          inOrder.slice(from, from + count * step).filter((_, i) => i % step === 0),
        ),
    },
    fc.nat(1000).map((n) => [unknown(n)]),
    fc.nat(699).map((at) => [otherRevision(at)]),
    fc.array(fc.nat(699), { maxLength: 60 }).map((all) => all.map((at) => inOrder[at] as UpdateIdentity)),
    fc.nat(699).map((from) => inOrder.slice(0, from).toReversed()),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(run, { minLength: 1 }),
      fc.integer({ min: 1, max: 200 }),
      async (runs, size) => {
        const asked = runs.flat();
        const transaction = await store.beginImport();
        try {
          for (let start = 0; start < asked.length; start += size) {
            const batch = asked.slice(start, start + size);
            const found = await transaction.findRevisions(IdentityList.of(batch));
            const shown = found.map((each) =>
              each === undefined
                ? undefined
                : { key: each.key, digest: Buffer.from(each.digest).toString('hex') },
            );
            expect(shown).toEqual(batch.map((identity) => expected.get(formatIdentity(identity))));
          }
        } finally {
          await transaction.rollback();
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('revisions asked for in order of arrival are read ahead', async () => {
  const { store, path } = await openTestStore();
  const updates = catalogue();
  await importUpdates(store, updates);
  const database = await openDatabase(path, { readOnly: true });
  const lookahead = new RevisionLookahead(database, 10_000);
  const bytesOf = (id: string) => Buffer.from(id.replaceAll('-', ''), 'hex');
  const take = ({ updateId, revisionNumber }: UpdateIdentity) =>
    lookahead.take(bytesOf(updateId), revisionNumber);
  const identities = updates.map(({ identity }) => identity);

  expect(take(identities[0] as UpdateIdentity)).toBeUndefined(); // nothing was found yet that it could follow
  lookahead.follow([1, 2, 3, 4, 5, 6, 7, 8]);
  for (const [index, identity] of identities.slice(8).entries()) expect(take(identity)?.key).toBe(index + 9);
  expect(take(identities[8] as UpdateIdentity)).toBeUndefined(); // behind it

  lookahead.follow([1, 100, 200, 300, 400, 500, 600, 690]); // too far apart
  expect(take(identities[690] as UpdateIdentity)).toBeUndefined();
  database.close();
});

test('what comes twice in one package is found, though others had named it before it came', async () => {
  const { store } = await openTestStore();
  const old = Array.from({ length: 120 }, (_, n) => makeUpdate(n + 1, { comment: LONG }));
  await importUpdates(store, old);
  const named = Array.from({ length: 5 }, (_, n) => makeUpdate(2000 + n, { title: 'On two\nlines' }));
  const naming = named.map((_, n) => makeUpdate(1000 + n, { prerequisites: [{ id: idOf(2000 + n) }] }));
  const others = Array.from({ length: 120 }, (_, n) => makeUpdate(3000 + n, { comment: LONG }));
  // The second copy has other line ends, so that it is compared with the one that is stored.
  const again = named.map((each) => withDocument(each, (text) => text.replaceAll('\n', '\r\n')));
  const result = await importUpdates(store, [
    ...old.slice(0, 80),
    ...naming,
    ...named,
    ...others,
    ...old.slice(80),
    ...again,
  ]);
  expect(result).toMatchObject({ conflictCount: 0, newUpdates: 130, present: 125 });
});
