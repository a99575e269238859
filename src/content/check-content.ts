/**
 * Compares a content folder with what the metadata calls for, folder by folder, so that memory does not grow with the
 * number of files. `reset`, `content verify`, `movecontent -skipcopy` and `checkhealth` all look through this.
 */
import { throwIfInterrupted } from '../errors.js';
import type { Report } from '../events.js';
import {
  type ContentProblem,
  type ContentRecord,
  type FileStamp,
  sameStamp,
  type WantedFile,
} from '../model/content-file.js';
import type { Sha1Hex } from '../model/digest.js';
import type { ContentIndex, ContentSelection, ContentTotals } from '../store/content-index.js';
import type { ContentRunner } from './content-runner.js';
import type { FileReading } from './content-tasks.js';
import {
  type ContentTree,
  type Stray,
  type TreeFile,
  type TreeFolder,
  unlistedFolder,
} from './content-tree.js';
import { FOLDER_COUNT } from './layout.js';

/** Folders listed ahead of the one that is compared. */
const FOLDERS_AHEAD = 4;
/** One task of a hashing thread: many small files, or one large one. */
const FILES_PER_TASK = 256;
const BYTES_PER_TASK = 32 << 20;
/** Tasks under way for each one the threads can run: a large file must not leave the other threads idle. */
const TASKS_AHEAD = 2;
const PROGRESS_MS = 250;

export interface CheckOptions {
  readonly tree: ContentTree;
  readonly selection: ContentSelection;
  /** tells orphans from files outside the selection */
  readonly index: ContentIndex;
  /** `of-this-tree`: the store's records are about this very folder; `of-another`: they say nothing about it */
  readonly records: 'of-this-tree' | 'of-another';
  /** `full`: every byte is read; `quick`: presence, size, and what earlier checks found */
  readonly depth: 'full' | 'quick';
  /**
   * A file whose last record is of this moment or later, and that is unchanged since, is not read again: how a check
   * that was broken off goes on. Undefined: every file is read.
   */
  readonly trustSince?: number | undefined;
  /** For a quick check: true if the file is known to be right by other means than the store's records. */
  readonly isKnownGood?: (file: WantedFile, stamp: FileStamp) => boolean;
  /** whether unexpected files are wanted too */
  readonly strays: boolean;
  readonly runner: ContentRunner;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly report: Report;
  /** Asked before each portion of work: true ends the check early, with what was begun completed. */
  readonly isTimeUp?: () => boolean;
}

/** What was found out about one file the metadata calls for. */
export interface FileFinding {
  readonly type: 'file';
  readonly file: WantedFile;
  readonly record: ContentRecord;
  /** where it lies; undefined: nowhere */
  readonly path: string | undefined;
  /** it lies under another name than the layout's (case, leading zero, extension) */
  readonly isMisplaced: boolean;
  /** `read`: hashed just now; `known`: unchanged since it was; `seen`: its size was compared */
  readonly how: 'read' | 'known' | 'seen';
  /** more about the problem, for people */
  readonly detail: string | undefined;
}

export interface StrayFinding {
  readonly type: 'stray';
  readonly stray: Stray;
}

/** A folder that is as the last check left it: every file there, verified and unchanged. */
export interface UnchangedFinding extends ContentTotals {
  readonly type: 'unchanged';
}

export type Finding = FileFinding | StrayFinding | UnchangedFinding;

export interface CheckEnd {
  /** false: the time was up */
  readonly isComplete: boolean;
}

/** A file that has to be read, and where it lies. */
interface Candidate {
  readonly file: WantedFile;
  readonly found: TreeFile;
}

/**
 * Checks the selected files and finds the strangers. Findings come folder by folder, within them in no order.
 *
 * @throws WsusutilError `INTERRUPTED`, `READ_FAILED`
 */
