/**
 * Through a real proxy, tinyproxy, which demands a password. It looks names up in the DNS, so it is told to go on through
 * the proxy of the tests, which leads wsus.test to servers on 127.0.0.1.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { checkNetwork } from '../../src/health/check-network.js';
import { openHttpClient } from '../../src/transfer/http-client.js';
import { openHttpPost } from '../../src/transfer/http-post.js';
import type { ProxyServer } from '../../src/transfer/proxy.js';
import { failureOf } from '../helpers/package-builder.js';
import { startTestProxy } from '../helpers/test-proxy.js';
import { TEST_ROOT_FILE } from '../helpers/tls-files.js';
import { waitUntilListening } from '../helpers/wait-until-listening.js';
import { closedPort, startSecureServer, startServer } from '../helpers/web-server.js';
import { testFolder } from '../store/update-builder.js';

const isInstalled = spawnSync('tinyproxy', ['-v']).status === 0;
const reason = isInstalled ? '' : ' (skipped: tinyproxy is not installed)';
const signal = new AbortController().signal;

/** @returns the proxy, for user anna with the password geheim */
async function startTinyproxy(lines: readonly string[]): Promise<ProxyServer> {
  const port = await closedPort();
  const config = join(testFolder(), 'tinyproxy.conf');
  const fixed = [`Port ${port}`, 'Listen 127.0.0.1', 'Timeout 60', 'MaxClients 20', 'BasicAuth anna geheim'];
  writeFileSync(config, [...fixed, ...lines, ''].join('\n'));
  const child = spawn('tinyproxy', ['-d', '-c', config], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  onTestFinished(async () => {
    child.kill();
    await ended;
  });
  await waitUntilListening(port, child);
  return { host: '127.0.0.1', port, basicAllowed: true, user: 'anna', password: 'geheim' };
}

async function setUp(lines: readonly string[] = []): Promise<ProxyServer> {
  const plain = await startServer((request, response) =>
    response.end(`plain ${request.method} ${request.url}`),
  );
  const secure = await startSecureServer((request, response) => response.end(`secure ${request.method}`));
  const behind = await startTestProxy({ leads: { 'wsus.test': plain, 'wsus.test:443': secure } });
  return startTinyproxy([`Upstream http 127.0.0.1:${behind.port}`, ...lines]);
}

async function ask(url: string, http: ProxyServer): Promise<readonly string[]> {
  const options = {
    userAgent: 'wsusutil/test',
    connections: 2,
    proxies: { http },
    trust: { caFile: TEST_ROOT_FILE },
  };
  const getting = openHttpClient(options);
  const posting = openHttpPost(options);
  try {
    return [
      await textOf((await getting.get(url, {}, signal)).body),
      await textOf((await posting.post({ url, soapAction: 'urn:x', body: '<x/>', signal })).body),
    ];
  } finally {
    await Promise.all([getting.close(), posting.close()]);
  }
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}

describe.skipIf(!isInstalled)(`tinyproxy${reason}`, () => {
  test('lets http and https through with user and password', async () => {
    const proxy = await setUp();
    expect(await ask('http://wsus.test/a?b', proxy)).toEqual(['plain GET /a?b', 'plain POST /a?b']);
    expect(await ask('https://wsus.test/a', proxy)).toEqual(['secure GET', 'secure POST']);
  });

  test('refuses a wrong password, and we say so', async () => {
    const proxy = { ...(await setUp()), password: 'falsch' };
    for (const url of ['http://wsus.test/', 'https://wsus.test/']) {
      const error = await failureOf(() => ask(url, proxy));
      expect(error.code).toBe('PROXY_AUTHENTICATION');
      expect(JSON.stringify([error.message, error.hint, error.details])).not.toContain('falsch');
    }
  });

  test('is told no password that may not go as it is', async () => {
    const error = await failureOf(async () =>
      ask('https://wsus.test/', { ...(await setUp()), basicAllowed: false }),
    );
    expect(error.code).toBe('PROXY_AUTHENTICATION');
    expect(error.hint).toContain('proxyBasicAllowed');
  });

  test('that allows no tunnel to the port is told as that', async () => {
    const proxy = await setUp(['ConnectPort 563']);
    const error = await failureOf(() => ask('https://wsus.test/', proxy));
    expect(error.code).toBe('PROXY_REFUSED');
    expect(error.hint).toContain('Have CONNECT to wsus.test:443 allowed');
  });

  test('that filters the host is told as that by the check of the network', async () => {
    const filter = join(testFolder(), 'filter');
    writeFileSync(filter, 'wsus\n');
    const http = await setUp([`Filter "${filter}"`]);
    const { endpoints } = await checkNetwork({
      source: {
        upstream: new URL('https://wsus.test/'),
        isMicrosoftUpdate: false,
        contentUrl: new URL('http://wsus.test/Content'),
        wantsContent: true,
      },
      http: { userAgent: 'wsusutil/test', connections: 1, proxies: { http } },
      signal,
    });
    for (const { steps } of endpoints) {
      expect(steps[2]).toMatchObject({
        name: 'Proxy',
        state: 'failed',
        says: expect.stringContaining('403'),
      });
    }
    expect(endpoints).toHaveLength(2);
  });
});
