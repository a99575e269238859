/** Files of a timer on disk: written whole, and neither replaced nor taken out unless they are ours. */
import { lstat, open, readlink, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { WsusutilError } from '../../errors.js';
import { writeError, writeFileAtomically } from '../../platform/atomic-file.js';
import { openError } from '../../platform/file-source.js';
import { makeDirectory } from '../../platform/make-directory.js';

/** Ours have some kilobytes. */
const MAX_TIMER_FILE_SIZE = 256 * 1024;
const TIMER_FILE_MODE = 0o644;

export interface TimerFile {
  /** absolute */
  readonly path: string;
  readonly bytes: Uint8Array;
  /** bytes that each file of ours under this name holds */
  readonly mark: Buffer;
  /** Whether what was found is as good as `bytes`; default: it is the same. */
  readonly isAsGood?: (found: Buffer) => boolean;
}

/** `foreign`: somebody else wrote it, or for another data directory; `different`: ours, with other contents. */
export type TimerFileState = 'absent' | 'current' | 'different' | 'foreign';

/** @throws WsusutilError `READ_FAILED` and others of a file that is there and cannot be read */
export async function inspectTimerFile({
  path,
  bytes,
  mark,
  isAsGood = (found) => found.equals(bytes),
}: TimerFile): Promise<TimerFileState> {
  const found = await readSmallFile(path);
  if (found === undefined) return 'absent';
  if (found === 'not ours' || !found.includes(mark)) return 'foreign';
  return isAsGood(found) ? 'current' : 'different';
}

/**
 * Writes the files that are not there as they should be; all of them are looked at first.
 *
 * @returns true if one was written
 * @throws WsusutilError `SAFETY_REFUSED` if one is not ours; `READ_ONLY`, `DISK_FULL`, `WRITE_FAILED`
 */
export async function writeTimerFiles(files: readonly TimerFile[]): Promise<boolean> {
  const wanted: TimerFile[] = [];
  for (const file of files) {
    const state = await inspectTimerFile(file);
    if (state === 'foreign') throw foreignFile(file.path, 'replaced');
    if (state !== 'current') wanted.push(file);
  }
  for (const { path, bytes } of wanted) {
    makeDirectory(dirname(path));
    await writeFileAtomically(path, bytes, TIMER_FILE_MODE);
  }
  return wanted.length > 0;
}

/**
 * Takes the files out, and with a systemd timer the link by which it was enabled; all of them are looked at first.
 *
 * @returns paths of what was taken out
 * @throws WsusutilError `SAFETY_REFUSED` if one is not ours; `READ_ONLY`, `WRITE_FAILED`
 */
export async function removeTimerFiles(files: readonly TimerFile[]): Promise<readonly string[]> {
  const there: string[] = [];
  for (const file of files) {
    const state = await inspectTimerFile(file);
    if (state === 'foreign') throw foreignFile(file.path, 'removed');
    if (state === 'absent') continue;
    const link = await enablingLinkOf(file.path);
    if (link !== undefined) there.push(link); // first: it must not be left without what it points to
    there.push(file.path);
  }
  for (const path of there) {
    try {
      await rm(path);
    } catch (error) {
      throw writeError(error, path);
    }
  }
  return there;
}

/** What `systemctl enable` makes of `WantedBy=timers.target`, if it leads to this unit. */
async function enablingLinkOf(unitPath: string): Promise<string | undefined> {
  if (!unitPath.endsWith('.timer')) return undefined;
  const folder = join(dirname(unitPath), 'timers.target.wants');
  const link = join(folder, unitPath.slice(dirname(unitPath).length + 1));
  try {
    return resolve(folder, await readlink(link)) === unitPath ? link : undefined;
  } catch {
    return undefined; // none, or no link
  }
}

/**
 * Numbers of the account that owns the folder; undefined: root, a folder that is not there, or a system without them.
 */
export async function ownerOf(
  path: string,
): Promise<{ readonly userId: number; readonly groupId: number } | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined || found.uid === 0 ? undefined : { userId: found.uid, groupId: found.gid };
}

async function readSmallFile(path: string): Promise<Buffer | 'not ours' | undefined> {
  try {
    // A pipe or a device of that name would keep us waiting.
    if (!(await stat(path)).isFile()) return 'not ours';
    const handle = await open(path, 'r');
    try {
      const { size } = await handle.stat();
      return size > MAX_TIMER_FILE_SIZE ? 'not ours' : await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const isMissing = code === 'ENOENT' || code === 'ENOTDIR';
    if (!isMissing) throw openError(error, path);
    const isLink = await lstat(path).then(
      () => true,
      () => false,
    );
    return isLink ? 'not ours' : undefined; // a link to nothing is somebody's, too
  }
}

function foreignFile(path: string, done: 'replaced' | 'removed'): WsusutilError {
  return new WsusutilError(
    'SAFETY_REFUSED',
    `${path} was not written for this data directory by "wsusutil schedule install"; it is not ${done}`,
    { hint: 'Give the timer another name with --name, or move that file away.', details: { path } },
  );
}
