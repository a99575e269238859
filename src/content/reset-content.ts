/**
 * `wsusutil reset`: brings the content directory to what the metadata calls for, and says what it found. What the
 * real tool does in silence (cli-surface 5): every file is checked, what is missing or damaged is downloaded again.
 *
 * Nothing is deleted. A damaged file stays where it is until a good one takes its place, or goes to quarantine.
 */
import { lstat, rename } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { errorText, isWsusutilError, throwIfInterrupted } from '../errors.js';
import type { Report } from '../events.js';
import { type ContentFileKind, contentPath, type WantedFile } from '../model/content-file.js';
import type { Sha1Hex } from '../model/digest.js';
import { writeError } from '../platform/atomic-file.js';
import type { ContentIndex, ContentScope, ContentSelection } from '../store/content-index.js';
import type { MetadataStore } from '../store/metadata-store.js';
import type { DownloadOutcome, DownloadRequest } from '../transfer/download-files.js';
import { checkContent, type Finding } from './check-content.js';
import type { ContentRunner } from './content-runner.js';
import { type Amount, ContentTally, MAX_LISTED, NONE, plus, type TallySummary } from './content-tally.js';
import { stampOf } from './content-tasks.js';
import { type ContentTree, hasContentFolder, openContentTree } from './content-tree.js';
import { downloadOf, folderOfDigest, pathOf } from './layout.js';
import { describeMissing, missingFilesOf } from './missing-files.js';
import { type MissingFile, writeMissingList } from './missing-list.js';
import { makeOwnFolder, makeRealFolder } from './own-folder.js';
import { freeName } from './quarantine.js';
import { RecordBuffer } from './record-buffer.js';

export interface ResetOptions {
  readonly store: MetadataStore;
  readonly contentFolder: string;
  readonly scope: ContentScope;
  /** what is checked, as one text: only a check of the same goes on where the last one stopped */
  readonly what: string;
  readonly depth: 'full' | 'quick';
  /** false: nothing in the content folder is changed */
  readonly repair: boolean;
  /** moves damaged files aside */
  readonly quarantine: boolean;
  /** undefined: never try the network */
  readonly download: DownloadMany | undefined;
  /** URL of a content folder to fetch from, e.g. `http://wsus:8530/Content`; undefined: where the metadata says */
  readonly source: string | undefined;
  readonly missingListPath: string | undefined;
  /** milliseconds since 1970; no work is begun after it */
  readonly stopAt: number | undefined;
  readonly runner: ContentRunner;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly report: Report;
}

/** @param onBytes called with the bytes that arrived */
export type DownloadMany = (
  requests: AsyncIterable<DownloadRequest>,
  onBytes: (count: number) => void,
) => AsyncIterable<DownloadOutcome>;

export interface ResetSummary extends TallySummary {
  readonly contentFolder: string;
  /** the start of the run that this one went on with; undefined: it began anew */
  readonly resumedFrom: number | undefined;
  /** false: the time was up; the next run goes on there */
  readonly isComplete: boolean;
  readonly wanted: Amount & Readonly<Record<ContentFileKind, Amount>>;
  /** files that were there under another spelling and have their right name now */
  readonly renamed: number;
  readonly quarantined: Amount;
  readonly downloaded: Amount;
  readonly failedDownloads: readonly {
    readonly fileName: string;
    readonly url: string;
    readonly reason: string;
  }[];
  readonly failedDownloadCount: number;
  /** what is still missing or damaged at the end; undefined: the check was not completed */
  readonly stillMissing: (Amount & { readonly licences: Amount }) | undefined;
  readonly missingList: (Amount & { readonly path: string }) | undefined;
}

/** @throws WsusutilError `INTERRUPTED`, `DISK_FULL`, `READ_ONLY`, `READ_FAILED`, `WRITE_FAILED` */
export async function resetContent(options: ResetOptions): Promise<ResetSummary> {
  const index = await options.store.contentIndex();
  const selection = await index.select(options.scope);
  try {
    return await new Reset(options, index, selection).perform();
  } finally {
    await selection.close();
  }
}

class Reset {
  readonly #options: ResetOptions;
  readonly #index: ContentIndex;
  readonly #selection: ContentSelection;
  readonly #tally: ContentTally;
  readonly #records: RecordBuffer;
  #renamed = 0;
  #quarantined: Amount = NONE;
  #downloaded: Amount = NONE;
  readonly #failed: { fileName: string; url: string; reason: string }[] = [];
  #failedCount = 0;

  constructor(options: ResetOptions, index: ContentIndex, selection: ContentSelection) {
    this.#options = options;
    this.#index = index;
    this.#selection = selection;
    this.#tally = new ContentTally(options.contentFolder, options.report);
    this.#records = new RecordBuffer(index);
  }

