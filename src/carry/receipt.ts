/**
 * Short receipts, for machines without keys: a checksum code that a person types outside so that the next package builds
 * on what arrived. 25 letters in groups of five:
 *
 *     24 bits  number of the package
 *     80 bits  HMAC-SHA-256 with the digest of its manifest as the key, over what it is for and its number, cut
 *     21 bits  checksum over both: SHA-256, cut
 *
 * The two sides share no secret but what was carried over. So the code tells a right package from a wrong one, and
 * whoever has the package can make it: it is no signature. `signed-receipt.ts` has one.
 */
import { createHash, createHmac } from 'node:crypto';
import { WsusutilError } from '../errors.js';
import type { Sha256Hex } from '../model/digest.js';
import {
  GROUP,
  inGroups,
  joinNumber,
  lettersOf,
  readLetters,
  splitNumber,
  valuesOf,
} from './receipt-letters.js';

const LENGTH = 25;
const SEQUENCE_BITS = 24n;
const MAC_BITS = 80n;
const CHECK_BITS = 21n;
/** highest number that fits a code */
export const MAX_RECEIPT_SEQUENCE = 2 ** Number(SEQUENCE_BITS) - 1;

/** What a receipt is about. */
export interface ReceiptSubject {
  readonly destination: string;
  readonly sequence: number;
  /** digest */
  readonly manifest: Sha256Hex;
}

/** @returns e.g. `0000C-7Q4ZK-…` */
export function writeReceipt(subject: ReceiptSubject): string {
  if (subject.sequence > MAX_RECEIPT_SEQUENCE) throw tooHighForReceipt(subject.sequence);
  const said = (BigInt(subject.sequence) << MAC_BITS) | macOf(subject);
  return inGroups(lettersOf(splitNumber((said << CHECK_BITS) | checkOf(said), LENGTH)));
}

export function tooHighForReceipt(sequence: number): WsusutilError {
  return new WsusutilError('LIMIT_EXCEEDED', `Package ${sequence} has a number too high for a receipt`, {
    hint: 'Begin a chain under another name of the destination.',
  });
}

export interface Receipt {
  readonly sequence: number;
  /** Whether this is the package that it is about. */
  isFor(subject: ReceiptSubject): boolean;
}

/**
 * Reads what was typed: blanks and hyphens anywhere, any case.
 *
 * @throws WsusutilError `USAGE` for a text that is no receipt, or was mistyped
 */
export function readReceipt(text: string): Receipt {
  const typed = readLetters(text);
  const values = valuesOf(typed);
  if (values?.length !== LENGTH) {
    throw new WsusutilError(
      'USAGE',
      `The receipt should have ${LENGTH} letters and digits, in groups of ${GROUP}; this one has ${typed.length}`,
      { hint: 'Type it again as "wsusutil receipt" printed it on the other side.' },
    );
  }
  const number = joinNumber(values);
  const said = number >> CHECK_BITS;
  if ((number & ((1n << CHECK_BITS) - 1n)) !== checkOf(said)) {
    throw new WsusutilError('USAGE', 'The receipt was mistyped: its checksum does not fit', {
      hint: 'Compare it with what "wsusutil receipt" printed on the other side, group by group.',
    });
  }
  const sequence = Number(said >> MAC_BITS);
  const mac = said & ((1n << MAC_BITS) - 1n);
  return { sequence, isFor: (subject) => subject.sequence === sequence && macOf(subject) === mac };
}

function macOf({ destination, sequence, manifest }: ReceiptSubject): bigint {
  const digest = createHmac('sha256', Buffer.from(manifest, 'hex'))
    .update(`wsusutil receipt 1\n${sequence}\n${destination}\n`)
    .digest();
  return firstBits(digest, MAC_BITS);
}

function checkOf(said: bigint): bigint {
  return firstBits(
    createHash('sha256')
      .update(`wsusutil receipt check\n${said.toString(16)}`)
      .digest(),
    CHECK_BITS,
  );
}

function firstBits(bytes: Buffer, count: bigint): bigint {
  return BigInt(`0x${bytes.toString('hex')}`) >> (BigInt(bytes.length * 8) - count);
}
