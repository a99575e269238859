/** A prune that took something out is in the history, however it ended. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { contentCopy } from '../../../src/commands/content/content-copy.js';
import { contentPrune } from '../../../src/commands/content/content-prune.js';
import { openMetadataStore } from '../../../src/store/open-store.js';
import { makeFile, placeFile, updateWith } from '../../content/content-builder.js';
import { failureOf } from '../../helpers/package-builder.js';
import { importUpdates, now, testFolder } from '../../store/update-builder.js';
import { type GivenArguments, runCommand } from '../command-context.js';

const wanted = Array.from({ length: 6 }, (_, n) => makeFile(`wanted${n}`, 700));
const orphans = Array.from({ length: 5 }, (_, n) => makeFile(`orphan${n}`, 500));

async function setUp() {
  const folder = testFolder();
  const storePath = join(folder, 'metadata.sqlite');
  const store = await openMetadataStore(storePath, { mode: 'write', now });
  await importUpdates(store, [updateWith(1, wanted)]);
  await store.close();
  const tree = join(folder, 'WsusContent');
  for (const file of [...wanted, ...orphans]) placeFile(tree, file);
  return {
    storePath,
    tree,
    prune: (options: Readonly<Record<string, boolean>>, given: GivenArguments = {}) =>
      runCommand(contentPrune, storePath, { ...given, options: { grace: '0', ...options } }),
    async history() {
      const store = await openMetadataStore(storePath, { mode: 'read', now });
      const entries = await store.listHistory(10, 'content prune');
      await store.close();
      return entries;
    },
    countLeft: () => orphans.filter((file) => existsSync(join(tree, file.path))).length,
  };
}

/** Ctrl-C as soon as something is said of this kind. */
function interruptAt(pattern: RegExp): GivenArguments {
  const interruption = new AbortController();
  return {
    signal: interruption.signal,
    onEvent: (event) => {
      if (event.type === 'step' && pattern.test(event.message)) interruption.abort();
    },
  };
}

test.each([
  ['quarantine', {}],
  ['delete', { delete: true }],
])('an interrupted prune (%s) says and remembers what it took out', async (action, options) => {
  const { prune, history, countLeft } = await setUp();
  const error = await failureOf(() =>
    prune({ yes: true, ...options }, interruptAt(/^(quarantined|deleted)/)),
  );
  expect(error).toMatchObject({ code: 'INTERRUPTED', details: { removed: { files: 1, bytes: 500 } } });
  expect(error.message).toContain('1 file was');
  expect(countLeft()).toBe(4);
  expect(await history()).toMatchObject([
    {
      outcome: 'INTERRUPTED',
      details: { action, removed: { files: 1, bytes: 500 }, message: error.message },
    },
  ]);
  await prune({ yes: true, ...options });
  expect(countLeft()).toBe(0);
  expect(await history()).toMatchObject([
    { outcome: 'complete', details: { removed: { files: 4 } } },
    { outcome: 'INTERRUPTED' },
  ]);
});

test.skipIf(process.platform === 'win32')(
  'a prune that failed half-way is remembered with its error',
  async () => {
    const { tree, prune, history, countLeft } = await setUp();
    mkdirSync(join(tree, '.wsusutil'));
    writeFileSync(join(tree, '.wsusutil/quarantine'), 'in the way');
    const error = await failureOf(() => prune({ yes: true }));
    expect(countLeft()).toBe(5);
    expect(await history()).toMatchObject([{ outcome: error.code, details: { removed: { files: 0 } } }]);
  },
);

test('a preview and a refused prune leave no entry, interrupted or not', async () => {
  const { tree, prune, history } = await setUp();
  await prune({});
  await failureOf(() => prune({}, { signal: AbortSignal.abort() }));
  for (let n = 0; n < 10; n++) placeFile(tree, makeFile(`more${n}`));
  expect((await failureOf(() => prune({ yes: true }))).code).toBe('SAFETY_REFUSED');
  expect(await history()).toEqual([]);
});

test('an emptied quarantine is remembered, an interrupted one too', async () => {
  const { tree, prune, history } = await setUp();
  await prune({ yes: true });
  await prune({ 'empty-quarantine': true });
  expect(await history()).toHaveLength(1);
  const aborted = await failureOf(() =>
    prune({ 'empty-quarantine': true, yes: true }, { signal: AbortSignal.abort() }),
  );
  expect(aborted.code).toBe('INTERRUPTED');
  await prune({ 'empty-quarantine': true, yes: true });
  expect(await history()).toMatchObject([
    { outcome: 'complete', details: { action: 'empty-quarantine', removed: { files: 5, bytes: 2500 } } },
    { outcome: 'INTERRUPTED', details: { action: 'empty-quarantine', removed: { files: 0 } } },
    { outcome: 'complete', details: { action: 'quarantine' } },
  ]);
  const left = readdirSync(join(tree, '.wsusutil/quarantine'), { recursive: true, withFileTypes: true });
  expect(left.filter((entry) => entry.isFile())).toEqual([]);
});

test('an interrupted copy says what it copied, and goes on', async () => {
  const { storePath } = await setUp();
  const target = testFolder();
  const copy = (given: GivenArguments = {}) =>
    runCommand(contentCopy, storePath, {
      positionals: { dir: target },
      options: { link: 'never' },
      ...given,
    });
  const error = await failureOf(() => copy({ signal: AbortSignal.abort() }));
  expect(error).toMatchObject({
    code: 'INTERRUPTED',
    hint: expect.stringContaining('goes on'),
    details: { copied: { files: 0 } },
  });
  expect((await copy()).result).toMatchObject({ copied: { files: 6 } });
});
