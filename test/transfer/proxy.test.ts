import { setImmediate } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { WsusutilError } from '../../src/errors.js';
import type { HttpClientOptions } from '../../src/transfer/connections.js';
import { openHttpClient } from '../../src/transfer/http-client.js';
import { openHttpPost } from '../../src/transfer/http-post.js';
import {
  type ProxyServer,
  proxyAuthenticationError,
  proxyAuthorization,
  proxyFor,
  proxyOrigin,
  secretsOf,
  tunnelError,
  withoutSecrets,
} from '../../src/transfer/proxy.js';
import { failureOf } from '../helpers/package-builder.js';
import { fc } from '../helpers/properties.js';
import { startTestProxy, type TestProxy, type TestProxyOptions } from '../helpers/test-proxy.js';
import { TEST_ROOT_FILE } from '../helpers/tls-files.js';
import { closedPort, startSecureServer, startServer } from '../helpers/web-server.js';

const PASSWORD = 'geheim:ä§$%';

interface Setup {
  readonly proxy: TestProxy;
  readonly server: ProxyServer;
}

/** A proxy that leads to a plain and a secure server of the name wsus.test. */
async function setUp(options: Partial<TestProxyOptions> = {}): Promise<Setup> {
  const plain = await startServer((request, response) =>
    response.end(`plain ${request.method} ${request.url}`),
  );
  const secure = await startSecureServer((request, response) => response.end(`secure ${request.method}`));
  const proxy = await startTestProxy({ leads: { 'wsus.test': plain, 'wsus.test:443': secure }, ...options });
  return { proxy, server: serverOf(proxy) };
}

function serverOf(proxy: TestProxy): ProxyServer {
  return { host: proxy.host, port: proxy.port, basicAllowed: false };
}

function optionsWith(proxies: HttpClientOptions['proxies']): HttpClientOptions {
  return { userAgent: 'wsusutil/test', connections: 4, proxies, trust: { caFile: TEST_ROOT_FILE } };
}

const signal = new AbortController().signal;

async function get(url: string, proxies: HttpClientOptions['proxies']): Promise<string> {
  const http = openHttpClient(optionsWith(proxies));
  onTestFinished(() => http.close());
  return textOf((await http.get(url, {}, signal)).body);
}

async function post(url: string, proxies: HttpClientOptions['proxies']): Promise<string> {
  const http = openHttpPost(optionsWith(proxies));
  onTestFinished(() => http.close());
  return textOf((await http.post({ url, soapAction: 'urn:x', body: '<x/>', signal })).body);
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}

/** Everything of an error that reaches people, a log or --json. */
function toldBy(error: WsusutilError): string {
  return [error.message, error.hint, JSON.stringify(error.details), String(error.cause)].join('\n');
}

describe('the way through a proxy', () => {
  test('http goes to it in absolute form, with the host of the server', async () => {
    const { proxy, server } = await setUp();
    expect(await get('http://wsus.test/a?b=c', { http: server })).toBe('plain GET /a?b=c');
    expect(await post('http://wsus.test:8530/s', { http: server })).toBe('plain POST /s');
    expect(proxy.asked).toEqual(['GET http://wsus.test/a?b=c', 'POST http://wsus.test:8530/s']);
    expect(proxy.headers.map(({ host }) => host)).toEqual(['wsus.test', 'wsus.test:8530']);
  });

  test('https goes through a tunnel, which sees neither request nor headers', async () => {
    const { proxy, server } = await setUp();
    expect(await get('https://wsus.test/a', { http: server })).toBe('secure GET');
    expect(await post('https://wsus.test/a', { http: server })).toBe('secure POST');
    expect(proxy.asked).toEqual(['CONNECT wsus.test:443', 'CONNECT wsus.test:443']);
  });

  test('one tunnel serves several requests', async () => {
    const { proxy, server } = await setUp();
    const http = openHttpClient({ ...optionsWith({ http: server }), connections: 1 });
    onTestFinished(() => http.close());
    for (let i = 0; i < 3; i++) {
      expect(await textOf((await http.get(`https://wsus.test/${i}`, {}, signal)).body)).toBe('secure GET');
    }
    expect(proxy.asked).toEqual(['CONNECT wsus.test:443']);
  });

  test('a second proxy takes https, the first one http', async () => {
    const first = await setUp();
    const second = await setUp();
    const proxies = { http: first.server, https: second.server };
    await get('http://wsus.test/', proxies);
    await get('https://wsus.test/', proxies);
    expect(first.proxy.asked).toEqual(['GET http://wsus.test/']);
    expect(second.proxy.asked).toEqual(['CONNECT wsus.test:443']);
  });

  test('a proxy for https alone leaves http straight', () => {
    const server: ProxyServer = { host: 'proxy', port: 1, basicAllowed: false };
    expect(proxyFor(new URL('http://wsus.test/'), { https: server })).toBeUndefined();
    expect(proxyFor(new URL('https://wsus.test/'), { https: server })).toBe(server);
  });

  test.each(['127.0.0.1', '127.3.2.1', '[::1]', 'localhost', 'wsus.localhost', 'LOCALHOST'])(
    '%s is this machine and is asked straight',
    (host) => {
      const server: ProxyServer = { host: 'proxy', port: 1, basicAllowed: false };
      expect(proxyFor(new URL(`http://${host}:8530/`), { http: server })).toBeUndefined();
      expect(proxyFor(new URL(`https://${host}/`), { http: server })).toBeUndefined();
    },
  );

  test.each(['128.0.0.1', '[::2]', 'localhost.corp.test', 'notlocalhost', '10.0.0.1'])(
    '%s is another machine',
    (host) => {
      const server: ProxyServer = { host: 'proxy', port: 1, basicAllowed: false };
      expect(proxyFor(new URL(`http://${host}/`), { http: server })).toBe(server);
    },
  );

  test('variables of the environment name no proxy', async () => {
    const { proxy } = await setUp();
    const names = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY'];
    const before = names.map((name) => process.env[name]);
    onTestFinished(() => {
      for (const [i, name] of names.entries()) {
        if (before[i] === undefined) delete process.env[name];
        else process.env[name] = before[i];
      }
    });
    for (const name of names) process.env[name] = `http://127.0.0.1:${proxy.port}`;
    const error = await failureOf(() => get('http://wsus.test/', undefined));
    expect(error.code).toBe('SOURCE_UNREACHABLE');
    expect(proxy.asked).toEqual([]);
  });
});

