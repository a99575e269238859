/** The client against an upstream with SSL, and against one whose fields come in the other order. */
import { expect, test } from 'vitest';
import type { TrustSettings } from '../../src/transfer/http-client.js';
import { openHttpPost } from '../../src/transfer/http-post.js';
import { startFakeUpstream, type UpstreamTls } from '../helpers/fake-upstream.js';
import { CLIENT_CERTIFICATE_FILE, CLIENT_KEY_FILE, TEST_ROOT_FILE } from '../helpers/tls-files.js';
import { clientOf, collect, setUp, smallCatalogue } from './client-setup.js';

async function fetchAll(tls: UpstreamTls, trust: TrustSettings): Promise<number> {
  await using upstream = await startFakeUpstream(smallCatalogue(), { gzip: false }, tls);
  const http = openHttpPost({ userAgent: 'wsusutil/test', connections: 4, trust });
  try {
    const client = clientOf(upstream.url, http.post);
    await client.getConfigData();
    const { revisions } = await client.getRevisionIdList({ anchor: undefined, getConfig: false });
    return (await collect(client.getUpdateData(revisions))).documents.size;
  } finally {
    await http.close();
  }
}

const client = { clientCertificateFile: CLIENT_CERTIFICATE_FILE, clientKeyFile: CLIENT_KEY_FILE };

test('documents come over TLS from a server of an authority that is trusted', async () => {
  expect(await fetchAll({}, { caFile: TEST_ROOT_FILE })).toBeGreaterThan(50);
});

test('an upstream that demands a client certificate gets it', async () => {
  const tls = { demandsClientCertificate: true };
  expect(await fetchAll(tls, { caFile: TEST_ROOT_FILE, ...client })).toBeGreaterThan(50);
});

test.each([
  ['an unknown authority', 'UPSTREAM_REFUSED', {}, {}],
  [
    'a certificate that has ended',
    'UPSTREAM_REFUSED',
    { certificate: 'expired' },
    { caFile: TEST_ROOT_FILE },
  ],
  [
    'a certificate signed by itself',
    'UPSTREAM_REFUSED',
    { certificate: 'self-signed' },
    { caFile: TEST_ROOT_FILE },
  ],
  [
    'a missing client certificate',
    'UPSTREAM_REFUSED',
    { demandsClientCertificate: true },
    { caFile: TEST_ROOT_FILE },
  ],
] as const)('%s ends the call with %s', async (_name, code, tls, trust) => {
  await expect(fetchAll(tls, trust)).rejects.toMatchObject({ code });
});

test.each(['wsus', 'microsoft-update'] as const)(
  'the configuration is read in the order of %s, whichever of the two sends it',
  async (configOrder) => {
    for (const kind of ['wsus', 'microsoft-update'] as const) {
      await using setup = await setUp({ kind, configOrder });
      const { config } = await setup.client.getConfigData();
      const isMu = kind === 'microsoft-update';
      expect(config).toMatchObject({
        catalogOnlySync: isMu,
        maxUpdatesPerRequest: 100,
        maxDriverSetsPerRequest: isMu ? 100 : 0,
        maxPnpHardwareIdsPerRequest: isMu ? 450 : 0,
        protocolVersion: isMu ? '1.21' : '1.20',
      });
    }
  },
);
