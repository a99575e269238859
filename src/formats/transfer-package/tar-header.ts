/**
 * Headers of a tar file as transfer packages have them: ustar, with a pax header before it only where a size or a
 * name does not fit (POSIX.1-2017, pax: "ustar Interchange Format", "pax Extended Header").
 *
 * One header per name, size and time: a reader that knows these compares bytes and interprets nothing.
 */
import { createHash } from 'node:crypto';

export const BLOCK_SIZE = 512;
/** Two blocks of zeros end a tar file. */
export const TRAILER_SIZE = 2 * BLOCK_SIZE;
/** Most bytes that eleven octal digits can say: 8 GiB − 1. */
const MAX_OCTAL_SIZE = 8 ** 11 - 1;
const MODE = 0o644;

const NAME = { offset: 0, size: 100 };
const MODE_AT = 100;
const UID_AT = 108;
const GID_AT = 116;
const SIZE = { offset: 124, size: 12 };
const MTIME_AT = 136;
const CHECKSUM_AT = 148;
const TYPE_AT = 156;
const MAGIC = { offset: 257, bytes: Buffer.from('ustar\u000000', 'latin1') };
const DEVICE_MAJOR_AT = 329;
const DEVICE_MINOR_AT = 337;
const PREFIX = { offset: 345, size: 155 };

/** An entry that is a regular file. */
export interface TarFile {
  /** relative, with forward slashes */
  readonly name: string;
  /** bytes */
  readonly size: number;
  /** seconds since 1970 */
  readonly mtime: number;
}

/** Zeros behind an entry of `size` bytes, up to the next block. */
export function paddingOf(size: number): number {
  return (BLOCK_SIZE - (size % BLOCK_SIZE)) % BLOCK_SIZE;
}

/** Bytes {@link encodeTarHeader} gives for that name and size. */
export function tarHeaderSize(name: string, size: number): number {
  const records = paxRecords(name, size);
  if (records === '') return BLOCK_SIZE;
  const paxSize = Buffer.byteLength(records);
  return BLOCK_SIZE + paxSize + paddingOf(paxSize) + BLOCK_SIZE;
}

/** Bytes of a whole entry: header, content, padding. */
export function tarEntrySize(name: string, size: number): number {
  return tarHeaderSize(name, size) + size + paddingOf(size);
}

/** The header of a regular file: one block, or three and more where a pax header is needed. */
export function encodeTarHeader({ name, size, mtime }: TarFile): Buffer {
  const records = paxRecords(name, size);
  if (records === '') return encodeBlock(name, size, mtime, '0');
  const pax = Buffer.from(records);
  return Buffer.concat([
    encodeBlock('PaxHeader', pax.length, mtime, 'x'),
    pax,
    Buffer.alloc(paddingOf(pax.length)),
    encodeBlock(splitName(name) === undefined ? standIn(name) : name, size, mtime, '0'),
  ]);
}

function paxRecords(name: string, size: number): string {
  return (
    (splitName(name) === undefined ? paxRecord('path', name) : '') +
    (size > MAX_OCTAL_SIZE ? paxRecord('size', String(size)) : '')
  );
}

/** `<length> <key>=<value>\n`, where the length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const restSize = Buffer.byteLength(rest);
  let size = restSize + String(restSize).length;
  size = restSize + String(size).length;
  return `${size}${rest}`;
}

/** Name and prefix field; undefined where a name does not fit them or is more than ASCII. */
function splitName(name: string): { readonly prefix: string; readonly name: string } | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the whole range of ASCII
  if (!/^[\u0000-\u007f]*$/.test(name)) return undefined;
  if (name.length <= NAME.size) return { prefix: '', name };
  const slash = name.indexOf('/', name.length - NAME.size - 1);
  return slash > 0 && slash <= PREFIX.size && slash < name.length - 1
    ? { prefix: name.slice(0, slash), name: name.slice(slash + 1) }
    : undefined;
}

