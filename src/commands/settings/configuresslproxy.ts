import { WsusutilError } from '../../errors.js';
import type { Settings } from '../../settings/settings.js';
import { proxyName } from '../../transfer/proxy.js';
import { defineCommand } from '../declaration.js';
import { changeSettings, problemsOf } from './change-settings.js';
import { readSettingValue } from './setting-values.js';

export const configuresslproxy = defineCommand({
  name: 'configuresslproxy',
  summary: 'Set a second proxy that is used for HTTPS only',
  description: [
    'Sends HTTPS through a proxy of its own, and HTTP through the one that "wsusutil config" shows as proxyServer. Without a server and a port, -enable switches on the pair that is stored. Both proxies are asked with the same user.',
  ],
  inRealTool: true,
  needsDataDirectory: true,
  positionals: [
    {
      name: 'proxy_server',
      description: 'Name or address of the proxy; left out: the stored one',
      required: false,
      kind: 'text',
    },
    { name: 'proxy_port', description: 'Its port, 1 to 65535', required: false, kind: 'text' },
  ],
  options: {
    enable: { type: 'boolean', description: 'Use the proxy for HTTPS' },
    disable: {
      type: 'boolean',
      description: 'Use the ordinary proxy for HTTPS again; the pair stays stored',
    },
  },
  notes: ['While no proxy is used at all (useProxy off), the proxy for HTTPS is ignored.'],
  examples: [
    'wsusutil configuresslproxy proxy.corp.example 8443 -enable',
    'wsusutil configuresslproxy -enable',
    'wsusutil configuresslproxy -disable',
  ],
  check({ positionals, options }) {
    if (options.enable === options.disable) {
      throw new WsusutilError(
        'USAGE',
        options.enable ? '-enable and -disable exclude each other' : 'missing -enable or -disable',
        { hint: 'Write "wsusutil configuresslproxy <proxy_server> <proxy_port> -enable".' },
      );
    }
    pairOf(positionals);
  },
  async run({ positionals, options }, context) {
    const pair = pairOf(positionals);
    const { after } = await changeSettings(context, (before): Settings => {
      const settings = { ...before, ...pair, useSslProxy: options.enable };
      if (options.enable && settings.sslProxyServer === undefined) {
        throw new WsusutilError(
          'SETTINGS_INVALID',
          'No proxy for HTTPS is stored that could be switched on',
          {
            hint: 'Write "wsusutil configuresslproxy <proxy_server> <proxy_port> -enable".',
          },
        );
      }
      return settings;
    });
    for (const problem of problemsOf(after)) context.report({ type: 'warning', ...problem });
    const { sslProxyServer: server, sslProxyPort: port, useProxy, proxyServer, proxyPort } = after;
    const proxy = server === undefined ? undefined : proxyName({ host: server, port });
    const ordinary =
      proxyServer === undefined ? undefined : proxyName({ host: proxyServer, port: proxyPort });
    const stored = proxy === undefined ? '' : ` ${proxy} stays stored.`;
    return {
      status: 'complete',
      result: {
        isEnabled: options.enable,
        isUsed: options.enable && useProxy,
        proxyServer: server ?? null,
        proxyPort: server === undefined ? null : port,
      },
      view: {
        kind: 'lines',
        lines: [
          !options.enable
            ? `The proxy for HTTPS is disabled: HTTPS goes ${useProxy && ordinary !== undefined ? `through ${ordinary}` : 'out directly'}.${stored}`
            : useProxy && ordinary !== undefined
              ? `The proxy for HTTPS is enabled: HTTPS goes through ${proxy}, HTTP through ${ordinary}.`
              : `The proxy for HTTPS is enabled: ${proxy}.`,
        ],
      },
    };
  },
});

/** @throws WsusutilError `USAGE` */
function pairOf(given: {
  readonly proxy_server: string | undefined;
  readonly proxy_port: string | undefined;
}): Partial<Pick<Settings, 'sslProxyServer' | 'sslProxyPort'>> {
  if (given.proxy_server === undefined) return {};
  if (given.proxy_port === undefined) {
    throw new WsusutilError('USAGE', 'missing <proxy_port>', {
      hint: 'Write "wsusutil configuresslproxy <proxy_server> <proxy_port> -enable".',
    });
  }
  return {
    sslProxyServer: readSettingValue('sslProxyServer', [given.proxy_server]),
    sslProxyPort: readSettingValue('sslProxyPort', [given.proxy_port]),
  };
}
