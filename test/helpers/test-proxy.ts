/**
 * An HTTP proxy on 127.0.0.1 that leads names nobody else knows to servers of the test: requests in absolute form for
 * http, tunnels for https. Like real ones it refuses tunnels to port 80, and requests of any other form.
 */
import { createServer, type IncomingHttpHeaders, request as sendRequest } from 'node:http';
import { connect } from 'node:net';
import { listen } from './web-server.js';

export interface TestProxyOptions {
  /** `host` or `host:port` as asked for → port on 127.0.0.1 */
  readonly leads: Readonly<Record<string, number>>;
  /** `user:password`; undefined: open to all */
  readonly basic?: string;
  /** what a 407 offers; default: Basic */
  readonly offers?: readonly string[];
  /** answers every tunnel with this status instead */
  readonly refuseTunnels?: number;
  /** never answers */
  readonly hangs?: boolean;
}

export interface TestProxy {
  readonly host: string;
  readonly port: number;
  /** first lines, without the version: `CONNECT wsus.test:443`, `GET http://wsus.test/path` */
  readonly asked: readonly string[];
  readonly headers: readonly IncomingHttpHeaders[];
}

export async function startTestProxy(options: TestProxyOptions): Promise<TestProxy> {
  const asked: string[] = [];
  const seen: IncomingHttpHeaders[] = [];
  const note = (method: string | undefined, target: string | undefined, headers: IncomingHttpHeaders) => {
    asked.push(`${method} ${target}`);
    seen.push(headers);
  };
  const isAllowed = (headers: IncomingHttpHeaders) =>
    options.basic === undefined
      ? options.offers === undefined
      : headers['proxy-authorization'] === `Basic ${Buffer.from(options.basic).toString('base64')}`;
  const challenges = options.offers ?? ['Basic realm="the office, Basic or not"'];
  const portOf = (host: string, port: string) => options.leads[`${host}:${port}`] ?? options.leads[host];

  const server = createServer((request, response) => {
    note(request.method, request.url, request.headers);
    if (options.hangs === true) return;
    if (!isAllowed(request.headers)) {
      response.writeHead(407, { 'Proxy-Authenticate': [...challenges] }).end('<html>who are you?</html>');
      return;
    }
    const url = /^http:\/\//.test(request.url ?? '') ? new URL(request.url ?? '') : undefined;
    if (url === undefined) {
      response.writeHead(400).end('not in absolute form');
      return;
    }
    const port = portOf(url.hostname, url.port || '80');
    if (port === undefined) {
      response.writeHead(502).end('no such host');
      return;
    }
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const onward = sendRequest(
      { host: '127.0.0.1', port, method: request.method, path: url.pathname + url.search, headers },
      (reply) => {
        response.writeHead(reply.statusCode ?? 500, reply.headers);
        reply.pipe(response);
      },
    );
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  server.on('connect', (request, socket, head) => {
    note(request.method, request.url, request.headers);
    socket.on('error', () => {});
    if (options.hangs === true) return;
    const refuse = (status: number, lines: readonly string[] = []) =>
      socket.end(
        `HTTP/1.1 ${status} No\r\n${lines.map((line) => `${line}\r\n`).join('')}Content-Length: 2\r\n\r\nno`,
      );
    if (!isAllowed(request.headers)) {
      refuse(
        407,
        challenges.map((challenge) => `Proxy-Authenticate: ${challenge}`),
      );
      return;
    }
    const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(request.url ?? '') ?? [];
    if (options.refuseTunnels !== undefined) return void refuse(options.refuseTunnels);
    if (port === '80') return void refuse(403);
    const target = portOf(host, port);
    if (target === undefined) return void refuse(502);
    const onward = connect(target, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.write(head);
      socket.pipe(onward).pipe(socket);
    });
    onward.on('error', () => socket.destroy());
    socket.on('close', () => onward.destroy());
  });
  const port = await listen(server);
  return { host: '127.0.0.1', port, asked, headers: seen };
}
