/** Characters as bytes in the memory, `from` … `to`: compared, counted as numbers and dates, written as JSON. */

// ---- Comparing

export function equals(from: usize, to: usize, text: string): bool {
  return to - from === <usize>text.length && startsWith(from, to, text);
}

export function startsWith(from: usize, to: usize, text: string): bool {
  if (to - from < <usize>text.length) return false;
  for (let i = 0; i < text.length; i++) if (load<u8>(from + i) !== text.charCodeAt(i)) return false;
  return true;
}

/** @returns −1: it is none of them */
export function indexIn(texts: StaticArray<string>, from: usize, to: usize): i32 {
  for (let i = 0; i < texts.length; i++) if (equals(from, to, texts[i])) return i;
  return -1;
}

export function lowerCase(code: u8): u8 {
  return code >= 0x41 && code <= 0x5a ? code | 0x20 : code;
}

export function equalsInAnyCase(a: usize, aEnd: usize, b: usize, bEnd: usize): bool {
  if (aEnd - a !== bEnd - b) return false;
  for (let i: usize = 0; i < aEnd - a; i++)
    if (lowerCase(load<u8>(a + i)) !== lowerCase(load<u8>(b + i))) return false;
  return true;
}

export function isSame(a: usize, aEnd: usize, b: usize, bEnd: usize): bool {
  return aEnd - a === bEnd - b && memory.compare(a, b, aEnd - a) === 0;
}

export function writeUtf8(at: usize, code: i32): usize {
  if (code < 0x80) return writeByte(at, <u8>code);
  let to = at;
  if (code < 0x800) to = writeByte(to, <u8>(0xc0 | (code >> 6)));
  else {
    if (code < 0x10000) to = writeByte(to, <u8>(0xe0 | (code >> 12)));
    else {
      to = writeByte(to, <u8>(0xf0 | (code >> 18)));
      to = writeByte(to, <u8>(0x80 | ((code >> 12) & 0x3f)));
    }
    to = writeByte(to, <u8>(0x80 | ((code >> 6) & 0x3f)));
  }
  return writeByte(to, <u8>(0x80 | (code & 0x3f)));
}

// ---- Writing

export function writeByte(at: usize, code: u8): usize {
  store<u8>(at, code);
  return at + 1;
}

export function writeText(at: usize, text: string): usize {
  for (let i = 0; i < text.length; i++) store<u8>(at + i, <u8>text.charCodeAt(i));
  return at + text.length;
}

export function writeNumber(at: usize, value: i64): usize {
  let to = at;
  let rest: u64 = <u64>value;
  if (value < 0) {
    to = writeByte(to, 0x2d);
    rest = <u64>-value;
  }
  let length = 1;
  for (let each = rest; each >= 10; each /= 10) length++;
  for (let i = length - 1; i >= 0; i--) {
    store<u8>(to + i, <u8>(0x30 + (rest % 10)));
    rest /= 10;
  }
  return to + length;
}

export function writeString(at: usize, from: usize, to: usize): usize {
  return writeByte(writeCharacters(writeByte(at, 0x22), from, to), 0x22);
}

/** UTF-8 → JSON in a byte per character. */
export function writeCharacters(at: usize, from: usize, to: usize): usize {
  let out = at;
  for (let next = from; next < to; ) {
    const code = load<u8>(next);
    if (code < 0x80) {
      out = writeAscii(out, code);
      next++;
    } else if (code < 0xe0) {
      const value = ((<i32>code & 0x1f) << 6) | (load<u8>(next, 1) & 0x3f);
      out = value < 0x100 ? writeByte(out, <u8>value) : writeEscape(out, value);
      next += 2;
    } else if (code < 0xf0) {
      const value =
        ((<i32>code & 0x0f) << 12) | ((load<u8>(next, 1) & 0x3f) << 6) | (load<u8>(next, 2) & 0x3f);
      out = writeEscape(out, value);
      next += 3;
    } else {
      const value =
        ((<i32>code & 0x07) << 18) |
        ((<i32>load<u8>(next, 1) & 0x3f) << 12) |
        ((<i32>load<u8>(next, 2) & 0x3f) << 6) |
        (load<u8>(next, 3) & 0x3f);
      out = writeEscape(out, 0xd800 + ((value - 0x10000) >> 10));
      out = writeEscape(out, 0xdc00 + ((value - 0x10000) & 0x3ff));
      next += 4;
    }
  }
  return out;
}

export function writeAscii(at: usize, code: u8): usize {
  if (code >= 0x20 && code !== 0x22 && code !== 0x5c) return writeByte(at, code);
  const out = writeByte(at, 0x5c);
  if (code === 0x09) return writeByte(out, 0x74);
  if (code === 0x0a) return writeByte(out, 0x6e);
  if (code === 0x0d) return writeByte(out, 0x72);
  return writeByte(out, code);
}

export function writeEscape(at: usize, value: i32): usize {
  let out = writeByte(writeByte(at, 0x5c), 0x75);
  for (let shift = 12; shift >= 0; shift -= 4) {
    const digit = (value >> shift) & 0x0f;
    out = writeByte(out, <u8>(digit < 10 ? 0x30 + digit : 0x57 + digit));
  }
  return out;
}

export function writeWideString(at: usize, from: usize, to: usize): usize {
  let out = writeByte(at, 0x22);
  for (let next = from; next < to; next++) {
    const code = load<u8>(next);
    out = code < 0x80 ? writeAscii(out, code) : writeByte(out, code);
  }
  return writeByte(out, 0x22);
}

export function copyPart(at: usize, from: usize, to: usize): usize {
  memory.copy(at, from, to - from);
  return at + (to - from);
}

export function digits(at: usize, count: i32): i32 {
  let value: i32 = 0;
  for (let i = 0; i < count; i++) {
    const digit = <i32>load<u8>(at + i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

export function daysOf(year: i32, month: i32): i32 {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Of the Gregorian calendar, in eras of 400 years that begin in March. */
export function daysSince1970(year: i32, month: i32, day: i32): i64 {
  const shifted = month <= 2 ? year - 1 : year;
  const era = (shifted >= 0 ? shifted : shifted - 399) / 400;
  const yearOfEra = shifted - era * 400;
  const dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear;
  return <i64>era * 146097 + dayOfEra - 719468;
}
