/** A carry whose export, import and undo are killed again and again ends as one that nobody disturbed. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openMetadataStore } from '../../src/store/open-store.js';
import { contentOf } from '../carry/carry-setup.js';
import { connectedSide, lookInto, newFolder } from '../helpers/gap-sides.js';
import { finish, runProgram, startProgram } from '../helpers/program.js';
import { seededRandom } from '../helpers/seeded-random.js';
import { now } from '../store/update-builder.js';

const OPTIONS = { revisions: 1_500, seed: 12, maxFileSize: 60_000 };
/** of each of the three; WSUSUTIL_KILLS for a long night */
const KILLS = Number(process.env.WSUSUTIL_KILLS ?? 15);

/** Runs it, and kills it after a time of its own. @returns whether it came to its end before that */
async function runAndKill(args: readonly string[], dataDirectory: string, delay: number): Promise<boolean> {
  const child = startProgram(args, dataDirectory);
  const end = finish(child);
  await Promise.race([sleep(delay), end]);
  child.kill('SIGKILL');
  return (await end).exitCode === 0;
}

async function timeOf(args: readonly string[], dataDirectory: string): Promise<number> {
  const start = performance.now();
  const { exitCode, stderr } = await runProgram(args, dataDirectory);
  expect([exitCode, stderr.split('\n').filter((line) => line.startsWith('error'))]).toEqual([0, []]);
  return performance.now() - start;
}

test(`export, import and undo, each killed ${KILLS} times at random points`, async () => {
  const random = seededRandom(77);
  const outside = await connectedSide(OPTIONS);
  const media = newFolder();
  const expected = await lookInto(outside);
  const files = contentOf(join(outside, 'WsusContent'));

  // Export: there is a whole package of that name, or none; and what was sent is what lies there.
  const undisturbed = join(media, 'undisturbed.tar');
  const exportTime = await timeOf(['export', undisturbed, '--destination', 'undisturbed'], outside);
  let endedEarly = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const path = join(media, 'killed.tar');
    if (await runAndKill(['export', path], outside, random.below(Math.ceil(exportTime)))) endedEarly++;
    if (readdirSync(media).includes('killed.tar')) {
      expect((await runProgram(['verify', path], outside)).exitCode).toBe(0);
      rmSync(path);
    }
    expect((await lookInto(outside)).problems).toEqual([]);
  }
  expect(endedEarly).toBeLessThan(KILLS);
  await timeOf(['export', join(media, 'final.tar')], outside);
  expect(readdirSync(join(outside, 'carry')).filter((name) => name.startsWith('out-'))).toEqual([]);

  // Import: nothing or all of the metadata; files that are whole, or none of their name.
  const command = ['import', undisturbed, '--allow-unsigned'];
  const importTime = await timeOf(command, newFolder());
  const inside = newFolder();
  for (let kill = 0; kill < KILLS; kill++) {
    await runAndKill(command, inside, random.below(Math.ceil(importTime)));
    if (!readdirSync(inside).includes('metadata.sqlite')) continue;
    const seen = await lookInto(inside);
    expect(seen.problems).toEqual([]);
    if (seen.accepted.length === 0) expect(seen.fingerprint).not.toBe(expected.fingerprint);
    else {
      expect(seen.fingerprint).toBe(expected.fingerprint);
      expect((await runProgram(['undo'], inside)).exitCode).toBe(0);
    }
    expect(files).toMatchObject(
      readdirSync(inside).includes('WsusContent') ? contentOf(join(inside, 'WsusContent')) : {},
    );
  }
  await timeOf(command, inside);
  expect(await lookInto(inside)).toMatchObject({ fingerprint: expected.fingerprint, problems: [] });
  expect(contentOf(join(inside, 'WsusContent'))).toEqual(files);
  expect(readdirSync(join(inside, 'carry'))).toEqual([]);

  // Undo: taken back or not.
  const undoTime = 400;
  const empty = (await lookInto(await emptySide())).fingerprint;
  for (let kill = 0; kill < KILLS; kill++) {
    await runAndKill(['undo'], inside, random.below(undoTime));
    const seen = await lookInto(inside);
    expect(seen.problems).toEqual([]);
    expect([empty, expected.fingerprint]).toContain(seen.fingerprint);
    expect(seen.accepted).toHaveLength(seen.fingerprint === empty ? 0 : 1);
    if (seen.fingerprint === empty) await timeOf(command, inside);
  }
}, 900_000);

async function emptySide(): Promise<string> {
  const path = newFolder();
  const store = await openMetadataStore(join(path, 'metadata.sqlite'), { mode: 'write', now });
  await store.close();
  return path;
}
