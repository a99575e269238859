import type { UpdateIdentity } from './model/update-identity.js';

/** What a warning is about; scripts may match on it. */
export type WarningCode =
  | 'DATA_DIRECTORY_CREATED'
  | 'PREREQUISITE_MISSING'
  | 'BUNDLED_REVISION_MISSING'
  | 'REVISION_CONFLICT'
  | 'LANGUAGES_DIFFER'
  | 'RECORD_LENGTH_IN_BYTES'
  | 'MEMBER_ORDER'
  | 'UNKNOWN_MEMBER'
  | 'BYTES_BEHIND_END'
  | 'UNTESTED_FORMAT'
  | 'FILE_WITHOUT_URL'
  | 'NEWER_FORMAT_VERSION'
  | 'ARGUMENT_IGNORED'
  | 'LOG_NOT_WRITTEN'
  | 'CONTENT_NOT_RENAMED'
  | 'CONTENT_FOLDER_EMPTY'
  | 'CONTENT_NOT_HELD'
  | 'CONTENT_NOT_DOWNLOADED'
  | 'CONTENT_ENCRYPTED'
  | 'CONTENT_WITHOUT_SHA256'
  | 'DOWNLOADS_WAIT'
  | 'REVISION_UNAVAILABLE'
  | 'NEW_PRODUCTS'
  | 'DECRYPTION_KEYS_REFUSED'
  | 'KEY_FILE_EXPOSED'
  | 'KEY_WITHOUT_PASSWORD'
  | 'TOO_FEW_SIGNATURES'
  | 'TOO_FEW_KEYS'
  | 'COOKIE_KEY_NOT_KEPT'
  | 'REVISIONS_NOT_OFFERED'
  | 'FILE_NOT_SERVED'
  | 'REQUEST_FAILED'
  | 'CERTIFICATE_PROBLEM'
  | 'SETTING_WITHOUT_EFFECT'
  | 'SETTINGS_INCOMPLETE'
  | 'LANGUAGE_UNAVAILABLE'
  | 'SYNC_NOT_SUCCESSFUL'
  | 'SETTINGS_DIFFER'
  | 'PACKAGE_AGE'
  | 'CHAIN_GAP'
  | 'NEXT_KEY_NOT_TAKEN'
  | 'FILE_LEFT_BEHIND';

/** The step a long command is in, in the words the progress line shows. */
export type Stage =
  | 'reading'
  | 'importing'
  | 'synchronising'
  | 'verifying'
  | 'planning'
  | 'exporting'
  | 'committing'
  | 'checking'
  | 'downloading'
  | 'copying'
  | 'pruning'
  | 'adding';

/**
 * What domain code says while it works. It prints nothing itself: `cli/` draws these on a terminal, as plain
 * lines, as JSON lines and into the log file.
 */
export type ProgressEvent =
  | {
      readonly type: 'stage-started';
      readonly stage: Stage;
      /** what is counted, e.g. `revisions`; undefined total: not known before the end */
      readonly unit: 'revisions' | 'bytes' | 'files';
      readonly total: number | undefined;
    }
  | {
      readonly type: 'progress';
      readonly stage: Stage;
      readonly done: number;
      readonly total: number | undefined;
      /** bytes of package read or written so far */
      readonly bytes: number;
      readonly totalBytes: number | undefined;
    }
  | { readonly type: 'stage-finished'; readonly stage: Stage; readonly done: number }
  | {
      readonly type: 'warning';
      readonly code: WarningCode;
      readonly message: string;
      readonly identity?: UpdateIdentity | undefined;
    }
  /**
   * One step for the log file; shown on a terminal only with --verbose.
   *
   * `isNews`: without it too, but not with --quiet: the run waits, and whoever looks on should know for what
   */
  | { readonly type: 'step'; readonly message: string; readonly isNews?: boolean };

export type Report = (event: ProgressEvent) => void;
