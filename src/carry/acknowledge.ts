import { WsusutilError } from '../errors.js';
import type { SignatureTrust } from '../packages/check-signatures.js';
import type { AcceptedPackage, CarryState, SentPackage } from '../store/carry-state.js';
import { readReceipt, writeReceipt } from './receipt.js';
import { looksSigned, readSignedReceipt } from './signed-receipt.js';

export interface Acknowledged {
  readonly sent: SentPackage;
  /** who signed the receipt; undefined: it was a short code, which nobody signs */
  readonly signer: { readonly name: string; readonly keyId: string } | undefined;
}

/** What makes nothing but sure that a code is one, before anything is opened. @throws WsusutilError `USAGE` */
export function checkReceipt(code: string): void {
  if (looksSigned(code)) readSignedReceipt(code);
  else readReceipt(code);
}

/**
 * Notes that a package arrived: the next one that builds on the last builds on it.
 *
 * @param code as it was typed, signed or short
 * @param trust whose signatures count
 * @throws WsusutilError `USAGE` for a code that is none, `NOT_FOUND` if no package that was sent from here has it,
 *   `SIGNER_UNTRUSTED` for a key that is not trusted here, `SIGNATURE_INVALID` for a signature that does not fit
 */
export async function acknowledge(
  state: CarryState,
  code: string,
  trust: Pick<SignatureTrust, 'keys'>,
  now: Date,
): Promise<Acknowledged> {
  const sent = await state.listSent();
  const found = looksSigned(code) ? findSigned(sent, code, trust) : findShort(sent, code);
  await state.acknowledge(found.sent.destination, found.sent.sequence, now.getTime());
  return found;
}

function findShort(sent: readonly SentPackage[], code: string): Acknowledged {
  const receipt = readReceipt(code);
  const found = sent.find((each) => receipt.isFor(each));
  if (found === undefined) throw notSent(receipt.sequence);
  return { sent: found, signer: undefined };
}

function findSigned(
  sent: readonly SentPackage[],
  code: string,
  { keys }: Pick<SignatureTrust, 'keys'>,
): Acknowledged {
  const receipt = readSignedReceipt(code);
  const signers = keys.filter(({ publicKey }) => receipt.mayBeOf(publicKey.keyId));
  if (signers.length === 0) {
    throw new WsusutilError(
      'SIGNER_UNTRUSTED',
      `The receipt for a package ${receipt.sequence} was signed with a key that is not trusted here`,
      {
        hint: 'Take in the public key of the other side once: "wsusutil keys public" there, "wsusutil trust add" here.',
      },
    );
  }
  const candidates = sent.filter(({ sequence }) => sequence === receipt.sequence);
  if (candidates.length === 0) throw notSent(receipt.sequence);
  for (const each of candidates) {
    const signer = signers.find(({ publicKey }) => receipt.isSignedFor(each, publicKey.key));
    if (signer !== undefined) {
      return { sent: each, signer: { name: signer.name, keyId: signer.publicKey.keyId } };
    }
  }
  throw new WsusutilError(
    'SIGNATURE_INVALID',
    `The receipt is not signed by ${signers.map(({ name }) => name).join(' or ')} for any package ${receipt.sequence} that was made here`,
    {
      hint: 'It may be for a package of another data directory, or forged. Ask the other side to run "wsusutil receipt" again.',
    },
  );
}

function notSent(sequence: number): WsusutilError {
  return new WsusutilError('NOT_FOUND', `The receipt is for a package ${sequence} that was not made here`, {
    hint: 'Check that it comes from the place the package went to, and that this is the data directory it was made in.',
  });
}

export interface GivenReceipt {
  /** short: nobody signed it */
  readonly code: string;
  readonly accepted: AcceptedPackage;
}

/**
 * The receipts for the last package of each chain that was imported here, or of one destination.
 *
 * @throws WsusutilError `NOT_FOUND` if there is none
 */
export async function listReceipts(
  state: CarryState,
  destination: string | undefined,
): Promise<readonly GivenReceipt[]> {
  const last = new Map<string, AcceptedPackage>();
  for (const accepted of await state.listAccepted()) {
    if (destination !== undefined && accepted.destination !== destination) continue;
    const chain = `${accepted.serverId} ${accepted.destination}`;
    if ((last.get(chain)?.sequence ?? 0) < accepted.sequence) last.set(chain, accepted);
  }
  if (last.size === 0) {
    throw new WsusutilError(
      'NOT_FOUND',
      destination === undefined
        ? 'No transfer package was imported here yet'
        : `No transfer package for ${destination} was imported here yet`,
      { hint: 'Import one first; its receipt is printed then.' },
    );
  }
  return [...last.values()].map((accepted) => ({ accepted, code: writeReceipt(accepted) }));
}