export async function* checkContent(
  options: CheckOptions,
): AsyncGenerator<readonly Finding[], CheckEnd, undefined> {
  const { selection, runner, report, signal, tree } = options;
  const { totals } = selection;
  const isFull = options.depth === 'full';
  report({ type: 'stage-started', stage: 'verifying', unit: 'files', total: totals.files });
  let done = 0;
  /** bytes of files that are settled without reading them */
  let skippedBytes = 0;
  const tell = () =>
    report({
      type: 'progress',
      stage: 'verifying',
      done,
      total: totals.files,
      bytes: isFull ? runner.bytesRead + skippedBytes : 0,
      totalBytes: isFull ? totals.bytes : undefined,
    });
  const settle = (findings: readonly Finding[]) => {
    for (const finding of findings) {
      if (finding.type === 'unchanged') {
        done += finding.files;
        continue;
      }
      if (finding.type !== 'file') continue;
      done++;
      if (finding.how !== 'read') skippedBytes += finding.file.size;
    }
    return findings;
  };

  const running = new Set<Promise<readonly FileFinding[]>>();
  const finished: (readonly FileFinding[])[] = [];
  let failure: { readonly error: unknown } | undefined;
  const start = (candidates: readonly Candidate[]) => {
    const task = readCandidates(candidates, options).then(
      (findings) => {
        running.delete(task);
        finished.push(findings);
        return findings;
      },
      (error: unknown) => {
        running.delete(task);
        failure ??= { error };
        return [];
      },
    );
    running.add(task);
  };
  const take = () => {
    if (failure !== undefined) throw failure.error;
    return settle(finished.splice(0).flat());
  };

  const timer = setInterval(tell, PROGRESS_MS);
  timer.unref();
  try {
    if (options.strays && tree.strays.length > 0) {
      yield tree.strays.map((stray): StrayFinding => ({ type: 'stray', stray }));
    }
    const folders = readAhead(options);
    let waiting: Candidate[] = [];
    let waitingBytes = 0;
    let isComplete = true;
    for (let folder = 0; folder < FOLDER_COUNT; folder++) {
      throwIfInterrupted(signal, 'checking content files');
      if (options.isTimeUp?.() === true) {
        isComplete = false;
        break;
      }
      const found = await folders(folder);
      if ('type' in found) {
        yield settle([found]);
        continue;
      }
      const { files, notFiles, strays } = found;
      const unlisted = unlistedFolder(found, tree);
      const unclaimed = new Map<Sha1Hex, TreeFile | Stray>([...files, ...notFiles]);
      let after: Sha1Hex | undefined;
      for (;;) {
        const page = await selection.page(folder, after);
        if (page.length === 0) break;
        after = page.at(-1)?.sha1;
        const settled: FileFinding[] = [];
        for (const file of page) {
          const found = files.get(file.sha1);
          unclaimed.delete(file.sha1);
          const finding = lookAt(file, found ?? notFiles.get(file.sha1), unlisted, options);
          if (finding !== undefined || found === undefined) {
            if (finding !== undefined) settled.push(finding);
            continue;
          }
          waiting.push({ file, found });
          waitingBytes += file.size;
          if (waiting.length < FILES_PER_TASK && waitingBytes < BYTES_PER_TASK) continue;
          start(waiting);
          waiting = [];
          waitingBytes = 0;
          while (running.size >= runner.concurrency * TASKS_AHEAD) {
            await Promise.race(running);
            throwIfInterrupted(signal, 'checking content files');
            yield take();
          }
          if (options.isTimeUp?.() === true) {
            isComplete = false;
            break;
          }
        }
        if (settled.length > 0) yield settle(settled);
        if (!isComplete) break;
      }
      if (!isComplete) break;
      if (options.strays) {
        const found = await strangersAmong(strays, unclaimed, options.index);
        if (found.length > 0) yield found;
      }
    }
    if (waiting.length > 0 && isComplete) start(waiting);
    while (running.size > 0) {
      await Promise.race(running);
      throwIfInterrupted(signal, 'checking content files');
      yield take();
    }
    yield take();
    tell();
    report({ type: 'stage-finished', stage: 'verifying', done });
    return { isComplete };
  } finally {
    clearInterval(timer);
  }
}

/** Looks at the folders before they are asked for, which must be in order. */
function readAhead(options: CheckOptions): (folder: number) => Promise<TreeFolder | UnchangedFinding> {
  const reading: Promise<TreeFolder | UnchangedFinding>[] = [];
  let next = 0;
  return (folder) => {
    for (; next < Math.min(FOLDER_COUNT, folder + 1 + FOLDERS_AHEAD); next++) {
      const listing = lookAtFolder(next, options);
      listing.catch(() => {}); // told when its turn comes
      reading.push(listing);
    }
    return reading.shift() as Promise<TreeFolder | UnchangedFinding>;
  };
}

/** Compares a folder as a whole where a quick check may, and lists it where that tells a difference. */
async function lookAtFolder(
  folder: number,
  { tree, selection, depth, records }: CheckOptions,
): Promise<TreeFolder | UnchangedFinding> {
  if (depth === 'quick' && records === 'of-this-tree') {
    const expected = await selection.expectation(folder);
    if (expected !== undefined && (await tree.summarizeFolder(folder)) === expected.listing) {
      return { type: 'unchanged', files: expected.files, bytes: expected.bytes };
    }
  }
  return tree.readFolder(folder);
}

