import { expect, test } from 'vitest';
import { compressMszipBlocks, MszipDecoder } from '../../../src/formats/cab/mszip.js';
import { randomText, seededRandom } from '../../helpers/seeded-random.js';

const NONE = new Uint8Array(0);

test('decodes what it compressed, each block against the plain one before', () => {
  const plain = randomText(seededRandom(1), 200_000);
  const payloads = compressMszipBlocks(plain, NONE);
  expect(payloads).toHaveLength(7);
  const decoder = new MszipDecoder();
  const decoded = payloads.map((payload, index) =>
    decoder.decode(payload, Math.min(32_768, plain.length - index * 32_768)),
  );
  expect(Buffer.concat(decoded).equals(plain)).toBe(true);
});

test('a run compressed apart, with its dictionary, equals the same run compressed in line', () => {
  const plain = randomText(seededRandom(2), 32_768 * 5 + 77);
  const whole = compressMszipBlocks(plain, NONE);
  const first = compressMszipBlocks(plain.subarray(0, 32_768 * 2), NONE);
  const second = compressMszipBlocks(plain.subarray(32_768 * 2), plain.subarray(32_768, 32_768 * 2));
  expect([...first, ...second]).toEqual(whole);
});

test.each([1, 6, 9] as const)('never makes a block larger than the format allows, at level %i', (level) => {
  const plain = seededRandom(3).bytes(32_768 * 3);
  const payloads = compressMszipBlocks(plain, NONE, level);
  for (const payload of payloads) expect(payload.length).toBeLessThanOrEqual(32_780);
  const decoder = new MszipDecoder();
  expect(Buffer.concat(payloads.map((payload) => decoder.decode(payload, 32_768))).equals(plain)).toBe(true);
});

test('keeps 32 KiB of history over blocks that are shorter', () => {
  const plain = randomText(seededRandom(4), 3_000);
  const [first] = compressMszipBlocks(plain.subarray(0, 1_000), NONE) as [Uint8Array];
  const [second] = compressMszipBlocks(plain.subarray(1_000, 2_000), plain.subarray(0, 1_000)) as [
    Uint8Array,
  ];
  const [third] = compressMszipBlocks(plain.subarray(2_000), plain.subarray(0, 2_000)) as [Uint8Array];
  const decoder = new MszipDecoder();
  const decoded = [first, second, third].map((payload) => decoder.decode(payload, 1_000));
  expect(Buffer.concat(decoded).equals(plain)).toBe(true);
});

test('refuses a block without its signature, cut short, or longer than it says', () => {
  const [payload] = compressMszipBlocks(randomText(seededRandom(5), 5_000), NONE) as [Uint8Array];
  expect(() => new MszipDecoder().decode(payload.subarray(1), 5_000)).toThrow('no "CK" signature');
  expect(() => new MszipDecoder().decode(payload.subarray(0, 100), 5_000)).toThrow(/unexpected end/);
  expect(() => new MszipDecoder().decode(payload, 4_999)).toThrow(/larger than 4999/);
});
