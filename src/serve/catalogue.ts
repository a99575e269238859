/**
 * What the store offers to downstream servers, kept in memory: who needs whom, and since when everything a revision needs
 * is there. Lists are answered from it alone (server-sync-protocol 5, 18).
 *
 * A revision is offered once all it needs is offered: each prerequisite by any of its updates, each clause of a bundle by
 * any of its revisions. Its place in time is the key with which the last of these came (`offeredAt`), not its own:
 * a synchronisation stores documents in any order and commits on the way, and what was listed to nobody yet has to be
 * in the next delta although its own key is old.
 */
import type { IdAndDelta } from '../formats/server-sync/identities.js';
import type { UpdateId, UpdateIdentity } from '../model/update-identity.js';
import type { BundledRevision, ServedRevision, ServeView, UpdateKey } from '../store/serve-view.js';
import type { StorePoint } from './anchors.js';

export interface ListRequest {
  /** only what is offered since; 0: everything */
  readonly since: number;
  /** Categories and detectoids up to this key are known to the downstream from the other list. */
  readonly configKnownTo: number;
  readonly getConfig: boolean;
  readonly categories: readonly IdAndDelta[] | undefined;
  readonly classifications: readonly IdAndDelta[] | undefined;
}

export interface RevisionList {
  readonly point: StorePoint;
  /** what a revision needs stands before it */
  readonly revisions: readonly UpdateIdentity[];
}

const NEVER = Number.POSITIVE_INFINITY;

/** In how far a revision is asked for. */
const NOT_WANTED = 0;
const WANTED_IF_NEW = 1;
const WANTED_AGAIN = 2;
type Wanted = typeof NOT_WANTED | typeof WANTED_IF_NEW | typeof WANTED_AGAIN;

export class Catalogue {
  readonly #view: ServeView;
  readonly #revisions: ServedRevision[] = [];
  /** place in `#revisions` → key with which it was complete, or NEVER */
  readonly #offeredAt: number[] = [];
  /** place in `#revisions` → how many were offered before it; what a revision needs has a lower number */
  readonly #order: number[] = [];
  #offeredCount = 0;
  /** places of the revisions of an update, in order of arrival */
  readonly #places = new Map<UpdateKey, number[]>();
  /** places of what is not offered yet */
  #waiting: number[] = [];
  #point: StorePoint = { key: 0, check: 0 };
  #version: number | undefined;
  #refreshing: Promise<void> | undefined;

  constructor(view: ServeView) {
    this.#view = view;
  }

  /** Takes in what came to the store since the last time. */
  async refresh(): Promise<void> {
    this.#refreshing ??= this.#load().finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
  }

  get point(): StorePoint {
    return this.#point;
  }

  get revisionCount(): number {
    return this.#revisions.length;
  }

  /** Revisions that are held back because something they need is not in the store. */
  get heldBackCount(): number {
    return this.#waiting.length;
  }

  /** Of every revision, in order of arrival. */
  identities(): readonly UpdateIdentity[] {
    return this.#revisions.map(({ identity }) => identity);
  }

