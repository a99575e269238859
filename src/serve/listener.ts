/** Sockets: making a server with the limits that must be known from the start, and having it listen. */
import { stat } from 'node:fs/promises';
import { createServer, type Server as HttpServer } from 'node:http';
import { createServer as createTlsServer, type Server as HttpsServer } from 'node:https';
import { BlockList, isIP } from 'node:net';
import { errorText, WsusutilError } from '../errors.js';
import type { ServerCertificate } from './certificate.js';
import type { WebServer } from './front.js';
import type { ServeLimits } from './limits.js';

/** Between two looks at the files of the certificate. */
const CERTIFICATE_INTERVAL_MS = 30_000;

/** Options of `http.createServer` and `https.createServer`; the others are set by `Front.attach`. */
export function serverOptions(limits: ServeLimits) {
  return {
    maxHeaderSize: limits.maxHeaderSize,
    connectionsCheckingInterval: limits.checkIntervalMs,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    noDelay: true,
  };
}

export function createHttpServer(limits: ServeLimits): HttpServer {
  return createServer(serverOptions(limits));
}

export function createHttpsServer(limits: ServeLimits, certificate: ServerCertificate): HttpsServer {
  return createTlsServer({
    ...serverOptions(limits),
    ...certificate.secureOptions,
    minVersion: 'TLSv1.2',
    // A client that opens a connection and says nothing is as slow as one that sends no headers.
    handshakeTimeout: limits.headersTimeoutMs,
  });
}

/**
 * Has a server use its certificate anew when one of its files changes. A file that cannot be used (it may be half written)
 * leaves everything as it is.
 *
 * @param paths that are looked at
 * @param load reads them
 * @returns stops looking
 */
export async function watchCertificate(
  server: HttpsServer,
  paths: readonly string[],
  load: () => Promise<ServerCertificate>,
  told: {
    readonly onRenewed: (certificate: ServerCertificate) => void;
    readonly onFailed: (error: unknown) => void;
  },
  intervalMs = CERTIFICATE_INTERVAL_MS,
): Promise<() => void> {
  let last: string | undefined;
  let isBusy = false;
  const look = async () => {
    const stamp = JSON.stringify(
      await Promise.all(
        paths.map((path) =>
          stat(path).then(
            ({ mtimeMs, size, ino }) => [mtimeMs, size, ino],
            () => [],
          ),
        ),
      ),
    );
    const isFirst = last === undefined;
    if (stamp === last) return;
    last = stamp;
    if (isFirst) return;
    try {
      const certificate = await load();
      server.setSecureContext(certificate.secureOptions);
      told.onRenewed(certificate);
    } catch (error) {
      told.onFailed(error);
    }
  };
  const run = () => {
    if (isBusy) return;
    isBusy = true;
    void look().finally(() => {
      isBusy = false;
    });
  };
  await look();
  const timer = setInterval(run, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
}

/**
 * @param port 0: any free one
 * @returns the port
 * @throws WsusutilError `LISTEN_FAILED`
 */
export function listen(server: WebServer, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (error: unknown) => reject(listenError(error, host, port));
    server.once('error', onError);
    server.listen({ host, port, backlog: 511 }, () => {
      server.off('error', onError);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

function listenError(error: unknown, host: string, port: number): WsusutilError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const where = `${host}, port ${port}`;
  switch (code) {
    case 'EADDRINUSE':
      return new WsusutilError('LISTEN_FAILED', `Cannot listen on ${where}: the port is taken`, {
        hint: 'Stop the program that has it (another "wsusutil serve"?), or choose another with --port.',
        cause: error,
      });
    case 'EACCES':
      return new WsusutilError('LISTEN_FAILED', `Cannot listen on ${where}: not allowed`, {
        hint: 'Ports below 1024 are for the administrator on most systems; choose another with --port.',
        cause: error,
      });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new WsusutilError(
        'LISTEN_FAILED',
        `Cannot listen on ${where}: this machine has no such address`,
        {
          hint: 'Give one of its own addresses with --host, or 0.0.0.0 for all of them.',
          cause: error,
        },
      );
    default:
      return new WsusutilError('LISTEN_FAILED', `Cannot listen on ${where}: ${errorText(error)}`, {
        cause: error,
      });
  }
}

/**
 * Addresses a server is for. This machine's own are always among them.
 *
 * @param texts addresses or networks (`192.0.2.0/24`, `2001:db8::/32`)
 * @throws WsusutilError `USAGE`
 */
export function parseAddresses(texts: readonly string[]): BlockList {
  const list = new BlockList();
  list.addSubnet('127.0.0.0', 8, 'ipv4');
  list.addAddress('::1', 'ipv6');
  for (const text of texts) {
    const [address = '', prefix, ...rest] = text.split('/');
    const kind = isIP(address);
    const family = kind === 6 ? 'ipv6' : 'ipv4';
    const bits = Number(prefix);
    const isPrefix = prefix !== undefined && /^\d{1,3}$/.test(prefix) && bits <= (kind === 6 ? 128 : 32);
    if (kind === 0 || rest.length > 0 || (prefix !== undefined && !isPrefix)) {
      throw new WsusutilError('USAGE', `"${text}" is neither an address nor a network`, {
        hint: 'Write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32.',
      });
    }
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, bits, family);
  }
  return list;
}
