import { WsusutilError } from '../errors.js';

/**
 * Where a WSUS server gives out content: always over http, on the port of its web services, or with https on the one
 * below (443: on 80). Source: server-sync-protocol 1.3, 16.1.
 *
 * @param upstream root of the web services, http or https
 * @returns without a slash at the end
 * @throws WsusutilError `USAGE` for https on port 1, below which there is none
 */
export function contentUrlOf(upstream: URL): string {
  const root = new URL(upstream.origin);
  if (upstream.protocol === 'https:') {
    const port = upstream.port === '' ? 443 : Number(upstream.port);
    if (port === 1) {
      throw new WsusutilError('USAGE', `There is no port below that of ${upstream.origin} for content`, {
        hint: 'Give the address of the content with upstreamContentUrl.',
      });
    }
    root.protocol = 'http:';
    root.port = String(port === 443 ? 80 : port - 1);
  }
  return `${root.origin}/Content`;
}
