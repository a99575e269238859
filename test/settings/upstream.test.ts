import { expect, test } from 'vitest';
import { defaultSettings, type Settings } from '../../src/settings/settings.js';
import { proxiesOf, trustOf, upstreamOf } from '../../src/settings/upstream.js';
import { failureOf } from '../helpers/package-builder.js';

const settings = (changed: Partial<Settings> = {}): Settings => ({ ...defaultSettings(), ...changed });
const upstream = (changed: Partial<Settings>) =>
  upstreamOf(settings({ updateSource: 'upstream', ...changed }));

test('the upstream is Microsoft Update unless another is chosen', () => {
  expect(upstreamOf(settings({ upstreamServer: 'wsus' }))).toEqual({
    url: new URL('https://sws.update.microsoft.com/'),
    isMicrosoftUpdate: true,
  });
  expect(upstream({ upstreamServer: 'wsus' }).isMicrosoftUpdate).toBe(false);
});

test.each([
  [{ upstreamServer: 'wsus' }, 'http://wsus:8530/'],
  [{ upstreamServer: 'WSUS.corp.example', upstreamSsl: true }, 'https://wsus.corp.example:8531/'],
  [{ upstreamServer: 'wsus', upstreamPort: 80 }, 'http://wsus/'],
  [{ upstreamServer: 'wsus', upstreamPort: 443, upstreamSsl: true }, 'https://wsus/'],
  [{ upstreamServer: 'fe80::1' }, 'http://[fe80::1]:8530/'],
])('%j is the upstream %s', (changed, url) => {
  expect(upstream(changed).url.href).toBe(url);
});

test('an upstream without a name is refused with what to do', async () => {
  const error = await failureOf(() => upstream({}));
  expect(error.code).toBe('SETTINGS_INVALID');
  expect(error.hint).toContain('wsusutil config set upstreamServer');
});

test('one proxy serves both kinds of traffic, a second one takes HTTPS with the same user', () => {
  const one = settings({
    useProxy: true,
    proxyServer: 'p1',
    proxyUser: 'u',
    proxyDomain: 'd',
    proxyPassword: 's',
  });
  const http = { host: 'p1', port: 80, user: 'u', domain: 'd', password: 's', basicAllowed: false };
  expect(proxiesOf(one)).toEqual({ http, https: http, isSslProxyIgnored: false });
  const two = { ...one, useSslProxy: true, sslProxyServer: 'p2', sslProxyPort: 8443 };
  expect(proxiesOf(two)).toEqual({
    http,
    https: { ...http, host: 'p2', port: 8443 },
    isSslProxyIgnored: false,
  });
});

test('without a proxy the one for HTTPS is ignored, and that is said', () => {
  expect(proxiesOf(settings({ proxyServer: 'p1' }))).toEqual({ isSslProxyIgnored: false });
  expect(proxiesOf(settings({ useSslProxy: true, sslProxyServer: 'p2' }))).toEqual({
    isSslProxyIgnored: true,
  });
});

test('a proxy without a name, and half of a client certificate, are refused', async () => {
  for (const act of [
    () => proxiesOf(settings({ useProxy: true })),
    () => proxiesOf(settings({ useProxy: true, proxyServer: 'p1', useSslProxy: true })),
    () => trustOf(settings({ clientCertificateFile: '/c.pem' })),
    () => trustOf(settings({ clientKeyFile: '/k.pem' })),
  ]) {
    expect(await failureOf(act)).toMatchObject({ code: 'SETTINGS_INVALID', hint: expect.any(String) });
  }
  const files = { caFile: '/ca.pem', clientCertificateFile: '/c.pem', clientKeyFile: '/k.pem' };
  expect(trustOf(settings(files))).toEqual(files);
});
