import { realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';

/**
 * How one folder lies to another, whatever names, links and cases of letters lead to them; folders that are still to
 * be made included.
 *
 * @returns `same`; `inside`: the first in the second; `around`: the second in the first
 */
export async function relateFolders(
  one: string,
  other: string,
): Promise<'same' | 'inside' | 'around' | 'apart'> {
  const [facts, otherFacts] = await Promise.all(
    [one, other].map((path) => stat(path, { bigint: true }).catch(() => undefined)),
  );
  if (facts !== undefined && otherFacts !== undefined) {
    if (facts.dev === otherFacts.dev && facts.ino === otherFacts.ino && facts.ino !== 0n) return 'same';
  }
  const [path, otherPath] = await Promise.all([resolveLinks(one), resolveLinks(other)]);
  if (path === otherPath) return 'same';
  if (isBelow(path, otherPath)) return 'inside';
  return isBelow(otherPath, path) ? 'around' : 'apart';
}

function isBelow(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** The real path of what is there of it, and the rest. */
async function resolveLinks(path: string): Promise<string> {
  const rest: string[] = [];
  for (let folder = path; ; folder = dirname(folder)) {
    const real = await realpath(folder).catch(() => undefined);
    if (real !== undefined) return join(real, ...rest.reverse());
    if (dirname(folder) === folder) return path;
    rest.push(relative(dirname(folder), folder));
  }
}
