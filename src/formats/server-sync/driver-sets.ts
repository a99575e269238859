/** Drivers by inventory, offered by Microsoft Update only (server-sync-protocol 11). */
import type { UpdateId, UpdateIdentity } from '../../model/update-identity.js';
import { parentElement, textElement } from '../soap/envelope.js';
import { type ReplyChunks, readReply, readReplyItems, resultOf } from '../soap/reply-reader.js';
import { childOf, guidOf, itemsOf, optionalText, unexpected } from '../soap/soap-element.js';
import { type Cookie, writeCookie } from './cookies.js';
import { type IdAndDelta, identityOf, writeGuids, writeIdsAndDelta } from './identities.js';
import { SERVER_SYNC_NAMESPACE, type SoapRequest, soapRequest } from './service.js';

/** `ServerSyncDriverFilter`. An empty list selects nothing, except `categories`, where it means any system. */
export interface DriverFilter {
  readonly anchor: string | undefined;
  /** products: operating systems */
  readonly categories: readonly IdAndDelta[];
  /** computer hardware ids (CHID), at most `maxComputerIdsPerRequest` */
  readonly computerIds: readonly IdAndDelta[];
  /** e.g. `pci\ven_8086&dev_15f3`, at most `maxPnpHardwareIdsPerRequest` */
  readonly pnpHardwareIds: readonly { readonly id: string; readonly delta: boolean }[];
}

export interface DriverIdList {
  readonly anchor: string | undefined;
  readonly newRevisions: readonly UpdateIdentity[];
  readonly newDriverSets: readonly UpdateId[];
  /** sets, not drivers: a driver goes only when no set that remains names it */
  readonly removedDriverSets: readonly UpdateId[];
}

export interface DriverSet {
  readonly driverSetId: UpdateId;
  /** a document of its own, as sent */
  readonly xml: string;
}

const DRIVER_ID_LIST = {
  operation: 'GetDriverIdList',
  namespace: SERVER_SYNC_NAMESPACE,
  streamed: { NewRevisions: 'UpdateIdentity', NewDriverSets: 'guid', RemovedDriverSets: 'guid' },
} as const;

export function writeGetDriverIdList(cookie: Cookie, filter: DriverFilter): SoapRequest {
  return soapRequest(
    'GetDriverIdList',
    writeCookie(cookie) +
      parentElement(
        'filter',
        '<DssProtocolVersion/>' +
          textElement('Anchor', filter.anchor) +
          writeIdsAndDelta('Categories', 'IdAndDelta', filter.categories) +
          writeIdsAndDelta('ComputerIds', 'IdAndDelta', filter.computerIds) +
          writeIdsAndDelta('PnpHardwareIds', 'HardwareIdAndDelta', filter.pnpHardwareIds),
      ),
  );
}

/** The errors are those of `readReplyItems`. */
export async function readGetDriverIdListReply(chunks: ReplyChunks): Promise<DriverIdList> {
  const newRevisions: UpdateIdentity[] = [];
  const guids: Record<string, UpdateId[]> = { NewDriverSets: [], RemovedDriverSets: [] };
  const items = readReplyItems(chunks, DRIVER_ID_LIST);
  for (;;) {
    const next = await items.next();
    if (next.done === true) {
      return {
        anchor: optionalText(resultOf(next.value, DRIVER_ID_LIST), 'Anchor'),
        newRevisions,
        newDriverSets: guids.NewDriverSets as UpdateId[],
        removedDriverSets: guids.RemovedDriverSets as UpdateId[],
      };
    }
    for (const { list, element } of next.value) {
      if (list === 'NewRevisions') newRevisions.push(identityOf(element));
      else guids[list]?.push(guidOf(element));
    }
  }
}

/** @param driverSetIds at most `maxDriverSetsPerRequest` */
export function writeGetDriverSetData(cookie: Cookie, driverSetIds: readonly UpdateId[]): SoapRequest {
  return soapRequest('GetDriverSetData', writeCookie(cookie) + writeGuids('driverSets', driverSetIds));
}

/** The errors are those of `readReplyItems`. */
export async function readGetDriverSetDataReply(chunks: ReplyChunks): Promise<readonly DriverSet[]> {
  const result = await readReply(chunks, { operation: 'GetDriverSetData', namespace: SERVER_SYNC_NAMESPACE });
  if (result === undefined) return [];
  return itemsOf(result, 'DriverSets', 'ServerSyncDriverSetData').map((set) => {
    const id = childOf(set, 'DriverSetId');
    if (id === undefined) throw unexpected('a driver set has no DriverSetId');
    return { driverSetId: guidOf(id), xml: childOf(set, 'DriverSetXml')?.text ?? '' };
  });
}
