/**
 * Copies content files by list, never by date: what the metadata calls for and the source holds. Every byte is
 * verified while it is copied. A file has its name only when it is whole, right and on the disk; nothing is deleted.
 */
import { access, constants, lstat, rm } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { isWsusutilError, throwIfInterrupted, WsusutilError } from '../errors.js';
import type { Report } from '../events.js';
import {
  type ContentProblem,
  contentPath,
  type FileStamp,
  sameStamp,
  type WantedFile,
} from '../model/content-file.js';
import type { Sha1Hex } from '../model/digest.js';
import { syncDirectory, writeError } from '../platform/atomic-file.js';
import { shareFileSystem } from '../platform/volume.js';
import type { ContentRunner } from './content-runner.js';
import { type Amount, type ListedProblem, MAX_LISTED, NONE, plus } from './content-tally.js';
import { type FileCopy, type FileReading, stampOf } from './content-tasks.js';
import {
  type ContentTree,
  openContentTree,
  type Stray,
  type StrayReason,
  type TreeFile,
  unlistedFolder,
} from './content-tree.js';
import type { CopyJournal } from './copy-journal.js';
import { freeSpaceAt, nearestFolder } from './free-space.js';
import { FOLDER_COUNT, folderName, OWN_FOLDER, pathOf } from './layout.js';
import { noRealFolder } from './own-folder.js';
import { preparePartialFolder, temporaryNameOf } from './partial-folder.js';
import { publishFile } from './publish-file.js';

/** One task of a copying thread. */
const FILES_PER_TASK = 128;
const BYTES_PER_TASK = 32 << 20;
/** Files that are synced and named at once. */
const SYNCS_AT_ONCE = 16;
const PROGRESS_MS = 250;

/** The files that are wanted, folder by folder, in pages. */
export interface WantedFiles {
  readonly totals: Amount;
  /** `record`: what the last check found out about the source's file; a dry run goes by it */
  page(
    folder: number,
    after: Sha1Hex | undefined,
  ): Promise<
    readonly (Pick<WantedFile, 'sha1' | 'sha256' | 'size' | 'fileName' | 'kind'> &
      Partial<Pick<WantedFile, 'record'>>)[]
  >;
}

type Wanted = Awaited<ReturnType<WantedFiles['page']>>[number];

export interface CopyOptions {
  readonly source: string;
  readonly target: string;
  readonly wanted: WantedFiles;
  /** of the target; the caller closes it */
  readonly journal: CopyJournal;
  /** reflinks or hard links where both share a file system */
  readonly link: boolean;
  readonly dryRun: boolean;
  readonly runner: ContentRunner;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface CopySummary {
  readonly source: string;
  readonly target: string;
  readonly dryRun: boolean;
  readonly wanted: Amount;
  /** at the target before, and right; for a dry run: known to be, from when they were copied there */
  readonly present: Amount;
  readonly copied: Amount;
  /** of these: without their own bytes on the disk */
  readonly linked: Amount;
  /** of these: in the place of a damaged file; for a dry run: of those to copy */
  readonly replaced: Amount;
  /** what the source does not have, or has damaged, and what has no place at the target */
  readonly notCopied: Amount & { readonly licences: Amount };
  readonly notCopiedFiles: readonly ListedProblem[];
  /** what was to be copied, by names, sizes and what is known of the target */
  readonly toCopy: Amount;
  /** what a dry run cannot tell, since it reads no file; nothing for a real run */
  readonly unread: {
    /** at the target in the right size: a run reads it, and copies it too if it is damaged */
    readonly target: Amount;
    /** of those to copy: no check found them right since they were last changed; damaged ones are not copied */
    readonly source: Amount;
  };
  /** bytes at the target before; undefined: the system does not say */
  readonly free: number | undefined;
  /** whether what is to be copied finds room; a run that finds none copies nothing */
  readonly fits: boolean;
  /** whether this account may write at the target, as far as the system says without trying */
  readonly writable: boolean;
}

/**
 * @throws WsusutilError `DISK_FULL` (also before anything is copied), `READ_ONLY`, `WRITE_FAILED`, `READ_FAILED`,
 *   `INTERRUPTED`. What was copied until then stays; another run goes on.
 */
export async function copyContent(options: CopyOptions): Promise<CopySummary> {
  const copy = new Copy(options);
  try {
    return await copy.perform();
  } catch (error) {
    await copy.close(); // what is being named now counts too
    throw isWsusutilError(error, 'INTERRUPTED') ? copy.interruption(error) : error;
  } finally {
    await copy.close();
  }
}

/** A wanted file, and what has its name here and there. */
interface Pair {
  readonly file: Wanted;
  readonly source: TreeFile | Stray | undefined;
  /** what has to be looked at before it counts as there, or is in the way */
  readonly there: TreeFile | Stray | undefined;
  /** why the folder at the source cannot be listed */
  readonly unlisted: string | undefined;
  /** what is in the place of the folder at the target, and none */
  readonly obstacle: string | undefined;
}

/** What becomes of a file, as far as names, sizes, stamps and the journal tell. */
type Fate =
  | { readonly type: 'present' }
  | ({ readonly type: 'missing' } & Lack)
  /** to be read at the target, and copied if it is damaged there */
  | { readonly type: 'unread'; readonly source: TreeFile | Lack; readonly there: TreeFile }
  | { readonly type: 'copy'; readonly source: TreeFile; readonly place: string | undefined };

/** Why there is nothing to copy. */
type Lack = Pick<ListedProblem, 'problem' | 'detail'>;

interface Candidate {
  readonly file: Wanted;
  readonly source: TreeFile | Lack;
  /** to be read first */
  readonly there: TreeFile | undefined;
  /** what the copy takes the place of; undefined: nothing */
  readonly place: string | undefined;
}

class Copy {
  readonly #options: CopyOptions;
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  #done = 0;
  #present: Amount = NONE;
  #copied: Amount = NONE;
  #linked: Amount = NONE;
  #replaced: Amount = NONE;
  #notCopied: Amount = NONE;
  #licencesNotCopied: Amount = NONE;
  readonly #notCopiedFiles: ListedProblem[] = [];

