/**
 * One synchronisation of metadata with an upstream, as a downstream server does it (server-sync-protocol 17).
 *
 * Each list of the upstream is written down as owed before the first document is asked for, together with the anchor it
 * came with; the anchor becomes the one to go on from in the transaction that stores the last of them. A run that is
 * killed costs what came since the last checkpoint, never a revision: the next one goes on with what is still owed.
 */
import { isWsusutilError, throwIfInterrupted } from '../errors.js';
import type { Report } from '../events.js';
import type { ServerConfigData } from '../formats/server-sync/get-config-data.js';
import { IdentityList } from '../model/identity-list.js';
import { type PackageLanguage, withOwnFlags } from '../model/language.js';
import type { UpdateType } from '../model/revision.js';
import { formatIdentity, type UpdateId, type UpdateIdentity } from '../model/update-identity.js';
import { MAX_LISTED, type RevisionConflict } from '../packages/document-pipeline.js';
import { describeMissing } from '../packages/import-package.js';
import type {
  CategoryRow,
  ImportTransaction,
  MetadataStore,
  MissingReference,
} from '../store/metadata-store.js';
import type { Arrivals, OwedRevision, SyncPass } from '../store/sync-state.js';
import { addDecryptionKeys } from './decryption.js';
import { IdentitySet } from './identity-set.js';
import { type DriverInventory, fetchDriverSets, listDrivers } from './inventory-drivers.js';
import { RevisionFetch } from './revision-fetch.js';
import type { RevisionIdAnswer, ServerSyncClient } from './server-sync-client.js';
import { describeFilter, isCovered, type SyncFilter } from './sync-filter.js';

/** Calls at once: Microsoft Update takes more than the database behind a WSUS (17.7). */
const CONCURRENCY = { microsoftUpdate: 4, wsus: 2 } as const;
/** A full list now and then finds what a clock that was set back had hidden (17.2). */
const FULL_LIST_INTERVAL_MS = 30 * 86_400_000;
/** Rounds in which the documents that came name others (17.6). */
const MAX_CLOSURE_ROUNDS = 5;
/** Missing references looked at in a round. */
const MAX_CLOSURE_REFERENCES = 5_000;
/** Few enough that revisions the upstream does not have do not make it look ill. */
const CLOSURE_BATCH_SIZE = 10;
/** Revisions no list had that are asked for in vain in one round. Each may cost the pauses of an unknown revision (15.4). */
const MAX_CLOSURE_IN_VAIN = 200;
/** Revisions that did not come in an earlier run and do not come in this one, before the others wait for the next. */
const MAX_AGAIN_IN_VAIN = 20;
/** Calls for the revision number of a prerequisite, one each. */
const MAX_RELATED_CALLS = 50;
/** Revisions that a dry run fetches to see what files they have. */
export const MAX_REHEARSED_REVISIONS = 5_000;
const IDENTITIES_PER_LOOK = 5_000;

