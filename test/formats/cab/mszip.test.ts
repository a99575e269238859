import { deflateRawSync, constants as zlib } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  compressMszipBlocks,
  giveBackMszipDecoder,
  type MszipDecoder,
  takeMszipDecoder,
  ZlibMszipDecoder,
} from '../../../src/formats/cab/mszip.js';
import { fc } from '../../helpers/properties.js';
import { randomText, type SeededRandom, seededRandom } from '../../helpers/seeded-random.js';

const NONE = new Uint8Array(0);
const BLOCK_SIZE = 32_768;
const SIGNATURE = Buffer.from('CK');

const DECODERS: readonly [string, () => MszipDecoder][] = [
  ['WebAssembly', takeMszipDecoder],
  ['zlib', () => new ZlibMszipDecoder()],
];

test('there is WebAssembly where these tests run', () => {
  expect(takeMszipDecoder().memory).toHaveLength(8 * BLOCK_SIZE);
});

test('a run compressed apart, with its dictionary, equals the same run compressed in line', () => {
  const plain = randomText(seededRandom(2), BLOCK_SIZE * 5 + 77);
  const whole = compressMszipBlocks(plain, NONE);
  const first = compressMszipBlocks(plain.subarray(0, BLOCK_SIZE * 2), NONE);
  const second = compressMszipBlocks(
    plain.subarray(BLOCK_SIZE * 2),
    plain.subarray(BLOCK_SIZE, BLOCK_SIZE * 2),
  );
  expect([...first, ...second]).toEqual(whole);
});

describe.each(DECODERS)('%s', (_, take) => {
  test('decodes what it compressed, each block against the plain one before', () => {
    const plain = randomText(seededRandom(1), 600_000);
    const payloads = compressMszipBlocks(plain, NONE);
    expect(payloads).toHaveLength(19);
    const decoder = take();
    const decoded = payloads.map((payload, index) => {
      if (index % 8 === 0) decoder.startOver();
      return Buffer.from(decoder.decode(payload, Math.min(BLOCK_SIZE, plain.length - index * BLOCK_SIZE)));
    });
    expect(Buffer.concat(decoded).equals(plain)).toBe(true);
  });

  test.each([1, 6, 9] as const)('never makes a block larger than the format allows, at level %i', (level) => {
    const plain = seededRandom(3).bytes(BLOCK_SIZE * 3);
    const payloads = compressMszipBlocks(plain, NONE, level);
    for (const payload of payloads) expect(payload.length).toBeLessThanOrEqual(32_780);
    const decoder = take();
    const decoded = payloads.map((payload) => Buffer.from(decoder.decode(payload, BLOCK_SIZE)));
    expect(Buffer.concat(decoded).equals(plain)).toBe(true);
  });

  test('keeps 32 KiB of history over blocks that are shorter', () => {
    const plain = randomText(seededRandom(4), 3_000);
    const [first] = compressMszipBlocks(plain.subarray(0, 1_000), NONE) as [Uint8Array];
    const [second] = compressMszipBlocks(plain.subarray(1_000, 2_000), plain.subarray(0, 1_000)) as [
      Uint8Array,
    ];
    const [third] = compressMszipBlocks(plain.subarray(2_000), plain.subarray(0, 2_000)) as [Uint8Array];
    const decoder = take();
    const decoded = [first, second, third].map((payload) => Buffer.from(decoder.decode(payload, 1_000)));
    expect(Buffer.concat(decoded).equals(plain)).toBe(true);
  });

  test('refuses a block without its signature, cut short, or longer than it says', () => {
    const [payload] = compressMszipBlocks(randomText(seededRandom(5), 5_000), NONE) as [Uint8Array];
    expect(() => take().decode(payload.subarray(1), 5_000)).toThrow('no "CK" signature');
    expect(() => take().decode(payload.subarray(0, 100), 5_000)).toThrow(/unexpected end/);
    expect(() => take().decode(payload, 4_999)).toThrow(/(more|larger) than 4999/);
  });
});

/** Both decoders read a folder's blocks: the same bytes, and the same block is the first that they refuse. */
function agree(blocks: readonly { readonly data: Uint8Array; readonly size: number }[]): number {
  const core = takeMszipDecoder();
  const other = new ZlibMszipDecoder();
  let decodedSize = 0;
  for (const [index, { data, size }] of blocks.entries()) {
    if (index % 8 === 0) core.startOver();
    const attempt = (decoder: MszipDecoder) => {
      try {
        return { plain: Buffer.from(decoder.decode(data, size)) };
      } catch (error) {
        return { problem: (error as Error).message };
      }
    };
    const [mine, expected] = [attempt(core), attempt(other)];
    const context = () =>
      `${Buffer.from(data).toString('hex').slice(0, 2000)} ${JSON.stringify([mine.problem, expected.problem])}`;
    if (expected.plain === undefined) {
      expect(mine.problem, context()).toBeDefined();
      break;
    }
    expect(mine.plain?.equals(expected.plain), context()).toBe(true);
    decodedSize += expected.plain.length;
  }
  giveBackMszipDecoder(core);
  return decodedSize;
}

