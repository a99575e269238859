/**
 * Signed receipts: what a person photographs or types outside, five lines of 25 letters in groups of five. It proves
 * that a package arrived at whoever has the key, which the short code of `receipt.ts` does not.
 *
 * The first 23 letters of each line, put together (115 letters of 5 bits):
 *
 *       1 letter     `S`
 *       5 letters    number of the package
 *       6 letters    the first 30 bits of the id of the key
 *     103 letters    Ed25519 signature (512 bits and three zeros) of the text
 *                    "wsusutil receipt 2\n<number>\n<destination>\n<manifest>\n"
 *
 * The last two letters of a line check it, its number included: a Reed-Solomon code over GF(32), which tells any one or
 * two wrong letters in a line, and lines that changed places. So a slip is found at its line.
 */
import { WsusutilError } from '../errors.js';
import { isSignatureOf } from '../formats/minisign/ed25519.js';
import type { SecretKey } from '../formats/minisign/secret-key.js';
import { MAX_RECEIPT_SEQUENCE, type ReceiptSubject, tooHighForReceipt } from './receipt.js';
import {
  ALPHABET,
  inGroups,
  joinNumber,
  lettersOf,
  readLetters,
  splitNumber,
  valuesOf,
} from './receipt-letters.js';

const LINES = 5;
const LINE_LENGTH = 25;
const CHECKED = LINE_LENGTH - 2;
const VERSION = ALPHABET.indexOf('S');
const SEQUENCE_LETTERS = 5;
const KEY_LETTERS = 6;
const SIGNATURE_LETTERS = 103;
const SIGNATURE_SIZE = 64;
/** bits behind the signature, all zero */
const PADDING = BigInt(5 * SIGNATURE_LETTERS - 8 * SIGNATURE_SIZE);
const KEY_BITS = BigInt(5 * KEY_LETTERS);
/** a text up to this length is meant to be a short code */
const MAX_SHORT_LENGTH = 50;

export interface SignedReceipt {
  readonly sequence: number;
  /** whether the key could be the one that signed, by what the receipt has of its id */
  mayBeOf(keyId: string): boolean;
  /** Whether the owner of the key signed a receipt for this package. @param key 32 bytes */
  isSignedFor(subject: ReceiptSubject, key: Uint8Array): boolean;
}

/** @returns five lines, e.g. `S0000-C7Q4Z-…` */
export function writeSignedReceipt(subject: ReceiptSubject, key: SecretKey): readonly string[] {
  if (subject.sequence > MAX_RECEIPT_SEQUENCE) throw tooHighForReceipt(subject.sequence);
  const signature = BigInt(`0x${Buffer.from(key.sign(messageOf(subject))).toString('hex')}`);
  const values = [
    VERSION,
    ...splitNumber(BigInt(subject.sequence), SEQUENCE_LETTERS),
    ...splitNumber(hintOf(key.publicKey.keyId), KEY_LETTERS),
    ...splitNumber(signature << PADDING, SIGNATURE_LETTERS),
  ];
  return Array.from({ length: LINES }, (_, line) => {
    const own = values.slice(line * CHECKED, (line + 1) * CHECKED);
    return inGroups(lettersOf([...own, ...checksOf(own, line)]));
  });
}

/** Whether a text is meant to be a signed receipt, and not a short code. */
export function looksSigned(text: string): boolean {
  return readLetters(text).length > MAX_SHORT_LENGTH;
}

/**
 * Reads what was typed: blanks, line ends and hyphens anywhere, any case.
 *
 * @throws WsusutilError `USAGE` for a text that is no receipt, or was mistyped: says in which line
 */