  constructor(options: CopyOptions) {
    this.#options = options;
  }

  async close(): Promise<void> {
    if (this.#running.size > 0) {
      this.#options.runner.stop();
      await Promise.allSettled(this.#running);
    }
  }

  /** What was copied stays, unlike what other commands had begun. */
  interruption(error: WsusutilError): WsusutilError {
    const { files } = this.#copied;
    const done = `${error.message}; ${files} ${files === 1 ? 'file was' : 'files were'} copied until then`;
    return new WsusutilError('INTERRUPTED', this.#options.dryRun ? error.message : done, {
      hint: 'Nothing half-finished was left behind; the same command goes on.',
      details: { copied: this.#copied },
      cause: error.cause,
    });
  }

  async perform(): Promise<CopySummary> {
    const { source, target, wanted, dryRun, runner } = this.#options;
    const trees = {
      source: await openContentTree(source, runner),
      target: await openContentTree(target, runner),
    };
    const ownStray = trees.target.strays.find(({ path }) => basename(path) === OWN_FOLDER);
    if (ownStray !== undefined) throw noRealFolder(ownStray.path);
    const { toCopy, unread } = await this.#measure(trees);
    const free = await freeSpaceAt(target);
    const fits = free === undefined || toCopy.bytes <= free || (await this.#takesNoSpace());
    if (!dryRun) {
      if (!fits) throw tooLarge(target, toCopy, free);
      await preparePartialFolder(this.#options.target);
      await this.#copyAll(trees);
    }
    return {
      source,
      target,
      dryRun,
      wanted: wanted.totals,
      present: this.#present,
      copied: this.#copied,
      linked: this.#linked,
      replaced: this.#replaced,
      notCopied: { ...this.#notCopied, licences: this.#licencesNotCopied },
      notCopiedFiles: this.#notCopiedFiles,
      toCopy,
      unread,
      free,
      fits,
      writable: await mayWrite(target),
    };
  }

  /** Foretells what the run does without reading a file. */
  async #measure(trees: Trees): Promise<Pick<CopySummary, 'toCopy' | 'unread'>> {
    let toCopy = NONE;
    let unreadSource = NONE;
    let unreadTarget = NONE;
    const { dryRun } = this.#options;
    for await (const pair of this.#pairs(trees)) {
      const { file } = pair;
      const fate = this.#foretell(pair);
      if (fate.type === 'copy') {
        const problem = dryRun ? knownProblem(file, fate.source) : undefined;
        if (problem !== undefined) {
          this.#miss(file, problem, 'as the last check found it');
          continue;
        }
        toCopy = plus(toCopy, file.size);
        if (!dryRun) continue;
        if (fate.place !== undefined) this.#replaced = plus(this.#replaced, file.size);
        if (!isKnownGood(file, fate.source)) unreadSource = plus(unreadSource, file.size);
      } else if (dryRun) {
        if (fate.type === 'present') this.#present = plus(this.#present, file.size);
        else if (fate.type === 'unread') unreadTarget = plus(unreadTarget, file.size);
        else this.#miss(file, fate.problem, fate.detail);
      }
    }
    return { toCopy, unread: { source: unreadSource, target: unreadTarget } };
  }

  /** @throws WsusutilError `WRITE_FAILED` if the file has to go into a folder that is none */
  #foretell({ file, source: found, there, unlisted, obstacle }: Pair): Fate {
    const source: TreeFile | Lack =
      found === undefined && unlisted !== undefined
        ? { problem: 'unreadable', detail: unlisted }
        : sourceOf(file, found);
    if (there !== undefined && 'stamp' in there && there.stamp.size === file.size) {
      return this.#options.journal.knows(file.sha1, there.stamp)
        ? { type: 'present' }
        : { type: 'unread', source, there };
    }
    if ('problem' in source) return { type: 'missing', ...source };
    if (obstacle !== undefined && there === undefined) throw noRealFolder(obstacle);
    if (there === undefined || 'stamp' in there || there.reason === 'link') {
      return { type: 'copy', source, place: there?.path };
    }
    // Under another extension it is not in the way, unless the file system sees no difference.
    const place = pathOf(this.#options.target, file);
    if (there.path.toLowerCase() !== place.toLowerCase()) return { type: 'copy', source, place: undefined };
    const what = KIND_TEXTS[there.reason] ?? 'something that cannot be looked at';
    return { type: 'missing', problem: 'not-a-file', detail: `${what} is in its place at the target` };
  }

  /** Linked files take no space. */
  async #takesNoSpace(): Promise<boolean> {
    const { source, target, link } = this.#options;
    return link && (await shareFileSystem(await nearestFolder(target), source));
  }

  async #copyAll(trees: Trees): Promise<void> {
    const { wanted, runner, report, signal } = this.#options;
    report({ type: 'stage-started', stage: 'copying', unit: 'files', total: wanted.totals.files });
    let skippedBytes = 0;
    const tell = () =>
      report({
        type: 'progress',
        stage: 'copying',
        done: this.#done,
        total: wanted.totals.files,
        bytes: runner.bytesRead + skippedBytes,
        totalBytes: wanted.totals.bytes,
      });
    const timer = setInterval(tell, PROGRESS_MS);
    timer.unref();
    try {
      let batch: Candidate[] = [];
      let batchBytes = 0;
      for await (const pair of this.#pairs(trees)) {
        throwIfInterrupted(signal, 'copying content files');
        const { file } = pair;
        const fate = this.#foretell(pair);
        if (fate.type === 'present' || fate.type === 'missing') {
          this.#done++;
          skippedBytes += file.size;
          if (fate.type === 'present') this.#present = plus(this.#present, file.size);
          else this.#miss(file, fate.problem, fate.detail);
          continue;
        }
        batch.push(
          fate.type === 'copy'
            ? { file, source: fate.source, there: undefined, place: fate.place }
            : { file, source: fate.source, there: fate.there, place: fate.there.path },
        );
        batchBytes += file.size;
        if (batch.length < FILES_PER_TASK && batchBytes < BYTES_PER_TASK) continue;
        this.#start(batch);
        batch = [];
        batchBytes = 0;
        while (this.#running.size >= runner.concurrency + 1) await this.#wait();
      }
      if (batch.length > 0) this.#start(batch);
      while (this.#running.size > 0) await this.#wait();
      if (this.#failure !== undefined) throw this.#failure.error;
      tell();
      report({ type: 'stage-finished', stage: 'copying', done: this.#done });
    } finally {
      clearInterval(timer);
    }
  }

  #start(batch: readonly Candidate[]): void {
    const task = this.#handle(batch)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#running.delete(task));
    this.#running.add(task);
  }

  async #wait(): Promise<void> {
    await Promise.race(this.#running);
    throwIfInterrupted(this.#options.signal, 'copying content files');
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** First what lies at the target is read, then what is not right there is copied. */
  async #handle(batch: readonly Candidate[]): Promise<void> {
    const { runner, target } = this.#options;
    const sized = batch.filter(hasFileThere);
    const readings = await runner.read(
      sized.map(({ file, there }) => ({ path: there.path, size: file.size })),
    );
    const right = new Map<Candidate, FileStamp>();
    for (const [index, candidate] of sized.entries()) {
      const reading = readings[index] as FileReading;
      if (reading.outcome === 'read' && isRight(reading, candidate.file)) right.set(candidate, reading.stamp);
    }
    throwIfInterrupted(this.#options.signal, 'copying content files'); // what was not read is not damaged
    const rest: Copyable[] = [];
    for (const candidate of batch) {
      if (right.has(candidate)) continue;
      if (hasSource(candidate)) {
        rest.push(candidate);
        continue;
      }
      this.#done++;
      const { problem, detail } = candidate.source as Lack;
      this.#miss(
        candidate.file,
        problem,
        `${detail === undefined ? '' : `${detail}; `}the one at the target is damaged or cannot be read`,
      );
    }
    const jobs = rest.map(({ file, source }) => ({
      source: source.path,
      temporary: join(this.#temporaryFolder(), temporaryNameOf(file.sha1)),
      size: file.size,
      sha1: file.sha1,
      sha256: file.sha256,
      mayLink: this.#options.link,
    }));
    const copies = await runner.copy(jobs);
    const finished: { sha1: Sha1Hex; stamp: FileStamp }[] = [];
    const folders = new Set<string>();
    const publish = async (index: number): Promise<void> => {
      const { file, place } = rest[index] as Copyable;
      const copy = copies[index] as FileCopy;
      const { temporary } = jobs[index] as (typeof jobs)[number];
      this.#done++;
      if (copy.outcome !== 'copied') {
        this.#refuse(file, copy, target);
        return;
      }
      const path = place ?? pathOf(target, file);
      await publishFile(temporary, path);
      folders.add(dirname(path));
      finished.push({ sha1: file.sha1, stamp: stampOf(await lstat(path)) });
      this.#copied = plus(this.#copied, file.size);
      if (copy.how !== 'bytes') this.#linked = plus(this.#linked, file.size);
      if (place !== undefined) this.#replaced = plus(this.#replaced, file.size);
      this.#options.report({ type: 'step', message: `copied (${copy.how}): ${relative(target, path)}` });
    };
    try {
      for (let first = 0; first < rest.length; first += SYNCS_AT_ONCE) {
        const indices = Array.from(
          { length: Math.min(SYNCS_AT_ONCE, rest.length - first) },
          (_, n) => first + n,
        );
        const results = await Promise.allSettled(indices.map(publish));
        const failed = results.find((result) => result.status === 'rejected');
        if (failed?.status === 'rejected') throw failed.reason;
      }
    } finally {
      await Promise.all(jobs.map(({ temporary }) => rm(temporary, { force: true }).catch(() => {})));
    }
    for (const folder of folders) await syncDirectory(folder);
    for (const [{ file }, stamp] of right) {
      this.#done++;
      this.#present = plus(this.#present, file.size);
      finished.push({ sha1: file.sha1, stamp });
    }
    if (finished.length > 0) await this.#options.journal.add(finished);
  }

  #refuse(file: Wanted, copy: Exclude<FileCopy, { outcome: 'copied' }>, target: string): void {
    if (copy.outcome === 'failed') {
      throwIfInterrupted(this.#options.signal, 'copying content files');
      throw writeError(Object.assign(new Error(copy.reason), { code: copy.code }), pathOf(target, file));
    }
    const { reading } = copy;
    switch (reading.outcome) {
      case 'read':
        if (reading.sha1 !== file.sha1) this.#miss(file, 'sha1', `SHA-1 is ${reading.sha1}`);
        else this.#miss(file, 'sha256', `SHA-256 is ${reading.sha256}`);
        return;
      case 'size':
        this.#miss(file, 'short', `${reading.stamp.size} of ${file.size} bytes`);
        return;
      case 'not-a-file':
        this.#miss(file, 'not-a-file', undefined);
        return;
      case 'missing':
        this.#miss(file, 'absent', undefined);
        return;
      case 'changed':
        this.#miss(file, 'unreadable', 'it was changed while it was read');
        return;
      case 'unreadable':
        throwIfInterrupted(this.#options.signal, 'copying content files');
        this.#miss(file, 'unreadable', reading.reason);
    }
  }

  #miss(file: Wanted, problem: ListedProblem['problem'], detail: string | undefined): void {
    const { kind, fileName, size, sha1 } = file;
    this.#notCopied = plus(this.#notCopied, size);
    if (kind === 'licence') this.#licencesNotCopied = plus(this.#licencesNotCopied, size);
    const path = contentPath(sha1, fileName);
    this.#options.report({
      type: 'step',
      message: `not copied: ${path} (${fileName}): ${problem}${detail === undefined ? '' : `, ${detail}`}`,
    });
    // Licence texts are what people forget: they always have room.
    if (this.#notCopiedFiles.length < MAX_LISTED || kind === 'licence') {
      this.#notCopiedFiles.push({ kind, path, fileName, size, problem, detail });
    }
  }

  async *#pairs(trees: Trees): AsyncGenerator<Pair> {
    for (let folder = 0; folder < FOLDER_COUNT; folder++) {
      throwIfInterrupted(this.#options.signal, 'copying content files');
      const [source, target] = await Promise.all([
        trees.source.readFolder(folder),
        trees.target.readFolder(folder),
      ]);
      const unlisted = unlistedFolder(source, trees.source)?.detail;
      const closed = unlistedFolder(target, trees.target);
      const obstacle = trees.target.strays.find(({ path }) => basename(path) === folderName(folder))?.path;
      let after: Sha1Hex | undefined;
      for (;;) {
        const page = await this.#options.wanted.page(folder, after);
        if (page.length === 0) break;
        if (closed !== undefined) throw cannotList(closed);
        after = page.at(-1)?.sha1;
        for (const file of page) {
          yield {
            file,
            source: source.files.get(file.sha1) ?? source.notFiles.get(file.sha1),
            there: target.files.get(file.sha1) ?? target.notFiles.get(file.sha1),
            unlisted,
            obstacle,
          };
        }
      }
    }
  }

  #temporaryFolder(): string {
    return join(this.#options.target, OWN_FOLDER, 'partial');
  }
}

interface Trees {
  readonly source: ContentTree;
  readonly target: ContentTree;
}

type Copyable = Candidate & { readonly source: TreeFile };

function hasSource(candidate: Candidate): candidate is Copyable {
  return 'stamp' in candidate.source;
}

function hasFileThere(candidate: Candidate): candidate is Candidate & { readonly there: TreeFile } {
  return candidate.there !== undefined;
}

/** What is no file, in words. */
const KIND_TEXTS: Readonly<Partial<Record<StrayReason, string>>> = {
  link: 'a link',
  folder: 'a folder',
  special: 'a socket or device',
};

/** The file to copy, if its name and size say that it is one. */
function sourceOf(file: Wanted, found: TreeFile | Stray | undefined): TreeFile | Lack {
  if (found === undefined) return { problem: 'absent', detail: undefined };
  if ('stamp' in found) {
    return found.stamp.size === file.size
      ? found
      : { problem: 'short', detail: `${found.stamp.size} of ${file.size} bytes` };
  }
  return found.reason === 'unreadable'
    ? { problem: 'unreadable', detail: found.detail }
    : { problem: 'not-a-file', detail: KIND_TEXTS[found.reason] };
}

/** What the last check found wrong with a source file that is unchanged since. */
function knownProblem({ record }: Wanted, source: TreeFile): ContentProblem | undefined {
  return record?.state === 'corrupt' && sameStamp(record.stamp, source.stamp) ? record.problem : undefined;
}

function isKnownGood({ record }: Wanted, source: TreeFile): boolean {
  return record?.state === 'verified' && sameStamp(record.stamp, source.stamp);
}

async function mayWrite(target: string): Promise<boolean> {
  return access(await nearestFolder(join(target, OWN_FOLDER)), constants.W_OK).then(
    () => true,
    () => false,
  );
}

/** What is there has to be known before anything is written beside it. */
function cannotList({ path, detail }: Stray): WsusutilError {
  return new WsusutilError('READ_FAILED', `Cannot list the folder ${path}: ${detail}`, {
    hint: 'Mend its permissions; it must be readable by the account that runs this command.',
  });
}

function tooLarge(target: string, toCopy: Amount, free: number | undefined): WsusutilError {
  return new WsusutilError(
    'DISK_FULL',
    `${toCopy.bytes} bytes are to be copied to ${target}, where ${free} are free`,
    {
      hint: 'Nothing was copied. Free space, choose another disk, or choose fewer updates (--product, --exclude-superseded).',
      details: { needed: toCopy.bytes, free },
    },
  );
}

function isRight(reading: Extract<FileReading, { outcome: 'read' }>, file: Wanted): boolean {
  return reading.sha1 === file.sha1 && (file.sha256 === undefined || reading.sha256 === file.sha256);
}
