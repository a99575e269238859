/** What is imported comes out again: same documents, same order, same package.xml, in both containers. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { extractCabinet } from '../../src/formats/cab/read-cabinet.js';
import { parseUpdateDocument } from '../../src/formats/update-xml/parse-update.js';
import type { PackageEntry } from '../../src/model/export-package.js';
import { formatIdentity } from '../../src/model/update-identity.js';
import { type ExportOptions, type ExportSummary, exportPackage } from '../../src/packages/export-package.js';
import type { MetadataStore } from '../../src/store/metadata-store.js';
import {
  type CatalogueItem,
  type CatalogueOptions,
  catalogueHeader,
  generateCatalogue,
} from '../helpers/catalogue/generate-catalogue.js';
import { writeCatalogue } from '../helpers/catalogue/write-catalogue.js';
import { readWhole } from '../helpers/package-builder.js';
import { fc } from '../helpers/properties.js';
import { seededRandom } from '../helpers/seeded-random.js';
import { withSharedData } from '../helpers/shared-data.js';
import {
  importFile,
  now,
  openTestStore,
  problemsOf,
  storedOrder,
  testFolder,
  writeUpdates,
} from '../store/update-builder.js';

const FORMATS = ['cab', 'xml.gz'] as const;

function exportAll(
  store: MetadataStore,
  path: string,
  options: Partial<ExportOptions> = {},
): Promise<ExportSummary> {
  return exportPackage({
    path,
    store,
    now,
    signal: new AbortController().signal,
    report: () => {},
    threads: 0,
    filter: undefined,
    splitSize: undefined,
    dryRun: false,
    ...options,
  });
}

/** The members of a cabinet, with the three values of package.xml that every server writes its own. */
function membersOf(path: string): { packageXml: string; metadata: Buffer; own: Record<string, string> } {
  const members = new Map(
    extractCabinet(readFileSync(path)).map((each) => [each.member.name, Buffer.from(each.data)]),
  );
  const own: Record<string, string> = {};
  const packageXml = (members.get('package.xml') as Buffer)
    .toString('utf8')
    .replaceAll(/ (ServerID|CreationTime|ProtocolVersion)="([^"]*)"/g, (_, name: string, value: string) => {
      own[name] = value;
      return ` ${name}=""`;
    });
  return { packageXml, metadata: members.get('metadata.txt') as Buffer, own };
}

const digestOf = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

/** Every document byte in the store's order, as one digest; with the order itself. */
async function contentOf(store: MetadataStore) {
  const hash = createHash('sha256');
  for await (const batch of store.readDocuments(await store.listKeys())) {
    for (const { document } of batch) hash.update(String(document.length)).update(document);
  }
  return {
    fingerprint: await store.fingerprint(),
    documents: hash.digest('hex'),
    order: digestOf((await storedOrder(store)).join()),
    languages: await store.languages(),
  };
}

withSharedData('a real package', (data) => {
  const packages = ['2015-06-10-WSUS.cab', '2020-04-21-WSUS.cab'].map((name) => ({
    name,
    path: join(data, 'wsusutil-export', name),
  }));

  test.each(packages)('$name comes out of the store byte for byte, in both formats', async ({ path }) => {
    const folder = testFolder();
    const { store } = await openTestStore();
    const imported = await importFile(store, path, { strict: true });
    expect(imported.warnings).toEqual([]);
    const original = await contentOf(store);
    const records = (await readWhole(path)).records;
    const expected = createHash('sha256');
    for (const { document } of records) expected.update(String(document.length)).update(document);
    expect(original.documents).toBe(expected.digest('hex'));

    for (const format of FORMATS) {
      const target = join(folder, `copy.${format}`);
      const summary = await exportAll(store, target);
      expect(summary.revisions).toBe(records.length);
      const { store: fresh } = await openTestStore();
      expect((await importFile(fresh, target, { strict: true })).warnings).toEqual([]);
      expect(await contentOf(fresh)).toEqual(original);
      expect(await problemsOf(fresh)).toEqual([]);
    }
    const before = membersOf(path);
    const after = membersOf(join(folder, 'copy.cab'));
    expect(after.metadata.equals(before.metadata)).toBe(true);
    expect(after.packageXml === before.packageXml).toBe(true);
    expect(after.own).toEqual({
      ServerID: store.serverId,
      CreationTime: '2026-11-01T12:00:00Z',
      ProtocolVersion: '1.20',
    });
  });

  test.each([
    ['2015, then 2020', [0, 1]],
    ['2020, then 2015', [1, 0]],
  ] as const)('%s: what both have is present, nothing conflicts', async (_, [first, second]) => {
    const identities = await Promise.all(
      packages.map(async ({ path }) =>
        (await readWhole(path)).entries.map(
          ({ identity }) => `${identity.updateId}:${identity.revisionNumber}`,
        ),
      ),
    );
    const [a = [], b = []] = [identities[first], identities[second]];
    const known = new Set(a);
    const common = b.filter((each) => known.has(each)).length;
    expect(common).toBeGreaterThan(2000);
    const { store } = await openTestStore();
    await importFile(store, packages[first]!.path, { strict: true });
    const summary = await importFile(store, packages[second]!.path, { strict: true });
    expect(summary).toMatchObject({ present: common, conflictCount: 0, missingCount: 0 });
    expect(summary.newUpdates + summary.newRevisions).toBe(b.length - common);
    expect((await store.status()).revisions).toBe(a.length + b.length - common);
    const order = await storedOrder(store);
    expect(order.slice(0, a.length)).toEqual(a);
    expect(await problemsOf(store)).toEqual([]);
  });

  test('takes at most a fifth of its documents in the store', async () => {
    const { store, path } = await openTestStore();
    const { documentBytes } = await importFile(store, packages[1]!.path);
    await store.close();
    expect(documentBytes).toBeGreaterThan(13_000_000);
    expect(statSync(path).size / documentBytes).toBeLessThanOrEqual(0.2);
  });
});

