/** A server over a store of its own on 127.0.0.1, and downstreams of it. All of it ends with the running test. */
import { writeFileSync } from 'node:fs';
import type { Server as HttpsServer } from 'node:https';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ProgressEvent } from '../../src/events.js';
import type { Cookie } from '../../src/formats/server-sync/cookies.js';
import type { AccessEntry } from '../../src/serve/access-log.js';
import { loadCertificate, type ServerCertificate } from '../../src/serve/certificate.js';
import { CLEAR_PART, type Front, securePart } from '../../src/serve/front.js';
import { DEFAULT_LIMITS } from '../../src/serve/limits.js';
import { createHttpServer, createHttpsServer, listen } from '../../src/serve/listener.js';
import { makeSelfSigned } from '../../src/serve/self-signed.js';
import { openServeFront, type ServeOptions } from '../../src/serve/server.js';
import type { MetadataStore } from '../../src/store/metadata-store.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import { ServerSyncClient, type ServerSyncClientOptions } from '../../src/sync/server-sync-client.js';
import {
  type SynchroniseOptions,
  type SyncSummary,
  synchroniseMetadata,
} from '../../src/sync/synchronise.js';
import { openTestPost } from '../helpers/test-post.js';
import { testFolder } from '../store/update-builder.js';
import { ACCOUNT } from '../sync/client-setup.js';
import { wholeSync } from '../sync/sync-setup.js';

export const KEY = Buffer.alloc(32, 7);

export interface TestServer {
  readonly url: URL;
  readonly front: Front;
  readonly accesses: readonly AccessEntry[];
  readonly events: readonly ProgressEvent[];
}

/** Serves the store at `storePath`, which may be open elsewhere. */
export async function startServer(
  storePath: string,
  options: Partial<ServeOptions> = {},
): Promise<TestServer> {
  const { front, limits, ...told } = await openFront(storePath, options);
  const server = createHttpServer(limits);
  front.attach(server);
  const port = await listen(server, '127.0.0.1', 0);
  return { ...told, front, url: new URL(`http://127.0.0.1:${port}/`) };
}

export interface SecureServer extends TestServer {
  /** its certificate, for `localhost` */
  readonly files: { readonly kind: 'pem'; readonly certificateFile: string; readonly keyFile: string };
  readonly load: () => Promise<ServerCertificate>;
  readonly secure: HttpsServer;
  readonly port: number;
  /** of content and reports */
  readonly clearPort: number;
}

/** The same with SSL. The two ports are no neighbours. */
export async function startSecureServer(
  storePath: string,
  options: Partial<ServeOptions> = {},
  contentOverSsl = false,
): Promise<SecureServer> {
  const files = writeCertificate(testFolder());
  const { front, limits, ...told } = await openFront(storePath, options);
  const load = () => loadCertificate(files, undefined);
  const secure = createHttpsServer(limits, await load());
  const clear = createHttpServer(limits);
  front.attach(secure, securePart(contentOverSsl));
  front.attach(clear, CLEAR_PART);
  const [port, clearPort] = [await listen(secure, '127.0.0.1', 0), await listen(clear, '127.0.0.1', 0)];
  const url = new URL(`https://localhost:${port}/`);
  return { ...told, front, url, files, load, secure, port, clearPort };
}

/** A new one each time, in the same files. */
export function writeCertificate(folder: string): SecureServer['files'] {
  const { certificate, key } = makeSelfSigned(['localhost', '127.0.0.1'], new Date());
  const files = {
    kind: 'pem',
    certificateFile: join(folder, 'cert.pem'),
    keyFile: join(folder, 'key.pem'),
  } as const;
  writeFileSync(files.certificateFile, certificate);
  writeFileSync(files.keyFile, key);
  return files;
}

/** Everything but listeners; stops with the running test. */
async function openFront(storePath: string, options: Partial<ServeOptions>) {
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
  onTestFinished(() => front.stop());
  return { front, accesses, events, limits: { ...DEFAULT_LIMITS, ...options.limits } };
}

/** Codes of what a server warned of. */
export function warningsOf({ events }: TestServer): readonly string[] {
  return events.flatMap((event) => (event.type === 'warning' ? [event.code] : []));
}

/** Our own downstream's side of the calls. */
export function clientOf(
  server: Pick<TestServer, 'url'>,
  options: Partial<ServerSyncClientOptions> = {},
): ServerSyncClient {
  const http = openTestPost();
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
  server: Pick<TestServer, 'url'>,
  store: MetadataStore,
  options: Partial<SynchroniseOptions> = {},
): Promise<SyncSummary> {
  return synchroniseMetadata({
    ...wholeSync(),
    store,
    client: clientOf(server),
    upstream: server.url.href,
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
