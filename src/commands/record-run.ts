import { isWsusutilError } from '../errors.js';
import type { HistoryRecord } from '../store/metadata-store.js';
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
 * Adds a run that was refused before the store was opened to its history, if there is a store.
 *
 * @param entry what is known of the run; `outcome` and, in the details, the message come from the error
 */
export async function recordRefusal(
  context: CommandContext,
  entry: Omit<HistoryRecord, 'outcome'>,
  error: unknown,
): Promise<void> {
  if (!isWsusutilError(error) || !(await context.hasStore())) return;
  const { code, message } = error;
  await recordRun(context, { ...entry, outcome: code, details: { ...entry.details, message } });
}
