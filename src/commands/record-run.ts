import { isWsusutilError } from '../errors.js';
import type { HistoryRecord, MetadataStore } from '../store/metadata-store.js';
import type { CommandContext } from './context.js';

/**
 * Adds a run that only read the store to its history. What it wrote is there and whole: that the store cannot note it
 * (read-only media, a running import) is no failure.
 */
export async function recordRun(context: CommandContext, entry: HistoryRecord): Promise<void> {
  try {
    const store = await context.openStore('write');
    try {
      await store.addHistory(entry);
    } finally {
      await store.close();
    }
  } catch (error) {
    if (!isWsusutilError(error)) throw error;
    context.report({
      type: 'step',
      message: `The ${entry.action} could not be added to the history: ${error.message}`,
    });
  }
}

/**
 * Adds a run that failed or was interrupted to the history, where it got as far as changing something.
 *
 * @param entry what is known of the run; `outcome` and, in the details, the message come from the error
 */
export async function recordFailure(
  store: Pick<MetadataStore, 'addHistory'>,
  entry: Omit<HistoryRecord, 'outcome'>,
  error: unknown,
): Promise<void> {
  if (!isWsusutilError(error)) return;
  const { code, message, details } = error;
  // Best effort: the failure that is being told matters more. The disk may be full.
  await store
    .addHistory({ ...entry, outcome: code, details: { ...entry.details, ...details, message } })
    .catch(() => {});
}
