import { lstat } from 'node:fs/promises';

/** `path`, or `path.1`, `path.2` … where that is taken: what went to quarantine before stays there. */
export async function freeName(path: string): Promise<string> {
  for (let n = 0; ; n++) {
    const name = n === 0 ? path : `${path}.${n}`;
    if ((await lstat(name).catch(() => undefined)) === undefined) return name;
  }
}
