/**
 * The one error type an operator can meet. Plain `Error` is for our own mistakes.
 *
 * Every code has an exit code in `cli/exit-codes.ts`; a code without one does not compile.
 */
export type ErrorCode =
  // wrong usage; nothing was touched
  | 'USAGE'
  | 'INPUT_NOT_FOUND'
  | 'TARGET_EXISTS'
  // data directory, store, file system
  | 'STORE_MISSING'
  | 'STORE_LOCKED'
  | 'STORE_TOO_NEW'
  | 'STORE_CORRUPT'
  | 'STORE_DRIVER_MISSING'
  | 'SETTINGS_INVALID'
  | 'CERTIFICATE_INVALID'
  | 'KEY_INVALID'
  | 'PASSWORD_WRONG'
  | 'DISK_FULL'
  | 'READ_ONLY'
  | 'READ_FAILED'
  | 'WRITE_FAILED'
  // data that does not parse or does not match
  | 'NOT_A_PACKAGE'
  | 'PACKAGE_EMPTY'
  | 'PACKAGE_TRUNCATED'
  | 'PACKAGE_LINE_ENDINGS'
  | 'PACKAGE_MALFORMED'
  | 'PACKAGE_MEMBERS_DISAGREE'
  | 'PACKAGE_UNSUPPORTED'
  | 'CAB_MALFORMED'
  | 'CAB_TRUNCATED'
  | 'CAB_CHECKSUM'
  | 'CAB_SPANNED'
  | 'CAB_COMPRESSION'
  | 'CAB_TOO_LARGE'
  | 'GZIP_MALFORMED'
  | 'XML_MALFORMED'
  | 'UPDATE_MALFORMED'
  | 'UPDATE_IDENTITY_MISMATCH'
  | 'LIST_MALFORMED'
  | 'ARCHIVE_MALFORMED'
  | 'ARCHIVE_UNSUPPORTED'
  | 'TRANSFER_MALFORMED'
  | 'TRANSFER_INCOMPLETE'
  | 'TRANSFER_MISMATCH'
  | 'TRANSFER_UNSUPPORTED'
  | 'LIMIT_EXCEEDED'
  | 'STRICT_REFUSED'
  | 'SAFETY_REFUSED'
  | 'NOT_FOUND'
  // signatures
  | 'SIGNATURE_INVALID'
  | 'SIGNATURE_MISSING'
  | 'SIGNER_UNTRUSTED'
  | 'CHAIN_BROKEN'
  // the network
  | 'SOURCE_UNREACHABLE'
  | 'SOURCE_REFUSED'
  | 'DOWNLOAD_MISMATCH'
  | 'PROXY_UNREACHABLE'
  | 'PROXY_REFUSED'
  | 'PROXY_AUTHENTICATION'
  // the upstream server
  | 'UPSTREAM_UNREACHABLE'
  | 'UPSTREAM_TRUNCATED'
  | 'UPSTREAM_REFUSED'
  | 'UPSTREAM_INCOMPATIBLE'
  | 'UPSTREAM_FAULT'
  | 'UPSTREAM_MALFORMED'
  // being the upstream server
  | 'LISTEN_FAILED'
  | 'REQUEST_MALFORMED'
  // interrupted
  | 'INTERRUPTED';

export interface WsusutilErrorOptions {
  /** What the operator can do about it: one sentence, imperative. */
  readonly hint?: string | undefined;
  /** Facts for `--json`: plain values only, never a secret. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  readonly cause?: unknown;
}

export class WsusutilError extends Error {
  override readonly name = 'WsusutilError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: WsusutilErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.details = options.details;
  }
}

/** True if `error` is a {@link WsusutilError}, and of `code` when one is given. */
export function isWsusutilError(error: unknown, code?: ErrorCode): error is WsusutilError {
  return error instanceof WsusutilError && (code === undefined || error.code === code);
}

/** The text of anything thrown, for a message about it. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * @param what as in "Interrupted while <what>"
 * @throws WsusutilError `INTERRUPTED` once `signal` is aborted
 */
export function throwIfInterrupted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted === true) {
    throw new WsusutilError('INTERRUPTED', `Interrupted while ${what}`, { cause: signal.reason });
  }
}
