/** The update documents of real servers, against the facts that were measured on them without this program. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { XMLParser } from 'fast-xml-parser';
import { SaxesParser } from 'saxes';
import { describe, expect, test } from 'vitest';
import { parseUpdateDocument } from '../../../src/formats/update-xml/parse-update.js';
import { utf16LeToUtf8 } from '../../../src/formats/update-xml/utf16.js';
import { contentPath } from '../../../src/model/content-file.js';
import type { RevisionFacts } from '../../../src/model/revision.js';
import { sharedData, withSharedData } from '../../helpers/shared-data.js';
import { readWithOurs, readWithSaxes } from '../xml/xml-events.js';

type Expected = Readonly<Record<string, unknown>>;

interface Manifest {
  readonly files: readonly { readonly path: string; readonly expected?: Expected }[];
}

/** Each expected fact of the manifest → what the parser says about it, in the manifest's form. */
const ACTUAL: Readonly<
  Record<string, (facts: RevisionFacts, expected: Expected, document: Buffer) => unknown>
> = {
  updateId: (facts, { updateId }) => sameGuid(facts.identity.updateId, updateId),
  revision: (facts) => facts.identity.revisionNumber,
  UpdateType: (facts) => facts.updateType,
  DefaultPropertiesLanguage: (facts) => facts.defaultLanguage,
  PublicationState: (facts) => facts.publicationState,
  CreationDate: (facts) => facts.creationDate,
  PublisherID: (facts, { PublisherID }) => sameGuid(facts.publisherId, PublisherID),
  Handler: (facts) => facts.handler,
  DetectoidType: (facts) => facts.detectoidType,
  LegacyName: (facts) => facts.legacyName,
  MsrcSeverity: (facts) => facts.msrcSeverity,
  ExplicitlyDeployable: (facts) => String(facts.explicitlyDeployable),
  AutoSelectOnWebSites: (facts) => String(facts.autoSelectOnWebSites),
  IsPublic: (facts) => String(facts.isPublic),
  IsBeta: (facts) => String(facts.isBeta),
  MaxDownloadSize: (facts) => String(facts.maxDownloadSize),
  MinDownloadSize: (facts) => String(facts.minDownloadSize),
  kbArticleIds: (facts) => facts.kbArticleIds,
  propertyLanguages: (facts) => facts.languages.length,
  localizedLanguages: (facts) => facts.localized.length,
  titleEn: (facts) => facts.localized.find((entry) => entry.language === 'en')?.title,
  prerequisites: ({ prerequisites }) => ({
    simple: prerequisites.filter((clause) => !clause.atLeastOne).length,
    atLeastOneGroups: prerequisites.filter((clause) => clause.atLeastOne).length,
    categoryGroups: prerequisites.filter((clause) => clause.isCategory).length,
  }),
  superseded: (facts) => facts.supersededUpdates.length,
  bundled: (facts) => facts.bundledUpdates.flatMap((clause) => clause.members).length,
  categoryInformation: ({ category, handlerData }, { categoryInformation }) => {
    const written = handlerData?.items.find((item) => item.name === 'CategoryInformation')?.attributes ?? {};
    const known = {
      CategoryType: category?.categoryType,
      ProhibitsSubcategories: String(category?.prohibitsSubcategories),
      ProhibitsUpdates: String(category?.prohibitsUpdates),
      ExcludedByDefault: String(category?.excludedByDefault),
      DisplayOrder: String(category?.displayOrder),
    };
    // The typed value and the one kept as written; an attribute that is not known would be missing.
    const entries = Object.entries(known).filter(([name]) => name in (categoryInformation as object));
    expect(Object.fromEntries(entries)).toEqual(written);
    return written;
  },
  files: (facts) =>
    facts.files.map(({ fileName, size, sha1, sha256 }) => ({
      name: fileName,
      size,
      sha1,
      sha256,
      contentPath: contentPath(sha1, fileName),
    })),
  driver: ({ drivers }) => {
    const first = drivers[0];
    return {
      count: drivers.length,
      first: {
        HardwareID: first?.hardwareId,
        DriverVerDate: first?.driverVerDate,
        DriverVerVersion: first?.driverVerVersion,
        WhqlDriverID: first?.whqlDriverId,
        Class: first?.driverClass,
        Company: first?.company,
        Provider: first?.provider,
        Manufacturer: first?.manufacturer,
        Model: first?.model,
      },
    };
  },
  lengthInMetadataTxt: (_facts, _expected, document) => document.toString('utf8').length,
};

