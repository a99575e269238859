/** Fetches many content files at once, and stops asking hosts that do not answer. */
import { throwIfInterrupted, WsusutilError } from '../errors.js';
import { type DownloadRequest, type DownloadTools, downloadFile } from './download-file.js';
import { isUnreachable } from './http-client.js';

export type { DownloadRequest } from './download-file.js';

export const DEFAULT_CONCURRENCY = 4;
/** Files of one host that fail in a row because it cannot be reached; its others are not tried then. */
const MAX_UNREACHABLE = 3;

export interface DownloadOutcome {
  readonly request: DownloadRequest;
  /** undefined: the file is in place */
  readonly error: unknown;
}

export interface DownloadFilesOptions extends DownloadTools {
  readonly concurrency?: number;
}

/**
 * Outcomes come as files are done, in no order. A file that cannot be had is an outcome; only an interruption ends the
 * whole, and not before every file that is in place by then was given out. No more requests are taken than are under
 * way.
 *
 * @throws WsusutilError `INTERRUPTED`
 */
export async function* downloadFiles(
  requests: AsyncIterable<DownloadRequest>,
  options: DownloadFilesOptions,
): AsyncGenerator<DownloadOutcome> {
  const concurrency = options.concurrency ?? DEFAULT_CONCURRENCY;
  const unreachable = new Map<string, number>();
  const running = new Set<Promise<DownloadOutcome>>();
  const start = (request: DownloadRequest) => {
    const host = hostOf(request.url);
    const task: Promise<DownloadOutcome> = attempt(request, host).then((outcome) => {
      done.push({ task, outcome });
      return outcome;
    });
    running.add(task);
  };
  const attempt = async (request: DownloadRequest, host: string): Promise<DownloadOutcome> => {
    if ((unreachable.get(host) ?? 0) >= MAX_UNREACHABLE) {
      const error = new WsusutilError('SOURCE_UNREACHABLE', `Not tried: ${host} did not answer before`, {
        hint: 'Check the network, or run with --offline.',
        details: { host },
      });
      return { request, error };
    }
    try {
      await downloadFile(request, options);
      unreachable.delete(host);
      return { request, error: undefined };
    } catch (error) {
      if (isUnreachable(error)) {
        unreachable.set(host, (unreachable.get(host) ?? 0) + 1);
      } else unreachable.delete(host); // it answered
      return { request, error };
    }
  };
  const done: { task: Promise<DownloadOutcome>; outcome: DownloadOutcome }[] = [];
  const takeDone = async function* () {
    await Promise.race(running);
    for (const { task, outcome } of done.splice(0)) {
      running.delete(task);
      if (!options.signal.aborted || outcome.error === undefined) yield outcome;
    }
    if (!options.signal.aborted) return;
    await Promise.allSettled(running);
    for (const { outcome } of done.splice(0)) if (outcome.error === undefined) yield outcome;
    throwIfInterrupted(options.signal, 'downloading content files');
  };
  try {
    for await (const request of requests) {
      start(request);
      while (running.size >= concurrency) yield* takeDone();
    }
    while (running.size > 0) yield* takeDone();
  } finally {
    // Left early: whoever waits for the signal sees it; nothing may write after we are gone.
    await Promise.allSettled(running);
  }
}

function hostOf(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return '';
  }
}
