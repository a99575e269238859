/** A certificate for a lab, made with nothing but Node.js: ECDSA P-256, SHA-256 (RFC 5280). */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { isIPv4 } from 'node:net';
import { join } from 'node:path';
import { writeFileAtomically } from '../platform/atomic-file.js';

const OID = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  subjectAltName: '2.5.29.17',
  serverAuth: '1.3.6.1.5.5.7.3.1',
} as const;

const DAY_MS = 86_400_000;
/** `commonName` takes no more (RFC 5280, ub-common-name); the names that count are elsewhere. */
const MAX_COMMON_NAME = 64;

export interface SelfSigned {
  /** PEM */
  readonly certificate: string;
  /** PEM, PKCS #8, not encrypted */
  readonly key: string;
}

/** @param names DNS names or IPv4 addresses; the first is the server's @param days it is valid, from an hour ago on */
export function makeSelfSigned(names: readonly string[], now: Date, days = 825): SelfSigned {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const subject = sequence(
    set(sequence(oid(OID.commonName), tlv(0x0c, Buffer.from((names[0] ?? '').slice(0, MAX_COMMON_NAME))))),
  );
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const serial = randomBytes(16);
  serial.writeUInt8((serial.readUInt8(0) & 0x7f) | 0x40, 0); // positive, and no leading zero
  const body = sequence(
    tlv(0xa0, integer(Buffer.from([2]))), // version 3
    integer(serial),
    algorithm,
    subject,
    sequence(time(new Date(now.getTime() - DAY_MS / 24)), time(new Date(now.getTime() + days * DAY_MS))),
    subject,
    publicKey.export({ format: 'der', type: 'spki' }),
    tlv(
      0xa3,
      sequence(
        // It is its own authority: some systems trust only those that say so.
        extension(OID.basicConstraints, sequence(tlv(0x01, Buffer.from([0xff]))), true),
        extension(OID.keyUsage, tlv(0x03, Buffer.from([0x02, 0x84])), true), // digitalSignature, keyCertSign
        extension(OID.extendedKeyUsage, sequence(oid(OID.serverAuth))),
        extension(
          OID.subjectAltName,
          sequence(
            ...names.map((name) =>
              isIPv4(name)
                ? tlv(0x87, Buffer.from(name.split('.').map(Number)))
                : tlv(0x82, Buffer.from(name, 'latin1')),
            ),
          ),
        ),
      ),
    ),
  );
  const signature = sign('sha256', body, privateKey);
  const certificate = sequence(body, algorithm, tlv(0x03, Buffer.concat([Buffer.from([0]), signature])));
  return {
    certificate: pem('CERTIFICATE', certificate),
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
  };
}

const KEY_MODE = 0o600;

/** Writes both into the folder; the key is for its owner only. What was there is replaced. */
export async function writeSelfSigned(
  folder: string,
  name: string,
  now: Date,
): Promise<{ readonly certificateFile: string; readonly keyFile: string }> {
  const { certificate, key } = makeSelfSigned([name], now);
  const certificateFile = join(folder, 'server-certificate.pem');
  const keyFile = join(folder, 'server-key.pem');
  await writeFileAtomically(keyFile, Buffer.from(key), KEY_MODE);
  await writeFileAtomically(certificateFile, Buffer.from(certificate));
  return { certificateFile, keyFile };
}

function pem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** DER: tag, length, value. */
function tlv(tag: number, value: Uint8Array): Buffer {
  const { length } = value;
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), value]);
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return tlv(0x30, Buffer.concat(parts));
}

function set(...parts: readonly Uint8Array[]): Buffer {
  return tlv(0x31, Buffer.concat(parts));
}

function integer(bytes: Uint8Array): Buffer {
  return tlv(0x02, bytes);
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return tlv(0x06, Buffer.from(bytes));
}

/** UTCTime up to 2049, GeneralizedTime from then on. */
function time(at: Date): Buffer {
  const digits = at.toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return at.getUTCFullYear() < 2050
    ? tlv(0x17, Buffer.from(digits.slice(2), 'latin1'))
    : tlv(0x18, Buffer.from(digits, 'latin1'));
}

function extension(id: string, value: Uint8Array, isCritical = false): Buffer {
  return sequence(oid(id), ...(isCritical ? [tlv(0x01, Buffer.from([0xff]))] : []), tlv(0x04, value));
}
