/**
 * BLAKE2b with a digest of any length (RFC 7693), for the checksum in a secret key file: OpenSSL only has the one of 64
 * bytes, of which a shorter one is no part. Made for a hundred bytes, not for packages.
 */
const BLOCK_SIZE = 128;
const MASK = (1n << 64n) - 1n;
const IV: readonly bigint[] = [
  0x6a09e667f3bcc908n,
  0xbb67ae8584caa73bn,
  0x3c6ef372fe94f82bn,
  0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n,
  0x9b05688c2b3e6c1fn,
  0x1f83d9abfb41bd6bn,
  0x5be0cd19137e2179n,
];
/** rows 10 and 11 are rows 0 and 1 again */
const SIGMA = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
] as const;
const ROUNDS = 12;
/** columns, then diagonals */
const MIXES = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
] as const;

/** @param size bytes of the digest, 1 to 64 */
export function blake2b(message: Uint8Array, size: number): Buffer {
  const state = [...IV];
  state[0] = word(state, 0) ^ BigInt(0x01010000 ^ size);
  const blocks = Math.max(1, Math.ceil(message.length / BLOCK_SIZE));
  for (let index = 0; index < blocks; index++) {
    const block = Buffer.alloc(BLOCK_SIZE);
    block.set(message.subarray(index * BLOCK_SIZE, (index + 1) * BLOCK_SIZE));
    const isLast = index === blocks - 1;
    compress(state, block, BigInt(isLast ? message.length : (index + 1) * BLOCK_SIZE), isLast);
  }
  const digest = Buffer.alloc(64);
  for (const [index, value] of state.entries()) digest.writeBigUInt64LE(value, index * 8);
  return digest.subarray(0, size);
}

function compress(state: bigint[], block: Buffer, bytesSeen: bigint, isLast: boolean): void {
  const message = Array.from({ length: 16 }, (_, index) => block.readBigUInt64LE(index * 8));
  const work: bigint[] = [...state, ...IV];
  work[12] = word(work, 12) ^ bytesSeen;
  if (isLast) work[14] = word(work, 14) ^ MASK;
  for (let round = 0; round < ROUNDS; round++) {
    const order = SIGMA[round % SIGMA.length] as readonly number[];
    for (const [index, [a, b, c, d]] of MIXES.entries()) {
      const x = word(message, order[index * 2] as number);
      const y = word(message, order[index * 2 + 1] as number);
      work[a] = (word(work, a) + word(work, b) + x) & MASK;
      work[d] = rotateRight(word(work, d) ^ word(work, a), 32n);
      work[c] = (word(work, c) + word(work, d)) & MASK;
      work[b] = rotateRight(word(work, b) ^ word(work, c), 24n);
      work[a] = (word(work, a) + word(work, b) + y) & MASK;
      work[d] = rotateRight(word(work, d) ^ word(work, a), 16n);
      work[c] = (word(work, c) + word(work, d)) & MASK;
      work[b] = rotateRight(word(work, b) ^ word(work, c), 63n);
    }
  }
  for (let index = 0; index < 8; index++) {
    state[index] = word(state, index) ^ word(work, index) ^ word(work, index + 8);
  }
}

function word(words: readonly bigint[], index: number): bigint {
  return words[index] as bigint;
}

function rotateRight(value: bigint, count: bigint): bigint {
  return ((value >> count) | (value << (64n - count))) & MASK;
}
