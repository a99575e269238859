import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { parseUpdateDocument } from '../../src/formats/update-xml/parse-update.js';
import { contentPath } from '../../src/model/content-file.js';
import { generateCatalogue } from '../helpers/catalogue/generate-catalogue.js';
import { catalogueItems, startFakeUpstream, type UpstreamQuirks } from '../helpers/fake-upstream.js';
import { flatten, setUp } from '../sync/client-setup.js';

const options = { revisions: 170, seed: 7, maxFileSize: 5_000 };
const items = [...catalogueItems(options)];
const files = items.flatMap(({ content = [] }) => content);
const sha1 = (bytes: Uint8Array) => createHash('sha1').update(bytes).digest('hex').toUpperCase();

async function start(quirks: UpstreamQuirks = {}) {
  const setup = await setUp(quirks, { items });
  const file = files.find(({ bytes }) => bytes.length > 1_000) as (typeof files)[number];
  const url = new URL(`Content/${contentPath(file.sha1, file.fileName)}`, setup.upstream.contentUrl);
  const get = async (headers: Record<string, string> = {}, method = 'GET', from: URL | string = url) => {
    const response = await fetch(from, { method, headers });
    const bytes = Buffer.from(await response.arrayBuffer());
    return { status: response.status, headers: response.headers, bytes };
  };
  return {
    setup,
    upstream: setup.upstream,
    file,
    url,
    get,
    [Symbol.asyncDispose]: () => setup[Symbol.asyncDispose](),
  };
}

test('files and licence texts of a catalogue with bytes are those that its documents describe', () => {
  const many = [...catalogueItems({ revisions: 900, seed: 7, maxFileSize: 300 })];
  const held = many.flatMap(({ content = [] }) => content);
  const bySha1 = new Map(held.map((file) => [file.sha1, file]));
  let licences = 0;
  for (const { document } of many) {
    const facts = parseUpdateDocument(document);
    licences += facts.eulaFiles.length;
    for (const { sha1: name, sha256, size } of [...facts.files, ...facts.eulaFiles]) {
      const { bytes } = bySha1.get(name) as (typeof held)[number];
      expect([sha1(bytes), bytes.length]).toEqual([name, size]);
      expect(createHash('sha256').update(bytes).digest('hex').toUpperCase()).toBe(sha256);
    }
  }
  expect(held.length).toBeGreaterThan(100);
  expect(licences).toBeGreaterThan(0);
});

test('bytes of files change nothing else in a catalogue', () => {
  const bare = [...generateCatalogue({ revisions: 170, seed: 7 })].map(({ identity }) => identity);
  expect(items.map(({ identity }) => identity)).toEqual(bare);
});

test('a file comes whole, in ranges, and not beyond its end', async () => {
  await using site = await start();
  const { get, file } = site;
  const { length } = file.bytes;
  const whole = await get();
  expect([whole.status, sha1(whole.bytes)]).toEqual([200, file.sha1]);
  const rest = await get({ Range: 'bytes=900-' });
  expect([rest.status, rest.headers.get('content-range')]).toEqual([
    206,
    `bytes 900-${length - 1}/${length}`,
  ]);
  expect(rest.bytes.equals(file.bytes.subarray(900))).toBe(true);
  const part = await get({ Range: 'bytes=10-19', 'If-Range': whole.headers.get('etag') as string });
  expect([part.status, part.bytes.length]).toEqual([206, 10]);
  expect((await get({ Range: 'bytes=10-19', 'If-Range': '"of another file"' })).bytes).toHaveLength(length);
  const beyond = await get({ Range: `bytes=${length}-` });
  expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, `bytes */${length}`]);
});

test('it minds neither case nor repeated slashes, but the folder and the extension, and HEAD with a range', async () => {
  await using site = await start();
  const { get, url, file, upstream } = site;
  const odd = url.href.replace('/Content/', '//content//').replace(file.sha1, file.sha1.toLowerCase());
  expect((await get({}, 'GET', odd)).status).toBe(200);
  expect((await get({}, 'GET', url.href.replace(/\/Content\/../, '/Content/zz'))).status).toBe(404);
  const other = file.sha1.endsWith('00') ? '01' : '00';
  expect((await get({}, 'GET', url.href.replace(/\/Content\/../, `/Content/${other}`))).status).toBe(404);
  expect((await get({}, 'GET', url.href.replace(/\.[^./]*$/, ''))).status).toBe(403);
  const head = await get({}, 'HEAD');
  expect([head.status, head.headers.get('content-length')]).toEqual([200, String(file.bytes.length)]);
  expect((await get({ Range: 'bytes=0-9' }, 'HEAD')).status).toBe(416);
  expect(upstream.contentRequests.map(({ status }) => status)).toEqual([200, 404, 404, 403, 200, 416]);
});

test('a lazy server has a file only after it was asked to download it, and not at once', async () => {
  await using site = await start({ content: 'on-request', contentDelay: 2 });
  const { setup, get, file, upstream } = site;
  expect((await get()).status).toBe(404);
  await setup.client.getConfigData();
  expect(await setup.client.downloadFiles([file.sha1])).toEqual({ unknown: [] });
  expect(upstream.downloads).toEqual([file.sha1]);
  const statuses = [];
  for (let n = 0; n < 4; n++) statuses.push((await get()).status);
  expect(statuses).toEqual([404, 404, 200, 200]);
});

test('wrong bytes, ranges that are ignored, statuses, resets and early ends come when they are called for', async () => {
  await using site = await start();
  const { get, file, upstream } = site;
  upstream.change({ wrongBytes: [file.sha1] });
  const wrong = await get();
  expect(wrong.bytes).toHaveLength(file.bytes.length);
  expect(sha1(wrong.bytes)).not.toBe(file.sha1);
  upstream.change({ wrongBytes: [], ignoresRange: true });
  expect((await get({ Range: 'bytes=10-' })).status).toBe(200);
  upstream.plan({ on: 'Content', after: 1, status: { code: 503, headers: { 'Retry-After': '7' } } });
  expect((await get()).status).toBe(200);
  expect((await get()).headers.get('retry-after')).toBe('7');
  upstream.plan({ on: 'Content', resetAfter: 500 });
  await expect(get()).rejects.toThrow();
  upstream.plan({ on: 'Content', cutAfter: 500 });
  expect((await get()).bytes).toHaveLength(500);
  expect((await get()).bytes).toHaveLength(file.bytes.length);
});

test('the URLs of Microsoft lead to this server if it is told to', async () => {
  await using setup = await setUp({ servesMuUrls: true, kind: 'microsoft-update' }, { items });
  const item = items.find(({ files: own }) => own.length > 0) as (typeof items)[number];
  const locations: (string | undefined)[] = [];
  for await (const event of flatten(setup.client.getUpdateData([item.identity]))) {
    if (event.type === 'file-location') locations.push(event.location.muUrl);
  }
  const [first] = locations;
  expect(first).toMatch(/^http:\/\/127\.0\.0\.1:/);
  const response = await fetch(first as string);
  expect(sha1(Buffer.from(await response.arrayBuffer()))).toBe(item.files[0]?.sha1);
});

test('with TLS the services have a certificate and content stays on a port of its own without it', async () => {
  await using upstream = await startFakeUpstream(items, {}, {});
  expect([upstream.url.protocol, upstream.contentUrl.protocol]).toEqual(['https:', 'http:']);
  expect(upstream.url.port).not.toBe(upstream.contentUrl.port);
});
