import { openTemporaryStore } from '../store/open-store.js';
import { type ImportOptions, type ImportSummary, importPackage } from './import-package.js';

type WithoutStore = Omit<ImportOptions, 'store' | 'dryRun' | 'isThorough'>;

/**
 * Validates a package as an import into an empty store would, and every part of every document too.
 *
 * @throws WsusutilError as {@link importPackage}
 */
export async function verifyPackage(options: WithoutStore): Promise<ImportSummary> {
  return importNowhere(options, true);
}

/** What an import into a store that does not exist yet would do; it looks no closer than that import. */
export async function rehearseImport(options: WithoutStore): Promise<ImportSummary> {
  return importNowhere(options, false);
}

/** A private temporary database takes the place of the store: memory stays flat, no data directory is needed. */
async function importNowhere(options: WithoutStore, isThorough: boolean): Promise<ImportSummary> {
  const store = await openTemporaryStore(options.now);
  try {
    return await importPackage({ ...options, store, dryRun: true, isThorough });
  } finally {
    await store.close();
  }
}
