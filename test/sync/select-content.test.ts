import { expect, test } from 'vitest';
import type { MetadataStore } from '../../src/store/metadata-store.js';
import { type ContentChoice, selectContent } from '../../src/sync/select-content.js';
import { makeFile, updateWith } from '../content/content-builder.js';
import { idOf, importUpdates, makeUpdate, openTestStore } from '../store/update-builder.js';

/** File names by scope, in order. */
async function chosen(store: MetadataStore, choice: Partial<ContentChoice> = {}): Promise<string[][]> {
  const index = await store.contentIndex();
  const scopes = await selectContent(store, {
    policy: 'wanted',
    languages: 'all',
    expressFiles: false,
    ...choice,
  });
  const names: string[][] = [];
  for (const scope of scopes) {
    const selection = await index.select(scope);
    const found: string[] = [];
    for (let folder = 0; folder < 256; folder++) {
      for (const { fileName } of await selection.page(folder, undefined)) found.push(fileName);
    }
    names.push(found.sort());
    await selection.close();
  }
  return names;
}

async function storeOf(...updates: Parameters<typeof importUpdates>[1][number][]): Promise<MetadataStore> {
  const { store } = await openTestStore();
  await importUpdates(store, updates);
  return store;
}

const file = (name: string) => makeFile(name, 100, name);

test('nothing, licence texts, or both of what is wanted, licence texts first', async () => {
  const store = await storeOf(updateWith(1, [file('a.exe')], { licences: [file('a.txt')] }));
  expect(await chosen(store, { policy: 'none' })).toEqual([]);
  expect(await chosen(store, { policy: 'licences' })).toEqual([['a.txt']]);
  expect(await chosen(store)).toEqual([['a.txt'], ['a.exe']]);
});

test('old, expired and superseded revisions call for no files', async () => {
  const store = await storeOf(
    updateWith(1, [file('old.exe')], { licences: [file('old.txt')] }),
    updateWith(1, [file('new.exe')], { revision: 2, licences: [file('new.txt')] }),
    updateWith(2, [file('expired.exe')], { state: 'Expired', licences: [file('expired.txt')] }),
    updateWith(3, [file('superseded.exe')], { licences: [file('superseded.txt')] }),
    updateWith(4, [file('newer.exe')], { superseded: [idOf(3)] }),
  );
  expect(await chosen(store)).toEqual([
    ['new.txt', 'superseded.txt'],
    ['new.exe', 'newer.exe'],
  ]);
});

test('files for other languages are left out, also of bundles for any; licence texts are not', async () => {
  const german = updateWith(1, [file('de.exe')], { languages: ['de'], deployable: false });
  const french = updateWith(2, [file('fr.exe')], { languages: ['fr'], deployable: false });
  const store = await storeOf(
    german,
    french,
    updateWith(3, [file('any.exe')], { bundled: [[german.identity], [french.identity]] }),
    updateWith(4, [file('ja.exe')], { languages: ['ja'], licences: [file('ja.txt')] }),
  );
  expect(await chosen(store, { languages: ['de'] })).toEqual([['ja.txt'], ['any.exe', 'de.exe']]);
  expect(await chosen(store)).toEqual([['ja.txt'], ['any.exe', 'de.exe', 'fr.exe', 'ja.exe']]);
});

test('express files come by choice only', async () => {
  const store = await storeOf(updateWith(1, [file('a.exe')], { express: [file('a.psf')] }));
  expect(await chosen(store)).toEqual([[], ['a.exe']]);
  expect(await chosen(store, { expressFiles: true })).toEqual([[], ['a.exe', 'a.psf']]);
});

test('products and classifications choose, and what is chosen brings what it needs', async () => {
  const inProduct = (product: number, classification: number) => ({
    prerequisites: [
      { anyOf: [idOf(product)], isCategory: true },
      { anyOf: [idOf(classification)], isCategory: true },
    ],
  });
  const part = updateWith(20, [file('part.exe')], { deployable: false });
  const store = await storeOf(
    makeUpdate(1, { categoryType: 'Product' }),
    makeUpdate(2, { categoryType: 'Product' }),
    makeUpdate(3, { categoryType: 'UpdateClassification' }),
    makeUpdate(4, { categoryType: 'UpdateClassification' }),
    part,
    updateWith(21, [file('one.exe')], { ...inProduct(1, 3), bundled: [[part.identity]] }),
    updateWith(22, [file('two.exe')], inProduct(2, 3)),
    updateWith(23, [file('three.exe')], inProduct(1, 4)),
  );
  expect(await chosen(store, { products: [idOf(1)], classifications: [idOf(3)] })).toEqual([
    [],
    ['one.exe', 'part.exe'],
  ]);
  expect(await chosen(store, { products: [], classifications: [] })).toEqual([
    [],
    ['one.exe', 'part.exe', 'three.exe', 'two.exe'],
  ]);
});

test('a file that is the licence text of one update and the file of another is chosen once', async () => {
  const both = file('both.txt');
  const store = await storeOf(
    updateWith(1, [both]),
    updateWith(2, [file('a.exe')], { state: 'Expired', licences: [both] }),
  );
  expect(await chosen(store)).toEqual([['both.txt'], []]);
});
