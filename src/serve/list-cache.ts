import { createHash } from 'node:crypto';
import { writeIdentity } from '../formats/server-sync/replies.js';
import type { UpdateIdentity } from '../model/update-identity.js';
import type { StorePoint } from './anchors.js';
import type { Catalogue, ListRequest } from './catalogue.js';

const MAX_LISTS = 16;
/** bytes of one list that is kept; a longer one is written anew for each downstream */
const MAX_LIST_SIZE = 8 * 1024 * 1024;
const IDENTITIES_PER_PIECE = 1024;

export interface WrittenList {
  readonly point: StorePoint;
  /** `UpdateIdentity` elements; empty for none. Longer lists are written while they are read. */
  readonly pieces: readonly Uint8Array[] | Iterable<string>;
}

/** Lists as they are sent. Downstreams of one kind ask for the same ones, above all for the full ones. */
export class ListCache {
  readonly #catalogue: Catalogue;
  /** of the store as it is at `#key`; least recently used first */
  readonly #lists = new Map<string, WrittenList>();
  #key = -1;

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
  }

  async list(request: ListRequest): Promise<WrittenList> {
    const { key } = this.#catalogue.point;
    if (key !== this.#key) {
      this.#lists.clear();
      this.#key = key;
    }
    // Whatever is known beyond the newest makes no difference.
    const configKnownTo = Math.min(request.configKnownTo, key);
    const name = createHash('sha256')
      .update(JSON.stringify({ ...request, configKnownTo }))
      .digest('base64');
    const known = this.#lists.get(name);
    if (known !== undefined) {
      this.#lists.delete(name);
      this.#lists.set(name, known);
      return known;
    }
    const { point, revisions } = await this.#catalogue.list({ ...request, configKnownTo });
    const pieces: Uint8Array[] = [];
    let size = 0;
    for (const piece of write(revisions)) {
      size += piece.length;
      if (size > MAX_LIST_SIZE) return { point, pieces: write(revisions) };
      pieces.push(Buffer.from(piece, 'latin1'));
    }
    const list = { point, pieces };
    if (point.key === this.#key) {
      this.#lists.set(name, list);
      for (const oldest of this.#lists.keys()) {
        if (this.#lists.size <= MAX_LISTS) break;
        this.#lists.delete(oldest);
      }
    }
    return list;
  }
}

function* write(revisions: readonly UpdateIdentity[]): Generator<string, void, undefined> {
  for (let start = 0; start < revisions.length; start += IDENTITIES_PER_PIECE) {
    let piece = '';
    const end = Math.min(start + IDENTITIES_PER_PIECE, revisions.length);
    for (let i = start; i < end; i++) piece += writeIdentity(revisions[i] as UpdateIdentity);
    yield piece;
  }
}
