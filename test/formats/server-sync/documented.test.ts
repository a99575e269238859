import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  readDownloadFilesReply,
  writeDownloadFiles,
} from '../../../src/formats/server-sync/download-files.js';
import {
  readGetDriverIdListReply,
  readGetDriverSetDataReply,
  writeGetDriverIdList,
  writeGetDriverSetData,
} from '../../../src/formats/server-sync/driver-sets.js';
import { writeGetAuthConfig } from '../../../src/formats/server-sync/get-auth-config.js';
import { writeGetAuthorizationCookie } from '../../../src/formats/server-sync/get-authorization-cookie.js';
import { writeGetConfigData } from '../../../src/formats/server-sync/get-config-data.js';
import { writeGetCookie } from '../../../src/formats/server-sync/get-cookie.js';
import {
  readGetRelatedRevisionsReply,
  writeGetRelatedRevisions,
} from '../../../src/formats/server-sync/get-related-revisions.js';
import { writeGetRevisionIdList } from '../../../src/formats/server-sync/get-revision-id-list.js';
import {
  readGetUpdateDataReply,
  writeGetUpdateData,
} from '../../../src/formats/server-sync/get-update-data.js';
import {
  readGetUpdateDecryptionDataReply,
  writeGetUpdateDecryptionData,
} from '../../../src/formats/server-sync/get-update-decryption-data.js';
import { readPingReply, writePing } from '../../../src/formats/server-sync/ping.js';
import type { SoapRequest } from '../../../src/formats/server-sync/service.js';
import { decodeUpdateBlob } from '../../../src/formats/server-sync/update-blob.js';
import { withSharedData } from '../../helpers/shared-data.js';
import { bodyOf } from '../../helpers/soap-tree.js';
import { all, readEveryWay } from '../soap/reply-cases.js';

const COOKIE = {
  expiration: '2026-02-03T13:15:00.4471902Z',
  encryptedData: 'b3BhcXVlLXNlc3Npb24tY29va2ll',
};
const AUTHORIZATION_COOKIE = { plugInId: 'DssTargeting', cookieData: 'c2FtcGxlLWF1dGgtY29va2ll' };
const ID = '11111111-2222-4333-8444-5555555555';
const SHA1 = 'DA39A3EE5E6B4B0D3255BFEF95601890AFD80709';

const REQUESTS: readonly SoapRequest[] = [
  writeGetAuthConfig(),
  writeGetAuthorizationCookie({ name: 'dss01.corp.example', guid: '7d1f0c52-3b6e-4a0d-9f3a-52c1b8e0a417' }),
  writeGetCookie({
    authorizationCookie: AUTHORIZATION_COOKIE,
    oldCookie: undefined,
    protocolVersion: '1.20',
  }),
  writeGetConfigData(COOKIE, '812,2026-02-02 09:00:01.250'),
  writeGetRevisionIdList(COOKIE, {
    anchor: '812,2026-02-02 09:00:04.501',
    getConfig: false,
    categories: [{ id: '72e7624a-5b00-45d2-b92f-e561c0a6a160', delta: true }],
    classifications: [{ id: '0fa1201d-4330-4fa8-8ae9-b877473b6441', delta: true }],
  }),
  writeGetUpdateData(COOKIE, [
    { updateId: `${ID}01`, revisionNumber: 200 },
    { updateId: `${ID}02`, revisionNumber: 101 },
  ]),
  writeGetUpdateDecryptionData(COOKIE, [{ updateId: `${ID}03`, revisionNumber: 100 }]),
  writeDownloadFiles(COOKIE, [SHA1]),
  writeGetRelatedRevisions(COOKIE, [`${ID}01`]),
  writeGetDriverIdList(COOKIE, {
    anchor: '2026-02-02 09:00:05.120',
    categories: [{ id: '72e7624a-5b00-45d2-b92f-e561c0a6a160', delta: true }],
    computerIds: [{ id: '33333333-4444-4555-8666-777777777701', delta: true }],
    pnpHardwareIds: [{ id: 'pci\\ven_8086&dev_15f3', delta: true }],
  }),
  writeGetDriverSetData(COOKIE, ['33333333-4444-4555-8666-777777777710']),
  writePing(),
];

withSharedData('examples of the protocol reference', (directory) => {
  const path = join(directory, '../docs/server-sync-protocol.md');
  if (!existsSync(path)) return;
  const examples = [...readFileSync(path, 'utf8').matchAll(/^```xml\n([\s\S]*?)^```$/gm)].map(
    (match) => match[1] as string,
  );
  const example = (local: string): string => {
    const found = examples.find((each) => bodyOf(each).local === local);
    if (found === undefined) throw new Error(`no example of ${local}`);
    return found;
  };

  test.each(REQUESTS)(
    'our $operation has the elements of the example, in its order and namespaces',
    (request) => {
      const expected = bodyOf(example(request.operation));
      expect(bodyOf(request.body)).toEqual(expected);
      expect(request.soapAction).toBe(`${expected.uri}/${expected.local}`);
    },
  );

  test('GetUpdateData: both forms of documents and the file’s place', async () => {
    const items = await readEveryWay(example('GetUpdateDataResponse'), (chunks) =>
      all(readGetUpdateDataReply(chunks)),
    );
    expect(items.map(({ type }) => type)).toEqual(['update', 'update', 'file-location']);
    const documents = items.flatMap((item) =>
      item.type === 'update' ? [Buffer.from(decodeUpdateBlob(item.update.blob)).toString()] : [],
    );
    expect(documents[0]).toMatch(/^<upd:Update xmlns:upd=.*<\/upd:Update>$/);
    expect(documents[1]).toBe('<a/>');
    expect(items[2]).toMatchObject({ location: { sha1: SHA1, ussUrl: undefined, decryptionKey: undefined } });
  });

  test('GetUpdateDecryptionData', async () => {
    expect(
      await readEveryWay(example('GetUpdateDecryptionDataResponse'), readGetUpdateDecryptionDataReply),
    ).toEqual([
      {
        identity: { updateId: `${ID}03`, revisionNumber: 100 },
        files: [{ sha1: SHA1, decryptionKey: 'a2V5LWJ5dGVzLWdvLWhlcmU=' }],
      },
    ]);
  });

  test('DownloadFiles has an empty answer', async () => {
    await readEveryWay(example('DownloadFilesResponse'), readDownloadFilesReply);
  });

  test('GetRelatedRevisionsForUpdates', async () => {
    expect(
      await readEveryWay(example('GetRelatedRevisionsForUpdatesResponse'), readGetRelatedRevisionsReply),
    ).toEqual([{ updateId: `${ID}01`, revisionNumber: 201 }]);
  });

  test('GetDriverIdList', async () => {
    expect(await readEveryWay(example('GetDriverIdListResponse'), readGetDriverIdListReply)).toEqual({
      anchor: '2026-02-03 09:15:04.010',
      newRevisions: [{ updateId: `${ID}11`, revisionNumber: 1 }],
      newDriverSets: ['33333333-4444-4555-8666-777777777710'],
      removedDriverSets: [],
    });
  });

  test('GetDriverSetData', async () => {
    expect(await readEveryWay(example('GetDriverSetDataResponse'), readGetDriverSetDataReply)).toEqual([
      { driverSetId: '33333333-4444-4555-8666-777777777710', xml: '<DriverSet/>' },
    ]);
  });

  test('Ping', async () => {
    expect(await readEveryWay(example('PingResponse'), readPingReply)).toEqual({
      isSuccess: true,
      servicesTime: '2026-02-03T09:15:00Z',
      servicesName: 'ServerSyncWebService',
    });
  });
});
