/** Against a server of OpenSSL: those of Node.js send no alert to a client without a certificate. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openHttpClient } from '../../src/transfer/http-client.js';
import { failureOf } from '../helpers/package-builder.js';
import { CLIENT_CERTIFICATE_FILE, CLIENT_KEY_FILE, TEST_ROOT_FILE, tlsPath } from '../helpers/tls-files.js';
import { waitUntilListening } from '../helpers/wait-until-listening.js';
import { closedPort } from '../helpers/web-server.js';

const isInstalled = spawnSync('openssl', ['version']).status === 0;
const reason = isInstalled ? '' : ' (skipped: openssl is not installed)';

/** @returns the port of a server that wants a certificate of our authority */
async function startServer(version: string): Promise<number> {
  const port = await closedPort();
  const pair = ['-cert', tlsPath('server.pem'), '-key', tlsPath('server.key'), '-CAfile', TEST_ROOT_FILE];
  const child = spawn(
    'openssl',
    [
      's_server',
      '-accept',
      `127.0.0.1:${port}`,
      ...pair,
      '-Verify',
      '2',
      '-verify_return_error',
      '-www',
      version,
    ],
    { stdio: 'ignore' },
  );
  const ended = once(child, 'exit');
  onTestFinished(async () => {
    child.kill();
    await ended;
  });
  await waitUntilListening(port, child);
  return port;
}

async function get(port: number, client?: { clientCertificateFile: string; clientKeyFile: string }) {
  const http = openHttpClient({
    userAgent: 'x',
    connections: 1,
    trust: { caFile: TEST_ROOT_FILE, ...client },
  });
  try {
    const { status, discard } = await http.get(
      `https://127.0.0.1:${port}/`,
      {},
      new AbortController().signal,
    );
    await discard();
    return status;
  } finally {
    await http.close(); // the server serves one connection at a time
  }
}

describe.skipIf(!isInstalled)(`a server of OpenSSL that wants a client certificate${reason}`, () => {
  test.each(['-tls1_2', '-tls1_3'])('is told as such with %s, and let in with one', async (version) => {
    const port = await startServer(version);
    const error = await failureOf(() => get(port));
    expect(error.code).toBe('SOURCE_REFUSED');
    expect(error.message).toContain('wants a client certificate');
    const client = { clientCertificateFile: CLIENT_CERTIFICATE_FILE, clientKeyFile: CLIENT_KEY_FILE };
    expect(await get(port, client)).toBe(200);
  });
});
