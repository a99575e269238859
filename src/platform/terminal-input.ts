/** Questions to the person at the terminal, if there is one. */
import { createInterface } from 'node:readline';
import { throwIfInterrupted, WsusutilError } from '../errors.js';
import type { SecretStream } from './secret-input.js';

export interface TerminalInput {
  /** somebody can be asked */
  readonly isInteractive: boolean;
  /**
   * Shows `question` and waits for a line.
   *
   * @returns true for y or yes, in any case
   * @throws WsusutilError `INTERRUPTED`
   */
  confirm(question: string): Promise<boolean>;
}

export interface TerminalInputOptions {
  readonly input: SecretStream;
  /** writes to the terminal the person sits at */
  readonly prompt: (text: string) => void;
  readonly signal: AbortSignal;
}

export function openTerminalInput({ input, prompt, signal }: TerminalInputOptions): TerminalInput {
  return {
    isInteractive: input.isTTY === true,
    async confirm(question) {
      const doing = 'waiting for an answer';
      throwIfInterrupted(signal, doing);
      prompt(`${question} [y/N] `);
      const lines = createInterface({ input, terminal: false, signal });
      try {
        const answer = await new Promise<string>((resolve, reject) => {
          lines.once('line', resolve);
          lines.once('close', () => resolve(''));
          input.once('error', (error) =>
            reject(
              new WsusutilError('READ_FAILED', `Cannot read standard input: ${error.message}`, {
                cause: error,
              }),
            ),
          );
        });
        throwIfInterrupted(signal, doing);
        return /^y(?:es)?$/i.test(answer.trim());
      } finally {
        lines.close();
        input.pause();
      }
    },
  };
}
