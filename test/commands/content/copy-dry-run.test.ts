/** `content copy --dry-run` foretells the run, and says what it cannot tell. */
import { mkdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { contentCopy } from '../../../src/commands/content/content-copy.js';
import { reset } from '../../../src/commands/content/reset.js';
import type { View } from '../../../src/commands/outcome.js';
import type { CopySummary } from '../../../src/content/copy-content.js';
import { openMetadataStore } from '../../../src/store/open-store.js';
import { type BuiltFile, makeFile, placeFile, updateWith } from '../../content/content-builder.js';
import { fc } from '../../helpers/properties.js';
import { importUpdates, now, testFolder } from '../../store/update-builder.js';
import { runCommand } from '../command-context.js';

interface Setup {
  readonly storePath: string;
  readonly tree: string;
  readonly target: string;
  foretell(options?: Readonly<Record<string, string>>): Promise<CopySummary>;
  copy(options?: Readonly<Record<string, string>>): Promise<CopySummary>;
}

const SIZE = 3000;
const files = ['a', 'b', 'c', 'd'].map((name) => makeFile(name, SIZE));
const [a, b, c] = files as [BuiltFile, BuiltFile, BuiltFile];

async function setUp(): Promise<Setup> {
  const folder = testFolder();
  const storePath = join(folder, 'metadata.sqlite');
  const store = await openMetadataStore(storePath, { mode: 'write', now });
  await importUpdates(store, [updateWith(1, files)]);
  await store.close();
  const target = testFolder();
  const run = async (options: Readonly<Record<string, string | boolean>>) =>
    (await runCommand(contentCopy, storePath, { positionals: { dir: target }, options }))
      .result as unknown as CopySummary;
  return {
    storePath,
    tree: join(folder, 'WsusContent'),
    target: join(target, 'WsusContent'),
    foretell: (options) => run({ link: 'never', 'dry-run': true, ...options }),
    copy: (options) => run({ link: 'never', ...options }),
  };
}

function placeAll(tree: string): void {
  for (const file of files) placeFile(tree, file);
}

function damage(path: string): void {
  const bytes = readFileSync(path);
  bytes[10] = (bytes[10] as number) ^ 1;
  writeFileSync(path, bytes);
  utimesSync(path, new Date(), new Date(Date.now() + 3000));
}

test('files at the target that have the right size only are not said to be there', async () => {
  const { tree, target, foretell, copy } = await setUp();
  placeAll(tree);
  placeFile(target, a);
  placeFile(target, b, b.path, Buffer.alloc(SIZE));
  expect(await foretell()).toMatchObject({
    present: { files: 0 },
    toCopy: { files: 2 },
    unread: { target: { files: 2, bytes: 2 * SIZE } },
  });
  expect(await copy()).toMatchObject({ present: { files: 1 }, copied: { files: 3 }, replaced: { files: 1 } });
  expect(await foretell()).toMatchObject({
    present: { files: 4 },
    toCopy: { files: 0 },
    unread: { target: { files: 0 } },
  });
});

test('a file that only the target has is not said to be missing', async () => {
  const { tree, target, foretell, copy } = await setUp();
  placeAll(tree);
  rmSync(join(tree, a.path));
  placeFile(target, a);
  expect(await foretell()).toMatchObject({ notCopied: { files: 0 }, unread: { target: { files: 1 } } });
  expect(await copy()).toMatchObject({ notCopied: { files: 0 }, present: { files: 1 } });
});

test('a file that is damaged at the target and missing here is not copied over itself', async () => {
  const { tree, target, foretell, copy } = await setUp();
  placeAll(tree);
  rmSync(join(tree, a.path));
  placeFile(target, a, a.path, Buffer.alloc(SIZE));
  writeFileSync(join(tree, b.path), 'short');
  placeFile(target, b, b.path, Buffer.alloc(SIZE));
  expect(await foretell()).toMatchObject({ unread: { target: { files: 2 } } });
  const { notCopiedFiles } = await copy();
  expect(notCopiedFiles).toHaveLength(2);
  expect(notCopiedFiles).toContainEqual(
    expect.objectContaining({ path: a.path, problem: 'absent', detail: expect.stringContaining('target') }),
  );
  expect(notCopiedFiles).toContainEqual(
    expect.objectContaining({ path: b.path, problem: 'short', detail: expect.stringContaining('5 of 3000') }),
  );
});

test('source files whose size is wrong, or that are none, are said to be so', async () => {
  const { tree, foretell, copy } = await setUp();
  placeAll(tree);
  writeFileSync(join(tree, a.path), 'short');
  rmSync(join(tree, b.path));
  symlinkSync(join(tree, c.path), join(tree, b.path));
  rmSync(join(tree, c.path));
  mkdirSync(join(tree, c.path));
  const expected = [
    { path: a.path, problem: 'short', detail: '5 of 3000 bytes' },
    { path: b.path, problem: 'not-a-file', detail: 'a link' },
    { path: c.path, problem: 'not-a-file', detail: 'a folder' },
  ].map((each) => expect.objectContaining(each));
  for (const summary of [await foretell(), await copy()]) {
    expect(summary.notCopied).toMatchObject({ files: 3 });
    expect(summary.notCopiedFiles).toEqual(expect.arrayContaining(expected));
  }
});

test('what the last check found damaged here is not said to be copied, what it found right is sure', async () => {
  const { storePath, tree, foretell, copy } = await setUp();
  placeAll(tree);
  expect(await foretell()).toMatchObject({ toCopy: { files: 4 }, unread: { source: { files: 4 } } });
  damage(join(tree, a.path));
  await runCommand(reset, storePath, { options: { offline: true } });
  damage(join(tree, b.path)); // since then: nobody knows
  expect(await foretell()).toMatchObject({
    toCopy: { files: 3 },
    unread: { source: { files: 1 } },
    notCopied: { files: 1 },
    notCopiedFiles: [{ path: a.path, problem: 'sha1' }],
  });
  const list = join(testFolder(), 'need.json');
  const listed = [a, b, c].map(({ sha1, fileName }) => ({ sha1, size: SIZE, fileName, kind: 'payload' }));
  writeFileSync(list, JSON.stringify({ kind: 'wsusutil-missing-content', formatVersion: 1, files: listed }));
  expect(await foretell({ list })).toMatchObject({
    toCopy: { files: 2 },
    unread: { source: { files: 1 } },
    notCopied: { files: 1 },
  });
  expect(await copy()).toMatchObject({ copied: { files: 2 }, notCopied: { files: 2 } });
});

test('a folder in the place of a file at the target stops neither run, and both tell it', async () => {
  const { tree, target, foretell, copy } = await setUp();
  placeAll(tree);
  mkdirSync(join(target, a.path, 'something'), { recursive: true });
  mkdirSync(join(target, dirname(b.path), b.sha1.toLowerCase()), { recursive: true }); // not its name: not in the way
  const link = join(target, c.path);
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync('/nowhere', link);
  const foretold = await foretell();
  expect(foretold).toMatchObject({
    toCopy: { files: 3 },
    replaced: { files: 1 },
    notCopied: { files: 1 },
    notCopiedFiles: [
      { path: a.path, problem: 'not-a-file', detail: expect.stringContaining('at the target') },
    ],
  });
  const done = await copy();
  expect(done).toMatchObject({ copied: foretold.toCopy, replaced: foretold.replaced });
  expect(done.notCopiedFiles).toEqual(foretold.notCopiedFiles);
  expect(readFileSync(link).equals(c.bytes)).toBe(true);
});

test('says on the page what was not looked into', async () => {
  const { storePath, tree, target } = await setUp();
  placeAll(tree);
  placeFile(target, a);
  const { view, status } = await runCommand(contentCopy, storePath, {
    positionals: { dir: dirname(target) },
    options: { 'dry-run': true },
  });
  expect(status).toBe('complete');
  const text = JSON.stringify(view satisfies unknown as readonly View[]);
  expect(text).toContain('There, not read');
  expect(text).toContain('Of these not read');
  expect(text).toContain('only a run finds out');
});

/** What may lie in the place of a file. */
const PLACES = ['nothing', 'right', 'damaged', 'short', 'folder', 'link'] as const;

function put(tree: string, file: BuiltFile, what: (typeof PLACES)[number]): void {
  const path = join(tree, file.path);
  mkdirSync(dirname(path), { recursive: true });
  if (what === 'right') writeFileSync(path, file.bytes);
  if (what === 'damaged') writeFileSync(path, Buffer.alloc(SIZE));
  if (what === 'short') writeFileSync(path, 'short');
  if (what === 'folder') mkdirSync(path);
  if (what === 'link') symlinkSync('/nowhere', path);
}

test('whatever lies here and there, a run does what was foretold but for what was not read', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom(...PLACES), fc.constantFrom(...PLACES)), {
        minLength: files.length,
        maxLength: files.length,
      }),
      fc.boolean(),
      async (places, isChecked) => {
        const { storePath, tree, target, foretell, copy } = await setUp();
        for (const [index, [here, there]] of places.entries()) {
          put(tree, files[index] as BuiltFile, here);
          put(target, files[index] as BuiltFile, there);
        }
        if (isChecked) await runCommand(reset, storePath, { options: { offline: true } });
        const foretold = await foretell();
        const { unread } = foretold;
        if (isChecked) expect(unread.source.files).toBe(0);
        const all = foretold.present.files + foretold.toCopy.files + foretold.notCopied.files;
        expect(all + unread.target.files).toBe(files.length);
        const done = await copy();
        expect(done.present.files + done.copied.files + done.notCopied.files).toBe(files.length);
        const least = foretold.toCopy.files - unread.source.files;
        expect(done.copied.files).toBeGreaterThanOrEqual(least);
        expect(done.copied.files).toBeLessThanOrEqual(foretold.toCopy.files + unread.target.files);
        expect(done.present.files).toBeLessThanOrEqual(foretold.present.files + unread.target.files);
        expect(done.notCopiedFiles.map(({ path }) => path)).toEqual(
          expect.arrayContaining(foretold.notCopiedFiles.map(({ path }) => path)),
        );
        // And then everything is known.
        expect(await foretell()).toMatchObject({
          present: { files: done.present.files + done.copied.files },
          unread: { target: { files: expect.any(Number) } },
        });
      },
    ),
    { numRuns: 15 },
  );
}, 60_000);
