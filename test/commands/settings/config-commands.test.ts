import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { config } from '../../../src/commands/settings/config.js';
import { configGet } from '../../../src/commands/settings/config-get.js';
import { configSet } from '../../../src/commands/settings/config-set.js';
import { configUnset } from '../../../src/commands/settings/config-unset.js';
import { configuresslproxy } from '../../../src/commands/settings/configuresslproxy.js';
import {
  describeSetting,
  readSettingValue,
  settingWords,
} from '../../../src/commands/settings/setting-values.js';
import {
  defaultSettings,
  parseSettings,
  SETTING_NAMES,
  type Settings,
  settingInfo,
  writeSettings,
} from '../../../src/settings/settings.js';
import { openMetadataStore } from '../../../src/store/open-store.js';
import { failureOf } from '../../helpers/package-builder.js';
import { rememberLanguages } from '../../store/sync-values.js';
import { idOf, NOW, now, testFolder } from '../../store/update-builder.js';
import { type CommandResult, runCommand } from '../command-context.js';
import { secretsOf } from '../secrets.js';

const newStore = () => join(testFolder(), 'metadata.sqlite');
const fileOf = (storePath: string) => `${storePath}.settings.json`;
const read = (storePath: string): Settings =>
  existsSync(fileOf(storePath))
    ? parseSettings(readFileSync(fileOf(storePath), 'utf8'), 'settings')
    : defaultSettings();
const NO_OPTIONS = { 'from-env': undefined, 'from-file': undefined };

async function set(storePath: string, key: string, ...value: string[]): Promise<CommandResult> {
  configSet.check?.({ positionals: { key, value }, options: NO_OPTIONS, assignments: {} }, NOW);
  return runCommand(configSet, storePath, { positionals: { key, value } });
}
const unset = (storePath: string, ...key: string[]) => {
  configUnset.check?.({ positionals: { key }, options: {}, assignments: {} }, NOW);
  return runCommand(configUnset, storePath, { positionals: { key } });
};
const get = (storePath: string, key: string) => runCommand(configGet, storePath, { positionals: { key } });

/** Everything a command leaves for people and for scripts. */
const allOf = (result: CommandResult) => JSON.stringify(result);

