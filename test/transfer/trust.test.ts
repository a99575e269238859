import { X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { ServerOptions } from 'node:https';
import { join } from 'node:path';
import tls from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { WsusutilError } from '../../src/errors.js';
import { toTransportError } from '../../src/sync/transport-error.js';
import { openConnections } from '../../src/transfer/connections.js';
import { openHttpClient } from '../../src/transfer/http-client.js';
import { openHttpPost } from '../../src/transfer/http-post.js';
import { loadTrust, type TrustSettings } from '../../src/transfer/trust.js';
import { failureOf } from '../helpers/package-builder.js';
import { startTestProxy } from '../helpers/test-proxy.js';
import { TEST_ROOT_FILE, tlsPath, tlsServerOptions } from '../helpers/tls-files.js';
import { startSecureServer, startServer } from '../helpers/web-server.js';
import { testFolder } from '../store/update-builder.js';

const ROOT = { caFile: TEST_ROOT_FILE } as const;
const signal = new AbortController().signal;

function file(name: string, content: string | Buffer): string {
  const path = join(testFolder(), name);
  writeFileSync(path, content);
  return path;
}

/** A server of `options`, asked for as `host` through a proxy, as names of the test lead nowhere else. */
async function ask(
  options: ServerOptions | undefined,
  trust: TrustSettings,
  host = 'wsus.test',
): Promise<string> {
  const port = await startSecureServer((_request, response) => response.end('hello'), options);
  return askPort(port, trust, host);
}

async function askPort(port: number, trust: TrustSettings, host: string): Promise<string> {
  const proxy = await startTestProxy({ leads: { [host]: port } });
  const http = openHttpClient({
    userAgent: 'wsusutil/test',
    connections: 1,
    trust,
    proxies: { http: { host: proxy.host, port: proxy.port, basicAllowed: false } },
  });
  onTestFinished(() => http.close());
  const reply = await http.get(`https://${host}/`, {}, signal);
  const pieces: Uint8Array[] = [];
  for await (const piece of reply.body) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

function refused(error: WsusutilError): string {
  expect(error.code).toBe('SOURCE_REFUSED');
  return error.message;
}

describe('a server is believed', () => {
  test('when its root is in caFile: one, several, with text between, as DER', async () => {
    const root = readFileSync(TEST_ROOT_FILE, 'utf8');
    const several = `# roots\n${readFileSync(tlsPath('self-signed.pem'), 'utf8')}\nOurs:\r\n${root.replaceAll('\n', '\r\n')}`;
    for (const caFile of [
      TEST_ROOT_FILE,
      file('several.pem', several),
      file('with-expired.pem', readFileSync(tlsPath('expired-root.pem'), 'utf8') + root),
      file('root.cer', new X509Certificate(root).raw),
    ]) {
      expect(await ask(undefined, { caFile })).toBe('hello');
    }
  });

  test('at its address, without a name', async () => {
    const port = await startSecureServer((_request, response) => response.end('hello'));
    const http = openHttpClient({ userAgent: 'x', connections: 1, trust: ROOT });
    onTestFinished(() => http.close());
    expect((await http.get(`https://127.0.0.1:${port}/`, {}, signal)).status).toBe(200);
  });

  test('and shown the certificate of a client', async () => {
    const options = tlsServerOptions('server', true);
    const client = { clientCertificateFile: tlsPath('client.pem'), clientKeyFile: tlsPath('client.key') };
    expect(await ask(options, { ...ROOT, ...client })).toBe('hello');
    const together = file(
      'client-both.pem',
      readFileSync(tlsPath('client.key'), 'utf8') + readFileSync(tlsPath('client.pem'), 'utf8'),
    );
    expect(await ask(options, { ...ROOT, clientCertificateFile: together, clientKeyFile: together })).toBe(
      'hello',
    );
  });

  // With 1.3 the refusal comes after the handshake.
  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'and without one is told what it wants, with %s',
    async (maxVersion) => {
      const error = await failureOf(() => ask({ ...tlsServerOptions('server', true), maxVersion }, ROOT));
      expect(refused(error)).toContain('wants a client certificate');
      expect(error.hint).toContain('clientCertificateFile');
    },
  );
});

describe('a server is not believed', () => {
  test('when nobody knows who signed: caFile and inspection are told of', async () => {
    const error = await failureOf(() => ask(undefined, {}));
    expect(refused(error)).toContain('its issuer is unknown');
    expect(error.hint).toContain('wsusutil config set caFile');
    expect(error.hint).toContain('inspects TLS');
  });

  test('at Microsoft Update, whose root is named, with the way to get it', async () => {
    const error = await failureOf(() => ask(undefined, {}, 'sws.update.microsoft.com'));
    expect(refused(error)).toContain('Microsoft Root Certificate Authority 2011');
    expect(error.hint).toContain('certutil -store Root');
    expect(error.hint).toContain('certlm.msc');
    expect(error.hint).toContain('wsusutil config set caFile');
    expect(error.hint).toContain('inspects TLS');
    expect(await ask(undefined, ROOT, 'sws.update.microsoft.com')).toBe('hello');
  });

  test('when it signed itself, unless just that is in caFile', async () => {
    const pair = tlsServerOptions('self-signed');
    const error = await failureOf(() => ask(pair, ROOT, 'self.wsus.test'));
    expect(refused(error)).toContain('signed by itself');
    expect(await ask(pair, { caFile: tlsPath('self-signed.pem') }, 'self.wsus.test')).toBe('hello');
  });

  test('when its certificate has expired', async () => {
    const error = await failureOf(() => ask(tlsServerOptions('expired'), ROOT));
    expect(refused(error)).toContain('the certificate has expired');
    expect(error.hint).toContain('clock');
  });

  test('under another name', async () => {
    const error = await failureOf(() => ask(undefined, ROOT, 'other.test'));
    expect(refused(error)).toContain('another name than other.test');
  });

  test('with an old version of TLS', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
    const error = await failureOf(() => ask({ ...tlsServerOptions('server'), ...old }, ROOT));
    expect(refused(error)).toContain('no version of TLS that is allowed here');
    expect(error.hint).toContain('TLS 1.2');
  });

  test('when it speaks no TLS at all', async () => {
    const port = await startServer((_request, response) => response.end('plain'));
    const error = await failureOf(() => askPort(port, ROOT, 'wsus.test'));
    expect(refused(error)).toContain('does not speak TLS');
    expect(error.hint).toContain('8531');
  });

  test('and a post says the same in the words of the upstream', async () => {
    const port = await startSecureServer((_request, response) => response.end());
    const http = openHttpPost({ userAgent: 'x', connections: 1 });
    onTestFinished(() => http.close());
    const raw: unknown = await http
      .post({ url: `https://127.0.0.1:${port}/`, soapAction: 'x', body: '', signal })
      .catch((error: unknown) => error);
    const error = toTransportError(raw, 'Ping', `127.0.0.1:${port}`) as WsusutilError;
    expect(error.code).toBe('UPSTREAM_REFUSED');
    expect(error.message).toContain('its issuer is unknown');
  });

  test('but can be asked who it says to be', async () => {
    const port = await startSecureServer((_request, response) => response.end(), tlsServerOptions('expired'));
    const proxy = await startTestProxy({ leads: { 'wsus.test': port } });
    const inspect = async (url: string, options: object) => {
      const connections = openConnections(
        { userAgent: 'x', connections: 1, ...options },
        { headersMs: 10_000, bodyIdleMs: 10_000 },
      );
      onTestFinished(() => connections.close());
      return connections.inspect(new URL(url), signal);
    };
    const facts = {
      subject: 'wsus.expired.test',
      issuer: 'wsusutil test root',
      validTo: Date.UTC(2020, 0, 2),
      protocol: 'TLSv1.3',
    };
    expect(await inspect(`https://127.0.0.1:${port}/`, {})).toEqual(facts);
    const http = { host: proxy.host, port: proxy.port, basicAllowed: false };
    expect(await inspect('https://wsus.test/', { proxies: { http } })).toEqual(facts);
    const plain = await startServer((_request, response) => response.end());
    await expect(inspect(`https://127.0.0.1:${plain}/`, {})).rejects.toThrow();
  });
});

