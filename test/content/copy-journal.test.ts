import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stampOf } from '../../src/content/content-tasks.js';
import { CopyJournal } from '../../src/content/copy-journal.js';
import { shareFileSystem } from '../../src/platform/volume.js';
import { testFolder } from '../store/update-builder.js';
import { makeFile, placeFile } from './content-builder.js';

const file = makeFile('a');

interface Setup {
  readonly journals: string;
  readonly target: string;
  readonly stamp: ReturnType<typeof stampOf>;
  /** True if a journal opened now knows the file; `disk` as the system would tell it. */
  knows(disk?: string): Promise<boolean>;
  /** Notes the file as verified. */
  note(disk?: string): Promise<void>;
}

function setUp(): Setup {
  const folder = testFolder();
  const journals = join(folder, 'copies');
  const target = join(folder, 'stick/WsusContent');
  const stamp = stampOf(lstatSync(placeFile(target, file)));
  const open = (disk: string) =>
    CopyJournal.open({ folder: journals, contentFolder: target, identifyVolume: async () => disk });
  return {
    journals,
    target,
    stamp,
    async knows(disk = 'disk 1') {
      const journal = await open(disk);
      await journal.close();
      return journal.knows(file.sha1, stamp);
    },
    async note(disk = 'disk 1') {
      const journal = await open(disk);
      await journal.add([{ sha1: file.sha1, stamp }]);
      await journal.close();
    },
  };
}

test('what was verified at a target is known the next time, and goes on being noted', async () => {
  const { journals, note, knows, stamp, target } = setUp();
  expect(await knows()).toBe(false);
  await note();
  expect(await knows()).toBe(true);
  await note();
  expect(await knows()).toBe(true);
  expect(readdirSync(journals)).toHaveLength(1);
  const journal = await CopyJournal.open({
    folder: journals,
    contentFolder: target,
    identifyVolume: async () => 'disk 1',
  });
  expect(journal.knows(file.sha1, { ...stamp, modifiedAt: stamp.modifiedAt + 1 })).toBe(false);
  expect(journal.knows(makeFile('b').sha1, stamp)).toBe(false);
});

test('another stick at the same path is not the one that was verified, and each is known again when it is back', async () => {
  const { note, knows, target } = setUp();
  await note();
  renameSync(target, `${target}.one`);
  mkdirSync(target, { recursive: true });
  expect(await knows()).toBe(false);
  await note();
  renameSync(target, `${target}.two`);
  renameSync(`${target}.one`, target);
  expect(await knows()).toBe(true);
  renameSync(target, `${target}.one`);
  renameSync(`${target}.two`, target);
  expect(await knows()).toBe(true);
});

test('a copy of the target by files does not pass for it, whatever times were kept', async () => {
  const { note, knows, target } = setUp();
  await note();
  renameSync(target, `${target}.one`);
  cpSync(`${target}.one`, target, { recursive: true, preserveTimestamps: true });
  expect(await knows()).toBe(false);
});

test('a copy of the target by blocks does not pass for it: it lies on another disk', async () => {
  const { note, knows } = setUp();
  await note('disk 1');
  expect(await knows('disk 2')).toBe(false);
  expect(await knows('disk 1')).toBe(true);
});

test('a target that is verified anew after it was on another disk gets a new id: the old disk has the old one', async () => {
  const { note, knows, target } = setUp();
  const id = () => readFileSync(join(target, '.wsusutil/target-id'), 'latin1');
  await note('disk 1');
  const before = id();
  await note('disk 2');
  expect(id()).not.toBe(before);
  expect(await knows('disk 2')).toBe(true);
});

test('where the system does not tell disks apart, only a target beside the data directory is remembered', async () => {
  const { journals, stamp, target } = setUp();
  const remembers = async (contentFolder: string): Promise<boolean> => {
    const options = { folder: journals, contentFolder, identifyVolume: async () => undefined };
    const journal = await CopyJournal.open(options);
    await journal.add([{ sha1: file.sha1, stamp }]);
    expect(journal.knows(file.sha1, stamp)).toBe(true); // in this run it was read
    await journal.close();
    return (await CopyJournal.open(options)).knows(file.sha1, stamp);
  };
  expect(await remembers(target)).toBe(true);
  if (process.platform !== 'linux' || (await shareFileSystem('/dev/shm', target))) return;
  const elsewhere = join('/dev/shm', `wsusutil-${process.pid}`);
  try {
    mkdirSync(elsewhere);
    expect(await remembers(elsewhere)).toBe(false);
    expect(existsSync(join(elsewhere, '.wsusutil'))).toBe(false);
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
});

test.each([
  ['a path', '../../metadata.sqlite'],
  ['nothing', ''],
  ['too long', 'a'.repeat(100_000)],
])('an id that is %s leads to no journal', async (_, id) => {
  const { journals, note, knows, target } = setUp();
  await note();
  writeFileSync(join(target, '.wsusutil/target-id'), id);
  expect(await knows()).toBe(false);
  await note();
  expect(readdirSync(journals)).toHaveLength(2);
  expect(await knows()).toBe(true);
});

test('neither the id nor its folder is read or written through a link', async () => {
  const { note, knows, target } = setUp();
  await note();
  const elsewhere = testFolder();
  const own = join(target, '.wsusutil');
  renameSync(own, join(elsewhere, 'own'));
  symlinkSync(join(elsewhere, 'own'), own);
  const before = readFileSync(join(elsewhere, 'own/target-id'));
  expect(await knows()).toBe(false);
  await note();
  expect(readFileSync(join(elsewhere, 'own/target-id')).equals(before)).toBe(true);
});

test('lines that are none and a journal of another kind do not count', async () => {
  const { journals, note, knows, target, stamp } = setUp();
  await note();
  const path = join(journals, readdirSync(journals)[0] as string);
  const text = readFileSync(path, 'latin1');
  writeFileSync(path, text.slice(0, -5));
  expect(await knows()).toBe(false);
  await note();
  expect(await knows()).toBe(true);
  writeFileSync(path, text.slice(text.indexOf('\n') + 1)); // without its first line
  expect(await knows()).toBe(false);
  expect(statSync(join(target, file.path)).size).toBe(stamp.size);
});

test('only so many targets are remembered, the last ones', async () => {
  const { journals, note, knows, target } = setUp();
  await note();
  const first = readdirSync(journals)[0] as string;
  utimesSync(join(journals, first), new Date(0), new Date(0));
  for (let n = 0; n < 40; n++) writeFileSync(join(journals, n.toString(16).padStart(32, '0')), '');
  writeFileSync(join(journals, 'notes.txt'), 'not ours');
  rmSync(join(target, '.wsusutil/target-id'));
  await note();
  expect(readdirSync(journals)).toHaveLength(32 + 1);
  expect(existsSync(join(journals, first))).toBe(false);
  expect(await knows()).toBe(true);
});
