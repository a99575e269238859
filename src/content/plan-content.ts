/** Which content files a set of revisions needs: how many, how large, for what, and whether they fit a place. */
import { setImmediate } from 'node:timers/promises';
import { throwIfInterrupted } from '../errors.js';
import type { Report } from '../events.js';
import type { ContentFileKind, ContentState } from '../model/content-file.js';
import type { Sha1Hex } from '../model/digest.js';
import type { UpdateId } from '../model/update-identity.js';
import type { ContentIndex, ContentScope, ContentSelection } from '../store/content-index.js';
import type { MetadataStore, RevisionKey } from '../store/metadata-store.js';
import { checkContent } from './check-content.js';
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
  /** own content folder, to be looked at; undefined: the store's records say what is there */
  readonly here: string | undefined;
  readonly runner: ContentRunner;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface CategoryPlan extends Amount {
  readonly updateId: UpdateId;
  readonly title: string;
  /** of these: licence texts */
  readonly licences: number;
}

export interface ContentPlan {
  readonly wanted: Amount & Readonly<Record<ContentFileKind, Amount>>;
  /** by what the last check found, or as they lie on disk; `unchecked`: never looked for */
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
  const { store, scope, target, here, signal } = options;
  const index = await store.contentIndex(signal);
  const selection = await index.select(scope, signal);
  try {
    const states =
      here === undefined
        ? await recordedStates(selection, signal)
        : await lookHere(here, selection, index, options);
    return {
      wanted: selection.totals,
      states,
      ...(await byCategory(options, index)),
      target: target === undefined ? undefined : await planTarget(target, selection, options),
    };
  } finally {
    await selection.close();
  }
}

type States = Record<ContentState | 'unchecked', Amount>;

function noStates(): States {
  return { absent: NONE, verified: NONE, unverified: NONE, corrupt: NONE, unchecked: NONE };
}

async function recordedStates(selection: ContentSelection, signal: AbortSignal): Promise<States> {
  const states = noStates();
  for (const totals of await selection.states(signal)) {
    states[totals.state] = sum(states[totals.state], totals);
  }
  return states;
}

function sum(one: Amount, other: Amount): Amount {
  return { files: one.files + other.files, bytes: one.bytes + other.bytes };
}

/** Presence and size on disk; what earlier checks found counts for files that are unchanged since. */
async function lookHere(
  folder: string,
  selection: ContentSelection,
  index: ContentIndex,
  { runner, now, signal, report }: PlanOptions,
): Promise<States> {
  const states = noStates();
  const findings = checkContent({
    tree: await openContentTree(folder, runner),
    selection,
    index,
    records: 'of-this-tree',
    depth: 'quick',
    strays: false,
    runner,
    now,
    signal,
    report,
  });
  for await (const batch of findings) {
    for (const finding of batch) {
      if (finding.type === 'unchanged') states.verified = sum(states.verified, finding);
      if (finding.type !== 'file') continue;
      const { state } = finding.record;
      states[state] = plus(states[state], finding.file.size);
    }
  }
  return states;
}

async function planTarget(
  path: string,
  selection: ContentSelection,
  { runner, signal }: PlanOptions,
): Promise<NonNullable<ContentPlan['target']>> {
  const tree = await openContentTree(path, runner);
  let present = NONE;
  for (let folder = 0; folder < FOLDER_COUNT; folder++) {
    throwIfInterrupted(signal, 'planning content');
    const { files } = await tree.readFolder(folder);
    if (files.size === 0) continue;
    let after: Sha1Hex | undefined;
    for (;;) {
      const page = await selection.page(folder, after);
      if (page.length === 0) break;
      after = page.at(-1)?.sha1;
      for (const { sha1, size } of page)
        if (files.get(sha1)?.stamp.size === size) present = plus(present, size);
    }
  }
  const { totals } = selection;
  const toCopy = { files: totals.files - present.files, bytes: totals.bytes - present.bytes };
  const free = await freeSpaceAt(path);
  return { path, present, toCopy, free, fits: free === undefined || toCopy.bytes <= free };
}

interface Group {
  readonly updateId: UpdateId;
  readonly isProduct: boolean;
  files: number;
  bytes: number;
  licences: number;
}

/**
 * Memory grows with revisions and categories, not with files: files come one after the other with the revisions that
 * list them, and a revision is no more than the number of the set of categories it is in.
 */
async function byCategory(
  { store, scope, signal }: PlanOptions,
  index: ContentIndex,
): Promise<Pick<ContentPlan, 'products' | 'classifications'>> {
  const { groups, sets, setOf } = await loadCategories(scope.keys ?? (await store.listKeys()), store, signal);
  for await (const files of index.filesByDigest(scope)) {
    throwIfInterrupted(signal, 'planning content');
    for (const { users, size, kind } of files) {
      const [first, ...others] = new Set(users.map((key) => setOf.get(key) ?? 0));
      const members = sets[first ?? 0] ?? [];
      for (const group of others.length === 0
        ? members
        : new Set([...members, ...others.flatMap((set) => sets[set] ?? [])])) {
        group.files++;
        group.bytes += size;
        if (kind === 'licence') group.licences++;
      }
    }
  }
  const used = groups.filter(({ files }) => files > 0);
  const titles = await store.titlesOf(used.map(({ updateId }) => updateId));
  const listed = (isProduct: boolean): CategoryPlan[] =>
    used
      .filter((group) => group.isProduct === isProduct)
      .map(({ updateId, files, bytes, licences }) => ({
        updateId,
        title: titles.get(updateId) ?? updateId,
        files,
        bytes,
        licences,
      }))
      .sort((a, b) => b.bytes - a.bytes || (a.title < b.title ? -1 : 1));
  return { products: listed(true), classifications: listed(false) };
}

/** Which revision is in which categories; a revision that is in none is left out. */
async function loadCategories(
  keys: readonly RevisionKey[],
  store: MetadataStore,
  signal: AbortSignal,
): Promise<{
  readonly groups: readonly Group[];
  /** the first one is empty */
  readonly sets: readonly (readonly Group[])[];
  /** place in `sets` */
  readonly setOf: ReadonlyMap<RevisionKey, number>;
}> {
  const groups = new Map<UpdateId, Group>();
  const groupOf = (updateId: UpdateId, isProduct: boolean): Group => {
    const known = groups.get(updateId);
    if (known !== undefined) return known;
    const group = { updateId, isProduct, files: 0, bytes: 0, licences: 0 };
    groups.set(updateId, group);
    return group;
  };
  const sets: (readonly Group[])[] = [[]];
  const numbers = new Map<string, number>();
  const setOf = new Map<RevisionKey, number>();
  for (let first = 0; first < keys.length; first += KEYS_PER_QUERY) {
    for await (const rows of store.exportRows(keys.slice(first, first + KEYS_PER_QUERY), false)) {
      await setImmediate(); // signals are heard
      throwIfInterrupted(signal, 'planning content');
      for (const { key, categories, classifications } of rows) {
        if (categories.length + classifications.length === 0) continue;
        const name = [...categories, ...classifications].join();
        let number = numbers.get(name);
        if (number === undefined) {
          number = sets.length;
          numbers.set(name, number);
          sets.push([
            ...categories.map((id) => groupOf(id, true)),
            ...classifications.map((id) => groupOf(id, false)),
          ]);
        }
        setOf.set(key, number);
      }
    }
  }
  return { groups: [...groups.values()], sets, setOf };
}
