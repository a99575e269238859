/** Names and numbers of facts.ts: what documents are made of, and where things lie in the memory. */

// Codes of local names: places in NAMES, from 1 on.
export const UPDATE: i32 = 1;
export const UPDATE_IDENTITY: i32 = 2;
export const PROPERTIES: i32 = 3;
export const LOCALIZED_COLLECTION: i32 = 4;
export const RELATIONSHIPS: i32 = 5;
export const APPLICABILITY_RULES: i32 = 6;
export const FILES: i32 = 7;
export const HANDLER_SPECIFIC_DATA: i32 = 8;
export const LOCALIZED_PROPERTIES: i32 = 9;
export const EULA_FILE: i32 = 10;
export const PREREQUISITES: i32 = 11;
export const BUNDLED_UPDATES: i32 = 12;
export const SUPERSEDED_UPDATES: i32 = 13;
export const AT_LEAST_ONE: i32 = 14;
export const FILE: i32 = 15;
export const ADDITIONAL_DIGEST: i32 = 16;
export const CATEGORY_INFORMATION: i32 = 17;
export const INSTALLATION_BEHAVIOR: i32 = 18;
export const UNINSTALLATION_BEHAVIOR: i32 = 19;
export const SECURED_FRAGMENT: i32 = 20;
export const LANGUAGE: i32 = 21;
export const SUPPORT_URL: i32 = 22;
export const MORE_INFO_URL: i32 = 23;
export const SECURITY_BULLETIN_ID: i32 = 24;
export const KB_ARTICLE_ID: i32 = 25;
export const CVE_ID: i32 = 26;
export const TITLE: i32 = 27;
export const DESCRIPTION: i32 = 28;
export const UNINSTALL_NOTES: i32 = 29;
export const UPDATE_ID: i32 = 30;
export const REVISION_NUMBER: i32 = 31;
export const UPDATE_TYPE: i32 = 32;
export const DEFAULT_LANGUAGE: i32 = 33;
export const PUBLICATION_STATE: i32 = 34;
export const CREATION_DATE: i32 = 35;
export const EXPLICITLY_DEPLOYABLE: i32 = 36;
export const AUTO_SELECT: i32 = 37;
export const IS_PUBLIC: i32 = 38;
export const IS_BETA: i32 = 39;
export const BROWSE_ONLY: i32 = 40;
export const PER_USER: i32 = 41;
export const REACCEPTANCE: i32 = 42;
export const MAX_DOWNLOAD_SIZE: i32 = 43;
export const MIN_DOWNLOAD_SIZE: i32 = 44;
export const MSRC_SEVERITY: i32 = 45;
export const IS_CATEGORY: i32 = 46;
export const DIGEST: i32 = 47;
export const DIGEST_ALGORITHM: i32 = 48;
export const FILE_NAME: i32 = 49;
export const SIZE: i32 = 50;
export const PATCHING_TYPE: i32 = 51;
export const IS_ENCRYPTED: i32 = 52;
export const ALGORITHM: i32 = 53;
export const CATEGORY_TYPE: i32 = 54;
export const PROHIBITS_SUBCATEGORIES: i32 = 55;
export const PROHIBITS_UPDATES: i32 = 56;
export const EXCLUDED_BY_DEFAULT: i32 = 57;
export const DISPLAY_ORDER: i32 = 58;
export const CAN_REQUEST_USER_INPUT: i32 = 59;
export const REQUIRES_NETWORK: i32 = 60;

export const NAMES: StaticArray<string> = [
  'Update',
  'UpdateIdentity',
  'Properties',
  'LocalizedPropertiesCollection',
  'Relationships',
  'ApplicabilityRules',
  'Files',
  'HandlerSpecificData',
  'LocalizedProperties',
  'EulaFile',
  'Prerequisites',
  'BundledUpdates',
  'SupersededUpdates',
  'AtLeastOne',
  'File',
  'AdditionalDigest',
  'CategoryInformation',
  'InstallationBehavior',
  'UninstallationBehavior',
  'SecuredFragment',
  'Language',
  'SupportUrl',
  'MoreInfoUrl',
  'SecurityBulletinID',
  'KBArticleID',
  'CveID',
  'Title',
  'Description',
  'UninstallNotes',
  'UpdateID',
  'RevisionNumber',
  'UpdateType',
  'DefaultPropertiesLanguage',
  'PublicationState',
  'CreationDate',
  'ExplicitlyDeployable',
  'AutoSelectOnWebSites',
  'IsPublic',
  'IsBeta',
  'BrowseOnly',
  'PerUser',
  'RequiresReacceptanceOfEula',
  'MaxDownloadSize',
  'MinDownloadSize',
  'MsrcSeverity',
  'IsCategory',
  'Digest',
  'DigestAlgorithm',
  'FileName',
  'Size',
  'PatchingType',
  'IsEncrypted',
  'Algorithm',
  'CategoryType',
  'ProhibitsSubcategories',
  'ProhibitsUpdates',
  'ExcludedByDefault',
  'DisplayOrder',
  'CanRequestUserInput',
  'RequiresNetworkConnectivity',
];

