/** The server driven by a SOAP client that is not ours (npm `soap`), made from the description that `?wsdl` serves. */
import { type Client, createClientAsync } from 'soap';
import { expect, test } from 'vitest';
import { decodeUpdateBlob } from '../../src/formats/server-sync/update-blob.js';
import { parseTree } from '../helpers/soap-tree.js';
import { startServer, type TestServer } from '../serve/serve-setup.js';
import { idOf, importUpdates, makeUpdate, openTestStore } from '../store/update-builder.js';
import { ACCOUNT } from '../sync/client-setup.js';

const SERVICES = ['ServerSyncWebService', 'DssAuthWebService', 'ReportingWebService'] as const;

async function clientOf(server: TestServer, service: (typeof SERVICES)[number]): Promise<Client> {
  return createClientAsync(new URL(`${service}/${service}.asmx?wsdl`, server.url).href);
}

/** biome-ignore lint/suspicious/noExplicitAny: what comes out is shaped by the description alone */
async function call(client: Client, operation: string, request: object): Promise<Record<string, any>> {
  // biome-ignore lint/suspicious/noExplicitAny: as above
  const [answer] = (await (client as any)[`${operation}Async`](request)) as [Record<string, any>];
  return answer;
}

async function start() {
  const { path, store } = await openTestStore();
  const updates = [
    makeUpdate(1, { categoryType: 'Product' }),
    makeUpdate(2, { categoryType: 'UpdateClassification' }),
    makeUpdate(3, { prerequisites: [{ anyOf: [idOf(1)] }, { anyOf: [idOf(2)], isCategory: true }] }),
    makeUpdate(4, { type: 'Detectoid', comment: 'x'.repeat(20_000) }),
  ];
  await importUpdates(store, updates);
  return { server: await startServer(path), updates };
}

test('the whole protocol: authorization, lists, documents, deployments, decryption, drivers', async () => {
  const { server, updates } = await start();
  const sync = await clientOf(server, 'ServerSyncWebService');
  const authorization = await clientOf(server, 'DssAuthWebService');
  const config = await call(sync, 'GetAuthConfig', {});
  expect(config.GetAuthConfigResult.AuthInfo.AuthPlugInInfo[0].PlugInID).toBe('DssTargeting');
  const authorized = await call(authorization, 'GetAuthorizationCookie', {
    accountName: ACCOUNT.name,
    accountGuid: ACCOUNT.guid,
  });
  const { GetCookieResult } = await call(sync, 'GetCookie', {
    authCookies: { AuthorizationCookie: [authorized.GetAuthorizationCookieResult] },
    protocolVersion: '1.20',
  });
  const cookie = {
    Expiration: GetCookieResult.Expiration.toISOString(),
    EncryptedData: GetCookieResult.EncryptedData,
  };
  const { GetConfigDataResult } = await call(sync, 'GetConfigData', { cookie });
  expect(GetConfigDataResult.MaxNumberOfUpdatesPerRequest).toBe(100);
  expect(GetConfigDataResult.LanguageUpdateList.ServerSyncLanguageData.length).toBeGreaterThan(0);
  const list = async (getConfig: boolean, filter: object = {}) => {
    const { GetRevisionIdListResult } = await call(sync, 'GetRevisionIdList', {
      cookie,
      filter: { GetConfig: getConfig, Get63LanguageOnly: false, ...filter },
    });
    return (GetRevisionIdListResult.NewRevisions?.UpdateIdentity ?? []) as {
      UpdateID: string;
      RevisionNumber: number;
    }[];
  };
  const all = [
    ...(await list(true)),
    ...(await list(false, {
      Categories: { IdAndDelta: [{ Id: idOf(1), Delta: false }] },
      Classifications: { IdAndDelta: [{ Id: idOf(2), Delta: false }] },
    })),
  ];
  expect(new Set(all.map(({ UpdateID }) => UpdateID))).toEqual(new Set([1, 2, 3, 4].map(idOf)));
  const { GetUpdateDataResult } = await call(sync, 'GetUpdateData', {
    cookie,
    updateIds: { UpdateIdentity: all },
  });
  const documents = new Map(
    GetUpdateDataResult.updates.ServerSyncUpdateData.map(
      (each: { Id: { UpdateID: string }; XmlUpdateBlob?: string; XmlUpdateBlobCompressed?: string }) => [
        each.Id.UpdateID,
        Buffer.from(
          each.XmlUpdateBlobCompressed === undefined
            ? decodeUpdateBlob({ form: 'plain', text: each.XmlUpdateBlob ?? '' })
            : decodeUpdateBlob({
                form: 'cabinet',
                bytes: Buffer.from(each.XmlUpdateBlobCompressed, 'base64'),
              }),
        ).toString(),
      ],
    ),
  );
  for (const { identity, document } of updates) {
    expect(documents.get(identity.updateId)).toBe(document.toString());
  }
  const { GetDeploymentsResult } = await call(sync, 'GetDeployments', {
    cookie,
    syncAnchor: '1,2026-01-01 00:00:00.000',
  });
  expect(GetDeploymentsResult.Groups.ServerSyncTargetGroup.length).toBe(2);
  const { GetUpdateDecryptionDataResult } = await call(sync, 'GetUpdateDecryptionData', {
    cookie,
    updateIds: { UpdateIdentity: all.slice(0, 1) },
  });
  expect(
    GetUpdateDecryptionDataResult.UpdateFileDecryptionData.ServerSyncUpdateFileDecryption[0].UpdateId
      .UpdateID,
  ).toBe(idOf(1));
  const { GetRelatedRevisionsForUpdatesResult } = await call(sync, 'GetRelatedRevisionsForUpdates', {
    cookie,
    updateIDs: { guid: [idOf(3)] },
  });
  expect(GetRelatedRevisionsForUpdatesResult.UpdateIdentity[0]).toEqual({
    UpdateID: idOf(3),
    RevisionNumber: 1,
  });
  await call(sync, 'GetDriverIdList', { cookie, filter: {} });
  await call(sync, 'GetDriverSetData', { cookie, driverSets: {} });
});

test('reporting and Ping', async () => {
  const { server } = await start();
  const reporting = await clientOf(server, 'ReportingWebService');
  const cookie = { Expiration: '9999-12-31T23:59:59.9999999', EncryptedData: '' };
  const { GetRollupConfigurationResult } = await call(reporting, 'GetRollupConfiguration', { cookie });
  expect(GetRollupConfigurationResult.DoDetailedRollup).toBe(false);
  for (const service of SERVICES) {
    const { PingResult } = await call(await clientOf(server, service), 'Ping', { pingLevel: 0 });
    expect([PingResult.SuccessFlag, PingResult.ServicesName]).toEqual([true, service]);
  }
});

test('a fault arrives as one', async () => {
  const { server } = await start();
  const sync = await clientOf(server, 'ServerSyncWebService');
  await expect(call(sync, 'GetConfigData', {})).rejects.toMatchObject({
    root: { Envelope: { Body: { Fault: { detail: { ErrorCode: 'InvalidCookie' } } } } },
  });
});

test('the description is XML that names this server, whatever name it is called by', async () => {
  const { server } = await start();
  for (const service of SERVICES) {
    const text = await (await fetch(new URL(`${service}/${service}.asmx?WSDL`, server.url))).text();
    expect(parseTree(text).local).toBe('definitions');
    expect(text).toContain(`location="${new URL(`${service}/${service}.asmx`, server.url).href}"`);
  }
});