export function readSignedReceipt(text: string): SignedReceipt {
  const letters = readLetters(text);
  const values: number[] = [];
  for (let line = 0; line < LINES; line++) {
    const typed = letters.slice(line * LINE_LENGTH, (line + 1) * LINE_LENGTH);
    const own = valuesOf(typed);
    if (own?.length !== LINE_LENGTH || !isChecked(own, line)) {
      throw new WsusutilError(
        'USAGE',
        typed === ''
          ? `The receipt should have ${LINES} lines; line ${line + 1} is missing`
          : `Line ${line + 1} of the receipt was mistyped: ${inGroups(typed)}`,
        {
          hint: `Compare line ${line + 1} with what "wsusutil receipt" printed on the other side: ${LINES} groups of ${LINE_LENGTH / LINES} letters and digits.`,
          details: { line: line + 1 },
        },
      );
    }
    values.push(...own.slice(0, CHECKED));
  }
  if (letters.length > LINES * LINE_LENGTH) {
    throw new WsusutilError('USAGE', `The receipt goes on behind its ${LINES} lines`, {
      hint: 'Type what one receipt says, and nothing else.',
    });
  }
  const take = (count: number) => joinNumber(values.splice(0, count));
  const version = take(1);
  const sequence = Number(take(SEQUENCE_LETTERS));
  const hint = take(KEY_LETTERS);
  const padded = take(SIGNATURE_LETTERS);
  if (version !== BigInt(VERSION) || padded & ((1n << PADDING) - 1n)) {
    throw new WsusutilError('USAGE', 'The receipt is of a kind that this version does not know', {
      hint: 'Use the version of wsusutil that printed it.',
    });
  }
  const signature = Buffer.from((padded >> PADDING).toString(16).padStart(2 * SIGNATURE_SIZE, '0'), 'hex');
  return {
    sequence,
    mayBeOf: (keyId) => hintOf(keyId) === hint,
    isSignedFor: (subject, key) =>
      subject.sequence === sequence && isSignatureOf(messageOf(subject), signature, key),
  };
}

/** Cannot be taken for what minisign signs: that is 64 bytes of digest, or begins with a signature. */
function messageOf({ sequence, destination, manifest }: ReceiptSubject): Buffer {
  return Buffer.from(`wsusutil receipt 2\n${sequence}\n${destination}\n${manifest}\n`);
}

function hintOf(keyId: string): bigint {
  return BigInt(`0x${keyId}`) >> (BigInt(4 * keyId.length) - KEY_BITS);
}

/** Powers of x in GF(32), of the polynomial x⁵ + x² + 1. */
const POWERS: readonly number[] = (() => {
  const powers = [1];
  while (powers.length < 31) {
    const next = (powers.at(-1) as number) << 1;
    powers.push(next > 31 ? next ^ 0b100101 : next);
  }
  return powers;
})();

function multiply(one: number, other: number): number {
  if (one === 0 || other === 0) return 0;
  return POWERS[(POWERS.indexOf(one) + POWERS.indexOf(other)) % 31] as number;
}

function divide(one: number, other: number): number {
  if (one === 0) return 0;
  return POWERS[(POWERS.indexOf(one) + 31 - POWERS.indexOf(other)) % 31] as number;
}

/** Sums over a line: of its values, and of its values times powers of x. The line's number counts as one more value. */
function sumsOf(values: readonly number[], line: number): readonly [number, number] {
  let sum = line + 1;
  let weighted = multiply(line + 1, POWERS[LINE_LENGTH] as number);
  for (const [position, value] of values.entries()) {
    sum ^= value;
    weighted ^= multiply(value, POWERS[position] as number);
  }
  return [sum, weighted];
}

/** The two values that make both sums of the line zero. */
function checksOf(values: readonly number[], line: number): readonly [number, number] {
  const [sum, weighted] = sumsOf(values, line);
  const [one, other] = [POWERS[CHECKED] as number, POWERS[CHECKED + 1] as number];
  const first = divide(weighted ^ multiply(sum, other), one ^ other);
  return [first, sum ^ first];
}

function isChecked(values: readonly number[], line: number): boolean {
  return sumsOf(values, line).every((sum) => sum === 0);
}
