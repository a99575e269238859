/** What is carried over is on the other side what it was on this one. */
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeFile, updateWith } from '../content/content-builder.js';
import { failureOf } from '../helpers/package-builder.js';
import { idOf, makeUpdate, problemsOf, testFolder } from '../store/update-builder.js';
import {
  catalogue,
  exportFrom,
  feed,
  importInto,
  leftovers,
  openSite,
  SAME_SETTINGS,
} from './carry-setup.js';

test('a catalogue with its content arrives whole: metadata, files, and what is known of them', async () => {
  const outside = await openSite('outside');
  const { updates, files } = catalogue(400, 6, 3_000);
  await feed(outside, updates, files);
  const path = join(testFolder(), 'carry.tar');
  const exported = await exportFrom(outside, path);
  expect(exported.manifest.counts).toMatchObject({ revisions: 400 });
  expect(exported.missing.files).toBe(0);

  const inside = await openSite('inside');
  const imported = await importInto(inside, [path]);
  expect(imported.metadata).toMatchObject({ revisions: 400, missingCount: 0, format: 'tar' });
  expect(imported.written.files).toBe(Object.keys(outside.content()).length);
  expect(imported.warnings).toEqual([]);
  expect(await inside.store.fingerprint()).toBe(await outside.store.fingerprint());
  expect(inside.content()).toEqual(outside.content());
  expect(await problemsOf(inside.store)).toEqual([]);
  const states = await (await inside.store.contentIndex()).states();
  expect(states.verified.files).toBe(imported.written.files);
  expect(leftovers(inside)).toEqual([]);
  expect(leftovers(outside)).toEqual([]);
  expect(await inside.store.carryState().listAccepted()).toMatchObject([
    { sequence: 1, manifest: exported.digest, destination: 'isolated', serverId: outside.store.serverId },
  ]);
  const [entry] = await inside.store.listHistory(1, 'import');
  expect(entry).toMatchObject({ outcome: 'complete', details: { sequence: 1, manifest: exported.digest } });
}, 60_000);

test('the same store and options give the same bytes', async () => {
  const outside = await openSite();
  const file = makeFile('one', 70_000);
  await feed(outside, [updateWith(1, [file])], [file]);
  const folder = testFolder();
  const record = async () => {};
  await exportFrom(outside, join(folder, 'one.tar'), { record });
  await exportFrom(outside, join(folder, 'two.tar'), { record });
  expect(readFileSync(join(folder, 'one.tar')).equals(readFileSync(join(folder, 'two.tar')))).toBe(true);
});

test('only what lies here whole goes along; what wanted updates lack is told on both sides', async () => {
  const outside = await openSite('outside');
  const good = makeFile('good', 5_000);
  const damaged = makeFile('damaged', 5_000);
  const absent = makeFile('absent', 5_000);
  const old = makeFile('old', 5_000);
  const licence = makeFile('licence', 5_000);
  await feed(
    outside,
    [
      updateWith(1, [good, damaged]),
      updateWith(2, [absent], { licences: [licence] }),
      updateWith(3, [old]),
      makeUpdate(4, { superseded: [idOf(3)] }),
    ],
    [good, damaged],
  );
  const broken = join(outside.contentFolder, ...damaged.path.split('/'));
  writeFileSync(broken, Buffer.alloc(5_000));
  const path = join(testFolder(), 'carry.tar');
  const { missing, manifest } = await exportFrom(outside, path);
  expect(manifest.counts.contentFiles).toBe(1);
  expect(missing).toMatchObject({ files: 3, licences: { files: 1 } });
  expect(missing.list.map(({ sha1 }) => sha1).sort()).toEqual(
    [damaged.sha1, absent.sha1, licence.sha1].sort(),
  );
  const inside = await openSite('inside');
  const { preflight, warnings } = await importInto(inside, [path]);
  expect(preflight.missing).toMatchObject({ files: 3, licences: { files: 1 } });
  expect(warnings).toContain('CONTENT_NOT_HELD');
});

test('settings that differ are told before anything changes', async () => {
  const outside = await openSite('outside');
  await feed(outside, [makeUpdate(1)]);
  const path = join(testFolder(), 'carry.tar');
  await exportFrom(outside, path);
  const inside = await openSite('inside');
  const settings = { ...SAME_SETTINGS, languages: ['en', 'de'], expressFiles: true };
  const { preflight, manifest, metadata } = await importInto(inside, [path], { settings, dryRun: true });
  // What the other side is set to, whatever its table has.
  expect([manifest.options.languages, SAME_SETTINGS.languages]).toEqual([['en'], ['en']]);
  expect(metadata.header.languages.filter(({ enabled }) => enabled)).toMatchObject([{ shortName: 'en' }]);
  expect(preflight.differences.join('\n')).toContain('here only: de');
  expect(preflight.differences.join('\n')).toContain('Express files');
});

