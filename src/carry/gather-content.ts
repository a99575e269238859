/** Which content files go along: those the chosen revisions call for, lie here whole, and are not at the destination. */
import type { ContentRunner } from '../content/content-runner.js';
import { type Amount, NONE, plus } from '../content/content-tally.js';
import { openContentTree } from '../content/content-tree.js';
import { FOLDER_COUNT } from '../content/layout.js';
import { throwIfInterrupted } from '../errors.js';
import type { Report } from '../events.js';
import { type ContentFileKind, sameStamp, type WantedFile } from '../model/content-file.js';
import type { Sha1Hex, Sha256Hex } from '../model/digest.js';
import { selectWithNeeds } from '../packages/select-revisions.js';
import type { ContentScope, ContentSelection } from '../store/content-index.js';
import type { MetadataStore, RevisionKey } from '../store/metadata-store.js';

/** One task of a reading thread. */
const FILES_PER_TASK = 64;
/** Missing files that a package names one by one. */
const MAX_LISTED_MISSING = 10_000;

/** A file that wanted updates call for, and that is neither here nor at the destination. */
export type MissingFile = Pick<WantedFile, 'sha1' | 'size' | 'kind' | 'fileName'>;

/** A content file that goes into the package. */
export interface SourceFile extends MissingFile {
  readonly sha256: Sha256Hex;
  /** where it lies here; absolute */
  readonly path: string;
}

export interface MissingContent extends Amount {
  readonly licences: Amount;
  /** the first of them */
  readonly list: readonly MissingFile[];
}

export interface GatheredContent {
  readonly files: readonly SourceFile[];
  /** what the destination holds already, going by the packages it was sent */
  readonly held: Amount;
  readonly missing: MissingContent;
  /** files that wanted updates call for, and that do not go along because their kind does not */
  readonly leftOut: MissingContent;
}

export interface GatherOptions {
  readonly store: MetadataStore;
  /** of the chosen revisions, or of listed files */
  readonly scope: ContentScope;
  /** only these; undefined: all of the scope */
  readonly only: ReadonlySet<Sha1Hex> | undefined;
  /** whether express files are kept here: if not, those that are not here are not missed */
  readonly wantsExpress: boolean;
  /** what the destination holds */
  readonly held: ReadonlySet<Sha1Hex>;
  /** the folder that holds `00` … `FF`; undefined: there is none */
  readonly contentFolder: string | undefined;
  readonly runner: ContentRunner;
  readonly signal: AbortSignal;
  readonly report: Report;
}

type Candidate = Omit<SourceFile, 'sha256'> & { readonly sha256: Sha256Hex | undefined };

/**
 * A file that the last check found right, and that is unchanged since, is taken at its word: it is read through both
 * hashes once more while it goes out. All others are read now.
 *
 * @throws WsusutilError `READ_FAILED`, `INTERRUPTED`
 */
export async function gatherContent(options: GatherOptions): Promise<GatheredContent> {
  const { store, scope, only, held, contentFolder, runner, signal } = options;
  const index = await store.contentIndex();
  const selection = await index.select(scope);
  const known: SourceFile[] = [];
  const unread: Candidate[] = [];
  const absent = new Map<Sha1Hex, MissingFile>();
  let heldAmount = NONE;
  try {
    const tree = contentFolder === undefined ? undefined : await openContentTree(contentFolder, runner);
    for (let folder = 0; folder < FOLDER_COUNT; folder++) {
      throwIfInterrupted(signal, 'looking for content files');
      const wanted = await listFolder(selection, folder, only);
      if (wanted.length === 0) continue;
      const lacking = wanted.filter(({ sha1 }) => !held.has(sha1));
      for (const { sha1, size } of wanted) if (held.has(sha1)) heldAmount = plus(heldAmount, size);
      if (lacking.length === 0) continue;
      const there = (await tree?.readFolder(folder))?.files;
      for (const { sha1, sha256, size, kind, fileName, record } of lacking) {
        const file = there?.get(sha1);
        if (file === undefined || file.stamp.size !== size) {
          absent.set(sha1, { sha1, size, kind, fileName });
          continue;
        }
        const isKnownGood = record?.state === 'verified' && sameStamp(record.stamp, file.stamp);
        const source = { sha1, size, kind, fileName, path: file.path };
        if (isKnownGood && sha256 !== undefined) known.push({ ...source, sha256 });
        else unread.push({ ...source, sha256 });
      }
    }
  } finally {
    await selection.close();
  }
  const { good, bad } = await readFiles(unread, options);
  for (const { sha1, size, kind, fileName } of bad) absent.set(sha1, { sha1, size, kind, fileName });
  return {
    files: [...known, ...good],
    held: heldAmount,
    missing: await keepWanted(absent, options),
    leftOut: await listLeftOut(options),
  };
}

async function listFolder(
  selection: ContentSelection,
  folder: number,
  only: ReadonlySet<Sha1Hex> | undefined,
): Promise<readonly WantedFile[]> {
  const all: WantedFile[] = [];
  let after: Sha1Hex | undefined;
  for (;;) {
    const page = await selection.page(folder, after);
    if (page.length === 0) return all;
    after = page.at(-1)?.sha1;
    for (const file of page) if (only?.has(file.sha1) ?? true) all.push(file);
  }
}

