/**
 * Writes cabinets as export packages need them: one MSZIP folder, real checksums, no reserve areas, and the same
 * bytes for the same input. What the sizes decide (every header but one field, the file table) is written first;
 * the cabinet's size is filled in at the end.
 */

import { WsusutilError } from '../../errors.js';
import { MAX_CAB_UNCOMPRESSED_SIZE } from '../../model/export-package.js';
import { groupDigits } from '../group-digits.js';
import {
  ATTRIBUTE_ARCHIVE,
  ATTRIBUTE_NAME_IS_UTF8,
  BLOCK_SIZE,
  CAB_SIGNATURE,
  CAB_VERSION_MAJOR,
  CAB_VERSION_MINOR,
  CABINET_SIZE_OFFSET,
  COMPRESSION_MSZIP,
  DATA_HEADER_SIZE,
  FILE_ENTRY_SIZE,
  FOLDER_ENTRY_SIZE,
  HEADER_SIZE,
  MAX_CABINET_SIZE,
  MAX_COMPRESSED_MSZIP_BLOCK_SIZE,
  MAX_MEMBER_COUNT,
  MAX_NAME_SIZE,
} from './constants.js';
import { checksumOfBlock } from './data-block.js';
import { toDosDateTime } from './dos-datetime.js';
import { compressMszipBlocks } from './mszip.js';

export { compressMszipBlocks } from './mszip.js';

export interface MemberToWrite {
  /** `/` separates; at most 255 bytes of UTF-8 */
  readonly name: string;
  /** bytes `chunks` will give, exactly */
  readonly size: number;
  /** written in UTC, as there is no zone; rounded down to two seconds, held to 1980–2107 */
  readonly modifiedAt: Date;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Where the cabinet goes. */
export interface CabinetSink {
  /** Appends. The bytes are not changed afterwards. */
  write(bytes: Uint8Array): Promise<void>;
  /** Overwrites bytes already written. */
  writeAt(position: number, bytes: Uint8Array): Promise<void>;
}

/**
 * Compresses a run of consecutive blocks, as `compressMszipBlocks` does.
 *
 * @param plain up to 1 MiB: full blocks of 32,768 bytes, but for the folder's last. The callee owns it and
 *   `dictionary` (both have an `ArrayBuffer` of their own), and may transfer them to another thread.
 * @param dictionary the plain block before, empty for the first run
 * @returns one CFDATA payload a block
 */
export type CompressBlocks = (
  plain: Uint8Array<ArrayBuffer>,
  dictionary: Uint8Array<ArrayBuffer>,
) => Promise<readonly Uint8Array[]> | readonly Uint8Array[];

export interface WriteOptions {
  /** Default: in this thread, zlib level 6. */
  readonly compressBlocks?: CompressBlocks | undefined;
  /** Runs compressed at the same time at most, each of 1 MiB. Default 8. */
  readonly maxRunsInFlight?: number | undefined;
}

const RUN_SIZE = 32 * BLOCK_SIZE;
const DEFAULT_MAX_RUNS_IN_FLIGHT = 8;

/**
 * @returns the size of the cabinet
 * @throws WsusutilError `CAB_TOO_LARGE`: before anything is written if the members are beyond what one folder
 *   holds (2,147,450,880 bytes), later if they compress so little that the cabinet would pass 2^31 − 1 bytes
 * @throws Error if a member gives fewer or more bytes than it said, or its name does not fit
 */
export async function writeCabinet(
  members: readonly MemberToWrite[],
  sink: CabinetSink,
  options: WriteOptions = {},
): Promise<{ readonly size: number }> {
  const compressBlocks = options.compressBlocks ?? compressMszipBlocks;
  const maxRunsInFlight = options.maxRunsInFlight ?? DEFAULT_MAX_RUNS_IN_FLIGHT;
  const directory = serializeDirectory(members);
  await sink.write(directory);
  let size = directory.length;

  const runs: Promise<readonly Uint8Array[]>[] = [];
  const plainSizes: number[] = [];
  const writeOldestRun = async (): Promise<void> => {
    const payloads = await (runs.shift() as Promise<readonly Uint8Array[]>);
    const blocks = serializeBlocks(payloads, plainSizes.shift() as number);
    size += blocks.length;
    if (size > MAX_CABINET_SIZE) throw tooLarge('The compressed cabinet', size, MAX_CABINET_SIZE);
    await sink.write(blocks);
  };
  try {
    let dictionary = new Uint8Array(0);
    for await (const plain of collectRuns(members)) {
      const nextDictionary = plain.slice(-BLOCK_SIZE); // before `plain` is given away
      plainSizes.push(plain.length);
      runs.push(startRun(compressBlocks, plain, dictionary));
      dictionary = nextDictionary;
      if (runs.length >= maxRunsInFlight) await writeOldestRun();
    }
    while (runs.length > 0) await writeOldestRun();
  } finally {
    await Promise.allSettled(runs); // after a failure nobody else waits for them
  }

  const sizeField = Buffer.alloc(4);
  sizeField.writeUInt32LE(size);
  await sink.writeAt(CABINET_SIZE_OFFSET, sizeField);
  return { size };
}

/** A promise whose failure is not "unhandled" while earlier runs are still being written. */
function startRun(
  compressBlocks: CompressBlocks,
  plain: Uint8Array<ArrayBuffer>,
  dictionary: Uint8Array<ArrayBuffer>,
): Promise<readonly Uint8Array[]> {
  const run = (async () => compressBlocks(plain, dictionary))();
  run.catch(() => {});
  return run;
}

/** Header, folder entry and file entries; the cabinet's size is left 0. */
function serializeDirectory(members: readonly MemberToWrite[]): Buffer {
  if (members.length === 0 || members.length > MAX_MEMBER_COUNT) {
    throw new Error(`a cabinet holds 1 to ${MAX_MEMBER_COUNT} members, not ${members.length}`);
  }
  const plainSize = members.reduce((sum, member) => sum + member.size, 0);
  if (plainSize > MAX_CAB_UNCOMPRESSED_SIZE) {
    throw tooLarge('The files for one cabinet together', plainSize, MAX_CAB_UNCOMPRESSED_SIZE);
  }
  const entries: Buffer[] = [];
  let folderOffset = 0;
  for (const member of members) {
    if (!Number.isSafeInteger(member.size) || member.size < 0) {
      throw new Error(`${member.name}: ${member.size} is no size`);
    }
    entries.push(serializeFileEntry(member, folderOffset));
    folderOffset += member.size;
  }
  const fileTableOffset = HEADER_SIZE + FOLDER_ENTRY_SIZE;
  const dataOffset = fileTableOffset + entries.reduce((sum, entry) => sum + entry.length, 0);

  const head = Buffer.alloc(fileTableOffset);
  head.writeUInt32LE(CAB_SIGNATURE, 0);
  head.writeUInt32LE(fileTableOffset, 16); // coffFiles
  head.writeUInt8(CAB_VERSION_MINOR, 24);
  head.writeUInt8(CAB_VERSION_MAJOR, 25);
  head.writeUInt16LE(1, 26); // cFolders
  head.writeUInt16LE(members.length, 28); // cFiles
  head.writeUInt32LE(dataOffset, HEADER_SIZE); // coffCabStart
  head.writeUInt16LE(Math.ceil(plainSize / BLOCK_SIZE), HEADER_SIZE + 4); // cCFData
  head.writeUInt16LE(COMPRESSION_MSZIP, HEADER_SIZE + 6); // typeCompress
  return Buffer.concat([head, ...entries]);
}

function serializeFileEntry(member: MemberToWrite, folderOffset: number): Buffer {
  const name = Buffer.from(member.name.replaceAll('/', '\\'), 'utf8');
  if (name.length === 0 || name.length > MAX_NAME_SIZE || name.includes(0)) {
    throw new Error(
      `${JSON.stringify(member.name)} cannot be a member's name: 1 to ${MAX_NAME_SIZE} bytes, no NUL`,
    );
  }
  const isAscii = name.every((byte) => byte < 0x80);
  const { date, time } = toDosDateTime(member.modifiedAt);
  const entry = Buffer.alloc(FILE_ENTRY_SIZE + name.length + 1);
  entry.writeUInt32LE(member.size, 0); // cbFile
  entry.writeUInt32LE(folderOffset, 4); // uoffFolderStart
  entry.writeUInt16LE(0, 8); // iFolder
  entry.writeUInt16LE(date, 10);
  entry.writeUInt16LE(time, 12);
  entry.writeUInt16LE(isAscii ? ATTRIBUTE_ARCHIVE : ATTRIBUTE_ARCHIVE | ATTRIBUTE_NAME_IS_UTF8, 14); // attribs
  name.copy(entry, FILE_ENTRY_SIZE); // szName
  return entry;
}

/** The members' bytes one after another, in buffers of 1 MiB (the last one smaller). Enforces their sizes. */
async function* collectRuns(members: readonly MemberToWrite[]): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let missingTotal = members.reduce((sum, member) => sum + member.size, 0);
  let run = new Uint8Array(Math.min(RUN_SIZE, missingTotal));
  let filled = 0;
  for (const member of members) {
    let missing = member.size;
    for await (const chunk of member.chunks) {
      if (chunk.length > missing) {
        throw new Error(`${member.name} gives more than the ${member.size} bytes it was announced with`);
      }
      missing -= chunk.length;
      let taken = 0;
      while (taken < chunk.length) {
        const piece = chunk.subarray(taken, taken + run.length - filled);
        run.set(piece, filled);
        taken += piece.length;
        filled += piece.length;
        if (filled === run.length) {
          missingTotal -= filled;
          yield run;
          run = new Uint8Array(Math.min(RUN_SIZE, missingTotal));
          filled = 0;
        }
      }
    }
    if (missing > 0) {
      throw new Error(`${member.name} gives ${member.size - missing} bytes, announced were ${member.size}`);
    }
  }
}

