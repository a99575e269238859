/**
 * Which hosts a synchronisation and downloads speak to, and so what a firewall must let through. Sources:
 * server-sync-protocol 1.2, 1.3, 6.1, and Microsoft's list for a WSUS server ("Connection from the WSUS server to the
 * Internet"), of which hosts that this program never asks are left out.
 */
import { isLoopback, type ProxySettings, proxyFor } from '../transfer/proxy.js';

export interface NetworkSource {
  /** root of the web services */
  readonly upstream: URL;
  readonly isMicrosoftUpdate: boolean;
  /** where an upstream server gives out content; undefined for Microsoft Update */
  readonly contentUrl: URL | undefined;
  /** synchronisations download content files */
  readonly wantsContent: boolean;
}

export interface NetworkEndpoint {
  readonly url: URL;
  readonly kind: 'web-service' | 'content';
  readonly why: string;
  /** nothing works without it */
  readonly isRequired: boolean;
}

export interface FirewallRule {
  readonly from: 'this machine' | 'the proxy';
  /** name, or `*.` and a domain */
  readonly host: string;
  readonly port: number;
  /** all are over TCP */
  readonly protocol: 'HTTP' | 'HTTPS';
  readonly why: string;
}

const METADATA = 'metadata: the web services of synchronisation';
const CONTENT = 'update files and licence texts';
const MORE_CONTENT = 'update files; some addresses in the metadata lead there';

/** Each that was ever seen in metadata; all but the first may be gone one day. */
const MICROSOFT_CONTENT = [
  'http://download.windowsupdate.com/',
  'http://au.download.windowsupdate.com/',
  'http://b1.download.windowsupdate.com/',
  'http://au.b1.download.windowsupdate.com/',
  'http://catalog.s.download.windowsupdate.com/',
  'http://catalog.sf.dl.delivery.mp.microsoft.com/',
  'https://download.microsoft.com/',
] as const;

const MICROSOFT_CONTENT_RULES: readonly Omit<FirewallRule, 'from'>[] = [
  { host: 'download.windowsupdate.com', port: 80, protocol: 'HTTP', why: CONTENT },
  { host: '*.download.windowsupdate.com', port: 80, protocol: 'HTTP', why: MORE_CONTENT },
  { host: 'dl.delivery.mp.microsoft.com', port: 80, protocol: 'HTTP', why: MORE_CONTENT },
  { host: '*.dl.delivery.mp.microsoft.com', port: 80, protocol: 'HTTP', why: MORE_CONTENT },
  { host: 'dl.delivery.mp.microsoft.com', port: 443, protocol: 'HTTPS', why: MORE_CONTENT },
  { host: '*.dl.delivery.mp.microsoft.com', port: 443, protocol: 'HTTPS', why: MORE_CONTENT },
  { host: 'download.microsoft.com', port: 80, protocol: 'HTTP', why: MORE_CONTENT },
  { host: 'download.microsoft.com', port: 443, protocol: 'HTTPS', why: MORE_CONTENT },
];

/** What is asked to find out whether the source can be reached. */
export function endpointsOf(source: NetworkSource): readonly NetworkEndpoint[] {
  const { upstream, isMicrosoftUpdate, contentUrl, wantsContent } = source;
  const service = { url: upstream, kind: 'web-service', why: METADATA, isRequired: true } as const;
  if (isMicrosoftUpdate) {
    const hosts = MICROSOFT_CONTENT.map((url, i) => ({
      url: new URL(url),
      kind: 'content' as const,
      why: i === 0 ? CONTENT : MORE_CONTENT,
      isRequired: wantsContent && i === 0,
    }));
    return [service, ...hosts];
  }
  return contentUrl === undefined
    ? [service]
    : [service, { url: contentUrl, kind: 'content', why: CONTENT, isRequired: wantsContent }];
}

/** Connections that must be let out, in the order of their importance. */
export function firewallRulesOf(
  source: NetworkSource,
  proxies: ProxySettings | undefined,
): readonly FirewallRule[] {
  const wanted: Omit<FirewallRule, 'from'>[] = [ruleFor(source.upstream, METADATA)];
  if (source.contentUrl !== undefined) wanted.push(ruleFor(source.contentUrl, CONTENT));
  for (const rule of MICROSOFT_CONTENT_RULES) {
    wanted.push(
      source.isMicrosoftUpdate
        ? rule
        : { ...rule, why: 'only for files the upstream leaves to Microsoft, and for "wsusutil reset"' },
    );
  }
  const rules: FirewallRule[] = [];
  const add = (rule: FirewallRule) => {
    const isKnown = rules.some(
      ({ from, host, port }) => from === rule.from && host === rule.host && port === rule.port,
    );
    if (!isKnown) rules.push(rule);
  };
  const ways = wanted.map((rule) => ({
    rule,
    proxy: proxyFor(new URL(`${rule.protocol}://${rule.host.replace('*', 'any')}:${rule.port}`), proxies),
  }));
  for (const { proxy } of ways) {
    if (proxy === undefined || isLoopback(proxy.host)) continue;
    const { host, port } = proxy;
    add({ from: 'this machine', host, port, protocol: 'HTTP', why: 'the proxy' });
  }
  for (const { rule, proxy } of ways) {
    add({ from: proxy === undefined ? 'this machine' : 'the proxy', ...rule });
  }
  return rules;
}

function ruleFor(url: URL, why: string): Omit<FirewallRule, 'from'> {
  const isSecure = url.protocol === 'https:';
  return {
    host: url.hostname,
    port: url.port === '' ? (isSecure ? 443 : 80) : Number(url.port),
    protocol: isSecure ? 'HTTPS' : 'HTTP',
    why,
  };
}
