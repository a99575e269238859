/** All commands look for the content folder in the same place, whatever it is called and wherever the setting points. */
import { existsSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { contentCopy } from '../../../src/commands/content/content-copy.js';
import { contentPlan } from '../../../src/commands/content/content-plan.js';
import { contentPrune } from '../../../src/commands/content/content-prune.js';
import { contentVerify } from '../../../src/commands/content/content-verify.js';
import { movecontent } from '../../../src/commands/content/movecontent.js';
import { reset } from '../../../src/commands/content/reset.js';
import { checkhealth } from '../../../src/commands/health/checkhealth.js';
import { postinstall } from '../../../src/commands/settings/postinstall.js';
import { readSettings } from '../../../src/settings/settings.js';
import { openMetadataStore } from '../../../src/store/open-store.js';
import { type BuiltFile, makeFile, placeFile, updateWith } from '../../content/content-builder.js';
import { failureOf } from '../../helpers/package-builder.js';
import { importUpdates, now, testFolder } from '../../store/update-builder.js';
import { runCommand } from '../command-context.js';

interface Setup {
  readonly storePath: string;
  readonly tree: string;
  readonly files: readonly BuiltFile[];
}

async function setUp(): Promise<Setup> {
  const folder = testFolder();
  const storePath = join(folder, 'metadata.sqlite');
  const files = ['a', 'b', 'c'].map((name) => makeFile(name, 3000));
  const store = await openMetadataStore(storePath, { mode: 'write', now });
  await importUpdates(store, [updateWith(1, files)]);
  await store.close();
  const tree = join(folder, 'WsusContent');
  for (const file of files) placeFile(tree, file);
  return { storePath, tree, files };
}

/** Every command that looks for the content folder of its own says it is this one, and finds the files there. */
async function expectAllAt(storePath: string, contentFolder: string): Promise<void> {
  expect((await runCommand(contentVerify, storePath)).result).toMatchObject({
    contentFolder,
    found: { verified: { files: 3 } },
    unexpectedCount: 0,
  });
  expect((await runCommand(reset, storePath, { options: { offline: true } })).result).toMatchObject({
    contentFolder,
    found: { verified: { files: 3 } },
  });
  expect((await runCommand(contentPlan, storePath, { options: { check: true } })).result).toMatchObject({
    states: { verified: { files: 3 } },
  });
  expect((await runCommand(contentPrune, storePath)).result).toMatchObject({
    contentFolder,
    present: { files: 3 },
  });
  const target = testFolder();
  expect((await runCommand(contentCopy, storePath, { positionals: { dir: target } })).result).toMatchObject({
    source: contentFolder,
    copied: { files: 3 },
  });
  expect(JSON.stringify((await runCommand(checkhealth, storePath)).result)).toContain(
    JSON.stringify(contentFolder).slice(1, -1),
  );
  // Setting it up again makes no second one.
  const before = readdirSync(contentFolder, { recursive: true }).sort();
  expect((await runCommand(postinstall, storePath)).result).toMatchObject({ contentPath: contentFolder });
  expect(readdirSync(contentFolder, { recursive: true }).sort()).toEqual(before);
}

describe('movecontent to', () => {
  test.each(['WsusContent', 'wsuscontent', 'WSUSCONTENT'])(
    'a folder called %s: the files lie in it, and all commands look there',
    async (name) => {
      const { storePath } = await setUp();
      const to = join(testFolder(), name);
      mkdirSync(to);
      const { result } = await runCommand(movecontent, storePath, { positionals: { contentpath: to } });
      expect(result).toMatchObject({ to, copied: { files: 3 } });
      expect(existsSync(join(to, 'WsusContent'))).toBe(false);
      await expectAllAt(storePath, to);
    },
  );

  test.each(['wsuscontent', 'WsusContent'])('a folder that holds %s', async (name) => {
    const { storePath } = await setUp();
    const root = testFolder();
    mkdirSync(join(root, name));
    mkdirSync(join(root, 'db')); // two hex digits, and no folder of content
    await runCommand(movecontent, storePath, { positionals: { contentpath: root } });
    await expectAllAt(storePath, join(root, name));
  });

  test('a folder with nothing of ours, but folders whose names are hex digits', async () => {
    const { storePath } = await setUp();
    const root = testFolder();
    mkdirSync(join(root, 'db'));
    writeFileSync(join(root, 'db', 'customers.mdb'), 'x');
    await runCommand(movecontent, storePath, { positionals: { contentpath: root } });
    await expectAllAt(storePath, join(root, 'WsusContent'));
    expect(readdirSync(root).sort()).toEqual(['WsusContent', 'db']);
  });

  test('a link to the content folder under another spelling', async () => {
    const { storePath } = await setUp();
    const root = testFolder();
    const real = testFolder();
    symlinkSync(real, join(root, 'wsuscontent'));
    await runCommand(movecontent, storePath, { positionals: { contentpath: root } });
    await expectAllAt(storePath, join(root, 'wsuscontent'));
    expect(readdirSync(root)).toEqual(['wsuscontent']);
  });

  test('folders of content without WsusContent around them, -skipcopy', async () => {
    const { storePath, tree } = await setUp();
    const root = join(testFolder(), 'content');
    renameSync(tree, root);
    const { status } = await runCommand(movecontent, storePath, {
      positionals: { contentpath: root },
      options: { skipcopy: true },
    });
    expect(status).toBe('complete');
    await expectAllAt(storePath, root);
  });

  test.each([
    ['where it is', ''],
    ['where it is, by its own name', 'WsusContent'],
    ['a folder inside it', 'WsusContent/new'],
  ])('%s is refused before anything is done', async (_, below) => {
    const { storePath, tree } = await setUp();
    const contentpath = join(tree, '..', below);
    mkdirSync(contentpath, { recursive: true });
    const error = await failureOf(() => runCommand(movecontent, storePath, { positionals: { contentpath } }));
    expect(error.code).toBe('USAGE');
    expect(await readSettings(`${storePath}.settings.json`)).toMatchObject({ contentDirectory: undefined });
  });

  test('where it is, by a link, is refused', async () => {
    const { storePath, tree } = await setUp();
    const contentpath = join(testFolder(), 'WsusContent');
    symlinkSync(tree, contentpath);
    const error = await failureOf(() => runCommand(movecontent, storePath, { positionals: { contentpath } }));
    expect(error.message).toContain('already');
  });
});

test('postinstall with CONTENT_DIR=…/WsusContent makes that folder and none inside it', async () => {
  const { storePath, tree } = await setUp();
  const to = join(testFolder(), 'WsusContent');
  const { result } = await runCommand(postinstall, storePath, { assignments: { CONTENT_DIR: to } });
  expect(result).toMatchObject({ contentPath: to });
  expect(readdirSync(to)).toEqual([]);
  renameSync(tree, to);
  await expectAllAt(storePath, to);
});
