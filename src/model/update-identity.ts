import { WsusutilError } from '../errors.js';

/** GUID of an update over all its revisions: 36 characters, lower case, hyphens, no braces. */
export type UpdateId = string;

/** One revision of one update. */
export interface UpdateIdentity {
  readonly updateId: UpdateId;
  /** 0 … 4,294,967,295 */
  readonly revisionNumber: number;
}

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** True for a GUID as {@link UpdateId} writes it (lower case). */
export function isUpdateId(text: string): text is UpdateId {
  return text.length === 36 && GUID.test(text);
}

/**
 * Reads a GUID in any case, with or without braces.
 * Real documents write some ids in upper case; the store and the packages never do.
 *
 * @returns undefined if `text` is not a GUID
 */
export function parseUpdateId(text: string): UpdateId | undefined {
  const lower = text.trim().toLowerCase();
  const bare = lower.startsWith('{') && lower.endsWith('}') ? lower.slice(1, -1) : lower;
  return isUpdateId(bare) ? bare : undefined;
}

/** `<update id>:<revision number>`, the form messages and `wsusutil update` use. */
export function formatIdentity(identity: UpdateIdentity): string {
  return `${identity.updateId}:${identity.revisionNumber}`;
}

/**
 * Reads `<id>` or `<id>:<revision>` (also `<id>.<revision>`).
 *
 * @throws WsusutilError `USAGE` if it is neither
 */
export function parseIdentityArgument(text: string): {
  updateId: UpdateId;
  revisionNumber: number | undefined;
} {
  const match = /^(\{?[0-9a-fA-F-]{36}\}?)(?:[:.](\d{1,10}))?$/.exec(text.trim());
  const updateId = match?.[1] === undefined ? undefined : parseUpdateId(match[1]);
  if (match === null || updateId === undefined) {
    throw new WsusutilError('USAGE', `"${text}" is not an update id`, {
      hint: 'Give a GUID, with :<revision number> behind it for one revision; "wsusutil updates <words>" finds ids.',
    });
  }
  return { updateId, revisionNumber: match[2] === undefined ? undefined : Number(match[2]) };
}

/** The 16 bytes of a GUID in the order they are written (not the mixed-endian order of Windows). */
export function updateIdToBytes(updateId: UpdateId): Buffer {
  const bytes = Buffer.allocUnsafe(16);
  writeUpdateId(updateId, 0, bytes, 0);
  return bytes;
}

/**
 * {@link updateIdToBytes} of an id that stands in a longer text.
 *
 * @param target gets 16 bytes, from `offset` on
 */
export function writeUpdateId(text: string, from: number, target: Uint8Array, offset: number): void {
  let at = from;
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) at++;
    target[offset + i] = (hexDigit(text.charCodeAt(at)) << 4) | hexDigit(text.charCodeAt(at + 1));
    at += 2;
  }
}

const HYPHEN = 0x2d;

/** Value of a lower-case hex digit. */
function hexDigit(code: number): number {
  return code < 0x3a ? code - 0x30 : code - 0x57;
}

/** @param bytes 16 bytes made by {@link updateIdToBytes}, from `offset` on */
export function updateIdFromBytes(bytes: Uint8Array, offset = 0): UpdateId {
  let position = 0;
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) WRITTEN[position++] = HYPHEN;
    const byte = bytes[offset + i] as number;
    WRITTEN[position++] = HEX_DIGITS[byte >> 4] as number;
    WRITTEN[position++] = HEX_DIGITS[byte & 15] as number;
  }
  return WRITTEN.toString('latin1');
}

const HEX_DIGITS = Buffer.from('0123456789abcdef', 'latin1');
/** A text put together piece by piece stays in pieces: fifteen times the memory, which counts in lists of a million. */
const WRITTEN = Buffer.alloc(36);
