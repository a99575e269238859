import { WsusutilError } from '../../errors.js';

/** For scripts that say what they rely on. */
export const NETWORK_OPTION = {
  type: 'string',
  value: 'none',
  description: 'none, which is the default and all there is: this command opens no network connection',
} as const;

/** @throws WsusutilError `USAGE` */
export function checkNetwork({ network }: { readonly network: string | undefined }): void {
  if (network === undefined || network.toLowerCase() === 'none') return;
  throw new WsusutilError('USAGE', `--network takes "none" only, not "${network}"`, {
    hint: 'This command opens no network connection. Leave it out; "wsusutil sync" and "wsusutil reset" are those that do.',
  });
}