describe('config set', () => {
  test.each<[string, readonly string[], Partial<Settings>]>([
    ['updateSource', ['Upstream'], { updateSource: 'upstream' }],
    ['UPSTREAMSERVER', ['wsus01.corp.example'], { upstreamServer: 'wsus01.corp.example' }],
    ['upstreamPort', ['8531'], { upstreamPort: 8531 }],
    ['useProxy', ['ON'], { useProxy: true }],
    ['expressFiles', ['yes'], { expressFiles: true }],
    ['limitRate', ['2M'], { limitRate: 2 * 1024 * 1024 }],
    ['languages', ['de', 'PT-BR'], { languages: ['de', 'pt-br'] }],
    ['languages', ['de,en'], { languages: ['de', 'en'] }],
    ['languages', ['ALL'], { languages: 'all' }],
    ['products', [idOf(1), idOf(2)], { products: [idOf(1), idOf(2)] }],
    ['downloadBetween', ['22:00-06:00'], { downloadBetween: '22:00-06:00' }],
    [
      'schedule',
      ['FirstAt=03:00', 'perDay=4', 'randomoffset=30'],
      { schedule: { firstAt: '03:00', perDay: 4, randomOffset: 30 } },
    ],
    [
      'schedule',
      ['daysAfterSecondTuesday=3', 'at=04:00'],
      { schedule: { daysAfterSecondTuesday: 3, at: '04:00' } },
    ],
    ['caFile', ['ca.pem'], { caFile: resolve('ca.pem') }],
  ])('%s takes %j', async (key, words, expected) => {
    const storePath = newStore();
    await set(storePath, key, ...words);
    expect(read(storePath)).toEqual({ ...defaultSettings(), ...expected });
  });

  test.each<[string, readonly string[], string]>([
    ['useProxi', ['on'], 'useProxy'],
    ['useProxy', ['maybe'], 'on or off'],
    ['useProxy', [], 'value is missing'],
    ['upstreamPort', ['0'], 'upstreamPort must be a whole number'],
    ['upstreamPort', ['80', '81'], 'takes one value'],
    ['upstreamServer', ['http://wsus:8530'], 'without http://'],
    ['updateSource', ['wsus'], 'microsoft-update, upstream'],
    ['limitRate', ['fast'], 'is not a size'],
    ['languages', ['gremlin'], 'short names'],
    ['schedule', ['03:00'], 'firstAt=03:00'],
    ['schedule', ['firstAt=03:00', 'firstat=04:00'], 'twice'],
    ['schedule', ['firstAt=25:00'], 'time of day'],
    ['products', ['Windows 11'], 'wsusutil products select'],
    ['contentDirectory', ['/srv'], 'movecontent'],
    ['healthMonitoring', ['x'], 'healthmonitoring'],
    ['caFile', [''], 'caFile must be an absolute path'],
  ])('%s refuses %j before anything is made', async (key, words, text) => {
    const storePath = newStore();
    const error = await failureOf(() => set(storePath, key, ...words));
    expect(error.code).toBe('USAGE');
    expect(`${error.message} ${error.hint}`).toContain(text);
    expect(statSync(storePath, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('leaves what others have set, and says what it was', async () => {
    const storePath = newStore();
    await set(storePath, 'contentPolicy', 'wanted');
    const { result, view } = await set(storePath, 'contentPolicy', 'none');
    expect(result).toEqual({ key: 'contentPolicy', value: 'none', before: 'wanted' });
    expect(view).toEqual({ kind: 'lines', lines: ['contentPolicy: none, was wanted'] });
    await set(storePath, 'expressFiles', 'on');
    expect(read(storePath)).toMatchObject({ contentPolicy: 'none', expressFiles: true });
  });

  test('warns of what has no effect yet, and of what is missing', async () => {
    const storePath = newStore();
    expect((await set(storePath, 'proxyServer', 'p1')).warnings).toEqual(['SETTING_WITHOUT_EFFECT']);
    expect((await set(storePath, 'updateSource', 'upstream')).warnings).toEqual(['SETTINGS_INCOMPLETE']);
    expect((await set(storePath, 'upstreamServer', 'wsus')).warnings).toEqual([]);
    const there = resolve('package.json');
    expect((await set(storePath, 'clientKeyFile', there)).warnings).toEqual(['SETTINGS_INCOMPLETE']);
    expect((await set(storePath, 'clientCertificateFile', there)).warnings).toEqual([]);
    expect((await set(storePath, 'caFile', `${there}.nowhere`)).warnings).toEqual(['SETTINGS_INCOMPLETE']);
  });

  test('names the languages that the upstream has no files for', async () => {
    const storePath = newStore();
    const store = await openMetadataStore(storePath, { mode: 'write', now });
    const table = [{ id: 1031, shortName: 'de', longName: 'German', enabled: true }];
    await rememberLanguages(store, 'https://sws.update.microsoft.com/', JSON.stringify(table));
    await store.close();
    expect((await set(storePath, 'languages', 'de')).warnings).toEqual([]);
    expect((await set(storePath, 'languages', 'de', 'fr')).warnings).toEqual(['LANGUAGE_UNAVAILABLE']);
  });
});

describe('a password', () => {
  const SECRET = 'hunter2-Sesam';

  test.each<[string, (folder: string) => Readonly<Record<string, string>>]>([
    ['asked for', () => ({})],
    ['of a variable', () => ({ 'from-env': 'PW' })],
    ['of a file', (folder) => ({ 'from-file': join(folder, 'pw') })],
  ])('%s is stored for the owner only and shown nowhere', async (_, optionsIn) => {
    const folder = testFolder();
    const storePath = join(folder, 'metadata.sqlite');
    writeFileSync(join(folder, 'pw'), `${SECRET}\n`);
    const events: string[] = [];
    const shown = [
      await runCommand(configSet, storePath, {
        positionals: { key: 'proxypassword', value: [] },
        options: optionsIn(folder),
        secrets: secretsOf(SECRET, { PW: SECRET }),
        onEvent: (event) => events.push(JSON.stringify(event)),
      }),
      await get(storePath, 'proxyPassword'),
      await runCommand(config, storePath),
      await runCommand(config, storePath, { options: { changed: true } }),
    ];
    expect(read(storePath).proxyPassword).toBe(SECRET);
    for (const result of shown) {
      expect(allOf(result)).toContain('(set)');
      expect(allOf(result)).not.toContain(SECRET);
    }
    expect(events.join()).not.toContain(SECRET);
    if (process.platform !== 'win32') expect(statSync(fileOf(storePath)).mode & 0o777).toBe(0o600);
    expect(allOf(await unset(storePath, 'proxyPassword'))).not.toContain(SECRET);
    expect(read(storePath).proxyPassword).toBeUndefined();
  });

  test('is refused as an argument, in words that do not hold it', async () => {
    const error = await failureOf(() => set(newStore(), 'proxyPassword', SECRET));
    expect(error.code).toBe('USAGE');
    expect(`${error.stack} ${error.hint} ${JSON.stringify(error.details)}`).not.toContain(SECRET);
  });

  test('that cannot be one is refused in words that do not hold it', async () => {
    const storePath = newStore();
    const error = await failureOf(() =>
      runCommand(configSet, storePath, {
        positionals: { key: 'proxyPassword', value: [] },
        secrets: secretsOf(`${SECRET}\u0007`),
      }),
    );
    expect(error.code).toBe('USAGE');
    expect(`${error.message} ${error.hint}`).not.toContain(SECRET);
  });

  test('comes from one place, and other settings come from none of them', async () => {
    const check =
      (key: string, value: string[], options: Partial<Record<'from-env' | 'from-file', string>>) => () =>
        configSet.check?.(
          { positionals: { key, value }, options: { ...NO_OPTIONS, ...options }, assignments: {} },
          NOW,
        );
    expect(await failureOf(check('proxyPassword', [], { 'from-env': 'A', 'from-file': 'b' }))).toMatchObject({
      code: 'USAGE',
    });
    expect(await failureOf(check('proxyUser', [], { 'from-env': 'A' }))).toMatchObject({ code: 'USAGE' });
  });
});

describe('config, get and unset', () => {
  test('config shows every setting with what it is for; --changed those that differ', async () => {
    const storePath = newStore();
    await set(storePath, 'languages', 'de');
    const { result, view } = await runCommand(config, storePath);
    expect(Object.keys(result.settings as object)).toEqual(SETTING_NAMES);
    expect(result.changed).toEqual(['languages']);
    if (view === undefined || !('kind' in view) || view.kind !== 'table') return expect.fail('no table');
    const rows = [...(view.rows as Iterable<readonly string[]>)];
    expect(rows.map(([name]) => name)).toEqual(SETTING_NAMES);
    for (const [, , meaning] of rows) expect(meaning).not.toBe('');
    const changed = await runCommand(config, storePath, { options: { changed: true } });
    expect(changed.result.settings).toEqual({ languages: ['de'] });
  });

  test('get gives null for what is not set, and names the nearest key', async () => {
    const storePath = newStore();
    expect((await get(storePath, 'upstreamserver')).result).toEqual({ key: 'upstreamServer', value: null });
    expect((await get(storePath, 'useProxy')).result).toEqual({ key: 'useProxy', value: false });
    expect(await failureOf(() => get(storePath, 'upstreamServr'))).toMatchObject({
      code: 'USAGE',
      hint: 'Did you mean upstreamServer?',
    });
  });

  test('unset brings defaults back, of several keys at once', async () => {
    const storePath = newStore();
    await set(storePath, 'useProxy', 'on');
    await set(storePath, 'proxyPort', '3128');
    await set(storePath, 'expressFiles', 'on');
    const { result } = await unset(storePath, 'useproxy', 'PROXYPORT');
    expect(result).toMatchObject({ keys: ['useProxy', 'proxyPort'], before: { proxyPort: 3128 } });
    expect(read(storePath)).toEqual({ ...defaultSettings(), expressFiles: true });
    expect(await failureOf(() => unset(storePath, 'contentDirectory'))).toMatchObject({ code: 'USAGE' });
  });

  test('a settings file with an unknown key is refused and left as it is', async () => {
    const storePath = newStore();
    const text = '{ "formatVersion": 1, "usePorxy": true }';
    writeFileSync(fileOf(storePath), text);
    const error = await failureOf(() => set(storePath, 'expressFiles', 'on'));
    expect(error).toMatchObject({ code: 'SETTINGS_INVALID', hint: 'Did you mean "useProxy"?' });
    expect(readFileSync(fileOf(storePath), 'utf8')).toBe(text);
  });

  test('what is shown of a value sets it again', () => {
    const settings: Settings = {
      ...defaultSettings(),
      upstreamPort: 8531,
      useProxy: true,
      limitRate: 1536 * 1024,
      languages: ['de', 'en'],
      products: [idOf(1)],
      schedule: { firstAt: '03:00', perDay: 4, randomOffset: 30 },
      caFile: resolve('ca.pem'),
    };
    for (const name of SETTING_NAMES) {
      const words = settingWords(name, settings);
      if (words.length === 0 || settingInfo(name).kind === 'object') continue;
      expect(readSettingValue(name, words), name).toEqual(settings[name]);
      expect(describeSetting(name, settings)).toContain(words[0]);
    }
  });
});

describe('configuresslproxy', () => {
  const run = (storePath: string, words: readonly string[], state: 'enable' | 'disable') => {
    const [proxy_server, proxy_port] = words;
    const options = { enable: state === 'enable', disable: state === 'disable' };
    configuresslproxy.check?.({ positionals: { proxy_server, proxy_port }, options, assignments: {} }, NOW);
    return runCommand(configuresslproxy, storePath, {
      positionals: {
        ...(proxy_server === undefined ? {} : { proxy_server }),
        ...(proxy_port === undefined ? {} : { proxy_port }),
      },
      options,
    });
  };

  test('stores a pair and switches it on, off, and on again', async () => {
    const storePath = newStore();
    await writeSettings(fileOf(storePath), { ...defaultSettings(), useProxy: true, proxyServer: 'p1' });
    expect(await run(storePath, ['p2', '8443'], 'enable')).toMatchObject({
      status: 'complete',
      warnings: [],
      result: { isEnabled: true, isUsed: true, proxyServer: 'p2', proxyPort: 8443 },
    });
    await run(storePath, [], 'disable');
    expect(read(storePath)).toMatchObject({ useSslProxy: false, sslProxyServer: 'p2', sslProxyPort: 8443 });
    await run(storePath, [], 'enable');
    expect(read(storePath)).toMatchObject({ useSslProxy: true, sslProxyServer: 'p2', sslProxyPort: 8443 });
  });

  test('warns while no proxy is used', async () => {
    const { warnings, result } = await run(newStore(), ['p2', '8443'], 'enable');
    expect(warnings).toEqual(['SETTING_WITHOUT_EFFECT']);
    expect(result).toMatchObject({ isEnabled: true, isUsed: false });
  });

  test('refuses a server without a port, a wrong one, and to switch on what is not stored', async () => {
    const storePath = newStore();
    for (const words of [
      ['p2'],
      ['p2', '0'],
      ['p2', '65536'],
      ['p2', 'x'],
      ['http://p2', '80'],
      ['x'.repeat(257), '80'],
    ]) {
      expect(await failureOf(() => run(storePath, words, 'enable')), words.join(' ')).toMatchObject({
        code: 'USAGE',
      });
    }
    expect(await failureOf(() => run(storePath, [], 'enable'))).toMatchObject({ code: 'SETTINGS_INVALID' });
    expect(statSync(fileOf(storePath), { throwIfNoEntry: false })).toBeUndefined();
    for (const both of [true, false]) {
      const input = {
        positionals: { proxy_server: undefined, proxy_port: undefined },
        options: { enable: both, disable: both },
        assignments: {},
      };
      expect(await failureOf(() => configuresslproxy.check?.(input, NOW))).toMatchObject({ code: 'USAGE' });
    }
  });
});