describe('a proxy that demands credentials', () => {
  const account = { user: 'anna', password: PASSWORD, basicAllowed: true } as const;

  test.each(['http://wsus.test/', 'https://wsus.test/'])('lets %s through with Basic', async (url) => {
    const { proxy, server } = await setUp({ basic: `CORP\\anna:${PASSWORD}` });
    const proxies = { http: { ...server, ...account, domain: 'CORP' } };
    expect(await get(url, proxies)).toMatch(/^(plain|secure) GET/);
    expect(await post(url, proxies)).toMatch(/^(plain|secure) POST/);
    expect(proxy.asked).toHaveLength(2); // the credentials go along at once
  });

  test('sees no credentials that the server behind a tunnel would see', async () => {
    let headers: unknown;
    const secure = await startSecureServer((request, response) => {
      headers = request.headers;
      response.end();
    });
    const proxy = await startTestProxy({ leads: { 'wsus.test': secure }, basic: `anna:${PASSWORD}` });
    await get('https://wsus.test/', { http: { ...serverOf(proxy), ...account } });
    expect(headers).not.toHaveProperty('proxy-authorization');
  });

  test.each(['http://wsus.test/', 'https://wsus.test/'])(
    'is not told the password for %s unless Basic is allowed',
    async (url) => {
      const { proxy, server } = await setUp({ basic: `anna:${PASSWORD}` });
      const error = await failureOf(() => get(url, { http: { ...server, ...account, basicAllowed: false } }));
      expect(error.code).toBe('PROXY_AUTHENTICATION');
      expect(error.details).toMatchObject({ schemes: ['Basic'] });
      expect(error.hint).toContain('wsusutil config set proxyBasicAllowed true');
      expect(proxy.headers.every((headers) => headers['proxy-authorization'] === undefined)).toBe(true);
      expect(toldBy(error)).not.toContain(PASSWORD);
    },
  );

  test('and knows another password says so, without either', async () => {
    const { server } = await setUp({ basic: 'anna:other' });
    for (const url of ['http://wsus.test/', 'https://wsus.test/']) {
      const error = await failureOf(() => post(url, { http: { ...server, ...account } }));
      expect(error.code).toBe('PROXY_AUTHENTICATION');
      expect(error.message).toContain('does not accept the user name and password');
      expect(toldBy(error)).not.toContain(PASSWORD);
      expect(toldBy(error)).not.toContain(Buffer.from(`anna:${PASSWORD}`).toString('base64'));
    }
  });

  test('says that a user is needed when there is none', async () => {
    const { server } = await setUp({ basic: 'anna:x' });
    const error = await failureOf(() =>
      get('https://wsus.test/', { http: { ...server, basicAllowed: true } }),
    );
    expect(error.hint).toContain('Set proxyUser and proxyPassword');
  });

  test.each(['http://wsus.test/', 'https://wsus.test/'])(
    'and takes Negotiate and NTLM alone gets no password for %s; the way round is told',
    async (url) => {
      const { proxy, server } = await setUp({ offers: ['Negotiate', 'NTLM'] });
      const error = await failureOf(() =>
        post(url, { http: { ...server, ...account, basicAllowed: false } }),
      );
      expect(error.code).toBe('PROXY_AUTHENTICATION');
      expect(error.message).toContain('it offers Negotiate, NTLM');
      expect(error.message).toContain('with Basic only');
      expect(error.hint).toMatch(/cntlm/);
      expect(error.hint).toMatch(/px/);
      expect(proxy.asked).toHaveLength(1);
    },
  );
});