test('a dry run changes nothing', async () => {
  const outside = await openSite('outside');
  const file = makeFile('one', 70_000);
  await feed(outside, [updateWith(1, [file])], [file]);
  const path = join(testFolder(), 'carry.tar');
  await exportFrom(outside, path);
  const inside = await openSite('inside');
  const { metadata, dryRun } = await importInto(inside, [path], { dryRun: true });
  expect([metadata.newUpdates, dryRun]).toEqual([1, true]);
  expect(await inside.store.isEmpty()).toBe(true);
  expect(inside.content()).toEqual({});
  expect(leftovers(inside)).toEqual([]);
  expect(await inside.store.listHistory(10)).toEqual([]);
});

test('what is here already and right is not written again, what is damaged is replaced', async () => {
  const outside = await openSite('outside');
  const files = ['a', 'b', 'c'].map((seed) => makeFile(seed, 20_000));
  await feed(outside, [updateWith(1, files)], files);
  const path = join(testFolder(), 'carry.tar');
  await exportFrom(outside, path);
  const inside = await openSite('inside');
  await importInto(inside, [path]);
  await inside.store.undoImport((undone) => ({
    action: 'undo',
    package: undone.package,
    startedAt: 0,
    finishedAt: 0,
    outcome: 'complete',
    details: {},
  }));
  expect(Object.keys(inside.content())).toHaveLength(3);
  writeFileSync(join(inside.contentFolder, ...(files[1]?.path ?? '').split('/')), Buffer.alloc(20_000));
  const again = await importInto(inside, [path]);
  expect([again.written.files, again.present.files]).toEqual([1, 2]);
  expect(inside.content()).toEqual(outside.content());
});

test('files of every size arrive, the empty and the large ones, and every name was given to a whole file', async () => {
  const outside = await openSite('outside');
  const sizes = [0, 1, 511, 512, 513, 524_287, 524_288, 524_289, 3_000_000, 36_000_000];
  const files = sizes.map((size) => makeFile(`of ${size}`, size));
  await feed(outside, [updateWith(1, files)], files);
  const path = join(testFolder(), 'carry.tar');
  await exportFrom(outside, path);
  const inside = await openSite('inside');
  const { written } = await importInto(inside, [path]);
  expect(written.files).toBe(sizes.length);
  expect(inside.content()).toEqual(outside.content());
  expect(leftovers(inside)).toEqual([]);
});

test('a file that cannot be written ends the import, and what is being written then is not left behind', async () => {
  const outside = await openSite('outside');
  const files = Array.from({ length: 200 }, (_, n) => makeFile(`file ${n}`, 9_000));
  await feed(outside, [updateWith(1, files)], files);
  const path = join(testFolder(), 'carry.tar');
  await exportFrom(outside, path);
  const inside = await openSite('inside');
  // A file where a folder should be.
  const folder = files[50]?.sha1.slice(-2) ?? '';
  writeFileSync(join(inside.contentFolder, folder), 'in the way');
  const error = await failureOf(() => importInto(inside, [path]));
  expect(error.code).toBe('WRITE_FAILED');
  expect(error.message).toContain(join(inside.contentFolder, folder));
  expect(readdirSync(join(inside.contentFolder, '.wsusutil', 'partial'))).toEqual([]);
  expect(await inside.store.carryState().listAccepted()).toEqual([]);
  rmSync(join(inside.contentFolder, folder));
  expect(outside.content()).toMatchObject(inside.content());
});

test('a file that changes while it goes out ends the export, and nothing of the package stays', async () => {
  const outside = await openSite('outside');
  const file = makeFile('one', 300_000);
  await feed(outside, [updateWith(1, [file])], [file]);
  const folder = testFolder();
  const place = join(outside.contentFolder, ...file.path.split('/'));
  const error = await failureOf(() =>
    exportFrom(outside, join(folder, 'carry.tar'), {
      report: (event) => {
        if (event.type === 'stage-started' && event.stage === 'copying') truncateSync(place, 1000);
      },
    }),
  );
  expect(error.code).toBe('TRANSFER_MISMATCH');
  expect(error.message).toContain(file.sha1);
  expect(await outside.store.carryState().listSent()).toEqual([]);
  expect(readdirSync(folder)).toEqual([]);
});
