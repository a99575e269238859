import { describe, expect, test } from 'vitest';
import { DEFAULT_XML_LIMITS, type XmlElement, XmlReader } from '../../../src/formats/xml/xml-reader.js';
import { fc } from '../../helpers/properties.js';
import { readWithOurs } from './xml-events.js';

const RICH =
  '<?xml version="1.0"?>\r\n<!-- c --><u:a xmlns:u="urn:u" k=\'1 &lt; "2"\'>text &amp; Grö\u{1f600}\r\nße<b xmlns="urn:b" u:k="\tx\r\ny"/>' +
  '<![CDATA[ ]] <&> \r ]]>]]<?pi x > ?><c></c ><!-- - -->end &#x20AC;</u:a>\r';

const asBytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

describe('events', () => {
  test('elements carry namespace, prefix, depth and decoded attributes', () => {
    const seen: unknown[] = [];
    const reader = new XmlReader({
      start(element) {
        const { local, prefix, uri, depth } = element;
        seen.push([
          { local, prefix, uri, depth },
          element.attribute('type'),
          element.attributeNs('urn:x', 'type'),
          element.attribute('xmlns'),
          element.resolvePrefix('cmd'),
          element.resolvePrefix('nobody'),
          element.attributes(),
        ]);
      },
      end: () => undefined,
      text: () => undefined,
    });
    reader.write(
      '<r><x:e xmlns:x="urn:x" xmlns="urn:d" xmlns:cmd="urn:c" x:type="cmd:I" type="a&#9;b\tc"/></r>',
    );
    reader.end();
    expect(seen).toEqual([
      [
        { local: 'r', prefix: '', uri: '', depth: 1 },
        undefined,
        undefined,
        undefined,
        undefined,
        undefined,
        [],
      ],
      [
        { local: 'e', prefix: 'x', uri: 'urn:x', depth: 2 },
        'a\tb c',
        'cmd:I',
        undefined,
        'urn:c',
        undefined,
        [
          { prefix: 'x', local: 'type', uri: 'urn:x', value: 'cmd:I' },
          { prefix: '', local: 'type', uri: '', value: 'a\tb c' },
        ],
      ],
    ]);
  });

  test('a namespace declaration ends with its element', () => {
    const { events } = readWithOurs([
      '<a xmlns="1" xmlns:p="2"><b xmlns="" xmlns:p="3"><p:c/></b><p:d/><e/></a>',
    ]);
    expect(events.filter((event) => event[0] === 'start').map((event) => `${event[1]}|${event[2]}`)).toEqual([
      '1|a',
      '|b',
      '3|c',
      '2|d',
      '1|e',
    ]);
  });

  test('line ends are normalised, references to them are not', () => {
    const { events } = readWithOurs(['<a>1\r\n2\r3\n4&#13;5<![CDATA[\r\n\r]]></a>']);
    expect(events[1]).toEqual(['text', '1\n2\n3\n4\r5\n\n']);
  });

  test('UTF-8 bytes are decoded in text, attributes and names, and references stay whole', () => {
    const document = '<Größe é="ü&#x20AC;">漢 &#x1F600;😀<![CDATA[ß]]></Größe>';
    expect(readWithOurs([asBytes(document)], { encoding: 'utf8-bytes' })).toEqual(readWithOurs([document]));
    expect(readWithOurs([document]).events[1]).toEqual(['text', '漢 😀😀ß']);
  });

  test('a prototype name is a name like any other', () => {
    const { events } = readWithOurs(['<__proto__ constructor="1" __proto__="2"/>']);
    expect(events[0]).toEqual([
      'start',
      '',
      '__proto__',
      1,
      [
        ['', 'constructor', '1'],
        ['', '__proto__', '2'],
      ],
    ]);
  });
});

