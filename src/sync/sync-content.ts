/**
 * Fetches the content files that a synchronisation calls for: from the upstream's `/Content`, or from where Microsoft
 * serves them. Every byte is verified while it is written, what was fetched before is not fetched again, and nothing
 * is deleted. Source: server-sync-protocol 8, 16.
 */
import { lstat } from 'node:fs/promises';
import type { FileFinding } from '../content/check-content.js';
import { type Amount, MAX_LISTED, NONE, plus } from '../content/content-tally.js';
import { stampOf } from '../content/content-tasks.js';
import { freeSpaceAt } from '../content/free-space.js';
import { downloadOf } from '../content/layout.js';
import { missingFilesOf } from '../content/missing-files.js';
import { makeOwnFolder } from '../content/own-folder.js';
import { RecordBuffer } from '../content/record-buffer.js';
import { errorText, isWsusutilError, throwIfInterrupted, WsusutilError } from '../errors.js';
import type { WarningCode } from '../events.js';
import { groupDigits } from '../formats/group-digits.js';
import { type ContentFileKind, contentPath, type WantedFile } from '../model/content-file.js';
import type { Sha1Hex } from '../model/digest.js';
import type { ContentSelection } from '../store/content-index.js';
import { type DownloadOutcome, type DownloadRequest, downloadFiles } from '../transfer/download-files.js';
import { type HttpClient, printableUrl } from '../transfer/http-client.js';
import { type SyncClock, systemClock } from './clock.js';
import {
  type ContentPlanOptions,
  type ContentSurvey,
  type PollPace,
  sumOf,
  urlsOf,
  withSurvey,
} from './content-survey.js';
import { isEncryptedFile } from './encrypted-files.js';
import { formatTimeWindow, type TimeWindow, WindowGate, zoneOffsetOf } from './time-window.js';

/** Files in one wish that the upstream fetch them (server-sync-protocol 8). */
const FILES_PER_WISH = 100;
/** Files whose addresses are looked up at once. */
const FILES_PER_LOOKUP = 1_000;
/** An encrypted file whose bytes did not verify is tried again after so many days. */
const ENCRYPTED_RETRY_DAYS = 30;
/** Waiting for an upstream that fetches files itself: a real transfer may take hours, a refusal is never told. */
const DEFAULT_POLL: PollPace = { firstMs: 5_000, maxMs: 300_000, limitMs: 1_800_000 };

/** The store must be open to write: it keeps what was found and fetched, and its lock keeps other processes out. */
export interface ContentSyncOptions extends ContentPlanOptions {
  readonly http: HttpClient;
  /** files at once; default 4 */
  readonly concurrency?: number | undefined;
  /** is told after each file what was downloaded so far */
  readonly onDownloaded?: ((downloaded: Amount) => void) | undefined;
  /** when to download; undefined: at any time */
  readonly window?: TimeWindow | undefined;
  /** of the window, e.g. `Europe/Berlin`; undefined: this machine's */
  readonly timeZone?: string | undefined;
  /** 0 ≤ x < 1; default `Math.random` */
  readonly random?: (() => number) | undefined;
}

/**
 * Why a file is not there at the end. `not-held`: the upstream does not have it (it may hold approved updates only);
 * `unknown`: the upstream does not know of it; `no-source`: no address is known; `encrypted`: what is served does not
 * verify, as it is encrypted; `failed`: anything else.
 */
export type ContentSyncProblem = 'not-held' | 'unknown' | 'no-source' | 'encrypted' | 'failed';

export interface UnsyncedFile {
  readonly problem: ContentSyncProblem;
  readonly kind: ContentFileKind;
  readonly sha1: Sha1Hex;
  readonly fileName: string;
  readonly size: number;
  /** without credentials */
  readonly url: string | undefined;
  readonly reason: string;
}

