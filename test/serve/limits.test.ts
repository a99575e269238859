import { once } from 'node:events';
import { BlockList, connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { writeCookie } from '../../src/formats/server-sync/cookies.js';
import { writeGetAuthConfig } from '../../src/formats/server-sync/get-auth-config.js';
import { soapRequest } from '../../src/formats/server-sync/service.js';
import { formatAccess } from '../../src/serve/access-log.js';
import { RateLimiter, rateLimits } from '../../src/serve/limits.js';
import { parseAddresses } from '../../src/serve/listener.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import { importUpdates, makeUpdate, openTestStore } from '../store/update-builder.js';
import { clientOf, cookieFrom, post, startServer, type TestServer, warningsOf } from './serve-setup.js';

async function startSmall(options: Parameters<typeof startServer>[1] = {}): Promise<TestServer> {
  const { path, store } = await openTestStore();
  await importUpdates(store, [makeUpdate(1, { categoryType: 'Product' })]);
  return startServer(path, options);
}

const envelope = (inside: string, head = '') =>
  `${head}<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>${inside}</s:Body></s:Envelope>`;
const GET_AUTH_CONFIG = '<GetAuthConfig xmlns="http://www.microsoft.com/SoftwareDistribution"/>';

test.each<[string, string, number]>([
  ['nothing', '', 400],
  ['no XML', 'hello', 400],
  ['HTML', '<html><body>x</body></html>', 400],
  ['XML that breaks off', envelope(GET_AUTH_CONFIG).slice(0, -9), 400],
  ['an empty body', envelope(''), 400],
  ['two operations', envelope(GET_AUTH_CONFIG.repeat(2)), 400],
  ['a DOCTYPE', envelope(GET_AUTH_CONFIG, '<!DOCTYPE x [<!ENTITY a "b">]>'), 400],
  [
    'a billion laughs',
    envelope('<x>&c;</x>', '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;"><!ENTITY c "&b;&b;">]>'),
    400,
  ],
  ['an envelope in another namespace', envelope(GET_AUTH_CONFIG).replace('xmlsoap.org', 'example.org'), 400],
  ['nesting without end', envelope('<a>'.repeat(20_000) + '</a>'.repeat(20_000)), 413],
  ['elements without end', envelope(`<a>${'<b/>'.repeat(60_000)}</a>`), 413],
  ['more bytes than are read', envelope(`<a>${'x'.repeat(1_100_000)}</a>`), 413],
])('a body of %s is refused, and the server goes on', async (_name, body, status) => {
  const server = await startSmall();
  expect((await post(server, body)).status).toBe(status);
  expect((await post(server, writeGetAuthConfig().body)).status).toBe(200);
  expect(warningsOf(server)).toEqual([]);
});

test('bytes that are no UTF-8 are refused', async () => {
  const server = await startSmall();
  const bytes = Buffer.from(envelope(`${GET_AUTH_CONFIG}`).replace('<s:Body>', '<s:Body>\u00e9'), 'latin1');
  expect((await post(server, bytes)).status).toBe(400);
});

test('a million ids in one request are refused before they are read', async () => {
  const server = await startSmall();
  const cookie = writeCookie(await cookieFrom(server));
  const id =
    '<UpdateIdentity><UpdateID>aaaaaaaa-0000-4000-8000-000000000003</UpdateID><RevisionNumber>1</RevisionNumber></UpdateIdentity>';
  const { body } = soapRequest('GetUpdateData', `${cookie}<updateIds>@</updateIds>`);
  expect((await post(server, body.replace('@', id.repeat(1_000_000)))).status).toBe(413);
  const several = await post(server, body.replace('@', id.repeat(8_000)));
  expect([several.status, several.text.includes('<Message>updateIds</Message>')]).toEqual([500, true]);
  const filter = `<filter><GetConfig>false</GetConfig><Categories>${'<IdAndDelta><Id>aaaaaaaa-0000-4000-8000-000000000003</Id><Delta>true</Delta></IdAndDelta>'.repeat(10_001)}</Categories></filter>`;
  const list = await post(server, soapRequest('GetRevisionIdList', cookie + filter).body);
  expect([list.status, list.text.includes('<Message>filter</Message>')]).toEqual([500, true]);
});

test('services answer under every spelling of their path', async () => {
  const server = await startSmall();
  for (const path of [
    'ServerSyncWebService/ServerSyncWebService.asmx',
    'SERVERSYNCWEBSERVICE/serversyncwebservice.ASMX',
    '/ServerSyncWebService//ServerSyncWebService.asmx',
    'ServerSyncWebService/%53erverSyncWebService.asmx?x',
    'ServerSyncWebService/ServerSyncProxy.asmx',
  ]) {
    const url = `${server.url.href}${path}`;
    const response = await fetch(url, { method: 'POST', body: writeGetAuthConfig().body });
    expect([path, response.status]).toEqual([path, 200]);
  }
});

test('a downstream gets content from this server, not from Microsoft', async () => {
  const server = await startSmall();
  const { config } = await clientOf(server).getConfigData();
  expect(config.catalogOnlySync).toBe(false);
});

test('a server that cannot read its store is alive but not ready', async () => {
  const { path } = await openTestStore();
  const store = await openMetadataStore(path, { mode: 'read', now: () => new Date() });
  const server = await startServer(path, { store });
  const statusOf = async (what: string) => (await fetch(new URL(`health/${what}`, server.url))).status;
  expect([await statusOf('live'), await statusOf('ready')]).toEqual([200, 200]);
  await store.close();
  expect([await statusOf('live'), await statusOf('ready')]).toEqual([200, 503]);
});

test('other methods, encodings and paths have their status', async () => {
  const server = await startSmall();
  const service = new URL('ServerSyncWebService/ServerSyncWebService.asmx', server.url);
  expect((await fetch(service)).status).toBe(200);
  const put = await fetch(service, { method: 'PUT', body: 'x' });
  expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST']);
  const encoded = await post(server, writeGetAuthConfig().body, undefined, { 'content-encoding': 'gzip' });
  expect(encoded.status).toBe(415);
  expect((await post(server, 'x', 'metrics')).status).toBe(404);
});

/** Sends bytes as they are and gives back what came until the connection ended. */
async function talk(server: TestServer, text: string): Promise<string> {
  const socket = open(server);
  socket.write(text);
  return read(socket);
}

function open(server: TestServer): Socket {
  return connect(Number(server.url.port), '127.0.0.1');
}

async function read(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1').on('data', (piece) => {
    text += piece;
  });
  socket.on('error', () => {});
  if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