  /** The point at `key`, as the store is now; undefined if no revision has that key. */
  async pointAt(key: number): Promise<StorePoint | undefined> {
    if (key === this.#point.key) return this.#point;
    return pointOf(this.#view, key);
  }

  async list(request: ListRequest): Promise<RevisionList> {
    const { categories, classifications } = request;
    const isDelta = [...(categories ?? []), ...(classifications ?? [])].every(({ delta }) => delta);
    if (request.since >= this.#point.key && isDelta) return { point: this.#point, revisions: [] };
    const places = request.getConfig
      ? this.#configSince(request.since)
      : categories === undefined && classifications === undefined
        ? this.#select(request, () => WANTED_IF_NEW)
        : await this.#listChosen(request, categories ?? [], classifications ?? []);
    const order = this.#order;
    places.sort((a, b) => (order[a] as number) - (order[b] as number));
    return {
      point: this.#point,
      revisions: places.map((place) => (this.#revisions[place] as ServedRevision).identity),
    };
  }

  async #load(): Promise<void> {
    const version = this.#view.version();
    if (version === this.#version) return;
    // An import that was taken back takes the newest revisions away, and keys are never given out again.
    const { key } = this.#point;
    if (key > 0 && (await this.#view.documentDigest(key)) === undefined) this.#forget();
    const first = this.#revisions.length;
    for (const revision of await this.#view.revisionsAfter(this.#point.key)) {
      const place = this.#revisions.push(revision) - 1;
      this.#offeredAt.push(NEVER);
      this.#order.push(0);
      this.#waiting.push(place);
      const places = this.#places.get(revision.updateKey);
      if (places === undefined) this.#places.set(revision.updateKey, [place]);
      else places.push(place);
    }
    const newest = this.#revisions.at(-1);
    if (newest !== undefined && this.#revisions.length > first) {
      this.#settle();
      this.#point = (await pointOf(this.#view, newest.key)) ?? { key: newest.key, check: 0 };
    }
    this.#version = version;
  }

  #forget(): void {
    for (const list of [this.#revisions, this.#offeredAt, this.#order, this.#waiting]) list.length = 0;
    this.#places.clear();
    this.#offeredCount = 0;
    this.#point = { key: 0, check: 0 };
  }

  /** Finds out what is complete now. What was complete before stays as it is: all that comes has a higher key. */
  #settle(): void {
    for (;;) {
      const waiting = this.#waiting.filter((place) => {
        const at = this.#completeAt(this.#revisions[place] as ServedRevision);
        if (at === NEVER) return true;
        this.#offeredAt[place] = at;
        this.#order[place] = this.#offeredCount++;
        return false;
      });
      const hasMoved = waiting.length < this.#waiting.length;
      this.#waiting = waiting;
      if (!hasMoved) return;
    }
  }

  #completeAt({ key, prerequisites, bundled }: ServedRevision): number {
    let at: number = key;
    for (const clause of prerequisites) {
      let first = NEVER;
      for (const updateKey of clause) {
        for (const place of this.#places.get(updateKey) ?? []) {
          first = Math.min(first, this.#offeredAt[place] as number);
        }
      }
      at = Math.max(at, first);
      if (at === NEVER) return NEVER;
    }
    for (const clause of bundled) {
      let first = NEVER;
      for (const child of clause) {
        const place = this.#placeOf(child);
        if (place !== undefined) first = Math.min(first, this.#offeredAt[place] as number);
      }
      at = Math.max(at, first);
      if (at === NEVER) return NEVER;
    }
    return at;
  }

  #placeOf({ updateKey, revisionNumber }: BundledRevision): number | undefined {
    return this.#places
      .get(updateKey)
      ?.find(
        (place) => (this.#revisions[place] as ServedRevision).identity.revisionNumber === revisionNumber,
      );
  }

  #isOffered(place: number): boolean {
    return this.#offeredAt[place] !== NEVER;
  }

  #configSince(since: number): number[] {
    const places: number[] = [];
    for (const [place, { isConfig }] of this.#revisions.entries()) {
      const at = this.#offeredAt[place] as number;
      if (isConfig && at > since && at !== NEVER) places.push(place);
    }
    return places;
  }

  /** AND of the two lists; with one of them alone, or an empty one, nothing (section 5). */
  async #listChosen(
    request: ListRequest,
    categories: readonly IdAndDelta[],
    classifications: readonly IdAndDelta[],
  ): Promise<number[]> {
    if (categories.length === 0 || classifications.length === 0) return [];
    const keys = await this.#view.updateKeys([...categories, ...classifications].map(({ id }) => id));
    const products = deltasOf(categories, keys);
    const classes = deltasOf(classifications, keys);
    // Lists of categories are shared by many revisions (serve-view.ts).
    const known = new Map<readonly UpdateKey[], Wanted>();
    return this.#select(request, ({ categories: own }) => {
      let wanted = known.get(own);
      if (wanted === undefined) {
        const product = wantedBy(own, products);
        const classification = wantedBy(own, classes);
        wanted =
          product === NOT_WANTED || classification === NOT_WANTED
            ? NOT_WANTED
            : (Math.max(product, classification) as Wanted);
        known.set(own, wanted);
      }
      return wanted;
    });
  }

  /**
   * Software and drivers that `wanted` chooses, with all they need: what bundles hold at every level, and prerequisites.
   * Of categories and detectoids only those that the downstream cannot know from its other list.
   */
  #select(request: ListRequest, wanted: (revision: ServedRevision) => Wanted): number[] {
    const { since } = request;
    const revisions = this.#revisions;
    const offeredAt = this.#offeredAt;
    /** 1: reached from something chosen; 2: to be listed, and all it needs */
    const marks = new Uint8Array(revisions.length);
    const queue: number[] = [];
    const mark = (place: number, level: number) => {
      if ((marks[place] as number) >= level || offeredAt[place] === NEVER) return;
      marks[place] = level;
      queue.push(place);
    };
    for (let place = 0; place < revisions.length; place++) {
      const revision = revisions[place] as ServedRevision;
      if (revision.isConfig || !this.#isOffered(place)) continue;
      const want = wanted(revision);
      if (want === NOT_WANTED) continue;
      mark(place, want === WANTED_AGAIN || (offeredAt[place] as number) > since ? 2 : 1);
    }
    while (queue.length > 0) {
      const place = queue.pop() as number;
      const level = marks[place] as number;
      const { bundled, prerequisites } = revisions[place] as ServedRevision;
      // What a new revision needs goes along even if it is old: it may have been outside every earlier list.
      const reach = (other: number) => mark(other, (offeredAt[other] as number) > since ? 2 : level);
      for (const clause of bundled) {
        for (const child of clause) {
          // The revision that is named, and the highest there is.
          for (const other of [this.#placeOf(child), this.#newestOffered(child.updateKey)]) {
            if (other !== undefined) reach(other);
          }
        }
      }
      for (const clause of prerequisites) {
        for (const updateKey of clause) {
          const other = this.#newestOffered(updateKey);
          if (other !== undefined) reach(other);
        }
      }
    }
    const configKnownTo =
      request.since === 0 ? request.configKnownTo : Math.min(request.configKnownTo, since);
    const places: number[] = [];
    for (let place = 0; place < revisions.length; place++) {
      if (marks[place] !== 2) continue;
      const { isConfig } = revisions[place] as ServedRevision;
      if (!isConfig || (offeredAt[place] as number) > configKnownTo) places.push(place);
    }
    return places;
  }

  #newestOffered(updateKey: UpdateKey): number | undefined {
    let newest: number | undefined;
    let highest = -1;
    for (const place of this.#places.get(updateKey) ?? []) {
      const { revisionNumber } = (this.#revisions[place] as ServedRevision).identity;
      if (this.#isOffered(place) && revisionNumber > highest) {
        newest = place;
        highest = revisionNumber;
      }
    }
    return newest;
  }
}

/** Id → whether only what is new of it is wanted; ids the store has never heard of are left out. */
function deltasOf(
  ids: readonly IdAndDelta[],
  keys: ReadonlyMap<UpdateId, UpdateKey>,
): ReadonlyMap<UpdateKey, boolean> {
  const deltas = new Map<UpdateKey, boolean>();
  for (const { id, delta } of ids) {
    const key = keys.get(id);
    if (key !== undefined) deltas.set(key, delta && (deltas.get(key) ?? true));
  }
  return deltas;
}

function wantedBy(own: readonly UpdateKey[], deltas: ReadonlyMap<UpdateKey, boolean>): Wanted {
  let wanted: Wanted = NOT_WANTED;
  for (const key of own) {
    const delta = deltas.get(key);
    if (delta === false) return WANTED_AGAIN;
    if (delta === true) wanted = WANTED_IF_NEW;
  }
  return wanted;
}

async function pointOf(view: ServeView, key: number): Promise<StorePoint | undefined> {
  if (key === 0) return { key: 0, check: 0 };
  const digest = await view.documentDigest(key);
  if (digest === undefined) return undefined;
  return { key, check: Buffer.from(digest).readUInt32BE(0) };
}
