import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import {
  defaultSettings,
  isDefault,
  parseSetting,
  parseSettings,
  readSettings,
  SETTING_NAMES,
  SETTING_SECTIONS,
  type SettingName,
  type Settings,
  serializeSettings,
  settingInfo,
  writeSettings,
} from '../../src/settings/settings.js';
import { temporaryFolder } from '../helpers/program.js';
import { fc } from '../helpers/properties.js';

const time = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
  .map((parts) => parts.map((part) => String(part).padStart(2, '0')).join(':'));
const port = fc.integer({ min: 1, max: 65_535 });
const host = fc.constantFrom('wsus', 'wsus01.corp.example', '10.0.0.1', 'fe80::1', 'bücher.example');
const line = fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme-ascii' });
const path = fc.constantFrom('/etc/ssl/ca.pem', '/srv/a b/c');
const ids = fc.uniqueArray(fc.uuid(), { maxLength: 5 });
const maybe = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });

/** Any settings there can be. */
const anySettings: fc.Arbitrary<Settings> = fc.record({
  updateSource: fc.constantFrom('microsoft-update' as const, 'upstream' as const),
  upstreamServer: maybe(host),
  upstreamPort: maybe(port),
  upstreamSsl: fc.boolean(),
  upstreamContentUrl: maybe(fc.constantFrom('http://wsus:8530/Content', 'https://cdn.example/')),
  contentSource: fc.constantFrom('upstream' as const, 'microsoft-update' as const, 'either' as const),
  accountName: maybe(fc.constantFrom('dss01', 'dss01.corp.example')),
  useProxy: fc.boolean(),
  proxyServer: maybe(host),
  proxyPort: port,
  proxyUser: maybe(line),
  proxyDomain: maybe(line),
  proxyPassword: maybe(line),
  proxyBasicAllowed: fc.boolean(),
  useSslProxy: fc.boolean(),
  sslProxyServer: maybe(host),
  sslProxyPort: port,
  products: ids,
  classifications: ids,
  languages: fc.oneof(
    fc.constant('all' as const),
    fc.uniqueArray(fc.constantFrom('de', 'en', 'pt-br', 'zh-hk', 'ja-nec'), { minLength: 1 }),
  ),
  expressFiles: fc.boolean(),
  contentPolicy: fc.constantFrom('none' as const, 'licences' as const, 'wanted' as const),
  schedule: maybe(
    fc.oneof(
      fc
        .record({ firstAt: time, perDay: fc.integer({ min: 1, max: 24 }), offset: fc.nat(10_000) })
        .map(({ offset, ...rest }) => ({ ...rest, randomOffset: offset % Math.ceil(1440 / rest.perDay) })),
      fc.record({ daysAfterSecondTuesday: fc.integer({ min: 0, max: 27 }), at: time }),
    ),
  ),
  limitRate: maybe(fc.integer({ min: 1024, max: 10 ** 12 })),
  downloadBetween: maybe(
    fc
      .tuple(time, time)
      .filter(([from, to]) => from !== to)
      .map((both) => both.join('-')),
  ),
  caFile: maybe(path),
  clientCertificateFile: maybe(path),
  clientKeyFile: maybe(path),
  serverCertificateName: maybe(host),
  serverSslPort: port,
  serverCertificateFile: maybe(path),
  serverKeyFile: maybe(path),
  serverPfxFile: maybe(path),
  serverKeyPassword: maybe(line),
  contentDirectory: maybe(path),
  healthMonitoring: maybe(fc.record({ CheckAcls: fc.boolean() })),
});

test.skipIf(process.platform === 'win32')('all settings come back as they were written', () => {
  fc.assert(
    fc.property(anySettings, (settings) => {
      const text = serializeSettings(settings);
      expect(parseSettings(text, 'x')).toEqual(settings);
      const written = Object.keys(JSON.parse(text) as object).filter((name) => name !== 'formatVersion');
      expect(written).toEqual(SETTING_NAMES.filter((name) => !isDefault(name, settings)));
    }),
  );
});

test('the defaults are those of a fresh WSUS server that takes everything from Microsoft Update', () => {
  expect(defaultSettings()).toEqual({
    updateSource: 'microsoft-update',
    upstreamServer: undefined,
    upstreamPort: undefined,
    upstreamSsl: false,
    upstreamContentUrl: undefined,
    accountName: undefined,
    useProxy: false,
    proxyServer: undefined,
    proxyPort: 80,
    proxyUser: undefined,
    proxyDomain: undefined,
    proxyPassword: undefined,
    proxyBasicAllowed: false,
    useSslProxy: false,
    sslProxyServer: undefined,
    sslProxyPort: 443,
    products: [],
    classifications: [],
    languages: 'all',
    expressFiles: false,
    contentPolicy: 'licences',
    schedule: undefined,
    limitRate: undefined,
    downloadBetween: undefined,
    caFile: undefined,
    clientCertificateFile: undefined,
    clientKeyFile: undefined,
    contentSource: 'upstream',
    serverCertificateName: undefined,
    serverSslPort: 8531,
    serverCertificateFile: undefined,
    serverKeyFile: undefined,
    serverPfxFile: undefined,
    serverKeyPassword: undefined,
    contentDirectory: undefined,
    healthMonitoring: undefined,
  } satisfies Settings);
});

