/** What `import` and `verify` ask of the signatures beside a package. */
import { resolve } from 'node:path';
import { WsusutilError } from '../../errors.js';
import {
  checkSignatures,
  requireSigners,
  type SignatureCheck,
  type SignatureTrust,
} from '../../packages/check-signatures.js';
import { looksLikePublicKey, readPublicKey } from '../../settings/signing-keys.js';
import type { CommandContext } from '../context.js';
import { currentTrust } from '../keys/change-trust.js';

export const SIGNATURE_OPTIONS = {
  'require-signature': {
    type: 'boolean',
    description: 'Refuse the package unless enough of those who are trusted have signed it',
  },
  'allow-unsigned': {
    type: 'boolean',
    description:
      'Take it without signatures although they are demanded; one that is there and wrong is refused all the same',
  },
} as const;

export interface SignatureOptions {
  readonly 'require-signature': boolean;
  readonly 'allow-unsigned': boolean;
}

/** @throws WsusutilError `USAGE` */
export function checkSignatureOptions(options: SignatureOptions, publicKeys: readonly string[] = []): void {
  const demand = options['require-signature']
    ? 'require-signature'
    : publicKeys.length > 0
      ? 'public-key'
      : undefined;
  if (demand !== undefined && options['allow-unsigned']) {
    throw new WsusutilError('USAGE', `--${demand} and --allow-unsigned exclude each other`, {
      hint: 'Give one of them, or none to go by "wsusutil trust require".',
    });
  }
}

export interface CheckedSignatures extends SignatureCheck {
  readonly isRequired: boolean;
}

/**
 * Checks the signatures beside a package, before anything else is done with it.
 *
 * @param publicKeys each of whose owners must have signed, whatever the trust list says; none: the trust list decides
 * @throws WsusutilError `SIGNATURE_INVALID`, `SIGNATURE_MISSING`, `SIGNER_UNTRUSTED`, `KEY_INVALID`, `SETTINGS_INVALID`,
 *   `INPUT_NOT_FOUND`, `READ_FAILED`, `INTERRUPTED`
 */
export async function checkPackageSignatures(
  path: string,
  options: SignatureOptions,
  context: CommandContext,
  publicKeys: readonly string[] = [],
): Promise<CheckedSignatures> {
  const trust =
    publicKeys.length === 0
      ? await currentTrust(context)
      : { ...(await trustOnly(publicKeys)), requireSignature: true };
  const check = await checkSignatures(path, trust, context);
  const isDemanded = options['require-signature'] || trust.requireSignature;
  const isRequired = isDemanded && !options['allow-unsigned'];
  if (isRequired) requireSigners(check, path);
  if (check.missing > 0 && (isDemanded || check.signers.length > 0)) {
    const why = isDemanded ? ', and taken because of --allow-unsigned' : '';
    context.report({
      type: 'warning',
      code: 'TOO_FEW_SIGNATURES',
      message: `${path} is signed by ${check.signers.length} of the ${check.threshold} signers it takes${why}`,
    });
  }
  return { ...check, isRequired };
}

/** For `--json`. */
export function signaturesJson({ isRequired, threshold, signers }: CheckedSignatures) {
  return { isRequired, threshold, signers };
}

/** For people; undefined: nobody has signed. */
export function describeSigners({ signers }: CheckedSignatures): readonly string[] | undefined {
  if (signers.length === 0) return undefined;
  return signers.map(
    ({ name, keyId, trustedComment }) => `by ${name}, key ${keyId} (${readable(trustedComment)})`,
  );
}

/** What minisign writes has seconds since 1970 in it, and tabs. */
function readable(trustedComment: string): string {
  return trustedComment
    .replace(/^timestamp:(\d{1,11})\b/, (_, seconds: string) =>
      new Date(Number(seconds) * 1000).toISOString().replace(/\.\d+Z$/, 'Z'),
    )
    .replaceAll('\t', ', ');
}

/** Each of whose owners must have signed. @param given files of public keys, or their lines */
export async function trustOnly(given: readonly string[]): Promise<SignatureTrust> {
  const keys = new Map<string, SignatureTrust['keys'][number]>();
  for (const each of given) {
    const text = each.trim();
    const isLine = looksLikePublicKey(text);
    const { publicKey } = await readPublicKey(isLine ? text : resolve(text), isLine);
    keys.set(publicKey.keyId, { name: isLine ? publicKey.keyId : text, publicKey });
  }
  return { keys: [...keys.values()], threshold: keys.size };
}
