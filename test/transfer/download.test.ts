import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type DownloadRequest, downloadFile } from '../../src/transfer/download-file.js';
import { type DownloadOutcome, downloadFiles } from '../../src/transfer/download-files.js';
import { type HttpClient, openHttpClient } from '../../src/transfer/http-client.js';
import { type BuiltFile, makeFile } from '../content/content-builder.js';
import { type ContentOrigin, type Fault, startContentOrigin } from '../helpers/content-origin.js';
import { failureOf } from '../helpers/package-builder.js';
import { fc } from '../helpers/properties.js';
import { testFolder } from '../store/update-builder.js';

interface Setup {
  readonly file: BuiltFile;
  readonly origin: ContentOrigin;
  readonly request: DownloadRequest;
  readonly http: HttpClient;
  run(signal?: AbortSignal): Promise<void>;
}

async function setUp(size = 200_000, faults: readonly Fault[] = []): Promise<Setup> {
  const file = makeFile('payload', size);
  const path = `/Content/${file.path}`;
  const origin = await startContentOrigin(new Map([[path, file.bytes]]));
  origin.fail(path, ...faults);
  const folder = testFolder();
  const http = testClient();
  const request = {
    sha1: file.sha1,
    sha256: file.sha256,
    size,
    url: `${origin.url}${path}`,
    temporaryPath: join(folder, '.wsusutil/partial', file.sha1),
    targetPath: join(folder, file.path),
  };
  return { file, origin, request, http, run: (signal) => downloadFile(request, toolsOf(http, signal)) };
}

function testClient(): HttpClient {
  const http = openHttpClient({ userAgent: 'wsusutil/test', connections: 4 });
  onTestFinished(() => http.close());
  return http;
}

function toolsOf(http: HttpClient, signal = new AbortController().signal) {
  return { http, signal, random: () => 0, onBytes: () => {}, sleep: async () => {} };
}

function leaveHalf({ request, file }: Setup, bytes = file.bytes.subarray(0, 100_000)): void {
  mkdirSync(dirname(request.temporaryPath), { recursive: true });
  writeFileSync(request.temporaryPath, bytes);
}

test('a file comes whole under its name and leaves nothing beside it', async () => {
  const setup = await setUp();
  await setup.run();
  expect(readFileSync(setup.request.targetPath).equals(setup.file.bytes)).toBe(true);
  expect(existsSync(setup.request.temporaryPath)).toBe(false);
});

test('an empty file can be downloaded', async () => {
  const setup = await setUp(0);
  await setup.run();
  expect(readFileSync(setup.request.targetPath)).toHaveLength(0);
});

test('what an earlier run left is not asked for again', async () => {
  const setup = await setUp();
  leaveHalf(setup);
  await setup.run();
  expect(setup.origin.asked).toEqual(['bytes=100000-']);
  expect(readFileSync(setup.request.targetPath).equals(setup.file.bytes)).toBe(true);
});

test('a start that is of another file is noticed and fetched anew', async () => {
  const setup = await setUp();
  leaveHalf(setup, Buffer.alloc(100_000, 7));
  await setup.run();
  expect(setup.origin.asked).toEqual(['bytes=100000-', 'all']);
  expect(readFileSync(setup.request.targetPath).equals(setup.file.bytes)).toBe(true);
});

test('a start that is longer than the file is dropped', async () => {
  const setup = await setUp();
  leaveHalf(setup, Buffer.alloc(200_001));
  await setup.run();
  expect(setup.origin.asked).toEqual(['all']);
});

