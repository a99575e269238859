import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { View } from '../../../src/commands/outcome.js';
import { clientPolicy } from '../../../src/commands/serve/client-policy.js';
import { configuressl } from '../../../src/commands/serve/configuressl.js';
import { loadCertificate } from '../../../src/serve/certificate.js';
import { probeServer } from '../../../src/serve/check-ssl.js';
import { CLEAR_PART, securePart, WHOLE_SERVER } from '../../../src/serve/front.js';
import { DEFAULT_LIMITS } from '../../../src/serve/limits.js';
import { createHttpServer, createHttpsServer, listen } from '../../../src/serve/listener.js';
import { makeSelfSigned } from '../../../src/serve/self-signed.js';
import { openServeFront } from '../../../src/serve/server.js';
import { readSettings } from '../../../src/settings/settings.js';
import { openMetadataStore } from '../../../src/store/open-store.js';
import { failureOf } from '../../helpers/package-builder.js';
import { openTestStore, testFolder } from '../../store/update-builder.js';
import { type GivenArguments, runCommand } from '../command-context.js';
import { secretsOf } from '../secrets.js';

const NAME = 'wsus.corp.example';
const hasOpenssl = spawnSync('openssl', ['version'], { stdio: 'ignore' }).status === 0;

async function newStore(): Promise<string> {
  const { path, store } = await openTestStore();
  await store.close();
  return path;
}

function configure(storePath: string, given: GivenArguments & { readonly name?: string } = {}) {
  const { name, ...rest } = given;
  return runCommand(configuressl, storePath, { ...rest, positionals: name === undefined ? {} : { name } });
}

const settingsOf = (storePath: string) => readSettings(`${storePath}.settings.json`);

function writeFiles(names: readonly string[] = [NAME], days?: number) {
  const folder = testFolder();
  // The commands of these tests live in November 2026 (`NOW`).
  const { certificate, key } = makeSelfSigned(names, new Date('2026-10-30T00:00:00Z'), days);
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  writeFileSync(files.cert, certificate);
  writeFileSync(files.key, key);
  return files;
}

function textOf(view: View | readonly View[] | undefined): string {
  return JSON.stringify(view);
}

test('a name and a certificate give the address, as the real tool prints it', async () => {
  const storePath = await newStore();
  const files = writeFiles();
  const { view, status } = await configure(storePath, { name: NAME, options: files });
  expect([status, view]).toEqual(['complete', { kind: 'lines', lines: ['https://wsus.corp.example:8531'] }]);
  expect(await settingsOf(storePath)).toMatchObject({
    serverCertificateName: NAME,
    serverSslPort: 8531,
    serverCertificateFile: files.cert,
    serverKeyFile: files.key,
  });
  // Again without a name: what is stored is looked at.
  expect((await configure(storePath)).view).toEqual(view);
  const moved = await configure(storePath, { options: { port: '443' } });
  expect(moved.result).toMatchObject({ url: 'https://wsus.corp.example:443', contentPort: 80 });
  expect((await configure(storePath, { options: { disable: true } })).result).toMatchObject({
    isEnabled: false,
  });
  expect((await settingsOf(storePath)).serverCertificateName).toBeUndefined();
});

test('a certificate for a lab is made in the data directory, its key for the owner only', async () => {
  const storePath = await newStore();
  const { result, warnings } = await configure(storePath, { name: 'wsus', options: { 'self-signed': true } });
  expect(result).toMatchObject({ url: 'https://wsus:8531', contentPort: 8530 });
  expect(warnings).toEqual(['CERTIFICATE_PROBLEM']); // not a full name
  const keyFile = join(dirname(storePath), 'server-key.pem');
  if (process.platform !== 'win32') expect(statSync(keyFile).mode & 0o777).toBe(0o600);
});

