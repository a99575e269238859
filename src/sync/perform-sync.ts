/**
 * A synchronisation from its first call to its entry in the history: metadata, then content, as a downstream server does
 * it (server-sync-protocol 16, 17).
 */
import type { ContentRunner } from '../content/content-runner.js';
import { isWsusutilError, WsusutilError } from '../errors.js';
import type { ProgressEvent, Report } from '../events.js';
import type { Account } from '../formats/server-sync/get-authorization-cookie.js';
import type { HistoryMessage, MetadataStore } from '../store/metadata-store.js';
import type { HttpClient } from '../transfer/http-client.js';
import type { HttpPost } from '../transfer/http-post.js';
import { withoutSecrets } from '../transfer/proxy.js';
import { type SyncClock, systemClock } from './clock.js';
import { type ContentSource, type ContentSyncPlan, planContentSync } from './content-survey.js';
import { contentUrlOf } from './content-url.js';
import type { ContentChoice } from './select-content.js';
import { ServerSyncClient } from './server-sync-client.js';
import { type ContentSyncSummary, synchroniseContent } from './sync-content.js';
import {
  type BrokenOffSync,
  isSyncComplete,
  type SynchroniseOptions,
  type SyncSummary,
  synchroniseMetadata,
} from './synchronise.js';
import type { TimeWindow } from './time-window.js';

/** What one entry of the history keeps of what was said, of each kind; the log file has all of it. */
const MAX_MESSAGES_PER_LEVEL = 1_000;
/** Files downloaded at once (server-sync-protocol 16.3). */
export const CONTENT_CONNECTIONS = 4;

export interface PerformSyncOptions
  extends Pick<
    SynchroniseOptions,
    | 'chooseFilter'
    | 'inventory'
    | 'categoriesOnly'
    | 'full'
    | 'dryRun'
    | 'isMicrosoftUpdate'
    | 'threads'
    | 'signal'
    | 'report'
  > {
  /** open to write */
  readonly store: MetadataStore;
  /** root of the upstream */
  readonly upstream: URL;
  readonly account: Account;
  readonly post: HttpPost;
  readonly http: HttpClient;
  readonly parts: 'all' | 'metadata' | 'content';
  readonly content: ContentChoice;
  readonly contentFolder: string;
  /** which of both a file is taken from, if the upstream holds files at all */
  readonly contentSource: 'upstream' | 'microsoft-update' | 'either';
  /** where the upstream keeps its content; undefined: where a WSUS server does */
  readonly upstreamContentUrl?: string | undefined;
  readonly window?: TimeWindow | undefined;
  readonly runner: ContentRunner;
  readonly trigger: 'manual' | 'scheduled';
  /** texts that must be in no message, though a server or a proxy throw them back */
  readonly secrets?: readonly string[] | undefined;
  readonly clock?: SyncClock | undefined;
}

export interface PerformSyncSummary {
  /** undefined: only content was asked for */
  readonly metadata: SyncSummary | undefined;
  /** undefined: no content was asked for, or it was a dry run */
  readonly content: ContentSyncSummary | undefined;
  /** of a dry run; undefined: more revisions would come than it looks into, or no content was asked for */
  readonly contentPlan: ContentSyncPlan | undefined;
  readonly isComplete: boolean;
}

/**
 * Leaves an entry in the history, also when it fails; a dry run leaves none.
 *
 * @throws WsusutilError the codes of {@link synchroniseMetadata} and {@link synchroniseContent}
 */
