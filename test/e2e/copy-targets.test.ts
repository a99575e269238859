/** Real disks, one mounted after the other at the same place: what was verified on one says nothing about another. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { identifyVolume } from '../../src/platform/volume.js';
import { makeFile, placeFile, updateWith } from '../content/content-builder.js';
import { runProgram, temporaryFolder } from '../helpers/program.js';
import { writeUpdates } from '../store/update-builder.js';

const DISK_SIZE = 16 << 20;
const folder = temporaryFolder();
const disk = join(folder.path, 'disk');
const stick = join(folder.path, 'stick.img');
const home = join(folder.path, 'home');
const files = ['a', 'b', 'c'].map((name) => makeFile(name, 50_000));

function run(program: string, ...args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}

function mount(image: string): void {
  expect(run('mount', '-o', 'loop', image, disk)).toBe(true);
}

function unmount(): void {
  expect(run('umount', disk)).toBe(true);
}

async function makeStick(image: string): Promise<boolean> {
  writeFileSync(image, '');
  truncateSync(image, DISK_SIZE);
  return run('mkfs.ext4', '-q', '-F', image);
}

/** Whether disks can be mounted here and the system tells their insertions apart. */
async function findReason(): Promise<string> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root may mount disks';
  mkdirSync(disk);
  if (!(await makeStick(stick))) return 'mkfs.ext4 is not there';
  if (!run('mount', '-o', 'loop', stick, disk)) return 'disks cannot be mounted here';
  const volume = await identifyVolume(disk);
  unmount();
  return volume?.startsWith('disk ') === true ? '' : 'the kernel does not number insertions';
}

const reason = await findReason();

async function copy() {
  const { exitCode, stdout } = await runProgram(['content', 'copy', disk, '--link', 'never', '--json'], home);
  return { exitCode, document: JSON.parse(stdout) };
}

async function foretell() {
  return JSON.parse((await runProgram(['content', 'copy', disk, '--dry-run', '--json'], home)).stdout);
}

beforeAll(async () => {
  if (reason !== '') return;
  const packagePath = await writeUpdates(join(folder.path, 'content.cab'), [updateWith(1, files)]);
  expect((await runProgram(['import', packagePath], home)).exitCode).toBe(0);
  for (const file of files) placeFile(join(home, 'WsusContent'), file);
}, 60_000);
beforeEach(async () => {
  if (reason === '') await makeStick(stick);
});
afterAll(() => {
  if (reason === '') run('umount', disk);
  folder.remove();
});

describe.skipIf(reason !== '')(`two disks at one path${reason === '' ? '' : ` (skipped: ${reason})`}`, () => {
  test('a clone by blocks is read, though every name, time, inode and id in it is that of the verified one', async () => {
    mount(stick);
    expect((await copy()).document).toMatchObject({ copied: { files: 3 } });
    expect(await foretell()).toMatchObject({ present: { files: 3 } });
    const place = join(disk, 'WsusContent', files[0]?.path as string);
    const stamp = statSync(place, { bigint: true });
    unmount();
    // A bad block on the clone: nothing but the bytes of the file tells.
    const clone = join(folder.path, 'clone.img');
    copyFileSync(stick, clone);
    const bytes = readFileSync(clone);
    const at = bytes.indexOf(files[0]?.bytes.subarray(0, 4096) as Buffer);
    expect(at).toBeGreaterThan(0);
    bytes[at] = (bytes[at] as number) ^ 1;
    writeFileSync(clone, bytes);
    mount(clone);
    const found = statSync(place, { bigint: true });
    expect([found.ino, found.size, found.mtimeNs, found.ctimeNs]).toEqual([
      stamp.ino,
      stamp.size,
      stamp.mtimeNs,
      stamp.ctimeNs,
    ]);
    expect(readFileSync(place).equals(files[0]?.bytes as Buffer)).toBe(false);
    expect(await foretell()).toMatchObject({ present: { files: 0 }, unread: { target: { files: 3 } } });
    expect((await copy()).document).toMatchObject({ replaced: { files: 1 }, present: { files: 2 } });
    expect(readFileSync(place).equals(files[0]?.bytes as Buffer)).toBe(true);
    unmount();
  });

  test('a disk that was formatted anew is filled anew', async () => {
    mount(stick);
    await copy();
    unmount();
    await makeStick(stick);
    mount(stick);
    expect((await copy()).document).toMatchObject({ copied: { files: 3 }, present: { files: 0 } });
    unmount();
  });

  test('a disk that stayed in its place is not read again', async () => {
    mount(stick);
    await copy();
    expect(await foretell()).toMatchObject({ present: { files: 3 }, toCopy: { files: 0 } });
    unmount();
  });
});
