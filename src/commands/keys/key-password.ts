import { resolve } from 'node:path';
import { WsusutilError } from '../../errors.js';
import type { CommandContext } from '../context.js';

/** Where the password of a key comes from that is neither asked for nor piped in. */
export const PASSWORD_OPTIONS = {
  'password-env': {
    type: 'string',
    value: 'name',
    description: 'Take the password of the key from this variable of the environment',
  },
  'password-file': {
    type: 'string',
    value: 'path',
    description: 'Take it from this file, which holds one line',
    completes: 'file',
  },
} as const;

export interface PasswordOptions {
  readonly 'password-env': string | undefined;
  readonly 'password-file': string | undefined;
}

/** @throws WsusutilError `USAGE` if more than one is given */
export function checkPasswordOptions(options: PasswordOptions, others: readonly string[] = []): void {
  const given = [
    ...Object.keys(PASSWORD_OPTIONS).filter((name) => options[name as keyof PasswordOptions] !== undefined),
    ...others,
  ];
  if (given.length > 1) {
    throw new WsusutilError('USAGE', `--${given[0]} and --${given[1]} exclude each other`, {
      hint: 'Give one of them, or none to be asked.',
    });
  }
}

type Asking = Pick<CommandContext, 'secrets' | 'terminal'>;

/**
 * @param name of the key
 * @returns one line, not empty
 * @throws WsusutilError `USAGE`, `INPUT_NOT_FOUND`, `READ_FAILED`, `INTERRUPTED`; none holds any of it
 */
export async function readPassword(
  options: PasswordOptions,
  { secrets }: Asking,
  name: string,
): Promise<string> {
  if (secrets === undefined) throw new Error('a password is asked for where none can be given');
  if (options['password-env'] !== undefined) return secrets.fromVariable(options['password-env']);
  if (options['password-file'] !== undefined) return secrets.fromFile(resolve(options['password-file']));
  return secrets.ask(`Password of the key ${name} (not shown)`);
}

/**
 * As {@link readPassword}, for a key to be made: typed unseen, it is typed twice.
 *
 * @throws WsusutilError `PASSWORD_WRONG` if the two differ; as {@link readPassword}
 */
export async function readNewPassword(
  options: PasswordOptions,
  context: Asking,
  name: string,
): Promise<string> {
  const password = await readPassword(options, context, name);
  const isAsked = options['password-env'] === undefined && options['password-file'] === undefined;
  if (isAsked && context.secrets !== undefined && (await context.terminal?.isInteractive()) === true) {
    if ((await context.secrets.ask('The same again')) !== password) {
      throw new WsusutilError('PASSWORD_WRONG', 'The two passwords differ; no key was made', {
        hint: 'Run the command again.',
      });
    }
  }
  return password;
}
