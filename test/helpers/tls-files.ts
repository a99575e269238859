/** The certificates of fixtures/tls: made by us, trusted by nobody else. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const FOLDER = resolve(import.meta.dirname, '../../fixtures/tls');

export type ServerCertificate = 'server' | 'expired' | 'self-signed';

/** @param name with its ending */
export function tlsPath(name: string): string {
  return join(FOLDER, name);
}

/** Authority of `server` and `expired`, for `caFile`. */
export const TEST_ROOT_FILE = join(FOLDER, 'root.pem');
/** For `clientCertificateFile` and `clientKeyFile`. */
export const CLIENT_CERTIFICATE_FILE = join(FOLDER, 'client.pem');
export const CLIENT_KEY_FILE = join(FOLDER, 'client.key');

export interface TlsServerOptions {
  readonly key: Buffer;
  readonly cert: Buffer;
  readonly ca?: Buffer;
  readonly requestCert?: boolean;
  readonly rejectUnauthorized?: boolean;
}

/** @param demandsClientCertificate connections without one of our authority are refused */
export function tlsServerOptions(
  certificate: ServerCertificate = 'server',
  demandsClientCertificate = false,
): TlsServerOptions {
  const read = (name: string) => readFileSync(join(FOLDER, name));
  return {
    key: read(`${certificate}.key`),
    cert: read(`${certificate}.pem`),
    ...(demandsClientCertificate
      ? { ca: read('root.pem'), requestCert: true, rejectUnauthorized: true }
      : {}),
  };
}
