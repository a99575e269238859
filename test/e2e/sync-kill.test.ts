/** A synchronisation that is killed again and again ends as one that was not. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../src/platform/sqlite.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import { catalogueItems, startFakeUpstream } from '../helpers/fake-upstream.js';
import { finish, runProgram, startProgram, temporaryFolder } from '../helpers/program.js';
import { seededRandom } from '../helpers/seeded-random.js';
import { now, problemsOf } from '../store/update-builder.js';

const REVISIONS = 20_000;
const KILLS = 50;
const PER_CALL = 100;
/** Kills come after so many calls for documents: a run stores its documents for good every 4,000 revisions. */
const MOST_CALLS = 48;

function newDirectory(): string {
  const folder = temporaryFolder();
  onTestFinished(folder.remove);
  return folder.path;
}

async function lookInto(dataDirectory: string) {
  const path = join(dataDirectory, 'metadata.sqlite');
  const database = await openDatabase(path, { readOnly: true });
  const rows = database
    .prepare(
      "SELECT hex(sha1) || ' ' || file_name || ' ' || mu_url AS place FROM file_locations ORDER BY sha1",
    )
    .all();
  database.close();
  const store = await openMetadataStore(path, { mode: 'read', now });
  try {
    const [documents, problems, { revisions }, history] = [
      await store.fingerprint(),
      await problemsOf(store),
      await store.status(),
      await store.listHistory(100, 'sync'),
    ];
    const categories = (await store.listCategories()).map(
      ({ updateId, updateCount }) => `${updateId} ${updateCount}`,
    );
    const places = rows.map(({ place }) => place);
    const superseded = await store.countRevisions({ superseded: true });
    const fingerprint = [documents, superseded, ...categories.sort(), ...places].join('\n');
    return { fingerprint, problems, revisions, history };
  } finally {
    await store.close();
  }
}

test(`killed ${KILLS} times over ${REVISIONS} revisions, the store is that of a run nobody disturbed`, async () => {
  await using upstream = await startFakeUpstream(catalogueItems({ revisions: REVISIONS, seed: 4 }), {
    documents: 'plain',
  });
  const args = ['sync', '--upstream', upstream.url.href, '--metadata-only', '--quiet'];
  const undisturbed = newDirectory();
  const { exitCode, stderr } = await runProgram(args, undisturbed);
  expect([exitCode, stderr]).toEqual([0, '']);
  const expected = await lookInto(undisturbed);
  expect(expected).toMatchObject({ problems: [], revisions: REVISIONS });

  const random = seededRandom(50);
  let killed = newDirectory();
  let requested = 0;
  for (let kills = 0; kills < KILLS; ) {
    const before = upstream.calls.length;
    const calls = random.below(MOST_CALLS);
    const delay = random.below(60);
    const child = startProgram(args, killed);
    const end = finish(child);
    let ended = false;
    void end.then(() => {
      ended = true;
    });
    const asked = () =>
      upstream.calls.slice(before).filter(({ operation }) => operation === 'GetUpdateData').length;
    while (!ended && asked() < calls) await sleep(5);
    await sleep(delay);
    child.kill('SIGKILL');
    requested += asked();
    if ((await end).exitCode !== 0) {
      kills++;
      continue;
    }
    // This one came to its end in spite of all; the next kills meet another.
    expect(await lookInto(killed)).toMatchObject({ problems: [], fingerprint: expected.fingerprint });
    killed = newDirectory();
  }
  // The last kill may have met one that had not even made its store.
  const held = existsSync(join(killed, 'metadata.sqlite')) ? (await lookInto(killed)).revisions : 0;
  const before = upstream.batchSizes.length;
  const last = await runProgram(args, killed);
  expect([last.exitCode, last.stderr]).toEqual([0, '']);
  const asked = upstream.batchSizes.slice(before).reduce((sum, size) => sum + size, 0);
  expect(asked).toBe(REVISIONS - held);
  const actual = await lookInto(killed);
  expect(actual).toMatchObject({ problems: [], revisions: REVISIONS, fingerprint: expected.fingerprint });
  expect(requested * PER_CALL).toBeGreaterThan(REVISIONS);
  expect(actual.history[0]).toMatchObject({ outcome: 'complete' });
}, 600_000);
