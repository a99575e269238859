import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { layOutVolumes } from '../../../src/formats/transfer-package/layout.js';
import { serializeManifest, type TransferManifest } from '../../../src/formats/transfer-package/manifest.js';
import { ManifestParser, parseManifest } from '../../../src/formats/transfer-package/parse-manifest.js';
import { collectGarbage } from '../../helpers/collect-garbage.js';
import { failureOf } from '../../helpers/package-builder.js';
import { buildPackage, EMPTY_DRAFT } from './transfer-builder.js';

function parseInPieces(bytes: Buffer, size: number): TransferManifest {
  const parser = new ManifestParser();
  const piece = Buffer.alloc(size);
  for (let at = 0; at < bytes.length; at += size) {
    const length = bytes.copy(piece, 0, at, at + size);
    parser.write(piece.subarray(0, length)); // the same memory for each
  }
  return parser.end();
}

test('a manifest reads the same in pieces of any size', async () => {
  for (const options of [{}, { sizes: [60_000, 10], volumeSize: 30_000 }]) {
    const { manifest, manifestBytes } = await buildPackage(options);
    for (const size of [1, 2, 7, 99, 100, 101, 512, 4096, 1 << 20]) {
      expect(parseInPieces(manifestBytes, size)).toEqual(manifest);
    }
  }
});

test('cut off anywhere, and read in pieces, it is refused as it is when read at once', async () => {
  const { manifestBytes } = await buildPackage();
  for (let size = 1; size < manifestBytes.length; size += 13) {
    const part = manifestBytes.subarray(0, size);
    const error = await failureOf(async () => parseInPieces(part, 50));
    expect([size, error.code, error.message]).toEqual([
      size,
      (await failureOf(async () => parseManifest(part))).code,
      (await failureOf(async () => parseManifest(part))).message,
    ]);
  }
});

test('of 300,000 entries the text is never held, and what is kept takes less than 120 MB', () => {
  const digest = (algorithm: string, text: string) =>
    createHash(algorithm).update(text).digest('hex').toUpperCase();
  const entries = Array.from({ length: 300_000 }, (_, index) => {
    const sha1 = digest('sha1', `${index}`);
    const path = `WsusContent/${sha1.slice(-2)}/${sha1}.cab`;
    return { path, kind: 'content' as const, size: index, sha256: digest('sha256', `${index}`), sha1 };
  });
  const bytes = serializeManifest(layOutVolumes({ ...EMPTY_DRAFT, entries }).manifest);
  entries.length = 0;
  collectGarbage();
  const before = process.memoryUsage();
  const parser = new ManifestParser();
  let mostText = 0;
  for (let at = 0; at < bytes.length; at += 1 << 16) {
    parser.write(bytes.subarray(at, at + (1 << 16)));
    if (at % (1 << 24) !== 0) continue;
    collectGarbage();
    mostText = Math.max(mostText, process.memoryUsage().arrayBuffers - before.arrayBuffers);
  }
  const manifest = parser.end();
  collectGarbage();
  expect(manifest.entries).toHaveLength(300_000);
  expect(mostText).toBeLessThan(4e6);
  expect(process.memoryUsage().heapUsed - before.heapUsed).toBeLessThan(120e6);
}, 60_000);
