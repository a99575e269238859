import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { exportCommand } from '../../src/commands/packages/export.js';
import { extractCabinet } from '../../src/formats/cab/read-cabinet.js';
import { DEFAULT_LANGUAGES } from '../../src/model/language.js';
import { formatIdentity, type UpdateIdentity } from '../../src/model/update-identity.js';
import { exportPackage, partPath } from '../../src/packages/export-package.js';
import { type CommandResult, type GivenArguments, runCommand } from '../commands/command-context.js';
import { type CatalogueItem, generateCatalogue } from '../helpers/catalogue/generate-catalogue.js';
import { writeCatalogue } from '../helpers/catalogue/write-catalogue.js';
import { failureOf, readWhole, SAMPLE_HEADER, temporaryFolder } from '../helpers/package-builder.js';
import {
  type BuiltUpdate,
  idOf,
  importFile,
  importUpdates,
  makeUpdate,
  openTestStore,
  testFolder,
} from '../store/update-builder.js';

interface Exported {
  readonly result: CommandResult;
  readonly order: readonly string[];
  readonly path: string;
}

async function exportTo(
  name: string,
  storePath: string,
  options: GivenArguments['options'] = {},
): Promise<Exported> {
  const path = join(testFolder(), name);
  const result = await runCommand(exportCommand, storePath, { positionals: { package: path }, options });
  const isWritten = existsSync(path);
  return {
    result,
    path,
    order: isWritten ? (await readWhole(path)).entries.map(({ identity }) => formatIdentity(identity)) : [],
  };
}

const nameOf = ({ identity }: { identity: UpdateIdentity }) => formatIdentity(identity);

describe('order', () => {
  async function orderOf(packages: readonly (readonly BuiltUpdate[])[]): Promise<readonly string[]> {
    const { store, path } = await openTestStore();
    for (const each of packages) await importUpdates(store, each);
    const exported = await exportTo('x.cab', path);
    const { store: fresh } = await openTestStore();
    const missing = (await importFile(fresh, exported.path)).missingCount;
    expect(missing).toBe(0);
    expect(await fresh.fingerprint()).toBe(await store.fingerprint());
    return exported.order;
  }

  test('a prerequisite that came in a later package is put in front', async () => {
    const needing = makeUpdate(1, { prerequisites: [{ id: idOf(8) }] });
    const later = makeUpdate(8, { prerequisites: [{ id: idOf(9) }] });
    const last = makeUpdate(9);
    expect(await orderOf([[makeUpdate(2), needing], [later], [last, makeUpdate(3)]])).toEqual(
      [makeUpdate(2), last, later, needing, makeUpdate(3)].map(nameOf),
    );
  });

  test('a bundled revision that came later is put in front', async () => {
    const bundle = makeUpdate(1, { bundled: [[{ updateId: idOf(9), revisionNumber: 2 }]] });
    const part = makeUpdate(9, { revision: 2 });
    expect(await orderOf([[bundle], [part]])).toEqual([part, bundle].map(nameOf));
  });

  test('a bundled revision that came later is put in front, even if another revision was there', async () => {
    const old = makeUpdate(9, { revision: 1 });
    const bundle = makeUpdate(1, { bundled: [[{ updateId: idOf(9), revisionNumber: 2 }]] });
    const part = makeUpdate(9, { revision: 2 });
    expect(await orderOf([[old, bundle], [part]])).toEqual([old, part, bundle].map(nameOf));
  });

  test('updates that need each other stay in the order they came', async () => {
    const first = makeUpdate(1, { prerequisites: [{ id: idOf(2) }] });
    const second = makeUpdate(2, { prerequisites: [{ id: idOf(1) }] });
    const order = await orderOf([[first], [second]]);
    expect([...order].sort()).toEqual([nameOf(first), nameOf(second)].sort());
  });

  test('a long chain that came backwards comes out forwards', async () => {
    const chain = Array.from({ length: 3000 }, (_, n) =>
      makeUpdate(n, n === 0 ? {} : { prerequisites: [{ id: idOf(n - 1) }] }),
    );
    expect(await orderOf([[...chain].reverse()])).toEqual(chain.map(nameOf));
  });

  test('a package whose order is right comes out in its own order', async () => {
    const updates = [3, 1, 2].map((n) => makeUpdate(n));
    expect(await orderOf([updates])).toEqual(updates.map(nameOf));
  });
});

