import { expect, test } from 'vitest';
import { writePing } from '../../src/formats/server-sync/ping.js';
import { SoapTransport } from '../../src/sync/soap-transport.js';
import { openHttpPost } from '../../src/transfer/http-post.js';
import { startServer } from '../helpers/web-server.js';
import { SleeplessClock } from './client-setup.js';

test('an answer that comes byte by byte without end ends the call', async () => {
  const port = await startServer((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/xml' });
    const drip = setInterval(() => response.write(' '), 10);
    response.on('close', () => clearInterval(drip));
  });
  const { post, close } = openHttpPost({ userAgent: 'test', connections: 1 });
  try {
    const transport = new SoapTransport(post, new SleeplessClock(), new AbortController().signal, 2_000);
    const reply = await transport.open(new URL(`http://127.0.0.1:${port}/`), writePing());
    const read = async () => {
      for await (const _ of reply.chunks);
    };
    await expect(read()).rejects.toMatchObject({
      code: 'UPSTREAM_UNREACHABLE',
      isTransient: true,
      isTimeout: true,
    });
  } finally {
    await close();
  }
});

test('whoever reads an answer may take longer than its server has', async () => {
  const port = await startServer((_request, response) => void response.end('x'.repeat(200_000)));
  const { post, close } = openHttpPost({ userAgent: 'test', connections: 1 });
  try {
    const transport = new SoapTransport(post, new SleeplessClock(), new AbortController().signal, 1_000);
    const reply = await transport.open(new URL(`http://127.0.0.1:${port}/`), writePing());
    let size = 0;
    for await (const bytes of reply.chunks) {
      size += bytes.length;
      await new Promise((resolve) => setTimeout(resolve, 1_300));
    }
    expect(size).toBe(200_000);
  } finally {
    await close();
  }
});
