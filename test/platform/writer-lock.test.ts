import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { acquireWriterLock } from '../../src/platform/writer-lock.js';
import { temporaryFolder } from '../helpers/program.js';

const now = () => new Date('2026-11-20T12:00:00.000Z');
const builtModule = resolve(import.meta.dirname, '../../dist/platform/writer-lock.js');

function lockPath(): string {
  const folder = temporaryFolder();
  onTestFinished(folder.remove);
  return join(folder.path, 'writer.lock');
}

/** Another process that takes the lock and keeps it until it is killed. */
async function holdElsewhere(path: string): Promise<ChildProcess> {
  const script = `
    const { acquireWriterLock } = await import(${JSON.stringify(pathToFileURL(builtModule).href)});
    await acquireWriterLock(${JSON.stringify(path)}, { command: 'import', now: () => new Date('2026-11-20T11:00:00Z') });
    process.stdout.write('held');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await new Promise<void>((done, failed) => {
    child.stdout?.once('data', () => done());
    child.once('exit', () => failed(new Error('the holder ended early; was dist/ built?')));
  });
  return child;
}

test('the second writer waits, then is told who holds the lock; kill -9 frees it at once', async () => {
  const path = lockPath();
  const holder = await holdElsewhere(path);
  await expect(acquireWriterLock(path, { command: 'export', now, waitMs: 300 })).rejects.toMatchObject({
    code: 'STORE_LOCKED',
    message: `Process ${holder.pid} is writing to this data directory: import, since 2026-11-20T11:00:00.000Z (waited 0.3 s)`,
    details: { holder: { pid: holder.pid, command: 'import' } },
  });
  const ended = new Promise((done) => holder.once('exit', done));
  holder.kill('SIGKILL');
  await ended;
  const lock = await acquireWriterLock(path, { command: 'export', now, waitMs: 0 });
  await lock.release();
});

test('a waiting writer gets the lock when it is given back', async () => {
  const path = lockPath();
  const first = await acquireWriterLock(path, { command: 'import', now });
  const second = acquireWriterLock(path, { command: 'export', now, waitMs: 10_000 });
  await first.release();
  await first.release();
  await (await second).release();
  expect(existsSync(`${path}.holder.json`)).toBe(false);
});

test('an unreadable holder file only costs the name', async () => {
  const path = lockPath();
  const lock = await acquireWriterLock(path, { command: 'import', now });
  for (const text of ['', '{"pid":"1"}', 'null', 'x'.repeat(10_000)]) {
    writeFileSync(`${path}.holder.json`, text);
    await expect(acquireWriterLock(path, { command: 'export', now, waitMs: 0 })).rejects.toMatchObject({
      code: 'STORE_LOCKED',
      message: expect.stringContaining('Another process'),
    });
  }
  await lock.release();
});

test('waiting ends when the run is interrupted', async () => {
  const path = lockPath();
  const lock = await acquireWriterLock(path, { command: 'import', now });
  const interruption = new AbortController();
  const waiting = acquireWriterLock(path, {
    command: 'export',
    now,
    waitMs: 60_000,
    signal: interruption.signal,
  });
  interruption.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'INTERRUPTED' });
  await lock.release();
});

test('a lock file that is something else is named', async () => {
  const path = lockPath();
  writeFileSync(path, 'not a database, and long enough to be sure of it '.repeat(50));
  await expect(acquireWriterLock(path, { command: 'import', now, waitMs: 0 })).rejects.toMatchObject({
    code: 'WRITE_FAILED',
  });
});

test('a missing folder is an error that names the lock file', async () => {
  const path = join(lockPath(), 'deeper', 'writer.lock');
  await expect(acquireWriterLock(path, { command: 'import', now, waitMs: 0 })).rejects.toThrow(path);
});

test('a lock that is free is taken also after an interruption: what was done can be noted', async () => {
  const signal = AbortSignal.abort();
  const lock = await acquireWriterLock(lockPath(), { command: 'export', now, signal });
  await lock.release();
});
