import type { PackageLanguage } from '../../model/language.js';
import { textElement } from '../soap/envelope.js';
import { type ReplyChunks, readResult } from '../soap/reply-reader.js';
import {
  countOf,
  itemsOf,
  optionalBoolean,
  optionalInt,
  optionalText,
  type SoapElement,
  unexpected,
} from '../soap/soap-element.js';
import { type Cookie, writeCookie } from './cookies.js';
import { SERVER_SYNC_NAMESPACE, type SoapRequest, soapRequest } from './service.js';

/** entries of the language table; real ones have 40, a package may hold as many as this */
const MAX_LANGUAGES = 1_000;
/** LCIDs have 20 bits */
const MAX_LANGUAGE_ID = 0xfffff;

/** What an upstream tells about itself (server-sync-protocol 4). Fields of old servers that lack them are 0. */
export interface ServerConfigData {
  /** true: it holds no content; files come from their `muUrl` */
  readonly catalogOnlySync: boolean;
  /** true: it holds content of approved updates only */
  readonly lazySync: boolean;
  readonly serverHostsPsfFiles: boolean;
  /** identities in one `GetUpdateData`; 0: not told */
  readonly maxUpdatesPerRequest: number;
  /** 0: `GetDriverSetData` is not offered */
  readonly maxDriverSetsPerRequest: number;
  /** 0: `GetDriverIdList` is not offered */
  readonly maxComputerIdsPerRequest: number;
  readonly maxPnpHardwareIdsPerRequest: number;
  /** identities in one `GetUpdateDecryptionData`; 0: not told */
  readonly maxUpdatesPerDecryptionRequest: number;
  /** opaque; new on every call */
  readonly newConfigAnchor: string | undefined;
  /** `major.minor`; `1.1` if not told */
  readonly protocolVersion: string;
  /** all on the first call; with an anchor only those that changed. Id 0 enabled: all languages are. */
  readonly languages: readonly PackageLanguage[];
}

/** @param configAnchor the last `newConfigAnchor`; undefined on the first call */
export function writeGetConfigData(cookie: Cookie, configAnchor: string | undefined): SoapRequest {
  return soapRequest('GetConfigData', writeCookie(cookie) + textElement('configAnchor', configAnchor));
}

/** Reads both field orders (Microsoft Update, WSUS). The errors are those of `readReplyItems`. */
export async function readGetConfigDataReply(chunks: ReplyChunks): Promise<ServerConfigData> {
  const result = await readResult(chunks, { operation: 'GetConfigData', namespace: SERVER_SYNC_NAMESPACE });
  return {
    catalogOnlySync: optionalBoolean(result, 'CatalogOnlySync') ?? false,
    lazySync: optionalBoolean(result, 'LazySync') ?? false,
    serverHostsPsfFiles: optionalBoolean(result, 'ServerHostsPsfFiles') ?? false,
    maxUpdatesPerRequest: countOf(result, 'MaxNumberOfUpdatesPerRequest'),
    maxDriverSetsPerRequest: countOf(result, 'MaxNumberOfDriverSetsPerRequest'),
    maxComputerIdsPerRequest: countOf(result, 'MaxNumberOfComputerIdsInRequest'),
    maxPnpHardwareIdsPerRequest: countOf(result, 'MaxNumberOfPnpHardwareIdsInRequest'),
    maxUpdatesPerDecryptionRequest: countOf(result, 'MaxUpdatesPerRequestInGetUpdateDecryptionData'),
    newConfigAnchor: optionalText(result, 'NewConfigAnchor'),
    protocolVersion: optionalText(result, 'ProtocolVersion')?.trim() ?? '1.1',
    languages: languagesOf(result),
  };
}

/** Each once, by id: what is written into packages must be what packages may hold. */
function languagesOf(result: SoapElement): readonly PackageLanguage[] {
  const elements = itemsOf(result, 'LanguageUpdateList', 'ServerSyncLanguageData');
  if (elements.length > MAX_LANGUAGES) {
    throw unexpected(`it lists ${elements.length} languages, at most ${MAX_LANGUAGES} are read`);
  }
  const languages = new Map<number, PackageLanguage>();
  for (const element of elements) {
    const id = optionalInt(element, 'LanguageID');
    if (id === undefined) throw unexpected('a language has no LanguageID');
    if (id < 0 || id > MAX_LANGUAGE_ID) throw unexpected(`LanguageID is ${id}`);
    languages.set(id, {
      id,
      shortName: optionalText(element, 'ShortLanguage') ?? '',
      longName: optionalText(element, 'LongLanguage') ?? '',
      enabled: optionalBoolean(element, 'Enabled') ?? false,
    });
  }
  return [...languages.values()];
}

/** `1.20` → `[1, 20]`, so that it is compared by integers and not as a decimal; undefined if malformed. */
export function parseProtocolVersion(text: string): readonly [major: number, minor: number] | undefined {
  const match = /^(\d{1,9})\.(\d{1,9})$/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}