test.each<[string, string, readonly string[], number | undefined, RegExp]>([
  ['another name', 'other.corp.example', [NAME], undefined, /none of its names \(wsus\.corp\.example\)/],
  ['no time left', NAME, [NAME], 1, /ended on/],
])('a certificate with %s is refused, and nothing is stored', async (_what, name, names, days, message) => {
  const storePath = await newStore();
  const options = writeFiles(names, days);
  await expect(configure(storePath, { name, options })).rejects.toMatchObject({
    code: 'CERTIFICATE_INVALID',
    message: expect.stringMatching(message),
  });
  expect(existsSync(`${storePath}.settings.json`)).toBe(false);
});

test.each<[string, GivenArguments['options'], string | undefined, RegExp]>([
  ['nothing at all', {}, undefined, /missing <name>/],
  ['a name alone', {}, NAME, /no certificate is stored/],
])('%s is not enough', async (_what, options, name, message) => {
  const storePath = await newStore();
  const given = { options: options ?? {}, ...(name === undefined ? {} : { name }) };
  await expect(configure(storePath, given)).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringMatching(message),
  });
});

test.each<[string, Record<string, string | boolean>, string | undefined]>([
  ['a certificate without key', { cert: 'a' }, NAME],
  ['two kinds of certificate', { cert: 'a', key: 'b', pfx: 'c' }, NAME],
  ['two modes', { check: true, plan: true }, NAME],
  ['a mode and a certificate', { check: true, 'self-signed': true }, NAME],
  ['a port that has none below', { port: '1' }, NAME],
  ['an address for a name', {}, 'https://wsus:8531'],
])('%s is wrong usage', (_what, given, name) => {
  const none = {
    cert: undefined,
    key: undefined,
    pfx: undefined,
    port: undefined,
    'from-env': undefined,
    'from-file': undefined,
  };
  const options = { ...none, 'self-signed': false, disable: false, check: false, plan: false, ...given };
  expect(() =>
    configuressl.check?.({ positionals: { name }, options, assignments: {} } as never, new Date()),
  ).toThrow(expect.objectContaining({ code: 'USAGE' }));
});

test('the plan names every place that has to change, with the pair of ports', async () => {
  const storePath = await newStore();
  const { result, view } = await configure(storePath, { name: NAME, options: { plan: true } });
  expect(result).toMatchObject({ url: 'https://wsus.corp.example:8531', contentPort: 8530 });
  const text = textOf(view);
  for (const part of [
    'Specify intranet Microsoft update service location',
    'WUServer\\"=\\"https://wsus.corp.example:8531',
    'wsusutil config set upstreamPort 8531',
    'Require SSL communication to the WSUS server',
    'TCP 8531 (services) and TCP 8530 (content)',
  ]) {
    expect(text).toContain(part);
  }
});

describe.skipIf(!hasOpenssl)('a PFX file', () => {
  const PASSWORD = 'open sesame';

  function writePfx(password: string): string {
    const { cert, key } = writeFiles();
    const pfx = join(dirname(cert), 'both.pfx');
    const words = [
      'pkcs12',
      '-export',
      '-in',
      cert,
      '-inkey',
      key,
      '-out',
      pfx,
      '-passout',
      `pass:${password}`,
    ];
    execFileSync('openssl', words);
    return pfx;
  }

  test.each<[string, string, () => Record<string, string>]>([
    ['is asked for', PASSWORD, () => ({})],
    ['comes from a variable', 'wrong', () => ({ 'from-env': 'PFX_PASSWORD' })],
    [
      'comes from a file',
      'wrong',
      () => {
        const path = join(testFolder(), 'password.txt');
        writeFileSync(path, `${PASSWORD}\n`);
        return { 'from-file': path };
      },
    ],
  ])('is opened with a password that %s, which nothing shows', async (_how, typed, options) => {
    const storePath = await newStore();
    const given = {
      options: { pfx: writePfx(PASSWORD), ...options() },
      secrets: secretsOf(typed, { PFX_PASSWORD: PASSWORD }),
    };
    const outcome = await configure(storePath, { name: NAME, ...given });
    expect(outcome.result).toMatchObject({ url: 'https://wsus.corp.example:8531' });
    expect(JSON.stringify(outcome)).not.toContain(PASSWORD);
    expect((await settingsOf(storePath)).serverKeyPassword).toBe(PASSWORD);
  });

  test('with a wrong password is refused, and one without is not asked for any', async () => {
    const storePath = await newStore();
    const wrong = { options: { pfx: writePfx(PASSWORD) }, secrets: secretsOf('wrong') };
    const failure = await failureOf(() => configure(storePath, { name: NAME, ...wrong }));
    expect(failure).toMatchObject({ code: 'CERTIFICATE_INVALID' });
    expect(JSON.stringify(failure)).not.toContain('"wrong"');
    expect((await configure(storePath, { name: NAME, options: { pfx: writePfx('') } })).status).toBe(
      'complete',
    );
  });
});

