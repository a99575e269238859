/** The commands about content as people run them: killed, on a full disk, with archives and with what no file is. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { SCHEMA_VERSION } from '../../src/store/schema.js';
import { type BuiltFile, makeFile, placeFile, updateWith } from '../content/content-builder.js';
import { startContentOrigin } from '../helpers/content-origin.js';
import { bringBack } from '../helpers/old-store.js';
import { finish, runProgram, startProgram, temporaryFolder } from '../helpers/program.js';
import { type SeededRandom, seededRandom } from '../helpers/seeded-random.js';
import { writeUpdates } from '../store/update-builder.js';

const KILLS = 8;
const folder = temporaryFolder();
const base = join(folder.path, 'base');
const files: BuiltFile[] = [
  ...Array.from({ length: 300 }, (_, n) => makeFile(`small${n}`, 1 + ((n * 977) % 20_000))),
  ...Array.from({ length: 6 }, (_, n) => makeFile(`large${n}`, 3_000_000, `large${n}.cab`)),
];
const licence = makeFile('eula', 60, 'eula.txt');
const all = [...files, licence];

beforeAll(async () => {
  const groups = Array.from({ length: Math.ceil(files.length / 20) }, (_, n) =>
    files.slice(n * 20, n * 20 + 20),
  );
  const packagePath = await writeUpdates(
    join(folder.path, 'content.cab'),
    groups.map((group, n) => updateWith(n + 1, group, n === 0 ? { licences: [licence] } : {})),
  );
  expect((await runProgram(['import', packagePath], base)).exitCode).toBe(0);
  for (const file of all) placeFile(join(base, 'WsusContent'), file);
}, 60_000);
afterAll(folder.remove);

/** A data directory with the store, and its content unless left out. */
function home(options: { readonly content: boolean } = { content: true }): string {
  const copy = temporaryFolder();
  onTestFinished(copy.remove);
  cpSync(base, copy.path, {
    recursive: true,
    filter: (path) => options.content || !path.includes('WsusContent'),
  });
  return copy.path;
}

async function json(args: readonly string[], dataDirectory: string) {
  const { exitCode, stdout, stderr } = await runProgram([...args, '--json'], dataDirectory);
  return { exitCode, stderr, document: JSON.parse(stdout) };
}

/** Every file under a SHA-1's name is that file. @returns how many */
function proveTree(contentFolder: string): number {
  let count = 0;
  for (const file of all) {
    const path = join(contentFolder, file.path);
    if (!existsSync(path)) continue;
    count++;
    expect(readFileSync(path).equals(file.bytes), file.path).toBe(true);
  }
  return count;
}

async function killAtRandom(
  args: readonly string[],
  dataDirectory: string,
  random: SeededRandom,
  within: number,
): Promise<void> {
  const child = startProgram(args, dataDirectory);
  const end = finish(child);
  await sleep(100 + random.below(within));
  child.kill('SIGKILL');
  await end;
}

test('threads read and copy what one thread does', async () => {
  const target = temporaryFolder();
  onTestFinished(target.remove);
  const { exitCode, document } = await json(['content', 'copy', target.path, '--link', 'never'], home());
  expect(document).toMatchObject({
    command: 'content copy',
    copied: { files: all.length },
    notCopied: { files: 0 },
  });
  expect(exitCode).toBe(0);
  expect(proveTree(join(target.path, 'WsusContent'))).toBe(all.length);
});

