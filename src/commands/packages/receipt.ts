import { listReceipts } from '../../carry/acknowledge.js';
import { checkDestination } from '../../carry/destination.js';
import { writeSignedReceipt } from '../../carry/signed-receipt.js';
import { WsusutilError } from '../../errors.js';
import { keysPathOf, listSigningKeys, type SecretKey } from '../../settings/signing-keys.js';
import type { CommandContext } from '../context.js';
import { defineCommand } from '../declaration.js';
import { checkPasswordOptions, PASSWORD_OPTIONS, type PasswordOptions } from '../keys/key-password.js';
import { openKey } from '../keys/open-key.js';
import { formatInstant, isoInstant } from '../quantities.js';

export const receipt = defineCommand({
  name: 'receipt',
  summary: 'Print the code that tells the other side which transfer package was imported last',
  description: [
    'Prints a code for the last transfer package that was imported here, to be typed into "wsusutil acknowledge" where it was made, or photographed and pasted. The next package made there with --since-last builds on it.',
    'Where there is a key of "wsusutil keys", it signs: five lines of 25 letters and digits, which the other side checks against its trust list. Without one, 25 letters and digits are printed: a checksum code, which whoever has the package can make.',
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
    'sign-with': {
      type: 'string',
      value: 'key',
      description: 'Sign it with this key of "wsusutil keys"; left out: the only one there is',
    },
    short: { type: 'boolean', description: 'Print the checksum code, although there is a key' },
    ...PASSWORD_OPTIONS,
  },
  notes: [
    'The last two characters of each signed line check it: "acknowledge" names the line that was mistyped. All of it is upper case, so that a QR code of it stays small.',
  ],
  examples: ['wsusutil receipt', 'wsusutil receipt --sign-with default'],
  check({ options }) {
    if (options.destination !== undefined) checkDestination(options.destination);
    checkPasswordOptions(options);
    if (options.short && options['sign-with'] !== undefined) {
      throw new WsusutilError('USAGE', '--short and --sign-with exclude each other', {
        hint: 'Give one of them.',
      });
    }
  },
  async run({ options }, context) {
    const store = await context.openStore('read');
    try {
      const found = await listReceipts(store.carryState(), options.destination);
      const key = await signingKey(options, context);
      const receipts = found.map(({ code, accepted }) => ({
        accepted,
        lines: key === undefined ? [code] : writeSignedReceipt(accepted, key),
      }));
      return {
        status: 'complete',
        result: {
          receipts: receipts.map(({ lines, accepted }) => ({
            code: lines.join(' '),
            keyId: key?.publicKey.keyId ?? null,
            serverId: accepted.serverId,
            destination: accepted.destination,
            sequence: accepted.sequence,
            manifest: accepted.manifest,
            acceptedAt: isoInstant(accepted.acceptedAt),
          })),
        },
        view: {
          kind: 'lines',
          lines: receipts.flatMap(({ lines, accepted }) => [
            `Package ${accepted.sequence} for ${accepted.destination}, imported ${formatInstant(accepted.acceptedAt)}, ${key === undefined ? 'checksum code, not signed' : `signed with key ${key.publicKey.keyId}`}:`,
            ...lines.map((line) => `  ${line}`),
          ]),
        },
      };
    } finally {
      await store.close();
    }
  },
});

/** undefined: nobody signs */
async function signingKey(
  options: PasswordOptions & { readonly 'sign-with': string | undefined; readonly short: boolean },
  context: CommandContext,
): Promise<SecretKey | undefined> {
  const name = options['sign-with'];
  if (options.short) return undefined;
  if (name === undefined) {
    const keys = await listSigningKeys(keysPathOf((await context.findDataDirectory()).path));
    if (keys.length === 0) return undefined;
  }
  return (await openKey(name, options, context)).secretKey;
}
