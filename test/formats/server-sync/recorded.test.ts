import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import type { Cookie } from '../../../src/formats/server-sync/cookies.js';
import {
  readGetAuthConfigReply,
  writeGetAuthConfig,
} from '../../../src/formats/server-sync/get-auth-config.js';
import {
  readGetAuthorizationCookieReply,
  writeGetAuthorizationCookie,
} from '../../../src/formats/server-sync/get-authorization-cookie.js';
import {
  readGetConfigDataReply,
  writeGetConfigData,
} from '../../../src/formats/server-sync/get-config-data.js';
import { readGetCookieReply, writeGetCookie } from '../../../src/formats/server-sync/get-cookie.js';
import {
  type RevisionIdFilter,
  readGetRevisionIdListReply,
  writeGetRevisionIdList,
} from '../../../src/formats/server-sync/get-revision-id-list.js';
import {
  readGetUpdateDataReply,
  writeGetUpdateData,
} from '../../../src/formats/server-sync/get-update-data.js';
import type { SoapRequest } from '../../../src/formats/server-sync/service.js';
import { decodeUpdateBlob } from '../../../src/formats/server-sync/update-blob.js';
import { PlainElementReader, type PlainElements } from '../../../src/formats/soap/plain-elements.js';
import { type ReplyChunks, readFault } from '../../../src/formats/soap/reply-reader.js';
import { parseUpdateDocument } from '../../../src/formats/update-xml/parse-update.js';
import { withSharedData } from '../../helpers/shared-data.js';
import { bodyOf, childNamed, parseTree, type TreeElement } from '../../helpers/soap-tree.js';
import { all, chunksOf, readEveryWay } from '../soap/reply-cases.js';
import { Recording } from './recorded.js';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function revisionIds(chunks: ReplyChunks) {
  const reader = readGetRevisionIdListReply(chunks);
  const revisions = [];
  for (;;) {
    const next = await reader.next();
    if (next.done === true) return { anchor: next.value.anchor, revisions };
    revisions.push(...next.value);
  }
}