describe('killed at random points and run again', () => {
  test('reset, with downloads: every file comes, none is wrong', async () => {
    const random = seededRandom(11);
    const origin = await startContentOrigin(new Map(all.map((file) => [`/${file.path}`, file.bytes])));
    const dataDirectory = home({ content: false });
    const content = join(dataDirectory, 'WsusContent');
    const args = ['reset', '--source', origin.url];
    for (let n = 0; n < KILLS; n++) {
      await killAtRandom(args, dataDirectory, random, 700);
      proveTree(content);
    }
    expect((await json(args, dataDirectory)).document).toMatchObject({
      status: 'complete',
      stillMissing: { files: 0 },
    });
    expect(proveTree(content)).toBe(all.length);
    expect(readdirSync(join(content, '.wsusutil/partial'))).toEqual([]);
    expect((await json(['checkstore'], dataDirectory)).document).toMatchObject({ problems: [] });
  }, 120_000);

  test('content copy: the target is complete at the end and holds no debris', async () => {
    const random = seededRandom(12);
    const dataDirectory = home();
    const target = temporaryFolder();
    onTestFinished(target.remove);
    const args = ['content', 'copy', target.path, '--link', 'never'];
    for (let n = 0; n < KILLS; n++) {
      await killAtRandom(args, dataDirectory, random, 500);
      proveTree(join(target.path, 'WsusContent'));
    }
    expect((await json(args, dataDirectory)).document).toMatchObject({ status: 'complete' });
    expect(proveTree(join(target.path, 'WsusContent'))).toBe(all.length);
    expect(readdirSync(join(target.path, 'WsusContent/.wsusutil/partial'))).toEqual([]);
  }, 120_000);

  test('movecontent: the setting names the old or the new place, and nothing is lost', async () => {
    const random = seededRandom(13);
    const dataDirectory = home();
    const target = temporaryFolder();
    onTestFinished(target.remove);
    let log = 0;
    const args = () => ['movecontent', target.path, join(folder.path, `move-${log++}.log`)];
    for (let n = 0; n < KILLS; n++) {
      await killAtRandom(args(), dataDirectory, random, 500);
      expect(proveTree(join(dataDirectory, 'WsusContent'))).toBe(all.length);
      const settings = join(dataDirectory, 'settings.json');
      const now = existsSync(settings)
        ? JSON.parse(readFileSync(settings, 'utf8')).contentDirectory
        : undefined;
      expect([undefined, target.path]).toContain(now);
      if (now !== undefined) expect(proveTree(join(target.path, 'WsusContent'))).toBe(all.length);
    }
    const last = await json(args(), dataDirectory);
    // The setting may have been switched by a run that was killed after it.
    if (last.exitCode === 2) expect(last.document.error.message).toContain('already');
    else expect(last.document).toMatchObject({ status: 'complete', missing: { files: 0 } });
    expect(proveTree(join(target.path, 'WsusContent'))).toBe(all.length);
    expect((await json(['content', 'verify'], dataDirectory)).document).toMatchObject({
      contentFolder: join(target.path, 'WsusContent'),
      found: { verified: { files: all.length } },
    });
  }, 120_000);

  test('content prune: what is wanted stays, and in the end no orphan does', async () => {
    const random = seededRandom(14);
    const dataDirectory = home();
    const content = join(dataDirectory, 'WsusContent');
    const orphans = Array.from({ length: 200 }, (_, n) => makeFile(`orphan${n}`, 100));
    for (const orphan of orphans) placeFile(content, orphan);
    const args = ['content', 'prune', '--yes', '--grace', '0'];
    for (let n = 0; n < KILLS; n++) {
      await killAtRandom(args, dataDirectory, random, 150);
      expect(proveTree(content)).toBe(all.length);
      for (const orphan of orphans) {
        const there = [join(content, orphan.path), join(content, '.wsusutil/quarantine', orphan.path)];
        expect(there.filter((path) => existsSync(path))).toHaveLength(1);
      }
    }
    expect((await json(args, dataDirectory)).exitCode).toBe(0);
    expect(orphans.filter((orphan) => existsSync(join(content, orphan.path)))).toEqual([]);
    expect(proveTree(content)).toBe(all.length);
  }, 120_000);
});

test('Ctrl-C during a copy ends with 130 and leaves nothing half-written', async () => {
  const target = temporaryFolder();
  onTestFinished(target.remove);
  const child = startProgram(['content', 'copy', target.path, '--link', 'never'], home());
  const end = finish(child);
  // Its first sign of life: before that, a signal meets a program that does not listen yet.
  const isUnderWay = () => existsSync(join(target.path, 'WsusContent'));
  while (child.exitCode === null && !isUnderWay()) await sleep(5);
  child.kill('SIGINT');
  const { exitCode } = await end;
  if (exitCode === 0) return; // it was quicker
  expect(exitCode).toBe(130);
  const partial = join(target.path, 'WsusContent/.wsusutil/partial');
  expect(existsSync(partial) ? readdirSync(partial) : []).toEqual([]);
  proveTree(join(target.path, 'WsusContent'));
});

const disk = join(folder.path, 'disk');
mkdirSync(disk);
const isMounted =
  process.getuid?.() === 0 &&
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', disk]).status === 0;
afterAll(() => {
  if (isMounted) spawnSync('umount', [disk]);
});
const reason = isMounted ? '' : ' (skipped: only root may mount a small file system, and not everywhere)';

