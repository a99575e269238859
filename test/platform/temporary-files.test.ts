import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  findTemporaryFiles,
  isTemporaryName,
  temporaryName,
  writerOf,
} from '../../src/platform/temporary-files.js';
import { temporaryFolder } from '../helpers/program.js';

/** Elsewhere the system does not tell one start of a process from another. */
const knowsWriters = existsSync('/proc/self/ns/pid') && existsSync('/proc/sys/kernel/random/boot_id');

/** `.wsusutil-<pid>-<start>-<place>-<random>.tmp` */
function withPart(index: number, value: string): string {
  const parts = temporaryName().split('-');
  parts[index] = value;
  return parts.join('-');
}

test('temporary names are recognised, differ, and are short', () => {
  const names = [temporaryName(), temporaryName()];
  expect(names.map(isTemporaryName)).toEqual([true, true]);
  expect(names[0]).not.toBe(names[1]);
  expect(names[0]?.length).toBeLessThan(64);
  expect(isTemporaryName('wsusutil.tmp')).toBe(false);
});

describe.skipIf(!knowsWriters)('the writer of a temporary file', () => {
  test('runs while its process does, and has ended when it was killed', async () => {
    expect(writerOf(temporaryName())).toBe('running');
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    const pid = String(child.pid);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(writerOf(withPart(1, pid))).toBe('ended');
  });

  test('has ended when its number is that of a process that started at another time', () => {
    expect(writerOf(withPart(2, 'zz'))).toBe('ended');
  });

  test('is not known when it is of another machine, another boot, or has a name of an earlier version', () => {
    expect(writerOf(withPart(3, '0123456789ab'))).toBe('unknown');
    expect(writerOf(`.wsusutil-${process.pid}-0a1b2c3d.tmp`)).toBe('unknown');
    expect(writerOf('.wsusutil-mine.tmp')).toBe('unknown');
  });
});

test('only regular files of such names are found; a folder that cannot be listed has none', async () => {
  const { path, remove } = temporaryFolder();
  onTestFinished(remove);
  const name = temporaryName();
  writeFileSync(join(path, name), 'half');
  writeFileSync(join(path, 'export.cab'), 'whole');
  mkdirSync(join(path, temporaryName()));
  symlinkSync('export.cab', join(path, temporaryName()));
  expect(await findTemporaryFiles(path)).toMatchObject([{ path: join(path, name), size: 4 }]);
  expect(await findTemporaryFiles(join(path, 'none'))).toEqual([]);
});
