import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import type { CommandDeclaration } from '../../../src/commands/declaration.js';
import { keysNew } from '../../../src/commands/keys/keys-new.js';
import { exportCommand } from '../../../src/commands/packages/export.js';
import { planExport } from '../../../src/commands/packages/plan-export.js';
import { openMetadataStore } from '../../../src/store/open-store.js';
import { makeFile, placeFile, updateWith } from '../../content/content-builder.js';
import { failureOf } from '../../helpers/package-builder.js';
import { importFile, makeUpdate, NOW, now, testFolder, writeUpdates } from '../../store/update-builder.js';
import { type GivenArguments, runCommand } from '../command-context.js';

const as = (command: unknown) => command as CommandDeclaration;

interface Checksums {
  readonly createdAt: string;
  readonly manifest: string;
  readonly volumes: readonly { path: string; size: number; sha256: string }[];
}

let storePath: string;
beforeEach(async () => {
  storePath = join(testFolder(), 'metadata.sqlite');
  const files = [makeFile('a', 30_000), makeFile('b', 5_000), makeFile('c', 40_000)];
  const licence = makeFile('licence', 700, 'eula.txt');
  const store = await openMetadataStore(storePath, { mode: 'write', now });
  const updates = [
    updateWith(1, files.slice(0, 2), { licences: [licence] }),
    updateWith(2, files.slice(2)),
    makeUpdate(3),
  ];
  await importFile(store, await writeUpdates(join(testFolder(), 'feed.cab'), updates));
  await store.close();
  for (const file of [...files, licence]) placeFile(join(dirname(storePath), 'WsusContent'), file);
  await runCommand(as(keysNew), storePath, { options: { 'no-password': true } });
});

const plan = (path: string, options: GivenArguments['options'] = {}) =>
  runCommand(as(planExport), storePath, { positionals: { package: path }, options });
const filesBelow = (folder: string) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();

test('the sheet of checksums is that of the package which is exported then, in volumes and signed', async () => {
  for (const [index, options] of [
    {},
    { 'volume-size': '30k' },
    { 'volume-size': '30k', 'sign-with': ['default'] },
  ].entries()) {
    const path = join(testFolder(), 'carry.tar');
    const given = { destination: `place ${index}`, ...options };
    // a reader may make SQLite's own files beside the store
    const held = () => filesBelow(dirname(storePath)).filter((name) => !/-(?:wal|shm)$/.test(name));
    const before = held();
    const { result, view } = await plan(path, { ...given, checksums: true });
    expect(held()).toEqual(before);
    expect(filesBelow(dirname(path))).toEqual([]);
    const checksums = result.checksums as Checksums;
    const sizesOf = (volumes: Checksums['volumes']) =>
      volumes.map(({ path: volume, size }) => [volume, size]);
    expect(sizesOf(result.volumes as Checksums['volumes'])).toEqual(sizesOf(checksums.volumes));
    expect(result.size).toBe(checksums.volumes.reduce((sum, { size }) => sum + size, 0));
    expect(checksums.createdAt).toBe(NOW.toISOString().replace('.000', ''));
    const text = JSON.stringify(view);
    for (const { path: volume, sha256 } of checksums.volumes) {
      expect(text).toContain(`${sha256.toLowerCase()}  ${basename(volume)}`);
    }

    const exported = await runCommand(as(exportCommand), storePath, {
      positionals: { package: path },
      options: { ...given, 'created-at': checksums.createdAt },
    });
    expect(exported.result.manifest).toBe(checksums.manifest);
    expect(text).toContain(checksums.manifest);
    expect(filesBelow(dirname(path))).toEqual(checksums.volumes.map((volume) => basename(volume.path)));
    for (const volume of checksums.volumes) {
      const bytes = readFileSync(volume.path);
      expect(createHash('sha256').update(bytes).digest('hex').toUpperCase()).toBe(volume.sha256);
      expect(bytes.length).toBe(volume.size);
    }
  }
});

test('a key that is not there is told before anything is read', async () => {
  const error = await failureOf(() => plan(join(testFolder(), 'carry.tar'), { 'sign-with': ['other'] }));
  expect([error.code, error.hint]).toEqual(['NOT_FOUND', 'There are: default.']);
});

test('another time of creation gives other bytes; one that is none, or to come, is refused', async () => {
  const path = join(testFolder(), 'carry.tar');
  const one = await plan(path, { checksums: true, 'created-at': '2026-01-01T00:00:00Z' });
  const other = await plan(path, { checksums: true });
  expect((one.result.checksums as Checksums).createdAt).toBe('2026-01-01T00:00:00Z');
  expect((one.result.checksums as Checksums).manifest).not.toBe(
    (other.result.checksums as Checksums).manifest,
  );
  for (const time of [
    'yesterday',
    '2026-02-30T00:00:00Z',
    '2026-01-01',
    '1960-01-01T00:00:00Z',
    '2999-01-01T00:00:00Z',
  ]) {
    const error = await failureOf(() => plan(path, { 'created-at': time }));
    expect([time, error.code]).toEqual([time, 'USAGE']);
  }
});

test('without reading anything: volumes, files and bytes of each, the largest file, time, room, FAT32', async () => {
  const path = join(testFolder(), 'carry.tar');
  const { result } = await plan(path, { 'volume-size': '60k', speed: '1k', destination: 'nowhere' });
  expect(result).toMatchObject({
    checksums: null,
    largestFile: { path: expect.stringMatching(/^WsusContent\//), size: 40_000 },
    fitsFat32: true,
    speed: 1024,
    seconds: Math.ceil((result.size as number) / 1024),
    neededThere: { content: 75_700, metadata: expect.any(Number) },
    free: expect.any(Number),
  });
  const volumes = result.volumes as { path: string; size: number; files: number; largestFile: number }[];
  expect(volumes.length).toBeGreaterThan(1);
  expect(volumes.reduce((sum, { files }) => sum + files, 0)).toBeGreaterThanOrEqual(7);
  expect(Math.max(...volumes.map(({ largestFile }) => largestFile))).toBe(40_000);
  // About the sizes that the export has.
  await runCommand(as(exportCommand), storePath, {
    positionals: { package: path },
    options: { 'volume-size': '60k', destination: 'nowhere' },
  });
  const written = volumes.map((volume) => statSync(volume.path).size);
  for (const [index, size] of written.entries()) {
    expect(Math.abs(size - (volumes[index]?.size ?? 0))).toBeLessThan(4_096);
  }
});
