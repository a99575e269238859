import { WsusutilError } from '../errors.js';
import type { AcceptedPackage, CarryState, SentPackage } from '../store/carry-state.js';
import { readReceipt, writeReceipt } from './receipt.js';

/**
 * Notes that a package arrived: the next one that builds on the last builds on it.
 *
 * @param code as it was typed
 * @returns the package it is for
 * @throws WsusutilError `USAGE` for a code that is none, `NOT_FOUND` if no package that was sent from here has it
 */
export async function acknowledge(state: CarryState, code: string, now: Date): Promise<SentPackage> {
  const receipt = readReceipt(code);
  const found = (await state.listSent()).find((sent) => receipt.isFor(sent));
  if (found === undefined) {
    throw new WsusutilError(
      'NOT_FOUND',
      `The receipt is for a package ${receipt.sequence} that was not made here`,
      {
        hint: 'Check that it comes from the place the package went to, and that this is the data directory it was made in.',
      },
    );
  }
  await state.acknowledge(found.destination, found.sequence, now.getTime());
  return found;
}

export interface GivenReceipt {
  readonly code: string;
  readonly accepted: AcceptedPackage;
}

/**
 * The receipts for the last package of each chain that was imported here, or of one destination.
 *
 * @throws WsusutilError `NOT_FOUND` if there is none
 */
export async function listReceipts(
  state: CarryState,
  destination: string | undefined,
): Promise<readonly GivenReceipt[]> {
  const last = new Map<string, AcceptedPackage>();
  for (const accepted of await state.listAccepted()) {
    if (destination !== undefined && accepted.destination !== destination) continue;
    const chain = `${accepted.serverId} ${accepted.destination}`;
    if ((last.get(chain)?.sequence ?? 0) < accepted.sequence) last.set(chain, accepted);
  }
  if (last.size === 0) {
    throw new WsusutilError(
      'NOT_FOUND',
      destination === undefined
        ? 'No transfer package was imported here yet'
        : `No transfer package for ${destination} was imported here yet`,
      { hint: 'Import one first; its receipt is printed then.' },
    );
  }
  return [...last.values()].map((accepted) => ({ accepted, code: writeReceipt(accepted) }));
}