const QUICK = {
  headersTimeoutMs: 200,
  requestTimeoutMs: 400,
  checkIntervalMs: 50,
  keepAliveMs: 100,
  idleMs: 500,
};

test('who is slow with headers or body is sent away', async () => {
  const server = await startSmall({ limits: QUICK });
  expect(await talk(server, 'POST / HTTP/1.1\r\nHost: x\r\n')).toContain('408');
  const start =
    'POST /ServerSyncWebService/ServerSyncWebService.asmx HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n<';
  await talk(server, start); // ends
  expect(await talk(server, '')).toContain('408');
  expect((await post(server, writeGetAuthConfig().body)).status).toBe(200);
});

test('headers that are too long, or none at all, are refused', async () => {
  const server = await startSmall();
  expect(await talk(server, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`)).toContain(
    ' 431 ',
  );
  expect(await talk(server, 'hello\r\n\r\n')).toContain(' 400 ');
});

test('who asks before sending too much hears of it at once', async () => {
  const server = await startSmall();
  const path = '/ServerSyncWebService/ServerSyncWebService.asmx';
  const ask = (size: number) =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: ${size}\r\n\r\n`;
  const refused = open(server);
  refused.write(ask(50_000_000));
  refused.setEncoding('latin1');
  const [answer] = (await once(refused, 'data')) as [string];
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  refused.destroy();
  const { body } = writeGetAuthConfig();
  const welcome = open(server);
  welcome.write(ask(body.length));
  welcome.setEncoding('latin1');
  const [go] = (await once(welcome, 'data')) as [string];
  expect(go).toMatch(/^HTTP\/1\.1 100 /);
  welcome.write(body);
  expect(await read(welcome)).toContain('GetAuthConfigResult');
});

test('connections beyond the limit are closed, and there is room again later', async () => {
  const server = await startSmall({ limits: { maxConnections: 2 } });
  const held = [open(server), open(server)];
  await Promise.all(held.map((socket) => once(socket, 'connect')));
  expect(await talk(server, 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')).toBe('');
  for (const socket of held) {
    socket.destroy();
    await once(socket, 'close');
  }
  await expect
    .poll(async () => talk(server, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'))
    .toContain(' 404 ');
});

test('more calls at once than the server takes: busy, which the downstream understands', async () => {
  const server = await startSmall({ limits: { maxCalls: 0 } });
  const { status, text } = await post(server, writeGetAuthConfig().body);
  expect([status, text.includes('<ErrorCode>ServerBusy</ErrorCode>')]).toEqual([500, true]);
  const crowded = await startSmall({ limits: { maxBodiesSize: 10 } });
  const refused = await post(crowded, writeGetAuthConfig().body);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
  expect(
    (
      await fetch(
        new URL(
          'Content/09/DA39A3EE5E6B4B0D3255BFEF95601890AFD80709',
          (
            await startSmall({ limits: { maxDownloads: 0 } })
          ).url,
        ),
      )
    ).status,
  ).toBe(503);
});

test('one address that asks too often is told to wait; the limiter refills and stays small', async () => {
  const server = await startSmall({ limits: { rateBurst: 3, ratePerSecond: 0.001 } });
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push((await post(server, writeGetAuthConfig().body)).status);
  expect(statuses).toEqual([200, 200, 200]);
  const refused = await post(server, writeGetAuthConfig().body);
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(900);
  expect((await fetch(new URL('health/ready', server.url))).status).toBe(200); // a supervisor asks as often as it likes

  const open = await startSmall({ limits: rateLimits(Number.POSITIVE_INFINITY) });
  for (let i = 0; i < 10; i++) expect((await post(open, writeGetAuthConfig().body)).status).toBe(200);

  let now = 0;
  const limiter = new RateLimiter(2, 10, () => now);
  expect([limiter.take('a'), limiter.take('a'), limiter.take('a'), limiter.take('b')]).toEqual([0, 0, 1, 0]);
  now = 100;
  expect([limiter.take('a'), limiter.take('a')]).toEqual([0, 1]);
  for (let i = 0; i < 25_000; i++) limiter.take(`address ${i}`);
  expect(limiter.size).toBeLessThanOrEqual(10_000);
});

test('only the addresses on the list are served', async () => {
  const none = new BlockList();
  none.addAddress('192.0.2.1');
  expect((await post(await startSmall({ addresses: none }), writeGetAuthConfig().body)).status).toBe(403);
  const local = await startSmall({ addresses: parseAddresses(['192.0.2.0/24', '2001:db8::/32']) });
  expect((await post(local, writeGetAuthConfig().body)).status).toBe(200);
  for (const text of ['', 'x', '192.0.2.0/33', '192.0.2.0/24/1', '192.0.2.0/', '2001:db8::/129']) {
    expect(() => parseAddresses([text]), text).toThrow(/neither an address nor a network/);
  }
});

test('lists are compressed for who asks; documents are not compressed twice', async () => {
  const { path, store } = await openTestStore();
  await importUpdates(
    store,
    Array.from({ length: 20 }, (_, n) => makeUpdate(n + 1, { type: 'Detectoid' })),
  );
  const server = await startServer(path);
  const cookie = writeCookie(await cookieFrom(server));
  const list = soapRequest('GetRevisionIdList', `${cookie}<filter><GetConfig>true</GetConfig></filter>`).body;
  const plain = await post(server, list, undefined, { 'accept-encoding': 'identity' });
  const packed = await post(server, list, undefined, { 'accept-encoding': 'deflate, gzip;q=0.5' });
  expect([plain, packed].map(({ headers }) => headers.get('content-encoding'))).toEqual([null, 'gzip']);
  const withoutAnchor = ({ text }: { text: string }) => text.replace(/<Anchor>.*?</, '<');
  expect(withoutAnchor(packed)).toBe(withoutAnchor(plain));
  const refused = await post(server, list, undefined, { 'accept-encoding': 'gzip;q=0' });
  expect(refused.headers.get('content-encoding')).toBeNull();
});

test('fifty downstreams at once get the same', async () => {
  const { path, store } = await openTestStore();
  await importUpdates(
    store,
    Array.from({ length: 300 }, (_, n) =>
      makeUpdate(n + 1, { type: 'Detectoid', comment: 'x'.repeat(n * 20) }),
    ),
  );
  const server = await startServer(path);
  const pulled = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const client = clientOf(server);
      await client.getConfigData();
      const { revisions } = await client.getRevisionIdList({ getConfig: true, anchor: undefined });
      let documents = 0;
      for await (const events of client.getUpdateData(revisions)) {
        documents += events.filter(({ type }) => type === 'document').length;
      }
      return [revisions.length, documents];
    }),
  );
  expect(pulled).toEqual(Array.from({ length: 50 }, () => [300, 300]));
});

test('stopping finishes the answer that is under way, and takes no new connection', async () => {
  const server = await startSmall();
  const { body } = writeGetAuthConfig();
  const socket = open(server);
  socket.write(
    `POST /ServerSyncWebService/ServerSyncWebService.asmx HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 50)}`,
  );
  await expect.poll(() => server.front.runningCount).toBe(1);
  const stopped = server.front.stop();
  await expect(post(server, body)).rejects.toThrow();
  socket.write(body.slice(50));
  expect(await read(socket)).toContain('GetAuthConfigResult');
  await stopped;
});

test('stopping does not wait for ever', async () => {
  const server = await startSmall({ limits: { graceMs: 50 } });
  const socket = open(server);
  socket.write(
    'POST /ServerSyncWebService/ServerSyncWebService.asmx HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n',
  );
  await expect.poll(() => server.front.runningCount).toBe(1);
  await server.front.stop();
  expect(await read(socket)).toBe('');
});

test('counters are there on request, in words that no client chose', async () => {
  const server = await startSmall({ hasMetrics: true });
  await post(server, writeGetAuthConfig().body);
  await post(server, soapRequest('GetConfigData', '').body);
  await post(server, envelope('<evil"x xmlns="urn:x"/>'));
  await fetch(new URL('evil%22', server.url));
  const text = await (await fetch(new URL('metrics', server.url))).text();
  expect(text).toContain('wsusutil_requests_total{target="GetAuthConfig",outcome="ok"} 1\n');
  expect(text).toContain('wsusutil_requests_total{target="GetConfigData",outcome="InvalidCookie"} 1\n');
  expect(text).toContain('wsusutil_revisions 1\n');
  expect(text).not.toContain('evil');
});

test('the access log has a line per request without cookies, whatever is in the path', async () => {
  const server = await startSmall();
  const cookie = await cookieFrom(server);
  await post(server, soapRequest('GetConfigData', writeCookie(cookie)).body);
  await fetch(new URL('a%0Ab', server.url));
  await expect.poll(() => server.accesses.length).toBe(5);
  const last = server.accesses.at(-2);
  expect(last).toMatchObject({
    method: 'POST',
    status: 200,
    operation: 'GetConfigData',
    account: 'dss01.corp.example',
  });
  for (const entry of server.accesses) {
    for (const format of ['text', 'json'] as const) {
      const line = formatAccess({ ...entry, path: `${entry.path}\n\u001b[31m` }, format);
      expect([line.includes('\n'), line.includes('\u001b')]).toEqual([false, false]);
      expect(line).not.toContain(cookie.encryptedData.slice(0, 40));
      if (format === 'json') expect(JSON.parse(line)).toMatchObject({ status: entry.status });
    }
  }
});
