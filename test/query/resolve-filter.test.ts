import { describe, expect, test } from 'vitest';
import { DEFAULT_LANGUAGES } from '../../src/model/language.js';
import { parseSize } from '../../src/query/parse-size.js';
import {
  checkFilter,
  parseSince,
  resolveFilter,
  resolveTitleLanguage,
} from '../../src/query/resolve-filter.js';
import { failureOf, SAMPLE_HEADER } from '../helpers/package-builder.js';
import { idOf, importUpdates, makeUpdate, NOW, openTestStore } from '../store/update-builder.js';

describe('a date or an age', () => {
  test.each([
    ['2026-10-01', '2026-10-01T00:00:00Z'],
    [' 2026-10-01T12:30:00Z ', '2026-10-01T12:30:00Z'],
    ['2026-10-01T12:30:00+02:00', '2026-10-01T10:30:00Z'],
    ['2024-02-29', '2024-02-29T00:00:00Z'],
    ['30d', '2026-10-02T12:00:00Z'],
    ['12h', '2026-11-01T00:00:00Z'],
    ['6W', '2026-09-20T12:00:00Z'],
  ])('%s', (text, instant) => {
    expect(new Date(parseSince(text, NOW)).toISOString()).toBe(new Date(instant).toISOString());
  });

  test.each([
    '',
    'yesterday',
    '30',
    '30 days',
    '2026-13-01',
    '2026-02-30',
    '2025-02-29',
    '01.10.2026',
    '-3d',
    '9999999d',
  ])('%j is refused', async (text) => {
    const error = await failureOf(() => parseSince(text, NOW));
    expect(error.code).toBe('USAGE');
    expect(error.message).toContain(`"${text}"`);
    expect(error.hint).toContain('30d');
  });

  test('a time without a zone is UTC', () => {
    expect(new Date(parseSince('2026-10-01T12:30:00', NOW)).toISOString()).toBe('2026-10-01T12:30:00.000Z');
  });
});

describe('a size', () => {
  test.each([
    ['700000', 700_000],
    ['1k', 1024],
    ['4300M', 4300 * 2 ** 20],
    ['1.5G', 1.5 * 2 ** 30],
    ['600MiB', 600 * 2 ** 20],
    ['2 TB'.replace(' ', ''), 2 * 2 ** 40],
  ])('%s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each(['', '0', '-1', '1e9', '1.2345M', '10 apples', '999999999999999T'])(
    '%j is refused',
    async (text) => {
      expect((await failureOf(() => parseSize(text))).code).toBe('USAGE');
    },
  );
});

describe('names', () => {
  async function filledStore() {
    const { store } = await openTestStore();
    await importUpdates(
      store,
      [
        makeUpdate(1, { categoryType: 'Company', title: 'Contoso' }),
        makeUpdate(2, { categoryType: 'Product', title: ' Windows 11 ' }),
        makeUpdate(3, { categoryType: 'Product', title: 'Windows 10' }),
        makeUpdate(4, { categoryType: 'Product', title: 'windows 10' }),
        makeUpdate(5, { categoryType: 'UpdateClassification', title: 'Security Updates' }),
      ],
      { header: { ...SAMPLE_HEADER, languages: DEFAULT_LANGUAGES } },
    );
    return store;
  }

  test('of products are found in any case, with spaces around, and all of the same name', async () => {
    const store = await filledStore();
    expect(await resolveFilter({ products: ['WINDOWS 11'] }, store, NOW)).toEqual({ categories: [idOf(2)] });
    expect((await resolveFilter({ products: ['Windows 10 '] }, store, NOW)).categories?.toSorted()).toEqual([
      idOf(3),
      idOf(4),
    ]);
    expect(await resolveFilter({ products: [`{${idOf(1)}}`] }, store, NOW)).toEqual({
      categories: [idOf(1)],
    });
  });

  test('of classifications are no products, and the other way round', async () => {
    const store = await filledStore();
    expect(await resolveFilter({ classifications: ['security updates'] }, store, NOW)).toEqual({
      classifications: [idOf(5)],
    });
    for (const given of [{ products: ['Security Updates'] }, { classifications: ['Windows 11'] }]) {
      expect((await failureOf(() => resolveFilter(given, store, NOW))).code).toBe('NOT_FOUND');
    }
  });

  test.each([
    ['Windows 1', 'Did you mean "Windows 1'],
    ['Widnows 11', '"Windows 11"'],
    ['windows', '"Windows 11"'],
  ])('%s gets a suggestion', async (name, suggestion) => {
    const store = await filledStore();
    const error = await failureOf(() => resolveFilter({ products: [name] }, store, NOW));
    expect(error.code).toBe('NOT_FOUND');
    expect(error.message).toContain(`no product named "${name}"`);
    expect(error.hint).toContain(suggestion);
  });

  test('that resemble nothing are sent to the list', async () => {
    const store = await filledStore();
    const error = await failureOf(() => resolveFilter({ products: ['Solitaire'] }, store, NOW));
    expect(error.hint).toBe('"wsusutil categories" lists the names.');
    const byId = await failureOf(() => resolveFilter({ products: [idOf(99)] }, store, NOW));
    expect(byId.message).toContain(idOf(99));
  });

  test('of languages are tags or long names', async () => {
    const store = await filledStore();
    expect(await resolveFilter({ languages: ['EN', 'german'] }, store, NOW)).toEqual({
      languages: ['en', 'de'],
    });
    const error = await failureOf(() => resolveFilter({ languages: ['klingon'] }, store, NOW));
    expect(error.code).toBe('NOT_FOUND');
    expect(error.hint).toContain('en');
  });

  test('of types, KB articles and ids are checked', async () => {
    const store = await filledStore();
    expect(
      await resolveFilter({ types: ['Driver', 'software'], kbs: ['KB5013943', '890830', 'kb1'] }, store, NOW),
    ).toEqual({ types: ['Driver', 'Software'], kbArticleIds: ['5013943', '890830', '1'] });
    expect(await resolveFilter({ types: ['all', 'driver'] }, store, NOW)).toEqual({});
    for (const given of [{ types: ['patch'] }, { kbs: ['KBx'] }, { updateIds: ['123'] }]) {
      expect((await failureOf(() => resolveFilter(given, store, NOW))).code).toBe('USAGE');
    }
  });

  test('of languages of titles may be any that WSUS has, with or without a region', async () => {
    const store = await filledStore();
    expect(await resolveTitleLanguage('DE', store)).toBe('de');
    expect(await resolveTitleLanguage('de-AT', store)).toBe('de');
    expect(await resolveTitleLanguage('pt-br', store)).toBe('pt-br');
    expect((await failureOf(() => resolveTitleLanguage('xx', store))).code).toBe('NOT_FOUND');
  });

  test('are left to the store by a check without one, which judges all else', async () => {
    expect(() => checkFilter({ products: ['?'], languages: ['?'], since: '30d' }, NOW)).not.toThrow();
    for (const given of [{ types: ['patch'] }, { kbs: ['KBx'] }, { updateIds: ['1'] }, { since: 'soon' }]) {
      expect((await failureOf(() => checkFilter(given, NOW))).code).toBe('USAGE');
    }
  });

  test('nothing given is no condition', async () => {
    const store = await filledStore();
    expect(await resolveFilter({ words: [], products: [], languages: [] }, store, NOW)).toEqual({});
  });
});
