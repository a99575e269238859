/**
 * Secrets from where no list of processes and no history of a shell shows them: a terminal without echo, a pipe, a
 * variable, a file. No message holds any of what was read.
 */
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { throwIfInterrupted, WsusutilError } from '../errors.js';
import { openFileSource } from './file-source.js';

/** bytes; far above any password, far below what would trouble memory */
export const MAX_SECRET_SIZE = 4096;

/** Standard input, or what a test has in its place. */
export type SecretStream = Readable & {
  readonly isTTY?: boolean;
  setRawMode?(isRaw: boolean): unknown;
};

export interface SecretInput {
  /**
   * Asks on a terminal without echo; elsewhere the one line that standard input holds.
   *
   * @throws WsusutilError `USAGE` if nothing came, or more than a line; `INTERRUPTED`
   */
  ask(question: string): Promise<string>;
  /** @throws WsusutilError `USAGE` if there is no such variable, or it is empty */
  fromVariable(name: string): string;
  /** @throws WsusutilError `USAGE` if the file is empty or has more than a line, `INPUT_NOT_FOUND`, `READ_FAILED` */
  fromFile(path: string): Promise<string>;
}

export interface SecretInputOptions {
  readonly input: SecretStream;
  /** writes to the terminal the person sits at */
  readonly prompt: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

export function openSecretInput({ input, prompt, env, signal }: SecretInputOptions): SecretInput {
  return {
    async ask(question) {
      throwIfInterrupted(signal, 'waiting for a secret');
      const isTerminal = input.isTTY === true && input.setRawMode !== undefined;
      return isTerminal
        ? askUnseen(input, question, prompt, signal)
        : onlyLine(await readToEnd(input, signal), `${question.replace(/ \(.*\)$/, '')}: standard input`);
    },
    fromVariable(name) {
      const value = env[name];
      if (value === undefined || value === '') {
        throw new WsusutilError('USAGE', `The variable ${name} is ${value === '' ? 'empty' : 'not set'}`, {
          hint: 'Name a variable of the environment that holds the secret, without $ or %.',
        });
      }
      return onlyLine(value, `The variable ${name}`);
    },
    async fromFile(path) {
      const source = await openFileSource(path);
      try {
        if (source.size > MAX_SECRET_SIZE) throw tooLong(path);
        return onlyLine(Buffer.from(await source.read(0, source.size)).toString('utf8'), path);
      } finally {
        await source.close();
      }
    },
  };
}

/** A line as it is typed; keys that move or complete have no meaning where nothing is seen. */
async function askUnseen(
  input: SecretStream,
  question: string,
  prompt: (text: string) => void,
  signal: AbortSignal,
): Promise<string> {
  prompt(`${question}: `);
  input.setRawMode?.(true);
  const decoder = new StringDecoder('utf8');
  try {
    return await listen<string>(input, signal, (settle) => {
      let typed: string[] = [];
      let sequence = '';
      return {
        onData(chunk) {
          for (const key of decoder.write(chunk)) {
            if (sequence !== '') {
              // An arrow is ESC [ A or ESC O A, the mark of a paste ESC [ 200 ~.
              sequence += key;
              const isOpen = sequence.length === 2 ? key === '[' || key === 'O' : !/[A-Za-z~]/.test(key);
              if (!isOpen) sequence = '';
              continue;
            }
            switch (key) {
              case '\r':
              case '\n':
              case '\u0004': // Ctrl-D
                settle.resolve(typed.join(''));
                return;
              case '\u0003': // Ctrl-C: a terminal in raw mode sends no signal
                settle.reject(new WsusutilError('INTERRUPTED', 'Interrupted while asking for a secret'));
                return;
              case '\u007f':
              case '\b':
                typed = typed.slice(0, -1);
                break;
              case '\u0015': // Ctrl-U
                typed = [];
                break;
              case '\u001b':
                sequence = key;
                break;
              default:
                typed.push(key);
                if (typed.length > MAX_SECRET_SIZE) {
                  settle.reject(tooLong('What was typed'));
                  return;
                }
            }
          }
        },
        onEnd: () => settle.resolve(typed.join('')),
      };
    }).then((text) => onlyLine(text, 'What was typed'));
  } finally {
    input.setRawMode?.(false);
    prompt('\n');
  }
}

async function readToEnd(input: SecretStream, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  return listen<string>(input, signal, (settle) => ({
    onData(chunk) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_SECRET_SIZE) settle.reject(tooLong('Standard input'));
    },
    onEnd: () => settle.resolve(Buffer.concat(chunks).toString('utf8')),
  }));
}

interface Listener {
  onData(chunk: Buffer): void;
  onEnd(): void;
}

/** Hands on what comes until it is settled, and leaves the stream so that the process can end. */
async function listen<T>(
  input: SecretStream,
  signal: AbortSignal,
  start: (settle: { resolve(value: T): void; reject(error: unknown): void }) => Listener,
): Promise<T> {
  let detach = () => {};
  try {
    return await new Promise<T>((resolve, reject) => {
      const { onData, onEnd } = start({ resolve, reject });
      const take = (chunk: Buffer | string) => onData(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
      const fail = (error: Error) =>
        reject(
          new WsusutilError('READ_FAILED', `Cannot read standard input: ${error.message}`, { cause: error }),
        );
      const stop = () => reject(interrupted(signal));
      input.on('data', take).on('end', onEnd).on('error', fail);
      signal.addEventListener('abort', stop);
      detach = () => {
        input.off('data', take).off('end', onEnd).off('error', fail);
        signal.removeEventListener('abort', stop);
      };
      if (input.readableEnded) onEnd();
      else input.resume();
    });
  } finally {
    detach();
    input.pause();
  }
}

function interrupted(signal: AbortSignal): WsusutilError {
  return new WsusutilError('INTERRUPTED', 'Interrupted while waiting for a secret', { cause: signal.reason });
}

/** @param where begins the sentence that says what is wrong */
function onlyLine(text: string, where: string): string {
  const line = text.replace(/^\uFEFF/, '').replace(/\r?\n$/, '');
  if (line === '') {
    throw new WsusutilError('USAGE', `${where} is empty`, {
      hint: 'Type it at the prompt, pipe it in, or name a variable or a file that holds it, as the help of the command says.',
    });
  }
  if (/[\r\n]/.test(line)) {
    throw new WsusutilError('USAGE', `${where} holds more than one line`, {
      hint: 'A secret is one line; it may end with a line end.',
    });
  }
  if (Buffer.byteLength(line) > MAX_SECRET_SIZE) throw tooLong(where);
  return line;
}

function tooLong(where: string): WsusutilError {
  return new WsusutilError('USAGE', `${where} is longer than ${MAX_SECRET_SIZE} bytes`, {
    hint: 'A secret is one line.',
  });
}
