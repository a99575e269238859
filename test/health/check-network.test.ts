import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import {
  checkNetwork,
  type EndpointFinding,
  type NetworkFindings,
  type StepName,
} from '../../src/health/check-network.js';
import { endpointsOf, firewallRulesOf, type NetworkSource } from '../../src/health/network-hosts.js';
import type { HttpClientOptions } from '../../src/transfer/connections.js';
import { startFakeUpstream } from '../helpers/fake-upstream.js';
import { failureOf } from '../helpers/package-builder.js';
import { startTestProxy, type TestProxyOptions } from '../helpers/test-proxy.js';
import { TEST_ROOT_FILE, tlsServerOptions } from '../helpers/tls-files.js';
import { closedPort, startSecureServer, startServer } from '../helpers/web-server.js';

const MICROSOFT: NetworkSource = {
  upstream: new URL('https://sws.update.microsoft.com/'),
  isMicrosoftUpdate: true,
  contentUrl: undefined,
  wantsContent: true,
};

function upstreamAt(upstream: string | URL, contentUrl?: string | URL): NetworkSource {
  return {
    upstream: new URL(upstream),
    isMicrosoftUpdate: false,
    contentUrl: contentUrl === undefined ? undefined : new URL(contentUrl),
    wantsContent: true,
  };
}

function check(
  source: NetworkSource,
  options: Partial<HttpClientOptions> = {},
  signal = new AbortController().signal,
): Promise<NetworkFindings> {
  return checkNetwork({ source, http: { userAgent: 'wsusutil/test', connections: 1, ...options }, signal });
}

async function checkFirst(...given: Parameters<typeof check>): Promise<EndpointFinding> {
  const { endpoints } = await check(...given);
  return endpoints[0] as EndpointFinding;
}

/** e.g. `DNS ok, TCP failed, Proxy skipped, TLS skipped, Answer skipped` as letters: `o f s s s` */
function states({ steps }: EndpointFinding): string {
  return steps.map(({ state }) => state[0]).join(' ');
}

