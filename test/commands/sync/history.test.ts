import { join } from 'node:path';
import { expect, test } from 'vitest';
import { status } from '../../../src/commands/catalogue/status.js';
import { exportCommand } from '../../../src/commands/packages/export.js';
import { history } from '../../../src/commands/sync/history.js';
import type { HistoryRecord } from '../../../src/store/metadata-store.js';
import { openMetadataStore } from '../../../src/store/open-store.js';
import { runMain } from '../../cli/fake-process.js';
import { importUpdates, makeUpdate, openTestStore, testFolder } from '../../store/update-builder.js';
import { runCommand } from '../command-context.js';

const at = (text: string) => Date.parse(`2026-11-${text}Z`);

function sync(outcome: string, day: string, details: HistoryRecord['details'] = {}): HistoryRecord {
  return {
    action: 'sync',
    package: 'http://wsus.corp.example:8530/',
    startedAt: at(`${day}T03:00:00`),
    finishedAt: at(`${day}T03:12:30`),
    outcome,
    details: { trigger: 'scheduled', ...details },
  };
}

const GOOD = sync('complete', '20', {
  newUpdates: 1234,
  revisedUpdates: 2,
  expiredUpdates: 0,
  files: 17,
  bytes: 5_300_000_000,
});
const FAILED = sync('UPSTREAM_UNREACHABLE', '21', {
  message: 'The upstream cannot be reached: ECONNREFUSED',
});

async function storeWith(...runs: readonly HistoryRecord[]): Promise<string> {
  const { store, path } = await openTestStore();
  await importUpdates(store, [makeUpdate(1)]);
  for (const run of runs) await store.addHistory(run);
  await store.close();
  return path;
}

test('history lists all runs, the newest first, with what each counted', async () => {
  const path = await storeWith(GOOD, {
    action: 'content copy',
    package: '/media/carry',
    startedAt: at('21T09:00:00'),
    finishedAt: at('21T09:30:00'),
    outcome: 'incomplete',
    details: { copied: { files: 3, bytes: 2_000_000 }, notCopied: { files: 0, bytes: 0 }, action: 'x' },
  });
  const { result, view } = await runCommand(history, path);
  expect(result).toMatchObject({
    hasMore: false,
    runs: [
      { action: 'content copy', finishedAt: '2026-11-21T09:30:00.000Z' },
      { action: 'sync', startedAt: '2026-11-20T03:00:00.000Z', details: { newUpdates: 1234 } },
      { action: 'import' },
    ],
  });
  expect(view).toMatchObject([
    {
      rows: [
        ['3', '2026-11-21 09:30', 'content copy', 'incomplete', '3 files (2.0 MB) copied', '/media/carry'],
        [
          '2',
          '2026-11-20 03:12',
          'sync',
          'complete',
          '1,234 new updates, 2 revised updates, 17 files, 5.3 GB',
          'http://wsus.corp.example:8530/',
        ],
        expect.arrayContaining(['1', 'import']),
      ],
    },
    { forCsv: true },
  ]);
});

test('of a transfer package history <id> tells the place, the manifest, who signed and why a gap was taken', async () => {
  const path = await storeWith({
    action: 'import',
    package: '/media/carry.tar',
    startedAt: at('21T09:00:00'),
    finishedAt: at('21T09:30:00'),
    outcome: 'complete',
    details: {
      revisions: 1,
      destination: 'ship',
      sequence: 3,
      manifest: 'AB'.repeat(32),
      signers: ['5F950F8FF8EEC0FE'],
      gapReason: 'the second disk was lost',
    },
  });
  const { view } = await runCommand(history, path, { positionals: { id: '2' } });
  expect(view).toMatchObject([
    {
      fields: expect.arrayContaining([
        ['For', 'ship'],
        ['Manifest', 'AB'.repeat(32)],
        ['Signed by', 'key 5F950F8FF8EEC0FE'],
        ['Gap accepted', 'the second disk was lost'],
      ]),
    },
    // Its warnings are not in the store, so nothing may be said of them.
    { lines: [expect.stringContaining('in their logs')] },
  ]);
});

