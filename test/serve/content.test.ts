import { createHash, randomBytes } from 'node:crypto';
import { appendFile, mkdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { reset } from '../../src/commands/content/reset.js';
import { runCommand } from '../commands/command-context.js';
import { importUpdates, makeUpdate, openTestStore } from '../store/update-builder.js';
import { startServer, storePathIn, type TestServer, warningsOf } from './serve-setup.js';

interface Setup {
  readonly server: TestServer;
  readonly bytes: Buffer;
  readonly sha1: string;
  /** below the root of the server */
  readonly path: string;
  readonly file: string;
}

/** A server with one file that a check found right. */
async function startWithFile(
  size = 1_500_000,
  fileName = 'windows.PSF',
  place = (usual: string) => usual,
  isChecked = true,
): Promise<Setup> {
  const bytes = randomBytes(size);
  const sha1 = createHash('sha1').update(bytes).digest('hex').toUpperCase();
  const storePath = storePathIn();
  const { store } = await openTestStore(storePath);
  await importUpdates(store, [
    makeUpdate(1, {
      files: [
        {
          sha1,
          sha256: createHash('sha256').update(bytes).digest('hex').toUpperCase(),
          fileName,
          size,
          modified: '2026-01-01T00:00:00Z',
        },
      ],
    }),
  ]);
  await store.close();
  const dot = fileName.lastIndexOf('.');
  const name = `${sha1.slice(-2)}/${sha1}${dot < 0 ? '' : fileName.slice(dot).toLowerCase()}`;
  const file = join(dirname(storePath), 'WsusContent', place(name));
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, bytes);
  await utimes(file, 1_750_000_000.5, 1_750_000_000.5);
  if (isChecked) await runCommand(reset, storePath, { options: { check: true } });
  return { server: await startServer(storePath), bytes, sha1, path: `Content/${name}`, file };
}

async function get(server: TestServer, path: string, headers: Record<string, string> = {}, method = 'GET') {
  const response = await fetch(new URL(path, server.url), { method, headers });
  return {
    status: response.status,
    headers: response.headers,
    body: Buffer.from(await response.arrayBuffer()),
  };
}

test('a whole file', async () => {
  const { server, bytes, path, sha1 } = await startWithFile();
  const { status, headers, body } = await get(server, path);
  expect(status).toBe(200);
  expect(body.equals(bytes)).toBe(true);
  expect(Object.fromEntries(headers)).toMatchObject({
    'content-length': String(bytes.length),
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    etag: `"${sha1.toLowerCase()}"`,
    'last-modified': new Date(1_750_000_000_000).toUTCString(),
  });
});

test.each([
  'update.esd',
  'install.WIM',
  'kb.msu',
  'delta.psf',
  'uup.aggregatedmetadata',
  'eula.txt',
  'package.cab',
  'noextension',
  'a.7z',
])('%s is served as plain bytes', async (fileName) => {
  const { server, bytes, path } = await startWithFile(100, fileName);
  const { status, headers, body } = await get(server, path);
  expect([status, headers.get('content-type'), body.equals(bytes)]).toEqual([
    200,
    'application/octet-stream',
    true,
  ]);
});

test('an empty file', async () => {
  const { server, path } = await startWithFile(0);
  const { status, headers, body } = await get(server, path);
  expect([status, headers.get('content-length'), body.length]).toEqual([200, '0', 0]);
  expect((await get(server, path, { range: 'bytes=0-1' })).status).toBe(416);
});

test('any case, repeated slashes, percent signs and a missing extension', async () => {
  const { server, path, sha1 } = await startWithFile(100);
  const folder = sha1.slice(-2);
  for (const spelling of [
    path.toLowerCase(),
    path.toUpperCase(),
    `/content///${folder}//${sha1}.psf`,
    `/%43ontent/${folder}/${sha1}.psf?x=1`,
    `/Content/${folder}/${sha1}`,
    `/Content/${folder}/${sha1}.cab`,
  ]) {
    expect((await get(server, new URL(spelling, server.url).href)).status, spelling).toBe(200);
  }
});

test.each<[string, number, number, number]>([
  ['bytes=0-0', 0, 1, 206],
  ['bytes=0-1048575', 0, 1_048_576, 206],
  ['bytes=1048576-', 1_048_576, 1_500_000, 206],
  ['bytes=-5', 1_499_995, 1_500_000, 206],
  ['bytes=-9999999', 0, 1_500_000, 206],
  ['bytes=1499999-9999999', 1_499_999, 1_500_000, 206],
  ['bytes=5-4', 0, 1_500_000, 200],
  ['bytes=0-1,5-6', 0, 1_500_000, 200],
  ['lines=0-1', 0, 1_500_000, 200],
])('range %s', async (range, from, to, expected) => {
  const { server, bytes, path } = await startWithFile();
  const { status, headers, body } = await get(server, path, { range });
  expect(status).toBe(expected);
  expect(body.equals(bytes.subarray(from, to))).toBe(true);
  expect(headers.get('content-range')).toBe(expected === 206 ? `bytes ${from}-${to - 1}/1500000` : null);
});

