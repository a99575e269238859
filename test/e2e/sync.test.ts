/** `wsusutil sync` as a user runs it, against an upstream over real HTTP and TLS. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { formatIdentity } from '../../src/model/update-identity.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import {
  catalogueItems,
  type FakeUpstream,
  startFakeUpstream,
  type UpstreamItem,
  type UpstreamQuirks,
} from '../helpers/fake-upstream.js';
import { finish, type ProgramResult, runProgram, startProgram, temporaryFolder } from '../helpers/program.js';
import type { TreeElement } from '../helpers/soap-tree.js';
import { TEST_ROOT_FILE } from '../helpers/tls-files.js';
import { now } from '../store/update-builder.js';

const REVISIONS = 300;
let items: readonly UpstreamItem[];
beforeAll(() => {
  items = [...catalogueItems({ revisions: REVISIONS, seed: 2, maxFileSize: 40_000 })];
});

function newDirectory(settings: Readonly<Record<string, unknown>> = {}): string {
  const folder = temporaryFolder();
  onTestFinished(folder.remove);
  const path = join(folder.path, 'data');
  mkdirSync(path);
  writeFileSync(join(path, 'settings.json'), JSON.stringify({ formatVersion: 1, ...settings }));
  return path;
}

async function start(quirks: UpstreamQuirks = {}): Promise<FakeUpstream> {
  const upstream = await startFakeUpstream(items, quirks);
  onTestFinished(() => upstream[Symbol.asyncDispose]());
  return upstream;
}

async function startSecure(): Promise<FakeUpstream> {
  const upstream = await startFakeUpstream(items, {}, {});
  onTestFinished(() => upstream[Symbol.asyncDispose]());
  return upstream;
}

interface SyncDocument {
  readonly exitCode: number;
  readonly status: string;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
  readonly metadata: { readonly revisions: number; readonly newUpdates: number; readonly wanted: number };
  readonly content: {
    readonly downloaded: {
      readonly files: number;
      readonly bytes: number;
      readonly licences: { readonly files: number };
    };
    readonly wanted: { readonly files: number };
    readonly stillMissing: { readonly files: number };
    readonly fromMicrosoft: { readonly files: number };
  } | null;
  readonly contentPlan: {
    readonly missing: { readonly files: number };
    readonly hosts: readonly { readonly host: string }[];
  } | null;
}

async function syncJson(directory: string, ...args: readonly string[]): Promise<SyncDocument> {
  const { stdout } = await runProgram(['sync', ...args, '--json'], directory);
  return JSON.parse(stdout) as SyncDocument;
}

/** Outcomes of the synchronisations, newest first. */
async function historyOf(directory: string) {
  const store = await openMetadataStore(join(directory, 'metadata.sqlite'), { mode: 'read', now });
  try {
    return await store.listHistory(20, 'sync');
  } finally {
    await store.close();
  }
}

function filesBelow(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('.wsusutil'))
    .map(({ name }) => name);
}

const to = (upstream: FakeUpstream) => ['--upstream', upstream.url.href];

test('damaged documents among many are told, whichever thread meets them, and come with the next run', async () => {
  const many = [...catalogueItems({ revisions: 3_000, seed: 3 })];
  const damaged = many.filter((_, index) => index % 50 === 7).map(({ identity }) => identity);
  await using upstream = await startFakeUpstream(many, { compression: 'mszip', damaged });
  const directory = newDirectory();
  const first = await syncJson(directory, ...to(upstream), '--metadata-only');
  expect(first).toMatchObject({ exitCode: 3, metadata: { revisions: many.length - damaged.length } });
  for (const identity of damaged) {
    const isTold = first.warnings.some(({ message }) => message.startsWith(formatIdentity(identity)));
    expect(isTold, formatIdentity(identity)).toBe(true);
  }
  upstream.change({ damaged: [] });
  const second = await syncJson(directory, ...to(upstream), '--metadata-only');
  expect(second).toMatchObject({ exitCode: 0, metadata: { revisions: damaged.length } });
});

