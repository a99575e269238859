/**
 * The three web services: what each operation answers (server-sync-protocol 3 to 14, 18). Knows nothing of HTTP.
 */

import type { Cookie } from '../formats/server-sync/cookies.js';
import { MAX_DIGESTS_PER_DOWNLOAD } from '../formats/server-sync/download-files.js';
import type { Account } from '../formats/server-sync/get-authorization-cookie.js';
import { parseProtocolVersion } from '../formats/server-sync/get-config-data.js';
import {
  PLUG_IN_ID,
  writeAuthConfig,
  writeAuthorizationCookieResult,
  writeConfigData,
  writeCookieResult,
  writeDecryptionData,
  writeIdentity,
  writeNoDeployments,
  writeNoDriverSets,
  writeNoDrivers,
  writePingResult,
  writeRevisionIdList,
} from '../formats/server-sync/replies.js';
import {
  InvalidParameter,
  readConfigAnchor,
  readCookie,
  readDriverSetIds,
  readFileDigests,
  readGetAuthorizationCookie,
  readGetCookie,
  readGetDeployments,
  readGetDriverIdList,
  readGetRevisionIdList,
  readRelatedIds,
  readUpdateIds,
} from '../formats/server-sync/requests.js';
import { readRollupDownstreamServers, writeRollupConfiguration } from '../formats/server-sync/rollup.js';
import {
  DSS_AUTH_NAMESPACE,
  MONITORABLE_NAMESPACE,
  SERVER_SYNC_NAMESPACE,
} from '../formats/server-sync/service.js';
import type { SoapCall } from '../formats/soap/request-reader.js';
import type { SoapElement } from '../formats/soap/soap-element.js';
import type { FaultCode } from '../formats/soap/soap-fault.js';
import { digestToBase64, type Sha1Hex } from '../model/digest.js';
import { announcedLanguages, type LanguageChoice, type PackageLanguage } from '../model/language.js';
import type { UpdateId } from '../model/update-identity.js';
import type { ServeView } from '../store/serve-view.js';
import { formatAnchor, isAnchorOf, parseAnchor, type StorePoint } from './anchors.js';
import { Catalogue } from './catalogue.js';
import type { CookieFacts, CookieKind, CookieSeal } from './cookie-seal.js';
import { fingerprintOf } from './languages.js';
import { ListCache } from './list-cache.js';
import { type DocumentSource, UpdateDataSource } from './update-data.js';

export const SERVICE_NAMES = ['ServerSyncWebService', 'DssAuthWebService', 'ReportingWebService'] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

/** Identities in one `GetUpdateData` and in one `GetUpdateDecryptionData`. */
export const MAX_UPDATES_PER_REQUEST = 100;
const PROTOCOL_VERSION = '1.20';
const MAX_MINOR_VERSION = 65_535;
const MINUTE = 60_000;
const COOKIE_LIFE_MS = 240 * MINUTE;
/** So long that a cookie is not cut short by it all day. */
const AUTHORIZATION_LIFE_MS = 24 * 60 * MINUTE;
const NO_SERVER = '00000000-0000-0000-0000-000000000000';

/** A call that is answered with a fault. */
export class ServiceFault extends Error {
  readonly code: FaultCode | undefined;
  readonly detail: string;
  readonly blame: 'client' | 'server';

  constructor(code: FaultCode | undefined, detail = '', blame: 'client' | 'server' = 'client') {
    super(code ?? 'refused');
    this.code = code;
    this.detail = detail;
    this.blame = blame;
  }
}

/** A downstream that the list of accounts does not name. */
export class AccountRefused extends Error {}

/** What is inside `<operation>Result`, in pieces; undefined: the response has no result. */
export type ResultBody = Iterable<string | Uint8Array> | undefined;

export interface Answer {
  readonly namespace: string;
  readonly result: ResultBody;
  /** who asked, as far as the call says so */
  readonly account: Account | undefined;
  /** Base64 of compressed data: not worth compressing again. */
  readonly isDense: boolean;
  /** The result has been copied, and is not looked at any more. */
  release(): void;
}

export interface StoreAccess extends DocumentSource {
  readonly serverId: UpdateId;
  languages(): Promise<readonly PackageLanguage[]>;
}

