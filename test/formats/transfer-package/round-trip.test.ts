import { expect, test } from 'vitest';
import { WsusutilError } from '../../../src/errors.js';
import { joinParts, TransferSet } from '../../../src/formats/transfer-package/join.js';
import { layOutVolumes } from '../../../src/formats/transfer-package/layout.js';
import {
  pieceOf,
  serializeManifest,
  type TransferEntry,
} from '../../../src/formats/transfer-package/manifest.js';
import { parseManifest } from '../../../src/formats/transfer-package/parse-manifest.js';
import { readVolume } from '../../../src/formats/transfer-package/read-volume.js';
import { fc } from '../../helpers/properties.js';
import { seededRandom } from '../../helpers/seeded-random.js';
import {
  type BuiltPackage,
  buildPackage,
  EMPTY_DRAFT,
  inPieces,
  makeFiles,
  readOne,
  writeOne,
} from './transfer-builder.js';

test('a volume gives back the manifest, the signatures and every file', async () => {
  const signatures = [Buffer.from('one\n'), Buffer.alloc(600, 'x')];
  const built = await buildPackage({ signatures });
  expect(built.volumes.length).toBe(1);
  const read = await readOne(built.volumes[0] as Buffer);
  expect(read.manifest).toEqual(built.manifest);
  expect(read.signatures).toEqual(signatures);
  expect(new Map(read.bodies)).toEqual(new Map(built.files));
  expect([...read.bodies.keys()].slice(0, 3)).toEqual([
    'metadata/metadata.txt.gz',
    'metadata/package.xml.gz',
    'settings.json',
  ]);
});

test('a volume read one byte at a time gives the same', async () => {
  const built = await buildPackage();
  const read = await readOne(built.volumes[0] as Buffer, { chunkSize: 1 });
  expect(new Map(read.bodies)).toEqual(new Map(built.files));
});

test('the same files and options give the same bytes, in whatever order the files are listed', async () => {
  const one = await buildPackage({ volumeSize: 40_000, sizes: [100_000, 20_000, 5, 900] });
  const { files, entries } = makeFiles(seededRandom(1), [100_000, 20_000, 5, 900]);
  const layout = layOutVolumes({ ...EMPTY_DRAFT, entries: [...entries].reverse() }, { volumeSize: 40_000 });
  expect(layout.manifest.entries.map(({ path }) => path)).toEqual(
    one.manifest.entries.map(({ path }) => path),
  );
  expect(files.size).toBe(one.files.size);
  const other = await buildPackage({ volumeSize: 40_000, sizes: [100_000, 20_000, 5, 900] });
  expect(other.volumes.map((each) => each.toString('hex'))).toEqual(
    one.volumes.map((each) => each.toString('hex')),
  );
});

const packages = fc.record({
  sizes: fc.array(fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 90_000 })), {
    maxLength: 14,
  }),
  volumeSize: fc.option(fc.integer({ min: 24_000, max: 200_000 }), { nil: undefined }),
  signatureSizes: fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 3 }),
  seed: fc.integer(),
});

/** Volumes from this size on must take the files above, whatever the layout adds to the manifest. */
const SURELY_LARGE_ENOUGH = 64_000;

/** Builds what was given; where its volumes are too small for their own manifest, the property tries another. */
const build = async ({
  sizes,
  volumeSize,
  signatureSizes,
  seed,
}: {
  sizes: number[];
  volumeSize: number | undefined;
  signatureSizes: number[];
  seed: number;
}) => {
  const signatures = signatureSizes.map((size) => Buffer.alloc(size, 's'));
  try {
    return await buildPackage({ sizes, volumeSize, seed, signatures });
  } catch (error) {
    const tooSmall = error instanceof WsusutilError && error.code === 'USAGE';
    fc.pre(!(tooSmall && volumeSize !== undefined && volumeSize < SURELY_LARGE_ENOUGH));
    throw error;
  }
};

test('sizes are exact, below the limit, and the manifest reads back as it was', async () => {
  await fc.assert(
    fc.asyncProperty(packages, async (given) => {
      const built = await build(given);
      const { files, entries } = makeFiles(seededRandom(given.seed), given.sizes);
      expect(files.size).toBe(built.files.size);
      const layout = layOutVolumes({ ...EMPTY_DRAFT, entries }, given);
      expect(built.volumes.map(({ length }) => length)).toEqual(
        layout.volumes.map(({ fileSize }) => fileSize),
      );
      for (const { length } of built.volumes) {
        if (given.volumeSize !== undefined) expect(length).toBeLessThanOrEqual(given.volumeSize);
      }
      expect(built.manifestBytes.length).toBe(layout.manifestSize);
      expect(parseManifest(built.manifestBytes)).toEqual(built.manifest);
      expect(serializeManifest(parseManifest(built.manifestBytes)).equals(built.manifestBytes)).toBe(true);
    }),
    { numRuns: 60 },
  );
});