  async perform(): Promise<ResetSummary> {
    const { now, report, runner, contentFolder } = this.#options;
    const unfinished = await this.#index.unfinishedRun();
    const resumed = unfinished?.what === this.#options.what ? unfinished : undefined;
    const startedAt = resumed?.startedAt ?? now().getTime();
    if (resumed === undefined) await this.#index.setUnfinishedRun({ startedAt, what: this.#options.what });
    else report({ type: 'step', message: `Going on with the check of ${new Date(startedAt).toISOString()}` });

    if (!(await hasContentFolder(contentFolder)) && (await this.#index.states()).verified.files > 0) {
      report({
        type: 'warning',
        code: 'CONTENT_FOLDER_EMPTY',
        message: `There is no content directory at ${contentFolder}, where files were verified before. If its disk is not mounted, stop here and mount it.`,
      });
    }
    const tree = await openContentTree(contentFolder, runner);
    const isComplete = await this.#check(tree, startedAt);
    if (isComplete) {
      if (this.#options.repair) await this.#repair(tree);
      await this.#index.setUnfinishedRun(undefined);
    }
    const stillMissing = isComplete ? await this.#countMissing() : undefined;
    const { missingListPath } = this.#options;
    let missingList: ResetSummary['missingList'];
    if (missingListPath !== undefined && isComplete) {
      missingList = { path: missingListPath, ...(await this.#writeMissingList(missingListPath)) };
    }
    const { totals } = this.#selection;
    return {
      contentFolder,
      resumedFrom: resumed?.startedAt,
      isComplete,
      wanted: totals,
      ...this.#tally.summary(),
      renamed: this.#renamed,
      quarantined: this.#quarantined,
      downloaded: this.#downloaded,
      failedDownloads: this.#failed,
      failedDownloadCount: this.#failedCount,
      stillMissing,
      missingList,
    };
  }

  async #check(tree: ContentTree, startedAt: number): Promise<boolean> {
    const { stopAt, now } = this.#options;
    const steps = checkContent({
      ...this.#options,
      tree,
      selection: this.#selection,
      index: this.#index,
      records: 'of-this-tree',
      strays: true,
      trustSince: startedAt,
      ...(stopAt === undefined ? {} : { isTimeUp: () => now().getTime() >= stopAt }),
    });
    try {
      for (;;) {
        const step = await steps.next();
        if (step.done === true) return step.value.isComplete;
        for (const finding of step.value) await this.#take(finding);
      }
    } finally {
      await steps.return({ isComplete: false });
      await this.#records.flush();
    }
  }

  async #take(finding: Finding): Promise<void> {
    const { repair } = this.#options;
    if (finding.type === 'stray') {
      this.#tally.addStray(finding.stray);
      return;
    }
    if (finding.type === 'unchanged') {
      this.#tally.addUnchanged(finding);
      return;
    }
    const { file, record, path } = finding;
    this.#tally.addFile(finding);
    if (repair && finding.isMisplaced && path !== undefined && (await this.#giveRightName(file, path))) {
      this.#renamed++;
    }
    if (record !== file.record) await this.#records.add(file.sha1, record);
  }

  /** The file keeps its extension: documents may give one file several names. */
  async #giveRightName(file: WantedFile, path: string): Promise<boolean> {
    const { contentFolder, report } = this.#options;
    const right = pathOf(contentFolder, file);
    const extension = /\.[^.]*$/.exec(basename(path))?.[0] ?? '';
    const target = join(dirname(right), `${file.sha1}${extension.toLowerCase()}`);
    try {
      await makeRealFolder(dirname(target));
      // Where case does not count, the target is the file itself under its old name.
      const there = await lstat(target).catch(() => undefined);
      if (there !== undefined && there.ino !== (await lstat(path)).ino) return false;
      await rename(path, target);
    } catch (error) {
      report({
        type: 'warning',
        code: 'CONTENT_NOT_RENAMED',
        message: `${path} could not be renamed to ${target}: ${writeError(error, target).message}`,
      });
      return false;
    }
    report({
      type: 'step',
      message: `renamed: ${relative(contentFolder, path)} to ${relative(contentFolder, target)}`,
    });
    return true;
  }

  async #repair(tree: ContentTree): Promise<void> {
    const { quarantine, download, report } = this.#options;
    if (quarantine) await this.#moveDamagedAside(tree);
    if (download === undefined) return;
    const { files, bytes } = await this.#countMissing();
    if (files === 0) return;
    await makeOwnFolder(this.#options.contentFolder, 'partial');
    report({ type: 'stage-started', stage: 'downloading', unit: 'files', total: files });
    let arrived = 0;
    let done = 0;
    const onBytes = (count: number) => {
      arrived += count;
      report({
        type: 'progress',
        stage: 'downloading',
        done,
        total: files,
        bytes: arrived,
        totalBytes: bytes,
      });
    };
    for await (const outcome of download(this.#requests(), onBytes)) {
      await this.#takeDownload(outcome);
      done++;
    }
    await this.#records.flush();
    report({ type: 'stage-finished', stage: 'downloading', done });
  }

  async #moveDamagedAside(tree: ContentTree): Promise<void> {
    const { contentFolder, signal, report, now } = this.#options;
    for await (const batch of this.#notWhole()) {
      for (const file of batch) {
        if (file.record?.state !== 'corrupt') continue;
        throwIfInterrupted(signal, 'moving damaged files aside');
        const { files, notFiles } = await tree.readFolder(folderOfDigest(file.sha1));
        const path = files.get(file.sha1)?.path ?? notFiles.get(file.sha1)?.path;
        if (path === undefined) continue;
        const place = await makeOwnFolder(contentFolder, 'quarantine');
        const target = await freeName(join(place, relative(contentFolder, path)));
        try {
          await makeRealFolder(dirname(target));
          await rename(path, target);
        } catch (error) {
          throw writeError(error, target);
        }
        report({ type: 'step', message: `quarantined: ${relative(contentFolder, path)}` });
        this.#quarantined = plus(this.#quarantined, file.size);
        await this.#records.add(file.sha1, {
          state: 'absent',
          problem: 'lost',
          checkedAt: now().getTime(),
          stamp: undefined,
        });
      }
    }
    await this.#records.flush();
  }

