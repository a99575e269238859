import { WsusutilError } from '../errors.js';
import {
  formatIdentity,
  type UpdateIdentity,
  updateIdFromBytes,
  updateIdToBytes,
} from '../model/update-identity.js';

const ROW_SIZE = 20; // GUID and revision number
const INITIAL_ROWS = 4096;

/** Update identities in 20 bytes each. */
class IdentityList {
  #bytes = Buffer.allocUnsafe(INITIAL_ROWS * ROW_SIZE);
  length = 0;

  push(identity: UpdateIdentity): void {
    const offset = this.length * ROW_SIZE;
    if (offset === this.#bytes.length) {
      const grown = Buffer.allocUnsafe(this.#bytes.length * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    writeRow(identity, this.#bytes, offset);
    this.length++;
  }

  has(index: number, row: Uint8Array): boolean {
    const offset = index * ROW_SIZE;
    return index < this.length && this.#bytes.compare(row, 0, ROW_SIZE, offset, offset + ROW_SIZE) === 0;
  }

  at(index: number): UpdateIdentity | undefined {
    if (index >= this.length) return undefined;
    const offset = index * ROW_SIZE;
    return {
      updateId: updateIdFromBytes(this.#bytes, offset),
      revisionNumber: this.#bytes.readUInt32LE(offset + 16),
    };
  }

  indexOf(identity: UpdateIdentity): number {
    const row = writeRow(identity, Buffer.alloc(ROW_SIZE), 0);
    const bytes = this.#bytes.subarray(0, this.length * ROW_SIZE);
    let at = bytes.indexOf(row);
    while (at >= 0 && at % ROW_SIZE !== 0) at = bytes.indexOf(row, at + 1);
    return at < 0 ? -1 : at / ROW_SIZE;
  }
}

function writeRow(identity: UpdateIdentity, target: Buffer, offset: number): Buffer {
  target.set(updateIdToBytes(identity.updateId), offset);
  target.writeUInt32LE(identity.revisionNumber, offset + 16);
  return target;
}

/** The two members of a cabinet that list the updates. */
type ListingMember = 'package.xml' | 'metadata.txt';

/**
 * Holds the lists of updates of `package.xml` and `metadata.txt` against each other: real packages have the same
 * updates in the same order in both (package-formats 0.2a).
 *
 * The first list is kept; the second is compared as it comes, and kept only from the first difference on, because
 * what kind of difference it is shows at the end.
 */
export class MemberAgreement {
  readonly #first = new IdentityList();
  #firstName: ListingMember | undefined;
  readonly #row = Buffer.alloc(ROW_SIZE);
  /** updates of the second list so far */
  #secondCount = 0;
  #secondRest: IdentityList | undefined;
  /** position of the first difference, from 0 */
  #differsAt: number | undefined;

  /** True from the first difference on: nothing that follows is worth handing on. */
  get isBroken(): boolean {
    return this.#differsAt !== undefined;
  }

  add(member: ListingMember, identity: UpdateIdentity): void {
    this.#firstName ??= member;
    if (member === this.#firstName) {
      this.#first.push(identity);
      return;
    }
    const index = this.#secondCount++;
    if (this.#differsAt === undefined) {
      writeRow(identity, this.#row, 0);
      if (this.#first.has(index, this.#row)) return;
      this.#differsAt = index;
      this.#secondRest = new IdentityList();
    }
    this.#secondRest?.push(identity);
  }

  /** @throws WsusutilError `PACKAGE_MEMBERS_DISAGREE` with the first difference, its kind, and both counts */
  check(): void {
    const isShort = this.#secondCount < this.#first.length;
    if (this.#differsAt === undefined && !isShort) return;
    const index = this.#differsAt ?? this.#secondCount;
    const firstName = this.#firstName ?? 'package.xml';
    const secondName = firstName === 'package.xml' ? 'metadata.txt' : 'package.xml';
    const inFirst = this.#first.at(index);
    const inSecond = this.#secondRest?.at(0);
    const says = (name: string, identity: UpdateIdentity | undefined) =>
      `${name} has ${identity === undefined ? 'no more updates' : formatIdentity(identity)}`;
    const details = {
      position: index + 1,
      [firstName]: inFirst === undefined ? undefined : formatIdentity(inFirst),
      [secondName]: inSecond === undefined ? undefined : formatIdentity(inSecond),
      counts: { [firstName]: this.#first.length, [secondName]: this.#secondCount },
    };
    throw new WsusutilError(
      'PACKAGE_MEMBERS_DISAGREE',
      `package.xml and metadata.txt disagree at update ${index + 1}: ${says(firstName, inFirst)}, ` +
        `${says(secondName, inSecond)}: ${this.#kind(index, inFirst, inSecond, firstName, secondName)}. ` +
        `${firstName} lists ${this.#first.length} updates, ${secondName} ${this.#secondCount}`,
      { hint: 'The package was put together wrongly or altered; export it again.', details },
    );
  }

  #kind(
    index: number,
    inFirst: UpdateIdentity | undefined,
    inSecond: UpdateIdentity | undefined,
    firstName: string,
    secondName: string,
  ): string {
    const indexInSecond = inFirst === undefined ? -1 : this.#findInSecond(inFirst, index);
    const indexInFirst = inSecond === undefined ? -1 : this.#first.indexOf(inSecond);
    if (inFirst !== undefined && indexInSecond < 0) {
      const missing = `${formatIdentity(inFirst)} is missing from ${secondName}`;
      if (inSecond !== undefined && indexInFirst < 0) {
        return `${missing}, and ${formatIdentity(inSecond)} from ${firstName}`;
      }
      return missing;
    }
    if (inSecond !== undefined && indexInFirst < 0) {
      return `${formatIdentity(inSecond)} is missing from ${firstName}`;
    }
    if (inFirst === undefined || inSecond === undefined) {
      const name = inFirst === undefined ? secondName : firstName;
      return `an update is listed once more in ${name}`;
    }
    return `the order differs, ${secondName} has ${formatIdentity(inFirst)} as update ${indexInSecond + 1}`;
  }

  /** Before `index` the two lists are the same. */
  #findInSecond(identity: UpdateIdentity, index: number): number {
    const inRest = this.#secondRest?.indexOf(identity) ?? -1;
    if (inRest >= 0) return index + inRest;
    const before = this.#first.indexOf(identity);
    return before < index ? before : -1;
  }
}
