/** What a transfer package may hold. Beyond a limit it is refused; most are far above what real servers have. */

/** bytes of `manifest.json` */
export const MAX_MANIFEST_SIZE = 512 * 1024 * 1024;
/** bytes of the manifest before its list of entries */
export const MAX_MANIFEST_HEAD_SIZE = 16 * 1024 * 1024;
/** bytes of one line of the list of entries: a file cut into as many parts as there may be volumes */
export const MAX_MANIFEST_LINE_SIZE = 2 * 1024 * 1024;
export const MAX_ENTRIES = 2_000_000;
export const MAX_VOLUMES = 9_999;
export const MAX_SIGNATURES = 16;
/** bytes of one signature file; minisign's own are below 1 KiB */
export const MAX_SIGNATURE_SIZE = 16 * 1024;
/** bytes of `volume.json`, which lists entries by number where a volume holds only some */
export const MAX_VOLUME_JSON_SIZE = 32 * 1024 * 1024;
/** bytes of a path in UTF-8 */
export const MAX_PATH_SIZE = 200;
/** products, classifications and languages, each; filters, critical kinds */
export const MAX_LIST_LENGTH = 20_000;
/** UTF-16 units of one text of the manifest */
export const MAX_TEXT_LENGTH = 1_000;

/** For a reader that must accept less, and for tests. */
export interface TransferLimits {
  /** bytes */
  readonly manifestSize: number;
  readonly entries: number;
  readonly volumes: number;
}

export const TRANSFER_LIMITS: TransferLimits = {
  manifestSize: MAX_MANIFEST_SIZE,
  entries: MAX_ENTRIES,
  volumes: MAX_VOLUMES,
};
