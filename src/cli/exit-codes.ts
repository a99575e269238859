import { type ErrorCode, isWsusutilError } from '../errors.js';

/** Every exit code the program ends with, in one line each. `help exit-codes` and the README print this. */
export const EXIT_MEANINGS = {
  0: 'complete',
  1: 'failed in a way not listed here, or a defect of this program',
  2: 'wrong usage, input not found or target already there; nothing was touched',
  3: 'finished, but incomplete: something is missing or was refused',
  10: 'the metadata store is missing',
  11: 'another process is writing to the data directory',
  12: 'the metadata store was written by a newer version of this program',
  13: 'the metadata store is damaged',
  14: 'the settings, trust, key or certificate file is not valid, or the password of a key is wrong',
  15: 'no space left on the disk',
  16: 'not allowed to write there, or read-only',
  17: 'reading or writing a file failed',
  18: 'no SQLite driver for this Node.js',
  20: 'not an export package, or an empty one',
  21: 'the package is cut off, or parts of it are missing',
  22: 'the line endings of the package were changed on the way',
  23: 'the package or a document in it is malformed or fails its checksum',
  24: 'parts of the package contradict each other',
  25: 'the package uses a format or compression that is not supported',
  26: 'too large for the container, or over a limit',
  27: 'refused because of --strict',
  28: 'no update, category, language, revision or run of that name or id',
  29: 'refused for safety; the hint says what overrides it',
  30: 'a server on the network cannot be reached, or its answer broke off',
  31: 'a server or proxy on the network refuses: not there, authentication, certificate or wrong address',
  32: 'what was downloaded is not the file that was asked for',
  33: 'the upstream server answered with a fault, or with something that makes no sense',
  34: 'the upstream server is of a kind or version that cannot be synchronised from',
  35: 'not signed by those who are trusted',
  36: 'builds on a package that was not imported, or was imported already',
  37: 'as a server: the address or port cannot be listened on, or a request makes no sense',
  130: 'interrupted; temporary files were removed',
} as const satisfies Readonly<Record<number, string>>;

export type ExitCode = keyof typeof EXIT_MEANINGS;

/** A new {@link ErrorCode} without a number here does not compile. */
export const EXIT_CODES: Readonly<Record<ErrorCode, ExitCode>> = {
  USAGE: 2,
  INPUT_NOT_FOUND: 2,
  TARGET_EXISTS: 2,
  STORE_MISSING: 10,
  STORE_LOCKED: 11,
  STORE_TOO_NEW: 12,
  STORE_CORRUPT: 13,
  SETTINGS_INVALID: 14,
  CERTIFICATE_INVALID: 14,
  KEY_INVALID: 14,
  PASSWORD_WRONG: 14,
  DISK_FULL: 15,
  READ_ONLY: 16,
  READ_FAILED: 17,
  WRITE_FAILED: 17,
  STORE_DRIVER_MISSING: 18,
  NOT_A_PACKAGE: 20,
  PACKAGE_EMPTY: 20,
  PACKAGE_TRUNCATED: 21,
  CAB_TRUNCATED: 21,
  TRANSFER_INCOMPLETE: 21,
  PACKAGE_LINE_ENDINGS: 22,
  PACKAGE_MALFORMED: 23,
  CAB_MALFORMED: 23,
  CAB_CHECKSUM: 23,
  GZIP_MALFORMED: 23,
  XML_MALFORMED: 23,
  UPDATE_MALFORMED: 23,
  LIST_MALFORMED: 23,
  ARCHIVE_MALFORMED: 23,
  TRANSFER_MALFORMED: 23,
  PACKAGE_MEMBERS_DISAGREE: 24,
  UPDATE_IDENTITY_MISMATCH: 24,
  TRANSFER_MISMATCH: 24,
  PACKAGE_UNSUPPORTED: 25,
  ARCHIVE_UNSUPPORTED: 25,
  TRANSFER_UNSUPPORTED: 25,
  CAB_SPANNED: 25,
  CAB_COMPRESSION: 25,
  CAB_TOO_LARGE: 26,
  LIMIT_EXCEEDED: 26,
  STRICT_REFUSED: 27,
  NOT_FOUND: 28,
  SAFETY_REFUSED: 29,
  SOURCE_UNREACHABLE: 30,
  PROXY_UNREACHABLE: 30,
  UPSTREAM_UNREACHABLE: 30,
  UPSTREAM_TRUNCATED: 30,
  SOURCE_REFUSED: 31,
  PROXY_REFUSED: 31,
  PROXY_AUTHENTICATION: 31,
  UPSTREAM_REFUSED: 31,
  DOWNLOAD_MISMATCH: 32,
  UPSTREAM_FAULT: 33,
  UPSTREAM_MALFORMED: 33,
  UPSTREAM_INCOMPATIBLE: 34,
  SIGNATURE_INVALID: 35,
  SIGNATURE_MISSING: 35,
  SIGNER_UNTRUSTED: 35,
  CHAIN_BROKEN: 36,
  LISTEN_FAILED: 37,
  REQUEST_MALFORMED: 37,
  INTERRUPTED: 130,
};

/** The exit code for anything thrown. */
export function exitCodeOf(error: unknown): ExitCode {
  return isWsusutilError(error) ? EXIT_CODES[error.code] : 1;
}

/** The table as rows: number, meaning, error codes that lead to it. */
export function exitCodeRows(): readonly { exitCode: number; meaning: string; codes: readonly string[] }[] {
  return Object.entries(EXIT_MEANINGS).map(([number, meaning]) => ({
    exitCode: Number(number),
    meaning,
    codes: Object.entries(EXIT_CODES)
      .filter(([, exitCode]) => exitCode === Number(number))
      .map(([code]) => code),
  }));
}

/** The table for the README, between its `exit-codes` markers; ends without a line break. */
export function exitCodesMarkdown(): string {
  const rows = exitCodeRows().map(
    ({ exitCode, meaning, codes }) =>
      `| ${exitCode} | ${meaning} | ${codes.map((code) => `\`${code}\``).join(' ')} |`,
  );
  return ['| exit | meaning | error codes |', '|---|---|---|', ...rows].join('\n');
}
