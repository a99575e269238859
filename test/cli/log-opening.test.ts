import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { freeLogPath, removeOldLogs } from '../../src/cli/log-opening.js';
import { temporaryFolder } from '../helpers/program.js';

const DAY_MS = 86_400_000;
const NOW = new Date('2026-11-20T12:00:00Z');
const daysAgo = (days: number) => new Date(NOW.getTime() - days * DAY_MS);

function logsFolder(): string {
  const folder = temporaryFolder();
  onTestFinished(folder.remove);
  return folder.path;
}

/** A log as a run of that day left it. */
function leave(folder: string, days: number, command = 'content copy'): string {
  const path = freeLogPath(folder, command, daysAgo(days));
  writeFileSync(path, '');
  utimesSync(path, daysAgo(days), daysAgo(days));
  return path;
}

test('logs of more than a year ago go, but for the newest hundred', () => {
  const folder = logsFolder();
  for (let days = 0; days < 90; days++) leave(folder, days);
  for (let days = 366; days < 386; days++) leave(folder, days, 'sync');
  const oldest = readdirSync(folder).sort();
  expect(removeOldLogs(folder, NOW)).toBe(10);
  expect(readdirSync(folder)).toHaveLength(100);
  expect(removeOldLogs(folder, NOW)).toBe(0);
  expect(oldest.filter((name) => !readdirSync(folder).includes(name))).toHaveLength(10);
  expect(removeOldLogs(folder, new Date('2040-01-01T00:00:00Z'))).toBe(0);
});

test('within a year all stay, however many', () => {
  const folder = logsFolder();
  for (let days = 0; days < 300; days++) leave(folder, days);
  expect(removeOldLogs(folder, NOW)).toBe(0);
});

test('what somebody named, what was changed since, and what is no file stays', () => {
  const folder = logsFolder();
  for (let days = 0; days < 100; days++) leave(folder, days);
  const changed = leave(folder, 800);
  utimesSync(changed, NOW, NOW);
  const named = [
    'import.log',
    'import-20200101.log',
    'My-20200101T000000Z.log',
    'import-20200101T000000Z.log.old',
  ];
  for (const name of named) {
    writeFileSync(join(folder, name), '');
    utimesSync(join(folder, name), daysAgo(2000), daysAgo(2000));
  }
  mkdirSync(join(folder, 'import-20200101T000000Z.log'));
  utimesSync(join(folder, 'import-20200101T000000Z.log'), daysAgo(2000), daysAgo(2000));
  expect(removeOldLogs(folder, NOW)).toBe(0);
  expect(removeOldLogs(join(folder, 'none'), NOW)).toBe(0);
});
