/**
 * How the last synchronisation is judged, wherever somebody asks whether the store is what an upstream had: by
 * `checkhealth` and by `export`.
 */
import type { HistoryEntry, MetadataStore } from './metadata-store.js';

/** Syncs looked at for one that was complete. */
const MAX_LOOK_BACK = 1_000;

export interface SyncJudgement {
  /** the last one that counts; undefined: there is none */
  readonly last: HistoryEntry | undefined;
  /** the last complete one; undefined: there is none */
  readonly lastComplete: HistoryEntry | undefined;
  /** the newest since then that failed before it changed anything; undefined: there is none */
  readonly probe: HistoryEntry | undefined;
}

/**
 * Synchronisations that asked for updates, the newest first: one of categories or of content alone says nothing about
 * what the store has of them.
 */
export async function listUpdateSyncs(
  store: Pick<MetadataStore, 'listHistory'>,
): Promise<readonly HistoryEntry[]> {
  const syncs = await store.listHistory(MAX_LOOK_BACK, 'sync');
  return syncs.filter(({ details }) => details.parts !== 'categories' && details.parts !== 'content');
}

/** One that failed and changed nothing, such as a look whether a server answers, leaves the store what it was. */
export function judgeSyncs(syncs: readonly HistoryEntry[]): SyncJudgement {
  const last = syncs.find((sync) => !isProbe(sync));
  const [newest] = syncs;
  return {
    last,
    lastComplete: syncs.find(({ outcome }) => outcome === 'complete'),
    probe: newest !== undefined && isProbe(newest) ? newest : undefined,
  };
}

function isProbe({ outcome, details }: HistoryEntry): boolean {
  return outcome !== 'complete' && outcome !== 'incomplete' && details.changedNothing === true;
}
