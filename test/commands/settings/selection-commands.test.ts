import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { TreeNode } from '../../../src/commands/outcome.js';
import { classifications } from '../../../src/commands/settings/classifications.js';
import { classificationsDeselect } from '../../../src/commands/settings/classifications-deselect.js';
import { classificationsSelect } from '../../../src/commands/settings/classifications-select.js';
import { languages } from '../../../src/commands/settings/languages.js';
import { languagesDeselect } from '../../../src/commands/settings/languages-deselect.js';
import { languagesSelect } from '../../../src/commands/settings/languages-select.js';
import { products } from '../../../src/commands/settings/products.js';
import { productsDeselect } from '../../../src/commands/settings/products-deselect.js';
import { productsSelect } from '../../../src/commands/settings/products-select.js';
import {
  defaultSettings,
  parseSettings,
  type Settings,
  writeSettings,
} from '../../../src/settings/settings.js';
import { openMetadataStore } from '../../../src/store/open-store.js';
import { failureOf } from '../../helpers/package-builder.js';
import { rememberLanguages } from '../../store/sync-values.js';
import { idOf, importUpdates, makeUpdate, NOW, now, testFolder } from '../../store/update-builder.js';
import { type CommandResult, type GivenArguments, runCommand } from '../command-context.js';

const UPSTREAM = 'https://sws.update.microsoft.com/';

function settingsOf(storePath: string): Settings {
  const path = `${storePath}.settings.json`;
  return existsSync(path) ? parseSettings(readFileSync(path, 'utf8'), path) : defaultSettings();
}

/** A store with two families, a name in two places, and two classifications. */
async function setUp(): Promise<string> {
  const storePath = join(testFolder(), 'metadata.sqlite');
  const store = await openMetadataStore(storePath, { mode: 'write', now });
  await importUpdates(store, [
    makeUpdate(1, { categoryType: 'Company', title: 'Contoso' }),
    makeUpdate(2, { categoryType: 'ProductFamily', title: 'Windows', prerequisites: [{ id: idOf(1) }] }),
    makeUpdate(3, { categoryType: 'Product', title: 'Windows 10', prerequisites: [{ id: idOf(2) }] }),
    makeUpdate(4, { categoryType: 'Product', title: 'Windows 11', prerequisites: [{ id: idOf(2) }] }),
    makeUpdate(5, { categoryType: 'ProductFamily', title: 'Silverlight', prerequisites: [{ id: idOf(1) }] }),
    makeUpdate(6, { categoryType: 'Product', title: 'Silverlight', prerequisites: [{ id: idOf(5) }] }),
    makeUpdate(7, { categoryType: 'UpdateClassification', title: 'Security Updates' }),
    makeUpdate(8, { categoryType: 'UpdateClassification', title: 'Drivers' }),
  ]);
  await store.close();
  return storePath;
}

const emptyStore = (): string => join(testFolder(), 'metadata.sqlite');
const select = (storePath: string, name: string[], options: GivenArguments['options'] = {}) =>
  runCommand(productsSelect, storePath, { positionals: { name }, options });
const deselect = (storePath: string, name: string[], options: GivenArguments['options'] = {}) =>
  runCommand(productsDeselect, storePath, { positionals: { name }, options });

/** Labels of the tree, two blanks for each level. */
function outlineOf({ view }: CommandResult): string[] {
  const views = Array.isArray(view) ? view : [view];
  const tree = views.find((each) => each?.kind === 'tree');
  const visit = (node: TreeNode, depth: number): string[] => [
    '  '.repeat(depth) + node.label,
    ...node.children.flatMap((child) => visit(child, depth + 1)),
  ];
  return (tree?.roots ?? []).flatMap((node: TreeNode) => visit(node, 0));
}

function linesOf({ view }: CommandResult): string {
  const views = Array.isArray(view) ? view : [view];
  return views.flatMap((each) => (each?.kind === 'lines' ? each.lines : [])).join('\n');
}

