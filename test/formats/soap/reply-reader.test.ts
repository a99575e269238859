import { expect, test } from 'vitest';
import { readReply, readReplyItems, readResult } from '../../../src/formats/soap/reply-reader.js';
import { itemsOf, optionalText, type SoapElement } from '../../../src/formats/soap/soap-element.js';
import { fc } from '../../helpers/properties.js';
import { all, chunksOf, readEveryWay, reply, replyOfMicrosoftUpdate, SD } from './reply-cases.js';

const SHAPE = { operation: 'Op', namespace: SD };
const STREAMED = { ...SHAPE, streamed: { list: 'item' } };

const read = (text: string) => readEveryWay(text, (chunks) => readResult(chunks, SHAPE));

test('a reply is the same in either server’s dress, with a byte order mark, a header and white space', async () => {
  const result = '<a>1 &amp; 2</a><b><c/></b>';
  const expected = await read(reply('Op', result));
  expect(optionalText(expected, 'a')).toBe('1 & 2');
  expect(await read(replyOfMicrosoftUpdate('Op', result))).toEqual(expected);
  expect(await read(`\ufeff${reply('Op', result)}`)).toEqual(expected);
  const withHeader = reply('Op', result).replace(
    '<soap:Body>',
    '<soap:Header><x xmlns="urn:x">OpResponse</x></soap:Header>\r\n<soap:Body>\n',
  );
  expect(await read(withHeader)).toEqual(expected);
});

test('an element that is nil, absent or empty has no value', async () => {
  const result = await read(reply('Op', '<a xsi:nil="true">x</a><b/><l xsi:nil="1"><i/></l>'));
  expect(optionalText(result, 'a')).toBeUndefined();
  expect(optionalText(result, 'b')).toBeUndefined();
  expect(optionalText(result, 'c')).toBeUndefined();
  expect(itemsOf(result, 'l', 'i')).toEqual([]);
});

test('a field that occurs twice is refused', async () => {
  const result = await read(reply('Op', '<a>1</a><a>2</a>'));
  expect(() => optionalText(result, 'a')).toThrow(expect.objectContaining({ code: 'UPSTREAM_MALFORMED' }));
});

test('streamed items are handed on one by one and are not in the result', async () => {
  const text = reply(
    'Op',
    '<anchor>1</anchor><list> <item><x>1</x></item>\n<other/><item/><item xsi:nil="true"/></list>',
  );
  const items: SoapElement[] = [];
  const reader = readReplyItems(chunksOf(text, 7), STREAMED);
  let result: SoapElement | undefined;
  for (;;) {
    const next = await reader.next();
    if (next.done === true) {
      result = next.value;
      break;
    }
    for (const { list, element } of next.value) {
      expect(list).toBe('list');
      items.push(element);
    }
  }
  expect(items.map(({ children }) => children.length)).toEqual([1, 0]);
  expect(result && optionalText(result, 'anchor')).toBe('1');
  expect(result?.children.find(({ local }) => local === 'list')?.children).toEqual([]);
});

test('items are handed on before the reply has ended', async () => {
  const text = reply('Op', '<list><item>1</item><item>2</item></list>');
  const cut = text.indexOf('<item>2');
  async function* slowly(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(text.slice(0, cut));
    throw new Error('the connection is gone');
  }
  const reader = readReplyItems(slowly(), STREAMED);
  expect((await reader.next()).value).toMatchObject([{ element: { text: '1' } }]);
  await expect(reader.next()).rejects.toThrow('the connection is gone');
});

test('a reply that is cut anywhere is reported as cut off', async () => {
  const text = `\ufeff${reply('Op', '<a>ä€𝄞</a><list><item/></list>')}`;
  const bytes = Buffer.from(text);
  for (let end = 0; end < bytes.length; end++) {
    await expect(
      readReply(chunksOf(bytes.subarray(0, end)), SHAPE),
      `after ${end} bytes`,
    ).rejects.toMatchObject({
      code: 'UPSTREAM_TRUNCATED',
    });
  }
});

