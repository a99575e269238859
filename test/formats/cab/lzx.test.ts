import { describe, expect, test } from 'vitest';
import { LzxDecoder } from '../../../src/formats/cab/lzx.js';
import { splitBlocks } from '../../helpers/cabinet-builder.js';
import { encodeLzx, type LzxBlock, type LzxOptions } from '../../helpers/lzx-encoder.js';
import { fc } from '../../helpers/properties.js';
import { randomText, seededRandom } from '../../helpers/seeded-random.js';

/** Serves all folders in turn, good and bad ones. */
const usedDecoder = new LzxDecoder(15, 0);

/** By a decoder that is new, and by one that has decoded others; also inside the window if that holds all of it. */
function decodeAll(frames: readonly Uint8Array[], plainSize: number, windowBits: number): Uint8Array {
  const sizeOf = (index: number) => Math.min(32_768, plainSize - index * 32_768);
  const decodeBy = (decoder: LzxDecoder): Uint8Array => {
    const out = new Uint8Array(plainSize);
    frames.forEach((frame, index) => {
      decoder.decode(frame, sizeOf(index), out, index * 32_768);
    });
    return out;
  };
  const decodeInPlace = (): Uint8Array => {
    usedDecoder.restart(windowBits, plainSize);
    frames.forEach((frame, index) => {
      usedDecoder.decodeInPlace(frame, sizeOf(index));
    });
    return usedDecoder.takeAll().slice();
  };
  const orUndefined = (decode: () => Uint8Array): Uint8Array | undefined => {
    try {
      return decode();
    } catch {
      return undefined; // the new one must fail too
    }
  };
  usedDecoder.restart(windowBits, plainSize);
  const again = orUndefined(() => decodeBy(usedDecoder));
  const isHeld = plainSize <= 1 << windowBits;
  const inPlace = isHeld ? orUndefined(decodeInPlace) : again;
  const decoded = decodeBy(new LzxDecoder(windowBits, plainSize));
  for (const other of [again, inPlace]) {
    expect(other === undefined ? 'an error' : Buffer.compare(other, decoded)).toBe(0);
  }
  return decoded;
}

function expectRoundTrip(plain: Uint8Array, options: LzxOptions): void {
  const frames = encodeLzx(plain, options);
  const decoded = decodeAll(frames, plain.length, options.windowBits);
  expect(Buffer.compare(decoded, plain)).toBe(0);
}

/** Code-like bytes: calls with near, far, negative and untranslatable targets among other bytes. */
function callsAmongBytes(size: number): Uint8Array {
  const random = seededRandom(8);
  const bytes = Buffer.from(randomText(random, size));
  for (let at = 3; at + 5 < size; at += 11 + random.below(40)) {
    bytes[at] = 0xe8;
    const target = [random.below(size), -random.below(at + 1), 0x7fffffff, -0x80000000, size - 1][
      random.below(5)
    ];
    bytes.writeInt32LE(target as number, at + 1);
  }
  return bytes;
}

const MIXED: readonly LzxBlock[] = [
  { type: 'verbatim', size: 20_001 },
  { type: 'uncompressed', size: 333 },
  { type: 'aligned', size: 50_000 },
  { type: 'uncompressed', size: 40_000 },
  { type: 'verbatim', size: 1 },
  { type: 'uncompressed', size: 1 },
  { type: 'uncompressed', size: 65_536 },
];

describe.each([15, 16, 17, 18, 19, 20, 21])('with a window of %i bits', (windowBits) => {
  const text = randomText(seededRandom(windowBits), 150_000);

  test.each(['verbatim', 'aligned', 'uncompressed'] as const)('decodes %s blocks', (type) => {
    expectRoundTrip(text, { windowBits, blocks: [{ type, size: 70_001 }] });
  });

  test('decodes all block types after one another, within and across frames', () => {
    expectRoundTrip(text, { windowBits, blocks: MIXED });
  });

  test('undoes E8 translation', () => {
    const plain = callsAmongBytes(100_000);
    expectRoundTrip(plain, { windowBits, e8Size: plain.length, blocks: MIXED });
    expectRoundTrip(plain, { windowBits, e8Size: 12_345 });
  });
});

test.each([15, 16, 17, 21])(
  'finds matches as far back as a window of %i bits reaches, after it has wrapped',
  (windowBits) => {
    // Incompressible bytes whose every stretch comes again just inside the window's reach.
    const windowSize = 2 ** windowBits;
    const unit = seededRandom(5).bytes(windowSize - 512);
    const plain = Buffer.concat([
      unit,
      unit.subarray(0, 70_000),
      seededRandom(6).bytes(5_000),
      unit.subarray(60_000, 90_000),
    ]);
    const blocks: LzxBlock[] = [
      { type: 'uncompressed', size: windowSize - 512 },
      { type: 'verbatim', size: 33_000 },
      { type: 'aligned', size: 80_000 },
    ];
    const frames = encodeLzx(plain, { windowBits, blocks });
    expect(frames.reduce((sum, frame) => sum + frame.length, 0)).toBeLessThan(plain.length - 30_000);
    expect(Buffer.compare(decodeAll(frames, plain.length, windowBits), plain)).toBe(0);
  },
);

