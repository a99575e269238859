import { expect, test } from 'vitest';
import { utf16LeToUtf8 } from '../../../src/formats/update-xml/utf16.js';
import { fc } from '../../helpers/properties.js';

test('every text comes back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(Buffer.from(utf16LeToUtf8(Buffer.from(text, 'utf16le'))).toString('utf8')).toBe(text);
    }),
  );
});

test('bytes in the middle of a larger buffer are read where they are', () => {
  const larger = Buffer.from('<<ä𠮷>>', 'utf16le');
  expect(Buffer.from(utf16LeToUtf8(larger.subarray(4, 10))).toString('utf8')).toBe('ä𠮷');
});

test.each([
  ['an odd number of bytes', Buffer.from([0x61, 0x00, 0x62]), '3 bytes, expected an even number'],
  [
    'a high surrogate alone',
    Buffer.from('a\ud83db', 'utf16le'),
    'a surrogate without its partner at offset 2',
  ],
  [
    'a low surrogate alone',
    Buffer.from('😀\ude00', 'utf16le'),
    'a surrogate without its partner at offset 4',
  ],
  [
    'a high surrogate at the end',
    Buffer.from('\ud83d', 'utf16le'),
    'a surrogate without its partner at offset 0',
  ],
])('%s is refused', (_name, document, message) => {
  expect(() => utf16LeToUtf8(document)).toThrow(
    expect.objectContaining({ code: 'UPDATE_MALFORMED', message: expect.stringContaining(message) }),
  );
});