withSharedData('recorded exchanges of a real server', (directory) => {
  const recording = existsSync(directory) ? new Recording(directory) : undefined;
  if (recording === undefined) return;
  const numbersOf = (operation: RegExp) =>
    recording.numbers.filter((number) => operation.test(bodyOf(recording.request(number)).local));
  const lists = numbersOf(/^GetRevisionIdList$/).filter(
    (number) => recording.facts(number).fault === undefined,
  );
  const documents = numbersOf(/^GetUpdateData$/);
  const text = (parent: TreeElement | undefined, ...path: string[]) =>
    path.reduce((element: TreeElement | undefined, local) => childNamed(element, local), parent)?.text;

  test('there are exchanges of every kind', () => {
    expect([lists.length, documents.length]).toEqual([6, 3]);
    expect(recording.numbers.length).toBeGreaterThanOrEqual(15);
  });

  test('GetAuthConfig names the plug-in and its service', async () => {
    expect(await readEveryWay(recording.response('000001'), readGetAuthConfigReply)).toEqual([
      { plugInId: 'DssTargeting', serviceUrl: 'DssAuthWebService/DssAuthWebService.asmx' },
    ]);
  });

  test('both cookies come as the independent parser sees them', async () => {
    const authorization = await readEveryWay(recording.response('000002'), readGetAuthorizationCookieReply);
    const result = bodyOf(recording.response('000002')).children[0];
    expect(authorization).toEqual({ plugInId: 'DssTargeting', cookieData: text(result, 'CookieData') });
    const cookie = await readEveryWay(recording.response('000003'), readGetCookieReply);
    expect(cookie.expiration).toBe('2026-10-04T20:33:26.65455Z');
    expect(cookie.encryptedData).toBe(
      text(bodyOf(recording.response('000003')).children[0], 'EncryptedData'),
    );
  });

  test.each(['000004', '000005'])('GetConfigData %s has the values of the manifest', async (number) => {
    const config = await readEveryWay(recording.response(number), readGetConfigDataReply);
    const { config: expected, languages } = recording.facts(number);
    expect({
      CatalogOnlySync: String(config.catalogOnlySync),
      LazySync: String(config.lazySync),
      ServerHostsPsfFiles: String(config.serverHostsPsfFiles),
      MaxNumberOfUpdatesPerRequest: String(config.maxUpdatesPerRequest),
      NewConfigAnchor: config.newConfigAnchor,
      ProtocolVersion: config.protocolVersion,
    }).toEqual(expected);
    expect(config.languages).toHaveLength(languages as number);
    expect(config).toMatchObject({
      maxDriverSetsPerRequest: 0,
      maxComputerIdsPerRequest: 0,
      maxPnpHardwareIdsPerRequest: 0,
      maxUpdatesPerDecryptionRequest: 100,
    });
    if (number === '000005') {
      expect(config.languages).toContainEqual({
        id: 1033,
        shortName: 'en',
        longName: 'English',
        enabled: true,
      });
      expect(config.languages.filter(({ enabled }) => enabled)).toHaveLength(1);
    }
  });

  test.each(lists)('GetRevisionIdList %s has the anchor and revisions of the manifest', async (number) => {
    const { anchor, revisions } = await readEveryWay(recording.response(number), revisionIds);
    const facts = recording.facts(number);
    expect(anchor).toBe(facts.anchor);
    expect(revisions).toHaveLength(facts.newRevisions as number);
    const listed = childNamed(bodyOf(recording.response(number)).children[0], 'NewRevisions')?.children ?? [];
    expect(revisions).toEqual(
      listed.map((each) => ({
        updateId: text(each, 'UpdateID'),
        revisionNumber: Number(text(each, 'RevisionNumber')),
      })),
    );
  });

  test.each(documents)(
    'GetUpdateData %s gives the document of the manifest, byte for byte',
    async (number) => {
      const items = await readEveryWay(recording.response(number), (chunks) =>
        all(readGetUpdateDataReply(chunks)),
      );
      const updates = items.flatMap((item) => (item.type === 'update' ? [item.update] : []));
      const { blob, compressedBlob } = recording.facts(number);
      const expected = blob?.update ?? compressedBlob?.update;
      expect(updates).toHaveLength(1);
      const [update] = updates as [(typeof updates)[0]];
      expect(update.identity).toEqual({
        updateId: expected?.updateId.toLowerCase(),
        revisionNumber: expected?.revision,
      });
      if (update.blob.form === 'cabinet') {
        expect(update.blob.bytes).toHaveLength(compressedBlob?.cabBytes as number);
        expect(sha256(update.blob.bytes)).toBe(compressedBlob?.cabSha256);
      }
      const document = decodeUpdateBlob(update.blob);
      expect(sha256(document)).toBe(blob?.utf8Sha256 ?? compressedBlob?.asUtf8Sha256);
      const facts = parseUpdateDocument(document);
      expect(facts.identity).toEqual(update.identity);
      expect(new Set(update.fileSha1s)).toEqual(new Set(facts.files.map(({ sha1 }) => sha1)));
      const locations = items.flatMap((item) => (item.type === 'file-location' ? [item.location] : []));
      for (const { sha1, muUrl, ussUrl } of locations) {
        expect(update.fileSha1s).toContain(sha1);
        expect(muUrl).toMatch(new RegExp(`_${sha1}\\.\\w+$`, 'i'));
        expect(ussUrl).toBeUndefined();
      }
      expect(locations).toHaveLength(update.fileSha1s.length);
    },
  );

  test('the recorded fault has the parts of the manifest', async () => {
    const fault = await readEveryWay(recording.response('000019'), (chunks) =>
      readFault(chunks, 'GetRevisionIdList'),
    );
    const expected = recording.facts('000019').fault;
    expect(fault).toMatchObject({
      faultCode: expected?.ErrorCode,
      faultMessage: expected?.Message,
      faultId: expected?.ID,
      soapCode: expected?.faultcode.replace('soap:', ''),
      reason: 'Fault occurred',
    });
  });

  test('every recorded reply that is cut anywhere is reported, as cut off', async () => {
    for (const number of recording.numbers) {
      const bytes = Buffer.from(recording.response(number));
      const operation = bodyOf(recording.request(number)).local;
      const read = readerOf(operation);
      // every place of the short ones, and every place around a tag of the long ones
      for (let end = 0; end < bytes.length; end++) {
        if (bytes.length > 1200 && bytes[end] !== 0x3c && bytes[end - 1] !== 0x3e && end % 97 !== 0) continue;
        await expect(
          read(chunksOf(bytes.subarray(0, end))),
          `${number} after ${end} bytes`,
        ).rejects.toMatchObject({
          code: 'UPSTREAM_TRUNCATED',
        });
      }
    }
  });

  // 19 was sent without a cookie, to see the fault
  test.each(recording.numbers.filter((number) => number !== '000019'))(
    'the request we write for %s is the recorded one',
    (number) => {
      const recorded = bodyOf(recording.request(number));
      const request = rewrite(recorded);
      const ours = bodyOf(request.body);
      // Microsoft Update asks for this element, the recorded WSUS client leaves it out (section 5).
      const filter = childNamed(ours, 'filter');
      if (filter !== undefined) {
        const at = filter.children.findIndex(({ local }) => local === 'Get63LanguageOnly');
        expect(filter.children[at]?.text).toBe('false');
        expect(filter.children[at - 1]?.local).toBe('GetConfig');
        filter.children.splice(at, 1);
      }
      expect(ours).toEqual(recorded);
      const wholeOurs = parseTree(request.body);
      const wholeRecorded = parseTree(recording.request(number));
      expect([wholeOurs.uri, wholeOurs.children.map(({ local, uri }) => [local, uri])]).toEqual([
        wholeRecorded.uri,
        wholeRecorded.children.map(({ local, uri }) => [local, uri]),
      ]);
      expect(request.soapAction).toBe(`${recorded.uri}/${recorded.local}`);
    },
  );

  test('the SOAPAction is the one a real server repeats in its fault', () => {
    const request = writeGetRevisionIdList(
      { expiration: '', encryptedData: '' },
      { anchor: undefined, getConfig: true },
    );
    expect(`"${request.soapAction}"`).toBe(recording.facts('000019').fault?.Method);
  });

  /** The same call through our writers, with the values of the recorded one. */
  function rewrite(recorded: TreeElement): SoapRequest {
    const cookieElement = childNamed(recorded, 'cookie');
    const cookie: Cookie = {
      expiration: text(cookieElement, 'Expiration') ?? '',
      encryptedData: text(cookieElement, 'EncryptedData') ?? '',
    };
    switch (recorded.local) {
      case 'GetAuthConfig':
        return writeGetAuthConfig();
      case 'GetAuthorizationCookie':
        return writeGetAuthorizationCookie({
          name: text(recorded, 'accountName') ?? '',
          guid: text(recorded, 'accountGuid') ?? '',
        });
      case 'GetCookie': {
        const data = text(recorded, 'authCookies', 'AuthorizationCookie', 'CookieData') ?? '';
        return writeGetCookie({
          authorizationCookie: { plugInId: 'DssTargeting', cookieData: data },
          oldCookie: undefined,
          protocolVersion: text(recorded, 'protocolVersion') ?? '',
        });
      }
      case 'GetConfigData':
        return writeGetConfigData(cookie, text(recorded, 'configAnchor'));
      case 'GetRevisionIdList': {
        const filter = childNamed(recorded, 'filter');
        const ids = (name: string) =>
          childNamed(filter, name)?.children.map((each) => ({
            id: text(each, 'Id') ?? '',
            delta: text(each, 'Delta') === 'true',
          }));
        const typed: RevisionIdFilter = {
          anchor: text(filter, 'Anchor'),
          getConfig: text(filter, 'GetConfig') === 'true',
          categories: ids('Categories'),
          classifications: ids('Classifications'),
        };
        return writeGetRevisionIdList(cookie, typed);
      }
      case 'GetUpdateData':
        return writeGetUpdateData(
          cookie,
          (childNamed(recorded, 'updateIds')?.children ?? []).map((each) => ({
            updateId: text(each, 'UpdateID') ?? '',
            revisionNumber: Number(text(each, 'RevisionNumber')),
          })),
        );
      default:
        throw new Error(`no writer for ${recorded.local}`);
    }
  }

  test('compressed updates, their files and revisions are written in the way that is read at once', async () => {
    const read = vi.spyOn(PlainElementReader.prototype, 'read');
    const readers = [
      ['000011', revisionIds],
      ['000012', revisionIds],
      ['000014', (chunks: ReplyChunks) => all(readGetUpdateDataReply(chunks))],
      ['000016', (chunks: ReplyChunks) => all(readGetUpdateDataReply(chunks))],
    ] as const;
    for (const [number, reader] of readers) await reader(chunksOf(recording.response(number)));
    const others = read.mock.results.flatMap(({ value }) => (value as PlainElements).elements);
    read.mockRestore();
    expect(others).toEqual([]);
  });
});

function readerOf(operation: string): (chunks: ReplyChunks) => Promise<unknown> {
  switch (operation) {
    case 'GetAuthConfig':
      return readGetAuthConfigReply;
    case 'GetAuthorizationCookie':
      return readGetAuthorizationCookieReply;
    case 'GetCookie':
      return readGetCookieReply;
    case 'GetConfigData':
      return readGetConfigDataReply;
    case 'GetRevisionIdList':
      return revisionIds;
    case 'GetUpdateData':
      return (chunks) => all(readGetUpdateDataReply(chunks));
    default:
      throw new Error(`no reader for ${operation}`);
  }
}
