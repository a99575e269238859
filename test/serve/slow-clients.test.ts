/** Clients that open connections and leave the server waiting: it sends them away, and is there for the others. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { reset } from '../../src/commands/content/reset.js';
import { writeGetAuthConfig } from '../../src/formats/server-sync/get-auth-config.js';
import { writeGetUpdateData } from '../../src/formats/server-sync/get-update-data.js';
import { runCommand } from '../commands/command-context.js';
import { fileOf, updateWith } from '../content/content-builder.js';
import { importUpdates, makeUpdate, openTestStore } from '../store/update-builder.js';
import {
  cookieFrom,
  post,
  startSecureServer,
  startServer,
  storePathIn,
  type TestServer,
} from './serve-setup.js';

const QUICK = {
  headersTimeoutMs: 200,
  requestTimeoutMs: 400,
  checkIntervalMs: 50,
  keepAliveMs: 100,
  idleMs: 500,
};
const SERVICE = '/ServerSyncWebService/ServerSyncWebService.asmx';
const CALL = writeGetAuthConfig().body;

async function startSmall(options: Parameters<typeof startServer>[1]): Promise<TestServer> {
  const { path, store } = await openTestStore();
  await importUpdates(store, [makeUpdate(1, { categoryType: 'Product' })]);
  return startServer(path, options);
}

function open(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** What comes until the server closes. */
async function readToEnd(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1').on('data', (piece) => {
    text += piece;
  });
  if (!socket.closed) await once(socket, 'close');
  return text;
}

test.each<[string, string, RegExp]>([
  ['nothing', '', /^HTTP\/1\.1 408 /],
  ['half of the first line', 'POST /Serv', /^HTTP\/1\.1 408 /],
  ['half of the headers', `POST ${SERVICE} HTTP/1.1\r\nHost: x\r\nContent-`, /^HTTP\/1\.1 408 /],
  [
    'half of the body',
    `POST ${SERVICE} HTTP/1.1\r\nHost: x\r\nContent-Length: ${CALL.length}\r\n\r\n${CALL.slice(0, 50)}`,
    /^HTTP\/1\.1 408 /,
  ],
])('a connection on which %s comes is closed in time, with its status', async (_what, bytes, expected) => {
  const server = await startSmall({ limits: QUICK });
  const socket = open(Number(server.url.port));
  socket.write(bytes);
  expect(await readToEnd(socket)).toMatch(expected);
  expect((await post(server, CALL)).status).toBe(200);
});

test.each<[string, string, string]>([
  ['in the headers', `POST ${SERVICE} HTTP/1.1\r\nHost: x\r\n`, 'x-header: 1\r\n'],
  ['in the body', `POST ${SERVICE} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n`, 'x'],
])(
  'bytes that trickle %s do not keep the connection beyond the time of a request',
  async (_where, start, more) => {
    const server = await startSmall({ limits: QUICK });
    const socket = open(Number(server.url.port));
    socket.write(start);
    const trickle = setInterval(() => socket.write(more), 20);
    onTestFinished(() => clearInterval(trickle));
    expect(await readToEnd(socket)).toMatch(/^HTTP\/1\.1 408 /);
    await expect.poll(() => server.front.runningCount).toBe(0);
  },
);

test.each<[string, string]>([
  ['the headers', `POST ${SERVICE} HTTP/1.1\r\nHost: x\r\n`],
  ['the body', `POST ${SERVICE} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n<`],
])('a client that hangs up in the middle of %s leaves nothing behind', async (_what, bytes) => {
  const server = await startSmall({});
  for (const leave of [(socket: Socket) => socket.end(), (socket: Socket) => socket.resetAndDestroy()]) {
    const socket = open(Number(server.url.port));
    await once(socket, 'connect');
    socket.write(bytes);
    leave(socket);
    if (!socket.closed) await readToEnd(socket);
  }
  await expect.poll(() => server.front.connectionCount).toBe(0);
  expect(server.front.runningCount).toBe(0);
  expect((await post(server, CALL)).status).toBe(200);
});

