import { WsusutilError } from '../../errors.js';

const AGAIN = 'Carry the volume again: copy it from the medium once more, or have it exported again.';

/** What stands there is not what the format allows. */
export function malformed(message: string, hint = AGAIN): WsusutilError {
  return new WsusutilError('TRANSFER_MALFORMED', message, { hint });
}

/** Something ends too early or is not there. */
export function incomplete(message: string, hint = AGAIN): WsusutilError {
  return new WsusutilError('TRANSFER_INCOMPLETE', message, { hint });
}

/** Two things that should be the same are not. */
export function mismatch(message: string, hint = AGAIN): WsusutilError {
  return new WsusutilError('TRANSFER_MISMATCH', message, { hint });
}

/** A newer program made it. */
export function unsupported(message: string): WsusutilError {
  return new WsusutilError('TRANSFER_UNSUPPORTED', message, {
    hint: 'Read it with a newer version of wsusutil, or export it with the version that is used here.',
  });
}

/** A name from a file, fit for a message: cut, and without anything a terminal would act on. */
export function quoted(name: string): string {
  const cut = name.length > 120 ? `${name.slice(0, 120)}…` : name;
  return JSON.stringify(cut.replaceAll(/[\p{C}\u2028\u2029]/gu, (each) => (each < ' ' ? each : '\uFFFD')));
}
