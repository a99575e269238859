import { describe, expect, test } from 'vitest';
import { isWsusutilError, WsusutilError } from '../../../src/errors.js';
import { type ByteSource, byteSourceOf } from '../../../src/formats/bytes.js';
import { giveBackMszipDecoder, takeMszipDecoder } from '../../../src/formats/cab/mszip.js';
import {
  type CabinetMember,
  extractCabinet,
  openCabinet,
  readMembers,
} from '../../../src/formats/cab/read-cabinet.js';
import {
  buildCabinet,
  type CabinetSpec,
  type FolderSpec,
  lzxFolder,
  mszipFolder,
  storedFolder,
} from '../../helpers/cabinet-builder.js';
import { collectGarbage } from '../../helpers/collect-garbage.js';
import { fc } from '../../helpers/properties.js';
import { randomText, seededRandom } from '../../helpers/seeded-random.js';

/** package-formats 6.4: one stored member, 85 bytes. */
const WORKED_EXAMPLE = Buffer.from(
  '4d534346000000005500000000000000' +
    '2c000000000000000301010001000000' +
    '000000004200000001000000' +
    '0b0000000000000000 00 225c83182000612e74787400'.replaceAll(' ', '') +
    '062b260f0b000b0068656c6c6f2c206361620a',
  'hex',
);

const TEXT = randomText(seededRandom(1), 100_000);

/** As `toEqual`, but quick on large arrays and the same for buffers. */
function expectBytes(actual: Uint8Array | undefined, expected: Uint8Array): void {
  expect(actual).toHaveLength(expected.length);
  expect(Buffer.compare(actual as Uint8Array, expected)).toBe(0);
}

