import type { Settings } from '../../settings/settings.js';
import { proxiesOf, trustOf } from '../../settings/upstream.js';
import type { HttpClientOptions } from '../../transfer/http-client.js';
import { openRateLimiter } from '../../transfer/rate-limit.js';
import type { CommandContext } from '../context.js';
import { ignoredSslProxy } from '../settings/change-settings.js';

/**
 * How connections to other servers are made, as the settings say; warns of a proxy for SSL that has no effect.
 *
 * @param connections to one host
 * @param limitRate bytes per second of all that is opened with these options together; undefined: the one of the settings
 * @throws WsusutilError `SETTINGS_INVALID`
 */
export function httpOptionsOf(
  settings: Settings,
  { toolVersion, report }: Pick<CommandContext, 'toolVersion' | 'report'>,
  connections: number,
  limitRate = settings.limitRate,
): HttpClientOptions {
  const { isSslProxyIgnored: _, ...proxies } = proxiesOf(settings);
  const ignored = ignoredSslProxy(settings);
  if (ignored !== undefined) report({ type: 'warning', ...ignored });
  return {
    userAgent: `wsusutil/${toolVersion}`,
    connections,
    proxies,
    trust: trustOf(settings),
    ...(limitRate === undefined ? {} : { limitRate: openRateLimiter(limitRate) }),
  };
}
