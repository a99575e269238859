/**
 * XML the way update documents are written, as `XmlReader` reads it, in memory: elements with their attributes, and where
 * texts stand. Comments are passed over. Names, prefixes and what followed them are remembered from document to document.
 */
import { equals, indexIn, startsWith } from './bytes';
import { endElement, endText, startElement } from './facts';
import {
  ATTRIBUTES,
  BUCKET_COUNT,
  CATEGORY_NAMESPACE,
  COLLECT,
  HAS_WIDE,
  MAX_ATTRIBUTES,
  MAX_DECLARATIONS,
  MAX_DEPTH,
  MAX_NAME_LENGTH,
  MAX_NAMES,
  MAX_PREFIX_LENGTH,
  MAX_PREFIXES,
  MAX_STEPS,
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
  PREFIX_BINDING,
  PREFIX_BYTES,
  PREFIX_LENGTH,
  PREFIX_SIZE,
  PREFIX_TABLE,
  RAW,
  RESERVED_NAMESPACES,
  SKIP,
  STACK,
  UNBOUND,
  UNDO,
  UNUSUAL,
  UPDATE_NAMESPACE,
  WALL,
  XML_PREFIX,
  XMLNS_PREFIX,
} from './layout';

let nameCount: i32 = 0;
let prefixCount: i32 = 0;
/** a name found no room: all are forgotten before the next document */
let isCrowded: bool = false;
let tagNumber: i32 = 0;
// The document.
let end: usize = 0;
export let depth: i32 = 0;
let undoCount: i32 = 0;
let skipDepth: i32 = 0;
let rawDepth: i32 = 0;
let collectDepth: i32 = 0;
let previousName: usize = 0;
export let attributeCount: i32 = 0;
export let textFrom: usize = 0;
export let textTo: usize = 0;
export let textFlags: i32 = 0;
/** what a reference stands for */
export let referred: i32 = 0;

/**
 * Reads the document of `size` bytes, valid UTF-8, at `start`, and tells `startElement`, `endElement` and `endText` of it.
 *
 * @returns false if it is unusual, wrong included
 */
export function scan(start: usize, size: i32): bool {
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
      if (load<u8>(at) !== 0x3c) return false;
    } else if (rawDepth > 0) {
      at = findMarkup(at);
    } else {
      at = scanText(at);
      if (at === NOTHING) return false;
    }
    if (at >= end) return false;
    const code = load<u8>(at, 1);
    if (code === 0x2f) {
      at = readEndTag(at);
    } else if (code === 0x21) {
      at = collectDepth > 0 ? NOTHING : readComment(at);
    } else if (code === 0x3f) {
      return false;
    } else {
      if (depth === 0) {
        if (rootSeen) return false;
        rootSeen = true;
      }
      at = rawDepth > 0 ? readRawStartTag(at) : readStartTag(at);
    }
    if (at === NOTHING || at > end) return false;
  }
  return rootSeen;
}

function begin(): void {
  if (isCrowded || nameCount > MAX_NAMES - 256 || prefixCount > MAX_PREFIXES - 16) forgetNames();
  for (let i = 0; i < prefixCount; i++)
    store<i32>(PREFIX_TABLE + <usize>i * PREFIX_SIZE, UNBOUND, PREFIX_BINDING);
  store<i32>(NO_PREFIX, NO_NAMESPACE, PREFIX_BINDING);
  store<i32>(XML_PREFIX, OTHER_NAMESPACE, PREFIX_BINDING);
  depth = undoCount = skipDepth = rawDepth = collectDepth = 0;
  previousName = 0;
}

/** Once, before the first document. */
export function prepareNames(): void {
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
  isCrowded = false;
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

export function isSpace(code: u8): bool {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

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
export function readReference(at: usize): usize {
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
  const code = load<i32>(name, NAME_CODE);
  if (collectDepth === 0) {
    endElement(code, own);
    return true;
  }
  if (collectDepth !== own) return true;
  collectDepth = 0;
  return endText(code);
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
    const action = startElement(load<i32>(name, NAME_CODE), namespace);
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
    if (++steps === MAX_STEPS) return refuseName();
  }
  return nameCount === MAX_NAMES ? refuseName() : addName(at, length, hash, bucket);
}

function refuseName(): usize {
  isCrowded = true;
  return NOTHING;
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
  if (length > MAX_PREFIX_LENGTH) return NOTHING;
  return prefixCount === MAX_PREFIXES ? refuseName() : addPrefix(at, length);
}

function addPrefix(at: usize, length: i32): usize {
  const prefix = PREFIX_TABLE + <usize>prefixCount * PREFIX_SIZE;
  store<i32>(prefix, length, PREFIX_LENGTH);
  store<i32>(prefix, UNBOUND, PREFIX_BINDING);
  memory.copy(prefix + PREFIX_BYTES, at, length);
  prefixCount++;
  return prefix;
}
