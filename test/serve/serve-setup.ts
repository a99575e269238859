/** A server over a store of its own on 127.0.0.1, and downstreams of it. All of it ends with the running test. */
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ProgressEvent } from '../../src/events.js';
import type { Cookie } from '../../src/formats/server-sync/cookies.js';
import type { AccessEntry } from '../../src/serve/access-log.js';
import type { Front } from '../../src/serve/front.js';
import { DEFAULT_LIMITS } from '../../src/serve/limits.js';
import { createHttpServer, listen } from '../../src/serve/listener.js';
import { openServeFront, type ServeOptions } from '../../src/serve/server.js';
import type { MetadataStore } from '../../src/store/metadata-store.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import { ServerSyncClient, type ServerSyncClientOptions } from '../../src/sync/server-sync-client.js';
import {
  type SynchroniseOptions,
  type SyncSummary,
  synchroniseMetadata,
} from '../../src/sync/synchronise.js';
import { openUndiciPost } from '../helpers/undici-post.js';
import { testFolder } from '../store/update-builder.js';
import { ACCOUNT } from '../sync/client-setup.js';
import { chooseAll } from '../sync/sync-setup.js';

export const KEY = Buffer.alloc(32, 7);

export interface TestServer {
  readonly url: URL;
  readonly front: Front;
  readonly warnings: readonly string[];
  readonly accesses: readonly AccessEntry[];
  readonly events: readonly ProgressEvent[];
}

/** Serves the store at `storePath`, which may be open elsewhere. */
export async function startServer(
  storePath: string,
  options: Partial<ServeOptions> = {},
): Promise<TestServer> {
  const store = await openMetadataStore(storePath, { mode: 'read', now: () => new Date() });
  onTestFinished(() => store.close());
  const events: ProgressEvent[] = [];
  const accesses: AccessEntry[] = [];
  const front = await openServeFront({
    store,
    contentFolder: join(storePath, '..', 'WsusContent'),
    cookieKey: KEY,
    now: () => new Date(),
    report: (event) => events.push(event),
    onAccess: (entry) => accesses.push(entry),
    ...options,
  });
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const server = createHttpServer(limits);
  front.attach(server);
  const port = await listen(server, '127.0.0.1', 0);
  onTestFinished(() => front.stop());
  return {
    url: new URL(`http://127.0.0.1:${port}/`),
    front,
    accesses,
    events,
    get warnings() {
      return events.flatMap((event) => (event.type === 'warning' ? [event.code] : []));
    },
  };
}

/** Our own downstream's side of the calls. */
export function clientOf(
  server: TestServer,
  options: Partial<ServerSyncClientOptions> = {},
): ServerSyncClient {
  const http = openUndiciPost();
  onTestFinished(() => http[Symbol.asyncDispose]());
  return new ServerSyncClient({
    upstream: server.url,
    account: ACCOUNT,
    post: http.post,
    signal: new AbortController().signal,
    report: () => {},
    random: () => 0,
    ...options,
  });
}

/** A store that synchronises everything from the server. */
export async function syncFrom(
  server: TestServer,
  store: MetadataStore,
  options: Partial<SynchroniseOptions> = {},
): Promise<SyncSummary> {
  return synchroniseMetadata({
    store,
    client: clientOf(server),
    upstream: server.url.href,
    isMicrosoftUpdate: false,
    chooseFilter: chooseAll,
    categoriesOnly: false,
    full: false,
    dryRun: false,
    threads: 0,
    now: () => new Date(),
    signal: new AbortController().signal,
    report: () => {},
    ...options,
  });
}

export function storePathIn(folder = testFolder()): string {
  return join(folder, 'metadata.sqlite');
}

export interface SoapAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Posts an envelope as it is. */
export async function post(
  server: TestServer,
  body: string | Uint8Array,
  path = 'ServerSyncWebService/ServerSyncWebService.asmx',
  headers: Readonly<Record<string, string>> = {},
): Promise<SoapAnswer> {
  const response = await fetch(new URL(path, server.url), {
    method: 'POST',
    headers: { 'content-type': 'text/xml; charset=utf-8', ...headers },
    body,
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** A cookie that the server takes. */
export async function cookieFrom(
  server: TestServer,
  options: Partial<ServerSyncClientOptions> = {},
): Promise<Cookie> {
  const client = clientOf(server, options);
  await client.authorize();
  const { cookie } = client.session;
  if (cookie === undefined) throw new Error('there is no cookie');
  return cookie;
}