function thrownBy(action: () => unknown): WsusutilError {
  try {
    action();
  } catch (error) {
    if (error instanceof WsusutilError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

async function streamAll(source: ByteSource): Promise<Map<string, Buffer>> {
  const members = new Map<string, Buffer[]>();
  for await (const { member, bytes } of readMembers(await openCabinet(source))) {
    const runs = members.get(member.name) ?? [];
    runs.push(Buffer.from(bytes));
    members.set(member.name, runs);
  }
  return new Map([...members].map(([name, runs]) => [name, Buffer.concat(runs)]));
}

/** A source that gives one byte a read, as a hostile or very slow file could. */
function oneByteAtATime(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: (position, length) => Promise.resolve(bytes.subarray(position, position + Math.min(1, length))),
  };
}

function oneMember(folder: FolderSpec, spec: Partial<CabinetSpec> = {}): Buffer {
  const size = folder.blocks.reduce((sum, { plainSize }) => sum + plainSize, 0);
  return buildCabinet({ folders: [folder], members: [{ name: 'a.txt', size }], ...spec });
}

const METHODS = [
  ['stored', storedFolder(TEXT)],
  ['MSZIP', mszipFolder(TEXT)],
  ['LZX', lzxFolder(TEXT, { windowBits: 16 })],
] as const;

test('reads the worked example of the format description', () => {
  expect(WORKED_EXAMPLE).toHaveLength(85);
  const [only] = extractCabinet(WORKED_EXAMPLE);
  expect(Buffer.from(only!.data).toString()).toBe('hello, cab\n');
  expect(only!.member).toEqual({
    name: 'a.txt',
    size: 11,
    modifiedAt: new Date('2026-01-02T03:04:06Z'),
    attributes: 0x20,
    folderIndex: 0,
    folderOffset: 0,
  });
});

describe.each(METHODS)('a folder that is %s', (_name, folder) => {
  const cabinet = oneMember(folder);

  test('gives its members, at once and as a stream', async () => {
    expectBytes(extractCabinet(cabinet)[0]!.data, TEXT);
    expectBytes((await streamAll(byteSourceOf(cabinet))).get('a.txt'), TEXT);
  });

  test('gives them from a source that answers one byte at a time', async () => {
    expectBytes((await streamAll(oneByteAtATime(cabinet))).get('a.txt'), TEXT);
  });

  test('is refused as truncated wherever the file ends', () => {
    for (let size = 0; size < cabinet.length; size += size < 200 ? 1 : 997) {
      const { code } = thrownBy(() => extractCabinet(cabinet.subarray(0, size)));
      expect(code).toBe('CAB_TRUNCATED');
    }
    expect(thrownBy(() => extractCabinet(cabinet.subarray(0, -1))).code).toBe('CAB_TRUNCATED');
  });

  test('is refused by its checksum, naming the block, for a changed byte', () => {
    const damaged = Buffer.from(cabinet);
    damaged[damaged.length - 3]! ^= 4;
    const { code, message } = thrownBy(() => extractCabinet(damaged));
    expect(code).toBe('CAB_CHECKSUM');
    expect(message).toMatch(
      /^Block 3 of folder 0 \(CFDATA at offset \d+\): checksum [0-9a-f]{8}, the block says/,
    );
  });

  test('is accepted with checksums of 0, which mean none', () => {
    const blocks = folder.blocks.map((block) => ({ ...block, checksum: 0 }));
    expectBytes(extractCabinet(oneMember({ ...folder, blocks }))[0]!.data, TEXT);
  });

  test.each([true, false])('is read with reserve areas everywhere, checksum covering them: %s', (covers) => {
    const reserve = { header: 6_144, folder: 50, block: 10 };
    const withReserve = oneMember(folder, { reserve, checksumCoversReserve: covers });
    expectBytes(extractCabinet(withReserve)[0]!.data, TEXT);
  });

  test('is read with the file table behind the data', () => {
    expectBytes(extractCabinet(oneMember(folder, { tableLast: true }))[0]!.data, TEXT);
  });

  test('is decoded no further than the last wanted byte', () => {
    const blocks = folder.blocks.map((block, index) => (index < 2 ? block : { ...block, checksum: 1 }));
    const cut = buildCabinet({
      folders: [{ ...folder, blocks }],
      members: [
        { name: 'near', size: 40_000, offset: 10_000 },
        { name: 'far', size: 40_000, offset: 50_000 },
      ],
    });
    const [near] = extractCabinet(cut, { wanted: ({ name }) => name === 'near' });
    expect(near!.data).toEqual(new Uint8Array(TEXT.subarray(10_000, 50_000)));
    expect(thrownBy(() => extractCabinet(cut)).code).toBe('CAB_CHECKSUM');
  });
});

describe('members', () => {
  test('of several folders come folder by folder, each decoded once', async () => {
    const folders = METHODS.map(([, folder]) => folder);
    const cabinet = buildCabinet({
      folders,
      members: [
        { name: 'lzx', size: 60_000, folder: 2, offset: 40_000 },
        { name: 'stored', size: 100_000, folder: 0 },
        { name: 'mszip-2', size: 50_000, folder: 1, offset: 50_000 },
        { name: 'mszip-1', size: 50_000, folder: 1 },
      ],
    });
    const members = await streamAll(byteSourceOf(cabinet));
    expect([...members.keys()]).toEqual(['stored', 'mszip-1', 'mszip-2', 'lzx']);
    expectBytes(members.get('mszip-2'), TEXT.subarray(50_000));
    expectBytes(members.get('lzx'), TEXT.subarray(40_000));
  });

  test('may be empty, share bytes, and leave gaps', async () => {
    const cabinet = buildCabinet({
      folders: [storedFolder(TEXT)],
      members: [
        { name: 'whole', size: 100_000 },
        { name: 'part', size: 10, offset: 65_530 },
        { name: 'empty', size: 0, offset: 5 },
        { name: 'empty far away', size: 0, offset: 0xffffffff },
      ],
    });
    const members = await streamAll(byteSourceOf(cabinet));
    expectBytes(members.get('whole'), TEXT);
    expectBytes(members.get('part'), TEXT.subarray(65_530, 65_540));
    expect(members.get('empty')).toHaveLength(0);
    expect(extractCabinet(cabinet)).toHaveLength(4);
  });

  test('say when their last run has come', async () => {
    const cabinet = oneMember(mszipFolder(randomText(seededRandom(3), 400_000)));
    const runs = [];
    for await (const run of readMembers(await openCabinet(byteSourceOf(cabinet)))) runs.push(run);
    expect(runs.map(({ bytes, isLast }) => [bytes.length, isLast])).toEqual([
      [262_144, false],
      [137_856, true],
    ]);
  });

  test('that are not wanted leave their folder untouched', () => {
    const broken = { ...mszipFolder(TEXT), type: 2 };
    const cabinet = buildCabinet({
      folders: [broken, mszipFolder(TEXT)],
      members: [
        { name: 'quantum', size: 5, folder: 0 },
        { name: 'good', size: 100_000, folder: 1 },
      ],
    });
    expect(extractCabinet(cabinet, { wanted: ({ name }) => name === 'good' })).toHaveLength(1);
  });

  test('are the same in memory that is used again, whatever their number and size', () => {
    const text = randomText(seededRandom(8), 700_000);
    const folders = [storedFolder, mszipFolder, (plain: Uint8Array) => lzxFolder(plain, { windowBits: 17 })];
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 700_000 }),
        fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 4 }),
        fc.nat(2),
        (size, places, method) => {
          const plain = text.subarray(0, size);
          const members = places.map(([from, length], index) => {
            const offset = from % size;
            return { name: `m${index}`, offset, size: Math.min(size - offset, (length % size) + 1) };
          });
          const cabinet = buildCabinet({ folders: [folders[method]!(plain)], members });
          for (const { member, data } of extractCabinet(cabinet, { reuseMemory: true })) {
            const { offset, size: length } = members.find(({ name }) => name === member.name)!;
            expectBytes(data, plain.subarray(offset, offset + length));
          }
        },
      ),
      { numRuns: 40 },
    );
  }, 30_000);

  test('hold no more memory than their own bytes when extracted from a large batch', () => {
    const cabinet = buildCabinet({
      folders: [storedFolder(TEXT)],
      members: [{ name: 'small', size: 3, offset: 9 }],
    });
    expect(extractCabinet(cabinet)[0]!.data.buffer.byteLength).toBe(3);
  });
});

