import { resolve } from 'node:path';
import { WsusutilError } from '../../errors.js';
import { signFile } from '../../packages/sign-file.js';
import { defineCommand } from '../declaration.js';
import { formatSize } from '../quantities.js';
import { checkPasswordOptions, PASSWORD_OPTIONS } from './key-password.js';
import { openKey } from './open-key.js';

export const sign = defineCommand({
  name: 'sign',
  summary: 'Sign a package; the signature goes beside it, to be carried with it',
  description: [
    'Signs a file with a key of "wsusutil keys new". The signature goes beside it as <file>.minisig; those of further signers as <file>.2.minisig and so on. "import" and "verify" check them, and so does "minisign -V".',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [{ name: 'file', description: 'The package', required: true, kind: 'file' }],
  options: {
    key: { type: 'string', value: 'name', description: 'Name of the key; left out: the only one there is' },
    comment: {
      type: 'string',
      value: 'text',
      description: 'What the signature says, signed too; left out: time and name of the file',
    },
    ...PASSWORD_OPTIONS,
  },
  examples: ['wsusutil sign export.cab', 'wsusutil sign export.cab --key anna --password-file secret.txt'],
  check({ options }) {
    checkPasswordOptions(options);
  },
  async run({ positionals, options }, context) {
    const path = resolve(positionals.file);
    if (/\.minisig$/i.test(path)) {
      throw new WsusutilError('USAGE', `${path} is a signature itself`, {
        hint: 'Name the package; the signature of a further signer goes beside it on its own.',
      });
    }
    const { key, secretKey } = await openKey(options.key, options, context);
    const signed = await signFile(path, secretKey, {
      comment: options.comment,
      now: context.now,
      signal: context.signal,
      report: context.report,
    });
    const { signaturePath, trustedComment, size, wasSigned } = signed;
    return {
      status: 'complete',
      result: {
        file: path,
        size,
        signaturePath,
        trustedComment,
        wasSigned,
        key: { name: key.name, keyId: key.publicKey.keyId },
      },
      view: {
        kind: 'lines',
        lines: [
          wasSigned
            ? `${path} was signed with the key ${key.name} before: ${signaturePath}`
            : `${path} (${formatSize(size)}) is signed with the key ${key.name}: ${signaturePath}`,
        ],
      },
    };
  },
});
