/**
 * `wsusutil checkhealth --network`: can the update source be reached, and if not, how far does one get? The names are
 * looked up and the connections tried one by one; what follows goes the very way that synchronisations go.
 */
import { lookup } from 'node:dns/promises';
import { isIP, Socket } from 'node:net';
import { errorText, isWsusutilError, throwIfInterrupted, WsusutilError } from '../errors.js';
import { readPingReply, writePing } from '../formats/server-sync/ping.js';
import { SERVER_SYNC_PATH } from '../formats/server-sync/service.js';
import { readFault } from '../formats/soap/reply-reader.js';
import { showText } from '../formats/soap/soap-fault.js';
import { codeOf, errorWords } from '../transfer/connection-errors.js';
import { type Connections, type HttpClientOptions, openConnections } from '../transfer/connections.js';
import { type HttpPost, openHttpPost } from '../transfer/http-post.js';
import { hostOf, type PeerFacts } from '../transfer/peer.js';
import { isSaidByProxy, type ProxyServer, proxyFor, proxyName, tunnelError } from '../transfer/proxy.js';
import { explainTlsError } from '../transfer/tls-errors.js';
import {
  endpointsOf,
  type FirewallRule,
  firewallRulesOf,
  type NetworkEndpoint,
  type NetworkSource,
} from './network-hosts.js';

const LOOKUP_TIMEOUT_MS = 15_000;
const CONNECT_TIMEOUT_MS = 15_000;
/** for proxy, TLS and the answer together: services that were idle take their time to wake */
const ANSWER_TIMEOUT_MS = 90_000;
const INSPECT_TIMEOUT_MS = 15_000;
/** bytes of an answer that is read to its end */
const MAX_ANSWER_SIZE = 1024 * 1024;
/** addresses of a name that are told */
const MAX_SHOWN_ADDRESSES = 3;

/** In the order they are tried. The last is a SOAP ping of a web service, a plain request of a content server. */
export const STEP_NAMES = ['DNS', 'TCP', 'Proxy', 'TLS', 'Answer'] as const;
export type StepName = (typeof STEP_NAMES)[number];

export interface NetworkStep {
  readonly name: StepName;
  /** `skipped`: there is nothing to do, or an earlier step failed */
  readonly state: 'ok' | 'failed' | 'skipped';
  readonly says: string;
  /** set if it failed */
  readonly whatToDo: string | undefined;
}

export interface EndpointFinding extends Omit<NetworkEndpoint, 'url'> {
  /** scheme, host and port */
  readonly endpoint: string;
  /** `warning`: it failed and is not required */
  readonly level: 'ok' | 'warning' | 'error';
  /** `host:port` of the proxy on the way */
  readonly proxy: string | undefined;
  /** one of each name, in order */
  readonly steps: readonly NetworkStep[];
}

export interface NetworkFindings {
  readonly endpoints: readonly EndpointFinding[];
  readonly firewall: readonly FirewallRule[];
}

export interface NetworkCheckOptions {
  readonly source: NetworkSource;
  readonly http: HttpClientOptions;
  readonly signal: AbortSignal;
}

/** How the steps went; those that are not in it were skipped. */
type Steps = Map<StepName, Omit<NetworkStep, 'name'>>;

interface Probe extends NetworkCheckOptions {
  readonly connections: Connections;
  readonly post: HttpPost;
}

/** @throws WsusutilError `INTERRUPTED`, `SETTINGS_INVALID`; anything else that goes wrong is a finding */
export async function checkNetwork(options: NetworkCheckOptions): Promise<NetworkFindings> {
  const { source, http, signal } = options;
  const connections = openConnections(http, { headersMs: ANSWER_TIMEOUT_MS, bodyIdleMs: ANSWER_TIMEOUT_MS });
  const posting = openHttpPost(http, MAX_ANSWER_SIZE);
  const probe = { ...options, connections, post: posting.post };
  try {
    return {
      endpoints: await Promise.all(endpointsOf(source).map((endpoint) => checkEndpoint(endpoint, probe))),
      firewall: firewallRulesOf(source, http.proxies),
    };
  } catch (error) {
    throwIfInterrupted(signal, 'checking the network');
    throw error;
  } finally {
    await Promise.all([connections.close(), posting.close()]);
  }
}

