/** What killed runs left in `carry/` goes with the next run. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeWorkFolder } from '../../src/carry/work-folder.js';
import { makeFile, updateWith } from '../content/content-builder.js';
import { testFolder } from '../store/update-builder.js';
import { exportFrom, feed, importInto, openSite } from './carry-setup.js';

const DIGEST = 'AB'.repeat(32);

/** The number of a process that has ended. */
function endedProcess(): number {
  return spawnSync(process.execPath, ['--version']).pid;
}

/** Folders of runs that were killed, of runs that may go on, and of what is nobody's. */
function leaveFolders(carryPath: string): { readonly dead: string[]; readonly alive: string[] } {
  const ended = endedProcess();
  const dead = [`in-${DIGEST}.dry-run-${ended}`, `out-${ended}-0123abcd`];
  const alive = [`in-${DIGEST}.dry-run-${process.ppid}`, `out-${process.ppid}-0123abcd`, 'in-mine'];
  for (const name of [...dead, ...alive]) {
    mkdirSync(join(carryPath, name), { recursive: true });
    writeFileSync(join(carryPath, name, 'metadata.txt'), 'x');
  }
  return { dead, alive };
}

test('an export removes folders of runs that are no more, and no others', async () => {
  const carryPath = join(testFolder(), 'carry');
  const { alive } = leaveFolders(carryPath);
  const made = await makeWorkFolder(carryPath);
  expect(readdirSync(carryPath).filter((name) => !made.endsWith(name))).toEqual(alive.sort());
});

test.each([true, false])('so does an import (dry run: %s)', async (dryRun) => {
  const outside = await openSite('outside');
  const files = [makeFile('one')];
  await feed(outside, [updateWith(1, files)], files);
  const path = join(testFolder(), 'carry.tar');
  const { digest } = await exportFrom(outside, path);
  const inside = await openSite('inside');
  const { alive } = leaveFolders(inside.carryPath);
  // Left by a process that had the number of this one.
  const same = join(inside.carryPath, `in-${digest}.dry-run-${process.pid}`);
  if (dryRun) {
    mkdirSync(same);
    writeFileSync(join(same, '0-0.done'), '');
  }
  await importInto(inside, [path], { dryRun });
  expect(readdirSync(inside.carryPath).sort()).toEqual(alive.sort());
  expect(existsSync(same)).toBe(false);
});
