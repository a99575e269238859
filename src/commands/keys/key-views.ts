/** How keys are shown, to people and to scripts; never a secret one. */
import { describePublicKey, type SigningKey } from '../../settings/signing-keys.js';
import { countSigners, type TrustedKey, type TrustList } from '../../settings/trust-list.js';
import type { CommandContext } from '../context.js';
import type { FieldsView } from '../outcome.js';

export function keyJson(key: SigningKey): Record<string, unknown> {
  return {
    name: key.name,
    ...describePublicKey(key.publicKey),
    publicKeyPath: key.publicPath,
    secretKeyPath: key.path,
    isProtected: key.isProtected,
  };
}

export function keyFields(key: SigningKey): FieldsView['fields'] {
  const { keyId, words, publicKey } = describePublicKey(key.publicKey);
  return [
    ['Name', key.name],
    ['Key id', keyId],
    ['Words', words],
    ['Public key', publicKey],
    ['Public key file', key.publicPath],
    ['Secret key file', key.path],
    ['Password', key.isProtected ? 'yes' : 'none'],
  ];
}

export function trustedKeyJson({ name, publicKey, addedAt, comment, successorOf }: TrustedKey) {
  return {
    name,
    ...describePublicKey(publicKey),
    addedAt,
    comment: comment ?? null,
    successorOf: successorOf ?? null,
  };
}

/** Says so where more signers are asked for than there are: every signed package would be refused. */
export function warnOfTooFewKeys(list: TrustList, report: CommandContext['report']): void {
  const signers = countSigners(list);
  if (signers >= list.threshold || (signers === 0 && !list.requireSignature && list.threshold === 1)) return;
  report({
    type: 'warning',
    code: 'TOO_FEW_KEYS',
    message: `It takes ${list.threshold} signers, and ${signers} ${signers === 1 ? 'is' : 'are'} trusted: no package can be signed well enough. Run "wsusutil trust add" or "wsusutil trust threshold"`,
  });
}
