/** A client against a fake upstream, with a clock that does not wait. */
import { isWsusutilError } from '../../src/errors.js';
import type { ProgressEvent } from '../../src/events.js';
import { decodeUpdateBlob } from '../../src/formats/server-sync/update-blob.js';
import { formatIdentity } from '../../src/model/update-identity.js';
import type { SyncClock } from '../../src/sync/clock.js';
import type { UpdateEvent } from '../../src/sync/fetch-updates.js';
import { ServerSyncClient, type ServerSyncClientOptions } from '../../src/sync/server-sync-client.js';
import type { HttpPost } from '../../src/transfer/http-post.js';
import {
  catalogueItems,
  type FakeUpstream,
  startFakeUpstream,
  type UpstreamItem,
  type UpstreamQuirks,
} from '../helpers/fake-upstream.js';
import { openTestPost } from '../helpers/test-post.js';

export const ACCOUNT = { name: 'dss01.corp.example', guid: '7d1f0c52-3b6e-4a0d-9f3a-52c1b8e0a417' };

let catalogue: readonly UpstreamItem[] | undefined;

/** 170 revisions of every kind. */
export function smallCatalogue(): readonly UpstreamItem[] {
  catalogue ??= [...catalogueItems({ revisions: 170, seed: 7 })];
  return catalogue;
}

/** Real time, but sleeping takes none. */
export class SleeplessClock implements SyncClock {
  /** milliseconds of each pause */
  readonly pauses: number[] = [];
  /** added to the real time */
  offsetMs = 0;
  /** how much later it is at every look */
  stepMs = 0;

  now(): Date {
    this.offsetMs += this.stepMs;
    return new Date(Date.now() + this.offsetMs);
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.pauses.push(ms);
  }
}

/** A client that nobody listens to and nobody stops. */
export function clientOf(upstream: URL, post: HttpPost): ServerSyncClient {
  return new ServerSyncClient({
    upstream,
    account: ACCOUNT,
    post,
    signal: new AbortController().signal,
    report: () => {},
    clock: new SleeplessClock(),
    random: () => 1,
  });
}

export interface ClientSetup extends AsyncDisposable {
  readonly upstream: FakeUpstream;
  readonly client: ServerSyncClient;
  readonly clock: SleeplessClock;
  readonly controller: AbortController;
  readonly steps: readonly string[];
  /** those of the steps that are shown to whoever looks on */
  readonly news: readonly string[];
  /** Another client of the same upstream. */
  newClient(options?: Partial<ServerSyncClientOptions>): ServerSyncClient;
}

export async function setUp(
  quirks: UpstreamQuirks = {},
  options: Partial<ServerSyncClientOptions> & { readonly items?: readonly UpstreamItem[] } = {},
): Promise<ClientSetup> {
  const { items, ...clientOptions } = options;
  const upstream = await startFakeUpstream(items ?? smallCatalogue(), quirks);
  const http = openTestPost();
  const clock = new SleeplessClock();
  const controller = new AbortController();
  const steps: string[] = [];
  const news: string[] = [];
  const newClient = (more: Partial<ServerSyncClientOptions> = {}) =>
    new ServerSyncClient({
      upstream: upstream.url,
      account: ACCOUNT,
      post: http.post,
      signal: controller.signal,
      report: (event: ProgressEvent) => {
        if (event.type !== 'step') return;
        steps.push(event.message);
        if (event.isNews === true) news.push(event.message);
      },
      clock,
      random: () => 1,
      ...clientOptions,
      ...more,
    });
  return {
    upstream,
    client: newClient(),
    clock,
    controller,
    steps,
    news,
    newClient,
    async [Symbol.asyncDispose]() {
      await http[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

export interface Fetched {
  readonly documents: ReadonlyMap<string, Uint8Array>;
  readonly fileSha1s: ReadonlyMap<string, readonly string[]>;
  readonly urls: ReadonlyMap<string, string | undefined>;
  readonly unavailable: readonly string[];
  readonly reasons: ReadonlySet<string>;
  readonly unreadable: readonly string[];
}

/** One by one what comes some at a time. */
export async function* flatten<T>(lists: AsyncIterable<readonly T[]>): AsyncGenerator<T> {
  for await (const list of lists) yield* list;
}

/** Everything that comes; a document that comes twice is an error. */
export async function collect(events: AsyncIterable<readonly UpdateEvent[]>): Promise<Fetched> {
  const documents = new Map<string, Uint8Array>();
  const fileSha1s = new Map<string, readonly string[]>();
  const urls = new Map<string, string | undefined>();
  const unavailable: string[] = [];
  const reasons = new Set<string>();
  const unreadable: string[] = [];
  for await (const event of flatten(events)) {
    if (event.type === 'file-location') {
      urls.set(event.location.sha1, event.location.muUrl);
      continue;
    }
    const key = formatIdentity(event.identity);
    if (event.type === 'unreadable') unreadable.push(key);
    else if (event.type === 'unavailable') {
      unavailable.push(key);
      reasons.add(event.reason);
    } else {
      if (documents.has(key) || unreadable.includes(key)) throw new Error(`${key} came twice`);
      fileSha1s.set(key, event.fileSha1s);
      try {
        documents.set(key, decodeUpdateBlob(event.blob));
      } catch (error) {
        if (!isWsusutilError(error)) throw error;
        unreadable.push(key);
      }
    }
  }
  return { documents, fileSha1s, urls, unavailable, reasons, unreadable };
}
