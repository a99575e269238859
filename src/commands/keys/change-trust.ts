import {
  readTrustList,
  serializeTrustList,
  type TrustList,
  trustPathOf,
  writeTrustList,
} from '../../settings/trust-list.js';
import type { CommandContext } from '../context.js';
import { warnOfTooFewKeys } from './key-views.js';

export interface TrustChange {
  readonly before: TrustList;
  readonly after: TrustList;
}

/** The trust list of the data directory; nothing is made. */
export async function currentTrust({ findDataDirectory }: CommandContext): Promise<TrustList> {
  return readTrustList(trustPathOf((await findDataDirectory()).path));
}

/**
 * Reads, changes and replaces the trust list as the only one that writes to the data directory.
 *
 * @throws WsusutilError what `change` throws; nothing is written then. `STORE_LOCKED`, `SETTINGS_INVALID`,
 *   `DISK_FULL`, `READ_ONLY`, `WRITE_FAILED`
 */
export async function changeTrust(
  context: CommandContext,
  change: (before: TrustList) => TrustList,
): Promise<TrustChange> {
  const path = trustPathOf((await context.dataDirectory()).path);
  const store = await context.openStore('write'); // holds the writer lock for the trust list
  try {
    const before = await readTrustList(path);
    const after = change(before);
    if (serializeTrustList(before) !== serializeTrustList(after)) await writeTrustList(path, after);
    warnOfTooFewKeys(after, context.report);
    return { before, after };
  } finally {
    await store.close();
  }
}
