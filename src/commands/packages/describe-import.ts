import type { ImportSummary } from '../../packages/import-package.js';
import { formatCount, formatQuantity, formatSize } from '../quantities.js';

/** One sentence with all counts. */
export function describeImport(summary: ImportSummary): string {
  const parts = [
    formatQuantity(summary.newUpdates, 'new update'),
    formatQuantity(summary.newRevisions, 'new revision'),
    `${formatCount(summary.present)} already present`,
  ];
  if (summary.conflictCount > 0) parts.push(formatQuantity(summary.conflictCount, 'conflict'));
  if (summary.missingCount > 0) parts.push(formatQuantity(summary.missingCount, 'missing reference'));
  return `${formatQuantity(summary.revisions, 'revision')} (${formatSize(summary.documentBytes)}): ${parts.join(', ')}.`;
}