/** CFDATA headers and payloads of one run. */
function serializeBlocks(payloads: readonly Uint8Array[], plainSize: number): Buffer {
  if (payloads.length !== Math.ceil(plainSize / BLOCK_SIZE)) {
    throw new Error(`${plainSize} bytes were compressed to ${payloads.length} blocks`);
  }
  const headers = payloads.map((payload, index) => {
    if (payload.length > MAX_COMPRESSED_MSZIP_BLOCK_SIZE) {
      throw new Error(`a block was compressed to ${payload.length} bytes`);
    }
    const blockSize = Math.min(BLOCK_SIZE, plainSize - index * BLOCK_SIZE);
    const header = Buffer.alloc(DATA_HEADER_SIZE);
    header.writeUInt32LE(checksumOfBlock(payload, blockSize), 0); // csum
    header.writeUInt16LE(payload.length, 4); // cbData
    header.writeUInt16LE(blockSize, 6); // cbUncomp
    return header;
  });
  return Buffer.concat(payloads.flatMap((payload, index) => [headers[index] as Buffer, payload]));
}

function tooLarge(what: string, actual: number, limit: number): WsusutilError {
  return new WsusutilError(
    'CAB_TOO_LARGE',
    `${what}: ${groupDigits(actual)} bytes, a cabinet holds at most ${groupDigits(limit)}`,
    {
      hint: 'Export to a .xml.gz package instead, which has no such limit, or export less at once.',
      details: { actual, limit },
    },
  );
}
