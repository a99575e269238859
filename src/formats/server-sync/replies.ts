/**
 * Results as the upstream writes them, in the order of elements of a real WSUS server (server-sync-protocol 3 to 12). Each
 * function gives what stands inside `<operation>Result`.
 */
import { digestToBase64, type Sha1Hex } from '../../model/digest.js';
import type { PackageLanguage } from '../../model/language.js';
import type { UpdateId, UpdateIdentity } from '../../model/update-identity.js';
import { listElement, parentElement, textElement } from '../soap/envelope.js';
import type { AuthorizationCookie, Cookie } from './cookies.js';
import type { ServerConfigData } from './get-config-data.js';
import type { UpdateDecryption } from './get-update-decryption-data.js';

/** The one plug-in there is (3.1). */
export const PLUG_IN_ID = 'DssTargeting';

/** @param lastChange `xs:dateTime` @param serviceUrl relative to the root of the server, without a slash before it */
export function writeAuthConfig(lastChange: string, serviceUrl: string): string {
  return (
    textElement('LastChange', lastChange) +
    parentElement(
      'AuthInfo',
      parentElement(
        'AuthPlugInInfo',
        `${textElement('PlugInID', PLUG_IN_ID) + textElement('ServiceUrl', serviceUrl)}<Parameter/>`,
      ),
    )
  );
}

export function writeAuthorizationCookieResult({ plugInId, cookieData }: AuthorizationCookie): string {
  return textElement('PlugInId', plugInId) + textElement('CookieData', cookieData);
}

export function writeCookieResult({ expiration, encryptedData }: Cookie): string {
  return textElement('Expiration', expiration) + textElement('EncryptedData', encryptedData);
}

/** In the order of WSUS (4), which is not that of Microsoft Update. */
export function writeConfigData(config: ServerConfigData): string {
  return (
    textElement('CatalogOnlySync', config.catalogOnlySync) +
    textElement('LazySync', config.lazySync) +
    textElement('ServerHostsPsfFiles', config.serverHostsPsfFiles) +
    textElement('MaxNumberOfComputerIdsInRequest', config.maxComputerIdsPerRequest) +
    textElement('MaxNumberOfDriverSetsPerRequest', config.maxDriverSetsPerRequest) +
    textElement('MaxNumberOfPnpHardwareIdsInRequest', config.maxPnpHardwareIdsPerRequest) +
    textElement('MaxNumberOfUpdatesPerRequest', config.maxUpdatesPerRequest) +
    textElement('NewConfigAnchor', config.newConfigAnchor) +
    textElement('ProtocolVersion', config.protocolVersion) +
    listElement('LanguageUpdateList', config.languages, writeLanguage) +
    textElement('MaxUpdatesPerRequestInGetUpdateDecryptionData', config.maxUpdatesPerDecryptionRequest)
  );
}

function writeLanguage({ id, shortName, longName, enabled }: PackageLanguage): string {
  return parentElement(
    'ServerSyncLanguageData',
    textElement('LanguageID', id) +
      textElement('ShortLanguage', shortName) +
      textElement('LongLanguage', longName) +
      textElement('Enabled', enabled),
  );
}

/** `UpdateIdentity`; ids need no escaping. */
export function writeIdentity({ updateId, revisionNumber }: UpdateIdentity): string {
  return `<UpdateIdentity><UpdateID>${updateId}</UpdateID><RevisionNumber>${revisionNumber}</RevisionNumber></UpdateIdentity>`;
}

/** Result of `GetRevisionIdList`. @param revisions pieces of `UpdateIdentity` elements, none of them empty */
export function* writeRevisionIdList<T extends string | Uint8Array>(
  anchor: string,
  revisions: Iterable<T>,
): Generator<string | T, void, undefined> {
  yield textElement('Anchor', anchor);
  let isEmpty = true;
  for (const piece of revisions) {
    if (isEmpty) yield '<NewRevisions>';
    isEmpty = false;
    yield piece;
  }
  yield isEmpty ? '<NewRevisions/>' : '</NewRevisions>';
}

/**
 * One `ServerSyncUpdateData`.
 *
 * @param document plain text, or the Base64 of a cabinet (6.2)
 */