test('that there is no WebAssembly ends a run, and is no fault of the upstream', async () => {
  const upstream = await start();
  const directory = newDirectory();
  const args = ['sync', ...to(upstream), '--metadata-only'];
  // Not by --jitless, with which some versions of Node.js (22) do not get as far; their own modules have imports.
  const preload = join(directory, 'preload.mjs');
  const script = `const { Instance } = WebAssembly;
    WebAssembly.Instance = function (module, imports) {
      if (imports === undefined) throw new RangeError('no memory');
      return new Instance(module, imports);
    };`;
  writeFileSync(preload, script);
  const variables = { NODE_OPTIONS: `--import=${pathToFileURL(preload).href}` };
  const { exitCode, stderr } = await runProgram(args, directory, variables);
  expect(stderr).toMatch(
    /LZX cannot be decoded without WebAssembly: no memory.*\[CAB_COMPRESSION\]\nhint: .*ulimit/,
  );
  expect(exitCode).toBe(25);
  expect((await runProgram(args, directory)).exitCode).toBe(0);
});

describe('a synchronisation', () => {
  test('brings metadata and content, and the next one costs six calls', async () => {
    const upstream = await start();
    const directory = newDirectory({
      contentPolicy: 'wanted',
      updateSource: 'upstream',
      upstreamServer: '127.0.0.1',
      upstreamPort: Number(upstream.url.port),
    });
    const first = await runProgram(['sync'], directory);
    expect(first).toMatchObject({ exitCode: 0 });
    expect(first.stdout).toMatch(/^Synchronising with http:\/\/127\.0\.0\.1:\d+\/\.\n/);
    expect(first.stdout).toMatch(/The synchronisation has finished\.\n$/);
    expect(first.stdout).toContain(`${REVISIONS} revisions`);
    const content = join(directory, 'WsusContent');
    expect(filesBelow(content).length).toBeGreaterThan(20);
    expect((await runProgram(['reset', '--check', '--json'], directory)).exitCode).toBe(3); // unwanted ones are not there

    const before = upstream.calls.length;
    const requested = upstream.contentRequests.length;
    const again = await syncJson(directory);
    expect(again).toMatchObject({
      exitCode: 0,
      metadata: { revisions: 0, wanted: 0 },
      content: { downloaded: { files: 0 } },
    });
    expect(upstream.calls.slice(before).map(({ operation }) => operation)).toEqual([
      'GetAuthConfig',
      'GetAuthorizationCookie',
      'GetCookie',
      'GetConfigData',
      'GetRevisionIdList',
      'GetRevisionIdList',
    ]);
    expect(upstream.contentRequests).toHaveLength(requested);

    const [second, oldest] = await historyOf(directory);
    expect(second).toMatchObject({
      outcome: 'complete',
      details: { trigger: 'manual', newUpdates: 0, files: 0 },
    });
    expect(oldest).toMatchObject({ outcome: 'complete', package: upstream.url.href });
    expect(Number(oldest?.details.newUpdates)).toBeGreaterThan(20);
    expect(oldest?.details.files).toBe(filesBelow(content).length);
  }, 60_000);

  test('fetches licence texts first, and only those unless more is wanted', async () => {
    const upstream = await start();
    const directory = newDirectory();
    const { content, exitCode } = await syncJson(directory, ...to(upstream));
    expect(exitCode).toBe(0);
    expect(content?.downloaded.files).toBeGreaterThan(0);
    expect(content?.downloaded.licences.files).toBe(content?.downloaded.files);
    for (const name of filesBelow(join(directory, 'WsusContent'))) expect(name).toMatch(/\.txt$/);
  });

  test('of categories only asks for nothing else', async () => {
    const upstream = await start();
    const { exitCode, metadata, content } = await syncJson(
      newDirectory(),
      ...to(upstream),
      '--categories-only',
    );
    expect(exitCode).toBe(0);
    expect(metadata.newUpdates).toBe(0);
    expect(metadata.revisions).toBeGreaterThan(50);
    expect(content).toBeNull();
    expect(upstream.countCalls('GetRevisionIdList')).toBe(1);
    expect(upstream.contentRequests).toEqual([]);
  });

  test('of metadata only, then of content only, is one of both', async () => {
    const upstream = await start();
    const directory = newDirectory({ contentPolicy: 'wanted' });
    const metadata = await syncJson(directory, ...to(upstream), '--metadata-only');
    expect(metadata).toMatchObject({ exitCode: 0, content: null, metadata: { revisions: REVISIONS } });
    const planned = await syncJson(directory, ...to(upstream), '--content-only', '--dry-run');
    const content = await syncJson(directory, ...to(upstream), '--content-only');
    expect(content).toMatchObject({ exitCode: 0, metadata: null });
    expect(content.content?.downloaded.files).toBeGreaterThan(20);
    expect(planned.contentPlan?.missing.files).toBe(content.content?.downloaded.files);
  });

  test('that is only rehearsed says what would come, and from where, and leaves nothing', async () => {
    const upstream = await start();
    const directory = newDirectory({ contentPolicy: 'wanted' });
    const { exitCode, stdout } = await runProgram(['sync', ...to(upstream), '--dry-run'], directory);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Nothing was changed (--dry-run).');
    expect(stdout).toContain(`From:           ${upstream.contentUrl.host}`);
    expect(filesBelow(join(directory, 'WsusContent'))).toEqual([]);
    expect(await historyOf(directory)).toEqual([]);
    const rehearsal = await syncJson(directory, ...to(upstream), '--dry-run');
    const real = await syncJson(directory, ...to(upstream));
    expect(real.metadata).toMatchObject({
      revisions: rehearsal.metadata.revisions,
      newUpdates: rehearsal.metadata.newUpdates,
    });
    expect(real.content?.downloaded.files).toBe(rehearsal.contentPlan?.missing.files);
  });

  test('asks again for a file the upstream holds only on request', async () => {
    const upstream = await start({ content: 'on-request' });
    const directory = newDirectory({ contentPolicy: 'licences' });
    const { exitCode, content } = await syncJson(directory, ...to(upstream));
    expect([exitCode, content?.stillMissing.files]).toEqual([0, 0]);
    expect(upstream.downloads.length).toBeGreaterThan(0);
  }, 30_000);

  test('is incomplete if a file does not verify, and names it', async () => {
    const wrong = items
      .flatMap(({ content }) => content ?? [])
      .find(({ fileName }) => fileName.endsWith('.txt'));
    const upstream = await start({ wrongBytes: [wrong?.sha1 ?? ''] });
    const directory = newDirectory();
    const { exitCode, stdout } = await runProgram(['sync', ...to(upstream)], directory);
    expect(exitCode).toBe(3);
    expect(stdout).toContain(wrong?.fileName);
    expect(stdout).toContain('it is incomplete. Content files are missing');
    expect((await historyOf(directory))[0]).toMatchObject({
      outcome: 'incomplete',
      details: { stillMissing: 1 },
    });
  }, 30_000);

  test('restricted to one product brings that and what it needs', async () => {
    const upstream = await start();
    const product = items.find(({ categories }) => categories.length > 0)?.categories[0];
    const all = await syncJson(newDirectory(), ...to(upstream), '--metadata-only');
    const one = await syncJson(newDirectory({ products: [product] }), ...to(upstream), '--metadata-only');
    expect(one.exitCode).toBe(0);
    expect(one.metadata.newUpdates).toBeGreaterThan(0);
    expect(one.metadata.newUpdates).toBeLessThan(all.metadata.newUpdates);
  });

  test('over TLS takes the authority of the settings', async () => {
    const upstream = await startSecure();
    const args = [...to(upstream), '--metadata-only'];
    const refused = await syncJson(newDirectory(), ...args);
    expect(refused).toMatchObject({ exitCode: 31, error: { code: 'UPSTREAM_REFUSED' } });
    expect(refused.error?.hint).toContain('caFile');
    const trusted = await syncJson(newDirectory({ caFile: TEST_ROOT_FILE }), ...args);
    expect(trusted).toMatchObject({ exitCode: 0, metadata: { revisions: REVISIONS } });
  });

  test.skipIf(process.platform !== 'linux')('over TLS takes an authority of the system', async () => {
    const upstream = await startSecure();
    const run = await runProgram(['sync', ...to(upstream), '--metadata-only', '--json'], newDirectory(), {
      SSL_CERT_FILE: TEST_ROOT_FILE,
    });
    expect(JSON.parse(run.stdout)).toMatchObject({ exitCode: 0, metadata: { revisions: REVISIONS } });
  });

  test('checks certificates whatever the environment says', async () => {
    const upstream = await startSecure();
    const run = await runProgram(['sync', ...to(upstream), '--metadata-only', '--json'], newDirectory(), {
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
    });
    expect(JSON.parse(run.stdout)).toMatchObject({ exitCode: 31, error: { code: 'UPSTREAM_REFUSED' } });
    expect(upstream.calls).toEqual([]);
  });

  test('with --full asks for full lists, and fetches nothing that is there', async () => {
    const upstream = await start();
    const directory = newDirectory();
    await syncJson(directory, ...to(upstream), '--metadata-only');
    const before = upstream.calls.length;
    const again = await syncJson(directory, ...to(upstream), '--metadata-only', '--full');
    expect(again).toMatchObject({ exitCode: 0, metadata: { listed: REVISIONS, revisions: 0, wanted: 0 } });
    const calls = upstream.calls.slice(before);
    const hasAnchor = ({ children }: TreeElement): boolean =>
      children.some((child) => /anchor/i.test(child.local) || hasAnchor(child));
    expect(calls.map(({ operation }) => operation)).not.toContain('GetUpdateData');
    expect(calls.filter(({ request }) => hasAnchor(request))).toEqual([]);
  });

  test('with --limit-rate takes the time that the limit gives', async () => {
    const upstream = await start({ gzip: false });
    const directory = newDirectory({ contentPolicy: 'wanted' });
    await syncJson(directory, ...to(upstream), '--metadata-only');
    const startedAt = performance.now();
    const { content } = await syncJson(directory, ...to(upstream), '--content-only', '--limit-rate', '400K');
    const seconds = (performance.now() - startedAt) / 1000;
    const bytes = content?.downloaded.bytes ?? 0;
    expect(bytes).toBeGreaterThan(400 * 1024);
    // What a limit must not let through faster; a quarter of a second may be made up for at once.
    expect(seconds).toBeGreaterThan(bytes / (400 * 1024) - 0.25);
  }, 60_000);

  test('that cannot reach its upstream says so, ends with 30 and is in the history', async () => {
    const upstream = await startFakeUpstream(items);
    const url = upstream.url.href;
    await upstream[Symbol.asyncDispose]();
    const directory = newDirectory();
    const { exitCode, error } = await syncJson(directory, '--upstream', url);
    expect([exitCode, error?.code]).toEqual([30, 'UPSTREAM_UNREACHABLE']);
    expect(await historyOf(directory)).toMatchObject([
      {
        outcome: 'UPSTREAM_UNREACHABLE',
        details: { trigger: 'manual', changedNothing: true, message: error?.message },
      },
    ]);
  }, 60_000);
});

