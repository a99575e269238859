import { expect, test } from 'vitest';
import { type ElementItem, readReplyItems } from '../../../src/formats/soap/reply-reader.js';
import { fc } from '../../helpers/properties.js';
import { chunksOf, readEveryWay, reply, SD } from './reply-cases.js';

const SHAPE = { operation: 'Op', namespace: SD, streamed: { list: 'item' }, unchecked: 'blob' };

/** Byte by byte nothing is ever at hand to be read ahead, so that both ways have to agree. */
const read = (text: string) =>
  readEveryWay(text, async (chunks) => {
    const items: ElementItem[] = [];
    for await (const some of readReplyItems(chunks, SHAPE)) items.push(...some);
    return items;
  });

const field = fc.constantFrom(
  '<a>1</a>',
  '<a/>',
  '<a />',
  '<a></a>',
  '<blob>AAEC</blob>',
  '<blob><c/></blob>',
  '<blob>A&#65;\r\n</blob>',
  '<blob>]]>\u0001</blob>',
  '<a>1 &amp; 2</a>',
  '<a>&lt;b c=&quot;d&quot;&gt;&#xD;\r\n&#10;&lt;/b&gt;</a>',
  '<a>\ufeff]]</a>',
  '<a>grün</a>',
  '<a>x]y</a>',
  '<a>\r\n</a>',
  '<a b="1">1</a>',
  '<a xsi:nil="true"/>',
  '<x:a xmlns:x="urn:x">1</x:a>',
  '<ids><id>1</id><id>2</id></ids>',
  '<ids> <id>1</id> </ids>',
  '<ids><!-- none --></ids>',
  '<a><![CDATA[<b>]]></a>',
  '<a><b><c><d><e><f><g><h><i>deep</i></h></g></f></e></d></c></b></a>',
  ' ',
  'text',
);
const item = fc
  .tuple(fc.constantFrom('<item>', '<item >', '<item a="1">', '<item xsi:nil="true">'), fc.array(field))
  .map(([start, fields]) => `${start}${fields.join('')}</item>`);
const list = fc.array(
  fc.oneof({ weight: 8, arbitrary: item }, fc.constantFrom('<item/>', '<other>1</other>', ' ')),
);

test('items are the same whether they are read ahead or piece by piece', async () => {
  await fc.assert(
    fc.asyncProperty(list, async (items) => {
      await read(reply('Op', `<list>${items.join('')}</list>`));
    }),
    { numRuns: 200 },
  );
});

test('damage is found, and said, the same whether items are read ahead or piece by piece', async () => {
  const damage = fc.tuple(
    fc.nat(),
    fc.constantFrom(
      '<',
      '>',
      '&',
      '/',
      '"',
      ' ',
      ':',
      ']',
      '\u0001',
      '\r',
      'é',
      '\uffff',
      '&unknown;',
      '&#0;',
      '',
    ),
  );
  await fc.assert(
    fc.asyncProperty(list, fc.array(damage, { minLength: 1, maxLength: 3 }), async (items, damages) => {
      let text = `<list>${items.join('')}</list>`;
      for (const [where, char] of damages) {
        const at = where % text.length;
        text = text.slice(0, at) + char + text.slice(at + 1);
      }
      await read(reply('Op', text)).catch(() => {});
    }),
    { numRuns: 400 },
  );
});

test('damage in front of the end of a whole reply is no reply that broke off', async () => {
  const shape = { operation: 'Op', namespace: SD, streamedResult: 'item' };
  const name = 'long'.repeat(30);
  for (const items of ['<item>&amp</item>', `<item><${name}>1</item>`]) {
    const reading = readEveryWay(reply('Op', items), async (chunks) => {
      for await (const _ of readReplyItems(chunks, shape));
    });
    await expect(reading, items).rejects.toMatchObject({ code: 'UPSTREAM_MALFORMED' });
  }
});

test('an item that is read ahead may not hold more elements than any other', async () => {
  const many = `<list><item>${'<a/>'.repeat(100_001)}</item></list>`;
  const reading = async () => {
    for await (const _ of readReplyItems(chunksOf(reply('Op', many)), SHAPE));
  };
  await expect(reading).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
});
