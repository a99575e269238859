/** Which revisions an export writes, and in which order. */
import type { DependencyGraph, MetadataStore, RevisionFilter, RevisionKey } from '../store/metadata-store.js';

/**
 * The chosen revisions and everything they need: for each prerequisite the newest revision of that update, and every
 * bundled revision, over any number of steps. What the store does not hold is left out.
 *
 * @returns indices into `graph.keys`
 */
export function closeOverNeeds(graph: DependencyGraph, chosen: Iterable<number>): Set<number> {
  const closed = new Set(chosen);
  const open = [...closed];
  for (let index = open.pop(); index !== undefined; index = open.pop()) {
    for (const candidates of graph.needsOf(index)) {
      if (candidates.some((candidate) => closed.has(candidate))) continue;
      const newest = candidates.at(-1) as number;
      closed.add(newest);
      open.push(newest);
    }
  }
  return closed;
}

/**
 * Keys of the revisions that pass the filter and of everything they need, in the store's order; empty if none passes.
 *
 * @param known the store's graph, for who selects more than once; it is loaded if it is not given
 */
export async function selectWithNeeds(
  store: MetadataStore,
  filter: RevisionFilter,
  known?: DependencyGraph,
): Promise<readonly RevisionKey[]> {
  const chosen = await store.listKeys(filter);
  if (chosen.length === 0) return [];
  const graph = known ?? (await store.dependencyGraph());
  const closed = closeOverNeeds(
    graph,
    chosen.map((key) => graph.indexOf(key) as number),
  );
  return keysOf(
    graph,
    [...closed].sort((a, b) => a - b),
  );
}

/**
 * The store's order, changed only where a revision would come before one that it needs: what is needed moves in
 * front of it. The order of a real package (every prerequisite before its dependants, package-formats 0.2a) comes
 * out as it went in. In a circle the store's order decides.
 *
 * @param included indices into `graph.keys`
 */
export function orderByNeeds(graph: DependencyGraph, included: ReadonlySet<number>): number[] {
  const order: number[] = [];
  const state = new Map<number, 'open' | 'placed'>();
  for (const first of [...included].sort((a, b) => a - b)) {
    if (state.has(first)) continue;
    state.set(first, 'open');
    // An explicit stack: chains of bundles and prerequisites in a hostile package may be very long.
    const stack = [{ index: first, needs: unplacedNeeds(graph, first, included, state) }];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const next = top.needs.pop();
      if (next === undefined) {
        order.push(top.index);
        state.set(top.index, 'placed');
        stack.pop();
      } else if (!state.has(next)) {
        state.set(next, 'open');
        stack.push({ index: next, needs: unplacedNeeds(graph, next, included, state) });
      }
    }
  }
  return order;
}

/** For each need without a placed candidate, its first included one; last need first, for use as a stack. */
function unplacedNeeds(
  graph: DependencyGraph,
  index: number,
  included: ReadonlySet<number>,
  state: ReadonlyMap<number, 'open' | 'placed'>,
): number[] {
  const needs: number[] = [];
  for (const candidates of graph.needsOf(index)) {
    const here = candidates.filter((candidate) => included.has(candidate));
    if (here.length === 0 || here.some((candidate) => state.get(candidate) === 'placed')) continue;
    needs.push(Math.min(...here));
  }
  return needs.reverse();
}

/** A cabinet's share of a split export. */
export interface ExportPart {
  /** indices into `graph.keys`, in export order */
  readonly indices: readonly number[];
}

/**
 * Cuts an export into parts that each hold everything their revisions need, so that each can be imported by itself;
 * shared prerequisites stand in several parts.
 *
 * @param order from {@link orderByNeeds}
 * @param sizeOf uncompressed bytes a revision takes in a package
 * @param capacity uncompressed bytes for the revisions of one part
 * @returns undefined if one revision with its needs is larger than a part
 */
export function splitByNeeds(
  graph: DependencyGraph,
  order: readonly number[],
  sizeOf: (index: number) => number,
  capacity: number,
): readonly ExportPart[] | undefined {
  const included = new Set(order);
  const position = new Map(order.map((index, place) => [index, place]));
  const parts: ExportPart[] = [];
  let part = new Set<number>();
  let size = 0;
  const close = () => {
    parts.push({
      indices: [...part].sort((a, b) => (position.get(a) as number) - (position.get(b) as number)),
    });
    part = new Set();
    size = 0;
  };
  const covered = new Set<number>();
  for (const index of order) {
    if (covered.has(index)) continue;
    let added = missingNeeds(graph, index, included, part);
    let addedSize = added.reduce((sum, each) => sum + sizeOf(each), 0);
    if (size + addedSize > capacity && part.size > 0) {
      close();
      added = missingNeeds(graph, index, included, part);
      addedSize = added.reduce((sum, each) => sum + sizeOf(each), 0);
    }
    if (addedSize > capacity) return undefined;
    for (const each of added) {
      part.add(each);
      covered.add(each);
    }
    size += addedSize;
  }
  if (part.size > 0) close();
  return parts;
}

/** A revision and what it needs, as far as the part does not have it. */
function missingNeeds(
  graph: DependencyGraph,
  index: number,
  included: ReadonlySet<number>,
  part: ReadonlySet<number>,
): number[] {
  if (part.has(index)) return [];
  const missing = new Set([index]);
  const open = [index];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const candidates of graph.needsOf(next)) {
      const here = candidates.filter((candidate) => included.has(candidate));
      if (here.length === 0 || here.some((each) => part.has(each) || missing.has(each))) continue;
      const newest = here.at(-1) as number;
      missing.add(newest);
      open.push(newest);
    }
  }
  return [...missing];
}

export function keysOf(graph: DependencyGraph, indices: readonly number[]): readonly RevisionKey[] {
  return indices.map((index) => graph.keys[index] as RevisionKey);
}