describe('filters', () => {
  const company = makeUpdate(100, { categoryType: 'Company', title: 'Contoso' });
  const family = makeUpdate(101, {
    categoryType: 'ProductFamily',
    title: 'Office',
    prerequisites: [{ id: idOf(100) }],
  });
  const word = makeUpdate(102, {
    categoryType: 'Product',
    title: 'Word',
    prerequisites: [{ id: idOf(101) }],
  });
  const excel = makeUpdate(103, {
    categoryType: 'Product',
    title: 'Excel',
    prerequisites: [{ anyOf: [idOf(101)] }],
  });
  const security = makeUpdate(104, { categoryType: 'UpdateClassification', title: 'Security Updates' });
  const detectoid = makeUpdate(105, { type: 'Detectoid', title: 'Has Word' });
  const inProduct = (product: number) => [
    { id: idOf(105) },
    { anyOf: [idOf(product)], isCategory: true },
    { anyOf: [idOf(104)], isCategory: true },
  ];
  const part = makeUpdate(10, { deployable: false });
  const updates = {
    wordOld: makeUpdate(1, { prerequisites: inProduct(102), createdAt: '2026-01-01T00:00:00Z' }),
    wordNew: makeUpdate(2, {
      prerequisites: inProduct(102),
      superseded: [idOf(1)],
      createdAt: '2026-10-01T00:00:00Z',
      bundled: [[part.identity]],
    }),
    excelExpired: makeUpdate(3, { prerequisites: inProduct(103), state: 'Expired', languages: ['de'] }),
    excelFrench: makeUpdate(4, { prerequisites: inProduct(103), languages: ['fr', 'en'] }),
    free: makeUpdate(5, { prerequisites: [{ anyOf: [idOf(104)], isCategory: true }] }),
  };
  const all = [company, family, word, excel, security, detectoid, part, ...Object.values(updates)];
  const wordNeeds = [company, family, word, security, detectoid];

  async function filtered(options: GivenArguments['options']): Promise<Set<string>> {
    const { store, path } = await openTestStore();
    await importUpdates(store, all, { header: { ...SAMPLE_HEADER, languages: DEFAULT_LANGUAGES } });
    const { order, path: written, result } = await exportTo('x.cab', path, options);
    expect(result.result.revisions).toBe(order.length);
    const { store: fresh } = await openTestStore();
    await importFile(fresh, written, { strict: true });
    return new Set(order);
  }
  const names = (...updateList: readonly BuiltUpdate[]) => new Set(updateList.map(nameOf));

  test('a product brings its updates, what they need, and nothing else', async () => {
    expect(await filtered({ product: ['Word'] })).toEqual(
      names(...wordNeeds, part, updates.wordOld, updates.wordNew),
    );
  });

  test('a product may be given by id, in any case', async () => {
    expect(await filtered({ product: [`{${idOf(102).toUpperCase()}}`] })).toEqual(
      names(...wordNeeds, part, updates.wordOld, updates.wordNew),
    );
  });

  test.each(['Office', 'contoso'])('%s brings all that is below it', async (name) => {
    expect(await filtered({ product: [name] })).toEqual(
      names(
        ...wordNeeds,
        excel,
        part,
        updates.wordOld,
        updates.wordNew,
        updates.excelExpired,
        updates.excelFrench,
      ),
    );
  });

  test('a classification', async () => {
    expect(await filtered({ classification: ['security updates'], product: ['Excel'] })).toEqual(
      names(company, family, excel, security, detectoid, updates.excelExpired, updates.excelFrench),
    );
  });

  test('an age or a date', async () => {
    const expected = names(...wordNeeds, part, updates.wordNew);
    expect(await filtered({ since: '2026-10-01' })).toEqual(expected);
    expect(await filtered({ since: '6w' })).toEqual(expected);
  });

  test('a language brings updates for it and for any language', async () => {
    const found = await filtered({ language: ['de'], product: ['Excel'] });
    expect(found.has(nameOf(updates.excelExpired))).toBe(true);
    expect(found.has(nameOf(updates.excelFrench))).toBe(false);
  });

  test('without superseded or expired ones all else stays', async () => {
    const without = (left: BuiltUpdate) => names(...all.filter((each) => each !== left));
    expect(await filtered({ 'exclude-superseded': true })).toEqual(without(updates.wordOld));
    expect(await filtered({ 'exclude-expired': true })).toEqual(without(updates.excelExpired));
  });

  test('one update', async () => {
    expect(await filtered({ update: [idOf(5).toUpperCase()] })).toEqual(names(security, updates.free));
  });

  test('that match nothing write nothing', async () => {
    const { store, path } = await openTestStore();
    await importUpdates(store, all);
    const folder = testFolder();
    const error = await failureOf(() =>
      runCommand(exportCommand, path, {
        positionals: { package: join(folder, 'x.cab') },
        options: { since: '2030-01-01' },
      }),
    );
    expect(error.code).toBe('NOT_FOUND');
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a product with a typing error gets a suggestion', async () => {
    const { store, path } = await openTestStore();
    await importUpdates(store, all);
    const error = await failureOf(() =>
      runCommand(exportCommand, path, {
        positionals: { package: join(testFolder(), 'x.cab') },
        options: { product: ['Wrod'] },
      }),
    );
    expect(error.code).toBe('NOT_FOUND');
    expect(error.hint).toContain('"Word"');
  });
});

