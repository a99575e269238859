/**
 * Takes out of the content directory what no kept revision needs. Files often arrive before the metadata that calls for
 * them, so what came into the directory a short while ago stays, whatever the metadata says.
 */
import type { Dirent } from 'node:fs';
import { lstat, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { isWsusutilError, throwIfInterrupted, WsusutilError } from '../errors.js';
import type { Report } from '../events.js';
import { groupDigits } from '../formats/group-digits.js';
import { type FileStamp, sameStamp } from '../model/content-file.js';
import type { Sha1Hex } from '../model/digest.js';
import { syncDirectory, writeError } from '../platform/atomic-file.js';
import type { ContentIndex, ContentScope, ContentSelection } from '../store/content-index.js';
import type { ContentRunner } from './content-runner.js';
import { type Amount, MAX_LISTED, NONE, plus } from './content-tally.js';
import { stampOf } from './content-tasks.js';
import { type ContentTree, openContentTree, type TreeFolder } from './content-tree.js';
import { FOLDER_COUNT, OWN_FOLDER, quarantineFolderOf, sha1Of } from './layout.js';
import { makeOwnFolder, makeRealFolder } from './own-folder.js';
import { freeName } from './quarantine.js';
import { RecordBuffer } from './record-buffer.js';

/** Beyond this share of the files, pruning is more likely a mistake than wanted. */
const MAX_SHARE = 0.5;

/** A file that is being written is written to more often than this. */
const IN_USE_MS = 3_600_000;

/**
 * `orphan`: no revision calls for it; `not-kept`: only revisions outside the scope do; `duplicate`: the same file is
 * there, verified, under its right name; `temporary`: an interrupted write left it.
 */
export type PruneReason = 'orphan' | 'not-kept' | 'duplicate' | 'temporary';

export interface PruneOptions {
  readonly index: ContentIndex;
  readonly contentFolder: string;
  /** what is kept */
  readonly scope: ContentScope;
  /** what came into the directory, or was changed, after this moment stays; milliseconds since 1970 */
  readonly keepSince: number;
  readonly action: 'preview' | 'quarantine' | 'delete';
  /** also when most of the files would go */
  readonly force: boolean;
  readonly runner: ContentRunner;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface PrunedFile {
  /** below the content folder */
  readonly path: string;
  readonly reason: PruneReason;
  readonly size: number;
}

export interface PruneSummary {
  readonly contentFolder: string;
  readonly action: PruneOptions['action'];
  /** content files in the directory */
  readonly present: Amount;
  /** found, by reason; what is within the grace period is not among them */
  readonly found: Readonly<Record<PruneReason, Amount>>;
  readonly withinGrace: Amount;
  /** taken out: moved or deleted */
  readonly removed: Amount;
  /** changed, or gone, since they were found; left alone */
  readonly leftAlone: number;
  readonly files: readonly PrunedFile[];
}

interface Candidate {
  readonly path: string;
  readonly stamp: FileStamp;
  readonly reason: PruneReason;
  /** of a file the metadata calls for */
  readonly sha1: Sha1Hex | undefined;
}

/**
 * @throws WsusutilError `SAFETY_REFUSED` if there are files and the metadata calls for none at all, or most files would go without
 *   `force`; `INTERRUPTED`, `READ_ONLY`, `WRITE_FAILED`, whose details give what was `removed` until then
 */
export async function pruneContent(options: PruneOptions): Promise<PruneSummary> {
  const { index, contentFolder, runner, action, force } = options;
  const all = await index.select({});
  const isBlind = all.totals.files === 0;
  await all.close();
  const kept = await index.select(options.scope);
  try {
    const tree = await openContentTree(contentFolder, runner);
    const survey = await look(options, kept, tree, undefined);
    if (isBlind && survey.present.files > 0) {
      throw new WsusutilError(
        'SAFETY_REFUSED',
        `The metadata calls for no content file, so all ${groupDigits(survey.present.files)} in ${contentFolder} would go`,
        {
          hint: 'Import or synchronise updates first; then what they call for is known.',
        },
      );
    }
    const going = Object.values(survey.found).reduce((files, amount) => files + amount.files, 0);
    if (action !== 'preview') {
      if (!force && going > survey.present.files * MAX_SHARE) {
        throw new WsusutilError(
          'SAFETY_REFUSED',
          `${going} of ${survey.present.files} files would be taken out of ${contentFolder}`,
          {
            hint: 'Nothing was changed. If the metadata is complete and this is what you want, add --force.',
            details: { going, present: survey.present.files },
          },
        );
      }
      const remover = new Remover(options);
      let acted: Survey;
      try {
        acted = await look(options, kept, tree, remover).finally(() => remover.finish()); // the store is told what went
      } catch (error) {
        throw withRemoved(error, action, remover.removed);
      }
      return { ...acted, contentFolder, action, removed: remover.removed, leftAlone: remover.leftAlone };
    }
    return { ...survey, contentFolder, action, removed: NONE, leftAlone: 0 };
  } finally {
    await kept.close();
  }
}

/** The error, with what was taken out until then: that stays out. */
function withRemoved(error: unknown, action: PruneOptions['action'], removed: Amount): unknown {
  if (!isWsusutilError(error)) return error;
  const { code, message, hint, details, cause } = error;
  const done = `${removed.files} ${removed.files === 1 ? 'file was' : 'files were'} ${action === 'delete' ? 'deleted' : 'moved to quarantine'} until then`;
  return new WsusutilError(code, `${message}; ${done}`, {
    hint: hint ?? 'Run the command again to go on.',
    details: { ...details, removed },
    cause: cause ?? error,
  });
}

type Survey = Pick<PruneSummary, 'present' | 'found' | 'withinGrace' | 'files'>;

/** Goes through the directory; what may go is handed to the remover. */
async function look(
  options: PruneOptions,
  kept: ContentSelection,
  tree: ContentTree,
  remover: Remover | undefined,
): Promise<Survey> {
  const { index, contentFolder, keepSince, signal, report } = options;
  const found: Record<PruneReason, Amount> = {
    orphan: NONE,
    'not-kept': NONE,
    duplicate: NONE,
    temporary: NONE,
  };
  let present = NONE;
  let withinGrace = NONE;
  const files: PrunedFile[] = [];
  const take = async (candidates: readonly Candidate[]) => {
    for (const candidate of candidates) {
      throwIfInterrupted(signal, 'looking for files to prune');
      const { path, stamp, reason } = candidate;
      // The time of the last change to the directory entry or the file, whichever is later: when it came here.
      const facts = await lstat(path).catch(() => undefined);
      if (facts === undefined) continue;
      if (Math.max(facts.ctimeMs, facts.mtimeMs) > keepSince) {
        withinGrace = plus(withinGrace, stamp.size);
        continue;
      }
      found[reason] = plus(found[reason], stamp.size);
      if (files.length < MAX_LISTED)
        files.push({ path: relative(contentFolder, path), reason, size: stamp.size });
      await remover?.remove(candidate);
    }
  };
  report({ type: 'stage-started', stage: 'pruning', unit: 'files', total: undefined });
  for (let folder = 0; folder < FOLDER_COUNT; folder++) {
    throwIfInterrupted(signal, 'looking for files to prune');
    const listing = await tree.readFolder(folder);
    for (const { stamp } of listing.files.values()) present = plus(present, stamp.size);
    await take(await candidatesOf(listing, folder, kept, index));
    report({
      type: 'progress',
      stage: 'pruning',
      done: present.files,
      total: undefined,
      bytes: present.bytes,
      totalBytes: undefined,
    });
  }
  await take(await leftoversOf(tree, options));
  report({ type: 'stage-finished', stage: 'pruning', done: present.files });
  return { present, found, withinGrace, files };
}

async function candidatesOf(
  listing: TreeFolder,
  folder: number,
  kept: ContentSelection,
  index: ContentIndex,
): Promise<readonly Candidate[]> {
  const rest = new Map(listing.files);
  let after: Sha1Hex | undefined;
  for (;;) {
    const page = await kept.page(folder, after);
    if (page.length === 0) break;
    after = page.at(-1)?.sha1;
    for (const { sha1 } of page) rest.delete(sha1);
  }
  const known = await index.find([...rest.keys()]);
  const candidates: Candidate[] = [...rest].map(([sha1, { path, stamp }]) => ({
    path,
    stamp,
    reason: known.has(sha1) ? 'not-kept' : 'orphan',
    sha1: known.has(sha1) ? sha1 : undefined,
  }));
  for (const stray of listing.strays) {
    if (stray.reason !== 'temporary' && stray.reason !== 'duplicate') continue;
    if (stray.reason === 'duplicate') {
      const sha1 = basename(stray.path).slice(0, 40).toUpperCase();
      const record = (await index.find([sha1])).get(sha1)?.record;
      if (record?.state !== 'verified' || !sameStamp(record.stamp, listing.files.get(sha1)?.stamp)) continue;
    }
    const facts = await lstat(stray.path).catch(() => undefined);
    if (facts === undefined) continue;
    candidates.push({ path: stray.path, stamp: stampOf(facts), reason: stray.reason, sha1: undefined });
  }
  return candidates;
}

/**
 * What killed processes left outside the folders of content files: temporary files beside them, and in
 * `.wsusutil/partial` half of a copy, an unpacked archive, a download of a file that no revision calls for any more.
 * Downloads of files that are called for stay, they go on; what was written to a short while ago may still be in use,
 * whatever the grace period.
 */
async function leftoversOf(tree: ContentTree, { index, now }: PruneOptions): Promise<readonly Candidate[]> {
  const paths = tree.strays.flatMap(({ path, reason }) => (reason === 'temporary' ? [path] : []));
  const partial = join(tree.path, OWN_FOLDER, 'partial');
  for (const entry of await listOwnFolder(tree.path, partial)) {
    if (!entry.isFile()) continue;
    const sha1 = sha1Of(entry.name);
    const isDownload = sha1 !== undefined && entry.name.length === sha1.length;
    if (isDownload && (await index.find([sha1])).has(sha1)) continue;
    paths.push(join(entry.parentPath, entry.name));
  }
  const found: Candidate[] = [];
  for (const path of paths) {
    const facts = await lstat(path).catch(() => undefined);
    if (facts?.isFile() !== true || now().getTime() - facts.mtimeMs < IN_USE_MS) continue;
    found.push({ path, stamp: stampOf(facts), reason: 'temporary', sha1: undefined });
  }
  return found;
}

/** All below a folder of ours. A link in its place, or above it, leads to somebody else's files: nothing is listed. */
async function listOwnFolder(contentFolder: string, folder: string): Promise<readonly Dirent[]> {
  for (const path of [join(contentFolder, OWN_FOLDER), folder]) {
    if ((await lstat(path).catch(() => undefined))?.isDirectory() !== true) return [];
  }
  return readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
}

class Remover {
  removed: Amount = NONE;
  leftAlone = 0;
  readonly #options: PruneOptions;
  readonly #records: RecordBuffer;

  constructor(options: PruneOptions) {
    this.#options = options;
    this.#records = new RecordBuffer(options.index);
  }

  /** Looks at the file once more: only the very file that was judged goes. */
  async remove({ path, stamp, sha1 }: Candidate): Promise<void> {
    const { contentFolder, action, report, now } = this.#options;
    const facts = await lstat(path).catch(() => undefined);
    if (facts?.isFile() !== true || !sameStamp(stampOf(facts), stamp)) {
      this.leftAlone++;
      return;
    }
    const place = relative(contentFolder, path);
    try {
      if (action === 'delete') await rm(path);
      else {
        const quarantine = await makeOwnFolder(contentFolder, 'quarantine');
        const target = await freeName(join(quarantine, place));
        await makeRealFolder(dirname(target));
        await rename(path, target);
        await syncDirectory(dirname(target));
      }
    } catch (error) {
      throw writeError(error, path);
    }
    this.removed = plus(this.removed, stamp.size);
    report({ type: 'step', message: `${action === 'delete' ? 'deleted' : 'quarantined'}: ${place}` });
    if (sha1 !== undefined) {
      await this.#records.add(sha1, {
        state: 'absent',
        problem: undefined,
        checkedAt: now().getTime(),
        stamp: undefined,
      });
    }
  }

  async finish(): Promise<void> {
    await this.#records.flush();
  }
}

/**
 * Deletes what went to quarantine before a moment.
 *
 * @param keepSince milliseconds since 1970
 * @param act false: only counts
 * @throws WsusutilError `INTERRUPTED`, `READ_ONLY`, `WRITE_FAILED`, whose details give what was `removed` until then
 */
export async function emptyQuarantine(
  contentFolder: string,
  keepSince: number,
  act: boolean,
  signal: AbortSignal,
): Promise<Amount> {
  const folder = quarantineFolderOf(contentFolder);
  let removed = NONE;
  try {
    for (const entry of await listOwnFolder(contentFolder, folder)) {
      throwIfInterrupted(signal, 'emptying the quarantine');
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const facts = await lstat(path).catch(() => undefined);
      if (facts === undefined || facts.ctimeMs > keepSince) continue;
      try {
        if (act) await rm(path);
      } catch (error) {
        throw writeError(error, path);
      }
      removed = plus(removed, facts.size);
    }
  } catch (error) {
    throw act ? withRemoved(error, 'delete', removed) : error;
  }
  return removed;
}