describe.skipIf(!isMounted)(`a full disk${reason}`, () => {
  test('is noticed before anything is copied', async () => {
    const { exitCode, document } = await json(['content', 'copy', disk], home());
    expect(exitCode).toBe(15);
    expect(document.error).toMatchObject({ code: 'DISK_FULL', details: { needed: expect.any(Number) } });
    expect(readdirSync(disk)).toEqual([]);
  });

  test('while downloads come: one clear error, no debris, and what is there is right', async () => {
    const origin = await startContentOrigin(new Map(all.map((file) => [`/${file.path}`, file.bytes])));
    const dataDirectory = home({ content: false });
    await runProgram(['postinstall', `CONTENT_DIR=${disk}`], dataDirectory);
    const { exitCode, document } = await json(['reset', '--source', origin.url], dataDirectory);
    expect(document.error).toMatchObject({ code: 'DISK_FULL' });
    expect(exitCode).toBe(15);
    expect(proveTree(join(disk, 'WsusContent'))).toBeGreaterThan(0);
    for (const name of readdirSync(disk)) rmSync(join(disk, name), { recursive: true });
  });

  test('that fills up while a copy runs: one clear error, no debris', async () => {
    const dataDirectory = home();
    const list = join(folder.path, 'huge.json');
    // A list that says less than there is would fit; the disk is made smaller meanwhile instead.
    const wanted = files.slice(0, 302).map(({ sha1, sha256, fileName, bytes }) => ({
      sha1,
      sha256,
      fileName,
      size: bytes.length,
      kind: 'payload',
    }));
    writeFileSync(
      list,
      JSON.stringify({ kind: 'wsusutil-missing-content', formatVersion: 1, files: wanted }),
    );
    const child = startProgram(['content', 'copy', disk, '--list', list, '--json'], dataDirectory);
    const end = finish(child);
    while (!existsSync(join(disk, 'WsusContent/.wsusutil/partial'))) await sleep(1);
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(9_500_000));
    const { exitCode, stdout } = await end;
    expect(JSON.parse(stdout).error).toMatchObject({ code: 'DISK_FULL' });
    expect(exitCode).toBe(15);
    expect(readdirSync(join(disk, 'WsusContent/.wsusutil/partial'))).toEqual([]);
    proveTree(join(disk, 'WsusContent'));
    for (const name of readdirSync(disk)) rmSync(join(disk, name), { recursive: true });
  });
});

test('a socket under the name of a content file is told and replaced, not opened', async () => {
  const dataDirectory = home();
  const file = files[0] as BuiltFile;
  const path = join(dataDirectory, 'WsusContent', file.path);
  rmSync(path);
  const server = createServer();
  // The path of a socket may be 107 bytes long: it is made elsewhere and linked by its place.
  await new Promise<void>((done) => server.listen(join(dataDirectory, 's'), done));
  onTestFinished(() => new Promise<void>((done) => server.close(() => done())));
  if (spawnSync('ln', [join(dataDirectory, 's'), path]).status !== 0) return;
  const checked = await json(['reset', '--offline'], dataDirectory);
  expect(checked.document).toMatchObject({ found: { 'not-a-file': { files: 1 } } });
  const origin = await startContentOrigin(new Map(all.map((each) => [`/${each.path}`, each.bytes])));
  expect((await json(['reset', '--source', origin.url], dataDirectory)).document).toMatchObject({
    status: 'complete',
  });
  expect(statSync(path).isFile()).toBe(true);
});

