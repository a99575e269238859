/** Which updates a downstream asks for, and what an anchor made with another choice is worth (server-sync-protocol 17.3). */
import type { UpdateId } from '../model/update-identity.js';

/** Ids of products and classifications. Both lists hold something. */
export interface SyncFilter {
  readonly products: readonly UpdateId[];
  readonly classifications: readonly UpdateId[];
}

const EVERYTHING = 'all';

/** A text that is equal for equal choices. @param filter undefined: everything the upstream has */
export function describeFilter(filter: SyncFilter | undefined): string {
  if (filter === undefined) return EVERYTHING;
  const sorted = (ids: readonly UpdateId[]) => [...new Set(ids)].sort();
  return JSON.stringify({
    products: sorted(filter.products),
    classifications: sorted(filter.classifications),
  });
}

/**
 * Whether all that `now` asks for was asked for with `before`. If not, entries older than the anchor that only the new
 * choice has would never come.
 *
 * @param before what {@link describeFilter} gave then
 */
export function isCovered(now: SyncFilter | undefined, before: string | undefined): boolean {
  if (before === EVERYTHING) return true;
  if (before === undefined || now === undefined) return false;
  const old = parseFilter(before);
  return (
    now.products.every((id) => old.products.has(id)) &&
    now.classifications.every((id) => old.classifications.has(id))
  );
}

function parseFilter(text: string): {
  readonly products: ReadonlySet<string>;
  readonly classifications: ReadonlySet<string>;
} {
  const { products, classifications } = JSON.parse(text) as Record<string, string[]>;
  return { products: new Set(products), classifications: new Set(classifications) };
}
