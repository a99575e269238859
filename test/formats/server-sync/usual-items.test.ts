/** Items that real servers write are read from the text at once; byte by byte they are read as XML. Both must agree. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { readGetRevisionIdListReply } from '../../../src/formats/server-sync/get-revision-id-list.js';
import {
  readGetUpdateDataReply,
  type UpdateDataItem,
} from '../../../src/formats/server-sync/get-update-data.js';
import type { UpdateIdentity } from '../../../src/model/update-identity.js';
import { fc } from '../../helpers/properties.js';
import { readEveryWay, reply } from '../soap/reply-cases.js';

const readItems = (text: string) =>
  readEveryWay(reply('GetUpdateData', text), async (chunks) => {
    const items: UpdateDataItem[] = [];
    for await (const some of readGetUpdateDataReply(chunks)) items.push(...some);
    return items;
  });

const readIdentities = (text: string) =>
  readEveryWay(reply('GetRevisionIdList', text), async (chunks) => {
    const list = readGetRevisionIdListReply(chunks);
    const identities: UpdateIdentity[] = [];
    for (;;) {
      const next = await list.next();
      if (next.done === true) return { identities, anchor: next.value.anchor };
      identities.push(...next.value);
    }
  });

const sha1Of = (content: string) => createHash('sha1').update(content).digest('base64');
const guid = fc
  .uuid()
  .chain((id) =>
    fc.constantFrom(
      ...new Array<string>(40).fill(id),
      id.toUpperCase(),
      `{${id}}`,
      ` ${id}`,
      id.replaceAll('-', ''),
      '',
    ),
  );
const revision = fc.oneof(
  { weight: 40, arbitrary: fc.nat(1_000).map(String) },
  fc.constantFrom('2147483647', '2147483648', '-1', '', ' 7 ', '1e3', '0x1', '000000101'),
);
const digest = fc.oneof(
  { weight: 40, arbitrary: fc.string().map(sha1Of) },
  fc.constantFrom(
    '',
    'AAAA',
    `${sha1Of('x')}\n`,
    sha1Of('x').replace('=', 'A'),
    `${sha1Of('x').slice(0, 26)}/=`,
  ),
);
const blob = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.uint8Array({ minLength: 1 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  },
  fc.constantFrom(
    '',
    '=',
    'AAE',
    'AA-_',
    'AAEC\r\nAwQF',
    'A&#65;EC',
    'A&amp;',
    '<![CDATA[AAEC]]>',
    'AA<b/>EC',
    '\u0001AAE',
  ),
);
const tag = (name: string, inner: string) => (inner === '' ? `<${name} />` : `<${name}>${inner}</${name}>`);
const identity = fc
  .tuple(guid, revision)
  .map(([id, number]) => tag('UpdateID', id) + tag('RevisionNumber', number));
const digests = fc
  .array(digest, { maxLength: 3 })
  .map((all) => tag('FileDigestList', all.map((each) => tag('base64Binary', each)).join('')));
const update = fc
  .tuple(
    identity,
    fc.option(digests),
    blob,
    fc.constantFrom('XmlUpdateBlobCompressed', 'XmlUpdateBlobCompressed', 'XmlUpdateBlob'),
  )
  .map(([id, files, text, name]) =>
    tag('ServerSyncUpdateData', `${tag('Id', id)}${files ?? ''}${tag(name, text)}`),
  );
const address = fc.constantFrom(
  'http://download.windowsupdate.com/c/am_delta_87f5.exe',
  'http://example.com/?a=1&amp;b=2',
  'http://example.com/gr\u00fcn.cab',
  ' http://example.com/x ',
  `http://example.com/${'x'.repeat(1_100)}`,
  'a"b\'c',
  'http://example.com/a]]>b',
  'http://example.com/?a>b',
  '',
);
const location = fc
  .tuple(digest, address, address, fc.boolean())
  .map(([file, muUrl, ussUrl, isEmpty]) =>
    tag(
      'ServerSyncUrlData',
      tag('FileDigest', file) + tag('MUUrl', muUrl) + tag('UssUrl', isEmpty ? '' : ussUrl),
    ),
  );

/** One character of it replaced, or all of it as it is. */
const damage = (text: fc.Arbitrary<string>) =>
  fc
    .tuple(
      text,
      fc.option(fc.tuple(fc.nat(), fc.constantFrom('<', '>', '&', '/', ' ', 'x', '\u0001', '\u00e9', ''))),
    )
    .map(([whole, change]) => {
      if (change === null || whole === '') return whole;
      const at = change[0] % whole.length;
      return whole.slice(0, at) + change[1] + whole.slice(at + 1);
    });

test('updates and file locations, usual and not, whole and damaged', async () => {
  let count = 0;
  const lists = fc
    .tuple(fc.array(update, { maxLength: 4 }), fc.array(location, { maxLength: 4 }))
    .map(([updates, locations]) => tag('updates', updates.join('')) + tag('fileUrls', locations.join('')));
  await fc.assert(
    fc.asyncProperty(damage(lists), async (text) => {
      const items = await readItems(text).catch(() => []);
      count += items.length;
    }),
    { numRuns: 800 },
  );
  expect(count).toBeGreaterThan(200);
});

test('lists of revisions, usual and not, whole and damaged', async () => {
  let count = 0;
  const list = fc
    .array(
      identity.map((inner) => tag('UpdateIdentity', inner)),
      { maxLength: 6 },
    )
    .map((all) => `${tag('NewRevisions', all.join(''))}<Anchor>1,2</Anchor>`);
  await fc.assert(
    fc.asyncProperty(damage(list), async (text) => {
      const result = await readIdentities(text).catch(() => undefined);
      count += result?.identities.length ?? 0;
    }),
    { numRuns: 800 },
  );
  expect(count).toBeGreaterThan(200);
});

test('what a usual item says', async () => {
  const id = '266f6222-c89d-43f2-9f8a-69340271e677';
  const file = sha1Of('file');
  const text =
    `<updates><ServerSyncUpdateData><Id><UpdateID>${id}</UpdateID><RevisionNumber>200</RevisionNumber></Id><FileDigestList>` +
    `<base64Binary>${file}</base64Binary><base64Binary>${sha1Of('')}</base64Binary></FileDigestList><XmlUpdateBlobCompressed>` +
    'TVNDRg==</XmlUpdateBlobCompressed></ServerSyncUpdateData></updates><fileUrls><ServerSyncUrlData><FileDigest>' +
    `${file}</FileDigest><MUUrl>http://example.com/a.exe</MUUrl><UssUrl /></ServerSyncUrlData></fileUrls>`;
  expect(await readItems(text)).toEqual([
    {
      type: 'update',
      update: {
        identity: { updateId: id, revisionNumber: 200 },
        blob: { form: 'cabinet', bytes: Buffer.from('MSCF') },
        fileSha1s: [hexOf(file), hexOf(sha1Of(''))],
      },
    },
    {
      type: 'file-location',
      location: {
        sha1: hexOf(file),
        muUrl: 'http://example.com/a.exe',
        ussUrl: undefined,
        decryptionKey: undefined,
      },
    },
  ]);
});

function hexOf(base64: string): string {
  return Buffer.from(base64, 'base64').toString('hex').toUpperCase();
}
