/** A server of content files over real HTTP that can be made to fail in every way real ones do. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export type Fault =
  | { readonly type: 'reset'; readonly after: number }
  | { readonly type: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly type: 'wrong-bytes' }
  | { readonly type: 'more-bytes' }
  | { readonly type: 'ends-early'; readonly after: number }
  /** sends nothing more, and keeps the connection until the other side closes it */
  | { readonly type: 'stalls'; readonly after: number }
  | { readonly type: 'ignores-range' }
  | { readonly type: 'wrong-range' }
  | { readonly type: 'portal' }
  | { readonly type: 'gzip' }
  | { readonly type: 'redirect'; readonly to: string };

export interface ContentOrigin {
  /** without a slash at the end */
  readonly url: string;
  /** the `Range` header (or `all`) of every request, in order */
  readonly asked: readonly string[];
  /** every request, in order */
  readonly requests: readonly { readonly path: string; readonly start: number }[];
  /** Faults of the next requests for a path, one each. */
  fail(path: string, ...faults: readonly Fault[]): void;
}

/** @param files path with a slash in front → bytes; may change while the server runs */
export async function startContentOrigin(files: ReadonlyMap<string, Buffer>): Promise<ContentOrigin> {
  const asked: string[] = [];
  const requests: { path: string; start: number }[] = [];
  const faults = new Map<string, Fault[]>();
  const server: Server = createServer((request, response) => {
    asked.push(request.headers.range ?? 'all');
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    requests.push({ path: request.url ?? '', start });
    answer(request, response, files, faults.get(request.url ?? '')?.shift());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(
    () =>
      new Promise<void>((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  );
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    requests,
    fail: (path, ...list) => faults.set(path, [...(faults.get(path) ?? []), ...list]),
  };
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  files: ReadonlyMap<string, Buffer>,
  fault: Fault | undefined,
): void {
  const bytes = files.get(request.url ?? '');
  if (fault?.type === 'status') {
    response.writeHead(fault.status, fault.headers).end('no');
    return;
  }
  if (fault?.type === 'redirect') {
    response.writeHead(302, { location: fault.to }).end();
    return;
  }
  if (fault?.type === 'portal') {
    response.writeHead(200, { 'content-type': 'text/html', 'content-length': '13' }).end('<html></html>');
    return;
  }
  if (bytes === undefined) {
    response.writeHead(404).end('not here');
    return;
  }
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  const start = range === null || fault?.type === 'ignores-range' ? 0 : Number(range[1]);
  if (start >= bytes.length && start > 0) {
    response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
    return;
  }
  let body = bytes.subarray(start);
  const headers: Record<string, string> = { 'content-length': String(body.length) };
  if (start > 0) headers['content-range'] = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
  if (fault?.type === 'wrong-range')
    headers['content-range'] = `bytes ${start + 1}-${bytes.length - 1}/${bytes.length}`;
  if (fault?.type === 'gzip') headers['content-encoding'] = 'gzip';
  if (fault?.type === 'wrong-bytes') body = Buffer.from(body.map((byte) => byte ^ 0x55));
  if (fault?.type === 'more-bytes') {
    delete headers['content-length'];
    body = Buffer.concat([body, Buffer.alloc(100)]);
  }
  if (fault?.type === 'ends-early') {
    delete headers['content-length'];
    body = body.subarray(0, fault.after);
  }
  response.writeHead(start > 0 ? 206 : 200, headers);
  if (fault?.type === 'stalls') {
    response.write(body.subarray(0, fault.after));
    return;
  }
  if (fault?.type === 'reset') {
    response.write(body.subarray(0, fault.after), () => setTimeout(() => request.socket.destroy(), 20));
    return;
  }
  response.end(body);
}
