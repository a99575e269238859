import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { reset } from '../../../src/commands/content/reset.js';
import { checkhealth } from '../../../src/commands/health/checkhealth.js';
import { healthmonitoring } from '../../../src/commands/health/healthmonitoring.js';
import { undo } from '../../../src/commands/packages/undo.js';
import { temporaryName, writerOf } from '../../../src/platform/temporary-files.js';
import { acquireWriterLock } from '../../../src/platform/writer-lock.js';
import { defaultSettings, parseSettings, writeSettings } from '../../../src/settings/settings.js';
import { openMetadataStore } from '../../../src/store/open-store.js';
import { makeFile, placeFile, updateWith } from '../../content/content-builder.js';
import { failureOf } from '../../helpers/package-builder.js';
import { idOf, importUpdates, now, testFolder } from '../../store/update-builder.js';
import { runCommand } from '../command-context.js';

interface Setup {
  readonly folder: string;
  readonly storePath: string;
  readonly tree: string;
}

const current = makeFile('current', 1000);
const old = makeFile('old', 1000);
const licence = makeFile('eula', 50, 'eula.txt');

async function setUp(): Promise<Setup> {
  const folder = testFolder();
  const storePath = join(folder, 'metadata.sqlite');
  const store = await openMetadataStore(storePath, { mode: 'write', now });
  await importUpdates(store, [
    updateWith(1, [old]),
    updateWith(2, [current], { superseded: [idOf(1)], licences: [licence] }),
  ]);
  await store.close();
  return { folder, storePath, tree: join(folder, 'WsusContent') };
}

async function levels(storePath: string): Promise<Record<string, string>> {
  const { result } = await runCommand(checkhealth, storePath);
  const checks = result.checks as readonly { name: string; level: string; whatToDo?: string }[];
  for (const { level, whatToDo } of checks) if (level === 'error') expect(whatToDo).toBeDefined();
  return Object.fromEntries(checks.map(({ name, level }) => [name, level]));
}

