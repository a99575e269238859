import { expect, test } from 'vitest';
import type { UpdateType } from '../../src/model/revision.js';
import { openDatabase, type SqlDatabase } from '../../src/platform/sqlite.js';
import { loadDependencyGraph } from '../../src/store/dependency-graph.js';
import { migrate, UPDATE_TYPE_CODES } from '../../src/store/schema.js';
import { failureOf } from '../helpers/package-builder.js';
import { seededRandom } from '../helpers/seeded-random.js';

const SOFTWARE: UpdateType = 'Software';

/** @param revisions [update key, revision number] each, with keys from 1 */
async function databaseOf(revisions: readonly (readonly [number, number])[]): Promise<SqlDatabase> {
  const database = await openDatabase(':memory:');
  migrate(database, 0);
  database.exec('BEGIN');
  const insert = database.prepare(`
    INSERT INTO revisions (revision_key, update_key, revision_number, update_type, title, explicitly_deployable,
      document_digest, document_size, block_key, block_offset) VALUES (?, ?, ?, ?, '', 1, x'', 0, 1, 0)`);
  for (const [index, [update, number]] of revisions.entries()) {
    insert.run(index + 1, update, number, UPDATE_TYPE_CODES[SOFTWARE]);
  }
  return database;
}

test('however many rows there are, every revision needs what its own rows say', async () => {
  const random = seededRandom(5);
  const updates = 4_500;
  const revisions = Array.from({ length: 9_000 }, (_, n) => [1 + (n % updates), 200 + n] as const);
  const database = await databaseOf(revisions);
  const addClauses = database.prepare('INSERT INTO prerequisites VALUES (?, ?)');
  const addBundled = database.prepare('INSERT INTO bundled_updates VALUES (?, ?, ?, ?, ?)');
  const expected: number[][][] = [];
  const ofUpdate = (update: number) => [update - 1, update - 1 + updates]; // the older one first
  for (const index of revisions.keys()) {
    const needs: number[][] = [];
    const clauses = Array.from({ length: random.below(3) }, () => [
      random.below(3),
      ...Array.from({ length: 1 + random.below(3) }, () => 1 + random.below(updates + 100)),
    ]);
    if (clauses.length > 0) addClauses.run(index + 1, JSON.stringify(clauses));
    for (const [, ...members] of clauses) {
      for (const member of members) if (member <= updates) needs.push(ofUpdate(member));
    }
    // One row too many for a page, in one clause of one revision.
    const count = index === 3_000 ? 4_200 : random.below(8) === 0 ? 2 : 0;
    for (let position = 0; position < count; position++) {
      const part = random.below(revisions.length);
      const isThere = random.below(10) > 0;
      const [update, number] = revisions[part] as readonly [number, number];
      addBundled.run(index + 1, position % 2, position >> 1, update, isThere ? number : 1);
      if (isThere) needs.push([part]);
    }
    expected.push(needs);
  }
  database.exec('COMMIT');
  const graph = loadDependencyGraph(database);
  expect(graph.keys).toEqual(revisions.map((_, index) => index + 1));
  expect(graph.indexOf(9_000)).toBe(8_999);
  for (const [index, needs] of expected.entries()) {
    const found = graph.needsOf(index);
    if (index === 3_000)
      expect(found).toHaveLength(needs.length); // its clauses come one after the other
    else expect([...found].map(String).sort()).toEqual(needs.map(String).sort());
  }
  database.close();
}, 30_000);

test('rows of a damaged database that begin again from the start end as an error', async () => {
  const circle = {
    prepare: () => ({ get: () => ({ page: '1,1,1' }) }),
  } as unknown as SqlDatabase;
  const error = await failureOf(async () => loadDependencyGraph(circle));
  expect(error.code).toBe('STORE_CORRUPT');
});