// What a prefix is bound to.
export const UNBOUND: i32 = 0;
export const NO_NAMESPACE: i32 = 1;
export const OTHER_NAMESPACE: i32 = 2;
export const UPDATE_NAMESPACE: i32 = 3;
export const CATEGORY_NAMESPACE: i32 = 4;

export const MSUS: string = 'http://schemas.microsoft.com/msus/2002/12/';
/** bound to `xml` and `xmlns`; nobody else may name them */
export const RESERVED_NAMESPACES: StaticArray<string> = [
  'http://www.w3.org/XML/1998/namespace',
  'http://www.w3.org/2000/xmlns/',
];
export const UPDATE_TYPES: StaticArray<string> = ['Category', 'Detectoid', 'Software', 'Driver'];
export const CATEGORY_TYPES: StaticArray<string> = [
  'Company',
  'ProductFamily',
  'Product',
  'UpdateClassification',
];

// Kinds of rows: see store/schema.ts.
export const KIND_BARE: i32 = 0;
export const KIND_AT_LEAST_ONE: i32 = 1;
export const KIND_CATEGORY: i32 = 2;
export const KIND_KB: i32 = 1;
export const KIND_BULLETIN: i32 = 2;
export const KIND_CVE: i32 = 3;
export const KIND_PAYLOAD: i32 = 0;
export const KIND_EXPRESS: i32 = 1;
export const KIND_LICENCE: i32 = 2;

/** Bytes of a document that is read here; a larger one is rare. */
export const MAX_SIZE: i32 = 0x40000;
/** Bytes behind a document that are written to and read. */
export const SLACK: usize = 128;
/** of them, those that are written to */
export const WALL: usize = 64;

export const MAX_DEPTH: i32 = 256;
export const MAX_ATTRIBUTES: i32 = 256;
export const MAX_LOCALIZED: i32 = 1024;
/** Titles that are compared each with each, and bytes of their languages; real documents have 39 of 6. */
export const MAX_COMPARED: i32 = 128;
export const MAX_TAG: usize = 32;
export const MAX_RELATIONS: i32 = 32768;
export const MAX_NAME_LENGTH: usize = 64;
export const MAX_NAMES: i32 = 1024;
/** Names looked at to find one: a document can choose names that all fall into one bucket. */
export const MAX_STEPS: i32 = 32;
export const MAX_PREFIX_LENGTH: i32 = 32;
export const MAX_PREFIXES: i32 = 64;
export const MAX_DECLARATIONS: i32 = 1024;
export const MAX_FILE_NAME: usize = 1024;
export const GUID_LENGTH: i32 = 36;
export const ID_SIZE: i32 = 16;
export const SHA1_SIZE: i32 = 20;
export const SHA1_TEXT: i32 = 28;
export const SHA256_SIZE: i32 = 32;
export const SHA256_TEXT: i32 = 44;