test('every key is described in one line and stands in a section', () => {
  for (const name of SETTING_NAMES) {
    const { description, section, needs } = settingInfo(name);
    expect(description, name).toMatch(/^[A-Z][^\n]{5,90}[^.\n]$/);
    expect(SETTING_SECTIONS).toContain(section);
    if (needs !== undefined) expect(SETTING_NAMES).toContain(needs.key);
  }
});

test.each<[SettingName, unknown, RegExp]>([
  ['updateSource', 'wsus', /must be one of microsoft-update, upstream; got "wsus"/],
  ['upstreamServer', 'http://wsus', /without http:\/\/ and port/],
  ['upstreamServer', 'wsus:8530', /without http:\/\/ and port/],
  [
    'upstreamServer',
    'u:hunter2@wsus',
    /^must be the name or address of a machine, without user and password$/,
  ],
  ['upstreamServer', '', /name or address/],
  ['upstreamServer', 'a/b', /name or address/],
  ['upstreamServer', 'a'.repeat(257), /name or address/],
  ['upstreamPort', 0, /from 1 to 65535, got 0/],
  ['upstreamPort', 65_536, /from 1 to 65535/],
  ['upstreamPort', '8530', /whole number .* got "8530"/],
  ['upstreamSsl', 'yes', /true or false/],
  ['upstreamContentUrl', 'ftp://x/', /http:\/\/ or https:\/\//],
  ['upstreamContentUrl', 'http://u:hunter2@x/', /^must not hold a user name or a password$/],
  ['accountName', 'a b', /host name/],
  ['proxyUser', 'a\nb', /one line/],
  ['proxyPassword', 12, /^must be a text$/],
  ['proxyPassword', 'hunter2\n', /^must be one line of at most 256 characters$/],
  ['proxyPassword', '', /one line/],
  ['products', 'x', /must be a list/],
  ['products', ['Windows 11'], /list of ids, got "Windows 11"/],
  ['products', Array.from({ length: 10_001 }, () => ''), /at most 10000/],
  ['languages', [], /at least one/],
  ['languages', ['german'], /did you mean "de"/],
  ['languages', ['all', 'de'], /short names/],
  ['contentPolicy', 'all', /none, licences, wanted/],
  ['schedule', '03:00', /must be an object/],
  ['schedule', {}, /lacks its firstAt/],
  ['schedule', { firstAt: '24:00' }, /is wrong: firstAt must be a time of day/],
  ['schedule', { firstAt: '03:00', perDay: 25 }, /perDay must be a whole number from 1 to 24/],
  ['schedule', { firstAt: '03:00', perDay: 24, randomOffset: 60 }, /randomOffset .* from 0 to 59/],
  ['schedule', { firstAt: '03:00', perday: 2 }, /unknown part "perday", did you mean "perDay"/],
  ['schedule', { firstAt: '03:00', at: '03:00' }, /has firstAt beside at/],
  ['schedule', { daysAfterSecondTuesday: 28, at: '03:00' }, /from 0 to 27/],
  ['schedule', { daysAfterSecondTuesday: 1 }, /lacks its at/],
  ['limitRate', 5, /from 1024/],
  ['limitRate', 2048.5, /whole number/],
  ['downloadBetween', '22:00', /two times of day/],
  ['downloadBetween', '22:00-22:00', /same time/],
  ['downloadBetween', '22:00-25:00', /two times of day/],
  ['caFile', 'ca.pem', /absolute path/],
])('%s does not take %j', (name, value, message) => {
  expect(() => parseSetting(name, value)).toThrow(message);
});

test('values are kept in one spelling', () => {
  const id = '56309036-4c77-4dd9-951a-99ee9c246a94';
  expect(parseSetting('products', [`{${id.toUpperCase()}}`, id])).toEqual([id]);
  expect(parseSetting('languages', ['DE', 'de', ' pt-BR'])).toEqual(['de', 'pt-br']);
  expect(parseSetting('upstreamServer', '[fe80::1]')).toBe('fe80::1');
  expect(parseSetting('schedule', { firstAt: '03:00' })).toEqual({
    firstAt: '03:00',
    perDay: 1,
    randomOffset: 0,
  });
});

test.skipIf(process.platform === 'win32')(
  'a file others could read is closed to them when it is written',
  async () => {
    const { path: folder, remove } = temporaryFolder();
    onTestFinished(remove);
    const path = join(folder, 'settings.json');
    await writeSettings(path, { ...defaultSettings(), proxyPassword: 'hunter2' });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ formatVersion: 1, proxyPassword: 'hunter2' });
    expect((await readSettings(path)).proxyPassword).toBe('hunter2');
  },
);