export interface ServicesOptions {
  readonly store: StoreAccess;
  readonly languageChoice: () => Promise<LanguageChoice>;
  readonly view: ServeView;
  readonly seal: CookieSeal;
  readonly now: () => Date;
  /** host names or GUIDs of downstreams, in lower case; undefined: any */
  readonly accounts: ReadonlySet<string> | undefined;
  /** files a downstream asked for that are not there (`DownloadFiles`) */
  readonly onFilesWanted: (sha1s: readonly Sha1Hex[]) => void;
  /** default: that of {@link UpdateDataSource} */
  readonly cacheSize?: number | undefined;
}

interface Operation {
  readonly services: readonly ServiceName[];
  readonly namespace: string;
  readonly isDense?: boolean;
  answer(call: SoapElement, context: CallContext): Promise<ResultBody>;
}

interface CallContext {
  readonly updateIds: SoapCall['updateIds'];
  readonly service: ServiceName;
  readonly isHttps: boolean;
  account: Account | undefined;
  release: () => void;
}

export class Services {
  readonly catalogue: Catalogue;
  readonly updateData: UpdateDataSource;
  readonly #lists: ListCache;
  readonly #store: StoreAccess;
  readonly #languageChoice: () => Promise<LanguageChoice>;
  readonly #view: ServeView;
  readonly #seal: CookieSeal;
  readonly #now: () => Date;
  readonly #accounts: ReadonlySet<string> | undefined;
  readonly #onFilesWanted: (sha1s: readonly Sha1Hex[]) => void;
  readonly #startedAt: string;
  readonly #operations: Readonly<Record<string, Operation>>;

  constructor(options: ServicesOptions) {
    this.#store = options.store;
    this.#languageChoice = options.languageChoice;
    this.#view = options.view;
    this.#seal = options.seal;
    this.#now = options.now;
    this.#accounts = options.accounts;
    this.#onFilesWanted = options.onFilesWanted;
    this.#startedAt = options.now().toISOString();
    this.catalogue = new Catalogue(options.view);
    this.#lists = new ListCache(this.catalogue);
    this.updateData = new UpdateDataSource(options.view, options.store, options.cacheSize);
    this.#operations = this.#listOperations();
  }

