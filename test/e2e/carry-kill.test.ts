/** A carry whose export, import and undo are killed again and again ends as one that nobody disturbed. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { contentPath } from '../../src/model/content-file.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import { contentOf } from '../carry/carry-setup.js';
import { generateCatalogue } from '../helpers/catalogue/generate-catalogue.js';
import { writeCatalogue } from '../helpers/catalogue/write-catalogue.js';
import { finish, runProgram, startProgram, temporaryFolder } from '../helpers/program.js';
import { seededRandom } from '../helpers/seeded-random.js';
import { now, problemsOf } from '../store/update-builder.js';

const OPTIONS = { revisions: 1_500, seed: 12, maxFileSize: 60_000 };
/** of each of the three; WSUSUTIL_KILLS for a long night */
const KILLS = Number(process.env.WSUSUTIL_KILLS ?? 15);

function folder(): string {
  const made = temporaryFolder();
  onTestFinished(made.remove);
  return made.path;
}

async function lookInto(dataDirectory: string) {
  const store = await openMetadataStore(join(dataDirectory, 'metadata.sqlite'), { mode: 'read', now });
  try {
    return {
      fingerprint: await store.fingerprint(),
      problems: await problemsOf(store),
      accepted: (await store.carryState().listAccepted()).map(({ manifest }) => manifest),
      sent: (await store.carryState().listSent()).map(({ sequence }) => sequence),
    };
  } finally {
    await store.close();
  }
}

async function connectedSide(): Promise<string> {
  const outside = folder();
  const cab = join(folder(), 'catalogue.cab');
  await writeCatalogue(cab, OPTIONS);
  expect((await runProgram(['import', cab], outside)).exitCode).toBe(0);
  const store = await openMetadataStore(join(outside, 'metadata.sqlite'), { mode: 'write', now });
  const index = await store.contentIndex();
  for (const { content } of generateCatalogue(OPTIONS)) {
    const called = await index.find(content.map(({ sha1 }) => sha1));
    for (const { sha1, fileName, bytes } of content) {
      if (!called.has(sha1)) continue;
      const path = join(outside, 'WsusContent', ...contentPath(sha1, fileName).split('/'));
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, bytes);
    }
  }
  await store.close();
  return outside;
}

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
  const outside = await connectedSide();
  const media = folder();
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
  const importTime = await timeOf(command, folder());
  const inside = folder();
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
  const path = folder();
  const store = await openMetadataStore(join(path, 'metadata.sqlite'), { mode: 'write', now });
  await store.close();
  return path;
}
