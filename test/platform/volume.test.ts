/** A made-up /sys and /proc, as Linux 6 lays them out, for the disk the test folder really lies on. */
import { mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { identifyVolume, shareFileSystem } from '../../src/platform/volume.js';
import { testFolder } from '../store/update-builder.js';

interface Machine {
  readonly folder: string;
  readonly system: { readonly platform: 'linux'; readonly sys: string; readonly proc: string };
  write(path: string, text: string): void;
  /** @param at below /sys/devices */
  addDisk(at: string, diskseq: string | undefined): void;
}

function makeMachine(): Machine {
  const folder = testFolder();
  const root = testFolder();
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  write('proc/sys/kernel/random/boot_id', '7b4f3a52-0000-4000-8000-000000000001\n');
  return {
    folder,
    write,
    system: { platform: 'linux', sys: join(root, 'sys'), proc: join(root, 'proc') },
    addDisk(at, diskseq) {
      const { dev } = statSync(folder);
      const number = `${((dev >> 8) & 0xfff).toString()}:${dev & 0xff}`;
      mkdirSync(join(root, 'sys/dev/block'), { recursive: true });
      mkdirSync(join(root, 'sys/devices', at), { recursive: true });
      symlinkSync(join('../../devices', at), join(root, 'sys/dev/block', number));
      const disk = /\d$/.test(at) ? dirname(at) : at;
      if (diskseq !== undefined) write(join('sys/devices', disk, 'diskseq'), `${diskseq}\n`);
    },
  };
}

// A root folder without a disk of its own (a container's, btrfs) has no number that could be looked up.
const hasDisk = process.platform === 'linux' && ((statSync(tmpdir()).dev >> 8) & 0xfff) !== 0;

test.skipIf(!hasDisk).each(['usb1/block/sdb', 'usb1/block/sdb/sdb1'])(
  'a stick that was pulled out and put back (%s) is another insertion',
  async (at) => {
    const { folder, system, addDisk, write } = makeMachine();
    addDisk(at, '21');
    const first = await identifyVolume(folder, system);
    expect(first).toContain('21');
    expect(await identifyVolume(folder, system)).toBe(first);
    write('sys/devices/usb1/block/sdb/diskseq', '23\n');
    expect(await identifyVolume(folder, system)).not.toBe(first);
  },
);

test.skipIf(!hasDisk)(
  'numbers of insertions begin again with every boot, so the boot counts too',
  async () => {
    const { folder, system, addDisk, write } = makeMachine();
    addDisk('usb1/block/sdb', '21');
    const first = await identifyVolume(folder, system);
    write('proc/sys/kernel/random/boot_id', '7b4f3a52-0000-4000-8000-000000000002\n');
    expect(await identifyVolume(folder, system)).not.toBe(first);
  },
);

test.skipIf(process.platform === 'win32')(
  'a kernel that does not number insertions tells nothing',
  async () => {
    const { folder, system, addDisk, write } = makeMachine();
    addDisk('usb1/block/sdb', undefined);
    expect(await identifyVolume(folder, system)).toBeUndefined();
    write('proc/self/mountinfo', '27 1 8:0 / / rw - ext4 /dev/does-not-exist rw\n');
    expect(await identifyVolume(folder, system)).toBeUndefined();
  },
);

test.skipIf(process.platform === 'win32')('a share is known by its server and path', async () => {
  const { folder, system, write } = makeMachine();
  const point = folder.replaceAll(' ', '\\040');
  const mounted = (type: string, source: string) =>
    write(
      'proc/self/mountinfo',
      [
        '27 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
        `90 27 0:50 / ${dirname(point)} rw - tmpfs tmpfs rw`,
        `91 90 0:51 / ${point} rw,relatime shared:9 - ${type} ${source} rw,vers=4.2`,
        `92 27 0:52 / ${point}x rw - nfs4 other:/x rw`,
        '',
      ].join('\n'),
    );
  mounted('nfs4', 'server:/wsus\\040content');
  expect(await identifyVolume(folder, system)).toBe('share nfs4 server:/wsus content');
  mounted('cifs', '//server/wsus');
  expect(await identifyVolume(folder, system)).toBe('share cifs //server/wsus');
  mounted('tmpfs', 'tmpfs');
  expect(await identifyVolume(folder, system)).toBeUndefined();
});

test('other systems do not tell disks apart', async () => {
  const { folder, system } = makeMachine();
  expect(await identifyVolume(folder, { ...system, platform: 'darwin' })).toBeUndefined();
  expect(await identifyVolume(join(folder, 'not there'), system)).toBeUndefined();
});

test('folders of one file system are told from those of none', async () => {
  const folder = testFolder();
  expect(await shareFileSystem(folder, dirname(folder))).toBe(true);
  expect(await shareFileSystem(folder, join(folder, 'not there'))).toBe(false);
});
