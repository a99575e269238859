import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { WsusutilError } from '../errors.js';
import { openError, readAhead } from '../platform/file-source.js';

/**
 * Bytes `from` up to `from + size` of a regular file that goes into a package, fewer if it is shorter, as {@link readAhead} gives them. Links are not
 * followed.
 *
 * @throws WsusutilError `TRANSFER_MISMATCH` if it is gone, `READ_FAILED`
 */
export async function* readRange(
  path: string,
  from: number,
  size: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  // Neither a link is followed nor is a pipe waited for; Windows knows neither flag.
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
  const handle = await open(path, flags).catch((error: unknown) => {
    const failure = openError(error, path);
    if (failure.code !== 'INPUT_NOT_FOUND') throw failure;
    // Nobody named it on a command line: it was there when the package was planned.
    throw new WsusutilError('TRANSFER_MISMATCH', `${path} is no longer there`, {
      hint: 'Check the content directory with "wsusutil content verify", then export again.',
      cause: error,
    });
  });
  try {
    if (!(await handle.stat()).isFile()) {
      throw new WsusutilError('READ_FAILED', `${path} is not a file`, {
        hint: 'Check the content directory with "wsusutil content verify".',
      });
    }
    yield* readAhead(handle, path, from, from + size);
  } catch (error) {
    throw openError(error, path);
  } finally {
    await handle.close();
  }
}
