/** What a request says of itself. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

export const MAX_PATH_LENGTH = 1_024;

/** A supervisor may ask as often as it likes. */
export function isHealth(url: string | undefined): boolean {
  return url === '/health/live' || url === '/health/ready';
}

/** Lower case, percent signs decoded, slashes single, without query; undefined for what cannot be one. */
export function pathOf(url: string): string | undefined {
  if (url.length > MAX_PATH_LENGTH) return undefined;
  // A proxy's form has the whole address.
  const local = url.replace(/^https?:\/\/[^/?#]*/i, '');
  const path = local.split(/[?#]/, 1)[0] as string;
  try {
    return decodeURIComponent(path).replaceAll(/\/+/g, '/').toLowerCase();
  } catch {
    return undefined;
  }
}

/** Without the scope of a link-local address; '' once the connection is gone. */
export function addressOf(socket: Socket): string {
  const address = (socket.remoteAddress ?? '').replace(/%.*$/, '');
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

export function isEncrypted({ socket }: IncomingMessage): boolean {
  return socket instanceof TLSSocket;
}

export function announcedSize({ headers }: IncomingMessage): number {
  return Number(headers['content-length'] ?? 0);
}

export function acceptsGzip({ headers }: IncomingMessage): boolean {
  return String(headers['accept-encoding'] ?? '')
    .split(',')
    .some((part) => /^\s*(x-)?gzip\s*(;\s*q=(0\.\d*[1-9]\d*|1(\.0*)?))?\s*$/i.test(part));
}

/** As the client calls it, without what XML cannot carry. */
export function addressOfService(request: IncomingMessage): string {
  const host = request.headers.host ?? 'localhost';
  const path = (request.url ?? '/').split('?', 1)[0] as string;
  return printable(`${isEncrypted(request) ? 'https' : 'http'}://${host}${path}`);
}

/** What XML cannot carry does not get into a fault. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?');
}
