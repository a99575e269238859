import { Readable } from 'node:stream';
import type { SecretInput } from '../../src/commands/context.js';
import { openSecretInput } from '../../src/platform/secret-input.js';

/** Secrets as the program has them, over these variables; on the terminal `typed` is typed. */
export function secretsOf(typed: string, env: Readonly<Record<string, string>> = {}): SecretInput {
  const input = openSecretInput({
    input: Readable.from([]),
    prompt: () => {},
    env,
    signal: new AbortController().signal,
  });
  return {
    ask: async () => typed,
    fromVariable: async (name) => input.fromVariable(name),
    fromFile: (path) => input.fromFile(path),
  };
}