test('Ctrl-C in the middle of downloads leaves in the history what was downloaded', async () => {
  const upstream = await start();
  upstream.plan({ on: 'Content', after: 6, times: 1_000, hang: true });
  const directory = newDirectory({ contentPolicy: 'wanted' });
  const child = startProgram(['sync', ...to(upstream)], directory);
  const end = finish(child);
  const content = join(directory, 'WsusContent');
  while (filesBelow(content).length < 6 || upstream.contentRequests.length < 10) await sleep(10);
  child.kill('SIGINT');
  expect((await end).exitCode).toBe(130);
  expect(await historyOf(directory)).toMatchObject([{ outcome: 'INTERRUPTED', details: { files: 6 } }]);
});

test('content is left for the time window, which is told in the log, and metadata is not', async () => {
  const upstream = await start();
  const directory = newDirectory({ contentPolicy: 'wanted' });
  const hour = (later: number) => `${String((new Date().getHours() + later) % 24).padStart(2, '0')}:00`;
  const window = `${hour(8)}-${hour(10)}`;
  const child = startProgram(['sync', ...to(upstream), '--download-between', window], directory);
  const end = finish(child);
  const logs = join(directory, 'logs');
  const isWaiting = () =>
    filesBelow(logs).some((name) => readFileSync(join(logs, name), 'utf8').includes(`time window ${window}`));
  while (!isWaiting()) await sleep(20);
  child.kill('SIGINT');
  expect((await end).exitCode).toBe(130);
  expect(upstream.contentRequests).toEqual([]);
  expect(upstream.countCalls('GetUpdateData')).toBeGreaterThan(0);
}, 60_000);