test.each([
  ['HTML', '<html><body>Sign in</body></html>', /html/],
  ['HTML that is no XML', '<!DOCTYPE html><html>', /not the XML/],
  ['another operation', reply('Other', ''), /OtherResponse/],
  ['another namespace', reply('Op', '', 'urn:other'), /urn:other/],
  ['an empty body', reply('Op', '').replace(/<OpResponse.*<\/OpResponse>/, ''), /empty/],
  ['two bodies', reply('Op', '').replace('</soap:Body>', '</soap:Body><soap:Body/>'), /two bodies/],
  ['two results', reply('Op', '</OpResult><OpResult>'), /two of OpResult/],
  ['a second element', reply('Op', '').replace('</soap:Body>', '<x/></soap:Body>'), /second element/],
  ['text in the body', reply('Op', '').replace('<soap:Body>', '<soap:Body>hello'), /text/],
  ['no result', reply('Op', '').replace('<OpResult></OpResult>', ''), /no OpResult/],
  ['an entity', reply('Op', '&x;'), /reference/],
  ['a DTD', `<!DOCTYPE x [<!ENTITY a "b">]>${reply('Op', '').replace(/^<\?.*?\?>/, '')}`, /DOCTYPE/],
])('%s instead of the reply is refused', async (_name, text, message) => {
  await expect(read(text)).rejects.toMatchObject({
    code: 'UPSTREAM_MALFORMED',
    message: expect.stringMatching(message),
  });
});

test('bytes that are not UTF-8 are refused', async () => {
  const [before, after] = reply('Op', '<a>~</a>').split('~') as [string, string];
  const bytes = Buffer.concat([Buffer.from(before), Buffer.of(0xc3, 0x28), Buffer.from(after)]);
  await expect(readReply(chunksOf(bytes), SHAPE)).rejects.toMatchObject({ code: 'UPSTREAM_MALFORMED' });
});

test('a reply beyond the limits is refused before it fills the memory', async () => {
  const deep = reply('Op', `${'<a>'.repeat(100)}${'</a>'.repeat(100)}`);
  await expect(read(deep)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  const many = reply('Op', '<a/>'.repeat(100_001));
  await expect(readReply(chunksOf(many), SHAPE)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  const long = readReply(chunksOf(reply('Op', 'x'.repeat(5000))), SHAPE, { maxReplySize: 4000 });
  await expect(long).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  function* endless(): Generator<Uint8Array> {
    yield Buffer.from(reply('Op', '<a>').split('</OpResult>')[0] as string);
    const piece = Buffer.alloc(1 << 20, 'x');
    for (;;) yield piece;
  }
  await expect(readReply(endless(), SHAPE)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
});

test('a streamed list may hold more elements than fit into memory at once', async () => {
  const text = reply('Op', `<list>${'<item/>\n'.repeat(150_000)}</list>`);
  let count = 0;
  for await (const items of readReplyItems(chunksOf(text), STREAMED)) count += items.length;
  expect(count).toBe(150_000);
});

test('pieces of any size give the same items', async () => {
  const text = reply(
    'Op',
    '<list><item>a&amp;b</item><item><![CDATA[<c>]]></item><item>ä€𝄞\r\n</item></list>',
  );
  const expected = await all(readReplyItems(chunksOf(text), STREAMED));
  expect(expected.map(({ element }) => element.text)).toEqual(['a&b', '<c>', 'ä€𝄞\n']);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), async (sizes) => {
      const bytes = Buffer.from(text);
      const pieces: Uint8Array[] = [];
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = sizes[i % sizes.length] as number;
        pieces.push(bytes.subarray(at, at + size), new Uint8Array(0));
        at += size;
      }
      expect(await all(readReplyItems(pieces, STREAMED))).toEqual(expected);
    }),
    { numRuns: 50 },
  );
});
