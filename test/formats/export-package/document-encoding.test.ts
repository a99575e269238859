import { SaxesParser } from 'saxes';
import { expect, test } from 'vitest';
import {
  decodeDocument,
  detectDocumentEncoding,
  escapedSize,
  escapeInto,
} from '../../../src/formats/export-package/document-encoding.js';
import type { DocumentEncoding } from '../../../src/model/export-package.js';
import { failureOf } from '../../helpers/package-builder.js';
import { fc } from '../../helpers/properties.js';

function escaped(text: string): Buffer {
  const document = Buffer.from(text);
  const target = Buffer.alloc(escapedSize(document));
  expect(escapeInto(document, target, 0)).toBe(target.length);
  return target;
}

function decode(text: string, encoding: DocumentEncoding): string {
  return Buffer.from(decodeDocument(Buffer.from(text), encoding)).toString();
}

test('only what XML requires is escaped', () => {
  expect(escaped(`<a b="c" d='e'>&amp;é🙂\t\r\n]]></a>`).toString()).toBe(
    `&lt;a b="c" d='e'&gt;&amp;amp;é🙂\t&#xD;\n]]&gt;&lt;/a&gt;`,
  );
  expect(escaped(`<a b="c">&amp;é🙂]]></a>`).toString()).toContain(']]&gt;');
  const plain = `<a b="c" d='e'>&amp;é🙂\t\r\n]]</a>${'x'.repeat(100)}<b/>`;
  expect(escaped(plain).toString()).toBe(
    `&lt;a b="c" d='e'>&amp;amp;é🙂\t&#xD;\n]]&lt;/a>${'x'.repeat(100)}&lt;b/>`,
  );
});

test('what was escaped comes back byte for byte, and another XML reader agrees', () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.stringMatching(/^[<>&;#xlgtamp"'\r\n\t\]0-9]{0,60}$/),
  );
  fc.assert(
    fc.property(text, (value) => {
      const source = escaped(value).toString();
      expect(decode(source, 'escaped')).toBe(value);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: what XML does not allow at all
      if (/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Surrogate}/u.test(value)) return;
      let seen = '';
      const parser = new SaxesParser();
      parser.on('text', (piece) => {
        seen += piece;
      });
      parser.write(`<m>${source}</m>`).close();
      expect(seen).toBe(value);
    }),
    { numRuns: 300 },
  );
});

test('references of every form are decoded and line ends normalised', () => {
  expect(decode('&lt;&gt;&amp;&quot;&apos;&#60;&#x3C;&#x3c;&#0060;&#x1F642;&#13;&#10;', 'escaped')).toBe(
    `<>&"'<<<<🙂\r\n`,
  );
  expect(decode('a\r\nb\rc\nd\r', 'escaped')).toBe('a\nb\nc\nd\n');
  expect(decode('&amp;lt;&amp;#60;', 'escaped')).toBe('&lt;&#60;');
});

test('CDATA sections are joined, and their line ends normalised', () => {
  expect(decode('<![CDATA[<a>]]>', 'cdata')).toBe('<a>');
  expect(decode('\n <![CDATA[<a>]]]]><![CDATA[>&amp;\r\n\rx</a>]]> ', 'cdata')).toBe('<a>]]>&amp;\n\nx</a>');
});

test('Base64 is decoded, with white space in it', () => {
  expect(decode(' PGE+w6k8\r\nL2E+ \n', 'base64')).toBe('<a>é</a>');
});

test('markup is the document already', () => {
  expect(decode('<a>&lt;\r\n</a>', 'plain')).toBe('<a>&lt;\r\n</a>');
});

test.each<[DocumentEncoding, string]>([
  ['escaped', '&lt;a&nbsp;'],
  ['escaped', '&lt;a&toString;'],
  ['escaped', '&lt;a & b'],
  ['escaped', '&lt;a &'],
  ['escaped', '&lt;a &lt'],
  ['escaped', '&lt;a&#0;'],
  ['escaped', '&lt;a&#xD800;'],
  ['escaped', '&lt;a&#x110000;'],
  ['escaped', '&lt;a&#xFFFF;'],
  ['escaped', '&lt;a&#;'],
  ['escaped', '&lt;a&#x;'],
  ['escaped', `&lt;a&${'x'.repeat(100)};`],
  ['escaped', '&lt;a&gt;<b/>'],
  ['cdata', '<![CDATA[<a>'],
  ['cdata', '<![CDATA[<a>]]><b/>'],
  ['base64', 'PGE'],
  ['base64', 'P!E+'],
])('%s text %s is refused', async (encoding, text) => {
  expect((await failureOf(() => decode(text, encoding))).code).toBe('XML_MALFORMED');
});

test('the way a document is embedded is told from its beginning', () => {
  const detect = (text: string) => detectDocumentEncoding(Buffer.from(text));
  expect(detect(' \r\n<upd:Update xmlns')).toBe('plain');
  expect(detect('<!-- c --><a/>')).toBe('plain');
  expect(detect('&lt;a&gt;')).toBe('escaped');
  expect(detect('&#60;a')).toBe('escaped');
  expect(detect('&#x3C;a')).toBe('escaped');
  expect(detect('\n<![CDATA[<a/>]]>')).toBe('cdata');
  expect(detect('PGE+PC9hPg==')).toBe('base64');
  for (const text of ['', '  ', 'hello world!', '{"a":1}', '&amp;']) expect(detect(text)).toBeUndefined();
});