describe('archives given to content add', () => {
  const some = files.slice(0, 20);
  const tools: readonly (readonly [string, readonly string[]])[] = [
    ['7z', ['a', '-t7z']],
    ['zip (by 7z)', ['a', '-tzip']],
    ['tar (by 7z)', ['a', '-ttar']],
  ];
  const has7z = spawnSync('7z', ['--help'], { stdio: 'ignore' }).status === 0;

  /** A zip with stored members, as every packer can write it. */
  function zip(members: readonly (readonly [name: string, bytes: Buffer])[]): Buffer {
    const parts: Buffer[] = [];
    const directory: Buffer[] = [];
    let offset = 0;
    for (const [name, bytes] of members) {
      const header = Buffer.alloc(30);
      header.writeUInt32LE(0x04034b50, 0);
      header.writeUInt16LE(20, 4);
      header.writeUInt32LE(crcOf(bytes), 14);
      header.writeUInt32LE(bytes.length, 18);
      header.writeUInt32LE(bytes.length, 22);
      header.writeUInt16LE(Buffer.byteLength(name), 26);
      const entry = Buffer.alloc(46);
      entry.writeUInt32LE(0x02014b50, 0);
      entry.writeUInt16LE(20, 4);
      entry.writeUInt16LE(20, 6);
      header.copy(entry, 16, 14, 28);
      entry.writeUInt32LE(offset, 42);
      parts.push(header, Buffer.from(name), bytes);
      directory.push(entry, Buffer.from(name));
      offset += 30 + Buffer.byteLength(name) + bytes.length;
    }
    const end = Buffer.alloc(22);
    end.writeUInt32LE(0x06054b50, 0);
    end.writeUInt16LE(members.length, 8);
    end.writeUInt16LE(members.length, 10);
    end.writeUInt32LE(
      directory.reduce((sum, part) => sum + part.length, 0),
      12,
    );
    end.writeUInt32LE(offset, 16);
    return Buffer.concat([...parts, ...directory, end]);
  }

  function put(name: string, bytes: Buffer): string {
    const path = join(folder.path, name);
    writeFileSync(path, bytes);
    return path;
  }

  const packed = () => zip(some.map((file, n) => [`../../evil/${n}.bin`, file.bytes] as const));

  test('a zip with hostile names gives its files their places and writes nowhere else', async () => {
    const dataDirectory = home({ content: false });
    const { exitCode, document } = await json(['content', 'add', put('packed.zip', packed())], dataDirectory);
    expect(document).toMatchObject({ sources: [{ kind: 'archive', added: { files: 20 }, problems: [] }] });
    expect(exitCode).toBe(0);
    expect(proveTree(join(dataDirectory, 'WsusContent'))).toBe(20);
    expect(existsSync(join(folder.path, 'evil'))).toBe(false);
    expect(readdirSync(join(dataDirectory, 'WsusContent/.wsusutil/partial'))).toEqual([]);
  });

  test.skipIf(!has7z).each(tools)(
    `a %s archive is opened${has7z ? '' : ' (skipped: 7z is not installed)'}`,
    async (name, args) => {
      const dataDirectory = home({ content: false });
      const source = join(folder.path, `tree-${name}`);
      for (const file of some) placeFile(source, file, `x/${file.fileName}`);
      const archive = join(folder.path, `packed-${name.slice(0, 3)}.bin`);
      expect(spawnSync('7z', [...args, archive, join(source, 'x')]).status).toBe(0);
      const { document } = await json(['content', 'add', archive], dataDirectory);
      expect(document).toMatchObject({ sources: [{ kind: 'archive', added: { files: 20 } }] });
      expect(proveTree(join(dataDirectory, 'WsusContent'))).toBe(20);
    },
  );

  /** The smallest ISO 9660 image with files in its root. */
  function iso(members: readonly (readonly [name: string, bytes: Buffer])[]): Buffer {
    const SECTOR = 2048;
    const both16 = (value: number) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt16LE(value, 0);
      bytes.writeUInt16BE(value, 2);
      return bytes;
    };
    const both32 = (value: number) => {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt32LE(value, 0);
      bytes.writeUInt32BE(value, 4);
      return bytes;
    };
    const record = (name: Buffer, sector: number, size: number, isFolder: boolean) => {
      const length = 33 + name.length + (name.length % 2 === 0 ? 1 : 0);
      const bytes = Buffer.alloc(length);
      bytes[0] = length;
      both32(sector).copy(bytes, 2);
      both32(size).copy(bytes, 10);
      bytes.set([126, 1, 1, 0, 0, 0, 0], 18);
      bytes[25] = isFolder ? 2 : 0;
      both16(1).copy(bytes, 28);
      bytes[32] = name.length;
      name.copy(bytes, 33);
      return bytes;
    };
    const padded = (bytes: Buffer) =>
      Buffer.concat([bytes, Buffer.alloc((SECTOR - (bytes.length % SECTOR)) % SECTOR)]);
    const PATHS = 18;
    const ROOT = 19;
    let next = ROOT + 1;
    const records: Buffer[] = [
      record(Buffer.of(0), ROOT, SECTOR, true),
      record(Buffer.of(1), ROOT, SECTOR, true),
    ];
    const contents = members.map(([name, bytes]) => {
      records.push(record(Buffer.from(`${name};1`), next, bytes.length, false));
      next += Math.ceil(bytes.length / SECTOR);
      return padded(bytes);
    });
    const volume = Buffer.alloc(SECTOR, ' ');
    volume.fill(0, 881);
    volume.write('\x01CD001\x01\x00', 0, 'latin1');
    both32(next).copy(volume, 80);
    volume.fill(0, 72, 80);
    volume.fill(0, 88, 120);
    both16(1).copy(volume, 120);
    both16(1).copy(volume, 124);
    both16(SECTOR).copy(volume, 128);
    volume.fill(0, 132, 156);
    both32(10).copy(volume, 132);
    volume.writeUInt32LE(PATHS, 140);
    volume.writeUInt32BE(PATHS, 148);
    record(Buffer.of(0), ROOT, SECTOR, true).copy(volume, 156);
    volume[881] = 1;
    const end = Buffer.alloc(SECTOR);
    end.write('\xFFCD001\x01', 0, 'latin1');
    const paths = padded(Buffer.from([1, 0, ROOT, 0, 0, 0, 1, 0, 0, 0]));
    return Buffer.concat([
      Buffer.alloc(16 * SECTOR),
      volume,
      end,
      paths,
      padded(Buffer.concat(records)),
      ...contents,
    ]);
  }

  test('an iso image is opened', async () => {
    const dataDirectory = home({ content: false });
    const image = put(
      'disc.iso',
      iso(some.slice(0, 10).map((file, n) => [`F${n}.BIN`, file.bytes] as const)),
    );
    const { document } = await json(['content', 'add', image], dataDirectory);
    expect(document).toMatchObject({ sources: [{ kind: 'archive', added: { files: 10 }, problems: [] }] });
    expect(proveTree(join(dataDirectory, 'WsusContent'))).toBe(10);
  });

  test('an archive without a file in it is told as empty or damaged', async () => {
    const { exitCode, document } = await json(
      ['content', 'add', put('none.zip', zip([]))],
      home({ content: false }),
    );
    expect(exitCode).toBe(3);
    expect(document.sources[0].problems[0]).toContain('empty, damaged or cut off');
  });

  test('a damaged or cut-off archive is an error that names it; the next source is taken all the same', async () => {
    const dataDirectory = home({ content: false });
    const whole = packed();
    const random = seededRandom(15);
    const archives = Array.from({ length: 6 }, (_, n) => {
      const bytes = Buffer.from(n % 2 === 0 ? whole.subarray(0, 10 + random.below(whole.length)) : whole);
      for (let flips = 0; flips < 40; flips++) {
        const place = 4 + random.below(bytes.length - 4);
        bytes[place] = (bytes[place] as number) ^ 0xff;
      }
      return put(`broken-${n}.zip`, bytes);
    });
    const last = files[299] as BuiltFile;
    const { exitCode, document } = await json(
      ['content', 'add', ...archives, put('last.bin', last.bytes)],
      dataDirectory,
    );
    expect(exitCode).toBe(3);
    expect(document.sources).toHaveLength(7);
    expect(document.sources[6]).toMatchObject({ kind: 'file', added: { files: 1 } });
    proveTree(join(dataDirectory, 'WsusContent'));
  }, 60_000);
});

