import type { ListedFile } from '../content/missing-list.js';
import type { Sha1Hex } from '../model/digest.js';

/** What a list asks for, by SHA-1. */
export function listedFilesOnly(need: readonly ListedFile[]): ReadonlySet<Sha1Hex> {
  return new Set(need.map(({ sha1 }) => sha1));
}
