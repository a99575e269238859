/**
 * HTTP proxies: http is sent to them in absolute form (RFC 9112 3.2.2), https goes through a tunnel (CONNECT,
 * RFC 9110 9.3.6). Real proxies refuse tunnels to port 80. Proxies are what the caller names; no environment variable
 * is looked at.
 */
import { BlockList, isIP } from 'node:net';
import { WsusutilError } from '../errors.js';
import { errorWords } from './connection-errors.js';

export interface ProxyServer {
  /** name or address, without scheme */
  readonly host: string;
  readonly port: number;
  readonly user?: string | undefined;
  /** Windows domain of `user` */
  readonly domain?: string | undefined;
  /** secret: in no message */
  readonly password?: string | undefined;
  /** user and password may be sent to the proxy as they are, readable on the way there */
  readonly basicAllowed: boolean;
}

export interface ProxySettings {
  /** undefined: http goes straight to its server */
  readonly http?: ProxyServer | undefined;
  /** undefined: https goes through `http` too */
  readonly https?: ProxyServer | undefined;
}

/** Schemes of a proxy that a message names. */
const MAX_SCHEMES = 6;
const RELAY =
  'a local relay that signs in for it (cntlm, or px on Windows): give it the account, and set proxyServer 127.0.0.1 and proxyPort to its port';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** The proxy a request goes through. This machine itself is never asked for through one: to it that is another machine. */
export function proxyFor(url: URL, proxies: ProxySettings | undefined): ProxyServer | undefined {
  if (proxies === undefined || isLoopback(url.hostname)) return undefined;
  return url.protocol === 'https:' ? (proxies.https ?? proxies.http) : proxies.http;
}

/** This machine itself, by name or address. */
export function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const family = isIP(host);
  if (family === 0) return host === 'localhost' || host.endsWith('.localhost');
  return LOOPBACK.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

/**
 * `http://host:port`, without credentials.
 *
 * @throws WsusutilError `SETTINGS_INVALID`
 */
export function proxyOrigin({ host, port }: ProxyServer): string {
  try {
    const url = new URL(`http://${isIP(host) === 6 ? `[${host}]` : host}:${port}`);
    if (url.username === '' && url.pathname === '/' && url.search === '' && url.hash === '')
      return url.origin;
  } catch {
    // told below
  }
  throw new WsusutilError('SETTINGS_INVALID', 'The proxy is not the name or address of a host and a port', {
    hint: 'Set proxyServer to a name alone, such as proxy.corp.example, and proxyPort to its port.',
  });
}

/** `host:port`, for messages. */
export function proxyName({ host, port }: Pick<ProxyServer, 'host' | 'port'>): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

/**
 * What is sent along with every request to the proxy; nothing unless Basic is allowed and there is a user.
 *
 * @throws WsusutilError `SETTINGS_INVALID` for a user name that Basic cannot carry (RFC 7617 2)
 */
export function proxyAuthorization(proxy: ProxyServer): Readonly<Record<string, string>> {
  const { user, domain, password = '', basicAllowed } = proxy;
  if (!basicAllowed || user === undefined || user === '') return {};
  const account = domain === undefined || domain === '' ? user : `${domain}\\${user}`;
  if (account.includes(':')) {
    throw new WsusutilError('SETTINGS_INVALID', 'The user name for the proxy holds a colon', {
      hint: 'Basic authentication cannot carry that; use an account without one.',
    });
  }
  return {
    'proxy-authorization': `Basic ${Buffer.from(`${account}:${password}`, 'utf8').toString('base64')}`,
  };
}

/**
 * The forms in which whoever is asked through these proxies could throw a password back, so that messages can be kept
 * free of them.
 */
export function secretsOf(proxies: ProxySettings | undefined): readonly string[] {
  const secrets = new Set<string>();
  for (const proxy of [proxies?.http, proxies?.https]) {
    if (proxy?.password === undefined) continue;
    const { password, user = '', domain = '' } = proxy;
    const accounts = [`${user}:${password}`, `${domain}\\${user}:${password}`];
    const encoded = [password, ...accounts].map((text) =>
      Buffer.from(text, 'utf8').toString('base64').replace(/=+$/, ''),
    );
    // Through bytes, as half a character cannot be encoded and would end the run.
    const quoted = encodeURIComponent(Buffer.from(password, 'utf8').toString('utf8'));
    for (const form of [password, quoted, ...encoded]) {
      if (form.length >= MIN_SECRET_LENGTH) secrets.add(form);
    }
  }
  return [...secrets].sort((a, b) => b.length - a.length);
}

/** A shorter one stands in every other message by chance; taking it out there would tell it. */
const MIN_SECRET_LENGTH = 4;

/** @param secrets as {@link secretsOf} gives them */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
}

/**
 * Whether the proxy itself, and not the server behind it, gave an answer to a request in absolute form. Only proxies
 * that give themselves away are known: squid in a header of its own, tinyproxy by its name.
 *
 * @param headers lower-case names
 */