describe('a certificate file', () => {
  test('that is not there, or a folder, is a file that cannot be read', async () => {
    const folder = testFolder();
    mkdirSync(join(folder, 'dir.pem'));
    for (const name of ['none.pem', 'dir.pem']) {
      const error = await failureOf(() => ask(undefined, { caFile: join(folder, name) }));
      expect(error.code).toBe('READ_FAILED');
      expect(error.message).toContain(`caFile ${join(folder, name)}`);
      expect(error.hint).toContain('wsusutil config set caFile');
    }
  });

  test.each([
    ['text', 'hello'],
    ['nothing', ''],
    ['a key', readFileSync(tlsPath('client.key'))],
    ['a damaged certificate', readFileSync(TEST_ROOT_FILE, 'utf8').replace(/^[A-Za-z0-9+/]{20}/m, 'AAAA')],
    ['damaged DER', Buffer.from([0x30, 0x82, 1, 2, 3])],
    ['zeros', Buffer.alloc(1000)],
  ])('with %s is not valid', async (_name, content) => {
    const error = await failureOf(() => loadTrust({ caFile: file('ca.pem', content) }));
    expect(error.code).toBe('CERTIFICATE_INVALID');
    expect(error.message).toMatch(/^caFile .*holds (no certificate|a certificate that cannot be read)/);
    expect(error.hint).toContain('PEM');
  });

  test('that is far too large is not read', async () => {
    const error = await failureOf(() =>
      loadTrust({ caFile: file('ca.pem', Buffer.alloc(17 * 1024 * 1024)) }),
    );
    expect(error.code).toBe('CERTIFICATE_INVALID');
    expect(error.message).toContain('at most 16777216');
  });

  test('with nothing but expired roots says until when they were good', async () => {
    const error = await failureOf(() => loadTrust({ caFile: tlsPath('expired-root.pem') }));
    expect(error.code).toBe('CERTIFICATE_INVALID');
    expect(error.message).toContain('CN=wsusutil test root of 2020, until Jan  2 00:00:00 2020 GMT');
  });

  const cert = tlsPath('client.pem');
  test.each([
    ['a key without a certificate', undefined, tlsPath('client.key'), 'clientKeyFile is set, but'],
    ['a certificate without a key', cert, undefined, 'clientCertificateFile is set, but'],
    ['a key behind a passphrase', cert, tlsPath('client-encrypted.key'), 'encrypted with a passphrase'],
    ['the key of another', cert, tlsPath('server.key'), 'is not the key of the certificate'],
    ['no key', cert, TEST_ROOT_FILE, 'holds no private key'],
    [
      'a certificate that has expired',
      tlsPath('expired.pem'),
      tlsPath('expired.key'),
      'is valid from Jan  1',
    ],
  ])('of a client: %s is told', async (_name, clientCertificateFile, clientKeyFile, says) => {
    const error = await failureOf(() => loadTrust({ clientCertificateFile, clientKeyFile }));
    expect(error.code).toBe('CERTIFICATE_INVALID');
    expect(error.message).toContain(says);
    expect(error.hint).toBeDefined();
    expect(`${error.message}${error.hint}`).not.toMatch(/BEGIN|MIG/);
  });

  // Where it can list them, Node.js reads the variable once, at its start.
  const isListed = 'getCACertificates' in tls;
  test.skipIf(isListed)('of NODE_EXTRA_CA_CERTS counts as it always does with Node.js', async () => {
    const before = process.env.NODE_EXTRA_CA_CERTS;
    onTestFinished(() => {
      if (before === undefined) delete process.env.NODE_EXTRA_CA_CERTS;
      else process.env.NODE_EXTRA_CA_CERTS = before;
    });
    process.env.NODE_EXTRA_CA_CERTS = TEST_ROOT_FILE;
    expect(await ask(undefined, {})).toBe('hello');
  });
});
