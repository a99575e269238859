import { openTemporaryStore } from '../store/open-store.js';
import { type ImportOptions, type ImportSummary, importPackage } from './import-package.js';

/**
 * Validates a package as an import into an empty store would, every part of every document too, and keeps nothing: a private temporary database takes
 * the place of the store, so memory stays flat and no data directory is needed.
 *
 * @throws WsusutilError as {@link importPackage}
 */
export async function verifyPackage(
  options: Omit<ImportOptions, 'store' | 'dryRun' | 'isThorough'>,
): Promise<ImportSummary> {
  const store = await openTemporaryStore(options.now);
  try {
    return await importPackage({ ...options, store, dryRun: true, isThorough: true });
  } finally {
    await store.close();
  }
}
