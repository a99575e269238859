import { formatIdentity } from '../../model/update-identity.js';
import { MAX_LISTED } from '../../packages/document-pipeline.js';
import type { ContentSyncPlan } from '../../sync/content-survey.js';
import type { PerformSyncSummary } from '../../sync/perform-sync.js';
import type { ContentPolicy } from '../../sync/select-content.js';
import type { ContentSyncProblem, ContentSyncSummary } from '../../sync/sync-content.js';
import { MAX_REHEARSED_REVISIONS, type SyncSummary } from '../../sync/synchronise.js';
import { formatAmount, ifAny } from '../content/content-report.js';
import type { FieldsView, Outcome, View } from '../outcome.js';
import { formatCount, formatQuantity, formatSize } from '../quantities.js';

/** Files that did not come, in the table of people; --json has more. */
const FILES_SHOWN = 20;

const PROBLEM_TEXTS: Readonly<Record<ContentSyncProblem, string>> = {
  'not-held': 'not held upstream',
  unknown: 'unknown upstream',
  'no-source': 'no address',
  encrypted: 'encrypted',
  failed: 'failed',
};

export interface SyncReportContext {
  readonly upstream: string;
  readonly policy: ContentPolicy;
  readonly dryRun: boolean;
  readonly logPath: string | undefined;
}

export function syncOutcome(summary: PerformSyncSummary, context: SyncReportContext): Outcome {
  const { metadata, content, contentPlan, isComplete } = summary;
  const { upstream, dryRun } = context;
  const verdict = verdictOf(summary, context);
  return {
    status: isComplete ? 'complete' : 'incomplete',
    result: {
      upstream,
      dryRun,
      contentPolicy: context.policy,
      metadata: metadata === undefined ? null : metadataJson(metadata),
      content: content === undefined ? null : contentJson(content),
      contentPlan: contentPlan === undefined ? null : planJson(contentPlan),
      logPath: context.logPath ?? null,
    },
    view: [
      ...missingFiles(content),
      {
        kind: 'fields',
        fields: [
          ['Upstream', upstream],
          ...(metadata === undefined ? [] : metadataFields(metadata, dryRun)),
          ...(content === undefined ? [] : contentFields(content)),
          ...(contentPlan === undefined ? [] : planFields(contentPlan)),
        ],
      },
      { kind: 'lines', lines: [verdict] },
    ],
    logLine: dryRun
      ? `Dry run: ${describeSync(summary)}`
      : `${isComplete ? 'Successfully synchronised' : 'Synchronised, but incomplete'}: ${describeSync(summary)}`,
  };
}

/** All counts in one line. */
export function describeSync({ metadata, content, contentPlan }: PerformSyncSummary): string {
  const parts: string[] = [];
  if (metadata?.isOnlyListed === true) parts.push(`${formatQuantity(metadata.wanted, 'revision')} to come`);
  else if (metadata !== undefined) {
    parts.push(
      formatQuantity(metadata.newUpdates, 'new update'),
      `${formatCount(metadata.revisedUpdates)} revised`,
      `${formatCount(metadata.expiredUpdates)} expired`,
      `${formatQuantity(metadata.revisions, 'revision')} in all`,
    );
    if (metadata.unavailableCount > 0) parts.push(`${formatCount(metadata.unavailableCount)} did not come`);
    if (metadata.conflictCount > 0) parts.push(formatQuantity(metadata.conflictCount, 'conflict'));
    if (metadata.missingCount > 0) parts.push(formatQuantity(metadata.missingCount, 'missing reference'));
  }
  if (content !== undefined) {
    parts.push(`${formatAmount(content.downloaded)} downloaded`);
    if (content.stillMissing.files > 0) parts.push(`${formatAmount(content.stillMissing)} still missing`);
  }
  if (contentPlan !== undefined) parts.push(`${formatAmount(contentPlan.missing)} to download`);
  return `${parts.join(', ')}.`;
}

function verdictOf(summary: PerformSyncSummary, { dryRun, policy }: SyncReportContext): string {
  const { metadata, content, contentPlan, isComplete } = summary;
  if (dryRun) {
    const files =
      contentPlan === undefined && metadata?.isOnlyListed === true && policy !== 'none'
        ? ` Files are told only if no more than ${formatCount(MAX_REHEARSED_REVISIONS)} revisions are to come: synchronise with --metadata-only, then run --content-only --dry-run.`
        : '';
    return `Nothing was changed (--dry-run).${files}`;
  }
  if (isComplete) return 'The synchronisation has finished.';
  const reasons = [
    (metadata?.unavailableCount ?? 0) > 0
      ? 'The upstream did not deliver all it lists; the next run asks again.'
      : undefined,
    (metadata?.missingCount ?? 0) > 0 ? 'Updates name others that the upstream does not list.' : undefined,
    (metadata?.conflictCount ?? 0) > 0
      ? 'The upstream has other documents for revisions that are here; those here stay.'
      : undefined,
    content !== undefined && !content.isComplete
      ? 'Content files are missing; the next run asks again, and "wsusutil reset" looks for them too.'
      : undefined,
  ].filter((reason) => reason !== undefined);
  return `The synchronisation has finished, but it is incomplete. ${reasons.join(' ')}`;
}