/** Puts pieces together as an import does: in whatever order the volumes come. */
async function rejoin(built: BuiltPackage, order: readonly number[]) {
  const set = new TransferSet(built.manifest);
  const pieces = new Map<string, Buffer>();
  for (const number of order) {
    const read = await readVolume(inPieces(built.volumes[number - 1] as Buffer, 4096), {
      name: `volume ${number}`,
      known: built,
    });
    for await (const part of read) {
      if (part.type === 'volume') set.addVolume(part.number);
      if (part.type !== 'entry') continue;
      const chunks: Buffer[] = [];
      for await (const chunk of part.body) chunks.push(Buffer.from(chunk));
      set.addPiece(part.piece);
      pieces.set(part.piece.name, Buffer.concat(chunks));
    }
  }
  const whole = async (entry: TransferEntry, index: number) => {
    const chunks: Uint8Array[] = [];
    const joined = joinParts(entry, (number) =>
      inPieces(pieces.get(pieceOf(index, entry, number).name) as Buffer, 777),
    );
    for await (const chunk of joined) chunks.push(chunk);
    return Buffer.concat(chunks);
  };
  return { set, whole };
}

test('volumes in any order give all files back; a lost one is named, and what replaces it completes the set', async () => {
  await fc.assert(
    fc.asyncProperty(packages, fc.integer(), async (given, seed) => {
      const built = await build(given);
      const random = seededRandom(seed);
      const numbers = built.manifest.volumes.map(({ number }) => number);
      const shuffled = random.sample(numbers, numbers.length);

      const all = await rejoin(built, shuffled);
      expect(all.set.hasAll).toBe(true);
      expect(all.set.missingVolumes).toEqual([]);
      expect([...all.set.missingPieces()]).toEqual([]);
      for (const [index, entry] of built.manifest.entries.entries()) {
        expect((await all.whole(entry, index)).equals(built.files.get(entry.path) as Buffer)).toBe(true);
      }

      const lost = shuffled[0] as number;
      const { set } = await rejoin(built, shuffled.slice(1));
      expect(set.hasAll).toBe(false);
      expect(set.missingVolumes).toEqual([lost]);
      expect(set.carryAgain().volumes).toEqual([lost]);
      expect(set.carryAgain().files).toEqual([]);
      const again = await readOne(await writeOne(built, lost), { known: built });
      expect(again.number).toBe(lost);
      for (const piece of [...set.missingPieces()]) {
        expect((piece.part ?? piece.entry).volume).toBe(lost);
        expect(again.bodies.has(piece.name)).toBe(true);
        set.addPiece(piece);
      }
      expect(set.hasAll).toBe(true);
    }),
    { numRuns: 40 },
  );
});

test('a volume with only some of its files says which, and the rest stays missing', async () => {
  const built = await buildPackage({ sizes: [10, 20, 30, 5000] });
  const wanted = built.manifest.entries.at(-2)?.path as string;
  const volume = await writeOne(built, 1, new Set([wanted]));
  const read = await readOne(volume);
  expect([...read.bodies.keys()]).toEqual([wanted]);
  const set = new TransferSet(built.manifest);
  set.addVolume(1);
  set.addPiece(pieceOf(built.manifest.entries.length - 2, built.manifest.entries.at(-2) as TransferEntry, 0));
  expect(set.carryAgain()).toMatchObject({ volumes: [] });
  expect(set.carryAgain().files).toHaveLength(built.manifest.entries.length - 1);
});

test('parts that are good each but come in the wrong order are refused when joined', async () => {
  const built = await buildPackage({ sizes: [60_000], volumeSize: 30_000 });
  const entry = built.manifest.entries.find(({ parts }) => parts !== undefined) as TransferEntry;
  const bytes = built.files.get(entry.path) as Buffer;
  const forged = { ...entry, sha256: '0'.repeat(64) };
  const read = async () => {
    for await (const chunk of joinParts(forged, (number) => {
      const piece = pieceOf(0, entry, number);
      return inPieces(bytes.subarray(piece.from, piece.from + piece.size), 4096);
    }))
      expect(chunk.length).toBeGreaterThan(0);
  };
  await expect(read()).rejects.toMatchObject({ code: 'TRANSFER_MISMATCH' });
});