export interface SynchroniseOptions {
  readonly store: MetadataStore;
  readonly client: ServerSyncClient;
  /** root of the upstream, as the key of what is remembered of it */
  readonly upstream: string;
  readonly isMicrosoftUpdate: boolean;
  /** What to ask for, once the categories are known; undefined: everything the upstream has. */
  readonly chooseFilter: (categories: readonly CategoryRow[]) => SyncFilter | undefined;
  /** short names; undefined: all */
  readonly languages?: readonly string[] | undefined;
  readonly inventory?: DriverInventory | undefined;
  readonly categoriesOnly: boolean;
  /** asks for full lists, whatever is remembered */
  readonly full: boolean;
  /** stores nothing; fetches documents only if they are few enough ({@link MAX_REHEARSED_REVISIONS}) */
  readonly dryRun: boolean;
  /** Called in a dry run that fetched everything, while the store still reads as if it had stored it. */
  readonly onRehearsed?: ((summary: SyncSummary) => Promise<void>) | undefined;
  /** told what a run that fails has done, before its error is thrown; not in a dry run */
  readonly onBrokenOff?: ((done: BrokenOffSync) => void) | undefined;
  /** calls at once; default by kind of upstream */
  readonly concurrency?: number | undefined;
  readonly threads: number;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface SyncSummary {
  readonly config: ServerConfigData;
  /** entries in the lists of this run */
  readonly listed: number;
  /** of them (and of what was owed before) not in the store when the run began; for a dry run what would be fetched */
  readonly wanted: number;
  /** counted by update, as the console counts */
  readonly newUpdates: number;
  readonly revisedUpdates: number;
  readonly expiredUpdates: number;
  readonly declinedUpdates: number;
  /** revisions stored */
  readonly revisions: number;
  readonly revisionsByType: Readonly<Record<UpdateType, number>>;
  /** bytes of documents, decoded */
  readonly documentBytes: number;
  /** titles of products that were not known before; not told for a first synchronisation */
  readonly newProducts: readonly string[];
  readonly newCategories: number;
  readonly unavailableCount: number;
  /** the first {@link MAX_LISTED} */
  readonly unavailable: readonly OwedRevision[];
  readonly missingCount: number;
  /** the first {@link MAX_LISTED} */
  readonly missing: readonly MissingReference[];
  readonly conflictCount: number;
  readonly conflicts: readonly RevisionConflict[];
  readonly driverSets: number;
  readonly decryptionKeys: number;
  /** a dry run found too many revisions to fetch them: only `listed` and `wanted` say something */
  readonly isOnlyListed: boolean;
}

/** What a run did until it broke off. */
export interface BrokenOffSync {
  /** entries in the lists that came */
  readonly listed: number;
  /** of them not in the store when the run began; with what was owed before */
  readonly wanted: number;
  /** new revisions that are kept */
  readonly revisions: number;
  /** of them, counted by update; undefined: they could not be counted any more */
  readonly arrivals: Arrivals | undefined;
}

/** Nothing failed to come and nothing is missing. */
export function isSyncComplete(summary: SyncSummary): boolean {
  return summary.unavailableCount + summary.missingCount + summary.conflictCount === 0;
}

/**
 * @throws WsusutilError the codes of the upstream (`UPSTREAM_…`), of the store, `INTERRUPTED`, and what `chooseFilter`
 * throws. What came before is kept, except in a dry run.
 */
export async function synchroniseMetadata(options: SynchroniseOptions): Promise<SyncSummary> {
  const transaction = await options.store.beginImport();
  const run = new SyncRun(options, transaction);
  try {
    const summary = await run.perform();
    if (options.dryRun) {
      if (!summary.isOnlyListed) await options.onRehearsed?.(summary);
      await transaction.rollback();
    } else await transaction.commit();
    return summary;
  } catch (error) {
    const done = await run.salvage();
    await transaction.rollback();
    if (done !== undefined) options.onBrokenOff?.(done);
    throw error;
  } finally {
    await run.close();
  }
}

/** Names of what is remembered of an upstream. */
const NAMES = {
  configAnchor: 'configAnchor',
  languages: 'languages',
  /** first revision whose references have not been looked at */
  closureFrom: 'closureFrom',
} as const;

const PASSES: readonly SyncPass[] = ['categories', 'updates', 'drivers'];
const anchorName = (pass: SyncPass) => `${pass}Anchor`;
/** The anchor that came with what is owed now. */
const pendingName = (pass: SyncPass) => `${pass}PendingAnchor`;
/** What was asked for, with the anchor and with the pending one. */
const filterName = (pass: SyncPass) => `${pass}Filter`;
const pendingFilterName = (pass: SyncPass) => `${pass}PendingFilter`;
/** Milliseconds since 1970 of the last full list. */
const fullName = (pass: SyncPass) => `${pass}FullListAt`;

/**
 * What is to be asked for, each once. A list may hold millions: what nobody has asked for yet has no record of its own.
 */
interface Todo {
  readonly fresh: readonly UpdateIdentity[];
  /** asked for in vain before */
  readonly again: readonly OwedRevision[];
}

function countOf({ fresh, again }: Todo): number {
  return fresh.length + again.length;
}

/** As it is written down. */
function* owedOf(
  { fresh, again }: Todo,
  left: readonly OwedRevision[],
): Generator<OwedRevision, void, undefined> {
  yield* again;
  for (const identity of fresh) yield { identity, reason: undefined };
  yield* left;
}

/** One of the upstream's lists. */
interface Pass {
  readonly name: SyncPass;
  /** what is asked for, as a text */
  readonly filter: string;
  /** whether an anchor that was made with that filter will do */
  accepts(filter: string | undefined): boolean;
  list(anchor: string | undefined): Promise<RevisionIdAnswer>;
}

class SyncRun {
  readonly #options: SynchroniseOptions;
  readonly #transaction: ImportTransaction;
  readonly #fetch: RevisionFetch;
  #values = new Map<string, string>();
  #listed = 0;
  #wanted = 0;
  #unavailable: OwedRevision[] = [];
  #rehearsed = true;
  #closureFrom: number;
  #relatedCalls = 0;
  #hasDroppedAnchors = false;
  /** the first run of all went on where it had been broken off */
  #isFirstGoingOn = false;
  /** the list that is fetched */
  #fetching: { readonly pass: SyncPass; readonly todo: Todo } | undefined;

