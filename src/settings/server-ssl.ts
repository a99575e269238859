/** SSL of our own server, as `configuressl` stores it. */
import type { Settings } from './settings.js';

/** Where certificate and key are. Absolute paths. */
export type CertificateSource =
  | { readonly kind: 'pem'; readonly certificateFile: string; readonly keyFile: string }
  | { readonly kind: 'pfx'; readonly pfxFile: string };

export interface ServerSsl {
  /** as clients write it */
  readonly name: string;
  /** of HTTPS */
  readonly port: number;
  readonly source: CertificateSource;
  /** of the PFX file or the key; a secret */
  readonly password: string | undefined;
}

/** Undefined: the server uses no SSL. */
export function serverSslOf(settings: Settings): ServerSsl | undefined {
  const {
    serverCertificateName: name,
    serverSslPort: port,
    serverCertificateFile: certificateFile,
    serverKeyFile: keyFile,
    serverPfxFile: pfxFile,
    serverKeyPassword: password,
  } = settings;
  if (name === undefined) return undefined;
  if (pfxFile !== undefined) return { name, port, password, source: { kind: 'pfx', pfxFile } };
  if (certificateFile === undefined || keyFile === undefined) return undefined;
  return { name, port, password, source: { kind: 'pem', certificateFile, keyFile } };
}

/** The port of clear HTTP beside a port of HTTPS: 443 → 80, n → n − 1 (cli-surface 6). */
export function contentPortOf(sslPort: number): number {
  return sslPort === 443 ? 80 : sslPort - 1;
}

/** `https://name:8531`; the port is always there, as in Microsoft's tool. */
export function serverUrlOf({ name, port }: Pick<ServerSsl, 'name' | 'port'>): string {
  return `https://${name.includes(':') ? `[${name}]` : name}:${port}`;
}
