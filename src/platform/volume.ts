/**
 * Tells one disk from another that was put in its place. Names, ids and times that a file system holds are copied with
 * it; what is asked here is what the copy does not have.
 */
import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join, parse } from 'node:path';

/** Where the system says what it knows. */
export interface SystemPlaces {
  readonly platform: NodeJS.Platform;
  /** `/sys` */
  readonly sys: string;
  /** `/proc` */
  readonly proc: string;
}

const SYSTEM: SystemPlaces = { platform: process.platform, sys: '/sys', proc: '/proc' };

/** File systems whose bytes another machine keeps. */
const SHARES = /^(?:nfs4?|cifs|smb3|smbfs|ceph|9p|virtiofs|glusterfs|lustre|afs|fuse\.(?:sshfs|glusterfs))$/;

/**
 * One text for the disk or share on which a folder lies, as long as it was not taken out:
 *
 * - Linux, a disk: the boot and the kernel's number of the disk's insertion (`diskseq`, from Linux 5.15 on), which is
 *   never given twice in a boot. A stick that was pulled out and put back has another one, and so has its twin;
 * - a share: the name of its server and path. What lies behind it is the server's business;
 * - anywhere else undefined: serial numbers would not do, card readers and docks give their own.
 *
 * @param folder an existing one
 */
export async function identifyVolume(
  folder: string,
  system: SystemPlaces = SYSTEM,
): Promise<string | undefined> {
  try {
    const path = await realpath(folder);
    if (system.platform === 'win32') {
      const { root } = parse(path);
      return root.startsWith('\\\\') ? `share ${root.toLowerCase()}` : undefined;
    }
    return system.platform === 'linux' ? await identifyOnLinux(path, system) : undefined;
  } catch {
    return undefined; // not told is not known
  }
}

/** True if both folders lie in one file system. */
export async function shareFileSystem(one: string, other: string): Promise<boolean> {
  const [facts, otherFacts] = await Promise.all(
    [one, other].map((path) => stat(path, { bigint: true }).catch(() => undefined)),
  );
  return facts !== undefined && facts.dev === otherFacts?.dev;
}

async function identifyOnLinux(path: string, system: SystemPlaces): Promise<string | undefined> {
  const { dev } = await stat(path, { bigint: true });
  const insertion = await insertionOf(dev, system);
  if (insertion !== undefined) return insertion;
  const mount = await mountOf(path, system);
  if (mount === undefined) return undefined;
  if (SHARES.test(mount.type)) return `share ${mount.type} ${mount.source}`;
  if (!mount.source.startsWith('/dev/')) return undefined;
  // btrfs gives numbers of its own; the disk is that of the mount.
  const { rdev } = await stat(mount.source, { bigint: true });
  return insertionOf(rdev, system);
}

/** @param device `st_dev`; major number 0 is no disk */
async function insertionOf(device: bigint, { sys, proc }: SystemPlaces): Promise<string | undefined> {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n);
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
  if (major === 0n) return undefined;
  const place = await realpath(join(sys, 'dev/block', `${major}:${minor}`)).catch(() => undefined);
  if (place === undefined) return undefined;
  // A partition is a folder in that of its disk.
  const sequence =
    (await numberIn(join(place, 'diskseq'))) ?? (await numberIn(join(dirname(place), 'diskseq')));
  if (sequence === undefined) return undefined;
  const boot = (await readFile(join(proc, 'sys/kernel/random/boot_id'), 'latin1')).trim();
  return `disk ${boot} ${sequence} ${major}:${minor}`;
}

async function numberIn(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'latin1').catch(() => '');
  return /^\d{1,20}\n?$/.test(text) ? text.trim() : undefined;
}

/** The mount a path lies in ([proc(5)] mountinfo): the longest mount point above it, of several there the last. */
async function mountOf(
  path: string,
  { proc }: SystemPlaces,
): Promise<{ readonly type: string; readonly source: string } | undefined> {
  let found: { point: string; type: string; source: string } | undefined;
  for (const line of (await readFile(join(proc, 'self/mountinfo'), 'utf8')).split('\n')) {
    const [front = '', back = ''] = line.split(' - ');
    const point = unescapeOctal(front.split(' ')[4] ?? '');
    const [type = '', source = ''] = back.split(' ').map(unescapeOctal);
    if (point === '' || !(path === point || path.startsWith(point === '/' ? '/' : `${point}/`))) continue;
    if (found === undefined || point.length >= found.point.length) found = { point, type, source };
  }
  return found;
}

/** `\040` → space, as the kernel writes names in mountinfo. */
function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
