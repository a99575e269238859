/** Counts what a check of a content folder finds, lists the first of it, and writes all of it into the log. */
import { relative } from 'node:path';
import type { Report } from '../events.js';
import type { ContentFileKind, ContentProblem, ContentState } from '../model/content-file.js';
import type { FileFinding, UnchangedFinding } from './check-content.js';
import type { Stray, StrayReason } from './content-tree.js';
import { pathOf } from './layout.js';

/** Findings that a summary lists one by one; the rest are only counted. */
export const MAX_LISTED = 10_000;

export interface Amount {
  readonly files: number;
  /** bytes, as the metadata says */
  readonly bytes: number;
}

/** A file that is not as the metadata wants it. */
export interface ListedProblem {
  readonly problem: ContentProblem | 'absent';
  readonly kind: ContentFileKind;
  /** below the content folder */
  readonly path: string;
  readonly fileName: string;
  readonly size: number;
  readonly detail: string | undefined;
}

export interface TallySummary {
  /** files that were looked at */
  readonly checked: Amount;
  readonly found: Readonly<Record<Exclude<ContentState, 'corrupt'> | ContentProblem, Amount>>;
  /** licence texts that are missing or damaged */
  readonly licencesNotWhole: Amount;
  /** present under another spelling than the layout's: case, leading zero */
  readonly misplaced: number;
  readonly strays: Readonly<Partial<Record<StrayReason, Amount>>>;
  /** what never was there comes last, but for licence texts */
  readonly problems: readonly ListedProblem[];
  readonly problemCount: number;
  readonly unexpected: readonly Stray[];
  readonly unexpectedCount: number;
}

export const NONE: Amount = { files: 0, bytes: 0 };

export function plus(amount: Amount, bytes: number): Amount {
  return { files: amount.files + 1, bytes: amount.bytes + bytes };
}

function sum(one: Amount, other: Amount): Amount {
  return { files: one.files + other.files, bytes: one.bytes + other.bytes };
}

export class ContentTally {
  readonly #contentFolder: string;
  readonly #report: Report;
  #checked: Amount = NONE;
  readonly #found: Record<keyof TallySummary['found'], Amount> = {
    absent: NONE,
    verified: NONE,
    unverified: NONE,
    lost: NONE,
    short: NONE,
    sha1: NONE,
    sha256: NONE,
    unreadable: NONE,
    'not-a-file': NONE,
  };
  #licencesNotWhole: Amount = NONE;
  #misplaced = 0;
  readonly #strays: Partial<Record<StrayReason, Amount>> = {};
  readonly #problems: ListedProblem[] = [];
  readonly #absent: ListedProblem[] = [];
  #problemCount = 0;
  readonly #unexpected: Stray[] = [];
  #unexpectedCount = 0;

  constructor(contentFolder: string, report: Report) {
    this.#contentFolder = contentFolder;
    this.#report = report;
  }

  addFile(finding: FileFinding): void {
    const { file, record, path, detail } = finding;
    this.#checked = plus(this.#checked, file.size);
    const key = record.problem ?? (record.state === 'corrupt' ? 'unreadable' : record.state);
    this.#found[key] = plus(this.#found[key], file.size);
    if (finding.isMisplaced) this.#misplaced++;
    if (file.kind === 'licence' && (record.state === 'absent' || record.state === 'corrupt')) {
      this.#licencesNotWhole = plus(this.#licencesNotWhole, file.size);
    }
    const problem = record.problem ?? (record.state === 'absent' ? 'absent' : undefined);
    if (problem === undefined) return;
    const { kind, fileName, size } = file;
    const place = relative(this.#contentFolder, path ?? pathOf(this.#contentFolder, file));
    this.#problemCount++;
    // What was never there is the usual case where only some updates are wanted: it must not push out the rest.
    const list = problem === 'absent' && kind !== 'licence' ? this.#absent : this.#problems;
    if (list.length < MAX_LISTED) list.push({ problem, kind, path: place, fileName, size, detail });
    const more = detail === undefined ? '' : `, ${detail}`;
    this.#report({ type: 'step', message: `${problem}: ${place} (${fileName}${more})` });
  }

  addUnchanged(amount: UnchangedFinding): void {
    this.#checked = sum(this.#checked, amount);
    this.#found.verified = sum(this.#found.verified, amount);
  }

  addStray(stray: Stray): void {
    this.#strays[stray.reason] = plus(this.#strays[stray.reason] ?? NONE, stray.size);
    this.#unexpectedCount++;
    if (this.#unexpected.length < MAX_LISTED) this.#unexpected.push(stray);
    this.#report({ type: 'step', message: `unexpected (${stray.reason}): ${stray.path}` });
  }

  summary(): TallySummary {
    return {
      checked: this.#checked,
      found: this.#found,
      licencesNotWhole: this.#licencesNotWhole,
      misplaced: this.#misplaced,
      strays: this.#strays,
      problems: [...this.#problems, ...this.#absent].slice(0, MAX_LISTED),
      problemCount: this.#problemCount,
      unexpected: this.#unexpected,
      unexpectedCount: this.#unexpectedCount,
    };
  }
}