async function readFiles(
  files: readonly Candidate[],
  { runner, signal, report }: GatherOptions,
): Promise<{ readonly good: readonly SourceFile[]; readonly bad: readonly Candidate[] }> {
  const good: SourceFile[] = [];
  const bad: Candidate[] = [];
  if (files.length === 0) return { good, bad };
  const totalBytes = files.reduce((sum, { size }) => sum + size, 0);
  report({ type: 'stage-started', stage: 'checking', unit: 'files', total: files.length });
  let next = 0;
  let done = 0;
  let bytes = 0;
  const work = async () => {
    while (next < files.length) {
      throwIfInterrupted(signal, 'reading content files');
      const task = files.slice(next, next + FILES_PER_TASK);
      next += task.length;
      const readings = await runner.read(task.map(({ path, size }) => ({ path, size })));
      for (const [position, file] of task.entries()) {
        const reading = readings[position];
        const isRight =
          reading?.outcome === 'read' &&
          reading.sha1 === file.sha1 &&
          (file.sha256 === undefined || file.sha256 === reading.sha256);
        if (isRight) good.push({ ...file, sha256: reading.sha256 });
        else bad.push(file);
        bytes += file.size;
      }
      done += task.length;
      report({ type: 'progress', stage: 'checking', done, total: files.length, bytes, totalBytes });
    }
  };
  await Promise.all(Array.from({ length: runner.concurrency }, work));
  report({ type: 'stage-finished', stage: 'checking', done });
  return { good, bad };
}

/**
 * Of the files that are not here, those that a client could ask for: licence texts of newest revisions that are not
 * expired, and other files of those that are not superseded either, with all they need. As `checkhealth` counts them.
 */
async function keepWanted(
  absent: ReadonlyMap<Sha1Hex, MissingFile>,
  { store, scope, only, wantsExpress }: GatherOptions,
): Promise<MissingContent> {
  let missing: Amount = NONE;
  let licences: Amount = NONE;
  const list: MissingFile[] = [];
  const take = (file: MissingFile) => {
    missing = plus(missing, file.size);
    if (file.kind === 'licence') licences = plus(licences, file.size);
    if (list.length < MAX_LISTED_MISSING) list.push(file);
  };
  if (absent.size > 0) {
    if (only !== undefined) for (const file of absent.values()) take(file);
    else {
      const wanted = new Set<Sha1Hex>();
      const index = await store.contentIndex();
      for (const each of await wantedScopes(store, scope, wantsExpress)) {
        for await (const digests of index.digestsOf(each)) for (const sha1 of digests) wanted.add(sha1);
      }
      for (const file of absent.values()) if (wanted.has(file.sha1)) take(file);
    }
  }
  return { ...missing, licences, list };
}

const ALL_KINDS: readonly ContentFileKind[] = ['payload', 'express', 'licence'];

async function listLeftOut({
  store,
  scope,
  only,
  held,
  wantsExpress,
  signal,
}: GatherOptions): Promise<MissingContent> {
  let amount: Amount = NONE;
  const list: MissingFile[] = [];
  const kinds = ALL_KINDS.filter((kind) => scope.kinds?.includes(kind) === false);
  const isAsked = only === undefined && kinds.length > 0;
  const scopes = isAsked ? await wantedScopes(store, { ...scope, kinds }, wantsExpress) : [];
  const index = await store.contentIndex();
  for (const wanted of scopes) {
    if (wanted.kinds?.length === 0) continue;
    const selection = await index.select(wanted);
    try {
      for (let folder = 0; folder < FOLDER_COUNT; folder++) {
        throwIfInterrupted(signal, 'looking for content files');
        for (const { sha1, size, kind, fileName } of await listFolder(selection, folder, undefined)) {
          if (held.has(sha1)) continue;
          amount = plus(amount, size);
          if (list.length < MAX_LISTED_MISSING) list.push({ sha1, size, kind, fileName });
        }
      }
    } finally {
      await selection.close();
    }
  }
  return { ...amount, licences: NONE, list };
}

/**
 * The files that a client could ask for: licence texts of newest revisions that are not expired, other files of those
 * that are not superseded either, with all they need.
 */
export async function wantedScopes(
  store: MetadataStore,
  scope: ContentScope,
  wantsExpress: boolean,
): Promise<readonly Required<ContentScope>[]> {
  const chosen = scope.keys === undefined ? undefined : new Set<RevisionKey>(scope.keys);
  const within = (keys: readonly RevisionKey[]) =>
    chosen === undefined ? keys : keys.filter((key) => chosen.has(key));
  const kinds = scope.kinds ?? ALL_KINDS;
  const graph = await store.dependencyGraph();
  const current = within(await selectWithNeeds(store, { expired: false, deployableOnly: true }, graph));
  const wanted = within(
    await selectWithNeeds(store, { expired: false, superseded: false, deployableOnly: true }, graph),
  );
  return [
    { keys: current, kinds: kinds.filter((kind) => kind === 'licence') },
    {
      keys: wanted,
      kinds: kinds.filter((kind) => kind === 'payload' || (wantsExpress && kind === 'express')),
    },
  ];
}
