import {
  findSigningKey,
  keysPathOf,
  openSigningKey,
  type SecretKey,
  type SigningKey,
} from '../../settings/signing-keys.js';
import type { CommandContext } from '../context.js';
import { warnOfExposure } from '../serve/warn-of-exposure.js';
import { type PasswordOptions, readPassword } from './key-password.js';

/**
 * Opens a key of the data directory, asking for its password where it has one.
 *
 * @param name undefined: the only one there is
 * @throws WsusutilError as `findSigningKey`, `readPassword` and `openSigningKey`
 */
export async function openKey(
  name: string | undefined,
  options: PasswordOptions,
  context: CommandContext,
): Promise<{ readonly key: SigningKey; readonly secretKey: SecretKey }> {
  const found = await findSigningKey(keysPathOf((await context.findDataDirectory()).path), name);
  const { key } = found;
  warnOfExposure(key, context.report);
  const password = key.isProtected ? await readPassword(options, context, key.name) : undefined;
  return { key, secretKey: await openSigningKey(found, password, context.signal) };
}
