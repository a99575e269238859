import { expect, test } from 'vitest';
import { instantOf } from '../../../src/formats/server-sync/cookies.js';
import { missingDigestsOf } from '../../../src/formats/server-sync/download-files.js';
import { readGetAuthConfigReply } from '../../../src/formats/server-sync/get-auth-config.js';
import { readGetAuthorizationCookieReply } from '../../../src/formats/server-sync/get-authorization-cookie.js';
import {
  parseProtocolVersion,
  readGetConfigDataReply,
} from '../../../src/formats/server-sync/get-config-data.js';
import { readGetCookieReply, writeGetCookie } from '../../../src/formats/server-sync/get-cookie.js';
import {
  readGetRevisionIdListReply,
  writeGetRevisionIdList,
} from '../../../src/formats/server-sync/get-revision-id-list.js';
import { readGetUpdateDataReply } from '../../../src/formats/server-sync/get-update-data.js';
import { DSS_AUTH_NAMESPACE } from '../../../src/formats/server-sync/service.js';
import { readFault } from '../../../src/formats/soap/reply-reader.js';
import type { SoapFault } from '../../../src/formats/soap/soap-fault.js';
import { fc } from '../../helpers/properties.js';
import { bodyOf, childNamed } from '../../helpers/soap-tree.js';
import {
  all,
  chunksOf,
  faultReply,
  readEveryWay,
  reply,
  replyOfMicrosoftUpdate,
} from '../soap/reply-cases.js';

const GUID = '11111111-2222-4333-8444-555555555501';
const SHA1_TEXT = '2jmj7l5rSw0yVb/vlWAYkK/YBwk=';
const malformed = { code: 'UPSTREAM_MALFORMED' };
const identity = (id = GUID, revision: number | string = 1) =>
  `<UpdateID>${id}</UpdateID><RevisionNumber>${revision}</RevisionNumber>`;

const CONFIG = {
  CatalogOnlySync: 'true',
  LazySync: '1',
  ServerHostsPsfFiles: 'false',
  MaxNumberOfUpdatesPerRequest: '100',
  MaxNumberOfDriverSetsPerRequest: '101',
  MaxNumberOfComputerIdsInRequest: '200',
  MaxNumberOfPnpHardwareIdsInRequest: '450',
  NewConfigAnchor: '2026-10-05 17:27:44.393',
  ProtocolVersion: '1.21',
  LanguageUpdateList: '<ServerSyncLanguageData><LanguageID>0</LanguageID></ServerSyncLanguageData>',
  MaxUpdatesPerRequestInGetUpdateDecryptionData: '500',
} as const;
const languagesUpTo = (count: number) =>
  Array.from(
    { length: count },
    (_, id) => `<ServerSyncLanguageData><LanguageID>${id}</LanguageID></ServerSyncLanguageData>`,
  ).join('');
const field = ([name, value]: readonly [string, string]) => `<${name}>${value}</${name}>`;

test('GetConfigData is read in any order of its fields, with unknown ones between them', async () => {
  const expected = {
    catalogOnlySync: true,
    lazySync: true,
    serverHostsPsfFiles: false,
    maxUpdatesPerRequest: 100,
    maxDriverSetsPerRequest: 101,
    maxComputerIdsPerRequest: 200,
    maxPnpHardwareIdsPerRequest: 450,
    maxUpdatesPerDecryptionRequest: 500,
    newConfigAnchor: '2026-10-05 17:27:44.393',
    protocolVersion: '1.21',
    languages: [{ id: 0, shortName: '', longName: '', enabled: false }],
  };
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray(Object.entries(CONFIG), { minLength: 11 }), async (fields) => {
      const xml = fields.map(field).join('<New><Thing a="1">2</Thing></New>');
      for (const dress of [reply, replyOfMicrosoftUpdate]) {
        expect(await readGetConfigDataReply(chunksOf(dress('GetConfigData', xml)))).toEqual(expected);
      }
    }),
    { numRuns: 30 },
  );
});

test('the fields that the oldest servers leave out count as 0, and their version as 1.1', async () => {
  const config = await readEveryWay(
    reply('GetConfigData', '<CatalogOnlySync>false</CatalogOnlySync>'),
    readGetConfigDataReply,
  );
  expect(config).toMatchObject({
    maxUpdatesPerRequest: 0,
    protocolVersion: '1.1',
    newConfigAnchor: undefined,
  });
});

