/**
 * What one SOAP reply may hold. The largest real ones known: 3.1 MB for a list of 24,509 revisions, 2.6 MB for a
 * hundred documents (server-sync-protocol 2.2); Microsoft Update may send tens of megabytes.
 */

/** bytes of one reply, after HTTP decoding */
export const MAX_REPLY_SIZE = 512 * 1024 * 1024;
/** bytes of a fault, or of the error page that is there instead */
export const MAX_FAULT_SIZE = 4 * 1024 * 1024;
/** open elements at one time; real replies have 8 */
export const MAX_REPLY_DEPTH = 32;
/** elements kept in memory at one time: one item of a list, or a whole short reply */
export const MAX_ELEMENTS_IN_MEMORY = 100_000;
/**
 * Characters of text kept in memory at one time. Room for one update document of 32 MiB, twice as long in UTF-16
 * and a third more in Base64.
 */
export const MAX_TEXT_IN_MEMORY = 96 * 1024 * 1024;
/** items of one list that is handed on item by item */
export const MAX_ITEMS_PER_REPLY = 5_000_000;
/** characters of a name, an anchor, a URL */
export const MAX_FIELD_LENGTH = 16 * 1024;
/** characters of a server's own words that a message repeats */
export const MAX_SHOWN_TEXT = 300;
/** bytes of a request's body that we would send; 100 identities take 15 KB */
export const MAX_REQUEST_SIZE = 16 * 1024 * 1024;
