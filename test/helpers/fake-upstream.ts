/**
 * An upstream over real HTTP or TLS on 127.0.0.1, for tests of the downstream. It follows the protocol as a WSUS server
 * does (server-sync-protocol 3 to 9, 11, 12, 15, 16), is as strict about the order of elements as Microsoft Update, and
 * has the quirks of section 19 as switches. It shares no code with what it tests but the parser of update documents.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { parseUpdateDocument } from '../../src/formats/update-xml/parse-update.js';
import { digestToBase64 } from '../../src/model/digest.js';
import type { RevisionFacts } from '../../src/model/revision.js';
import { formatIdentity, type UpdateId, type UpdateIdentity } from '../../src/model/update-identity.js';
import { type CatalogueOptions, generateCatalogue } from './catalogue/generate-catalogue.js';
import { bodyOf, childNamed, type TreeElement } from './soap-tree.js';
import { type ServerCertificate, tlsServerOptions } from './tls-files.js';
import {
  cabinetOf,
  compressedBlob,
  escaped,
  identityFields,
  identityXml,
  isSentPlain,
  list,
  plainBlob,
  updateData,
  urlData,
} from './update-wire.js';
import {
  type ContentQuirks,
  type ContentRequest,
  isContentPath,
  UpstreamContent,
  type UpstreamFile,
} from './upstream-content.js';

export interface UpstreamItem {
  readonly identity: UpdateIdentity;
  /** UTF-8 */
  readonly document: Uint8Array;
  /** file name, SHA-1 and URL of content */
  readonly files: readonly { readonly sha1: string; readonly muUrl: string }[];
  /** products and product families */
  readonly categories: readonly UpdateId[];
  readonly classifications: readonly UpdateId[];
  /** files that exist, of this item or of another one */
  readonly content?: readonly UpstreamFile[];
}

export interface UpstreamQuirks extends ContentQuirks {
  /** dress, field order, anchors and limits of Microsoft Update; default `wsus` */
  readonly kind?: 'wsus' | 'microsoft-update';
  /** order of the fields of `GetConfigData`; default: that of the kind */
  readonly configOrder?: 'wsus' | 'microsoft-update';
  /** `MUUrl`s point at this server in place of Microsoft's */
  readonly servesMuUrls?: boolean;
  /** most updates in one answer, whatever was asked; the rest is left out in silence */
  readonly answerAtMost?: number;
  /** the answer to a batch with an unknown revision; default: that of the kind */
  readonly unknownRevision?: 'fault' | 'missing-revisions' | 'leave-out';
  /** listed, but without a document */
  readonly ghosts?: readonly UpdateIdentity[];
  /** default 240 minutes */
  readonly cookieLifeMs?: number;
  /** the server's clock against the real one */
  readonly clockOffsetMs?: number;
  /** default: as WSUS does, plain up to 5,120 bytes of UTF-16 */
  readonly documents?: 'plain' | 'compressed';
  /** default `lzx` */
  readonly compression?: 'lzx' | 'mszip';
  /** default true: if the client accepts it */
  readonly gzip?: boolean;
  /** before every answer, and between the pieces of its body */
  readonly slowMs?: number;
  readonly maxUpdatesPerRequest?: number;
  /** documents in which every byte of the cabinet's data is damaged */
  readonly damaged?: readonly UpdateIdentity[];
  /** sends the updates nobody asked for along */
  readonly sendsUnrequested?: boolean;
  /** `ServiceUrl` of `GetAuthConfig` */
  readonly serviceUrl?: string;
}

/** Trouble made on purpose, for the first calls it fits. */
export interface PlannedTrouble {
  /** an operation, or `Content` for requests of files */
  readonly on: string;
  /** default 1 */
  readonly times?: number;
  /** calls of that kind answered well before; default 0 */
  readonly after?: number;
  readonly fault?: { readonly code?: string; readonly message?: string };
  readonly status?: {
    readonly code: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  };
  /** the cookie of the call and its authorization are void from now on */
  readonly voidCookies?: boolean;
  /** breaks the connection after that many bytes of the body */
  readonly resetAfter?: number;
  /** ends the body early, without breaking the connection */
  readonly cutAfter?: number;
  /** never answers */
  readonly hang?: boolean;
}

export interface RecordedCall {
  readonly operation: string;
  readonly request: TreeElement;
  readonly headers: IncomingMessage['headers'];
}

export interface UpstreamTls {
  /** default `server` */
  readonly certificate?: ServerCertificate;
  readonly demandsClientCertificate?: boolean;
}