describe('names', () => {
  const named = (name: string | Uint8Array, attributes = 0x20) =>
    buildCabinet({ folders: [storedFolder(TEXT)], members: [{ name, size: 1, attributes }] });
  const nameOf = (cabinet: Uint8Array, nameEncoding?: string) =>
    extractCabinet(cabinet, { nameEncoding })[0]!.member.name;

  test('are UTF-8 if their attribute says so', () => {
    expect(nameOf(named('tést/ж.dat', 0xa0))).toBe('tést/ж.dat');
  });

  test('are read as windows-1252 otherwise, or as the encoding asked for', () => {
    expect(nameOf(named(Uint8Array.of(0x74, 0xe9, 0x80)))).toBe('té€');
    expect(nameOf(named(Uint8Array.of(0xeb, 0xc1, 0xcb)), 'koi8-r')).toBe('Как');
    expect(nameOf(named(Uint8Array.of(0x95, 0x5c, 0x5c, 0x61)), 'shift_jis')).toBe('表/a');
  });

  test('fall back to the legacy encoding if they are no UTF-8 in spite of their attribute', () => {
    expect(nameOf(named(Uint8Array.of(0x74, 0xe9), 0xa0))).toBe('té');
  });

  test('have slashes for separators', () => {
    expect(nameOf(named('1\\2\\3.c'))).toBe('1/2/3.c');
  });

  test('of 255 bytes are read, longer ones refused', () => {
    expect(nameOf(named('n'.repeat(255)))).toHaveLength(255);
    expect(thrownBy(() => extractCabinet(named('n'.repeat(256)))).message).toMatch(/longer than 255 bytes/);
  });

  test.each(['', '../x', 'a\\..\\b', '..', '\\x', '/x', 'C:\\x', 'c:x'])(
    'that lead outside are refused: "%s"',
    (name) => {
      expect(thrownBy(() => extractCabinet(named(name))).code).toBe('CAB_MALFORMED');
    },
  );

  test.each(['..x', 'a..b/c..', '...', 'ab:c'])('that only look so are accepted: "%s"', (name) => {
    expect(nameOf(named(name))).toBe(name);
  });
});