describe('checkhealth', () => {
  test('is fit when the files of current updates are there, though those of superseded ones are not', async () => {
    const { storePath, tree } = await setUp();
    placeFile(tree, current);
    placeFile(tree, licence);
    await runCommand(reset, storePath, { options: { offline: true } });
    const { status, result } = await runCommand(checkhealth, storePath);
    expect(status).toBe('complete');
    expect(result).toMatchObject({ isFit: true, errorCount: 0 });
  });

  test('a missing licence text and a missing current file are errors that say what to do', async () => {
    const { storePath, tree } = await setUp();
    placeFile(tree, old);
    await runCommand(reset, storePath, { options: { offline: true } });
    expect((await runCommand(checkhealth, storePath)).status).toBe('incomplete');
    expect(await levels(storePath)).toMatchObject({
      'Licence texts': 'error',
      'Wanted files': 'error',
      'Damaged files': 'ok',
    });
  });

  test('a package that was refused, or taken back, leaves the catalogue as it was', async () => {
    const { storePath } = await setUp();
    const store = await openMetadataStore(storePath, { mode: 'write', now });
    const at = now().getTime();
    const about = { startedAt: at, finishedAt: at + 1000, details: {} };
    for (const [index, outcome] of ['SIGNER_UNTRUSTED', 'CHAIN_BROKEN'].entries()) {
      await store.addHistory({ ...about, action: 'import', package: `/media/${index}.tar`, outcome });
    }
    await store.close();
    const catalogue = async () => {
      const { result } = await runCommand(checkhealth, storePath);
      const checks = result.checks as readonly { name: string; level: string; says: string }[];
      return checks.find(({ name }) => name === 'Catalogue');
    };
    expect(await catalogue()).toMatchObject({
      level: 'ok',
      says: expect.stringContaining(': complete; /media/1.tar was refused since then: CHAIN_BROKEN'),
    });

    await runCommand(undo, storePath);
    expect((await catalogue())?.level).toBe('error');
  });

  test('files that were never looked for are a warning', async () => {
    const { storePath, tree } = await setUp();
    placeFile(tree, current);
    expect(await levels(storePath)).toMatchObject({ 'Licence texts': 'warning', 'Wanted files': 'warning' });
  });

  test('a damaged file and a content directory that is gone are errors', async () => {
    const { storePath, tree } = await setUp();
    placeFile(tree, current, current.path, Buffer.alloc(1000));
    await runCommand(reset, storePath, { options: { offline: true } });
    expect(await levels(storePath)).toMatchObject({ 'Damaged files': 'error', 'Content directory': 'ok' });
    const other = await setUp();
    expect(await levels(other.storePath)).toMatchObject({ 'Content directory': 'error' });
  });

  test('an empty store is not fit, and a reset that was broken off is told', async () => {
    const empty = join(testFolder(), 'metadata.sqlite');
    await (await openMetadataStore(empty, { mode: 'write', now })).close();
    expect(await levels(empty)).toMatchObject({
      'Metadata store': 'error',
      Catalogue: 'error',
      'Content directory': 'ok',
    });
    const { storePath } = await setUp();
    const store = await openMetadataStore(storePath, { mode: 'write', now });
    await (await store.contentIndex()).setUnfinishedRun({ startedAt: 0, what: 'x' });
    await store.close();
    expect(await levels(storePath)).toMatchObject({ 'Unfinished work': 'warning' });
  });

  test('thresholds and switches come from healthmonitoring', async () => {
    const { storePath } = await setUp();
    await writeSettings(`${storePath}.settings.json`, {
      ...defaultSettings(),
      healthMonitoring: { DiskSpaceInMegabytes: [2_000_000_000, 2_000_000_001], CheckAcls: false },
    });
    expect(await levels(storePath)).toMatchObject({ 'Disk space': 'error', 'Content directory': 'off' });
  });

  test('a lock that is held is told apart from one whose holder was killed', async () => {
    const { storePath, folder } = await setUp();
    const lockPath = `${storePath}.lock`;
    const lock = await acquireWriterLock(lockPath, { command: 'import', now });
    expect(await levels(storePath)).toMatchObject({ 'Writer lock': 'ok' });
    const held = await runCommand(checkhealth, storePath);
    expect(JSON.stringify(held.result)).toContain(`held by process ${process.pid}`);
    const holder = readFileSync(`${lockPath}.holder.json`);
    await lock.release();
    expect(existsSync(`${lockPath}.holder.json`)).toBe(false);
    writeFileSync(`${lockPath}.holder.json`, holder);
    expect(await levels(storePath)).toMatchObject({ 'Writer lock': 'warning' });
    expect(folder).not.toBe('');
  });

  test('a clock behind what was written before is a warning', async () => {
    const { storePath } = await setUp();
    const store = await openMetadataStore(storePath, { mode: 'write', now });
    const later = now().getTime() + 86_400_000;
    await store.addHistory({
      action: 'export',
      package: 'x',
      startedAt: later,
      finishedAt: later,
      outcome: 'complete',
      details: {},
    });
    await store.close();
    expect(await levels(storePath)).toMatchObject({ Clock: 'warning' });
  });
});

