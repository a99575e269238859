/** Numbers that are the same for the same seed (mulberry32), so that a failure can be repeated. */
export interface SeededRandom {
  /** an integer from 0 to `bound` − 1 */
  below(bound: number): number;
}

export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  return {
    below(bound) {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
    },
  };
}

export function randomBytes(random: SeededRandom, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, () => random.below(256));
}

/** Words from a small stock, so that it compresses as documents do. */
export function randomText(random: SeededRandom, size: number): Uint8Array {
  const words = Array.from({ length: 200 }, () =>
    Buffer.from(randomBytes(random, 2 + random.below(9))).toString('base64'),
  );
  let text = '';
  while (text.length < size) text += `${words[random.below(words.length)]} `;
  return Buffer.from(text.slice(0, size));
}