test('a range behind the end is refused with the size', async () => {
  const { server, path } = await startWithFile(100);
  for (const range of ['bytes=100-', 'bytes=-0']) {
    const { status, headers } = await get(server, path, { range });
    expect([status, headers.get('content-range')]).toEqual([416, 'bytes */100']);
  }
});

test('HEAD tells the size, range or not', async () => {
  const { server, path } = await startWithFile(100);
  for (const headers of [{}, { range: 'bytes=0-9' }]) {
    const answer = await get(server, path, headers as Record<string, string>, 'HEAD');
    expect([answer.status, answer.headers.get('content-length'), answer.body.length]).toEqual([
      200,
      '100',
      0,
    ]);
  }
});

test('conditions: what the client has already is not sent again', async () => {
  const { server, path, sha1 } = await startWithFile(100);
  const etag = `"${sha1.toLowerCase()}"`;
  const at = new Date(1_750_000_000_000).toUTCString();
  const earlier = new Date(1_740_000_000_000).toUTCString();
  const statusFor = async (headers: Record<string, string>) => (await get(server, path, headers)).status;
  expect(await statusFor({ 'if-none-match': etag })).toBe(304);
  expect(await statusFor({ 'if-none-match': `"x", W/${etag}` })).toBe(304);
  expect(await statusFor({ 'if-none-match': '"x"' })).toBe(200);
  expect(await statusFor({ 'if-modified-since': at })).toBe(304);
  expect(await statusFor({ 'if-modified-since': earlier })).toBe(200);
  expect(await statusFor({ 'if-modified-since': 'nonsense' })).toBe(200);
  expect(await statusFor({ 'if-match': '"x"' })).toBe(412);
  expect(await statusFor({ 'if-match': etag })).toBe(200);
  expect(await statusFor({ 'if-unmodified-since': earlier })).toBe(412);
  expect(await statusFor({ range: 'bytes=0-1', 'if-range': etag })).toBe(206);
  expect(await statusFor({ range: 'bytes=0-1', 'if-range': '"x"' })).toBe(200);
  expect(await statusFor({ range: 'bytes=0-1', 'if-range': at })).toBe(206);
  expect(await statusFor({ range: 'bytes=0-1', 'if-range': earlier })).toBe(200);
});

test('a tree as other servers left it: folder and name in lower case, without leading zero', async () => {
  const { server, bytes, path } = await startWithFile(100, 'a.cab', (usual) =>
    usual.toLowerCase().replace(/^0/, ''),
  );
  const { status, body } = await get(server, path);
  expect([status, body.equals(bytes)]).toEqual([200, true]);
});

test('no listing, no other file, no way out of the folder', async () => {
  const { server, path, sha1 } = await startWithFile(100);
  const folder = sha1.slice(-2);
  const other = folder === '00' ? '01' : '00';
  for (const wrong of [
    '/Content',
    '/Content/',
    `/Content/${folder}/`,
    `/Content/${other}/${sha1}.psf`,
    `/Content/${folder}/${sha1}.psf/`,
    `/Content/${folder}/${'0'.repeat(38)}${folder}.psf`,
    `/Content/${folder}/%2e%2e/%2e%2e/metadata.sqlite`,
    '/Content/..%2fmetadata.sqlite',
    '/metadata.sqlite',
    '/serve.key',
    '/',
  ]) {
    expect(await rawStatus(server, wrong), wrong).toBe(404);
  }
  expect(await rawStatus(server, '/%zz')).toBe(400);
  expect((await get(server, path, {}, 'PUT')).status).toBe(405);
});

test('only what a check found right, and only while it is unchanged', async () => {
  const unchecked = await startWithFile(100, 'a.cab', (usual) => usual, false);
  expect((await get(unchecked.server, unchecked.path)).status).toBe(404);

  const { server, path, file, bytes } = await startWithFile(100);
  expect((await get(server, path)).status).toBe(200);
  await appendFile(file, 'x');
  expect((await get(server, path)).status).toBe(404);
  expect(warningsOf(server)).toEqual(['FILE_NOT_SERVED']);
  await rename(file, `${file}.old`);
  await writeFile(file, bytes); // the same bytes, but nobody has looked at them
  expect((await get(server, path)).status).toBe(404);
  await rm(file);
  expect((await get(server, path)).status).toBe(404);
  expect(warningsOf(server)).toEqual(['FILE_NOT_SERVED']);
});

/** Without the changes that `fetch` makes to a path. */
function rawStatus(server: TestServer, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = server.url;
    const request = httpRequest({ hostname, port, path }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on('error', reject).end();
  });
}
