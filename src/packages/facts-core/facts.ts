/**
 * The facts that a store keeps in columns, out of update documents the way Microsoft's servers write them, in
 * AssemblyScript: `npm run build:wasm` makes ../facts-module.ts of it, and ../facts-reader.ts is the only caller.
 *
 * What a document says, and whether it is one, is defined by `parseUpdateDocument` (extent `indexed`) and
 * `RevisionPacker`; this takes a fifth of their time, most of which went into the engine's objects and strings
 * (2026-11-22). It reads what it is sure of, and says "unusual" to everything else: comments, CDATA, names beyond ASCII,
 * values that need judging, whatever is wrong. The caller then lets JavaScript read the document, and complain. A test
 * compares the two on real documents and on damaged ones.
 */
import {
  copyPart,
  daysOf,
  daysSince1970,
  digits,
  equals,
  equalsInAnyCase,
  indexIn,
  isSame,
  lowerCase,
  startsWith,
  writeByte,
  writeCharacters,
  writeNumber,
  writeString,
  writeText,
  writeUtf8,
  writeWideString,
} from './bytes';
import {
  ADDITIONAL_DIGEST,
  ALGORITHM,
  APPLICABILITY_RULES,
  AT_LEAST_ONE,
  ATTRIBUTES,
  AUTO_SELECT,
  BASE64,
  BROWSE_ONLY,
  BUCKET_COUNT,
  BULLETIN_ROWS,
  BUNDLED_ROWS,
  BUNDLED_UPDATES,
  CAN_REQUEST_USER_INPUT,
  CATEGORY_INFORMATION,
  CATEGORY_NAMESPACE,
  CATEGORY_TYPE,
  CATEGORY_TYPES,
  COLLECT,
  CREATION_DATE,
  CVE_ID,
  CVE_ROWS,
  DEFAULT_LANGUAGE,
  DESCRIPTION,
  DIGEST,
  DIGEST_ALGORITHM,
  DISPLAY_ORDER,
  EULA_FILE,
  EXCLUDED_BY_DEFAULT,
  EXPECTED,
  EXPLICITLY_DEPLOYABLE,
  FILE,
  FILE_DIGESTS,
  FILE_DIGESTS_SIZE,
  FILE_NAME,
  FILE_ROWS,
  FILES,
  GUID_LENGTH,
  HANDLER_SPECIFIC_DATA,
  HAS_WIDE,
  ID_SIZE,
  ID_SLOTS,
  IDS,
  INSTALLATION_BEHAVIOR,
  IS_BETA,
  IS_CATEGORY,
  IS_ENCRYPTED,
  IS_PUBLIC,
  KB_ARTICLE_ID,
  KB_ARTICLES,
  KB_ROWS,
  KIND_AT_LEAST_ONE,
  KIND_BARE,
  KIND_BULLETIN,
  KIND_CATEGORY,
  KIND_CVE,
  KIND_EXPRESS,
  KIND_KB,
  KIND_LICENCE,
  KIND_PAYLOAD,
  LANGUAGE,
  LANGUAGES,
  LICENCE_ROWS,
  LOCALIZED,
  LOCALIZED_COLLECTION,
  LOCALIZED_PROPERTIES,
  LOCALIZED_SIZE,
  MAX_ATTRIBUTES,
  MAX_DECLARATIONS,
  MAX_DEPTH,
  MAX_DOWNLOAD_SIZE,
  MAX_FILE_NAME,
  MAX_FILES,
  MAX_IDS,
  MAX_LOCALIZED,
  MAX_NAME_LENGTH,
  MAX_NAMES,
  MAX_PREFIX_LENGTH,
  MAX_PREFIXES,
  MAX_RELATIONS,
  MAX_SIZE,
  MAX_STEPS,
  MIN_DOWNLOAD_SIZE,
  MORE_INFO_URL,
  MSRC_SEVERITY,
  MSUS,
  NAME_BUCKETS,
  NAME_BYTES,
  NAME_CODE,
  NAME_DECLARES,
  NAME_ENDS,
  NAME_HASH,
  NAME_LENGTH,
  NAME_LOCAL_HASH,
  NAME_NEXT,
  NAME_NEXT_ATTRIBUTE,
  NAME_NEXT_ELEMENT,
  NAME_PREFIX,
  NAME_SEEN,
  NAME_SIZE,
  NAME_TABLE,
  NAMES,
  NEEDS_DECODING,
  NO_NAMESPACE,
  NO_PREFIX,
  NOTHING,
  OTHER_NAMESPACE,
  PASS,
  PATCHING_TYPE,
  PER_USER,
  PREFIX_BINDING,
  PREFIX_BYTES,
  PREFIX_LENGTH,
  PREFIX_SIZE,
  PREFIX_TABLE,
  PREREQUISITE_ROWS,
  PREREQUISITES,
  PROHIBITS_SUBCATEGORIES,
  PROHIBITS_UPDATES,
  PROPERTIES,
  PUBLICATION_STATE,
  RAW,
  REACCEPTANCE,
  RELATIONSHIPS,
  REQUIRES_NETWORK,
  RESERVED_NAMESPACES,
  REVISION_NUMBER,
  ROWS,
  SECURED_FRAGMENT,
  SECURITY_BULLETIN_ID,
  SHA1_SIZE,
  SHA1_TEXT,
  SHA256_SIZE,
  SHA256_TEXT,
  SIZE,
  SKIP,
  SLOT_COUNT,
  STACK,
  SUPERSEDED_ROWS,
  SUPERSEDED_UPDATES,
  SUPPORT_URL,
  TEXTS,
  TITLE,
  TITLES,
  UNBOUND,
  UNDO,
  UNINSTALL_NOTES,
  UNINSTALLATION_BEHAVIOR,
  UNUSUAL,
  UPDATE,
  UPDATE_ID,
  UPDATE_IDENTITY,
  UPDATE_NAMESPACE,
  UPDATE_TYPE,
  UPDATE_TYPES,
  WALL,
  XML_PREFIX,
  XMLNS_PREFIX,
} from './layout';

export {
  DOCUMENTS,
  EXPECTED,
  FILE_DIGESTS,
  IDS,
  MAX_ROW_SIZE,
  MAX_SIZE,
  ROWS,
  ROWS_SIZE,
  SLACK,
  TITLES,
} from './layout';

let seed0: u64 = 0;
let nameCount: i32 = 0;
let prefixCount: i32 = 0;
let tagNumber: i32 = 0;
let idCount: i32 = 0;
let fileCount: i32 = 0;
let rowsEnd: usize = ROWS;
let titlesEnd: usize = TITLES;

// The document.
let end: usize = 0;
let depth: i32 = 0;
let undoCount: i32 = 0;
let skipDepth: i32 = 0;
let rawDepth: i32 = 0;
let collectDepth: i32 = 0;
let previousName: usize = 0;
let attributeCount: i32 = 0;
let textFrom: usize = 0;
let textTo: usize = 0;
let textFlags: i32 = 0;
/** what a reference stands for */
let referred: i32 = 0;
let section: i32 = 0;
let group: i32 = 0;
let relationCount: i32 = 0;
let isInClause: bool = false;
let clauseCount: i32 = 0;
let clausePosition: i32 = 0;
let hasProperties: bool = false;
let hasHandlerData: bool = false;
let isSecured: bool = false;
let isDeployable: bool = false;
let identityPosition: i32 = -1;
let identityRevision: u32 = 0;
let updateType: i32 = -1;
let categoryType: i32 = -1;
let defaultLanguage: usize = 0;
let defaultLanguageEnd: usize = 0;
let publicationState: usize = 0;
let publicationStateEnd: usize = 0;
let severity: usize = 0;
let severityEnd: usize = 0;
let hasCreated: bool = false;
let createdAt: i64 = 0;
let localizedCount: i32 = 0;
/** digests of the file whose element is open */
let currentDigests: usize = 0;
let languagesEnd: usize = 0;
let kbArticlesEnd: usize = 0;
let kbRowsEnd: usize = 0;
let bulletinRowsEnd: usize = 0;
let cveRowsEnd: usize = 0;
let prerequisiteRowsEnd: usize = 0;
let bundledRowsEnd: usize = 0;
let supersededRowsEnd: usize = 0;
let fileRowsEnd: usize = 0;
let licenceRowsEnd: usize = 0;
let textsEnd: usize = 0;
/** a text that was looked at last, as it stands or decoded */
let rangeFrom: usize = 0;
let rangeTo: usize = 0;

// ---- Preparation

