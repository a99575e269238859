/** What a content folder holds that nobody calls for, and that a copy by list therefore leaves where it is. */
import { throwIfInterrupted } from '../errors.js';
import type { Report } from '../events.js';
import type { Sha1Hex } from '../model/digest.js';
import type { ContentIndex } from '../store/content-index.js';
import { strangersAmong } from './check-content.js';
import type { ContentRunner } from './content-runner.js';
import { type Amount, MAX_LISTED, NONE, plus } from './content-tally.js';
import { openContentTree, type Stray, type StrayReason, type TreeFile } from './content-tree.js';
import { FOLDER_COUNT } from './layout.js';

export interface LeftBehind extends Amount {
  readonly reasons: Readonly<Partial<Record<StrayReason, Amount>>>;
  /** the first of them */
  readonly list: readonly Stray[];
}

/**
 * Looks at names only, and writes each into the log.
 *
 * @param options.contentFolder one that is not there holds nothing
 * @throws WsusutilError `INTERRUPTED`, `READ_FAILED`
 */
export async function findLeftBehind(options: {
  readonly contentFolder: string;
  readonly index: ContentIndex;
  readonly runner: ContentRunner;
  readonly signal: AbortSignal;
  readonly report: Report;
}): Promise<LeftBehind> {
  const { contentFolder, index, runner, signal, report } = options;
  const reasons: Partial<Record<StrayReason, Amount>> = {};
  const list: Stray[] = [];
  let all = NONE;
  const take = (strays: readonly Stray[]) => {
    for (const stray of strays) {
      const { reason, size, path } = stray;
      all = plus(all, size);
      reasons[reason] = plus(reasons[reason] ?? NONE, size);
      if (list.length < MAX_LISTED) list.push(stray);
      report({ type: 'step', message: `left where it is (${reason}): ${path}` });
    }
  };
  const tree = await openContentTree(contentFolder, runner);
  take(tree.strays);
  for (let folder = 0; folder < FOLDER_COUNT; folder++) {
    throwIfInterrupted(signal, 'looking for files that nobody calls for');
    const { files, notFiles, strays } = await tree.readFolder(folder);
    if (files.size + notFiles.size + strays.length === 0) continue;
    const found = await strangersAmong(
      strays,
      new Map<Sha1Hex, TreeFile | Stray>([...files, ...notFiles]),
      index,
    );
    take(found.map(({ stray }) => stray));
  }
  return { ...all, reasons, list };
}
