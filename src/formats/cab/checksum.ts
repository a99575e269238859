const HOST_IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/**
 * XOR of `bytes` as little-endian 32-bit words. One to three trailing bytes form one more value with the *first*
 * of them most significant.
 *
 * @returns unsigned 32 bits
 * @see [MS-CAB] 3.1, package-formats 6.4
 */
export function computeChecksum(bytes: Uint8Array): number {
  const { length } = bytes;
  const wordCount = length >>> 2;
  let checksum = xorWords(bytes, wordCount);
  let rest = 0;
  for (let index = wordCount * 4; index < length; index++) rest = (rest << 8) | (bytes[index] as number);
  checksum ^= rest;
  return checksum >>> 0;
}

function xorWords(bytes: Uint8Array, wordCount: number): number {
  // Word loads need alignment; a copy of one block costs far less than assembling its words from bytes.
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes); // slice() of a Buffer is a view
  const words = new Uint32Array(aligned.buffer, aligned.byteOffset, wordCount);
  let a = 0;
  let b = 0;
  let index = 0;
  for (; index + 1 < wordCount; index += 2) {
    a ^= words[index] as number;
    b ^= words[index + 1] as number;
  }
  if (index < wordCount) a ^= words[index] as number;
  const xor = a ^ b;
  return HOST_IS_LITTLE_ENDIAN ? xor : swapBytes(xor); // XOR works on each byte alone, so swapping once is enough
}

function swapBytes(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}
