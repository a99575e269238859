/** Transfer packages and what they are carried on, with the built program. */
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { contentOf } from '../carry/carry-setup.js';
import { connectedSide, newFolder, runJson } from '../helpers/gap-sides.js';
import { runProgram } from '../helpers/program.js';

const OPTIONS = { revisions: 200, seed: 10, maxFileSize: 20_000 };

function statesOf(folder: string) {
  return ['.', ...readdirSync(folder)].map((name) => {
    const { size, mtimeMs, ctimeMs, ino } = statSync(join(folder, name));
    return { name, size, mtimeMs, ctimeMs, ino };
  });
}

test('volumes and files made again are the bytes that were lost, and verify names them on read-only media', async () => {
  const outside = await connectedSide(OPTIONS);
  const media = newFolder();
  const path = join(media, 'carry.tar');
  const exported = await runJson(['export', path, '--volume-size', '500k'], outside);
  const volumes = (exported.document.volumes as { path: string }[]).map((each) => each.path);
  expect(volumes.length).toBeGreaterThan(2);
  const originals = volumes.map((each) => readFileSync(each));

  // One lost, one damaged, on a medium that takes no writing; a machine that has nothing of ours.
  rmSync(volumes[1] as string);
  const damaged = Buffer.from(originals[2] as Buffer);
  damaged.fill(0xff, damaged.length - 2_000, damaged.length - 1_990);
  writeFileSync(volumes[2] as string, damaged);
  for (const name of readdirSync(media)) chmodSync(join(media, name), 0o444);
  chmodSync(media, 0o555);
  const before = statesOf(media);
  const third = newFolder();
  const dataDirectory = join(third, 'data');
  const verified = await runJson(['verify', volumes[0] as string], dataDirectory);
  expect([verified.exitCode, verified.document.missingVolumes]).toEqual([3, [2]]);
  const again = verified.document.again as { volumes: number[]; files: string[] };
  expect(again.volumes).toEqual([2]);
  expect(again.files).toHaveLength(1);
  expect(readdirSync(third)).toEqual([]);
  expect(statesOf(media)).toEqual(before);
  chmodSync(media, 0o755);

  const anew = newFolder();
  const made = await runJson(['export', join(anew, 'carry.tar'), '--only-volumes', '2,3'], outside);
  expect(made.exitCode).toBe(0);
  expect(readdirSync(anew).sort()).toEqual([volumes[1], volumes[2]].map((each) => basename(each as string)));
  for (const number of [1, 2]) {
    const bytes = readFileSync(join(anew, basename(volumes[number] as string)));
    expect(bytes.equals(originals[number] as Buffer)).toBe(true);
  }

  // Or one volume whole, and of the damaged one what it lacks.
  const list = join(anew, 'list.txt');
  writeFileSync(list, again.files.join('\n'));
  const some = join(newFolder(), 'some.tar');
  const parts = await runJson(['export', some, '--only-volumes', '2', '--only-files', list], outside);
  const mended = (parts.document.volumes as { path: string }[]).map((each) => each.path);
  expect(mended).toHaveLength(2);
  const inside = newFolder();
  const first = await runJson(['import', volumes[0] as string, '--allow-unsigned'], inside);
  expect(first.exitCode).not.toBe(0); // damaged, and one is missing
  rmSync(volumes[2] as string); // what was good in it was kept
  const complete = ['import', volumes[0] as string, ...mended.flatMap((each) => ['--volume', each])];
  const imported = await runJson([...complete, '--allow-unsigned'], inside);
  expect([imported.stderr, imported.exitCode]).toEqual([expect.not.stringContaining('error'), 0]);
  expect(contentOf(join(inside, 'WsusContent'))).toEqual(contentOf(join(outside, 'WsusContent')));
}, 180_000);

test('media by name make volumes that fit them, and one that takes all is one file', async () => {
  const outside = await connectedSide(OPTIONS);
  for (const preset of ['dvd', 'bd25', 'fat32', 'usb64', 'FAT32', '4300M']) {
    const plan = await runJson(['plan', 'export', '--volume-size', preset], outside);
    expect([preset, plan.exitCode, (plan.document.volumes as unknown[]).length]).toEqual([preset, 0, 1]);
  }
  expect((await runProgram(['plan', 'export', '--volume-size', 'floppy'], outside)).exitCode).toBe(2);
}, 60_000);

test('content lies on each side once: nothing but metadata is kept of a package', async () => {
  const outside = await connectedSide(OPTIONS);
  const inside = newFolder();
  const path = join(newFolder(), 'carry.tar');
  await runJson(['export', path], outside);
  expect((await runJson(['import', path, '--allow-unsigned'], inside)).exitCode).toBe(0);
  const kept = readdirSync(join(outside, 'carry'), { recursive: true, encoding: 'utf8' }).map((each) =>
    basename(each),
  );
  expect(kept.filter((name) => !name.startsWith('sent-')).sort()).toEqual([
    'manifest.json',
    'metadata.txt.gz',
    'package.xml.gz',
    'settings.json',
  ]);
  expect(readdirSync(join(inside, 'carry'))).toEqual([]);
}, 60_000);

test('what content verify misses inside is listed, and comes in the smallest package', async () => {
  const outside = await connectedSide(OPTIONS);
  const inside = newFolder();
  const media = newFolder();
  await runJson(['export', join(media, '1.tar')], outside);
  await runJson(['import', join(media, '1.tar'), '--allow-unsigned'], inside);
  const [lost = '', spoilt = ''] = Object.keys(contentOf(join(inside, 'WsusContent')));
  rmSync(join(inside, 'WsusContent', ...lost.split('/')));
  const place = join(inside, 'WsusContent', ...spoilt.split('/'));
  writeFileSync(place, Buffer.alloc(statSync(place).size));
  const need = join(media, 'need.json');
  const verified = await runJson(['content', 'verify', '--missing-list', need], inside);
  expect([verified.exitCode, verified.document.missingList]).toMatchObject([3, { files: 2 }]);
  const needed = join(media, 'needed.tar');
  const made = await runJson(['export', needed, '--since-last', '--need', need], outside);
  expect(made.document.counts).toMatchObject({ revisions: 0 });
  expect((await runJson(['import', needed, '--allow-unsigned', '--network', 'none'], inside)).exitCode).toBe(
    0,
  );
  expect(contentOf(join(inside, 'WsusContent'))).toEqual(contentOf(join(outside, 'WsusContent')));
  expect((await runJson(['import', needed, '--network', 'all'], inside)).exitCode).toBe(2);
}, 60_000);

test('files of an import that was taken back are kept for a grace period', async () => {
  const outside = await connectedSide(OPTIONS);
  const inside = newFolder();
  const path = join(newFolder(), 'carry.tar');
  await runJson(['export', path], outside);
  await runJson(['import', 'fixtures/packages/sample.cab'], inside);
  await runJson(['import', path, '--allow-unsigned'], inside);
  const before = contentOf(join(inside, 'WsusContent'));
  expect((await runJson(['undo'], inside)).exitCode).toBe(0);
  const pruned = await runJson(['content', 'prune', '--yes'], inside);
  expect([pruned.stderr, pruned.exitCode]).toEqual([expect.not.stringContaining('error'), 0]);
  expect(contentOf(join(inside, 'WsusContent'))).toEqual(before);
}, 60_000);
