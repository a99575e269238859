/**
 * Takes in content files found elsewhere, under whatever names: a copied tree, loose downloads, an archive. What a file
 * is its hashes say, nothing else; names inside archives are never used as paths, links inside folders not followed.
 */
import { lstat, readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorText, isWsusutilError, throwIfInterrupted, WsusutilError } from '../errors.js';
import type { Report } from '../events.js';
import { sameStamp, type WantedFile } from '../model/content-file.js';
import { syncDirectory, writeError } from '../platform/atomic-file.js';
import type { ContentIndex } from '../store/content-index.js';
import { sniffArchive, unpackArchive } from './archives.js';
import type { ContentRunner } from './content-runner.js';
import { type Amount, NONE, plus } from './content-tally.js';
import { type FileReading, stampOf } from './content-tasks.js';
import { OWN_FOLDER, pathOf, sha1Of } from './layout.js';
import { makeOwnFolder, makeRealFolder } from './own-folder.js';
import { publishFile } from './publish-file.js';
import { RecordBuffer } from './record-buffer.js';

const MAX_DEPTH = 64;
/** Entries of all folders together. */
const MAX_ENTRIES = 10_000_000;
const FILES_PER_BATCH = 128;
const BYTES_PER_BATCH = 64 << 20;
const MAX_LISTED = 1_000;
const NO_CONTENT_NAME = /^anonymousCheckFile\.txt$/i;

export interface AddOptions {
  readonly index: ContentIndex;
  readonly contentFolder: string;
  /** files, folders and archives; absolute paths */
  readonly sources: readonly string[];
  /** removes a source once its copy is in place; never an archive */
  readonly move: boolean;
  readonly dryRun: boolean;
  readonly runner: ContentRunner;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface SourceSummary {
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'archive' | 'unreadable';
  readonly added: Amount;
  /** there already, and right */
  readonly present: Amount;
  /** in the place of a damaged one */
  readonly replaced: Amount;
  /** of a size or with hashes that no update calls for */
  readonly notCalledFor: Amount;
  /** archives inside a folder: named, they would be opened */
  readonly archives: number;
  /** links, sockets and the like, which are not followed */
  readonly notFollowed: number;
  /** why it, or something in it, could not be taken in */
  readonly problems: readonly string[];
}

export interface AddSummary {
  readonly contentFolder: string;
  readonly dryRun: boolean;
  readonly sources: readonly SourceSummary[];
}

/**
 * A source that cannot be read is told in its summary and does not stop the others.
 *
 * @throws WsusutilError `DISK_FULL`, `READ_ONLY`, `WRITE_FAILED`, `INTERRUPTED`
 */
export async function addContent(options: AddOptions): Promise<AddSummary> {
  const { contentFolder, dryRun, report } = options;
  const sizes = await options.index.sizes();
  const records = new RecordBuffer(options.index);
  const sources: SourceSummary[] = [];
  report({ type: 'stage-started', stage: 'adding', unit: 'files', total: undefined });
  try {
    for (const path of options.sources) {
      const adder = new Adder(options, path, sizes, records);
      sources.push(await adder.perform());
    }
  } finally {
    await records.flush();
    if (!dryRun) await rm(unpackFolderOf(contentFolder), { recursive: true, force: true }).catch(() => {});
  }
  report({
    type: 'stage-finished',
    stage: 'adding',
    done: sources.reduce((files, each) => files + each.added.files + each.replaced.files, 0),
  });
  return { contentFolder, dryRun, sources };
}

interface Found {
  readonly path: string;
  readonly size: number;
  /** for messages */
  readonly name: string;
  /** came out of an archive: ours to remove */
  readonly isTemporary: boolean;
}

class Adder {
  readonly #options: AddOptions;
  readonly #source: string;
  readonly #sizes: ReadonlySet<number>;
  readonly #records: RecordBuffer;
  #added: Amount = NONE;
  #present: Amount = NONE;
  #replaced: Amount = NONE;
  #notCalledFor: Amount = NONE;
  #archives = 0;
  #notFollowed = 0;
  #entries = 0;
  #problemCount = 0;
  readonly #problems: string[] = [];
  #batch: Found[] = [];
  #batchBytes = 0;

  constructor(options: AddOptions, source: string, sizes: ReadonlySet<number>, records: RecordBuffer) {
    this.#options = options;
    this.#source = source;
    this.#sizes = sizes;
    this.#records = records;
  }