test('a short name is told, and clients are not sent to it', async () => {
  const storePath = await newStore();
  const { result, warnings } = await configure(storePath, { name: 'wsus', options: writeFiles(['wsus']) });
  expect([result.url, warnings]).toEqual(['https://wsus:8531', ['CERTIFICATE_PROBLEM']]);
  const refused = { code: 'USAGE', message: expect.stringContaining('not a fully qualified name') };
  await expect(configure(storePath, { options: { plan: true } })).rejects.toMatchObject(refused);
  await expect(runCommand(clientPolicy, storePath)).rejects.toMatchObject(refused);
});

/** Servers on ports of their own, which need not be neighbours here. */
async function startPair(isRight: boolean) {
  const folder = testFolder();
  const { certificate, key } = makeSelfSigned(['localhost'], new Date());
  const files = {
    kind: 'pem',
    certificateFile: join(folder, 'c.pem'),
    keyFile: join(folder, 'k.pem'),
  } as const;
  writeFileSync(files.certificateFile, certificate);
  writeFileSync(files.keyFile, key);
  const store = await openMetadataStore(await newStore(), { mode: 'read', now: () => new Date() });
  onTestFinished(() => store.close());
  const front = await openServeFront({
    store,
    contentFolder: folder,
    cookieKey: Buffer.alloc(32),
    now: () => new Date(),
    report: () => {},
  });
  onTestFinished(() => front.stop());
  const loaded = await loadCertificate(files, undefined);
  const [secure, clear] = [createHttpsServer(DEFAULT_LIMITS, loaded), createHttpServer(DEFAULT_LIMITS)];
  front.attach(secure, securePart(false));
  front.attach(clear, isRight ? CLEAR_PART : WHOLE_SERVER);
  return {
    name: 'localhost',
    certificate: loaded,
    sslPort: await listen(secure, 'localhost', 0),
    contentPort: await listen(clear, 'localhost', 0),
    signal: new AbortController().signal,
  };
}

const ROOTS = [
  'ApiRemoting30 requires SSL',
  'ClientWebService requires SSL',
  'DSSAuthWebService requires SSL',
  'ServerSyncWebService requires SSL',
  'SimpleAuthWebService requires SSL',
  'Content does not require SSL',
  'Inventory does not require SSL',
  'ReportingWebService does not require SSL',
  'SelfUpdate does not require SSL',
];

test('the check asks both ports and all nine roots', async () => {
  const findings = await probeServer(await startPair(true));
  expect(findings.map(({ condition }) => condition)).toEqual(['HTTPS port', 'HTTP port', ...ROOTS]);
  expect(findings.filter(({ level }) => level !== 'pass')).toEqual([]);
});

test('services that answer in the clear, a port where nothing is and an untrusted certificate fail', async () => {
  const wrong = await startPair(false);
  const failing = async (
    target: typeof wrong | (Omit<typeof wrong, 'certificate'> & { certificate: undefined }),
  ) => (await probeServer(target)).filter(({ level }) => level === 'fail').map(({ condition }) => condition);
  expect(await failing(wrong)).toEqual([
    'DSSAuthWebService requires SSL',
    'ServerSyncWebService requires SSL',
  ]);
  const right = await startPair(true);
  expect(await failing({ ...right, contentPort: 1 })).toEqual(['HTTP port', ...ROOTS]);
  expect(await failing({ ...right, certificate: undefined })).toEqual(['HTTPS port']);
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(await failing({ ...right, certificate: undefined })).toEqual(['HTTPS port']);
});