export function writeUpdateData(
  { updateId, revisionNumber }: UpdateIdentity,
  fileSha1s: readonly Sha1Hex[],
  document: { readonly text: string } | { readonly cabinet: string },
): string {
  const digests =
    fileSha1s.length === 0
      ? ''
      : listElement('FileDigestList', fileSha1s, (sha1) => textElement('base64Binary', digestToBase64(sha1)));
  const plain = 'text' in document ? textElement('XmlUpdateBlob', document.text) : '';
  const compressed =
    'cabinet' in document ? `<XmlUpdateBlobCompressed>${document.cabinet}</XmlUpdateBlobCompressed>` : '';
  return `<ServerSyncUpdateData><Id><UpdateID>${updateId}</UpdateID><RevisionNumber>${revisionNumber}</RevisionNumber></Id>${plain}${digests}${compressed}</ServerSyncUpdateData>`;
}

/** One `ServerSyncUrlData`; `UssUrl` is empty as on real servers. */
export function writeFileUrl(sha1: Sha1Hex, muUrl: string | undefined): string {
  return parentElement(
    'ServerSyncUrlData',
    `${textElement('FileDigest', digestToBase64(sha1))}${textElement('MUUrl', muUrl)}<UssUrl/>`,
  );
}

export function writeDecryptionData(updates: readonly UpdateDecryption[]): string {
  return listElement('UpdateFileDecryptionData', updates, ({ identity, files }) =>
    parentElement(
      'ServerSyncUpdateFileDecryption',
      parentElement(
        'UpdateId',
        textElement('UpdateID', identity.updateId) + textElement('RevisionNumber', identity.revisionNumber),
      ) +
        listElement('FileDecryptionData', files, ({ sha1, decryptionKey }) =>
          parentElement(
            'ServerSyncFileDecryption',
            textElement('FileDigest', digestToBase64(sha1)) + textElement('DecryptionKey', decryptionKey),
          ),
        ),
    ),
  );
}

/** Built-in target groups of every WSUS server (10, appendix C). */
const ALL_COMPUTERS = 'a0a08746-4dbe-4a37-9adf-9e7652c0b421';
const UNASSIGNED_COMPUTERS = 'b73ca6ed-5727-47f3-84de-015e03f6a88a';
const NO_GROUP = '00000000-0000-0000-0000-000000000000';

/** `ServerSyncDeploymentResult` of a server without deployments: the built-in groups alone. */
export function writeNoDeployments(anchor: string): string {
  const group = (id: UpdateId, parent: UpdateId, name: string) =>
    parentElement(
      'ServerSyncTargetGroup',
      textElement('TargetGroupID', id) +
        textElement('ParentGroupId', parent) +
        textElement('Name', name) +
        textElement('IsBuiltin', true),
    );
  return (
    textElement('Anchor', anchor) +
    parentElement(
      'Groups',
      group(ALL_COMPUTERS, NO_GROUP, 'All Computers') +
        group(UNASSIGNED_COMPUTERS, ALL_COMPUTERS, 'Unassigned Computers'),
    ) +
    '<Deployments/><DeadDeployments/><HiddenUpdates/><AcceptedEulas/>'
  );
}

/** `DriverSetAndRevisionIdList` of a server that offers no drivers by inventory. */
export function writeNoDrivers(anchor: string): string {
  return `${textElement('Anchor', anchor)}<NewRevisions/><NewDriverSets/><RemovedDriverSets/>`;
}

/** `ServerDriverSetData` with nothing in it. */
export function writeNoDriverSets(): string {
  return '<DriverSets/>';
}

export interface PingAnswer {
  /** `xs:dateTime` */
  readonly time: string;
  readonly serviceName: string;
  readonly isHttps: boolean;
  /** `xs:dateTime`; start of the server */
  readonly startedAt: string;
}

/** `MonitoredServicesResponse` with the required fields only: nothing of paths or names (12). */
export function writePingResult({ time, serviceName, isHttps, startedAt }: PingAnswer): string {
  return (
    textElement('SuccessFlag', true) +
    textElement('ServicesTime', time) +
    textElement('ServicesName', serviceName) +
    textElement('IsHttps', isHttps) +
    textElement('ConfigFileLastModifiedTime', startedAt) +
    textElement('ConfigFileNextExpirationTime', '9999-12-31T23:59:59Z') +
    textElement('ConfigFileExpirationModuloInMinutes', 0)
  );
}