test.each([
  '<LazySync>yes</LazySync>',
  '<MaxNumberOfUpdatesPerRequest>1e2</MaxNumberOfUpdatesPerRequest>',
  '<MaxNumberOfUpdatesPerRequest>-1</MaxNumberOfUpdatesPerRequest>',
  '<MaxNumberOfUpdatesPerRequest>2147483648</MaxNumberOfUpdatesPerRequest>',
  '<LazySync>true</LazySync><LazySync>true</LazySync>',
  `<NewConfigAnchor>${'x'.repeat(20_000)}</NewConfigAnchor>`,
  '<LanguageUpdateList><ServerSyncLanguageData/></LanguageUpdateList>',
  '<LanguageUpdateList><ServerSyncLanguageData><LanguageID>-9</LanguageID></ServerSyncLanguageData></LanguageUpdateList>',
  `<LanguageUpdateList>${languagesUpTo(1_001)}</LanguageUpdateList>`,
])('a configuration that makes no sense is refused: %#', async (fields) => {
  await expect(readGetConfigDataReply(chunksOf(reply('GetConfigData', fields)))).rejects.toMatchObject(
    malformed,
  );
});

test('a language that is listed twice is one language', async () => {
  const fields = `<LanguageUpdateList>${languagesUpTo(3)}${languagesUpTo(3)}</LanguageUpdateList>`;
  const { languages } = await readGetConfigDataReply(chunksOf(reply('GetConfigData', fields)));
  expect(languages.map(({ id }) => id)).toEqual([0, 1, 2]);
});