  async *#requests(): AsyncGenerator<DownloadRequest> {
    const { contentFolder, signal, stopAt, now } = this.#options;
    // Licence texts first: clients ask for them during the scan.
    for (const kinds of [['licence'], ['payload', 'express']] as const) {
      for await (const batch of this.#notWhole(kinds)) {
        const urls = await this.#urlsOf(batch);
        for (const file of batch) {
          throwIfInterrupted(signal, 'downloading content files');
          if (stopAt !== undefined && now().getTime() >= stopAt) return;
          const url = urls.get(file.sha1);
          if (url === undefined) continue;
          yield downloadOf(contentFolder, file, url);
        }
      }
    }
  }

  async #urlsOf(files: readonly WantedFile[]): Promise<ReadonlyMap<Sha1Hex, string>> {
    const { source, store } = this.#options;
    if (source === undefined) return store.fileLocations(files.map((file) => file.sha1));
    const base = source.replace(/\/+$/, '');
    return new Map(files.map((file) => [file.sha1, `${base}/${contentPath(file.sha1, file.fileName)}`]));
  }

  async #takeDownload({ request, error }: DownloadOutcome): Promise<void> {
    const { now, report } = this.#options;
    if (error !== undefined) {
      if (isWsusutilError(error, 'DISK_FULL') || isWsusutilError(error, 'READ_ONLY')) throw error;
      this.#failedCount++;
      if (this.#failed.length < MAX_LISTED) {
        this.#failed.push({
          fileName: basename(request.targetPath),
          url: request.url,
          reason: errorText(error),
        });
      }
      report({ type: 'step', message: `not downloaded: ${request.url}: ${errorText(error)}` });
      return;
    }
    this.#downloaded = plus(this.#downloaded, request.size);
    report({ type: 'step', message: `downloaded: ${request.targetPath}` });
    await this.#records.add(request.sha1, {
      state: 'verified',
      problem: undefined,
      checkedAt: now().getTime(),
      stamp: stampOf(await lstat(request.targetPath)),
    });
  }

  /** Files of the scope that are missing or damaged as the store knows it now. */
  async *#notWhole(kinds?: readonly ContentFileKind[]): AsyncGenerator<readonly WantedFile[]> {
    await this.#records.flush();
    yield* missingFilesOf(this.#selection, kinds);
  }

  async #countMissing(): Promise<NonNullable<ResetSummary['stillMissing']>> {
    let all: Amount = NONE;
    let licences: Amount = NONE;
    for await (const batch of this.#notWhole()) {
      for (const { kind, size } of batch) {
        all = plus(all, size);
        if (kind === 'licence') licences = plus(licences, size);
      }
    }
    return { ...all, licences };
  }

  async #writeMissingList(path: string): Promise<Amount> {
    const { now, store, contentFolder } = this.#options;
    return writeMissingList(path, this.#missingFiles(), {
      createdAt: now(),
      serverId: store.serverId,
      contentDirectory: contentFolder,
    });
  }

  async *#missingFiles(): AsyncGenerator<readonly MissingFile[]> {
    for await (const batch of this.#notWhole()) yield await describeMissing(this.#options.store, batch);
  }
}
