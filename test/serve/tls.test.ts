import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { writeGetAuthConfig } from '../../src/formats/server-sync/get-auth-config.js';
import { loadCertificate } from '../../src/serve/certificate.js';
import { CLEAR_PART, securePart } from '../../src/serve/front.js';
import { DEFAULT_LIMITS } from '../../src/serve/limits.js';
import { createHttpServer, createHttpsServer, listen, watchCertificate } from '../../src/serve/listener.js';
import { makeSelfSigned } from '../../src/serve/self-signed.js';
import { openServeFront } from '../../src/serve/server.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import { ServerSyncClient } from '../../src/sync/server-sync-client.js';
import { synchroniseMetadata } from '../../src/sync/synchronise.js';
import { openHttpPost } from '../../src/transfer/http-post.js';
import { writeCatalogue } from '../helpers/catalogue/write-catalogue.js';
import { importFile, openTestStore, testFolder } from '../store/update-builder.js';
import { ACCOUNT } from '../sync/client-setup.js';
import { chooseAll } from '../sync/sync-setup.js';
import { KEY } from './serve-setup.js';

function writeCertificate(folder: string) {
  const { certificate, key } = makeSelfSigned(['localhost', '127.0.0.1'], new Date());
  const certificateFile = join(folder, 'cert.pem');
  const keyFile = join(folder, 'key.pem');
  writeFileSync(certificateFile, certificate);
  writeFileSync(keyFile, key);
  return { kind: 'pem', certificateFile, keyFile } as const;
}

async function startSecure(storePath: string, contentOverSsl = false) {
  const files = writeCertificate(testFolder());
  const store = await openMetadataStore(storePath, { mode: 'read', now: () => new Date() });
  onTestFinished(() => store.close());
  const front = await openServeFront({
    store,
    contentFolder: testFolder(),
    cookieKey: KEY,
    now: () => new Date(),
    report: () => {},
  });
  const load = () => loadCertificate(files, undefined);
  const secure = createHttpsServer(DEFAULT_LIMITS, await load());
  const clear = createHttpServer(DEFAULT_LIMITS);
  front.attach(secure, securePart(contentOverSsl));
  front.attach(clear, CLEAR_PART);
  const [port, clearPort] = [await listen(secure, '127.0.0.1', 0), await listen(clear, '127.0.0.1', 0)];
  onTestFinished(() => front.stop());
  return { files, load, secure, port, clearPort, url: new URL(`https://localhost:${port}/`) };
}

test('a store synchronises over SSL from a server whose certificate it trusts, and from no other', async () => {
  const upstream = await openTestStore();
  const path = join(testFolder(), 'catalogue.cab');
  await writeCatalogue(path, { revisions: 200, seed: 3 });
  await importFile(upstream.store, path);
  const server = await startSecure(upstream.path);
  const downstream = await openTestStore();
  const sync = async (caFile: string | undefined) => {
    const http = openHttpPost({
      userAgent: 'wsusutil/test',
      connections: 4,
      trust: caFile === undefined ? {} : { caFile },
    });
    onTestFinished(() => http.close());
    const client = new ServerSyncClient({
      upstream: server.url,
      account: ACCOUNT,
      post: http.post,
      signal: new AbortController().signal,
      report: () => {},
      random: () => 0,
    });
    await synchroniseMetadata({
      store: downstream.store,
      client,
      upstream: server.url.href,
      isMicrosoftUpdate: false,
      chooseFilter: chooseAll,
      categoriesOnly: false,
      full: false,
      dryRun: false,
      threads: 0,
      now: () => new Date(),
      signal: new AbortController().signal,
      report: () => {},
    });
  };
  await expect(sync(undefined)).rejects.toMatchObject({
    code: expect.stringMatching(/CERTIFICATE|UPSTREAM/),
  });
  await sync(server.files.certificateFile);
  expect(await downstream.store.fingerprint()).toBe(await upstream.store.fingerprint());
});

test('with SSL the services of synchronisation want it; reports and content are in the clear', async () => {
  const { path } = await openTestStore();
  const { clearPort } = await startSecure(path);
  const call = async (service: string) => {
    const url = `http://127.0.0.1:${clearPort}/${service}/${service}.asmx`;
    return (await fetch(url, { method: 'POST', body: writeGetAuthConfig().body })).status;
  };
  expect(await call('ServerSyncWebService')).toBe(403);
  expect(await call('DssAuthWebService')).toBe(403);
  expect(await call('ReportingWebService')).toBe(500); // an operation it does not have
  expect((await fetch(`http://127.0.0.1:${clearPort}/Content/anonymousCheckFile.txt`)).status).toBe(200);
});

/** Status of a path over SSL, by hand: `fetch` has no trust of its own here. */
async function secureStatus(port: number, path: string): Promise<string> {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return bytes.toString('latin1').slice(9, 12);
}

test('content over SSL only where it is asked for', async () => {
  const { path } = await openTestStore();
  const without = await startSecure(path);
  expect(await secureStatus(without.port, '/Content/anonymousCheckFile.txt')).toBe('404');
  const { port } = await startSecure(path, true);
  expect(await secureStatus(port, '/Content/anonymousCheckFile.txt')).toBe('200');
});

test('a renewed certificate is used without a restart; one that is broken leaves the old one', async () => {
  const { path } = await openTestStore();
  const { files, load, secure, port } = await startSecure(path);
  const shown = async () => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const fingerprint = socket.getPeerX509Certificate()?.fingerprint256;
    socket.destroy();
    return fingerprint;
  };
  const told: string[] = [];
  const stop = await watchCertificate(
    secure,
    [files.certificateFile, files.keyFile],
    load,
    { onRenewed: ({ leaf }) => told.push(leaf.fingerprint256), onFailed: () => told.push('failed') },
    20,
  );
  onTestFinished(stop);
  const before = await shown();
  writeFileSync(files.certificateFile, 'half a certif');
  await expect.poll(() => told).toEqual(['failed']);
  expect(await shown()).toBe(before);
  writeCertificate(join(files.certificateFile, '..'));
  await expect.poll(() => told.at(-1)).toMatch(/:/);
  await expect.poll(shown).toBe((await load()).leaf.fingerprint256);
  expect(await shown()).not.toBe(before);
});

test('old versions of TLS are refused', async () => {
  const { path } = await openTestStore();
  const { port } = await startSecure(path);
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
  });
  await expect(once(socket, 'secureConnect')).rejects.toThrow();
});