function step({ steps }: EndpointFinding, name: StepName) {
  const found = steps.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no step ${name}`);
  return found;
}

describe('an upstream server', () => {
  test('over http answers the ping, and its content server answers', async () => {
    await using upstream = await startFakeUpstream([]);
    const { endpoints } = await check(upstreamAt(upstream.url, new URL('Content', upstream.contentUrl)));
    expect(endpoints.map(states)).toEqual(['s o s s o', 's o s s o']);
    expect(endpoints.map(({ level }) => level)).toEqual(['ok', 'ok']);
    expect(step(endpoints[0] as EndpointFinding, 'Answer').says).toContain('ServerSyncWebService answers');
    expect(upstream.calls.map(({ operation }) => operation)).toEqual(['Ping']);
  });

  test('is looked up by its name', async () => {
    await using upstream = await startFakeUpstream([]);
    const finding = await checkFirst(upstreamAt(`http://localhost:${upstream.url.port}/`));
    expect(states(finding)).toBe('o o s s o');
    expect(step(finding, 'DNS').says).toMatch(/^localhost is .*(127\.0\.0\.1|::1)/);
  });

  test('over https is trusted with its root, and its certificate is told', async () => {
    await using upstream = await startFakeUpstream([], {}, {});
    const finding = await checkFirst(upstreamAt(upstream.url), { trust: { caFile: TEST_ROOT_FILE } });
    expect(states(finding)).toBe('s o s o o');
    expect(step(finding, 'TLS').says).toBe(
      'trusted; TLSv1.3, certificate of "wsus.test", issued by "wsusutil test root", valid until 2125-12-31',
    );
  });

  test('that is not trusted fails there, and who signed its certificate is told', async () => {
    await using upstream = await startFakeUpstream([], {}, {});
    const finding = await checkFirst(upstreamAt(upstream.url));
    expect(states(finding)).toBe('s o s f s');
    expect(finding.level).toBe('error');
    expect(step(finding, 'TLS').says).toContain('issued by "wsusutil test root"');
    expect(step(finding, 'TLS').whatToDo).toContain('caFile');
    expect(upstream.calls).toEqual([]);
  });

  test('cannot be judged with a certificate file that is not there', async () => {
    await using upstream = await startFakeUpstream([], {}, {});
    const finding = await checkFirst(upstreamAt(upstream.url), { trust: { caFile: '/nowhere/ca.pem' } });
    expect(states(finding)).toBe('s o s f s');
    expect(step(finding, 'TLS').says).toContain('/nowhere/ca.pem');
  });

  test('on whose port nothing listens fails at TCP', async () => {
    const finding = await checkFirst(upstreamAt(`http://127.0.0.1:${await closedPort()}/`));
    expect(states(finding)).toBe('s f s s s');
    expect(step(finding, 'TCP').says).toContain('ECONNREFUSED');
    expect(step(finding, 'TCP').whatToDo).toContain('8530');
  });

  test('whose name nobody knows fails at DNS', async () => {
    const finding = await checkFirst(upstreamAt('http://wsus.invalid:8530/'));
    expect(states(finding)).toBe('f s s s s');
    expect(step(finding, 'DNS').whatToDo).toContain('name server');
  });

  test.each([
    [404, 'check name and port'],
    [403, 'without authentication'],
    [503, 'application pool'],
    [302, 'redirects are not followed'],
    [500, 'log of the upstream'],
  ])('that is a web server which answers %i fails at the ping', async (status, whatToDo) => {
    const port = await startServer((_request, response) => response.writeHead(status).end('<html>no</html>'));
    const finding = await checkFirst(upstreamAt(`http://127.0.0.1:${port}/`));
    expect(states(finding)).toBe('s o s s f');
    expect(step(finding, 'Answer').says).toContain(`HTTP ${status}`);
    expect(step(finding, 'Answer').whatToDo).toContain(whatToDo);
  });

  test('that answers with something else, or hangs up, fails at the ping', async () => {
    const portal = await startServer((_request, response) => response.end('<html>Welcome!</html>'));
    expect(states(await checkFirst(upstreamAt(`http://127.0.0.1:${portal}/`)))).toBe('s o s s f');
    const rude = await startServer((request) => request.socket.destroy());
    const finding = await checkFirst(upstreamAt(`http://127.0.0.1:${rude}/`));
    expect(states(finding)).toBe('s o s s f');
    expect(step(finding, 'Answer').says).toContain('no answer');
  });

  test('that speaks SOAP but knows no ping is reachable', async () => {
    await using upstream = await startFakeUpstream([]);
    upstream.plan({ on: 'Ping', fault: { code: 'InternalServerError', message: 'what?' } });
    const finding = await checkFirst(upstreamAt(upstream.url));
    expect(states(finding)).toBe('s o s s o');
    expect(step(finding, 'Answer').says).toContain('a fault');
  });

  test('whose content server fails is a warning if no content is wanted', async () => {
    await using upstream = await startFakeUpstream([]);
    const source = upstreamAt(upstream.url, `http://127.0.0.1:${await closedPort()}/Content`);
    const levels = async (wantsContent: boolean) =>
      (await check({ ...source, wantsContent })).endpoints.map(({ level }) => level);
    expect(await levels(true)).toEqual(['ok', 'error']);
    expect(await levels(false)).toEqual(['ok', 'warning']);
  });

  test('that never answers does not outlive an interruption', async () => {
    let asked = false;
    const port = await startServer(() => {
      asked = true;
    });
    const controller = new AbortController();
    const checking = failureOf(() => check(upstreamAt(`http://127.0.0.1:${port}/`), {}, controller.signal));
    while (!asked) await setImmediate();
    controller.abort(new Error('enough'));
    expect((await checking).code).toBe('INTERRUPTED');
  });
});

