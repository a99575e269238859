import type { UndoneImport } from '../store/carry-state.js';
import type { MetadataStore } from '../store/metadata-store.js';

/**
 * Takes the metadata back to what it was before the last import. Content files stay: `content prune` removes what nobody
 * calls for any more, after its grace period.
 *
 * @throws WsusutilError `NOT_FOUND` if there is no import to take back, or something was stored after it
 */
export async function undoLastImport(
  store: Pick<MetadataStore, 'undoImport'>,
  now: () => Date,
): Promise<UndoneImport> {
  const startedAt = now().getTime();
  return store.undoImport((undone) => ({
    action: 'undo',
    package: undone.package,
    startedAt,
    finishedAt: now().getTime(),
    outcome: 'complete',
    details: {
      revisions: undone.revisions,
      updates: undone.updates,
      files: undone.files,
      importedAt: new Date(undone.finishedAt).toISOString(),
      ...(undone.accepted === undefined
        ? {}
        : { destination: undone.accepted.destination, sequence: undone.accepted.sequence }),
    },
  }));
}
