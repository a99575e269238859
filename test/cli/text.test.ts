import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cut, displayWidth, formatCount, neutralize, pad, redact, wrap } from '../../src/cli/text.js';

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
