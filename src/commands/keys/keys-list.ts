import { describePublicKey, keysPathOf, listSigningKeys } from '../../settings/signing-keys.js';
import { defineCommand } from '../declaration.js';
import { warnOfExposure } from '../serve/warn-of-exposure.js';
import { keyJson } from './key-views.js';

export const keysList = defineCommand({
  name: 'keys list',
  summary: 'Show the keys that sign packages',
  description: [
    'Shows the keys of this data directory, with their ids and words. Secret keys are never shown.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [],
  options: {},
  csv: true,
  examples: ['wsusutil keys list', 'wsusutil keys list --json'],
  async run(_input, context) {
    const keys = await listSigningKeys(keysPathOf((await context.findDataDirectory()).path));
    for (const key of keys) warnOfExposure(key, context.report);
    return {
      status: 'complete',
      result: { keys: keys.map(keyJson) },
      view: {
        kind: 'table',
        columns: [
          { title: 'Name' },
          { title: 'Key id' },
          { title: 'Password' },
          { title: 'Words', secondary: true },
        ],
        rows: keys.map(({ name, publicKey, isProtected }) => [
          name,
          publicKey.keyId,
          isProtected ? 'yes' : 'none',
          describePublicKey(publicKey).words,
        ]),
        emptyText: 'No key signs here. "wsusutil keys new" makes one.',
      },
    };
  },
});
