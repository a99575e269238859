/** What of a set of volumes has been seen, in whatever order they come, and what must be carried again. */
import { createHash } from 'node:crypto';
import { groupDigits } from '../group-digits.js';
import { mismatch } from './errors.js';
import {
  type EntryPart,
  type EntryPiece,
  pieceOf,
  type TransferEntry,
  type TransferManifest,
} from './manifest.js';

/** What `export --only-volumes` and `--only-files` take. */
export interface CarryAgain {
  /** volumes to carry whole: nothing good was found in them */
  readonly volumes: readonly number[];
  /** paths of files to carry, of volumes that are good otherwise */
  readonly files: readonly string[];
  /** bytes of content in both */
  readonly size: number;
}

export class TransferSet {
  readonly manifest: TransferManifest;
  readonly #volumes = new Set<number>();
  /** 1: seen. One byte for each entry; parts are in {@link #parts}. */
  readonly #seen: Uint8Array;
  readonly #parts = new Map<number, Set<number>>();

  constructor(manifest: TransferManifest) {
    this.manifest = manifest;
    this.#seen = new Uint8Array(manifest.entries.length);
  }

  /** A volume, or what there is of it, was read. @param number from 1 */
  addVolume(number: number): void {
    this.#volumes.add(number);
  }

  /** The piece was read to its end and is good. The same piece again changes nothing. */
  addPiece({ index, entry, part, partNumber }: EntryPiece): void {
    if (part === undefined || entry.parts === undefined) {
      this.#seen[index] = 1;
      return;
    }
    const parts = this.#parts.get(index) ?? new Set();
    this.#parts.set(index, parts.add(partNumber));
    if (parts.size === entry.parts.length) this.#seen[index] = 1;
  }

  /** @param index of the entry in the manifest */
  hasEntry(index: number): boolean {
    return this.#seen[index] === 1;
  }

  get hasAll(): boolean {
    return this.#seen.every((seen) => seen === 1);
  }

  get seenVolumes(): number[] {
    return [...this.#volumes].sort((one, other) => one - other);
  }

  get missingVolumes(): number[] {
    return this.manifest.volumes.map(({ number }) => number).filter((number) => !this.#volumes.has(number));
  }

  /** Entries and parts that have not been seen, in the order of the manifest. */
  *missingPieces(): Generator<EntryPiece, void, undefined> {
    for (const [index, entry] of this.manifest.entries.entries()) {
      if (this.#seen[index] === 1) continue;
      if (entry.parts === undefined) {
        yield pieceOf(index, entry, 0);
        continue;
      }
      for (let number = 1; number <= entry.parts.length; number++) {
        if (this.#parts.get(index)?.has(number) !== true) yield pieceOf(index, entry, number);
      }
    }
  }

  /** The least to carry again. */
  carryAgain(): CarryAgain {
    const missing = new Map<number, { readonly paths: Set<string>; size: number }>();
    for (const { entry, part, size } of this.missingPieces()) {
      const number = (part ?? entry).volume;
      const those = missing.get(number) ?? { paths: new Set(), size: 0 };
      missing.set(number, those);
      those.paths.add(entry.path);
      those.size += size;
    }
    const volumes: number[] = [];
    const files = new Set<string>();
    let size = 0;
    for (const [number, those] of [...missing].sort(([one], [other]) => one - other)) {
      size += those.size;
      if (this.#volumes.has(number)) for (const path of those.paths) files.add(path);
      else volumes.push(number);
    }
    return { volumes, files: [...files], size };
  }
}

/**
 * A file from its parts, whole and checked: each part, and all together.
 *
 * @param openPart bytes of the part, `number` from 1; 0: the whole of an entry that was not cut
 * @throws WsusutilError `TRANSFER_MISMATCH`
 */
export async function* joinParts(
  entry: TransferEntry,
  openPart: (number: number, part: EntryPart | undefined) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const sha256 = createHash('sha256');
  const sha1 = entry.sha1 === undefined ? undefined : createHash('sha1');
  const count = entry.parts?.length ?? 0;
  for (let number = Math.min(1, count); number <= count; number++) {
    const part = entry.parts?.[number - 1];
    const partHash = part === undefined ? undefined : createHash('sha256');
    const name = part === undefined ? entry.path : `part ${number} of ${entry.path}`;
    const size = (part ?? entry).size;
    let sizeSeen = 0;
    for await (const chunk of openPart(number, part)) {
      sizeSeen += chunk.length;
      if (sizeSeen > size) throw mismatch(`There is more of ${name} than ${groupDigits(size)} bytes`);
      partHash?.update(chunk);
      sha256.update(chunk);
      sha1?.update(chunk);
      yield chunk;
    }
    if (sizeSeen !== size || (partHash !== undefined && hex(partHash) !== part?.sha256)) {
      throw mismatch(`${name} is not what the manifest says; it was changed or damaged`);
    }
  }
  if (hex(sha256) !== entry.sha256 || (sha1 !== undefined && hex(sha1) !== entry.sha1)) {
    throw mismatch(`${entry.path} is not what the manifest says, though each of its parts is`);
  }
}

function hex(hash: ReturnType<typeof createHash>): string {
  return hash.digest('hex').toUpperCase();
}