/** The expected GUID if `actual` is the same one in lower case. */
function sameGuid(actual: string | undefined, expected: unknown): unknown {
  return actual === String(expected).toLowerCase() ? expected : actual;
}

/** `metadata.txt` → documents with the head of their record, `<id>,<revision in hex>`. */
function splitRecords(text: string): { head: string; document: Buffer }[] {
  const records: { head: string; document: Buffer }[] = [];
  for (let at = 0; at < text.length; ) {
    const head = text.slice(at, at + 36 + 1 + 8);
    const start = at + 36 + 1 + 8 + 1 + 8 + 1;
    const end = start + Number.parseInt(text.slice(start - 9, start - 1), 16);
    records.push({ head, document: Buffer.from(text.slice(start, end), 'utf8') });
    at = end + 2;
  }
  return records;
}

function hasCabextract(): boolean {
  try {
    execFileSync('cabextract', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

withSharedData('real update documents', (directory) => {
  const manifest: Manifest =
    sharedData === undefined
      ? { files: [] }
      : JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8'));
  const documents = manifest.files.filter(
    ({ path }) => path.startsWith('update-metadata/') && path.endsWith('.xml'),
  );

  test('there are 44 of them', () => {
    expect(documents).toHaveLength(44);
  });

  describe.each(documents.map((each) => ({ name: basename(each.path), ...each })))(
    '$name',
    ({ path, expected }) => {
      const document = readFileSync(join(directory, path));
      const facts = parseUpdateDocument(document);

      test('has every fact that was measured', () => {
        const keys = Object.keys(expected ?? {});
        expect(keys.length).toBeGreaterThan(10);
        expect(
          keys.filter((key) => !Object.hasOwn(ACTUAL, key)),
          'facts this test does not know',
        ).toEqual([]);
        const actual = keys.map((key) => [key, ACTUAL[key]?.(facts, expected as Expected, document)]);
        expect(Object.fromEntries(actual)).toEqual(expected);
      });

      test('has a date that parses as the engine parses it', () => {
        const written = facts.creationDate as string;
        expect(facts.createdAt).toBe(Date.parse(written.replace(/(\.[0-9]{3})[0-9]+/, '$1')));
      });

      test('is the same after travelling as UTF-16', () => {
        const utf16 = Buffer.from(document.toString('utf8'), 'utf16le');
        expect(Buffer.from(utf16LeToUtf8(utf16)).equals(document)).toBe(true);
      });

      test('gives the same events as saxes', () => {
        const ours = readWithOurs([document.toString('latin1')], { encoding: 'utf8-bytes' });
        expect(ours.error).toBeUndefined();
        expect(ours).toEqual(readWithSaxes(document.toString('utf8')));
      });

      test('gives the ids, texts and digests that saxes gives', () => {
        const found = { ids: [] as string[], titles: [] as string[], digests: [] as string[] };
        let title: string | undefined;
        const parser = new SaxesParser({ xmlns: true });
        parser.on('opentag', ({ local, attributes }) => {
          const value = (name: string): string => attributes[name]?.value ?? '';
          if (local === 'UpdateIdentity') found.ids.push(value('UpdateID').toLowerCase());
          if (local === 'File' || local === 'EulaFile') found.digests.push(value('Digest'));
          if (local === 'Title') title = '';
        });
        parser.on('text', (text) => {
          if (title !== undefined) title += text;
        });
        parser.on('closetag', ({ local }) => {
          if (local === 'Title' && title !== undefined) {
            found.titles.push(title);
            title = undefined;
          }
        });
        parser.write(document.toString('utf8')).close();
        const related = [
          facts.identity.updateId,
          ...facts.prerequisites.flatMap((clause) => clause.members),
          ...facts.bundledUpdates.flatMap((clause) => clause.members.map((member) => member.updateId)),
          ...facts.supersededUpdates,
        ];
        // The order of the three kinds of relations is the document's own.
        expect(related.toSorted()).toEqual(found.ids.toSorted());
        expect(facts.localized.map((entry) => entry.title)).toEqual(found.titles);
        const digests = [...facts.eulaFiles, ...facts.files].map(({ sha1 }) =>
          Buffer.from(sha1, 'hex').toString('base64'),
        );
        expect(digests).toEqual(found.digests);
      });

      test('gives the title and prerequisites that fast-xml-parser gives', () => {
        const parser = new XMLParser({
          ignoreAttributes: false,
          attributeNamePrefix: '',
          removeNSPrefix: true,
          parseTagValue: false,
          trimValues: false,
          isArray: (name) => ['UpdateIdentity', 'AtLeastOne', 'LocalizedProperties'].includes(name),
        });
        const { Update } = parser.parse(document);
        expect(Update.UpdateIdentity[0].RevisionNumber).toBe(String(facts.identity.revisionNumber));
        const localized: { Language: string; Title: string }[] =
          Update.LocalizedPropertiesCollection?.LocalizedProperties ?? [];
        const normalized = (text: string | undefined) => text?.replaceAll(/\r\n?/g, '\n');
        expect(facts.localized.map((entry) => [entry.language, entry.title])).toEqual(
          localized.map((entry) => [entry.Language.trim(), normalized(entry.Title)]),
        );
        const { UpdateIdentity = [], AtLeastOne = [] } = Update.Relationships?.Prerequisites ?? {};
        const ids = (list: { UpdateID: string }[]) => list.map((each) => each.UpdateID.toLowerCase());
        const clauses = facts.prerequisites;
        expect(clauses.filter((clause) => !clause.atLeastOne).flatMap((clause) => clause.members)).toEqual(
          ids(UpdateIdentity),
        );
        expect(
          clauses
            .filter((clause) => clause.atLeastOne)
            .map(({ isCategory, members }) => [isCategory, members]),
        ).toEqual(
          AtLeastOne.map((group: { IsCategory?: string; UpdateIdentity: { UpdateID: string }[] }) => [
            group.IsCategory === 'true',
            ids(group.UpdateIdentity),
          ]),
        );
      });
    },
  );

  const title = 'every record of a real export package parses to the revision its head names';
  describe.skipIf(!hasCabextract())(`${title} (skipped where cabextract is not installed)`, () => {
    test.each([
      ['2015-06-10-WSUS.cab', 2_358, 2_336],
      ['2020-04-21-WSUS.cab', 3_690, 3_633],
    ])('%s', (name, revisionCount, updateCount) => {
      const target = mkdtempSync(join(tmpdir(), 'wsusutil-test-'));
      try {
        execFileSync('cabextract', ['-q', '-d', target, join(directory, 'wsusutil-export', name)]);
        const records = splitRecords(readFileSync(join(target, 'metadata.txt'), 'utf8'));
        expect(records).toHaveLength(revisionCount);
        const updateIds = new Set<string>();
        for (const { head, document } of records) {
          const facts = parseUpdateDocument(document);
          expect(parseUpdateDocument(document, 'indexed')).toEqual(withoutUnindexed(facts));
          const { updateId, revisionNumber } = facts.identity;
          expect(`${updateId},${revisionNumber.toString(16).padStart(8, '0')}`).toBe(head.toLowerCase());
          expect(['Category', 'Detectoid']).toContain(facts.updateType);
          expect(facts.createdAt, head).toBeDefined();
          expect(facts.localized.length, head).toBeGreaterThan(0);
          updateIds.add(updateId);
        }
        expect(updateIds.size).toBe(updateCount);
      } finally {
        rmSync(target, { recursive: true, force: true });
      }
    });
  });
});

/** The facts that `indexed` leaves out, left out. */
function withoutUnindexed(facts: RevisionFacts): RevisionFacts {
  return {
    ...facts,
    drivers: [],
    localized: facts.localized.map(({ language, title }) => ({
      language,
      title,
      description: undefined,
      uninstallNotes: undefined,
      moreInfoUrls: [],
      supportUrl: undefined,
    })),
  };
}