test('Ctrl-C ends it with 130, and the next one goes on', async () => {
  const upstream = await start({ slowMs: 20, answerAtMost: 10 });
  const directory = newDirectory();
  const child = startProgram(['sync', ...to(upstream)], directory);
  const end = finish(child);
  while (upstream.countCalls('GetUpdateData') < 12) await sleep(10);
  child.kill('SIGINT');
  const { exitCode, stderr } = await end;
  expect(exitCode).toBe(130);
  expect(stderr).toContain('What came is kept; run the command again');
  const { revisions } = JSON.parse((await runProgram(['status', '--json'], directory)).stdout);
  expect(revisions).toBeGreaterThan(0);
  expect(await historyOf(directory)).toMatchObject([{ outcome: 'INTERRUPTED', details: { revisions } }]);
  upstream.change({ slowMs: 0, answerAtMost: 100 });
  const before = upstream.batchSizes.length;
  expect(await syncJson(directory, ...to(upstream))).toMatchObject({ exitCode: 0 });
  const asked = upstream.batchSizes.slice(before).reduce((sum, size) => sum + size, 0);
  expect(asked).toBeLessThan(REVISIONS - 50);
}, 60_000);

describe('is refused before anything is asked or made', () => {
  test.each<[readonly string[], string, number?]>([
    [['--upstream', 'wsus:8530'], 'is not the address of an upstream server'],
    [['--upstream', 'http://admin:secret@wsus:8530'], 'not asked with a user name and a password'],
    [['--categories-only', '--content-only'], '--categories-only and --content-only exclude each other'],
    [['--insecure'], 'unknown option --insecure'],
    [['--no-check-certificate'], 'unknown option --no-check-certificate'],
    [['--limit-rate', '3'], '--limit-rate must be'],
    [['--limit-rate', 'fast'], '"fast" is not a size'],
    [['--download-between', '20-5'], '"20-5" is not a time window'],
    [['--upstream', 'microsoft-update'], 'No products and no classifications are chosen', 14],
    [['--upstream', 'https://sws.update.microsoft.com'], 'No products and no classifications are chosen', 14],
    [[], 'No products and no classifications are chosen', 14],
  ])('%j', async (args, message, expectedCode = 2) => {
    const { exitCode, stderr }: ProgramResult = await runProgram(['sync', ...args], newDirectory());
    expect(exitCode).toBe(expectedCode);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('secret');
  });
});

