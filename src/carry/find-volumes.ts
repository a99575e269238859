import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const PART = /^(.*)\.part(\d{1,4})of(\d{1,4})\.tar$/i;

/**
 * The volumes that are meant by a path: all of its set that lie beside it, as `export` names them. Others come as they
 * are.
 *
 * @param others volumes that lie elsewhere
 */
export async function findVolumes(path: string, others: readonly string[]): Promise<readonly string[]> {
  const found = new Set([path]);
  const [, stem = '', , count = ''] = PART.exec(basename(path)) ?? [];
  if (count !== '') {
    const folder = dirname(path);
    for (const name of (await readdir(folder).catch(() => [])).sort()) {
      const match = PART.exec(name);
      if (match?.[1] === stem && match[3] === count) found.add(join(folder, name));
    }
  }
  for (const other of others) found.add(other);
  return [...found];
}