  constructor(options: SynchroniseOptions, transaction: ImportTransaction) {
    this.#options = options;
    this.#transaction = transaction;
    this.#closureFrom = transaction.firstKey;
    const usual = options.isMicrosoftUpdate ? CONCURRENCY.microsoftUpdate : CONCURRENCY.wsus;
    this.#fetch = new RevisionFetch({
      source: options.client,
      transaction,
      concurrency: options.concurrency ?? usual,
      threads: options.threads,
      now: options.now,
      signal: options.signal,
      report: options.report,
      isKept: !options.dryRun,
      onCheckpoint: async (secured) => {
        if (!options.dryRun) await this.#dropVoidAnchors();
        await this.#oweDecryption(secured);
      },
    });
  }

  async perform(): Promise<SyncSummary> {
    const { store, client, upstream, categoriesOnly, inventory, chooseFilter } = this.#options;
    const state = store.syncState();
    this.#values = new Map(await state.values(upstream));
    for (const { identity } of await state.owed(upstream, 'decryption')) this.#fetch.secured.push(identity);
    this.#closureFrom = Math.min(
      this.#transaction.firstKey,
      Number(this.#values.get(NAMES.closureFrom) ?? this.#transaction.firstKey),
    );
    const isFirst = !this.#values.has(anchorName('categories'));
    // Broken off, it left some of the categories: the rest are no news.
    this.#isFirstGoingOn = isFirst && this.#values.has(pendingName('categories'));
    if (isFirst) await this.#fetch.startThreads(); // a long list is to come; they start while the first answers do
    const config = await this.#readConfig();
    const before = new Set((await store.listCategories()).map((row) => row.updateId));
    await this.#runPass({
      name: 'categories',
      filter: '',
      accepts: () => true,
      list: (anchor) => client.getRevisionIdList({ anchor, getConfig: true }),
    });
    if (this.#options.dryRun) await this.#transaction.finish(0, this.#options.signal); // completes what is to be read
    const categories = await store.listCategories();
    let driverSets = 0;
    if (!categoriesOnly) {
      const filter = chooseFilter(categories);
      await this.#runPass(this.#updatesPass(filter));
      if (inventory !== undefined) driverSets = await this.#runDrivers(inventory);
      await this.#fetchWhatIsNeeded();
    }
    const decryptionKeys = this.#options.dryRun ? 0 : await this.#fetchKeys();
    return this.#finish(config, categories, before, driverSets, decryptionKeys);
  }

  /**
   * For a run that failed: what came becomes permanent, as far as that is possible.
   *
   * @returns what it did until then; undefined: a dry run did nothing
   */
  async salvage(): Promise<BrokenOffSync | undefined> {
    if (this.#options.dryRun) return undefined;
    let arrivals: Arrivals | undefined;
    try {
      await this.#rememberVain();
      await this.#fetch.salvage();
      arrivals = await this.#transaction.countArrivals();
    } catch {
      // e.g. the disk is full: what the last checkpoint had is there
    }
    return { listed: this.#listed, wanted: this.#wanted, revisions: this.#fetch.kept, arrivals };
  }

  close(): Promise<void> {
    return this.#fetch.close();
  }

  async #readConfig(): Promise<ServerConfigData> {
    const { client, report, full } = this.#options;
    const known = parseLanguages(this.#values.get(NAMES.languages));
    const anchor = full || known === undefined ? undefined : this.#values.get(NAMES.configAnchor);
    const { config, anchorLoss } = await client.getConfigData(anchor);
    const isFull = anchor === undefined || anchorLoss !== undefined;
    const languages = isFull ? config.languages : overlay(known ?? [], config.languages);
    report({
      type: 'step',
      message: `Upstream: protocol ${config.protocolVersion}, ${config.catalogOnlySync ? 'content at Microsoft' : 'content of its own'}, ${config.maxUpdatesPerRequest} revisions per call`,
    });
    await this.#remember({
      [NAMES.configAnchor]: config.newConfigAnchor,
      [NAMES.languages]: JSON.stringify(languages),
    });
    await this.#takeLanguages(languages);
    return config;
  }

  /** The store's language table follows the upstream's; what this server has chosen of it is its settings' alone. */
  async #takeLanguages(told: readonly PackageLanguage[]): Promise<void> {
    const { store, languages: chosen = [], dryRun, report } = this.#options;
    if (told.length === 0) return;
    const table = withOwnFlags(told);
    const offered = new Set(
      table.filter(({ enabled }) => enabled).map(({ shortName }) => shortName.toLowerCase()),
    );
    const lacking = chosen.map((each) => each.toLowerCase()).filter((each) => !offered.has(each));
    if (lacking.length > 0) {
      report({
        type: 'warning',
        code: 'LANGUAGE_UNAVAILABLE',
        message: `The upstream has no files for ${[...new Set(lacking)].join(', ')}: choose them there first, or deselect them here`,
      });
    }
    if (dryRun || JSON.stringify(table) === JSON.stringify(await store.languages())) return;
    await this.#transaction.setLanguages(table);
  }

  #updatesPass(filter: SyncFilter | undefined): Pass {
    const { client, report } = this.#options;
    report({
      type: 'step',
      message:
        filter === undefined
          ? 'Asking for everything the upstream has'
          : `Asking for ${filter.products.length} products and ${filter.classifications.length} classifications`,
    });
    return {
      name: 'updates',
      filter: describeFilter(filter),
      accepts: (before) => isCovered(filter, before),
      list: (anchor) => {
        const withDelta = (ids: readonly UpdateId[]) =>
          ids.map((id) => ({ id, delta: anchor !== undefined }));
        return client.getRevisionIdList({
          anchor,
          getConfig: false,
          ...(filter === undefined
            ? {}
            : {
                categories: withDelta(filter.products),
                classifications: withDelta(filter.classifications),
              }),
        });
      },
    };
  }

  /** What an unfinished run still owes, then what is new since. */
  async #runPass(pass: Pass): Promise<void> {
    const { store, client, upstream, full, now, report } = this.#options;
    let owed: readonly OwedRevision[] = await store.syncState().owed(upstream, pass.name);
    /** asked for in this run, in vain */
    let left: readonly OwedRevision[] = [];
    const pending = this.#values.get(pendingName(pass.name));
    if (pending !== undefined) {
      const isUsable =
        !full && !client.hasServerChanged && pass.accepts(this.#values.get(pendingFilterName(pass.name)));
      if (isUsable) {
        const todo = await this.#absent(owed, []);
        owed = [];
        report({
          type: 'step',
          message: `${pass.name}: going on with ${countOf(todo)} revisions listed before`,
        });
        const filter = this.#values.get(pendingFilterName(pass.name)) ?? '';
        left = await this.#fetchListed(pass.name, todo);
        await this.#promote(pass, filter, pending, left);
      } else owed = owed.filter(({ reason }) => reason !== undefined); // the full list has the rest
    }
    const anchor = this.#usableAnchor(pass);
    const answer = await pass.list(anchor);
    await this.#dropVoidAnchors(); // what the list itself came with is of the server as it is now
    const isFull = anchor === undefined || answer.anchorLoss !== undefined;
    this.#listed += answer.revisions.length;
    report({
      type: 'step',
      message: `${pass.name}: the upstream lists ${answer.revisions.length} revisions${isFull ? '' : ' since the last synchronisation'}`,
    });
    const vain = new Set(left.map(({ identity }) => formatIdentity(identity)));
    const todo = await this.#absent(owed, answer.revisions, vain);
    owed = [];
    await this.#remember(
      {
        [pendingName(pass.name)]: answer.anchor,
        [pendingFilterName(pass.name)]: pass.filter,
        [NAMES.closureFrom]: String(this.#closureFrom),
        ...(isFull ? { [fullName(pass.name)]: String(now().getTime()) } : {}),
      },
      { pass: pass.name, revisions: owedOf(todo, left) },
    );
    left = [...left, ...(await this.#fetchListed(pass.name, todo))];
    await this.#promote(pass, pass.filter, answer.anchor, left);
    for (const each of left) this.#unavailable.push(each);
  }

  /** Once the upstream has said that it is another server: nothing that it was asked with before is asked with again. */
  async #dropVoidAnchors(): Promise<void> {
    if (!this.#options.client.hasServerChanged || this.#hasDroppedAnchors) return;
    this.#hasDroppedAnchors = true;
    const names = PASSES.flatMap((pass) => [
      anchorName(pass),
      filterName(pass),
      pendingName(pass),
      pendingFilterName(pass),
    ]);
    await this.#remember(
      Object.fromEntries([NAMES.configAnchor, ...names].map((name) => [name, undefined] as const)),
    );
  }

  #usableAnchor(pass: Pass): string | undefined {
    const { client, full, now, report } = this.#options;
    const anchor = this.#values.get(anchorName(pass.name));
    if (anchor === undefined || full || client.hasServerChanged) return undefined;
    if (!pass.accepts(this.#values.get(filterName(pass.name)))) {
      report({
        type: 'step',
        message: `${pass.name}: more is chosen than last time; asking for the full list`,
      });
      return undefined;
    }
    const listedAt = Number(this.#values.get(fullName(pass.name)) ?? 0);
    // Also when it seems to be far in the future: the clock was wrong then, or is now.
    if (Math.abs(now().getTime() - listedAt) > FULL_LIST_INTERVAL_MS) {
      report({ type: 'step', message: `${pass.name}: the last full list is old; asking for another` });
      return undefined;
    }
    return anchor;
  }

  /** Everything of the list is stored or written down as owed: from now on the upstream is asked from this anchor on. */
  async #promote(pass: Pass, filter: string, anchor: string, owed: readonly OwedRevision[]): Promise<void> {
    await this.#dropVoidAnchors();
    // Unset meanwhile: the server was replaced while its documents came, and the anchor is none of the new one.
    const isVoid = this.#values.get(pendingName(pass.name)) === undefined;
    await this.#remember(
      {
        [anchorName(pass.name)]: isVoid ? undefined : anchor,
        [filterName(pass.name)]: isVoid ? undefined : filter,
        [pendingName(pass.name)]: undefined,
        [pendingFilterName(pass.name)]: undefined,
      },
      { pass: pass.name, revisions: owed },
    );
  }

  async #fetchListed(pass: SyncPass, todo: Todo): Promise<readonly OwedRevision[]> {
    this.#wanted += countOf(todo);
    if (this.#options.dryRun && pass !== 'categories' && countOf(todo) > MAX_REHEARSED_REVISIONS) {
      this.#rehearsed = false;
      return [];
    }
    // Those that did not come before wait until the others are there: an ill server must not keep them back.
    const { fresh, again } = todo;
    this.#fetching = { pass, todo };
    const left = await this.#fetch.fetch({ identities: fresh });
    const vain = await this.#fetch.fetch({
      identities: again.map(({ identity }) => identity),
      maxInVain: MAX_AGAIN_IN_VAIN,
    });
    this.#fetching = undefined;
    const tried = new Set(vain.map(({ identity }) => formatIdentity(identity)));
    const unasked = (await this.#absent(again, [], tried)).again;
    return [...unasked, ...vain, ...left]; // the next run begins with those that had no turn
  }

  /** What a run that failed asked for in vain is not what the next one begins with. */
  async #rememberVain(): Promise<void> {
    const { upstream, signal } = this.#options;
    if (this.#fetching === undefined || this.#fetch.unavailable.length === 0 || signal.aborted) return;
    const { pass, todo } = this.#fetching;
    const reasons = new Map(
      this.#fetch.unavailable.map(({ identity, reason }) => [formatIdentity(identity), reason]),
    );
    const revisions = (function* () {
      for (const { identity, reason } of owedOf(todo, [])) {
        yield { identity, reason: reasons.get(formatIdentity(identity)) ?? reason };
      }
    })();
    await this.#transaction.rememberSync({ upstream, values: {}, owed: { pass, revisions } });
  }

  /** What the store does not hold, nor `without` (as {@link formatIdentity} writes them). */
  async #absent(
    owed: readonly OwedRevision[],
    listed: readonly UpdateIdentity[],
    without: ReadonlySet<string> = new Set(),
  ): Promise<Todo> {
    const seen = new IdentitySet(owed.length + listed.length);
    const isWanted = (identity: UpdateIdentity) =>
      (without.size === 0 || !without.has(formatIdentity(identity))) && seen.add(identity);
    const look = async <T>(revisions: readonly T[], identityOf: (revision: T) => UpdateIdentity) => {
      const absent: T[] = [];
      for (let start = 0; start < revisions.length; start += IDENTITIES_PER_LOOK) {
        throwIfInterrupted(this.#options.signal, 'synchronising; the next run goes on from here');
        const part = revisions.slice(start, start + IDENTITIES_PER_LOOK);
        const known = await this.#transaction.findRevisions(IdentityList.of(part.map(identityOf)));
        absent.push(
          ...part.filter((each, index) => known[index] === undefined && isWanted(identityOf(each))),
        );
      }
      return absent;
    };
    const absent = await look(owed, ({ identity }) => identity);
    const untried = absent.filter(({ reason }) => reason === undefined).map(({ identity }) => identity);
    return {
      fresh: [...untried, ...(await look(listed, (identity) => identity))],
      again: absent.filter(({ reason }) => reason !== undefined),
    };
  }

  async #runDrivers(inventory: DriverInventory): Promise<number> {
    const { client, report } = this.#options;
    let count = 0;
    await this.#runPass({
      name: 'drivers',
      filter: inventory.fingerprint,
      accepts: (before) => before === inventory.fingerprint,
      list: async (anchor) => {
        const answer = await listDrivers(client, inventory, anchor);
        // Stored in the transaction that writes down the anchor: no later list names these sets again.
        const sets = await fetchDriverSets(client, answer.driverSets);
        await this.#transaction.addDriverSets(sets);
        count += sets.length;
        report({ type: 'step', message: `${sets.length} driver sets` });
        return answer;
      },
    });
    return count;
  }

  /** Revisions that the documents name and no list had (17.6). */
  async #fetchWhatIsNeeded(): Promise<void> {
    const { signal, report } = this.#options;
    if (!this.#rehearsed) return;
    const tried = new Set<string>();
    for (let round = 0; round < MAX_CLOSURE_ROUNDS; round++) {
      const { missing } = await this.#transaction.finish(MAX_CLOSURE_REFERENCES, signal, {
        from: this.#closureFrom,
      });
      const identities: UpdateIdentity[] = [];
      const add = (identity: UpdateIdentity) => {
        const key = formatIdentity(identity);
        if (tried.has(key) || this.#fetch.wasInVain(identity)) return;
        tried.add(key);
        identities.push(identity);
      };
      for (const { anyOf } of missing) {
        for (const { updateId, revisionNumber } of anyOf) {
          if (revisionNumber !== undefined) add({ updateId, revisionNumber });
          else if (!tried.has(updateId)) {
            tried.add(updateId);
            for (const identity of await this.#askForRelated(updateId)) add(identity);
          }
        }
      }
      const { fresh } = await this.#absent([], identities);
      if (fresh.length === 0) return;
      report({
        type: 'step',
        message: `Asking for ${fresh.length} revisions that others need and no list had`,
      });
      await this.#fetch.fetch({
        identities: fresh,
        batchSize: CLOSURE_BATCH_SIZE,
        maxInVain: MAX_CLOSURE_IN_VAIN,
      });
    }
  }

  /** Current revisions of an update of which only the id is known. */
  async #askForRelated(updateId: UpdateId): Promise<readonly UpdateIdentity[]> {
    if (this.#relatedCalls >= MAX_RELATED_CALLS) return [];
    this.#relatedCalls++;
    try {
      const related = await this.#options.client.getRelatedRevisions(updateId);
      return related.filter((identity) => identity.updateId === updateId);
    } catch (error) {
      if (!isWsusutilError(error, 'UPSTREAM_FAULT') && !isWsusutilError(error, 'UPSTREAM_MALFORMED'))
        throw error;
      this.#relatedCalls = MAX_RELATED_CALLS; // it does not know this call
      return [];
    }
  }

  async #oweDecryption(secured: readonly UpdateIdentity[]): Promise<void> {
    if (secured.length === 0) return;
    await this.#remember(
      {},
      { pass: 'decryption', revisions: secured.map((identity) => ({ identity, reason: undefined })) },
    );
  }

  async #fetchKeys(): Promise<number> {
    const { client, report } = this.#options;
    const { secured } = this.#fetch;
    if (secured.length === 0) return 0;
    const keys = await addDecryptionKeys(client, this.#transaction, secured, report);
    if (keys === undefined) return 0;
    await this.#remember({}, { pass: 'decryption', revisions: [] });
    return keys;
  }

  async #finish(
    config: ServerConfigData,
    categories: readonly CategoryRow[],
    before: ReadonlySet<UpdateId>,
    driverSets: number,
    decryptionKeys: number,
  ): Promise<SyncSummary> {
    const { report, signal, categoriesOnly } = this.#options;
    const { missing, missingCount } = await this.#transaction.finish(MAX_LISTED, signal, {
      from: this.#closureFrom,
    });
    for (const reference of missing) {
      report({
        type: 'warning',
        code: reference.kind === 'bundled' ? 'BUNDLED_REVISION_MISSING' : 'PREREQUISITE_MISSING',
        identity: reference.neededBy,
        message: describeMissing(reference, 'neither the upstream nor the store has'),
      });
    }
    const newCategories = categories.filter((row) => !before.has(row.updateId));
    const newProducts =
      before.size === 0 || this.#isFirstGoingOn
        ? []
        : newCategories
            .filter(({ categoryType }) => categoryType === 'Product')
            .map(({ title }) => title.trim().replaceAll(/\s+/g, ' '));
    if (newProducts.length > 0) {
      report({
        type: 'warning',
        code: 'NEW_PRODUCTS',
        message: `New products: ${newProducts.slice(0, 10).join(', ')}${newProducts.length > 10 ? `, … (${newProducts.length})` : ''}. They are synchronised if they are chosen, or the family they belong to`,
      });
    }
    // References that are still missing are looked at again with the next updates that come.
    if (!categoriesOnly) await this.#remember({ [NAMES.closureFrom]: undefined });
    const arrivals = await this.#transaction.countArrivals();
    const { newByType, documentBytes, conflictList, conflicts, ...counts } = this.#fetch.counts;
    return {
      config,
      listed: this.#listed,
      wanted: this.#wanted,
      ...arrivals,
      revisions: counts.newUpdates + counts.newRevisions,
      revisionsByType: newByType,
      documentBytes,
      newProducts,
      newCategories: newCategories.length,
      unavailableCount: this.#unavailable.length,
      unavailable: this.#unavailable.slice(0, MAX_LISTED),
      missingCount,
      missing,
      conflictCount: conflicts,
      conflicts: conflictList,
      driverSets,
      decryptionKeys,
      isOnlyListed: !this.#rehearsed,
    };
  }

  async #remember(
    values: Readonly<Record<string, string | undefined>>,
    owed?: { readonly pass: SyncPass; readonly revisions: Iterable<OwedRevision> },
  ): Promise<void> {
    const { upstream, dryRun, signal } = this.#options;
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined) this.#values.delete(name);
      else this.#values.set(name, value);
    }
    if (dryRun) return;
    await this.#transaction.rememberSync({ upstream, values, ...(owed === undefined ? {} : { owed }) });
    if (owed !== undefined && owed.pass !== 'decryption') await this.#transaction.checkpoint(signal);
  }
}

function parseLanguages(text: string | undefined): readonly PackageLanguage[] | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as PackageLanguage[]);
}

/** The list with what has changed in it. */
function overlay(
  known: readonly PackageLanguage[],
  changed: readonly PackageLanguage[],
): readonly PackageLanguage[] {
  const byId = new Map(changed.map((language) => [language.id, language]));
  const kept = known.map((language) => {
    const now = byId.get(language.id);
    byId.delete(language.id);
    return now ?? language;
  });
  return [...kept, ...byId.values()];
}
