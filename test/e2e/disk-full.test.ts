/** A disk that is full: nothing half-written stays, and the store is as it was. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { writeCatalogue } from '../helpers/catalogue/write-catalogue.js';
import { runProgram, temporaryFolder } from '../helpers/program.js';
import { makeUpdate, writeUpdates } from '../store/update-builder.js';

const folder = temporaryFolder();
const disk = join(folder.path, 'disk');
mkdirSync(disk);
const isMounted =
  process.getuid?.() === 0 &&
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk]).status === 0;
const reason = isMounted ? '' : ' (skipped: only root may mount a small file system, and not everywhere)';
const large = join(folder.path, 'large.cab');
const small = join(folder.path, 'small.cab');
const home = join(disk, 'home');

beforeAll(async () => {
  if (!isMounted) return;
  await writeCatalogue(large, { revisions: 3000, seed: 41 });
  await writeUpdates(small, [makeUpdate(1), makeUpdate(2)]);
});
beforeEach(() => {
  for (const name of isMounted ? readdirSync(disk) : []) rmSync(join(disk, name), { recursive: true });
});
afterAll(() => {
  if (isMounted) spawnSync('umount', [disk]);
  folder.remove();
});

async function json(args: readonly string[], dataDirectory: string) {
  const { exitCode, stdout } = await runProgram([...args, '--json'], dataDirectory);
  return { exitCode, document: JSON.parse(stdout) };
}

describe.skipIf(!isMounted)(`a full disk${reason}`, () => {
  test.each(['named', 'default'] as const)(
    'during an import (%s log): the store stays and is sound',
    async (log) => {
      expect((await runProgram(['import', small], home)).exitCode).toBe(0);
      const before = (await json(['status'], home)).document.fingerprint;
      const logs = log === 'named' ? [join(folder.path, `${log}.log`)] : [];
      const failed = await json(['import', large, ...logs], home);
      expect(failed.document.error).toMatchObject({ code: 'DISK_FULL' });
      expect(failed.exitCode).toBe(15);
      expect((await json(['status'], home)).document).toMatchObject({ fingerprint: before, revisions: 2 });
      expect((await json(['checkstore'], home)).document).toMatchObject({ problems: [] });
      // Room is given back: the next import fits.
      expect((await json(['import', small], home)).document).toMatchObject({ present: 2 });
    },
  );

  test('before the store exists: the next import starts afresh', async () => {
    const failed = await json(['import', large], home);
    expect(failed.document.error).toMatchObject({ code: 'DISK_FULL' });
    expect((await json(['import', small], home)).document).toMatchObject({ newUpdates: 2 });
    expect((await json(['checkstore'], home)).document).toMatchObject({ problems: [] });
  });

  test.each(['.cab', '.xml.gz'])('during an export to %s: no file stays', async (extension) => {
    const elsewhere = join(folder.path, 'elsewhere');
    await runProgram(['import', large], elsewhere);
    const free = statfsSync(disk);
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(Math.max(0, free.bavail * free.bsize - 200_000)));
    const failed = await json(
      ['export', join(disk, `x${extension}`), join(folder.path, `x${extension}.log`)],
      elsewhere,
    );
    expect(failed.document.error).toMatchObject({ code: 'DISK_FULL' });
    expect(failed.exitCode).toBe(15);
    expect(readdirSync(disk)).toEqual(['ballast']);
  });

  test('with no room at all for the log: the import still works', async () => {
    const elsewhere = join(folder.path, 'log-elsewhere');
    const free = statfsSync(disk);
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(free.bavail * free.bsize));
    const { exitCode, stderr } = await runProgram(['import', small, join(disk, 'import.log')], elsewhere);
    expect(exitCode).toBe(0);
    expect(stderr).toContain('LOG_NOT_WRITTEN');
  });
});
