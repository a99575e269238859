/** The server's own certificate: reading it with its key, and what is right and wrong with it. */
import type { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import { Duplex } from 'node:stream';
import { connect, createSecureContext, type SecureContextOptions, TLSSocket } from 'node:tls';
import { errorText, WsusutilError } from '../errors.js';

/** Absolute paths; `password` opens the PFX file or the encrypted key. */
export type CertificateFiles =
  | {
      readonly kind: 'pem';
      readonly certificateFile: string;
      readonly keyFile: string;
    }
  | { readonly kind: 'pfx'; readonly pfxFile: string };

export interface ServerCertificate {
  /** for `https.createServer`; holds the key */
  readonly secureOptions: SecureContextOptions;
  readonly leaf: X509Certificate;
  /** what is sent: the leaf first, then whoever issued it, as far as it is there */
  readonly chain: readonly X509Certificate[];
}

const MAX_FILE_SIZE = 4 * 1024 * 1024;
const MAX_CHAIN_LENGTH = 16;
const DAY_MS = 86_400_000;
/** Days before its end from which on a certificate is to be renewed. */
const RENEWAL_DAYS = 30;

/**
 * @throws WsusutilError `CERTIFICATE_INVALID` for files that hold no certificate and key that belong together;
 *   `READ_FAILED`
 */
export async function loadCertificate(
  files: CertificateFiles,
  password: string | undefined,
): Promise<ServerCertificate> {
  const passphrase = password === undefined ? {} : { passphrase: password };
  const secureOptions: SecureContextOptions =
    files.kind === 'pfx'
      ? { pfx: await readLimited(files.pfxFile), ...passphrase }
      : {
          cert: await readLimited(files.certificateFile),
          key: await readLimited(files.keyFile),
          ...passphrase,
        };
  const where = files.kind === 'pfx' ? files.pfxFile : `${files.certificateFile} and ${files.keyFile}`;
  try {
    const leaf = await shownBy(secureOptions);
    return { secureOptions, leaf, chain: chainOf(leaf) };
  } catch (cause) {
    throw new WsusutilError('CERTIFICATE_INVALID', `${where}: ${reasonOf(cause)}`, {
      hint: 'Give a certificate and its own key as PEM (--cert, --key), or both in one PFX file (--pfx) with its password.',
      cause,
    });
  }
}

/** The words of OpenSSL are about its insides. */
function reasonOf(error: unknown): string {
  const text = errorText(error);
  if (/mac verify failure|bad decrypt|bad password|invalid password/i.test(text)) {
    return 'the password does not open it';
  }
  if (/interrupted or cancelled|empty passphrase|password required|bad password read/i.test(text)) {
    return 'the key is encrypted, and no password was given';
  }
  if (/key values mismatch/i.test(text)) return 'the key is not the key of the certificate';
  if (/not enough data|wrong tag|asn1|header too long/i.test(text)) return 'it is no PFX file';
  if (/no start line|no certificate|DECODER|unsupported/i.test(text)) {
    return 'there is no certificate or no key in PEM that can be read';
  }
  return text;
}

/**
 * The certificate that a server with these options shows, seen in a handshake with itself: the only way to look into a PFX
 * file, and proof that certificate and key belong together.
 */
async function shownBy(options: SecureContextOptions): Promise<X509Certificate> {
  const secureContext = createSecureContext(options);
  const [one, other] = duplexPair();
  const server = new TLSSocket(one as never, { isServer: true, secureContext });
  // Nothing is trusted here: both ends are this process.
  const client = connect({ socket: other as never, rejectUnauthorized: false });
  try {
    return await new Promise((resolve, reject) => {
      server.on('error', reject);
      client.on('error', reject);
      client.once('secureConnect', () => {
        const leaf = client.getPeerX509Certificate();
        if (leaf === undefined) reject(new Error('no certificate'));
        else resolve(leaf);
      });
    });
  } finally {
    client.destroy();
    server.destroy();
  }
}

/** Two ends: what is written to one is read from the other. */
function duplexPair(): readonly [Duplex, Duplex] {
  const make = (peer: () => Duplex): Duplex =>
    new Duplex({
      read() {},
      write(chunk, _encoding, done) {
        peer().push(chunk);
        done();
      },
      final(done) {
        peer().push(null);
        done();
      },
    });
  const one: Duplex = make(() => other);
  const other: Duplex = make(() => one);
  return [one, other];
}

function chainOf(leaf: X509Certificate): readonly X509Certificate[] {
  const chain: X509Certificate[] = [leaf];
  for (let next = leaf.issuerCertificate; next !== undefined; next = next.issuerCertificate) {
    if (
      chain.length >= MAX_CHAIN_LENGTH ||
      chain.some(({ fingerprint256 }) => fingerprint256 === next?.fingerprint256)
    ) {
      break;
    }
    chain.push(next);
  }
  return chain;
}

export interface CertificateFinding {
  readonly condition: string;
  readonly level: 'pass' | 'warning' | 'fail';
  readonly says: string;
}

/**
 * Every condition on a certificate that clients and downstream servers will meet.
 *
 * @param name they will use
 */
export function judgeCertificate(
  { leaf, chain }: Pick<ServerCertificate, 'leaf' | 'chain'>,
  name: string,
  now: Date,
): readonly CertificateFinding[] {
  const names = namesOf(leaf);
  const isNamed = isIP(name) === 0 ? leaf.checkHost(name, { subject: 'never' }) : leaf.checkIP(name);
  const from = Date.parse(leaf.validFrom);
  const to = Date.parse(leaf.validTo);
  const daysLeft = Math.floor((to - now.getTime()) / DAY_MS);
  const last = chain.at(-1) as X509Certificate;
  const isWhole = last.checkIssued(last);
  return [
    {
      condition: 'full name',
      level: isFullName(name) ? 'pass' : 'fail',
      says: isFullName(name)
        ? `${name} is a fully qualified name`
        : `${name} is not fully qualified, which clients and downstream servers need for HTTPS`,
    },
    {
      condition: 'name in the certificate',
      level: isNamed === undefined ? 'fail' : 'pass',
      says:
        isNamed === undefined
          ? `${name} is none of its names (${names.length === 0 ? 'it has no subject alternative name' : names.join(', ')})`
          : `it is for ${isNamed}`,
    },
    {
      condition: 'validity',
      level: now.getTime() < from || daysLeft < 0 ? 'fail' : daysLeft < RENEWAL_DAYS ? 'warning' : 'pass',
      says:
        now.getTime() < from
          ? `it is not valid before ${leaf.validFrom}`
          : daysLeft < 0
            ? `it ended on ${leaf.validTo}`
            : `it is valid until ${leaf.validTo} (${daysLeft} days)`,
    },
    {
      condition: 'chain',
      level: isWhole || chain.length > 1 ? 'pass' : 'warning',
      says: isWhole
        ? chain.length === 1
          ? 'it is self-signed: every client has to be given this certificate'
          : `it goes up to its root (${subjectOf(last)})`
        : chain.length > 1
          ? `${chain.length} certificates, up to ${subjectOf(last)}; clients need the root of its authority`
          : `only the certificate itself is there; if it was issued by an intermediate authority (${subjectOf({ subject: leaf.issuer })}), add that certificate to the file`,
    },
  ];
}

/** Clients and downstream servers that use HTTPS have to be given a fully qualified name (cli-surface 6). */
export function isFullName(name: string): boolean {
  return /[^.]\.[^.]/.test(name);
}

/** DNS names and addresses it is for. */
function namesOf({ subjectAltName }: X509Certificate): readonly string[] {
  return (subjectAltName ?? '')
    .split(', ')
    .flatMap((entry) => /^(?:DNS|IP Address):(.*)$/.exec(entry)?.[1] ?? []);
}

function subjectOf({ subject }: { readonly subject: string }): string {
  return subject.replaceAll('\n', ', ').slice(0, 200);
}

async function readLimited(path: string): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_SIZE) {
      throw new WsusutilError(
        'CERTIFICATE_INVALID',
        `${path} is ${size} bytes long: that is no certificate`,
        {
          hint: 'Name the file with the certificate or the key.',
        },
      );
    }
    return await readFile(path);
  } catch (error) {
    if (error instanceof WsusutilError) throw error;
    throw new WsusutilError('READ_FAILED', `Cannot read ${path}: ${errorText(error)}`, {
      hint: 'Check the path and the permissions: the account that runs the server must be able to read it.',
      cause: error,
    });
  }
}