export interface ContentSyncSummary {
  readonly wanted: Amount & Readonly<Record<ContentFileKind, Amount>>;
  /** before the start */
  readonly present: Amount;
  readonly downloaded: Amount & { readonly licences: Amount };
  /** of the downloaded: not from the upstream, but from where the metadata says */
  readonly fromMicrosoft: Amount;
  /** what the upstream was asked to fetch */
  readonly requestedUpstream: Amount;
  /** of the downloaded: the metadata gives no SHA-256, without which current clients do not install */
  readonly withoutSha256: Amount;
  /** what is not there at the end, by reason */
  readonly unsynced: Readonly<Record<ContentSyncProblem, Amount>>;
  /** the first 10,000 of them */
  readonly unsyncedFiles: readonly UnsyncedFile[];
  /** what is not there at the end and could be: all but the encrypted */
  readonly stillMissing: Amount & { readonly licences: Amount };
  /** nothing is still missing */
  readonly isComplete: boolean;
}

/**
 * Fetches what is missing or damaged, licence texts first. A file that cannot be had does not stop the others.
 *
 * @throws WsusutilError `DISK_FULL` (also before anything is fetched), `READ_ONLY`, `WRITE_FAILED`, `READ_FAILED`,
 *   `SAFETY_REFUSED` if the directory is gone where files were before, `USAGE` for an unknown time zone, `INTERRUPTED`.
 *   What was fetched until then stays; another run goes on there.
 */
export async function synchroniseContent(options: ContentSyncOptions): Promise<ContentSyncSummary> {
  return withSurvey(options, (survey) => new ContentSync(options, survey).perform());
}

/** A file that was not had, and may be had another way. */
interface Left {
  readonly file: WantedFile;
  readonly url: string;
  readonly problem: 'not-held' | 'unknown' | 'failed';
  readonly reason: string;
}

