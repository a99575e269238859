import { describePublicKey } from '../../settings/signing-keys.js';
import { defineCommand } from '../declaration.js';
import { currentTrust } from './change-trust.js';
import { trustedKeyJson, warnOfTooFewKeys } from './key-views.js';

export const trustList = defineCommand({
  name: 'trust list',
  summary: 'Show whose signatures count, and how many it takes',
  description: ['Shows the keys whose signatures count for packages, and what is demanded of packages.'],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [],
  options: {},
  csv: true,
  examples: ['wsusutil trust list', 'wsusutil trust list --json'],
  async run(_input, context) {
    const list = await currentTrust(context);
    warnOfTooFewKeys(list, context.report);
    const { threshold, requireSignature, keys } = list;
    return {
      status: 'complete',
      result: { threshold, requireSignature, keys: keys.map(trustedKeyJson) },
      view: [
        {
          kind: 'table',
          columns: [
            { title: 'Name' },
            { title: 'Key id' },
            { title: 'Added' },
            { title: 'Words', secondary: true },
          ],
          rows: keys.map(({ name, publicKey, addedAt }) => [
            name,
            publicKey.keyId,
            addedAt,
            describePublicKey(publicKey).words,
          ]),
          emptyText: 'Nobody is trusted. "wsusutil trust add" takes in a key.',
        },
        {
          kind: 'lines',
          lines: [
            requireSignature
              ? `A package needs ${threshold === 1 ? 'a signature' : `signatures of ${threshold} signers`}.`
              : `A .cab or .xml.gz may come unsigned${threshold === 1 ? '' : `; where signatures are demanded, it takes ${threshold} signers`}.`,
          ],
        },
      ],
    };
  },
});
