import { expect, test } from 'vitest';
import { decodeDocument } from '../../../src/formats/export-package/document-encoding.js';
import { decodeUsualText } from '../../../src/formats/export-package/escaped-text.js';
import { fc } from '../../helpers/properties.js';

/** A character beyond ASCII in a reference: read without WebAssembly, all of it. */
const UNUSUAL = '&#xE9;';

function decodeUsual(text: string): string | undefined {
  const decoded = decodeUsualText(Buffer.from(text), (size) => Buffer.allocUnsafe(size));
  return decoded === undefined ? undefined : Buffer.from(decoded).toString();
}

/** What the other decoder makes of it; undefined if it refuses. */
function decodeOtherwise(text: string): string | undefined {
  try {
    const document = decodeDocument(Buffer.from(text + UNUSUAL), 'escaped');
    return Buffer.from(document).toString().slice(0, -1);
  } catch {
    return undefined;
  }
}

const piece = fc.oneof(
  fc.constantFrom('&lt;', '&gt;', '&amp;', '&quot;', '&apos;', '&#60;', '&#x3C;', '&#x3c;', '&#xD;', '&#13;'),
  fc.constantFrom('&#9;', '&#000010;', '&#127;', '&#128;', '&#0;', '&#x;', '&#;', '&#x1F642;', '&#1114112;'),
  fc.constantFrom(
    '&',
    '&l',
    't;',
    'lt;',
    '&amp',
    ';',
    '#',
    'x',
    '&LT;',
    '&quot',
    '&none;',
    '&#65',
    '<',
    '\r',
  ),
  fc.constantFrom('é', '🙂', '\n', '\t', ']]>', ' '),
  fc.stringMatching(/^[a-z"'= ]{1,40}$/),
);

test('what it reads is what the other decoder reads, and the rest is left to that one', () => {
  const text = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
    fc.array(fc.constantFrom('&lt;', '&gt;', 'name="value"', 'text of some length', '&amp;'), {
      maxLength: 60,
    }),
  );
  fc.assert(
    fc.property(text, fc.nat(40), (value, shift) => {
      const source = 'x'.repeat(shift) + (typeof value === 'string' ? value : value.join(''));
      const usual = decodeUsual(source);
      if (usual !== undefined) expect(usual).toBe(decodeOtherwise(source));
      else expect(source).toMatch(/[<\r]|&(?!lt;|gt;|amp;|quot;|apos;)/);
    }),
    { numRuns: 3000 },
  );
});

test('the usual is not left to the other one', () => {
  expect(decodeUsual('&lt;a b=&quot;c&quot; d=&apos;&#39;&apos;>é&#xD;\n&amp;🙂&lt;/a&gt;')).toBe(
    `<a b="c" d='''>é\r\n&🙂</a>`,
  );
  expect(decodeUsual('')).toBe('');
});

test('what an earlier text left in the memory completes no reference', () => {
  for (let length = 1; length < 40; length++) {
    const text = `${'x'.repeat(length)}&lt;&#13;&amp;&quot;`;
    for (let end = 1; end <= text.length; end++) {
      decodeUsual('t;'.repeat(60));
      decodeUsual(text);
      const cut = text.slice(0, end);
      const isWhole = /^x*(?:&[#a-z0-9]+;)*$/.test(cut);
      expect(decodeUsual(cut), cut).toBe(isWhole ? decodeOtherwise(cut) : undefined);
    }
  }
});

test('a long text is not its business', () => {
  expect(decodeUsual('x'.repeat(1024 * 1024))).toHaveLength(1024 * 1024);
  expect(decodeUsual('x'.repeat(1024 * 1024 + 1))).toBeUndefined();
});
