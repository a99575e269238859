/**
 * Names of files that are being written, and what has become of those who wrote them.
 *
 * `.wsusutil-<pid>-<start>-<place>-<random>.tmp`: the process by its number and its start in ticks since the machine's
 * (base 36), and the place where that number means something: this boot of this kernel, this namespace of processes.
 * Where the system does not tell those (Windows, macOS), and in names of earlier versions, it is
 * `.wsusutil-<pid>-<random>.tmp`, of whose writer nothing can be known.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const TEMPORARY_NAME = /^\.wsusutil-.*\.tmp$/;
const NAME_WITH_WRITER = /^\.wsusutil-([1-9]\d{0,9})-([0-9a-z]{1,13})-([0-9a-f]{12})-[0-9a-f]{8}\.tmp$/;

/** `running`: it may still write. `ended`: nobody will. `unknown`: another machine's, one before a restart, or no telling. */
export type WriterState = 'running' | 'ended' | 'unknown';

export interface TemporaryFile {
  /** absolute if the folder was */
  readonly path: string;
  readonly size: number;
  /** milliseconds */
  readonly modifiedAt: number;
  readonly writer: WriterState;
}

let place: string | null | undefined;

/** A name that no other file has; short, so that the longest target name has room. */
export function temporaryName(): string {
  const random = randomBytes(4).toString('hex');
  const start = startOf(process.pid);
  const here = thisPlace();
  return start === undefined || here === undefined
    ? `.wsusutil-${process.pid}-${random}.tmp`
    : `.wsusutil-${process.pid}-${start}-${here}-${random}.tmp`;
}

/** True for names of files that are being written, or were when the process was killed. */
export function isTemporaryName(name: string): boolean {
  return TEMPORARY_NAME.test(name);
}

/** What became of the process that gave a file this name. A number of another machine says nothing here. */
export function writerOf(name: string): WriterState {
  const [, pid, start, where] = NAME_WITH_WRITER.exec(name) ?? [];
  if (pid === undefined || where !== thisPlace()) return 'unknown';
  const since = startOf(Number(pid));
  if (since !== undefined) return since === start ? 'running' : 'ended'; // the number may be another's by now
  try {
    process.kill(Number(pid), 0);
    return 'running'; // hidden, as processes of others may be
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH' ? 'ended' : 'running';
  }
}

/** Regular files of such names, of the folder itself; none where it cannot be listed. */
export async function findTemporaryFiles(folder: string): Promise<readonly TemporaryFile[]> {
  const found: TemporaryFile[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    if (!isTemporaryName(name)) continue;
    const path = join(folder, name);
    const facts = await lstat(path).catch(() => undefined);
    if (facts?.isFile() !== true) continue;
    found.push({ path, size: facts.size, modifiedAt: facts.mtimeMs, writer: writerOf(name) });
  }
  return found;
}

/** Where numbers of processes are the same as here; undefined: the system does not say. */
function thisPlace(): string | undefined {
  if (place === undefined) {
    try {
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
      const space = readlinkSync('/proc/self/ns/pid');
      place = createHash('sha256').update(`${boot} ${space}`).digest('hex').slice(0, 12);
    } catch {
      place = null;
    }
  }
  return place ?? undefined;
}

/** From proc(5): when it started, base 36. undefined: there is no such process, or the system does not say. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in parentheses, with anything in it; the rest follows.
    const [state = '', ...rest] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    if (/^[ZXx]$/.test(state)) return ''; // dead, and its parent has not asked yet
    const ticks = rest[18];
    return ticks === undefined ? undefined : BigInt(ticks).toString(36);
  } catch {
    return undefined;
  }
}
