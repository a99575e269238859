/**
 * Imports a transfer package. First what can be known before anything changes: signatures, chain, settings, room. Then
 * content files, each verified while it is written; then, in one transaction, the metadata, the records of the content
 * files, the accepted package and the history entry. Killed at any point it can be run again, with the same volumes or
 * with others of the package: what was seen stays until all of it was.
 */
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ContentRunner } from '../content/content-runner.js';
import { type Amount, NONE } from '../content/content-tally.js';
import { type ContentTree, openContentTree } from '../content/content-tree.js';
import { CopyJournal } from '../content/copy-journal.js';
import { freeSpaceAt } from '../content/free-space.js';
import { folderOfDigest } from '../content/layout.js';
import { missingFilesOf } from '../content/missing-files.js';
import { throwIfInterrupted, WsusutilError } from '../errors.js';
import type { Report } from '../events.js';
import { groupDigits } from '../formats/group-digits.js';
import { METADATA_FOLDER, SETTINGS_NAME } from '../formats/transfer-package/entry-names.js';
import { malformed, quoted } from '../formats/transfer-package/errors.js';
import { TransferSet } from '../formats/transfer-package/join.js';
import type { EntryPiece, TransferEntry, TransferManifest } from '../formats/transfer-package/manifest.js';
import type { Sha1Hex, Sha256Hex } from '../model/digest.js';
import type { SignatureTrust, SignatureVerdict } from '../packages/check-signatures.js';
import { type ImportSummary, importPackage } from '../packages/import-package.js';
import { METADATA_NAME, memberPathsIn, PACKAGE_XML_NAME } from '../packages/member-files.js';
import { exists } from '../platform/atomic-file.js';
import type { AcceptedPackage } from '../store/carry-state.js';
import type { ContentIndex } from '../store/content-index.js';
import type { MetadataStore } from '../store/metadata-store.js';
import { recordFailure } from '../store/record-failure.js';
import { judgeAge, judgeLink, type LinkVerdict, type PackageAge } from './chain.js';
import { type MissingFile, wantedScopes } from './gather-content.js';
import { judgeSet, type OpenSet, openVolumes, readParts, requireSetSigners } from './open-volumes.js';
import { type ContentEntry, ContentReceiver, countLacking, isContentEntry } from './receive-content.js';
import { isEntry, Staging } from './staging.js';
import {
  type ComparedSettings,
  describeDifferences,
  MAX_SETTINGS_SIZE,
  parseSettings,
  type TransferSettings,
} from './transfer-settings.js';
import { dryRunPathOf, removeAbandoned, removeStaging, stagingPathOf } from './work-folder.js';

/** Records written at once. */
const RECORDS_PER_WRITE = 4096;
const PROGRESS_BYTES = 16 << 20;

export interface ImportTransferOptions {
  /** volumes of one package, in any order */
  readonly paths: readonly string[];
  readonly store: MetadataStore;
  /** the folder that holds `00` … `FF`; made if it is not there */
  readonly contentFolder: string;
  /** where it is noted which files were verified when they were written */
  readonly journalsPath: string;
  /** `carry/` of the data directory */
  readonly carryPath: string;
  readonly runner: ContentRunner;
  /** whose signatures count */
  readonly trust: SignatureTrust;
  /** take it although fewer have signed than it takes; a wrong signature is refused all the same */
  readonly allowUnsigned: boolean;
  /** why it is taken although what it builds on was not imported; undefined: it is not */
  readonly acceptGap: string | undefined;
  /** settings of this side */
  readonly settings: ComparedSettings;
  readonly strict: boolean;
  readonly dryRun: boolean;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly report: Report;
  /** worker threads for metadata; 0: none */
  readonly threads: number;
}

/** What is said before anything changes. */
export interface Preflight {
  /** sentences on settings that differ */
  readonly differences: readonly string[];
  /** files of wanted updates that neither the package nor this place has */
  readonly missing: Amount & { readonly licences: Amount };
  /** bytes of content that will be written */
  readonly toWrite: number;
  /** bytes; undefined: the system does not say */
  readonly free: number | undefined;
  readonly age: PackageAge;
}

export interface ImportTransferSummary {
  readonly manifest: TransferManifest;
  readonly digest: Sha256Hex;
  readonly verdict: SignatureVerdict;
  readonly link: LinkVerdict;
  readonly preflight: Preflight;
  readonly dryRun: boolean;
  readonly metadata: ImportSummary;
  /** content files that were written, and those that were here */
  readonly written: Amount;
  readonly present: Amount;
}