async function checkEndpoint(endpoint: NetworkEndpoint, probe: Probe): Promise<EndpointFinding> {
  const { url, ...rest } = endpoint;
  const proxy = proxyFor(url, probe.http.proxies);
  const steps: Steps = new Map();
  if (proxy === undefined) steps.set('Proxy', skipped('none'));
  if (url.protocol !== 'https:') steps.set('TLS', skipped('not for http'));
  const hop =
    proxy === undefined
      ? { host: hostOf(url), port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80) }
      : proxy;
  await tryHop(hop, proxy !== undefined, steps, probe.signal);
  if (!hasFailed(steps)) await tryAnswer(endpoint, proxy, steps, probe);
  throwIfInterrupted(probe.signal, 'checking the network');
  const level = hasFailed(steps) ? (endpoint.isRequired ? 'error' : 'warning') : 'ok';
  return {
    endpoint: url.origin,
    ...rest,
    level,
    proxy: proxy === undefined ? undefined : proxyName(proxy),
    steps: STEP_NAMES.map((name) => ({ name, ...(steps.get(name) ?? skipped('not tried')) })),
  };
}

function hasFailed(steps: Steps): boolean {
  return [...steps.values()].some(({ state }) => state === 'failed');
}

function ok(says: string) {
  return { state: 'ok', says, whatToDo: undefined } as const;
}

function skipped(says: string) {
  return { state: 'skipped', says, whatToDo: undefined } as const;
}

function failed(says: string, whatToDo: string) {
  return { state: 'failed', says, whatToDo } as const;
}

/** DNS and TCP of the first machine on the way: the proxy, which looks the server up itself, or the server. */
async function tryHop(
  { host, port }: { readonly host: string; readonly port: number },
  isProxy: boolean,
  steps: Steps,
  signal: AbortSignal,
): Promise<void> {
  const who = isProxy ? `the proxy ${host}` : host;
  if (isIP(host) !== 0) {
    steps.set('DNS', skipped('an address; there is nothing to look up'));
  } else {
    try {
      const found = await within(LOOKUP_TIMEOUT_MS, signal, () => lookup(host, { all: true }));
      const shown = found.slice(0, MAX_SHOWN_ADDRESSES).map(({ address }) => address);
      const more = found.length > shown.length ? `, and ${found.length - shown.length} more` : '';
      steps.set('DNS', ok(`${who} is ${shown.join(', ')}${more}`));
    } catch (error) {
      const behindProxy = isProxy
        ? ''
        : ', or set the proxy if there is one: proxies look names up themselves';
      steps.set(
        'DNS',
        failed(
          `${who} cannot be looked up: ${errorWords(error)}`,
          `Check the name, and the name server of this machine${behindProxy}.`,
        ),
      );
      return;
    }
  }
  try {
    const address = await within(CONNECT_TIMEOUT_MS, signal, (limit) => connectTo(host, port, limit));
    steps.set('TCP', ok(`connected to ${address}`));
  } catch (error) {
    steps.set('TCP', failed(`${who}, port ${port}: ${errorWords(error)}`, adviceOnTcp(error, isProxy)));
  }
}

/** @returns the address that was reached */
function connectTo(host: string, port: number, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = new Socket({ signal });
    socket.on('error', reject);
    socket.connect({ host, port }, () => {
      const { remoteAddress = host } = socket;
      resolve(isIP(remoteAddress) === 6 ? `[${remoteAddress}]:${port}` : `${remoteAddress}:${port}`);
      socket.destroy();
    });
  });
}

