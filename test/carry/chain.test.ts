/** Packages build on one another; what does not fit is refused with what would. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { judgeAge } from '../../src/carry/chain.js';
import { makeFile, updateWith } from '../content/content-builder.js';
import { failureOf } from '../helpers/package-builder.js';
import { idOf, makeUpdate, testFolder } from '../store/update-builder.js';
import { exportFrom, feed, importInto, openSite, type Site } from './carry-setup.js';

/** Three packages, each with one update and one file more. */
async function threePackages(): Promise<{ outside: Site; folder: string; path: (n: number) => string }> {
  const outside = await openSite('outside');
  const folder = testFolder();
  const path = (n: number) => join(folder, `${n}.tar`);
  for (const n of [1, 2, 3]) {
    const file = makeFile(`file ${n}`, 10_000 * n);
    await feed(outside, [updateWith(n, [file])], [file]);
    await exportFrom(outside, path(n), { base: { kind: n === 1 ? 'full' : 'last' } });
  }
  return { outside, folder, path };
}

test('each package carries what the one before did not, and together they are the whole', async () => {
  const { outside, path } = await threePackages();
  const inside = await openSite('inside');
  for (const n of [1, 2, 3]) {
    const { manifest, metadata, written } = await importInto(inside, [path(n)]);
    expect(manifest).toMatchObject({ sequence: n, followsSequence: n === 1 ? null : n - 1 });
    expect([metadata.revisions, written.files]).toEqual([1, 1]);
  }
  expect(await inside.store.fingerprint()).toBe(await outside.store.fingerprint());
  expect(inside.content()).toEqual(outside.content());
});

test('the wrong link names what is here, what it builds on, and what closes the gap', async () => {
  const { outside, folder, path } = await threePackages();
  const inside = await openSite('inside');
  await importInto(inside, [path(1)]);
  const before = [await inside.store.fingerprint(), inside.content()];
  const error = await failureOf(() => importInto(inside, [path(3)]));
  expect(error.code).toBe('CHAIN_BROKEN');
  expect(error.message).toContain('builds on package 2');
  expect(error.message).toContain('package 1');
  expect(error.hint).toContain('Import package 2 first');
  expect(error.hint).toContain('--bridge-from 1');
  expect([await inside.store.fingerprint(), inside.content()]).toEqual(before);

  const bridge = join(folder, 'bridge.tar');
  const { manifest } = await exportFrom(outside, bridge, { base: { kind: 'sequence', sequence: 1 } });
  expect(manifest).toMatchObject({
    sequence: 4,
    followsSequence: 1,
    counts: { revisions: 2, contentFiles: 2 },
  });
  await importInto(inside, [bridge]);
  expect(await inside.store.fingerprint()).toBe(await outside.store.fingerprint());
  expect(inside.content()).toEqual(outside.content());
});

test('an older package is refused, and the hint names those that can still come', async () => {
  const { path } = await threePackages();
  const inside = await openSite('inside');
  await importInto(inside, [path(2)], { acceptGap: 'the first disk was lost' });
  const error = await failureOf(() => importInto(inside, [path(1)]));
  expect(error.message).toContain('is older than what is here');
  expect(error.hint).toContain('Import those that were made after package 2');
});

test('a package of which nothing before is here is refused, and taken with a reason', async () => {
  const { path } = await threePackages();
  const inside = await openSite('inside');
  const error = await failureOf(() => importInto(inside, [path(2)]));
  expect(error).toMatchObject({ code: 'CHAIN_BROKEN' });
  expect(error.message).toContain('no package was imported here');
  const { warnings } = await importInto(inside, [path(2)], { acceptGap: 'the first disk was lost' });
  expect(warnings).toContain('CHAIN_GAP');
  expect(await inside.store.carryState().listAccepted()).toMatchObject([
    { sequence: 2, gapReason: 'the first disk was lost' },
  ]);
  const [entry] = await inside.store.listHistory(1, 'import');
  expect(entry?.details.gapReason).toBe('the first disk was lost');
  await importInto(inside, [path(3)]);
});

test('a package for another place, or from another server, is refused once there is a chain', async () => {
  const { outside, folder, path } = await threePackages();
  const inside = await openSite('inside');
  await importInto(inside, [path(1)]);
  const ship = join(folder, 'ship.tar');
  await exportFrom(outside, ship, { destination: 'ship' });
  expect((await failureOf(() => importInto(inside, [ship]))).code).toBe('CHAIN_BROKEN');
  const other = await openSite('other');
  await feed(other, [makeUpdate(9)]);
  const foreign = join(folder, 'foreign.tar');
  await exportFrom(other, foreign);
  const error = await failureOf(() => importInto(inside, [foreign]));
  expect(error.code).toBe('CHAIN_BROKEN');
  expect(error.message).toContain(other.store.serverId);
  await importInto(inside, [foreign], { acceptGap: 'the server was replaced' });
});