/** Once, before everything else; the seed keeps others from choosing ids that all fall together. */
export function prepare(seed: f64): void {
  seed0 = <u64>seed;
  for (let i: usize = 0; i < 256; i++) store<u8>(BASE64 + i, 0xff);
  for (let i = 0; i < 26; i++) {
    store<u8>(BASE64 + 0x41 + i, <u8>i);
    store<u8>(BASE64 + 0x61 + i, <u8>(26 + i));
  }
  for (let i = 0; i < 10; i++) store<u8>(BASE64 + 0x30 + i, <u8>(52 + i));
  store<u8>(BASE64 + 0x2b, 62);
  store<u8>(BASE64 + 0x2f, 63);
  store<u8>(NAME_ENDS + 0x09, 1);
  store<u8>(NAME_ENDS + 0x0a, 1);
  store<u8>(NAME_ENDS + 0x0d, 1);
  store<u8>(NAME_ENDS + 0x20, 1);
  store<u8>(NAME_ENDS + 0x2f, 1);
  store<u8>(NAME_ENDS + 0x3d, 1);
  store<u8>(NAME_ENDS + 0x3e, 1);
  forgetNames();
}

function forgetNames(): void {
  memory.fill(NAME_BUCKETS, 0, 4 * BUCKET_COUNT);
  nameCount = 0;
  prefixCount = 0;
  addPrefix(0, 0);
  storeText(PREFIX_TABLE + PREFIX_SIZE, 'xml');
  storeText(PREFIX_TABLE + 2 * PREFIX_SIZE, 'xmlns');
  prefixCount = 3;
}

function storeText(prefix: usize, text: string): void {
  store<i32>(prefix, text.length, PREFIX_LENGTH);
  for (let i = 0; i < text.length; i++) store<u8>(prefix + PREFIX_BYTES + i, <u8>text.charCodeAt(i));
}

/** Forgets ids, digests and rows of the batch before. */
export function beginBatch(): void {
  memory.fill(ID_SLOTS, 0, 4 * SLOT_COUNT);
  idCount = 0;
  fileCount = 0;
  rowsEnd = ROWS;
}

/** The rows were taken. */
export function takeRows(): i32 {
  const size = <i32>(rowsEnd - ROWS);
  rowsEnd = ROWS;
  return size;
}

export function countIds(): i32 {
  return idCount;
}

export function countFiles(): i32 {
  return fileCount;
}

export function titlesSize(): i32 {
  return <i32>(titlesEnd - TITLES);
}

export function rowsSize(): i32 {
  return <i32>(rowsEnd - ROWS);
}

/** Position of the id whose 36 characters stand at `EXPECTED`; −1: it is not there, nor room for it. */
export function positionOfExpected(): i32 {
  return positionOf(EXPECTED);
}

/** Room for the digests of one more file. @returns its position, −1: there is none */
export function addFile(): i32 {
  if (fileCount === MAX_FILES) return -1;
  memory.fill(FILE_DIGESTS + fileCount * FILE_DIGESTS_SIZE, 0, FILE_DIGESTS_SIZE);
  return fileCount++;
}

// ---- The document