describe('products', () => {
  test('a family that is selected takes what is below it, its company only in part', async () => {
    const storePath = await setUp();
    const { result } = await select(storePath, ['windows']);
    expect(result).toEqual({ selected: [idOf(2)], added: [idOf(2)], removed: [] });
    expect(settingsOf(storePath).products).toEqual([idOf(2)]);
    const shown = await runCommand(products, storePath);
    expect(outlineOf(shown)).toEqual([
      '[-] Contoso',
      '  [ ] Silverlight',
      '    [ ] Silverlight',
      '  [x] Windows',
      '    [+] Windows 10',
      '    [+] Windows 11',
    ]);
    expect(linesOf(shown)).toContain('1 entry selected, 3 with all that is below');
  });

  test('a product that is selected does not select its family', async () => {
    const storePath = await setUp();
    await select(storePath, ['Windows 11']);
    expect(outlineOf(await runCommand(products, storePath, { options: { selected: true } }))).toEqual([
      '[-] Contoso',
      '  [-] Windows',
      '    [x] Windows 11',
    ]);
    const { result } = await runCommand(products, storePath, { positionals: { text: 'windows 1' } });
    expect(JSON.stringify(result.products)).toContain('"selection":"selected"');
    expect(outlineOf(await runCommand(products, storePath, { positionals: { text: 'silver' } }))).toEqual([
      '[-] Contoso',
      '  [ ] Silverlight',
      '    [ ] Silverlight',
    ]);
  });

  test('names are all found or none is selected', async () => {
    const storePath = await setUp();
    expect(await failureOf(() => select(storePath, ['Windows 10', 'Windwos 11']))).toMatchObject({
      code: 'NOT_FOUND',
      hint: expect.stringContaining('"Windows 11"'),
    });
    expect(await failureOf(() => select(storePath, ['Silverlight']))).toMatchObject({
      code: 'NOT_FOUND',
      hint: expect.stringContaining(idOf(6)),
    });
    expect(settingsOf(storePath).products).toEqual([]);
  });

  test('selecting adds, once; --only replaces; --all takes the tops of the tree', async () => {
    const storePath = await setUp();
    await select(storePath, ['Windows 10']);
    await select(storePath, ['windows 10', idOf(6)]);
    expect(settingsOf(storePath).products).toEqual([idOf(3), idOf(6)]);
    const again = await select(storePath, ['Windows 10']);
    expect(linesOf(again)).toContain('Nothing to change.');
    await select(storePath, ['Windows 11'], { only: true });
    expect(settingsOf(storePath).products).toEqual([idOf(4)]);
    await select(storePath, [], { all: true });
    expect(settingsOf(storePath).products).toContain(idOf(1));
    expect(outlineOf(await runCommand(products, storePath)).join()).not.toContain('[ ]');
  });

  test('deselecting takes the name that is selected, and is no failure for one that is not', async () => {
    const storePath = await setUp();
    await select(storePath, [idOf(6), 'Windows']);
    const { result } = await deselect(storePath, ['silverlight', 'Contoso']);
    expect(result).toMatchObject({ selected: [idOf(2)], removed: [idOf(6)] });
    await deselect(storePath, [], { all: true });
    expect(settingsOf(storePath).products).toEqual([]);
  });

  test('what is selected with its family is not deselected alone', async () => {
    const storePath = await setUp();
    await select(storePath, ['Windows']);
    expect(await failureOf(() => deselect(storePath, ['Windows 10']))).toMatchObject({
      code: 'SAFETY_REFUSED',
      message: 'Windows 10 is selected with Windows',
    });
    await deselect(storePath, ['Windows 10', 'Windows']);
    expect(settingsOf(storePath).products).toEqual([]);
  });

  test('what is selected and not in the store is named, and can be deselected by its id', async () => {
    const storePath = await setUp();
    await writeSettings(`${storePath}.settings.json`, { ...defaultSettings(), products: [idOf(99)] });
    const shown = await runCommand(products, storePath);
    expect(shown.result).toMatchObject({ selected: [idOf(99)], notInStore: [idOf(99)] });
    expect(linesOf(shown)).toContain(idOf(99));
    expect((await deselect(storePath, [idOf(99)])).result).toMatchObject({ selected: [] });
  });

  test('an empty store says how to fill it', async () => {
    const storePath = emptyStore();
    await (await openMetadataStore(storePath, { mode: 'write', now })).close();
    expect(linesOf(await runCommand(products, storePath))).toContain('wsusutil sync --categories-only');
    expect(await failureOf(() => select(storePath, ['Windows']))).toMatchObject({ code: 'NOT_FOUND' });
    expect(await failureOf(() => select(storePath, [], { all: true }))).toMatchObject({ code: 'NOT_FOUND' });
    expect((await select(storePath, [idOf(2)])).result).toMatchObject({ selected: [idOf(2)] });
  });

  test.each([
    [[], {}],
    [['Windows'], { all: true }],
    [['Windows', ' '], {}],
    [[], { all: true, only: true }],
  ])('%j with %j is refused', async (name, given) => {
    const options = { all: false, only: false, ...given };
    const check = () => productsSelect.check?.({ positionals: { name }, options, assignments: {} }, NOW);
    expect(await failureOf(check)).toMatchObject({ code: 'USAGE' });
  });
});

