/** An element of a reply in memory, and its values (server-sync-protocol 2.4). */
import { WsusutilError } from '../../errors.js';
import { type Sha1Hex, sha1FromBase64 } from '../../model/digest.js';
import { parseUpdateId, type UpdateId } from '../../model/update-identity.js';
import { MAX_FIELD_LENGTH } from './limits.js';

/**
 * Elements are matched by local name: stacks differ in prefixes, and some in the namespace of nested elements.
 * Unknown ones are simply not asked for.
 */
export interface SoapElement {
  readonly local: string;
  /** all character data directly inside */
  readonly text: string;
  /** `xsi:nil="true"`: as if the element were absent */
  readonly isNil: boolean;
  readonly children: readonly SoapElement[];
}

/** A reply that is SOAP but not what the operation answers. */
export function unexpected(problem: string): WsusutilError {
  return new WsusutilError('UPSTREAM_MALFORMED', `The upstream's reply makes no sense: ${problem}`, {
    hint: 'Something between here and the upstream may have changed it, or it is no WSUS server; check the address.',
  });
}

/**
 * The child of that name; undefined if it is absent or nil.
 *
 * @throws WsusutilError `UPSTREAM_MALFORMED` if there are several
 */
export function childOf(parent: SoapElement, local: string): SoapElement | undefined {
  let found: SoapElement | undefined;
  for (const child of parent.children) {
    if (child.local !== local) continue;
    if (found !== undefined) throw unexpected(`${local} occurs twice in ${parent.local}`);
    found = child;
  }
  return found?.isNil === true ? undefined : found;
}

/** The children called `item` of the list `local`; none if the list is absent or nil. */
export function itemsOf(parent: SoapElement, local: string, item: string): readonly SoapElement[] {
  return childOf(parent, local)?.children.filter((child) => child.local === item && !child.isNil) ?? [];
}

/** Absent, empty and nil read the same. Short fields only. */
export function optionalText(parent: SoapElement, local: string): string | undefined {
  const text = childOf(parent, local)?.text;
  if (text === undefined || text === '') return undefined;
  if (text.length > MAX_FIELD_LENGTH) {
    throw unexpected(`${local} has ${text.length} characters, at most ${MAX_FIELD_LENGTH} are read`);
  }
  return text;
}

export function requiredText(parent: SoapElement, local: string): string {
  const text = optionalText(parent, local);
  if (text === undefined) throw unexpected(`${parent.local} has no ${local}`);
  return text;
}

/** `xs:boolean` */
export function optionalBoolean(parent: SoapElement, local: string): boolean | undefined {
  const text = optionalText(parent, local)?.trim();
  if (text === undefined) return undefined;
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  throw unexpected(`${local} is ${quote(text)}, expected true or false`);
}

const INT = /^[+-]?\d{1,10}$/;

/** `xs:int`: −2,147,483,648 … 2,147,483,647 */
export function optionalInt(parent: SoapElement, local: string): number | undefined {
  const text = optionalText(parent, local)?.trim();
  return text === undefined ? undefined : readInt(text, local);
}

function readInt(text: string, local: string): number {
  const value = Number(text);
  if (!INT.test(text) || value < -(2 ** 31) || value >= 2 ** 31) {
    throw unexpected(`${local} is ${quote(text)}, expected a 32-bit integer`);
  }
  return value;
}

/** A count or limit: 0 when absent, never negative. */
export function countOf(parent: SoapElement, local: string): number {
  const value = optionalInt(parent, local) ?? 0;
  if (value < 0) throw unexpected(`${local} is ${value}`);
  return value;
}

/** A GUID that is the text of `element` itself, in any case. */
export function guidOf(element: SoapElement): UpdateId {
  const id = element.text.length <= 64 ? parseUpdateId(element.text) : undefined;
  if (id === undefined) throw unexpected(`${element.local} is ${quote(element.text)}, expected a GUID`);
  return id;
}

/** As sent, without white space. */
export function base64TextOf({ text, local }: SoapElement): string {
  return withoutSpace(text, local);
}

function withoutSpace(text: string, local: string): string {
  const dense = /\s/.test(text) ? text.replaceAll(/\s+/g, '') : text;
  if (dense.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(dense)) {
    throw unexpected(`${local} is not Base64: ${quote(dense)}`);
  }
  return dense;
}

export function base64BytesOf({ text, local }: SoapElement): Uint8Array {
  return base64BytesOfText(text, local);
}

/** @param local name of the element whose text it is */
export function base64BytesOfText(text: string, local: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  if (isExactBase64(text, bytes.length)) return bytes;
  return Buffer.from(withoutSpace(text, local), 'base64'); // with white space, or none at all
}

/**
 * The decoder passes over what is no Base64, so the size of what it gives tells whether there was anything. It also
 * takes the other alphabet, that of URLs.
 */
function isExactBase64(text: string, size: number): boolean {
  if (text.length % 4 !== 0) return false;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  return size === (text.length / 4) * 3 - padding && !text.includes('-') && !text.includes('_');
}

export function sha1Of({ text, local }: SoapElement): Sha1Hex {
  return sha1OfText(text, local);
}

/** @param local name of the element whose text it is */
export function sha1OfText(text: string, local: string): Sha1Hex {
  const usual = sha1FromBase64(text);
  if (usual !== undefined) return usual;
  const dense = withoutSpace(text, local);
  const sha1 = sha1FromBase64(dense);
  if (sha1 === undefined) {
    throw unexpected(`${local} is ${quote(dense)}, expected a SHA-1 digest in Base64`);
  }
  return sha1;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
