/**
 * Reads cabinets: stored, MSZIP and LZX, from a file as a stream or from memory at once. Sets of cabinets and
 * Quantum are refused by name.
 */
import type { ByteSource } from '../bytes.js';
import { BLOCK_SIZE } from './constants.js';
import { type CabinetDirectory, type DirectoryOptions, readDirectory } from './directory.js';
import { limitExceeded } from './errors.js';
import type { CabinetMember } from './file-entry.js';
import { type CabinetFolder, refuseCompression } from './folder.js';
import { FolderDecoder, MAX_BATCH_SIZE } from './folder-decoder.js';
import { type Reading, readFrom, readNow } from './reading.js';

export type { CabinetDirectory } from './directory.js';
export type { CabinetMember } from './file-entry.js';

/** An opened cabinet. `header.declaredSize` against `actualSize` tells a truncated or converted file. */
export interface Cabinet extends CabinetDirectory {
  readonly source: ByteSource;
}

export interface ReadOptions {
  /** Members to deliver; folders without any are not touched. Default: all. */
  readonly wanted?: ((member: CabinetMember) => boolean) | undefined;
  /** Most bytes the wanted members may declare together. Default: none when streaming, 256 MiB in memory. */
  readonly maxOutputSize?: number | undefined;
  /**
   * A run's bytes are valid only until the next one is asked for, those of a cabinet in memory until another one is
   * extracted. Default: they have memory of their own.
   */
  readonly reuseMemory?: boolean | undefined;
}

/** Some bytes of a member. A member's runs come in order; one of size 0 has a single empty run. */
export interface MemberRun {
  readonly member: CabinetMember;
  /** up to 256 KiB; not reused, unless `reuseMemory` was asked for */
  readonly bytes: Uint8Array;
  /** true for a member's last run */
  readonly isLast: boolean;
}

export interface ExtractedMember {
  readonly member: CabinetMember;
  readonly data: Uint8Array;
}

/** 65,535 blocks of 32 KiB: what one folder can hold, and so its members together. */
const MAX_FOLDER_SIZE = 65_535 * BLOCK_SIZE;
const DEFAULT_MAX_IN_MEMORY_SIZE = 256 * 1_048_576;

/**
 * Reads what the cabinet says it holds; no member is decoded yet.
 *
 * @throws WsusutilError `CAB_MALFORMED`, `CAB_TRUNCATED`, `CAB_SPANNED`
 */
export async function openCabinet(source: ByteSource, options: DirectoryOptions = {}): Promise<Cabinet> {
  const directory = await readFrom(source, readDirectory(source.size, options));
  return { ...directory, source };
}

/**
 * Streams the wanted members, folder by folder and in a folder by offset, decoding each folder once and only as
 * far as needed. Memory does not grow with their size. Members that share bytes, as no ordinary cabinet has them,
 * arrive interleaved.
 *
 * @throws WsusutilError `CAB_MALFORMED`, `CAB_TRUNCATED`, `CAB_CHECKSUM`, `CAB_COMPRESSION` where the damage lies:
 *   everything before it has been delivered; `LIMIT_EXCEEDED` before anything is
 */
export async function* readMembers(cabinet: Cabinet, options: ReadOptions = {}): AsyncGenerator<MemberRun> {
  const plans = planFolders(cabinet, options.wanted, options.maxOutputSize ?? Number.POSITIVE_INFINITY);
  let inputBudget = cabinet.actualSize;
  for (const plan of plans) {
    const splitter = new MemberSplitter(plan.members);
    yield* splitter.emptyMembers();
    if (plan.neededSize === 0) continue;
    const decoder = new FolderDecoder(cabinet, plan.folderIndex, plan.neededSize, inputBudget);
    try {
      for (;;) {
        const batch = await readFrom(cabinet.source, decoder.nextBatch(options.reuseMemory));
        if (batch === undefined) break;
        yield* splitter.split(batch);
      }
    } finally {
      decoder.close();
    }
    inputBudget -= decoder.inputSize;
  }
}

/**
 * Extracts the wanted members of a cabinet in memory, in the order of {@link readMembers}.
 *
 * @throws WsusutilError the codes of {@link openCabinet} and {@link readMembers}
 */
export function extractCabinet(
  bytes: Uint8Array,
  options: ReadOptions & DirectoryOptions = {},
): readonly ExtractedMember[] {
  return readNow(bytes, extractAll(bytes.length, options));
}

