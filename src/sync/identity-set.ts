import type { UpdateIdentity } from '../model/update-identity.js';

/** A table is at most half full. */
const SLOTS_PER_IDENTITY = 2;

/**
 * Which revisions of a long list were met before: a table of what is there already, without a text for each revision.
 * Two million take 32 MB, a tenth of what a set of texts takes.
 */
export class IdentitySet {
  /** 1 + index in `#identities`; 0: free */
  readonly #slots: Uint32Array;
  readonly #identities: UpdateIdentity[] = [];
  /** so that nobody outside can tell which ids come to lie in one slot */
  readonly #seed = Math.floor(Math.random() * 2 ** 32);

  /** @param capacity the most that will be added */
  constructor(capacity: number) {
    this.#slots = new Uint32Array(Math.max(1, capacity) * SLOTS_PER_IDENTITY);
  }

  /** @returns false if it is there already */
  add(identity: UpdateIdentity): boolean {
    const slots = this.#slots;
    for (let slot = hashOf(identity, this.#seed) % slots.length; ; slot = (slot + 1) % slots.length) {
      const entry = slots[slot] as number;
      if (entry === 0) {
        if (this.#identities.length * SLOTS_PER_IDENTITY >= slots.length) throw new Error('the set is full');
        slots[slot] = this.#identities.push(identity);
        return true;
      }
      const { updateId, revisionNumber } = this.#identities[entry - 1] as UpdateIdentity;
      if (revisionNumber === identity.revisionNumber && updateId === identity.updateId) return false;
    }
  }
}

/** As FNV-1a, mixed: ids may count up, or differ in a few digits only. */
function hashOf({ updateId, revisionNumber }: UpdateIdentity, seed: number): number {
  let hash = seed ^ Math.imul(revisionNumber + 1, 0x9e3779b1);
  for (let i = 0; i < updateId.length; i++) hash = Math.imul(hash ^ updateId.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}