/**
 * @throws WsusutilError `SIGNATURE_INVALID`, `SIGNATURE_MISSING`, `SIGNER_UNTRUSTED`, `CHAIN_BROKEN`, `DISK_FULL` before
 *   anything changes; `TRANSFER_INCOMPLETE` if volumes are missing: what was read of the others is kept; those of
 *   reading volumes and importing metadata; `READ_ONLY`, `WRITE_FAILED`, `INTERRUPTED`
 */
export async function importTransfer(options: ImportTransferOptions): Promise<ImportTransferSummary> {
  const { paths, store, now, signal, dryRun } = options;
  const startedAt = now().getTime();
  let set: OpenSet | undefined;
  let run: TransferImport | undefined;
  try {
    set = await openVolumes(paths, signal);
    requireMetadata(set);
    run = new TransferImport(options, { set, ...(await judge(set, options)) });
    return await run.perform();
  } catch (error) {
    if (!dryRun && run?.isNotedInHistory !== true) {
      const entry = { action: 'import', package: paths[0] ?? '', startedAt } as const;
      const details = set === undefined ? {} : describeSet(set);
      await recordFailure(store, { ...entry, finishedAt: now().getTime(), details }, error);
    }
    throw error;
  } finally {
    await run?.close();
  }
}

/** Whether a package may be imported, by who signed it and what it builds on. */
async function judge(set: OpenSet, options: ImportTransferOptions): Promise<Omit<Judged, 'set'>> {
  const { paths, store, trust, allowUnsigned, acceptGap, report, now } = options;
  const { manifest, digest } = set;
  const verdict = judgeSet(set, trust);
  if (!allowUnsigned) requireSetSigners(verdict, paths[0] as string);
  const link = judgeLink(manifest, digest, await store.carryState().listAccepted(), { acceptGap });
  if (link.isGap) {
    report({
      type: 'warning',
      code: 'CHAIN_GAP',
      message: `What package ${manifest.sequence} builds on was not imported here; it is taken because of --accept-gap: ${acceptGap}`,
    });
  }
  const age = judgeAge(manifest.createdAt, link.last, now());
  if (age.message !== undefined) report({ type: 'warning', code: 'PACKAGE_AGE', message: age.message });
  return { verdict, link, age };
}

/** What the history says of a package, imported or refused. */
function describeSet({ manifest, digest }: OpenSet): Readonly<Record<string, unknown>> {
  return {
    destination: manifest.destination,
    sequence: manifest.sequence,
    manifest: digest,
    volumes: manifest.volumes.length,
  };
}

function requireMetadata({ manifest }: OpenSet): void {
  const paths = new Set(manifest.entries.flatMap(({ kind, path }) => (kind === 'metadata' ? [path] : [])));
  for (const name of [PACKAGE_XML_NAME, METADATA_NAME]) {
    if (paths.has(`${METADATA_FOLDER}/${name}`)) continue;
    throw malformed(
      `Package ${manifest.sequence} for ${quoted(manifest.destination)} holds no ${METADATA_FOLDER}/${name}`,
    );
  }
}

interface Judged {
  readonly set: OpenSet;
  readonly verdict: SignatureVerdict;
  readonly link: LinkVerdict;
  readonly age: PackageAge;
}

class TransferImport {
  readonly #options: ImportTransferOptions;
  readonly #judged: Judged;
  readonly #seen: TransferSet;
  readonly #stagingPath: string;
  #staging: Staging | undefined;
  #journal: CopyJournal | undefined;
  #receiver: ContentReceiver | undefined;
  #index: ContentIndex | undefined;
  /** the content folder as it is when the preflight first looks into it */
  #tree: ContentTree | 'none' | undefined;
  #preflight: Preflight | undefined;
  #present: Amount = { files: 0, bytes: 0 };
  /** what fails from here on stands in the history already */
  isNotedInHistory = false;

  constructor(options: ImportTransferOptions, judged: Judged) {
    this.#options = options;
    this.#judged = judged;
    this.#seen = new TransferSet(judged.set.manifest);
    const pathOf = options.dryRun ? dryRunPathOf : stagingPathOf;
    this.#stagingPath = pathOf(options.carryPath, judged.set.digest);
  }

