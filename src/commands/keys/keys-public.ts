import { findSigningKey, keysPathOf } from '../../settings/signing-keys.js';
import { defineCommand } from '../declaration.js';
import { keyFields, keyJson } from './key-views.js';

export const keysPublic = defineCommand({
  name: 'keys public',
  summary: 'Show the public part of a key, for those who check your packages',
  description: [
    'Shows the public key, the file it lies in, its id and its words. Others take it in with "wsusutil trust add", from the file or as the one line, or give it to minisign with -P.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [
    {
      name: 'name',
      description: 'Name of the key; left out: the only one there is',
      required: false,
      kind: 'text',
    },
  ],
  options: {},
  examples: ['wsusutil keys public', 'wsusutil keys public anna'],
  async run({ positionals }, context) {
    const keysPath = keysPathOf((await context.findDataDirectory()).path);
    const { key } = await findSigningKey(keysPath, positionals.name);
    return {
      status: 'complete',
      result: keyJson(key),
      view: { kind: 'fields', fields: keyFields(key) },
    };
  },
});
