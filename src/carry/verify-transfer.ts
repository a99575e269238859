/**
 * Checks volumes of a transfer package from end to end: no store, no data directory, nothing is written, so it runs on
 * read-only media on any machine. Says what is damaged or missing, and what must be carried again.
 */
import { stat } from 'node:fs/promises';
import { isWsusutilError, type WsusutilError } from '../errors.js';
import type { Report } from '../events.js';
import { type CarryAgain, TransferSet } from '../formats/transfer-package/join.js';
import type { TransferManifest } from '../formats/transfer-package/manifest.js';
import type { Sha256Hex } from '../model/digest.js';
import type { SignatureTrust, SignatureVerdict } from '../packages/check-signatures.js';
import { claimedSigners, judgeSet, type OpenSet, openVolumes, readParts } from './open-volumes.js';

const PROGRESS_BYTES = 16 << 20;
/** Problems that are told one by one. */
const MAX_LISTED = 1000;

export interface VerifyTransferOptions {
  /** volumes of one package, in any order */
  readonly paths: readonly string[];
  /** whose signatures count; undefined: nobody is known here, and signatures are only named */
  readonly trust: SignatureTrust | undefined;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface VolumeProblem {
  readonly path: string;
  readonly message: string;
}

export interface VerifyTransferSummary {
  readonly manifest: TransferManifest;
  readonly digest: Sha256Hex;
  /** undefined: nobody is known here */
  readonly verdict: SignatureVerdict | undefined;
  /** ids of the keys that are said to have signed; nothing vouches for them without a verdict */
  readonly claimedSigners: readonly string[];
  /** numbers of the volumes that were given */
  readonly volumes: readonly number[];
  readonly missingVolumes: readonly number[];
  /** the first of what is damaged */
  readonly problems: readonly VolumeProblem[];
  readonly problemCount: number;
  readonly again: CarryAgain;
  /** all volumes are there, and whole */
  readonly isComplete: boolean;
  /** bytes read */
  readonly bytes: number;
}

/**
 * @throws WsusutilError `SIGNATURE_INVALID`, `SIGNER_UNTRUSTED`; what is wrong with the first volume's manifest;
 *   `TRANSFER_MISMATCH` for volumes of different packages; `INPUT_NOT_FOUND`, `READ_FAILED`, `INTERRUPTED`
 */
export async function verifyTransfer(options: VerifyTransferOptions): Promise<VerifyTransferSummary> {
  const { paths, trust, signal } = options;
  const broken: VolumeProblem[] = [];
  const set = await openVolumes(paths, signal, (path, error) => {
    broken.push({ path, message: error.message });
  });
  const verdict = trust === undefined ? undefined : judgeSet(set, trust);
  const check = new VolumeCheck(options, set);
  await check.perform();
  const { seen, bytes } = check;
  const problems = [...broken, ...check.problems].slice(0, MAX_LISTED);
  const problemCount = broken.length + check.problemCount;
  return {
    manifest: set.manifest,
    digest: set.digest,
    verdict,
    claimedSigners: claimedSigners(set),
    volumes: set.volumes.map(({ number }) => number),
    missingVolumes: seen.missingVolumes,
    problems,
    problemCount,
    again: seen.carryAgain(),
    isComplete: seen.hasAll && problemCount === 0,
    bytes,
  };
}

class VolumeCheck {
  readonly #options: VerifyTransferOptions;
  readonly #set: OpenSet;
  readonly seen: TransferSet;
  readonly problems: VolumeProblem[] = [];
  problemCount = 0;
  bytes = 0;
  #told = 0;

  constructor(options: VerifyTransferOptions, set: OpenSet) {
    this.#options = options;
    this.#set = set;
    this.seen = new TransferSet(set.manifest);
  }

  async perform(): Promise<void> {
    const { report } = this.#options;
    let total = 0;
    for (const { path } of this.#set.volumes) total += (await stat(path)).size;
    report({ type: 'stage-started', stage: 'verifying', unit: 'bytes', total });
    for (const { path, number } of this.#set.volumes) {
      this.seen.addVolume(number);
      try {
        await this.#readVolume(path, total);
      } catch (error) {
        // What is behind the damage cannot be told from it; the other volumes can.
        if (!isWsusutilError(error) || isFatal(error)) throw error;
        this.#tell(path, error);
      }
    }
    report({ type: 'stage-finished', stage: 'verifying', done: this.bytes });
  }

  async #readVolume(path: string, total: number): Promise<void> {
    const { signal, report } = this.#options;
    const before = this.bytes;
    const damaged = new Set<string>();
    const parts = readParts(path, {
      known: this.#set,
      signal,
      onDamage: (error, piece) => {
        damaged.add(piece.name);
        this.#tell(path, error);
      },
      onProgress: (bytesRead) => {
        this.bytes = before + bytesRead;
        if (this.bytes - this.#told < PROGRESS_BYTES) return;
        this.#told = this.bytes;
        report({
          type: 'progress',
          stage: 'verifying',
          done: this.bytes,
          total,
          bytes: this.bytes,
          totalBytes: total,
        });
      },
    });
    let last: Parameters<TransferSet['addPiece']>[0] | undefined;
    const take = () => {
      if (last !== undefined && !damaged.has(last.name)) this.seen.addPiece(last);
      last = undefined;
    };
    try {
      for await (const part of parts) {
        take(); // the piece before was read to its end
        if (part.type === 'entry' || part.type === 'skipped') last = part.piece;
      }
    } catch (error) {
      if (isWsusutilError(error) && error.details?.end !== undefined) take(); // only behind the end is something wrong
      throw error;
    }
    take();
  }

  #tell(path: string, error: WsusutilError): void {
    this.#options.report({ type: 'step', message: `${error.code}: ${error.message}` });
    if (++this.problemCount <= MAX_LISTED) this.problems.push({ path, message: error.message });
  }
}

function isFatal(error: WsusutilError): boolean {
  return error.code === 'INTERRUPTED';
}