/** For readers that know no pax headers: a short name of its own, so that nothing is overwritten. */
function standIn(name: string): string {
  return `PaxName-${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
}

function encodeBlock(name: string, size: number, mtime: number, type: string): Buffer {
  const block = Buffer.alloc(BLOCK_SIZE);
  const split = splitName(name);
  if (split === undefined) throw new Error(`no tar name: ${name}`);
  block.write(split.name, NAME.offset, 'latin1');
  block.write(split.prefix, PREFIX.offset, 'latin1');
  writeOctal(block, MODE, MODE_AT, 6);
  writeOctal(block, 0, UID_AT, 6);
  writeOctal(block, 0, GID_AT, 6);
  if (size <= MAX_OCTAL_SIZE) {
    writeOctal(block, size, SIZE.offset, 11);
  } else {
    // Base 256, as GNU tar does, for readers that know no pax headers.
    block.writeUInt8(0x80, SIZE.offset);
    block.writeBigUInt64BE(BigInt(size), SIZE.offset + SIZE.size - 8);
  }
  writeOctal(block, mtime, MTIME_AT, 11);
  block.write(type, TYPE_AT, 'latin1');
  MAGIC.bytes.copy(block, MAGIC.offset);
  writeOctal(block, 0, DEVICE_MAJOR_AT, 6);
  writeOctal(block, 0, DEVICE_MINOR_AT, 6);
  writeOctal(block, checksumOf(block), CHECKSUM_AT, 6);
  return block;
}

function writeOctal(block: Buffer, value: number, offset: number, digits: number): void {
  block.write(`${value.toString(8).padStart(digits, '0')} `, offset, 'latin1');
}

/** Sum of all bytes, those of the checksum itself counted as blanks. */
function checksumOf(block: Uint8Array): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < BLOCK_SIZE; i++) {
    if (i < CHECKSUM_AT || i >= TYPE_AT) sum += block[i] as number;
  }
  return sum;
}

/** What a header block says, for messages about one that is not as it should be, and for the first of a file. */
export interface TarHeaderFacts {
  readonly isZero: boolean;
  readonly isChecksumRight: boolean;
  readonly name: string;
  /** bytes; undefined if the field is no octal number */
  readonly size: number | undefined;
  /** seconds since 1970; undefined if the field is no octal number */
  readonly mtime: number | undefined;
  /** in words, e.g. `symbolic link` */
  readonly type: string;
}

const TYPES: Readonly<Record<string, string>> = {
  '0': 'file',
  '\0': 'file',
  '1': 'hard link',
  '2': 'symbolic link',
  '3': 'character device',
  '4': 'block device',
  '5': 'directory',
  '6': 'pipe',
  '7': 'contiguous file',
  g: 'global pax header',
  x: 'pax header',
  K: 'GNU long link name',
  L: 'GNU long name',
  N: 'old GNU long name',
  S: 'GNU sparse file',
  V: 'volume label',
  M: 'continuation of a file on another tape',
};

/** @param block 512 bytes */
export function describeTarHeader(block: Buffer): TarHeaderFacts {
  const type = block.toString('latin1', TYPE_AT, TYPE_AT + 1);
  const prefix = textAt(block, PREFIX.offset, PREFIX.size);
  const name = textAt(block, NAME.offset, NAME.size);
  return {
    isZero: block.every((byte) => byte === 0),
    isChecksumRight: octalAt(block, CHECKSUM_AT, 8) === checksumOf(block),
    name: prefix === '' ? name : `${prefix}/${name}`,
    size: octalAt(block, SIZE.offset, SIZE.size),
    mtime: octalAt(block, MTIME_AT, 12),
    type: TYPES[type] ?? 'entry of an unknown type',
  };
}

function textAt(block: Buffer, offset: number, size: number): string {
  const end = block.indexOf(0, offset);
  return block.toString('utf8', offset, end < 0 || end > offset + size ? offset + size : end);
}

function octalAt(block: Buffer, offset: number, size: number): number | undefined {
  const match = /^ *([0-7]{1,11})[ \0]*$/.exec(block.toString('latin1', offset, offset + size));
  return match === null ? undefined : Number.parseInt(match[1] as string, 8);
}
