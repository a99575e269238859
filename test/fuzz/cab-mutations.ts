/** Damage done to cabinets on purpose, the same for the same seed. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildCabinet, lzxFolder, mszipFolder, storedFolder } from '../helpers/cabinet-builder.js';
import { randomText, type SeededRandom, seededRandom } from '../helpers/seeded-random.js';
import { listSharedCabinets } from '../helpers/shared-cabinets.js';
import { sharedData } from '../helpers/shared-data.js';

/** Larger ones would spend the runs on few inputs. */
const MAX_SEED_SIZE = 64 * 1_024;
const FIXTURES = resolve(import.meta.dirname, '../../fixtures/cab');

/** Our own cabinets, and the shared ones where they are at hand. */
export function seedCabinets(): readonly Uint8Array[] {
  const text = randomText(seededRandom(1), 70_000);
  const calls = Buffer.from(text);
  for (let at = 5; at < calls.length; at += 50) calls[at] = 0xe8;
  const folders = [
    storedFolder(text),
    mszipFolder(text),
    lzxFolder(text, {
      windowBits: 15,
      blocks: [
        { type: 'verbatim', size: 9_000 },
        { type: 'aligned', size: 30_000 },
      ],
    }),
    lzxFolder(calls, {
      windowBits: 21,
      e8Size: 70_000,
      blocks: [
        { type: 'verbatim', size: 999 },
        { type: 'uncompressed', size: 777 },
      ],
    }),
  ];
  const own = folders.map((folder) =>
    buildCabinet({ folders: [folder], members: [{ name: 'a', size: text.length }] }),
  );
  own.push(
    buildCabinet({
      folders,
      reserve: { header: 20, folder: 4, block: 6 },
      members: folders.map((_, index) => ({
        name: `dir\\m${index}`,
        size: 60_000 + index,
        offset: index,
        folder: index,
      })),
    }),
  );
  const fixtures = readdirSync(FIXTURES)
    .filter((name) => name.endsWith('.cab'))
    .map((name) => readFileSync(join(FIXTURES, name)));
  // Parts of sets are refused in their first bytes, whatever else is wrong with them: one of our own is enough.
  const shared = (sharedData === undefined ? [] : listSharedCabinets(sharedData))
    .filter(({ isPartOfSet }) => !isPartOfSet)
    .map(({ bytes }) => bytes);
  return [...own, ...fixtures, ...shared].filter(({ length }) => length <= MAX_SEED_SIZE);
}

/** One to four kinds of damage to one of `seeds`; mostly without checksums, so that the decoders see it. */
export function mutate(seeds: readonly Uint8Array[], random: SeededRandom): Uint8Array {
  let bytes: Uint8Array = new Uint8Array(seeds[random.below(seeds.length)] as Uint8Array);
  if (random.below(4) !== 0) clearChecksums(bytes);
  for (let count = 1 + random.below(4); count > 0; count--) {
    const damage = DAMAGES[random.below(DAMAGES.length)] as Damage;
    bytes = damage(bytes, random, seeds);
    if (bytes.length === 0) return bytes;
  }
  return bytes;
}

type Damage = (bytes: Uint8Array, random: SeededRandom, seeds: readonly Uint8Array[]) => Uint8Array;

const EDGES = [
  0, 1, 2, 3, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xfffd, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
];

const flipBits: Damage = (bytes, random) => {
  for (let count = 1 + random.below(8); count > 0; count--) {
    const at = random.below(bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
  }
  return bytes;
};

const truncate: Damage = (bytes, random) => bytes.subarray(0, random.below(bytes.length));

const splice: Damage = (bytes, random, seeds) => {
  const other = seeds[random.below(seeds.length)] as Uint8Array;
  const from = random.below(other.length);
  return Buffer.concat([
    bytes.subarray(0, random.below(bytes.length)),
    other.subarray(from, from + random.below(5_000)),
    bytes.subarray(random.below(bytes.length)),
  ]);
};

/** Writes a number that is small, large or at an edge over a field, mostly of the header and tables. */
const editField: Damage = (bytes, random) => {
  const width = [1, 2, 4][random.below(3)] as number;
  if (bytes.length < width) return bytes;
  const reach = random.below(3) === 0 ? bytes.length : Math.min(bytes.length, 120);
  const at = random.below(Math.max(1, reach - width));
  const value = random.below(2) === 0 ? (EDGES[random.below(EDGES.length)] as number) : random.below(70_000);
  for (let index = 0; index < width; index++) bytes[at + index] = Math.floor(value / 256 ** index) & 0xff;
  return bytes;
};

const overwrite: Damage = (bytes, random) => {
  const at = random.below(bytes.length);
  return bytes.fill(random.below(256), at, Math.min(bytes.length, at + random.below(600)));
};

const DAMAGES: readonly Damage[] = [flipBits, flipBits, editField, editField, truncate, splice, overwrite];

function clearChecksums(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 44 || view.getUint16(30, true) !== 0) return;
  for (let folder = 0; folder < view.getUint16(26, true); folder++) {
    if (36 + folder * 8 + 8 > bytes.length) return;
    let at = view.getUint32(36 + folder * 8, true);
    for (let block = view.getUint16(40 + folder * 8, true); block > 0 && at + 8 <= bytes.length; block--) {
      view.setUint32(at, 0, true);
      at += 8 + view.getUint16(at + 4, true);
    }
  }
}
