/** `wsusutil content verify`: the check of `reset` against any content folder, which is only read. */
import type { ContentFileKind, WantedFile } from '../model/content-file.js';
import type { ContentScope } from '../store/content-index.js';
import type { MetadataStore } from '../store/metadata-store.js';
import { type CheckOptions, checkContent } from './check-content.js';
import { type Amount, ContentTally, type TallySummary } from './content-tally.js';
import { openContentTree } from './content-tree.js';
import { describeMissing } from './missing-files.js';
import { type MissingFile, writeMissingList } from './missing-list.js';

export interface VerifyOptions
  extends Pick<CheckOptions, 'depth' | 'records' | 'runner' | 'now' | 'signal' | 'report'> {
  readonly store: MetadataStore;
  readonly contentFolder: string;
  readonly scope: ContentScope;
  /** where to write what is missing or damaged, for the other side to bring; undefined: nowhere */
  readonly missingListPath?: string | undefined;
}

export interface VerifySummary extends TallySummary {
  readonly contentFolder: string;
  readonly wanted: Amount & Readonly<Record<ContentFileKind, Amount>>;
  readonly missingList: (Amount & { readonly path: string }) | undefined;
}

/** Rows of a list that are put together at once. */
const ROWS_AT_ONCE = 1_000;

/** @throws WsusutilError `INTERRUPTED`, `READ_FAILED`; of the list: `DISK_FULL`, `READ_ONLY`, `WRITE_FAILED` */
export async function verifyContent(options: VerifyOptions): Promise<VerifySummary> {
  const { store, contentFolder, runner, report, missingListPath } = options;
  const notWhole: WantedFile[] = [];
  const index = await store.contentIndex();
  const selection = await index.select(options.scope);
  const tally = new ContentTally(contentFolder, report);
  try {
    const tree = await openContentTree(contentFolder, runner);
    for await (const findings of checkContent({ ...options, tree, selection, index, strays: true })) {
      for (const finding of findings) {
        if (finding.type === 'file') {
          tally.addFile(finding);
          const { file, record } = finding;
          const isWhole = record.state === 'verified' || record.state === 'unverified';
          if (missingListPath !== undefined && !isWhole) notWhole.push({ ...file, record });
        } else if (finding.type === 'stray') tally.addStray(finding.stray);
        else tally.addUnchanged(finding);
      }
    }
  } finally {
    await selection.close();
  }
  const missingList =
    missingListPath === undefined
      ? undefined
      : {
          path: missingListPath,
          ...(await writeMissingList(missingListPath, rowsOf(store, notWhole), {
            createdAt: options.now(),
            serverId: store.serverId,
            contentDirectory: contentFolder,
          })),
        };
  return { contentFolder, wanted: selection.totals, ...tally.summary(), missingList };
}

async function* rowsOf(
  store: MetadataStore,
  files: readonly WantedFile[],
): AsyncGenerator<readonly MissingFile[], void, undefined> {
  for (let start = 0; start < files.length; start += ROWS_AT_ONCE) {
    yield await describeMissing(store, files.slice(start, start + ROWS_AT_ONCE));
  }
}