test.each<[string, Buffer]>([
  ['nothing', Buffer.alloc(0)],
  ['half of a first message', Buffer.from('16030100c8010000c40303', 'hex')],
  ['HTTP in the clear', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
  ['noise', randomBytes(300)],
])('a TLS handshake of %s is given up', async (_what, bytes) => {
  const { path } = await openTestStore();
  const server = await startSecureServer(path, { limits: QUICK });
  const sockets = Array.from({ length: 20 }, () => open(server.port));
  for (const socket of sockets) socket.write(bytes);
  await Promise.all(sockets.map(readToEnd));
  await expect.poll(() => server.front.connectionCount).toBe(0);
  expect((await fetch(`http://127.0.0.1:${server.clearPort}/health/ready`)).status).toBe(200);
});

test('one address cannot take every connection', async () => {
  const server = await startSmall({ limits: { maxAddressConnections: 3 } });
  const held = [1, 2, 3].map(() => open(Number(server.url.port)));
  await expect.poll(() => server.front.connectionCount).toBe(3);
  expect(await readToEnd(open(Number(server.url.port)))).toBe('');
  for (const socket of held) socket.destroy();
  await expect.poll(() => server.front.connectionCount).toBe(0);
  expect((await post(server, CALL)).status).toBe(200);
});

/** Documents that cannot be compressed, so many that no buffer of the system takes an answer with all of them. */
async function startLarge(limits: NonNullable<Parameters<typeof startServer>[1]>['limits']) {
  const { path, store } = await openTestStore();
  const updates = Array.from({ length: 100 }, (_, n) =>
    makeUpdate(n + 1, { type: 'Detectoid', comment: randomBytes(120_000).toString('hex') }),
  );
  await importUpdates(store, updates);
  const server = await startServer(path, { limits: limits ?? {} });
  const body = writeGetUpdateData(
    await cookieFrom(server),
    updates.map(({ identity }) => identity),
  ).body;
  const ask = () => {
    const socket = open(Number(server.url.port));
    socket.pause();
    socket.write(`POST ${SERVICE} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    return socket;
  };
  return { server, body, ask };
}

test('who does not read its answer is cut off, and until then others hear that the server is busy', async () => {
  const { server, body, ask } = await startLarge({ maxRepliesSize: 10_000_000, replyTimeoutMs: 1_500 });
  const socket = ask();
  await expect
    .poll(async () => (await post(server, body)).text)
    .toContain('<ErrorCode>ServerBusy</ErrorCode>');
  await expect.poll(() => server.front.runningCount, { timeout: 10_000 }).toBe(0);
  expect((await post(server, body)).status).toBe(200);
  socket.resume();
  await readToEnd(socket);
  expect(server.accesses.map(({ problem }) => problem)).toContain('slow');
});

test('who asks several times in a row and hangs up leaves no answers behind', async () => {
  const { server, body, ask } = await startLarge({ maxRepliesSize: 60_000_000, graceMs: 100 });
  const socket = ask();
  for (let n = 0; n < 3; n++) {
    socket.write(`POST ${SERVICE} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  }
  await expect
    .poll(async () => (await post(server, body)).text)
    .toContain('<ErrorCode>ServerBusy</ErrorCode>');
  socket.resetAndDestroy();
  await expect.poll(() => server.front.runningCount, { timeout: 5_000 }).toBe(0);
  expect((await post(server, body)).status).toBe(200);
  await server.front.stop();
});

test('a client that reads slowly gets all of its answer', async () => {
  const { server, body, ask } = await startLarge({});
  const whole = await post(server, body);
  const socket = ask();
  let size = 0;
  socket.on('data', (piece: Buffer) => {
    size += piece.length;
    socket.pause();
    setTimeout(() => socket.resume(), 2);
  });
  socket.resume();
  await expect.poll(() => size, { timeout: 20_000 }).toBeGreaterThan(whole.text.length);
}, 30_000);

test.each<[string, NonNullable<Parameters<typeof startServer>[1]>['limits'], (socket: Socket) => void]>([
  ['nobody reads', { idleMs: 1_000 }, (socket) => void socket.pause()],
  [
    'only just moves',
    { pieceTimeoutMs: 1_500 },
    (socket) => {
      socket.on('data', () => {
        socket.pause();
        setTimeout(() => socket.resume(), 600);
      });
    },
  ],
])(
  'a download that %s is given up, and its place is free again',
  async (_how, limits, read) => {
    const file = fileOf(randomBytes(30_000_000), 'large.esd');
    const storePath = storePathIn();
    const { store } = await openTestStore(storePath);
    await importUpdates(store, [updateWith(1, [file])]);
    await store.close();
    const place = join(dirname(storePath), 'WsusContent', file.path);
    await mkdir(dirname(place), { recursive: true });
    await writeFile(place, file.bytes);
    await runCommand(reset, storePath, { options: { check: true } });
    const server = await startServer(storePath, { limits: { ...limits, maxDownloads: 1 } });
    const socket = open(Number(server.url.port));
    read(socket);
    socket.write(`GET /Content/${file.path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    const url = new URL(`Content/${file.path}`, server.url);
    const statusOf = async () => (await fetch(url, { headers: { range: 'bytes=0-0' } })).status;
    await expect.poll(statusOf).toBe(503);
    await expect.poll(statusOf, { timeout: 15_000 }).toBe(206);
  },
  30_000,
);