// Memory. Behind the compiler's own data:
/** 1 for what ends a name: white space, `/`, `>`, `=` */
export const NAME_ENDS: usize = 0x10000;
/** value of each Base64 digit, 0xff for others */
export const BASE64: usize = NAME_ENDS + 256;
/** the identity that the document must have: 16 bytes of its id, and its revision number */
export const EXPECTED: usize = BASE64 + 256;
export const NAME_BUCKETS: usize = EXPECTED + 256;
export const BUCKET_COUNT: i32 = 1024;
/** names as they stand in documents, prefix included */
export const NAME_TABLE: usize = NAME_BUCKETS + 4 * 1024;
export const NAME_SIZE: usize = 128;
export const PREFIX_TABLE: usize = NAME_TABLE + 128 * 1024;
export const PREFIX_SIZE: usize = 64;
/** open elements: name, how many declarations there were before */
export const STACK: usize = PREFIX_TABLE + 64 * 64;
/** declarations to take back: prefix, what it was bound to */
export const UNDO: usize = STACK + 8 * 256;
/** of the current tag: name, first character, end, flags */
export const ATTRIBUTES: usize = UNDO + 8 * 1024;
/** language from, to; title from, to; 1 if there is a title */
export const LOCALIZED: usize = ATTRIBUTES + 16 * 256;
export const LOCALIZED_SIZE: usize = 20;
// Of a batch:
/** ids of updates in 16 bytes each, and where each stands: position + 1, by its hash */
export const MAX_IDS: i32 = 0x8000;
export const ID_SLOTS: usize = LOCALIZED + 20 * 1024 + 64;
export const SLOT_COUNT: i32 = 0x10000;
export const IDS: usize = ID_SLOTS + 4 * 0x10000;
/** SHA-1 and SHA-256 of files */
export const MAX_FILES: i32 = 0x4000;
export const FILE_DIGESTS_SIZE: i32 = 52;
export const FILE_DIGESTS: usize = IDS + 16 * 0x8000 + 64;
// Parts of the row, which is put together when the document is over. Nothing grows to more than four times the document.
export const PART_SIZE: usize = 4 * 0x40000;
export const LANGUAGES: usize = FILE_DIGESTS + 52 * 0x4000 + 64;
export const KB_ARTICLES: usize = LANGUAGES + PART_SIZE;
export const KB_ROWS: usize = KB_ARTICLES + PART_SIZE;
export const BULLETIN_ROWS: usize = KB_ROWS + PART_SIZE;
export const CVE_ROWS: usize = BULLETIN_ROWS + PART_SIZE;
export const PREREQUISITE_ROWS: usize = CVE_ROWS + PART_SIZE;
export const BUNDLED_ROWS: usize = PREREQUISITE_ROWS + PART_SIZE;
export const SUPERSEDED_ROWS: usize = BUNDLED_ROWS + PART_SIZE;
export const FILE_ROWS: usize = SUPERSEDED_ROWS + PART_SIZE;
export const LICENCE_ROWS: usize = FILE_ROWS + PART_SIZE;
/** texts with references or line ends, decoded */
export const TEXTS: usize = LICENCE_ROWS + PART_SIZE;
/** JSON of the titles in other languages, UTF-8 */
export const TITLES: usize = TEXTS + PART_SIZE;
/** JSON of the rows, separated by commas; a byte per character, those above U+00FF escaped */
export const ROWS: usize = TITLES + PART_SIZE;
/** Bytes at `ROWS`. */
export const ROWS_SIZE: i32 = 4 * 1024 * 1024;
/** Most bytes of one row; the caller sees to it that there is room. */
export const MAX_ROW_SIZE: i32 = 4 * 0x40000 + 4096;
/** Where the caller puts documents; to the end of the memory. */
export const DOCUMENTS: usize = ROWS + 4 * 1024 * 1024;

// Fields of a name.
export const NAME_LENGTH: usize = 0;
export const NAME_CODE: usize = 4;
export const NAME_PREFIX: usize = 8;
export const NAME_DECLARES: usize = 12;
export const NAME_HASH: usize = 16;
export const NAME_NEXT: usize = 20;
export const NAME_SEEN: usize = 24;
export const NAME_NEXT_ELEMENT: usize = 28;
export const NAME_NEXT_ATTRIBUTE: usize = 32;
export const NAME_LOCAL_HASH: usize = 36;
export const NAME_BYTES: usize = 64;

// Fields of a prefix.
export const PREFIX_LENGTH: usize = 0;
export const PREFIX_BINDING: usize = 4;
export const PREFIX_BYTES: usize = 16;

// Flags of a value or a text.
/** references, or white space that is normalised */
export const NEEDS_DECODING: i32 = 1;
export const HAS_WIDE: i32 = 2;

// What an element is to its reader.
export const PASS: i32 = 0;
export const SKIP: i32 = 1;
export const RAW: i32 = 2;
export const COLLECT: i32 = 3;
export const UNUSUAL: i32 = -1;

export const NOTHING: usize = 0;
export const NO_PREFIX: usize = PREFIX_TABLE + 0;
export const XML_PREFIX: usize = PREFIX_TABLE + 64;
export const XMLNS_PREFIX: usize = PREFIX_TABLE + 128;
