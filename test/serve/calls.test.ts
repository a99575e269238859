import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Cookie, writeCookie } from '../../src/formats/server-sync/cookies.js';
import { writeGetUpdateData } from '../../src/formats/server-sync/get-update-data.js';
import { soapRequest } from '../../src/formats/server-sync/service.js';
import { decodeUpdateBlob } from '../../src/formats/server-sync/update-blob.js';
import { parseTree } from '../helpers/soap-tree.js';
import { idOf, importUpdates, makeUpdate, openTestStore, testFolder } from '../store/update-builder.js';
import { ACCOUNT, SleeplessClock } from '../sync/client-setup.js';
import { clientOf, cookieFrom, post, startServer, storePathIn, type TestServer } from './serve-setup.js';

const AUTH = 'DssAuthWebService/DssAuthWebService.asmx';
const REPORTING = 'ReportingWebService/ReportingWebService.asmx';
const FILE = 'DA39A3EE5E6B4B0D3255BFEF95601890AFD80709';
const EMPTY_FILE = {
  sha1: FILE,
  sha256: 'E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855',
  fileName: 'a.cab',
  size: 0,
  modified: '2026-01-01T00:00:00Z',
};

async function startSmall(options: Parameters<typeof startServer>[1] = {}): Promise<TestServer> {
  const { path, store } = await openTestStore(storePathIn());
  await importUpdates(store, [
    makeUpdate(1, { categoryType: 'Product' }),
    makeUpdate(2, { categoryType: 'UpdateClassification' }),
    makeUpdate(3, { files: [EMPTY_FILE] }),
    makeUpdate(4, { revision: 100 }),
    makeUpdate(4, { revision: 101 }),
  ]);
  const transaction = await store.beginImport();
  await transaction.addDecryptionKeys(new Map([[FILE, Buffer.from('a key')]]));
  await transaction.commit();
  return startServer(path, options);
}

function fieldOf(text: string, name: string): string | undefined {
  const find = (element: ReturnType<typeof parseTree>): string | undefined =>
    element.local === name
      ? element.text
      : element.children.reduce<string | undefined>((found, child) => found ?? find(child), undefined);
  return find(parseTree(text));
}

async function faultOf(
  server: TestServer,
  operation: string,
  children: string,
  path?: string,
  namespace?: string,
) {
  const { status, text } = await post(server, soapRequest(operation, children, namespace).body, path);
  expect(status).toBe(500);
  const [code, message, blame] = ['ErrorCode', 'Message', 'faultcode'].map((name) => fieldOf(text, name));
  return { code, message, blame };
}

const AUTH_NAMESPACE = 'http://www.microsoft.com/SoftwareDistribution/Server/DssAuthWebService';
const identities = (count: number) =>
  `<updateIds>${'<UpdateIdentity><UpdateID>aaaaaaaa-0000-4000-8000-000000000003</UpdateID><RevisionNumber>1</RevisionNumber></UpdateIdentity>'.repeat(count)}</updateIds>`;

