/** Every answer against what a real server sent (Windows Server 2025): names, namespaces, order, types. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openMetadataStore } from '../../src/store/open-store.js';
import { withSharedData } from '../helpers/shared-data.js';
import { parseTree, type TreeElement } from '../helpers/soap-tree.js';
import { idOf, importUpdates, makeUpdate, openTestStore } from '../store/update-builder.js';
import { cookieFrom, post, startServer, storePathIn, type TestServer } from './serve-setup.js';

const DEFENDER = '8c3fcc84-7410-4a95-8b89-a166a0190486';
const DEFINITIONS = 'e0789628-ce08-4437-be74-2495b842f43b';

/** What a text is, as far as two servers can agree on it. */
function kindOf(text: string): string {
  if (text === '') return 'nothing';
  if (/^(true|false)$/.test(text)) return 'boolean';
  if (/^\d+$/.test(text)) return 'int';
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)) return 'guid';
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{2,7}Z$/.test(text)) return 'time';
  if (/^\d+,\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/.test(text)) return 'anchor';
  if (/^TVNDR/.test(text)) return 'cabinet';
  if (/^[A-Za-z0-9+/]{16,}={0,2}$/.test(text)) return 'base64';
  if (/^https?:/.test(text)) return 'url';
  return 'text';
}

/** Items of a list count once each shape. */
function shapeOf({ local, uri, text, children }: TreeElement): unknown {
  if (children.length === 0) return [local, uri, kindOf(text)];
  const shapes: unknown[] = [];
  for (const child of children) {
    const shape = shapeOf(child);
    if (JSON.stringify(shape) !== JSON.stringify(shapes.at(-1))) shapes.push(shape);
  }
  return [local, uri, shapes];
}