test('history --syncs has the columns of the console and fits into 80 of a terminal', async () => {
  const path = await storeWith(GOOD, FAILED, sync('INTERRUPTED', '22', { trigger: 'manual' }));
  const { view } = await runCommand(history, path, { options: { syncs: true } });
  expect(view).toMatchObject([
    {
      columns: [
        'Id',
        'Started (UTC)',
        'Finished',
        'Type',
        'Result',
        'New',
        'Revised',
        'Expired',
        'Files',
        'Size',
        'Error',
      ].map((title) => ({ title })),
      rows: [
        ['4', '2026-11-22 03:00', '03:12', 'Manual', 'Canceled', '', '', '', '', '', 'INTERRUPTED'],
        ['3', '2026-11-21 03:00', '03:12', 'Scheduled', 'Failed', '', '', '', '', '', 'UPSTREAM_UNREACHABLE'],
        ['2', '2026-11-20 03:00', '03:12', 'Scheduled', 'Succeeded', '1,234', '2', '0', '17', '5.3 GB', ''],
      ],
    },
    {},
  ]);
});

test('on a terminal of 80 columns no line of a list is wider', async () => {
  const folder = testFolder();
  const store = await openMetadataStore(join(folder, 'metadata.sqlite'), {
    mode: 'write',
    now: () => new Date(),
  });
  for (const run of [GOOD, FAILED, sync('incomplete', '22', { unavailable: 3 })]) await store.addHistory(run);
  await store.close();
  for (const args of [['history'], ['history', '--syncs'], ['history', '--limit', '1']]) {
    const { stdout, exitCode } = await runMain(args, folder, { terminal: true, columns: 80 });
    expect(exitCode).toBe(0);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(stdout).toContain('UTC');
    expect(stdout.includes('--limit shows more')).toBe(args.includes('--limit'));
  }
});

test('history --csv has instants, bytes and the facts of synchronisations', async () => {
  const path = await storeWith(GOOD);
  const { view } = await runCommand(history, path, { options: { syncs: true } });
  const table = (view as unknown as readonly { readonly rows: readonly (readonly string[])[] }[])[1];
  expect(table?.rows).toEqual([
    [
      '2',
      'sync',
      'http://wsus.corp.example:8530/',
      '2026-11-20T03:00:00.000Z',
      '2026-11-20T03:12:30.000Z',
      'scheduled',
      'complete',
      '1234',
      '2',
      '0',
      '17',
      '5300000000',
    ],
  ]);
});

test('--limit says that there is more', async () => {
  const path = await storeWith(GOOD, FAILED);
  const found = await runCommand(history, path, { options: { limit: '2' } });
  expect(found.result).toMatchObject({ shown: 2, hasMore: true });
  expect((await runCommand(history, path, { options: { limit: '3' } })).result).toMatchObject({
    hasMore: false,
  });
});

test('history <id> tells everything the run said, with its times', async () => {
  const path = await storeWith({
    ...FAILED,
    messages: [
      { at: at('21T03:00:01'), level: 'step', message: 'Asking for the categories' },
      { at: at('21T03:12:29'), level: 'warning', message: 'slow' },
      { at: at('22T00:00:00'), level: 'error', message: 'The upstream cannot be reached' },
    ],
  });
  const { result, view } = await runCommand(history, path, { positionals: { id: '2' } });
  expect(result).toMatchObject({
    run: {
      id: 2,
      outcome: 'UPSTREAM_UNREACHABLE',
      startedAt: '2026-11-21T03:00:00.000Z',
      messages: [
        { at: '2026-11-21T03:00:01.000Z', level: 'step', message: 'Asking for the categories' },
        {},
        {},
      ],
    },
  });
  expect(view).toMatchObject([
    {
      fields: [
        ['Run', '2: sync'],
        ['About', 'http://wsus.corp.example:8530/'],
        ['Started', '2026-11-21 03:00:00 UTC'],
        ['Finished', '2026-11-21 03:12:30 UTC'],
        ['Type', 'Scheduled'],
        ['Result', 'Failed: UPSTREAM_UNREACHABLE'],
        ['Reason', 'The upstream cannot be reached: ECONNREFUSED'],
      ],
    },
    {
      lines: [
        '03:00:01 Asking for the categories',
        '03:12:29 warning: slow',
        '2026-11-22 00:00:00 error: The upstream cannot be reached',
      ],
    },
  ]);
});

test('history of an unknown id says which is the newest', async () => {
  const path = await storeWith(GOOD);
  await expect(runCommand(history, path, { positionals: { id: '77' } })).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: 'The history has no run 77',
    hint: 'The newest is 2; "wsusutil history" lists them.',
  });
});

test.each([
  [['history', 'abc'], /"abc" is not the id of a run/],
  [['history', '0'], /"0" is not the id of a run/],
  [['history', '1', '--syncs'], /--syncs is for the list/],
  [['history', '--limit', '0'], /"0" is not a count/],
  [['history', '--limit', 'x'], /"x" is not a count/],
])('%j is wrong usage, told before anything is touched', async (args, expected) => {
  const { exitCode, stderr } = await runMain(args, join(testFolder(), 'none'));
  expect(exitCode).toBe(2);
  expect(stderr).toMatch(expected);
});

