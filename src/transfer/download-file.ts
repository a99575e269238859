/**
 * Fetches one content file: into a temporary file that a later process can go on with, through both digests while it
 * is written, and under its final name only when it is whole and right.
 */
import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleepFor } from 'node:timers/promises';
import { errorText, isWsusutilError, throwIfInterrupted, WsusutilError } from '../errors.js';
import type { Sha1Hex, Sha256Hex } from '../model/digest.js';
import { syncDirectory, writeError } from '../platform/atomic-file.js';
import { writeFully } from '../platform/write-behind.js';
import { type HttpClient, type HttpReply, printableUrl } from './http-client.js';

/** Tries without a byte of progress before a file is given up. */
const MAX_ATTEMPTS = 5;
const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;
/** A server that asks us to come back later than this is not waited for. */
const MAX_RETRY_AFTER_MS = 120_000;
const PREFIX_READ_SIZE = 1 << 20;
/** A server that sends less than this in that time is given up: bytes one by one would keep a run for ever. */
const SLOW_SIZE = 16 * 1024;
const SLOW_MS = 120_000;

export interface DownloadRequest {
  readonly sha1: Sha1Hex;
  /** undefined: old documents give none */
  readonly sha256: Sha256Hex | undefined;
  /** bytes, exact */
  readonly size: number;
  readonly url: string;
  /**
   * Where the bytes lie until they are whole; always the same for a file, so that a later process goes on with them.
   * Two processes must not fetch the same file at once: the caller holds the writer lock.
   */
  readonly temporaryPath: string;
  readonly targetPath: string;
}

export interface DownloadTools {
  readonly http: HttpClient;
  readonly signal: AbortSignal;
  /** 0 ≤ x < 1, for the jitter of delays */
  readonly random: () => number;
  /** called with the bytes that arrived */
  readonly onBytes: (count: number) => void;
  /** waits between two tries; a test waits less */
  readonly sleep?: ((milliseconds: number, signal: AbortSignal) => Promise<void>) | undefined;
}

/**
 * @throws WsusutilError `SOURCE_UNREACHABLE`, `SOURCE_REFUSED` (HTTP status in `details.status`), `PROXY_…`,
 *   `DOWNLOAD_MISMATCH`, `DISK_FULL`, `READ_ONLY`, `WRITE_FAILED`, `INTERRUPTED`. What arrived stays for a later run, unless the disk is full
 *   or the bytes were wrong.
 */
export async function downloadFile(request: DownloadRequest, tools: DownloadTools): Promise<void> {
  const { temporaryPath, targetPath } = request;
  const sleep = tools.sleep ?? ((ms, signal) => sleepFor(ms, undefined, { signal }).catch(() => {}));
  await makeFolder(dirname(temporaryPath));
  const file = await PartialFile.open(request, tools.signal);
  let failures = 0;
  try {
    while (!file.isWhole) {
      const before = file.size;
      let delay: number;
      try {
        await fetchRest(request, file, tools);
        continue;
      } catch (error) {
        throwIfInterrupted(tools.signal, 'downloading content files');
        if (!(error instanceof Failure)) throw error;
        if (file.size > before) failures = 0;
        if (++failures >= MAX_ATTEMPTS) throw error.told;
        if (error.retryAfterMs !== undefined && error.retryAfterMs > MAX_RETRY_AFTER_MS) throw error.told;
        delay = error.retryAfterMs ?? tools.random() * Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** failures);
      }
      await sleep(delay, tools.signal);
      throwIfInterrupted(tools.signal, 'downloading content files');
    }
    let problem = file.mismatch();
    if (problem !== undefined) {
      // The start may be of another file, or a proxy has a bad copy: once more from the first byte.
      await file.startOver();
      await fetchRest(request, file, tools).catch((error: unknown) => {
        throw error instanceof Failure ? error.told : error;
      });
      problem = file.mismatch();
    }
    if (problem !== undefined) {
      await file.discard();
      throw mismatch(request, problem);
    }
    await file.finish();
    await makeFolder(dirname(targetPath));
    if (!(await lstat(dirname(targetPath))).isDirectory()) {
      throw new WsusutilError(
        'WRITE_FAILED',
        `${dirname(targetPath)} is a link; nothing is written through it`,
        {
          hint: 'Move it away, then run the command again.',
        },
      );
    }
    await rename(temporaryPath, targetPath);
    await syncDirectory(dirname(targetPath));
  } catch (error) {
    const told = tools.signal.aborted || isWsusutilError(error) ? error : writeError(error, targetPath);
    // Nothing arrived: an empty file for each one that a server does not hold would only be litter.
    if (file.size === 0 || isWsusutilError(told, 'DISK_FULL')) await file.discard();
    throwIfInterrupted(tools.signal, 'downloading content files');
    throw told;
  } finally {
    await file.close();
  }
}