describe('a catalogue', () => {
  const revisions = 1500;
  const folder = temporaryFolder();
  const storePath = join(folder.path, 'metadata.sqlite');
  const packagePath = join(folder.path, 'catalogue.cab');
  let items: readonly CatalogueItem[];
  let fingerprint = '';

  beforeAll(async () => {
    items = [...generateCatalogue({ revisions, seed: 11 })];
    await writeCatalogue(packagePath, { revisions, seed: 11 });
    const { openMetadataStore } = await import('../../src/store/open-store.js');
    const store = await openMetadataStore(storePath, { mode: 'write', now: () => new Date(0) });
    await importFile(store, packagePath, { strict: true });
    fingerprint = await store.fingerprint();
    await store.close();
    return () => folder.remove();
  });

  test.each([
    { product: ['Microsoft Defender Antivirus'] },
    { classification: ['Drivers'] },
    { since: '2026-01-01', 'exclude-expired': true },
    { 'exclude-superseded': true },
    { classification: ['Security Updates'], 'exclude-superseded': true, 'exclude-expired': true },
  ])('exported with %j can be imported alone, with nothing missing', async (options) => {
    const { result, path } = await exportTo('x.cab', storePath, options);
    expect(result.result.revisions).toBeLessThan(revisions);
    expect(result.result.revisions).toBeGreaterThan(0);
    const { store } = await openTestStore();
    const imported = await importFile(store, path, { strict: true });
    expect(imported.revisions).toBe(result.result.revisions);
    expect(await store.needsSorting()).toBe(false);
  });

  test.each(['cab', 'xml.gz'])('--dry-run for .%s tells what the export then writes', async (format) => {
    const path = join(testFolder(), `x.${format}`);
    const given = { positionals: { package: path }, options: { classification: ['Drivers'] } };
    const dry = await runCommand(exportCommand, storePath, {
      ...given,
      options: { ...given.options, 'dry-run': true },
    });
    expect(existsSync(path)).toBe(false);
    const real = await runCommand(exportCommand, storePath, given);
    const { packages: planned, plan, dryRun: _, ...expected } = dry.result as Record<string, never>;
    const { packages, dryRun: __, ...actual } = real.result as Record<string, never>;
    expect(actual).toEqual(expected);
    expect(planned).toEqual([]);
    const [written] = packages as unknown as { size: number; uncompressedSize: number }[];
    const { cabUncompressedSize, xmlUncompressedSize } = plan as unknown as {
      cabUncompressedSize: number;
      xmlUncompressedSize: number;
    };
    expect(written?.uncompressedSize).toBe(format === 'cab' ? cabUncompressedSize : xmlUncompressedSize);
    expect(written?.size).toBe(statSync(path).size);
  });

  test.each([
    ['2M', 2 << 20],
    ['1600K', 1600 << 10], // the list of files is a good part of such a cabinet
  ])('--split %s makes parts that each stand alone and together are everything', async (given, splitSize) => {
    const target = testFolder();
    const { result } = await runCommand(exportCommand, storePath, {
      positionals: { package: join(target, 'all.cab') },
      options: { split: true, 'split-size': given },
    });
    const packages = result.packages as { path: string; revisions: number; uncompressedSize: number }[];
    expect(packages.length).toBeGreaterThan(3);
    expect(packages.map(({ path }) => basename(path))).toEqual(
      packages.map((_, index) => `all.part${index + 1}of${packages.length}.cab`),
    );
    expect(readdirSync(target)).toHaveLength(packages.length);
    const { store: together } = await openTestStore();
    for (const part of packages) {
      expect(part.uncompressedSize).toBeLessThanOrEqual(splitSize);
      const { store: alone } = await openTestStore();
      const imported = await importFile(alone, part.path, { strict: true });
      expect(imported.revisions).toBe(part.revisions);
      await importFile(together, part.path, { strict: true });
      await alone.close();
    }
    expect(await together.fingerprint()).toBe(fingerprint);
  });

  test('--split writes nothing if one of the parts is there already', async () => {
    const target = testFolder();
    const path = join(target, 'all.cab');
    const first = await runCommand(exportCommand, storePath, {
      positionals: { package: join(testFolder(), 'all.cab') },
      options: { split: true, 'split-size': '2M' },
    });
    const count = (first.result.packages as unknown[]).length;
    const taken = partPath(path, 3, count);
    writeFileSync(taken, 'mine');
    const error = await failureOf(() =>
      runCommand(exportCommand, storePath, {
        positionals: { package: path },
        options: { split: true, 'split-size': '2M' },
      }),
    );
    expect(error.code).toBe('TARGET_EXISTS');
    expect(readdirSync(target)).toEqual([basename(taken)]);
  });

  test('a part too small for one update is refused', async () => {
    const target = testFolder();
    const error = await failureOf(() =>
      runCommand(exportCommand, storePath, {
        positionals: { package: join(target, 'all.cab') },
        options: { split: true, 'split-size': '70K' },
      }),
    );
    expect(error.code).toBe('CAB_TOO_LARGE');
    expect(readdirSync(target)).toEqual([]);
  });

  test('the members of the cabinet are those of a real one', async () => {
    const { path } = await exportTo('x.cab', storePath);
    const { readFileSync } = await import('node:fs');
    expect(extractCabinet(readFileSync(path)).map(({ member }) => member.name)).toEqual([
      'package.xml',
      'metadata.txt',
    ]);
    expect((await readWhole(path)).records).toHaveLength(items.length);
  });

  test.each([
    [{ 'split-size': '600M' }, 'x.cab', '--split-size needs --split'],
    [{ split: true }, 'x.xml.gz', '--split is for cabinets'],
    [{ split: true, 'split-size': 'huge' }, 'x.cab', '"huge" is not a size'],
  ])('%j for %s is wrong usage', async (options, name, message) => {
    const error = await failureOf(() => exportTo(name, storePath, options));
    expect(error.code).toBe('USAGE');
    expect(error.message).toContain(message);
  });
});