export async function performSync(options: PerformSyncOptions): Promise<PerformSyncSummary> {
  const { clock = systemClock, store, upstream, trigger, dryRun, secrets = [] } = options;
  const startedAt = clock.now().getTime();
  const listener = listen(options.report, () => clock.now().getTime(), secrets);
  const run = new Run({ ...options, report: listener.report }, clock);
  const remember = async (outcome: string, details: Readonly<Record<string, unknown>>) => {
    if (dryRun) return;
    await store.addHistory({
      action: 'sync',
      package: upstream.href,
      startedAt,
      finishedAt: clock.now().getTime(),
      outcome,
      details: {
        trigger,
        parts: options.categoriesOnly ? 'categories' : options.parts,
        ...run.details(),
        ...details,
      },
      messages: listener.messages(),
    });
  };
  let summary: PerformSyncSummary;
  try {
    summary = await run.perform();
  } catch (thrown) {
    const error = options.signal.aborted
      ? interruption(thrown, dryRun)
      : concealed(keptHint(thrown), secrets);
    const code = isWsusutilError(error) ? error.code : 'INTERNAL';
    const message = error instanceof Error ? error.message : String(error);
    listener.add('error', message);
    // A store that cannot be written any more must not hide why.
    await remember(code, { message }).catch(() => {});
    throw error;
  }
  await remember(summary.isComplete ? 'complete' : 'incomplete', {});
  return summary;
}

/** What fails in a store says that it is as before; here, what came before it failed is kept. */
function keptHint(error: unknown): unknown {
  if (!isWsusutilError(error, 'DISK_FULL') || error.hint?.includes('as it was before') !== true) return error;
  return new WsusutilError('DISK_FULL', error.message, {
    hint: 'Free space, then run the command again: what came is kept, and it goes on from there.',
    details: error.details,
    cause: error,
  });
}

function interruption(cause: unknown, dryRun: boolean): WsusutilError {
  return new WsusutilError('INTERRUPTED', 'Interrupted while synchronising', {
    hint: dryRun
      ? 'Nothing was changed (--dry-run).'
      : 'What came is kept; run the command again to go on from there.',
    cause,
  });
}

/** The causes are let go: they hold the same words. */
function concealed(error: unknown, secrets: readonly string[]): unknown {
  if (!isWsusutilError(error)) return error;
  const conceal = (text: string) => withoutSecrets(text, secrets);
  const said = JSON.stringify([error.message, error.hint, error.details ?? {}]);
  if (conceal(said) === said && conceal(error.message) === error.message) return error;
  return new WsusutilError(error.code, conceal(error.message), {
    hint: error.hint === undefined ? undefined : conceal(error.hint),
  });
}

class Run {
  readonly #options: PerformSyncOptions;
  readonly #clock: SyncClock;
  readonly #client: ServerSyncClient;
  #metadata: SyncSummary | undefined;
  /** of metadata, where that failed */
  #brokenOff: BrokenOffSync | undefined;
  #content: ContentSyncSummary | undefined;
  /** of content, so far */
  #downloaded: Pick<ContentSyncSummary['downloaded'], 'files' | 'bytes'> | undefined;

  constructor(options: PerformSyncOptions, clock: SyncClock) {
    const { upstream, account, post, signal, report } = options;
    this.#options = options;
    this.#clock = clock;
    this.#client = new ServerSyncClient({ upstream, account, post, signal, report, clock });
  }

