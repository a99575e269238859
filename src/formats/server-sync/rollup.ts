/** What a downstream reports about itself, as far as an upstream without reports takes note (server-sync-protocol 13, 14). */
import { parseUpdateId, type UpdateId } from '../../model/update-identity.js';
import { textElement } from '../soap/envelope.js';
import {
  childOf,
  guidOf,
  itemsOf,
  optionalText,
  type SoapElement,
  unexpected,
} from '../soap/soap-element.js';
import { InvalidParameter } from './requests.js';

/** Servers, and groups of clients, that are read from one report. */
export const MAX_ROLLUP_BATCH = 500;

export interface DownstreamServer {
  readonly serverId: UpdateId;
  /** zeros: the server that is asked */
  readonly parentServerId: UpdateId;
  readonly name: string | undefined;
  readonly version: string | undefined;
}

/** `RollupConfiguration`: nothing but `RollupDownstreamServers` is wanted. */
export function writeRollupConfiguration(serverId: UpdateId): string {
  return (
    textElement('DoDetailedRollup', false) +
    textElement('RollupResetGuid', serverId) +
    textElement('ServerId', serverId) +
    textElement('RollupDownstreamServersMaxBatchSize', MAX_ROLLUP_BATCH) +
    textElement('RollupComputersMaxBatchSize', 1500) +
    textElement('GetOutOfSyncComputersMaxBatchSize', 20_000) +
    textElement('RollupComputerStatusMaxBatchSize', 500)
  );
}

/** @throws InvalidParameter `downstreamServers` */
export function readRollupDownstreamServers(call: SoapElement): readonly DownstreamServer[] {
  try {
    const servers = itemsOf(call, 'downstreamServers', 'DownstreamServerRollupInfo').map((info) => {
      const serverId = childOf(info, 'ServerId');
      if (serverId === undefined) throw unexpected('a server has no ServerId');
      const parentServerId = parseUpdateId(optionalText(info, 'ParentServerId') ?? '');
      if (parentServerId === undefined) throw unexpected('a server has no ParentServerId');
      return {
        serverId: guidOf(serverId),
        parentServerId,
        name: optionalText(info, 'FullDomainName'),
        version: optionalText(info, 'Version'),
      };
    });
    if (servers.length > MAX_ROLLUP_BATCH) throw unexpected('too many servers');
    return servers;
  } catch (cause) {
    throw new InvalidParameter('downstreamServers', cause);
  }
}