describe('refusals', () => {
  test('a part of a set names its neighbours', () => {
    const both = thrownBy(() =>
      extractCabinet(oneMember(storedFolder(TEXT), { previous: 'one.cab', next: 'three.cab' })),
    );
    expect(both.code).toBe('CAB_SPANNED');
    expect(both.message).toBe(
      'The cabinet is part 1 of a set and goes on from one.cab and goes on in three.cab',
    );
    expect(both.details).toMatchObject({ previousCabinet: 'one.cab', nextCabinet: 'three.cab' });
  });

  test('a part of a set that names no neighbour is told as what it probably is', () => {
    const { code, message, hint } = thrownBy(() =>
      extractCabinet(oneMember(storedFolder(TEXT), { next: '' })),
    );
    expect(code).toBe('CAB_SPANNED');
    expect(message).toBe('The cabinet is part 1 of a set and goes on in a cabinet without a name');
    expect(hint).toContain('probably damaged');
  });

  test.each([0xfffd, 0xfffe, 0xffff])(
    'a member that crosses cabinets (folder %i) is refused as part of a set',
    (folder) => {
      const cabinet = buildCabinet({
        folders: [storedFolder(TEXT)],
        members: [{ name: 'cut', size: 1, folder }],
      });
      const { code, message } = thrownBy(() => extractCabinet(cabinet));
      expect(code).toBe('CAB_SPANNED');
      expect(message).toContain('cut');
    },
  );

  test.each([
    [0x1002, 'Quantum'],
    [0x000f, 'unknown method (type 0x000f)'],
    [0x0e03, 'LZX with a window of 14 bits'],
    [0x1603, 'LZX with a window of 22 bits'],
  ])('compression type %i is refused as %s', (type, name) => {
    const { code, message } = thrownBy(() => extractCabinet(oneMember({ ...mszipFolder(TEXT), type })));
    expect(code).toBe('CAB_COMPRESSION');
    expect(message).toContain(name);
  });

  test('a folder that cannot be decoded is refused after those before it were delivered', async () => {
    const cabinet = buildCabinet({
      folders: [mszipFolder(TEXT), { ...mszipFolder(TEXT), type: 2 }],
      members: [
        { name: 'good', size: 100_000 },
        { name: 'quantum', size: 0xffffffff, folder: 1 },
      ],
    });
    const names: string[] = [];
    await expect(async () => {
      for await (const { member } of readMembers(await openCabinet(byteSourceOf(cabinet))))
        names.push(member.name);
    }).rejects.toThrow(expect.objectContaining({ code: 'CAB_COMPRESSION' }));
    expect(names).toEqual(['good']);
  });

  test('a cabinet inside another file is named with its offset', () => {
    const file = Buffer.concat([Buffer.from('MSCFMZ not this one'), WORKED_EXAMPLE]).subarray(1);
    const { code, message } = thrownBy(() => extractCabinet(file));
    expect(code).toBe('CAB_MALFORMED');
    expect(message).toContain('a cabinet of 85 bytes was found inside the file, at offset 18');
  });

  test('a member list beyond the limit of the caller is refused before anything is decoded', () => {
    const { code } = thrownBy(() => extractCabinet(oneMember(storedFolder(TEXT)), { maxOutputSize: 99_999 }));
    expect(code).toBe('LIMIT_EXCEEDED');
    expect(extractCabinet(oneMember(storedFolder(TEXT)), { maxOutputSize: 100_000 })).toHaveLength(1);
  });

  test('many members that each cover the whole folder are refused', async () => {
    // One block that decodes to little, claimed by 65,535 blocks' worth of members.
    const blocks = Array.from({ length: 65_535 }, () => ({
      payload: Buffer.of(0),
      plainSize: 32_768,
      checksum: 0,
    }));
    const cabinet = buildCabinet({
      folders: [{ type: 1, blocks }],
      members: ['a', 'b'].map((name) => ({ name, size: 65_535 * 32_768 })),
    });
    const opened = await openCabinet(byteSourceOf(cabinet));
    await expect(readMembers(opened).next()).rejects.toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED' }),
    );
  });
});

