import { expect, test } from 'vitest';
import {
  type DraftEntry,
  layOutVolumes,
  MAX_FAT32_FILE_SIZE,
  VOLUME_PRESETS,
} from '../../../src/formats/transfer-package/layout.js';
import { serializeManifest } from '../../../src/formats/transfer-package/manifest.js';
import { parseManifest } from '../../../src/formats/transfer-package/parse-manifest.js';
import { EMPTY_DRAFT } from './transfer-builder.js';

const DIGEST = 'A'.repeat(64);
const file = (number: number, size: number): DraftEntry => {
  const sha1 = number.toString(16).toUpperCase().padStart(40, '0');
  return { path: `WsusContent/${sha1.slice(-2)}/${sha1}.cab`, kind: 'content', size, sha256: DIGEST, sha1 };
};
const GIB = 1024 ** 3;

test('one volume takes everything when no size is given, also files of more than 8 GiB', () => {
  const layout = layOutVolumes({ ...EMPTY_DRAFT, entries: [file(1, 20 * GIB), file(2, 5)] });
  expect(layout.volumes).toHaveLength(1);
  expect(layout.cuts).toEqual([]);
  expect(parseManifest(serializeManifest(layout.manifest))).toEqual(layout.manifest);
});

test('files above the limit of FAT32 are cut, others are whole, and smaller ones fill the room that is left', () => {
  const sizes = [6 * GIB, 3 * GIB, 2 * GIB, 3 * GIB, 100, 1 * GIB, 900_000_000];
  const entries = sizes.map((size, index) => file(index, size));
  const layout = layOutVolumes({ ...EMPTY_DRAFT, entries }, { volumeSize: VOLUME_PRESETS.fat32 });
  expect(layout.cuts.map(({ path }) => path)).toEqual([entries[0]?.path]);
  for (const { fileSize, pieces } of layout.volumes) {
    expect(fileSize).toBeLessThanOrEqual(MAX_FAT32_FILE_SIZE);
    expect(pieces).toBeGreaterThan(0);
  }
  expect(layout.volumes).toHaveLength(5); // 15.9 GiB, where four would take 16
  const [cut] = layout.cuts;
  expect(cut?.parts.reduce((sum, { size }) => sum + size, 0)).toBe(6 * GIB);
  expect(cut?.parts.map(({ from }) => from)).toEqual([0, cut?.parts[0]?.size]);
  expect(parseManifest(serializeManifest(layout.manifest))).toEqual(layout.manifest);
});

test('room for signatures is kept in each volume', () => {
  const entries = Array.from({ length: 40 }, (_, index) => file(index, 7000));
  const signatureSizes = [300, 300];
  const layout = layOutVolumes({ ...EMPTY_DRAFT, entries }, { volumeSize: 50_000, signatureSizes });
  for (const { size, fileSize } of layout.volumes) {
    expect(fileSize).toBe(size + 2 * 1024);
    expect(fileSize).toBeLessThanOrEqual(50_000);
  }
});

test('the list of files may be most of a volume; where it leaves no room the size is refused', () => {
  const entries = Array.from({ length: 2000 }, (_, index) => file(index, 10));
  const plain = layOutVolumes({ ...EMPTY_DRAFT, entries });
  const narrow = layOutVolumes({ ...EMPTY_DRAFT, entries }, { volumeSize: plain.manifestSize + 60_000 });
  expect(narrow.volumes.length).toBeGreaterThan(30);
  for (const { fileSize } of narrow.volumes)
    expect(fileSize).toBeLessThanOrEqual(plain.manifestSize + 60_000);
  expect(parseManifest(serializeManifest(narrow.manifest))).toEqual(narrow.manifest);
  for (const volumeSize of [1, 512, 5000, plain.manifestSize, plain.manifestSize + 6000]) {
    expect(() => layOutVolumes({ ...EMPTY_DRAFT, entries }, { volumeSize })).toThrow(/too small/);
  }
});

test('a refusal names the size that was asked for, and counts the signatures in what is needed', () => {
  const sizes = [61_237, 185, 38_779, 1737, 88_241, 46_081, 61_609, 83_368];
  const entries = sizes.map((size, index) => file(index, size));
  const layOut = (signatureSizes: number[]) =>
    layOutVolumes({ ...EMPTY_DRAFT, entries }, { volumeSize: 8192, signatureSizes });
  const refusal = (needed: string) =>
    `Volumes of 8,192 bytes are too small: each begins with the list of all files and its signatures, at least ${needed} bytes`;
  expect(() => layOut([])).toThrow(refusal('5,632'));
  expect(() => layOut([513, 1])).toThrow(refusal('8,192'));
});

test('more volumes than are possible are refused', () => {
  const entries = [file(1, 20 * GIB)];
  expect(() => layOutVolumes({ ...EMPTY_DRAFT, entries }, { volumeSize: 1_300_000 })).toThrow(
    /9,999 volumes/,
  );
});