function* extractAll(
  actualSize: number,
  options: ReadOptions & DirectoryOptions,
): Reading<readonly ExtractedMember[]> {
  const directory = yield* readDirectory(actualSize, options);
  const plans = planFolders(directory, options.wanted, options.maxOutputSize ?? DEFAULT_MAX_IN_MEMORY_SIZE);
  const extracted: ExtractedMember[] = [];
  let inputBudget = actualSize;
  for (const plan of plans) {
    const splitter = new MemberSplitter(plan.members);
    for (const { member, bytes } of splitter.emptyMembers()) extracted.push({ member, data: bytes });
    if (plan.neededSize === 0) continue;
    const memory = options.reuseMemory === true && plans.length === 1 ? sharedMemory() : undefined;
    const decoder = new FolderDecoder(directory, plan.folderIndex, plan.neededSize, inputBudget, memory);
    try {
      yield* decoder.measure(); // the members' sizes are only words until the blocks add up to them
      const open = new Map<CabinetMember, { data: Uint8Array; filled: number }>();
      let given = 0;
      for (;;) {
        const batch = yield* decoder.nextBatch(memory !== undefined);
        if (batch === undefined) break;
        given += batch.length;
        const isOverwritten = memory !== undefined && given < plan.neededSize;
        for (const { member, bytes, isLast } of splitter.split(batch)) {
          let target = open.get(member);
          if (target === undefined) {
            const kept = isOverwritten ? bytes.slice() : memory === undefined ? ownBytes(bytes) : bytes;
            target = { data: isLast ? kept : new Uint8Array(member.size), filled: 0 };
            open.set(member, target);
            extracted.push({ member, data: target.data });
          }
          if (target.data.length > bytes.length) target.data.set(bytes, target.filled);
          target.filled += bytes.length;
        }
      }
    } finally {
      decoder.close();
    }
    inputBudget -= decoder.inputSize;
  }
  return extracted;
}

let shared: Uint8Array<ArrayBuffer> | undefined;

/** A catalogue comes as tens of thousands of small cabinets, one behind the other. */
function sharedMemory(): Uint8Array<ArrayBuffer> {
  shared ??= new Uint8Array(MAX_BATCH_SIZE);
  return shared;
}

/** A small part of a batch must not keep the whole batch in memory. */
function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes.length * 2 >= bytes.buffer.byteLength ? bytes : bytes.slice();
}

interface FolderPlan {
  readonly folderIndex: number;
  /** by offset, then as listed */
  readonly members: readonly CabinetMember[];
  /** end of the last member with bytes */
  readonly neededSize: number;
}

function planFolders(
  directory: CabinetDirectory,
  wanted: ((member: CabinetMember) => boolean) | undefined,
  maxOutputSize: number,
): readonly FolderPlan[] {
  const byFolder = new Map<number, CabinetMember[]>();
  for (const member of directory.members) {
    if (wanted !== undefined && !wanted(member)) continue;
    const members = byFolder.get(member.folderIndex);
    if (members === undefined) byFolder.set(member.folderIndex, [member]);
    else members.push(member);
  }
  let outputSize = 0;
  const plans: FolderPlan[] = [];
  for (const [folderIndex, members] of [...byFolder].sort(([a], [b]) => a - b)) {
    let folderOutputSize = 0;
    let neededSize = 0;
    for (const { size, folderOffset } of members) {
      folderOutputSize += size;
      if (size > 0) neededSize = Math.max(neededSize, folderOffset + size);
    }
    members.sort((a, b) => a.folderOffset - b.folderOffset);
    plans.push({ folderIndex, members, neededSize });
    const { compression, blockCount } = directory.folders[folderIndex] as CabinetFolder;
    // A folder that cannot be decoded is refused when its turn comes; it gives no output.
    if (refuseCompression(compression, folderIndex) !== undefined) continue;
    if (neededSize > blockCount * BLOCK_SIZE) continue;
    // Members may share bytes, but many that each cover the whole folder would multiply it.
    if (folderOutputSize > MAX_FOLDER_SIZE) {
      throw limitExceeded(`Files of folder ${folderIndex} together`, folderOutputSize, MAX_FOLDER_SIZE);
    }
    outputSize += folderOutputSize;
  }
  if (outputSize > maxOutputSize)
    throw limitExceeded('Files of the cabinet together', outputSize, maxOutputSize);
  return plans;
}

/** Cuts a folder's plain bytes into members. */
class MemberSplitter {
  readonly #members: readonly CabinetMember[];
  readonly #empty: readonly CabinetMember[];
  /** folder offset of the next batch */
  #offset = 0;
  /** members before this one have been delivered whole */
  #first = 0;

  constructor(members: readonly CabinetMember[]) {
    this.#members = members.filter(({ size }) => size > 0);
    this.#empty = members.filter(({ size }) => size === 0);
  }

  *emptyMembers(): Generator<MemberRun> {
    for (const member of this.#empty) yield { member, bytes: new Uint8Array(0), isLast: true };
  }

  *split(batch: Uint8Array): Generator<MemberRun> {
    const start = this.#offset;
    const end = start + batch.length;
    this.#offset = end;
    for (let index = this.#first; index < this.#members.length; index++) {
      const member = this.#members[index] as CabinetMember;
      const memberEnd = member.folderOffset + member.size;
      if (member.folderOffset >= end) break;
      if (memberEnd <= start) {
        if (index === this.#first) this.#first++;
        continue;
      }
      const bytes = batch.subarray(
        Math.max(0, member.folderOffset - start),
        Math.min(batch.length, memberEnd - start),
      );
      yield { member, bytes, isLast: memberEnd <= end };
    }
  }
}