function isSpace(code: u8): bool {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/**
 * Reads the document of `size` bytes, valid UTF-8, at `start`, and adds its row to the batch's.
 *
 * @returns 0: unusual, nothing was added; else 1, plus 2 if files or addresses are given out apart
 */
export function read(start: usize, size: i32, revision: u32, block: i32, blockOffset: i32): i32 {
  if (size > MAX_SIZE) return 0;
  begin();
  end = start + size;
  // Whatever looks for the end of something stops at a "<" that is not expected there.
  const wall = i8x16.splat(0x3c);
  for (let i: usize = 0; i < WALL; i += 16) v128.store(end + i, wall);
  let at = start;
  let rootSeen = false;
  for (;;) {
    if (depth === 0) {
      while (isSpace(load<u8>(at))) at++;
      if (at >= end) break;
      if (load<u8>(at) !== 0x3c) return 0;
    } else if (rawDepth > 0) {
      at = findMarkup(at);
    } else {
      at = scanText(at);
      if (at === NOTHING) return 0;
    }
    if (at >= end) return 0;
    const code = load<u8>(at, 1);
    if (code === 0x2f) {
      at = readEndTag(at);
    } else if (code === 0x21) {
      at = collectDepth > 0 ? NOTHING : readComment(at);
    } else if (code === 0x3f) {
      return 0;
    } else {
      if (depth === 0) {
        if (rootSeen) return 0;
        rootSeen = true;
      }
      at = rawDepth > 0 ? readRawStartTag(at) : readStartTag(at);
    }
    if (at === NOTHING || at > end) return 0;
  }
  if (!rootSeen) return 0;
  return finish(size, revision, block, blockOffset);
}

function begin(): void {
  if (nameCount > MAX_NAMES - 256 || prefixCount > MAX_PREFIXES - 16) forgetNames();
  for (let i = 0; i < prefixCount; i++)
    store<i32>(PREFIX_TABLE + <usize>i * PREFIX_SIZE, UNBOUND, PREFIX_BINDING);
  store<i32>(NO_PREFIX, NO_NAMESPACE, PREFIX_BINDING);
  store<i32>(XML_PREFIX, OTHER_NAMESPACE, PREFIX_BINDING);
  depth = undoCount = skipDepth = rawDepth = collectDepth = 0;
  previousName = 0;
  section = group = relationCount = clauseCount = clausePosition = 0;
  isInClause = hasProperties = hasHandlerData = isSecured = isDeployable = hasCreated = false;
  identityPosition = updateType = categoryType = -1;
  defaultLanguage = defaultLanguageEnd = publicationState = publicationStateEnd = 0;
  severity = severityEnd = 0;
  localizedCount = 0;
  currentDigests = 0;
  languagesEnd = LANGUAGES;
  kbArticlesEnd = KB_ARTICLES;
  kbRowsEnd = KB_ROWS;
  bulletinRowsEnd = BULLETIN_ROWS;
  cveRowsEnd = CVE_ROWS;
  prerequisiteRowsEnd = PREREQUISITE_ROWS;
  bundledRowsEnd = BUNDLED_ROWS;
  supersededRowsEnd = SUPERSEDED_ROWS;
  fileRowsEnd = FILE_ROWS;
  licenceRowsEnd = LICENCE_ROWS;
  textsEnd = TEXTS;
  titlesEnd = TITLES;
}

// ---- XML

/** The next "<". */
function findMarkup(from: usize): usize {
  let at = from;
  let found = i8x16.bitmask(i8x16.eq(v128.load(at), i8x16.splat(0x3c)));
  while (found === 0) {
    at += 16;
    found = i8x16.bitmask(i8x16.eq(v128.load(at), i8x16.splat(0x3c)));
  }
  return at + ctz(found);
}

/**
 * Checks character data up to the next "<", whose place it returns; `NOTHING` if there is anything in it that XML forbids.
 */
function scanText(from: usize): usize {
  let at = from;
  let flags: i32 = 0;
  for (;;) {
    const bytes = v128.load(at);
    const control = v128.andnot(
      i8x16.lt_u(bytes, i8x16.splat(0x20)),
      v128.or(i8x16.eq(bytes, i8x16.splat(0x0a)), i8x16.eq(bytes, i8x16.splat(0x09))),
    );
    const special = v128.or(
      v128.or(i8x16.eq(bytes, i8x16.splat(0x3c)), i8x16.eq(bytes, i8x16.splat(0x26))),
      v128.or(v128.or(i8x16.eq(bytes, i8x16.splat(0x5d)), i8x16.eq(bytes, i8x16.splat(<i8>0xef))), control),
    );
    const found = i8x16.bitmask(special);
    const wide = i8x16.bitmask(bytes);
    if (found === 0) {
      if (wide !== 0) flags |= HAS_WIDE;
      at += 16;
      continue;
    }
    const plain = ctz(found);
    if ((wide & ((1 << plain) - 1)) !== 0) flags |= HAS_WIDE;
    at += plain;
    const code = load<u8>(at);
    if (code === 0x3c) break;
    if (code === 0x26) {
      at = readReference(at);
      if (at === NOTHING) return NOTHING;
      flags |= NEEDS_DECODING;
    } else if (code === 0x5d) {
      if (load<u8>(at, 1) === 0x5d && load<u8>(at, 2) === 0x3e) return NOTHING;
      at++;
    } else if (code === 0x0d) {
      flags |= NEEDS_DECODING;
      at++;
    } else if (code === 0xef) {
      if (isNoCharacter(at)) return NOTHING;
      flags |= HAS_WIDE;
      at++;
    } else return NOTHING;
  }
  textFlags = flags;
  return at;
}

/** U+FFFE and U+FFFF. */
function isNoCharacter(at: usize): bool {
  return load<u8>(at, 1) === 0xbf && load<u8>(at, 2) >= 0xbe;
}

/** @returns behind the reference whose "&" is at `at`; what it stands for is in `referred` */
function readReference(at: usize): usize {
  const four = load<u32>(at, 1);
  const three = four & 0xffffff;
  if (three === 0x3b746c) {
    referred = 0x3c;
    return at + 4;
  }
  if (three === 0x3b7467) {
    referred = 0x3e;
    return at + 4;
  }
  if (four === 0x3b706d61) {
    referred = 0x26;
    return at + 5;
  }
  if ((four === 0x746f7571 || four === 0x736f7061) && load<u8>(at, 5) === 0x3b) {
    referred = four === 0x746f7571 ? 0x22 : 0x27;
    return at + 6;
  }
  if (load<u8>(at, 1) !== 0x23) return NOTHING;
  const isHex = load<u8>(at, 2) === 0x78;
  const first = at + (isHex ? 3 : 2);
  let to = first;
  let value: i32 = 0;
  for (; to < first + 7; to++) {
    const code = load<u8>(to);
    let digit = <i32>code - 0x30;
    if (digit < 0 || digit > 9) {
      if (!isHex) break;
      const lower = <i32>(code | 0x20);
      if (lower < 0x61 || lower > 0x66) break;
      digit = lower - 0x57;
    }
    value = value * (isHex ? 16 : 10) + digit;
  }
  if (to === first || load<u8>(to) !== 0x3b) return NOTHING;
  const isAllowed =
    value === 0x09 ||
    value === 0x0a ||
    value === 0x0d ||
    (value >= 0x20 && value <= 0xd7ff) ||
    (value >= 0xe000 && value <= 0xfffd) ||
    (value >= 0x10000 && value <= 0x10ffff);
  if (!isAllowed) return NOTHING;
  referred = value;
  return to + 1;
}

/** @returns behind the comment; `NOTHING` for other markup that begins with "<!" */
function readComment(start: usize): usize {
  if (load<u32>(start) !== 0x2d2d213c) return NOTHING;
  for (let at = start + 4; at < end; at++) {
    const code = load<u8>(at);
    if (code === 0x2d) {
      if (load<u8>(at, 1) !== 0x2d) continue;
      return load<u8>(at, 2) === 0x3e ? at + 3 : NOTHING;
    }
    const isControl = code < 0x20 && !isSpace(code);
    if (isControl || (code === 0xef && isNoCharacter(at))) return NOTHING;
  }
  return NOTHING;
}

function readEndTag(at: usize): usize {
  if (depth === 0) return NOTHING;
  const name = load<usize>(STACK + (depth - 1) * 8);
  if (!isNameAt(name, at + 2)) return NOTHING;
  let to = at + 2 + load<i32>(name, NAME_LENGTH);
  while (isSpace(load<u8>(to))) to++;
  if (load<u8>(to) !== 0x3e || to >= end) return NOTHING;
  textTo = at;
  return close() ? to + 1 : NOTHING;
}

/** Ends the innermost element. */
function close(): bool {
  const own = depth;
  const entry = STACK + (own - 1) * 8;
  const name = load<usize>(entry);
  const declared = load<i32>(entry, 4);
  while (undoCount > declared) {
    undoCount--;
    const undo = UNDO + undoCount * 8;
    store<i32>(load<usize>(undo), load<i32>(undo, 4), PREFIX_BINDING);
  }
  depth = own - 1;
  if (rawDepth > 0) {
    if (rawDepth !== own) return true;
    rawDepth = 0;
  } else if (skipDepth > 0) {
    if (skipDepth !== own) return true;
    skipDepth = 0;
  }
  if (collectDepth > 0) {
    if (collectDepth !== own) return true;
    collectDepth = 0;
    return endText(load<i32>(name, NAME_CODE));
  }
  if (own === 2) section = 0;
  else if (own === 3) group = 0;
  else if (own === 4 && load<i32>(name, NAME_CODE) === AT_LEAST_ONE) isInClause = endClause();
  return true;
}

function push(name: usize): void {
  const entry = STACK + depth * 8;
  store<usize>(entry, name);
  store<i32>(entry, undoCount, 4);
  depth++;
}

function readStartTag(at: usize): usize {
  const name = elementNameAt(at + 1);
  if (name === NOTHING) return NOTHING;
  let to = at + 1 + load<i32>(name, NAME_LENGTH);
  const tag = ++tagNumber;
  let before = name;
  let count = 0;
  let declarations = 0;
  let prefixed = 0;
  let isEmpty = false;
  for (;;) {
    let code = load<u8>(to);
    const isSpaced = isSpace(code);
    while (isSpace(code)) code = load<u8>(++to);
    if (code === 0x3e) {
      to++;
      break;
    }
    if (code === 0x2f) {
      if (load<u8>(to, 1) !== 0x3e) return NOTHING;
      isEmpty = true;
      to += 2;
      break;
    }
    if (!isSpaced || count === MAX_ATTRIBUTES) return NOTHING;
    let attribute = load<usize>(before, NAME_NEXT_ATTRIBUTE);
    if (attribute === NOTHING || !isWholeNameAt(attribute, to)) {
      attribute = nameAt(to);
      if (attribute === NOTHING) return NOTHING;
      store<usize>(before, attribute, NAME_NEXT_ATTRIBUTE);
    }
    before = attribute;
    if (load<i32>(attribute, NAME_SEEN) === tag) return NOTHING;
    store<i32>(attribute, tag, NAME_SEEN);
    to += load<i32>(attribute, NAME_LENGTH);
    while (isSpace(load<u8>(to))) to++;
    if (load<u8>(to) !== 0x3d) return NOTHING;
    to++;
    while (isSpace(load<u8>(to))) to++;
    const quote = load<u8>(to);
    if (quote !== 0x22 && quote !== 0x27) return NOTHING;
    const from = ++to;
    to = scanValue(to, quote);
    if (to === NOTHING) return NOTHING;
    const entry = ATTRIBUTES + count * 16;
    store<usize>(entry, attribute);
    store<usize>(entry, from, 4);
    store<usize>(entry, to, 8);
    store<i32>(entry, textFlags, 12);
    count++;
    if (load<usize>(attribute, NAME_DECLARES) !== NOTHING) declarations++;
    else if (load<usize>(attribute, NAME_PREFIX) !== NO_PREFIX) prefixed++;
    to++;
  }
  if (to > end || depth === MAX_DEPTH || collectDepth > 0) return NOTHING;
  attributeCount = count;
  push(name);
  if (declarations > 0 && !declare()) return NOTHING;
  const prefix = load<usize>(name, NAME_PREFIX);
  const namespace = load<i32>(prefix, PREFIX_BINDING);
  if (namespace === UNBOUND || prefix === XMLNS_PREFIX || prefix === XML_PREFIX) return NOTHING;
  if (prefixed > 0 && !checkPrefixed(prefixed)) return NOTHING;
  if (skipDepth === 0) {
    const action = start(load<i32>(name, NAME_CODE), namespace);
    if (action === UNUSUAL) return NOTHING;
    if (action === COLLECT) {
      collectDepth = depth;
      textFrom = textTo = to;
      textFlags = 0;
    } else if (!isEmpty) {
      if (action === SKIP) skipDepth = depth;
      else if (action === RAW) rawDepth = depth;
    }
  }
  if (isEmpty && !close()) return NOTHING;
  return to;
}

/** Checks the value that begins at `from`. @returns where its end quote stands; its flags are in `textFlags` */
function scanValue(from: usize, quote: u8): usize {
  let at = from;
  let flags: i32 = 0;
  for (;;) {
    const bytes = v128.load(at);
    const special = v128.or(
      v128.or(i8x16.eq(bytes, i8x16.splat(<i8>quote)), i8x16.eq(bytes, i8x16.splat(0x3c))),
      v128.or(i8x16.eq(bytes, i8x16.splat(0x26)), i8x16.lt_u(bytes, i8x16.splat(0x20))),
    );
    // Bytes of 0x80 and more count by themselves.
    const found = i8x16.bitmask(v128.or(special, bytes));
    if (found === 0) {
      at += 16;
      continue;
    }
    at += ctz(found);
    const code = load<u8>(at);
    if (code === quote) break;
    if (code === 0x26) {
      at = readReference(at);
      if (at === NOTHING) return NOTHING;
      flags |= NEEDS_DECODING;
    } else if (code === 0x09 || code === 0x0a || code === 0x0d) {
      flags |= NEEDS_DECODING;
      at++;
    } else if (code >= 0x80) {
      if (code === 0xef && isNoCharacter(at)) return NOTHING;
      flags |= HAS_WIDE;
      at++;
    } else return NOTHING;
  }
  textFlags = flags;
  return at;
}

/** Of what is in a raw element only nesting matters. */
function readRawStartTag(at: usize): usize {
  const name = elementNameAt(at + 1);
  if (name === NOTHING || depth === MAX_DEPTH) return NOTHING;
  let to = at + 1 + load<i32>(name, NAME_LENGTH);
  let quote: u8 = 0;
  for (;;) {
    const bytes = v128.load(to);
    const sought =
      quote === 0
        ? v128.or(
            i8x16.eq(bytes, i8x16.splat(0x3e)),
            v128.or(i8x16.eq(bytes, i8x16.splat(0x22)), i8x16.eq(bytes, i8x16.splat(0x27))),
          )
        : i8x16.eq(bytes, i8x16.splat(<i8>quote));
    const found = i8x16.bitmask(sought);
    if (found === 0) {
      to += 16;
      if (to >= end) return NOTHING;
      continue;
    }
    to += ctz(found);
    if (to >= end) return NOTHING;
    const code = load<u8>(to);
    if (quote !== 0) quote = 0;
    else if (code === 0x3e) break;
    else quote = code;
    to++;
  }
  if (load<u8>(to - 1) !== 0x2f) push(name);
  return to + 1;
}

/** Applies the declarations of the current tag. */
function declare(): bool {
  for (let i = 0; i < attributeCount; i++) {
    const entry = ATTRIBUTES + i * 16;
    const prefix = load<usize>(load<usize>(entry), NAME_DECLARES);
    if (prefix === NOTHING) continue;
    const from = load<usize>(entry, 4);
    const to = load<usize>(entry, 8);
    if (load<i32>(entry, 12) !== 0 || undoCount === MAX_DECLARATIONS) return false;
    if (prefix === XML_PREFIX || prefix === XMLNS_PREFIX) return false;
    let namespace = OTHER_NAMESPACE;
    if (from === to) {
      if (prefix !== NO_PREFIX) return false;
      namespace = NO_NAMESPACE;
    } else if (startsWith(from, to, MSUS)) {
      const rest = from + MSUS.length;
      if (equals(rest, to, 'Update')) namespace = UPDATE_NAMESPACE;
      else if (equals(rest, to, 'UpdateHandlers/Category')) namespace = CATEGORY_NAMESPACE;
    } else if (indexIn(RESERVED_NAMESPACES, from, to) >= 0) return false;
    const undo = UNDO + undoCount * 8;
    store<usize>(undo, prefix);
    store<i32>(undo, load<i32>(prefix, PREFIX_BINDING), 4);
    undoCount++;
    store<i32>(prefix, namespace, PREFIX_BINDING);
  }
  return true;
}

/** Attributes with a prefix: bound, and no two that may be the same. */
function checkPrefixed(prefixed: i32): bool {
  for (let i = 0; i < attributeCount; i++) {
    const name = load<usize>(ATTRIBUTES + i * 16);
    const prefix = load<usize>(name, NAME_PREFIX);
    if (prefix === NO_PREFIX || load<usize>(name, NAME_DECLARES) !== NOTHING) continue;
    if (load<i32>(prefix, PREFIX_BINDING) === UNBOUND) return false;
    if (prefixed === 1) continue;
    for (let j = 0; j < i; j++) {
      const other = load<usize>(ATTRIBUTES + j * 16);
      if (load<usize>(other, NAME_PREFIX) === NO_PREFIX) continue;
      if (load<i32>(other, NAME_LOCAL_HASH) === load<i32>(name, NAME_LOCAL_HASH)) return false;
    }
  }
  return true;
}

// ---- Names

/** The name of a start tag: mostly the one that followed the same element before. */
function elementNameAt(at: usize): usize {
  const before = previousName;
  let name: usize = before === NOTHING ? NOTHING : load<usize>(before, NAME_NEXT_ELEMENT);
  if (name === NOTHING || !isWholeNameAt(name, at)) {
    name = nameAt(at);
    if (name === NOTHING) return NOTHING;
    if (before !== NOTHING) store<usize>(before, name, NAME_NEXT_ELEMENT);
  }
  previousName = name;
  return name;
}

function isNameAt(name: usize, at: usize): bool {
  let rest = load<i32>(name, NAME_LENGTH);
  let own = name + NAME_BYTES;
  let other = at;
  let same = i8x16.bitmask(i8x16.eq(v128.load(other), v128.load(own)));
  while (rest > 16 && same === 0xffff) {
    rest -= 16;
    own += 16;
    other += 16;
    same = i8x16.bitmask(i8x16.eq(v128.load(other), v128.load(own)));
  }
  const wanted = rest > 16 ? 0x10000 : (1 << rest) - 1;
  return (same & wanted) === wanted;
}

function isWholeNameAt(name: usize, at: usize): bool {
  return load<u8>(NAME_ENDS + load<u8>(at + load<i32>(name, NAME_LENGTH))) === 1 && isNameAt(name, at);
}

/** The name at `at`, known or new; `NOTHING` if it is none of ASCII characters, or there are too many. */
function nameAt(at: usize): usize {
  let hash: i32 = 0;
  let to = at;
  for (;;) {
    const code = load<u8>(to);
    if (load<u8>(NAME_ENDS + code) === 1) break;
    hash = hash * 31 + code;
    to++;
    if (to - at > MAX_NAME_LENGTH) return NOTHING;
  }
  const length = <i32>(to - at);
  const bucket = NAME_BUCKETS + (hash & (BUCKET_COUNT - 1)) * 4;
  let steps: i32 = 0;
  for (let name = load<usize>(bucket); name !== NOTHING; name = load<usize>(name, NAME_NEXT)) {
    if (load<i32>(name, NAME_HASH) === hash && load<i32>(name, NAME_LENGTH) === length && isNameAt(name, at))
      return name;
    if (++steps === MAX_STEPS) return NOTHING;
  }
  return nameCount === MAX_NAMES ? NOTHING : addName(at, length, hash, bucket);
}

function addName(at: usize, length: i32, hash: i32, bucket: usize): usize {
  let colon = -1;
  for (let i = 0; i < length; i++) {
    const code = load<u8>(at + i);
    const isFirst = i === 0 || i - 1 === colon;
    const lower = code | 0x20;
    const isLetter = (lower >= 0x61 && lower <= 0x7a) || code === 0x5f;
    const isOther = (code >= 0x30 && code <= 0x39) || code === 0x2d || code === 0x2e;
    if (isLetter || (isOther && !isFirst)) continue;
    if (code !== 0x3a || colon >= 0 || isFirst) return NOTHING;
    colon = i;
  }
  if (length === 0 || colon === length - 1) return NOTHING;
  const prefix = colon < 0 ? NO_PREFIX : prefixAt(at, colon);
  if (prefix === NOTHING) return NOTHING;
  const local = at + (colon + 1);
  const localLength = length - colon - 1;
  let declares: usize = NOTHING;
  if (prefix === XMLNS_PREFIX) {
    declares = prefixAt(local, localLength);
    if (declares === NOTHING) return NOTHING;
  } else if (prefix === NO_PREFIX && equals(at, at + length, 'xmlns')) declares = NO_PREFIX;
  let localHash: i32 = 0;
  for (let i = 0; i < localLength; i++) localHash = localHash * 31 + load<u8>(local + i);
  const name = NAME_TABLE + <usize>nameCount * NAME_SIZE;
  memory.fill(name, 0, NAME_SIZE);
  memory.copy(name + NAME_BYTES, at, length);
  store<i32>(name, length, NAME_LENGTH);
  store<i32>(name, indexIn(NAMES, local, local + localLength) + 1, NAME_CODE);
  store<usize>(name, prefix, NAME_PREFIX);
  store<usize>(name, declares, NAME_DECLARES);
  store<i32>(name, hash, NAME_HASH);
  store<i32>(name, localHash, NAME_LOCAL_HASH);
  store<usize>(name, load<usize>(bucket), NAME_NEXT);
  store<usize>(bucket, name);
  nameCount++;
  return name;
}

function prefixAt(at: usize, length: i32): usize {
  for (let i = 0; i < prefixCount; i++) {
    const prefix = PREFIX_TABLE + <usize>i * PREFIX_SIZE;
    if (load<i32>(prefix, PREFIX_LENGTH) !== length) continue;
    if (memory.compare(prefix + PREFIX_BYTES, at, length) === 0) return prefix;
  }
  return length > MAX_PREFIX_LENGTH || prefixCount === MAX_PREFIXES ? NOTHING : addPrefix(at, length);
}

function addPrefix(at: usize, length: i32): usize {
  const prefix = PREFIX_TABLE + <usize>prefixCount * PREFIX_SIZE;
  store<i32>(prefix, length, PREFIX_LENGTH);
  store<i32>(prefix, UNBOUND, PREFIX_BINDING);
  memory.copy(prefix + PREFIX_BYTES, at, length);
  prefixCount++;
  return prefix;
}

// ---- Elements

function start(code: i32, namespace: i32): i32 {
  if (depth === 1) return code === UPDATE && namespace === UPDATE_NAMESPACE ? PASS : UNUSUAL;
  if (depth === 2) return startSection(code, namespace);
  switch (section) {
    case PROPERTIES:
      return namespace === UPDATE_NAMESPACE && depth === 3 ? startProperty(code) : SKIP;
    case LOCALIZED_COLLECTION:
      return namespace === UPDATE_NAMESPACE ? startLocalized(code) : SKIP;
    case RELATIONSHIPS:
      return namespace === UPDATE_NAMESPACE ? startRelationship(code) : SKIP;
    case FILES:
      return namespace === UPDATE_NAMESPACE ? startFile(code) : SKIP;
    case HANDLER_SPECIFIC_DATA:
      return code !== CATEGORY_INFORMATION || namespace !== CATEGORY_NAMESPACE || readCategory()
        ? PASS
        : UNUSUAL;
    default:
      return SKIP;
  }
}

function startSection(code: i32, namespace: i32): i32 {
  if (namespace !== UPDATE_NAMESPACE) return SKIP;
  switch (code) {
    case UPDATE_IDENTITY:
      return identityPosition < 0 && readIdentity() ? SKIP : UNUSUAL;
    case PROPERTIES:
      if (hasProperties || !readProperties()) return UNUSUAL;
      hasProperties = true;
      break;
    case HANDLER_SPECIFIC_DATA:
      if (hasHandlerData) return UNUSUAL;
      hasHandlerData = true;
      break;
    case APPLICABILITY_RULES:
      return RAW;
    case LOCALIZED_COLLECTION:
    case RELATIONSHIPS:
    case FILES:
      break;
    default:
      return SKIP;
  }
  section = code;
  return PASS;
}

function startProperty(code: i32): i32 {
  switch (code) {
    case INSTALLATION_BEHAVIOR:
    case UNINSTALLATION_BEHAVIOR:
      for (let i = 0; i < attributeCount; i++) {
        const attribute = plainCodeOf(i);
        if (attribute !== CAN_REQUEST_USER_INPUT && attribute !== REQUIRES_NETWORK) continue;
        if (booleanOf(i) < 0) return UNUSUAL;
      }
      return SKIP;
    case SECURED_FRAGMENT:
      isSecured = true;
      return SKIP;
    case LANGUAGE:
    case SUPPORT_URL:
    case MORE_INFO_URL:
    case SECURITY_BULLETIN_ID:
    case KB_ARTICLE_ID:
    case CVE_ID:
      return COLLECT;
    default:
      return SKIP;
  }
}

function startLocalized(code: i32): i32 {
  if (depth === 3) {
    if (code === LOCALIZED_PROPERTIES) {
      if (localizedCount === MAX_LOCALIZED) return UNUSUAL;
      group = code;
      memory.fill(LOCALIZED + <usize>localizedCount * LOCALIZED_SIZE, 0, LOCALIZED_SIZE);
      localizedCount++;
      return PASS;
    }
    if (code !== EULA_FILE) return SKIP;
    group = code;
    return readFile(true) ? PASS : UNUSUAL;
  }
  if (group === LOCALIZED_PROPERTIES) {
    switch (code) {
      case DESCRIPTION:
      case UNINSTALL_NOTES:
      case MORE_INFO_URL:
      case SUPPORT_URL:
        return RAW;
      case LANGUAGE:
      case TITLE:
        return COLLECT;
      default:
        return SKIP;
    }
  }
  return startDigest(code);
}

function startRelationship(code: i32): i32 {
  if (depth === 3) {
    if (code !== PREREQUISITES && code !== BUNDLED_UPDATES && code !== SUPERSEDED_UPDATES) return SKIP;
    group = code;
    return PASS;
  }
  if (++relationCount > MAX_RELATIONS) return UNUSUAL;
  if (code === UPDATE_IDENTITY) return readRelation() ? SKIP : UNUSUAL;
  if (code !== AT_LEAST_ONE || depth !== 4) return SKIP;
  if (group === PREREQUISITES) {
    let kind = KIND_AT_LEAST_ONE;
    for (let i = 0; i < attributeCount; i++) {
      if (plainCodeOf(i) !== IS_CATEGORY) continue;
      const value = booleanOf(i);
      if (value < 0) return UNUSUAL;
      if (value === 1) kind = KIND_CATEGORY;
    }
    openClause(kind);
  } else if (group === BUNDLED_UPDATES) {
    clausePosition = 0;
  } else return SKIP;
  isInClause = true;
  return PASS;
}

function openClause(kind: i32): void {
  let to = prerequisiteRowsEnd;
  if (to !== PREREQUISITE_ROWS) to = writeByte(to, 0x2c);
  to = writeByte(to, 0x5b);
  prerequisiteRowsEnd = writeNumber(to, kind);
}

/** Ends an `AtLeastOne`. @returns false */
function endClause(): bool {
  if (!isInClause) return false;
  if (group === PREREQUISITES) prerequisiteRowsEnd = writeByte(prerequisiteRowsEnd, 0x5d);
  else clauseCount++;
  return false;
}

function readRelation(): bool {
  const position = idOf();
  if (position < 0) return false;
  if (group === BUNDLED_UPDATES) {
    const revision = revisionOf();
    if (revision < 0) return false;
    if (!isInClause) clausePosition = 0;
    let to = bundledRowsEnd;
    if (to !== BUNDLED_ROWS) to = writeByte(to, 0x2c);
    to = writeNumber(writeByte(to, 0x5b), clauseCount);
    to = writeNumber(writeByte(to, 0x2c), clausePosition);
    to = writeNumber(writeByte(to, 0x2c), position);
    to = writeNumber(writeByte(to, 0x2c), revision);
    bundledRowsEnd = writeByte(to, 0x5d);
    clausePosition++;
    if (!isInClause) clauseCount++;
    return true;
  }
  if (group === SUPERSEDED_UPDATES) {
    let to = supersededRowsEnd;
    if (to !== SUPERSEDED_ROWS) to = writeByte(to, 0x2c);
    supersededRowsEnd = writeNumber(to, position);
    return true;
  }
  if (isInClause) {
    prerequisiteRowsEnd = writeNumber(writeByte(prerequisiteRowsEnd, 0x2c), position);
    return true;
  }
  openClause(KIND_BARE);
  const to = writeNumber(writeByte(prerequisiteRowsEnd, 0x2c), position);
  prerequisiteRowsEnd = writeByte(to, 0x5d);
  return true;
}

function startFile(code: i32): i32 {
  if (depth === 3 && code === FILE) {
    group = code;
    return readFile(false) ? PASS : UNUSUAL;
  }
  return depth === 4 ? startDigest(code) : SKIP;
}

/** Of the one additional digest that is defined. */
function startDigest(code: i32): i32 {
  if (code !== ADDITIONAL_DIGEST) return SKIP;
  for (let i = 0; i < attributeCount; i++) {
    if (plainCodeOf(i) !== ALGORITHM) continue;
    if (load<i32>(ATTRIBUTES + i * 16, 12) !== 0) return UNUSUAL;
    return isValue(i, 'SHA256') ? COLLECT : SKIP;
  }
  return SKIP;
}

function readIdentity(): bool {
  const position = idOf();
  const revision = revisionOf();
  if (position < 0 || revision < 0) return false;
  identityPosition = position;
  identityRevision = <u32>revision;
  return true;
}

function readProperties(): bool {
  for (let i = 0; i < attributeCount; i++) {
    const entry = ATTRIBUTES + i * 16;
    const from = load<usize>(entry, 4);
    const to = load<usize>(entry, 8);
    const isPlain = load<i32>(entry, 12) === 0;
    switch (plainCodeOf(i)) {
      case UPDATE_TYPE:
        updateType = indexIn(UPDATE_TYPES, from, to);
        break;
      case DEFAULT_LANGUAGE:
        if (!isPlain) return false;
        defaultLanguage = from;
        defaultLanguageEnd = to;
        break;
      case PUBLICATION_STATE:
        if (!isPlain) return false;
        publicationState = from;
        publicationStateEnd = to;
        break;
      case MSRC_SEVERITY:
        if (!isPlain) return false;
        severity = from;
        severityEnd = to;
        break;
      case CREATION_DATE:
        if (!readInstant(from, to)) return false;
        break;
      case EXPLICITLY_DEPLOYABLE: {
        const value = booleanOf(i);
        if (value < 0) return false;
        isDeployable = value === 1;
        break;
      }
      case AUTO_SELECT:
      case IS_PUBLIC:
      case IS_BETA:
      case BROWSE_ONLY:
      case PER_USER:
      case REACCEPTANCE:
        if (booleanOf(i) < 0) return false;
        break;
      case MAX_DOWNLOAD_SIZE:
      case MIN_DOWNLOAD_SIZE:
        if (numberOf(from, to) < 0) return false;
        break;
    }
  }
  return updateType >= 0;
}

function readCategory(): bool {
  let type: i32 = -1;
  for (let i = 0; i < attributeCount; i++) {
    const entry = ATTRIBUTES + i * 16;
    switch (plainCodeOf(i)) {
      case CATEGORY_TYPE:
        type = indexIn(CATEGORY_TYPES, load<usize>(entry, 4), load<usize>(entry, 8));
        if (type < 0) return false;
        break;
      case PROHIBITS_SUBCATEGORIES:
      case PROHIBITS_UPDATES:
      case EXCLUDED_BY_DEFAULT:
        if (booleanOf(i) < 0) return false;
        break;
      case DISPLAY_ORDER:
        if (load<usize>(entry, 8) - load<usize>(entry, 4) > 10) return false;
        if (numberOf(load<usize>(entry, 4), load<usize>(entry, 8)) < 0) return false;
        break;
    }
  }
  categoryType = type;
  return true;
}

/** `File` and `EulaFile`. */
function readFile(isLicence: bool): bool {
  let nameFrom: usize = 0;
  let nameTo: usize = 0;
  let languageFrom: usize = 0;
  let languageTo: usize = 0;
  let size: i64 = -1;
  let kind = isLicence ? KIND_LICENCE : KIND_PAYLOAD;
  let hasAlgorithm = false;
  let hasDigest = false;
  const position = addFile();
  if (position < 0) return false;
  const digests = FILE_DIGESTS + position * FILE_DIGESTS_SIZE;
  for (let i = 0; i < attributeCount; i++) {
    const entry = ATTRIBUTES + i * 16;
    const from = load<usize>(entry, 4);
    const to = load<usize>(entry, 8);
    switch (plainCodeOf(i)) {
      case FILE_NAME:
        decodeValue(entry);
        nameFrom = rangeFrom;
        nameTo = rangeTo;
        if (!isFileName(nameFrom, nameTo)) return false;
        break;
      case DIGEST_ALGORITHM:
        if (!isValue(i, 'SHA1')) return false;
        hasAlgorithm = true;
        break;
      case DIGEST:
        if (!decodeBase64(from, to, digests, SHA1_SIZE, SHA1_TEXT)) return false;
        hasDigest = true;
        break;
      case SIZE:
        size = numberOf(from, to);
        break;
      case PATCHING_TYPE:
        if (isLicence) break;
        if (load<i32>(entry, 12) !== 0) return false;
        if (isValue(i, 'Express')) kind = KIND_EXPRESS;
        break;
      case IS_ENCRYPTED: {
        if (isLicence) break;
        const value = booleanOf(i);
        if (value < 0) return false;
        if (value === 1) isSecured = true;
        break;
      }
      case LANGUAGE:
        if (load<i32>(entry, 12) !== 0) return false;
        languageFrom = from;
        languageTo = to;
        break;
    }
  }
  if (nameFrom === nameTo || !hasAlgorithm || !hasDigest || size < 0) return false;
  if (isLicence && languageFrom === 0) return false;
  currentDigests = digests;
  let to = isLicence ? licenceRowsEnd : fileRowsEnd;
  if (to !== (isLicence ? LICENCE_ROWS : FILE_ROWS)) to = writeByte(to, 0x2c);
  to = writeNumber(writeText(to, '{"kind":'), kind);
  to = writeString(writeText(to, ',"fileName":'), nameFrom, nameTo);
  if (isLicence) to = writeString(writeText(to, ',"language":'), languageFrom, languageTo);
  to = writeNumber(writeText(to, ',"size":'), size);
  to = writeNumber(writeText(to, ',"digests":'), position);
  // "false" is overwritten when the digest comes.
  to = writeText(to, ',"hasSha256":false}');
  if (isLicence) licenceRowsEnd = to;
  else fileRowsEnd = to;
  return true;
}

function isFileName(from: usize, to: usize): bool {
  if (to - from > MAX_FILE_NAME) return false;
  let isBehindDot = false;
  let isWrong = false;
  for (let at = from; at < to; at++) {
    const code = load<u8>(at);
    if (code < 0x20 || code === 0x7f) return false;
    if (code === 0x2e) {
      isBehindDot = true;
      isWrong = false;
    } else if (isBehindDot && (code === 0x2f || code === 0x5c)) isWrong = true;
  }
  return !isWrong;
}

/** The digest of the file whose element is open. */
function endDigest(): bool {
  if (currentDigests === NOTHING || textFlags !== 0) return false;
  trim();
  if (!decodeBase64(rangeFrom, rangeTo, currentDigests + SHA1_SIZE, SHA256_SIZE, SHA256_TEXT)) return false;
  const isLicence = section === LOCALIZED_COLLECTION;
  const rowEnd = isLicence ? licenceRowsEnd : fileRowsEnd;
  if (load<u8>(rowEnd - 3) === 0x73) {
    // …false} → …true}
    const to = writeText(rowEnd - 6, 'true}');
    if (isLicence) licenceRowsEnd = to;
    else fileRowsEnd = to;
  }
  return true;
}

// ---- Texts

/** The text between `textFrom` and `textTo` is over. */
function endText(code: i32): bool {
  if (section === PROPERTIES) return endProperty(code);
  if (section === FILES || group === EULA_FILE) return endDigest();
  const entry = LOCALIZED + <usize>(localizedCount - 1) * LOCALIZED_SIZE;
  if (code === LANGUAGE) {
    if (textFlags !== 0) return false;
    trim();
    for (let at = rangeFrom; at < rangeTo; at++) {
      const lower = load<u8>(at) | 0x20;
      const isLetter = lower >= 0x61 && lower <= 0x7a;
      const isOther = at > rangeFrom && ((lower >= 0x30 && lower <= 0x39) || lower === 0x2d);
      if (!isLetter && !isOther) return false;
    }
    store<usize>(entry, rangeFrom);
    store<usize>(entry, rangeTo, 4);
    return true;
  }
  if ((textFlags & NEEDS_DECODING) !== 0) decode(textFrom, textTo, false);
  else {
    rangeFrom = textFrom;
    rangeTo = textTo;
  }
  store<usize>(entry, rangeFrom, 8);
  store<usize>(entry, rangeTo, 12);
  store<i32>(entry, 1, 16);
  return true;
}

function endProperty(code: i32): bool {
  if (code === SUPPORT_URL || code === MORE_INFO_URL) return true;
  if (textFlags !== 0) return false;
  trim();
  let from = rangeFrom;
  const to = rangeTo;
  if (from === to) return true;
  if (code === LANGUAGE) {
    if (languagesEnd !== LANGUAGES) languagesEnd = writeByte(languagesEnd, 0x2c);
    languagesEnd = writeCharacters(languagesEnd, from, to);
  } else if (code === KB_ARTICLE_ID) {
    const digit = load<u8>(from, 2);
    const isNamed = to - from > 2 && (load<u16>(from) | 0x2020) === 0x626b;
    if (isNamed && digit >= 0x30 && digit <= 0x39) from += 2;
    if (kbArticlesEnd !== KB_ARTICLES) kbArticlesEnd = writeByte(kbArticlesEnd, 0x2c);
    kbArticlesEnd = writeCharacters(kbArticlesEnd, from, to);
    kbRowsEnd = writeArticle(kbRowsEnd, KB_ROWS, KIND_KB, from, to);
  } else {
    const upper = textsEnd;
    for (let at = from; at < to; at++) {
      const code = load<u8>(at);
      textsEnd = writeByte(textsEnd, code >= 0x61 && code <= 0x7a ? code & 0xdf : code);
    }
    if (code === CVE_ID) cveRowsEnd = writeArticle(cveRowsEnd, CVE_ROWS, KIND_CVE, upper, textsEnd);
    else bulletinRowsEnd = writeArticle(bulletinRowsEnd, BULLETIN_ROWS, KIND_BULLETIN, upper, textsEnd);
  }
  return true;
}

function writeArticle(at: usize, first: usize, kind: i32, from: usize, to: usize): usize {
  let out = at;
  if (out !== first) out = writeByte(out, 0x2c);
  out = writeNumber(writeByte(out, 0x5b), kind);
  out = writeString(writeByte(out, 0x2c), from, to);
  return writeByte(out, 0x5d);
}

/** The text without the white space around it → `rangeFrom`, `rangeTo`. */
function trim(): void {
  let from = textFrom;
  let to = textTo;
  while (from < to && isSpace(load<u8>(from))) from++;
  while (from < to && isSpace(load<u8>(to - 1))) to--;
  rangeFrom = from;
  rangeTo = to;
}

function decodeValue(entry: usize): void {
  const from = load<usize>(entry, 4);
  const to = load<usize>(entry, 8);
  if ((load<i32>(entry, 12) & NEEDS_DECODING) !== 0) decode(from, to, true);
  else {
    rangeFrom = from;
    rangeTo = to;
  }
}

/** References resolved, line ends or white space normalised → `rangeFrom`, `rangeTo`. All of it was checked before. */
function decode(from: usize, to: usize, isAttribute: bool): void {
  let out = textsEnd;
  rangeFrom = out;
  for (let at = from; at < to; ) {
    const code = load<u8>(at);
    if (code === 0x26) {
      at = readReference(at);
      out = writeUtf8(out, referred);
    } else if (code === 0x0d) {
      at += load<u8>(at, 1) === 0x0a && at + 1 < to ? 2 : 1;
      out = writeByte(out, isAttribute ? 0x20 : 0x0a);
    } else {
      const isNormalised = isAttribute && (code === 0x0a || code === 0x09);
      out = writeByte(out, isNormalised ? 0x20 : code);
      at++;
    }
  }
  rangeTo = textsEnd = out;
}

// ---- Values

/** Code of an attribute's name; 0 if it has a prefix or declares one. */
function plainCodeOf(index: i32): i32 {
  const name = load<usize>(ATTRIBUTES + index * 16);
  return load<usize>(name, NAME_PREFIX) === NO_PREFIX ? load<i32>(name, NAME_CODE) : 0;
}

function isValue(index: i32, text: string): bool {
  const entry = ATTRIBUTES + index * 16;
  return equals(load<usize>(entry, 4), load<usize>(entry, 8), text);
}

/** 1, 0; −1 if it is neither "true" nor "false". */
function booleanOf(index: i32): i32 {
  if (isValue(index, 'true') || isValue(index, '1')) return 1;
  return isValue(index, 'false') || isValue(index, '0') ? 0 : -1;
}

/** Up to 15 digits; −1 for anything else. */
function numberOf(from: usize, to: usize): i64 {
  if (from === to || to - from > 15) return -1;
  let value: i64 = 0;
  for (let at = from; at < to; at++) {
    const digit = <i32>load<u8>(at) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** `RevisionNumber` of the current tag. */
function revisionOf(): i64 {
  for (let i = 0; i < attributeCount; i++) {
    if (plainCodeOf(i) !== REVISION_NUMBER) continue;
    const entry = ATTRIBUTES + i * 16;
    const from = load<usize>(entry, 4);
    const to = load<usize>(entry, 8);
    if (to - from > 10) return -1;
    const value = numberOf(from, to);
    return value > 0xffffffff ? -1 : value;
  }
  return -1;
}

/** Position of the current tag's `UpdateID`. */
function idOf(): i32 {
  for (let i = 0; i < attributeCount; i++) {
    if (plainCodeOf(i) !== UPDATE_ID) continue;
    const entry = ATTRIBUTES + i * 16;
    const from = load<usize>(entry, 4);
    return load<usize>(entry, 8) - from === GUID_LENGTH ? positionOf(from) : -1;
  }
  return -1;
}

/** The id in 36 characters at `at`, in any case. */
function positionOf(at: usize): i32 {
  const hyphens = load<u8>(at, 8) | load<u8>(at, 13) | load<u8>(at, 18) | load<u8>(at, 23);
  const common = load<u8>(at, 8) & load<u8>(at, 13) & load<u8>(at, 18) & load<u8>(at, 23);
  if (hyphens !== 0x2d || common !== 0x2d) return -1;
  const one = v128.load(at);
  const two = v128.load(at, 16);
  const three = v128.load(at, 20);
  const high = i8x16.shuffle(one, two, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 16, 17);
  const low = i8x16.shuffle(two, three, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 28, 29, 30, 31);
  const highDigits = digitsOf(high);
  const lowDigits = digitsOf(low);
  if (v128.any_true(i8x16.gt_u(v128.or(highDigits, lowDigits), i8x16.splat(0x0f)))) return -1;
  const bytes = i8x16.narrow_i16x8_u(joined(highDigits), joined(lowDigits));
  const place = IDS + idCount * ID_SIZE;
  v128.store(place, bytes);
  let hash = (load<u64>(place) ^ seed0) * 0x1ce4e5b9bf5847;
  hash ^= hash >> 32;
  hash = (hash ^ load<u64>(place, 8)) * 0x14d049bb133111;
  hash ^= hash >> 29;
  let slot = <i32>hash & (SLOT_COUNT - 1);
  let found = load<i32>(ID_SLOTS + slot * 4);
  while (found !== 0) {
    const other = v128.load(IDS + (found - 1) * ID_SIZE);
    if (i8x16.all_true(i8x16.eq(other, bytes))) return found - 1;
    slot = (slot + 1) & (SLOT_COUNT - 1);
    found = load<i32>(ID_SLOTS + slot * 4);
  }
  if (idCount === MAX_IDS) return -1;
  store<i32>(ID_SLOTS + slot * 4, idCount + 1);
  return idCount++;
}

/** Values of hex digits; 0xff for what is none. */
function digitsOf(characters: v128): v128 {
  const decimal = i8x16.sub(characters, i8x16.splat(0x30));
  const letter = i8x16.sub(v128.or(characters, i8x16.splat(0x20)), i8x16.splat(0x61));
  const isDecimal = i8x16.le_u(decimal, i8x16.splat(9));
  const isLetter = i8x16.le_u(letter, i8x16.splat(5));
  const value = v128.bitselect(decimal, i8x16.add(letter, i8x16.splat(10)), isDecimal);
  return v128.or(value, v128.not(v128.or(isDecimal, isLetter)));
}

/** Two digits each → a byte in each 16 bits. */
function joined(digits: v128): v128 {
  const first = v128.and(i16x8.shl(digits, 4), i16x8.splat(0xf0));
  return v128.or(first, i16x8.shr_u(digits, 8));
}

/** @param size bytes it must stand for, whose text has one "=" at the end */
function decodeBase64(from: usize, to: usize, target: usize, size: i32, length: i32): bool {
  if (to - from !== <usize>length) return false;
  let out = target;
  let wrong: i32 = 0;
  const last = to - 4;
  for (let at = from; at < last; at += 4) {
    const a = <i32>load<u8>(BASE64 + load<u8>(at));
    const b = <i32>load<u8>(BASE64 + load<u8>(at, 1));
    const c = <i32>load<u8>(BASE64 + load<u8>(at, 2));
    const d = <i32>load<u8>(BASE64 + load<u8>(at, 3));
    wrong |= a | b | c | d;
    const value = (a << 18) | (b << 12) | (c << 6) | d;
    store<u8>(out, <u8>(value >> 16));
    store<u8>(out, <u8>(value >> 8), 1);
    store<u8>(out, <u8>value, 2);
    out += 3;
  }
  const a = <i32>load<u8>(BASE64 + load<u8>(last));
  const b = <i32>load<u8>(BASE64 + load<u8>(last, 1));
  const c = <i32>load<u8>(BASE64 + load<u8>(last, 2));
  wrong |= a | b | c;
  const value = (a << 18) | (b << 12) | (c << 6);
  store<u8>(out, <u8>(value >> 16));
  store<u8>(out, <u8>(value >> 8), 1);
  return (
    (wrong & 0x80) === 0 && (c & 3) === 0 && load<u8>(last, 3) === 0x3d && out + 2 - target === <usize>size
  );
}

/** `2013-10-03T22:29:38.123Z`, with or without fraction, time, with an offset or without a zone → `createdAt` */
function readInstant(from: usize, to: usize): bool {
  if (to - from < 10) return false;
  const year = digits(from, 4);
  const month = digits(from + 5, 2);
  const day = digits(from + 8, 2);
  if ((year | month | day) < 0 || load<u8>(from, 4) !== 0x2d || load<u8>(from, 7) !== 0x2d) return false;
  if (month < 1 || month > 12 || day < 1 || day > daysOf(year, month)) return false;
  let at = from + 10;
  let time: i32 = 0;
  let milliseconds: i32 = 0;
  if (at < to && load<u8>(at) === 0x54) {
    if (to - at < 9) return false;
    const hour = digits(at + 1, 2);
    const minute = digits(at + 4, 2);
    const second = digits(at + 7, 2);
    if ((hour | minute | second) < 0 || load<u8>(at, 3) !== 0x3a || load<u8>(at, 6) !== 0x3a) return false;
    if (hour > 23 || minute > 59 || second > 59) return false;
    time = (hour * 60 + minute) * 60 + second;
    at += 9;
    if (at < to && load<u8>(at) === 0x2e) {
      at++;
      let count: i32 = 0;
      for (; at < to; at++) {
        const digit = <i32>load<u8>(at) - 0x30;
        if (digit < 0 || digit > 9) break;
        if (count < 3) milliseconds = milliseconds * 10 + digit;
        count++;
      }
      if (count < 1 || count > 9) return false;
      for (; count < 3; count++) milliseconds *= 10;
    }
  }
  let offset: i32 = 0;
  if (at < to) {
    const zone = load<u8>(at);
    if (zone === 0x5a) at++;
    else if (zone === 0x2b || zone === 0x2d) {
      if (to - at !== 6 || load<u8>(at, 3) !== 0x3a) return false;
      const hours = digits(at + 1, 2);
      const minutes = digits(at + 4, 2);
      if ((hours | minutes) < 0 || hours > 14 || minutes > 59) return false;
      offset = hours * 60 + minutes;
      if (zone === 0x2d) offset = -offset;
      at += 6;
    }
  }
  if (at !== to) return false;
  const seconds = daysSince1970(year, month, day) * 86400 + time;
  createdAt = (seconds - <i64>offset * 60) * 1000 + milliseconds;
  hasCreated = true;
  return true;
}

/** @returns negative for anything but digits */
// ---- The row

/** @returns see `read` */
function finish(size: i32, revision: u32, block: i32, blockOffset: i32): i32 {
  if (identityPosition < 0 || !hasProperties) return 0;
  if (identityRevision !== revision || positionOf(EXPECTED) !== identityPosition) return 0;
  const title = pickTitle();
  if (!writeTitles(title)) return 0;
  let to = rowsEnd;
  if (to !== ROWS) to = writeByte(to, 0x2c);
  to = writeNumber(writeText(to, '{"block":'), block);
  to = writeNumber(writeText(to, ',"blockOffset":'), blockOffset);
  to = writeNumber(writeText(to, ',"documentSize":'), size);
  to = writeNumber(writeText(to, ',"update":'), identityPosition);
  to = writeNumber(writeText(to, ',"revisionNumber":'), revision);
  to = writeText(writeText(to, ',"updateType":"'), UPDATE_TYPES[updateType]);
  if (categoryType >= 0) to = writeText(writeText(to, '","categoryType":"'), CATEGORY_TYPES[categoryType]);
  to = writeText(to, '","title":');
  if (title === NOTHING) to = writeText(to, '""');
  else to = writeString(to, load<usize>(title, 8), load<usize>(title, 12));
  if (defaultLanguage !== 0)
    to = writeString(writeText(to, ',"defaultLanguage":'), defaultLanguage, defaultLanguageEnd);
  if (publicationState !== 0)
    to = writeString(writeText(to, ',"publicationState":'), publicationState, publicationStateEnd);
  if (hasCreated) to = writeNumber(writeText(to, ',"createdAt":'), createdAt);
  if (severity !== 0) to = writeString(writeText(to, ',"msrcSeverity":'), severity, severityEnd);
  to = writeText(to, isDeployable ? ',"explicitlyDeployable":true' : ',"explicitlyDeployable":false');
  if (languagesEnd !== LANGUAGES) {
    to = copyPart(writeText(to, ',"languages":"'), LANGUAGES, languagesEnd);
    to = writeByte(to, 0x22);
  }
  if (kbArticlesEnd !== KB_ARTICLES) {
    to = copyPart(writeText(to, ',"kbArticleIds":"'), KB_ARTICLES, kbArticlesEnd);
    to = writeByte(to, 0x22);
  }
  to = copyPart(writeText(to, ',"prerequisites":['), PREREQUISITE_ROWS, prerequisiteRowsEnd);
  to = copyPart(writeText(to, '],"bundled":['), BUNDLED_ROWS, bundledRowsEnd);
  to = copyPart(writeText(to, '],"superseded":['), SUPERSEDED_ROWS, supersededRowsEnd);
  to = writeText(to, '],"articles":[');
  const articles = to;
  to = copyPart(to, KB_ROWS, kbRowsEnd);
  to = copyFollowing(to, articles, BULLETIN_ROWS, bulletinRowsEnd);
  to = copyFollowing(to, articles, CVE_ROWS, cveRowsEnd);
  to = writeText(to, '],"files":[');
  const files = to;
  to = copyPart(to, FILE_ROWS, fileRowsEnd);
  to = copyFollowing(to, files, LICENCE_ROWS, licenceRowsEnd);
  rowsEnd = writeText(to, ']}');
  return isSecured ? 3 : 1;
}

function copyFollowing(at: usize, first: usize, from: usize, to: usize): usize {
  if (from === to) return at;
  return copyPart(at === first ? at : writeByte(at, 0x2c), from, to);
}

/** The localized properties in the default language, else in English, else the first, if they have a title. */
function pickTitle(): usize {
  let found: usize = NOTHING;
  if (defaultLanguage !== 0) found = findLocalized(defaultLanguage, defaultLanguageEnd);
  if (found === NOTHING) {
    store<u16>(textsEnd, 0x6e65);
    found = findLocalized(textsEnd, textsEnd + 2);
  }
  if (found === NOTHING && localizedCount > 0) found = LOCALIZED;
  return found === NOTHING || load<i32>(found, 16) === 0 ? NOTHING : found;
}

function findLocalized(from: usize, to: usize): usize {
  for (let i = 0; i < localizedCount; i++) {
    const entry = LOCALIZED + <usize>i * LOCALIZED_SIZE;
    if (equalsInAnyCase(load<usize>(entry), load<usize>(entry, 4), from, to)) return entry;
  }
  return NOTHING;
}

/** Titles that differ from the default one, by lower-case language. */
function writeTitles(title: usize): bool {
  const from: usize = title === NOTHING ? 0 : load<usize>(title, 8);
  const to: usize = title === NOTHING ? 0 : load<usize>(title, 12);
  let out = TITLES;
  for (let i = 0; i < localizedCount; i++) {
    const entry = LOCALIZED + <usize>i * LOCALIZED_SIZE;
    const language = load<usize>(entry);
    const languageEnd = load<usize>(entry, 4);
    if (language === languageEnd) return false;
    const ownFrom = load<usize>(entry, 8);
    const ownTo = load<usize>(entry, 12);
    if (load<i32>(entry, 16) === 0 || isSame(ownFrom, ownTo, from, to)) continue;
    for (let j = 0; j < i; j++) {
      const other = LOCALIZED + <usize>j * LOCALIZED_SIZE;
      if (equalsInAnyCase(language, languageEnd, load<usize>(other), load<usize>(other, 4))) return false;
    }
    out = writeByte(out, out === TITLES ? 0x7b : 0x2c);
    out = writeByte(out, 0x22);
    for (let at = language; at < languageEnd; at++) out = writeByte(out, lowerCase(load<u8>(at)));
    out = writeWideString(writeText(out, '":'), ownFrom, ownTo);
  }
  if (out !== TITLES) out = writeByte(out, 0x7d);
  titlesEnd = out;
  return true;
}
