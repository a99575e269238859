/** The cabinets in fixtures/cab, made from nothing but this code; a test compares the files with it. */
import { buildCabinet, lzxFolder, mszipFolder, storedFolder } from './cabinet-builder.js';
import { randomText, seededRandom } from './seeded-random.js';

export function makeFixtureCabinets(): ReadonlyMap<string, Buffer> {
  const text = randomText(seededRandom(42), 40_000);
  const calls = Buffer.from(text);
  for (let at = 10; at + 20 < calls.length; at += 97) {
    calls[at] = 0xe8;
    calls.writeInt32LE(at * 3 - 20_000, at + 1);
  }
  const size = text.length;
  const members = [{ name: 'text.txt', size }];
  return new Map([
    [
      'hello-stored.cab', // package-formats 6.4
      buildCabinet({
        folders: [storedFolder(Buffer.from('hello, cab\n'))],
        members: [{ name: 'a.txt', size: 11 }],
      }),
    ],
    ['text-mszip.cab', buildCabinet({ folders: [mszipFolder(text)], members })],
    ['text-lzx21.cab', buildCabinet({ folders: [lzxFolder(text, { windowBits: 21 })], members })],
    [
      'mixed-lzx15-e8.cab',
      buildCabinet({
        folders: [
          lzxFolder(calls, {
            windowBits: 15,
            e8Size: size,
            blocks: [
              { type: 'verbatim', size: 10_001 },
              { type: 'uncompressed', size: 501 },
              { type: 'aligned', size: 15_000 },
            ],
          }),
        ],
        members,
      }),
    ],
    [
      'three-folders-reserve.cab',
      buildCabinet({
        folders: [storedFolder(text), mszipFolder(text), lzxFolder(text, { windowBits: 17 })],
        reserve: { header: 6_144, folder: 8, block: 4 },
        checksumCoversReserve: true,
        members: [
          { name: 'dir\\stored.txt', size, folder: 0 },
          { name: 'dir\\mszip.txt', size: size - 100, offset: 100, folder: 1 },
          { name: 'lzx-größe.txt', size: 20_000, offset: 10_000, folder: 2, attributes: 0xa0 },
        ],
      }),
    ],
    ['spanned.cab', buildCabinet({ folders: [storedFolder(text)], members, next: 'second.cab' })],
  ]);
}
