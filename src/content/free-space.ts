import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Bytes this account may still write at a place that need not be there yet; undefined where the system does not say. */
export async function freeSpaceAt(path: string): Promise<number | undefined> {
  const facts = await statfs(await nearestFolder(path)).catch(() => undefined);
  return facts === undefined ? undefined : facts.bavail * facts.bsize;
}

/** The folder itself, or the first one above it that is there. */
export async function nearestFolder(path: string): Promise<string> {
  for (let folder = path; ; folder = dirname(folder)) {
    const isThere = await stat(folder).then(
      (facts) => facts.isDirectory(),
      () => false,
    );
    if (isThere || dirname(folder) === folder) return folder;
  }
}