test.each<readonly [string, readonly Fault[], readonly string[]]>([
  ['a broken connection goes on where it broke', [{ type: 'reset', after: 50_000 }], ['all', 'bytes=50000-']],
  ['a body that ends early goes on there', [{ type: 'ends-early', after: 10 }], ['all', 'bytes=10-']],
  [
    'a busy server is asked again',
    [
      { type: 'status', status: 503 },
      { type: 'status', status: 429, headers: { 'retry-after': '0' } },
    ],
    ['all', 'all', 'all'],
  ],
  [
    'a server without ranges sends the whole again',
    [{ type: 'reset', after: 50_000 }, { type: 'ignores-range' }],
    ['all', 'bytes=50000-'],
  ],
  [
    'a wrong part is not taken',
    [{ type: 'reset', after: 50_000 }, { type: 'wrong-range' }],
    ['all', 'bytes=50000-', 'all'],
  ],
  [
    'a server that refuses the range is asked for all',
    [
      { type: 'reset', after: 50_000 },
      { type: 'status', status: 416 },
    ],
    ['all', 'bytes=50000-', 'all'],
  ],
  ['wrong bytes are fetched once more', [{ type: 'wrong-bytes' }], ['all', 'all']],
  ['too many bytes are not kept', [{ type: 'more-bytes' }], ['all', 'all']],
])('%s', async (_, faults, asked) => {
  const setup = await setUp(200_000, faults);
  await setup.run();
  expect(setup.origin.asked).toEqual(asked);
  expect(readFileSync(setup.request.targetPath).equals(setup.file.bytes)).toBe(true);
});

describe('is given up with a clear error and no file under the name', () => {
  test.each<readonly [string, readonly Fault[], string, string]>([
    ['a file that is gone', [{ type: 'status', status: 404 }], 'SOURCE_REFUSED', 'answers 404'],
    ['a portal that answers instead', [{ type: 'portal' }], 'DOWNLOAD_MISMATCH', 'HTML page'],
    ['an encoded body', [{ type: 'gzip' }], 'SOURCE_REFUSED', 'encoding gzip'],
    [
      'bytes that stay wrong',
      [{ type: 'wrong-bytes' }, { type: 'wrong-bytes' }],
      'DOWNLOAD_MISMATCH',
      'expected SHA-1',
    ],
    [
      'bytes that stay too many',
      [{ type: 'more-bytes' }, { type: 'more-bytes' }],
      'DOWNLOAD_MISMATCH',
      'more than 200000 bytes',
    ],
    [
      'a redirect to another scheme',
      [{ type: 'redirect', to: 'file:///etc/passwd' }],
      'SOURCE_REFUSED',
      'only http and https',
    ],
    [
      'a server that stays busy',
      Array.from({ length: 5 }, () => ({ type: 'status', status: 503 }) as const),
      'SOURCE_REFUSED',
      'answers 503',
    ],
    [
      'a server that asks for too long a wait',
      [{ type: 'status', status: 503, headers: { 'retry-after': '86400' } }],
      'SOURCE_REFUSED',
      'answers 503',
    ],
  ])('%s', async (_, faults, code, words) => {
    const setup = await setUp(200_000, faults);
    const error = await failureOf(() => setup.run());
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
    expect(error.hint).toBeDefined();
    expect(existsSync(setup.request.targetPath)).toBe(false);
  });

  test('redirects without end', async () => {
    const setup = await setUp();
    const path = new URL(setup.request.url).pathname;
    setup.origin.fail(path, ...Array.from({ length: 9 }, (): Fault => ({ type: 'redirect', to: path })));
    expect((await failureOf(() => setup.run())).message).toContain('redirects more than 5 times');
  });

  test('a host that does not answer, without naming a password', async () => {
    const setup = await setUp();
    const request = { ...setup.request, url: 'http://user:geheim@127.0.0.1:1/x' };
    const error = await failureOf(() => downloadFile(request, toolsOf(setup.http)));
    expect(error.code).toBe('SOURCE_UNREACHABLE');
    expect(JSON.stringify([error.message, error.hint, error.details])).not.toContain('geheim');
  });
});