function adviceOnTcp(error: unknown, isProxy: boolean): string {
  if (codeOf(error) === 'ECONNREFUSED') {
    return isProxy
      ? 'Nothing listens there: check proxyServer and proxyPort, and that the proxy runs.'
      : 'Nothing listens there: check name and port (WSUS: 8530, with SSL 8531), and that the service runs. A firewall may also refuse it.';
  }
  return 'A firewall on the way drops it, or there is no route: have the connection allowed as in the list below.';
}

/** Proxy, TLS and the answer: one request, of which the error tells how far it came. */
async function tryAnswer(
  { url, kind }: NetworkEndpoint,
  proxy: ProxyServer | undefined,
  steps: Steps,
  { connections, post, signal }: Probe,
): Promise<void> {
  const passed = (...names: readonly StepName[]) => {
    for (const name of names) if (!steps.has(name)) steps.set(name, ok(passedText(name, proxy)));
  };
  const fail = (name: StepName, says: string, whatToDo: string) => {
    passed(...STEP_NAMES.slice(0, STEP_NAMES.indexOf(name)));
    steps.set(name, failed(says, whatToDo));
  };
  try {
    const says = await within(ANSWER_TIMEOUT_MS, signal, (limit) =>
      kind === 'web-service' ? ping(url, post, limit) : ask(url, proxy, connections, limit),
    );
    passed('Proxy', 'TLS');
    steps.set('Answer', ok(says));
  } catch (error) {
    throwIfInterrupted(signal, 'checking the network');
    const { name, says, whatToDo } = placeOf(error, url);
    fail(name, says, whatToDo);
  }
  const secured = steps.get('TLS');
  if (url.protocol !== 'https:' || secured === undefined) return;
  const peer = await within(INSPECT_TIMEOUT_MS, signal, (limit) => connections.inspect(url, limit)).catch(
    () => undefined,
  );
  if (peer !== undefined) steps.set('TLS', { ...secured, says: withPeer(secured.says, peer) });
}

function passedText(name: StepName, proxy: ProxyServer | undefined): string {
  return name === 'Proxy' && proxy !== undefined ? `${proxyName(proxy)} lets it through` : 'trusted';
}

/** The certificate that was shown, trusted or not: an unknown issuer may be a proxy that inspects TLS. */
function withPeer(says: string, { protocol, subject, issuer, validTo }: PeerFacts): string {
  const facts = [
    ...(protocol === undefined ? [] : [protocol]),
    ...(subject === undefined ? [] : [`certificate of "${subject}"`]),
    ...(issuer === undefined ? [] : [`issued by "${issuer}"`]),
    ...(validTo === undefined ? [] : [`valid until ${new Date(validTo).toISOString().slice(0, 10)}`]),
  ];
  return `${says}; ${facts.join(', ')}`;
}

/** @throws WsusutilError `UPSTREAM_REFUSED` for an answer that is none of the web service; what the connection throws */
async function ping(root: URL, post: HttpPost, signal: AbortSignal): Promise<string> {
  const { operation, soapAction, body } = writePing();
  const url = new URL(SERVER_SYNC_PATH, root.href.endsWith('/') ? root : `${root.href}/`);
  const response = await post({ url: url.href, soapAction, body, signal });
  const { status } = response;
  if (status === 200) {
    const { isSuccess, servicesName } = await readPingReply(response.body);
    if (isSuccess) return `${showText(servicesName ?? 'the web service')} answers the ping`;
    throw new WsusutilError('UPSTREAM_REFUSED', 'The web service answers that it is not well', {
      hint: 'Look at the event log of the upstream.',
    });
  }
  const fault = status === 500 || status === 400 ? await readFault(response.body, operation) : undefined;
  // Servers of another kind than WSUS may know no ping.
  if (fault !== undefined) return `a web service answers, if only with a fault: ${fault.message}`;
  for await (const _ of response.body) break; // gives the connection up
  throw new WsusutilError('UPSTREAM_REFUSED', `HTTP ${status} to the ping at ${url.pathname}`, {
    hint: adviceOnStatus(status),
  });
}

