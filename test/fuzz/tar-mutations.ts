/** Damage to transfer packages, as accidents and as somebody who means it does it. */
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { TransferManifest } from '../../src/formats/transfer-package/manifest.js';
import {
  buildByHand,
  joinTar,
  readOne,
  sealManifest,
  splitTar,
} from '../formats/transfer-package/transfer-builder.js';
import type { SeededRandom } from '../helpers/seeded-random.js';

/** Of one volume; none but {@link reseal} knows the format. */
const CRUDE: Readonly<Record<string, (tar: Buffer, random: SeededRandom) => Buffer>> = {
  flip(tar, random) {
    const changed = Buffer.from(tar);
    for (let left = random.integer(1, 4); left > 0; left--) {
      const at = random.below(changed.length);
      changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
    }
    return changed;
  },
  truncate: (tar, random) => tar.subarray(0, random.below(tar.length)),
  truncateAtBlock: (tar, random) => tar.subarray(0, 512 * random.below(tar.length / 512)),
  extend: (tar, random) => Buffer.concat([tar, random.bytes(random.integer(1, 5_000))]),
  splice(tar, random) {
    const [from, to, size] = [random.below(tar.length), random.below(tar.length), random.integer(1, 4_096)];
    return Buffer.concat([tar.subarray(0, to), tar.subarray(from, from + size), tar.subarray(to)]);
  },
  cutOut(tar, random) {
    const from = random.below(tar.length);
    return Buffer.concat([tar.subarray(0, from), tar.subarray(from + random.integer(1, 4_096))]);
  },
  zero(tar, random) {
    const changed = Buffer.from(tar);
    const from = random.below(changed.length);
    changed.fill(0, from, Math.min(changed.length, from + random.integer(1, 2_048)));
    return changed;
  },
  swapEntries(tar, random) {
    const entries = splitTar(tar).map(({ bytes }) => bytes);
    const [one, other] = random.sample([...entries.keys()], 2) as [number, number];
    [entries[one], entries[other]] = [entries[other] as Buffer, entries[one] as Buffer];
    return joinTar(entries);
  },
  dropEntry(tar, random) {
    const entries = splitTar(tar).map(({ bytes }) => bytes);
    entries.splice(random.below(entries.length), 1);
    return joinTar(entries);
  },
  repeatEntry(tar, random) {
    const entries = splitTar(tar).map(({ bytes }) => bytes);
    entries.splice(random.below(entries.length), 0, random.pick(entries));
    return joinTar(entries);
  },
  renameEntry(tar, random) {
    const entries = splitTar(tar).map(({ bytes }) => Buffer.from(bytes));
    const entry = random.pick(entries);
    const name = random.pick([
      '../../etc/passwd',
      '/etc/passwd',
      'WsusContent/00/con',
      'volume.json',
      'C:\\x',
    ]);
    entry.fill(0, 0, 100);
    entry.write(name, 0);
    return joinTar([...entries.map((each) => (each === entry ? withChecksum(entry) : each))]);
  },
  changeType(tar, random) {
    const entries = splitTar(tar).map(({ bytes }) => Buffer.from(bytes));
    const entry = random.pick(entries);
    entry[156] = random.pick([...'123456gxLK']).charCodeAt(0); // links, devices, folders, pax, GNU
    return joinTar([...entries.map((each) => (each === entry ? withChecksum(entry) : each))]);
  },
  spoilSignature(tar, random) {
    const at = tar.indexOf('\n', tar.indexOf('untrusted comment: ')) + 1;
    const changed = Buffer.from(tar);
    changed.write(random.pick([...'ABCDabcd0123+/']), at + random.below(200), 'latin1');
    return changed;
  },
  editManifest(tar, random) {
    const text = tar.toString('latin1');
    const numbers = [...text.slice(0, text.indexOf('volume.json')).matchAll(/[0-9A-F]{2,}/g)];
    const match = random.pick(numbers);
    const digits = [...match[0]].map(() => random.pick([...'0123456789'])).join('');
    const changed = Buffer.from(tar);
    changed.write(digits, match.index, 'latin1');
    return changed;
  },
};

function withChecksum(entry: Buffer): Buffer {
  entry.fill(' ', 148, 156);
  const sum = entry.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  entry.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return entry;
}

const sha = (algorithm: string, bytes: Uint8Array) =>
  createHash(algorithm).update(bytes).digest('hex').toUpperCase();

/** Damages what is in the package, and makes a manifest that fits: what somebody does who needs not sign. */
async function reseal(tar: Buffer, random: SeededRandom): Promise<Buffer> {
  const { manifest, bodies } = await readOne(tar);
  const files = new Map(bodies);
  const path = random.pick([...files.keys()].filter((each) => !each.startsWith('WsusContent/')));
  const bytes = files.get(path) as Buffer;
  const damage = random.pick([
    CRUDE.flip,
    CRUDE.truncate,
    CRUDE.splice,
    CRUDE.cutOut,
    CRUDE.zero,
  ]) as typeof CRUDE.flip;
  const isPacked = path.endsWith('.gz') && random.chance(0.8);
  const changed = isPacked
    ? gzipSync((damage as NonNullable<typeof damage>)(gunzipSync(bytes), random))
    : Buffer.from((damage as NonNullable<typeof damage>)(bytes, random));
  files.set(path, changed);
  const entries: TransferManifest['entries'] = manifest.entries.map((entry) =>
    entry.path === path ? { ...entry, size: changed.length, sha256: sha('sha256', changed) } : entry,
  );
  const { volumes } = await buildByHand(sealManifest({ ...manifest, entries }), files);
  return volumes[0] as Buffer;
}

/** @param isSigned then what takes the key to do is left out */
export async function mutateTar(
  tar: Buffer,
  isSigned: boolean,
  random: SeededRandom,
): Promise<{ readonly how: string; readonly bytes: Buffer }> {
  if (!isSigned && random.chance(0.4)) return { how: 'reseal', bytes: await reseal(tar, random) };
  const [how, mutate] = random.pick(Object.entries(CRUDE));
  return { how, bytes: mutate(tar, random) };
}
