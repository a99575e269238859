import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { layOutVolumes } from '../../../src/formats/transfer-package/layout.js';
import { serializeManifest } from '../../../src/formats/transfer-package/manifest.js';
import { readVolume } from '../../../src/formats/transfer-package/read-volume.js';
import { writeVolume } from '../../../src/formats/transfer-package/write-volume.js';
import { type BuiltPackage, buildPackage, EMPTY_DRAFT, inPieces } from './transfer-builder.js';

/** Writes the volume with `bytes` instead of the file at `path`. */
async function writeWith(built: BuiltPackage, path: string, bytes: Buffer, signal?: AbortSignal) {
  let size = 0;
  for await (const chunk of writeVolume({
    ...built,
    number: 1,
    signal,
    open: (entry) => inPieces(entry.path === path ? bytes : (built.files.get(entry.path) as Buffer), 1000),
  })) {
    size += chunk.length;
  }
  return size;
}

test('a file that was changed since is refused while it is written, by name', async () => {
  const built = await buildPackage({ sizes: [400_000, 10] });
  const { path } = built.manifest.entries.find(({ size }) => size === 400_000) as { path: string };
  const bytes = built.files.get(path) as Buffer;
  const changed = Buffer.from(bytes);
  changed[399_999] = (changed[399_999] as number) ^ 1;
  for (const wrong of [
    changed,
    bytes.subarray(1),
    Buffer.concat([bytes, Buffer.from('x')]),
    Buffer.alloc(0),
  ]) {
    await expect(writeWith(built, path, wrong)).rejects.toMatchObject({
      code: 'TRANSFER_MISMATCH',
      message: expect.stringContaining(path) as string,
    });
  }
  expect(await writeWith(built, path, bytes)).toBe(built.volumes[0]?.length);
});

test('endless content is refused when there is more than announced', async () => {
  const built = await buildPackage();
  async function* endless() {
    for (;;) yield Buffer.alloc(100_000);
  }
  const write = async () => {
    for await (const chunk of writeVolume({ ...built, number: 1, open: endless }))
      expect(chunk).toBeDefined();
  };
  await expect(write()).rejects.toMatchObject({ code: 'TRANSFER_MISMATCH' });
});

test('Ctrl-C ends writing', async () => {
  const built = await buildPackage();
  await expect(writeWith(built, '', Buffer.alloc(0), AbortSignal.abort())).rejects.toMatchObject({
    code: 'INTERRUPTED',
  });
});

test('a file of any size is written and read without being held in memory', async () => {
  const block = Buffer.alloc(1024 * 1024, 'wsusutil');
  const blocks = 256;
  async function* content() {
    for (let i = 0; i < blocks; i++) yield block;
  }
  const sha256 = createHash('sha256');
  for await (const chunk of content()) sha256.update(chunk);
  const { manifest } = layOutVolumes({
    ...EMPTY_DRAFT,
    entries: [
      {
        path: 'metadata/large',
        kind: 'metadata',
        size: blocks * block.length,
        sha256: sha256.digest('hex').toUpperCase(),
      },
    ],
  });
  const written = writeVolume({
    manifest,
    manifestBytes: serializeManifest(manifest),
    signatures: [],
    number: 1,
    open: content,
  });
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  let size = 0;
  for await (const part of readVolume(written, { name: 'x' })) {
    if (part.type !== 'entry') continue;
    for await (const chunk of part.body) {
      size += chunk.length;
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
  }
  expect(size).toBe(blocks * block.length);
  expect(most).toBeLessThan(16 * block.length);
});
