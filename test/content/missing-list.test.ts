import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { reset } from '../../src/commands/content/reset.js';
import { checkListTarget, readMissingList, writeMissingList } from '../../src/content/missing-list.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import { runCommand } from '../commands/command-context.js';
import { failureOf } from '../helpers/package-builder.js';
import { importUpdates, now, testFolder } from '../store/update-builder.js';
import { makeFile, updateWith } from './content-builder.js';

async function write(path: string): Promise<void> {
  const facts = { createdAt: now(), serverId: 'x', contentDirectory: '/srv' };
  await writeMissingList(path, (async function* () {})(), facts);
}

test('a new name, an older list and an empty file may be written', async () => {
  const folder = testFolder();
  const path = join(folder, 'need.json');
  await checkListTarget(path);
  await write(path);
  await checkListTarget(path);
  expect(await readMissingList(path)).toEqual([]);
  writeFileSync(path, '');
  await checkListTarget(path);
});

test('a file that is no list is not replaced', async () => {
  const folder = testFolder();
  const path = join(folder, 'export.cab');
  for (const text of ['MSCF and so on', '{', '{"kind":"wsusutil-missing-conten"}']) {
    writeFileSync(path, text);
    expect((await failureOf(() => checkListTarget(path))).code).toBe('TARGET_EXISTS');
  }
});

test.skipIf(process.platform === 'win32')('a device is not replaced, be it by way of a link', async () => {
  const link = join(testFolder(), 'link');
  symlinkSync('/dev/null', link);
  for (const path of ['/dev/null', link]) {
    expect((await failureOf(() => checkListTarget(path))).code).toBe('TARGET_EXISTS');
  }
});

test('a folder, and a name in what is no folder, are refused', async () => {
  const folder = testFolder();
  mkdirSync(join(folder, 'sub'));
  writeFileSync(join(folder, 'file'), 'x');
  const hint = (await failureOf(() => checkListTarget(join(folder, 'sub')))).hint;
  expect(hint).toContain(join(folder, 'sub', 'need.json'));
  for (const path of ['not there/need.json', 'file/need.json']) {
    expect((await failureOf(() => checkListTarget(join(folder, path)))).code, path).toBe('WRITE_FAILED');
  }
});

test('reset refuses such a path before it checks anything', async () => {
  const folder = testFolder();
  const storePath = join(folder, 'metadata.sqlite');
  const store = await openMetadataStore(storePath, { mode: 'write', now });
  await importUpdates(store, [updateWith(1, [makeFile('a')])]);
  await store.close();
  const path = join(folder, 'export.cab');
  writeFileSync(path, 'MSCF and so on');
  const stages: string[] = [];
  const error = await failureOf(() =>
    runCommand(reset, storePath, {
      options: { offline: true, 'missing-list': path },
      onEvent: (event) => stages.push(event.type),
    }),
  );
  expect(error.code).toBe('TARGET_EXISTS');
  expect(stages).toEqual([]);
  expect(readFileSync(path, 'utf8')).toBe('MSCF and so on');
});
