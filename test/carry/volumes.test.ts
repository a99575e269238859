/** Packages in several volumes: any order, one at a time, lost, damaged, made again. */
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { exportAgain } from '../../src/carry/export-again.js';
import { planTransfer } from '../../src/carry/plan-transfer.js';
import { verifyTransfer } from '../../src/carry/verify-transfer.js';
import { openContentRunner } from '../../src/content/content-runner.js';
import { makeFile, updateWith } from '../content/content-builder.js';
import { failureOf } from '../helpers/package-builder.js';
import { fc } from '../helpers/properties.js';
import { testFolder } from '../store/update-builder.js';
import { exportFrom, feed, importInto, leftovers, openSite, requestOf, type Site } from './carry-setup.js';

const VOLUME = 100_000;

/** Some small files, and one larger than two volumes. */
async function severalVolumes(): Promise<{ outside: Site; paths: readonly string[]; path: string }> {
  const outside = await openSite('outside');
  const files = [
    ...Array.from({ length: 12 }, (_, index) => makeFile(`small ${index}`, 9_000 + index * 700)),
    makeFile('large', 230_000),
  ];
  await feed(outside, [updateWith(1, files)], files);
  const path = join(testFolder(), 'carry.tar');
  const { volumes, manifest } = await exportFrom(outside, path, { volumeSize: VOLUME });
  expect(volumes.length).toBeGreaterThan(3);
  expect(volumes.every(({ size }) => size <= VOLUME)).toBe(true);
  expect(manifest.entries.some(({ parts }) => parts !== undefined)).toBe(true);
  return { outside, path, paths: volumes.map(({ path: each }) => each) };
}

async function verify(paths: readonly string[]) {
  return verifyTransfer({
    paths,
    trust: undefined,
    signal: new AbortController().signal,
    report: () => {},
  });
}

test('volumes in any order, all at once or some at a time, come to the same', async () => {
  const { outside, paths } = await severalVolumes();
  const fingerprint = await outside.store.fingerprint();
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray([...paths], { minLength: paths.length }),
      fc.array(fc.nat(paths.length), { maxLength: 3 }),
      async (order, cuts) => {
        const inside = await openSite('inside');
        const bounds = [0, ...cuts.sort((a, b) => a - b), order.length];
        const groups = bounds.slice(1).map((end, index) => order.slice(bounds[index], end));
        const given = groups.filter(({ length }) => length > 0);
        for (const [index, group] of given.entries()) {
          if (index === given.length - 1) await importInto(inside, group);
          else {
            const error = await failureOf(() => importInto(inside, group));
            expect(error.code).toBe('TRANSFER_INCOMPLETE');
            expect(await inside.store.isEmpty()).toBe(true);
          }
        }
        expect(await inside.store.fingerprint()).toBe(fingerprint);
        expect(inside.content()).toEqual(outside.content());
        expect(leftovers(inside)).toEqual([]);
      },
    ),
    { numRuns: 12 },
  );
}, 120_000);

test('a volume that is missing is named, and nothing but its files has to come again', async () => {
  const { outside, paths } = await severalVolumes();
  const inside = await openSite('inside');
  const error = await failureOf(() =>
    importInto(
      inside,
      paths.filter((_, index) => index !== 1),
    ),
  );
  expect(error.code).toBe('TRANSFER_INCOMPLETE');
  expect(error.message).toContain('this is missing: volume 2 (');
  expect(error.details).toMatchObject({ volumes: [2] });
  expect(error.hint).toContain('--only-volumes 2');
  await importInto(inside, [paths[1] as string]);
  expect(inside.content()).toEqual(outside.content());
});

