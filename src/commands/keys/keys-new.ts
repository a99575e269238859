import {
  checkKeyName,
  createSigningKey,
  DEFAULT_KEY_NAME,
  keysPathOf,
  refuseTakenName,
} from '../../settings/signing-keys.js';
import { defineCommand } from '../declaration.js';
import { checkPasswordOptions, PASSWORD_OPTIONS, readNewPassword } from './key-password.js';
import { keyFields, keyJson } from './key-views.js';

export const keysNew = defineCommand({
  name: 'keys new',
  summary: 'Make a key that signs packages',
  description: [
    'Makes an Ed25519 key in the format of minisign. The secret key stays in the folder "keys" of the data directory, protected by a password; the public key is for those who check your packages.',
    'The password is asked for without being shown, read from standard input where that is a pipe, or taken from a variable or a file; it is never an argument.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [
    {
      name: 'name',
      description: `Name of the key; left out: ${DEFAULT_KEY_NAME}`,
      required: false,
      kind: 'text',
    },
  ],
  options: {
    ...PASSWORD_OPTIONS,
    'no-password': {
      type: 'boolean',
      description: 'Make a key with which everybody can sign who gets hold of its file',
    },
  },
  notes: [
    'To make or use a key with a password takes some seconds and 1 GiB of memory, so that guessing it does too.',
    'Nobody can bring back a lost key or password. Keep a copy of the secret key file where the machine is not.',
  ],
  examples: ['wsusutil keys new', 'wsusutil keys new anna --password-env KEY_PASSWORD'],
  check({ positionals, options }) {
    if (positionals.name !== undefined) checkKeyName(positionals.name);
    checkPasswordOptions(options, options['no-password'] ? ['no-password'] : []);
  },
  async run({ positionals, options }, context) {
    const name = positionals.name ?? DEFAULT_KEY_NAME;
    const keysPath = keysPathOf((await context.dataDirectory()).path);
    await refuseTakenName(keysPath, name); // before a password is asked for in vain
    const password = options['no-password'] ? undefined : await readNewPassword(options, context, name);
    const store = await context.openStore('write'); // holds the writer lock for the keys
    try {
      const key = await createSigningKey(keysPath, name, { password, signal: context.signal });
      if (!key.isProtected) {
        context.report({
          type: 'warning',
          code: 'KEY_WITHOUT_PASSWORD',
          message: `The key ${name} has no password. Whoever can read ${key.path} can sign in your name`,
        });
      }
      return {
        status: 'complete',
        result: keyJson(key),
        view: [
          { kind: 'fields', fields: keyFields(key) },
          {
            kind: 'lines',
            lines: [
              'Give the public key file to those who check your packages, and read them the words yourself, on the telephone or in person.',
            ],
          },
        ],
      };
    } finally {
      await store.close();
    }
  },
});
