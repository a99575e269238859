import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { reset } from '../../../src/commands/content/reset.js';
import { checkhealth } from '../../../src/commands/health/checkhealth.js';
import { defaultSettings, type Settings, writeSettings } from '../../../src/settings/settings.js';
import { openMetadataStore } from '../../../src/store/open-store.js';
import { makeFile, updateWith } from '../../content/content-builder.js';
import { startContentOrigin } from '../../helpers/content-origin.js';
import { startFakeUpstream } from '../../helpers/fake-upstream.js';
import { failureOf } from '../../helpers/package-builder.js';
import { startTestProxy } from '../../helpers/test-proxy.js';
import { TEST_ROOT_FILE } from '../../helpers/tls-files.js';
import { closedPort } from '../../helpers/web-server.js';
import { importUpdates, now, testFolder } from '../../store/update-builder.js';
import { runCommand } from '../command-context.js';

const PASSWORD = 'geheim-5';

async function settle(settings: Partial<Settings>): Promise<string> {
  const storePath = join(testFolder(), 'metadata.sqlite');
  await writeSettings(`${storePath}.settings.json`, { ...defaultSettings(), ...settings });
  return storePath;
}

function checkNetwork(storePath: string) {
  return runCommand(checkhealth, storePath, { options: { network: true } });
}

describe('checkhealth --network', () => {
  test('is complete when the upstream server of the settings can be reached, without a store', async () => {
    await using upstream = await startFakeUpstream([], {}, {});
    const storePath = await settle({
      updateSource: 'upstream',
      upstreamServer: '127.0.0.1',
      upstreamPort: Number(upstream.url.port),
      upstreamSsl: true,
      upstreamContentUrl: new URL('Content', upstream.contentUrl).href,
      caFile: TEST_ROOT_FILE,
    });
    const { status, result, view } = await checkNetwork(storePath);
    expect(result).toMatchObject({ isReachable: true, errorCount: 0, warningCount: 0, source: 'upstream' });
    expect(status).toBe('complete');
    expect(result.firewall).toContainEqual({
      from: 'this machine',
      host: '127.0.0.1',
      port: Number(upstream.url.port),
      protocol: 'HTTPS',
      why: 'metadata: the web services of synchronisation',
    });
    expect(JSON.stringify(view)).toContain('"SOAP ping","ok: ServerSyncWebService answers the ping"');
    expect(JSON.stringify(view)).toContain('Reachable.');
  });

  test('is incomplete when Microsoft Update is not behind the proxy, and tells what to do once for all', async () => {
    const proxy = await startTestProxy({ leads: {}, basic: `CORP\\anna:${PASSWORD}` });
    const storePath = await settle({
      useProxy: true,
      proxyServer: '127.0.0.1',
      proxyPort: proxy.port,
      proxyUser: 'anna',
      proxyDomain: 'CORP',
      proxyPassword: PASSWORD,
    });
    const refused = await checkNetwork(storePath);
    expect(refused.status).toBe('incomplete');
    expect(refused.result).toMatchObject({ isReachable: false, errorCount: 2, warningCount: 6 });
    const shown = JSON.stringify(refused.view);
    expect(shown.match(/wsusutil config set proxyBasicAllowed true/g)).toHaveLength(1);
    expect(proxy.headers.some((headers) => headers['proxy-authorization'] !== undefined)).toBe(false);
    expect(`${shown}${JSON.stringify(refused.result)}`).not.toContain(PASSWORD);
  });

  test('with a content policy of none the content servers are only warned of', async () => {
    await using upstream = await startFakeUpstream([]);
    const storePath = await settle({
      updateSource: 'upstream',
      upstreamServer: '127.0.0.1',
      upstreamPort: Number(upstream.url.port),
      upstreamContentUrl: `http://127.0.0.1:${await closedPort()}/Content`,
      contentPolicy: 'none',
    });
    const { status, result } = await checkNetwork(storePath);
    expect([status, result.errorCount, result.warningCount]).toEqual(['complete', 0, 1]);
  });

  test('names the setting that is missing', async () => {
    const storePath = await settle({ updateSource: 'upstream' });
    const error = await failureOf(() => checkNetwork(storePath));
    expect(error.code).toBe('SETTINGS_INVALID');
    expect(error.hint).toContain('upstreamServer');
  });

  test('does not go together with --full', () => {
    const input = { positionals: {}, options: { full: true, network: true }, assignments: {} };
    expect(() => checkhealth.check?.(input, now())).toThrow(/--full and --network exclude each other/);
  });
});

test('reset downloads through the proxy of the settings', async () => {
  const file = makeFile('payload', 5000);
  const path = `/Content/${file.path}`;
  const origin = await startContentOrigin(new Map([[path, file.bytes]]));
  const proxy = await startTestProxy({
    leads: { 'wsus.test': Number(new URL(origin.url).port) },
    basic: `anna:${PASSWORD}`,
  });
  const storePath = await settle({
    useProxy: true,
    proxyServer: '127.0.0.1',
    proxyPort: proxy.port,
    proxyUser: 'anna',
    proxyPassword: PASSWORD,
    proxyBasicAllowed: true,
  });
  const store = await openMetadataStore(storePath, { mode: 'write', now });
  await importUpdates(store, [updateWith(1, [file])]);
  await store.close();
  const { status, result } = await runCommand(reset, storePath, {
    options: { source: 'http://wsus.test:8530/Content' },
  });
  expect(status).toBe('complete');
  expect(proxy.asked).toEqual([`GET http://wsus.test:8530${path}`]);
  expect(readFileSync(join(String(result.contentFolder), file.path))).toEqual(file.bytes);
});
