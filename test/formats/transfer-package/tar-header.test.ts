import { extract } from 'tar-stream';
import { expect, test } from 'vitest';
import {
  describeTarHeader,
  encodeTarHeader,
  paddingOf,
  tarEntrySize,
  tarHeaderSize,
} from '../../../src/formats/transfer-package/tar-header.js';
import { fc } from '../../helpers/properties.js';
import { packWithOther } from './transfer-builder.js';

const mtime = 1_763_642_096;

test('headers are byte for byte those that tar-stream writes', async () => {
  const names = fc.stringMatching(/^[a-zA-Z0-9_.-]{1,60}(\/[a-zA-Z0-9_.-]{1,90}){0,2}$/);
  await fc.assert(
    fc.asyncProperty(names, fc.nat(3000), fc.nat(2 ** 31 - 1), async (name, size, time) => {
      fc.pre(tarHeaderSize(name, size) === 512);
      const packed = await packWithOther([
        {
          header: { name, mode: 0o644, mtime: new Date(time * 1000), type: 'file' },
          bytes: Buffer.alloc(size),
        },
      ]);
      expect(packed.subarray(0, 512).equals(encodeTarHeader({ name, size, mtime: time }))).toBe(true);
      expect(packed.length).toBe(tarEntrySize(name, size));
    }),
    { numRuns: 100 },
  );
});

test('long names, names beyond ASCII and sizes beyond 8 GiB are read by tar-stream as they are', async () => {
  for (const [name, size] of [
    [`metadata/${'n'.repeat(191)}`, 3],
    ['metadata/Übersicht', 0],
    [`metadata/${'ü'.repeat(80)}`, 1],
    ['metadata/large', 9 * 1024 ** 3],
    [`metadata/${'ß'.repeat(90)}`, 12 * 1024 ** 3],
    ['metadata/edge', 8 ** 11],
    ['metadata/below', 8 ** 11 - 1],
  ] as const) {
    const header = encodeTarHeader({ name, size, mtime });
    expect(header.length).toBe(tarHeaderSize(name, size));
    const reader = extract();
    const seen = new Promise((resolve, reject) => {
      reader.on('entry', (facts) => resolve(facts));
      reader.on('error', reject);
    });
    reader.write(header);
    expect(await seen).toMatchObject({
      name,
      size,
      mtime: new Date(mtime * 1000),
      uid: 0,
      gid: 0,
      type: 'file',
    });
  }
});

test('a time after 2038 is written in full', () => {
  const time = Date.parse('2100-01-01T00:00:00Z') / 1000;
  expect(describeTarHeader(encodeTarHeader({ name: 'x', size: 0, mtime: time })).mtime).toBe(time);
});

test('what a header says is told, and damage to it', () => {
  const header = encodeTarHeader({ name: 'metadata/x', size: 513, mtime });
  expect(describeTarHeader(header)).toEqual({
    isZero: false,
    isChecksumRight: true,
    name: 'metadata/x',
    size: 513,
    mtime,
    type: 'file',
  });
  header[0] = 0x6e;
  expect(describeTarHeader(header).isChecksumRight).toBe(false);
  expect(describeTarHeader(Buffer.alloc(512)).isZero).toBe(true);
  expect([0, 1, 511, 512, 513].map(paddingOf)).toEqual([0, 511, 1, 0, 511]);
});