/**
 * Later revisions of a bundle's hidden part that no bundle names: their documents say nothing of a category, so the
 * categories that the catalogue gives them cannot be known from what is stored.
 */
function unbundledParts(items: readonly CatalogueItem[]): Set<string> {
  const bundled = new Set<string>();
  const parts = new Set<string>();
  for (const { identity, document, entry } of items) {
    const facts = parseUpdateDocument(document);
    for (const { members } of facts.bundledUpdates) {
      for (const member of members) bundled.add(formatIdentity(member));
    }
    const hasGroup = facts.prerequisites.some((each) => each.atLeastOne);
    if (!hasGroup && entry.categories.length > 0) parts.add(formatIdentity(identity));
  }
  return new Set([...parts].filter((each) => !bundled.has(each)));
}

describe('a generated catalogue', () => {
  async function roundTrip(options: CatalogueOptions): Promise<void> {
    const folder = testFolder();
    const original = join(folder, 'original.cab');
    await writeCatalogue(original, options);
    const { store } = await openTestStore();
    const imported = await importFile(store, original, { strict: true });
    expect(imported).toMatchObject({ revisions: options.revisions, present: 0 });
    const items = [...generateCatalogue(options)];
    const expected = createHash('sha256');
    for (const { document } of items) expected.update(String(document.length)).update(document);
    const content = await contentOf(store);
    expect(content.documents).toBe(expected.digest('hex'));

    const cabinet = join(folder, 'copy.cab');
    const xml = join(folder, 'copy.xml.gz');
    const summary = await exportAll(store, cabinet);
    expect(summary.filesWithoutLocation).toBe(0);
    expect(summary.files).toBe(items.reduce((sum, { files }) => sum + files.length, 0));
    await exportAll(store, xml);
    const before = membersOf(original);
    const after = membersOf(cabinet);
    expect(after.metadata.equals(before.metadata)).toBe(true);
    const unbundled = unbundledParts(items);
    if (unbundled.size === 0) expect(after.packageXml === before.packageXml, 'package.xml').toBe(true);
    const first = await readWhole(original);
    for (const path of [cabinet, xml]) {
      const { entries, files } = await readWhole(path);
      expect(files).toEqual(first.files);
      expect(entries.map(({ identity, fileSha1s }) => ({ identity, fileSha1s }))).toEqual(
        first.entries.map(({ identity, fileSha1s }) => ({ identity, fileSha1s })),
      );
      const isKnown = ({ identity }: PackageEntry) => !unbundled.has(formatIdentity(identity));
      expect(entries.filter(isKnown)).toEqual(first.entries.filter(isKnown));
    }
    for (const path of [cabinet, xml]) {
      const { store: fresh } = await openTestStore();
      await importFile(fresh, path, { strict: true });
      expect(await contentOf(fresh)).toEqual(content);
      expect(await problemsOf(fresh)).toEqual([]);
      await fresh.close();
    }
    await store.close();
  }

  test('of 2,000 revisions comes out as it went in', () => roundTrip({ revisions: 2000, seed: 1 }));

  test('of any size and seed comes out as it went in', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 800, max: 1500 }),
        fc.integer({ min: 1, max: 1_000_000 }),
        (revisions, seed) => roundTrip({ revisions, seed }),
      ),
      { numRuns: 4, endOnFailure: true },
    );
  });

  test('in any order, over several packages, gives the same store and a sorted export', async () => {
    const options = { revisions: 900, seed: 77 };
    const items = [...generateCatalogue(options)];
    const { store: reference } = await openTestStore();
    const original = join(testFolder(), 'original.cab');
    await writeCatalogue(original, options);
    await importFile(reference, original, { strict: true });
    const facts = async (store: MetadataStore) => ({
      fingerprint: await store.fingerprint(),
      categories: (await store.listCategories()).map((row) => ({ ...row, parents: row.parents.toSorted() })),
      status: { ...(await store.status()), serverId: '', storeBytes: 0, lastImport: undefined },
    });
    const expected = await facts(reference);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.array(fc.nat(items.length), { maxLength: 2 }),
        async (seed, cuts) => {
          const random = seededRandom(seed);
          const shuffled = items
            .map((item) => ({ item, place: random.below(1 << 30) }))
            .sort((a, b) => a.place - b.place)
            .map(({ item }) => item);
          const { store } = await openTestStore();
          const bounds = [0, ...cuts.toSorted((a, b) => a - b), items.length];
          for (let part = 0; part + 1 < bounds.length; part++) {
            const path = join(testFolder(), 'part.cab');
            await writeUpdates(
              path,
              shuffled.slice(bounds[part], bounds[part + 1]),
              catalogueHeader(options),
            );
            await importFile(store, path);
          }
          expect(await facts(store)).toEqual(expected);
          expect(await problemsOf(store)).toEqual([]);
          const sorted = join(testFolder(), 'sorted.cab');
          await exportAll(store, sorted);
          const { store: again } = await openTestStore();
          expect((await importFile(again, sorted, { strict: true })).missingCount).toBe(0);
          expect(await again.needsSorting()).toBe(false);
          expect(await again.fingerprint()).toBe(expected.fingerprint);
          await again.close();
          await store.close();
        },
      ),
      { numRuns: 4, endOnFailure: true },
    );
  });
});