describe('hostile values', () => {
  const good = oneMember(mszipFolder(TEXT));
  const short = buildCabinet({ folders: [mszipFolder(TEXT)], members: [{ name: 'first', size: 100 }] });
  const patched = (edit: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(good);
    edit(bytes);
    return bytes;
  };

  test.each<[string, (bytes: Buffer) => void, string, RegExp]>([
    ['another major version', (b) => b.writeUInt8(2, 25), 'CAB_MALFORMED', /version 2\.3/],
    ['no folders', (b) => b.writeUInt16LE(0, 26), 'CAB_MALFORMED', /no folders/],
    ['no files', (b) => b.writeUInt16LE(0, 28), 'CAB_MALFORMED', /no files/],
    [
      'more folders than bytes',
      (b) => b.writeUInt16LE(65_535, 26),
      'CAB_MALFORMED',
      /CFFOLDER at offset \d+: lies outside/,
    ],
    ['more files than bytes', (b) => b.writeUInt16LE(65_535, 28), 'CAB_MALFORMED', /CFFILE|folder/],
    [
      'a file table beyond the end',
      (b) => b.writeUInt32LE(0xfffffff0, 16),
      'CAB_MALFORMED',
      /CFFILE at offset 4294967280/,
    ],
    [
      'data beyond the end',
      (b) => b.writeUInt32LE(0xfffffff0, 36),
      'CAB_MALFORMED',
      /CFDATA at offset 4294967280/,
    ],
    ['no blocks', (b) => b.writeUInt16LE(0, 40), 'CAB_MALFORMED', /0 blocks hold at most 0 bytes/],
    ['too few blocks', (b) => b.writeUInt16LE(2, 40), 'CAB_MALFORMED', /2 blocks hold at most 65,536 bytes/],
    [
      'too many blocks needed',
      (b) => b.writeUInt32LE(100_001, 44),
      'CAB_MALFORMED',
      /hold at most 100,000 bytes/,
    ],
    ['a member of 4 GiB', (b) => b.writeUInt32LE(0xffffffff, 44), 'CAB_MALFORMED', /need 4,294,967,295/],
    [
      'a member that starts at 4 GiB',
      (b) => b.writeUInt32LE(0xffffffff, 48),
      'CAB_MALFORMED',
      /need 4,295,067,295/,
    ],
    [
      'a folder that is not there',
      (b) => b.writeUInt16LE(1, 52),
      'CAB_MALFORMED',
      /in folder 1, the cabinet has 1/,
    ],
  ])('%s', (_name, edit, code, message) => {
    const error = thrownBy(() => extractCabinet(patched(edit)));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.hint).toBeDefined();
  });

  const block = 36 + 8 + 16 + 6; // the first CFDATA
  test.each<[string, (bytes: Buffer) => void, RegExp]>([
    [
      'a block of more than 32 KiB',
      (b) => b.writeUInt16LE(32_769, block + 6),
      /decodes to 32769 bytes, at most 32768/,
    ],
    ['a block of no bytes', (b) => b.writeUInt16LE(0, block + 6), /no bytes of its own/],
    [
      'a block that stores too much',
      (b) => b.writeUInt16LE(38_913, block + 4),
      /stores 38913 bytes, at most 38912/,
    ],
    [
      'a block that decodes to less',
      (b) => b.writeUInt16LE(32_767, block + 6),
      /(more|larger) than 32767|says 32767/,
    ],
    ['a payload that is no MSZIP', (b) => b.write('XX', block + 8), /no "CK" signature/],
  ])('%s', (_name, edit, message) => {
    const bytes = Buffer.from(short);
    edit(bytes);
    bytes.writeUInt32LE(0, block); // no checksum, so that the decoder is reached
    const error = thrownBy(() => extractCabinet(bytes, { wanted: ({ name }) => name === 'first' }));
    expect(error.code).toBe('CAB_MALFORMED');
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/CFDATA at offset \d+:/);
  });

  test('a damaged cabinet leaves the decoder to the next one', () => {
    const decoder = takeMszipDecoder();
    giveBackMszipDecoder(decoder);
    const bytes = Buffer.from(short);
    bytes.write('XX', block + 8);
    bytes.writeUInt32LE(0, block);
    thrownBy(() => extractCabinet(bytes, { wanted: ({ name }) => name === 'first' }));
    expect(takeMszipDecoder()).toBe(decoder);
    giveBackMszipDecoder(decoder);
  });

  test('the last bytes of a folder stay while they are looked at, whatever else is read then', async () => {
    const cabinet = oneMember(mszipFolder(TEXT));
    const first = readMembers(await openCabinet(byteSourceOf(cabinet)), { reuseMemory: true });
    const seen: Buffer[] = [];
    for await (const { bytes } of first) {
      const before = Buffer.from(bytes);
      expect(extractCabinet(cabinet, { reuseMemory: true })).toHaveLength(1);
      for await (const _ of readMembers(await openCabinet(byteSourceOf(cabinet)), { reuseMemory: true })) {
        // only read
      }
      expect(before.equals(bytes)).toBe(true);
      seen.push(before);
    }
    expect(seen.length).toBeGreaterThan(0);
  });

  test('a stored block whose two sizes differ', () => {
    const folder = { type: 0, blocks: [{ payload: Buffer.from('abc'), plainSize: 4 }] };
    const error = thrownBy(() => extractCabinet(oneMember(folder)));
    expect(error.message).toMatch(/decodes to 3 bytes, the block says 4/);
  });

  test('an LZX block after a short one', () => {
    const [first] = lzxFolder(TEXT.subarray(0, 100), { windowBits: 15 }).blocks;
    const error = thrownBy(() => extractCabinet(oneMember({ type: 0x0f03, blocks: [first!, first!] })));
    expect(error.code).toBe('CAB_MALFORMED');
    expect(error.message).toMatch(/Block 1 of folder 0 \(lzx\).*follows one shorter/);
  });

  test('a header reserve beyond 60,000 bytes', () => {
    const reserve = { header: 60_001, folder: 0, block: 0 };
    expect(thrownBy(() => extractCabinet(oneMember(storedFolder(TEXT), { reserve }))).message).toMatch(
      /60001/,
    );
  });

  test('sizes are not believed before the blocks are there: 2 GiB declared by 500 KB of headers', () => {
    const blocks = Array.from({ length: 60_000 }, () => ({
      payload: Buffer.alloc(0),
      plainSize: 1,
      checksum: 0,
    }));
    const cabinet = buildCabinet({
      folders: [{ type: 0, blocks }],
      members: [{ name: 'bomb', size: 1_900_000_000 }],
    });
    const error = thrownBy(() => extractCabinet(cabinet, { maxOutputSize: 2 ** 31 }));
    expect(error.message).toMatch(/hold at most 60,000 bytes/);
  });

  test('many folders over the same blocks are refused instead of decoded again and again', async () => {
    const one = mszipFolder(new Uint8Array(32_768 * 64));
    const cabinet = buildCabinet({
      folders: [one, ...Array.from({ length: 5_000 }, () => ({ ...one, blocks: [] }))],
      members: Array.from({ length: 5_001 }, (_, folder) => ({
        name: `m${folder}`,
        size: 1,
        offset: 32_768 * 64 - 1,
        folder,
      })),
    });
    for (let folder = 1; folder <= 5_000; folder++) cabinet.copyWithin(36 + folder * 8, 36, 44);
    for (const read of [
      () => Promise.resolve().then(() => extractCabinet(cabinet)),
      () => streamAll(byteSourceOf(cabinet)),
    ]) {
      await expect(read()).rejects.toThrow(/data blocks are those of other folders too/);
    }
  });

  test('many tiny blocks are read, not refused', () => {
    const bytes = TEXT.subarray(0, 5_000);
    const blocks = Array.from(bytes, (byte) => ({ payload: Buffer.of(byte), plainSize: 1 }));
    expect(extractCabinet(oneMember({ type: 0, blocks }))[0]!.data).toEqual(new Uint8Array(bytes));
  });
});

