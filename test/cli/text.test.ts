import { expect, test } from 'vitest';
import {
  cut,
  displayWidth,
  formatCount,
  limitMarks,
  neutralize,
  pad,
  redact,
  wrap,
} from '../../src/cli/text.js';
import { fc } from '../helpers/properties.js';

test.each([
  ['abc', 3],
  ['漢字', 4],
  ['e\u0301', 1],
  ['한글', 4],
  ['👍🏽', 2],
  ['ｱ', 1],
  ['Ａ', 2],
])('%s takes %i columns', (text, width) => {
  expect(displayWidth(text)).toBe(width);
});

test('a cut text is never wider than asked for', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 40 }), (text, width) => {
      expect(displayWidth(cut(text, width))).toBeLessThanOrEqual(width);
    }),
  );
});

test.each([
  ['letters', 'x'.repeat(1_048_576)],
  ['wide characters', '漢'.repeat(1_048_576)],
  ['pairs of surrogates', `x${'👍'.repeat(500_000)}`],
  ['marks', `a${'\u0301'.repeat(1_048_576)}`],
  ['joiners', 'a\u200d'.repeat(500_000)],
])('cutting a million %s looks at the first few only', (_, text) => {
  // A look at all of it would make two thousand cuts run far beyond the limit of the test.
  for (let round = 0; round < 2_000; round++) cut(text, 40);
  const short = cut(text, 40);
  expect(displayWidth(short)).toBeLessThanOrEqual(40);
  expect(short.length).toBeLessThan(200);
  expect(short.endsWith('…')).toBe(true);
  expect(short).not.toMatch(/\p{Cs}/u);
});

test('no character keeps more than eight marks', () => {
  const text = `a${'\u0301'.repeat(100)}b`;
  expect(limitMarks(text)).toBe(`a${'\u0301'.repeat(8)}b`);
  expect(cut(text, 40)).toBe(limitMarks(text));
  expect(displayWidth(text)).toBe(2);
  expect(cut('👨‍👩‍👧‍👦 é', 40)).toBe('👨‍👩‍👧‍👦 é');
});

test('a neutralised text has no control characters and does not change a second time', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const safe = neutralize(text);
      expect(safe).not.toMatch(/\p{Cc}/u);
      expect(neutralize(safe)).toBe(safe);
    }),
  );
});

test('wrapped lines hold the words in order', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1 }), (words) => {
      const lines = wrap(words.join(' '), 20);
      expect(lines.join(' ')).toBe(words.join(' '));
      expect(lines.every((line) => line.length <= 20)).toBe(true);
    }),
  );
});

test('padding counts columns, not characters', () => {
  expect(pad('漢', 4)).toBe('漢  ');
  expect(pad('7', 3, 'right')).toBe('  7');
});

test('counts are grouped', () => {
  expect([0, 999, 1000, 1234567].map(formatCount)).toEqual(['0', '999', '1,000', '1,234,567']);
});

test('credentials are removed', () => {
  expect(redact('proxy http://me:s3cret@host:80/x failed')).toBe('proxy http://***@host:80/x failed');
  expect(redact('password=hunter2; Authorization: Bearer abc.def')).toBe('password=***; Authorization: ***');
  expect(redact('C:\\a@b and a/b@c stay')).toBe('C:\\a@b and a/b@c stay');
});
