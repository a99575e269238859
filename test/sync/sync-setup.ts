/** A downstream with a store of its own against a fake upstream. */
import { join } from 'node:path';
import type { ProgressEvent } from '../../src/events.js';
import type { UpdateId } from '../../src/model/update-identity.js';
import type { CategoryRow, MetadataStore } from '../../src/store/metadata-store.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import type { SyncFilter } from '../../src/sync/sync-filter.js';
import {
  type SynchroniseOptions,
  type SyncSummary,
  synchroniseMetadata,
} from '../../src/sync/synchronise.js';
import type { UpstreamItem, UpstreamQuirks } from '../helpers/fake-upstream.js';
import { temporaryFolder } from '../helpers/package-builder.js';
import { type ClientSetup, setUp, smallCatalogue } from './client-setup.js';

export interface Downstream extends AsyncDisposable {
  readonly setup: ClientSetup;
  readonly store: MetadataStore;
  readonly events: ProgressEvent[];
  sync(options?: Partial<SynchroniseOptions>): Promise<SyncSummary>;
  /** The same store, opened anew, as the next process does. */
  reopen(): Promise<void>;
}

/** Every product and classification there is. */
export function chooseAll(categories: readonly CategoryRow[]): SyncFilter {
  const ids = (...types: readonly string[]): UpdateId[] =>
    categories
      .filter(({ categoryType }) => types.includes(categoryType ?? ''))
      .map(({ updateId }) => updateId);
  return { products: ids('Product', 'ProductFamily'), classifications: ids('UpdateClassification') };
}

/** A whole synchronisation with a server of its own kind, on this thread. */
export function wholeSync(): Omit<SynchroniseOptions, 'store' | 'client' | 'upstream'> {
  return {
    isMicrosoftUpdate: false,
    chooseFilter: chooseAll,
    categoriesOnly: false,
    full: false,
    dryRun: false,
    threads: 0,
    now: () => new Date(),
    signal: new AbortController().signal,
    report: () => {},
  };
}

export async function startDownstream(
  quirks: UpstreamQuirks = {},
  items: readonly UpstreamItem[] = smallCatalogue(),
  path?: string,
): Promise<Downstream> {
  const setup = await setUp(quirks, { items });
  const storePath = path ?? join(temporaryFolder().path, 'metadata.sqlite');
  const open = () => openMetadataStore(storePath, { mode: 'write', now: () => new Date() });
  let store = await open();
  const events: ProgressEvent[] = [];
  return {
    setup,
    get store() {
      return store;
    },
    events,
    sync: (options = {}) =>
      synchroniseMetadata({
        ...wholeSync(),
        store,
        client: setup.newClient(),
        upstream: setup.upstream.url.href,
        isMicrosoftUpdate: quirks.kind === 'microsoft-update',
        signal: setup.controller.signal,
        report: (event) => events.push(event),
        ...options,
      }),
    async reopen() {
      await store.close();
      store = await open();
    },
    async [Symbol.asyncDispose]() {
      await store.close();
      await setup[Symbol.asyncDispose]();
    },
  };
}