/** Text with repetitions near and far, bytes without any, and runs of one byte. */
function mixed(random: SeededRandom, size: number): Buffer {
  const parts: Buffer[] = [];
  let length = 0;
  while (length < size) {
    const kind = random.integer(0, 5);
    const count = random.integer(1, 3_000);
    const before = Buffer.concat(parts);
    const part =
      kind === 0
        ? random.bytes(count)
        : kind === 1
          ? Buffer.alloc(count, random.integer(0, 255))
          : kind === 2 && before.length > 0
            ? before.subarray(random.integer(0, before.length - 1)).subarray(0, count)
            : kind === 3
              ? Buffer.alloc(count, random.bytes(random.integer(1, 20)))
              : randomText(random, count);
    parts.push(Buffer.from(part));
    length += part.length;
  }
  return Buffer.concat(parts).subarray(0, size);
}

const STRATEGIES = [
  zlib.Z_DEFAULT_STRATEGY,
  zlib.Z_FILTERED,
  zlib.Z_HUFFMAN_ONLY,
  zlib.Z_RLE,
  zlib.Z_FIXED,
] as const;

function deflated(random: SeededRandom, plain: Buffer, dictionary: Buffer): Buffer {
  const options = {
    level: random.integer(0, 9),
    memLevel: random.integer(1, 9),
    strategy: STRATEGIES[random.integer(0, STRATEGIES.length - 1)] ?? 0,
    ...(dictionary.length > 0 && { dictionary }),
  };
  return Buffer.concat([SIGNATURE, deflateRawSync(plain, options)]);
}

function foldersOf(random: SeededRandom, blockCount: number): { data: Uint8Array; size: number }[] {
  const blocks: { data: Uint8Array; size: number }[] = [];
  let history = Buffer.alloc(0);
  for (let i = 0; i < blockCount; i++) {
    const plain = mixed(random, random.chance(0.6) ? BLOCK_SIZE : random.integer(1, BLOCK_SIZE));
    blocks.push({ data: deflated(random, plain, history), size: plain.length });
    history = Buffer.concat([history, plain]).subarray(-BLOCK_SIZE);
  }
  return blocks;
}

/** more of the same, with other seeds */
const ROUNDS = Number(process.env.MSZIP_ROUNDS ?? 1);

test('whatever zlib writes, in all its ways: WebAssembly and zlib read the same', () => {
  for (let seed = 0; seed < 40 * ROUNDS; seed++) {
    const random = seededRandom(1_000 + seed);
    const blocks = foldersOf(random, random.integer(1, 20));
    expect(agree(blocks)).toBe(blocks.reduce((sum, { size }) => sum + size, 0));
  }
});

test('damaged blocks: both refuse the same, and read the same of the rest', () => {
  let refused = 0;
  let count = 0;
  for (let seed = 0; seed < 60 * ROUNDS; seed++) {
    const random = seededRandom(2_000 + seed);
    const sound = foldersOf(random, 2);
    for (let i = 0; i < 60; i++) {
      const at = random.integer(0, sound.length - 1);
      const damaged = sound.map(({ data, size }, index) => {
        if (index !== at) return { data, size };
        const bytes = Buffer.from(data);
        for (let n = random.integer(1, 4); n > 0; n--) {
          // Most of it near the beginning: there are the codes.
          const place = random.chance(0.7)
            ? random.integer(2, Math.min(90, bytes.length - 1))
            : random.integer(2, bytes.length - 1);
          bytes[place] = (bytes[place] as number) ^ (1 << random.integer(0, 7));
        }
        const cut = random.chance(0.2) ? bytes.subarray(0, random.integer(2, bytes.length)) : bytes;
        const wrongSize = random.chance(0.2) ? random.integer(1, BLOCK_SIZE) : size;
        return { data: cut, size: wrongSize };
      });
      const size = agree(damaged);
      count++;
      if (size < damaged.reduce((sum, each) => sum + each.size, 0)) refused++;
    }
  }
  expect(refused).toBeGreaterThan(count / 2);
});

test('bytes at random, and every beginning of a block', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: BLOCK_SIZE }), (bytes, size) => {
      agree([{ data: Buffer.concat([SIGNATURE, bytes]), size }]);
    }),
    { numRuns: 3_000 * ROUNDS },
  );
  const random = seededRandom(7);
  for (const { data, size } of foldersOf(random, 3).slice(0, 1)) {
    for (let end = 2; end <= Math.min(data.length, 3_000); end++)
      agree([{ data: data.subarray(0, end), size }]);
  }
});

test('a decoder knows nothing of the folder before', () => {
  const random = seededRandom(8);
  const [first, second] = foldersOf(random, 2) as [
    { data: Uint8Array; size: number },
    { data: Uint8Array; size: number },
  ];
  const decoder = takeMszipDecoder();
  decoder.decode(first.data, first.size);
  giveBackMszipDecoder(decoder);
  const again = takeMszipDecoder();
  expect(again).toBe(decoder);
  expect(() => again.decode(second.data, second.size)).toThrow('invalid distance too far back');
});
