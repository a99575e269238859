/** A program that is killed, interrupted or stopped in the middle of an import leaves the store as it was. */
import type { ChildProcess } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openMetadataStore } from '../../src/store/open-store.js';
import { writeCatalogue } from '../helpers/catalogue/write-catalogue.js';
import { finish, type ProgramResult, runProgram, startProgram, temporaryFolder } from '../helpers/program.js';
import { seededRandom } from '../helpers/seeded-random.js';
import { now, problemsOf } from '../store/update-builder.js';

/** More than 24 MiB of documents, so that worker threads take part. */
const REVISIONS = 4600;
const KILLS = 20;

const folder = temporaryFolder();
const packagePath = join(folder.path, 'large.cab');
const otherPath = join(folder.path, 'other.cab');
const bases = { empty: join(folder.path, 'empty'), filled: join(folder.path, 'filled') } as const;
type Base = keyof typeof bases;
const before = { empty: '', filled: '' };
const after = { empty: '', filled: '' };
let importMs = 0;

async function fingerprintOf(dataDirectory: string): Promise<string> {
  const store = await openMetadataStore(join(dataDirectory, 'metadata.sqlite'), { mode: 'read', now });
  try {
    return await store.fingerprint();
  } finally {
    await store.close();
  }
}

/** A data directory of its own that starts as one of the two. */
function copyOf(base: Base): string {
  const copy = temporaryFolder();
  onTestFinished(copy.remove);
  cpSync(bases[base], copy.path, { recursive: true });
  return copy.path;
}

interface ImportingProgram {
  readonly child: ChildProcess;
  readonly end: Promise<ProgramResult>;
  /** resolves with the first event that fits, or when the program has ended without one */
  event(fits: (event: { readonly type: string; readonly stage?: string }) => boolean): Promise<void>;
}

function startImport(dataDirectory: string): ImportingProgram {
  const child = startProgram(['import', packagePath, '--json-events'], dataDirectory);
  const events: { type: string; stage?: string }[] = [];
  const waiting = new Set<() => void>();
  let rest = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    events.push(...lines.map((line) => JSON.parse(line) as { type: string }));
    for (const look of waiting) look();
  });
  const end = finish(child);
  return {
    child,
    end,
    event: (fits) =>
      Promise.race([
        end.then(() => {}),
        new Promise<void>((resolve) => {
          const look = () => {
            if (!events.some(fits)) return;
            waiting.delete(look);
            resolve();
          };
          waiting.add(look);
          look();
        }),
      ]),
  };
}

beforeAll(async () => {
  await writeCatalogue(packagePath, { revisions: REVISIONS, seed: 21 });
  await writeCatalogue(otherPath, { revisions: 800, seed: 22 });
  await runProgram(['status'], bases.empty);
  await runProgram(['import', otherPath], bases.filled);
  for (const base of ['empty', 'filled'] as const) {
    before[base] = await fingerprintOf(bases[base]);
    const copy = temporaryFolder();
    cpSync(bases[base], copy.path, { recursive: true });
    const startedAt = performance.now();
    const { exitCode } = await startImport(copy.path).end;
    importMs = Math.max(importMs, performance.now() - startedAt);
    expect([0, 3]).toContain(exitCode);
    after[base] = await fingerprintOf(copy.path);
    expect(after[base]).not.toBe(before[base]);
    copy.remove();
  }
}, 120_000);
afterAll(folder.remove);

/** Sound, and either as before or as after; says which. */
async function stateOf(dataDirectory: string, base: Base): Promise<'before' | 'after'> {
  const store = await openMetadataStore(join(dataDirectory, 'metadata.sqlite'), { mode: 'read', now });
  try {
    expect(await problemsOf(store)).toEqual([]);
    const fingerprint = await store.fingerprint();
    expect([before[base], after[base]]).toContain(fingerprint);
    return fingerprint === after[base] ? 'after' : 'before';
  } finally {
    await store.close();
  }
}

describe('kill -9', () => {
  const random = seededRandom(2026);
  const kills = Array.from({ length: KILLS }, (_, n) => ({
    n,
    base: n % 2 === 0 ? ('empty' as const) : ('filled' as const),
    moment: (['at any time', 'at any time', 'while storing', 'while committing'] as const)[
      Math.floor(n / 2) % 4
    ] as 'at any time' | 'while storing' | 'while committing',
    share: random.below(1000) / 1000,
  }));

  test.each(kills)('$n: $moment, $base store', async ({ n, base, moment, share }) => {
    const dataDirectory = copyOf(base);
    const run = startImport(dataDirectory);
    if (moment === 'at any time') {
      await Promise.race([run.end, sleep(share * importMs)]);
    } else if (moment === 'while storing') {
      await run.event((event) => event.type === 'progress');
      await Promise.race([run.end, sleep(share * importMs * 0.7)]);
    } else {
      await run.event((event) => event.type === 'stage-started' && event.stage === 'committing');
      await Promise.race([run.end, sleep(share * 60)]);
    }
    run.child.kill('SIGKILL');
    const { exitCode } = await run.end;
    const state = await stateOf(dataDirectory, base);
    if (exitCode === 0) expect(state).toBe('after');
    if (n % 5 === 0) {
      const again = await startImport(dataDirectory).end; // the lock of a killed writer is free
      expect(again.exitCode, again.stdout).toBe(base === 'empty' ? 0 : again.exitCode);
      expect(await stateOf(dataDirectory, base)).toBe('after');
    }
  });
});

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s ends an import with 130, and the store is as before',
  async (signal) => {
    const dataDirectory = copyOf('filled');
    const run = startImport(dataDirectory);
    await run.event((event) => event.type === 'stage-started' && event.stage === 'importing');
    run.child.kill(signal);
    const { exitCode, stdout } = await run.end;
    expect(exitCode).toBe(130);
    const last = JSON.parse(stdout.trimEnd().split('\n').at(-1) as string);
    expect(last).toMatchObject({
      type: 'result',
      status: 'failed',
      exitCode: 130,
      error: { code: 'INTERRUPTED' },
    });
    expect(await stateOf(dataDirectory, 'filled')).toBe('before');
    const history = await runProgram(['status', '--json'], dataDirectory);
    expect(JSON.parse(history.stdout).lastImport).toMatchObject({ outcome: 'INTERRUPTED' });
  },
);