export interface FakeUpstream extends AsyncDisposable {
  readonly url: URL;
  /** where `Content` is: with TLS on another port and without TLS, as a real server has it (1.3) */
  readonly contentUrl: URL;
  readonly calls: readonly RecordedCall[];
  countCalls(operation: string): number;
  /** revisions in each `GetUpdateData`, in order */
  readonly batchSizes: readonly number[];
  /** Publishes more: newer than any anchor given out so far. */
  publish(items: Iterable<UpstreamItem>): void;
  readonly quirks: UpstreamQuirks;
  change(quirks: Partial<UpstreamQuirks>): void;
  plan(trouble: PlannedTrouble): void;
  /** No more trouble, whatever was planned. */
  forgetPlans(): void;
  /** files asked for with `DownloadFiles` */
  readonly downloads: readonly string[];
  readonly contentRequests: readonly ContentRequest[];
}

const SD = 'http://www.microsoft.com/SoftwareDistribution';
const AUTH = `${SD}/Server/DssAuthWebService`;
const MONITORABLE = `${SD}/Server/IMonitorable`;
const SOAP = 'http://schemas.xmlsoap.org/soap/envelope/';
const SYNC_PATH = '/serversyncwebservice/serversyncwebservice.asmx';
const AUTH_PATH = '/dssauthwebservice/dssauthwebservice.asmx';
const DEFAULT_MAX_UPDATES = 100;
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The sequences of appendix B; `*` repeats. What is out of order or unknown is refused, as a strict server would. */
const COOKIE = ['Expiration', 'EncryptedData'];
const SCHEMAS: Readonly<Record<string, readonly string[]>> = {
  GetAuthConfig: [],
  GetAuthorizationCookie: ['accountName', 'accountGuid', 'programKeys'],
  GetCookie: ['authCookies', 'oldCookie', 'protocolVersion'],
  authCookies: ['AuthorizationCookie*'],
  AuthorizationCookie: ['PlugInId', 'CookieData'],
  cookie: COOKIE,
  oldCookie: COOKIE,
  GetConfigData: ['cookie', 'configAnchor'],
  GetRevisionIdList: ['cookie', 'filter'],
  'GetRevisionIdList/filter': [
    'DssProtocolVersion',
    'Anchor',
    'GetConfig',
    'Get63LanguageOnly',
    'Categories',
    'Classifications',
    'Languages',
  ],
  'GetDriverIdList/filter': ['DssProtocolVersion', 'Anchor', 'Categories', 'ComputerIds', 'PnpHardwareIds'],
  Categories: ['IdAndDelta*'],
  Classifications: ['IdAndDelta*'],
  ComputerIds: ['IdAndDelta*'],
  PnpHardwareIds: ['HardwareIdAndDelta*'],
  Languages: ['LanguageAndDelta*'],
  IdAndDelta: ['Id', 'Delta'],
  LanguageAndDelta: ['Id', 'Delta'],
  HardwareIdAndDelta: ['Id', 'Delta'],
  GetUpdateData: ['cookie', 'updateIds'],
  GetUpdateDecryptionData: ['cookie', 'updateIds'],
  updateIds: ['UpdateIdentity*'],
  UpdateIdentity: ['UpdateID', 'RevisionNumber'],
  DownloadFiles: ['cookie', 'fileDigestList'],
  fileDigestList: ['base64Binary*'],
  GetRelatedRevisionsForUpdates: ['cookie', 'updateIDs'],
  updateIDs: ['guid*'],
  GetDriverIdList: ['cookie', 'filter'],
  GetDriverSetData: ['cookie', 'driverSets'],
  driverSets: ['guid*'],
  Ping: ['pingLevel'],
};

interface StoredItem extends UpstreamItem {
  readonly facts: RevisionFacts;
  /** milliseconds since 1970 by the server's clock */
  readonly publishedAt: number;
}

interface Answer {
  readonly operation: string;
  readonly namespace: string;
  /** undefined: the response element is empty */
  readonly result: string | undefined;
}

class Fault extends Error {
  readonly code: string | undefined;
  readonly detail: string;

  constructor(code: string | undefined, detail = '') {
    super(code);
    this.code = code;
    this.detail = detail;
  }
}

