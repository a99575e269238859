import { type UpdateIdentity, updateIdFromBytes, writeUpdateId } from './update-identity.js';

/** Bytes of an identity: 16 of the id in the order they are written, the revision number as 32 bits, low byte first. */
export const IDENTITY_SIZE = 20;
const ID_SIZE = 16;
const INITIAL_CAPACITY = 128;

/** Update identities in 20 bytes each: a hundred thousand of them as objects are work for the garbage collector. */
export class IdentityList implements Iterable<UpdateIdentity> {
  #bytes: Buffer;
  #length = 0;

  /** @param capacity identities that find room at once; it grows */
  constructor(capacity = INITIAL_CAPACITY) {
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(1, capacity) * IDENTITY_SIZE);
  }

  static of(identities: Iterable<UpdateIdentity>): IdentityList {
    const list = new IdentityList();
    for (const identity of identities) list.push(identity);
    return list;
  }

  get length(): number {
    return this.#length;
  }

  /** {@link IDENTITY_SIZE} bytes for each; good until the next one comes */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length * IDENTITY_SIZE);
  }

  push(identity: UpdateIdentity): void {
    const offset = this.#takeRoom(1); // which may be in other memory than before
    writeIdentity(identity.updateId, 0, identity.revisionNumber, this.#bytes, offset);
  }

  /** @param idAt where an id stands in `text`, as `UpdateId` writes it */
  pushText(text: string, idAt: number, revisionNumber: number): void {
    const offset = this.#takeRoom(1);
    writeIdentity(text, idAt, revisionNumber, this.#bytes, offset);
  }

  /** @param rows as {@link bytes} has them, one or several */
  pushBytes(rows: Uint8Array): void {
    const offset = this.#takeRoom(rows.length / IDENTITY_SIZE);
    this.#bytes.set(rows, offset);
  }

  /** Undefined behind the end. */
  at(index: number): UpdateIdentity | undefined {
    return index < this.#length ? identityFromBytes(this.#bytes, index * IDENTITY_SIZE) : undefined;
  }

  revisionNumberAt(index: number): number {
    return this.#bytes.readUInt32LE(index * IDENTITY_SIZE + ID_SIZE);
  }

  /** @returns −1 if it is not there */
  indexOf(identity: UpdateIdentity): number {
    const row = Buffer.alloc(IDENTITY_SIZE);
    writeIdentity(identity.updateId, 0, identity.revisionNumber, row, 0);
    const { bytes } = this;
    let at = bytes.indexOf(row);
    while (at >= 0 && at % IDENTITY_SIZE !== 0) at = bytes.indexOf(row, at + 1);
    return at < 0 ? -1 : at / IDENTITY_SIZE;
  }

  *[Symbol.iterator](): IterableIterator<UpdateIdentity> {
    for (let index = 0; index < this.#length; index++) {
      yield identityFromBytes(this.#bytes, index * IDENTITY_SIZE);
    }
  }

  /** @returns where it begins */
  #takeRoom(count: number): number {
    const offset = this.#length * IDENTITY_SIZE;
    const needed = offset + count * IDENTITY_SIZE;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, offset));
      this.#bytes = grown;
    }
    this.#length += count;
    return offset;
  }
}

/** @param bytes {@link IDENTITY_SIZE} of them from `offset` on */
export function identityFromBytes(bytes: Uint8Array, offset = 0): UpdateIdentity {
  const at = offset + ID_SIZE;
  const [one = 0, two = 0, three = 0, four = 0] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
  return {
    updateId: updateIdFromBytes(bytes, offset),
    revisionNumber: (one | (two << 8) | (three << 16) | (four << 24)) >>> 0,
  };
}

function writeIdentity(
  text: string,
  idAt: number,
  revisionNumber: number,
  target: Uint8Array,
  offset: number,
): void {
  writeUpdateId(text, idAt, target, offset);
  for (let i = 0; i < 4; i++) target[offset + ID_SIZE + i] = revisionNumber >>> (8 * i);
}