/** A try that failed and may be made again. */
class Failure extends Error {
  readonly told: WsusutilError;
  readonly retryAfterMs: number | undefined;

  constructor(told: WsusutilError, retryAfterMs?: number) {
    super(told.message);
    this.told = told;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Asks for what is missing and appends it. Returns when the server has sent all it announced. */
async function fetchRest(request: DownloadRequest, file: PartialFile, tools: DownloadTools): Promise<void> {
  if (file.isWhole) return;
  const { url } = request;
  let reply: HttpReply;
  try {
    reply = await tools.http.get(url, file.size > 0 ? { range: `bytes=${file.size}-` } : {}, tools.signal);
  } catch (error) {
    throw isWsusutilError(error, 'SOURCE_UNREACHABLE') || isWsusutilError(error, 'PROXY_UNREACHABLE')
      ? new Failure(error)
      : error;
  }
  try {
    await judgeReply(reply, request, file);
    let windowStart = performance.now();
    let windowBytes = 0;
    for await (const bytes of reply.body) {
      windowBytes += bytes.length;
      if (performance.now() - windowStart > SLOW_MS) {
        if (windowBytes < SLOW_SIZE)
          throw new Error(`only ${windowBytes} bytes came in ${SLOW_MS / 1000} seconds`);
        windowStart = performance.now();
        windowBytes = 0;
      }
      if (file.size + bytes.length > request.size) {
        // Never store more than was announced. It cannot be the file: let the digests say so.
        await file.append(bytes.subarray(0, request.size - file.size));
        file.isTooLong = true;
        return;
      }
      await file.append(bytes);
      tools.onBytes(bytes.length);
    }
  } catch (error) {
    if (error instanceof Failure || isWsusutilError(error) || tools.signal.aborted) throw error;
    throw new Failure(
      new WsusutilError(
        'SOURCE_UNREACHABLE',
        `The connection for ${printableUrl(url)} broke: ${errorText(error)}`,
        {
          hint: 'Run the command again; it goes on where it stopped.',
          cause: error,
        },
      ),
    );
  } finally {
    await reply.discard();
  }
  if (!file.isWhole) {
    throw new Failure(
      new WsusutilError(
        'SOURCE_UNREACHABLE',
        `${printableUrl(url)} ended after ${file.size} of ${request.size} bytes`,
        { hint: 'Run the command again; it goes on where it stopped.' },
      ),
    );
  }
}

/** Throws unless the body that follows belongs at the end of the file. */
async function judgeReply(reply: HttpReply, request: DownloadRequest, file: PartialFile): Promise<void> {
  const { status, headers } = reply;
  const url = printableUrl(request.url);
  if (status === 416 && file.size > 0) {
    await file.startOver();
    throw new Failure(refusal(url, status), 0);
  }
  if (status !== 200 && status !== 206) {
    const told = refusal(url, status);
    const mayPass = status === 408 || status === 429 || status >= 500;
    throw mayPass ? new Failure(told, retryAfter(headers['retry-after'])) : told;
  }
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== '' && encoding.toLowerCase() !== 'identity') {
    throw new WsusutilError(
      'SOURCE_REFUSED',
      `${url} answers in the encoding ${encoding}, which was not asked for`,
      {
        hint: 'A proxy on the way changes files; have content addresses excluded from it.',
        details: { status },
      },
    );
  }
  if (status === 206) {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers['content-range'] ?? '');
    if (
      range === null ||
      Number(range[1]) !== file.size ||
      (range[2] !== '*' && Number(range[2]) !== request.size)
    ) {
      await file.startOver();
      throw new Failure(
        new WsusutilError('SOURCE_REFUSED', `${url} sends another part than was asked for`, {
          hint: 'Try again later, or fetch from another source with --source.',
          details: { status },
        }),
        0,
      );
    }
  } else if (file.size > 0) await file.startOver(); // the server knows no ranges: this is the whole file
  const length = headers['content-length'];
  const expected = request.size - file.size;
  if (length !== undefined && Number(length) !== expected) {
    const page = headers['content-type']?.startsWith('text/html') === true ? ', an HTML page' : '';
    throw new WsusutilError(
      'DOWNLOAD_MISMATCH',
      `${url} would send ${length} bytes${page}; ${expected} are expected`,
      {
        hint:
          page === ''
            ? 'The file was replaced at its source; synchronise or import newer metadata.'
            : 'A proxy or portal answers instead of the server; log in there, or have content addresses let through.',
        details: { status },
      },
    );
  }
}

