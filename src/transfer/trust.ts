/**
 * Whose certificates are believed: the roots Node.js comes with, those of the system where Node.js can reach them,
 * NODE_EXTRA_CA_CERTS as always with Node.js, and the caller's own file. Nothing turns checking off.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import tls, { type SecureContext } from 'node:tls';
import { errorText, WsusutilError } from '../errors.js';

export interface TrustSettings {
  /** absolute path: PEM with one certificate or several, or one in DER (`.cer` of Windows) */
  readonly caFile?: string | undefined;
  /** absolute path: PEM, the client's certificate first, then its chain */
  readonly clientCertificateFile?: string | undefined;
  /** absolute path: PEM, not encrypted */
  readonly clientKeyFile?: string | undefined;
}

/** The lists of all public roots have a quarter of a megabyte. */
const MAX_FILE_SIZE = 16 * 1024 * 1024;
const MAX_CERTIFICATES = 10_000;
const PEM_CERTIFICATE =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;
/**
 * Where systems keep their roots as one file, unless SSL_CERT_FILE names another; only looked at where Node.js cannot list
 * them itself.
 */
const SYSTEM_FILES = [
  '/etc/ssl/certs/ca-certificates.crt', // Debian, Arch, Alpine
  '/etc/pki/tls/certs/ca-bundle.crt', // Fedora, RHEL
  '/etc/ssl/ca-bundle.pem', // SUSE
  '/etc/ssl/cert.pem', // macOS, BSD
];

/**
 * For any number of connections.
 *
 * @throws WsusutilError `CERTIFICATE_INVALID`, `READ_FAILED`
 */
export async function loadTrust(trust: TrustSettings = {}, now = new Date()): Promise<SecureContext> {
  const { caFile, clientCertificateFile, clientKeyFile } = trust;
  const own = caFile === undefined ? [] : await readAuthorities(caFile, now);
  const client = await readClient(clientCertificateFile, clientKeyFile, now);
  const known = await knownRoots();
  return tls.createSecureContext({ ca: [...new Set([...known, ...own])], ...client });
}

/** PEM texts of the roots that are believed without being chosen. */
export async function knownRoots(): Promise<readonly string[]> {
  if ('getCACertificates' in tls && typeof tls.getCACertificates === 'function') {
    // Node.js 22.15 and later: `default` holds its own roots and NODE_EXTRA_CA_CERTS.
    const list = tls.getCACertificates as (type: 'default' | 'system') => readonly string[];
    return [...list('default'), ...list('system')];
  }
  // An explicit list of roots leaves out what the variable names.
  const { NODE_EXTRA_CA_CERTS: extra, SSL_CERT_FILE: system } = process.env;
  const files = [extra, ...(isSet(system) ? [system] : SYSTEM_FILES)].filter(isSet);
  const found = await Promise.all(files.map((path) => readFile(path, 'latin1').catch(() => '')));
  return [...tls.rootCertificates, ...found.flatMap((text) => pemCertificates(text).filter(isCertificate))];
}

function isSet(variable: string | undefined): variable is string {
  return variable !== undefined && variable !== '';
}

function pemCertificates(text: string): readonly string[] {
  return text.match(PEM_CERTIFICATE) ?? [];
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem) !== undefined;
  } catch {
    return false;
  }
}

async function readAuthorities(path: string, now: Date): Promise<readonly string[]> {
  const certificates = await readCertificates('caFile', path);
  const current = certificates.filter((certificate) => Date.parse(certificate.validTo) >= now.getTime());
  const [first] = certificates;
  if (current.length === 0 && first !== undefined) {
    throw invalid(
      'caFile',
      path,
      `holds nothing but expired certificates (${subjectOf(first)}, until ${first.validTo})`,
      {
        hint: 'Get the current root certificate of that authority.',
      },
    );
  }
  return current.map((certificate) => certificate.toString());
}

