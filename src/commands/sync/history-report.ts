/** Runs of the history in the words people read. */
import type { HistoryEntry } from '../../store/metadata-store.js';
import { formatCount, formatInstant, formatQuantity, formatSize, isoInstant } from '../quantities.js';

/** The entry for `--json`: instants as ISO 8601 texts. */
export function runToJson<T extends HistoryEntry>(
  entry: T,
): Omit<T, 'startedAt' | 'finishedAt'> & { readonly startedAt: string; readonly finishedAt: string } {
  return { ...entry, startedAt: isoInstant(entry.startedAt), finishedAt: isoInstant(entry.finishedAt) };
}

/** Facts that a synchronisation counts under `files` and `bytes` are content files that were downloaded. */
const WORDS: Readonly<Record<string, string>> = {
  files: 'files',
  bytes: 'downloaded',
};

/** Numbers that count nothing. */
const NUMBERS = ['sequence', 'followsSequence', 'volumes'];

/**
 * What a run counted, without what is zero: `3 new updates, 12 files`; of a transfer package its number and place before
 * that; of a run that failed or was refused why, behind what it had done. Actions leave different facts; whatever is a number, or an amount of files
 * and bytes, is named by its key.
 */
export function describeCounts({ details }: Pick<HistoryEntry, 'details'>): string {
  const { destination, sequence, message } = details;
  const isPackage = typeof destination === 'string' && typeof sequence === 'number';
  const counted = Object.fromEntries(
    Object.entries(details).filter(([key]) => !isPackage || !NUMBERS.includes(key)),
  );
  const counts = [
    ...(isPackage && message === undefined ? [`package ${sequence} for ${destination}`] : []),
    ...countsOf(counted)
      .filter(({ isZero }) => !isZero)
      .map(({ words, value }) => (words === WORDS.bytes ? value : `${value} ${words}`)),
  ].join(', ');
  if (typeof message !== 'string') return counts;
  return counts === '' ? message : `${counts}; ${message}`;
}

interface Count {
  /** `new updates` */
  readonly words: string;
  /** `12,345`, `1.2 GB`, `3 files (1.2 GB)` */
  readonly value: string;
  readonly isZero: boolean;
}

/** In the order the run left them. */
export function countsOf(details: HistoryEntry['details']): readonly Count[] {
  return Object.entries(details).flatMap(([key, value]): Count[] => {
    const words = WORDS[key] ?? wordsOf(key);
    if (typeof value === 'number') {
      const isSize = key === 'bytes' || key.endsWith('Bytes') || key.endsWith('Size');
      return [{ words, value: isSize ? formatSize(value) : formatCount(value), isZero: value === 0 }];
    }
    const amount = amountOf(value);
    if (amount === undefined) return [];
    const text = `${formatQuantity(amount.files, 'file')} (${formatSize(amount.bytes)})`;
    return [{ words, value: text, isZero: amount.files === 0 }];
  });
}

function amountOf(value: unknown): { readonly files: number; readonly bytes: number } | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { files, bytes } = value as Readonly<Record<string, unknown>>;
  return typeof files === 'number' && typeof bytes === 'number' ? { files, bytes } : undefined;
}

/** `newUpdates` → `new updates` */
function wordsOf(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** As the column "Result" of the console's Synchronizations has it, and one of ours: it finished, something is missing. */
export function describeResult(outcome: string): 'Succeeded' | 'Incomplete' | 'Canceled' | 'Failed' {
  switch (outcome) {
    case 'complete':
      return 'Succeeded';
    case 'incomplete':
      return 'Incomplete';
    case 'INTERRUPTED':
      return 'Canceled';
    default:
      return 'Failed';
  }
}

/** The error code of a run that failed; empty for one that finished. */
export function errorOf({ outcome }: Pick<HistoryEntry, 'outcome'>): string {
  return outcome === 'complete' || outcome === 'incomplete' ? '' : outcome;
}

/** `never`, or `2026-11-20 12:34 UTC, http://wsus:8530/: complete, 3 new updates`. */
export function describeLastSync(entry: HistoryEntry | undefined): string {
  if (entry === undefined) return 'never';
  const counts = describeCounts(entry);
  return `${formatInstant(entry.finishedAt)}, ${entry.package}: ${entry.outcome}${counts === '' ? '' : `, ${counts}`}`;
}

/** A text among the facts of a run. */
export function textFact({ details }: Pick<HistoryEntry, 'details'>, name: string): string | undefined {
  const value = details[name];
  return typeof value === 'string' ? value : undefined;
}

/** A number among the facts of a run. */
export function numberFact({ details }: Pick<HistoryEntry, 'details'>, name: string): number | undefined {
  const value = details[name];
  return typeof value === 'number' ? value : undefined;
}