test.each(['.cab', '.xml.gz'])(
  'SIGINT ends an export to %s with 130 and leaves no file',
  async (extension) => {
    const dataDirectory = temporaryFolder();
    onTestFinished(dataDirectory.remove);
    const target = temporaryFolder();
    onTestFinished(target.remove);
    await runProgram(['import', packagePath], dataDirectory.path);
    const child = startProgram(
      ['export', join(target.path, `x${extension}`), '--json-events'],
      dataDirectory.path,
    );
    child.stdout?.once('data', () => child.kill('SIGINT'));
    const { exitCode } = await finish(child);
    expect(exitCode).toBe(130);
    expect(readdirSync(target.path)).toEqual([]);
  },
);

test('what a killed export left goes with the next one to the folder; what goes on stays', async () => {
  const dataDirectory = temporaryFolder();
  onTestFinished(dataDirectory.remove);
  const target = temporaryFolder();
  onTestFinished(target.remove);
  const left = () => readdirSync(target.path).filter((name) => name.endsWith('.tmp'));
  const startExport = async (name: string, signal: NodeJS.Signals) => {
    const child = startProgram(['export', join(target.path, name)], dataDirectory.path);
    const end = finish(child);
    const isWriting = () => left().some((name) => name.startsWith(`.wsusutil-${child.pid}-`));
    while (!isWriting() && child.exitCode === null) await sleep(2);
    child.kill(signal);
    return { child, end };
  };
  await runProgram(['import', packagePath], dataDirectory.path);
  const stopped = await startExport('stopped.cab', 'SIGSTOP');
  const killed = await startExport('killed.cab', 'SIGKILL');
  await killed.end;
  expect(left()).toHaveLength(2);
  const abroad = `.wsusutil-${killed.child.pid}-1-0123456789ab-01234567.tmp`; // of another machine
  const others = join(target.path, abroad);
  writeFileSync(others, 'half');
  utimesSync(others, 1, 1);

  const { exitCode, stderr } = await runProgram(
    ['export', join(target.path, 'whole.cab'), join(target.path, 'whole.log')],
    dataDirectory.path,
  );
  expect(exitCode).toBe(0);
  const isStillWritten = left().some((name) => name.startsWith(`.wsusutil-${stopped.child.pid}-`));
  expect(isStillWritten).toBe(true);
  expect(left()).toContain(abroad);
  expect(stderr).toContain(abroad);
  expect(stderr).toContain('[FILE_LEFT_BEHIND]');
  if (process.platform === 'linux') {
    expect(left()).toHaveLength(2);
    expect(readFileSync(join(target.path, 'whole.log'), 'utf8')).toContain('left of a write that was killed');
  }
  stopped.child.kill('SIGCONT');
  expect((await stopped.end).exitCode).toBe(0);
});

test('while an import is under way others read the old state, and a second writer is told who writes', async () => {
  const dataDirectory = copyOf('filled');
  const run = startImport(dataDirectory);
  await run.event((event) => event.type === 'stage-started' && event.stage === 'importing');
  run.child.kill('SIGSTOP'); // it holds its lock and its transaction for as long as this takes
  try {
    const status = await runProgram(['status', '--json'], dataDirectory);
    expect(status.exitCode).toBe(0);
    expect(JSON.parse(status.stdout).fingerprint).toBe(before.filled);
    const updates = await runProgram(
      ['updates', '--type', 'all', '--all-revisions', '--json'],
      dataDirectory,
    );
    expect(JSON.parse(updates.stdout).count).toBe(800);
    const target = join(dataDirectory, 'meanwhile.cab');
    const exported = await runProgram(['export', target, '--json'], dataDirectory);
    expect(exported.exitCode).toBe(0);
    expect(JSON.parse(exported.stdout).revisions).toBe(800);
    expect(existsSync(target)).toBe(true);

    const second = await runProgram(['import', otherPath, '--json'], dataDirectory);
    expect(second.exitCode).toBe(11);
    const { error } = JSON.parse(second.stdout);
    expect(error.code).toBe('STORE_LOCKED');
    expect(error.message).toContain(`Process ${run.child.pid} `);
    expect(error.message).toContain('import');
  } finally {
    run.child.kill('SIGCONT');
  }
  const { exitCode } = await run.end;
  expect([0, 3]).toContain(exitCode);
  expect(await stateOf(dataDirectory, 'filled')).toBe('after');
});
