/** bytes; a key file is two short lines */
export const MAX_KEY_FILE_SIZE = 4096;
/** bytes; four lines, the two comments are the long ones */
export const MAX_SIGNATURE_FILE_SIZE = 16 * 1024;
/** bytes of one comment without what stands before it; minisign takes 1024 of the untrusted, 8192 of the trusted one */
export const MAX_UNTRUSTED_COMMENT_SIZE = 1000;
export const MAX_TRUSTED_COMMENT_SIZE = 8192;
/** bytes of memory a key file may ask for to derive its key: what minisign writes, and no more */
export const MAX_KEY_MEMORY = 1024 * 1024 * 1024;
/** times the memory is gone through; minisign writes files that ask for one */
export const MAX_KEY_PASSES = 16;
/** bytes; minisign reads no longer ones */
export const MAX_PASSWORD_SIZE = 1023;
/** bytes of a file under a signature of the old kind, which has to be in memory as a whole */
export const MAX_LEGACY_CONTENT_SIZE = 256 * 1024 * 1024;
