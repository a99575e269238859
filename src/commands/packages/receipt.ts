import { listReceipts } from '../../carry/acknowledge.js';
import { checkDestination } from '../../carry/destination.js';
import { defineCommand } from '../declaration.js';
import { formatInstant, isoInstant } from '../quantities.js';

export const receipt = defineCommand({
  name: 'receipt',
  summary: 'Print the code that tells the other side which transfer package was imported last',
  description: [
    'Prints 25 letters and digits for the last transfer package that was imported here, to be typed into "wsusutil acknowledge" where it was made. The next package made there with --since-last builds on it.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [],
  options: {
    destination: {
      type: 'string',
      value: 'name',
      description: 'Only for packages under this name; left out: for every chain',
    },
  },
  notes: [
    'Letters may be typed in any case; I and L are read as 1, O as 0. A checksum finds what was mistyped. The code proves that whoever made it had the package; it is no signature.',
  ],
  examples: ['wsusutil receipt'],
  check({ options }) {
    if (options.destination !== undefined) checkDestination(options.destination);
  },
  async run({ options }, context) {
    const store = await context.openStore('read');
    try {
      const receipts = await listReceipts(store.carryState(), options.destination);
      return {
        status: 'complete',
        result: {
          receipts: receipts.map(({ code, accepted }) => ({
            code,
            serverId: accepted.serverId,
            destination: accepted.destination,
            sequence: accepted.sequence,
            manifest: accepted.manifest,
            acceptedAt: isoInstant(accepted.acceptedAt),
          })),
        },
        view: {
          kind: 'lines',
          lines: receipts.map(
            ({ code, accepted }) =>
              `${code}  package ${accepted.sequence} for ${accepted.destination}, imported ${formatInstant(accepted.acceptedAt)}`,
          ),
        },
      };
    } finally {
      await store.close();
    }
  },
});