test.each<[string, string, string, string, string]>([
  ['too many revisions', 'GetUpdateData', identities(101), 'InvalidParameters', 'updateIds'],
  ['no revisions', 'GetUpdateData', '', 'InvalidParameters', 'updateIds'],
  [
    'a revision without a number',
    'GetUpdateData',
    `<updateIds><UpdateIdentity><UpdateID>${idOf(3)}</UpdateID></UpdateIdentity></updateIds>`,
    'InvalidParameters',
    'updateIds',
  ],
  [
    'an unknown revision',
    'GetUpdateData',
    `<updateIds><UpdateIdentity><UpdateID>${idOf(9)}</UpdateID><RevisionNumber>1</RevisionNumber></UpdateIdentity></updateIds>`,
    'InternalServerError',
    '',
  ],
  [
    'a wrong revision number',
    'GetUpdateData',
    `<updateIds><UpdateIdentity><UpdateID>${idOf(3)}</UpdateID><RevisionNumber>7</RevisionNumber></UpdateIdentity></updateIds>`,
    'InternalServerError',
    '',
  ],
  [
    'an anchor that is none',
    'GetRevisionIdList',
    '<filter><Anchor>garbage</Anchor><GetConfig>true</GetConfig></filter>',
    'InvalidParameters',
    'filter',
  ],
  ['no filter', 'GetRevisionIdList', '', 'InvalidParameters', 'filter'],
  [
    'an id that is none',
    'GetRevisionIdList',
    '<filter><GetConfig>false</GetConfig><Categories><IdAndDelta><Id>x</Id><Delta>true</Delta></IdAndDelta></Categories></filter>',
    'InvalidParameters',
    'filter',
  ],
  [
    'a config anchor that is none',
    'GetConfigData',
    '<configAnchor>garbage</configAnchor>',
    'InvalidParameters',
    'configAnchor',
  ],
  ['deployments without a sync anchor', 'GetDeployments', '', 'InvalidParameters', 'syncAnchor'],
  [
    'a deployment anchor that is none',
    'GetDeployments',
    '<deploymentAnchor>x</deploymentAnchor><syncAnchor>1,2026-01-01 00:00:00.000</syncAnchor>',
    'InvalidParameters',
    'deploymentAnchor',
  ],
  [
    'an unknown file',
    'DownloadFiles',
    '<fileDigestList><base64Binary>qZk+NkcGgWq6PiVxeFDCbJzQ2J0=</base64Binary></fileDigestList>',
    'FileDigestsMissing',
    'qZk+NkcGgWq6PiVxeFDCbJzQ2J0=',
  ],
  [
    'too many files',
    'DownloadFiles',
    `<fileDigestList>${'<base64Binary>qZk+NkcGgWq6PiVxeFDCbJzQ2J0=</base64Binary>'.repeat(101)}</fileDigestList>`,
    'InvalidParameters',
    'fileDigestList',
  ],
  ['no list of driver sets', 'GetDriverSetData', '', 'InvalidParameters', 'driverSets'],
  ['driver sets', 'GetDriverSetData', `<driverSets><guid>${idOf(1)}</guid></driverSets>`, 'TooManyIds', ''],
  [
    'drivers by device',
    'GetDriverIdList',
    '<filter><PnpHardwareIds><HardwareIdAndDelta><Id>pci</Id><Delta>false</Delta></HardwareIdAndDelta></PnpHardwareIds></filter>',
    'InvalidParameters',
    'filter',
  ],
])('%s: %s is refused', async (_name, operation, children, code, message) => {
  const server = await startSmall();
  const fault = await faultOf(server, operation, writeCookie(await cookieFrom(server)) + children);
  expect(fault).toEqual({
    code,
    message,
    blame: code === 'InternalServerError' ? 'soap:Server' : 'soap:Client',
  });
});

test.each<[string, string, string]>([
  ['no name', `<accountGuid>${ACCOUNT.guid}</accountGuid>`, 'accountName'],
  [
    'a name that is no host',
    `<accountName>a b</accountName><accountGuid>${ACCOUNT.guid}</accountGuid>`,
    'accountName',
  ],
  ['no GUID', '<accountName>a</accountName>', 'accountGuid'],
  ['a GUID that is none', '<accountName>a</accountName><accountGuid>1</accountGuid>', 'accountGuid'],
])('authorization with %s is refused', async (_name, children, message) => {
  const server = await startSmall();
  const fault = await faultOf(server, 'GetAuthorizationCookie', children, AUTH, AUTH_NAMESPACE);
  expect(fault).toEqual({ code: 'InvalidParameters', message, blame: 'soap:Client' });
});

const AUTH_COOKIE =
  '<AuthorizationCookie><PlugInId>DssTargeting</PlugInId><CookieData>AAAA</CookieData></AuthorizationCookie>';

test.each<[string, string, string, string]>([
  [
    'none at all',
    '<authCookies/><protocolVersion>1.20</protocolVersion>',
    'InvalidParameters',
    'authCookies',
  ],
  [
    'two',
    `<authCookies>${AUTH_COOKIE.repeat(2)}</authCookies><protocolVersion>1.20</protocolVersion>`,
    'InvalidParameters',
    'authCookies',
  ],
  [
    'one of somebody else',
    `<authCookies>${AUTH_COOKIE}</authCookies><protocolVersion>1.20</protocolVersion>`,
    'InvalidAuthorizationCookie',
    '',
  ],
  [
    'another major version',
    `<authCookies>${AUTH_COOKIE}</authCookies><protocolVersion>2.0</protocolVersion>`,
    'IncompatibleProtocolVersion',
    '',
  ],
  [
    'a version that is none',
    `<authCookies>${AUTH_COOKIE}</authCookies><protocolVersion>one</protocolVersion>`,
    'InvalidParameters',
    'protocolVersion',
  ],
])('GetCookie with %s is refused', async (_name, children, code, message) => {
  const server = await startSmall();
  expect(await faultOf(server, 'GetCookie', children)).toEqual({ code, message, blame: 'soap:Client' });
});