test('bytes behind the end of a volume are told with their number, and nothing has to come again', async () => {
  const { paths } = await severalVolumes();
  const path = paths[1] as string;
  const good = readFileSync(path);
  writeFileSync(path, Buffer.concat([good, Buffer.alloc(1234, 0x33)]));
  const { isComplete, problems, again } = await verify(paths);
  expect([isComplete, problems.length, again]).toEqual([false, 1, { volumes: [], files: [], size: 0 }]);
  expect(problems[0]?.message).toBe(
    `${path} goes on behind its end: it is whole, and has ${good.length.toLocaleString('en-US')} bytes; 1,234 more behind it belong to nothing`,
  );
  const inside = await openSite('inside');
  expect(await failureOf(() => importInto(inside, paths))).toMatchObject({ code: 'TRANSFER_MALFORMED' });
});

test('verify says what is damaged and what is missing; made again, that closes the gap', async () => {
  const { outside, paths, path } = await severalVolumes();
  expect(await verify(paths)).toMatchObject({ isComplete: true, problemCount: 0, missingVolumes: [] });

  const folder = testFolder();
  const carried = paths.map((each) => join(folder, basename(each)));
  for (const [index, each] of paths.entries()) copyFileSync(each, carried[index] as string);
  const damaged = readFileSync(carried[2] as string);
  // The content of the last file in this volume, in front of the two blocks at its end.
  const at = damaged.length - 1024 - 2000;
  damaged[at] = (damaged[at] ?? 0) ^ 0xff;
  writeFileSync(carried[2] as string, damaged);
  rmSync(carried[0] as string);
  const given = carried.filter((each) => existsSync(each));
  const report = await verify(given);
  expect(report).toMatchObject({ isComplete: false, problemCount: 1, missingVolumes: [1] });
  expect(report.again.volumes).toEqual([1]);
  expect(report.again.files).toHaveLength(1);

  const [sent] = await outside.store.carryState().listSent();
  if (sent === undefined) throw new Error('nothing was sent');
  const runner = openContentRunner(0);
  onTestFinished(() => runner.close());
  const again = await exportAgain({
    path: join(testFolder(), basename(path)),
    sent,
    carryPath: outside.carryPath,
    contentFolder: outside.contentFolder,
    runner,
    volumes: report.again.volumes,
    files: report.again.files,
    signal: new AbortController().signal,
    report: () => {},
  });
  // The damaged file is the one that lies in several volumes: all parts of it come again.
  expect(again.volumes.map(({ number }) => number)).toEqual(expect.arrayContaining([1, 3]));
  expect(readFileSync(again.volumes[0]?.path ?? '').equals(readFileSync(paths[0] as string))).toBe(true);
  const inside = await openSite('inside');
  await failureOf(() => importInto(inside, given.slice(1, 2)));
  await failureOf(() => importInto(inside, [given[0] as string, ...given.slice(2)]));
  await importInto(
    inside,
    again.volumes.map(({ path: each }) => each),
  );
  expect(inside.content()).toEqual(outside.content());
  expect(await inside.store.fingerprint()).toBe(await outside.store.fingerprint());
});

test('volumes of different packages do not mix', async () => {
  const { outside, paths } = await severalVolumes();
  const other = join(testFolder(), 'other.tar');
  const { volumes } = await exportFrom(outside, other, { volumeSize: VOLUME, destination: 'other' });
  const inside = await openSite('inside');
  const mixed = [paths[0] as string, ...volumes.slice(1).map(({ path }) => path)];
  expect((await failureOf(() => importInto(inside, mixed))).code).toBe('TRANSFER_MISMATCH');
  expect(inside.content()).toEqual({});
});

test('a plan foretells the volumes, and writes nothing', async () => {
  const { outside, paths } = await severalVolumes();
  const folder = testFolder();
  const runner = openContentRunner(0);
  onTestFinished(() => runner.close());
  const plan = await planTransfer({
    ...requestOf(outside, runner),
    path: join(folder, 'carry.tar'),
    volumeSize: VOLUME,
    signerCount: 0,
    speed: 1000,
  });
  expect(plan.volumes).toHaveLength(paths.length);
  expect(plan.seconds).toBe(Math.ceil(plan.size / 1000));
  expect(plan.fitsFat32).toBe(true);
  expect(existsSync(join(folder, 'carry.tar'))).toBe(false);
  expect(await outside.store.carryState().listSent()).toHaveLength(1);
});