describe('a proxy in the way', () => {
  test('that is not there is named', async () => {
    const port = await closedPort();
    for (const url of ['http://wsus.test/', 'https://wsus.test/']) {
      const error = await failureOf(() =>
        get(url, { http: { host: '127.0.0.1', port, basicAllowed: false } }),
      );
      expect(error.code).toBe('PROXY_UNREACHABLE');
      expect(error.message).toContain(`127.0.0.1:${port}`);
      expect(error.message).toContain('ECONNREFUSED');
    }
  });

  test.each([
    [403, 'PROXY_REFUSED', 'Have CONNECT to wsus.test:443 allowed'],
    [405, 'PROXY_REFUSED', 'no proxy at all'],
    [502, 'PROXY_UNREACHABLE', 'look it up'],
    [503, 'PROXY_UNREACHABLE', 'look it up'],
  ])('that answers a tunnel with %i ends in %s', async (status, code, hint) => {
    const { server } = await setUp({ refuseTunnels: status });
    const error = await failureOf(() => get('https://wsus.test/', { http: server }));
    expect([error.code, error.details?.status]).toEqual([code, status]);
    expect(error.hint).toContain(hint);
  });

  test('that never answers does not outlive an interruption', async () => {
    const { proxy, server } = await setUp({ hangs: true });
    for (const url of ['http://wsus.test/', 'https://wsus.test/']) {
      const asked = proxy.asked.length;
      const http = openHttpClient(optionsWith({ http: server }));
      const controller = new AbortController();
      const asking = http.get(url, {}, controller.signal);
      while (proxy.asked.length === asked) await setImmediate();
      controller.abort(new Error('enough'));
      await expect(asking).rejects.toThrow('enough');
      await http.close();
    }
  });

  test.each(['a b', 'user@proxy', 'proxy/path', 'http://proxy', '', 'proxy?x'])(
    'with the address "%s" is refused before anything is asked',
    async (host) => {
      const http = { host, port: 80, basicAllowed: false };
      expect(() => proxyOrigin(http)).toThrow(/not the name or address/);
      for (const url of ['http://wsus.test/', 'https://wsus.test/']) {
        await expect(get(url, { http })).rejects.toMatchObject({ code: 'SETTINGS_INVALID' });
      }
    },
  );

  test('may have an IPv6 address', () => {
    expect(proxyOrigin({ host: '::1', port: 3128, basicAllowed: false })).toBe('http://[::1]:3128');
    expect(tunnelError({ host: '::1', port: 3128, basicAllowed: false }, 'x:443', 403).message).toContain(
      '[::1]:3128',
    );
  });
});

describe('what a proxy says with a 407', () => {
  const server: ProxyServer = { host: 'proxy', port: 3128, basicAllowed: false };
  const schemes = (challenges: string | string[] | undefined) =>
    proxyAuthenticationError(server, challenges).details?.schemes;

  test.each([
    ['Basic realm="x"', ['Basic']],
    ['Negotiate, NTLM, Basic realm="a, NTLM b"', ['Negotiate', 'NTLM', 'Basic']],
    ['Digest realm="x", qop="auth", nonce="a\\"b, Basic c", Basic realm="y"', ['Digest', 'Basic']],
    [undefined, []],
    ['', []],
  ])('%s is read as %j', (challenges, expected) => {
    expect(schemes(challenges)).toEqual(expected);
  });

  test('several headers are read as one', () => {
    expect(schemes(['Negotiate', 'NTLM', 'Basic realm="x"', 'NTLM'])).toEqual(['Negotiate', 'NTLM', 'Basic']);
  });

  test('never makes more than a few short words of whatever it is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.array(fc.string(), { maxLength: 20 })), (challenges) => {
        const found = schemes(challenges) as string[];
        expect(found.length).toBeLessThanOrEqual(6);
        for (const scheme of found) expect(scheme).toMatch(/^[A-Za-z][A-Za-z0-9-]{0,30}$/);
      }),
    );
  });
});

test('Basic carries any password, and no user name with a colon', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (password) => {
      const headers = proxyAuthorization({ host: 'p', port: 1, user: 'u', password, basicAllowed: true });
      const sent = Buffer.from(headers['proxy-authorization']?.slice('Basic '.length) ?? '', 'base64');
      expect(sent).toEqual(Buffer.from(`u:${password}`, 'utf8'));
    }),
  );
  expect(() =>
    proxyAuthorization({ host: 'p', port: 1, user: 'a:b', password: 'c', basicAllowed: true }),
  ).toThrow(/holds a colon/);
});

test('a password that is thrown back is in no message, in whatever form', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 4 }), fc.string(), (password, around) => {
      const http = { host: 'proxy', port: 3128, user: 'us', password, basicAllowed: true };
      const sent = proxyAuthorization(http)['proxy-authorization'] as string;
      const token = sent.slice('Basic '.length).replace(/=+$/, '');
      const told = withoutSecrets(`${around} ${password} (${token}) ${sent}`, secretsOf({ http }));
      expect(told.includes(token)).toBe(false);
      expect(told).toContain('***');
    }),
  );
  expect(withoutSecrets('what is said', secretsOf(undefined))).toBe('what is said');
});
