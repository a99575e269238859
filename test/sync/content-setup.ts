/** A downstream with a store and a content folder, and servers of content files over real HTTP. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ProgressEvent } from '../../src/events.js';
import type { MetadataStore } from '../../src/store/metadata-store.js';
import { type ContentSource, type ContentSyncPlan, planContentSync } from '../../src/sync/content-survey.js';
import {
  type ContentSyncOptions,
  type ContentSyncSummary,
  synchroniseContent,
} from '../../src/sync/sync-content.js';
import { type HttpClient, openHttpClient } from '../../src/transfer/http-client.js';
import { type BuiltFile, testRunner } from '../content/content-builder.js';
import { type ContentOrigin, startContentOrigin } from '../helpers/content-origin.js';
import { type BuiltUpdate, importUpdates, openTestStore, testFolder } from '../store/update-builder.js';
import { ManualClock } from './manual-clock.js';

/** A server of content files that may come to hold more. */
export interface Holder extends ContentOrigin {
  hold(...files: readonly BuiltFile[]): void;
  /** path of a file as it is asked for */
  pathOf(file: BuiltFile): string;
  /** requests for a file: where each began */
  startsOf(file: BuiltFile): number[];
}

/** @param folder path of the content, e.g. `/Content` */
export async function startHolder(folder: string, ...held: readonly BuiltFile[]): Promise<Holder> {
  const files = new Map<string, Buffer>();
  const pathOf = (file: BuiltFile) => `${folder}/${file.path}`;
  const hold = (...more: readonly BuiltFile[]) => {
    for (const file of more) files.set(pathOf(file), file.bytes);
  };
  hold(...held);
  const origin = await startContentOrigin(files);
  return {
    ...origin,
    hold,
    pathOf,
    startsOf: (file) => origin.requests.filter(({ path }) => path === pathOf(file)).map(({ start }) => start),
  };
}

export interface ContentSetup {
  readonly store: MetadataStore;
  readonly folder: string;
  readonly upstream: Holder;
  readonly microsoft: Holder;
  readonly clock: ManualClock;
  readonly controller: AbortController;
  readonly events: ProgressEvent[];
  /** as `upstream` gives out content */
  readonly source: ContentSource;
  sync(options?: Partial<ContentSyncOptions>): Promise<ContentSyncSummary>;
  plan(options?: Partial<ContentSyncOptions>): Promise<ContentSyncPlan>;
  /** whether the file lies in its place with the right bytes */
  has(file: BuiltFile): boolean;
  /** codes of the warnings since the last call */
  warnings(): string[];
}

export interface SetupOptions {
  readonly updates: readonly BuiltUpdate[];
  /** what the upstream holds */
  readonly held?: readonly BuiltFile[];
  /** what Microsoft holds; the metadata says so */
  readonly atMicrosoft?: readonly BuiltFile[];
  readonly clock?: ManualClock;
}

export function testClient(): HttpClient {
  const http = openHttpClient({ userAgent: 'wsusutil/test', connections: 8 });
  onTestFinished(() => http.close());
  return http;
}

export async function setUpContent(options: SetupOptions): Promise<ContentSetup> {
  const { updates, held = [], atMicrosoft = [] } = options;
  const { store } = await openTestStore();
  await importUpdates(store, updates);
  const microsoft = await startHolder('/d/msdownload', ...atMicrosoft);
  await addLocations(
    store,
    atMicrosoft.map((file) => [file, `${microsoft.url}${microsoft.pathOf(file)}`]),
  );
  const upstream = await startHolder('/Content', ...held);
  const folder = join(testFolder(), 'WsusContent');
  mkdirSync(folder);
  const clock = options.clock ?? new ManualClock('2026-11-10T12:00:00Z');
  const controller = new AbortController();
  const events: ProgressEvent[] = [];
  const http = testClient();
  const runner = testRunner();
  const source: ContentSource = { contentUrl: `${upstream.url}/Content/`, allowMicrosoft: false };
  const base: ContentSyncOptions = {
    store,
    contentFolder: folder,
    source,
    http,
    runner,
    policy: 'wanted',
    languages: 'all',
    expressFiles: false,
    clock,
    random: () => 0,
    signal: controller.signal,
    report: (event) => events.push(event),
  };
  return {
    store,
    folder,
    upstream,
    microsoft,
    clock,
    controller,
    events,
    source,
    sync: (more = {}) => synchroniseContent({ ...base, ...more }),
    plan: (more = {}) => planContentSync({ ...base, ...more }),
    has: (file) => hasFile(folder, file),
    warnings: () => events.splice(0).flatMap((event) => (event.type === 'warning' ? [event.code] : [])),
  };
}

export function hasFile(folder: string, file: BuiltFile): boolean {
  const path = join(folder, ...file.path.split('/'));
  return existsSync(path) && readFileSync(path).equals(file.bytes);
}

export async function addLocations(
  store: MetadataStore,
  locations: readonly (readonly [file: BuiltFile, muUrl: string])[],
): Promise<void> {
  const transaction = await store.beginImport();
  await transaction.addFileLocations(
    locations.map(([{ sha1, fileName }, muUrl]) => ({ sha1, fileName, muUrl })),
  );
  await transaction.commit();
}

export async function addKeys(store: MetadataStore, ...files: readonly BuiltFile[]): Promise<void> {
  const transaction = await store.beginImport();
  await transaction.addDecryptionKeys(new Map(files.map(({ sha1 }) => [sha1, Buffer.from('key')])));
  await transaction.commit();
}
