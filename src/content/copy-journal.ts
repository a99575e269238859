/**
 * What was verified while it was copied to a content directory, so that a later run need not read it again. It lies in
 * the data directory, not at the target: a tree that comes from elsewhere must not be able to vouch for itself.
 *
 *     <data directory>/copies/<id>
 *         target <identity>                                    first line
 *         <SHA-1> <size> <modified> <file id>                  a line per file
 *     <content folder>/.wsusutil/target-id
 *         <id>                                                 32 random hex digits
 *
 * A path does not tell one stick from another that is mounted at the same place, and two sticks that were filled alike
 * can agree in every name, time and file number. So a journal counts only for the very target it was written for, which
 * is told by all of these (`identity`):
 *
 * - `id`: another stick has another one, or none; a formatted one has none.
 * - the time of the last change to the file that holds it, which programs cannot set: a copy by files (cp -a, rsync, a
 *   backup that was put back) has another one.
 * - the disk (platform/volume.ts): a copy by blocks (dd, an image) has all of the above. On Linux a disk counts only
 *   until it is taken out or the machine starts again; a share counts under its name. Where the system does not tell
 *   disks apart (Windows, macOS, Linux before 5.15), a target counts only in the file system in which the data
 *   directory lies: a copy of that has its own copy of the journal, of the store, and of what the store knows of files.
 *
 * Whatever does not count is read again: losing a journal costs time, never correctness. What nothing tells: an image of
 * the target written back over it, on the same disk, without taking it out.
 */
import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, lstat, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type FileStamp, formatStamp } from '../model/content-file.js';
import type { Sha1Hex } from '../model/digest.js';
import { writeFileAtomically } from '../platform/atomic-file.js';
import { identifyVolume, shareFileSystem } from '../platform/volume.js';
import { OWN_FOLDER } from './layout.js';
import { makeRealFolder } from './own-folder.js';

/** Three million files; a longer one is not read. */
const MAX_JOURNAL_SIZE = 256 << 20;
/** Targets that are remembered; beyond that the one not written to for longest is forgotten. */
const MAX_JOURNALS = 32;
const LINE = /^([0-9A-F]{40}) (\d{1,15}) (\d{1,15}(?:\.\d{1,20})?) (\d{1,30})$/;
const ID_FILE = 'target-id';
const ID = /^[0-9a-f]{32}$/;

export interface CopyJournalOptions {
  /** where journals are kept, in the data directory; one that cannot be written keeps none */
  readonly folder: string;
  readonly contentFolder: string;
  /** default: what {@link identifyVolume} says */
  readonly identifyVolume?: (folder: string) => Promise<string | undefined>;
}

export class CopyJournal {
  readonly #options: CopyJournalOptions;
  readonly #stamps = new Map<Sha1Hex, string>();
  /** what goes on; undefined: the target is new, or not the one that was known */
  #path: string | undefined;
  #handle: Promise<FileHandle | undefined> | undefined;

  private constructor(options: CopyJournalOptions) {
    this.#options = options;
  }

  /** Reads what is there and changes nothing; lines that are none, a half-written last one among them, do not count. */
  static async open(options: CopyJournalOptions): Promise<CopyJournal> {
    const journal = new CopyJournal(options);
    await journal.#load().catch(() => {});
    return journal;
  }

  /** True if the file was verified when it was copied, and is unchanged since. */
  knows(sha1: Sha1Hex, stamp: FileStamp): boolean {
    return this.#stamps.get(sha1) === formatStamp(stamp);
  }

  async add(entries: readonly { readonly sha1: Sha1Hex; readonly stamp: FileStamp }[]): Promise<void> {
    const lines = entries.map(({ sha1, stamp }) => {
      const line = formatStamp(stamp);
      this.#stamps.set(sha1, line);
      // A line break in front too: the last line may be half-written.
      return `\n${sha1} ${line}\n`;
    });
    // A data directory on read-only media: the next run reads the files again.
    this.#handle ??= this.#begin().catch(() => undefined);
    const handle = await this.#handle;
    await handle?.write(lines.join('')).catch(() => {
      this.#handle = Promise.resolve(undefined);
      return handle.close().catch(() => {});
    });
  }

  async close(): Promise<void> {
    await (await this.#handle)?.close();
    this.#handle = undefined;
  }

  async #load(): Promise<void> {
    const { folder, contentFolder } = this.#options;
    const own = join(contentFolder, OWN_FOLDER);
    if (!(await lstat(own)).isDirectory()) return;
    const facts = await lstat(join(own, ID_FILE));
    if (!facts.isFile() || facts.size > 2 * 32) return;
    const id = (await readFile(join(own, ID_FILE), 'latin1')).trim();
    if (!ID.test(id)) return;
    const path = join(folder, id);
    if ((await stat(path)).size > MAX_JOURNAL_SIZE) return;
    const [first, ...lines] = (await readFile(path, 'latin1')).split('\n');
    const identity = await this.#identify(id);
    if (identity === undefined || first !== `target ${identity}`) return;
    for (const line of lines) {
      const match = LINE.exec(line);
      if (match !== null) this.#stamps.set(match[1] as string, line.slice(41));
    }
    this.#path = path;
  }

  async #begin(): Promise<FileHandle | undefined> {
    if (this.#path !== undefined) return open(this.#path, 'a');
    const { folder, contentFolder } = this.#options;
    await mkdir(folder, { recursive: true });
    if ((await this.#volume()) === undefined) return undefined; // it would never count
    const id = randomBytes(16).toString('hex');
    await makeRealFolder(join(contentFolder, OWN_FOLDER));
    await writeFileAtomically(join(contentFolder, OWN_FOLDER, ID_FILE), Buffer.from(`${id}\n`));
    const identity = await this.#identify(id);
    if (identity === undefined) return undefined;
    await forgetOldJournals(folder);
    await writeFileAtomically(join(folder, id), Buffer.from(`target ${identity}\n`), 0o600);
    return open(join(folder, id), 'a');
  }

  async #identify(id: string): Promise<string | undefined> {
    const volume = await this.#volume();
    if (volume === undefined) return undefined;
    const { ctimeNs } = await lstat(join(this.#options.contentFolder, OWN_FOLDER, ID_FILE), { bigint: true });
    return createHash('sha256').update(`${id}\n${ctimeNs}\n${volume}`).digest('hex');
  }

  async #volume(): Promise<string | undefined> {
    const { folder, contentFolder } = this.#options;
    const identify = this.#options.identifyVolume ?? identifyVolume;
    const volume = await identify(contentFolder);
    if (volume !== undefined) return volume;
    return (await shareFileSystem(contentFolder, folder)) ? 'with the data directory' : undefined;
  }
}

async function forgetOldJournals(folder: string): Promise<void> {
  const found: { readonly path: string; readonly usedAt: number }[] = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const facts = ID.test(name) ? await lstat(path).catch(() => undefined) : undefined;
    if (facts?.isFile() === true) found.push({ path, usedAt: facts.mtimeMs });
  }
  found.sort((a, b) => b.usedAt - a.usedAt);
  for (const { path } of found.slice(MAX_JOURNALS - 1)) await rm(path, { force: true });
}
