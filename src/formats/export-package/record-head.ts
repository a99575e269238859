/** `<guid>,<revision>,<length>,` with 8 digits each: what every writer seen produces. */
export const RECORD_HEAD_SIZE = 36 + 1 + 8 + 1 + 8 + 1;
const MAX_DIGITS = 8;
const MIN_HEAD_SIZE = RECORD_HEAD_SIZE - 2 * (MAX_DIGITS - 1);
const COMMA = 0x2c;
const HYPHEN = 0x2d;
const ID_SIZE = 16;

export interface RecordHead {
  /** as the head gives it: UTF-16 code units, or bytes if the writer was wrong */
  readonly length: number;
  /** bytes of the head itself */
  readonly size: number;
}

/** value of each byte as a hexadecimal digit of either case; 0xff: it is none */
const DIGITS = new Uint8Array(256).fill(0xff);
for (const [value, digit] of [...'0123456789abcdef'].entries()) {
  DIGITS[digit.charCodeAt(0)] = value;
  DIGITS[digit.toUpperCase().charCodeAt(0)] = value;
}

/**
 * Reads the head of a record of `metadata.txt` (package-formats 1.2): a GUID, and two numbers of 1 to 8 hexadecimal digits,
 * a comma behind each.
 *
 * @param end where the bytes end that may belong to it
 * @param identity becomes its identity, as `IdentityList` has it
 * @returns undefined if that is no head; what `identity` holds is void then
 */
export function readRecordHead(
  bytes: Uint8Array,
  start: number,
  end: number,
  identity: Uint8Array,
): RecordHead | undefined {
  if (end - start < MIN_HEAD_SIZE) return undefined;
  let at = start;
  let wrong = 0;
  for (let i = 0; i < ID_SIZE; i++) {
    if ((i === 4 || i === 6 || i === 8 || i === 10) && bytes[at++] !== HYPHEN) return undefined;
    const high = DIGITS[bytes[at++] as number] as number;
    const low = DIGITS[bytes[at++] as number] as number;
    wrong |= high | low;
    identity[i] = (high << 4) | low;
  }
  if (wrong > 0x0f || bytes[at++] !== COMMA) return undefined;

  const revisionEnd = endOfNumber(bytes, at, end);
  if (revisionEnd < 0) return undefined;
  const revision = numberBetween(bytes, at, revisionEnd);
  for (let i = 0; i < 4; i++) identity[ID_SIZE + i] = revision >>> (8 * i);
  at = revisionEnd + 1;

  const lengthEnd = endOfNumber(bytes, at, end);
  if (lengthEnd < 0) return undefined;
  return { length: numberBetween(bytes, at, lengthEnd), size: lengthEnd + 1 - start };
}

/** Where the comma stands behind 1 to 8 hexadecimal digits; −1 if there is none. */
function endOfNumber(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (DIGITS[bytes[at] as number] as number) <= 0x0f) at++;
  const size = at - start;
  return size > 0 && size <= MAX_DIGITS && at < end && bytes[at] === COMMA ? at : -1;
}

function numberBetween(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at++) value = (value << 4) | (DIGITS[bytes[at] as number] as number);
  return value >>> 0;
}
