import { expect, test } from 'vitest';
import {
  announcedLanguages,
  DEFAULT_LANGUAGES,
  type PackageLanguage,
  withOwnFlags,
} from '../../src/model/language.js';

const row = (id: number, shortName: string, enabled: boolean): PackageLanguage => ({
  id,
  shortName,
  longName: DEFAULT_LANGUAGES.find((each) => each.id === id)?.longName ?? shortName,
  enabled,
});
const TABLE = [row(0, 'all', false), row(1031, 'de', false), row(1033, 'EN', true)];

test.each(['all', ['all'], ['de', 'all']] as const)('without a choice the table stands: %j', (chosen) => {
  expect(announcedLanguages(TABLE, chosen)).toBe(TABLE);
});

test('what is chosen is enabled, and nothing else, not even the row of all languages', () => {
  expect(announcedLanguages(DEFAULT_LANGUAGES, ['de', 'en']).filter(({ enabled }) => enabled)).toEqual([
    row(1031, 'de', true),
    row(1033, 'en', true),
  ]);
  expect(announcedLanguages(TABLE, ['en']).map(({ enabled }) => enabled)).toEqual([false, false, true]);
});

test('what is chosen and not in the table comes behind it; a tag that nobody knows has no number and does not', () => {
  expect(announcedLanguages(TABLE, ['fr', 'xx'])).toEqual([
    row(0, 'all', false),
    row(1031, 'de', false),
    row(1033, 'EN', false),
    row(1036, 'fr', true),
  ]);
});

test('an upstream that has all languages enabled has each of them, whatever their own rows say', () => {
  expect(withOwnFlags([row(0, 'all', true), row(1031, 'de', false)])).toEqual([
    row(0, 'all', true),
    row(1031, 'de', true),
  ]);
  expect(withOwnFlags(TABLE)).toBe(TABLE);
});