withSharedData('recorded exchanges', (directory) => {
  const folder = join(directory, 'soap-server-sync/wsus-2025');
  const read = (number: number, what: string) =>
    readFileSync(join(folder, `${String(number).padStart(6, '0')}.${what}.xml`), 'utf8');
  const document = (name: string) =>
    readFileSync(join(directory, 'update-metadata/wsus-2025', `${name}.xml`));

  async function startRecorded(): Promise<TestServer> {
    const path = storePathIn();
    const { store } = await openTestStore(path);
    const chosen = [{ anyOf: [DEFENDER] }, { anyOf: [DEFINITIONS], isCategory: true }];
    const names = [
      '266f6222-c89d-43f2-9f8a-69340271e677:200',
      'ccb78947-6453-4ecc-9de8-bc0305c98f2d:200',
      '56309036-4c77-4dd9-951a-99ee9c246a94:101',
    ];
    const real = names.map((name) => {
      const [updateId, number] = name.split(':') as [string, string];
      return {
        identity: { updateId, revisionNumber: Number(number) },
        document: document(`${updateId}-r${number}`),
      };
    });
    const renamed = (n: number, id: string, categoryType: 'Product' | 'UpdateClassification') => {
      const { document: made } = makeUpdate(n, { categoryType });
      return {
        identity: { updateId: id, revisionNumber: 1 },
        document: Buffer.from(made.toString().replaceAll(idOf(n), id)),
      };
    };
    await importUpdates(store, [
      renamed(1, DEFENDER, 'Product'),
      renamed(2, DEFINITIONS, 'UpdateClassification'),
      makeUpdate(3, { prerequisites: chosen }),
      ...real,
    ]);
    const transaction = await store.beginImport();
    await transaction.addFileLocations([
      {
        sha1: '87F5BD0469585006AA5D3A77D1C662FD2895DDCD',
        muUrl: 'http://download.windowsupdate.com/c/am_delta.exe',
        fileName: 'am_delta.exe',
      },
    ]);
    await transaction.commit();
    return startServer(path);
  }

  /** A recorded request with our cookie in it, and with our anchor where it has one. */
  function ours(
    request: string,
    { expiration, encryptedData }: { expiration: string; encryptedData: string },
  ) {
    return request.replace(
      /<Expiration>.*?<\/EncryptedData>/,
      `<Expiration>${expiration}</Expiration><EncryptedData>${encryptedData}</EncryptedData>`,
    );
  }

  test.each([1, 2])('exchange %i, before there is a cookie', async (number) => {
    const server = await startRecorded();
    const path = number === 2 ? 'DssAuthWebService/DssAuthWebService.asmx' : undefined;
    const answer = await post(server, read(number, 'request'), path);
    expect(answer.status).toBe(200);
    expect(shapeOf(parseTree(answer.text))).toEqual(shapeOf(parseTree(read(number, 'response'))));
  });

  test('exchange 3, the cookie', async () => {
    const server = await startRecorded();
    const authorized = await post(server, read(2, 'request'), 'DssAuthWebService/DssAuthWebService.asmx');
    const data = /<CookieData>(.*?)</.exec(authorized.text)?.[1] ?? '';
    const answer = await post(server, read(3, 'request').replace(/<CookieData>.*?</, `<CookieData>${data}<`));
    expect(answer.status).toBe(200);
    expect(shapeOf(parseTree(answer.text))).toEqual(shapeOf(parseTree(read(3, 'response'))));
  });

  test.each([5, 6, 7, 8, 9, 14, 15, 16])('exchange %i', async (number) => {
    const server = await startRecorded();
    const answer = await post(server, ours(read(number, 'request'), await cookieFrom(server)));
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/xml; charset=utf-8');
    expect(shapeOf(parseTree(answer.text))).toEqual(shapeOf(parseTree(read(number, 'response'))));
  });

  test('exchange 4: with an anchor only the languages that changed', async () => {
    const server = await startRecorded();
    const cookie = await cookieFrom(server);
    const first = await post(server, ours(read(5, 'request'), cookie));
    const anchor = /<NewConfigAnchor>(.*?)</.exec(first.text)?.[1] ?? '';
    const request = ours(read(4, 'request'), cookie).replace(/configAnchor>.*?</, `configAnchor>${anchor}<`);
    const answer = await post(server, request);
    expect(shapeOf(parseTree(answer.text))).toEqual(shapeOf(parseTree(read(4, 'response'))));
  });

  test.each([11, 12])('exchange %i: nothing since the anchor', async (number) => {
    const server = await startRecorded();
    const cookie = await cookieFrom(server);
    const first = await post(server, ours(read(6, 'request'), cookie));
    const anchor = /<Anchor>(.*?)</.exec(first.text)?.[1] ?? '';
    const request = ours(read(number, 'request'), cookie)
      .replace(/<Anchor>.*?</, `<Anchor>${anchor}<`)
      .replaceAll('<Delta>false<', '<Delta>true<');
    const answer = await post(server, request);
    expect(shapeOf(parseTree(answer.text))).toEqual(shapeOf(parseTree(read(number, 'response'))));
  });

  test('exchange 19, a cookie that is none of ours', async () => {
    const server = await startRecorded();
    const answer = await post(server, read(19, 'request'));
    expect(answer.status).toBe(500);
    expect(shapeOf(parseTree(answer.text))).toEqual(shapeOf(parseTree(read(19, 'response'))));
    expect(/<ErrorCode>(.*?)</.exec(answer.text)?.[1]).toBe('InvalidCookie');
  });

  test('a real document comes out of its cabinet as it went in', async () => {
    const server = await startRecorded();
    const answer = await post(server, ours(read(14, 'request'), await cookieFrom(server)));
    const cabinet = /<XmlUpdateBlobCompressed>(.*?)</.exec(answer.text)?.[1] ?? '';
    const { decodeUpdateBlob } = await import('../../src/formats/server-sync/update-blob.js');
    const decoded = decodeUpdateBlob({ form: 'cabinet', bytes: Buffer.from(cabinet, 'base64') });
    expect(Buffer.from(decoded).equals(document('266f6222-c89d-43f2-9f8a-69340271e677-r200'))).toBe(true);
  });
});

test('the store is only read', async () => {
  const { path, store } = await openTestStore();
  await importUpdates(store, [makeUpdate(1, { categoryType: 'Product' })]);
  await store.close();
  await startServer(path);
  const again = await openMetadataStore(path, { mode: 'write', now: () => new Date() });
  await again.close();
});
