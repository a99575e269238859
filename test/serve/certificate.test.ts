import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { judgeCertificate, loadCertificate } from '../../src/serve/certificate.js';
import { makeSelfSigned } from '../../src/serve/self-signed.js';
import { testFolder } from '../store/update-builder.js';

const NAME = 'wsus.corp.example';
const now = new Date();

function write(names: readonly string[] = [NAME], days?: number) {
  const folder = testFolder();
  const made = makeSelfSigned(names, now, days);
  const certificateFile = join(folder, 'cert.pem');
  const keyFile = join(folder, 'key.pem');
  writeFileSync(certificateFile, made.certificate);
  writeFileSync(keyFile, made.key);
  return {
    ...made,
    folder,
    certificateFile,
    keyFile,
    files: { kind: 'pem', certificateFile, keyFile } as const,
  };
}

const hasOpenssl = (() => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

test('a self-signed certificate is for its names, signs itself and belongs to its key', async () => {
  const names = [NAME, 'wsus', '192.0.2.7'];
  const { files, certificate } = write(names);
  const { leaf, chain } = await loadCertificate(files, undefined);
  expect(chain.length).toBe(1);
  expect(leaf.fingerprint256).toBe(new X509Certificate(certificate).fingerprint256);
  expect(leaf.verify(leaf.publicKey)).toBe(true);
  expect(leaf.subjectAltName).toBe('DNS:wsus.corp.example, DNS:wsus, IP Address:192.0.2.7');
  expect(leaf.ca).toBe(true);
  for (const name of names) {
    expect(
      judgeCertificate({ leaf, chain }, name, now).find(({ condition }) => condition.startsWith('name'))
        ?.level,
    ).toBe('pass');
  }
});

test.skipIf(!hasOpenssl)(
  'OpenSSL reads it, and a PFX file of it is read with its password only',
  async () => {
    const { folder, certificateFile, keyFile } = write();
    const text = execFileSync('openssl', ['x509', '-in', certificateFile, '-noout', '-text'], {
      encoding: 'utf8',
    });
    expect(text).toContain('ecdsa-with-SHA256');
    expect(text).toContain('TLS Web Server Authentication');
    expect(
      execFileSync('openssl', ['verify', '-CAfile', certificateFile, certificateFile], { encoding: 'utf8' }),
    ).toContain('OK');
    const pfxFile = join(folder, 'both.pfx');
    execFileSync('openssl', [
      'pkcs12',
      '-export',
      '-in',
      certificateFile,
      '-inkey',
      keyFile,
      '-out',
      pfxFile,
      '-passout',
      'pass:open sesame',
    ]);
    const { leaf } = await loadCertificate({ kind: 'pfx', pfxFile }, 'open sesame');
    expect(leaf.checkHost(NAME)).toBe(NAME);
    for (const password of ['wrong', undefined]) {
      await expect(loadCertificate({ kind: 'pfx', pfxFile }, password)).rejects.toMatchObject({
        code: 'CERTIFICATE_INVALID',
        message: expect.stringContaining('password'),
      });
    }
    const encrypted = join(folder, 'encrypted.pem');
    execFileSync('openssl', [
      'pkey',
      '-in',
      keyFile,
      '-aes256',
      '-passout',
      'pass:open sesame',
      '-out',
      encrypted,
    ]);
    const files = { kind: 'pem', certificateFile, keyFile: encrypted } as const;
    expect((await loadCertificate(files, 'open sesame')).leaf.checkHost(NAME)).toBe(NAME);
    for (const password of ['wrong', undefined]) {
      await expect(loadCertificate(files, password)).rejects.toMatchObject({
        message: expect.stringContaining('password'),
      });
    }
  },
);

test('what does not belong together, or is no certificate, is refused in words', async () => {
  const one = write();
  const other = write();
  await expect(loadCertificate({ ...one.files, keyFile: other.keyFile }, undefined)).rejects.toMatchObject({
    code: 'CERTIFICATE_INVALID',
    message: expect.stringContaining('not the key of the certificate'),
  });
  await expect(
    loadCertificate({ ...one.files, certificateFile: one.keyFile }, undefined),
  ).rejects.toMatchObject({
    message: expect.stringContaining('no certificate'),
  });
  await expect(loadCertificate({ kind: 'pfx', pfxFile: one.keyFile }, undefined)).rejects.toMatchObject({
    message: expect.stringContaining('no PFX file'),
  });
  await expect(
    loadCertificate({ ...one.files, keyFile: join(one.folder, 'x') }, undefined),
  ).rejects.toMatchObject({
    code: 'READ_FAILED',
  });
});

test.each<[string, string, number, number, string]>([
  ['another name', 'other.corp.example', 100, 0, 'fail name in the certificate'],
  ['a short name', 'wsus', 100, 0, 'fail full name'],
  ['an end that is near', NAME, 20, 0, 'warning validity'],
  ['an end that is past', NAME, 20, 30, 'fail validity'],
  ['a beginning that is to come', NAME, 20, -3, 'fail validity'],
])('%s is noticed', async (_name, name, days, laterDays, expected) => {
  const { files } = write([NAME, 'wsus'], days);
  const certificate = await loadCertificate(files, undefined);
  const findings = judgeCertificate(certificate, name, new Date(now.getTime() + laterDays * 86_400_000));
  expect(
    findings.filter(({ level }) => level !== 'pass').map(({ level, condition }) => `${level} ${condition}`),
  ).toEqual([expected]);
});
