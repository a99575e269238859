import { createServer as createTcpServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type Connections, openConnections } from '../../src/transfer/connections.js';
import { TEST_ROOT_FILE } from '../helpers/tls-files.js';
import { listen, startSecureServer, startServer } from '../helpers/web-server.js';

const LIMITS = { headersMs: 5_000, bodyIdleMs: 300 } as const;

function open(connections: number): Connections {
  const opened = openConnections(
    { userAgent: 'wsusutil/test', connections, trust: { caFile: TEST_ROOT_FILE } },
    LIMITS,
  );
  onTestFinished(() => opened.close());
  return opened;
}

function get({ send }: Connections, url: string, signal = new AbortController().signal) {
  return send({ method: 'GET', url: new URL(url), headers: {}, signal });
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

test.each(['http', 'https'] as const)(
  'there are as many connections of %s at once as were allowed',
  async (scheme) => {
    let now = 0;
    let most = 0;
    const sockets = new Set<unknown>();
    const start = scheme === 'http' ? startServer : startSecureServer;
    const port = await start(async (request, response) => {
      sockets.add(request.socket);
      most = Math.max(most, ++now);
      await sleep(20);
      now--;
      response.end('fine');
    });
    const connections = open(2);
    const texts = await Promise.all(
      Array.from({ length: 12 }, async () =>
        textOf((await get(connections, `${scheme}://127.0.0.1:${port}/`)).body),
      ),
    );
    expect(texts).toEqual(new Array(12).fill('fine'));
    expect([most, sockets.size]).toEqual([2, 2]);
  },
);

test('whatever is under way or waits ends when all of it is closed, and nothing begins any more', async () => {
  let requests = 0;
  const port = await startServer(() => {
    requests++;
  });
  const connections = open(2);
  const asked = Array.from({ length: 6 }, () => get(connections, `http://127.0.0.1:${port}/`));
  const ends = Promise.allSettled(asked);
  while (requests < 2) await sleep(5);
  await connections.close();
  for (const end of await ends) expect(end).toMatchObject({ reason: { code: 'ECONNABORTED' } });
  await expect(get(connections, `http://127.0.0.1:${port}/`)).rejects.toMatchObject({ code: 'ECONNABORTED' });
  await sleep(50);
  expect(requests).toBe(2);
});

test('one that waits for its turn can be interrupted, and the next has the turn', async () => {
  const held: (() => void)[] = [];
  const port = await startServer((_request, response) => held.push(() => response.end('fine')));
  const connections = open(1);
  const url = `http://127.0.0.1:${port}/`;
  const first = get(connections, url);
  while (held.length < 1) await sleep(5);
  const interrupted = new AbortController();
  const second = get(connections, url, interrupted.signal);
  const third = get(connections, url);
  second.catch(() => {});
  await sleep(20);
  interrupted.abort(new Error('enough'));
  await expect(second).rejects.toThrow('enough');
  held[0]?.();
  expect(await textOf((await first).body)).toBe('fine');
  while (held.length < 2) await sleep(5);
  held[1]?.();
  expect(await textOf((await third).body)).toBe('fine');
});

test('a body that stops is an error; one that waits for its reader is none', async () => {
  const port = await startServer((request, response) => {
    response.write('begun');
    if (request.url === '/late') setTimeout(() => response.end(), 50); // a last piece of no bytes
  });
  const connections = open(2);
  const stopped = await get(connections, `http://127.0.0.1:${port}/stops`);
  await expect(textOf(stopped.body)).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  const late = await get(connections, `http://127.0.0.1:${port}/late`);
  let text = '';
  for await (const piece of late.body) {
    text += String(piece);
    await sleep(3 * LIMITS.bodyIdleMs);
  }
  expect(text).toBe('begun');
});

test('an answer that is none ends the request', async () => {
  for (const answer of [
    'HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
    'nonsense\r\n\r\n',
    '',
  ]) {
    const port = await listen(
      createTcpServer((socket) => void socket.once('data', () => socket.end(answer))),
    );
    await expect(get(open(1), `http://127.0.0.1:${port}/`)).rejects.toMatchObject({
      code: expect.stringMatching(/^(ECONNRESET|HPE_)/),
    });
  }
});
