/** Lists of revisions, GUIDs and filter ids, as several calls carry them (server-sync-protocol 5, 6, appendix B). */
import type { UpdateId, UpdateIdentity } from '../../model/update-identity.js';
import { listElement, parentElement, textElement } from '../soap/envelope.js';
import { childOf, guidOf, optionalInt, type SoapElement, unexpected } from '../soap/soap-element.js';

/** An id of a filter. */
export interface IdAndDelta {
  readonly id: UpdateId;
  /** true: only what is newer than the anchor; false: everything of this id again */
  readonly delta: boolean;
}

export function writeIdentities(name: string, identities: readonly UpdateIdentity[]): string {
  return listElement(name, identities, ({ updateId, revisionNumber }) =>
    parentElement(
      'UpdateIdentity',
      textElement('UpdateID', updateId) + textElement('RevisionNumber', revisionNumber),
    ),
  );
}

export function writeGuids(name: string, guids: readonly UpdateId[]): string {
  return listElement(name, guids, (guid) => textElement('guid', guid));
}

/** `<item><Id/><Delta/></item>` for each */
export function writeIdsAndDelta(
  name: string,
  item: 'IdAndDelta' | 'LanguageAndDelta' | 'HardwareIdAndDelta',
  ids: readonly { readonly id: string | number; readonly delta: boolean }[] | undefined,
): string {
  return listElement(name, ids, ({ id, delta }) =>
    parentElement(item, textElement('Id', id) + textElement('Delta', delta)),
  );
}

/** @param element `UpdateIdentity`, or a field of that type */
export function identityOf(element: SoapElement): UpdateIdentity {
  const id = childOf(element, 'UpdateID');
  const revisionNumber = optionalInt(element, 'RevisionNumber');
  if (id === undefined || revisionNumber === undefined) {
    throw unexpected(`${element.local} lacks UpdateID or RevisionNumber`);
  }
  if (revisionNumber < 0) throw unexpected(`RevisionNumber is ${revisionNumber}`);
  return { updateId: ownText(guidOf(id)), revisionNumber };
}

/** An `UpdateIdentity` the way every real server writes it. */
export const USUAL_IDENTITY =
  /<UpdateIdentity><UpdateID>([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})<\/UpdateID><RevisionNumber>([0-9]{1,9})<\/RevisionNumber><\/UpdateIdentity>/y;

/** @param fields of {@link USUAL_IDENTITY}, or of whatever begins with the same two */
export function usualIdentityOf([id = '', revisionNumber]: readonly (string | undefined)[]): UpdateIdentity {
  return { updateId: ownText(id), revisionNumber: Number(revisionNumber) };
}

/** A copy that does not keep the piece of the reply alive from which `text` was cut. ASCII only. */
function ownText(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
