/** How `reset`, `content verify` and `movecontent` show what a check found. */
import type { ContentTally, ListedProblem, TallySummary } from '../../content/content-tally.js';
import type { Stray } from '../../content/content-tree.js';
import type { FieldsView, TableView, View } from '../outcome.js';
import { formatCount, formatQuantity, formatSize } from '../quantities.js';

type Amount = TallySummary['checked'];

/** Rows of a list that a command shows; `--json` and the log have more. */
export const MAX_ROWS = 200;

const PROBLEM_TEXTS: Readonly<Record<ListedProblem['problem'], string>> = {
  absent: 'missing',
  lost: 'missing (was there)',
  short: 'wrong size',
  sha1: 'SHA-1 differs',
  sha256: 'SHA-256 differs',
  unreadable: 'unreadable',
  'not-a-file': 'not a file',
};

const STRAY_TEXTS: Readonly<Record<Stray['reason'], string>> = {
  orphan: 'no update needs it',
  'foreign-name': 'not a content file',
  'wrong-folder': 'in the wrong folder',
  duplicate: 'there twice',
  temporary: 'left by an interrupted write',
  link: 'link (not followed)',
  folder: 'not a folder of content files',
  special: 'socket, pipe or device',
  unreadable: 'unreadable',
};

/** `1,234 files (5.6 GB)` */
export function formatAmount({ files, bytes }: Amount): string {
  return files === 0 ? 'none' : `${formatQuantity(files, 'file')} (${formatSize(bytes)})`;
}

/** `12 files (3 MB)`, or undefined where there is nothing to say */
export function ifAny(amount: Amount | undefined): string | undefined {
  return amount === undefined || amount.files === 0 ? undefined : formatAmount(amount);
}

/** Counts by finding; those of zero are left out. */
export function tallyFields(
  summary: TallySummary & { readonly wanted: Amount & { readonly licence: Amount } },
): FieldsView['fields'] {
  const { found, strays, wanted } = summary;
  return [
    ['Called for', `${formatAmount(wanted)}, ${formatCount(wanted.licence.files)} of them licence texts`],
    ['Verified', ifAny(found.verified)],
    ['Unverified', ifAny(found.unverified)],
    ['Missing', ifAny(found.absent)],
    ['Lost', found.lost.files === 0 ? undefined : `${formatAmount(found.lost)} that an earlier check found`],
    ['Wrong size', ifAny(found.short)],
    ['SHA-1 differs', ifAny(found.sha1)],
    ['SHA-256 differs', ifAny(found.sha256)],
    ['Unreadable', ifAny(found.unreadable)],
    ['Not a file', ifAny(found['not-a-file'])],
    [
      'Licence texts',
      wanted.licence.files === 0
        ? undefined
        : summary.licencesNotWhole.files === 0
          ? 'all there'
          : `${formatCount(summary.licencesNotWhole.files)} of ${formatCount(wanted.licence.files)} missing or damaged`,
    ],
    [
      'Misspelt',
      summary.misplaced === 0
        ? undefined
        : `${formatQuantity(summary.misplaced, 'file')} (case or leading zero)`,
    ],
    ...strayFields('Unexpected', strays),
  ];
}

/** Damaged and lost files, then what does not belong there; empty lists give no table. */
export function findingTables(summary: TallySummary): readonly View[] {
  return [
    ...problemTables('Problem', summary.problems, summary.problemCount),
    ...strayTables('Unexpected', summary.unexpected, summary.unexpectedCount),
  ];
}

/** Files with what is wrong with each; none give no table. @param title what is told of them */
export function problemTables(
  title: string,
  problems: readonly Omit<ListedProblem, 'detail'>[],
  count: number,
): readonly View[] {
  if (count === 0) return [];
  return [
    {
      kind: 'table',
      columns: [
        { title },
        { title: 'Kind', secondary: true },
        { title: 'Size', align: 'right' },
        { title: 'File', flexible: true },
        { title: 'Name', secondary: true },
      ],
      rows: problems
        .slice(0, MAX_ROWS)
        .map(({ problem, kind, size, path, fileName }) => [
          PROBLEM_TEXTS[problem],
          kind,
          formatSize(size),
          path,
          fileName,
        ]),
      emptyText: '',
      ...moreRows(count),
    },
  ];
}

/** What does not belong there; none give no table. @param title what is told of them */
export function strayTables(title: string, strays: readonly Stray[], count: number): readonly View[] {
  if (count === 0) return [];
  return [
    {
      kind: 'table',
      columns: [{ title }, { title: 'Size', align: 'right' }, { title: 'Path', flexible: true }],
      rows: strays
        .slice(0, MAX_ROWS)
        .map(({ reason, size, path }) => [STRAY_TEXTS[reason], formatSize(size), path]),
      emptyText: '',
      ...moreRows(count),
    },
  ];
}

/** What is no file has no size, and is not called one. */
const NOT_FILES: ReadonlySet<Stray['reason']> = new Set(['link', 'folder', 'special', 'unreadable']);

function amountOf(reason: Stray['reason'], amount: Amount): string {
  return NOT_FILES.has(reason) ? formatCount(amount.files) : formatAmount(amount);
}

/** Counts by reason. */
export function strayFields(title: string, strays: TallySummary['strays']): FieldsView['fields'] {
  return (Object.entries(strays) as [Stray['reason'], Amount][]).map(
    ([reason, amount]) => [title, `${amountOf(reason, amount)}: ${STRAY_TEXTS[reason]}`] as const,
  );
}

/** What stands below a list of which only the first {@link MAX_ROWS} are shown. */
export function moreRows(count: number): Pick<TableView, 'footer'> {
  return count <= MAX_ROWS
    ? {}
    : { footer: () => `${formatCount(count - MAX_ROWS)} more: --json lists up to 10,000.` };
}

/** The lists of a summary for `--json`. */
export function tallyJson(summary: ReturnType<ContentTally['summary']>): Record<string, unknown> {
  const { checked, found, licencesNotWhole, misplaced, strays } = summary;
  return {
    checked,
    found,
    licencesNotWhole,
    misplaced,
    unexpected: strays,
    problems: summary.problems,
    problemCount: summary.problemCount,
    unexpectedFiles: summary.unexpected,
    unexpectedCount: summary.unexpectedCount,
  };
}
