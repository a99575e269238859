/** Writes down what a content directory holds that the store's records know nothing about yet. */
import type { Report } from '../events.js';
import type { ContentFileKind } from '../model/content-file.js';
import type { ContentIndex } from '../store/content-index.js';
import { checkContent } from './check-content.js';
import type { ContentRunner } from './content-runner.js';
import { type Amount, ContentTally, type TallySummary } from './content-tally.js';
import { openContentTree } from './content-tree.js';
import type { CopyJournal } from './copy-journal.js';
import { RecordBuffer } from './record-buffer.js';

export interface AdoptOptions {
  readonly index: ContentIndex;
  readonly contentFolder: string;
  /** of the content folder; the caller closes it */
  readonly journal: CopyJournal;
  readonly runner: ContentRunner;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface AdoptSummary extends TallySummary {
  readonly wanted: Amount & Readonly<Record<ContentFileKind, Amount>>;
}

/**
 * Looks at presence and size; a file that was verified when it was copied there, and is unchanged, is verified.
 *
 * @throws WsusutilError `INTERRUPTED`, `READ_FAILED`
 */
export async function adoptContent(options: AdoptOptions): Promise<AdoptSummary> {
  const { index, contentFolder, journal, runner, report } = options;
  const selection = await index.select({});
  const records = new RecordBuffer(index);
  const tally = new ContentTally(contentFolder, report);
  try {
    const tree = await openContentTree(contentFolder, runner);
    const steps = checkContent({
      ...options,
      tree,
      selection,
      depth: 'quick',
      records: 'of-another',
      strays: true,
      isKnownGood: (file, stamp) => journal.knows(file.sha1, stamp),
    });
    for await (const findings of steps) {
      for (const finding of findings) {
        if (finding.type === 'stray') tally.addStray(finding.stray);
        else if (finding.type === 'unchanged') tally.addUnchanged(finding);
        else {
          tally.addFile(finding);
          await records.add(finding.file.sha1, finding.record);
        }
      }
    }
    await records.flush();
    return { wanted: selection.totals, ...tally.summary() };
  } finally {
    await selection.close();
  }
}