test('protocol versions are compared by integers', () => {
  expect(parseProtocolVersion('1.20')).toEqual([1, 20]);
  expect(parseProtocolVersion('1.8')).toEqual([1, 8]);
  expect([parseProtocolVersion('1'), parseProtocolVersion('1.x'), parseProtocolVersion('')]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test('a cookie keeps the text of its expiration and is sent back with it', async () => {
  const xml =
    '<EncryptedData> AAEC\n Aw== </EncryptedData><Expiration>2026-10-04T20:33:26.6545512Z</Expiration>';
  const cookie = await readEveryWay(reply('GetCookie', xml), readGetCookieReply);
  expect(cookie).toEqual({ expiration: '2026-10-04T20:33:26.6545512Z', encryptedData: 'AAECAw==' });
  const request = bodyOf(
    writeGetCookie({
      authorizationCookie: { plugInId: 'DssTargeting', cookieData: '' },
      oldCookie: cookie,
      protocolVersion: '1.20',
    }).body,
  );
  expect(request.children.map(({ local }) => local)).toEqual(['authCookies', 'oldCookie', 'protocolVersion']);
  expect(childNamed(request, 'oldCookie')?.children.map(({ text }) => text)).toEqual([
    '2026-10-04T20:33:26.6545512Z',
    'AAECAw==',
  ]);
});

test.each([
  '',
  '<Expiration>soon</Expiration>',
  '<Expiration>2026-13-04T20:33:26Z</Expiration>',
  '<Expiration>2026-10-04T20:33:26Z</Expiration><EncryptedData>A</EncryptedData>',
  '<Expiration>2026-10-04T20:33:26Z</Expiration><EncryptedData>A&lt;B=</EncryptedData>',
])('a cookie that makes no sense is refused: %s', async (xml) => {
  await expect(readGetCookieReply(chunksOf(reply('GetCookie', xml)))).rejects.toMatchObject(malformed);
});

test('instants without a zone count as UTC, and no digits of a fraction are too many', () => {
  expect(instantOf('2026-02-03T13:15:00.4471902')).toBe(Date.UTC(2026, 1, 3, 13, 15, 0, 447));
  expect(instantOf('2026-02-03T13:15:00+01:00')).toBe(Date.UTC(2026, 1, 3, 12, 15));
  expect(instantOf('9999-12-31T23:59:59.9999999')).toBe(Date.UTC(9999, 11, 31, 23, 59, 59, 999));
  expect(instantOf('2026-02-03')).toBeUndefined();
});

test('the plug-in is known by either spelling of its id', async () => {
  const plugIn =
    '<AuthInfo><AuthPlugInInfo><PlugInId>DssTargeting</PlugInId><ServiceUrl>x</ServiceUrl></AuthPlugInInfo><AuthPlugInInfo/></AuthInfo>';
  expect(await readEveryWay(reply('GetAuthConfig', plugIn), readGetAuthConfigReply)).toEqual([
    { plugInId: 'DssTargeting', serviceUrl: 'x' },
  ]);
  const cookie = '<CookieData>AAAA</CookieData><PlugInID>DssTargeting</PlugInID>';
  expect(
    await readEveryWay(
      reply('GetAuthorizationCookie', cookie, DSS_AUTH_NAMESPACE),
      readGetAuthorizationCookieReply,
    ),
  ).toEqual({ plugInId: 'DssTargeting', cookieData: 'AAAA' });
});

test('the authorization service answers in a namespace of its own', async () => {
  const wrong = reply('GetAuthorizationCookie', '<PlugInId>DssTargeting</PlugInId>');
  await expect(readGetAuthorizationCookieReply(chunksOf(wrong))).rejects.toMatchObject(malformed);
});

test('a list may have its anchor behind the revisions, ids in upper case and several revisions of an update', async () => {
  const xml =
    `<NewRevisions><UpdateIdentity>${identity(GUID.toUpperCase(), 201)}</UpdateIdentity><Unknown/>` +
    `<UpdateIdentity><RevisionNumber>1</RevisionNumber><UpdateID>${GUID}</UpdateID></UpdateIdentity></NewRevisions><Anchor>a</Anchor>`;
  const reader = readGetRevisionIdListReply(chunksOf(reply('GetRevisionIdList', xml)));
  expect((await reader.next()).value).toEqual([
    { updateId: GUID, revisionNumber: 201 },
    { updateId: GUID, revisionNumber: 1 },
  ]);
  expect(await reader.next()).toEqual({ done: true, value: { anchor: 'a' } });
});

test.each([
  '',
  identity('not-a-guid'),
  identity(GUID, ''),
  identity(GUID, -1),
  identity(GUID, 1.5),
  identity(GUID, '99999999999'),
  `${identity()}<UpdateID>${GUID}</UpdateID>`,
])('a revision that is none is refused: %s', async (xml) => {
  const text = reply(
    'GetRevisionIdList',
    `<NewRevisions><UpdateIdentity>${xml}</UpdateIdentity></NewRevisions>`,
  );
  await expect(all(readGetRevisionIdListReply(chunksOf(text)))).rejects.toMatchObject(malformed);
});

test('a filter has its elements in the order of the schema, whatever is left out', () => {
  const order = ['Anchor', 'GetConfig', 'Get63LanguageOnly', 'Categories', 'Classifications', 'Languages'];
  const ids = [{ id: GUID, delta: false }];
  fc.assert(
    fc.property(fc.subarray(order), (present) => {
      const has = (name: string) => present.includes(name);
      const request = writeGetRevisionIdList(
        { expiration: '2026-10-04T20:33:26Z', encryptedData: '' },
        {
          anchor: has('Anchor') ? 'x' : undefined,
          getConfig: has('GetConfig'),
          categories: has('Categories') ? ids : undefined,
          classifications: has('Classifications') ? ids : undefined,
          languages: has('Languages') ? [{ id: 1033, delta: true }] : undefined,
        },
      );
      const always = ['GetConfig', 'Get63LanguageOnly'];
      expect(childNamed(bodyOf(request.body), 'filter')?.children.map(({ local }) => local)).toEqual(
        order.filter((name) => has(name) || always.includes(name)),
      );
    }),
  );
});

const update = (xml: string) =>
  reply('GetUpdateData', `<updates><ServerSyncUpdateData>${xml}</ServerSyncUpdateData></updates><fileUrls/>`);

test.each([
  ['no id', '<XmlUpdateBlob>x</XmlUpdateBlob>'],
  ['no document', `<Id>${identity()}</Id>`],
  ['an empty document', `<Id>${identity()}</Id><XmlUpdateBlob/>`],
  [
    'two documents',
    `<Id>${identity()}</Id><XmlUpdateBlob>x</XmlUpdateBlob><XmlUpdateBlobCompressed>AAAA</XmlUpdateBlobCompressed>`,
  ],
  ['Base64 that is none', `<Id>${identity()}</Id><XmlUpdateBlobCompressed>AAA</XmlUpdateBlobCompressed>`],
  [
    'a digest that is none',
    `<Id>${identity()}</Id><XmlUpdateBlob>x</XmlUpdateBlob><FileDigestList><base64Binary>AAAA</base64Binary></FileDigestList>`,
  ],
])('an update with %s is refused', async (_name, xml) => {
  await expect(all(readGetUpdateDataReply(chunksOf(update(xml))))).rejects.toMatchObject(malformed);
});

test('an update is read with its fields in any order', async () => {
  const fields = [
    `<Id>${identity()}</Id>`,
    '<XmlUpdateBlob>&lt;a b="1"&gt;\r\n&amp;amp;&#xD;&lt;/a&gt;</XmlUpdateBlob>',
    `<FileDigestList><base64Binary>${SHA1_TEXT}</base64Binary></FileDigestList>`,
    '<XmlUpdateBlobCompressed/>',
  ];
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray(fields, { minLength: 4 }), async (order) => {
      expect(await all(readGetUpdateDataReply(chunksOf(update(order.join('')))))).toEqual([
        {
          type: 'update',
          update: {
            identity: { updateId: GUID, revisionNumber: 1 },
            blob: { form: 'plain', text: '<a b="1">\n&amp;\r</a>' },
            fileSha1s: ['DA39A3EE5E6B4B0D3255BFEF95601890AFD80709'],
          },
        },
      ]);
    }),
    { numRuns: 24 },
  );
});

const compressed = (source: string) =>
  update(`<Id>${identity()}</Id><XmlUpdateBlobCompressed>${source}</XmlUpdateBlobCompressed>`);

test('Base64 of a document is taken exactly as the alphabet allows, with white space anywhere', async () => {
  const character = fc.constantFrom(
    ...'ABab09+/',
    '=',
    '_',
    '-',
    ' ',
    '\n',
    '&amp;',
    '&#x41;',
    '&#13;',
    'é',
    '\0',
  );
  const exact = fc
    .uint8Array({ minLength: 1, maxLength: 40 })
    .map((bytes) => Buffer.from(bytes).toString('base64'));
  const source = fc.oneof(
    { weight: 3, arbitrary: exact },
    fc.tuple(exact, character, fc.nat(50)).map(([text, one, at]) => text.slice(0, at) + one + text.slice(at)),
    fc.array(character, { minLength: 1, maxLength: 8 }).map((list) => list.join('')),
  );
  await fc.assert(
    fc.asyncProperty(source, fc.integer({ min: 1, max: 700 }), async (written, size) => {
      const text = written
        .replaceAll('&amp;', '&')
        .replaceAll('&#x41;', 'A')
        .replaceAll('&#13;', '\r')
        .replaceAll(/\s/g, '');
      const isGood = text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
      const reading = all(readGetUpdateDataReply(chunksOf(compressed(written), size)));
      if (!isGood) await expect(reading).rejects.toMatchObject(malformed);
      else {
        const expected = { form: 'cabinet', bytes: Buffer.from(text, 'base64') };
        expect(await reading).toMatchObject([{ update: { blob: expected } }]);
      }
    }),
    { numRuns: 400 },
  );
});

test('a compressed document may be written with CDATA, comments and references', async () => {
  const written = 'QU<!-- < & -->JD<![CDATA[RE]]>&#x56;&#71;\r\n';
  for (const size of [1, 7, 1 << 20]) {
    expect(await all(readGetUpdateDataReply(chunksOf(compressed(written), size)))).toMatchObject([
      { update: { blob: { form: 'cabinet', bytes: Buffer.from('ABCDEF') } } },
    ]);
  }
  for (const wrong of ['QUJD<b/>&x;', 'QUJD<q:b/>', '<b>QUJD</b>']) {
    await expect(all(readGetUpdateDataReply(chunksOf(compressed(wrong))))).rejects.toMatchObject(malformed);
  }
});

test('an answer without updates and an answer with file locations alone are read', async () => {
  expect(await all(readGetUpdateDataReply(chunksOf(reply('GetUpdateData', ''))))).toEqual([]);
  const located = reply(
    'GetUpdateData',
    `<fileUrls><ServerSyncUrlData><UssUrl>/x</UssUrl><FileDigest>${SHA1_TEXT}</FileDigest><MUUrl/><DecryptionKey>AAAA</DecryptionKey></ServerSyncUrlData></fileUrls><updates/>`,
  );
  expect(await all(readGetUpdateDataReply(chunksOf(located)))).toEqual([
    {
      type: 'file-location',
      location: {
        sha1: 'DA39A3EE5E6B4B0D3255BFEF95601890AFD80709',
        muUrl: undefined,
        ussUrl: '/x',
        decryptionKey: 'AAAA',
      },
    },
  ]);
});

test('the digests of FileDigestsMissing are read as Base64 and as hex', async () => {
  const hex = 'A9993E364706816ABA3E25717850C26C9CD0D89D';
  const text = faultReply(
    `<ErrorCode>FileDigestsMissing</ErrorCode><Message>${SHA1_TEXT}| ${hex}|${SHA1_TEXT}|?|</Message>`,
  );
  const fault = (await readFault(chunksOf(text), 'DownloadFiles')) as SoapFault;
  expect(missingDigestsOf(fault)).toEqual(['DA39A3EE5E6B4B0D3255BFEF95601890AFD80709', hex]);
});
