/**
 * Copies content files by list, never by date: what the metadata calls for and the source holds. Every byte is
 * verified while it is copied. A file has its name only when it is whole, right and on the disk; nothing is deleted.
 */
import { lstat, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { errorText, throwIfInterrupted, WsusutilError } from '../errors.js';
import type { Report } from '../events.js';
import {
  type ContentFileKind,
  type ContentProblem,
  contentPath,
  type FileStamp,
  type WantedFile,
} from '../model/content-file.js';
import type { Sha1Hex } from '../model/digest.js';
import { syncDirectory, writeError } from '../platform/atomic-file.js';
import type { ContentRunner } from './content-runner.js';
import { type Amount, MAX_LISTED, NONE, plus } from './content-tally.js';
import { type FileCopy, type FileReading, stampOf } from './content-tasks.js';
import { type ContentTree, openContentTree, type TreeFile } from './content-tree.js';
import type { CopyJournal } from './copy-journal.js';
import { freeSpaceAt, nearestFolder } from './free-space.js';
import { FOLDER_COUNT, OWN_FOLDER, pathOf } from './layout.js';
import { makeOwnFolder } from './own-folder.js';
import { publishFile } from './publish-file.js';

/** One task of a copying thread. */
const FILES_PER_TASK = 128;
const BYTES_PER_TASK = 32 << 20;
/** Files that are synced and named at once. */
const SYNCS_AT_ONCE = 16;
const PROGRESS_MS = 250;
const TEMPORARY_NAME = /^[0-9A-F]{40}\.(\d{1,10})\.copy$/;
/** What an interrupted copy on another machine left is removed after this long. */
const STALE_MS = 3_600_000;

/** The files that are wanted, folder by folder, in pages. */
export interface WantedFiles {
  readonly totals: Amount;
  page(
    folder: number,
    after: Sha1Hex | undefined,
  ): Promise<readonly Pick<WantedFile, 'sha1' | 'sha256' | 'size' | 'fileName' | 'kind'>[]>;
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

export interface NotCopied {
  readonly kind: ContentFileKind;
  /** below the content folder */
  readonly path: string;
  readonly fileName: string;
  readonly size: number;
  readonly problem: 'absent' | ContentProblem;
  readonly detail: string | undefined;
}

export interface CopySummary {
  readonly source: string;
  readonly target: string;
  readonly dryRun: boolean;
  readonly wanted: Amount;
  /** at the target before, and right */
  readonly present: Amount;
  readonly copied: Amount;
  /** of these: without their own bytes on the disk */
  readonly linked: Amount;
  /** of these: in the place of a damaged file */
  readonly replaced: Amount;
  /** what the source does not have, or has damaged */
  readonly notCopied: Amount & { readonly licences: Amount };
  readonly notCopiedFiles: readonly NotCopied[];
  /** for a dry run: what would be copied */
  readonly toCopy: Amount;
}

/**
 * @throws WsusutilError `DISK_FULL` (also before anything is copied), `READ_ONLY`, `WRITE_FAILED`, `READ_FAILED`,
 *   `INTERRUPTED`. What was copied until then stays; another run goes on.
 */
export async function copyContent(options: CopyOptions): Promise<CopySummary> {
  const copy = new Copy(options);
  try {
    return await copy.perform();
  } finally {
    await copy.close();
  }
}

interface Candidate {
  readonly file: Wanted;
  readonly source: TreeFile;
  /** what has its name at the target, and has to be looked at before it counts as there */
  readonly there: TreeFile | undefined;
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
  readonly #notCopiedFiles: NotCopied[] = [];

  constructor(options: CopyOptions) {
    this.#options = options;
  }

  async close(): Promise<void> {
    if (this.#running.size > 0) {
      this.#options.runner.stop();
      await Promise.allSettled(this.#running);
    }
  }

  async perform(): Promise<CopySummary> {
    const { source, target, wanted, dryRun, runner } = this.#options;
    const trees = {
      source: await openContentTree(source, runner),
      target: await openContentTree(target, runner),
    };
    const toCopy = await this.#measure(trees);
    if (!dryRun) {
      await this.#checkSpace(toCopy);
      await this.#prepareTarget();
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
    };
  }

  /** What would be copied, by presence and size. */
  async #measure(trees: Trees): Promise<Amount> {
    let toCopy = NONE;
    for await (const { file, source, there } of this.#candidates(trees)) {
      if (source === undefined || source.stamp.size !== file.size) {
        if (this.#options.dryRun) this.#miss(file, source === undefined ? 'absent' : 'short', undefined);
      } else if (there?.stamp.size === file.size) {
        if (this.#options.dryRun) this.#present = plus(this.#present, file.size);
      } else toCopy = plus(toCopy, file.size);
    }
    return toCopy;
  }

  async #checkSpace(toCopy: Amount): Promise<void> {
    const { source, target, link } = this.#options;
    if (link && (await stat(await nearestFolder(target))).dev === (await stat(source)).dev) return; // linked files take no space
    const free = await freeSpaceAt(target);
    if (free !== undefined && toCopy.bytes > free) {
      throw new WsusutilError(
        'DISK_FULL',
        `${toCopy.bytes} bytes are to be copied to ${target}, where ${free} are free`,
        {
          hint: 'Nothing was copied. Free space, choose another disk, or choose fewer updates (--product, --exclude-superseded).',
          details: { needed: toCopy.bytes, free },
        },
      );
    }
  }

  /** Makes the place for what is being written, and clears it of what interrupted runs left there. */
  async #prepareTarget(): Promise<void> {
    const folder = await makeOwnFolder(this.#options.target, 'partial');
    try {
      for (const name of await readdir(folder)) {
        const pid = TEMPORARY_NAME.exec(name)?.[1];
        const path = join(folder, name);
        if (pid !== undefined && !(await isInUse(path, Number(pid)))) await rm(path, { force: true });
      }
    } catch (error) {
      throw writeError(error, folder);
    }
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
      for await (const { file, source, there } of this.#candidates(trees)) {
        throwIfInterrupted(signal, 'copying content files');
        const isSized = there?.stamp.size === file.size;
        if (isSized && this.#options.journal.knows(file.sha1, there.stamp)) {
          this.#done++;
          skippedBytes += file.size;
          this.#present = plus(this.#present, file.size);
          continue;
        }
        if (source === undefined && !isSized) {
          this.#done++;
          skippedBytes += file.size;
          this.#miss(file, 'absent', undefined);
          continue;
        }
        batch.push({ file, source: source ?? (there as TreeFile), there });
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
    const sized = batch.filter(({ file, there }) => there?.stamp.size === file.size);
    const readings = await runner.read(
      sized.map(({ file, there }) => ({ path: (there as TreeFile).path, size: file.size })),
    );
    const right = new Map<Candidate, FileStamp>();
    for (const [index, candidate] of sized.entries()) {
      const reading = readings[index] as FileReading;
      if (reading.outcome === 'read' && isRight(reading, candidate.file)) right.set(candidate, reading.stamp);
    }
    const rest = batch.filter((candidate) => !right.has(candidate));
    const jobs = rest.map(({ file, source }) => ({
      source: source.path,
      temporary: join(this.#temporaryFolder(), `${file.sha1}.${process.pid}.copy`),
      size: file.size,
      sha1: file.sha1,
      sha256: file.sha256,
      mayLink: this.#options.link,
    }));
    const copies = await runner.copy(jobs);
    const finished: { sha1: Sha1Hex; stamp: FileStamp }[] = [];
    const folders = new Set<string>();
    const publish = async (index: number): Promise<void> => {
      const { file, there } = rest[index] as Candidate;
      const copy = copies[index] as FileCopy;
      const { temporary } = jobs[index] as (typeof jobs)[number];
      this.#done++;
      if (copy.outcome !== 'copied') {
        this.#refuse(file, copy, target);
        return;
      }
      const path = there?.path ?? pathOf(target, file);
      await publishFile(temporary, path);
      folders.add(dirname(path));
      finished.push({ sha1: file.sha1, stamp: stampOf(await lstat(path)) });
      this.#copied = plus(this.#copied, file.size);
      if (copy.how !== 'bytes') this.#linked = plus(this.#linked, file.size);
      if (there !== undefined) this.#replaced = plus(this.#replaced, file.size);
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

  #miss(file: Wanted, problem: NotCopied['problem'], detail: string | undefined): void {
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

  async *#candidates(trees: Trees): AsyncGenerator<{
    readonly file: Wanted;
    readonly source: TreeFile | undefined;
    readonly there: TreeFile | undefined;
  }> {
    for (let folder = 0; folder < FOLDER_COUNT; folder++) {
      throwIfInterrupted(this.#options.signal, 'copying content files');
      const [source, target] = await Promise.all([
        trees.source.readFolder(folder),
        trees.target.readFolder(folder),
      ]);
      let after: Sha1Hex | undefined;
      for (;;) {
        const page = await this.#options.wanted.page(folder, after);
        if (page.length === 0) break;
        after = page.at(-1)?.sha1;
        for (const file of page) {
          yield { file, source: source.files.get(file.sha1), there: target.files.get(file.sha1) };
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

function isRight(reading: Extract<FileReading, { outcome: 'read' }>, file: Wanted): boolean {
  return reading.sha1 === file.sha1 && (file.sha256 === undefined || reading.sha256 === file.sha256);
}

/** True while a process of this machine may be writing it, or one of another machine could be. */
async function isInUse(path: string, pid: number): Promise<boolean> {
  const facts = await lstat(path).catch(() => undefined);
  if (facts === undefined) return false;
  if (Date.now() - facts.mtimeMs > STALE_MS) return false;
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !errorText(error).includes('ESRCH');
  }
}