function adviceOnStatus(status: number): string {
  if (status === 401 || status === 403) {
    return 'Allow this machine to use the web services of the upstream without authentication, and see whether SSL is required there.';
  }
  if (status === 404) {
    return 'Nothing like WSUS answers there; check name and port (8530, with SSL 8531).';
  }
  if (status === 503) {
    return 'On WSUS the application pool has stopped, often for want of memory: raise its private memory limit and start it.';
  }
  return status >= 300 && status < 400
    ? 'Set upstreamServer, upstreamPort and upstreamSsl to where it really is; redirects are not followed.'
    : 'Look at the log of the upstream, or of a proxy on the way.';
}

/** Any answer of the server itself will do: without the name of a file there is nothing it could give. */
async function ask(
  url: URL,
  proxy: ProxyServer | undefined,
  connections: Connections,
  signal: AbortSignal,
): Promise<string> {
  const { statusCode, headers, body } = await connections.send({
    method: 'GET',
    url: url.pathname.endsWith('/') ? url : new URL(`${url.href}/`),
    headers: {},
    signal,
  });
  body.on('error', () => {}).destroy();
  const isOfProxy = proxy !== undefined && isSaidByProxy(headers);
  if (proxy !== undefined && ((isOfProxy && statusCode >= 400) || [502, 504].includes(statusCode))) {
    throw proxyRefusal(proxy, url, statusCode);
  }
  if (statusCode >= 500) {
    throw new WsusutilError('SOURCE_REFUSED', `it answers with HTTP ${statusCode}`, {
      hint: 'Try again later; if it stays, look at the log of that server.',
    });
  }
  return `it answers (HTTP ${statusCode})`;
}

function proxyRefusal(proxy: ProxyServer, { host }: URL, status: number): WsusutilError {
  if (status >= 500) return tunnelError(proxy, host, status);
  const name = proxyName(proxy);
  return new WsusutilError(
    'PROXY_REFUSED',
    `The proxy ${name} does not let requests for ${host} through (${status})`,
    {
      hint: `Have ${host} allowed there.`,
      details: { proxy: name, status },
    },
  );
}

/** The step at which a request failed. */
function placeOf(error: unknown, url: URL): { name: StepName; says: string; whatToDo: string } {
  if (isWsusutilError(error)) {
    const isTrust = error.code === 'CERTIFICATE_INVALID' || error.code === 'READ_FAILED';
    return {
      name: error.code.startsWith('PROXY_')
        ? 'Proxy'
        : isTrust && url.protocol === 'https:'
          ? 'TLS'
          : 'Answer',
      says: error.message,
      whatToDo: error.hint ?? 'Check that this is the server you mean.',
    };
  }
  const tls = url.protocol === 'https:' ? explainTlsError(error, url.hostname) : undefined;
  if (tls !== undefined) return { name: 'TLS', says: tls.says, whatToDo: tls.hint };
  return {
    name: 'Answer',
    says: `no answer: ${errorWords(error)}`,
    whatToDo:
      'See whether something on the way closes or inspects connections, and whether the server is overloaded.',
  };
}

/**
 * @param work is handed a signal that ends after the time limit, or with `signal`
 * @throws Error saying so after that time, also if `work` pays no heed
 */
async function within<T>(
  timeoutMs: number,
  signal: AbortSignal,
  work: (limit: AbortSignal) => Promise<T>,
): Promise<T> {
  throwIfInterrupted(signal, 'checking the network');
  const controller = new AbortController();
  let giveUp: (reason: Error) => void = () => {};
  const gaveUp = new Promise<never>((_resolve, reject) => {
    giveUp = (reason) => {
      reject(reason);
      controller.abort(reason);
    };
  });
  gaveUp.catch(() => {});
  const timer = setTimeout(
    () => giveUp(new Error(`nothing came within ${timeoutMs / 1000} seconds`)),
    timeoutMs,
  );
  const onInterrupt = () => giveUp(new Error(errorText(signal.reason)));
  signal.addEventListener('abort', onInterrupt, { once: true });
  try {
    const working = work(controller.signal);
    working.catch(() => {});
    return await Promise.race([working, gaveUp]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onInterrupt);
  }
}