test('a fault in SOAP 1.2 is told in SOAP 1.2', async () => {
  const server = await startSmall();
  const body = soapRequest('GetConfigData', '').body.replace(
    'http://schemas.xmlsoap.org/soap/envelope/',
    'http://www.w3.org/2003/05/soap-envelope',
  );
  const { status, headers, text } = await post(server, body, undefined, {
    'content-type': 'application/soap+xml',
  });
  expect(status).toBe(500);
  expect(headers.get('content-type')).toBe('application/soap+xml; charset=utf-8');
  const fault = parseTree(text).children[0]?.children[0];
  expect(fault?.children.map(({ local, uri }) => [local, uri])).toEqual([
    ['Code', 'http://www.w3.org/2003/05/soap-envelope'],
    ['Reason', 'http://www.w3.org/2003/05/soap-envelope'],
    ['Detail', ''],
  ]);
  expect(fieldOf(text, 'ErrorCode')).toBe('InvalidCookie');
});

test('a cookie ends with its time, and the downstream gets another one', async () => {
  let offset = 0;
  const server = await startSmall({ now: () => new Date(Date.now() + offset) });
  const client = clientOf(server, { clock: new SleeplessClock() });
  const cookie = await cookieFrom(server);
  await client.getConfigData();
  offset = 241 * 60_000;
  expect((await faultOf(server, 'GetConfigData', writeCookie(cookie))).code).toBe('InvalidCookie');
  await client.getConfigData();
  offset = 25 * 60 * 60_000;
  await client.getConfigData();
  expect(
    server.accesses.filter(({ problem }) => problem === 'InvalidAuthorizationCookie').length,
  ).toBeLessThan(2);
});

test('several servers over one store with one key take the cookies of each other', async () => {
  const { path, store } = await openTestStore();
  await importUpdates(store, [makeUpdate(1, { categoryType: 'Product' })]);
  const [one, other] = [await startServer(path), await startServer(path)];
  const { status } = await post(other, soapRequest('GetConfigData', writeCookie(await cookieFrom(one))).body);
  expect(status).toBe(200);
});

test('a cookie that was changed, or signed with another key, is refused', async () => {
  const { path, store } = await openTestStore();
  await importUpdates(store, [makeUpdate(1, { categoryType: 'Product' })]);
  const [one, other] = [await startServer(path), await startServer(path, { cookieKey: Buffer.alloc(32, 8) })];
  const cookie = await cookieFrom(one);
  const bytes = Buffer.from(cookie.encryptedData, 'base64');
  bytes.writeUInt8((bytes.readUInt8(40) + 1) & 0xff, 40);
  const changed: Cookie = { ...cookie, encryptedData: bytes.toString('base64') };
  expect((await faultOf(one, 'GetConfigData', writeCookie(changed))).code).toBe('InvalidCookie');
  expect((await faultOf(other, 'GetConfigData', writeCookie(cookie))).code).toBe('InvalidCookie');
});

test('a store that was put back from a backup is another server to whoever knows more, and sends full lists', async () => {
  const { path, store } = await openTestStore();
  await importUpdates(store, [makeUpdate(1, { categoryType: 'Product' })]);
  await store.close();
  const backup = storePathIn(testFolder());
  await copyFile(path, backup);
  const { store: grown } = await openTestStore(path);
  await importUpdates(grown, [makeUpdate(2, { categoryType: 'Product' })]);
  const before = clientOf(await startServer(path));
  const known = await before.getRevisionIdList({ getConfig: true, anchor: undefined });
  expect(known.revisions.length).toBe(2);

  const { store: gone } = await openTestStore(backup);
  const server = await startServer(backup);
  // As short as it was: the key is missing. Grown another way: the key stands for something else.
  for (const n of [0, 3]) {
    if (n > 0) await importUpdates(gone, [makeUpdate(n, { categoryType: 'Product' })]);
    const cookie = before.session.cookie as Cookie;
    expect(
      (
        await faultOf(
          server,
          'GetRevisionIdList',
          `${writeCookie(cookie)}<filter><GetConfig>true</GetConfig></filter>`,
        )
      ).code,
    ).toBe('ServerChanged');
    const after = clientOf(server, { session: { ...before.session, authorizationUrl: undefined } });
    const answer = await after.getRevisionIdList({ getConfig: true, anchor: known.anchor });
    expect(answer.anchorLoss).toBe('server-changed');
    expect(answer.revisions.length).toBe(n === 0 ? 1 : 2);
    // Without a cookie that tells, the anchor alone does.
    const alone = await clientOf(server).getRevisionIdList({ getConfig: true, anchor: known.anchor });
    expect(alone.revisions.length).toBe(n === 0 ? 1 : 2);
  }
});

