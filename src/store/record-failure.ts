import { isWsusutilError } from '../errors.js';
import type { HistoryRecord, MetadataStore } from './metadata-store.js';

/**
 * Adds a run that failed, was refused or was interrupted to the history.
 *
 * @param entry what is known of the run; `outcome` and, in the details, the message come from the error
 */
export async function recordFailure(
  store: Pick<MetadataStore, 'addHistory'>,
  entry: Omit<HistoryRecord, 'outcome'>,
  error: unknown,
): Promise<void> {
  if (!isWsusutilError(error)) return;
  const { code, message } = error;
  // Best effort: the failure that is being told matters more. The disk may be full.
  await store.addHistory({ ...entry, outcome: code, details: { ...entry.details, message } }).catch(() => {});
}
