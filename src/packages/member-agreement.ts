import { WsusutilError } from '../errors.js';
import { IDENTITY_SIZE, IdentityList } from '../model/identity-list.js';
import { formatIdentity, type UpdateIdentity } from '../model/update-identity.js';

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
  /** updates of the second list so far */
  #secondCount = 0;
  #secondRest: IdentityList | undefined;
  /** position of the first difference, from 0 */
  #differsAt: number | undefined;

  /** True from the first difference on: nothing that follows is worth handing on. */
  get isBroken(): boolean {
    return this.#differsAt !== undefined;
  }

  add(member: ListingMember, identities: IdentityList): void {
    this.#firstName ??= member;
    if (member === this.#firstName) this.#first.pushBytes(identities.bytes);
    else this.#addToSecond(identities.bytes);
  }

  #addToSecond(rows: Buffer): void {
    const from = this.#secondCount;
    this.#secondCount += rows.length / IDENTITY_SIZE;
    if (this.#secondRest === undefined) {
      const expected = this.#first.bytes.subarray(from * IDENTITY_SIZE);
      if (expected.subarray(0, rows.length).equals(rows)) return;
      let equal = 0;
      while (rows[equal] === expected[equal]) equal++;
      const position = Math.floor(equal / IDENTITY_SIZE);
      this.#differsAt = from + position;
      this.#secondRest = new IdentityList();
      this.#secondRest.pushBytes(rows.subarray(position * IDENTITY_SIZE));
      return;
    }
    this.#secondRest.pushBytes(rows);
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