  async perform(): Promise<ImportTransferSummary> {
    const { dryRun, contentFolder, journalsPath, store, runner, carryPath } = this.#options;
    const { set, verdict, link } = this.#judged;
    await removeAbandoned(carryPath);
    // A process of the same number may have been killed.
    if (dryRun) await rm(this.#stagingPath, { recursive: true, force: true });
    this.#staging = await Staging.open(this.#stagingPath);
    this.#index = await store.contentIndex();
    if (!dryRun) {
      await mkdir(contentFolder, { recursive: true });
      this.#journal = await CopyJournal.open({ folder: journalsPath, contentFolder });
      this.#receiver = await ContentReceiver.open({
        contentFolder,
        index: this.#index,
        journal: this.#journal,
        runner,
      });
    }
    for (const [index, entry] of set.manifest.entries.entries()) {
      // Notes about a file that is gone are about nothing.
      const target =
        this.#targetOf(entry) ??
        (isContentEntry(entry) && entry.parts !== undefined ? this.#assemblyOf(entry) : undefined);
      if (target !== undefined && !(await exists(target))) await this.#staging.forget(index, entry, target);
    }
    await this.#readVolumes();
    await this.#lookForOthers();
    this.#requireAll();
    const preflight = await this.#requirePreflight();
    const metadata = await this.#importMetadata();
    if (!dryRun) await removeStaging(carryPath);
    return {
      manifest: set.manifest,
      digest: set.digest,
      verdict,
      link,
      preflight,
      dryRun,
      metadata,
      written: this.#receiver?.written ?? { files: 0, bytes: 0 },
      present: this.#present,
    };
  }

  async close(): Promise<void> {
    await this.#receiver?.close();
    await this.#journal?.close();
    if (this.#options.dryRun) await rm(this.#stagingPath, { recursive: true, force: true });
  }

  async #readVolumes(): Promise<void> {
    const { signal, report } = this.#options;
    const { set } = this.#judged;
    let totalBytes = 0;
    for (const { path } of set.volumes) totalBytes += (await stat(path)).size;
    report({ type: 'stage-started', stage: 'copying', unit: 'bytes', total: totalBytes });
    let before = 0;
    let told = 0;
    for (const { path, number } of set.volumes) {
      let size = 0;
      const parts = readParts(path, {
        known: set,
        signal,
        onProgress: (bytesRead, total) => {
          size = total;
          const done = before + bytesRead;
          if (done - told < PROGRESS_BYTES) return;
          told = done;
          report({ type: 'progress', stage: 'copying', done, total: totalBytes, bytes: done, totalBytes });
        },
      });
      for await (const part of parts) {
        if (part.type === 'entry') await this.#takePiece(part.piece, part.body);
        else if (part.type === 'skipped') this.#seen.addPiece(part.piece);
      }
      this.#seen.addVolume(number);
      before += size;
    }
    await this.#receiver?.finish();
    report({ type: 'stage-finished', stage: 'copying', done: before });
  }

  async #takePiece(piece: EntryPiece, body: AsyncIterable<Uint8Array>): Promise<void> {
    const { entry } = piece;
    if (!isContentEntry(entry)) {
      const target = this.#targetOf(entry);
      if (target === undefined) await drain(body);
      else await this.#stage(piece, body, target);
      this.#seen.addPiece(piece);
      return;
    }
    await this.#requirePreflight();
    const receiver = this.#receiver;
    if (receiver === undefined) await drain(body);
    else if (await receiver.has(entry, false)) {
      await drain(body);
      if (piece.partNumber <= 1) this.#countPresent(entry);
    } else if (piece.part === undefined) await receiver.write(entry, body);
    else {
      const target = this.#assemblyOf(entry);
      await this.#stage(piece, body, target);
      if (this.#requireStaging().hasAll(piece.index, entry)) await this.#adopt(piece.index, entry, target);
    }
    this.#seen.addPiece(piece);
  }

