/** How the cabinet reader words what is wrong: structure, offset, expected and actual. */
import { WsusutilError } from '../../errors.js';
import { groupDigits } from '../group-digits.js';

/** The two sizes a truncated or damaged cabinet is told by; either may still be unknown. */
export interface CabinetSizes {
  /** `cbCabinet` of the header */
  readonly declaredSize: number | undefined;
  readonly actualSize: number;
}

/** `CAB_MALFORMED`: `structure` at `offset` says something impossible. */
export function malformed(
  structure: string,
  offset: number,
  problem: string,
  sizes?: CabinetSizes,
  cause?: unknown,
): WsusutilError {
  return new WsusutilError('CAB_MALFORMED', `${structure} at offset ${offset}: ${problem}`, {
    hint: 'The file is damaged or not a cabinet; fetch it again in binary mode and compare its digest with the original.',
    details: { structure, offset, ...sizes },
    cause,
  });
}

/**
 * Bytes that are not there. A file shorter than its header says is `CAB_TRUNCATED`; one that is complete, or
 * whose structure lies outside even the declared size, is `CAB_MALFORMED`.
 */
export function beyondEnd(
  structure: string,
  offset: number,
  length: number,
  sizes: CabinetSizes,
): WsusutilError {
  const { declaredSize, actualSize } = sizes;
  if (declaredSize !== undefined && (declaredSize <= actualSize || offset > declaredSize)) {
    return malformed(
      structure,
      offset,
      `lies outside the cabinet (${groupDigits(length)} bytes needed, the cabinet has ${groupDigits(actualSize)})`,
      sizes,
    );
  }
  const says = declaredSize === undefined ? '' : `; the cabinet says ${groupDigits(declaredSize)} bytes`;
  return new WsusutilError(
    'CAB_TRUNCATED',
    `${structure} at offset ${offset}: ${groupDigits(length)} bytes needed, the file ends at ${groupDigits(actualSize)}${says}`,
    {
      hint: 'The file is incomplete; copy or fetch it again.',
      details: { structure, offset, ...sizes },
    },
  );
}

export function limitExceeded(what: string, actual: number, limit: number): WsusutilError {
  return new WsusutilError(
    'LIMIT_EXCEEDED',
    `${what}: ${groupDigits(actual)} bytes, the limit is ${groupDigits(limit)}`,
    {
      hint: 'No cabinet of this kind is expected to be so large; check where the file comes from.',
      details: { actual, limit },
    },
  );
}
