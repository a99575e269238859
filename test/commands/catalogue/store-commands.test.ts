import { join } from 'node:path';
import { expect, test } from 'vitest';
import { categories } from '../../../src/commands/catalogue/categories.js';
import { checkstore } from '../../../src/commands/catalogue/checkstore.js';
import { status } from '../../../src/commands/catalogue/status.js';
import { updates } from '../../../src/commands/catalogue/updates.js';
import { importCommand } from '../../../src/commands/packages/import.js';
import { verify } from '../../../src/commands/packages/verify.js';
import { openDatabase } from '../../../src/platform/sqlite.js';
import {
  idOf,
  importUpdates,
  makeUpdate,
  openTestStore,
  testFolder,
  writeUpdates,
} from '../../store/update-builder.js';
import { runCommand } from '../command-context.js';

const category = (n: number) => ({ anyOf: [idOf(n)], isCategory: true });

async function filledStore(): Promise<string> {
  const { store, path } = await openTestStore();
  await importUpdates(store, [
    makeUpdate(100, { categoryType: 'ProductFamily', title: 'Office' }),
    makeUpdate(101, { categoryType: 'Product', title: 'Word', prerequisites: [{ id: idOf(100) }] }),
    makeUpdate(102, { categoryType: 'Product', title: 'Excel', prerequisites: [{ id: idOf(100) }] }),
    makeUpdate(103, { categoryType: 'UpdateClassification', title: 'Tools' }),
    makeUpdate(1, { prerequisites: [category(101), category(103)] }),
    makeUpdate(2, { prerequisites: [category(101)], deployable: false }),
  ]);
  await store.close();
  return path;
}

interface Node {
  readonly title: string;
  readonly updateCount: number;
  readonly totalUpdates: number;
  readonly children: readonly Node[];
}

test('categories counts what can be approved, and shows what fits with what is above and below it', async () => {
  const path = await filledStore();
  const outline = (nodes: readonly Node[]): unknown =>
    Object.fromEntries(nodes.map((node) => [`${node.title} ${node.totalUpdates}`, outline(node.children)]));
  const shown = async (text: string | undefined, options = {}) => {
    const { result } = await runCommand(categories, path, {
      ...(text === undefined ? {} : { positionals: { text } }),
      options,
    });
    return outline(result.categories as Node[]);
  };
  expect(await shown(undefined)).toEqual({ 'Office 1': { 'Excel 0': {}, 'Word 1': {} } });
  expect(await shown(undefined, { used: true })).toEqual({ 'Office 1': { 'Word 1': {} } });
  expect(await shown('WOR')).toEqual({ 'Office 1': { 'Word 1': {} } });
  expect(await shown('office')).toEqual({ 'Office 1': { 'Excel 0': {}, 'Word 1': {} } });
  expect(await shown('nothing')).toEqual({});
});

test('checkstore is complete for a sound store and incomplete for a damaged one', async () => {
  const path = await filledStore();
  const sound = await runCommand(checkstore, path);
  expect(sound).toMatchObject({ status: 'complete', result: { documents: 6, problems: [] } });
  const database = await openDatabase(path);
  database.exec('DELETE FROM document_blocks');
  database.close();
  const damaged = await runCommand(checkstore, path);
  expect(damaged).toMatchObject({
    status: 'incomplete',
    result: { problems: [{ message: 'document block 1 is missing' }] },
  });
  expect(JSON.stringify(damaged.view)).toContain('Restore the store from a backup');
});

test('status has the last import, and nothing before the first', async () => {
  const { store, path } = await openTestStore();
  await store.close();
  expect((await runCommand(status, path)).result).toMatchObject({ revisions: 0, lastImport: undefined });
  const package_ = await writeUpdates(join(testFolder(), 'in.cab'), [makeUpdate(1)]);
  const imported = await runCommand(importCommand, path, { positionals: { package: package_ } });
  expect(imported).toMatchObject({
    status: 'complete',
    announced: ['Updates are being imported. Please do not stop this program.'],
    result: { newUpdates: 1, format: 'cab', dryRun: false },
  });
  expect(imported.logLine).toMatch(/^Successfully imported metadata from in\.cab: 1 revision \(/);
  expect((await runCommand(status, path)).result).toMatchObject({
    revisions: 1,
    lastImport: { package: package_, outcome: 'complete', details: { newUpdates: 1 } },
  });
});

test('updates that finds nothing says what there is instead', async () => {
  const path = await filledStore();
  const { view } = await runCommand(updates, path, { options: { kb: ['1'] } });
  expect(view).toMatchObject({ emptyText: expect.stringContaining('4 categories') });
  const { store, path: empty } = await openTestStore();
  await store.close();
  const nothing = await runCommand(updates, empty);
  expect(nothing.view).toMatchObject({ emptyText: expect.stringContaining('import a package first') });
});

test('verify needs no store', async () => {
  const package_ = await writeUpdates(join(testFolder(), 'in.xml.gz'), [
    makeUpdate(1, { prerequisites: [{ id: idOf(9) }] }),
  ]);
  const found = await runCommand(verify, '/nowhere', { positionals: { package: package_ } });
  expect(found).toMatchObject({
    status: 'incomplete',
    warnings: ['PREREQUISITE_MISSING'],
    result: { revisions: 1, missingReferences: 1, format: 'xml.gz' },
  });
});