test('reads the longest footer after the longest code, wherever in a word it begins', () => {
  // Literals with Fibonacci counts make codes of 16 bits for what is rare: two matches a block, from far behind, whose
  // footers take 17 bits. Now and then the first leaves no bit over, and one word is too little for the second (as in
  // a real package of 2015).
  const random = seededRandom(17);
  const unit = random.bytes(300_000).map((byte) => byte | 128); // the literals are all below 128
  const fibonacci = [2, 3];
  while (fibonacci.length < 15) fibonacci.push(fibonacci.at(-1)! + fibonacci.at(-2)!);
  const literals = fibonacci.flatMap((count, symbol) => new Array<number>(count).fill(symbol * 5));
  const block = () => {
    for (let at = literals.length - 1; at > 0; at--) {
      const other = random.below(at + 1);
      [literals[at], literals[other]] = [literals[other]!, literals[at]!];
    }
    const starts = [random.below(10_000), random.below(10_000)] as const;
    return [
      Uint8Array.from(literals),
      unit.subarray(starts[0], starts[0] + 8),
      unit.subarray(starts[1], starts[1] + 7),
    ];
  };
  const blocks = Array.from({ length: 60 }, block);
  const plain = Buffer.concat([unit, ...blocks.flat()]);
  const pattern: LzxBlock[] = [
    { type: 'uncompressed', size: unit.length },
    ...blocks.map(() => ({ type: 'verbatim' as const, size: literals.length + 15 })),
  ];
  expectRoundTrip(plain, { windowBits: 21, blocks: pattern, minOffset: 280_000 });
});

describe('E8 translation', () => {
  test('skips the operand it has translated, even if that begins with E8', () => {
    const plain = Buffer.alloc(40_000, 'text ');
    for (let at = 100; at < 39_000; at += 100) plain.set([0xe8, 0xe8, 0, 0, 0, 0, 0], at);
    expectRoundTrip(plain, { windowBits: 15, e8Size: 40_000 });
  });

  test.each([4, 5, 8, 9, 10, 11, 12, 15])(
    'leaves a call alone in the last ten bytes of a frame: %i bytes before the end',
    (distance) => {
      for (const size of [1_000, 32_768 + 500]) {
        const plain = Buffer.alloc(size, 'text ');
        for (const end of [32_768, size]) {
          if (end > size) continue;
          plain[end - distance] = 0xe8;
          plain.set([1, 0, 0, 0].slice(0, distance - 1), end - distance + 1);
        }
        expectRoundTrip(plain, { windowBits: 15, e8Size: 50_000 });
      }
    },
  );

  test('is off when the stream says so', () => {
    expectRoundTrip(Buffer.alloc(5_000, Buffer.from([0xe8, 1, 0, 0, 0])), { windowBits: 15 });
  });
});

test('an odd uncompressed block may leave its pad byte to the next data block', () => {
  const plain = randomText(seededRandom(2), 40_000);
  const blocks: LzxBlock[] = [
    { type: 'verbatim', size: 1 },
    { type: 'uncompressed', size: 32_767 },
    { type: 'verbatim', size: 40_000 },
  ];
  const [first, second] = encodeLzx(plain, { windowBits: 15, blocks }) as [Uint8Array, Uint8Array];
  const moved = [first.subarray(0, -1), Buffer.concat([Buffer.of(0), second])];
  expect(Buffer.compare(decodeAll(moved, plain.length, 15), plain)).toBe(0);
});

test('decodes codes longer than one table look-up', () => {
  // Counts that double from symbol to symbol give codes up to the longest allowed.
  const plain = Buffer.concat(
    Array.from({ length: 16 }, (_, index) => {
      const random = seededRandom(index);
      return Uint8Array.from(
        { length: 2 ** index },
        () => index * 16 + (index < 8 ? random.below(2) : random.below(16)),
      );
    }),
  );
  expectRoundTrip(plain, { windowBits: 15 });
  expectRoundTrip(plain, { windowBits: 15, blocks: [{ type: 'aligned', size: 5_000 }] });
});

test('decodes long matches: the same byte and the same short word over and over', () => {
  expectRoundTrip(new Uint8Array(100_000).fill(7), { windowBits: 15 });
  expectRoundTrip(Buffer.from('abcdefg'.repeat(20_000)), { windowBits: 16 });
});

