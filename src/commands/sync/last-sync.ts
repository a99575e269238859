/** Whether what an export takes out is what the upstream had: Microsoft asks for a successful synchronisation first. */
import { WsusutilError } from '../../errors.js';
import { judgeSyncs, listUpdateSyncs, type SyncJudgement } from '../../store/last-syncs.js';
import type { HistoryEntry, MetadataStore } from '../../store/metadata-store.js';
import type { CommandContext } from '../context.js';
import { formatInstant, formatQuantity } from '../quantities.js';
import { errorOf, numberFact } from './history-report.js';

/**
 * What is wrong with the last synchronisation, in a sentence without a full stop; undefined: it was complete, or there
 * never was one, as in a store that lives on imports.
 */
function describeBadSync({ last, lastComplete }: SyncJudgement): string | undefined {
  if (last === undefined || last.outcome === 'complete') return undefined;
  const since =
    lastComplete === undefined
      ? 'none was complete so far'
      : `the last complete one ended ${formatInstant(lastComplete.finishedAt)}`;
  return `The last synchronisation, ended ${formatInstant(last.finishedAt)}, ${howItEnded(last)}; ${since} (wsusutil history ${last.id} tells more)`;
}

function howItEnded(sync: HistoryEntry): string {
  const error = errorOf(sync);
  if (error === 'INTERRUPTED') return 'was interrupted';
  if (error !== '') return `failed with ${error}`;
  const revisions = numberFact(sync, 'unavailable') ?? 0;
  const files = numberFact(sync, 'stillMissing') ?? 0;
  const missing = [
    ...(revisions === 0 ? [] : [formatQuantity(revisions, 'revision')]),
    ...(files === 0 ? [] : [formatQuantity(files, 'content file')]),
  ];
  return missing.length === 0 ? 'was incomplete' : `did not get ${missing.join(' and ')}`;
}

/**
 * @returns tells the warning, if there is one; called once the start sentence has been said
 * @throws WsusutilError `SAFETY_REFUSED` if `isRequired` and the last synchronisation was not complete, or there is none
 */
export async function checkLastSync(
  store: MetadataStore,
  isRequired: boolean,
  context: Pick<CommandContext, 'report'>,
): Promise<() => void> {
  const judgement = judgeSyncs(await listUpdateSyncs(store));
  const problem = describeBadSync(judgement);
  if (isRequired && (problem !== undefined || judgement.last === undefined)) {
    throw new WsusutilError(
      'SAFETY_REFUSED',
      `${problem ?? 'This store has never been synchronised'}; nothing was exported (--require-synced)`,
      { hint: 'Run "wsusutil sync" until it ends complete, or leave --require-synced out.' },
    );
  }
  return () => {
    if (problem !== undefined) {
      context.report({ type: 'warning', code: 'SYNC_NOT_SUCCESSFUL', message: problem });
    }
  };
}
