/** Temporary files of this process, so that one that must end at once leaves none of them behind. */
import { rmSync } from 'node:fs';

const unfinishedPaths = new Set<string>();

export function rememberUnfinished(path: string): void {
  unfinishedPaths.add(path);
}

/** It was removed or has its name. */
export function forgetUnfinished(path: string): void {
  unfinishedPaths.delete(path);
}

/** Removes what is being written right now. */
export function removeUnfinishedFiles(): void {
  for (const path of unfinishedPaths) rmSync(path, { force: true });
}
