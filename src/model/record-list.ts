import { IdentityList } from './identity-list.js';
import type { UpdateIdentity } from './update-identity.js';

const INITIAL_CAPACITY = 128;

export interface RecordSlice {
  /** from the record's head or the `update` element, not from the document */
  readonly identity: UpdateIdentity;
  /** offsets into the batch's `bytes` */
  readonly start: number;
  readonly end: number;
}

/** Which updates' documents a batch holds, and where: flat, so that it crosses threads as it is. */
export class RecordList implements Iterable<RecordSlice> {
  readonly identities = new IdentityList(INITIAL_CAPACITY);
  #spans = new Uint32Array(2 * INITIAL_CAPACITY);

  get length(): number {
    return this.identities.length;
  }

  /** start and end of each, offsets into the batch's `bytes`; good until the next one comes */
  get spans(): Uint32Array {
    return this.#spans.subarray(0, 2 * this.length);
  }

  push(identity: UpdateIdentity, start: number, end: number): void {
    this.identities.push(identity);
    this.#setLast(start, end);
  }

  /** @param identity in bytes, as {@link IdentityList} has it */
  pushBytes(identity: Uint8Array, start: number, end: number): void {
    this.identities.pushBytes(identity);
    this.#setLast(start, end);
  }

  *[Symbol.iterator](): IterableIterator<RecordSlice> {
    const { spans } = this;
    let at = 0;
    for (const identity of this.identities) {
      yield { identity, start: spans[at++] as number, end: spans[at++] as number };
    }
  }

  #setLast(start: number, end: number): void {
    const at = 2 * (this.length - 1);
    if (at === this.#spans.length) {
      const grown = new Uint32Array(2 * at);
      grown.set(this.#spans);
      this.#spans = grown;
    }
    this.#spans[at] = start;
    this.#spans[at + 1] = end;
  }
}
