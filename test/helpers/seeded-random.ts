/**
 * A small seeded random source (sfc32 by Chris Doty-Humphrey, public domain): the same seed gives the same
 * sequence on every platform and version of Node. Not for secrets.
 */
export interface SeededRandom {
  /** 0 … 2^32 - 1 */
  uint32(): number;
  /** 0 … `bound` - 1 */
  below(bound: number): number;
  /** `from` … `to`, both possible */
  integer(from: number, to: number): number;
  /** True in about `probability` of all calls. */
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** `count` different members in random order; all of them if there are fewer. */
  sample<T>(items: readonly T[], count: number): T[];
  bytes(count: number): Buffer;
  /** A version 4 GUID, lower case. */
  guid(): string;
}

/** @param seed any integer; only its low 32 bits count */
export function seededRandom(seed: number): SeededRandom {
  let a = 0x9e3779b9 ^ seed;
  let b = 0x243f6a88;
  let c = 0xb7e15162;
  let counter = 1;
  const uint32 = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 16; i++) uint32(); // spreads the seed over the whole state

  const below = (bound: number) => Math.floor((uint32() / 2 ** 32) * bound);
  const integer = (from: number, to: number) => from + below(to - from + 1);
  const bytes = (count: number) => {
    const result = Buffer.allocUnsafe(Math.ceil(count / 4) * 4);
    for (let i = 0; i < result.length; i += 4) result.writeUInt32LE(uint32(), i);
    return result.subarray(0, count);
  };
  return {
    uint32,
    below,
    integer,
    chance: (probability) => uint32() / 2 ** 32 < probability,
    pick<T>(items: readonly T[]): T {
      if (items.length === 0) throw new Error('nothing to pick from');
      return items[integer(0, items.length - 1)] as T;
    },
    sample<T>(items: readonly T[], count: number): T[] {
      const rest = [...items];
      const taken: T[] = [];
      while (taken.length < count && rest.length > 0) {
        const [item] = rest.splice(integer(0, rest.length - 1), 1);
        taken.push(item as T);
      }
      return taken;
    },
    bytes,
    guid() {
      const raw = bytes(16);
      raw[6] = ((raw[6] as number) & 0x0f) | 0x40;
      raw[8] = ((raw[8] as number) & 0x3f) | 0x80;
      const hex = raw.toString('hex');
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
    },
  };
}

/** Words from a small stock, so that it compresses as documents do. */
export function randomText(random: SeededRandom, size: number): Uint8Array {
  const words = Array.from({ length: 200 }, () => random.bytes(2 + random.below(9)).toString('base64'));
  let text = '';
  while (text.length < size) text += `${words[random.below(words.length)]} `;
  return Buffer.from(text.slice(0, size));
}
