import { findTrustedKey, signerIdOf, type TrustedKey, withoutKey } from '../../settings/trust-list.js';
import { defineCommand } from '../declaration.js';
import { changeTrust } from './change-trust.js';
import { trustedKeyJson } from './key-views.js';

export const trustRemove = defineCommand({
  name: 'trust remove',
  summary: 'Trust a key no longer',
  description: [
    'Takes a key out of the trust list: packages signed with it are refused from now on. What was imported stays.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [
    {
      name: 'key',
      description: 'Name of the signer, id of the key, or the public key',
      required: true,
      kind: 'text',
    },
  ],
  options: {},
  examples: ['wsusutil trust remove "Anna Berg"', 'wsusutil trust remove 8A7B459898ABFD5B'],
  async run({ positionals }, context) {
    let removed: TrustedKey | undefined;
    const { after } = await changeTrust(context, (list) => {
      removed = findTrustedKey(list, positionals.key);
      return withoutKey(list, removed);
    });
    if (removed === undefined) throw new Error('the trust list was changed without a key');
    const key = removed;
    const others = after.keys.filter((each) => signerIdOf(each) === signerIdOf(key)).map(({ name }) => name);
    return {
      status: 'complete',
      result: { key: trustedKeyJson(key), otherKeysOfSigner: others },
      view: {
        kind: 'lines',
        lines: [
          `No longer trusted: ${key.name}, key ${key.publicKey.keyId}`,
          ...(others.length === 0
            ? []
            : [`Still trusted are other keys of this signer: ${others.join(', ')}`]),
        ],
      },
    };
  },
});