  async perform(): Promise<SourceSummary> {
    let kind: SourceSummary['kind'] = 'unreadable';
    try {
      const facts = await stat(this.#source); // a link that was named is meant
      if (facts.isDirectory()) {
        kind = 'folder';
        await this.#walk(this.#source, 0);
        await this.#flush();
      } else if (facts.isFile()) kind = await this.#takeFile(facts.size);
      else this.#blame(`${this.#source} is no file, folder or archive`);
    } catch (error) {
      if (isWsusutilError(error) && !isSourceProblem(error)) throw error;
      throwIfInterrupted(this.#options.signal, 'adding content files');
      this.#blame(
        isWsusutilError(error) ? error.message : `${this.#source} cannot be read: ${errorText(error)}`,
      );
    }
    if (this.#problemCount > this.#problems.length) {
      this.#problems.push(`${this.#problemCount - this.#problems.length} more problems`);
    }
    return {
      path: this.#source,
      kind,
      added: this.#added,
      present: this.#present,
      replaced: this.#replaced,
      notCalledFor: this.#notCalledFor,
      archives: this.#archives,
      notFollowed: this.#notFollowed,
      problems: this.#problems,
    };
  }

  /** A file that is called for is never opened as an archive, whatever it is. */
  async #takeFile(size: number): Promise<SourceSummary['kind']> {
    const before = this.#notCalledFor;
    await this.#put({ path: this.#source, size, name: this.#source, isTemporary: false });
    await this.#flush();
    if (this.#notCalledFor.files === before.files) return 'file';
    if ((await sniffArchive(this.#source)) === undefined) return 'file';
    this.#notCalledFor = before;
    await this.#takeArchive();
    return 'archive';
  }

  async #takeArchive(): Promise<void> {
    const { contentFolder, dryRun, signal } = this.#options;
    if (!dryRun) await makeOwnFolder(contentFolder, 'partial');
    const folder = dryRun ? await temporaryFolder() : unpackFolderOf(contentFolder);
    await makeRealFolder(folder);
    try {
      const members = unpackArchive(this.#source, folder, this.#sizes, signal);
      for (;;) {
        const member = await members.next();
        if (member.done === true) {
          this.#notCalledFor = {
            files: this.#notCalledFor.files + member.value,
            bytes: this.#notCalledFor.bytes,
          };
          break;
        }
        const { path, size, name } = member.value;
        await this.#put({ path, size, name: `${this.#source}: ${name}`, isTemporary: true });
      }
      await this.#flush();
    } finally {
      this.#batch = [];
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #walk(folder: string, depth: number): Promise<void> {
    const { signal } = this.#options;
    if (depth > MAX_DEPTH) {
      this.#blame(`${folder} lies deeper than ${MAX_DEPTH} folders and was left out`);
      return;
    }
    let entries: Awaited<ReturnType<typeof readEntries>>;
    try {
      entries = await readEntries(folder);
    } catch (error) {
      this.#blame(`${folder} cannot be listed: ${errorText(error)}`);
      return;
    }
    for (const entry of entries) {
      throwIfInterrupted(signal, 'adding content files');
      if (++this.#entries > MAX_ENTRIES) {
        throw new WsusutilError('LIMIT_EXCEEDED', `${this.#source} holds more than ${MAX_ENTRIES} entries`, {
          hint: 'Add its folders one by one.',
        });
      }
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (entry.name !== OWN_FOLDER) await this.#walk(path, depth + 1);
      } else if (!entry.isFile()) this.#notFollowed++;
      else {
        const facts = await lstat(path).catch(() => undefined);
        if (facts?.isFile() !== true) continue;
        if (this.#sizes.has(facts.size))
          await this.#put({ path, size: facts.size, name: path, isTemporary: false });
        else await this.#leave({ path, size: facts.size, name: path, isTemporary: false });
      }
    }
  }

  async #put(found: Found): Promise<void> {
    if (!this.#sizes.has(found.size)) {
      await this.#leave(found);
      return;
    }
    this.#batch.push(found);
    this.#batchBytes += found.size;
    if (this.#batch.length >= FILES_PER_BATCH || this.#batchBytes >= BYTES_PER_BATCH) await this.#flush();
  }

  async #leave(found: Found): Promise<void> {
    if (NO_CONTENT_NAME.test(basename(found.path))) return;
    this.#notCalledFor = plus(this.#notCalledFor, found.size);
    if (!found.isTemporary && found.path !== this.#source) {
      const kind = await sniffArchive(found.path).catch(() => undefined);
      if (kind !== undefined) {
        this.#archives++;
        this.#options.report({
          type: 'step',
          message: `not opened: the ${kind} archive ${found.path}; name it to open it`,
        });
      }
    }
  }

  async #flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    if (batch.length === 0) return;
    const { runner, index, signal } = this.#options;
    throwIfInterrupted(signal, 'adding content files');
    const readings = await runner.read(batch.map(({ path, size }) => ({ path, size })));
    throwIfInterrupted(signal, 'adding content files');
    const digests = readings.flatMap((reading) => (reading.outcome === 'read' ? [reading.sha1] : []));
    const wanted = await index.find(digests);
    const folders = new Set<string>();
    for (const [position, found] of batch.entries()) {
      const reading = readings[position] as FileReading;
      if (reading.outcome !== 'read') {
        this.#blame(`${found.name}: ${reading.outcome === 'unreadable' ? reading.reason : reading.outcome}`);
        continue;
      }
      const file = wanted.get(reading.sha1);
      if (file === undefined || (file.sha256 !== undefined && file.sha256 !== reading.sha256)) {
        if (file !== undefined || sha1Of(basename(found.path)) !== undefined) {
          this.#options.report({
            type: 'step',
            message: `not what its name says, or not called for: ${found.name}`,
          });
        }
        await this.#leave(found);
      } else await this.#take(file, found, folders);
    }
    for (const folder of folders) await syncDirectory(folder);
    for (const { path, isTemporary } of batch) if (isTemporary) await rm(path, { force: true });
    this.#tell();
  }

  async #take(file: WantedFile, found: Found, folders: Set<string>): Promise<void> {
    const { contentFolder, runner, dryRun, move, now, report } = this.#options;
    const target = pathOf(contentFolder, file);
    const there = await this.#lookAt(file, target);
    if (there === 'right') {
      this.#present = plus(this.#present, file.size);
      if (move && !dryRun) await this.#removeSource(found, target);
      return;
    }
    if (!dryRun) {
      const temporary = join(
        await makeOwnFolder(contentFolder, 'partial'),
        `${file.sha1}.${process.pid}.copy`,
      );
      try {
        const [copy] = await runner.copy([
          {
            source: found.path,
            temporary,
            size: file.size,
            sha1: file.sha1,
            sha256: file.sha256,
            mayLink: false,
          },
        ]);
        if (copy?.outcome === 'failed') {
          throw writeError(Object.assign(new Error(copy.reason), { code: copy.code }), target);
        }
        if (copy?.outcome !== 'copied') {
          this.#blame(`${found.name} was changed while it was copied`);
          return;
        }
        await publishFile(temporary, target);
      } finally {
        await rm(temporary, { force: true });
      }
      folders.add(dirname(target));
      await this.#records.add(file.sha1, {
        state: 'verified',
        problem: undefined,
        checkedAt: now().getTime(),
        stamp: stampOf(await lstat(target)),
      });
      if (move) await this.#removeSource(found, target);
    }
    report({ type: 'step', message: `added: ${target} (from ${found.name})` });
    if (there === 'wrong') this.#replaced = plus(this.#replaced, file.size);
    else this.#added = plus(this.#added, file.size);
  }

  async #lookAt(file: WantedFile, target: string): Promise<'absent' | 'right' | 'wrong'> {
    const facts = await lstat(target).catch(() => undefined);
    if (facts === undefined) return 'absent';
    if (!facts.isFile() || facts.size !== file.size) return 'wrong';
    if (file.record?.state === 'verified' && sameStamp(file.record.stamp, stampOf(facts))) return 'right';
    const [reading] = await this.#options.runner.read([{ path: target, size: file.size }]);
    if (reading?.outcome !== 'read' || reading.sha1 !== file.sha1) return 'wrong';
    if (file.sha256 !== undefined && reading.sha256 !== file.sha256) return 'wrong';
    if (!this.#options.dryRun) {
      await this.#records.add(file.sha1, {
        state: 'verified',
        problem: undefined,
        checkedAt: this.#options.now().getTime(),
        stamp: reading.stamp,
      });
    }
    return 'right';
  }

  /** Only when the copy is another file than the source: a folder inside the content directory may be given too. */
  async #removeSource({ path, isTemporary }: Found, target: string): Promise<void> {
    if (isTemporary) return;
    const [source, copy] = await Promise.all([lstat(path).catch(() => undefined), stat(target)]);
    if (source?.isFile() !== true || (source.ino === copy.ino && source.dev === copy.dev)) return;
    await syncDirectory(dirname(target)); // the copy first
    await rm(path).catch((error: unknown) =>
      this.#blame(`${path} could not be removed: ${errorText(error)}`),
    );
  }

  #tell(): void {
    const done = [this.#added, this.#present, this.#replaced, this.#notCalledFor];
    this.#options.report({
      type: 'progress',
      stage: 'adding',
      done: done.reduce((files, each) => files + each.files, 0),
      total: undefined,
      bytes: this.#options.runner.bytesRead,
      totalBytes: undefined,
    });
  }

  #blame(problem: string): void {
    this.#problemCount++;
    if (this.#problems.length < MAX_LISTED) this.#problems.push(problem);
    this.#options.report({ type: 'step', message: problem });
  }
}

/** What is wrong with a source, against what would go wrong with the next one too. */
function isSourceProblem(error: WsusutilError): boolean {
  return (['ARCHIVE_MALFORMED', 'ARCHIVE_UNSUPPORTED', 'LIMIT_EXCEEDED'] as const).some(
    (code) => error.code === code,
  );
}

function readEntries(folder: string) {
  return readdir(folder, { withFileTypes: true });
}

function unpackFolderOf(contentFolder: string): string {
  return join(contentFolder, OWN_FOLDER, 'partial', `archive-${process.pid}`);
}

async function temporaryFolder(): Promise<string> {
  const [{ mkdtemp }, { tmpdir }] = await Promise.all([import('node:fs/promises'), import('node:os')]);
  return mkdtemp(join(tmpdir(), 'wsusutil-add-'));
}
