/** A carry with bad luck: no room for the content, Ctrl-C, two at once, files that change or are wrong. */
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { contentOf } from '../carry/carry-setup.js';
import { connectedSide, lookInto, newFolder, runJson } from '../helpers/gap-sides.js';
import { finish, runProgram, startProgram } from '../helpers/program.js';

const SMALL_FILES = { revisions: 200, seed: 31, maxFileSize: 9_000 };
const LARGE_FILES = { revisions: 400, seed: 32, maxFileSize: 600_000 };
const IMPORT = ['--allow-unsigned'];

async function carried(options: typeof SMALL_FILES) {
  const outside = await connectedSide(options);
  const path = join(newFolder(), 'carry.tar');
  expect((await runProgram(['export', path], outside)).exitCode).toBe(0);
  const { fingerprint } = await lookInto(outside);
  return { outside, path, fingerprint, content: contentOf(join(outside, 'WsusContent')) };
}

/** What is half-done in a data directory. */
function halfDone(dataDirectory: string): readonly string[] {
  return list(join(dataDirectory, 'WsusContent', '.wsusutil', 'partial'));
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let tries = 0; tries < 20_000 && !isTrue(); tries++) await sleep(1);
}

/** A small file system in the place of a folder. @returns whether there is one */
function mountAt(folder: string, options: string): boolean {
  mkdirSync(folder, { recursive: true });
  if (process.getuid?.() !== 0) return false;
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]).status !== 0) return false;
  onTestFinished(() => {
    spawnSync('umount', [folder]);
  });
  return true;
}

function remount(folder: string, options: string): void {
  expect(spawnSync('mount', ['-o', `remount,${options}`, folder]).status).toBe(0);
}

async function expectComplete(inside: string, package_: Awaited<ReturnType<typeof carried>>): Promise<void> {
  expect(contentOf(join(inside, 'WsusContent'))).toEqual(package_.content);
  expect(halfDone(inside)).toEqual([]);
  expect(list(join(inside, 'carry'))).toEqual([]);
  expect(await lookInto(inside)).toMatchObject({ fingerprint: package_.fingerprint, problems: [] });
  expect((await runJson(['reset', '--offline'], inside)).document.status).toBe('complete');
}

// Free by what the system says before, and full in the middle: names run out, or blocks do.
const DISKS: readonly (readonly [string, (bytes: number) => string, string, boolean])[] = [
  ['2 MB that are full already', () => 'size=2m', 'size=512m', true],
  ['files that run out', () => 'size=512m,nr_inodes=60', 'nr_inodes=0', false],
  [
    'blocks that run out',
    (bytes: number) => `size=${Math.ceil(bytes / 4096) * 4096 + 4096}`,
    'size=512m',
    false,
  ],
];

test.for(DISKS)(
  'content on a small disk: %s',
  { timeout: 120_000 },
  async ([, small, large, isFilled], { skip }) => {
    const one = await carried(SMALL_FILES);
    const bytes = Object.keys(one.content).reduce(
      (sum, name) => sum + statSync(join(one.outside, 'WsusContent', name)).size,
      0,
    );
    const inside = newFolder();
    const disk = join(inside, 'WsusContent');
    skip(!mountAt(disk, small(bytes)), 'only root may mount a small file system, and not everywhere');
    if (isFilled) writeFileSync(join(disk, 'ballast'), Buffer.alloc(2_000_000));
    for (let run = 0; run < 2; run++) {
      const { exitCode, document } = await runJson(['import', one.path, ...IMPORT], inside);
      expect([exitCode, document.error]).toMatchObject([15, { code: 'DISK_FULL' }]);
      expect(halfDone(inside)).toEqual([]);
      expect((await lookInto(inside)).accepted).toEqual([]);
      rmSync(join(disk, 'ballast'), { force: true });
      expect(one.content).toMatchObject(contentOf(disk));
      if (isFilled) break;
    }
    remount(disk, large);
    expect((await runProgram(['import', one.path, ...IMPORT], inside)).exitCode).toBe(0);
    await expectComplete(inside, one);
  },
);

test.skipIf(process.platform === 'win32')(
  'Ctrl-C in the middle of the content, twice',
  async () => {
    const one = await carried(LARGE_FILES);
    const inside = newFolder();
    for (const count of [1, 40]) {
      const child = startProgram(['import', one.path, ...IMPORT, '--json'], inside);
      const end = finish(child);
      await until(() => list(join(inside, 'WsusContent')).length > count && halfDone(inside).length > 0);
      child.kill('SIGINT');
      const { exitCode } = await end;
      expect(exitCode).toBe(130);
      expect(halfDone(inside)).toEqual([]);
      expect(one.content).toMatchObject(contentOf(join(inside, 'WsusContent')));
    }
    expect((await runProgram(['import', one.path, ...IMPORT], inside)).exitCode).toBe(0);
    await expectComplete(inside, one);
  },
  120_000,
);

test('the same package imported twice at once', async () => {
  const one = await carried(LARGE_FILES);
  const inside = newFolder();
  const ends = await Promise.all(
    [0, 1, 2].map(() => runProgram(['import', one.path, ...IMPORT, '--json'], inside)),
  );
  expect(ends.filter(({ exitCode }) => exitCode === 0)).toHaveLength(1);
  await expectComplete(inside, one);
});

test('a content file that changes while it is exported', async () => {
  const outside = await connectedSide(LARGE_FILES);
  const folder = newFolder();
  const names = Object.keys(contentOf(join(outside, 'WsusContent')));
  const last = join(outside, 'WsusContent', names.at(-1) as string);
  const bytes = readFileSync(last);
  for (const changed of [Buffer.alloc(bytes.length, 1), bytes.subarray(1), undefined]) {
    writeFileSync(last, bytes);
    const child = startProgram(['export', join(folder, 'carry.tar'), '--json'], outside);
    const end = finish(child);
    await until(() => list(folder).length > 0);
    if (changed === undefined) rmSync(last);
    else writeFileSync(last, changed);
    const { exitCode, stdout } = await end;
    expect([exitCode, JSON.parse(stdout).error]).toMatchObject([24, { code: 'TRANSFER_MISMATCH' }]);
    expect(list(folder)).toEqual([]);
    expect(list(join(outside, 'carry'))).toEqual([]);
  }
  // Of one that grows, what the manifest says goes out.
  writeFileSync(last, bytes);
  const end = runProgram(['export', join(folder, 'carry.tar')], outside);
  await until(() => list(folder).length > 0);
  appendFileSync(last, 'more');
  expect((await end).exitCode).toBe(0);
  expect((await runProgram(['verify', join(folder, 'carry.tar')], outside)).exitCode).toBe(0);
}, 120_000);

test('content files that lie there damaged are replaced', async () => {
  const one = await carried(SMALL_FILES);
  const inside = newFolder();
  const names = Object.keys(one.content);
  for (const [index, name] of names.slice(0, 30).entries()) {
    const path = join(inside, 'WsusContent', name);
    const bytes = readFileSync(join(one.outside, 'WsusContent', name));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, index % 2 === 0 ? Buffer.alloc(bytes.length, 7) : bytes.subarray(1));
  }
  expect((await runProgram(['import', one.path, ...IMPORT], inside)).exitCode).toBe(0);
  await expectComplete(inside, one);
}, 120_000);
