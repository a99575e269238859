/** A carry from end to end, with the built program: two data directories, and nothing between them but files. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { contentOf } from '../carry/carry-setup.js';
import { connectedSide, lookInto, newFolder, runJson } from '../helpers/gap-sides.js';
import { runProgram } from '../helpers/program.js';

const OPTIONS = { revisions: 300, seed: 9, maxFileSize: 8_000 };
test('from plan to receipt: signed, in volumes, imported, acknowledged, undone', async () => {
  const outside = await connectedSide(OPTIONS);
  const inside = newFolder();
  const media = newFolder();
  const path = join(media, 'carry.tar');

  expect((await runProgram(['keys', 'new', '--no-password'], outside)).exitCode).toBe(0);
  const plan = await runJson(['plan', 'export', path, '--volume-size', '400k'], outside);
  expect(plan.exitCode).toBe(0);
  expect(readdirSync(media)).toEqual([]);
  const args = ['export', path, '--volume-size', '400k', '--sign-with', 'default', '--destination', 'ship'];
  const exported = await runJson(args, outside);
  expect([exported.exitCode, exported.document.status]).toEqual([0, 'complete']);
  const volumes = (exported.document.volumes as { path: string }[]).map((each) => each.path);
  expect(volumes.length).toBeGreaterThan(1);
  expect(volumes).toHaveLength((plan.document.volumes as unknown[]).length);

  // A machine in between that knows nobody, and has no data directory.
  const nowhere = join(newFolder(), 'nothing');
  const verified = await runJson(['verify', volumes[0] as string], nowhere);
  expect([verified.exitCode, verified.document.isComplete]).toEqual([0, true]);
  expect(existsSync(nowhere)).toBe(false);

  const refused = await runJson(['import', volumes[0] as string], inside);
  expect([refused.exitCode, (refused.document.error as { code: string }).code]).toEqual([
    35,
    'SIGNER_UNTRUSTED',
  ]);
  const key = join(outside, 'keys', 'default.pub');
  expect((await runProgram(['trust', 'add', key, '--name', 'outside', '--yes'], inside)).exitCode).toBe(0);
  const rehearsal = await runJson(['import', volumes[1] as string, '--dry-run'], inside);
  expect([rehearsal.exitCode, rehearsal.document.dryRun]).toEqual([0, true]);
  expect(existsSync(join(inside, 'WsusContent'))).toBe(false);
  const imported = await runJson(['import', volumes[1] as string], inside);
  expect(imported.exitCode).toBe(0);
  const there = await lookInto(inside);
  expect(there).toMatchObject({ fingerprint: (await lookInto(outside)).fingerprint, problems: [] });
  expect(contentOf(join(inside, 'WsusContent'))).toEqual(contentOf(join(outside, 'WsusContent')));
  const reset = await runJson(['reset', '--offline', '--quick'], inside);
  expect(reset.document.status ?? reset.stderr).toBe('complete');

  expect((await runJson(['import', volumes[0] as string], inside)).exitCode).toBe(36);
  const { document } = await runJson(['receipt'], inside);
  const [{ code }] = document.receipts as [{ code: string }];
  expect(code).toBe(imported.document.receipt);
  const acknowledged = await runJson(['acknowledge', ...code.toLowerCase().split('-')], outside);
  expect(acknowledged.document).toMatchObject({ destination: 'ship', sequence: 1 });
  const next = await runJson(
    ['export', join(media, 'next.tar'), '--destination', 'ship', '--since-last'],
    outside,
  );
  expect(next.document).toMatchObject({
    sequence: 2,
    followsSequence: 1,
    counts: { revisions: 0, contentFiles: 0 },
  });

  // Signed, once both sides have the key.
  expect((await runProgram(['keys', 'new', '--no-password'], inside)).exitCode).toBe(0);
  const signed = await runJson(['receipt'], inside);
  const [{ code: signedCode }] = signed.document.receipts as [{ code: string }];
  expect(signedCode).toMatch(/^S(?:[0-9A-Z]{5}[- ]?){0,25}/);
  expect((await runJson(['acknowledge', signedCode], outside)).exitCode).toBe(35);
  const theirs = join(inside, 'keys', 'default.pub');
  expect((await runProgram(['trust', 'add', theirs, '--name', 'ship', '--yes'], outside)).exitCode).toBe(0);
  expect((await runJson(['acknowledge', ...signedCode.split(' ')], outside)).document).toMatchObject({
    destination: 'ship',
    sequence: 1,
    signer: { name: 'ship' },
  });
  await runProgram(['trust', 'require', 'on'], outside);
  expect((await runJson(['acknowledge', code], outside)).exitCode).toBe(35);
  expect((await runJson(['acknowledge', code, '--allow-unsigned'], outside)).exitCode).toBe(0);

  const undone = await runJson(['undo', '--network', 'none'], inside);
  expect(undone.document).toMatchObject({ revisions: 300, transfer: { destination: 'ship', sequence: 1 } });
  expect(Object.keys(contentOf(join(inside, 'WsusContent'))).length).toBeGreaterThan(0);
  expect((await runJson(['import', volumes[0] as string], inside)).exitCode).toBe(0);
  expect((await lookInto(inside)).fingerprint).toBe(there.fingerprint);
}, 120_000);

test('what is missing inside is listed, exported by the list, and imported', async () => {
  const outside = await connectedSide(OPTIONS);
  const inside = newFolder();
  const media = newFolder();
  await runProgram(['export', join(media, 'first.tar')], outside);
  expect((await runJson(['import', join(media, 'first.tar')], inside)).exitCode).toBe(35);
  expect((await runJson(['import', join(media, 'first.tar'), '--allow-unsigned'], inside)).exitCode).toBe(0);
  const [lost = ''] = Object.keys(contentOf(join(inside, 'WsusContent')));
  rmSync(join(inside, 'WsusContent', ...lost.split('/')));
  const need = join(media, 'need.json');
  expect((await runProgram(['reset', '--offline', '--missing-list', need], inside)).exitCode).toBe(3);
  const needed = await runJson(
    ['export', join(media, 'needed.tar'), '--since-last', '--need', need],
    outside,
  );
  expect(needed.document.counts).toMatchObject({ revisions: 0 });
  expect((await runJson(['import', join(media, 'needed.tar'), '--allow-unsigned'], inside)).exitCode).toBe(0);
  expect(contentOf(join(inside, 'WsusContent'))).toEqual(contentOf(join(outside, 'WsusContent')));
}, 120_000);

test('a damaged volume is told by verify with what to carry again, and options of one format are refused for another', async () => {
  const outside = await connectedSide(OPTIONS);
  const media = newFolder();
  const path = join(media, 'carry.tar');
  await runProgram(['export', path], outside);
  const bytes = readFileSync(path);
  const at = bytes.length - 1024 - 600;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  const damaged = await runJson(['verify', path], newFolder());
  expect([damaged.exitCode, damaged.document.isComplete]).toEqual([3, false]);
  const files = (damaged.document.again as { files: string[] }).files;
  expect(files).toHaveLength(1);
  const list = join(media, 'files.txt');
  writeFileSync(list, `${files.join('\r\n')}\r\n`);
  const again = join(media, 'again.tar');
  expect((await runProgram(['export', again, '--only-files', list], outside)).exitCode).toBe(0);

  for (const args of [
    ['export', join(media, 'x.cab'), '--since-last'],
    ['export', join(media, 'x.tar'), '--split'],
    ['export', join(media, 'x.tar'), '--since-last', '--bridge-from', '1'],
    ['export', join(media, 'x.tar'), '--dry-run'],
    ['export', join(media, 'x.tar'), '--only-volumes', '1', '--since-last'],
    ['export', join(media, 'x.tar'), '--only-volumes', '1', '--product', 'Windows'],
    ['export', join(media, 'x.tar'), '--only-files', 'x', '--metadata-only'],
    ['import', join(outside, 'x.cab'), '--accept-gap', 'because'],
    ['acknowledge', '12345'],
    ['plan', 'export', 'x.cab'],
  ]) {
    expect([args.join(' '), (await runProgram(args, outside)).exitCode]).toEqual([args.join(' '), 2]);
  }
}, 120_000);

test('a key that a package announces counts from the next package on', async () => {
  const outside = newFolder();
  const inside = newFolder();
  const media = newFolder();
  expect((await runProgram(['import', 'fixtures/packages/sample.cab'], outside)).exitCode).toBe(0);
  for (const name of ['old', 'new']) {
    expect((await runProgram(['keys', 'new', name, '--no-password'], outside)).exitCode).toBe(0);
  }
  const key = join(outside, 'keys', 'old.pub');
  expect((await runProgram(['trust', 'add', key, '--name', 'outside', '--yes'], inside)).exitCode).toBe(0);
  const [first, second] = [join(media, '1.tar'), join(media, '2.tar')];
  const alone = await runProgram(['export', first, '--announce-key', 'new'], outside);
  expect(alone.exitCode).toBe(2);
  await runJson(['export', first, '--sign-with', 'old', '--announce-key', 'new'], outside);
  await runJson(['export', second, '--since-last', '--sign-with', 'new'], outside);
  const imported = await runJson(['import', first], inside);
  expect(imported.document.announcedKey).toContain('outside (2)');
  expect((await runJson(['import', second], inside)).exitCode).toBe(0);
}, 60_000);
