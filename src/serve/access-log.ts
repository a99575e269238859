/** One line per request, as text or JSON. Never holds cookies or bodies. */
export interface AccessEntry {
  readonly at: Date;
  readonly address: string;
  /** name of the downstream's account, where the call says so */
  readonly account: string | undefined;
  readonly method: string;
  /** as sent, cut to a sensible length */
  readonly path: string;
  readonly status: number;
  /** bytes of the response's body that were sent */
  readonly bytes: number;
  readonly durationMs: number;
  /** operation of a web service */
  readonly operation: string | undefined;
  /** code of a fault, or why a file was refused */
  readonly problem: string | undefined;
}

export type LogFormat = 'text' | 'json';

export function formatAccess(entry: AccessEntry, format: LogFormat): string {
  const { at, address, account, method, path, status, bytes, durationMs, operation, problem } = entry;
  if (format === 'json') {
    return JSON.stringify({
      time: at.toISOString(),
      address,
      account,
      method,
      path,
      status,
      bytes,
      durationMs: Math.round(durationMs),
      operation,
      problem,
    });
  }
  const words = [
    at.toISOString(),
    address,
    account === undefined ? '-' : plain(account),
    method,
    plain(path),
    String(status),
    String(bytes),
    `${Math.round(durationMs)}ms`,
    operation ?? '-',
    problem ?? '-',
  ];
  return words.join(' ');
}

/** One word: what would end it, or act on a terminal, is escaped as in JSON. */
function plain(text: string): string {
  const escaped = text.replaceAll(
    /[^\x21-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return escaped === '' ? '-' : escaped;
}
