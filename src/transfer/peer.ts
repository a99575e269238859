/** What the other end of a TLS connection says of itself. Nothing is believed for it, and nothing is sent. */
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import tls, { type PeerCertificate } from 'node:tls';

export interface PeerFacts {
  /** e.g. `TLSv1.3` */
  readonly protocol: string | undefined;
  /** common name, or organisation, of the certificate; undefined: there is none */
  readonly subject: string | undefined;
  /** the same of who signed it */
  readonly issuer: string | undefined;
  /** end of its validity, milliseconds since 1970 */
  readonly validTo: number | undefined;
}

const MAX_NAME_LENGTH = 100;

/** The host of a URL without the brackets of an IPv6 address. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

/**
 * @param hop where to connect, or a connection that is open already
 * @throws Error as Node.js gives it, also when `signal` is aborted
 */
export async function readPeer(
  hop: { readonly host: string; readonly port: number } | { readonly socket: Duplex },
  host: string,
  signal: AbortSignal,
): Promise<PeerFacts> {
  signal.throwIfAborted();
  const socket = tls.connect({
    ...hop,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    // To name the certificate that other connections refused. This one ends before a byte is sent.
    rejectUnauthorized: false,
  });
  const onAbort = () => socket.destroy(new Error('The handshake took too long or was interrupted'));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
      socket.once('close', () =>
        reject(new Error('The connection was closed in the middle of the handshake')),
      );
    });
    const certificate = socket.getPeerCertificate();
    return {
      protocol: socket.getProtocol() ?? undefined,
      subject: nameOf(certificate.subject),
      issuer: nameOf(certificate.issuer),
      validTo: Date.parse(certificate.valid_to ?? '') || undefined,
    };
  } finally {
    signal.removeEventListener('abort', onAbort);
    socket.on('error', () => {}).destroy();
  }
}

/** Text of strangers: without control characters, and not endless. */
function nameOf(name: Partial<PeerCertificate['subject']> | undefined): string | undefined {
  const part: unknown = name?.CN ?? name?.O;
  const text: unknown = Array.isArray(part) ? part[0] : part;
  if (typeof text !== 'string' || text === '') return undefined;
  return text.replaceAll(/\p{C}/gu, '?').slice(0, MAX_NAME_LENGTH);
}
