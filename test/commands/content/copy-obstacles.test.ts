/** What is in the way at a target is told before anything is copied, by a dry run too. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { contentCopy } from '../../../src/commands/content/content-copy.js';
import { contentPlan } from '../../../src/commands/content/content-plan.js';
import { openMetadataStore } from '../../../src/store/open-store.js';
import { type BuiltFile, makeFile, placeFile, updateWith } from '../../content/content-builder.js';
import { failureOf } from '../../helpers/package-builder.js';
import { importUpdates, now, testFolder } from '../../store/update-builder.js';
import { runCommand } from '../command-context.js';

const files = Array.from({ length: 5 }, (_, n) => makeFile(`file${n}`, 900));
const a = files[0] as BuiltFile;
const folderA = a.path.slice(0, 2);
/** Whether this account is refused what a mode forbids. */
const obeysModes = process.platform !== 'win32' && process.getuid?.() !== 0;

async function setUp() {
  const folder = testFolder();
  const storePath = join(folder, 'metadata.sqlite');
  const store = await openMetadataStore(storePath, { mode: 'write', now });
  await importUpdates(store, [updateWith(1, files)]);
  await store.close();
  const tree = join(folder, 'WsusContent');
  for (const file of files) placeFile(tree, file);
  const disk = testFolder();
  const target = join(disk, 'WsusContent');
  mkdirSync(target);
  const run = (dir: string, dryRun: boolean) =>
    runCommand(contentCopy, storePath, {
      positionals: { dir },
      options: { link: 'never', 'dry-run': dryRun },
    });
  return { storePath, folder, tree, disk, target, run };
}

/** No permissions for the rest of the test. */
function close(path: string, mode = 0o000): void {
  chmodSync(path, mode);
  onTestFinished(() => chmodSync(path, 0o700));
}

describe.each([
  ['a run', false],
  ['a dry run', true],
])('%s', (_, dryRun) => {
  test.each([
    ['a file in the place of a folder', folderA, false],
    ['a link in the place of a folder', folderA, true],
    ['a file in the place of our own folder', '.wsusutil', false],
    ['a link in the place of our own folder', '.wsusutil', true],
  ])('tells %s, and nothing is copied', async (_, name, isLink) => {
    const { target, disk, run } = await setUp();
    const elsewhere = testFolder();
    if (isLink) symlinkSync(elsewhere, join(target, name));
    else writeFileSync(join(target, name), 'in the way');
    const error = await failureOf(() => run(disk, dryRun));
    expect(error).toMatchObject({ code: 'WRITE_FAILED', hint: expect.stringContaining('Move it away') });
    expect(error.message).toContain(join(target, name));
    expect(readdirSync(target)).toEqual([name]);
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  test('minds no obstacle where nothing has to go', async () => {
    const { target, disk, run } = await setUp();
    const used = new Set(files.map(({ path }) => path.slice(0, 2)));
    const free = ['00', '01', '02', '03', '04', '05'].find((name) => !used.has(name)) as string;
    writeFileSync(join(target, free), 'in nobodys way');
    expect((await run(disk, dryRun)).status).toBe('complete');
    expect(readFileSync(join(target, free), 'utf8')).toBe('in nobodys way');
  });

  test('tells a file in the place of the content folder', async () => {
    const { target, disk, run } = await setUp();
    rmSync(target, { recursive: true });
    writeFileSync(target, 'a file');
    const error = await failureOf(() => run(disk, dryRun));
    expect(error).toMatchObject({ code: 'INPUT_NOT_FOUND' });
    expect(error.message).toContain('is not a folder');
  });

  test.each(['not mounted', 'WsusContent'])('tells a link that leads nowhere (%s)', async (to) => {
    const { target, disk, run } = await setUp();
    rmSync(target, { recursive: true });
    symlinkSync(join(disk, to), target);
    const error = await failureOf(() => run(disk, dryRun));
    expect(error).toMatchObject({ code: 'INPUT_NOT_FOUND', hint: expect.stringContaining('mounted') });
    expect(readdirSync(disk)).toEqual(['WsusContent']);
  });

  test('refuses the content directory itself, whatever leads to it, and what lies in it or around it', async () => {
    const { folder, tree, run } = await setUp();
    const link = join(testFolder(), 'link');
    symlinkSync(folder, link);
    mkdirSync(join(tree, 'backup'));
    const before = readdirSync(tree, { recursive: true });
    for (const dir of [folder, tree, link, join(tree, 'backup')]) {
      expect((await failureOf(() => run(dir, dryRun))).code, dir).toBe('USAGE');
    }
    expect(readdirSync(tree, { recursive: true })).toEqual(before);
  });

  test.skipIf(!obeysModes)('tells a folder at the target that cannot be listed', async () => {
    const { target, disk, run } = await setUp();
    mkdirSync(join(target, folderA));
    close(join(target, folderA));
    expect(await failureOf(() => run(disk, dryRun))).toMatchObject({ code: 'READ_FAILED' });
  });

  test.skipIf(!obeysModes)('says that files are unreadable, not absent, where their folder is', async () => {
    const { tree, disk, run } = await setUp();
    close(join(tree, folderA));
    expect((await run(disk, dryRun)).result).toMatchObject({
      notCopied: { files: 1 },
      notCopiedFiles: [{ path: a.path, problem: 'unreadable', detail: expect.stringContaining('EACCES') }],
    });
  });

  test.skipIf(!obeysModes)('tells a target that cannot be written to', async () => {
    const { target, disk, run } = await setUp();
    close(target, 0o555);
    if (!dryRun) expect((await failureOf(() => run(disk, dryRun))).code).toBe('READ_ONLY');
    else {
      const { status, result, view } = await run(disk, dryRun);
      expect(status).toBe('incomplete');
      expect(result).toMatchObject({ writable: false, toCopy: { files: 5 } });
      expect(JSON.stringify(view)).toContain('may not write there');
    }
  });
});

test('a plan for a folder that is not there is refused as the copy would be', async () => {
  const { storePath, disk } = await setUp();
  const dir = join(disk, 'not-mounted');
  for (const command of [contentPlan, contentCopy] as const) {
    const error = await failureOf(() =>
      runCommand(command as typeof contentCopy, storePath, { positionals: { dir } }),
    );
    expect(error.code).toBe('INPUT_NOT_FOUND');
  }
  expect(existsSync(dir)).toBe(false);
});
