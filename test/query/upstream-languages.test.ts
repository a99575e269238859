import { describe, expect, test } from 'vitest';
import { DEFAULT_LANGUAGES } from '../../src/model/language.js';
import { lackingLanguages, readUpstreamLanguages } from '../../src/query/upstream-languages.js';
import { rememberLanguages } from '../store/sync-values.js';
import { openTestStore } from '../store/update-builder.js';

const UPSTREAM = 'http://wsus:8530/';
const table = [
  { id: 0, shortName: 'all', longName: 'all', enabled: false },
  { id: 1031, shortName: 'de', longName: 'German', enabled: true },
  { id: 1036, shortName: 'FR', longName: 'French', enabled: false },
];

describe('the languages to choose from', () => {
  test('are those of the upstream, with what it has files for; language neutral is none of them', async () => {
    const { store } = await openTestStore();
    await rememberLanguages(store, UPSTREAM, JSON.stringify(table));
    const known = await readUpstreamLanguages(store, UPSTREAM);
    expect(known).toEqual([
      { shortName: 'de', longName: 'German', isOffered: true },
      { shortName: 'fr', longName: 'French', isOffered: false },
    ]);
    expect(lackingLanguages(['de', 'fr', 'it'], known)).toEqual(['fr', 'it']);
    expect(lackingLanguages(['de'], known)).toEqual([]);
    expect(lackingLanguages('all', known)).toEqual([]);
  });

  test('an upstream with all of them enabled has files for each, whatever their own rows say', async () => {
    const { store } = await openTestStore();
    const everything = table.map((row) => ({ ...row, enabled: row.id === 0 }));
    await rememberLanguages(store, UPSTREAM, JSON.stringify(everything));
    const known = await readUpstreamLanguages(store, UPSTREAM);
    expect(lackingLanguages(['de', 'fr', 'it'], known)).toEqual(['it']);
  });

  test('are those the store knows while the upstream has said nothing; then none is lacking', async () => {
    const { store } = await openTestStore();
    await rememberLanguages(store, UPSTREAM, JSON.stringify(table));
    for (const other of ['http://other:8530/', undefined]) {
      const known = await readUpstreamLanguages(store, other);
      expect(known.map(({ shortName }) => shortName)).toEqual(
        DEFAULT_LANGUAGES.filter(({ id }) => id !== 0).map(({ shortName }) => shortName),
      );
      expect(lackingLanguages(['de', 'zz'], known)).toEqual([]);
    }
  });

  test.each(['', '{}', '[]', '[1]', '[{"id":1}]', '{"a"'])(
    'a value that is no table counts as none: %s',
    async (text) => {
      const { store } = await openTestStore();
      await rememberLanguages(store, UPSTREAM, text);
      const known = await readUpstreamLanguages(store, UPSTREAM);
      expect(known.every(({ isOffered }) => isOffered === undefined)).toBe(true);
      expect(known.length).toBeGreaterThan(30);
    },
  );
});
