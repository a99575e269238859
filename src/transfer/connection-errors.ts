/** What goes wrong with a connection: codes, words, and the errors that are our own. */
import { errorText } from '../errors.js';

const MAX_CAUSES = 5;

/** Text and code; attempts to several addresses come as one error without a text of its own. */
export function errorWords(error: unknown): string {
  const first: unknown = error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
  const code = codeOf(first);
  const text = errorText(first);
  return code === '' || text.includes(code) ? text : `${text} (${code})`;
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** `code` of the error or of the first of its causes that has one. */
export function firstCodeOf(error: unknown): string | undefined {
  let current = error;
  for (let i = 0; i < MAX_CAUSES && current instanceof Error; i++) {
    const code = codeOf(current);
    if (code !== '') return code;
    if (current instanceof AggregateError && current.errors.length > 0) current = current.errors[0];
    else current = current.cause;
  }
  return undefined;
}

export function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason));
}

export function timeoutError(ms: number, lacking: string): Error {
  return withCode(`${lacking} for ${Math.round(ms / 1000)} seconds`, 'ETIMEDOUT');
}

export function closed(): Error {
  return withCode('the client was closed', 'ECONNABORTED');
}

export function closedEarly(): Error {
  return withCode('the connection was closed too early', 'ECONNRESET');
}

function withCode(text: string, code: string): Error {
  return Object.assign(new Error(text), { code });
}
