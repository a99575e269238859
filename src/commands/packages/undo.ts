import { undoLastImport } from '../../carry/undo.js';
import type { UndoneImport } from '../../store/carry-state.js';
import { formatAmount } from '../content/content-report.js';
import { defineCommand } from '../declaration.js';
import type { Outcome } from '../outcome.js';
import { formatInstant, formatQuantity, isoInstant } from '../quantities.js';
import { checkNetwork, NETWORK_OPTION } from './network-option.js';

export const undo = defineCommand({
  name: 'undo',
  summary: 'Take the metadata back to what it was before the last import; content files stay',
  description: [
    'Takes back the last import, whatever package it was: its revisions and all that came of them. A transfer package can be imported again then. Run again, it takes back the import before.',
    'Content files stay. "wsusutil content prune" removes those that nothing calls for any more, once they have been there for 30 days.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [],
  options: {
    'dry-run': { type: 'boolean', description: 'Say what would be taken back; change nothing' },
    network: NETWORK_OPTION,
  },
  check({ options }) {
    checkNetwork(options);
  },
  notes: [
    'An import can be taken back as long as nothing but imports came after it: what a synchronisation brought builds on what was there.',
  ],
  examples: ['wsusutil undo --dry-run', 'wsusutil undo'],
  async run({ options }, context) {
    if (options['dry-run']) {
      const store = await context.openStore('read');
      try {
        return outcomeOf(await store.findUndoable(), true);
      } finally {
        await store.close();
      }
    }
    const store = await context.openStore('write');
    try {
      return outcomeOf(await undoLastImport(store, context.now), false);
    } finally {
      await store.close();
    }
  },
});

function outcomeOf(undone: UndoneImport, dryRun: boolean): Outcome {
  const { package: path, finishedAt, revisions, updates, files, bytes, accepted } = undone;
  const what = `the import of ${path}, ${formatInstant(finishedAt)}: ${formatQuantity(revisions, 'revision')}, ${formatQuantity(updates, 'update')} the store did not have before`;
  const idle =
    files === 0
      ? []
      : [
          `${formatAmount({ files, bytes })} of content ${dryRun ? 'would be' : 'are'} called for no longer; what of it is here stays.`,
        ];
  return {
    status: 'complete',
    result: {
      dryRun,
      package: path,
      importedAt: isoInstant(finishedAt),
      revisions,
      updates,
      files,
      bytes,
      transfer:
        accepted === undefined
          ? null
          : { destination: accepted.destination, sequence: accepted.sequence, manifest: accepted.manifest },
    },
    view: {
      kind: 'lines',
      lines: [
        dryRun ? `This would be taken back: ${what}.` : `Taken back: ${what}.`,
        ...idle,
        ...(dryRun ? ['Nothing was changed (--dry-run).'] : []),
      ],
    },
  };
}