/** Judges a file without reading it; undefined if it has to be read. */
function lookAt(
  file: WantedFile,
  found: TreeFile | Stray | undefined,
  unlisted: Stray | undefined,
  options: CheckOptions,
): FileFinding | undefined {
  const known = options.records === 'of-this-tree' ? file.record : undefined;
  if (found === undefined && unlisted !== undefined) {
    // It may well be there: nobody knows.
    const facts = { problem: 'unreadable', detail: unlisted.detail ?? unlisted.reason } as const;
    return { ...finding(file, options, unlisted, facts), path: undefined };
  }
  if (found === undefined) return absence(file, known, options);
  if (!('stamp' in found)) {
    const problem = found.reason === 'unreadable' ? 'unreadable' : 'not-a-file';
    return finding(file, options, found, { problem, detail: found.detail ?? found.reason });
  }
  const { stamp } = found;
  if (stamp.size !== file.size) {
    return finding(file, options, found, { stamp, problem: 'short', detail: sizeDetail(stamp.size, file) });
  }
  const isUnchanged = known !== undefined && known.state !== 'unverified' && sameStamp(known.stamp, stamp);
  if (options.depth === 'quick') {
    if (options.isKnownGood?.(file, stamp) === true) {
      return finding(file, options, found, { stamp, isVerified: true });
    }
    return isUnchanged ? knownFinding(file, known, found) : finding(file, options, found, { stamp });
  }
  const { trustSince } = options;
  return isUnchanged && trustSince !== undefined && known.checkedAt >= trustSince
    ? knownFinding(file, known, found)
    : undefined;
}

async function readCandidates(
  candidates: readonly Candidate[],
  options: CheckOptions,
): Promise<readonly FileFinding[]> {
  const readings = await options.runner.read(
    candidates.map(({ file, found }) => ({ path: found.path, size: file.size })),
  );
  return candidates.map(({ file, found }, index) =>
    judge(file, found, readings[index] as FileReading, options),
  );
}

function judge(file: WantedFile, found: TreeFile, reading: FileReading, options: CheckOptions): FileFinding {
  switch (reading.outcome) {
    case 'missing':
      return absence(file, file.record, options);
    case 'not-a-file':
      return finding(file, options, found, { problem: 'not-a-file' });
    case 'unreadable':
      return finding(file, options, found, { problem: 'unreadable', detail: reading.reason });
    case 'size':
      return finding(file, options, found, {
        stamp: reading.stamp,
        problem: 'short',
        detail: sizeDetail(reading.stamp.size, file),
      });
    case 'changed':
      return finding(file, options, found, {
        stamp: reading.stamp,
        detail: 'it was changed while it was read',
      });
    case 'read': {
      const { stamp, sha1, sha256 } = reading;
      if (sha1 !== file.sha1) {
        return finding(file, options, found, { stamp, problem: 'sha1', detail: `SHA-1 is ${sha1}` });
      }
      if (file.sha256 !== undefined && sha256 !== file.sha256) {
        return finding(file, options, found, { stamp, problem: 'sha256', detail: `SHA-256 is ${sha256}` });
      }
      return { ...finding(file, options, found, { stamp, isVerified: true }), how: 'read' };
    }
  }
}

/** What an earlier check found, of a file that is unchanged since. */
function knownFinding(file: WantedFile, record: ContentRecord, found: TreeFile): FileFinding {
  const { path, isInPlace } = found;
  return { type: 'file', file, record, path, isMisplaced: !isInPlace, how: 'known', detail: undefined };
}

function absence(
  file: WantedFile,
  known: ContentRecord | undefined,
  { now }: Pick<CheckOptions, 'now'>,
): FileFinding {
  const wasThere = known !== undefined && (known.state !== 'absent' || known.problem === 'lost');
  return {
    type: 'file',
    file,
    path: undefined,
    isMisplaced: false,
    how: 'seen',
    detail: undefined,
    record: {
      state: 'absent',
      problem: wasThere ? 'lost' : undefined,
      checkedAt: now().getTime(),
      stamp: undefined,
    },
  };
}

function finding(
  file: WantedFile,
  { now }: Pick<CheckOptions, 'now'>,
  found: TreeFile | Stray,
  facts: {
    readonly stamp?: FileStamp;
    readonly problem?: ContentProblem;
    readonly detail?: string;
    readonly isVerified?: boolean;
  },
): FileFinding {
  const { problem } = facts;
  const state = problem !== undefined ? 'corrupt' : facts.isVerified === true ? 'verified' : 'unverified';
  return {
    type: 'file',
    file,
    path: found.path,
    isMisplaced: 'isInPlace' in found && !found.isInPlace,
    how: problem === 'sha1' || problem === 'sha256' ? 'read' : 'seen',
    detail: facts.detail,
    record: { state, problem, checkedAt: now().getTime(), stamp: facts.stamp },
  };
}

function sizeDetail(size: number, file: WantedFile): string {
  return `${size} of ${file.size} bytes`;
}

/** Files outside the selection are no strangers; what no revision calls for is an orphan. */
export async function strangersAmong(
  strays: readonly Stray[],
  unclaimed: ReadonlyMap<Sha1Hex, TreeFile | Stray>,
  index: ContentIndex,
): Promise<readonly StrayFinding[]> {
  const known = await index.find([...unclaimed.keys()]);
  const found: Stray[] = [...strays];
  for (const [sha1, each] of unclaimed) {
    if (known.has(sha1)) continue;
    if (!('stamp' in each)) found.push(each);
    else {
      const { size, modifiedAt } = each.stamp;
      found.push({ path: each.path, reason: 'orphan', size, modifiedAt });
    }
  }
  return found.map((stray) => ({ type: 'stray', stray }));
}
