/** Makes volumes or single files of the last package for a destination again: the same manifest, the same bytes. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContentRunner } from '../content/content-runner.js';
import { openContentTree } from '../content/content-tree.js';
import { folderOfDigest } from '../content/layout.js';
import { WsusutilError } from '../errors.js';
import type { Report } from '../events.js';
import { signatureName } from '../formats/transfer-package/entry-names.js';
import { quoted } from '../formats/transfer-package/errors.js';
import { manifestDigest, type TransferManifest } from '../formats/transfer-package/manifest.js';
import { parseManifest } from '../formats/transfer-package/parse-manifest.js';
import { writeVolume } from '../formats/transfer-package/write-volume.js';
import type { Sha256Hex } from '../model/digest.js';
import type { SentPackage } from '../store/carry-state.js';
import {
  MANIFEST_FILE,
  ownSources,
  volumePath,
  type WrittenVolume,
  writeTogether,
} from './export-transfer.js';
import { readRange } from './read-range.js';
import { isContentEntry } from './receive-content.js';
import { sentPathOf } from './work-folder.js';

const MAX_SIGNATURES = 16;

export interface ExportAgainOptions {
  /** of the package; volumes are named after it as in the first export */
  readonly path: string;
  readonly sent: SentPackage;
  /** `carry/` of the data directory */
  readonly carryPath: string;
  /** undefined: there is none */
  readonly contentFolder: string | undefined;
  readonly runner: ContentRunner;
  /** volumes to make whole */
  readonly volumes: readonly number[];
  /** paths of files to make, as the manifest names them */
  readonly files: readonly string[];
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface ExportAgainSummary {
  readonly manifest: TransferManifest;
  readonly digest: Sha256Hex;
  readonly volumes: readonly WrittenVolume[];
}

/**
 * @throws WsusutilError `NOT_FOUND` if the package is not kept any more, or has no such volume or file; `TRANSFER_MISMATCH`
 *   if a file is not what it was; `TARGET_EXISTS`, `DISK_FULL`, `READ_ONLY`, `WRITE_FAILED`, `READ_FAILED`, `INTERRUPTED`
 */
export async function exportAgain(options: ExportAgainOptions): Promise<ExportAgainSummary> {
  const { path, sent, signal, report, carryPath } = options;
  const folder = sentPathOf(carryPath, sent.manifest);
  const manifestBytes = await readFile(join(folder, MANIFEST_FILE)).catch(() => undefined);
  if (manifestBytes === undefined || manifestDigest(manifestBytes) !== sent.manifest) {
    throw new WsusutilError(
      'NOT_FOUND',
      `What is needed to make package ${sent.sequence} for ${sent.destination} again is not kept here; it is for the last package only`,
      { hint: 'Export a new package, with --bridge-from and the number of the last one that arrived.' },
    );
  }
  const manifest = parseManifest(manifestBytes);
  const wanted = chooseVolumes(manifest, options);
  const sources = await findSources(manifest, wanted, folder, options);
  const signatures = await readSignatureFiles(folder);
  const numbers = [...wanted.keys()].sort((a, b) => a - b);
  const paths = numbers.map((number) => volumePath(path, number, manifest.volumes.length));
  report({ type: 'stage-started', stage: 'copying', unit: 'bytes', total: undefined });
  let done = 0;
  const sizes = await writeTogether(
    numbers.map((number, index) => ({
      path: paths[index] as string,
      chunks: writeVolume({
        manifestBytes,
        manifest,
        signatures,
        number,
        only: wanted.get(number),
        open: (entry, from, size) => {
          const source = sources.get(entry.path);
          if (source === undefined) throw notHere(entry.path);
          return readRange(source, from, size);
        },
        signal,
      }),
    })),
    (bytes) => {
      done += bytes;
      report({
        type: 'progress',
        stage: 'copying',
        done,
        total: undefined,
        bytes: done,
        totalBytes: undefined,
      });
    },
  );
  report({ type: 'stage-finished', stage: 'copying', done });
  return {
    manifest,
    digest: sent.manifest,
    volumes: sizes.map((size, index) => ({
      path: paths[index] as string,
      number: numbers[index] as number,
      size,
    })),
  };
}

/** Volumes to write → the paths in them; undefined: all of the volume. */
function chooseVolumes(
  manifest: TransferManifest,
  { volumes, files }: ExportAgainOptions,
): ReadonlyMap<number, ReadonlySet<string> | undefined> {
  const chosen = new Map<number, Set<string> | undefined>();
  for (const number of volumes) {
    if (number > manifest.volumes.length) {
      throw new WsusutilError(
        'NOT_FOUND',
        `Package ${manifest.sequence} for ${manifest.destination} has no volume ${number}, only ${manifest.volumes.length}`,
        { hint: 'Name the volumes that "wsusutil verify" or "wsusutil import" asks for.' },
      );
    }
    chosen.set(number, undefined);
  }
  const entries = new Map(manifest.entries.map((entry) => [entry.path, entry]));
  for (const file of files) {
    const entry = entries.get(file);
    if (entry === undefined) {
      throw new WsusutilError(
        'NOT_FOUND',
        `Package ${manifest.sequence} for ${manifest.destination} holds no file ${quoted(file)}`,
        { hint: 'Name files as "wsusutil verify" does, e.g. WsusContent/7A/….exe.' },
      );
    }
    for (const number of entry.parts?.map(({ volume }) => volume) ?? [entry.volume]) {
      if (chosen.has(number) && chosen.get(number) === undefined) continue; // all of it
      chosen.set(number, (chosen.get(number) ?? new Set<string>()).add(file));
    }
  }
  return chosen;
}

async function findSources(
  manifest: TransferManifest,
  wanted: ReadonlyMap<number, ReadonlySet<string> | undefined>,
  folder: string,
  { contentFolder, runner }: ExportAgainOptions,
): Promise<ReadonlyMap<string, string>> {
  const sources = new Map(ownSources(folder));
  if (contentFolder === undefined) return sources;
  const tree = await openContentTree(contentFolder, runner);
  const byFolder = new Map<number, { readonly path: string; readonly sha1: string }[]>();
  for (const entry of manifest.entries) {
    if (!isContentEntry(entry)) continue;
    const numbers = entry.parts?.map(({ volume }) => volume) ?? [entry.volume];
    const isWanted = numbers.some(
      (number) => wanted.has(number) && (wanted.get(number)?.has(entry.path) ?? true),
    );
    if (!isWanted) continue;
    const number = folderOfDigest(entry.sha1);
    byFolder.set(number, [...(byFolder.get(number) ?? []), { path: entry.path, sha1: entry.sha1 }]);
  }
  for (const [number, entries] of byFolder) {
    const { files } = await tree.readFolder(number);
    for (const { path, sha1 } of entries) {
      const found = files.get(sha1);
      if (found === undefined) throw notHere(path);
      sources.set(path, found.path);
    }
  }
  return sources;
}

function notHere(path: string): WsusutilError {
  return new WsusutilError('NOT_FOUND', `${path} is not in the content directory any more`, {
    hint: 'Bring it back with "wsusutil reset", or export a new package.',
  });
}

async function readSignatureFiles(folder: string): Promise<readonly Uint8Array[]> {
  const names = new Set(await readdir(folder));
  const signatures: Uint8Array[] = [];
  for (let number = 1; number <= MAX_SIGNATURES && names.has(signatureName(number)); number++) {
    signatures.push(await readFile(join(folder, signatureName(number))));
  }
  return signatures;
}
