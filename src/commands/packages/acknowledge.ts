import { acknowledge } from '../../carry/acknowledge.js';
import { readReceipt } from '../../carry/receipt.js';
import { defineCommand } from '../declaration.js';

export const acknowledgeCommand = defineCommand({
  name: 'acknowledge',
  summary: 'Take in the code of "receipt": the next package for that place builds on what it holds',
  description: [
    'Takes the code that "wsusutil receipt" printed on the other side. From then on --since-last carries what that place lacks, and no longer what it was only sent.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [
    {
      name: 'code',
      description: 'The code; blanks and hyphens do not matter',
      required: true,
      variadic: true,
      kind: 'text',
    },
  ],
  options: {},
  examples: ['wsusutil acknowledge 00000-G5X5K-HF4E9-8V2QZ-3R1DT'],
  check({ positionals }) {
    readReceipt(positionals.code.join(' '));
  },
  async run({ positionals }, context) {
    const store = await context.openStore('write');
    try {
      const { destination, sequence, manifest } = await acknowledge(
        store.carryState(),
        positionals.code.join(' '),
        context.now(),
      );
      return {
        status: 'complete',
        result: { destination, sequence, manifest },
        view: {
          kind: 'lines',
          lines: [
            `Package ${sequence} has arrived at ${destination}; the next one with --since-last builds on it.`,
          ],
        },
      };
    } finally {
      await store.close();
    }
  },
});