async function readClient(
  certificatePath: string | undefined,
  keyPath: string | undefined,
  now: Date,
): Promise<{ readonly cert?: string; readonly key?: string | Buffer }> {
  if (certificatePath === undefined && keyPath === undefined) return {};
  if (certificatePath === undefined || keyPath === undefined) {
    const [is, isNot] =
      keyPath === undefined
        ? ['clientCertificateFile', 'clientKeyFile']
        : ['clientKeyFile', 'clientCertificateFile'];
    throw new WsusutilError('CERTIFICATE_INVALID', `${is} is set, but ${isNot} is not`, {
      hint: 'A client certificate needs both; they may be the same file.',
    });
  }
  const [certificate, ...chain] = await readCertificates('clientCertificateFile', certificatePath);
  if (certificate === undefined) throw new Error('no certificate'); // readCertificates gives one at least
  const age = now.getTime();
  if (Date.parse(certificate.validTo) < age || Date.parse(certificate.validFrom) > age) {
    throw invalid(
      'clientCertificateFile',
      certificatePath,
      `is valid from ${certificate.validFrom} to ${certificate.validTo} only (${subjectOf(certificate)})`,
      { hint: 'Have a new one made, and check the clock.' },
    );
  }
  const bytes = await readLimited('clientKeyFile', keyPath);
  let key: KeyObject;
  try {
    key = createPrivateKey(bytes);
  } catch {
    const isEncrypted = /ENCRYPTED/.test(bytes.toString('latin1'));
    throw invalid(
      'clientKeyFile',
      keyPath,
      isEncrypted ? 'holds a key that is encrypted with a passphrase' : 'holds no private key in PEM',
      {
        hint: isEncrypted
          ? 'Decrypt it with "openssl pkey -in key.pem -out plain.pem", readable by this account alone.'
          : 'Take it out of a PFX with "openssl pkcs12 -in file.pfx -nocerts -nodes -out key.pem".',
      },
    );
  }
  if (!certificate.checkPrivateKey(key)) {
    throw invalid('clientKeyFile', keyPath, `is not the key of the certificate in ${certificatePath}`, {
      hint: 'Name the key that was made together with that certificate.',
    });
  }
  return { cert: [certificate, ...chain].map(String).join(''), key: bytes };
}

/** One at least. */
async function readCertificates(setting: string, path: string): Promise<readonly X509Certificate[]> {
  const bytes = await readLimited(setting, path);
  const pems = pemCertificates(bytes.toString('latin1'));
  if (pems.length > MAX_CERTIFICATES) {
    throw invalid(
      setting,
      path,
      `holds ${pems.length} certificates, at most ${MAX_CERTIFICATES} are expected`,
    );
  }
  try {
    if (pems.length > 0) return pems.map((pem) => new X509Certificate(pem));
    if (bytes[0] === 0x30) return [new X509Certificate(bytes)]; // DER begins with a SEQUENCE
  } catch (error) {
    throw invalid(setting, path, `holds a certificate that cannot be read: ${errorText(error)}`, {
      cause: error,
    });
  }
  throw invalid(setting, path, 'holds no certificate');
}

async function readLimited(setting: string, path: string): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_SIZE) {
      throw invalid(setting, path, `is ${size} bytes long, at most ${MAX_FILE_SIZE} are expected`);
    }
    return await readFile(path);
  } catch (error) {
    if (error instanceof WsusutilError) throw error;
    throw new WsusutilError('READ_FAILED', `Cannot read ${setting} ${path}: ${errorText(error)}`, {
      hint: `Correct the path with "wsusutil config set ${setting} <file>", or the permissions of the file.`,
      cause: error,
    });
  }
}

/** One line, e.g. `CN=Corp Root, O=Corp`. */
function subjectOf(certificate: X509Certificate): string {
  return certificate.subject.replaceAll('\n', ', ').slice(0, 200);
}

function invalid(
  setting: string,
  path: string,
  what: string,
  options: { readonly hint?: string; readonly cause?: unknown } = {},
): WsusutilError {
  return new WsusutilError('CERTIFICATE_INVALID', `${setting} ${path} ${what}`, {
    hint:
      options.hint ??
      'Name a file with certificates in PEM ("-----BEGIN CERTIFICATE-----"), or one .cer in DER; a .p7b is turned into PEM with "openssl pkcs7 -print_certs".',
    details: { path },
    cause: options.cause,
  });
}
