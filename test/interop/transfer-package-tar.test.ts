/** Volumes of transfer packages, listed and unpacked by other programs. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { extract } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listPieces } from '../../src/formats/transfer-package/manifest.js';
import {
  type BuiltPackage,
  buildByHand,
  buildPackage,
  sealManifest,
  sha,
} from '../formats/transfer-package/transfer-builder.js';

let folder: string;
let built: BuiltPackage;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wsusutil-tar-'));
  built = await buildPackage({
    sizes: [0, 1, 511, 512, 513, 100_000],
    volumeSize: 40_000,
    signatures: [Buffer.from('untrusted comment: x\n')],
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const has = (program: string) => spawnSync(program, ['--version']).status === 0;

/** Name → content, of a volume: what the manifest puts into it. */
function expectedFiles({ manifest, files }: BuiltPackage, number: number): Map<string, Buffer> {
  return new Map(
    [...listPieces(manifest, number)].map(({ name, entry, from, size }) => [
      name,
      (files.get(entry.path) as Buffer).subarray(from, from + size),
    ]),
  );
}

describe.each(['tar', 'bsdtar'])('%s', (program) => {
  test.skipIf(!has(program))('lists and unpacks each volume without a complaint', () => {
    expect(built.volumes.length).toBeGreaterThan(2);
    for (const [index, volume] of built.volumes.entries()) {
      const path = join(folder, `${program}-${index}.tar`);
      writeFileSync(path, volume);
      const expected = expectedFiles(built, index + 1);

      const listed = spawnSync(program, ['-tf', path], { encoding: 'utf8' });
      expect([listed.status, listed.stderr]).toEqual([0, '']);
      expect(listed.stdout.trim().split('\n')).toEqual([
        'manifest.json',
        'manifest.json.minisig',
        'volume.json',
        ...expected.keys(),
      ]);

      const target = mkdtempSync(join(folder, `${program}-`));
      const unpacked = spawnSync(program, ['-xf', path, '-C', target], { encoding: 'utf8' });
      expect([unpacked.status, unpacked.stderr]).toEqual([0, '']);
      for (const [name, bytes] of expected) {
        expect(readFileSync(join(target, name)).equals(bytes)).toBe(true);
        expect(statSync(join(target, name)).mtimeMs).toBe(Date.parse(built.manifest.createdAt));
      }
      expect(sha('sha256', readFileSync(join(target, 'manifest.json')))).toBe(built.digest);
    }
  });

  test.skipIf(!has(program))('reads names that are long or not ASCII', async () => {
    const names = [`metadata/${'long'.repeat(45)}`, 'metadata/Übersicht.gz'];
    const files = new Map(names.map((name) => [name, Buffer.from(name)]));
    const manifest = sealManifest({
      ...built.manifest,
      volumes: [{ number: 1, size: 0 }],
      entries: names.map((path) => ({
        path,
        kind: 'metadata',
        size: (files.get(path) as Buffer).length,
        sha256: sha('sha256', files.get(path) as Buffer),
        volume: 1,
      })),
    });
    const path = join(folder, `${program}-names.tar`);
    writeFileSync(path, (await buildByHand(manifest, files)).volumes[0] as Buffer);
    const target = mkdtempSync(join(folder, `${program}-names-`));
    const env = { ...process.env, LC_ALL: 'C.UTF-8' };
    const unpacked = spawnSync(program, ['-xf', path, '-C', target], { encoding: 'utf8', env });
    expect([unpacked.status, unpacked.stderr]).toEqual([0, '']);
    for (const name of names) expect(readFileSync(join(target, name), 'utf8')).toBe(name);
  });
});

test('tar-stream unpacks each volume', async () => {
  for (const [index, volume] of built.volumes.entries()) {
    const reader = extract();
    reader.end(volume);
    const seen = new Map<string, Buffer>();
    for await (const entry of reader) {
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      seen.set(entry.header.name, Buffer.concat(chunks));
    }
    expect([...seen.keys()].slice(0, 3)).toEqual(['manifest.json', 'manifest.json.minisig', 'volume.json']);
    for (const [name, bytes] of expectedFiles(built, index + 1)) {
      expect((seen.get(name) as Buffer).equals(bytes)).toBe(true);
    }
  }
});