describe('what a timer starts', () => {
  const source = (upstream: FakeUpstream) => ({
    updateSource: 'upstream',
    upstreamServer: '127.0.0.1',
    upstreamPort: Number(upstream.url.port),
  });

  test('says one line, and is noted as scheduled', async () => {
    const upstream = await start();
    const directory = newDirectory(source(upstream));
    const { exitCode, stdout, stderr } = await runProgram(['sync', '--scheduled'], directory);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^Successfully synchronised: \d+ new updates, .*\.\n$/);
    expect(await historyOf(directory)).toMatchObject([{ details: { trigger: 'scheduled' } }]);
  });

  test('does not call a success what is incomplete', async () => {
    const ghost = { updateId: '11111111-2222-4333-8444-555555555555', revisionNumber: 200 };
    const upstream = await start({ ghosts: [ghost as UpstreamItem['identity']] });
    const { exitCode, stdout } = await runProgram(['sync', '--scheduled'], newDirectory(source(upstream)));
    expect(exitCode).toBe(3);
    expect(stdout).toMatch(/^Synchronised, but incomplete: .*, 1 did not come, .*\.\n$/);
  });

  test('says in one line that nothing is chosen yet', async () => {
    const { exitCode, stdout, stderr } = await runProgram(['sync', '--scheduled'], newDirectory());
    expect([exitCode, stdout]).toEqual([14, '']);
    expect(stderr).toMatch(/^error: No products and no classifications are chosen.* \[SETTINGS_INVALID\]\n$/);
  });

  test('does nothing once what was due is done', async () => {
    const upstream = await start();
    const schedule = { daysAfterSecondTuesday: 1, at: '06:00' };
    const directory = newDirectory({ ...source(upstream), schedule });
    expect((await runProgram(['sync'], directory)).exitCode).toBe(0);
    const before = upstream.calls.length;
    const { exitCode, stdout, stderr } = await runProgram(['sync', '--scheduled'], directory);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^Not due: .*; next \d{4}-\d\d-\d\d 06:00\.\n$/);
    expect(upstream.calls).toHaveLength(before);
    expect(await historyOf(directory)).toHaveLength(1);
  });

  test('tells a failure that no second try would mend in one line too', async () => {
    const upstream = await startFakeUpstream(items, {}, {});
    onTestFinished(() => upstream[Symbol.asyncDispose]());
    const directory = newDirectory({ ...source(upstream), upstreamSsl: true });
    const { exitCode, stdout, stderr } = await runProgram(['sync', '--scheduled'], directory);
    expect([exitCode, stdout]).toEqual([31, '']);
    expect(stderr).toMatch(/^error: [^\n]*caFile[^\n]* \[UPSTREAM_REFUSED\]\n$/);
    expect(await historyOf(directory)).toHaveLength(1);
  });
});

