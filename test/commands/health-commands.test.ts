import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkhealth } from '../../src/commands/checkhealth.js';
import { healthmonitoring } from '../../src/commands/healthmonitoring.js';
import { reset } from '../../src/commands/reset.js';
import { acquireWriterLock } from '../../src/platform/writer-lock.js';
import { parseSettings, writeSettings } from '../../src/settings/settings.js';
import { openMetadataStore } from '../../src/store/open-store.js';
import { makeFile, placeFile, updateWith } from '../content/content-builder.js';
import { failureOf } from '../helpers/package-builder.js';
import { idOf, importUpdates, now, testFolder } from '../store/update-builder.js';
import { runCommand } from './command-context.js';

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
    expect(result).toMatchObject({ isFit: true, errors: 0 });
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
      'Last import': 'error',
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
      contentDirectory: undefined,
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
