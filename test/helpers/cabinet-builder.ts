/** Builds cabinets byte by byte, good and bad ones, without help from src/. */
import { deflateRawSync } from 'node:zlib';
import { encodeLzx, type LzxOptions } from './lzx-encoder.js';

export interface BlockSpec {
  readonly payload: Uint8Array;
  /** `cbUncomp` */
  readonly plainSize: number;
  /** default: the right one */
  readonly checksum?: number;
}

export interface FolderSpec {
  /** `typeCompress` */
  readonly type: number;
  readonly blocks: readonly BlockSpec[];
}

export interface MemberSpec {
  readonly name: string | Uint8Array;
  readonly size: number;
  readonly folder?: number;
  readonly offset?: number;
  readonly attributes?: number;
  readonly date?: number;
  readonly time?: number;
}

export interface CabinetSpec {
  readonly folders: readonly FolderSpec[];
  readonly members: readonly MemberSpec[];
  readonly reserve?: { readonly header: number; readonly folder: number; readonly block: number };
  /** whether checksums cover the block reserve; writers disagree */
  readonly checksumCoversReserve?: boolean;
  readonly previous?: string;
  readonly next?: string;
  /** put the file table behind the data */
  readonly tableLast?: boolean;
}

/** [MS-CAB] 3.1, slow and literal. */
export function referenceChecksum(bytes: Uint8Array): number {
  let sum = 0;
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    sum ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  }
  let rest = 0;
  for (; at < bytes.length; at++) rest = rest * 256 + bytes[at]!;
  return (sum ^ rest) >>> 0;
}

export function buildCabinet(spec: CabinetSpec): Buffer {
  const reserve = spec.reserve ?? { header: 0, folder: 0, block: 0 };
  const flags =
    (spec.previous === undefined ? 0 : 1) |
    (spec.next === undefined ? 0 : 2) |
    (spec.reserve === undefined ? 0 : 4);
  const header = Buffer.alloc(36);
  header.write('MSCF', 0, 'latin1');
  header.writeUInt8(3, 24);
  header.writeUInt8(1, 25);
  header.writeUInt16LE(spec.folders.length, 26);
  header.writeUInt16LE(spec.members.length, 28);
  header.writeUInt16LE(flags, 30);
  const optional: Buffer[] = [];
  if (spec.reserve !== undefined) {
    const sizes = Buffer.alloc(4);
    sizes.writeUInt16LE(reserve.header, 0);
    sizes.writeUInt8(reserve.folder, 2);
    sizes.writeUInt8(reserve.block, 3);
    optional.push(sizes, Buffer.alloc(reserve.header, 0x52));
  }
  if (spec.previous !== undefined) optional.push(Buffer.from(`${spec.previous}\0disk\0`));
  if (spec.next !== undefined) optional.push(Buffer.from(`${spec.next}\0disk\0`));

  const files = Buffer.concat(spec.members.map(fileEntry));
  const folderData = spec.folders.map(({ blocks }) =>
    Buffer.concat(
      blocks.map(({ payload, plainSize, checksum }) => {
        const head = Buffer.alloc(8 + reserve.block, 0x42);
        head.writeUInt16LE(payload.length, 4);
        head.writeUInt16LE(plainSize, 6);
        const covered = head.subarray(4, spec.checksumCoversReserve === true ? undefined : 8);
        const right = (referenceChecksum(payload) ^ referenceChecksum(covered)) >>> 0;
        head.writeUInt32LE(checksum ?? right, 0);
        return Buffer.concat([head, payload]);
      }),
    ),
  );
  const dataSize = folderData.reduce((sum, data) => sum + data.length, 0);
  const tablesStart =
    36 + optional.reduce((sum, part) => sum + part.length, 0) + spec.folders.length * (8 + reserve.folder);
  const filesStart = spec.tableLast === true ? tablesStart + dataSize : tablesStart;
  let dataStart = spec.tableLast === true ? tablesStart : tablesStart + files.length;
  const folders = spec.folders.map(({ type, blocks }, index) => {
    const entry = Buffer.alloc(8 + reserve.folder, 0x46);
    entry.writeUInt32LE(dataStart, 0);
    entry.writeUInt16LE(blocks.length, 4);
    entry.writeUInt16LE(type, 6);
    dataStart += folderData[index]!.length;
    return entry;
  });
  header.writeUInt32LE(filesStart, 16);
  header.writeUInt32LE(tablesStart + files.length + dataSize, 8);
  const head = [header, ...optional, ...folders];
  return Buffer.concat(
    spec.tableLast === true ? [...head, ...folderData, files] : [...head, files, ...folderData],
  );
}

function fileEntry(member: MemberSpec): Buffer {
  const entry = Buffer.alloc(16);
  entry.writeUInt32LE(member.size, 0);
  entry.writeUInt32LE(member.offset ?? 0, 4);
  entry.writeUInt16LE(member.folder ?? 0, 8);
  entry.writeUInt16LE(member.date ?? 0x5c22, 10);
  entry.writeUInt16LE(member.time ?? 0x1883, 12);
  entry.writeUInt16LE(member.attributes ?? 0x20, 14);
  return Buffer.concat([entry, Buffer.from(member.name as string), Buffer.of(0)]);
}

export function splitBlocks(plain: Uint8Array): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < plain.length; at += 32_768) blocks.push(plain.subarray(at, at + 32_768));
  return blocks;
}

export function storedFolder(plain: Uint8Array): FolderSpec {
  return { type: 0, blocks: splitBlocks(plain).map((payload) => ({ payload, plainSize: payload.length })) };
}

export function mszipFolder(plain: Uint8Array): FolderSpec {
  const plains = splitBlocks(plain);
  return {
    type: 1,
    blocks: plains.map((block, index) => {
      const dictionary = plains[index - 1];
      const deflated = deflateRawSync(block, dictionary === undefined ? {} : { dictionary });
      return { payload: Buffer.concat([Buffer.from('CK'), deflated]), plainSize: block.length };
    }),
  };
}

export function lzxFolder(plain: Uint8Array, options: LzxOptions): FolderSpec {
  const plains = splitBlocks(plain);
  return {
    type: 3 | (options.windowBits << 8),
    blocks: encodeLzx(plain, options).map((payload, index) => ({
      payload,
      plainSize: plains[index]!.length,
    })),
  };
}