describe('sizes that tell damage', () => {
  test('are on the opened cabinet', async () => {
    const longer = Buffer.concat([WORKED_EXAMPLE, Buffer.from('signature')]);
    const { header, actualSize } = await openCabinet(byteSourceOf(longer));
    expect([header.declaredSize, actualSize]).toEqual([85, 94]);
    expect(extractCabinet(longer)).toHaveLength(1);
  });

  test('are in the details of the error', () => {
    const error = thrownBy(() => extractCabinet(WORKED_EXAMPLE.subarray(0, 80)));
    expect(error.code).toBe('CAB_TRUNCATED');
    expect(error.message).toMatch(/the file ends at 80; the cabinet says 85 bytes/);
    expect(error.details).toMatchObject({ structure: 'CFDATA', declaredSize: 85, actualSize: 80 });
  });
});

test('every single-byte change of a small cabinet gives members of the declared size or a cabinet error', () => {
  const small = oneMember(lzxFolder(TEXT.subarray(0, 300), { windowBits: 15 }));
  fc.assert(
    fc.property(fc.nat(small.length - 1), fc.nat(255), (at, value) => {
      const damaged = Buffer.from(small);
      damaged[at] = value;
      try {
        for (const { member, data } of extractCabinet(damaged))
          expect(data).toHaveLength((member as CabinetMember).size);
      } catch (error) {
        expect(isWsusutilError(error)).toBe(true);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('memory does not grow with the member: 1 GiB streams through less than 100 MB', async () => {
  const zeros = new Uint8Array(32_768);
  const [first, second] = mszipFolder(new Uint8Array(65_536)).blocks;
  const blocks = Array.from({ length: 32_768 }, (_, index) => (index === 0 ? first! : second!));
  const size = blocks.length * zeros.length;
  const cabinet = buildCabinet({ folders: [{ type: 1, blocks }], members: [{ name: 'big', size }] });
  // The limit is on what the reader needs. How much garbage the collector lets lie before it looks is the affair of
  // each Node.js version (60 MB with 22, 200 MB with 26, in buffers of zlib), so it is told to look.
  collectGarbage();
  const before = process.memoryUsage.rss();
  let peak = before;
  let seen = 0;
  for await (const { bytes } of readMembers(await openCabinet(byteSourceOf(cabinet)))) {
    if (seen % (16 * 1_048_576) === 0) collectGarbage();
    seen += bytes.length;
    peak = Math.max(peak, process.memoryUsage.rss());
  }
  expect(seen).toBe(size);
  expect(peak - before).toBeLessThan(100 * 1_048_576);
});
