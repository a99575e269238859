import { basename, resolve } from 'node:path';
import { WsusutilError } from '../../errors.js';
import { describePublicKey, looksLikePublicKey, readPublicKey } from '../../settings/signing-keys.js';
import { checkTrustedName, type TrustedKey, withKey } from '../../settings/trust-list.js';
import { defineCommand } from '../declaration.js';
import { changeTrust, currentTrust } from './change-trust.js';
import { trustedKeyJson } from './key-views.js';

export const trustAdd = defineCommand({
  name: 'trust add',
  summary: 'Trust the packages that a key signs',
  description: [
    'Takes in the public key of somebody who signs packages. Before that it shows eight words, which stand for the key: let its owner read them to you, on the telephone or in person, and go on only if they are the same.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [
    {
      name: 'public-key',
      description: 'A .pub file, or the line of 56 characters that begins with RW',
      required: true,
      kind: 'text',
    },
  ],
  options: {
    name: {
      type: 'string',
      value: 'name',
      description: 'Whose key it is; left out: the name of the file, or the id of the key',
    },
    yes: { type: 'boolean', description: 'The words have been compared: do not ask' },
  },
  examples: ['wsusutil trust add anna.pub --name "Anna Berg"'],
  check({ options }) {
    if (options.name !== undefined) checkTrustedName(options.name);
  },
  async run({ positionals, options }, context) {
    const given = positionals['public-key'].trim();
    const isLine = looksLikePublicKey(given);
    const path = isLine ? undefined : resolve(given);
    const { publicKey, comment } = await readPublicKey(path ?? given, isLine);
    const { keyId, words } = describePublicKey(publicKey);
    const key: TrustedKey = {
      name: options.name ?? (path === undefined ? keyId : basename(path).replace(/\.pub$/i, '')),
      publicKey,
      addedAt: context
        .now()
        .toISOString()
        .replace(/\.\d+Z$/, 'Z'),
      ...(comment === undefined ? {} : { comment }),
    };
    withKey(await currentTrust(context), key); // nobody compares words for a key that cannot be added
    if (!options.yes) {
      const isAsked = (await context.terminal?.isInteractive()) === true;
      const isSame =
        isAsked &&
        (await context.terminal?.confirm(
          `The words of the key ${keyId} are:\n\n  ${words}\n\nAre these the words that its owner reads to you?`,
        ));
      if (isSame !== true) {
        throw new WsusutilError('SAFETY_REFUSED', `The key ${keyId} was not added. Its words are: ${words}`, {
          hint: isAsked
            ? 'Answer yes once its owner has read you the same words.'
            : 'Compare the words with its owner, then run the command again with --yes.',
          details: { keyId, words },
        });
      }
    }
    const { before, after } = await changeTrust(context, (list) => withKey(list, key));
    const wasThere = before.keys.length === after.keys.length;
    return {
      status: 'complete',
      result: { key: trustedKeyJson(key), wasThere, threshold: after.threshold },
      view: {
        kind: 'fields',
        fields: [
          [wasThere ? 'Trusted as before' : 'Trusted now', key.name],
          ['Key id', keyId],
          ['Words', words],
        ],
      },
    };
  },
});