/** @param tls services over TLS, with a certificate of fixtures/tls */
export async function startFakeUpstream(
  items: Iterable<UpstreamItem>,
  quirks: UpstreamQuirks = {},
  tls?: UpstreamTls,
): Promise<FakeUpstream> {
  const upstream = new Upstream(quirks);
  upstream.publish(items);
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    upstream.serve(request, response).catch((error: unknown) => {
      response.statusCode = 599;
      response.end(String(error));
    });
  };
  const servers: Server[] = [createServer(listener)];
  if (tls !== undefined) {
    servers.unshift(
      createTlsServer(tlsServerOptions(tls.certificate, tls.demandsClientCertificate), listener),
    );
  }
  const [services, content = services] = await Promise.all(servers.map(listen));
  upstream.contentUrl = new URL(`http://127.0.0.1:${content}/`);
  return Object.assign(upstream, {
    url: new URL(`${tls === undefined ? 'http' : 'https'}://127.0.0.1:${services}/`),
    async [Symbol.asyncDispose]() {
      for (const server of servers) {
        server.close();
        server.closeAllConnections();
        await once(server, 'close');
      }
    },
  });
}

/** @returns the port */
async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

class Upstream {
  readonly calls: RecordedCall[] = [];
  readonly batchSizes: number[] = [];
  readonly downloads: string[] = [];
  contentUrl = new URL('http://127.0.0.1/');
  quirks: UpstreamQuirks;
  readonly #content = new UpstreamContent();
  readonly #items = new Map<string, StoredItem>();
  readonly #troubles: { trouble: PlannedTrouble; passed: number; done: number }[] = [];
  readonly #authorizations = new Map<string, { readonly guid: string }>();
  readonly #cookies = new Map<
    string,
    { readonly expiration: string; readonly expiresAt: number; readonly authorization: string }
  >();
  readonly #cabinets = new Map<string, string>();
  #lastInstant = 0;

  constructor(quirks: UpstreamQuirks) {
    this.quirks = quirks;
  }

  change(quirks: Partial<UpstreamQuirks>): void {
    this.quirks = { ...this.quirks, ...quirks };
  }

  plan(trouble: PlannedTrouble): void {
    this.#troubles.push({ trouble, passed: 0, done: 0 });
  }

  forgetPlans(): void {
    this.#troubles.length = 0;
  }

  countCalls(operation: string): number {
    return this.calls.filter((call) => call.operation === operation).length;
  }

  publish(items: Iterable<UpstreamItem>): void {
    const publishedAt = this.#tick();
    for (const item of items) {
      const facts = parseUpdateDocument(item.document);
      this.#items.set(formatIdentity(item.identity), { ...item, facts, publishedAt });
      for (const file of item.content ?? []) this.#content.add(file);
    }
  }

  get contentRequests(): readonly ContentRequest[] {
    return this.#content.requests;
  }