test('decodes whatever the encoder makes of any bytes', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 3_000 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 15, max: 21 }),
      fc.array(
        fc.record({
          type: fc.constantFrom('verbatim' as const, 'aligned' as const, 'uncompressed' as const),
          size: fc.integer({ min: 1, max: 9_000 }),
        }),
        { minLength: 1, maxLength: 5 },
      ),
      fc.option(fc.integer({ min: 1, max: 100_000 }), { nil: undefined }),
      (unit, repeats, windowBits, blocks, e8Size) => {
        const plain = Buffer.concat(Array.from({ length: repeats }, () => unit));
        expectRoundTrip(plain, { windowBits, blocks, ...(e8Size !== undefined && { e8Size }) });
      },
    ),
    { numRuns: 60 },
  );
});

describe('damaged data', () => {
  const plain = randomText(seededRandom(3), 40_000);
  const frames = encodeLzx(plain, { windowBits: 16, blocks: MIXED });

  test('is refused when it ends early, at any byte', () => {
    const first = frames[0] as Uint8Array;
    for (let size = 0; size < first.length - 1; size += 7) {
      const decoder = new LzxDecoder(16, plain.length);
      expect(() => decoder.decode(first.subarray(0, size), 32_768, new Uint8Array(32_768), 0)).toThrow(Error);
    }
  });

  test('is refused for a block type that does not exist', () => {
    // 1 bit no E8, 3 bits type 0
    expect(() => new LzxDecoder(15, 10).decode(new Uint8Array(40), 10, new Uint8Array(10), 0)).toThrow(
      'block type 0 does not exist',
    );
  });

  test.each([
    ['before the first byte', 100, 102],
    ['before the first byte, in a later frame', 40_000, 40_002],
    ['further back than the window reaches', 40_000, 32_769],
    ['nowhere back', 100, 0],
    ['ahead', 100, 0xffffffff],
  ])('is refused for a match that refers %s', (_name, start, offset) => {
    // An uncompressed block carries the recent offsets; the match after it (and one literal) uses the first.
    const windowBits = offset === 40_002 ? 16 : 15;
    const run = Buffer.concat([seededRandom(9).bytes(start), Buffer.alloc(200, 'a')]);
    const blocks: LzxBlock[] = [
      { type: 'uncompressed', size: start },
      { type: 'verbatim', size: 200 },
    ];
    const encoded = encodeLzx(run, { windowBits, blocks });
    expect(Buffer.compare(decodeAll(encoded, run.length, windowBits), run)).toBe(0);
    new DataView((encoded[0] as Uint8Array).buffer).setUint32(4, offset, true);
    expect(() => decodeAll(encoded, run.length, windowBits)).toThrow(`refers ${offset} bytes back`);
  });

  test('is refused for a frame after one that was not full', () => {
    const [frame] = encodeLzx(plain.subarray(0, 3_000), { windowBits: 15 }) as [Uint8Array];
    const decoder = new LzxDecoder(15, 32_768);
    decoder.decode(frame, 3_000, new Uint8Array(3_000), 0);
    expect(() => decoder.decode(frame, 3_000, new Uint8Array(3_000), 0)).toThrow(/follows one shorter/);
  });

  test('is refused when it is more than the folder was said to hold', () => {
    usedDecoder.restart(16, 0);
    const first = frames[0] as Uint8Array;
    expect(() => usedDecoder.decode(first, 32_768, new Uint8Array(32_768), 0)).toThrow(/more plain bytes/);
  });

  test('nothing is decoded in place beyond the window', () => {
    const encoded = encodeLzx(plain, { windowBits: 15 });
    usedDecoder.restart(15, plain.length);
    usedDecoder.decodeInPlace(encoded[0] as Uint8Array, 32_768);
    expect(() => usedDecoder.decodeInPlace(encoded[1] as Uint8Array, plain.length - 32_768)).toThrow(
      /does not hold all/,
    );
  });

  test('a window never has another size than 15 to 21 bits', () => {
    expect(() => new LzxDecoder(14, 10)).toThrow('14 bits');
    expect(() => new LzxDecoder(22, 10)).toThrow('22 bits');
  });

  test('gives an error or the right number of bytes for any flipped bit, and nothing else', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.nat(7), (position, bit) => {
        const damaged = frames.map((frame) => new Uint8Array(frame));
        const frame = damaged[position % damaged.length] as Uint8Array;
        const at = position % frame.length;
        frame[at] = (frame[at] as number) ^ (1 << bit);
        try {
          decodeAll(damaged, plain.length, 16);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          expect((error as Error).message).toMatch(/match|tree|data ends|block type|code lengths|header/);
        }
      }),
      { numRuns: 300 },
    );
  });
});

test('the encoder gives one payload for each frame', () => {
  const plain = randomText(seededRandom(1), 100_000);
  expect(encodeLzx(plain, { windowBits: 15, blocks: MIXED })).toHaveLength(splitBlocks(plain).length);
});