test('an interruption stops at once, keeps what arrived, and the next run goes on there', async () => {
  const setup = await setUp(2_000_000);
  const controller = new AbortController();
  const tools = { ...toolsOf(setup.http, controller.signal), onBytes: () => controller.abort() };
  expect((await failureOf(() => downloadFile(setup.request, tools))).code).toBe('INTERRUPTED');
  const kept = readFileSync(setup.request.temporaryPath).length;
  expect(kept).toBeGreaterThan(0);
  await setup.run();
  expect(setup.origin.asked.at(-1)).toBe(`bytes=${kept}-`);
  expect(readFileSync(setup.request.targetPath).equals(setup.file.bytes)).toBe(true);
});

test('whatever a server does, the file is right or not there', async () => {
  const anyFault: fc.Arbitrary<Fault> = fc.oneof(
    fc.record({ type: fc.constant('reset' as const), after: fc.nat(20_000) }),
    fc.record({ type: fc.constant('ends-early' as const), after: fc.nat(20_000) }),
    fc.record({ type: fc.constant('status' as const), status: fc.constantFrom(404, 416, 500, 503) }),
    ...(['wrong-bytes', 'more-bytes', 'ignores-range', 'wrong-range', 'portal', 'gzip'] as const).map(
      (type) => fc.constant({ type } as Fault),
    ),
  );
  const setup = await setUp(20_000);
  const path = new URL(setup.request.url).pathname;
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(anyFault, { maxLength: 6 }), async (faults) => {
      setup.origin.fail(path, ...faults);
      const targetPath = join(dirname(setup.request.targetPath), `${runs++}`);
      const request = { ...setup.request, targetPath };
      for (;;) {
        const done = await downloadFile(request, toolsOf(setup.http)).then(
          () => true,
          () => false,
        );
        if (done) break;
        expect(existsSync(targetPath)).toBe(false);
      }
      expect(readFileSync(targetPath).equals(setup.file.bytes)).toBe(true);
    }),
    { numRuns: 40 },
  );
}, 60_000);

describe('many files', () => {
  async function downloadAll(
    requests: readonly DownloadRequest[],
    http: HttpClient,
  ): Promise<DownloadOutcome[]> {
    async function* each() {
      yield* requests;
    }
    const outcomes: DownloadOutcome[] = [];
    for await (const outcome of downloadFiles(each(), toolsOf(http))) outcomes.push(outcome);
    return outcomes;
  }

  test('all arrive, and one that fails does not stop the others', async () => {
    const files = Array.from({ length: 20 }, (_, n) => makeFile(`f${n}`, 1 + n * 1000));
    const origin = await startContentOrigin(
      new Map(files.slice(1).map((file) => [`/${file.path}`, file.bytes])),
    );
    const folder = testFolder();
    const requests = files.map((file) => ({
      sha1: file.sha1,
      sha256: file.sha256,
      size: file.bytes.length,
      url: `${origin.url}/${file.path}`,
      temporaryPath: join(folder, 'partial', file.sha1),
      targetPath: join(folder, file.path),
    }));
    const outcomes = await downloadAll(requests, testClient());
    expect(outcomes.filter((each) => each.error === undefined)).toHaveLength(19);
    for (const file of files.slice(1))
      expect(readFileSync(join(folder, file.path)).equals(file.bytes)).toBe(true);
    expect(readdirSync(join(folder, 'partial')).filter((name) => name !== files[0]?.sha1)).toEqual([]);
  });

  test('a host that cannot be reached is not asked for each of its files', async () => {
    const folder = testFolder();
    const requests = Array.from({ length: 30 }, (_, n) => ({
      ...makeFile(`f${n}`),
      size: 1000,
      url: `http://127.0.0.1:1/${n}`,
      temporaryPath: join(folder, `${n}`),
      targetPath: join(folder, `${n}.exe`),
    }));
    const outcomes = await downloadAll(requests, testClient());
    expect(outcomes).toHaveLength(30);
    expect(outcomes.filter((each) => String(each.error).includes('Not tried')).length).toBeGreaterThan(20);
  });
});
