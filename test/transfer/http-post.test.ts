import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type HttpPostResponse, openHttpPost } from '../../src/transfer/http-post.js';
import { failureOf } from '../helpers/package-builder.js';
import { closedPort, startServer } from '../helpers/web-server.js';

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

async function setUp(handler: Handler, maxExpandedSize?: number) {
  const port = await startServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => handler(request, response, Buffer.concat(pieces).toString('utf8')));
  });
  return client(`http://127.0.0.1:${port}/Service.asmx?x=1`, maxExpandedSize);
}

function client(url: string, maxExpandedSize?: number) {
  const http = openHttpPost({ userAgent: 'wsusutil/test', connections: 2 }, maxExpandedSize);
  onTestFinished(() => http.close());
  const post = (signal = new AbortController().signal, body = '<a>ä</a>') =>
    http.post({ url, soapAction: 'urn:x/Ping', body, signal });
  return { post };
}

async function textOf(response: HttpPostResponse): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of response.body) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}

describe('a post', () => {
  test('carries what the protocol asks for', async () => {
    let seen: IncomingMessage | undefined;
    let sent = '';
    const { post } = await setUp((request, response, body) => {
      seen = request;
      sent = body;
      response.setHeader('X-Twice', ['one', 'two']).end('fine');
    });
    const response = await post();
    expect(await textOf(response)).toBe('fine');
    expect(response.status).toBe(200);
    expect(response.headers['x-twice']).toBe('one, two');
    expect(sent).toBe('<a>ä</a>');
    expect(seen?.method).toBe('POST');
    expect(seen?.url).toBe('/Service.asmx?x=1');
    expect(seen?.headers).toMatchObject({
      soapaction: '"urn:x/Ping"',
      'content-type': 'text/xml; charset=utf-8',
      'content-length': '9',
      'accept-encoding': 'gzip',
      'user-agent': 'wsusutil/test',
    });
  });

  test('gives every status as an answer, a redirect among them', async () => {
    let requests = 0;
    const { post } = await setUp((_request, response) => {
      requests++;
      response.writeHead(302, { Location: '/elsewhere' }).end('moved');
    });
    const response = await post();
    expect([response.status, response.headers.location]).toEqual([302, '/elsewhere']);
    expect(await textOf(response)).toBe('moved');
    expect(requests).toBe(1);
  });

  test.each(['gzip', 'x-gzip', 'GZIP'])('undoes the encoding %s', async (encoding) => {
    const text = 'ein Text '.repeat(50_000);
    const { post } = await setUp((_request, response) => {
      response.setHeader('Content-Encoding', encoding).end(gzipSync(text));
    });
    expect(await textOf(await post())).toBe(text);
  });

  test('a few packed bytes do not become more than the limit', async () => {
    const { post } = await setUp((_request, response) => {
      response.setHeader('Content-Encoding', 'gzip').end(gzipSync(Buffer.alloc(50_000_000)));
    }, 1_000_000);
    const response = await post();
    let size = 0;
    const error = await failureOf(async () => {
      for await (const piece of response.body) size += piece.length;
    });
    expect(error.code).toBe('LIMIT_EXCEEDED');
    expect(size).toBeLessThanOrEqual(1_000_000);
  });

  test('an encoding that was not asked for is refused by name', async () => {
    const { post } = await setUp((_request, response) => {
      response.setHeader('Content-Encoding', 'br').end('x');
    });
    const error = await failureOf(() => post());
    expect(error.code).toBe('UPSTREAM_MALFORMED');
    expect(error.message).toContain('encoding br');
  });

  test.each([
    ['damaged', (packed: Buffer) => packed.fill(0, 20, 40)],
    ['cut off', (packed: Buffer) => packed.subarray(0, packed.length - 20)],
  ])('a gzip body that is %s fails with a code of zlib', async (_name, harm) => {
    const { post } = await setUp((_request, response) => {
      response.setHeader('Content-Encoding', 'gzip').end(harm(gzipSync(Buffer.from('text '.repeat(1000)))));
    });
    const response = await post();
    await expect(textOf(response)).rejects.toMatchObject({ code: expect.stringMatching(/^Z_/) });
  });

  test.each(['identity', 'gzip'])('a connection that breaks in a body of %s is told', async (encoding) => {
    const { post } = await setUp((_request, response) => {
      response.writeHead(200, { 'Content-Encoding': encoding });
      response.write(gzipSync(Buffer.from('text '.repeat(100_000))).subarray(0, 300));
      setImmediate(() => response.destroy());
    });
    await expect(post().then(textOf)).rejects.toMatchObject({
      code: expect.stringMatching(/^(UND_ERR_SOCKET|ECONNRESET)$/),
    });
  });

  test('a server that is not there leaves its code', async () => {
    const { post } = client(`http://127.0.0.1:${await closedPort()}/`);
    await expect(post()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('ends when it is interrupted, before the answer and within its body', async () => {
    const first = new AbortController();
    const { post } = await setUp((_request, response, body) => {
      if (body === 'wait') first.abort(new Error('enough'));
      else response.writeHead(200, { 'Content-Encoding': 'identity' }).write('begun');
    });
    await expect(post(first.signal, 'wait')).rejects.toThrow('enough');
    const second = new AbortController();
    const response = await post(second.signal);
    const reading = textOf(response);
    second.abort(new Error('enough of that too'));
    await expect(reading).rejects.toThrow();
  });

  test('a body that is left early gives the connection up', async () => {
    let closed: Promise<unknown> | undefined;
    const { post } = await setUp((_request, response) => {
      closed = new Promise((done) => response.once('close', done));
      response.writeHead(200, { 'Content-Encoding': 'gzip' });
      response.write(gzipSync(Buffer.from('x'.repeat(1000))));
    });
    const response = await post();
    for await (const piece of response.body) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    await closed;
  });
});
