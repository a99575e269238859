/** `wsusutil content verify`: the check of `reset` against any content folder, which is only read. */
import type { ContentFileKind } from '../model/content-file.js';
import type { ContentScope } from '../store/content-index.js';
import type { MetadataStore } from '../store/metadata-store.js';
import { type CheckOptions, checkContent } from './check-content.js';
import { type Amount, ContentTally, type TallySummary } from './content-tally.js';
import { openContentTree } from './content-tree.js';

export interface VerifyOptions
  extends Pick<CheckOptions, 'depth' | 'records' | 'runner' | 'now' | 'signal' | 'report'> {
  readonly store: MetadataStore;
  readonly contentFolder: string;
  readonly scope: ContentScope;
}

export interface VerifySummary extends TallySummary {
  readonly contentFolder: string;
  readonly wanted: Amount & Readonly<Record<ContentFileKind, Amount>>;
}

/** @throws WsusutilError `INTERRUPTED`, `READ_FAILED` */
export async function verifyContent(options: VerifyOptions): Promise<VerifySummary> {
  const { store, contentFolder, runner, report } = options;
  const index = await store.contentIndex();
  const selection = await index.select(options.scope);
  const tally = new ContentTally(contentFolder, report);
  try {
    const tree = await openContentTree(contentFolder, runner);
    for await (const findings of checkContent({ ...options, tree, selection, index, strays: true })) {
      for (const finding of findings) {
        if (finding.type === 'file') tally.addFile(finding);
        else if (finding.type === 'stray') tally.addStray(finding.stray);
        else tally.addUnchanged(finding);
      }
    }
  } finally {
    await selection.close();
  }
  return { contentFolder, wanted: selection.totals, ...tally.summary() };
}
