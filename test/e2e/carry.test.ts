/** A carry from end to end, with the built program: two data directories, and nothing between them but files. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { contentPath } from '../../src/model/content-file.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import { contentOf } from '../carry/carry-setup.js';
import { type CatalogueItem, generateCatalogue } from '../helpers/catalogue/generate-catalogue.js';
import { writeCatalogue } from '../helpers/catalogue/write-catalogue.js';
import { runProgram, temporaryFolder } from '../helpers/program.js';
import { now, problemsOf } from '../store/update-builder.js';

const OPTIONS = { revisions: 300, seed: 9, maxFileSize: 8_000 };
let items: readonly CatalogueItem[];

beforeAll(() => {
  items = [...generateCatalogue(OPTIONS)];
});

function folder(): string {
  const made = temporaryFolder();
  onTestFinished(made.remove);
  return made.path;
}

async function lookInto(dataDirectory: string) {
  const store = await openMetadataStore(join(dataDirectory, 'metadata.sqlite'), { mode: 'read', now });
  try {
    return { fingerprint: await store.fingerprint(), problems: await problemsOf(store) };
  } finally {
    await store.close();
  }
}

/** A server with metadata and content. */
async function connectedSide(): Promise<string> {
  const outside = folder();
  const cab = join(folder(), 'catalogue.cab');
  await writeCatalogue(cab, OPTIONS);
  expect((await runProgram(['import', cab], outside)).exitCode).toBe(0);
  const store = await openMetadataStore(join(outside, 'metadata.sqlite'), { mode: 'write', now });
  const index = await store.contentIndex();
  for (const { content } of items) {
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

async function json(args: readonly string[], dataDirectory: string) {
  const { exitCode, stdout, stderr } = await runProgram([...args, '--json'], dataDirectory);
  return { exitCode, stderr, document: JSON.parse(stdout) as Record<string, unknown> };
}

test('from plan to receipt: signed, in volumes, imported, acknowledged, undone', async () => {
  const outside = await connectedSide();
  const inside = folder();
  const media = folder();
  const path = join(media, 'carry.tar');

  expect((await runProgram(['keys', 'new', '--no-password'], outside)).exitCode).toBe(0);
  const plan = await json(['plan', 'export', path, '--volume-size', '400k'], outside);
  expect(plan.exitCode).toBe(0);
  expect(readdirSync(media)).toEqual([]);
  const args = ['export', path, '--volume-size', '400k', '--sign-with', 'default', '--destination', 'ship'];
  const exported = await json(args, outside);
  expect([exported.exitCode, exported.document.status]).toEqual([0, 'complete']);
  const volumes = (exported.document.volumes as { path: string }[]).map((each) => each.path);
  expect(volumes.length).toBeGreaterThan(1);
  expect(volumes).toHaveLength((plan.document.volumes as unknown[]).length);

  // A machine in between that knows nobody, and has no data directory.
  const nowhere = join(folder(), 'nothing');
  const verified = await json(['verify', volumes[0] as string], nowhere);
  expect([verified.exitCode, verified.document.isComplete]).toEqual([0, true]);
  expect(existsSync(nowhere)).toBe(false);

  const refused = await json(['import', volumes[0] as string], inside);
  expect([refused.exitCode, (refused.document.error as { code: string }).code]).toEqual([
    35,
    'SIGNER_UNTRUSTED',
  ]);
  const key = join(outside, 'keys', 'default.pub');
  expect((await runProgram(['trust', 'add', key, '--name', 'outside', '--yes'], inside)).exitCode).toBe(0);
  const rehearsal = await json(['import', volumes[1] as string, '--dry-run'], inside);
  expect([rehearsal.exitCode, rehearsal.document.dryRun]).toEqual([0, true]);
  expect(existsSync(join(inside, 'WsusContent'))).toBe(false);
  const imported = await json(['import', volumes[1] as string], inside);
  expect(imported.exitCode).toBe(0);
  const there = await lookInto(inside);
  expect(there).toEqual({ fingerprint: (await lookInto(outside)).fingerprint, problems: [] });
  expect(contentOf(join(inside, 'WsusContent'))).toEqual(contentOf(join(outside, 'WsusContent')));
  const reset = await json(['reset', '--offline', '--quick'], inside);
  expect(reset.document.status ?? reset.stderr).toBe('complete');

  expect((await json(['import', volumes[0] as string], inside)).exitCode).toBe(36);
  const { document } = await json(['receipt'], inside);
  const [{ code }] = document.receipts as [{ code: string }];
  expect(code).toBe(imported.document.receipt);
  const acknowledged = await json(['acknowledge', ...code.toLowerCase().split('-')], outside);
  expect(acknowledged.document).toMatchObject({ destination: 'ship', sequence: 1 });
  const next = await json(
    ['export', join(media, 'next.tar'), '--destination', 'ship', '--since-last'],
    outside,
  );
  expect(next.document).toMatchObject({
    sequence: 2,
    followsSequence: 1,
    counts: { revisions: 0, contentFiles: 0 },
  });

  const undone = await json(['undo'], inside);
  expect(undone.document).toMatchObject({ revisions: 300, transfer: { destination: 'ship', sequence: 1 } });
  expect(Object.keys(contentOf(join(inside, 'WsusContent'))).length).toBeGreaterThan(0);
  expect((await json(['import', volumes[0] as string], inside)).exitCode).toBe(0);
  expect((await lookInto(inside)).fingerprint).toBe(there.fingerprint);
}, 120_000);

test('what is missing inside is listed, exported by the list, and imported', async () => {
  const outside = await connectedSide();
  const inside = folder();
  const media = folder();
  await runProgram(['export', join(media, 'first.tar')], outside);
  expect((await json(['import', join(media, 'first.tar')], inside)).exitCode).toBe(35);
  expect((await json(['import', join(media, 'first.tar'), '--allow-unsigned'], inside)).exitCode).toBe(0);
  const [lost = ''] = Object.keys(contentOf(join(inside, 'WsusContent')));
  rmSync(join(inside, 'WsusContent', ...lost.split('/')));
  const need = join(media, 'need.json');
  expect((await runProgram(['reset', '--offline', '--missing-list', need], inside)).exitCode).toBe(3);
  const needed = await json(['export', join(media, 'needed.tar'), '--since-last', '--need', need], outside);
  expect(needed.document.counts).toMatchObject({ revisions: 0 });
  expect((await json(['import', join(media, 'needed.tar'), '--allow-unsigned'], inside)).exitCode).toBe(0);
  expect(contentOf(join(inside, 'WsusContent'))).toEqual(contentOf(join(outside, 'WsusContent')));
}, 120_000);

test('a damaged volume is told by verify with what to carry again, and options of one format are refused for another', async () => {
  const outside = await connectedSide();
  const media = folder();
  const path = join(media, 'carry.tar');
  await runProgram(['export', path], outside);
  const bytes = readFileSync(path);
  const at = bytes.length - 1024 - 600;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  const damaged = await json(['verify', path], folder());
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
    ['import', join(outside, 'x.cab'), '--accept-gap', 'because'],
    ['acknowledge', '12345'],
    ['plan', 'export', 'x.cab'],
  ]) {
    expect([args.join(' '), (await runProgram(args, outside)).exitCode]).toEqual([args.join(' '), 2]);
  }
}, 120_000);

test('a key that a package announces counts from the next package on', async () => {
  const outside = folder();
  const inside = folder();
  const media = folder();
  expect((await runProgram(['import', 'fixtures/packages/sample.cab'], outside)).exitCode).toBe(0);
  for (const name of ['old', 'new']) {
    expect((await runProgram(['keys', 'new', name, '--no-password'], outside)).exitCode).toBe(0);
  }
  const key = join(outside, 'keys', 'old.pub');
  expect((await runProgram(['trust', 'add', key, '--name', 'outside', '--yes'], inside)).exitCode).toBe(0);
  const [first, second] = [join(media, '1.tar'), join(media, '2.tar')];
  const alone = await runProgram(['export', first, '--announce-key', 'new'], outside);
  expect(alone.exitCode).toBe(2);
  await json(['export', first, '--sign-with', 'old', '--announce-key', 'new'], outside);
  await json(['export', second, '--since-last', '--sign-with', 'new'], outside);
  const imported = await json(['import', first], inside);
  expect(imported.document.announcedKey).toContain('outside (2)');
  expect((await json(['import', second], inside)).exitCode).toBe(0);
}, 60_000);