describe('checkhealth, where something cannot be read', () => {
  interface Check {
    readonly name: string;
    readonly level: string;
    readonly says: string;
    readonly whatToDo?: string;
  }

  async function page(storePath: string): Promise<Readonly<Record<string, Check>>> {
    const { status, result } = await runCommand(checkhealth, storePath);
    const checks = result.checks as readonly Check[];
    expect(status).toBe(checks.some(({ level }) => level === 'error') ? 'incomplete' : 'complete');
    return Object.fromEntries(checks.map((check) => [check.name, check]));
  }

  test('a data directory that is not there gives a page and is not made', async () => {
    const folder = join(testFolder(), 'nowhere');
    const checks = await page(join(folder, 'metadata.sqlite'));
    expect(checks['Metadata store']).toMatchObject({
      level: 'error',
      whatToDo: expect.stringContaining('Import'),
    });
    expect(checks['Wanted files']?.level).toBe('off');
    expect(checks['Disk space']?.level).not.toBe('off');
    expect(existsSync(folder)).toBe(false);
  });

  test('settings that are not valid are a finding; only what they place is not looked at', async () => {
    const { storePath } = await setUp();
    writeFileSync(`${storePath}.settings.json`, '{"formatVersion":1,"contentDirector":"/srv"}');
    const checks = await page(storePath);
    expect(checks.Settings).toMatchObject({
      level: 'error',
      says: expect.stringContaining('contentDirector'),
      whatToDo: expect.stringContaining('contentDirectory'),
    });
    expect(checks['Content directory']?.level).toBe('off');
    expect(checks['Metadata store']?.level).toBe('ok');
  });

  test('a damaged store is said once, whichever of its pages is damaged, and the rest is still looked at', async () => {
    const { storePath } = await setUp();
    const whole = readFileSync(storePath);
    const pageSize = 16_384;
    let found = 0;
    for (let n = 0; n < whole.length / pageSize; n++) {
      const damaged = join(testFolder(), 'metadata.sqlite');
      writeFileSync(damaged, Buffer.from(whole).fill(0xa5, n * pageSize, (n + 1) * pageSize));
      const checks = await page(damaged);
      expect(checks['Writer lock']?.level).toBe('ok');
      const damage = Object.values(checks).filter(({ says }) => /damaged or is not/.test(says));
      expect(damage.length).toBeLessThanOrEqual(1);
      if (checks['Metadata store']?.level === 'error') found++;
    }
    expect(found).toBeGreaterThan(10);
  });

  test('it looks on while an import is going on, and sees the state before', async () => {
    const { storePath } = await setUp();
    const writer = await openMetadataStore(storePath, { mode: 'write', now });
    const transaction = await writer.beginImport();
    await transaction.setLanguages([]);
    expect((await page(storePath))['Metadata store']?.level).toBe('ok');
    await transaction.rollback();
    await writer.close();
  });

  test('a file in the place of the content directory is an error', async () => {
    const { storePath, tree } = await setUp();
    writeFileSync(tree, '');
    expect((await page(storePath))['Content directory']).toMatchObject({ level: 'error' });
  });

  test('what is written for longer than an hour is not left behind while its writer runs', async () => {
    const { storePath, folder } = await setUp();
    const path = join(folder, temporaryName());
    writeFileSync(path, 'half');
    const yesterday = new Date(now().getTime() - 86_400_000);
    utimesSync(path, yesterday, yesterday);
    const knowsWriters = writerOf(basename(path)) === 'running';
    expect((await page(storePath)).Leftovers?.level).toBe(knowsWriters ? 'ok' : 'warning');
  });

  test('what a killed write left is told once it is old; what is being written is not', async () => {
    const { storePath, folder } = await setUp();
    const left = join(folder, '.wsusutil-4711-0a1b2c3d.tmp');
    writeFileSync(left, 'half');
    utimesSync(left, now(), now());
    expect((await page(storePath)).Leftovers?.level).toBe('ok');
    const yesterday = new Date(now().getTime() - 86_400_000);
    utimesSync(left, yesterday, yesterday);
    expect((await page(storePath)).Leftovers).toMatchObject({
      level: 'warning',
      says: expect.stringContaining(left),
    });
  });

  test('a file that is newer than the clock says is a warning', async () => {
    const { storePath } = await setUp();
    utimesSync(storePath, now(), now());
    expect((await page(storePath)).Clock?.level).toBe('ok');
    const tomorrow = new Date(now().getTime() + 86_400_000);
    utimesSync(storePath, tomorrow, tomorrow);
    expect((await page(storePath)).Clock).toMatchObject({
      level: 'warning',
      says: expect.stringContaining(storePath),
    });
  });

  test('synchronisations are judged as an export judges them: one that changed nothing leaves the one before', async () => {
    const { storePath } = await setUp();
    const judged = async (outcome: string, details: Readonly<Record<string, unknown>> = {}) => {
      const store = await openMetadataStore(storePath, { mode: 'write', now });
      const finishedAt = now().getTime() + 1000;
      const run = {
        action: 'sync',
        package: 'http://wsus02:8530/',
        startedAt: finishedAt,
        finishedAt,
      } as const;
      await store.addHistory({ ...run, outcome, details });
      await store.close();
      return (await page(storePath)).Catalogue;
    };
    expect(await judged('UPSTREAM_UNREACHABLE', { changedNothing: true })).toMatchObject({
      level: 'ok',
      says: expect.stringContaining('http://wsus02:8530/ was tried since then, and nothing came'),
    });
    expect(await judged('UPSTREAM_TRUNCATED', { parts: 'content' })).toMatchObject({ level: 'ok' });
    expect(await judged('UPSTREAM_TRUNCATED', { revisions: 5 })).toMatchObject({ level: 'error' });
    expect(await judged('complete')).toMatchObject({ level: 'ok' });
    expect(await judged('INTERRUPTED', { changedNothing: true })).toMatchObject({ level: 'ok' });
    expect(await judged('incomplete')).toMatchObject({ level: 'warning' });
  });

  test('an import does not make up for the synchronisation before it that was not complete', async () => {
    const { storePath } = await setUp();
    const store = await openMetadataStore(storePath, { mode: 'write', now });
    const finishedAt = now().getTime() - 1000;
    const run = { action: 'sync', package: 'http://wsus:8530/', startedAt: finishedAt, finishedAt } as const;
    await store.addHistory({ ...run, outcome: 'incomplete', details: {} });
    await store.close();
    expect((await page(storePath)).Catalogue).toMatchObject({
      level: 'warning',
      says: expect.stringContaining('the last synchronisation before'),
    });
  });

  test('an import is remembered, however many runs of other commands came after it', async () => {
    const { storePath } = await setUp();
    const store = await openMetadataStore(storePath, { mode: 'write', now });
    const at = now().getTime();
    for (let n = 0; n < 1100; n++) {
      await store.addHistory({
        action: 'export',
        package: 'x',
        startedAt: at,
        finishedAt: at,
        outcome: 'complete',
        details: {},
      });
    }
    await store.close();
    expect((await page(storePath)).Catalogue?.level).toBe('ok');
  });
});

