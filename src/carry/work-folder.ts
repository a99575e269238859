/**
 * `carry/` in the data directory:
 *
 *     carry/
 *         out-<pid>-<random>/     metadata of a package that is being written
 *         sent-<manifest>/        of the last package for each destination: its manifest, signatures and metadata, so that
 *                                 volumes and files of it can be made again
 *         in-<manifest>/          of a package that is being imported: metadata and notes, until all volumes were seen
 *         in-<manifest>.dry-run-<pid>/    the same of a dry run, which keeps nothing
 *
 * Removing any of it loses no update: a package is made or read again then.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sha256Hex } from '../model/digest.js';
import { syncDirectory, writeError } from '../platform/atomic-file.js';

/** Of one run only: of no use to anyone when that is no more. */
const OF_ONE_RUN = /^(?:out-(?<out>\d{1,10})-[0-9a-f]{8}|in-[0-9A-F]{64}\.dry-run-(?<dry>\d{1,10}))$/;
const KEPT = /^sent-([0-9A-F]{64})$/;
const STAGED = /^in-[0-9A-F]{64}$/;

export function carryPathOf(dataDirectoryPath: string): string {
  return join(dataDirectoryPath, 'carry');
}

export function sentPathOf(carryPath: string, digest: Sha256Hex): string {
  return join(carryPath, `sent-${digest}`);
}

export function stagingPathOf(carryPath: string, digest: Sha256Hex): string {
  return join(carryPath, `in-${digest}`);
}

/** Where a dry run of this process looks at a package. */
export function dryRunPathOf(carryPath: string, digest: Sha256Hex): string {
  return `${stagingPathOf(carryPath, digest)}.dry-run-${process.pid}`;
}

/**
 * Makes a folder of this run's own, and removes those of runs that are no more.
 *
 * @throws WsusutilError `READ_ONLY`, `DISK_FULL`, `WRITE_FAILED`
 */
export async function makeWorkFolder(carryPath: string): Promise<string> {
  const path = join(carryPath, `out-${process.pid}-${randomBytes(4).toString('hex')}`);
  try {
    await mkdir(carryPath, { recursive: true });
    await removeAbandoned(carryPath);
    await mkdir(path);
  } catch (error) {
    throw writeError(error, path);
  }
  return path;
}

/**
 * Keeps the work folder of a package that was sent.
 *
 * @param others manifests of older packages for the same destination: theirs go
 */
export async function keepWorkFolder(
  carryPath: string,
  workFolder: string,
  digest: Sha256Hex,
  others: ReadonlySet<Sha256Hex>,
): Promise<void> {
  const path = sentPathOf(carryPath, digest);
  try {
    await rm(path, { recursive: true, force: true });
    await rename(workFolder, path);
    await syncDirectory(carryPath);
    for (const name of await readdir(carryPath)) {
      const kept = KEPT.exec(name)?.[1];
      if (kept !== undefined && kept !== digest && others.has(kept))
        await rm(join(carryPath, name), { recursive: true, force: true });
    }
  } catch (error) {
    throw writeError(error, path);
  }
}

/** Removes the folders of runs that are no more. Never throws: one that cannot be removed is in nobody's way. */
export async function removeAbandoned(carryPath: string): Promise<void> {
  for (const name of await readdir(carryPath).catch(() => [])) {
    const groups = OF_ONE_RUN.exec(name)?.groups;
    if (groups === undefined || isRunning(Number(groups.out ?? groups.dry))) continue;
    await rm(join(carryPath, name), { recursive: true, force: true }).catch(() => {});
  }
}

/** Removes what imports have kept of packages that are not in the store yet. */
export async function removeStaging(carryPath: string): Promise<void> {
  const names = await readdir(carryPath).catch(() => []);
  for (const name of names) {
    if (STAGED.test(name)) await rm(join(carryPath, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