test('status shows the last synchronisation', async () => {
  expect((await runCommand(status, await storeWith())).result).toMatchObject({ lastSync: undefined });
  const { result, view } = await runCommand(status, await storeWith(GOOD));
  expect(result).toMatchObject({ lastSync: { outcome: 'complete', startedAt: '2026-11-20T03:00:00.000Z' } });
  expect(JSON.stringify(view)).toContain(
    '2026-11-20 03:12 UTC, http://wsus.corp.example:8530/: complete, 1,234 new updates',
  );
});

const exporting = (path: string, options: Readonly<Record<string, boolean>> = {}) => {
  const messages: string[] = [];
  return runCommand(exportCommand, path, {
    positionals: { package: join(testFolder(), 'out.cab') },
    options,
    onEvent: (event) => {
      if (event.type === 'warning') messages.push(event.message);
    },
  }).then((outcome) => ({ ...outcome, messages }));
};

test('an export is silent after a complete synchronisation, and in a store that never was synchronised', async () => {
  expect((await exporting(await storeWith())).warnings).toEqual([]);
  expect((await exporting(await storeWith(FAILED, GOOD))).warnings).toEqual([]);
});

test.each([
  ['failed', FAILED, /failed with UPSTREAM_UNREACHABLE; /],
  ['was interrupted', sync('INTERRUPTED', '21'), /was interrupted/],
  [
    'is incomplete',
    sync('incomplete', '21', { unavailable: 1, stillMissing: 2000 }),
    /did not get 1 revision and 2,000 content files/,
  ],
  ['is incomplete for another reason', sync('incomplete', '21'), /was incomplete/],
])('an export warns, and is made, when the last synchronisation %s', async (_, last, expected) => {
  const { status: outcome, warnings, messages } = await exporting(await storeWith(GOOD, last));
  expect(outcome).toBe('complete');
  expect(warnings).toEqual(['SYNC_NOT_SUCCESSFUL']);
  expect(messages[0]).toMatch(expected);
  expect(messages[0]).toContain(
    'the last complete one ended 2026-11-20 03:12 UTC (wsusutil history 3 tells more)',
  );
});

test('export --require-synced refuses unless the last synchronisation was complete', async () => {
  const options = { 'require-synced': true };
  expect((await exporting(await storeWith(FAILED, GOOD), options)).status).toBe('complete');
  for (const [runs, expected] of [
    [[], /never been synchronised; nothing was exported/],
    [[sync('complete', '21', { parts: 'categories' })], /never been synchronised/],
    [[FAILED, sync('complete', '21', { parts: 'content' })], /failed with/],
    [[FAILED], /failed with .*; none was complete so far/],
    [[GOOD, sync('incomplete', '21')], /was incomplete/],
  ] as const) {
    await expect(exporting(await storeWith(...runs), options)).rejects.toMatchObject({
      code: 'SAFETY_REFUSED',
      message: expect.stringMatching(expected),
      hint: expect.stringContaining('--require-synced'),
    });
  }
});

test('a synchronisation that failed before anything came changes nothing about the one before', async () => {
  const probe = sync('UPSTREAM_UNREACHABLE', '22', { changedNothing: true, message: 'No route to wsus02' });
  const options = { 'require-synced': true };
  expect((await exporting(await storeWith(GOOD, probe))).warnings).toEqual([]);
  expect((await exporting(await storeWith(GOOD, probe, probe), options)).status).toBe('complete');
  expect((await exporting(await storeWith(FAILED, probe))).messages[0]).toContain(
    '2026-11-21 03:12 UTC, failed',
  );
  await expect(exporting(await storeWith(probe), options)).rejects.toMatchObject({
    message: expect.stringContaining('never been synchronised'),
  });
});

test('a run that broke off is listed with what it had done, and why', async () => {
  const path = await storeWith(
    sync('UPSTREAM_TRUNCATED', '21', {
      newUpdates: 40,
      revisions: 1200,
      listed: 5000,
      wanted: 4000,
      message: 'Cut off',
    }),
  );
  const { view } = await runCommand(history, path);
  expect(view).toMatchObject([
    {
      rows: [
        expect.arrayContaining(['40 new updates, 1,200 revisions, 5,000 listed, 4,000 wanted; Cut off']),
        expect.anything(),
      ],
    },
    {},
  ]);
  const one = await runCommand(history, path, { positionals: { id: '2' } });
  expect(JSON.stringify(one.view)).toContain('["Revisions","1,200"]');
  expect(JSON.stringify(one.view)).toContain('["Reason","Cut off"]');
});
