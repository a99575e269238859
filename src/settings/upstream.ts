/** Where updates come from and how to get there, as the settings say; plain values for the code below `commands`. */
import { isIPv6 } from 'node:net';
import { WsusutilError } from '../errors.js';
import type { Settings } from './settings.js';

/** Microsoft Update's server for downstream servers (server-sync-protocol 1.2). */
const MICROSOFT_UPDATE_URL = 'https://sws.update.microsoft.com/';
const UPSTREAM_PORT = 8530;
const UPSTREAM_SSL_PORT = 8531;

export interface Upstream {
  /** its root */
  readonly url: URL;
  readonly isMicrosoftUpdate: boolean;
}

/** @throws WsusutilError `SETTINGS_INVALID` if an upstream server is chosen and none is named */
export function upstreamOf(settings: Settings): Upstream {
  if (settings.updateSource === 'microsoft-update') {
    return { url: new URL(MICROSOFT_UPDATE_URL), isMicrosoftUpdate: true };
  }
  const host = settings.upstreamServer;
  if (host === undefined) {
    throw new WsusutilError('SETTINGS_INVALID', 'The settings name no upstream server', {
      hint: 'Run "wsusutil config set upstreamServer <name>", or "wsusutil config unset updateSource" for Microsoft Update.',
    });
  }
  const scheme = settings.upstreamSsl ? 'https' : 'http';
  const port = settings.upstreamPort ?? (settings.upstreamSsl ? UPSTREAM_SSL_PORT : UPSTREAM_PORT);
  return {
    url: new URL(`${scheme}://${isIPv6(host) ? `[${host}]` : host}:${port}/`),
    isMicrosoftUpdate: false,
  };
}

/** A proxy and who asks it. The password is a secret. */
export interface ProxyAccess {
  readonly host: string;
  readonly port: number;
  readonly user?: string;
  readonly domain?: string;
  readonly password?: string;
  /** the password may be sent as it is */
  readonly basicAllowed: boolean;
}

export interface Proxies {
  /** for `http:` */
  readonly http?: ProxyAccess;
  /** for `https:` */
  readonly https?: ProxyAccess;
  /** a proxy for HTTPS is set, and has no effect: no proxy is used (cli-surface 7) */
  readonly isSslProxyIgnored: boolean;
}

/**
 * Both kinds of traffic go through the one proxy, or HTTPS through the second one; as on a WSUS server one user
 * for both. Without `useProxy`: none.
 *
 * @throws WsusutilError `SETTINGS_INVALID` if a proxy is to be used and none is named
 */
export function proxiesOf(settings: Settings): Proxies {
  if (!settings.useProxy) return { isSslProxyIgnored: settings.useSslProxy };
  const { proxyServer, sslProxyServer, proxyUser, proxyDomain, proxyPassword } = settings;
  if (proxyServer === undefined) {
    throw new WsusutilError('SETTINGS_INVALID', 'The settings name no proxy server, and want one used', {
      hint: 'Run "wsusutil config set proxyServer <name>", or "wsusutil config unset useProxy".',
    });
  }
  const access = (host: string, port: number): ProxyAccess => ({
    host,
    port,
    ...(proxyUser === undefined ? {} : { user: proxyUser }),
    ...(proxyDomain === undefined ? {} : { domain: proxyDomain }),
    ...(proxyPassword === undefined ? {} : { password: proxyPassword }),
    basicAllowed: settings.proxyBasicAllowed,
  });
  const http = access(proxyServer, settings.proxyPort);
  if (!settings.useSslProxy) return { http, https: http, isSslProxyIgnored: false };
  if (sslProxyServer === undefined) {
    throw new WsusutilError(
      'SETTINGS_INVALID',
      'The settings name no proxy server for HTTPS, and want one used',
      {
        hint: 'Run "wsusutil configuresslproxy <proxy_server> <proxy_port> -enable", or "wsusutil configuresslproxy -disable".',
      },
    );
  }
  return { http, https: access(sslProxyServer, settings.sslProxyPort), isSslProxyIgnored: false };
}

/** Certificates that connections use; absolute paths. */
export interface TrustFiles {
  readonly caFile?: string;
  readonly clientCertificateFile?: string;
  readonly clientKeyFile?: string;
}

/** @throws WsusutilError `SETTINGS_INVALID` if there is a certificate without a key or a key without a certificate */
export function trustOf({ caFile, clientCertificateFile, clientKeyFile }: Settings): TrustFiles {
  if ((clientCertificateFile === undefined) !== (clientKeyFile === undefined)) {
    const missing = clientKeyFile === undefined ? 'clientKeyFile' : 'clientCertificateFile';
    const present = clientKeyFile === undefined ? 'clientCertificateFile' : 'clientKeyFile';
    throw new WsusutilError('SETTINGS_INVALID', `The settings have ${present} without ${missing}`, {
      hint: `Run "wsusutil config set ${missing} <path>", or "wsusutil config unset ${present}".`,
    });
  }
  return {
    ...(caFile === undefined ? {} : { caFile }),
    ...(clientCertificateFile === undefined ? {} : { clientCertificateFile }),
    ...(clientKeyFile === undefined ? {} : { clientKeyFile }),
  };
}
