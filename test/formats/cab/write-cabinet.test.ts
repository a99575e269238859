import { describe, expect, test } from 'vitest';
import { byteSourceOf } from '../../../src/formats/bytes.js';
import { extractCabinet, openCabinet } from '../../../src/formats/cab/read-cabinet.js';
import {
  compressMszipBlocks,
  type WriteOptions,
  writeCabinet,
} from '../../../src/formats/cab/write-cabinet.js';
import { MAX_CAB_UNCOMPRESSED_SIZE } from '../../../src/model/export-package.js';
import { chunked, type PlainMember, recordingSink, writeToMemory } from '../../helpers/cabinet-writing.js';
import { fc } from '../../helpers/properties.js';
import { randomText, seededRandom } from '../../helpers/seeded-random.js';

const NOON = new Date('2026-01-02T12:00:00Z');
const MEMBERS: readonly PlainMember[] = [
  { name: 'package.xml', data: randomText(seededRandom(1), 70_000) },
  { name: 'metadata.txt', data: randomText(seededRandom(2), 3_000_000) },
];

describe('a cabinet written', () => {
  test('reads back as what was given', async () => {
    const extracted = extractCabinet(await writeToMemory(MEMBERS));
    expect(extracted.map(({ member }) => [member.name, member.size, member.attributes])).toEqual([
      ['package.xml', 70_000, 0x20],
      ['metadata.txt', 3_000_000, 0x20],
    ]);
    for (const [index, { data }] of MEMBERS.entries()) {
      expect(Buffer.compare(extracted[index]!.data, data)).toBe(0);
    }
  });

  test('has the size it says, one MSZIP folder, no reserve, and no block without a checksum', async () => {
    const bytes = await writeToMemory(MEMBERS);
    const { header, actualSize, folders, members } = await openCabinet(byteSourceOf(bytes));
    expect(header).toMatchObject({
      declaredSize: actualSize,
      flags: 0,
      headerReserveSize: 0,
      blockReserveSize: 0,
    });
    expect(folders).toEqual([
      {
        dataOffset: expect.any(Number),
        blockCount: Math.ceil(3_070_000 / 32_768),
        compression: { method: 'mszip' },
      },
    ]);
    expect(members.map(({ folderOffset }) => folderOffset)).toEqual([0, 70_000]);
    let at = folders[0]!.dataOffset;
    for (let block = 0; block < folders[0]!.blockCount; block++) {
      expect(bytes.readUInt32LE(at)).not.toBe(0);
      at += 8 + bytes.readUInt16LE(at + 4);
    }
    expect(at).toBe(bytes.length);
  });

  test('has the given time, in UTC', async () => {
    const bytes = await writeToMemory(
      [{ name: 'a', data: Buffer.from('x') }],
      new Date('2026-01-02T03:04:07Z'),
    );
    expect(extractCabinet(bytes)[0]!.member.modifiedAt).toEqual(new Date('2026-01-02T03:04:06Z'));
  });

  test('is the same, byte for byte, however the members arrive', async () => {
    const once = await writeToMemory(MEMBERS);
    for (const chunkSize of [1_000, 32_768, 1_048_576, 5_000_000]) {
      expect((await writeToMemory(MEMBERS, NOON, {}, chunkSize)).equals(once)).toBe(true);
    }
  });

  test('is the same when its runs are compressed elsewhere and finish out of order', async () => {
    let running = 0;
    let mostRunning = 0;
    const starts: number[] = [];
    const compressBlocks: WriteOptions['compressBlocks'] = async (plain, dictionary) => {
      mostRunning = Math.max(mostRunning, ++running);
      starts.push(dictionary.length);
      // Moved away, as to a worker thread: the writer must not need them any more.
      const moved = structuredClone({ plain, dictionary }, { transfer: [plain.buffer, dictionary.buffer] });
      for (let turn = 20 - starts.length * 5; turn > 0; turn--)
        await new Promise((done) => setImmediate(done));
      running--;
      return compressMszipBlocks(moved.plain, moved.dictionary);
    };
    const elsewhere = await writeToMemory(MEMBERS, NOON, { compressBlocks, maxRunsInFlight: 2 });
    expect(elsewhere.equals(await writeToMemory(MEMBERS))).toBe(true);
    expect(mostRunning).toBe(2);
    expect(starts).toEqual([0, 32_768, 32_768]);
  });

  test('may hold nothing but empty members', async () => {
    const bytes = await writeToMemory([
      { name: 'empty', data: new Uint8Array(0) },
      { name: 'also', data: new Uint8Array(0) },
    ]);
    expect(extractCabinet(bytes).map(({ member, data }) => [member.name, data.length])).toEqual([
      ['empty', 0],
      ['also', 0],
    ]);
  });

  test('holds bytes that do not compress', async () => {
    const data = seededRandom(3).bytes(200_000);
    const bytes = await writeToMemory([{ name: 'noise', data }]);
    expect(Buffer.compare(extractCabinet(bytes)[0]!.data, data)).toBe(0);
    expect(bytes.length).toBeLessThan(200_000 + 7 * 20 + 100);
  });

  test('keeps names with folders and letters of any script', async () => {
    const bytes = await writeToMemory([{ name: 'ordner/größe-ж.txt', data: Buffer.from('x') }]);
    expect(extractCabinet(bytes)[0]!.member).toMatchObject({ name: 'ordner/größe-ж.txt', attributes: 0xa0 });
  });
});

