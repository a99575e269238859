import { describe, expect, test } from 'vitest';
import type { MetadataStore, RevisionFilter } from '../../src/store/metadata-store.js';
import { idOf, importUpdates, makeUpdate, openTestStore } from './update-builder.js';

const category = (n: number) => ({ anyOf: [idOf(n)], isCategory: true });

async function filledStore(): Promise<MetadataStore> {
  const { store } = await openTestStore();
  await importUpdates(store, [
    makeUpdate(100, { categoryType: 'Company', title: 'Contoso' }),
    makeUpdate(101, { categoryType: 'ProductFamily', title: 'Office', prerequisites: [{ id: idOf(100) }] }),
    makeUpdate(102, { categoryType: 'Product', title: 'Word', prerequisites: [{ id: idOf(101) }] }),
    makeUpdate(104, { categoryType: 'UpdateClassification', title: 'Security Updates' }),
    makeUpdate(105, { type: 'Detectoid', title: 'Has Word' }),
    makeUpdate(1, {
      title: 'Security Update for Word (KB5000001)',
      titles: { de: 'Sicherheitsupdate für Word (KB5000001)' },
      kb: ['5000001'],
      cves: ['CVE-2026-0001', 'cve-2026-0002'],
      severity: 'Critical',
      createdAt: '2026-03-01T00:00:00Z',
      prerequisites: [category(102), category(104)],
      languages: ['en', 'pt-br'],
    }),
    makeUpdate(2, {
      title: 'Update 100% of C:\\Program_Files',
      kb: ['5000002'],
      createdAt: '2026-05-01T00:00:00Z',
      superseded: [idOf(1)],
      prerequisites: [category(102)],
      languages: ['pt'],
    }),
    makeUpdate(3, { title: 'An old title', createdAt: '2026-04-01T00:00:00Z', state: 'Expired' }),
    makeUpdate(3, { title: 'A new title', revision: 2, createdAt: '2026-04-02T00:00:00Z', state: 'Expired' }),
    makeUpdate(4, { title: 'Hidden part', deployable: false, createdAt: '' }),
    makeUpdate(5, { type: 'Driver', title: 'Contoso – Display – 1.0' }),
  ]);
  return store;
}

const CASES: readonly (readonly [name: string, RevisionFilter, expected: readonly number[]])[] = [
  ['a word in the title, in any case', { words: ['WORD'], types: ['Software'] }, [1]],
  ['words that must all occur', { words: ['update', 'word'] }, [1]],
  ['a word that is a KB number', { words: ['5000002'] }, [2]],
  ['a word that is a KB number with its prefix', { words: ['kb5000002'] }, [2]],
  ['a word that is an id', { words: [idOf(3).toUpperCase()] }, [3]],
  ['a word that is an id in braces', { words: [`{${idOf(3)}}`] }, [3]],
  ['per cent, underscore and backslash as they are', { words: ['100%', 'program_files', ':\\'] }, [2]],
  ['no word but a wildcard', { words: ['_pdate'] }, []],
  ['a quote as it is', { words: [`'; DROP TABLE updates; --`] }, []],
  ['a text in the title', { title: 'for word' }, [1]],
  ['a KB article', { kbArticleIds: ['5000001'] }, [1]],
  ['a CVE in any case', { cveIds: ['CVE-2026-0002'] }, [1]],
  ['another CVE in any case', { cveIds: ['cve-2026-0001', 'CVE-1999-9999'] }, [1]],
  ['a severity in any case', { severities: ['critical'] }, [1]],
  ['a product', { categories: [idOf(102)], types: ['Software'] }, [1, 2]],
  ['a company with all below it', { categories: [idOf(100)], types: ['Software', 'Driver'] }, [1, 2]],
  ['a classification', { classifications: [idOf(104)] }, [1]],
  ['product and classification', { categories: [idOf(101)], classifications: [idOf(104)] }, [1]],
  ['creation since', { createdSince: Date.parse('2026-04-02'), types: ['Software'] }, [2, 3]],
  ['superseded', { superseded: true }, [1]],
  ['not superseded', { superseded: false, types: ['Software'] }, [2, 3, 4]],
  ['expired', { expired: true }, [3]],
  ['not expired', { expired: false, types: ['Software'] }, [1, 2, 4]],
  ['drivers', { types: ['Driver'] }, [5]],
  ['what can be approved', { deployableOnly: true }, [1, 2, 3]],
  ['a language, and what is for any', { languages: ['pt'], types: ['Software'] }, [2, 3, 4]],
  ['a language in another case', { languages: ['PT-BR'], types: ['Software'] }, [1, 3, 4]],
  ['ids', { updateIds: [idOf(5), idOf(1), idOf(77)] }, [1, 5]],
  ['nothing', { updateIds: [] }, []],
];

describe('a filter finds', () => {
  test.each(CASES)('%s', async (_, filter, expected) => {
    const store = await filledStore();
    const found: string[] = [];
    for await (const batch of store.listRevisions(filter))
      found.push(...batch.map((each) => each.identity.updateId));
    expect(found.toSorted()).toEqual(expected.map(idOf));
    expect(await store.countRevisions(filter)).toBe(expected.length);
    expect(await store.listKeys(filter)).toHaveLength(expected.length);
  });
});

test('lists come newest first, as far as asked for; what has no date comes last', async () => {
  const store = await filledStore();
  const titles = async (limit?: number) => {
    const found: string[] = [];
    for await (const batch of store.listRevisions({ types: ['Software'] }, limit)) {
      found.push(...batch.map((each) => each.title));
    }
    return found;
  };
  expect(await titles()).toEqual([
    'Update 100% of C:\\Program_Files',
    'A new title',
    'Security Update for Word (KB5000001)',
    'Hidden part',
  ]);
  expect(await titles(2)).toHaveLength(2);
});

test('old revisions are found when they are asked for', async () => {
  const store = await filledStore();
  expect(await store.countRevisions({ title: 'old title' })).toBe(0);
  expect(await store.countRevisions({ title: 'old title', newestOnly: false })).toBe(1);
});

test('titles come in a language where there is one', async () => {
  const store = await filledStore();
  const [found] = await store.findUpdate(idOf(1));
  expect(await store.localizedTitles([found?.key as number], 'DE')).toEqual(
    new Map([[found?.key, 'Sicherheitsupdate für Word (KB5000001)']]),
  );
  expect(await store.localizedTitles([found?.key as number], 'fr')).toEqual(new Map());
  expect(await store.titlesOf([idOf(1), idOf(2), idOf(99)], 'de')).toEqual(
    new Map([
      [idOf(1), 'Sicherheitsupdate für Word (KB5000001)'],
      [idOf(2), 'Update 100% of C:\\Program_Files'],
    ]),
  );
});