function metadataFields(metadata: SyncSummary, dryRun: boolean): FieldsView['fields'] {
  if (metadata.isOnlyListed) {
    return [
      ['Protocol', metadata.config.protocolVersion],
      ['Would come', formatQuantity(metadata.wanted, 'revision')],
    ];
  }
  const some = (count: number) => (count === 0 ? undefined : formatCount(count));
  return [
    ['Protocol', metadata.config.protocolVersion],
    ['New updates', formatCount(metadata.newUpdates)],
    ['Revised', formatCount(metadata.revisedUpdates)],
    ['Expired', formatCount(metadata.expiredUpdates)],
    ['Declined', some(metadata.declinedUpdates)],
    [
      dryRun ? 'Would come' : 'Stored',
      `${formatQuantity(metadata.revisions, 'revision')} (${formatSize(metadata.documentBytes)})`,
    ],
    ['New categories', some(metadata.newCategories)],
    ['Driver sets', some(metadata.driverSets)],
    ['Keys', some(metadata.decryptionKeys)],
    [
      'Did not come',
      listed(
        metadata.unavailable.map(
          ({ identity, reason }) => `${formatIdentity(identity)}${reason === undefined ? '' : `: ${reason}`}`,
        ),
        metadata.unavailableCount,
      ),
    ],
    ['Conflicts', some(metadata.conflictCount)],
    ['Missing', metadata.missingCount === 0 ? undefined : formatQuantity(metadata.missingCount, 'reference')],
  ];
}

function listed(lines: readonly string[], count: number): readonly string[] | undefined {
  if (count === 0) return undefined;
  const shown = lines.slice(0, FILES_SHOWN);
  return count > shown.length ? [...shown, `… ${formatCount(count)} in all`] : shown;
}

function contentFields(content: ContentSyncSummary): FieldsView['fields'] {
  return [
    ['Content', `${formatAmount(content.wanted)} called for`],
    ['Already there', ifAny(content.present)],
    ['Downloaded', formatAmount(content.downloaded)],
    [
      'From Microsoft',
      content.fromMicrosoft.files === content.downloaded.files ? undefined : ifAny(content.fromMicrosoft),
    ],
    ['Asked upstream', ifAny(content.requestedUpstream)],
    ...Object.entries(PROBLEM_TEXTS).map(
      ([problem, text]) =>
        [
          `${text[0]?.toUpperCase()}${text.slice(1)}`,
          ifAny(content.unsynced[problem as ContentSyncProblem]),
        ] as const,
    ),
  ];
}

function planFields(plan: ContentSyncPlan): FieldsView['fields'] {
  return [
    ['Content', `${formatAmount(plan.wanted)} called for`],
    ['Already there', ifAny(plan.present)],
    ['To download', formatAmount(plan.missing)],
    ['Licence texts', ifAny(plan.missing.licences)],
    ['From', plan.hosts.map(({ host, ...amount }) => `${host}: ${formatAmount(amount)}`)],
    ['No address', ifAny(plan.withoutSource)],
    [
      'Free space',
      plan.free === undefined
        ? undefined
        : `${formatSize(plan.free)}${plan.fits ? '' : ', which is too little'}`,
    ],
  ];
}

function missingFiles(content: ContentSyncSummary | undefined): readonly View[] {
  if (content === undefined || content.unsyncedFiles.length === 0) return [];
  return [
    {
      kind: 'table',
      columns: [
        { title: 'File', flexible: true },
        { title: 'Kind', secondary: true },
        { title: 'Size', align: 'right' },
        { title: 'Problem' },
        { title: 'Reason', secondary: true },
      ],
      rows: content.unsyncedFiles
        .slice(0, FILES_SHOWN)
        .map(({ fileName, kind, size, problem, reason }) => [
          fileName,
          kind,
          formatSize(size),
          PROBLEM_TEXTS[problem],
          reason,
        ]),
      emptyText: '',
      footer: () =>
        content.unsyncedFiles.length <= FILES_SHOWN
          ? ''
          : `${formatCount(FILES_SHOWN)} of ${formatCount(content.unsyncedFiles.length)} files; --json has them all.`,
    },
  ];
}

function metadataJson({ config, newProducts, unavailable, missing, conflicts, ...counts }: SyncSummary) {
  return {
    protocolVersion: config.protocolVersion,
    catalogOnlySync: config.catalogOnlySync,
    ...counts,
    newProducts: newProducts.slice(0, MAX_LISTED),
    unavailable,
    missing,
    conflicts,
  };
}

function contentJson({ unsyncedFiles, ...counts }: ContentSyncSummary) {
  return { ...counts, unsyncedFiles: unsyncedFiles.map((file) => ({ ...file, url: file.url ?? null })) };
}

function planJson(plan: ContentSyncPlan) {
  return { ...plan, free: plan.free ?? null };
}
