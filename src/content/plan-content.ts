/** Which content files a set of revisions needs: how many, how large, for what, and whether they fit a place. */
import { throwIfInterrupted } from '../errors.js';
import type { ContentFileKind, ContentState } from '../model/content-file.js';
import type { Sha1Hex } from '../model/digest.js';
import type { UpdateId } from '../model/update-identity.js';
import type { ContentScope } from '../store/content-index.js';
import type { MetadataStore, RevisionKey } from '../store/metadata-store.js';
import type { ContentRunner } from './content-runner.js';
import { type Amount, NONE, plus } from './content-tally.js';
import { openContentTree } from './content-tree.js';
import { freeSpaceAt } from './free-space.js';
import { FOLDER_COUNT } from './layout.js';

const KEYS_PER_QUERY = 4096;

export interface PlanOptions {
  readonly store: MetadataStore;
  readonly scope: ContentScope;
  /** content folder at the destination; undefined: none was named */
  readonly target: string | undefined;
  readonly runner: ContentRunner;
  readonly signal: AbortSignal;
}

export interface CategoryPlan extends Amount {
  readonly updateId: UpdateId;
  readonly title: string;
  /** of these: licence texts */
  readonly licences: number;
}

export interface ContentPlan {
  readonly wanted: Amount & Readonly<Record<ContentFileKind, Amount>>;
  /** by what the last check found; `unchecked`: never looked for */
  readonly states: Readonly<Record<ContentState | 'unchecked', Amount>>;
  /** most bytes first; a file counts once in each */
  readonly products: readonly CategoryPlan[];
  readonly classifications: readonly CategoryPlan[];
  readonly target:
    | {
        readonly path: string;
        /** there in the right size */
        readonly present: Amount;
        readonly toCopy: Amount;
        /** bytes; undefined: the system does not say */
        readonly free: number | undefined;
        readonly fits: boolean;
      }
    | undefined;
}

/** @throws WsusutilError `INTERRUPTED`, `READ_FAILED` */
export async function planContent(options: PlanOptions): Promise<ContentPlan> {
  const { store, scope, signal } = options;
  const index = await store.contentIndex();
  const selection = await index.select(scope);
  try {
    const states: Record<ContentState | 'unchecked', Amount> = {
      absent: NONE,
      verified: NONE,
      unverified: NONE,
      corrupt: NONE,
      unchecked: NONE,
    };
    const tree =
      options.target === undefined ? undefined : await openContentTree(options.target, options.runner);
    let present = NONE;
    for (let folder = 0; folder < FOLDER_COUNT; folder++) {
      throwIfInterrupted(signal, 'planning content');
      const there = (await tree?.readFolder(folder))?.files;
      let after: Sha1Hex | undefined;
      for (;;) {
        const page = await selection.page(folder, after);
        if (page.length === 0) break;
        after = page.at(-1)?.sha1;
        for (const { sha1, size, record } of page) {
          const state = record?.state ?? 'unchecked';
          states[state] = plus(states[state], size);
          if (there?.get(sha1)?.stamp.size === size) present = plus(present, size);
        }
      }
    }
    const wanted = selection.totals;
    const toCopy = { files: wanted.files - present.files, bytes: wanted.bytes - present.bytes };
    const free = options.target === undefined ? undefined : await freeSpaceAt(options.target);
    return {
      wanted,
      states,
      ...(await byCategory(options)),
      target:
        options.target === undefined
          ? undefined
          : { path: options.target, present, toCopy, free, fits: free === undefined || toCopy.bytes <= free },
    };
  } finally {
    await selection.close();
  }
}

/** Files of one category. Each file has a number, so that a set of them is small. */
interface Group {
  readonly files: Set<number>;
  bytes: number;
  licences: number;
}

async function byCategory({
  store,
  scope,
  signal,
}: PlanOptions): Promise<Pick<ContentPlan, 'products' | 'classifications'>> {
  const index = await store.contentIndex();
  const keys = scope.keys ?? (await store.listKeys());
  const numbers = new Map<Sha1Hex, number>();
  const products = new Map<UpdateId, Group>();
  const classifications = new Map<UpdateId, Group>();
  for (let first = 0; first < keys.length; first += KEYS_PER_QUERY) {
    throwIfInterrupted(signal, 'planning content');
    const run = keys.slice(first, first + KEYS_PER_QUERY);
    const files = new Map<RevisionKey, readonly { sha1: Sha1Hex; size: number; kind: ContentFileKind }[]>();
    for await (const lists of index.filesOf(run)) for (const [key, list] of lists) files.set(key, list);
    const withFiles = run.filter((key) => files.has(key));
    for await (const rows of store.exportRows(withFiles)) {
      for (const row of rows) {
        for (const file of files.get(row.key) ?? []) {
          if (scope.kinds?.includes(file.kind) === false) continue;
          const number = numbers.get(file.sha1) ?? numbers.size;
          numbers.set(file.sha1, number);
          for (const id of row.categories) count(products, id, number, file);
          for (const id of row.classifications) count(classifications, id, number, file);
        }
      }
    }
  }
  const titles = await store.titlesOf([...products.keys(), ...classifications.keys()]);
  const listed = (groups: ReadonlyMap<UpdateId, Group>): CategoryPlan[] =>
    [...groups]
      .map(([updateId, { files, bytes, licences }]) => ({
        updateId,
        title: titles.get(updateId) ?? updateId,
        files: files.size,
        bytes,
        licences,
      }))
      .sort((a, b) => b.bytes - a.bytes || (a.title < b.title ? -1 : 1));
  return { products: listed(products), classifications: listed(classifications) };
}

function count(
  groups: Map<UpdateId, Group>,
  id: UpdateId,
  number: number,
  { size, kind }: { size: number; kind: ContentFileKind },
): void {
  const group = groups.get(id) ?? { files: new Set<number>(), bytes: 0, licences: 0 };
  groups.set(id, group);
  if (group.files.has(number)) return;
  group.files.add(number);
  group.bytes += size;
  if (kind === 'licence') group.licences++;
}
