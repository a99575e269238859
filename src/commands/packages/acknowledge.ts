import { acknowledge, checkReceipt } from '../../carry/acknowledge.js';
import { looksSigned } from '../../carry/signed-receipt.js';
import { WsusutilError } from '../../errors.js';
import { defineCommand } from '../declaration.js';
import { currentTrust } from '../keys/change-trust.js';

export const acknowledgeCommand = defineCommand({
  name: 'acknowledge',
  summary: 'Take in the code of "receipt": the next package for that place builds on what it holds',
  description: [
    'Takes the code that "wsusutil receipt" printed on the other side. From then on --since-last carries what that place lacks, and no longer what it was only sent.',
    'A signed code (five lines) has to be of a key that is trusted here. A short one (25 characters) is a checksum, which whoever has the package can make; after "wsusutil trust require on" it takes --allow-unsigned.',
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
  options: {
    'allow-unsigned': {
      type: 'boolean',
      description: 'Take a short code although signatures are demanded here',
    },
  },
  notes: [
    'Letters may be typed in any case; I and L are read as 1, O as 0. What was mistyped is found, in a signed code by its line.',
  ],
  examples: ['wsusutil acknowledge 00000-G5X5K-HF4E9-8V2QZ-3R1DT'],
  check({ positionals }) {
    checkReceipt(positionals.code.join(' '));
  },
  async run({ positionals, options }, context) {
    const code = positionals.code.join(' ');
    const trust = await currentTrust(context);
    if (trust.requireSignature && !options['allow-unsigned'] && !looksSigned(code)) {
      throw new WsusutilError('SIGNATURE_MISSING', 'The receipt is a short code, which nobody has signed', {
        hint: 'Have it printed by "wsusutil receipt" where there is a signing key ("wsusutil keys new"); --allow-unsigned takes it as it is.',
      });
    }
    const store = await context.openStore('write');
    try {
      const { sent, signer } = await acknowledge(store.carryState(), code, trust, context.now());
      const { destination, sequence, manifest } = sent;
      return {
        status: 'complete',
        result: { destination, sequence, manifest, signer: signer ?? null },
        view: {
          kind: 'lines',
          lines: [
            `Package ${sequence} has arrived at ${destination}; the next one with --since-last builds on it.`,
            signer === undefined
              ? 'The code is a checksum: whoever has the package can make it. Nobody has signed it.'
              : `Signed by ${signer.name}, key ${signer.keyId}.`,
          ],
        },
      };
    } finally {
      await store.close();
    }
  },
});
