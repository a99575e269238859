/** Drivers for a list of computers and devices, which only Microsoft Update offers (server-sync-protocol 11). */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { isWsusutilError, WsusutilError } from '../errors.js';
import type { DriverSet } from '../formats/server-sync/driver-sets.js';
import type { UpdateId, UpdateIdentity } from '../model/update-identity.js';
import { openError } from '../platform/file-source.js';
import type { RevisionIdAnswer, ServerSyncClient } from './server-sync-client.js';

/** bytes */
const MAX_INVENTORY_SIZE = 64 * 1024 * 1024;
/** Lines of an inventory; a fleet of every device there is has fewer. */
const MAX_ENTRIES = 100_000;
const MAX_ID_LENGTH = 400;
const GUID = /^\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?$/i;
/** `bus\device`, as Device Manager shows hardware ids */
const HARDWARE_ID = /^[\w*.{}-]+\\[^\s\\][^\0]*$/;

export interface DriverInventory {
  /** computer hardware ids (CHID), lower case */
  readonly computerIds: readonly UpdateId[];
  /** e.g. `pci\ven_8086&dev_15f3`, lower case */
  readonly hardwareIds: readonly string[];
  /** equal for equal inventories: an anchor is good for one only */
  readonly fingerprint: string;
}

/**
 * @param path absolute
 * @throws WsusutilError `INPUT_NOT_FOUND`, `READ_FAILED`, `LIMIT_EXCEEDED`, and those of {@link parseInventory}
 */
export async function readInventory(path: string): Promise<DriverInventory> {
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > MAX_INVENTORY_SIZE) {
      throw new WsusutilError('LIMIT_EXCEEDED', `${path} is longer than ${MAX_INVENTORY_SIZE} bytes`, {
        hint: 'An inventory has one hardware id per line; check that this is one, or split it.',
      });
    }
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw isWsusutilError(error) ? error : openError(error, path);
  }
  return parseInventory(text, path);
}

/**
 * One id per line: a hardware id, or a GUID for a computer hardware id. Blank lines and those that start with `#` are
 * passed over.
 *
 * @param name of the file, for messages
 * @throws WsusutilError `LIST_MALFORMED` naming the line
 */
export function parseInventory(text: string, name: string): DriverInventory {
  const computers = new Set<UpdateId>();
  const hardware = new Set<string>();
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const guid = GUID.exec(line)?.[1];
    if (guid !== undefined) computers.add(guid.toLowerCase());
    else if (line.length <= MAX_ID_LENGTH && HARDWARE_ID.test(line)) hardware.add(line.toLowerCase());
    else {
      throw new WsusutilError(
        'LIST_MALFORMED',
        `${name}, line ${index + 1}: ${JSON.stringify(line.slice(0, 80))} is neither a hardware id nor a GUID`,
        { hint: 'One id per line, e.g. PCI\\VEN_8086&DEV_15F3, or a computer hardware id (CHID).' },
      );
    }
    if (computers.size + hardware.size > MAX_ENTRIES) {
      throw new WsusutilError('LIMIT_EXCEEDED', `${name} lists more than ${MAX_ENTRIES} ids`, {
        hint: 'Split the inventory.',
      });
    }
  }
  const computerIds = [...computers].sort();
  const hardwareIds = [...hardware].sort();
  const fingerprint = createHash('sha256').update(JSON.stringify({ computerIds, hardwareIds })).digest('hex');
  return { computerIds, hardwareIds, fingerprint };
}

/**
 * Asks for all ids in groups of the upstream's size, all from the same anchor; the anchor of the first answer is the one
 * to keep (section 11).
 */
export async function listDrivers(
  client: ServerSyncClient,
  { computerIds, hardwareIds }: DriverInventory,
  anchor: string | undefined,
): Promise<RevisionIdAnswer & { readonly driverSets: readonly UpdateId[] }> {
  const computersPerCall = client.config?.maxComputerIdsPerRequest ?? 0;
  const devicesPerCall = client.config?.maxPnpHardwareIdsPerRequest ?? 0;
  const delta = anchor !== undefined;
  const withDelta = <T>(ids: readonly T[]) => ids.map((id) => ({ id, delta }));
  const revisions: UpdateIdentity[] = [];
  const sets = new Set<UpdateId>();
  let kept: string | undefined;
  let anchorLoss: RevisionIdAnswer['anchorLoss'];
  const ask = async (computers: readonly UpdateId[], devices: readonly string[]) => {
    const answer = await client.getDriverIdList({
      anchor,
      categories: [],
      computerIds: withDelta(computers),
      pnpHardwareIds: withDelta(devices),
    });
    kept ??= answer.anchor;
    anchorLoss ??= answer.anchorLoss;
    for (const identity of answer.newRevisions) revisions.push(identity);
    for (const id of answer.newDriverSets) sets.add(id);
  };
  for (let start = 0; computersPerCall > 0 && start < computerIds.length; start += computersPerCall) {
    await ask(computerIds.slice(start, start + computersPerCall), []);
  }
  for (let start = 0; devicesPerCall > 0 && start < hardwareIds.length; start += devicesPerCall) {
    await ask([], hardwareIds.slice(start, start + devicesPerCall));
  }
  if (kept === undefined) {
    throw new WsusutilError('UPSTREAM_INCOMPATIBLE', 'The upstream does not offer drivers by inventory', {
      hint: 'Only Microsoft Update does; leave --inventory out. Drivers also come with the classification Drivers.',
    });
  }
  return { anchor: kept, revisions, anchorLoss, driverSets: [...sets] };
}

export async function fetchDriverSets(
  client: ServerSyncClient,
  ids: readonly UpdateId[],
): Promise<readonly DriverSet[]> {
  if (ids.length === 0 || !client.config?.maxDriverSetsPerRequest) return [];
  return client.getDriverSetData(ids);
}
