/**
 * A few worker threads that run one function over many tasks. Results come back as promises, so the caller decides
 * how many tasks are under way and in which order it takes the results.
 */
import { isMainThread, parentPort, type Transferable, Worker } from 'node:worker_threads';
import { type ErrorCode, WsusutilError } from '../errors.js';

/** One under way, one that waits behind it, and one that is being put together. */
const MIN_CONCURRENCY = 3;

export interface TaskRunner<Task, Result> {
  /** tasks worth having under way at once */
  readonly concurrency: number;
  /** @param transfer buffers that belong to the task alone; they are gone for the caller afterwards */
  run(task: Task, transfer?: readonly Transferable[]): Promise<Result>;
  /** Starts the threads that are not running yet: there is work for all of them. */
  startAll(): void;
  /** Stops the threads. Tasks under way are rejected. */
  close(): Promise<void>;
}

type Reply<Result> =
  | { readonly result: Result }
  | {
      readonly failure: {
        code: ErrorCode | undefined;
        message: string;
        hint?: string | undefined;
        details?: Readonly<Record<string, unknown>> | undefined;
      };
    };

/** Runs each task at once, on the calling thread. */
export function createInlineRunner<Task, Result>(work: (task: Task) => Result): TaskRunner<Task, Result> {
  return { concurrency: 1, run: async (task) => work(task), startAll: () => {}, close: async () => {} };
}

/**
 * @param url a module that calls {@link serveTasks}
 * @param start of threads: all of them now, so that they are there when work comes; one now, the rest when asked for; or
 *   one whenever there is a task that no idle one could take
 * @param tasksPerThread what a thread is handed before it has answered. With 2 it need not wait for a caller who is at
 *   something else; but a task may then wait behind a long one while another thread has nothing to do
 */
export function openWorkerPool<Task, Result>(
  url: URL,
  threads: number,
  start: 'all' | 'one' | 'on demand' = 'all',
  tasksPerThread = 1,
): TaskRunner<Task, Result> {
  interface Waiting {
    readonly task: Task;
    readonly transfer: readonly Transferable[];
    readonly resolve: (result: Result) => void;
    readonly reject: (error: unknown) => void;
  }
  const queue: Waiting[] = [];
  /** what each thread has, in the order in which it will answer */
  const workers: { readonly worker: Worker; readonly tasks: Waiting[] }[] = [];
  let failure: unknown;

  const dispatch = () => {
    while (queue.length > 0) {
      let least = workers.toSorted((a, b) => a.tasks.length - b.tasks.length)[0];
      const isBusy = least === undefined || least.tasks.length > 0;
      if (isBusy && start === 'on demand' && workers.length < threads) least = startOne();
      if (least === undefined || least.tasks.length === tasksPerThread) return;
      const waiting = queue.shift() as Waiting;
      try {
        least.worker.postMessage(waiting.task, waiting.transfer);
      } catch (error) {
        waiting.reject(error); // it cannot be sent: there will be no answer to it
        continue;
      }
      least.tasks.push(waiting);
    }
  };
  const failAll = (error: unknown) => {
    failure = error;
    for (const { tasks } of workers) for (const waiting of tasks.splice(0)) waiting.reject(error);
    for (const waiting of queue.splice(0)) waiting.reject(error);
  };
  const startOne = () => {
    // A small young generation: batches are large and short-lived, and every thread's heap counts.
    const worker = new Worker(url, { resourceLimits: { maxYoungGenerationSizeMb: 16 } });
    const tasks: Waiting[] = [];
    worker.on('message', (reply: Reply<Result>) => {
      const waiting = tasks.shift();
      if (waiting !== undefined) {
        if ('result' in reply) waiting.resolve(reply.result);
        else waiting.reject(errorOf(reply.failure));
      }
      dispatch();
    });
    worker.on('error', failAll);
    worker.on('exit', (code) => {
      if (failure === undefined && code !== 0)
        failAll(new Error(`a worker thread stopped with code ${code}`));
    });
    const started = { worker, tasks };
    workers.push(started);
    return started;
  };
  const startUpTo = (count: number) => {
    while (workers.length < count) startOne();
    dispatch();
  };
  if (start !== 'on demand') startUpTo(start === 'all' ? threads : 1);
  return {
    concurrency: Math.max(MIN_CONCURRENCY, threads * 2 + tasksPerThread - 1),
    run: (task, transfer = []) =>
      new Promise<Result>((resolve, reject) => {
        if (failure !== undefined) {
          reject(failure);
          return;
        }
        queue.push({ task, transfer, resolve, reject });
        dispatch();
      }),
    startAll: () => startUpTo(threads),
    async close() {
      failAll(new WsusutilError('INTERRUPTED', 'Stopped while work was under way'));
      await Promise.all(workers.map(({ worker }) => worker.terminate()));
    },
  };
}

/** The other side: answers every message of the parent with `work`'s result. Does nothing on the main thread. */
export function serveTasks<Task, Result>(
  work: (task: Task) => { readonly result: Result; readonly transfer: readonly Transferable[] },
): void {
  if (isMainThread) return;
  parentPort?.on('message', (task: Task) => {
    let reply: Reply<Result>;
    let transfer: readonly Transferable[] = [];
    try {
      const done = work(task);
      reply = { result: done.result };
      transfer = done.transfer;
    } catch (error) {
      reply = {
        failure:
          error instanceof WsusutilError
            ? { code: error.code, message: error.message, hint: error.hint, details: error.details }
            : {
                code: undefined,
                message: error instanceof Error ? (error.stack ?? error.message) : String(error),
              },
      };
    }
    parentPort?.postMessage(reply, transfer);
  });
}

function errorOf(failure: Extract<Reply<never>, { failure: unknown }>['failure']): Error {
  return failure.code === undefined
    ? new Error(failure.message)
    : new WsusutilError(failure.code, failure.message, { hint: failure.hint, details: failure.details });
}
