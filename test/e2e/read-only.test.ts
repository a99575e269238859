/** A data directory on media that cannot be written: a DVD, a read-only share. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runProgram, temporaryFolder } from '../helpers/program.js';
import { idOf, makeUpdate, writeUpdates } from '../store/update-builder.js';

const folder = temporaryFolder();
const source = join(folder.path, 'source');
const mountPoint = join(folder.path, 'mounted');
const isRoot = process.getuid?.() === 0;
mkdirSync(mountPoint);
/** Root is not stopped by file modes, so it mounts something that nobody can write to. */
const isMounted =
  isRoot && spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', mountPoint]).status === 0;
const reason =
  isRoot && !isMounted ? ' (skipped: root is not stopped by file modes and may not mount here)' : '';
const target = isMounted ? mountPoint : join(folder.path, 'locked');

const STATES = ['imported', 'read'] as const;

beforeAll(async () => {
  const path = await writeUpdates(join(folder.path, 'in.cab'), [makeUpdate(1), makeUpdate(2)]);
  await runProgram(['import', path], source);
  mkdirSync(target, { recursive: true });
  cpSync(source, join(target, 'imported'), { recursive: true });
  await runProgram(['status'], source); // a reader leaves SQLite's files beside the store
  cpSync(source, join(target, 'read'), { recursive: true });
  if (isMounted) {
    expect(spawnSync('mount', ['-o', 'remount,ro', mountPoint]).status).toBe(0);
  } else {
    for (const each of pathsIn(target)) chmodSync(each, statSync(each).isDirectory() ? 0o555 : 0o444);
  }
});

afterAll(() => {
  if (isMounted) spawnSync('umount', [mountPoint]);
  else if (existsSync(target)) for (const each of pathsIn(target)) chmodSync(each, 0o755);
  folder.remove();
});

/** The folder and all in it. */
function pathsIn(path: string): string[] {
  return [path, ...readdirSync(path, { recursive: true, encoding: 'utf8' }).map((name) => join(path, name))];
}

describe.skipIf(reason !== '').each(STATES)(
  `a data directory that cannot be written, as last %s${reason}`,
  (state) => {
    const home = join(target, state);
    test('answers questions', async () => {
      const before = readdirSync(home);
      for (const args of [['status'], ['updates'], ['update', idOf(1)], ['categories'], ['checkstore']]) {
        const { exitCode, stderr } = await runProgram(args, home);
        expect(stderr).toBe('');
        expect(exitCode).toBe(0);
      }
      expect(readdirSync(home)).toEqual(before);
      const { stdout } = await runProgram(['status', '--json'], home);
      expect(JSON.parse(stdout)).toMatchObject({ updates: 2 });
    });

    test('is looked through by checkhealth and content plan without a trace', async () => {
      const before = readdirSync(home);
      const { stdout, stderr } = await runProgram(['checkhealth', '--json'], home);
      expect(stderr).toBe('');
      const { checks } = JSON.parse(stdout) as { checks: readonly { name: string; level: string }[] };
      // What is mounted for this test is small.
      const wrong = checks.filter(({ name, level }) => name !== 'Disk space' && level !== 'ok');
      expect(wrong).toEqual([]);
      expect((await runProgram(['content', 'plan'], home)).exitCode).toBe(0);
      expect(readdirSync(home)).toEqual(before);
    });

    test('can be exported', async () => {
      const path = join(folder.path, `${state}.cab`);
      const { exitCode } = await runProgram(['export', path, join(folder.path, `${state}.out.log`)], home);
      expect(exitCode).toBe(0);
      const verified = await runProgram(['verify', path, '--json'], join(folder.path, 'unused'));
      expect(JSON.parse(verified.stdout)).toMatchObject({ revisions: 2 });
    });

    test("can be exported without a log of one's own; that there is no log is a warning", async () => {
      const path = join(folder.path, `${state}2.cab`);
      const { exitCode, stderr } = await runProgram(['export', path], home);
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
      expect(existsSync(path)).toBe(true);
    });

    test('refuses an import and says why', async () => {
      const log = join(folder.path, `${state}.import.log`);
      const { exitCode, stdout } = await runProgram(
        ['import', join(folder.path, 'in.cab'), log, '--json'],
        home,
      );
      expect(exitCode).toBe(16);
      expect(JSON.parse(stdout).error).toMatchObject({
        code: 'READ_ONLY',
        message: expect.stringContaining('Not allowed to write'),
      });
      const status = await runProgram(['status', '--json'], home);
      expect(JSON.parse(status.stdout)).toMatchObject({ updates: 2 });
    });
  },
);

test.skipIf(reason !== '')(
  `a store that cannot be written, in a data directory that can, refuses an import before it reads the package${reason}`,
  async () => {
    const home = join(folder.path, 'linked');
    mkdirSync(home);
    symlinkSync(join(target, 'imported', 'metadata.sqlite'), join(home, 'metadata.sqlite'));
    const damaged = join(folder.path, 'damaged.cab');
    writeFileSync(damaged, readFileSync(join(folder.path, 'in.cab')).subarray(0, -1));
    const { exitCode, stdout, stderr } = await runProgram(['import', damaged, '--json'], home);
    expect(exitCode).toBe(16);
    expect(JSON.parse(stdout).error).toMatchObject({
      code: 'READ_ONLY',
      message: expect.stringMatching(/^The store .*linked.metadata\.sqlite cannot be .* is read-only/),
    });
    expect(stderr).not.toContain('warning');
  },
);
