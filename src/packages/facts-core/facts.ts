/**
 * The facts that a store keeps in columns, out of update documents the way Microsoft's servers write them, in
 * AssemblyScript: `npm run build:wasm` makes ../facts-module.ts of it, and ../facts-reader.ts is the only caller.
 *
 * What a document says, and whether it is one, is defined by `parseUpdateDocument` (extent `indexed`) and
 * `RevisionPacker`; this takes a fifth of their time, most of which went into the engine's objects and strings
 * (2026-11-22). It reads what it is sure of, and says "unusual" to everything else: CDATA, names beyond ASCII,
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
  MAX_COMPARED,
  MAX_DOWNLOAD_SIZE,
  MAX_FILE_NAME,
  MAX_FILES,
  MAX_IDS,
  MAX_LOCALIZED,
  MAX_RELATIONS,
  MAX_SIZE,
  MAX_TAG,
  MIN_DOWNLOAD_SIZE,
  MORE_INFO_URL,
  MSRC_SEVERITY,
  NAME_CODE,
  NAME_PREFIX,
  NEEDS_DECODING,
  NO_PREFIX,
  NOTHING,
  PASS,
  PATCHING_TYPE,
  PER_USER,
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
  SUPERSEDED_ROWS,
  SUPERSEDED_UPDATES,
  SUPPORT_URL,
  TEXTS,
  TITLE,
  TITLES,
  UNINSTALL_NOTES,
  UNINSTALLATION_BEHAVIOR,
  UNUSUAL,
  UPDATE,
  UPDATE_ID,
  UPDATE_IDENTITY,
  UPDATE_NAMESPACE,
  UPDATE_TYPE,
  UPDATE_TYPES,
} from './layout';
import {
  attributeCount,
  depth,
  isSpace,
  prepareNames,
  readReference,
  referred,
  scan,
  textFlags,
  textFrom,
  textTo,
} from './scanner';

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
let idCount: i32 = 0;
let fileCount: i32 = 0;
let rowsEnd: usize = ROWS;
let titlesEnd: usize = TITLES;
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
  prepareNames();
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

/** Position of the id whose 16 bytes stand at `EXPECTED`; −1: it is not there, nor room for it. */
export function positionOfExpected(): i32 {
  return positionOfId(v128.load(EXPECTED));
}

/** Room for the digests of one more file. @returns its position, −1: there is none */
export function addFile(): i32 {
  if (fileCount === MAX_FILES) return -1;
  memory.fill(FILE_DIGESTS + fileCount * FILE_DIGESTS_SIZE, 0, FILE_DIGESTS_SIZE);
  return fileCount++;
}

/**
 * Reads the document of `size` bytes, valid UTF-8, at `start`, and adds its row to the batch's. At `EXPECTED` are the 16
 * bytes of its id, and its revision number.
 *
 * @returns 0: unusual, nothing was added; else 1, plus 2 if files or addresses are given out apart
 */
export function read(start: usize, size: i32, block: i32, blockOffset: i32): i32 {
  if (size > MAX_SIZE) return 0;
  begin();
  return scan(start, size) ? finish(size, block, blockOffset) : 0;
}

function begin(): void {
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

/** @returns what the scanner is to do with the element */
export function startElement(code: i32, namespace: i32): i32 {
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

/** @param own depth of the element that ends */
export function endElement(code: i32, own: i32): void {
  if (own === 2) section = 0;
  else if (own === 3) group = 0;
  else if (own === 4 && code === AT_LEAST_ONE) isInClause = endClause();
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

/** The text between `textFrom` and `textTo` is over. */
export function endText(code: i32): bool {
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
  return positionOfId(i8x16.narrow_i16x8_u(joined(highDigits), joined(lowDigits)));
}

function positionOfId(bytes: v128): i32 {
  const place = IDS + idCount * ID_SIZE;
  v128.store(place, bytes);
  // What is multiplied carries upwards only: it is folded down each time, and the highest bits have something of all.
  let hash = (load<u64>(place) ^ seed0) * 0x1ce4e5b9bf5847;
  hash ^= hash >> 32;
  hash = (hash ^ load<u64>(place, 8)) * 0x14d049bb133111;
  hash ^= hash >> 32;
  hash *= 0x1ce4e5b9bf5847;
  let slot = <i32>(hash >> 48) & (SLOT_COUNT - 1);
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

/** @returns see `read` */
function finish(size: i32, block: i32, blockOffset: i32): i32 {
  if (identityPosition < 0 || !hasProperties) return 0;
  const revision = load<u32>(EXPECTED, ID_SIZE);
  const id = v128.load(IDS + identityPosition * ID_SIZE);
  if (identityRevision !== revision || !i8x16.all_true(i8x16.eq(id, v128.load(EXPECTED)))) return 0;
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
  if (localizedCount > MAX_COMPARED) return false;
  let out = TITLES;
  for (let i = 0; i < localizedCount; i++) {
    const entry = LOCALIZED + <usize>i * LOCALIZED_SIZE;
    const language = load<usize>(entry);
    const languageEnd = load<usize>(entry, 4);
    if (language === languageEnd || languageEnd - language > MAX_TAG) return false;
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