test('the check of a server that is not there ends incomplete, with every condition named', async () => {
  const storePath = await newStore();
  await configure(storePath, { name: 'localhost', options: { ...writeFiles(['localhost']), port: '2' } });
  const { status, result } = await configure(storePath, { options: { check: true } });
  expect(status).toBe('incomplete');
  expect(
    (result.conditions as { condition: string; level: string }[]).map(
      ({ condition, level }) => `${level} ${condition}`,
    ),
  ).toEqual([
    'pass certificate and key',
    'fail full name',
    'pass name in the certificate',
    'pass validity',
    'pass chain',
    'fail HTTPS port',
    'fail HTTP port',
    ...ROOTS.map((condition) => `fail ${condition}`),
  ]);
});

test('client policy: the values of the editor and the registry file of them', async () => {
  const storePath = await newStore();
  const reg = join(testFolder(), 'wsus.reg');
  const { result } = await runCommand(clientPolicy, storePath, {
    positionals: { url: 'https://wsus.corp.example:8531' },
    options: {
      group: ['Servers "A"', 'Lab'],
      mode: 'schedule',
      day: 'sunday',
      hour: '4',
      'detect-every': '12',
      reg,
    },
  });
  expect(result.settings).toEqual([
    {
      name: 'Specify intranet Microsoft update service location',
      fields: [
        ['Set the intranet update service for detecting updates', 'https://wsus.corp.example:8531'],
        ['Set the intranet statistics server', 'https://wsus.corp.example:8531'],
      ],
    },
    {
      name: 'Configure Automatic Updates',
      fields: [
        ['Configure automatic updating', '4 - Auto download and schedule the install'],
        ['Scheduled install day', '1 - sunday'],
        ['Scheduled install time', '04:00'],
      ],
    },
    {
      name: 'Enable client-side targeting',
      fields: [['Target group name for this computer', 'Servers "A";Lab']],
    },
    {
      name: 'Automatic Updates detection frequency',
      fields: [['Check for updates at the following interval (hours)', '12']],
    },
  ]);
  const bytes = readFileSync(reg);
  expect([bytes[0], bytes[1]]).toEqual([0xff, 0xfe]);
  expect(bytes.subarray(2).toString('utf16le').split('\r\n')).toEqual([
    'Windows Registry Editor Version 5.00',
    '',
    '[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate]',
    '"WUServer"="https://wsus.corp.example:8531"',
    '"WUStatusServer"="https://wsus.corp.example:8531"',
    '"TargetGroupEnabled"=dword:00000001',
    '"TargetGroup"="Servers \\"A\\";Lab"',
    '',
    '[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate\\AU]',
    '"UseWUServer"=dword:00000001',
    '"NoAutoUpdate"=dword:00000000',
    '"AUOptions"=dword:00000004',
    '"ScheduledInstallDay"=dword:00000001',
    '"ScheduledInstallTime"=dword:00000004',
    '"DetectionFrequencyEnabled"=dword:00000001',
    '"DetectionFrequency"=dword:0000000c',
    '',
    '',
  ]);
});

test('client policy takes the address that configuressl stored, and always shows the port', async () => {
  const storePath = await newStore();
  await configure(storePath, { name: NAME, options: writeFiles() });
  expect((await runCommand(clientPolicy, storePath)).result.url).toBe('https://wsus.corp.example:8531');
  const plain = await runCommand(clientPolicy, storePath, { positionals: { url: 'http://wsus' } });
  expect(plain.result.url).toBe('http://wsus:80');
  for (const url of ['wsus', 'ftp://wsus', 'http://wsus/x', 'http://a:b@wsus']) {
    await expect(runCommand(clientPolicy, storePath, { positionals: { url } })).rejects.toMatchObject({
      code: 'USAGE',
    });
  }
});