test('a downstream of another server is told that this is another one', async () => {
  const other = await startSmall();
  const session = clientOf(other);
  await session.authorize();
  const server = await startSmall();
  const client = clientOf(server, { session: { ...session.session, authorizationUrl: undefined } });
  await client.getConfigData();
  expect(client.hasServerChanged).toBe(true);
});

test('short documents are sent as they are, long ones in a cabinet, each exactly as stored', async () => {
  const { path, store } = await openTestStore();
  const short = makeUpdate(1, { title: 'a & b < c\r\n"é🙂"' });
  const long = makeUpdate(2, { comment: 'é🙂'.repeat(40_000) });
  await importUpdates(store, [short, long]);
  const server = await startServer(path);
  const cookie = await cookieFrom(server);
  const { text } = await post(
    server,
    writeGetUpdateData(cookie, [long.identity, short.identity, long.identity]).body,
  );
  const items = parseTree(text).children[0]?.children[0]?.children[0]?.children[0]?.children ?? [];
  expect(items.map(({ children }) => children.map(({ local }) => local))).toEqual([
    ['Id', 'XmlUpdateBlobCompressed'],
    ['Id', 'XmlUpdateBlob'],
    ['Id', 'XmlUpdateBlobCompressed'],
  ]);
  const blobs = items.map(({ children }) => children[1]?.text ?? '');
  expect(Buffer.from(decodeUpdateBlob({ form: 'plain', text: blobs[1] ?? '' })).equals(short.document)).toBe(
    true,
  );
  for (const blob of [blobs[0], blobs[2]]) {
    const decoded = decodeUpdateBlob({ form: 'cabinet', bytes: Buffer.from(blob ?? '', 'base64') });
    expect(Buffer.from(decoded).equals(long.document)).toBe(true);
  }
});

test('documents come out the same whether they are kept or built anew', async () => {
  const { path, store } = await openTestStore();
  const updates = Array.from({ length: 30 }, (_, n) => makeUpdate(n + 1, { comment: 'x'.repeat(n * 300) }));
  await importUpdates(store, updates);
  const kept = await startServer(path);
  const forgetful = await startServer(path, { cacheSize: 5_000 });
  const request = async (server: TestServer) =>
    (
      await post(
        server,
        writeGetUpdateData(
          await cookieFrom(server),
          updates.map(({ identity }) => identity),
        ).body,
      )
    ).text;
  const first = await request(kept);
  expect(await request(kept)).toBe(first);
  expect(await request(forgetful)).toBe(first);
  expect(await request(forgetful)).toBe(first);
});

test('decryption keys of the files there are; unknown revisions have none', async () => {
  const client = clientOf(await startSmall());
  await client.getConfigData();
  const answer = await client.getUpdateDecryptionData([
    { updateId: idOf(3), revisionNumber: 1 },
    { updateId: idOf(9), revisionNumber: 1 },
  ]);
  expect(answer).toEqual([
    {
      identity: { updateId: idOf(3), revisionNumber: 1 },
      files: [{ sha1: FILE, decryptionKey: Buffer.from('a key').toString('base64') }],
    },
    { identity: { updateId: idOf(9), revisionNumber: 1 }, files: [] },
  ]);
});

test('related revisions: the highest of an update', async () => {
  const client = clientOf(await startSmall());
  expect(await client.getRelatedRevisions(idOf(4))).toEqual([{ updateId: idOf(4), revisionNumber: 101 }]);
  expect(await client.getRelatedRevisions(idOf(99))).toEqual([]);
});

test('a file that is known but not here is asked for without a fault', async () => {
  const server = await startSmall();
  const client = clientOf(server);
  await client.getConfigData();
  expect(await client.downloadFiles([FILE])).toEqual({ unknown: [] });
  expect(server.events.some((event) => event.type === 'step' && event.message.includes(FILE))).toBe(true);
});