function refusal(url: string, status: number): WsusutilError {
  return new WsusutilError('SOURCE_REFUSED', `${url} answers ${status}`, {
    hint:
      status === 404 || status === 410
        ? 'The file is gone there; look for it on another server and use "wsusutil content add".'
        : 'Check that this machine may fetch from there, then run the command again.',
    details: { status },
  });
}

/** `Retry-After` in seconds or as a date; undefined when it is neither. */
function retryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

function mismatch(request: DownloadRequest, problem: string): WsusutilError {
  return new WsusutilError('DOWNLOAD_MISMATCH', `${printableUrl(request.url)} is not the file: ${problem}`, {
    hint: 'Nothing was kept. A proxy or virus scanner may have changed it; fetch it another way and use "wsusutil content add".',
  });
}

/** The temporary file: what is in it, and its digests so far. */
class PartialFile {
  readonly #request: DownloadRequest;
  readonly #handle: FileHandle;
  #sha1: Hash = createHash('sha1');
  #sha256: Hash = createHash('sha256');
  #isOpen = true;
  /** bytes on disk and in the digests */
  size = 0;
  /** the server sent more than the metadata says */
  isTooLong = false;

  private constructor(request: DownloadRequest, handle: FileHandle) {
    this.#request = request;
    this.#handle = handle;
  }

  /** What an earlier run left is read again: the digests are over every byte that will be in the file. */
  static async open(request: DownloadRequest, signal: AbortSignal): Promise<PartialFile> {
    const { temporaryPath } = request;
    let handle: FileHandle;
    try {
      handle = await open(temporaryPath, 'a+');
    } catch (error) {
      throw writeError(error, temporaryPath);
    }
    const file = new PartialFile(request, handle);
    try {
      await file.#readPrefix(signal);
      return file;
    } catch (error) {
      await file.close();
      throw isWsusutilError(error) ? error : writeError(error, temporaryPath);
    }
  }

  async #readPrefix(signal: AbortSignal): Promise<void> {
    const { size } = await this.#handle.stat();
    if (size > this.#request.size) {
      await this.startOver();
      return;
    }
    const buffer = Buffer.allocUnsafe(Math.min(size, PREFIX_READ_SIZE));
    while (this.size < size) {
      throwIfInterrupted(signal, 'reading what was downloaded before');
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, this.size);
      if (bytesRead === 0) break;
      this.#take(buffer.subarray(0, bytesRead));
    }
  }

  get isWhole(): boolean {
    return this.size === this.#request.size || this.isTooLong;
  }

  async append(bytes: Uint8Array): Promise<void> {
    try {
      await writeFully(this.#handle, bytes, undefined); // open for appending, which needs no position
    } catch (error) {
      throw writeError(error, this.#request.targetPath);
    }
    this.#take(bytes);
  }

  #take(bytes: Uint8Array): void {
    this.#sha1.update(bytes);
    this.#sha256.update(bytes);
    this.size += bytes.length;
  }

  async startOver(): Promise<void> {
    await this.#handle.truncate(0);
    this.#sha1 = createHash('sha1');
    this.#sha256 = createHash('sha256');
    this.size = 0;
    this.isTooLong = false;
  }

  /** What is wrong with a whole file; undefined: nothing. */
  mismatch(): string | undefined {
    const { size, sha1, sha256 } = this.#request;
    if (this.isTooLong) return `more than ${size} bytes arrived`;
    // A file that is wrong is fetched anew with new digests, so that these may be finished here.
    const actual = this.#sha1.digest('hex').toUpperCase();
    if (actual !== sha1) return `expected SHA-1 ${sha1}, got ${actual}`;
    const actual256 = this.#sha256.digest('hex').toUpperCase();
    return sha256 === undefined || actual256 === sha256
      ? undefined
      : `expected SHA-256 ${sha256}, got ${actual256}`;
  }

  async finish(): Promise<void> {
    await this.#handle.sync();
    await this.close();
  }

  async discard(): Promise<void> {
    await this.close();
    await rm(this.#request.temporaryPath, { force: true }).catch(() => {});
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#handle.close();
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw writeError(error, path);
  }
}