  get #isMicrosoftUpdate(): boolean {
    return this.quirks.kind === 'microsoft-update';
  }

  get #maxUpdates(): number {
    return this.quirks.maxUpdatesPerRequest ?? DEFAULT_MAX_UPDATES;
  }

  #now(): number {
    return Date.now() + (this.quirks.clockOffsetMs ?? 0);
  }

  /** The server's clock, never the same instant twice. */
  #tick(): number {
    this.#lastInstant = Math.max(this.#lastInstant + 1, this.#now());
    return this.#lastInstant;
  }

  #newAnchor(): string {
    const time = new Date(this.#tick()).toISOString().replace('T', ' ').replace('Z', '');
    return this.#isMicrosoftUpdate ? time : `9438,${time}`;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL((request.url ?? '/').replaceAll(/\/{2,}/g, '/'), 'http://upstream');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const path = pathname.toLowerCase();
    if (isContentPath(path)) return this.#serveContent(request, response, path);
    if (path !== SYNC_PATH && path !== AUTH_PATH)
      return void sendPage(response, 404, '<html><p>Not Found<br></html>');
    if (request.method !== 'POST') return void sendPage(response, 405, 'POST only');
    const operation = bodyOf(Buffer.concat(chunks).toString('utf8'));
    this.calls.push({ operation: operation.local, request: operation, headers: request.headers });
    if (this.quirks.slowMs !== undefined) await pause(this.quirks.slowMs);
    const trouble = this.#takeTrouble(operation.local);
    if (trouble?.voidCookies === true) {
      this.#cookies.clear();
      this.#authorizations.clear();
    }
    if (trouble !== undefined && isAnsweredWith(trouble, response)) return;
    let status = 200;
    let xml: string;
    try {
      if (trouble?.fault !== undefined) throw new Fault(trouble.fault.code, trouble.fault.message);
      checkHeaders(request, operation);
      xml = this.#envelope(this.#answer(operation, path));
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      status = 500;
      xml = this.#fault(error, operation);
    }
    await this.#send(request, response, status, Buffer.from(xml, 'utf8'), trouble);
  }

  async #serveContent(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    if (this.quirks.slowMs !== undefined) await pause(this.quirks.slowMs);
    const trouble = this.#takeTrouble('Content');
    const { status, headers, body } = this.#content.answer(request, path, this.quirks);
    if (trouble !== undefined && isAnsweredWith(trouble, response)) return;
    const { 'Content-Length': size, ...others } = headers;
    const isCut = trouble?.cutAfter !== undefined;
    response.writeHead(status, isCut || size === undefined ? others : headers);
    await this.#sendBody(response, body, trouble);
  }

  #takeTrouble(operation: string): PlannedTrouble | undefined {
    for (const planned of this.#troubles) {
      const { on, after = 0, times = 1 } = planned.trouble;
      if (on !== operation) continue;
      if (planned.passed < after) planned.passed++;
      else if (planned.done < times) {
        planned.done++;
        return planned.trouble;
      }
    }
    return undefined;
  }

  async #send(
    request: IncomingMessage,
    response: ServerResponse,
    status: number,
    plain: Buffer,
    trouble: PlannedTrouble | undefined,
  ): Promise<void> {
    const accepts = /\bgzip\b/.test(String(request.headers['accept-encoding']));
    const isGzip = (this.quirks.gzip ?? true) && accepts;
    const body = isGzip ? gzipSync(plain) : plain;
    response.writeHead(status, {
      'Content-Type': 'text/xml; charset=utf-8',
      Date: new Date(this.#now()).toUTCString(),
      ...(isGzip ? { 'Content-Encoding': 'gzip' } : {}),
      ...(trouble?.cutAfter === undefined ? { 'Content-Length': body.length } : {}),
    });
    await this.#sendBody(response, body, trouble);
  }

  async #sendBody(
    response: ServerResponse,
    body: Buffer,
    trouble: PlannedTrouble | undefined,
  ): Promise<void> {
    if (trouble?.resetAfter !== undefined) {
      response.write(body.subarray(0, trouble.resetAfter), () =>
        setImmediate(() => response.socket?.resetAndDestroy()),
      );
      return;
    }
    if (trouble?.cutAfter !== undefined) {
      response.end(body.subarray(0, trouble.cutAfter));
      return;
    }
    if (this.quirks.slowMs === undefined) {
      response.end(body);
      return;
    }
    const pieces = 5;
    for (let i = 0; i < pieces; i++) {
      response.write(body.subarray((body.length * i) / pieces, (body.length * (i + 1)) / pieces));
      await pause(this.quirks.slowMs);
    }
    response.end();
  }

  #answer(operation: TreeElement, path: string): Answer {
    const name = operation.local;
    const expected = name === 'Ping' ? MONITORABLE : name === 'GetAuthorizationCookie' ? AUTH : SD;
    if (operation.uri !== expected || (path === AUTH_PATH) !== (expected === AUTH))
      throw new Fault('InvalidParameters', name);
    checkSequence(operation, name);
    const answer = (result: string | undefined): Answer => ({ operation: name, namespace: expected, result });
    switch (name) {
      case 'GetAuthConfig':
        return answer(
          `<LastChange>2026-10-04T13:16:35.433Z</LastChange><AuthInfo><AuthPlugInInfo><PlugInID>DssTargeting</PlugInID><ServiceUrl>${this.quirks.serviceUrl ?? 'DssAuthWebService/DssAuthWebService.asmx'}</ServiceUrl><Parameter /></AuthPlugInInfo></AuthInfo>`,
        );
      case 'GetAuthorizationCookie':
        return answer(this.#authorize(operation));
      case 'GetCookie':
        return answer(this.#giveCookie(operation));
      case 'Ping':
        return answer(
          '<SuccessFlag>true</SuccessFlag><ServicesTime>2026-02-03T09:15:00Z</ServicesTime><ServicesName>ServerSyncWebService</ServicesName><IsHttps>false</IsHttps>',
        );
    }
    this.#checkCookie(operation);
    switch (name) {
      case 'GetConfigData':
        return answer(this.#configData(operation));
      case 'GetRevisionIdList':
        return answer(this.#revisionIdList(childNamed(operation, 'filter')));
      case 'GetUpdateData':
        return answer(this.#updateData(this.#identities(operation, this.#maxUpdates)));
      case 'GetUpdateDecryptionData':
        return answer(this.#decryptionData(this.#identities(operation, this.#isMicrosoftUpdate ? 500 : 100)));
      case 'DownloadFiles':
        this.#downloadFiles(operation);
        return answer(undefined);
      case 'GetRelatedRevisionsForUpdates':
        return answer(this.#relatedRevisions(operation));
      case 'GetDriverIdList':
        return answer(this.#driverIdList(childNamed(operation, 'filter')));
      case 'GetDriverSetData':
        return answer(this.#driverSetData(operation));
      default:
        throw new Fault('InvalidParameters', name);
    }
  }

  #authorize(operation: TreeElement): string {
    const name = childNamed(operation, 'accountName')?.text ?? '';
    const guid = childNamed(operation, 'accountGuid')?.text ?? '';
    if (!/^[A-Za-z0-9.-]+$/.test(name)) throw new Fault('InvalidParameters', 'machineName');
    if (!GUID.test(guid)) throw new Fault('InvalidParameters', 'accountGuid');
    const data = randomBytes(64).toString('base64');
    this.#authorizations.set(data, { guid });
    return `<PlugInId>DssTargeting</PlugInId><CookieData>${data}</CookieData>`;
  }

  #giveCookie(operation: TreeElement): string {
    const cookies = childNamed(operation, 'authCookies')?.children ?? [];
    if (cookies.length !== 1) throw new Fault('InvalidParameters', 'authCookies');
    const authorization = childNamed(cookies[0], 'CookieData')?.text ?? '';
    if (!this.#authorizations.has(authorization)) throw new Fault('InvalidAuthorizationCookie');
    const oldCookie = childNamed(operation, 'oldCookie');
    if (oldCookie !== undefined && !this.#cookies.has(childNamed(oldCookie, 'EncryptedData')?.text ?? '')) {
      throw new Fault('InvalidCookie');
    }
    const version = /^(\d+)\.\d+$/.exec(childNamed(operation, 'protocolVersion')?.text ?? '');
    if (version === null) throw new Fault('InvalidParameters', 'protocolVersion');
    if (version[1] !== '1') throw new Fault('IncompatibleProtocolVersion');
    const expiresAt = this.#now() + (this.quirks.cookieLifeMs ?? 240 * 60_000);
    // Seven digits of a fraction: a client that parses and reformats the instant sends back another text.
    const expiration = new Date(expiresAt).toISOString().replace('Z', '4172Z');
    const data = randomBytes(48).toString('base64');
    this.#cookies.set(data, { expiration, expiresAt, authorization });
    return `<Expiration>${expiration}</Expiration><EncryptedData>${data}</EncryptedData>`;
  }

  #checkCookie(operation: TreeElement): void {
    const cookie = childNamed(operation, 'cookie');
    const known = this.#cookies.get(childNamed(cookie, 'EncryptedData')?.text ?? '');
    const isGood =
      known !== undefined &&
      known.expiration === childNamed(cookie, 'Expiration')?.text &&
      known.expiresAt > this.#now();
    if (!isGood) throw new Fault('InvalidCookie');
  }

  #configData(operation: TreeElement): string {
    const hasAnchor = this.#readAnchor(childNamed(operation, 'configAnchor'), 'configAnchor') !== undefined;
    const isMu = this.#isMicrosoftUpdate;
    const language = (id: number, short: string, long: string, enabled: boolean) =>
      `<ServerSyncLanguageData><LanguageID>${id}</LanguageID><ShortLanguage>${short}</ShortLanguage><LongLanguage>${long}</LongLanguage><Enabled>${enabled}</Enabled></ServerSyncLanguageData>`;
    const languages = hasAnchor
      ? ''
      : language(0, 'all', 'all', isMu) + language(1033, 'en', 'English', !isMu);
    const fields: Readonly<Record<string, string | number | boolean>> = {
      CatalogOnlySync: isMu,
      LazySync: true,
      ServerHostsPsfFiles: isMu,
      MaxNumberOfUpdatesPerRequest: this.#maxUpdates,
      MaxNumberOfDriverSetsPerRequest: isMu ? 100 : 0,
      MaxNumberOfComputerIdsInRequest: isMu ? 200 : 0,
      MaxNumberOfPnpHardwareIdsInRequest: isMu ? 450 : 0,
      NewConfigAnchor: this.#newAnchor(),
      ProtocolVersion: isMu ? '1.21' : '1.20',
      LanguageUpdateList: languages,
      MaxUpdatesPerRequestInGetUpdateDecryptionData: isMu ? 500 : 100,
    };
    const order =
      (this.quirks.configOrder ?? this.quirks.kind) === 'microsoft-update'
        ? [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
        : [0, 1, 2, 5, 4, 6, 3, 7, 8, 9, 10];
    const entries = Object.entries(fields);
    return order
      .map((index) => entries[index] as [string, unknown])
      .map(([name, value]) => `<${name}>${String(value)}</${name}>`)
      .join('');
  }

  /** @returns its instant; undefined if there is no anchor */
  #readAnchor(element: TreeElement | undefined, parameter: string): number | undefined {
    if (element === undefined || element.text === '') return undefined;
    const match = /^(?:\d+,)?(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d{3})$/.exec(element.text);
    if (match === null) throw new Fault('InvalidParameters', parameter);
    return Date.parse(`${match[1]}T${match[2]}Z`);
  }

  #revisionIdList(filter: TreeElement | undefined): string {
    const anchor = this.#readAnchor(childNamed(filter, 'Anchor'), 'filter');
    if (this.#isMicrosoftUpdate && childNamed(filter, 'Get63LanguageOnly') === undefined) {
      throw new Fault('InvalidParameters', 'filter');
    }
    const isNew = (item: StoredItem) => anchor === undefined || item.publishedAt > anchor;
    const isConfig = ({ facts }: StoredItem) =>
      facts.updateType === 'Category' || facts.updateType === 'Detectoid';
    const items = [...this.#items.values()];
    let listed: StoredItem[];
    if (childNamed(filter, 'GetConfig')?.text === 'true') {
      listed = items.filter((item) => isConfig(item) && isNew(item));
    } else {
      const products = idsOf(childNamed(filter, 'Categories'));
      const classifications = idsOf(childNamed(filter, 'Classifications'));
      const updates = items.filter((item) => !isConfig(item));
      if (products === undefined && classifications === undefined) listed = updates.filter(isNew);
      else if (products === undefined || classifications === undefined) listed = [];
      else {
        const isWanted = (item: StoredItem) => {
          const matches = (ids: ReadonlyMap<string, boolean>, own: readonly UpdateId[]) =>
            own.filter((id) => ids.has(id));
          const ofProducts = matches(products, item.categories);
          const ofClasses = matches(classifications, item.classifications);
          if (ofProducts.length === 0 || ofClasses.length === 0) return false;
          const repeats =
            ofProducts.some((id) => products.get(id) === false) ||
            ofClasses.some((id) => classifications.get(id) === false);
          return repeats || isNew(item);
        };
        listed = this.#withChildren(updates.filter(isWanted));
      }
    }
    const identities = listed.map(({ identity }) => identity);
    const ghosts = childNamed(filter, 'GetConfig')?.text === 'true' ? [] : (this.quirks.ghosts ?? []);
    return `<Anchor>${this.#newAnchor()}</Anchor>${list('NewRevisions', [...identities, ...ghosts].map(identityXml))}`;
  }

  /** Bundles come with their children, on all levels. */
  #withChildren(items: readonly StoredItem[]): StoredItem[] {
    const found = new Map<string, StoredItem>();
    const queue = [...items];
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      const key = formatIdentity(item.identity);
      if (found.has(key)) continue;
      found.set(key, item);
      for (const { members } of item.facts.bundledUpdates) {
        for (const member of members) {
          const child = this.#items.get(formatIdentity(member));
          if (child !== undefined) queue.push(child);
        }
      }
    }
    return [...found.values()];
  }

  #identities(operation: TreeElement, limit: number): UpdateIdentity[] {
    const elements = childNamed(operation, 'updateIds')?.children ?? [];
    if (elements.length === 0 || elements.length > limit) throw new Fault('InvalidParameters', 'updateIds');
    return elements.map((element) => ({
      updateId: (childNamed(element, 'UpdateID')?.text ?? '').toLowerCase(),
      revisionNumber: Number(childNamed(element, 'RevisionNumber')?.text),
    }));
  }

  #updateData(identities: readonly UpdateIdentity[]): string {
    this.batchSizes.push(identities.length);
    const found = identities.flatMap((identity) => this.#items.get(formatIdentity(identity)) ?? []);
    if (found.length < identities.length) {
      const behaviour =
        this.quirks.unknownRevision ?? (this.#isMicrosoftUpdate ? 'missing-revisions' : 'fault');
      if (behaviour === 'fault') throw new Fault('InternalServerError');
      if (behaviour === 'missing-revisions') {
        const missing = identities.filter((identity) => !this.#items.has(formatIdentity(identity)));
        const named = missing
          .map(({ updateId, revisionNumber }) => `${updateId}.${revisionNumber}`)
          .join(', ');
        throw new Fault(
          'InternalServerError',
          `Requested ${identities.length} returned ${found.length} (test content removed: 0). Missing Revisions: ${named}`,
        );
      }
    }
    const sent = found.slice(0, this.quirks.answerAtMost ?? found.length);
    if (this.quirks.sendsUnrequested === true) {
      const other = [...this.#items.values()].find((item) => !found.includes(item));
      if (other !== undefined) sent.unshift(other);
    }
    const updates = sent.map((item) => updateData(item.identity, this.#blob(item), item.files));
    const urls = sent.flatMap(({ files }) =>
      files.map(({ sha1, muUrl }) => urlData({ sha1, muUrl: this.#muUrl(muUrl) })),
    );
    return list('updates', updates) + list('fileUrls', urls);
  }

  #muUrl(muUrl: string): string {
    if (this.quirks.servesMuUrls !== true || muUrl === '') return muUrl;
    const { pathname, search } = new URL(muUrl);
    return new URL(pathname + search, this.contentUrl).href;
  }

  #blob(item: StoredItem): { readonly plain: string } | { readonly compressed: string } {
    const text = Buffer.from(item.document).toString('utf8');
    const { documents, compression = 'lzx', damaged = [] } = this.quirks;
    const key = formatIdentity(item.identity);
    const isDamaged = damaged.some((identity) => formatIdentity(identity) === key);
    const isPlain = documents === 'plain' || (documents !== 'compressed' && isSentPlain(text));
    if (isPlain && !isDamaged) return { plain: plainBlob(text) };
    let blob = isDamaged ? undefined : this.#cabinets.get(`${compression} ${key}`);
    if (blob === undefined) {
      const cabinet = cabinetOf(text, compression);
      if (isDamaged) cabinet.fill(0xaa, 75);
      blob = compressedBlob(cabinet);
      if (!isDamaged) this.#cabinets.set(`${compression} ${key}`, blob);
    }
    return { compressed: blob };
  }

  #decryptionData(identities: readonly UpdateIdentity[]): string {
    const updates = identities.map((identity) => {
      const files = (this.#items.get(formatIdentity(identity))?.files ?? []).map(
        ({ sha1 }) =>
          `<ServerSyncFileDecryption><FileDigest>${digestToBase64(sha1)}</FileDigest><DecryptionKey>${Buffer.from(sha1).toString('base64')}</DecryptionKey></ServerSyncFileDecryption>`,
      );
      return `<ServerSyncUpdateFileDecryption><UpdateId>${identityFields(identity)}</UpdateId>${list('FileDecryptionData', files)}</ServerSyncUpdateFileDecryption>`;
    });
    return list('UpdateFileDecryptionData', updates);
  }

  #downloadFiles(operation: TreeElement): void {
    const digests = childNamed(operation, 'fileDigestList')?.children.map(({ text }) => text) ?? [];
    if (digests.length === 0 || digests.length > 100) throw new Fault('InvalidParameters', 'fileDigestList');
    const known = new Set(
      [...this.#items.values()].flatMap(({ files }) => files.map(({ sha1 }) => digestToBase64(sha1))),
    );
    const sha1Of = (digest: string) => Buffer.from(digest, 'base64').toString('hex').toUpperCase();
    const missing = digests.filter((digest) => !known.has(digest) && !this.#content.has(sha1Of(digest)));
    if (missing.length > 0) throw new Fault('FileDigestsMissing', missing.join('|'));
    for (const sha1 of digests.map(sha1Of)) {
      this.downloads.push(sha1);
      this.#content.fetch(sha1, this.quirks);
    }
  }

  #relatedRevisions(operation: TreeElement): string {
    const ids = new Set(childNamed(operation, 'updateIDs')?.children.map(({ text }) => text.toLowerCase()));
    const highest = new Map<string, UpdateIdentity>();
    for (const { identity } of this.#items.values()) {
      const known = highest.get(identity.updateId);
      if (ids.has(identity.updateId) && (known?.revisionNumber ?? -1) < identity.revisionNumber) {
        highest.set(identity.updateId, identity);
      }
    }
    return [...highest.values()].map(identityXml).join('');
  }

  #driverIdList(filter: TreeElement | undefined): string {
    const computers = idsOf(childNamed(filter, 'ComputerIds')) ?? new Map<string, boolean>();
    const hardware = idsOf(childNamed(filter, 'PnpHardwareIds')) ?? new Map<string, boolean>();
    if (!this.#isMicrosoftUpdate || computers.size > 200 || hardware.size > 450)
      throw new Fault('InvalidParameters', 'filter');
    const anchor = this.#readAnchor(childNamed(filter, 'Anchor'), 'filter');
    const drivers = [...this.#items.values()].filter(({ facts, publishedAt }) =>
      facts.drivers.some(({ hardwareId }) => {
        const delta = hardware.get(hardwareId);
        return delta !== undefined && (!delta || anchor === undefined || publishedAt > anchor);
      }),
    );
    return (
      `<Anchor>${this.#newAnchor()}</Anchor>` +
      list(
        'NewRevisions',
        drivers.map(({ identity }) => identityXml(identity)),
      ) +
      list(
        'NewDriverSets',
        [...computers.keys()].map((id) => `<guid>${id}</guid>`),
      ) +
      '<RemovedDriverSets />'
    );
  }

  #driverSetData(operation: TreeElement): string {
    const ids = childNamed(operation, 'driverSets')?.children.map(({ text }) => text) ?? [];
    if (!this.#isMicrosoftUpdate) throw new Fault('InvalidParameters', 'driverSets');
    if (ids.length > 100) throw new Fault('TooManyIds', 'driverSets');
    return list(
      'DriverSets',
      ids.map(
        (id) =>
          `<ServerSyncDriverSetData><DriverSetId>${id}</DriverSetId><DriverSetXml>&lt;DriverSet Id="${id}"/&gt;</DriverSetXml></ServerSyncDriverSetData>`,
      ),
    );
  }

  #envelope({ operation, namespace, result }: Answer): string {
    const inner = result === undefined ? '' : `<${operation}Result>${result}</${operation}Result>`;
    const response = `<${operation}Response xmlns="${namespace}">${inner}</${operation}Response>`;
    if (this.#isMicrosoftUpdate)
      return `<s:Envelope xmlns:s="${SOAP}"><s:Body>${response}</s:Body></s:Envelope>`;
    return `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="${SOAP}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><soap:Body>${response}</soap:Body></soap:Envelope>`;
  }

  #fault({ code, detail }: Fault, operation: TreeElement): string {
    if (code === undefined) {
      return `<s:Envelope xmlns:s="${SOAP}"><s:Body><s:Fault><faultcode xmlns:a="urn:wcf">a:InternalServiceFault</faultcode><faultstring xml:lang="en-US">${escaped(detail)}</faultstring></s:Fault></s:Body></s:Envelope>`;
    }
    const side = code === 'InternalServerError' ? 'Server' : 'Client';
    return `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="${SOAP}"><soap:Body><soap:Fault><faultcode>soap:${side}</faultcode><faultstring>Fault occurred</faultstring><faultactor>http://upstream/</faultactor><detail><ErrorCode>${code}</ErrorCode><Message>${escaped(detail)}</Message><ID>6ea693bc-a66e-4334-a797-043728561c7d</ID><Method>"${operation.uri}/${operation.local}"</Method></detail></soap:Fault></soap:Body></soap:Envelope>`;
  }
}

function checkHeaders(request: IncomingMessage, operation: TreeElement): void {
  if (request.headers['content-type'] !== 'text/xml; charset=utf-8')
    throw new Fault('InvalidParameters', 'Content-Type');
  if (request.headers.soapaction !== `"${operation.uri}/${operation.local}"`)
    throw new Fault('InvalidParameters', 'SOAPAction');
}

function checkSequence(element: TreeElement, operation: string): void {
  const sequence = SCHEMAS[`${operation}/${element.local}`] ?? SCHEMAS[element.local];
  if (sequence === undefined) {
    if (element.children.length > 0) throw new Fault('InvalidParameters', element.local);
    return;
  }
  let at = 0;
  for (const child of element.children) {
    if (child.uri !== element.uri) throw new Fault('InvalidParameters', child.local);
    while (at < sequence.length && sequence[at]?.replace('*', '') !== child.local) at++;
    if (at === sequence.length) throw new Fault('InvalidParameters', `${element.local}/${child.local}`);
    if (sequence[at]?.endsWith('*') === false) at++;
    checkSequence(child, operation);
  }
}

/** id → delta; undefined if there is no such list */
function idsOf(element: TreeElement | undefined): ReadonlyMap<string, boolean> | undefined {
  if (element === undefined) return undefined;
  return new Map(
    element.children.map((each) => [
      childNamed(each, 'Id')?.text ?? '',
      childNamed(each, 'Delta')?.text === 'true',
    ]),
  );
}

/** Nothing, or a page in place of the answer. */
function isAnsweredWith({ hang, status }: PlannedTrouble, response: ServerResponse): boolean {
  if (hang === true) return true;
  if (status === undefined) return false;
  sendPage(response, status.code, status.body ?? '<html><p>Trouble<br></html>', status.headers);
  return true;
}

function sendPage(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'Content-Type': 'text/html', ...headers });
  response.end(body);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A generated catalogue as an upstream holds it. */
export function* catalogueItems(options: CatalogueOptions): Generator<UpstreamItem, void, undefined> {
  const urls = new Map<string, string>();
  for (const { identity, document, entry, files, content } of generateCatalogue(options)) {
    for (const { sha1, muUrl } of files) urls.set(sha1, muUrl);
    yield {
      identity,
      document,
      files: entry.fileSha1s.map((sha1) => ({ sha1, muUrl: urls.get(sha1) ?? '' })),
      categories: entry.categories,
      classifications: entry.classifications,
      content,
    };
  }
}
