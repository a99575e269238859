import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { inspectTransfer } from '../../../src/carry/inspect-transfer.js';
import type { CommandDeclaration } from '../../../src/commands/declaration.js';
import { exportCommand } from '../../../src/commands/packages/export.js';
import { serializeManifest } from '../../../src/formats/transfer-package/manifest.js';
import { openMetadataStore } from '../../../src/store/open-store.js';
import { failureOf } from '../../helpers/package-builder.js';
import { importFile, makeUpdate, NOW, now, testFolder, writeUpdates } from '../../store/update-builder.js';
import { type GivenArguments, runCommand } from '../command-context.js';

const command = exportCommand as unknown as CommandDeclaration;
const signal = new AbortController().signal;

async function newSide() {
  const storePath = join(testFolder(), 'metadata.sqlite');
  const add = async (n: number) => {
    const store = await openMetadataStore(storePath, { mode: 'write', now });
    await importFile(store, await writeUpdates(join(testFolder(), 'feed.cab'), [makeUpdate(n)]));
    await store.close();
  };
  await add(1);
  const send = (path: string, options: GivenArguments['options'] = {}) => {
    const given = { positionals: { package: path }, options };
    const input = {
      options: { product: [], classification: [], language: [], update: [], 'sign-with': [], ...options },
      positionals: { package: path },
      assignments: {},
    };
    command.check?.(input as unknown as Parameters<NonNullable<typeof command.check>>[0], NOW);
    return runCommand(command, storePath, given);
  };
  return { add, send, folder: testFolder() };
}

test('--since names a package to build on, by a volume of it or by its manifest', async () => {
  const { add, send, folder } = await newSide();
  const first = join(folder, '1.tar');
  await send(first);
  const { manifest, digest } = await inspectTransfer([first], { signal });
  const manifestPath = join(folder, 'elsewhere', 'manifest.json');
  mkdirSync(dirname(manifestPath));
  writeFileSync(manifestPath, serializeManifest(manifest));
  await add(2);
  await add(3);
  for (const [index, since] of [first, manifestPath].entries()) {
    const { result } = await send(join(folder, `since-${index}.tar`), { since });
    expect(result).toMatchObject({ followsSequence: 1, counts: { revisions: 2 } });
  }
  const { result } = await send(join(folder, 'digest.tar'), { 'since-manifest': digest.toLowerCase() });
  expect(result).toMatchObject({ followsSequence: 1, counts: { revisions: 2 } });
  // What it builds on is no filter, and does not stand among the filters.
  const later = await inspectTransfer([join(folder, 'since-0.tar')], { signal });
  expect(later.manifest.filters).toEqual({});
});

test('--since with a date or an age still chooses updates', async () => {
  const { send, folder } = await newSide();
  const path = join(folder, 'dated.tar');
  const { result } = await send(path, { since: '2020-01-01' });
  expect(result).toMatchObject({ followsSequence: null });
  expect((await inspectTransfer([path], { signal })).manifest.filters).toEqual({ since: '2020-01-01' });
  expect((await failureOf(() => send(join(folder, 'x.cab'), { since: '30dd' }))).code).toBe('USAGE');
});

test('--since with neither, with a strange file, and beside another base is refused with what it takes', async () => {
  const { send, folder } = await newSide();
  const first = join(folder, '1.tar');
  await send(first);
  const wrong = await failureOf(() => send(join(folder, 'x.tar'), { since: '30dd' }));
  expect([wrong.code, wrong.message]).toEqual([
    'INPUT_NOT_FOUND',
    '"30dd" is neither a date nor an age, nor a file',
  ]);
  for (const [text, code] of [
    ['', 'PACKAGE_EMPTY'],
    ['no package', 'NOT_A_PACKAGE'],
    ['{"format":1}', 'NOT_A_PACKAGE'],
  ] as const) {
    const path = join(folder, 'strange');
    writeFileSync(path, text);
    expect([text, (await failureOf(() => send(join(folder, 'x.tar'), { since: path }))).code]).toEqual([
      text,
      code,
    ]);
  }
  const both = await failureOf(() => send(join(folder, 'x.tar'), { since: first, 'since-last': true }));
  expect([both.code, both.message]).toEqual(['USAGE', '--since and --since-last exclude each other']);
  // A package for another place.
  const elsewhere = await failureOf(() => send(join(folder, 'x.tar'), { since: first, destination: 'ship' }));
  expect(elsewhere.code).toBe('NOT_FOUND');
});