describe('skip', () => {
  const skipB = (element: XmlElement) => (element.local === 'b' ? 'skip' : undefined);

  test('a skipped element causes its own end and nothing else', () => {
    const { events, error } = readWithOurs(['<a>1<b x="1">2<c/><![CDATA[3]]></b>4<b/>5</a>'], {}, skipB);
    expect(error).toBeUndefined();
    expect(events.map((event) => event.slice(0, 3).join(' '))).toEqual([
      'start  a',
      'text 1',
      'start  b',
      'end b 2',
      'text 4',
      'start  b',
      'end b 2',
      'text 5',
      'end a 1',
    ]);
  });

  test.each([
    '<a><b><c></d></b></a>',
    '<a><b><p:c/></b></a>',
    '<a><b>&copy;</b></a>',
    '<a><b>\u0001</b></a>',
    '<a><b><c d="1" d="2"/></b></a>',
    '<a><b>]]></b></a>',
  ])('a skipped subtree is still checked: %s', (document) => {
    expect(readWithOurs([document], {}, skipB).error).toMatchObject({ code: 'XML_MALFORMED' });
  });

  test('declarations inside a skipped subtree end with it', () => {
    const { error } = readWithOurs(['<a><b xmlns:p="urn:p"><p:c/></b><p:d/></a>'], {}, skipB);
    expect(error).toMatchObject({ code: 'XML_MALFORMED' });
  });
});

describe('raw', () => {
  const rawB = (element: XmlElement) => (element.local === 'b' ? 'raw' : undefined);
  const content =
    'x &amp; \r\n<c d=">" e=\'</b>\'/><b>&undefined;</b><!-- </b> --><![CDATA[</b>]]>\r<?p </b> ?><z:y\n></z:y >';

  test('the content of a raw element arrives character by character as it stands', () => {
    const document = `<a>1<b>${content}</b>2<b/></a>`;
    const whole = readWithOurs([document], {}, rawB);
    expect(whole.error).toBeUndefined();
    expect(whole.events.filter((event) => event[0] === 'raw')).toEqual([['raw', content]]);
    expect(whole.events.map((event) => event[0])).toEqual([
      'start',
      'text',
      'start',
      'raw',
      'end',
      'text',
      'start',
      'end',
      'end',
    ]);
    expect(readWithOurs(document, {}, rawB)).toEqual(whole);
  });

  test('bytes of a raw element are not decoded', () => {
    const { events } = readWithOurs([asBytes('<b>ü</b>')], { encoding: 'utf8-bytes' }, rawB);
    expect(events[1]).toEqual(['raw', 'Ã¼']);
  });

  test.each([
    '<a><b><c></d></b></a>',
    '<a><b><c></b></a>',
    '<a><b><!DOCTYPE x></b></a>',
    '<a><b><!-- -- --></b></a>',
  ])('nesting inside a raw element is checked: %s', (document) => {
    expect(readWithOurs([document], {}, rawB).error).toMatchObject({ code: 'XML_MALFORMED' });
  });

  test('depth inside a raw element is limited', () => {
    const document = `<b>${'<c>'.repeat(300)}${'</c>'.repeat(300)}</b>`;
    expect(readWithOurs([document], {}, rawB).error).toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });
});

