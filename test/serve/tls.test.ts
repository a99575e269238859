import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { writeGetAuthConfig } from '../../src/formats/server-sync/get-auth-config.js';
import { watchCertificate } from '../../src/serve/listener.js';
import { openHttpPost } from '../../src/transfer/http-post.js';
import { writeCatalogue } from '../helpers/catalogue/write-catalogue.js';
import { importFile, openTestStore, testFolder } from '../store/update-builder.js';
import { clientOf, startSecureServer, syncFrom, writeCertificate } from './serve-setup.js';

test('a store synchronises over SSL from a server whose certificate it trusts, and from no other', async () => {
  const upstream = await openTestStore();
  const path = join(testFolder(), 'catalogue.cab');
  await writeCatalogue(path, { revisions: 200, seed: 3 });
  await importFile(upstream.store, path);
  const server = await startSecureServer(upstream.path);
  const downstream = await openTestStore();
  const sync = async (caFile: string | undefined) => {
    const http = openHttpPost({
      userAgent: 'wsusutil/test',
      connections: 4,
      trust: caFile === undefined ? {} : { caFile },
    });
    onTestFinished(() => http.close());
    await syncFrom(server, downstream.store, { client: clientOf(server, { post: http.post }) });
  };
  await expect(sync(undefined)).rejects.toMatchObject({
    code: expect.stringMatching(/CERTIFICATE|UPSTREAM/),
  });
  await sync(server.files.certificateFile);
  expect(await downstream.store.fingerprint()).toBe(await upstream.store.fingerprint());
});

test('with SSL the services of synchronisation want it; reports and content are in the clear', async () => {
  const { path } = await openTestStore();
  const { clearPort } = await startSecureServer(path);
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
  const without = await startSecureServer(path);
  expect(await secureStatus(without.port, '/Content/anonymousCheckFile.txt')).toBe('404');
  const { port } = await startSecureServer(path, {}, true);
  expect(await secureStatus(port, '/Content/anonymousCheckFile.txt')).toBe('200');
});

test('a renewed certificate is used without a restart; one that is broken leaves the old one', async () => {
  const { path } = await openTestStore();
  const { files, load, secure, port } = await startSecureServer(path);
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
  const { port } = await startSecureServer(path);
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
  });
  await expect(once(socket, 'secureConnect')).rejects.toThrow();
});
