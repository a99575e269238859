/** What is said of a transfer package before anything changes. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { serializeManifest } from '../../src/formats/transfer-package/manifest.js';
import { writeVolume } from '../../src/formats/transfer-package/write-volume.js';
import { makeFile, placeFile, updateWith } from '../content/content-builder.js';
import { readOne, sealManifest } from '../formats/transfer-package/transfer-builder.js';
import { failureOf } from '../helpers/package-builder.js';
import { idOf, makeUpdate, testFolder } from '../store/update-builder.js';
import { exportFrom, feed, importInto, leftovers, openSite, SAME_SETTINGS } from './carry-setup.js';

test('whatever differs of languages, express files, policy, products and classifications is told on its own', async () => {
  const outside = await openSite('outside');
  await feed(outside, [makeUpdate(1)]);
  const path = join(testFolder(), 'carry.tar');
  const there = { ...SAME_SETTINGS, products: [idOf(1), idOf(2)], classifications: [idOf(3)] };
  await exportFrom(outside, path, { settings: there });
  const inside = await openSite('inside');
  const differences = async (settings: typeof SAME_SETTINGS) =>
    (await importInto(inside, [path], { settings, dryRun: true })).preflight.differences;
  expect(await differences(there)).toEqual([]);
  expect(await differences({ ...there, languages: ['de', 'en'] })).toEqual([
    'The languages differ (here only: de)',
  ]);
  expect(await differences({ ...there, products: [idOf(2), idOf(9)] })).toEqual([
    `The products differ (there only: ${idOf(1)}; here only: ${idOf(9)})`,
  ]);
  expect(await differences({ ...there, classifications: [] })).toEqual([
    `The classifications differ (there only: ${idOf(3)})`,
  ]);
  expect(await differences({ ...there, expressFiles: true })).toEqual([
    'Express files are kept here, and not there: they are not in the package',
  ]);
  expect(await differences({ ...there, contentPolicy: 'licences' })).toEqual([
    'The content policy differs (there: "wanted", here: "licences")',
  ]);
  expect(await inside.store.isEmpty()).toBe(true);
});

test('files that were left out are missed, unless they are here, by whatever way they came', async () => {
  const outside = await openSite('outside');
  const [one, two] = [makeFile('one', 5_000), makeFile('two', 7_000)];
  const licence = makeFile('licence', 300, 'eula.txt');
  await feed(
    outside,
    [updateWith(1, [one], { licences: [licence] }), updateWith(2, [two])],
    [one, two, licence],
  );
  const path = join(testFolder(), 'carry.tar');
  const { leftOut, missing, manifest } = await exportFrom(outside, path, { kinds: ['licence'] });
  expect([leftOut, missing]).toMatchObject([{ files: 2, bytes: 12_000 }, { files: 0 }]);
  expect(manifest.counts).toMatchObject({ contentFiles: 0, licences: 1 });

  const inside = await openSite('inside');
  const look = () => importInto(inside, [path], { dryRun: true });
  expect((await look()).preflight.missing).toMatchObject({ files: 2, bytes: 12_000 });
  placeFile(inside.contentFolder, two); // carried as a directory, before any metadata calls for it
  expect((await look()).preflight.missing).toMatchObject({ files: 1, bytes: 5_000 });
  placeFile(inside.contentFolder, one, one.path, one.bytes.subarray(1)); // not whole
  const { preflight, warnings } = await look();
  expect(preflight.missing).toMatchObject({ files: 1, bytes: 5_000 });
  expect(warnings).toContain('CONTENT_NOT_HELD');
  placeFile(inside.contentFolder, one);
  expect((await look()).warnings).not.toContain('CONTENT_NOT_HELD');
});

test('a file that came before and was lost since is missed, unless the package brings it again', async () => {
  const outside = await openSite('outside');
  const [one, two] = [makeFile('one', 5_000), makeFile('two', 7_000)];
  await feed(outside, [updateWith(1, [one])], [one]);
  const full = join(testFolder(), 'full.tar');
  await exportFrom(outside, full);
  const inside = await openSite('inside');
  await importInto(inside, [full]);

  await feed(outside, [updateWith(2, [two])], [two]);
  const next = join(testFolder(), 'next.tar');
  await exportFrom(outside, next, { base: { kind: 'last' } });
  const look = async (path: string) => (await importInto(inside, [path], { dryRun: true })).preflight.missing;
  expect(await look(next)).toMatchObject({ files: 0 });

  rmSync(join(inside.contentFolder, one.path));
  const index = await inside.store.contentIndex();
  await index.record([
    { sha1: one.sha1, record: { state: 'absent', problem: 'lost', checkedAt: 1, stamp: undefined } },
  ]);
  expect(await look(next)).toMatchObject({ files: 1, bytes: 5_000 });
  const again = join(testFolder(), 'again.tar');
  await exportFrom(outside, again);
  expect(await look(again)).toMatchObject({ files: 0 });
});

test('files of updates that nobody wants any more are not missed', async () => {
  const outside = await openSite('outside');
  const old = makeFile('old', 5_000);
  await feed(outside, [updateWith(1, [old]), makeUpdate(2, { superseded: [idOf(1)] })], [old]);
  const { leftOut } = await exportFrom(outside, join(testFolder(), 'carry.tar'), { kinds: ['licence'] });
  expect(leftOut.files).toBe(0);
});

test('licence texts that are missing are counted on their own', async () => {
  const outside = await openSite('outside');
  const licence = makeFile('licence', 300, 'eula.txt');
  await feed(outside, [updateWith(1, [], { licences: [licence] })]);
  const path = join(testFolder(), 'carry.tar');
  await exportFrom(outside, path);
  const inside = await openSite('inside');
  const messages: string[] = [];
  await importInto(inside, [path], {
    dryRun: true,
    report: (event) => {
      if (event.type === 'warning') messages.push(event.message);
    },
  });
  expect(messages).toEqual([
    '1 file of wanted updates (300 bytes, a licence text) is neither in the package nor here',
  ]);
});

test('content that has no room is refused before the first file is written', async () => {
  const outside = await openSite('outside');
  await feed(outside, [makeUpdate(1)]);
  const path = join(testFolder(), 'carry.tar');
  await exportFrom(outside, path);
  const { manifest, bodies } = await readOne(readFileSync(path));
  const sha1 = createHash('sha1').update('huge').digest('hex').toUpperCase();
  const huge = {
    path: `WsusContent/${sha1.slice(-2)}/${sha1}.cab`,
    kind: 'content',
    size: 2 ** 50,
    sha256: 'AB'.repeat(32),
    sha1,
    volume: 1,
  };
  const sealed = sealManifest({ ...manifest, entries: [...manifest.entries, huge] });
  const beginning: Uint8Array[] = [];
  for await (const chunk of writeVolume({
    manifest: sealed,
    manifestBytes: serializeManifest(sealed),
    signatures: [],
    number: 1,
    async *open(entry) {
      yield bodies.get(entry.path) ?? Buffer.alloc(1 << 20);
    },
  })) {
    beginning.push(Buffer.from(chunk));
    if (beginning.length === 2) break;
  }
  writeFileSync(path, Buffer.concat(beginning));
  const inside = await openSite('inside');
  for (const dryRun of [true, false]) {
    const error = await failureOf(() => importInto(inside, [path], { dryRun }));
    expect([error.code, error.message]).toEqual([
      'DISK_FULL',
      expect.stringContaining('1,125,899,906,842,624 bytes'),
    ]);
  }
  expect(inside.content()).toEqual({});
  expect(leftovers(inside).filter((name) => !name.startsWith('in-'))).toEqual([]);
  expect(existsSync(join(inside.contentFolder, sha1.slice(-2)))).toBe(false);
});