test('any members, in any pieces, come back', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          name: fc.stringMatching(/^[a-zA-Zäß0-9_.-]{1,40}$/).filter((name) => name !== '..'),
          unit: fc.uint8Array({ maxLength: 500 }),
          repeats: fc.nat(300),
        }),
        { minLength: 1, maxLength: 6 },
      ),
      fc.integer({ min: 1, max: 70_000 }),
      async (specs, chunkSize) => {
        const members = specs.map(({ name, unit, repeats }) => ({
          name,
          data: Buffer.concat(Array.from({ length: repeats }, () => unit)),
        }));
        const extracted = extractCabinet(await writeToMemory(members, NOON, {}, Math.max(chunkSize, 100)));
        // Empty members come first in their folder; the others in order.
        const inOrder = [...members].sort((a, b) => Number(a.data.length > 0) - Number(b.data.length > 0));
        expect(extracted.map(({ member }) => member.name)).toEqual(inOrder.map(({ name }) => name));
        for (const [index, { data }] of inOrder.entries()) {
          expect(Buffer.compare(extracted[index]!.data, data)).toBe(0);
        }
      },
    ),
    { numRuns: 60 },
  );
});

describe('refusals', () => {
  const never = {
    async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
      yield await Promise.reject(new Error('must not be read'));
    },
  };

  test('members beyond what a folder holds are refused before anything is written or read', async () => {
    const sink = recordingSink();
    const half = MAX_CAB_UNCOMPRESSED_SIZE / 2;
    const members = [half, half + 1].map((size, index) => ({
      name: `m${index}`,
      size,
      modifiedAt: NOON,
      chunks: never,
    }));
    await expect(writeCabinet(members, sink)).rejects.toThrow(
      expect.objectContaining({
        code: 'CAB_TOO_LARGE',
        message: expect.stringContaining('2,147,450,881 bytes'),
      }),
    );
    expect(sink.bytes()).toHaveLength(0);
  });

  test('a cabinet that passes 2^31 − 1 bytes is refused', async () => {
    // Payloads of the largest allowed size for a full folder come to more; the sink forgets them.
    const zeros = new Uint8Array(1_048_576);
    const payload = new Uint8Array(32_780);
    let written = 0;
    const sink = {
      write: (bytes: Uint8Array) => {
        written += bytes.length;
        return Promise.resolve();
      },
      writeAt: () => Promise.reject(new Error('must not get so far')),
    };
    const size = MAX_CAB_UNCOMPRESSED_SIZE;
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (let left = size; left > 0; left -= zeros.length) yield zeros.subarray(0, left);
    }
    const compressBlocks = (plain: Uint8Array) =>
      Array.from({ length: Math.ceil(plain.length / 32_768) }, () => payload);
    await expect(
      writeCabinet([{ name: 'large', size, modifiedAt: NOON, chunks: chunks() }], sink, { compressBlocks }),
    ).rejects.toThrow(expect.objectContaining({ code: 'CAB_TOO_LARGE' }));
    expect(written).toBeLessThan(2 ** 31);
  });

  test.each([
    [10, 11, /a gives 10 bytes, announced were 11/],
    [10, 9, /a gives more than the 9 bytes/],
  ])('a member of %i bytes announced with %i is refused', async (actual, announced, message) => {
    const member = {
      name: 'a',
      size: announced,
      modifiedAt: NOON,
      chunks: chunked(new Uint8Array(actual), 4),
    };
    await expect(writeCabinet([member], recordingSink())).rejects.toThrow(message);
  });

  test('an error of a member or of the compressor comes through, with runs in flight', async () => {
    async function* breaking(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(3_000_000);
      throw new Error('the disk is gone');
    }
    const member = { name: 'a', size: 4_000_000, modifiedAt: NOON, chunks: breaking() };
    await expect(writeCabinet([member], recordingSink())).rejects.toThrow('the disk is gone');
    const compressBlocks = () => Promise.reject(new Error('the worker is gone'));
    await expect(writeToMemory(MEMBERS, NOON, { compressBlocks })).rejects.toThrow('the worker is gone');
  });

  test('a compressor that answers wrongly is found out', async () => {
    await expect(writeToMemory(MEMBERS, NOON, { compressBlocks: () => [] })).rejects.toThrow('to 0 blocks');
    const compressBlocks = () => Array.from({ length: 32 }, () => new Uint8Array(32_781));
    await expect(writeToMemory(MEMBERS, NOON, { compressBlocks })).rejects.toThrow('32781 bytes');
  });

  test.each(['', 'n'.repeat(256), 'ж'.repeat(128), 'a\0b'])('the name "%s" is refused', async (name) => {
    await expect(writeToMemory([{ name, data: new Uint8Array(1) }])).rejects.toThrow(
      /cannot be a member's name/,
    );
  });

  test('a cabinet without members is refused', async () => {
    await expect(writeToMemory([])).rejects.toThrow('1 to 65535 members');
  });
});