class ContentSync {
  readonly #options: ContentSyncOptions;
  readonly #survey: ContentSurvey;
  readonly #records: RecordBuffer;
  readonly #clock: SyncClock;
  readonly #gate: WindowGate | undefined;
  /** handed out, without an outcome yet */
  readonly #underWay = new Map<Sha1Hex, WantedFile>();
  readonly #left = new Map<Sha1Hex, Left>();
  readonly #soughtElsewhere = new Set<Sha1Hex>();
  /** ends what is under way once nothing more can be kept */
  readonly #stop = new AbortController();
  #arrivedBytes = 0;
  #settled = 0;
  #downloaded: ContentSyncSummary['downloaded'] = { ...NONE, licences: NONE };
  #fromMicrosoft: Amount = NONE;
  #requestedUpstream: Amount = NONE;
  #withoutSha256: Amount = NONE;
  #stillMissing: ContentSyncSummary['stillMissing'] = { ...NONE, licences: NONE };
  readonly #unsynced: Record<ContentSyncProblem, Amount> = {
    'not-held': NONE,
    unknown: NONE,
    'no-source': NONE,
    encrypted: NONE,
    failed: NONE,
  };
  readonly #unsyncedFiles: UnsyncedFile[] = [];

  constructor(options: ContentSyncOptions, survey: ContentSurvey) {
    this.#options = options;
    this.#survey = survey;
    this.#records = new RecordBuffer(survey.index);
    this.#clock = options.clock ?? systemClock;
    const { window, timeZone } = options;
    this.#gate =
      window === undefined ? undefined : new WindowGate(window, zoneOffsetOf(timeZone), this.#clock);
  }

  async perform(): Promise<ContentSyncSummary> {
    try {
      for await (const findings of this.#survey.look()) await this.#recordFindings(findings);
      await this.#records.flush();
      if (this.#survey.missing.files > 0) await this.#fetchMissing();
    } finally {
      await this.#records.flush();
    }
    this.#warn();
    return {
      wanted: this.#survey.wanted,
      present: this.#survey.present,
      downloaded: this.#downloaded,
      fromMicrosoft: this.#fromMicrosoft,
      requestedUpstream: this.#requestedUpstream,
      withoutSha256: this.#withoutSha256,
      unsynced: this.#unsynced,
      unsyncedFiles: this.#unsyncedFiles,
      stillMissing: this.#stillMissing,
      isComplete: this.#stillMissing.files === 0,
    };
  }

  async #recordFindings(findings: readonly FileFinding[]): Promise<void> {
    for (const { file, record } of findings) {
      // What is known of an absent file stays: that it came and did not verify, above all.
      const isStillAbsent = record.state === 'absent' && file.record?.state === 'absent';
      if (record !== file.record && !isStillAbsent) await this.#records.add(file.sha1, record);
    }
  }

  async #fetchMissing(): Promise<void> {
    const { report, contentFolder, source } = this.#options;
    await this.#requireSpace();
    await makeOwnFolder(contentFolder, 'partial');
    report({
      type: 'stage-started',
      stage: 'downloading',
      unit: 'files',
      total: this.#survey.missing.files,
    });
    // Licence texts first, whoever has them: clients ask for them during the scan.
    for (const selection of this.#survey.selections) {
      await this.#fetchAll(this.#firstRequests(selection), source.contentUrl === undefined);
      await this.#fetchElsewhere();
    }
    await this.#fetchThroughUpstream();
    for (const { file, url, problem, reason } of this.#left.values()) this.#miss(file, problem, url, reason);
    report({ type: 'stage-finished', stage: 'downloading', done: this.#downloaded.files });
  }

  async #requireSpace(): Promise<void> {
    const { contentFolder } = this.#options;
    const { toFetch } = this.#survey;
    const free = await freeSpaceAt(contentFolder);
    if (free === undefined || toFetch <= free) return;
    throw new WsusutilError(
      'DISK_FULL',
      `${groupDigits(toFetch)} bytes of content are to be downloaded to ${contentFolder}, where ${groupDigits(free)} are free`,
      {
        hint: 'Nothing was downloaded. Free space, choose another disk, or choose fewer products, classifications or languages.',
        details: { needed: toFetch, free },
      },
    );
  }

  async *#firstRequests(selection: ContentSelection): AsyncGenerator<DownloadRequest, void, undefined> {
    const { store, source } = this.#options;
    for await (const files of missingFilesOf(selection)) {
      const urls = await urlsOf(files, source.contentUrl, store);
      for (const file of files) {
        const url = urls.get(file.sha1);
        if (await this.#failedAsEncrypted(file)) {
          this.#miss(file, 'encrypted', url, 'it is served encrypted and did not verify before');
        } else if (url === undefined) {
          this.#miss(file, 'no-source', undefined, 'the metadata gives no address for it');
        } else yield this.#requestOf(file, url);
      }
    }
  }

  async #failedAsEncrypted({ sha1, record }: WantedFile): Promise<boolean> {
    if (record?.state !== 'absent' || (record.problem !== 'sha1' && record.problem !== 'sha256'))
      return false;
    if (this.#clock.now().getTime() - record.checkedAt > ENCRYPTED_RETRY_DAYS * 86_400_000) return false;
    return isEncryptedFile(this.#options.store, this.#survey.index, sha1);
  }

  /** What the upstream did not give out, from where the metadata says. */
  async #fetchElsewhere(): Promise<void> {
    const { allowMicrosoft, contentUrl } = this.#options.source;
    if (!allowMicrosoft || contentUrl === undefined || this.#left.size === 0) return;
    await this.#fetchAll(this.#microsoftRequests(), true);
  }

  async *#microsoftRequests(): AsyncGenerator<DownloadRequest, void, undefined> {
    const files = [...this.#left.values()]
      .map(({ file }) => file)
      .filter(({ sha1 }) => !this.#soughtElsewhere.has(sha1));
    for (let first = 0; first < files.length; first += FILES_PER_LOOKUP) {
      const some = files.slice(first, first + FILES_PER_LOOKUP);
      const urls = await urlsOf(some, undefined, this.#options.store);
      for (const file of some) {
        const url = urls.get(file.sha1);
        this.#soughtElsewhere.add(file.sha1);
        if (url !== undefined) yield this.#requestOf(file, url);
      }
    }
  }

  /** Has the upstream fetch what it does not hold, and asks for it again later. */
  async #fetchThroughUpstream(): Promise<void> {
    const { report, source } = this.#options;
    const { firstMs, maxMs, limitMs } = source.poll ?? DEFAULT_POLL;
    let waiting = await this.#wish();
    if (waiting.length > 0) {
      report({
        type: 'warning',
        code: 'DOWNLOADS_WAIT',
        message: `The upstream was asked to fetch ${countFiles(waiting.length)} that it does not hold. Waiting for them, until none comes for ${formatMinutes(limitMs)}.`,
      });
    }
    let pauseMs = firstMs;
    let waitedMs = 0;
    while (waiting.length > 0 && waitedMs < limitMs) {
      const nextMs = Math.min(pauseMs, maxMs, limitMs - waitedMs);
      report({
        type: 'step',
        message: `Asking the upstream again for ${countFiles(waiting.length)} in ${Math.ceil(nextMs / 1000)} seconds`,
      });
      await this.#sleep(nextMs);
      await this.#fetchAll(this.#againRequests(waiting), false);
      const still = waiting.filter(({ file }) => this.#left.get(file.sha1)?.problem === 'not-held');
      if (still.length < waiting.length) {
        pauseMs = firstMs;
        waitedMs = 0;
      } else {
        pauseMs *= 2;
        waitedMs += nextMs;
      }
      waiting = still;
    }
  }

  /** @returns the files that the upstream took the wish for */
  async #wish(): Promise<readonly Left[]> {
    const { report, signal, source } = this.#options;
    const taken: Left[] = [];
    const { downloadFiles: ask } = source;
    if (ask === undefined || source.contentUrl === undefined) return taken;
    const files = licencesFirst(
      [...this.#left.values()].filter(({ problem }) => problem === 'not-held').map(({ file }) => file),
    );
    for (let first = 0; first < files.length; first += FILES_PER_WISH) {
      throwIfInterrupted(signal, 'downloading content files');
      const group = files.slice(first, first + FILES_PER_WISH);
      let unknown: ReadonlySet<Sha1Hex>;
      try {
        unknown = new Set((await ask(group.map(({ sha1 }) => sha1))).unknown);
      } catch (error) {
        throwIfInterrupted(signal, 'downloading content files');
        if (!isWsusutilError(error)) throw error;
        report({ type: 'step', message: `The upstream was not made to fetch files: ${error.message}` });
        break; // what the others are for, it will not do either
      }
      for (const file of group) {
        const left = this.#left.get(file.sha1) as Left;
        if (unknown.has(file.sha1)) {
          const reason = `${left.reason}; the upstream does not know it`;
          this.#left.set(file.sha1, { ...left, problem: 'unknown', reason });
          continue;
        }
        taken.push(left);
        this.#requestedUpstream = plus(this.#requestedUpstream, file.size);
      }
    }
    return taken;
  }

  async *#againRequests(waiting: readonly Left[]): AsyncGenerator<DownloadRequest, void, undefined> {
    for (const { file, url } of waiting) yield this.#requestOf(file, url);
  }

  #requestOf(file: WantedFile, url: string): DownloadRequest {
    this.#underWay.set(file.sha1, file);
    return downloadOf(this.#options.contentFolder, file, url);
  }

  async #fetchAll(
    requests: AsyncGenerator<DownloadRequest, void, undefined>,
    isMicrosoft: boolean,
  ): Promise<void> {
    for await (const outcome of this.#fetch(requests)) await this.#take(outcome, isMicrosoft);
    await this.#records.flush();
  }

  async #take({ request, error }: DownloadOutcome, isMicrosoft: boolean): Promise<void> {
    const { report, source } = this.#options;
    const { sha1, url, size, targetPath } = request;
    const file = this.#underWay.get(sha1) as WantedFile;
    this.#underWay.delete(sha1);
    if (error !== undefined) {
      await this.#takeFailure(file, url, error, isMicrosoft && source.contentUrl !== undefined);
      return;
    }
    this.#left.delete(sha1);
    this.#settled++;
    const { licences } = this.#downloaded;
    this.#downloaded = {
      ...plus(this.#downloaded, size),
      licences: file.kind === 'licence' ? plus(licences, size) : licences,
    };
    if (isMicrosoft) this.#fromMicrosoft = plus(this.#fromMicrosoft, size);
    if (file.sha256 === undefined) this.#withoutSha256 = plus(this.#withoutSha256, size);
    report({ type: 'step', message: `downloaded: ${targetPath}` });
    this.#options.onDownloaded?.(this.#downloaded);
    this.#tell();
    await this.#records.add(sha1, {
      state: 'verified',
      problem: undefined,
      checkedAt: this.#clock.now().getTime(),
      stamp: stampOf(await lstat(targetPath)),
    });
  }

  /** @param isSecond why it was not had before is the better reason */
  async #takeFailure(file: WantedFile, url: string, error: unknown, isSecond: boolean): Promise<void> {
    if (isWsusutilError(error, 'DISK_FULL') || isWsusutilError(error, 'READ_ONLY')) {
      this.#stop.abort();
      throw error;
    }
    const reason = errorText(error);
    const { store, report, source } = this.#options;
    // Most reasons begin with the address themselves.
    const what = reason.startsWith(printableUrl(url)) ? reason : `${printableUrl(url)}: ${reason}`;
    report({ type: 'step', message: `not downloaded: ${what}` });
    if (
      isWsusutilError(error, 'DOWNLOAD_MISMATCH') &&
      (await isEncryptedFile(store, this.#survey.index, file.sha1))
    ) {
      this.#left.delete(file.sha1);
      this.#miss(file, 'encrypted', url, reason);
      // A damaged file that lies there is still the finding to keep.
      if (file.record === undefined || file.record.state === 'absent') {
        await this.#records.add(file.sha1, {
          state: 'absent',
          problem: 'sha1',
          checkedAt: this.#clock.now().getTime(),
          stamp: undefined,
        });
      }
      return;
    }
    if (isSecond) return;
    const status = isWsusutilError(error, 'SOURCE_REFUSED') ? error.details?.status : undefined;
    const isNotHeld = source.contentUrl !== undefined && (status === 404 || status === 410);
    this.#left.set(file.sha1, { file, url, problem: isNotHeld ? 'not-held' : 'failed', reason });
  }

  /** Downloads, inside the time window only: what is under way when it closes goes on when it opens again. */
  async *#fetch(
    requests: AsyncGenerator<DownloadRequest, void, undefined>,
  ): AsyncGenerator<DownloadOutcome, void, undefined> {
    const { http, random = Math.random, concurrency } = this.#options;
    const signal = AbortSignal.any([this.#options.signal, this.#stop.signal]);
    const tools = {
      http,
      random,
      onBytes: (count: number) => {
        this.#arrivedBytes += count;
        this.#tell();
      },
      sleep: (ms: number, until: AbortSignal) => this.#clock.sleep(ms, until).catch(() => {}),
      ...(concurrency === undefined ? {} : { concurrency }),
    };
    const gate = this.#gate;
    if (gate === undefined) {
      yield* downloadFiles(requests, { ...tools, signal });
      return;
    }
    const unfinished = new Map<Sha1Hex, DownloadRequest>();
    const take = async (): Promise<DownloadRequest | undefined> => {
      const next = await requests.next();
      if (next.done === true) return undefined;
      unfinished.set(next.value.sha1, next.value);
      return next.value;
    };
    try {
      // The window is not waited for when nothing is left to fetch.
      while (unfinished.size > 0 || (await take()) !== undefined) {
        await this.#waitForWindow(gate);
        const closing = new AbortController();
        const end = new AbortController();
        const watch = gate.whenClosed(AbortSignal.any([signal, end.signal])).then(
          () => closing.abort(),
          () => {}, // told below, or there is nothing left to stop
        );
        const feed = async function* () {
          yield* [...unfinished.values()];
          while (!closing.signal.aborted) {
            const next = await take();
            if (next === undefined) return;
            yield next;
          }
        };
        try {
          const outcomes = downloadFiles(feed(), {
            ...tools,
            signal: AbortSignal.any([signal, closing.signal]),
          });
          for await (const outcome of outcomes) {
            unfinished.delete(outcome.request.sha1);
            yield outcome;
          }
        } catch (error) {
          const isClosed = closing.signal.aborted && !signal.aborted;
          if (!isClosed || !isWsusutilError(error, 'INTERRUPTED')) throw error;
        } finally {
          end.abort();
          await watch;
        }
      }
    } finally {
      await requests.return();
    }
  }

  async #waitForWindow(gate: WindowGate): Promise<void> {
    const { report, signal, window } = this.#options;
    if (gate.isOpen || window === undefined) return;
    // A warning, as everything else would leave people before a program that does nothing for hours.
    report({
      type: 'warning',
      code: 'DOWNLOADS_WAIT',
      message: `Downloads wait for the time window ${formatTimeWindow(window)}, which opens at ${gate.nextChangeText}`,
    });
    await gate.whenOpen(signal);
    report({ type: 'step', message: 'The time window is open; downloads go on' });
  }

  async #sleep(ms: number): Promise<void> {
    const { signal } = this.#options;
    try {
      await this.#clock.sleep(ms, signal);
    } catch (error) {
      throwIfInterrupted(signal, 'waiting for the upstream');
      throw error;
    }
  }

  #miss(file: WantedFile, problem: ContentSyncProblem, url: string | undefined, reason: string): void {
    const { kind, sha1, fileName, size } = file;
    this.#settled++;
    this.#unsynced[problem] = plus(this.#unsynced[problem], size);
    if (problem !== 'encrypted') {
      const { licences } = this.#stillMissing;
      this.#stillMissing = {
        ...plus(this.#stillMissing, size),
        licences: kind === 'licence' ? plus(licences, size) : licences,
      };
    }
    this.#options.report({
      type: 'step',
      message: `missing (${problem}): ${contentPath(sha1, fileName)}: ${reason}`,
    });
    if (this.#unsyncedFiles.length >= MAX_LISTED) return;
    this.#unsyncedFiles.push({
      problem,
      kind,
      sha1,
      fileName,
      size,
      url: url === undefined ? undefined : printableUrl(url),
      reason,
    });
  }

  #tell(): void {
    const { missing, toFetch } = this.#survey;
    this.#options.report({
      type: 'progress',
      stage: 'downloading',
      done: this.#settled,
      total: missing.files,
      bytes: this.#arrivedBytes,
      totalBytes: toFetch,
    });
  }

  #warn(): void {
    const warn = (code: WarningCode, what: string, { files, bytes }: Amount, more: string) => {
      if (files === 0) return;
      this.#options.report({
        type: 'warning',
        code,
        message: `${what}: ${countFiles(files)}, ${groupDigits(bytes)} bytes. ${more}`,
      });
    };
    const unsynced = this.#unsynced;
    warn(
      'CONTENT_NOT_HELD',
      'Not held by the upstream',
      sumOf(unsynced['not-held'], unsynced.unknown),
      'It may keep files of approved updates only; approve them there, or let it download all.',
    );
    warn(
      'FILE_WITHOUT_URL',
      'Without a known address',
      unsynced['no-source'],
      'Take them from elsewhere with "wsusutil content add".',
    );
    warn(
      'CONTENT_ENCRYPTED',
      'Served encrypted, not verified',
      unsynced.encrypted,
      `Nothing was kept; they are tried again after ${ENCRYPTED_RETRY_DAYS} days.`,
    );
    warn(
      'CONTENT_NOT_DOWNLOADED',
      'Not downloaded',
      unsynced.failed,
      `The first one: ${this.#firstReason()}`,
    );
    warn(
      'CONTENT_WITHOUT_SHA256',
      'Downloaded, without a SHA-256 in the metadata',
      this.#withoutSha256,
      'Clients from Windows 8 on do not install them.',
    );
  }

  #firstReason(): string {
    return this.#unsyncedFiles.find(({ problem }) => problem === 'failed')?.reason ?? 'see the log';
  }
}

function formatMinutes(ms: number): string {
  const minutes = Math.max(1, Math.round(ms / 60_000));
  return `${minutes} ${minutes === 1 ? 'minute' : 'minutes'}`;
}

function countFiles(files: number): string {
  return `${groupDigits(files)} content ${files === 1 ? 'file' : 'files'}`;
}

function licencesFirst(files: readonly WantedFile[]): readonly WantedFile[] {
  return [...files].sort((a, b) => Number(b.kind === 'licence') - Number(a.kind === 'licence'));
}
