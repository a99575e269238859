/**
 * What one update document may hold. The largest real documents known have 0.9 MB (a detectoid), 103 members of
 * one bundle and 39 languages; each limit is far above anything a server could want to send.
 */

/** bytes of UTF-8 */
export const MAX_UPDATE_DOCUMENT_SIZE = 32 * 1024 * 1024;
export const MAX_FILES_PER_UPDATE = 65_536;
/** ids in prerequisites, bundles and superseded updates together */
export const MAX_RELATIONS_PER_UPDATE = 32_768;
export const MAX_LOCALIZED_PER_UPDATE = 1_024;
export const MAX_EULA_FILES_PER_UPDATE = 4_096;
/** entries of each repeatable text: languages, URLs, KB articles, bulletins, CVEs */
export const MAX_REPEATED_TEXTS = 16_384;
/** `WindowsDriverMetaData`, and the scores and computer ids of each */
export const MAX_DRIVERS_PER_UPDATE = 65_536;
export const MAX_HANDLER_ITEMS = 65_536;
/** characters of a content file's name */
export const MAX_FILE_NAME_LENGTH = 1_024;