  async perform(): Promise<PerformSyncSummary> {
    const { parts, categoriesOnly, content, dryRun } = this.#options;
    const wantsContent = parts !== 'metadata' && !categoriesOnly && content.policy !== 'none';
    let contentPlan: ContentSyncPlan | undefined;
    const plan = async () => {
      if (wantsContent) contentPlan = await planContentSync(await this.#contentOptions());
    };
    if (parts !== 'content') {
      this.#metadata = await this.#synchroniseMetadata(async (summary) => {
        this.#metadata = summary;
        await plan();
      });
    } else if (dryRun) await plan();
    if (wantsContent && !dryRun) {
      const { http, window } = this.#options;
      this.#content = await synchroniseContent({
        ...(await this.#contentOptions()),
        http,
        window,
        concurrency: CONTENT_CONNECTIONS,
        onDownloaded: (downloaded) => {
          this.#downloaded = downloaded;
        },
      });
    }
    return {
      metadata: this.#metadata,
      content: this.#content,
      contentPlan,
      isComplete:
        (this.#metadata === undefined || isSyncComplete(this.#metadata)) &&
        (this.#content === undefined || this.#content.isComplete),
    };
  }

  /** For the history, as far as the run came. */
  details(): Readonly<Record<string, unknown>> {
    const metadata = this.#metadata;
    const content = this.#content;
    const downloaded = content?.downloaded ?? this.#downloaded;
    return {
      ...(metadata === undefined
        ? {}
        : {
            newUpdates: metadata.newUpdates,
            revisedUpdates: metadata.revisedUpdates,
            expiredUpdates: metadata.expiredUpdates,
            declinedUpdates: metadata.declinedUpdates,
            newCategories: metadata.newCategories,
            revisions: metadata.revisions,
            unavailable: metadata.unavailableCount,
          }),
      ...(this.#brokenOff === undefined ? {} : factsOf(this.#brokenOff)),
      ...(downloaded === undefined ? {} : { files: downloaded.files, bytes: downloaded.bytes }),
      ...(content === undefined ? {} : { stillMissing: content.stillMissing.files }),
    };
  }

  #synchroniseMetadata(onRehearsed: (summary: SyncSummary) => Promise<void>): Promise<SyncSummary> {
    const { upstream, content, ...rest } = this.#options;
    return synchroniseMetadata({
      ...rest,
      client: this.#client,
      upstream: upstream.href,
      languages: content.languages === 'all' ? undefined : content.languages,
      now: () => this.#clock.now(),
      onRehearsed,
      onBrokenOff: (done) => {
        this.#brokenOff = done;
      },
    });
  }

  async #contentOptions() {
    const { store, content, contentFolder, runner, signal, report } = this.#options;
    const source = await this.#contentSource();
    return { ...content, store, contentFolder, source, runner, signal, report, clock: this.#clock };
  }

  async #contentSource(): Promise<ContentSource> {
    const { isMicrosoftUpdate, upstream, upstreamContentUrl, contentSource } = this.#options;
    if (isMicrosoftUpdate || contentSource === 'microsoft-update') {
      return { contentUrl: undefined, allowMicrosoft: true };
    }
    const config = this.#metadata?.config ?? (await this.#client.getConfigData(undefined)).config;
    if (config.catalogOnlySync && upstreamContentUrl === undefined) {
      return { contentUrl: undefined, allowMicrosoft: true };
    }
    return {
      contentUrl: upstreamContentUrl ?? contentUrlOf(upstream),
      allowMicrosoft: contentSource === 'either',
      downloadFiles: (sha1s) => this.#client.downloadFiles(sha1s),
    };
  }
}

/** `changedNothing`: it broke off before anything came that the store does not have; it never began, so to speak. */
function factsOf({ listed, wanted, revisions, arrivals }: BrokenOffSync): Readonly<Record<string, unknown>> {
  if (wanted === 0 && revisions === 0) return { changedNothing: true };
  return { ...arrivals, revisions, listed, wanted };
}

/** Hands everything on, and keeps what belongs into the history. */
function listen(
  report: Report,
  now: () => number,
  secrets: readonly string[],
): {
  report(event: ProgressEvent): void;
  add(level: HistoryMessage['level'], message: string): void;
  messages(): readonly HistoryMessage[];
} {
  const kept: HistoryMessage[] = [];
  const counts: Record<HistoryMessage['level'], number> = { step: 0, warning: 0, error: 0 };
  let unkept = 0;
  const add = (level: HistoryMessage['level'], message: string) => {
    if (++counts[level] <= MAX_MESSAGES_PER_LEVEL) kept.push({ at: now(), level, message });
    else unkept++;
  };
  return {
    report(event) {
      if (event.type !== 'step' && event.type !== 'warning') return report(event);
      const message = withoutSecrets(event.message, secrets);
      add(event.type, message);
      report({ ...event, message });
    },
    add,
    messages: () =>
      unkept === 0
        ? kept
        : [
            ...kept,
            { at: now(), level: 'step', message: `${unkept} more messages are in the log file only` },
          ],
  };
}