  async #adopt(index: number, entry: ContentEntry, target: string): Promise<void> {
    try {
      await this.#receiver?.adopt(entry, target);
      await this.#receiver?.finish();
    } finally {
      await this.#requireStaging().forget(index, entry, target);
    }
  }

  async #stage(piece: EntryPiece, body: AsyncIterable<Uint8Array>, target: string): Promise<void> {
    const staging = this.#requireStaging();
    if (await staging.has(piece, target)) await drain(body);
    else await staging.write(piece, body, target);
  }

  #countPresent({ size }: TransferEntry): void {
    this.#present = { files: this.#present.files + 1, bytes: this.#present.bytes + size };
  }

  /** Entries of volumes that were not given: they may have come with an earlier run. */
  async #lookForOthers(): Promise<void> {
    const { signal } = this.#options;
    if (this.#seen.hasAll) return;
    const staging = this.#requireStaging();
    const looked = new Set<number>();
    for (const piece of [...this.#seen.missingPieces()]) {
      throwIfInterrupted(signal, 'looking for what earlier volumes held');
      const { index, entry } = piece;
      const target = this.#targetOf(entry);
      if (target !== undefined) {
        if (await staging.has(piece, target)) this.#seen.addPiece(piece);
        continue;
      }
      if (!isContentEntry(entry)) continue;
      const isHere =
        this.#receiver !== undefined &&
        (looked.has(index) ? this.#receiver.stamps.has(entry.sha1) : await this.#receiver.has(entry, true));
      if (isHere && !looked.has(index)) this.#countPresent(entry);
      looked.add(index);
      if (isHere || (await staging.has(piece, this.#assemblyOf(entry)))) this.#seen.addPiece(piece);
    }
  }

  #requireAll(): void {
    if (this.#seen.hasAll) return;
    const { set } = this.#judged;
    const again = this.#seen.carryAgain();
    const volumes =
      again.volumes.length === 0
        ? ''
        : again.volumes.length === 1
          ? `volume ${again.volumes[0]}`
          : `volumes ${again.volumes.join(', ')}`;
    const files = again.files.length === 0 ? '' : `${groupDigits(again.files.length)} files`;
    const what = [volumes, files].filter((each) => each !== '').join(' and ');
    throw new WsusutilError(
      'TRANSFER_INCOMPLETE',
      `Of package ${set.manifest.sequence} for ${set.manifest.destination} (${groupDigits(set.manifest.volumes.length)} ${set.manifest.volumes.length === 1 ? 'volume' : 'volumes'}) this is missing: ${what} (${groupDigits(again.size)} bytes); its metadata was not imported`,
      {
        hint: `Run import with the missing volumes; what was read is kept. If they are lost, "wsusutil export --only-volumes ${again.volumes.join(',') || '<numbers>'}" outside makes them again.`,
        details: { volumes: again.volumes, files: again.files.slice(0, 1000), bytes: again.size },
      },
    );
  }

  async #importMetadata(): Promise<ImportSummary> {
    const { store, now, signal, report, threads, strict, dryRun, acceptGap } = this.#options;
    const { set, verdict, link } = this.#judged;
    const { manifest, digest, volumes } = set;
    const staging = this.#requireStaging();
    for (const [index, entry] of manifest.entries.entries()) {
      if (entry.kind !== 'metadata') continue;
      const target = join(staging.path, basename(entry.path));
      if (await isEntry(target, entry)) continue;
      await staging.forget(index, entry, target);
      throw new WsusutilError('TRANSFER_MISMATCH', `${entry.path} was changed after it was read`, {
        hint: 'Run the import again.',
      });
    }
    const accepted: AcceptedPackage = {
      serverId: manifest.serverId,
      destination: manifest.destination,
      sequence: manifest.sequence,
      manifest: digest,
      follows: manifest.follows ?? undefined,
      createdAt: Date.parse(manifest.createdAt),
      acceptedAt: now().getTime(),
      signers: verdict.signers.map(({ keyId }) => keyId),
      gapReason: link.isGap ? acceptGap : undefined,
    };
    this.isNotedInHistory = true;
    return importPackage({
      path: volumes[0]?.path ?? '',
      store,
      now,
      signal,
      report,
      threads,
      languages: this.#options.settings.languages,
      strict,
      dryRun,
      carried: {
        members: memberPathsIn(staging.path),
        accept: () => accepted,
        details: {
          ...describeSet(set),
          signers: accepted.signers,
          contentWritten: this.#receiver?.written ?? { files: 0, bytes: 0 },
          ...(accepted.gapReason === undefined ? {} : { gapReason: accepted.gapReason }),
        },
      },
      confirm: async () => {
        if (!dryRun) await this.#recordContent();
      },
    });
  }

  /** In the transaction of the metadata, which is what calls for these files. */
  async #recordContent(): Promise<void> {
    const { store, now } = this.#options;
    const index = await store.contentIndex();
    const checkedAt = now().getTime();
    const stamps = [...(this.#receiver?.stamps ?? new Map<Sha1Hex, never>())];
    for (let start = 0; start < stamps.length; start += RECORDS_PER_WRITE) {
      await index.record(
        stamps.slice(start, start + RECORDS_PER_WRITE).map(([sha1, stamp]) => ({
          sha1,
          record: { state: 'verified', problem: undefined, checkedAt, stamp },
        })),
      );
    }
  }

  /** What is known as soon as the settings are; they lie in front of all content. */
  async #requirePreflight(): Promise<Preflight> {
    if (this.#preflight !== undefined) return this.#preflight;
    const { settings: ours, contentFolder, report } = this.#options;
    const { set, age } = this.#judged;
    const theirs = await this.#readSettings();
    const differences = theirs === undefined ? [] : describeDifferences(theirs, ours);
    for (const message of differences) report({ type: 'warning', code: 'SETTINGS_DIFFER', message });
    const missing = await this.#lacking(theirs);
    if (missing.files > 0) {
      const { files: licenceCount } = missing.licences;
      const isOne = missing.files === 1;
      const licences =
        licenceCount === 0
          ? ''
          : isOne
            ? ', a licence text'
            : `, ${groupDigits(licenceCount)} of them ${licenceCount === 1 ? 'a licence text' : 'licence texts'}`;
      report({
        type: 'warning',
        code: 'CONTENT_NOT_HELD',
        message: `${groupDigits(missing.files)} ${isOne ? 'file' : 'files'} of wanted updates (${groupDigits(missing.bytes)} bytes${licences}) ${isOne ? 'is' : 'are'} neither in the package nor here`,
      });
    }
    const given = new Set(set.volumes.map(({ number }) => number));
    const coming = set.manifest.entries.filter(isContentEntry).filter((entry) => given.has(entry.volume));
    const toWrite = await this.#countToWrite(coming);
    const free = await freeSpaceAt(contentFolder);
    if (free !== undefined && toWrite > free) {
      throw new WsusutilError(
        'DISK_FULL',
        `The content files take ${groupDigits(toWrite)} bytes, and ${groupDigits(free)} are free at ${contentFolder}; nothing was imported`,
        { hint: 'Free space, or move the content directory with "wsusutil movecontent", then import again.' },
      );
    }
    this.#preflight = { differences, missing, toWrite, free, age };
    return this.#preflight;
  }

  /** bytes; a dry run looks at the content folder as it is, if there is one */
  async #countToWrite(entries: readonly ContentEntry[]): Promise<number> {
    if (this.#receiver !== undefined) return this.#receiver.countLacking(entries);
    const tree = await this.#contentTree();
    return countLacking(tree, entries);
  }

  /** undefined: there is no content folder yet */
  async #contentTree(): Promise<ContentTree | undefined> {
    const { contentFolder, runner } = this.#options;
    this.#tree ??= (await exists(contentFolder)) ? await openContentTree(contentFolder, runner) : 'none';
    return this.#tree === 'none' ? undefined : this.#tree;
  }

  async #readSettings(): Promise<TransferSettings | undefined> {
    const path = join(this.#requireStaging().path, SETTINGS_NAME);
    const facts = await stat(path).catch(() => undefined);
    if (facts === undefined) return undefined; // it lies in a volume that was not given
    if (facts.size > MAX_SETTINGS_SIZE) {
      throw new WsusutilError('LIMIT_EXCEEDED', `${SETTINGS_NAME} has ${groupDigits(facts.size)} bytes`, {
        hint: 'No exporter writes that much; have the package exported again.',
      });
    }
    return parseSettings(await readFile(path));
  }

  /**
   * What wanted updates call for and neither the package nor this place has: of its own updates as the exporter tells
   * it, of those that were imported before as the last check of this place found it.
   */
  async #lacking(theirs: TransferSettings | undefined): Promise<Preflight['missing']> {
    let missing: Amount = NONE;
    let licences: Amount = NONE;
    const add = (sign: 1 | -1, { files, bytes }: Amount, ofLicences: Amount) => {
      missing = { files: missing.files + sign * files, bytes: missing.bytes + sign * bytes };
      licences = {
        files: licences.files + sign * ofLicences.files,
        bytes: licences.bytes + sign * ofLicences.bytes,
      };
    };
    const addFile = (sign: 1 | -1, { size, kind }: Pick<MissingFile, 'size' | 'kind'>) => {
      const one = { files: 1, bytes: size };
      add(sign, one, kind === 'licence' ? one : NONE);
    };
    const parts = theirs === undefined ? [] : [theirs.missing, theirs.leftOut];
    for (const part of parts) {
      add(1, part, part.licences);
      for (const file of await this.#listHere(part.list)) addFile(-1, file);
    }
    const told = new Set(parts.flatMap(({ list }) => list.map(({ sha1 }) => sha1)));
    for await (const file of this.#listLost()) if (!told.has(file.sha1)) addFile(1, file);
    return { ...missing, licences };
  }

  /** What the updates that are here already call for, and is neither here nor on its way. */
  async *#listLost(): AsyncGenerator<MissingFile> {
    const { store, settings, signal } = this.#options;
    const index = this.#index as ContentIndex;
    let coming: Set<Sha1Hex> | undefined; // most often nothing is missing, and it is not needed
    for (const scope of await wantedScopes(store, {}, settings.expressFiles)) {
      const selection = await index.select(scope);
      try {
        for await (const page of missingFilesOf(selection)) {
          throwIfInterrupted(signal, 'looking for content files');
          coming ??= new Set(
            this.#judged.set.manifest.entries.filter(isContentEntry).map(({ sha1 }) => sha1),
          );
          const lacking = page.filter(({ sha1 }) => coming?.has(sha1) === false);
          const there = await this.#listInPlace(lacking.filter(({ record }) => record?.state !== 'corrupt'));
          const here = new Set(there);
          for (const file of lacking) {
            if (here.has(file)) continue;
            coming.add(file.sha1); // each file once, whatever calls for it
            yield file;
          }
        }
      } finally {
        await selection.close();
      }
    }
  }

  /** Which of these are here: known to be, or in their place where no metadata calls for them yet. */
  async #listHere(files: readonly MissingFile[]): Promise<readonly MissingFile[]> {
    const known = await (this.#index as ContentIndex).find(files.map(({ sha1 }) => sha1));
    const stateOf = ({ sha1 }: MissingFile) => known.get(sha1)?.record?.state;
    const isKnown = (file: MissingFile) => ['verified', 'unverified'].includes(stateOf(file) ?? '');
    const unknown = files.filter((file) => !isKnown(file) && stateOf(file) !== 'corrupt');
    return [...files.filter(isKnown), ...(await this.#listInPlace(unknown))];
  }

  /** Which of these lie in their place in their size. */
  async #listInPlace<File extends MissingFile>(files: readonly File[]): Promise<readonly File[]> {
    const tree = files.length === 0 ? undefined : await this.#contentTree();
    if (tree === undefined) return [];
    const byFolder = new Map<number, File[]>();
    for (const file of files) {
      const folder = folderOfDigest(file.sha1);
      const others = byFolder.get(folder);
      if (others === undefined) byFolder.set(folder, [file]);
      else others.push(file);
    }
    const found: File[] = [];
    for (const [folder, those] of byFolder) {
      throwIfInterrupted(this.#options.signal, 'looking for content files');
      const there = (await tree.readFolder(folder)).files;
      found.push(...those.filter(({ sha1, size }) => there.get(sha1)?.stamp.size === size));
    }
    return found;
  }

  /** Where an entry that is no content is kept until the end; undefined: it is not. */
  #targetOf(entry: TransferEntry): string | undefined {
    const isKept = entry.kind === 'settings' || entry.path.startsWith(`${METADATA_FOLDER}/`);
    return isKept ? join(this.#stagingPath, basename(entry.path)) : undefined;
  }

  #assemblyOf(entry: ContentEntry): string {
    const name = this.#judged.set.digest.slice(0, 16).toLowerCase();
    return this.#receiver?.assemblyPath(entry, name) ?? join(this.#stagingPath, `${entry.sha1}.joining`);
  }

  #requireStaging(): Staging {
    if (this.#staging === undefined) throw new Error('there is no staging folder yet');
    return this.#staging;
  }
}

async function drain(body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of body);
}
