/**
 * What an import has seen of a package, until all of its volumes were given: the metadata, and which parts of cut files
 * are in their places. A file `<index>-<part>.done` is there when that piece was written and is on the disk.
 */
import { createHash } from 'node:crypto';
import { access, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { EntryPiece, TransferEntry } from '../formats/transfer-package/manifest.js';
import { syncDirectory, writeError, writeFileAtomically } from '../platform/atomic-file.js';
import { openFileSource } from '../platform/file-source.js';
import { writeFully } from '../platform/write-behind.js';

export class Staging {
  readonly path: string;
  readonly #done: Set<string>;

  private constructor(path: string, done: Set<string>) {
    this.path = path;
    this.#done = done;
  }

  /** @throws WsusutilError `READ_ONLY`, `DISK_FULL`, `WRITE_FAILED` */
  static async open(path: string): Promise<Staging> {
    try {
      await mkdir(path, { recursive: true });
      return new Staging(path, new Set((await readdir(path)).filter((name) => name.endsWith('.done'))));
    } catch (error) {
      throw writeError(error, path);
    }
  }

  /** Whether the piece is at `target`. */
  async has(piece: EntryPiece, target: string): Promise<boolean> {
    if (!this.#done.has(noteOf(piece))) return false;
    return access(target).then(
      () => true,
      () => false,
    );
  }

  /** Whether every part of the entry is there. */
  hasAll(index: number, entry: TransferEntry): boolean {
    const count = entry.parts?.length ?? 0;
    if (count === 0) return this.#done.has(`${index}-0.done`);
    return Array.from({ length: count }, (_, i) => `${index}-${i + 1}.done`).every((name) =>
      this.#done.has(name),
    );
  }

  /**
   * Puts a piece into its place in a file.
   *
   * @throws WsusutilError `DISK_FULL`, `READ_ONLY`, `WRITE_FAILED`, those of `body`
   */
  async write(piece: EntryPiece, body: AsyncIterable<Uint8Array>, target: string): Promise<void> {
    const handle = await open(target, 'r+')
      .catch(() => open(target, 'wx', 0o644))
      .catch((error: unknown) => {
        throw writeError(error, target);
      });
    try {
      let position = piece.from;
      for await (const chunk of body) {
        await writeFully(handle, chunk, position).catch((error: unknown) => {
          throw writeError(error, target);
        });
        position += chunk.length;
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await writeFileAtomically(join(this.path, noteOf(piece)), Buffer.alloc(0));
    this.#done.add(noteOf(piece));
  }

  /** A file that turned out wrong is to be written anew. */
  async forget(index: number, entry: TransferEntry, target: string): Promise<void> {
    await rm(target, { force: true });
    for (let part = 0; part <= (entry.parts?.length ?? 0); part++) {
      const note = `${index}-${part}.done`;
      if (this.#done.delete(note)) await rm(join(this.path, note), { force: true });
    }
  }

  async sync(): Promise<void> {
    await syncDirectory(this.path);
  }
}

function noteOf({ index, partNumber }: EntryPiece): string {
  return `${index}-${partNumber}.done`;
}

/** Whether a file is the entry, from its bytes. */
export async function isEntry(path: string, entry: TransferEntry): Promise<boolean> {
  const facts = await stat(path).catch(() => undefined);
  if (facts?.isFile() !== true || facts.size !== entry.size) return false;
  const hash = createHash('sha256');
  const source = await openFileSource(path);
  try {
    for await (const chunk of source.stream()) hash.update(chunk);
  } finally {
    await source.close();
  }
  return hash.digest('hex').toUpperCase() === entry.sha256;
}