  /** Names of all operations, for counters. */
  get operationNames(): readonly string[] {
    return Object.keys(this.#operations);
  }

  /** Namespace of an operation of that service; undefined if it has none of that name. */
  namespaceOf(service: ServiceName, operation: string): string | undefined {
    const found = Object.hasOwn(this.#operations, operation) ? this.#operations[operation] : undefined;
    return found?.services.includes(service) === true ? found.namespace : undefined;
  }

  /**
   * @throws ServiceFault what the protocol has a fault for; AccountRefused; anything else is `InternalServerError`
   */
  async answer(service: ServiceName, call: SoapCall, isHttps: boolean): Promise<Answer> {
    const namespace = this.namespaceOf(service, call.operation);
    if (namespace === undefined || call.namespace !== namespace) throw new ServiceFault(undefined);
    const operation = this.#operations[call.operation] as Operation;
    const context: CallContext = {
      updateIds: call.updateIds,
      service,
      isHttps,
      account: undefined,
      release: () => {},
    };
    try {
      const result = await operation.answer(call.element, context);
      return {
        namespace,
        result,
        account: context.account,
        isDense: operation.isDense === true,
        release: context.release,
      };
    } catch (error) {
      if (error instanceof InvalidParameter) throw new ServiceFault('InvalidParameters', error.parameter);
      throw error;
    }
  }

  #listOperations(): Readonly<Record<string, Operation>> {
    const sync = (
      answer: (call: SoapElement, session: CookieFacts, context: CallContext) => Promise<ResultBody>,
      isDense = false,
    ): Operation => ({
      services: ['ServerSyncWebService'],
      namespace: SERVER_SYNC_NAMESPACE,
      isDense,
      answer: async (call, context) => {
        const session = await this.#session(readCookie(call));
        context.account = session.account;
        return answer(call, session, context);
      },
    });
    const reporting = (answer: (call: SoapElement) => Promise<ResultBody>): Operation => ({
      services: ['ReportingWebService'],
      namespace: SERVER_SYNC_NAMESPACE,
      answer,
    });
    const notWanted = reporting(async () => {
      throw new ServiceFault(undefined);
    });
    return {
      GetAuthConfig: {
        services: ['ServerSyncWebService'],
        namespace: SERVER_SYNC_NAMESPACE,
        answer: async () => [writeAuthConfig(this.#startedAt, 'DssAuthWebService/DssAuthWebService.asmx')],
      },
      GetAuthorizationCookie: {
        services: ['DssAuthWebService'],
        namespace: DSS_AUTH_NAMESPACE,
        answer: async (call, context) => this.#getAuthorizationCookie(call, context),
      },
      GetCookie: {
        services: ['ServerSyncWebService'],
        namespace: SERVER_SYNC_NAMESPACE,
        answer: async (call, context) => this.#getCookie(call, context),
      },
      GetConfigData: sync((call) => this.#getConfigData(call)),
      GetRevisionIdList: sync((call, session) => this.#getRevisionIdList(call, session)),
      GetUpdateData: sync((call, _session, context) => this.#getUpdateData(call, context), true),
      GetUpdateDecryptionData: sync((call, _session, context) =>
        this.#getUpdateDecryptionData(call, context),
      ),
      GetRelatedRevisionsForUpdates: sync(async (call) => {
        const revisions = await this.#view.newestRevisions(readRelatedIds(call));
        return [revisions.map(writeIdentity).join('')];
      }),
      DownloadFiles: sync((call) => this.#downloadFiles(call)),
      GetDeployments: sync((call) => this.#getDeployments(call)),
      GetDriverIdList: sync(async (call) => {
        // What GetConfigData offers is 0 of each.
        if (readGetDriverIdList(call).namesHardware) throw new InvalidParameter('filter');
        await this.catalogue.refresh();
        return [writeNoDrivers(this.#anchor(this.catalogue.point))];
      }),
      GetDriverSetData: sync(async (call) => {
        if (readDriverSetIds(call).length > 0) throw new ServiceFault('TooManyIds');
        return [writeNoDriverSets()];
      }),
      Ping: {
        services: SERVICE_NAMES,
        namespace: MONITORABLE_NAMESPACE,
        answer: async (_call, { service, isHttps }) => [
          writePingResult({
            time: this.#now().toISOString(),
            serviceName: service,
            isHttps,
            startedAt: this.#startedAt,
          }),
        ],
      },
      GetRollupConfiguration: reporting(async () => [writeRollupConfiguration(this.#store.serverId)]),
      RollupDownstreamServers: reporting(async (call) => {
        const servers = readRollupDownstreamServers(call);
        const known = new Set([NO_SERVER, this.#store.serverId, ...servers.map(({ serverId }) => serverId)]);
        // No report is kept, so a server reported earlier is not known either: its parent has to come along.
        if (servers.some(({ parentServerId }) => !known.has(parentServerId)))
          throw new ServiceFault(undefined);
        return undefined;
      }),
      RollupComputers: notWanted,
      GetOutOfSyncComputers: notWanted,
      RollupComputerStatus: notWanted,
    };
  }

  async #getAuthorizationCookie(call: SoapElement, context: CallContext): Promise<ResultBody> {
    const account = readGetAuthorizationCookie(call);
    context.account = account;
    this.#checkAccount(account);
    await this.catalogue.refresh();
    const { point } = this.catalogue;
    const cookieData = this.#seal.close({
      kind: 'authorization',
      serverId: this.#store.serverId,
      account,
      expiresAt: this.#now().getTime() + AUTHORIZATION_LIFE_MS,
      point,
      earlierKey: point.key,
      protocolVersion: [0, 0],
    });
    return [writeAuthorizationCookieResult({ plugInId: PLUG_IN_ID, cookieData })];
  }

  async #getCookie(call: SoapElement, context: CallContext): Promise<ResultBody> {
    const { authorizationCookie, oldCookie, protocolVersion } = readGetCookie(call);
    const version = parseProtocolVersion(protocolVersion);
    if (version === undefined || version[1] > MAX_MINOR_VERSION)
      throw new InvalidParameter('protocolVersion');
    if (version[0] !== 1) throw new ServiceFault('IncompatibleProtocolVersion');
    await this.catalogue.refresh();
    const old = oldCookie === undefined ? undefined : this.#seal.open(oldCookie.encryptedData);
    // A downstream that comes from another server, or from this one before it was put back, has to begin anew.
    if (old !== undefined) {
      if (old.facts.serverId !== this.#store.serverId) throw new ServiceFault('ServerChanged');
      if (old.isAuthentic && !(await this.#isHere(old.facts.point))) throw new ServiceFault('ServerChanged');
    }
    const authorization =
      authorizationCookie.plugInId === PLUG_IN_ID
        ? this.#valid(authorizationCookie.cookieData, 'authorization')
        : undefined;
    if (authorization === undefined || !(await this.#isHere(authorization.point))) {
      throw new ServiceFault('InvalidAuthorizationCookie');
    }
    context.account = authorization.account;
    this.#checkAccount(authorization.account);
    const { point } = this.catalogue;
    const expiresAt = Math.min(this.#now().getTime() + COOKIE_LIFE_MS, authorization.expiresAt);
    const encryptedData = this.#seal.close({
      kind: 'session',
      serverId: this.#store.serverId,
      account: authorization.account,
      expiresAt,
      point,
      earlierKey: old?.isAuthentic === true ? Math.min(old.facts.point.key, point.key) : point.key,
      protocolVersion: version,
    });
    return [writeCookieResult({ expiration: new Date(expiresAt).toISOString(), encryptedData })];
  }

  async #getConfigData(call: SoapElement): Promise<ResultBody> {
    const anchor = readConfigAnchor(call);
    const read = anchor === undefined ? undefined : parseAnchor(anchor);
    if (anchor !== undefined && read === undefined) throw new InvalidParameter('configAnchor');
    const languages = announcedLanguages(await this.#store.languages(), await this.#languageChoice());
    const point = { key: languages.length, check: fingerprintOf(languages) };
    const coverage = await this.#view.contentCoverage();
    return [
      writeConfigData({
        // True would send a downstream behind an air gap to Microsoft.
        catalogOnlySync: false,
        lazySync: !coverage.isComplete,
        serverHostsPsfFiles: coverage.hasExpressFiles,
        maxUpdatesPerRequest: MAX_UPDATES_PER_REQUEST,
        maxDriverSetsPerRequest: 0,
        maxComputerIdsPerRequest: 0,
        maxPnpHardwareIdsPerRequest: 0,
        maxUpdatesPerDecryptionRequest: MAX_UPDATES_PER_REQUEST,
        newConfigAnchor: this.#anchor(point),
        protocolVersion: PROTOCOL_VERSION,
        languages: read !== undefined && isAnchorOf(point, read) ? [] : languages,
      }),
    ];
  }

  async #getRevisionIdList(call: SoapElement, session: CookieFacts): Promise<ResultBody> {
    const filter = readGetRevisionIdList(call);
    const read = filter.anchor === undefined ? undefined : parseAnchor(filter.anchor);
    if (filter.anchor !== undefined && read === undefined) throw new InvalidParameter('filter');
    await this.catalogue.refresh();
    let since = 0;
    if (read?.form === 'point' && read.key <= this.catalogue.point.key) {
      const point = await this.catalogue.pointAt(read.key);
      // An anchor of another server, or of a store that has gone another way since: a full list.
      if (point !== undefined && isAnchorOf(point, read)) since = read.key;
    }
    const { point, pieces } = await this.#lists.list({
      since,
      configKnownTo: session.earlierKey,
      getConfig: filter.getConfig,
      categories: filter.categories,
      classifications: filter.classifications,
    });
    const result = writeRevisionIdList<string | Uint8Array>(this.#anchor(point), pieces);
    return Array.isArray(pieces) ? [...result] : result;
  }

  async #getUpdateData(call: SoapElement, context: CallContext): Promise<ResultBody> {
    const data = await this.updateData.read(readUpdateIds(call, MAX_UPDATES_PER_REQUEST, context.updateIds));
    // As a real server: it does not say which one.
    if (data === undefined) throw new ServiceFault('InternalServerError', '', 'server');
    context.release = data.release;
    const { updates, fileUrls } = data;
    return [
      ...(updates.length === 0 ? ['<updates/>'] : ['<updates>', ...updates, '</updates>']),
      ...(fileUrls.length === 0 ? ['<fileUrls/>'] : ['<fileUrls>', fileUrls, '</fileUrls>']),
    ];
  }

  async #getUpdateDecryptionData(call: SoapElement, context: CallContext): Promise<ResultBody> {
    const identities = readUpdateIds(call, MAX_UPDATES_PER_REQUEST, context.updateIds);
    const found = await this.#view.findRevisions(identities);
    const keys = await this.#view.decryptionKeys(found.flatMap((revision) => revision?.fileSha1s ?? []));
    return [
      writeDecryptionData(
        identities.map((identity, index) => ({
          identity,
          files: (found[index]?.fileSha1s ?? []).flatMap((sha1) => {
            const key = keys.get(sha1);
            return key === undefined ? [] : [{ sha1, decryptionKey: Buffer.from(key).toString('base64') }];
          }),
        })),
      ),
    ];
  }

  async #downloadFiles(call: SoapElement): Promise<ResultBody> {
    const sha1s = readFileDigests(call, MAX_DIGESTS_PER_DOWNLOAD);
    if (sha1s.length === 0) throw new InvalidParameter('fileDigestList');
    const files = await this.#view.findFiles(sha1s);
    const unknown = sha1s.filter((sha1) => !files.has(sha1));
    if (unknown.length > 0) {
      throw new ServiceFault('FileDigestsMissing', unknown.map(digestToBase64).join('|'));
    }
    const absent = sha1s.filter((sha1) => files.get(sha1)?.verifiedStamp === undefined);
    if (absent.length > 0) this.#onFilesWanted(absent);
    return undefined;
  }

  async #getDeployments(call: SoapElement): Promise<ResultBody> {
    const { deploymentAnchor, syncAnchor } = readGetDeployments(call);
    if (deploymentAnchor !== undefined && parseAnchor(deploymentAnchor) === undefined) {
      throw new InvalidParameter('deploymentAnchor');
    }
    if (syncAnchor === undefined || parseAnchor(syncAnchor) === undefined) {
      throw new InvalidParameter('syncAnchor');
    }
    await this.catalogue.refresh();
    return [writeNoDeployments(this.#anchor(this.catalogue.point))];
  }

  #anchor(point: StorePoint): string {
    return formatAnchor(point, this.#now());
  }

  /** @throws ServiceFault `InvalidCookie`, `ServerChanged` */
  async #session(cookie: Cookie | undefined): Promise<CookieFacts> {
    const session = cookie === undefined ? undefined : this.#valid(cookie.encryptedData, 'session');
    if (session === undefined) {
      // One of our kind by another server: who comes with it has to begin anew, not only to authorize again.
      const foreign = cookie === undefined ? undefined : this.#seal.open(cookie.encryptedData);
      const isForeign = foreign !== undefined && foreign.facts.serverId !== this.#store.serverId;
      throw new ServiceFault(isForeign ? 'ServerChanged' : 'InvalidCookie');
    }
    if (session.point.key > this.catalogue.point.key) await this.catalogue.refresh();
    if (!(await this.#isHere(session.point))) throw new ServiceFault('ServerChanged');
    this.#checkAccount(session.account);
    return session;
  }

  /** Ours, of that kind, and not past its end. */
  #valid(base64: string, kind: CookieKind): CookieFacts | undefined {
    const opened = this.#seal.open(base64);
    if (opened?.isAuthentic !== true) return undefined;
    const { facts } = opened;
    return facts.kind === kind &&
      facts.serverId === this.#store.serverId &&
      facts.expiresAt > this.#now().getTime()
      ? facts
      : undefined;
  }

  /** Whether the store still is the one in which that point was. */
  async #isHere({ key, check }: StorePoint): Promise<boolean> {
    if (key > this.catalogue.point.key) return false;
    return (await this.catalogue.pointAt(key))?.check === check;
  }

  #checkAccount({ name, guid }: Account): void {
    if (this.#accounts === undefined) return;
    if (!this.#accounts.has(guid) && !this.#accounts.has(name.toLowerCase())) {
      throw new AccountRefused(`${name} (${guid}) is not in the list of accounts`);
    }
  }
}