describe('well-formedness', () => {
  test.each([
    ['mismatched end tag', '<a><b></a></b>', '</a> where </b> is expected, at offset 6'],
    [
      'end tag that only begins like the open element',
      '<a></ab>',
      '</ab> where </a> is expected, at offset 3',
    ],
    ['end tag without a start', '</a>', 'end tag without a start tag, at offset 0'],
    ['two roots', '<a/><b/>', 'second root element <b>, at offset 4'],
    ['text before the root', 'x<a/>', 'text outside the root element, at offset 0'],
    ['text after the root', '<a/> x', 'text outside the root element, at offset 5'],
    ['a reference outside the root', '<a/>&#32;', 'text outside the root element, at offset 4'],
    ['CDATA outside the root', '<![CDATA[]]><a/>', 'CDATA outside the root element, at offset 0'],
    ['no element', '<!-- only a comment -->', 'there is no element, at offset 23'],
    ['duplicate attribute', '<a b="1" b="2"/>', 'attribute b occurs twice, at offset 9'],
    ['duplicate declaration', '<a xmlns:b="1" xmlns:b="2"/>', 'attribute xmlns:b occurs twice, at offset 15'],
    [
      'duplicate by expanded name',
      '<a xmlns:p="u" xmlns:q="u" p:x="" q:x=""/>',
      'occurs twice under different prefixes',
    ],
    ['unbound element prefix', '<p:a/>', 'prefix of p:a is not bound to a namespace, at offset 0'],
    ['unbound attribute prefix', '<a p:b=""/>', 'prefix of p:b is not bound to a namespace, at offset 0'],
    ['undeclared prefix', '<a xmlns:p=""/>', 'prefix p bound to nothing, at offset 0'],
    ['xml bound elsewhere', '<a xmlns:xml="u"/>', '"xml" may not be bound to "u"'],
    ['another prefix for xml', '<a xmlns:p="http://www.w3.org/XML/1998/namespace"/>', '"p" may not be bound'],
    ['xmlns declared', '<a xmlns:xmlns="u"/>', '"xmlns" may not be bound to "u"'],
    ['xmlns as element prefix', '<xmlns:a/>', 'prefix of xmlns:a is not bound'],
    ['two colons', '<a:b:c xmlns:a="u"/>', '"a:b:c" is not a name, at offset 1'],
    ['a name that begins with a digit', '<1/>', '"1" is not a name, at offset 1'],
    ['a local name that begins with a digit', '<p:1 xmlns:p="u"/>', '"p:1" is not a name'],
    ['white space before a name', '< a/>', '"" is not a name, at offset 1'],
    ['"<" in a value', '<a b="<"/>', '"<" in the value of b, at offset 6'],
    ['a value without quotes', '<a b=c/>', 'the value of b is not quoted, at offset 5'],
    ['an attribute without value', '<a b/>', 'attribute b has no value, at offset 4'],
    ['attributes without space', '<a b="1"c="2"/>', 'no white space before an attribute, at offset 8'],
    ['a slash inside a tag', '<a / b="1"/>', '"/" inside a start tag, at offset 3'],
    ['an undefined entity', '<a>&copy;</a>', 'unknown reference "&copy;", at offset 3'],
    ['an undefined entity in a value', '<a b="&copy;"/>', 'unknown reference "&copy;", at offset 6'],
    ['a bare ampersand', '<a>a & b</a>', '"&" that begins no reference, at offset 5'],
    ['an empty reference', '<a>&;</a>', 'unknown reference "&;", at offset 3'],
    ['a reference to NUL', '<a>&#0;</a>', 'unknown reference "&#0;"'],
    ['a reference to a surrogate', '<a>&#xD800;</a>', 'unknown reference "&#xD800;"'],
    ['a reference beyond Unicode', '<a>&#x110000;</a>', 'unknown reference "&#x110000;"'],
    ['a reference with a capital X', '<a>&#X41;</a>', 'unknown reference "&#X41;"'],
    ['a control character', '<a>\u0007</a>', 'character 0x07 is not allowed in XML, at offset 3'],
    [
      'a control character in a value',
      '<a b="\u0000"/>',
      'character 0x00 is not allowed in XML, at offset 6',
    ],
    ['a control character in a comment', '<a><!--\u0001--></a>', 'character 0x01 is not allowed'],
    ['a control character in CDATA', '<a><![CDATA[\u0001]]></a>', 'character 0x01 is not allowed'],
    ['a control character in an instruction', '<a><?p \u0001?></a>', 'character 0x01 is not allowed'],
    ['U+FFFE', '<a>\ufffe</a>', 'character 0xfffe is not allowed'],
    ['half a surrogate pair', '<a>\ud83dx</a>', 'character 0xd83d is not allowed'],
    ['the other half', '<a>x\ude00</a>', 'character 0xde00 is not allowed'],
    ['"]]>" in text', '<a>x]]>y</a>', '"]]>" in text, at offset 4'],
    ['"--" in a comment', '<a><!-- a -- b --></a>', '"--" inside a comment, at offset 10'],
    ['a comment that ends with three hyphens', '<a><!-- a ---></a>', '"--" inside a comment'],
    ['a DOCTYPE', '<!DOCTYPE a><a/>', 'DOCTYPE is not allowed, at offset 0'],
    [
      'an entity bomb',
      '<!DOCTYPE a [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><a>&b;</a>',
      'DOCTYPE is not allowed',
    ],
    ['other declarations', '<!ELEMENT a ANY><a/>', 'unknown markup after "<!", at offset 0'],
    ['an instruction without target', '<? x?><a/>', 'without a valid target, at offset 0'],
    ['a late XML declaration', ' <?xml version="1.0"?><a/>', 'only at the very start, at offset 1'],
    ['an instruction named XML', '<?XML version="1.0"?><a/>', 'only at the very start, at offset 0'],
    ['an XML declaration without version', '<?xml encoding="utf-8"?><a/>', 'malformed XML declaration'],
    [
      'an XML declaration in the wrong order',
      '<?xml version="1.0" standalone="no" encoding="x"?><a/>',
      'malformed XML',
    ],
  ])('%s is refused', (_name, document, message) => {
    const { error } = readWithOurs([document]);
    expect(error).toMatchObject({ code: 'XML_MALFORMED', message: expect.stringContaining(message) });
    expect(readWithOurs(document).error, 'one character at a time').toMatchObject({ code: 'XML_MALFORMED' });
  });

  test('U+FFFE in UTF-8 bytes is refused, its neighbours are not', () => {
    const options = { encoding: 'utf8-bytes' } as const;
    expect(readWithOurs([asBytes('<a>\ufffe</a>')], options).error).toMatchObject({ code: 'XML_MALFORMED' });
    expect(readWithOurs([asBytes('<a b="\uffff"/>')], options).error).toMatchObject({
      code: 'XML_MALFORMED',
    });
    expect(readWithOurs([asBytes('<a>\ufffd\uff5e\ufb01</a>')], options).error).toBeUndefined();
  });

  test('messages name the thing that is read', () => {
    expect(readWithOurs(['<a'], { what: 'package.xml' }).error).toMatchObject({
      message: expect.stringMatching(/^package\.xml: /),
    });
  });
});