test('a later full package closes any gap', async () => {
  const { outside, folder, path } = await threePackages();
  const inside = await openSite('inside');
  await importInto(inside, [path(1)]);
  const full = join(folder, 'full.tar');
  await exportFrom(outside, full);
  const { metadata } = await importInto(inside, [full]);
  expect(metadata).toMatchObject({ revisions: 3, present: 1 });
});

test('a file that came later goes along with updates that were sent before', async () => {
  const outside = await openSite('outside');
  const file = makeFile('late', 9_000);
  await feed(outside, [updateWith(1, [file])]);
  const folder = testFolder();
  const first = await exportFrom(outside, join(folder, '1.tar'));
  expect(first.missing.files).toBe(1);
  await feed(outside, [makeUpdate(2, { prerequisites: [{ id: idOf(1) }] })], []);
  const { placeFile } = await import('../content/content-builder.js');
  placeFile(outside.contentFolder, file);
  const second = await exportFrom(outside, join(folder, '2.tar'), { base: { kind: 'last' } });
  expect(second.manifest.counts).toMatchObject({ revisions: 1, contentFiles: 1 });
  const inside = await openSite('inside');
  await importInto(inside, [join(folder, '1.tar')]);
  await importInto(inside, [join(folder, '2.tar')]);
  expect(inside.content()).toEqual(outside.content());
});

test('a package without anything new is a package too', async () => {
  const { outside, folder, path } = await threePackages();
  const none = join(folder, 'none.tar');
  const { manifest } = await exportFrom(outside, none, { base: { kind: 'last' } });
  expect(manifest.counts).toMatchObject({ revisions: 0, contentFiles: 0 });
  const inside = await openSite('inside');
  for (const n of [1, 2, 3]) await importInto(inside, [path(n)]);
  await importInto(inside, [none]);
});

test('there is nothing to build on where nothing was sent', async () => {
  const outside = await openSite('outside');
  await feed(outside, [makeUpdate(1)]);
  const path = join(testFolder(), 'carry.tar');
  for (const base of [
    { kind: 'last' },
    { kind: 'sequence', sequence: 1 },
    { kind: 'manifest', digest: 'AB'.repeat(32) },
  ] as const) {
    expect((await failureOf(() => exportFrom(outside, path, { base }))).code).toBe('NOT_FOUND');
  }
});

test('listed files go along whatever was sent, and no metadata', async () => {
  const { outside, folder, path } = await threePackages();
  const inside = await openSite('inside');
  for (const n of [1, 2, 3]) await importInto(inside, [path(n)]);
  const lost = makeFile('file 2', 20_000);
  const { rmSync } = await import('node:fs');
  rmSync(join(inside.contentFolder, ...lost.path.split('/')));
  const needed = join(folder, 'needed.tar');
  const { sha1, sha256, fileName } = lost;
  const need = [{ sha1, sha256, fileName, size: 20_000, kind: 'payload' as const, url: undefined }];
  const { manifest } = await exportFrom(outside, needed, { base: { kind: 'last' }, need });
  expect(manifest.counts).toMatchObject({ revisions: 0, contentFiles: 1 });
  expect((await importInto(inside, [needed])).written.files).toBe(1);
  expect(inside.content()).toEqual(outside.content());
});

test('age is judged against the last package, in grades, and never a reason to refuse', () => {
  const now = new Date('2026-11-21T00:00:00Z');
  const last = { createdAt: Date.parse('2024-11-01T00:00:00Z') } as Parameters<typeof judgeAge>[1];
  for (const [createdAt, grade, words] of [
    ['2026-11-20T00:00:00Z', 'fresh', undefined],
    ['2026-10-18T00:00:00Z', 'fresh', undefined],
    ['2026-10-17T00:00:00Z', 'aging', '35 days old'],
    [
      '2026-08-01T00:00:00Z',
      'old',
      '112 days old, going by the clock here, 638 days newer than the last one',
    ],
    ['2025-01-01T00:00:00Z', 'very-old', 'more than a year'],
    ['2024-10-31T00:00:00Z', 'backwards', 'before the last one'],
    ['2027-08-01T00:00:00Z', 'ahead', 'in the future'],
  ] as const) {
    const { grade: found, message } = judgeAge(createdAt, last, now);
    expect([createdAt, found]).toEqual([createdAt, grade]);
    if (words === undefined) expect(message).toBeUndefined();
    else expect(message).toContain(words);
  }
  expect(judgeAge('2026-08-01T00:00:00Z', undefined, now).message).not.toContain('newer than the last');
  // A clock that was set back decades: told, and no more.
  expect(judgeAge('2026-11-20T00:00:00Z', last, new Date(0)).grade).toBe('ahead');
});
