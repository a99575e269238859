import { expect, test } from 'vitest';
import {
  escapeXmlText,
  listElement,
  parentElement,
  serializeEnvelope,
  textElement,
} from '../../../src/formats/soap/envelope.js';
import { XmlReader } from '../../../src/formats/xml/xml-reader.js';
import { fc } from '../../helpers/properties.js';
import { parseTree } from '../../helpers/soap-tree.js';

/** Characters XML can carry, special ones often. */
const xmlText = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '&',
        '<',
        '>',
        ']]>',
        '"',
        "'",
        '\r',
        '\n',
        '\r\n',
        '\t',
        '&amp;',
        ' ',
        '\u0085',
        '\u2028',
      ),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }),
    ),
  )
  .map((parts) => parts.join(''))
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones XML cannot carry
  .filter((text) => !/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Surrogate}/u.test(text));

test('any text an element can hold comes back unchanged from an independent parser', () => {
  fc.assert(
    fc.property(xmlText, (text) => {
      expect(parseTree(`<a>${escapeXmlText(text)}</a>`).text).toBe(text);
    }),
  );
});

test('any text an element can hold comes back unchanged from our own reader', () => {
  fc.assert(
    fc.property(xmlText, (text) => {
      let read = '';
      const reader = new XmlReader({
        start() {},
        end() {},
        text(piece) {
          read += piece;
        },
      });
      reader.write(`<a>${escapeXmlText(text)}</a>`);
      reader.end();
      expect(read).toBe(text);
    }),
  );
});

test.each(['\0', 'a\x1fb', '\ud800', 'x\udc00', '\ufffe'])(
  'text that XML cannot carry is refused: %j',
  (text) => {
    expect(() => escapeXmlText(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  },
);

test('text cannot break out of its element', () => {
  const envelope = serializeEnvelope('Op', 'urn:x', textElement('a', '</a></Op><evil/>'));
  const operation = parseTree(envelope).children[0]?.children[0];
  expect(operation?.children.map(({ local }) => local)).toEqual(['a']);
  expect(operation?.children[0]?.text).toBe('</a></Op><evil/>');
});

test('optional elements are left out, empty lists are empty elements', () => {
  expect(textElement('a', undefined)).toBe('');
  expect(textElement('a', '')).toBe('<a/>');
  expect(textElement('a', false)).toBe('<a>false</a>');
  expect(listElement('l', undefined, String)).toBe('');
  expect(listElement('l', [], String)).toBe('<l/>');
  expect(parentElement('p', '')).toBe('<p/>');
});

test('a request beyond the limit is not sent', () => {
  expect(() => serializeEnvelope('Op', 'urn:x', 'x'.repeat(16 * 1024 * 1024))).toThrow(
    expect.objectContaining({ code: 'LIMIT_EXCEEDED' }),
  );
});