describe('pieces', () => {
  const options = { encoding: 'utf8-bytes' } as const;
  const whole = readWithOurs([RICH]);

  test('one character at a time gives the same events', () => {
    expect(whole.error).toBeUndefined();
    expect(readWithOurs(RICH.split(''))).toEqual(whole);
    expect(readWithOurs(asBytes(RICH).split(''), options)).toEqual(whole);
  });

  test('any cut gives the same events', () => {
    const bytes = asBytes(RICH);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
        const pieces = at.slice(1).map((end, index) => bytes.slice(at[index], end));
        expect(readWithOurs(pieces, options)).toEqual(whole);
      }),
    );
  });

  test('any cut of a damaged document gives the same verdict', () => {
    const damaged = fc
      .record({
        at: fc.nat(RICH.length),
        insert: fc.constantFrom('<', '>', '&', '"', ']]>', '--', '</c>', '\u0000', ''),
      })
      .map(({ at, insert }) => RICH.slice(0, at) + insert + RICH.slice(at + 1));
    fc.assert(
      fc.property(damaged, fc.integer({ min: 1, max: 20 }), (document, size) => {
        const pieces = document.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
        const inOne = readWithOurs([document]);
        const inPieces = readWithOurs(pieces);
        expect(inPieces.error === undefined).toBe(inOne.error === undefined);
        if (inOne.error === undefined) expect(inPieces.events).toEqual(inOne.events);
      }),
      { numRuns: 2_000 },
    );
  });

  test('a document cut short anywhere is refused, naming what is open', () => {
    const root = RICH.lastIndexOf('>') + 1;
    for (let length = 0; length < root; length++) {
      const { error } = readWithOurs([RICH.slice(0, length)]);
      expect(error, RICH.slice(0, length)).toMatchObject({ code: 'XML_MALFORMED' });
    }
    const reader = new XmlReader({ start: () => undefined, end: () => undefined, text: () => undefined });
    reader.write('<ExportPackage><updates><update><metadata>&lt;up');
    expect(reader.openElements).toEqual(['ExportPackage', 'updates', 'update', 'metadata']);
    expect(() => reader.end()).toThrow(
      expect.objectContaining({
        message:
          'XML document: the document ends too early, at offset 48; elements not closed: metadata, update, updates, ExportPackage',
        details: { offset: 48, openElements: ['ExportPackage', 'updates', 'update', 'metadata'] },
      }),
    );
  });
});

