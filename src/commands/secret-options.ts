import { resolve } from 'node:path';
import { WsusutilError } from '../errors.js';
import type { CommandContext } from './context.js';

/** Where a password comes from that is neither asked for nor piped in. */
export const SECRET_OPTIONS = {
  'from-env': {
    type: 'string',
    value: 'name',
    description: 'Take the password from this variable of the environment',
  },
  'from-file': {
    type: 'string',
    value: 'path',
    description: 'Take the password from this file, which holds one line',
    completes: 'file',
  },
} as const;

export interface SecretOptions {
  readonly 'from-env': string | undefined;
  readonly 'from-file': string | undefined;
}

/** @throws WsusutilError `USAGE` if both are given */
export function checkSecretOptions(options: SecretOptions): void {
  if (options['from-env'] !== undefined && options['from-file'] !== undefined) {
    throw new WsusutilError('USAGE', '--from-env and --from-file exclude each other', {
      hint: 'Give one of them, or none to be asked.',
    });
  }
}

/**
 * @param question asked on a terminal
 * @returns one line, not empty
 * @throws WsusutilError `USAGE`, `INPUT_NOT_FOUND`, `READ_FAILED`, `INTERRUPTED`; none holds any of it
 */
export async function readSecret(
  options: SecretOptions,
  { secrets }: Pick<CommandContext, 'secrets'>,
  question: string,
): Promise<string> {
  if (secrets === undefined) throw new Error('a secret is asked for where none can be given');
  if (options['from-env'] !== undefined) return secrets.fromVariable(options['from-env']);
  if (options['from-file'] !== undefined) return secrets.fromFile(resolve(options['from-file']));
  return secrets.ask(question);
}
