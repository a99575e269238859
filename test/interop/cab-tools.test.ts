/** What other programs make of the cabinets written here, and of the LZX data the tests make for themselves. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { extractCabinet } from '../../src/formats/cab/read-cabinet.js';
import { buildCabinet, lzxFolder } from '../helpers/cabinet-builder.js';
import { type PlainMember, writeToMemory } from '../helpers/cabinet-writing.js';
import type { LzxBlock } from '../helpers/lzx-encoder.js';
import { randomText, seededRandom } from '../helpers/seeded-random.js';

interface Tool {
  readonly name: string;
  /** extracts `cabinet` into `folder` (also the working directory) */
  extract(cabinet: string, folder: string): readonly string[];
}

const TOOLS: readonly Tool[] = [
  { name: 'cabextract', extract: (cabinet, folder) => ['-q', '-d', folder, cabinet] },
  { name: 'gcab', extract: (cabinet, folder) => ['-x', '-n', '-C', folder, cabinet] },
  { name: '7z', extract: (cabinet, folder) => ['x', '-y', '-bso0', '-bsp0', `-o${folder}`, cabinet] },
];

const isInstalled = (name: string) => spawnSync(name, ['--help']).error === undefined;

let workFolder = '';
beforeAll(() => {
  workFolder = mkdtempSync(join(tmpdir(), 'cab-tools-'));
});
afterAll(() => rmSync(workFolder, { recursive: true, force: true }));

function expectExtracted(tool: Tool, cabinet: Uint8Array, members: readonly PlainMember[]): void {
  const folder = mkdtempSync(join(workFolder, 'x-'));
  const path = join(workFolder, 'test.cab');
  writeFileSync(path, cabinet);
  const { status, stdout, stderr } = spawnSync(tool.name, tool.extract(path, folder), { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).not.toMatch(/warning|error/i);
  const found = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  expect(found).toHaveLength(members.length);
  for (const { name, data } of members) {
    expect(Buffer.compare(readFileSync(join(folder, name)), data)).toBe(0);
  }
}

const WRITTEN: Readonly<Record<string, readonly PlainMember[]>> = {
  'documents of several megabytes': [
    { name: 'package.xml', data: randomText(seededRandom(1), 304_741) },
    { name: 'metadata.txt', data: randomText(seededRandom(2), 3_000_000) },
  ],
  'bytes that do not compress': [{ name: 'noise.bin', data: seededRandom(3).bytes(200_001) }],
  'exactly full blocks, and one byte more': [
    { name: 'full.bin', data: randomText(seededRandom(4), 65_536) },
    { name: 'one.bin', data: Uint8Array.of(1) },
  ],
  'an empty member among others': [
    { name: 'empty.txt', data: new Uint8Array(0) },
    { name: 'full.txt', data: Buffer.from('x'.repeat(100_000)) },
  ],
  'nothing but empty members': [
    { name: 'empty.txt', data: new Uint8Array(0) },
    { name: 'also.txt', data: new Uint8Array(0) },
  ],
  'names with letters of any script': [{ name: 'größe-ж.txt', data: Buffer.from('x') }],
};

const MIXED: readonly LzxBlock[] = [
  { type: 'verbatim', size: 20_001 },
  { type: 'uncompressed', size: 334 },
  { type: 'aligned', size: 50_000 },
  { type: 'uncompressed', size: 40_000 },
  { type: 'verbatim', size: 77_777 },
];

for (const tool of TOOLS) {
  const installed = isInstalled(tool.name);
  const title = installed ? tool.name : `${tool.name} (skipped: not installed)`;
  describe.skipIf(!installed)(title, () => {
    test.each(Object.keys(WRITTEN))('reads what the writer makes of %s, without complaint', async (name) => {
      const members = WRITTEN[name] as readonly PlainMember[];
      expectExtracted(tool, await writeToMemory(members), members);
    });

    if (tool.name === 'gcab') return; // knows no LZX

    test.each([15, 16, 17, 18, 19, 20, 21])(
      'agrees about LZX data with a window of %i bits',
      (windowBits) => {
        const text = randomText(seededRandom(windowBits), 300_000);
        for (const blocks of [
          MIXED,
          [{ type: 'aligned', size: 1_000_000 }],
          [{ type: 'verbatim', size: 9_000 }],
        ]) {
          expectSame(lzxCabinet(text, windowBits, blocks as readonly LzxBlock[]), text);
        }
      },
    );

    test('agrees about E8 translation', () => {
      const plain = Buffer.from(randomText(seededRandom(8), 150_000));
      for (let at = 3; at + 5 < plain.length; at += 37) {
        plain[at] = 0xe8;
        plain.writeInt32LE([at * 2, -at, 12_345, 0x7fffffff][at % 4] as number, at + 1);
      }
      for (const blocks of [MIXED, [{ type: 'verbatim', size: 1_000_000 }]]) {
        expectSame(lzxCabinet(plain, 16, blocks as readonly LzxBlock[], plain.length), plain);
      }
    });

    function expectSame(cabinet: Uint8Array, plain: Uint8Array): void {
      expect(Buffer.compare(extractCabinet(cabinet)[0]!.data, plain)).toBe(0);
      expectExtracted(tool, cabinet, [{ name: 'a.bin', data: plain }]);
    }
  });
}

function lzxCabinet(
  plain: Uint8Array,
  windowBits: number,
  blocks: readonly LzxBlock[],
  e8Size?: number,
): Buffer {
  const folder = lzxFolder(plain, { windowBits, blocks, ...(e8Size !== undefined && { e8Size }) });
  return buildCabinet({ folders: [folder], members: [{ name: 'a.bin', size: plain.length }] });
}