describe('limits', () => {
  const { maxDepth, maxAttributes, maxNameLength } = DEFAULT_XML_LIMITS;
  const nested = (depth: number) => '<a>'.repeat(depth) + '</a>'.repeat(depth);
  const attributes = (count: number) =>
    `<a ${Array.from({ length: count }, (_, i) => `a${i}=""`).join(' ')}/>`;
  const named = (length: number) => `<${'n'.repeat(length)}/>`;

  test.each([
    ['depth', nested(maxDepth), nested(maxDepth + 1)],
    ['attributes', attributes(maxAttributes), attributes(maxAttributes + 1)],
    ['the length of an element name', named(maxNameLength), named(maxNameLength + 1)],
    [
      'the length of an attribute name',
      `<a ${'n'.repeat(maxNameLength)}=""/>`,
      `<a ${'n'.repeat(maxNameLength + 1)}=""/>`,
    ],
  ])('%s has a limit', (_name, allowed, tooMuch) => {
    expect(readWithOurs([allowed]).error).toBeUndefined();
    expect(readWithOurs([tooMuch]).error).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(readWithOurs(tooMuch).error).toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  test('a tag has a limit, however it arrives; text, comments and CDATA have none', () => {
    const options = { limits: { maxTokenLength: 100 } };
    const long = 'x'.repeat(1000);
    for (const document of [
      `<a b="${long}"/>`,
      `<a><?p ${long}?></a>`,
      `<a></a${' '.repeat(200)}>`,
      `<a b="${long}`,
    ]) {
      expect(readWithOurs([document], options).error).toMatchObject({ code: 'LIMIT_EXCEEDED' });
      expect(readWithOurs(document, options).error).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    }
    for (const document of [`<a>${long}</a>`, `<a><!--${long}--></a>`, `<a><![CDATA[${long}]]></a>`]) {
      expect(readWithOurs([document], options).error).toBeUndefined();
      expect(readWithOurs(document, options).error).toBeUndefined();
    }
  });

  test('a long reference is refused', () => {
    expect(readWithOurs([`<a>&#${'0'.repeat(100)}65;</a>`]).error).toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  test('a million siblings are read', () => {
    const reader = new XmlReader({ start: () => void count++, end: () => undefined, text: () => undefined });
    let count = 0;
    reader.write('<r>');
    for (let i = 0; i < 1000; i++) reader.write('<e a="1"/>'.repeat(1000));
    reader.write('</r>');
    reader.end();
    expect(count).toBe(1_000_001);
  });

  test('endless new names and prefixes are read, and bindings survive them', () => {
    const names = Array.from({ length: 10_000 }, (_, i) => `<n${i} xmlns:p${i}="u" p${i}:a="" k:b=""/>`);
    const { events, error } = readWithOurs(['<k:r xmlns:k="urn:k">', ...names, '<k:last/></k:r>']);
    expect(error).toBeUndefined();
    expect(events.at(-3)).toEqual(['start', 'urn:k', 'last', 2, []]);
  });
});

test('names chosen to share one place in the cache are read, and duplicates among them found', () => {
  // "Aa" and "BB" have the same polynomial hash, so have all words made of them.
  const words = Array.from({ length: 4096 }, (_, i) =>
    i.toString(2).padStart(12, '0').replaceAll('0', 'Aa').replaceAll('1', 'BB'),
  );
  const document = `<r>${words.map((word) => `<${word}/>`).join('')}</r>`;
  const { events, error } = readWithOurs([document]);
  expect(error).toBeUndefined();
  expect(events.filter((event) => event[0] === 'start').map((event) => event[2])).toEqual(['r', ...words]);
  const attributes = words.slice(0, 200).map((word) => `${word}=""`);
  expect(readWithOurs([`<r ${attributes.join(' ')}/>`]).error).toBeUndefined();
  expect(readWithOurs([`<r ${attributes.join(' ')} ${words[0]}=""/>`]).error).toMatchObject({
    message: expect.stringContaining('occurs twice'),
  });
});

test('a reader refuses to go on after an error until it is reset', () => {
  const texts: string[] = [];
  const reader = new XmlReader({
    start: () => undefined,
    end: () => undefined,
    text: (text) => void texts.push(text),
  });
  expect(() => reader.write('<a xmlns:p="u"><b></a>')).toThrow(
    expect.objectContaining({ code: 'XML_MALFORMED' }),
  );
  expect(() => reader.write('</b>')).toThrow('used after an error');
  reader.reset();
  reader.write('<a>again</a>');
  reader.end();
  expect(texts).toEqual(['again']);
  reader.reset();
  expect(() => reader.write('<p:a/>')).toThrow(expect.objectContaining({ code: 'XML_MALFORMED' }));
});