test('a part that cannot be written takes the parts before it along', async () => {
  const { store } = await openTestStore();
  await importUpdates(
    store,
    [1, 2, 3].map((n) => makeUpdate(n, { comment: 'x'.repeat(60_000) })),
  );
  const target = testFolder();
  const interruption = new AbortController();
  const error = await failureOf(() =>
    exportPackage({
      path: join(target, 'all.cab'),
      store,
      now: () => new Date(0),
      signal: interruption.signal,
      threads: 0,
      filter: undefined,
      splitSize: 100 << 10,
      dryRun: false,
      report: (event) => {
        if (event.type === 'step' && event.message.includes('part2of3')) interruption.abort();
      },
    }),
  );
  expect(error.code).toBe('INTERRUPTED');
  expect(readdirSync(target)).toEqual([]);
  expect(await store.countRevisions({})).toBe(3);
});

test('an export is noted in the history', async () => {
  const { store, path } = await openTestStore();
  await importUpdates(store, [makeUpdate(1)]);
  const { path: target } = await exportTo('x.cab', path);
  expect((await store.listHistory(1))[0]).toMatchObject({
    action: 'export',
    package: target,
    outcome: 'complete',
    details: { revisions: 1 },
  });
});

test('an empty store can be exported and read back', async () => {
  const { path } = await openTestStore();
  for (const name of ['x.cab', 'x.xml.gz']) {
    const { result, path: written } = await exportTo(name, path);
    expect(result.result.revisions).toBe(0);
    const { store } = await openTestStore();
    expect((await importFile(store, written)).revisions).toBe(0);
  }
});

test('files without a known location are told and left out of the list', async () => {
  const { store, path } = await openTestStore();
  await importUpdates(store, [
    makeUpdate(1, {
      files: [
        {
          sha1: 'AB'.repeat(20),
          sha256: 'CD'.repeat(32),
          fileName: 'a.cab',
          size: 1,
          modified: '2026-01-01T00:00:00Z',
        },
      ],
    }),
  ]);
  const { result, path: written } = await exportTo('x.cab', path);
  expect(result.warnings).toEqual(['FILE_WITHOUT_URL']);
  expect(result.result).toMatchObject({ files: 0, filesWithoutLocation: 1 });
  const { files, entries } = await readWhole(written);
  expect(files).toEqual([]);
  expect(entries[0]?.fileSha1s).toEqual(['AB'.repeat(20)]);
});