describe('Microsoft Update through a proxy', () => {
  async function setUp(options: Partial<TestProxyOptions> = {}) {
    const upstream = await startFakeUpstream([], { kind: 'microsoft-update' }, {});
    const content = await startServer((_request, response) => response.writeHead(404).end('nothing'));
    const secure = await startSecureServer(
      (_request, response) => response.end(),
      tlsServerOptions('self-signed'),
    );
    const proxy = await startTestProxy({
      leads: {
        'sws.update.microsoft.com:443': Number(upstream.url.port),
        'download.windowsupdate.com': content,
        'au.download.windowsupdate.com': content,
        'b1.download.windowsupdate.com': content,
        'au.b1.download.windowsupdate.com': content,
        'catalog.s.download.windowsupdate.com': content,
        'download.microsoft.com:443': secure,
      },
      ...options,
    });
    const http = { host: proxy.host, port: proxy.port, basicAllowed: true, user: 'anna', password: 'geheim' };
    return { upstream, proxy, options: { proxies: { http }, trust: { caFile: TEST_ROOT_FILE } } };
  }

  test('is checked host by host; what is not needed is a warning', async () => {
    const { upstream, options } = await setUp();
    await using _ = upstream;
    const { endpoints } = await check(MICROSOFT, options);
    const shown = endpoints.map((each) => [each.endpoint, states(each), each.level]);
    expect(shown).toEqual([
      ['https://sws.update.microsoft.com', 's o o o o', 'ok'],
      ['http://download.windowsupdate.com', 's o o s o', 'ok'],
      ['http://au.download.windowsupdate.com', 's o o s o', 'ok'],
      ['http://b1.download.windowsupdate.com', 's o o s o', 'ok'],
      ['http://au.b1.download.windowsupdate.com', 's o o s o', 'ok'],
      ['http://catalog.s.download.windowsupdate.com', 's o o s o', 'ok'],
      ['http://catalog.sf.dl.delivery.mp.microsoft.com', 's o f s s', 'warning'],
      ['https://download.microsoft.com', 's o o f s', 'warning'],
    ]);
    expect(endpoints.every(({ proxy }) => proxy === `127.0.0.1:${options.proxies.http.port}`)).toBe(true);
  });

  test('without its root fails at TLS, and the root is named', async () => {
    const { upstream, options } = await setUp();
    await using _ = upstream;
    const finding = await checkFirst(MICROSOFT, { proxies: options.proxies });
    expect(states(finding)).toBe('s o o f s');
    expect(step(finding, 'TLS').says).toContain('Microsoft Root Certificate Authority 2011');
    expect(step(finding, 'TLS').says).toContain('issued by "wsusutil test root"');
    expect(step(finding, 'TLS').whatToDo).toContain('certutil');
  });

  test('fails at a proxy that wants another password, which is not told', async () => {
    const { upstream, options } = await setUp({ basic: 'anna:other' });
    await using _ = upstream;
    const findings = await check(MICROSOFT, options);
    for (const finding of findings.endpoints) {
      expect(states(finding)).toMatch(/^s o f s s$/);
      expect(step(finding, 'Proxy').whatToDo).toContain('proxyPassword');
    }
    expect(JSON.stringify(findings)).not.toContain('geheim');
  });

  test('fails at a proxy that is not there', async () => {
    const http = { host: '127.0.0.1', port: await closedPort(), basicAllowed: false };
    const finding = await checkFirst(MICROSOFT, { proxies: { http } });
    expect(states(finding)).toBe('s f s s s');
    expect(step(finding, 'TCP').whatToDo).toContain('proxyPort');
  });
});

describe('the firewall list', () => {
  const PROXY = { host: 'proxy.corp.test', port: 3128, basicAllowed: false };
  const SECOND = { host: 'ssl.corp.test', port: 8080, basicAllowed: false };
  const lines = (...given: Parameters<typeof firewallRulesOf>) =>
    firewallRulesOf(...given).map(({ from, host, port, protocol }) => `${from}: ${protocol} ${host}:${port}`);

  test('of Microsoft Update covers every host that is tested', () => {
    const rules = firewallRulesOf(MICROSOFT, undefined);
    for (const { url } of endpointsOf(MICROSOFT)) {
      const covers = rules.some(
        ({ host, protocol }) =>
          url.protocol === `${protocol.toLowerCase()}:` &&
          (host.startsWith('*.') ? url.hostname.endsWith(host.slice(1)) : host === url.hostname),
      );
      expect([url.href, covers]).toEqual([url.href, true]);
    }
    expect(lines(MICROSOFT, undefined)).toContain('this machine: HTTPS sws.update.microsoft.com:443');
  });

  test('with proxies begins with them, and the rest is theirs', () => {
    const both = lines(MICROSOFT, { http: PROXY, https: SECOND });
    expect(both.slice(0, 3)).toEqual([
      'this machine: HTTP ssl.corp.test:8080',
      'this machine: HTTP proxy.corp.test:3128',
      'the proxy: HTTPS sws.update.microsoft.com:443',
    ]);
    expect(both.slice(2).every((line) => line.startsWith('the proxy'))).toBe(true);
    const one = lines(MICROSOFT, { http: PROXY });
    expect(one.filter((line) => line.startsWith('this machine'))).toEqual([
      'this machine: HTTP proxy.corp.test:3128',
    ]);
  });

  test('with a relay on this machine needs no way to it', () => {
    const relay = { ...PROXY, host: '127.0.0.1' };
    expect(lines(MICROSOFT, { http: relay }).some((line) => line.includes('127.0.0.1'))).toBe(false);
  });

  test('of an upstream server has its ports, each once', () => {
    const secure = upstreamAt('https://wsus.test:8531/', 'http://wsus.test:8530/Content');
    expect(lines(secure, undefined).slice(0, 2)).toEqual([
      'this machine: HTTPS wsus.test:8531',
      'this machine: HTTP wsus.test:8530',
    ]);
    const plain = lines(upstreamAt('http://wsus.test/', 'http://wsus.test/Content'), undefined);
    expect(plain.filter((line) => line.includes('wsus.test'))).toEqual(['this machine: HTTP wsus.test:80']);
  });
});
