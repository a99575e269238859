/** Attribute values of update documents → typed values. Source: package-formats 4.3, 4.4, 4.8. */
import { WsusutilError } from '../../errors.js';
import { parseUpdateId, type UpdateId } from '../../model/update-identity.js';
import type { XmlElement } from '../xml/xml-reader.js';
import { KnownIds } from './known-ids.js';

const MAX_REVISION_NUMBER = 4_294_967_295;
const MAX_SHOWN_LENGTH = 100;

/** The part of a message about a value: quoted, cut short. */
export function shown(value: string | undefined): string {
  if (value === undefined) return 'missing';
  return value.length <= MAX_SHOWN_LENGTH ? `"${value}"` : `"${value.slice(0, MAX_SHOWN_LENGTH)}…"`;
}

/** An `UPDATE_MALFORMED` that says what is wrong; the caller adds which document. */
export function malformed(problem: string): WsusutilError {
  return new WsusutilError('UPDATE_MALFORMED', problem);
}

const knownIds = new KnownIds();
const findKnownId = knownIds.find.bind(knownIds);

/**
 * The GUID, in any case, in attribute `UpdateID` → update id. The id owns its memory: a slice would keep the whole
 * document alive in the lists of ids an import keeps.
 *
 * @param place for the message
 */
export function readUpdateId(element: XmlElement, place: string): UpdateId {
  const value = element.attribute('UpdateID');
  const parsed = value === undefined ? undefined : parseUpdateId(value);
  if (parsed === undefined) throw malformed(`${place}: UpdateID is ${shown(value)}, expected a GUID`);
  return Buffer.from(parsed, 'latin1').toString('latin1');
}

/** As {@link readUpdateId}, for places where many documents name the same few thousand ids. */
export function readFamiliarUpdateId(element: XmlElement, place: string): UpdateId {
  const known = element.readAttribute('UpdateID', findKnownId);
  if (known !== undefined) return known;
  const id = readUpdateId(element, place);
  knownIds.add(id);
  return id;
}

export function readRevisionNumber(value: string | undefined, place: string): number {
  const revisionNumber = value !== undefined && /^[0-9]{1,10}$/.test(value) ? Number(value) : Number.NaN;
  if (!(revisionNumber <= MAX_REVISION_NUMBER)) {
    throw malformed(
      `${place}: RevisionNumber is ${shown(value)}, expected a number up to ${MAX_REVISION_NUMBER}`,
    );
  }
  return revisionNumber;
}

/** xs:boolean; some writers capitalise it. */
export function readBoolean(value: string | undefined, fallback: boolean, attribute: string): boolean {
  switch (value) {
    case undefined:
      return fallback;
    case 'true':
    case '1':
      return true;
    case 'false':
    case '0':
      return false;
  }
  const lower = value.trim().toLowerCase();
  if (lower === 'true' || lower === '1') return true;
  if (lower === 'false' || lower === '0') return false;
  throw malformed(`${attribute} is ${shown(value)}, expected true or false`);
}

/** A size in bytes, up to 2^53 − 1. */
export function readSize(value: string | undefined, attribute: string): number {
  const size = value !== undefined && /^[0-9]{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(size)) {
    throw malformed(`${attribute} is ${shown(value)}, expected a number of bytes`);
  }
  return size;
}

/** xs:int, e.g. `DisplayOrder`. */
export function readInteger(value: string | undefined, attribute: string): number | undefined {
  if (value === undefined) return undefined;
  if (!/^[+-]?[0-9]{1,10}$/.test(value)) {
    throw malformed(`${attribute} is ${shown(value)}, expected an integer`);
  }
  return Number(value);
}

const INSTANT =
  /^([0-9]{4})-([0-9]{2})-([0-9]{2})(?:T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?)?(?:Z|([+-])([0-9]{2}):([0-9]{2}))?$/;

/**
 * An ISO 8601 instant as update documents write it: with `Z`, an offset or neither (then UTC), with up to nine
 * digits of fraction or none, or without a time.
 *
 * @returns milliseconds since 1970, fractions of one cut off; undefined if it is no such instant
 */
export function parseInstant(text: string): number | undefined {
  const match = INSTANT.exec(text);
  if (match === null) return undefined;
  const number = (index: number): number => Number(match[index] ?? 0);
  const [year, month, day] = [number(1), number(2), number(3)];
  const [hour, minute, second] = [number(4), number(5), number(6)];
  const milliseconds = Number((match[7] ?? '').slice(0, 3).padEnd(3, '0'));
  const [offsetHours, offsetMinutes] = [number(9), number(10)];
  if (hour > 23 || minute > 59 || second > 59 || offsetHours > 14 || offsetMinutes > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day); // not Date.UTC, which takes year 50 for 1950
  // A day that the month does not have rolls over; that is how it is noticed.
  if (month < 1 || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  const local = date.getTime() + ((hour * 60 + minute) * 60 + second) * 1000 + milliseconds;
  const offset = (offsetHours * 60 + offsetMinutes) * 60_000;
  return match[8] === '-' ? local + offset : local - offset;
}