test('deployments: the built-in groups and nothing else', async () => {
  const server = await startSmall();
  const { status, text } = await post(
    server,
    soapRequest(
      'GetDeployments',
      `${writeCookie(await cookieFrom(server))}<syncAnchor>5,2026-01-01 00:00:00.000</syncAnchor>`,
    ).body,
  );
  expect(status).toBe(200);
  const result = parseTree(text).children[0]?.children[0]?.children[0];
  expect(result?.children.map(({ local, children }) => [local, children.length])).toEqual([
    ['Anchor', 0],
    ['Groups', 2],
    ['Deployments', 0],
    ['DeadDeployments', 0],
    ['HiddenUpdates', 0],
    ['AcceptedEulas', 0],
  ]);
});

test('Ping answers on every service', async () => {
  const server = await startSmall();
  const body = soapRequest(
    'Ping',
    '<pingLevel>0</pingLevel>',
    'http://www.microsoft.com/SoftwareDistribution/Server/IMonitorable',
  ).body;
  for (const path of [undefined, AUTH, REPORTING]) {
    const { status, text } = await post(server, body, path);
    expect([status, fieldOf(text, 'SuccessFlag'), fieldOf(text, 'IsHttps')]).toEqual([200, 'true', 'false']);
  }
});

const NO_COOKIE = '<cookie><Expiration>9999-12-31T23:59:59.9999999</Expiration><EncryptedData/></cookie>';

test('reporting wants nothing but the servers below, and takes note of them', async () => {
  const server = await startSmall();
  const configuration = await post(server, soapRequest('GetRollupConfiguration', NO_COOKIE).body, REPORTING);
  expect(fieldOf(configuration.text, 'DoDetailedRollup')).toBe('false');
  const info = (parent: string) =>
    `${NO_COOKIE}<clientTime>2026-02-03T09:20:00Z</clientTime><downstreamServers><DownstreamServerRollupInfo><ServerId>${ACCOUNT.guid}</ServerId><FullDomainName>a.example</FullDomainName><LastSyncTime>2026-02-03T09:19:41.3Z</LastSyncTime><ParentServerId>${parent}</ParentServerId><Version>10.0.26100.1</Version></DownstreamServerRollupInfo></downstreamServers>`;
  const zeros = '00000000-0000-0000-0000-000000000000';
  const taken = await post(server, soapRequest('RollupDownstreamServers', info(zeros)).body, REPORTING);
  expect(taken.status).toBe(200);
  expect(parseTree(taken.text).children[0]?.children[0]?.children).toEqual([]);
  const refused = await faultOf(server, 'RollupDownstreamServers', info(idOf(77)), REPORTING);
  expect(refused.code).toBeUndefined();
  expect((await faultOf(server, 'RollupComputers', NO_COOKIE, REPORTING)).code).toBeUndefined();
});

test("an operation of another service, an unknown one and a wrong namespace are the caller's fault", async () => {
  const server = await startSmall();
  for (const [operation, path, namespace] of [
    ['GetCookie', AUTH, undefined],
    ['GetNothing', undefined, undefined],
    ['toString', undefined, undefined],
    ['GetAuthConfig', undefined, 'urn:something'],
  ] as const) {
    expect(await faultOf(server, operation, '', path, namespace)).toEqual({
      code: undefined,
      message: undefined,
      blame: 'soap:Client',
    });
  }
});

test('only the accounts on the list are served, by name or by GUID', async () => {
  const server = await startSmall({ accounts: ['DSS01.corp.example'] });
  await clientOf(server).getConfigData();
  const other = { name: 'dss02.corp.example', guid: idOf(50) };
  await expect(clientOf(server, { account: other }).getConfigData()).rejects.toMatchObject({
    code: 'UPSTREAM_REFUSED',
  });
  const byGuid = await startSmall({ accounts: [idOf(50).toUpperCase()] });
  await clientOf(byGuid, { account: other }).getConfigData();
  // A cookie from before the list is of no use.
  const { path } = await openTestStore(join(testFolder(), 'metadata.sqlite'));
  const [open, closed] = [await startServer(path), await startServer(path, { accounts: ['x'] })];
  const cookie = await cookieFrom(open);
  expect((await post(closed, soapRequest('GetConfigData', writeCookie(cookie)).body)).status).toBe(403);
});