test('classifications are listed, selected and deselected alike', async () => {
  const storePath = await setUp();
  const name = ['security updates'];
  await runCommand(classificationsSelect, storePath, { positionals: { name } });
  expect(outlineOf(await runCommand(classifications, storePath))).toEqual([
    '[ ] Drivers',
    '[x] Security Updates',
  ]);
  await runCommand(classificationsSelect, storePath, { options: { all: true } });
  expect(new Set(settingsOf(storePath).classifications)).toEqual(new Set([idOf(7), idOf(8)]));
  await runCommand(classificationsDeselect, storePath, { positionals: { name } });
  expect(settingsOf(storePath)).toEqual({ ...defaultSettings(), classifications: [idOf(8)] });
  const wrong = () => runCommand(classificationsSelect, storePath, { positionals: { name: ['Windows'] } });
  expect(await failureOf(wrong)).toMatchObject({ hint: expect.stringContaining('wsusutil products') });
});

describe('languages', () => {
  const choose = (storePath: string, language: string[], options: GivenArguments['options'] = {}) =>
    runCommand(languagesSelect, storePath, { positionals: { language }, options });
  const drop = (storePath: string, ...language: string[]) =>
    runCommand(languagesDeselect, storePath, { positionals: { language } });

  async function withUpstream(): Promise<string> {
    const storePath = emptyStore();
    const store = await openMetadataStore(storePath, { mode: 'write', now });
    const table = [
      { id: 0, shortName: 'all', longName: 'all', enabled: false },
      { id: 1031, shortName: 'de', longName: 'German', enabled: true },
      { id: 1033, shortName: 'en', longName: 'English', enabled: true },
      { id: 1036, shortName: 'fr', longName: 'French', enabled: false },
    ];
    await rememberLanguages(store, UPSTREAM, JSON.stringify(table));
    await store.close();
    return storePath;
  }

  test('all are selected at first; --only begins a selection, by tag or name in any case', async () => {
    const storePath = await withUpstream();
    expect((await runCommand(languages, storePath)).result).toMatchObject({ selected: 'all', lacking: [] });
    expect(linesOf(await choose(storePath, ['de']))).toContain('--only');
    expect(settingsOf(storePath).languages).toBe('all');
    await choose(storePath, ['DE', 'german'], { only: true });
    expect(settingsOf(storePath).languages).toEqual(['de']);
    await choose(storePath, ['English']);
    expect(settingsOf(storePath).languages).toEqual(['de', 'en']);
    await choose(storePath, ['ALL']);
    expect(settingsOf(storePath).languages).toBe('all');
  });

  test('those the upstream has no files for are named', async () => {
    const storePath = await withUpstream();
    const { warnings, result } = await choose(storePath, ['de', 'fr', 'Italian'], { only: true });
    expect(warnings).toEqual(['LANGUAGE_UNAVAILABLE']);
    expect(result).toEqual({ selected: ['de', 'fr', 'it'], lacking: ['fr', 'it'] });
    const listed = (await runCommand(languages, storePath, { options: { selected: true } })).result;
    expect(listed.languages).toEqual([
      { shortName: 'de', longName: 'German', isSelected: true, isOffered: true },
      { shortName: 'fr', longName: 'French', isSelected: true, isOffered: false },
      { shortName: 'it', longName: 'Italian', isSelected: true, isOffered: false },
    ]);
    expect((await drop(storePath, 'it', 'french')).warnings).toEqual([]);
  });

  test('deselecting one of all leaves the others that there are files for; the last one stays', async () => {
    const storePath = await withUpstream();
    await drop(storePath, 'en');
    expect(settingsOf(storePath).languages).toEqual(['de']);
    expect(await failureOf(() => drop(storePath, 'de'))).toMatchObject({ code: 'SAFETY_REFUSED' });
    expect(settingsOf(storePath).languages).toEqual(['de']);
  });

  test('what is none gets the nearest', async () => {
    const storePath = await withUpstream();
    expect(await failureOf(() => choose(storePath, ['Germna']))).toMatchObject({
      code: 'NOT_FOUND',
      hint: 'Did you mean "German"?',
    });
    expect(await failureOf(() => choose(storePath, ['klingonisch']))).toMatchObject({ code: 'NOT_FOUND' });
  });

  test('what another upstream said is nothing of this one', async () => {
    const storePath = await withUpstream();
    await writeSettings(`${storePath}.settings.json`, {
      ...defaultSettings(),
      updateSource: 'upstream',
      upstreamServer: 'other',
    });
    expect((await choose(storePath, ['fr'], { only: true })).warnings).toEqual([]);
    const { result } = await runCommand(languages, storePath, { options: { selected: true } });
    expect(result.languages).toEqual([
      { shortName: 'fr', longName: 'French', isSelected: true, isOffered: null },
    ]);
  });
});
