import type { SigningKey } from '../../settings/signing-keys.js';
import type { CommandContext } from '../context.js';

export function warnOfExposure(key: SigningKey, report: CommandContext['report']): void {
  if (!key.isExposed) return;
  report({
    type: 'warning',
    code: 'KEY_FILE_EXPOSED',
    message: `Other users can read the secret key ${key.path}: run chmod 600 on it, and change the key if somebody did`,
  });
}