export function isSaidByProxy(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): boolean {
  return headers['x-squid-error'] !== undefined || /^tinyproxy/i.test(String(headers.server ?? ''));
}

/** What an answer of 407, or of 401, says of the ways to sign in. */
export function challengesOf(
  status: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): string | readonly string[] | undefined {
  return headers[status === 407 ? 'proxy-authenticate' : 'www-authenticate'];
}

/**
 * The error for a 407, and for the 401 with which tinyproxy refuses a wrong password.
 *
 * @param challenges values of `Proxy-Authenticate`, of a 401 of `WWW-Authenticate`
 */
export function proxyAuthenticationError(
  proxy: ProxyServer,
  challenges: string | readonly string[] | undefined,
): WsusutilError {
  const schemes = schemesOf(challenges);
  const offersBasic = schemes.some((scheme) => scheme.toLowerCase() === 'basic');
  const hasSent = Object.keys(proxyAuthorization(proxy)).length > 0;
  const name = proxyName(proxy);
  const asked = schemes.length === 0 ? 'it does not say how' : `it offers ${schemes.join(', ')}`;
  const details = { proxy: name, schemes };
  if (offersBasic && hasSent) {
    return new WsusutilError(
      'PROXY_AUTHENTICATION',
      `The proxy ${name} does not accept the user name and password (407; ${asked})`,
      {
        hint: 'Correct proxyUser, proxyDomain and proxyPassword; the password may have expired.',
        details,
      },
    );
  }
  const what = `The proxy ${name} demands authentication (407; ${asked})`;
  if (offersBasic) {
    const hasUser = proxy.user !== undefined && proxy.user !== '';
    return new WsusutilError('PROXY_AUTHENTICATION', what, {
      hint: `${hasUser ? 'Allow it with' : 'Set proxyUser and proxyPassword, and'} "wsusutil config set proxyBasicAllowed true": the password then goes to the proxy unencrypted. Without that: ${RELAY}.`,
      details,
    });
  }
  return new WsusutilError('PROXY_AUTHENTICATION', `${what}; this program can sign in with Basic only`, {
    hint: `Have this machine let through without authentication, or use ${RELAY}.`,
    details,
  });
}

/** Names of authentication schemes that are told: anything else might be what was sent to the proxy, thrown back. */
const SCHEMES: ReadonlySet<string> = new Set([
  'basic',
  'bearer',
  'digest',
  'dpop',
  'hoba',
  'kerberos',
  'mutual',
  'negotiate',
  'ntlm',
  'privatetoken',
  'scram-sha-1',
  'scram-sha-256',
  'vapid',
]);

/** In any case. */
export function isScheme(name: string): boolean {
  return SCHEMES.has(name.toLowerCase());
}

/** Names of authentication schemes, each once, as sent. */
function schemesOf(challenges: string | readonly string[] | undefined): readonly string[] {
  const values = typeof challenges === 'string' ? [challenges] : (challenges ?? []);
  const schemes = new Set<string>();
  for (const value of values) {
    const unquoted = value.slice(0, 4096).replaceAll(/"(?:[^"\\]|\\.)*"/g, '""');
    for (const [, scheme] of unquoted.matchAll(/(?:^|,)\s*([A-Za-z][A-Za-z0-9-]{0,30})(?=\s|,|$)/g)) {
      if (scheme !== undefined && isScheme(scheme) && schemes.size < MAX_SCHEMES) schemes.add(scheme);
    }
  }
  return [...schemes];
}

/**
 * The error for any other answer of a proxy than "200 Connection established".
 *
 * @param target host and port the tunnel was to lead to
 */
export function tunnelError(proxy: ProxyServer, target: string, status: number): WsusutilError {
  const name = proxyName(proxy);
  const details = { proxy: name, status };
  if (status >= 500) {
    return new WsusutilError('PROXY_UNREACHABLE', `The proxy ${name} cannot reach ${target} (${status})`, {
      hint: 'Check that the name is right, and that the proxy itself can look it up and get there.',
      details,
    });
  }
  return new WsusutilError('PROXY_REFUSED', `The proxy ${name} allows no tunnel to ${target} (${status})`, {
    hint:
      status === 400 || status === 404 || status === 405
        ? 'It may be no proxy at all; check proxyServer and proxyPort.'
        : `Have CONNECT to ${target} allowed there; many proxies allow it to port 443 only.`,
    details,
  });
}

/** The error for a proxy that is not there, or hangs up. */
export function proxyUnreachable(proxy: ProxyServer, cause: unknown): WsusutilError {
  return new WsusutilError(
    'PROXY_UNREACHABLE',
    `Cannot reach the proxy ${proxyName(proxy)}: ${errorWords(cause)}`,
    {
      hint: 'Check proxyServer and proxyPort, and that the proxy runs.',
      details: { proxy: proxyName(proxy) },
      cause,
    },
  );
}
