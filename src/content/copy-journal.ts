/**
 * What was verified while it was copied to a content directory: one line per file, `<SHA-1> <size> <modified> <file id>`.
 * A later run reads only files that are not in it or were changed since. It lies in the data directory, not at the
 * target: a tree that comes from elsewhere must not be able to vouch for itself. Losing it costs time, never
 * correctness.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type FileStamp, formatStamp } from '../model/content-file.js';
import type { Sha1Hex } from '../model/digest.js';

/** Three million files; a longer one is not read. */
const MAX_JOURNAL_SIZE = 256 << 20;
const LINE = /^([0-9A-F]{40}) (\d{1,15}) (\d{1,15}(?:\.\d{1,20})?) (\d{1,30})$/;

export class CopyJournal {
  readonly #path: string;
  readonly #stamps: Map<Sha1Hex, string>;
  #handle: FileHandle | undefined;
  #isLost = false;

  private constructor(path: string, stamps: Map<Sha1Hex, string>) {
    this.#path = path;
    this.#stamps = stamps;
  }

  /**
   * Reads what is there; lines that are none, a half-written last one among them, do not count.
   *
   * @param folder where journals are kept; one that cannot be written keeps none
   */
  static async open(folder: string, contentFolder: string): Promise<CopyJournal> {
    const name = createHash('sha256').update(contentFolder).digest('hex').slice(0, 32);
    const path = join(folder, name);
    const stamps = new Map<Sha1Hex, string>();
    const text = await stat(path)
      .then(({ size }) => (size <= MAX_JOURNAL_SIZE ? readFile(path, 'latin1') : ''))
      .catch(() => '');
    for (const line of text.split('\n')) {
      const match = LINE.exec(line);
      if (match !== null) stamps.set(match[1] as string, line.slice(41));
    }
    return new CopyJournal(path, stamps);
  }

  /** True if the file was verified when it was copied, and is unchanged since. */
  knows(sha1: Sha1Hex, stamp: FileStamp): boolean {
    return this.#stamps.get(sha1) === formatStamp(stamp);
  }

  async add(entries: readonly { readonly sha1: Sha1Hex; readonly stamp: FileStamp }[]): Promise<void> {
    try {
      if (this.#isLost) return;
      if (this.#handle === undefined) {
        await mkdir(dirname(this.#path), { recursive: true });
        this.#handle = await open(this.#path, 'a', 0o600);
      }
      const lines = entries.map(({ sha1, stamp }) => {
        const line = formatStamp(stamp);
        this.#stamps.set(sha1, line);
        // A line break in front too: the last line may be half-written.
        return `\n${sha1} ${line}\n`;
      });
      await this.#handle.write(lines.join(''));
    } catch {
      this.#isLost = true; // a data directory on read-only media: the next run reads the files again
    }
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }
}
