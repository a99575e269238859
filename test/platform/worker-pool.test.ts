import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { openWorkerPool } from '../../src/platform/worker-pool.js';
import { temporaryFolder } from '../helpers/package-builder.js';

interface Reply {
  readonly thread: number;
  readonly task: string;
}

/** A worker that takes its time and says which thread it is; `fail` makes it fail. */
const WORKER = `
import { parentPort, threadId } from 'node:worker_threads';
parentPort.on('message', (task) => setTimeout(() => parentPort.postMessage(
  task === 'fail' ? { failure: { code: 'LIMIT_EXCEEDED', message: 'too much' } } : { result: { thread: threadId, task } },
), 20));`;

function openPool(threads: number, start: 'all' | 'one' | 'on demand') {
  const { path, remove } = temporaryFolder();
  const workerPath = join(path, 'worker.mjs');
  writeFileSync(workerPath, WORKER);
  const pool = openWorkerPool<string, Reply>(pathToFileURL(workerPath), threads, start);
  onTestFinished(async () => {
    await pool.close();
    remove();
  });
  return pool;
}

const TASKS = Array.from({ length: 12 }, (_, n) => `task ${n}`);
const threadsOf = (replies: readonly Reply[]) => new Set(replies.map(({ thread }) => thread)).size;

test.each([
  ['all', 3, 3],
  ['on demand', 3, 3],
  ['one', 3, 1],
] as const)('threads that run from the beginning: %s of %i is %i', async (start, threads, running) => {
  const pool = openPool(threads, start);
  const replies = await Promise.all(TASKS.map((task) => pool.run(task)));
  expect(replies.map(({ task }) => task)).toEqual(TASKS);
  expect(threadsOf(replies)).toBe(running);
});

test('the rest starts when it is asked for, and takes what waits', async () => {
  const pool = openPool(2, 'one');
  const before = TASKS.map((task) => pool.run(task));
  pool.startAll();
  pool.startAll(); // nothing more to start
  expect(threadsOf(await Promise.all(before))).toBe(2);
  expect(threadsOf(await Promise.all(TASKS.map((task) => pool.run(task))))).toBe(2);
});

test('what a thread refuses comes back with its code; what is under way at the end is given up', async () => {
  const pool = openPool(1, 'all');
  await expect(pool.run('fail')).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', message: 'too much' });
  const late = pool.run('late');
  const closing = pool.close();
  await expect(late).rejects.toMatchObject({ code: 'INTERRUPTED' });
  await closing;
  await expect(pool.run('later')).rejects.toMatchObject({ code: 'INTERRUPTED' });
});

test.each([[1], [2]])(
  'a thread that is handed %i tasks at once has begun the next while the caller is at something else',
  async (count) => {
    const { path, remove } = temporaryFolder();
    const workerPath = join(path, 'worker.mjs');
    writeFileSync(
      workerPath,
      `import { parentPort } from 'node:worker_threads';
    parentPort.on('message', (task) => {
      Atomics.add(task, 0, 1);
      Atomics.notify(task, 0);
      parentPort.postMessage({ result: 'done' });
    });`,
    );
    const pool = openWorkerPool<Int32Array, string>(pathToFileURL(workerPath), 1, 'all', count);
    onTestFinished(async () => {
      await pool.close();
      remove();
    });
    const begun = new Int32Array(new SharedArrayBuffer(4));
    const replies = Promise.all([pool.run(begun), pool.run(begun)]);
    Atomics.wait(begun, 0, 0, 10_000);
    // This thread hears nothing now: with one task at a time the second cannot have been sent.
    if (count === 2) Atomics.wait(begun, 0, 1, 10_000);
    expect(Atomics.load(begun, 0)).toBe(count);
    expect(await replies).toEqual(['done', 'done']);
  },
);

test('a task that cannot be sent is refused, and the others get their own answers', async () => {
  const pool = openPool(1, 'all');
  const odd = { a: () => {} } as unknown as string;
  const replies = await Promise.allSettled(['first', odd, 'second', 'third'].map((task) => pool.run(task)));
  expect(replies.map((each) => (each.status === 'fulfilled' ? each.value.task : each.reason.name))).toEqual([
    'first',
    'DataCloneError',
    'second',
    'third',
  ]);
});