describe('healthmonitoring', () => {
  const run = (storePath: string, parameter?: string, ...values: string[]) =>
    runCommand(healthmonitoring, storePath, {
      positionals: { ...(parameter === undefined ? {} : { parameter }), values },
    });
  const linesOf = (outcome: Awaited<ReturnType<typeof run>>) =>
    outcome.view !== undefined && 'kind' in outcome.view && outcome.view.kind === 'lines'
      ? outcome.view.lines
      : [];

  test('reads in the words of the real tool', async () => {
    const { storePath } = await setUp();
    expect(linesOf(await run(storePath, 'intervalsinminutes'))[0]).toBe(
      'Detect interval: 10 min, Refresh interval: 360 min',
    );
    expect(linesOf(await run(storePath, 'DiskSpaceInMegabytes'))).toEqual([
      'Error level: 200 MB, Warning level: 500 MB',
    ]);
  });

  test('writes one parameter and keeps the others', async () => {
    const { storePath } = await setUp();
    await run(storePath, 'DISKSPACEINMEGABYTES', '300', '900');
    await run(storePath, 'checkacls', 'OFF');
    await run(storePath, 'TargetComputersInPercent', '80', '60');
    const settings = parseSettings(readFileSync(`${storePath}.settings.json`, 'utf8'), 'x');
    expect(settings.healthMonitoring).toEqual({
      DiskSpaceInMegabytes: [300, 900],
      CheckAcls: false,
      TargetComputersInPercent: [80, 60],
    });
    expect(linesOf(await run(storePath, 'DiskSpaceInMegabytes'))).toEqual([
      'Error level: 300 MB, Warning level: 900 MB',
    ]);
    expect((await run(storePath)).result).toMatchObject({
      parameters: { CheckAcls: false, CheckSelfUpdate: true },
    });
  });

  test.each([
    ['DiskSpaceInMegabyte', [], 'Did you mean DiskSpaceInMegabytes'],
    ['DiskSpaceInMegabytes', ['500'], 'Error level, Warning level'],
    ['DiskSpaceInMegabytes', ['500', '200'], 'Error level'],
    ['DiskSpaceInMegabytes', ['-1', '200'], 'Error level'],
    ['InventoryInPercent', ['5', '101'], 'Warning level'],
    ['TargetComputersInPercent', ['60', '80'], 'Warning level'],
    ['CheckAcls', ['yes'], 'CheckAcls on'],
  ])('%s %j is refused and says what would be right', async (parameter, values, hint) => {
    const { storePath } = await setUp();
    const error = await failureOf(() => run(storePath, parameter, ...values));
    expect(error.code).toBe('USAGE');
    expect(error.hint).toContain(hint);
    expect(existsSync(`${storePath}.settings.json`)).toBe(false);
  });
});