describe('an upstream that cannot be reached', () => {
  const firstLineOf = async (args: readonly string[], directory: string, stream: 'stdout' | 'stderr') => {
    const child = startProgram(args, directory);
    const seen = new Promise<string>((resolve) => {
      let text = '';
      child[stream]?.setEncoding('utf8').on('data', (more: string) => {
        text += more;
        if (text.includes('trying again') || text.includes('the next one is in')) resolve(text);
      });
      child.once('exit', () => resolve(text));
    });
    const text = await seen;
    child.kill('SIGINT');
    return { text, ...(await finish(child)) };
  };
  const closed = ['--upstream', 'http://127.0.0.1:1'];

  test('is named at the first failure, with when it is asked again', async () => {
    const { text, exitCode } = await firstLineOf(['sync', ...closed], newDirectory(), 'stderr');
    expect(text).toMatch(/^The upstream cannot be reached: .*127\.0\.0\.1:1.*; trying again in 1 s\n/m);
    expect(exitCode).toBe(130);
    const events = await firstLineOf(['sync', ...closed, '--json-events'], newDirectory(), 'stdout');
    const told = events.text.split('\n').find((line) => line.includes('trying again')) as string;
    expect(JSON.parse(told)).toMatchObject({ type: 'step', isNews: true });
  });

  test('is waited for by a run of the schedule, which says so, a name that nobody knows too', async () => {
    const directory = newDirectory({ updateSource: 'upstream', upstreamServer: 'nowhere.invalid' });
    const { text, stdout, exitCode } = await firstLineOf(['sync', '--scheduled'], directory, 'stderr');
    expect(text).toMatch(
      /^Attempt 1 of 3 failed with UPSTREAM_UNREACHABLE: .*nowhere\.invalid.*in 15 minutes, when/,
    );
    expect(text.trimEnd().split('\n')).toHaveLength(1);
    expect([stdout, exitCode]).toEqual(['', 130]);
  });
});

test('the log has every step and the line scripts look for', async () => {
  const upstream = await start();
  const directory = newDirectory();
  const log = join(directory, 'sync.log');
  expect((await runProgram(['SYNC', log, ...to(upstream)], directory)).exitCode).toBe(0);
  const text = readFileSync(log, 'utf8');
  expect(text).toMatch(/categories: the upstream lists \d+ revisions/);
  expect(text).toMatch(/updates: the upstream lists \d+ revisions/);
  expect(text.trimEnd().split('\n').at(-1)).toMatch(/Z Successfully synchronised: \d+ new updates, /);
});

test('what the upstream does not hold comes from where Microsoft has it, if the settings allow that', async () => {
  const upstream = await start({ content: 'on-request', servesMuUrls: true });
  const settings = {
    contentPolicy: 'wanted',
    updateSource: 'upstream',
    upstreamServer: '127.0.0.1',
    upstreamPort: Number(upstream.url.port),
  };
  // Licence texts have no address at Microsoft here: they come through the upstream.
  const both = await syncJson(newDirectory({ ...settings, contentSource: 'either' }));
  expect([both.exitCode, both.content?.stillMissing.files]).toEqual([0, 0]);
  const { downloaded, fromMicrosoft } = both.content ?? {};
  expect(fromMicrosoft?.files).toBeGreaterThan(20);
  expect(downloaded?.files).toBe(Number(fromMicrosoft?.files) + Number(downloaded?.licences.files));
  expect(upstream.downloads.length).toBe(downloaded?.licences.files);
  const before = upstream.contentRequests.length;
  const direct = await syncJson(newDirectory({ ...settings, contentSource: 'microsoft-update' }));
  expect(direct.content?.downloaded.files).toBe(fromMicrosoft?.files);
  expect(upstream.contentRequests.slice(before).every(({ status }) => status === 200)).toBe(true);
}, 60_000);

test('an inventory that is not there is refused', async () => {
  const { exitCode, stderr } = await runProgram(
    ['sync', '--upstream', 'http://127.0.0.1:9', '--inventory', 'nowhere.txt'],
    newDirectory(),
  );
  expect(exitCode).toBe(2);
  expect(stderr).toContain('nowhere.txt');
});