function crcOf(bytes: Buffer): number {
  return crc32(bytes);
}

test('a store of the first schema version is brought forward, also by a command that only reads', async () => {
  const dataDirectory = home({ content: false });
  const path = join(dataDirectory, 'metadata.sqlite');
  await bringBack(path, 1);
  expect((await json(['content', 'plan'], dataDirectory)).document).toMatchObject({
    wanted: { files: all.length },
  });
  expect((await json(['status'], dataDirectory)).document).toMatchObject({ schemaVersion: SCHEMA_VERSION });
});

test('movecontent writes the log scripts know, with -skipcopy too', async () => {
  const dataDirectory = home();
  const target = temporaryFolder();
  onTestFinished(target.remove);
  const log = join(target.path, 'move.log');
  const moved = await runProgram(['MoveContent', target.path, log], dataDirectory);
  expect(moved.exitCode).toBe(0);
  expect(moved.stdout).toContain('The content file location was moved successfully.');
  const text = readFileSync(log, 'utf8');
  const order = [
    `Beginning content file location change to ${join(target.path, 'WsusContent')}`,
    'Successfully copied content files.',
    'Successfully changed content file location.',
    'Content integrity check and repair...',
  ].map((line) => text.indexOf(line));
  expect(order.every((at) => at >= 0)).toBe(true);
  expect([...order].sort((a, b) => a - b)).toEqual(order);
  const back = join(target.path, 'back.log');
  const skipped = await runProgram(['movecontent', dataDirectory, back, '-skipcopy'], dataDirectory);
  expect(skipped.exitCode).toBe(0);
  expect(readFileSync(back, 'utf8')).toContain('Did not copy files due to -skipcopy flag.');
});
