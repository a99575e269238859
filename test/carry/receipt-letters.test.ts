import { expect, test } from 'vitest';
import { readLetters } from '../../src/carry/receipt-letters.js';

test('a receipt that came by way of a text program is read: other dashes, invisible characters', () => {
  expect(readLetters('0000c\u2011 7q4zk\u2013\u200babcde\u2212\ufeffFGHJK')).toBe('0000C7Q4ZKABCDEFGHJK');
});
